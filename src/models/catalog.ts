import { systemClock } from '../clock.ts';
import { OrchestratorError } from '../errors.ts';
import { nearest, newId } from '../ids.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { openCache } from './cache.ts';
import { fallbackChain, type FallbackSettings } from './fallback.ts';
import { guardModel, type Guards } from './guard.ts';
import { Limiter, memoryLimits, type Limit, type LimitStore } from './limits.ts';
import type { Model, ModelInfo, Provider } from './port.ts';
import { defaultModel, openProviders, type OpenProvidersOptions } from './providers.ts';
import { readRequirements, STRATEGIES, type Strategy } from './requirements.ts';
import { route, ruleFor, withRule, type Candidate, type DomainRule, type Route } from './routing.ts';
import { checkedSection, objects, readLimits, texts } from './settings.ts';
import { ModelState, type ModelStateJson, type StateKeeper } from './state.ts';
import { catalogOf, LEVELS, traitsOf, type Traits } from './traits.ts';

export interface Models {
  /** The model of an id, `<provider>/<name>`; the name may hold slashes. Throws ORC-401. */
  get(id: string): Model;
  /** The model that is taken where none is named. Throws ORC-402 where there is none. */
  default(): Model;
  /** Whether `default` would find one. */
  hasDefault(): boolean;
  /** Whom to ask: by id, by what it should be good at (`fast`, `code`), or by requirements; `text` is what rules of domains look at. Throws ORC-401 or ORC-402. */
  choose(wanted: Json, text?: string): { model: Model; route: Route | undefined };
  /** The id that a text names: itself, with a colon for the slash, or the only known model of this name. */
  named(text: string): string | undefined;
  /** Explains a choice by requirements, or by a word that stands for some, over the models that are known by now. Counts as a turn of round robin only where `choose` is called. */
  route(requirements: Json, text?: string): Route;
  /** Ids that are known without asking anybody: of the configuration, and of the last `list`. */
  known(): string[];
  /** A model as the router sees it. Throws ORC-401. */
  describe(id: string): Candidate;
  /** Who may answer for a model: itself, then those of the chain that cost no more; and who was left out of it, with the reason. */
  chain(id: string): { chain: string[]; rejected: { id: string; reason: string }[] };
  /** Adds a model of one's own, under its id. */
  register(model: Model): void;
  /** All models that can be found: those that the providers name, and those of the catalog. A provider that fails is reported beside them. */
  list(signal: AbortSignal): Promise<{ models: ModelInfo[]; failures: { provider: string; error: unknown }[] }>;
  /** What is learned of models; `toJSON` gives what a store keeps. */
  readonly state: ModelState;
  /** For who waits in a durable way: `tryEnter` goes at once, or tells what holds it back. */
  readonly limiter: Limiter;
  limitsOf(id: string): Limit[];
  close(): Promise<void>;
}

export interface OpenModelsOptions extends OpenProvidersOptions {
  /** What was learned before, from `state.toJSON()`. */
  state?: Partial<ModelStateJson>;
  /** Where what is learned is kept for others; nowhere when absent. */
  keeper?: StateKeeper;
  /** Where limits are counted; in this process when absent. */
  limits?: LimitStore;
  /** Where deterministic replies are kept, and for how long; nowhere when absent. */
  cache?: { url: string; ttlMs: number; secret?: string };
}

/** The models of a configuration (its `models:` section). Loads no library and opens no connection until a model is asked. */
export function openModels(config: Json | undefined, options: OpenModelsOptions): Models {
  return new ConfiguredModels(checkedSection(config), options);
}

class ConfiguredModels implements Models {
  readonly state: ModelState;
  readonly limiter: Limiter;
  readonly #catalog: Map<string, JsonObject>;
  readonly #providers: Map<string, Provider>;
  readonly #chosen: string | undefined;
  readonly #limits: (id: string, provider: string) => Limit[];
  readonly #guards: Guards;
  readonly #router: Router;
  readonly #registered = new Map<string, Model>();
  readonly #listed = new Map<string, ModelInfo>();
  /** Facts that do not change until the next `list`: five hundred prices are not looked up at every choice. */
  readonly #described = new Map<string, ModelInfo & { traits: Traits }>();

