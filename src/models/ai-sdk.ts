import type { JSONSchema7, LanguageModel, LanguageModelUsage } from 'ai';
import { systemClock, type Clock } from '../clock.ts';
import { formatDuration } from '../duration.ts';
import { OrchestratorError } from '../errors.ts';
import { isObject, type Json, type JsonObject, type JsonSchema } from '../json.ts';
import { parseAnswer } from './answer-text.ts';
import { aborted, badReply, fromStatus, fromThrown, refused, tooSlow, type Asked } from './failures.ts';
import type { GenerateOptions, Model, ModelInfo, ModelReply, ModelRequest, ModelUsage, Provider } from './port.ts';
import { readRateWindows } from './rates.ts';

/** How a service is told the shape of an answer: by its schema, as any JSON, or not at all. */
export type StructuredOutput = 'json_schema' | 'json_object' | 'none';

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
  open(fetch: typeof globalThis.fetch): Promise<(model: string) => Exclude<LanguageModel, string>>;
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

type Sdk = typeof import('ai');
type Settings = Parameters<Sdk['generateText']>[0];

/** The AI SDK is loaded when a model is first asked: 110 ms and 30 MB that most commands need not pay. */
async function loadSdk(): Promise<Sdk> {
  const sdk = await import('ai');
  // Its warnings (a setting that a model does not take) go to the console, which is not ours to write to.
  (globalThis as { AI_SDK_LOG_WARNINGS?: false }).AI_SDK_LOG_WARNINGS = false;
  return sdk;
}

/** A hosted service behind the AI SDK. One call is one request: nothing is retried in here. */
export function aiSdkProvider(options: AiSdkOptions): Provider {
  const { name, baseUrl, secrets, describe, local = false, clock = systemClock, timeoutMs = TIMEOUT_MS } = options;
  const asked = (model: string | undefined): Asked => ({ provider: name, model, baseUrl, secrets });
  async function generate(model: string, request: ModelRequest, { signal, onToken }: GenerateOptions): Promise<ModelReply> {
    if (signal.aborted) throw aborted(signal);
    return attempt(asked(model), { signal, timeoutMs, clock }, async watch => {
      // Opened for each call, which takes microseconds, so that every byte that comes is heard.
      const [ai, open] = await Promise.all([loadSdk(), options.open((input, init) => guardedFetch(input, init, watch.heard))]);
      const settings = settingsOf(ai, open(model), request, watch.signal, options);
      const call: Call = { ai, settings, clock, startedAt: clock.monotonic(), asked: asked(model) };
      const reply = await (onToken === undefined ? callWhole(call) : callStreaming(call, onToken));
      return finish(asked(model), request, reply);
    });
  }

  /** The body of a GET, or undefined where the service has no such place. */
  function look(path: string, model: string | undefined, signal: AbortSignal): Promise<string | undefined> {
    return attempt(asked(model), { signal, timeoutMs, clock }, async watch => {
      const { url, headers } = options.listing!;
      const response = await guardedFetch(`${url}${path}`, { headers, signal: watch.signal }, watch.heard);
      const body = await response.text();
      if (response.ok) return body;
      if (model === undefined && (response.status === 404 || response.status === 405)) return undefined;
      throw fromStatus(asked(model), { status: response.status, body, headers: Object.fromEntries(response.headers) }, clock);
    });
  }

  async function list(signal: AbortSignal): Promise<ModelInfo[]> {
    // Not every service has this place; one that has not serves what the configuration names.
    const body = options.listing === undefined ? undefined : await look('', undefined, signal);
    if (body === undefined) return [];
    return readModels(asked(undefined), body).map(entry => {
      const known = describe(entry.name);
      const contextWindow = known.contextWindow() ?? entry.contextWindow;
      return { id: `${name}/${entry.name}`, provider: name, contextWindow, local, price: known.price() };
    });
  }

  async function probe(model: string, signal: AbortSignal): Promise<void> {
    if (options.listing === undefined) return;
    if (options.probesByName === true) return void (await look(`/${encodeURIComponent(model)}`, model, signal));
    const served = await list(signal);
    const known = served.length === 0 || served.some(({ id }) => id === `${name}/${model}` || id === `${name}/${model}:latest`);
    if (!known) throw fromStatus(asked(model), { status: 404, body: '', headers: {} }, clock);
  }

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
      probe: signal => probe(model, signal),
    }),
    close: async () => {},
  };
}

interface Call {
  ai: Sdk;
  settings: Settings;
  clock: Clock;
  startedAt: number;
  asked: Asked;
}

