import { isObject, type Json } from '../json.ts';
import type { MicroUsd } from '../money.ts';
import type { BreakerState } from './breaker.ts';
import type { HealthRecord } from './health.ts';
import type { ModelInfo } from './port.ts';
import { blendedPrice, isFree, worstCost } from './prices.ts';
import type { Requirements, Strategy } from './requirements.ts';
import { LEVELS, type Traits } from './traits.ts';

/** A model as the router sees it. */
export interface Candidate extends ModelInfo {
  traits: Traits;
  record: HealthRecord;
  circuit: BreakerState['status'];
}

/** What a score is made of, each in [0, 1]; more is better. */
export interface ScoreParts {
  cost: number;
  speed: number;
  quality: number;
  health: number;
}

/** A choice that explains itself; plain data, for the journal. */
export interface Route {
  /** Absent: none qualifies. */
  chosen: string | null;
  strategy: Strategy;
  /** All that qualify, the best first. */
  candidates: { id: string; score: number; parts: ScoreParts }[];
  rejected: { id: string; reason: string }[];
  /** What was let go, so that there was one at all. */
  relaxed: string[];
  /** The rule of the configuration that led here. */
  rule: string | null;
}

export interface RouteSituation {
  nowMs: number;
  /** How many such choices there were before, for round robin. */
  turn: number;
}

const WEIGHTS: ScoreParts = { cost: 0.3, speed: 0.2, quality: 0.3, health: 0.2 };
/** The part by which a strategy puts its candidates in order; the rest decides where that is equal. */
const FIRST: { [strategy in Strategy]?: keyof ScoreParts } = { cheapest: 'cost', fastest: 'speed', best: 'quality' };
/** After this time an old failure rules nobody out: somebody has to try. */
const ILL_MS = 60_000;

/** A reason to reject, and whether it is a matter of quality, which may be let go, or of health. */
type Objection = { reason: string; kind: 'fact' | 'quality' | 'health' };

/** Chooses by requirements. The same requirements, candidates and situation give the same choice. */
export function route(requirements: Requirements, models: Candidate[], situation: RouteSituation, strategy: Strategy = 'balanced'): Route {
  const objections = models.map(model => objectionTo(model, requirements, situation.nowMs));
  const pass = (kinds: Objection['kind'][]): Candidate[] =>
    models.filter((_, index) => objections[index] === undefined || kinds.includes(objections[index].kind));
  let wanted = requirements.strategy ?? strategy;
  let able = pass([]);
  const relaxed: string[] = [];
  if (able.length === 0 && requirements.otherwise !== undefined) {
    able = pass(['quality']);
    wanted = requirements.otherwise;
    if (able.length > 0) relaxed.push('quality');
  }
  // Where all are ill, the best of them is asked: its failure says more than that there was nobody to ask.
  if (able.length === 0) {
    able = pass(requirements.otherwise === undefined ? ['health'] : ['health', 'quality']);
    if (able.length > 0) relaxed.push('health');
  }
  const taken = new Set(able);
  const scored = able.map(model => ({ model, parts: partsOf(model), rank: preferenceOf(model, requirements.preferred) }));
  const candidates = scored
    .map(({ model, parts, rank }) => ({ id: model.id, score: scoreOf(parts, wanted), rest: scoreOf(parts, 'balanced'), parts, rank }))
    .sort((a, b) => a.rank - b.rank || b.score - a.score || b.rest - a.rest || (a.id < b.id ? -1 : 1));
  return {
    chosen: choose(candidates, wanted, requirements, situation),
    strategy: wanted,
    candidates: candidates.map(({ id, score, parts }) => ({ id, score, parts })),
    rejected: models.flatMap((model, index) => (taken.has(model) ? [] : [{ id: model.id, reason: objections[index]!.reason }])),
    relaxed,
    rule: null,
  };
}

