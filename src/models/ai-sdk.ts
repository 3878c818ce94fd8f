import { AsyncLocalStorage } from 'node:async_hooks';
import type { EmbeddingModelV4, LanguageModelV4 } from '@ai-sdk/provider';
import { systemClock, type Clock } from '../clock.ts';
import { formatDuration } from '../duration.ts';
import { OrchestratorError } from '../errors.ts';
import { isObject, parseJson, type JsonObject } from '../json.ts';
import { checkAbilities, forgetsTools } from './abilities.ts';
import { embedOnce } from './ai-sdk-embed.ts';
import { askOnce } from './ai-sdk-reply.ts';
import { settingsOf } from './ai-sdk-request.ts';
import { aborted, badReply, fromStatus, fromThrown, tooSlow, type Asked } from './failures.ts';
import type { Abilities, EmbedOptions, EmbedReply, EmbedRequest, GenerateOptions, Model, ModelInfo, ModelReply, ModelRequest, Provider } from './port.ts';
import type { OpenedService, StructuredOutput } from './services.ts';
import { toolsByShape } from './tool-choice.ts';

/** What the configuration and the tables know of a model, looked up when it is asked for. */
export type Describe = (model: string) => { contextWindow(): number | undefined; price(): ModelInfo['price']; abilities: Abilities };

export interface AiSdkOptions {
  /** Name of the provider in the configuration. */
  name: string;
  /** Where it is, for the words of a failure and for listing. */
  baseUrl: string;
  /** Never to be seen in a message. */
  secrets: string[];
  /** Loads the SDK's package for this service. `fetch` is the one that it has to use. */
  open(fetch: typeof globalThis.fetch): Promise<OpenedService>;
  /** Where the service names its models; absent where it has no such place. */
  listing?: { url: string; headers: Record<string, string> };
  /** Asks the service about one model by its own address, so that an alias is known too. */
  probesByName?: boolean;
  providerOptions: { [provider: string]: JsonObject };
  describe: Describe;
  /** Texts that one request for vectors may hold; absent where it makes none. */
  embedsAtOnce?: number;
  /** It runs on this machine, free of charge. */
  local?: boolean;
  /** The longest silence that is waited out, in ms. */
  timeoutMs?: number;
  structuredOutput?: StructuredOutput;
  clock?: Clock;
}

const TIMEOUT_MS = 300_000;
/** No reply of a model is larger; a service that sends more is cut off. */
const REPLY_MAX_BYTES = 32 * 1024 * 1024;

/** A hosted service behind a provider of the AI SDK, called at its lowest level: one call is one request, and nothing is retried in here. */
export function aiSdkProvider(options: AiSdkOptions): Provider {
  const { name, baseUrl, secrets, describe, local = false, clock = systemClock, timeoutMs = TIMEOUT_MS } = options;
  const asked = (model: string | undefined): Asked => ({ provider: name, model, baseUrl, secrets });
  const open = opener(options);
  /** Those that turned out to have no tools of their own. */
  const toolless = new Set<string>();

  async function ask(model: string, request: ModelRequest, { signal, onToken }: GenerateOptions): Promise<ModelReply> {
    if (signal.aborted) throw aborted(signal);
    const sdkModel = (await open()).language(model);
    return attempt(asked(model), { signal, timeoutMs, clock }, abortSignal => {
      const call = { model: sdkModel, settings: settingsOf(request, abortSignal, options), clock, startedAt: clock.monotonic(), asked: asked(model) };
      return askOnce(call, request, onToken);
    });
  }

  async function generate(model: string, request: ModelRequest, how: GenerateOptions): Promise<ModelReply> {
    const { abilities } = describe(model);
    checkAbilities({ id: `${name}/${model}`, local, abilities }, request);
    const plainly = toolsByShape(asked(model), (inner, innerHow) => ask(model, inner, innerHow));
    if (abilities.tools === false || toolless.has(model)) return plainly(request, how);
    try {
      return await ask(model, request, how);
    } catch (error) {
      // Who refuses a request for its tools has done nothing, and can be brought to them in another way.
      if (abilities.tools === true || request.tools === undefined || !forgetsTools(error)) throw error;
      toolless.add(model);
      return plainly(request, how);
    }
  }

  async function embed(model: string, { texts }: EmbedRequest, { signal }: EmbedOptions): Promise<EmbedReply> {
    if (signal.aborted) throw aborted(signal);
    const sdkModel = (await open()).embedding(model);
    return attempt(asked(model), { signal, timeoutMs, clock }, abortSignal =>
      embedOnce({ model: sdkModel, texts, abortSignal, clock, startedAt: clock.monotonic(), asked: asked(model) }),
    );
  }

  const { list, probe } = openListing(options, asked, { timeoutMs, clock });

  return {
    name,
    list,
    model: (model): Model => ({
      id: `${name}/${model}`,
      provider: name,
      local,
      get contextWindow() {
        return describe(model).contextWindow();
      },
      get price() {
        return describe(model).price();
      },
      get abilities() {
        return describe(model).abilities;
      },
      generate: (request, how) => generate(model, request, how),
      ...(options.embedsAtOnce === undefined || describe(model).abilities.embeddings === false
        ? {}
        : { embed: (request, how) => embed(model, request, how), embedsAtOnce: options.embedsAtOnce }),
      ...(options.listing === undefined ? {} : { probe: signal => probe(model, signal) }),
    }),
    close: async () => {},
  };
}

