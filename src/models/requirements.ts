import { parseDuration } from '../duration.ts';
import { OrchestratorError } from '../errors.ts';
import { nearest } from '../ids.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { microUsd, type MicroUsd } from '../money.ts';
import { texts } from './settings.ts';
import { LEVELS, readSize, type Level } from './traits.ts';

export type Strategy = 'cheapest' | 'fastest' | 'best' | 'balanced' | 'round-robin' | 'sticky';

/** What is asked of a model, in one form whatever it was written in. What is absent is not asked. */
export interface Requirements {
  strategy?: Strategy;
  /** Choices with the same key fall on the same model, as long as it qualifies. */
  stickyKey?: string;
  minLevel?: Level;
  expertise: string[];
  capabilities: string[];
  modalities: string[];
  languages: string[];
  minContextWindow?: number;
  minSizeBillions?: number;
  maxSizeBillions?: number;
  /** Of one call of `tokens`. */
  maxCost?: MicroUsd;
  /** Micro-dollars a million tokens, the mean of input and output. */
  maxPricePerMillion?: MicroUsd;
  maxLatencyMs?: number;
  minTokensPerSecond?: number;
  /** Models or providers, the dearest wish first. */
  preferred: string[];
  excluded: string[];
  /** Only models of this machine, or only free ones. */
  local?: true;
  free?: true;
  /** Whether one that is known to be ill may be taken. */
  mayBeUnhealthy: boolean;
  /** What to do where none qualifies: let go what is a matter of quality, and take by this strategy. Absent: fail. */
  otherwise?: Strategy;
  tokens: { input: number; output: number };
}

/** Ways to choose, in the words of today and of older pipelines. */
export const STRATEGIES: { [word: string]: Strategy } = {
  cheapest: 'cheapest',
  cost_optimized: 'cheapest',
  fastest: 'fastest',
  performance_optimized: 'fastest',
  best: 'best',
  best_available: 'best',
  accuracy_optimized: 'best',
  balanced: 'balanced',
  'round-robin': 'round-robin',
  round_robin: 'round-robin',
  sticky: 'sticky',
};

/** Names of what a model can do, as older pipelines write them. */
const CAPABILITIES: { [word: string]: { capability?: string; modality?: string; expertise?: string } } = {
  structured_output: { capability: 'structured' },
  json_mode: { capability: 'structured' },
  json: { capability: 'structured' },
  function_calling: { capability: 'tools' },
  embedding: { capability: 'embeddings' },
  vision: { modality: 'image' },
  pdf: { modality: 'file' },
  audio: { modality: 'audio' },
  code: { expertise: 'code' },
};

/** Work that every model of language does; anything else that is named as a task is a field to be good at. */
const EVERYDAY = new Set(['generate', 'generation', 'text', 'analyze', 'analysis', 'chat', 'instruct', 'transform', 'summarize', 'classify', 'extract']);

type Read = (value: Json, into: Requirements, key: string) => void;

const count =
  (set: (into: Requirements, value: number) => void): Read =>
  (value, into, key) => {
    if (typeof value !== 'number' || !(value >= 0)) throw wrong(key, 'a number from 0');
    set(into, value);
  };
const size =
  (set: (into: Requirements, billions: number) => void): Read =>
  (value, into, key) => {
    const billions = readSize(value);
    if (billions === undefined) throw wrong(key, 'a size such as 7b or 135m');
    set(into, billions);
  };
const names =
  (set: (into: Requirements, names: string[]) => void): Read =>
  (value, into, key) => {
    if (typeof value !== 'string' && !(Array.isArray(value) && value.every(name => typeof name === 'string'))) throw wrong(key, 'a name, or a list of names');
    set(into, texts(value));
  };
const flag =
  (set: (into: Requirements) => void): Read =>
  (value, into, key) => {
    if (typeof value !== 'boolean') throw wrong(key, 'true or false');
    if (value) set(into);
  };
const strategy =
  (set: (into: Requirements, strategy: Strategy) => void): Read =>
  (value, into, key) => {
    const found = typeof value === 'string' && Object.hasOwn(STRATEGIES, value) ? STRATEGIES[value] : undefined;
    if (found === undefined) throw wrong(key, `one of: ${Object.keys(STRATEGIES).join(', ')}`);
    set(into, found);
  };

function addExpertise(into: Requirements, words: string[]): void {
  for (const word of words.map(text => text.toLowerCase())) {
    const level = LEVELS.find(one => one === word.replace('_', '-'));
    if (level === undefined) into.expertise.push(word);
    else if (into.minLevel === undefined || LEVELS.indexOf(level) > LEVELS.indexOf(into.minLevel)) into.minLevel = level;
  }
}

function addCapabilities(into: Requirements, words: string[]): void {
  for (const word of words) {
    const { capability, modality, expertise }: (typeof CAPABILITIES)[string] = Object.hasOwn(CAPABILITIES, word) ? CAPABILITIES[word]! : { capability: word };
    if (capability !== undefined) into.capabilities.push(capability);
    if (modality !== undefined) into.modalities.push(modality);
    if (expertise !== undefined) into.expertise.push(expertise);
  }
}

