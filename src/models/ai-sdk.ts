import { AsyncLocalStorage } from 'node:async_hooks';
import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4FinishReason, LanguageModelV4Usage } from '@ai-sdk/provider';
import { systemClock, type Clock } from '../clock.ts';
import { formatDuration } from '../duration.ts';
import { OrchestratorError } from '../errors.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { settingsOf, type StructuredOutput } from './ai-sdk-request.ts';
import { parseAnswer } from './answer-text.ts';
import { aborted, badReply, fromStatus, fromThrown, refused, tooSlow, type Asked } from './failures.ts';
import type { GenerateOptions, Model, ModelInfo, ModelReply, ModelRequest, ModelUsage, Provider } from './port.ts';
import { readRateWindows } from './rates.ts';
import type { OpenedService } from './services.ts';

/** What the configuration and the tables know of a model, looked up when it is asked for. */
export type Describe = (model: string) => { contextWindow(): number | undefined; price(): ModelInfo['price'] };

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
  /** Opened once each: the SDK builds its schemas then, which takes half a millisecond. */
  const opened = new Map<string, LanguageModelV4>();
  let service: ReturnType<AiSdkOptions['open']> | undefined;

  async function generate(model: string, request: ModelRequest, { signal, onToken }: GenerateOptions): Promise<ModelReply> {
    if (signal.aborted) throw aborted(signal);
    // Loaded when a model is first asked: most commands need not pay for it.
    service ??= options.open(guardedFetch);
    service.catch(() => (service = undefined));
    const open = await service;
    const sdkModel = opened.get(model) ?? (open(model) as LanguageModelV4);
    opened.set(model, sdkModel);
    return attempt(asked(model), { signal, timeoutMs, clock }, async abortSignal => {
      const call: Call = { model: sdkModel, settings: settingsOf(request, abortSignal, options), clock, startedAt: clock.monotonic(), asked: asked(model) };
      const reply = await (onToken === undefined ? callWhole(call) : callStreaming(call, onToken));
      return finish(asked(model), request, reply);
    });
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
      generate: (request, how) => generate(model, request, how),
      ...(options.listing === undefined ? {} : { probe: signal => probe(model, signal) }),
    }),
    close: async () => {},
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
      return { id: `${name}/${entry.name}`, provider: name, contextWindow, local, price: known.price() };
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

interface Call {
  model: LanguageModelV4;
  settings: LanguageModelV4CallOptions;
  clock: Clock;
  startedAt: number;
  asked: Asked;
}

type RawReply = Omit<ModelReply, 'object' | 'finishReason'> & { finish: LanguageModelV4FinishReason['unified'] };

async function callWhole({ model, settings, clock, startedAt }: Call): Promise<RawReply> {
  const { content, finishReason, usage, response, structuredOutputText } = await model.doGenerate(settings);
  return {
    model: response?.modelId ?? model.modelId,
    text: structuredOutputText ?? content.map(part => (part.type === 'text' ? part.text : '')).join(''),
    finish: finishReason.unified,
    ...readUsage(usage),
    ...ratesOf(response?.headers, clock),
    latencyMs: clock.monotonic() - startedAt,
    firstTokenMs: undefined,
  };
}

async function callStreaming({ model, settings, clock, startedAt, asked }: Call, onToken: (text: string) => void): Promise<RawReply> {
  const { stream, response } = await model.doStream(settings);
  let text = '';
  let firstTokenMs: number | undefined;
  let answeredBy = model.modelId;
  let end: { finishReason: LanguageModelV4FinishReason; usage: LanguageModelV4Usage } | undefined;
  for await (const part of stream) {
    if (part.type === 'error') throw part.error;
    if (part.type === 'response-metadata') answeredBy = part.modelId ?? answeredBy;
    if (part.type === 'finish') end = part;
    if (part.type !== 'text-delta') continue;
    firstTokenMs ??= clock.monotonic() - startedAt;
    text += part.delta;
    onToken(part.delta);
  }
  if (end?.finishReason.raw === undefined) throw badReply(asked, 'the stream ended before the answer was complete');
  return {
    model: answeredBy,
    text,
    finish: end.finishReason.unified,
    ...readUsage(end.usage),
    ...ratesOf(response?.headers, clock),
    latencyMs: clock.monotonic() - startedAt,
    firstTokenMs,
  };
}

function ratesOf(headers: Record<string, string> | undefined, clock: Clock): Pick<ModelReply, 'rates'> {
  const rates = readRateWindows(headers ?? {}, clock.now());
  return rates.length === 0 ? {} : { rates };
}

function readUsage({ inputTokens, outputTokens }: LanguageModelV4Usage): { usage: ModelUsage; usageUnknown?: true } {
  const isCount = (tokens: unknown): tokens is number => Number.isSafeInteger(tokens) && (tokens as number) >= 0;
  const count = (tokens: number | undefined): number => (isCount(tokens) ? tokens : 0);
  const [input, output, written] = [count(inputTokens.total), count(outputTokens.total), count(inputTokens.cacheWrite)];
  const usage: ModelUsage = {
    inputTokens: input,
    outputTokens: output,
    cachedInputTokens: Math.min(count(inputTokens.cacheRead), input),
    reasoningTokens: Math.min(count(outputTokens.reasoning), output),
    ...(written > 0 ? { cacheWriteTokens: written } : {}),
  };
  // A count that is no count, or half of one, would be a wrong bill; and no call takes nothing in.
  return input > 0 && isCount(outputTokens.total) ? { usage } : { usage, usageUnknown: true };
}

function finish(asked: Asked, request: ModelRequest, { finish: reason, ...reply }: RawReply): ModelReply {
  if (reason === 'interrupted') throw badReply(asked, 'it ended before the answer was complete');
  if (reason === 'content-filter') throw refused(asked, { model: reply.model, usage: { ...reply.usage } });
  if (reason === 'error') throw badReply(asked, 'it ended with an error');
  const object = request.schema === undefined ? undefined : parseAnswer(reply.text);
  return { ...reply, ...(object === undefined ? {} : { object }), finishReason: reason === 'stop' || reason === 'length' ? reason : 'other' };
}

/** Who wants to know of every byte that comes within a call. */
const listening = new AsyncLocalStorage<() => void>();

/** fetch, without following redirects (the credentials are for this address only) and with an end to what is read. */
async function guardedFetch(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
  const heard = listening.getStore();
  const response = await fetch(input, { ...init, redirect: 'manual' });
  heard?.();
  if (response.body === null) return response;
  return new Response(watched(response.body, heard), response);
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
  let parsed: Json;
  try {
    parsed = JSON.parse(body) as Json;
  } catch {
    throw badReply(asked, 'its list of models is no JSON');
  }
  const data = isObject(parsed) ? (parsed['data'] ?? parsed['models']) : parsed;
  if (!Array.isArray(data)) throw badReply(asked, 'its list of models has no `data`');
  return data.filter(isObject).flatMap(entry => {
    const window = entry['context_length'] ?? entry['context_window'] ?? entry['max_model_len'] ?? entry['inputTokenLimit'];
    const name = entry['id'] ?? entry['name'];
    if (typeof name !== 'string') return [];
    return [{ name: name.replace(/^models\//, ''), contextWindow: typeof window === 'number' ? window : undefined }];
  });
}