/** Opens the service when one of its models is first asked: most commands need not pay for loading it. */
function opener(options: AiSdkOptions): () => Promise<{ language(model: string): LanguageModelV4; embedding(model: string): EmbeddingModelV4 }> {
  let service: ReturnType<AiSdkOptions['open']> | undefined;
  /** Once each: the SDK builds its schemas then, which takes half a millisecond. */
  const opened = new Map<string, object>();
  const once = <T>(key: string, make: () => object): T => {
    const model = opened.get(key) ?? make();
    opened.set(key, model);
    return model as T;
  };
  return async () => {
    service ??= options.open(guardedFetch);
    service.catch(() => (service = undefined));
    const { language, embedding } = await service;
    return { language: model => once(`language ${model}`, () => language(model)), embedding: model => once(`embedding ${model}`, () => embedding!(model)) };
  };
}

/** What a service tells of its models, at no cost. */
function openListing(
  { name, listing, probesByName = false, describe, local = false }: AiSdkOptions,
  asked: (model: string | undefined) => Asked,
  { timeoutMs, clock }: { timeoutMs: number; clock: Clock },
): { list(signal: AbortSignal): Promise<ModelInfo[]>; probe(model: string, signal: AbortSignal): Promise<void> } {
  /** The body of a GET, or undefined where the service has no such place. */
  function look(path: string, model: string | undefined, signal: AbortSignal): Promise<string | undefined> {
    return attempt(asked(model), { signal, timeoutMs, clock }, async abortSignal => {
      const { url, headers } = listing!;
      const response = await guardedFetch(`${url}${path}`, { headers, signal: abortSignal });
      const body = await response.text();
      if (response.ok) return body;
      if (model === undefined && (response.status === 404 || response.status === 405)) return undefined;
      throw fromStatus(asked(model), { status: response.status, body, headers: Object.fromEntries(response.headers) }, clock);
    });
  }

  async function list(signal: AbortSignal): Promise<ModelInfo[]> {
    // Not every service has this place; one that has not serves what the configuration names.
    const body = listing === undefined ? undefined : await look('', undefined, signal);
    if (body === undefined) return [];
    return readModels(asked(undefined), body).map(entry => {
      const known = describe(entry.name);
      const contextWindow = known.contextWindow() ?? entry.contextWindow;
      return { id: `${name}/${entry.name}`, provider: name, contextWindow, local, price: known.price(), abilities: known.abilities };
    });
  }

  async function probe(model: string, signal: AbortSignal): Promise<void> {
    if (listing === undefined) return;
    if (probesByName) return void (await look(`/${encodeURIComponent(model)}`, model, signal));
    const served = await list(signal);
    const known = served.length === 0 || served.some(({ id }) => id === `${name}/${model}` || id === `${name}/${model}:latest`);
    if (!known) throw fromStatus(asked(model), { status: 404, body: '', headers: {} }, clock);
  }

  return { list, probe };
}

/** Who wants to know of every byte that comes within a call. */
const listening = new AsyncLocalStorage<() => void>();

/** fetch, without following redirects (the credentials are for this address only) and with an end to what is read. */
async function guardedFetch(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
  const heard = listening.getStore();
  const response = await fetch(input, { ...init, redirect: 'manual' });
  heard?.();
  const { status, headers, body } = response;
  if (body === null) return response;
  if (status > 599) throw new TypeError(`HTTP has no status ${status}`);
  // The words beside the status are left out: servers write there what no Response takes.
  return new Response(watched(body, heard), { status, headers });
}

/** The same bytes, heard as they come, and an error in place of too many. */
function watched(body: ReadableStream<Uint8Array>, heard: (() => void) | undefined): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let size = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        heard?.();
        size += value.byteLength;
        if (size <= REPLY_MAX_BYTES) return controller.enqueue(value);
        await reader.cancel();
        controller.error(new OrchestratorError('ORC-603', 'the reply of a model is larger than 32 MiB', { class: 'invalid_output' }));
      },
      cancel: reason => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}

/** Does one call of a service, which ends after too long a silence; whatever it throws becomes the failure that it means. */
async function attempt<T>(
  asked: Asked,
  { signal, timeoutMs, clock }: { signal: AbortSignal; timeoutMs: number; clock: Clock },
  work: (abortSignal: AbortSignal) => Promise<T>,
): Promise<T> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), timeoutMs);
  try {
    return await listening.run(
      () => void timer.refresh(),
      () => work(AbortSignal.any([signal, silence.signal])),
    );
  } catch (error) {
    if (signal.aborted) throw aborted(signal);
    if (silence.signal.aborted) throw tooSlow(asked, formatDuration(timeoutMs));
    throw fromThrown(asked, error, clock);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * `{data: [{id, …}]}`, or Google's `{models: [{name: "models/…"}]}`, with the context window where the service tells it:
 * each has its own name for it.
 */
function readModels(asked: Asked, body: string): { name: string; contextWindow: number | undefined }[] {
  const parsed = parseJson(body);
  if (parsed === undefined) throw badReply(asked, 'its list of models is no JSON');
  const data = isObject(parsed) ? (parsed['data'] ?? parsed['models']) : parsed;
  if (!Array.isArray(data)) throw badReply(asked, 'its list of models has no `data`');
  return data.filter(isObject).flatMap(entry => {
    const window = entry['context_length'] ?? entry['context_window'] ?? entry['max_model_len'] ?? entry['inputTokenLimit'];
    const name = entry['id'] ?? entry['name'];
    if (typeof name !== 'string') return [];
    return [{ name: name.replace(/^models\//, ''), contextWindow: Number.isSafeInteger(window) && (window as number) > 0 ? (window as number) : undefined }];
  });
}
