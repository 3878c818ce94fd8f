import { systemClock, type Clock } from '../clock.ts';
import { formatDuration } from '../duration.ts';
import { OrchestratorError } from '../errors.ts';
import type { Json, JsonSchema } from '../json.ts';
import type { Models } from './catalog.ts';
import { healthOf, type Health } from './health.ts';
import type { Model, ModelInfo, ModelReply, ModelRequest, ModelUsage } from './port.ts';
import type { Route } from './routing.ts';

export interface ModelRegistryOptions {
  /** The models that it shows; called when the first is asked for. */
  open: () => Models;
  clock?: Clock;
  /** How long a health that was asked for is believed, in ms. */
  healthTtlMs?: number;
}

export interface ResponseOptions {
  system?: string;
  temperature?: number;
  maxTokens?: number;
  seed?: number;
  schema?: JsonSchema;
  signal?: AbortSignal;
  onToken?: (text: string) => void;
  cache?: boolean;
}

export interface ModelResponse {
  text: string;
  usage: ModelUsage;
  /** Dollars; null where the price, or what was used, is unknown. */
  cost: number | null;
  /** Id of the model that answered. */
  model: string;
}

const HEALTH_TTL_MS = 60_000;
const PROBE_TIMEOUT_MS = 10_000;

/** The models that are there: by name, by requirements, and how they are. */
export class ModelRegistry {
  readonly #options: ModelRegistryOptions;
  #models: Models | undefined;
  #discovered = false;

  constructor(options: ModelRegistryOptions) {
    this.#options = options;
  }

  /** The model of an id, or of a name that only one of the known has. Throws ModelNotFoundError. */
  getModel(name: string): RegisteredModel {
    const models = this.#open();
    const same = name.includes('/') ? [] : models.known().filter(id => id.slice(id.indexOf('/') + 1) === name);
    return this.#registered(models.get(same.length === 1 ? same[0]! : name));
  }

  /** Ids of the models that are known without asking anybody; `discover` asks. */
  listModels(): string[] {
    return this.#open().known().sort();
  }

  /** Asks every provider what it serves; what fails is told beside it. */
  async discover(signal: AbortSignal = new AbortController().signal): Promise<{ models: ModelInfo[]; failures: { provider: string; error: unknown }[] }> {
    const found = await this.#open().list(signal);
    this.#discovered = true;
    return found;
  }

  /** Adds a model of one's own. */
  register(model: Model): void {
    this.#open().register(model);
  }

  /** The model that meets the requirements best; the providers are asked once what they serve. Throws ORC-402 where none does. */
  async select(requirements: Json): Promise<RegisteredModel & { route: Route | undefined }> {
    if (!this.#discovered) await this.discover();
    const { model, route } = this.#open().choose(requirements);
    return Object.assign(this.#registered(model), { route });
  }

  /** Explains a choice without making it. */
  route(requirements: Json): Route {
    return this.#open().route(requirements);
  }

  /** How all known models are, by id; asked at the same time, and believed for a minute. */
  async healthCheck(): Promise<{ [id: string]: Health }> {
    const ids = this.listModels();
    const checks = await Promise.all(ids.map(id => this.getModel(id).healthCheck()));
    return Object.fromEntries(ids.map((id, index) => [id, checks[index]!]));
  }

  /** Examines all models now and then, so that choices know how they are, until what it gives back is called. Keeps no process alive. */
  watch(everyMs: number = HEALTH_TTL_MS): () => void {
    const timer = setInterval(() => void this.healthCheck().catch(() => {}), everyMs);
    timer.unref();
    return () => clearInterval(timer);
  }

  async close(): Promise<void> {
    await this.#models?.close();
    this.#models = undefined;
  }

  #open(): Models {
    return (this.#models ??= this.#options.open());
  }

  #registered(model: Model): RegisteredModel {
    return new RegisteredModel(model, this.#open(), this.#options);
  }
}

/** A model that can be asked and examined. */
export class RegisteredModel {
  readonly id: string;
  readonly provider: string;
  readonly #model: Model;
  readonly #models: Models;
  readonly #options: Omit<ModelRegistryOptions, 'open'>;

  constructor(model: Model, models: Models, options: Omit<ModelRegistryOptions, 'open'>) {
    this.id = model.id;
    this.provider = model.provider;
    this.#model = model;
    this.#models = models;
    this.#options = options;
  }

  get info(): ModelInfo {
    const { id, provider, contextWindow, local, price } = this.#model;
    return { id, provider, contextWindow, local, price };
  }

  /** Whether it is there, at no cost; what was asked a minute ago, or learned from a call since, is believed. Throws nothing. */
  async healthCheck(): Promise<Health> {
    const { clock = systemClock, healthTtlMs = HEALTH_TTL_MS } = this.#options;
    const before = this.#models.state.health(this.id);
    if (before.checkedAtMs > 0 && clock.now() - before.checkedAtMs < healthTtlMs) return healthOf(before);
    const startedAt = clock.monotonic();
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(tooLate(this.id)), PROBE_TIMEOUT_MS);
    try {
      await this.#model.probe?.(abort.signal);
    } catch (error) {
      // What was wrong has been learned.
      if (!(error instanceof OrchestratorError)) throw error;
    } finally {
      clearTimeout(timer);
    }
    const health = healthOf(this.#models.state.health(this.id));
    return { ...health, latencyMs: health.latencyMs ?? Math.round(clock.monotonic() - startedAt) };
  }

  /** Asks it one thing. */
  async generateResponse(prompt: string, options: ResponseOptions = {}): Promise<ModelResponse> {
    const { system, signal = new AbortController().signal, onToken, cache, ...settings } = options;
    const request: ModelRequest = {
      messages: [...(system === undefined ? [] : [{ role: 'system' as const, content: system }]), { role: 'user', content: prompt }],
      ...settings,
    };
    const how = { signal, ...(onToken === undefined ? {} : { onToken }), ...(cache === undefined ? {} : { cache }) };
    return this.#told(await this.#model.generate(request, how));
  }

  #told({ text, usage, costMicroUsd, fallback }: ModelReply): ModelResponse {
    return { text, usage, cost: costMicroUsd === undefined ? null : costMicroUsd / 1_000_000, model: fallback?.id ?? this.id };
  }
}

function tooLate(id: string): OrchestratorError {
  return new OrchestratorError('ORC-404', `${id} did not say within ${formatDuration(PROBE_TIMEOUT_MS)} whether it is there`, {
    class: 'timeout',
    retryable: true,
  });
}