function choose(candidates: { id: string; rank: number }[], strategy: Strategy, { stickyKey = '' }: Requirements, { turn }: RouteSituation): string | null {
  const [best] = candidates;
  if (best === undefined) return null;
  if (strategy !== 'round-robin' && strategy !== 'sticky') return best.id;
  const ids = candidates
    .filter(({ rank }) => rank === best.rank)
    .map(({ id }) => id)
    .sort();
  if (strategy === 'round-robin') return ids[turn % ids.length]!;
  // Highest hash wins: when a model comes or goes, only its own keys move.
  return ids.reduce((winner, id) => (hash(`${stickyKey}\n${id}`) > hash(`${stickyKey}\n${winner}`) ? id : winner));
}

/** FNV-1a with a last stir; equal on every machine. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  value = Math.imul(value ^ (value >>> 15), 0x2c1b3c6d);
  return (value ^ (value >>> 13)) >>> 0;
}

function objectionTo(model: Candidate, wanted: Requirements, nowMs: number): Objection | undefined {
  const fact = factAgainst(model, wanted);
  if (fact !== undefined) return { reason: fact, kind: 'fact' };
  const quality = qualityAgainst(model, wanted);
  if (quality !== undefined) return { reason: quality, kind: 'quality' };
  const health = wanted.mayBeUnhealthy ? undefined : illness(model, nowMs);
  return health === undefined ? undefined : { reason: health, kind: 'health' };
}

/** What no strategy may let go. */
function factAgainst(model: Candidate, wanted: Requirements): string | undefined {
  const { traits, contextWindow } = model;
  if (wanted.excluded.some(name => isNamed(model, name))) return 'it is excluded';
  if (!traits.capabilities.includes('streaming') && !wanted.capabilities.includes('embeddings')) return 'it makes vectors, and no text';
  const cannot = wanted.capabilities.filter(word => !traits.capabilities.includes(word));
  if (cannot.length > 0) return `it is not known to have: ${cannot.join(', ')}`;
  const blind = wanted.modalities.filter(word => !traits.modalities.includes(word));
  if (blind.length > 0) return `it is not known to read: ${blind.join(', ')}`;
  const mute = wanted.languages.filter(word => traits.languages?.includes(word) === false);
  if (mute.length > 0) return `it does not know: ${mute.join(', ')}`;
  if (wanted.minContextWindow !== undefined && (contextWindow ?? 0) < wanted.minContextWindow)
    return `its context of ${contextWindow ?? 'unknown length'} is below ${wanted.minContextWindow}`;
  if (wanted.local === true && !model.local) return 'it is not on this machine';
  if (wanted.free === true && !isFree(model)) return model.price === undefined ? 'its price is unknown' : 'it is not free';
  return priceAgainst(model, wanted);
}

function priceAgainst(model: Candidate, { maxCost, maxPricePerMillion, tokens }: Requirements): string | undefined {
  if (maxCost === undefined && maxPricePerMillion === undefined) return undefined;
  const cost = worstCost(model, tokens.input, tokens.output);
  if (cost === undefined) return 'its price is unknown, and there is a cap';
  if (maxCost !== undefined && cost > maxCost) return `a call would cost $${usd(cost)}, above $${usd(maxCost)}`;
  const mean = model.price === undefined ? 0 : (model.price.inputPerMillion + model.price.outputPerMillion) / 2;
  if (maxPricePerMillion !== undefined && mean > maxPricePerMillion) return `its price of $${usd(mean)} a million tokens is above $${usd(maxPricePerMillion)}`;
  return undefined;
}

const usd = (micro: MicroUsd): number => Math.round(micro) / 1_000_000;