function settingsOf(
  ai: Sdk,
  model: Settings['model'],
  request: ModelRequest,
  abortSignal: AbortSignal,
  { providerOptions, structuredOutput: form = 'json_schema' }: AiSdkOptions,
): Settings {
  const { schema, temperature, maxTokens, seed } = request;
  return {
    model,
    messages: request.messages,
    allowSystemInMessages: true,
    // The engine retries, durably; a retry in here would be a call that nobody counts.
    maxRetries: 0,
    abortSignal,
    providerOptions: providerOptions as NonNullable<Settings['providerOptions']>,
    ...(schema === undefined || form === 'none' ? {} : { output: asText(ai, schema, form) }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(maxTokens === undefined ? {} : { maxOutputTokens: maxTokens }),
    ...(seed === undefined ? {} : { seed }),
  };
}

/** Asks for JSON on the wire and keeps the text: the SDK would throw away a reply that does not parse, and with it what it cost. */
function asText(ai: Sdk, schema: JsonSchema, form: Exclude<StructuredOutput, 'none'>): ReturnType<Sdk['Output']['text']> {
  const shape = form === 'json_schema' ? { schema: (isObject(schema) ? schema : {}) as JSONSchema7, name: 'answer' } : {};
  return { ...ai.Output.text(), responseFormat: Promise.resolve({ type: 'json', ...shape }) };
}

type RawReply = Omit<ModelReply, 'object' | 'finishReason'> & { finish: string };

async function callWhole({ ai, settings, clock, startedAt }: Call): Promise<RawReply> {
  const result = await ai.generateText(settings);
  return {
    model: result.response.modelId,
    text: result.text,
    finish: result.finishReason,
    ...readUsage(result.usage),
    ...ratesOf(result.response.headers, clock),
    latencyMs: clock.monotonic() - startedAt,
    firstTokenMs: undefined,
  };
}

async function callStreaming(
  { ai, settings, clock, startedAt, asked }: Call,
  onToken: (text: string) => void,
): Promise<RawReply> {
  let text = '';
  let firstTokenMs: number | undefined;
  // Errors come as parts of the stream; without a handler the SDK would also print them.
  const result = ai.streamText({ ...settings, onError: () => {} } as Parameters<Sdk['streamText']>[0]);
  for await (const part of result.stream) {
    if (part.type === 'error') throw part.error;
    if (part.type === 'abort') throw settings.abortSignal?.reason;
    if (part.type !== 'text-delta') continue;
    firstTokenMs ??= clock.monotonic() - startedAt;
    text += part.text;
    onToken(part.text);
  }
  const [response, usage, finishReason, raw] = await Promise.all([
    result.response,
    result.usage,
    result.finishReason,
    result.rawFinishReason,
  ]);
  if (raw === undefined) throw badReply(asked, 'the stream ended before the answer was complete');
  return {
    model: response.modelId,
    text,
    finish: finishReason,
    ...readUsage(usage),
    ...ratesOf(response.headers, clock),
    latencyMs: clock.monotonic() - startedAt,
    firstTokenMs,
  };
}

function ratesOf(headers: Record<string, string> | undefined, clock: Clock): Pick<ModelReply, 'rates'> {
  const rates = readRateWindows(headers ?? {}, clock.now());
  return rates.length === 0 ? {} : { rates };
}

function readUsage(usage: LanguageModelUsage): { usage: ModelUsage; usageUnknown?: true } {
  const isCount = (tokens: unknown): tokens is number => Number.isSafeInteger(tokens) && (tokens as number) >= 0;
  const count = (tokens: number | undefined): number => (isCount(tokens) ? tokens : 0);
  const { inputTokenDetails, outputTokenDetails } = usage;
  const written = count(inputTokenDetails.cacheWriteTokens);
  const read: ModelUsage = {
    inputTokens: count(usage.inputTokens),
    outputTokens: count(usage.outputTokens),
    cachedInputTokens: Math.min(count(inputTokenDetails.cacheReadTokens), count(usage.inputTokens)),
    reasoningTokens: Math.min(count(outputTokenDetails.reasoningTokens), count(usage.outputTokens)),
    ...(written > 0 ? { cacheWriteTokens: written } : {}),
  };
  // A count that is no count, or half of one, would be a wrong bill; and no call takes nothing in.
  const isKnown = isCount(usage.inputTokens) && isCount(usage.outputTokens) && usage.inputTokens > 0;
  return isKnown ? { usage: read } : { usage: read, usageUnknown: true };
}

function finish(asked: Asked, request: ModelRequest, { finish: reason, ...reply }: RawReply): ModelReply {
  if (reason === 'content-filter') throw refused(asked, { model: reply.model, usage: { ...reply.usage } });
  if (reason === 'error') throw badReply(asked, 'it ended with an error');
  const object = request.schema === undefined ? undefined : parseAnswer(reply.text);
  return {
    ...reply,
    ...(object === undefined ? {} : { object }),
    finishReason: reason === 'stop' || reason === 'length' ? reason : 'other',
  };
}

/** fetch, without following redirects (the credentials are for this address only) and with an end to what is read. */
async function guardedFetch(input: Parameters<typeof fetch>[0], init: RequestInit | undefined, heard: () => void): Promise<Response> {
  const response = await fetch(input, { ...init, redirect: 'manual' });
  heard();
  if (response.body === null) return response;
  let size = 0;
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      heard();
      size += chunk.byteLength;
      if (size <= REPLY_MAX_BYTES) controller.enqueue(chunk);
      else controller.error(new OrchestratorError('ORC-603', 'the reply of a model is larger than 32 MiB', { class: 'invalid_output' }));
    },
  });
  return new Response(response.body.pipeThrough(counter), response);
}

interface SilenceWatch {
  /** Aborted with the caller's signal, or after too long a silence. */
  signal: AbortSignal;
  heard(): void;
}

/** Does one call of a service under a watch for silence; whatever it throws becomes the failure that it means. */
async function attempt<T>(
  asked: Asked,
  { signal, timeoutMs, clock }: { signal: AbortSignal; timeoutMs: number; clock: Clock },
  work: (watch: SilenceWatch) => Promise<T>,
): Promise<T> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(), timeoutMs);
  try {
    return await work({ signal: AbortSignal.any([signal, silence.signal]), heard: () => void timer.refresh() });
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