const CONTEXT = count((into, tokens) => (into.minContextWindow = tokens));
const PREFERRED = names((into, ids) => into.preferred.push(...ids));
const EXCLUDED = names((into, ids) => into.excluded.push(...ids));
const STRATEGY = strategy((into, found) => (into.strategy = found));
const COST = count((into, usd) => (into.maxCost = microUsd(usd)));
const STRUCTURED = flag(into => into.capabilities.push('structured'));
const TOOLS = flag(into => into.capabilities.push('tools'));

/** Every key that may be written, in the words of today and of older pipelines. */
const KEYS: { [key: string]: Read } = {
  strategy: STRATEGY,
  selection_strategy: STRATEGY,
  fallback_strategy: (value, into, key) => {
    if (value !== 'fail') strategy((target, found) => (target.otherwise = found))(value, into, key);
  },
  sticky_key: names((into, [key = '']) => (into.stickyKey = key)),
  expertise: names(addExpertise),
  domains: names(addExpertise),
  tasks: names((into, tasks) =>
    addExpertise(
      into,
      tasks.filter(task => !EVERYDAY.has(task)),
    ),
  ),
  capabilities: names(addCapabilities),
  modalities: names((into, words) => {
    for (const word of words) {
      // Older pipelines count code among them; here it is a field.
      const { modality = word, expertise } = Object.hasOwn(CAPABILITIES, word) ? CAPABILITIES[word]! : {};
      if (expertise === undefined) into.modalities.push(modality);
      else into.expertise.push(expertise);
    }
  }),
  languages: names((into, languages) => into.languages.push(...languages)),
  context_window: CONTEXT,
  min_context_window: CONTEXT,
  min_size: size((into, billions) => (into.minSizeBillions = billions)),
  max_size: size((into, billions) => (into.maxSizeBillions = billions)),
  max_cost_usd: COST,
  cost_limit: COST,
  max_cost_per_request: COST,
  // Over whatever period, a single call may not cost more than all of them.
  budget_period: names(() => {}),
  max_cost_per_1k_tokens: count((into, usd) => (into.maxPricePerMillion = microUsd(usd * 1000))),
  max_latency_ms: count((into, ms) => (into.maxLatencyMs = ms)),
  max_latency: (value, into, key) => {
    const ms = typeof value === 'number' || typeof value === 'string' ? parseDuration(value) : undefined;
    if (ms === undefined) throw wrong(key, 'a time such as 2s');
    into.maxLatencyMs = ms;
  },
  min_tokens_per_second: count((into, rate) => (into.minTokensPerSecond = rate)),
  speed_preference: names((into, [speed]) => speed === 'fast' && into.expertise.push('fast')),
  preferred: PREFERRED,
  preferred_models: PREFERRED,
  preferred_providers: PREFERRED,
  excluded: EXCLUDED,
  excluded_models: EXCLUDED,
  excluded_providers: EXCLUDED,
  local: flag(into => (into.local = true)),
  free: flag(into => (into.free = true)),
  prefer_free_models: flag(into => (into.strategy ??= 'cheapest')),
  vision_capable: flag(into => into.modalities.push('image')),
  audio_capable: flag(into => into.modalities.push('audio')),
  code_specialized: flag(into => into.expertise.push('code')),
  supports_function_calling: TOOLS,
  supports_tools: TOOLS,
  supports_structured_output: STRUCTURED,
  supports_json_mode: STRUCTURED,
  healthy: (value, into) => (into.mayBeUnhealthy = value === false),
  tokens: (value, into, key) => {
    if (!isObject(value) || typeof value['input'] !== 'number' || typeof value['output'] !== 'number') throw wrong(key, '{ input: …, output: … }');
    into.tokens = { input: value['input'], output: value['output'] };
  },
};

/** Requirements as a pipeline writes them, in the order of their keys; throws ORC-106 where one cannot be read. */
export function readRequirements(value: Json): Requirements {
  if (!isObject(value)) throw wrong('model', 'the id of a model, or a map of requirements');
  const into: Requirements = {
    expertise: [],
    capabilities: [],
    modalities: [],
    languages: [],
    preferred: [],
    excluded: [],
    mayBeUnhealthy: false,
    tokens: { input: 1000, output: 500 },
  };
  for (const [key, given] of Object.entries<Json>(value satisfies JsonObject)) {
    const read = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (read === undefined) {
      throw new OrchestratorError('ORC-106', `\`${key}\` is not a requirement of a model`, {
        class: 'invalid_input',
        help: nearest(key, Object.keys(KEYS)).map(name => `did you mean ${name}?`),
      });
    }
    if (given !== null) read(given, into, key);
  }
  return into;
}

function wrong(key: string, right: string): OrchestratorError {
  return new OrchestratorError('ORC-106', `\`${key}\` of a model's requirements must be ${right}`, { class: 'invalid_input' });
}