/** What may be let go where nothing else is left. */
function qualityAgainst({ traits, record }: Candidate, wanted: Requirements): string | undefined {
  const { level, sizeBillions } = traits;
  const lacks = wanted.expertise.filter(word => !traits.expertise.includes(word));
  if (lacks.length > 0) return `it is not known to be good at: ${lacks.join(', ')}`;
  if (wanted.minLevel !== undefined && (level === undefined || LEVELS.indexOf(level) < LEVELS.indexOf(wanted.minLevel)))
    return `its expertise is ${level ?? 'unknown'}, below ${wanted.minLevel}`;
  const { minSizeBillions: least, maxSizeBillions: most } = wanted;
  // A service that tells no size has no small models; nor has one that fits under a cap.
  if (least !== undefined && sizeBillions !== undefined && sizeBillions < least) return `its size of ${sizeBillions}b is below ${least}b`;
  if (most !== undefined && (sizeBillions ?? Infinity) > most)
    return `its size of ${sizeBillions === undefined ? 'unknown' : `${sizeBillions}b`} is above ${most}b`;
  const { latencyMs, tokensPerSecond } = record;
  if (wanted.maxLatencyMs !== undefined && latencyMs !== null && latencyMs > wanted.maxLatencyMs)
    return `it takes ${Math.round(latencyMs)} ms, above ${wanted.maxLatencyMs} ms`;
  if (wanted.minTokensPerSecond !== undefined && tokensPerSecond !== null && tokensPerSecond < wanted.minTokensPerSecond)
    return `it gives ${Math.round(tokensPerSecond)} tokens a second, below ${wanted.minTokensPerSecond}`;
  return undefined;
}

function illness({ record, circuit }: Candidate, nowMs: number): string | undefined {
  if (circuit === 'open') return 'its circuit is open: it failed too often in a row';
  const { failure, checkedAtMs } = record;
  if (failure === null || nowMs - checkedAtMs > ILL_MS) return undefined;
  return `it is not well (${failure.kind}): ${failure.message}`;
}

function partsOf({ traits, record, circuit, ...model }: Candidate): ScoreParts {
  const price = blendedPrice(model);
  const speed = record.latencyMs === null ? (traits.expertise.includes('fast') ? 0.6 : 0.4) : 1 / (1 + record.latencyMs / 2000);
  return {
    cost: price === undefined ? 0 : 1 / (1 + price / 1_000_000),
    speed,
    quality: ((traits.level === undefined ? 0 : LEVELS.indexOf(traits.level)) + 1) / LEVELS.length,
    health: (1 - record.errorRate) * (circuit === 'closed' ? 1 : 0.5),
  };
}

function scoreOf(parts: ScoreParts, strategy: Strategy): number {
  const first = FIRST[strategy];
  if (first !== undefined) return parts[first];
  return parts.cost * WEIGHTS.cost + parts.speed * WEIGHTS.speed + parts.quality * WEIGHTS.quality + parts.health * WEIGHTS.health;
}

/** Place among the preferred, the first is 0; who is not among them comes last. */
function preferenceOf(model: Candidate, preferred: string[]): number {
  const place = preferred.findIndex(name => isNamed(model, name));
  return place < 0 ? preferred.length : place;
}

/** A model is named by its id, also with a colon for the first slash, by its own name, or by its provider. */
export function isNamed({ id, provider }: { id: string; provider: string }, name: string): boolean {
  return name === id || name === provider || name.replace(':', '/') === id || name === id.slice(provider.length + 1);
}

/** A rule of the configuration: for a field, named or told by its words, these models. */
export interface DomainRule {
  domain: string;
  words: string[];
  use: Json;
}

/** The first rule for a request: of the domain that it names, else one of whose words is in its text. */
export function ruleFor(rules: DomainRule[], domain: string | undefined, text: string): DomainRule | undefined {
  if (domain !== undefined) return rules.find(rule => rule.domain === domain);
  const words = new Set(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);
  const lower = text.toLowerCase();
  return rules.find(rule => rule.words.some(word => (/\W/.test(word) ? lower.includes(word.toLowerCase()) : words.has(word.toLowerCase()))));
}

/** What a rule asks for beyond the requirements: its own keys stand where the requirements say nothing. */
export function withRule(requirements: Json, rule: DomainRule): Json {
  const { domain: _domain, ...own } = isObject(requirements) ? requirements : {};
  return typeof rule.use === 'string' ? { ...own, preferred: [rule.use, ...[own['preferred'] ?? []].flat()] } : { ...(rule.use as object), ...own };
}