  constructor(section: JsonObject, options: OpenModelsOptions) {
    const { clock = systemClock, limits = memoryLimits(), cache } = options;
    this.#catalog = catalogOf(section);
    this.#providers = openProviders(section, this.#catalog, options);
    this.#chosen = defaultModel(section, options.env);
    this.#limits = limitsOf(section, this.#catalog);
    this.state = new ModelState(clock, options.state, options.keeper);
    this.limiter = new Limiter({ store: limits, clock, newLease: () => newId('call', clock.now(), Math.random) });
    this.#guards = {
      state: this.state,
      limiter: this.limiter,
      limitsOf: model => this.#limits(model.id, model.provider),
      fallback: fallbackOf(section),
      find: id => this.#find(id),
      cache: cache === undefined ? undefined : { store: openCache(cache.url, cache), ttlMs: cache.ttlMs },
      clock,
    };
    this.#router = openRouter(
      section,
      () => this.#candidates(),
      this.state,
      () => clock.now(),
    );
  }

  get(id: string): Model {
    return guardModel(this.#find(id), this.#guards);
  }

  hasDefault(): boolean {
    return this.#chosen !== undefined;
  }

  default(): Model {
    if (this.#chosen === undefined) throw noModel();
    return this.get(this.#chosen);
  }

  choose(wanted: Json, text = ''): { model: Model; route: Route | undefined } {
    const named = typeof wanted === 'string' ? this.named(wanted) : undefined;
    if (named !== undefined) return { model: this.get(named), route: undefined };
    const found = this.#router.choose(typeof wanted === 'string' ? wordRequirements(wanted, this.#candidates()) : wanted, text);
    return { model: this.get(found.chosen), route: found };
  }

  named(text: string): string | undefined {
    return namedModel(text, this.known());
  }

  route(requirements: Json, text = ''): Route {
    return this.#router.route(typeof requirements === 'string' ? wordRequirements(requirements, this.#candidates()) : requirements, text);
  }

  known(): string[] {
    const chosen = this.#chosen === undefined ? [] : [this.#chosen];
    const named = [...chosen, ...this.#catalog.keys(), ...this.#guards.fallback.models, ...this.#listed.keys()];
    return [...new Set([...this.#registered.keys(), ...named.filter(id => this.#providers.has(providerOf(id)))])];
  }

  describe(id: string): Candidate {
    let facts = this.#described.get(id);
    if (facts === undefined) {
      const info = this.#registered.get(id) ?? this.#listed.get(id) ?? this.#find(id);
      facts = { ...infoOf(info), traits: traitsOf(id.slice(info.provider.length + 1), this.#catalog.get(id)) };
      this.#described.set(id, facts);
    }
    return { ...facts, record: this.state.health(id), circuit: this.state.circuit(id) };
  }

  chain(id: string): { chain: string[]; rejected: { id: string; reason: string }[] } {
    return fallbackChain(this.#find(id), this.#guards.fallback, one => this.#find(one));
  }

  register(model: Model): void {
    this.#registered.set(model.id, model);
    this.#described.delete(model.id);
  }

  async list(signal: AbortSignal): Promise<{ models: ModelInfo[]; failures: { provider: string; error: unknown }[] }> {
    const { models, failures } = await listAll(this.#providers, signal);
    this.#listed.clear();
    this.#described.clear();
    for (const model of models) this.#listed.set(model.id, model);
    const silent = new Set(failures.map(({ provider }) => provider));
    const own = [...this.#catalog.keys()].filter(id => this.#providers.has(providerOf(id)) && !silent.has(providerOf(id)));
    const rest = [...own, ...this.#registered.keys()].filter(id => !this.#listed.has(id));
    return { models: [...models, ...rest.map(id => infoOf(this.#find(id)))].sort((a, b) => (a.id < b.id ? -1 : 1)), failures };
  }

  limitsOf(id: string): Limit[] {
    return this.#limits(id, this.#find(id).provider);
  }

  async close(): Promise<void> {
    this.state.flush();
    await Promise.all([...this.#providers.values()].map(provider => provider.close()));
    await this.#guards.cache?.store.close();
  }

  #find(id: string): Model {
    const own = this.#registered.get(id);
    if (own !== undefined) return own;
    const provider = this.#providers.get(providerOf(id));
    const name = id.slice(providerOf(id).length + 1);
    if (provider === undefined || name === '') throw new ModelNotFoundError(id, this.known(), [...this.#providers.keys()]);
    return provider.model(name);
  }

  /** A provider that cannot be opened (a key that is missing) offers nothing. */
  #candidates(): Candidate[] {
    return this.known().flatMap(id => {
      try {
        return [this.describe(id)];
      } catch (error) {
        if (error instanceof OrchestratorError) return [];
        throw error;
      }
    });
  }
}

function providerOf(id: string): string {
  return id.slice(0, Math.max(0, id.indexOf('/')));
}

async function listAll(
  providers: Map<string, Provider>,
  signal: AbortSignal,
): Promise<{ models: ModelInfo[]; failures: { provider: string; error: unknown }[] }> {
  const answers = await Promise.all(
    [...providers].map(async ([provider, one]) => {
      try {
        return { models: await one.list(signal) };
      } catch (error) {
        return { failure: { provider, error } };
      }
    }),
  );
  return { models: answers.flatMap(({ models = [] }) => models), failures: answers.flatMap(({ failure }) => failure ?? []) };
}

interface Router {
  route(requirements: Json, text?: string): Route;
  /** The same, and a turn of round robin is over. Throws ORC-402 where none qualifies. */
  choose(requirements: Json, text: string): Route & { chosen: string };
}

function openRouter(section: JsonObject, candidates: () => Candidate[], state: ModelState, now: () => number): Router {
  const routing = isObject(section['routing']) ? section['routing'] : {};
  const strategy = (routing['strategy'] ?? 'balanced') as Strategy;
  const rules = objects(routing['rules']).map((rule): DomainRule => ({ domain: rule['domain'] as string, words: texts(rule['words']), use: rule['use']! }));

  function decide(given: Json, text: string): Route & { turnKey: string } {
    const domain = isObject(given) && typeof given['domain'] === 'string' ? given['domain'] : undefined;
    const rule = ruleFor(rules, domain, text);
    if (domain !== undefined && rule === undefined) throw unknownDomain(domain, rules);
    const requirements = rule === undefined ? given : withRule(given, rule);
    const turnKey = JSON.stringify(requirements);
    const found = route(readRequirements(requirements), candidates(), { nowMs: now(), turn: state.turn(turnKey) }, strategy);
    return { ...found, rule: rule?.domain ?? null, turnKey };
  }

  return {
    route(requirements, text = '') {
      const { turnKey: _turnKey, ...found } = decide(requirements, text);
      return found;
    },
    choose(requirements, text) {
      const { turnKey, ...found } = decide(requirements, text);
      if (found.chosen === null) throw noneQualifies(found);
      if (found.strategy === 'round-robin') state.endTurn(turnKey);
      return { ...found, chosen: found.chosen };
    },
  };
}

function limitsOf(section: JsonObject, catalog: Map<string, JsonObject>): (id: string, provider: string) => Limit[] {
  const providers = isObject(section['providers']) ? section['providers'] : {};
  return (id, provider) => {
    const settings = providers[provider];
    return [
      { key: provider, ...readLimits(isObject(settings) ? settings['limits'] : undefined) },
      { key: id, ...readLimits(catalog.get(id)?.['limits']) },
    ];
  };
}

function fallbackOf(section: JsonObject): FallbackSettings {
  const { fallback } = section;
  if (!isObject(fallback)) return { models: texts(fallback), mayCostMore: false };
  return { models: texts(fallback['models']), mayCostMore: fallback['may_cost_more'] === true };
}

function namedModel(text: string, known: string[]): string | undefined {
  if (text.includes('/')) return text;
  const colon = text.replace(':', '/');
  if (known.includes(colon)) return colon;
  const same = known.filter(id => id.slice(id.indexOf('/') + 1) === text);
  return same.length === 1 ? same[0] : undefined;
}

/** A word that says what a model should be good at, or how to choose it. Throws ORC-401 where no model is known for it. */
function wordRequirements(word: string, candidates: Candidate[]): JsonObject {
  const lower = word.trim().toLowerCase();
  if (Object.hasOwn(STRATEGIES, lower)) return { strategy: lower };
  const known = new Set<string>([...LEVELS, ...candidates.flatMap(({ traits }) => traits.expertise)]);
  if (known.has(lower)) return { expertise: [lower] };
  throw new ModelNotFoundError(word, [...candidates.map(({ id }) => id), ...known], []);
}

function noneQualifies(found: Route): OrchestratorError {
  const reasons = found.rejected.slice(0, 5).map(({ id, reason }) => `${id}: ${reason}`);
  return new OrchestratorError('ORC-402', 'no model that is known meets the requirements', {
    class: 'not_found',
    help: [...reasons, 'see all: orchestrator models list', 'or take the best there is: fallback_strategy: best_available'],
    details: { rejected: found.rejected.slice(0, 50).map(({ id, reason }) => ({ id, reason })) },
  });
}

function unknownDomain(domain: string, rules: DomainRule[]): OrchestratorError {
  const names = rules.map(rule => rule.domain);
  return new OrchestratorError('ORC-106', `no rule of the configuration is for the domain \`${domain}\``, {
    class: 'invalid_input',
    help: [...nearest(domain, names).map(name => `did you mean ${name}?`), 'rules stand in orchestrator.config.yaml under models.routing.rules'],
  });
}

function noModel(): OrchestratorError {
  return new OrchestratorError('ORC-402', 'no model is configured', {
    class: 'not_found',
    help: ['name one in orchestrator.config.yaml: models: { default: <provider>/<name> }', 'or run one on this machine: orchestrator models pull smollm2'],
  });
}

/** There is no such model; `suggestions` are the nearest names. */
export class ModelNotFoundError extends OrchestratorError {
  readonly model: string;
  readonly suggestions: string[];

  constructor(model: string, known: string[], providers: string[]) {
    const suggestions = suggest(model, known, providers);
    const where = providers.length === 0 ? 'no provider is configured' : `the providers are: ${providers.join(', ')}`;
    super('ORC-401', `no model called \`${model}\` is registered; ${where}`, {
      class: 'not_found',
      help: [...suggestions.map(name => `did you mean ${name}?`), 'see all: orchestrator models list'],
      details: { model, suggestions },
    });
    this.name = 'ModelNotFoundError';
    this.model = model;
    this.suggestions = suggestions;
  }
}

function suggest(model: string, known: string[], providers: string[]): string[] {
  const slash = model.indexOf('/');
  const rest = slash < 0 ? model : model.slice(slash + 1);
  const sameName = known.filter(name => name.endsWith(`/${rest}`));
  const sameProvider = slash < 1 ? [] : nearest(model.slice(0, slash), providers).map(name => `${name}/${rest}`);
  const ownNames = slash < 0 ? known.filter(name => nearest(model, [name.slice(name.indexOf('/') + 1)]).length > 0) : [];
  return [...new Set([...nearest(model, known), ...sameName, ...sameProvider, ...ownNames])].slice(0, 3);
}

function infoOf({ id, provider, contextWindow, local, price, abilities = {} }: ModelInfo): ModelInfo {
  return { id, provider, contextWindow, local, price, abilities };
}
