import type { OpenAICompatibleProvider } from '@ai-sdk/openai-compatible';
import type { JSONSchema7, LanguageModelUsage } from 'ai';
import { systemClock, type Clock } from '../clock.ts';
import { formatDuration } from '../duration.ts';
import { OrchestratorError } from '../errors.ts';
import { isObject, type JsonObject, type JsonSchema } from '../json.ts';
import { parseAnswer } from './answer-text.ts';
import { aborted, badReply, fromStatus, fromThrown, refused, tooSlow, type Asked } from './failures.ts';
import type { GenerateOptions, Model, ModelInfo, ModelReply, ModelRequest, ModelUsage, Provider } from './port.ts';

/** How a service is told the shape of an answer: by its schema, as any JSON, or not at all. */
export type StructuredOutput = 'json_schema' | 'json_object' | 'none';

export interface OpenAICompatibleOptions {
  /** Name of the provider in the configuration. */
  name: string;
  /** Address up to and without `/chat/completions`. */
  baseUrl: string;
  apiKey?: string;
  headers?: Record<string, string>;
  /** The longest silence that is waited out, in ms. */
  timeoutMs?: number;
  structuredOutput?: StructuredOutput;
  /** What the configuration knows of a model. */
  describe?: (name: string) => Partial<Pick<ModelInfo, 'contextWindow' | 'price'>>;
  clock?: Clock;
}

const TIMEOUT_MS = 300_000;
/** No reply of a model is larger; a service that sends more is cut off. */
const REPLY_MAX_BYTES = 32 * 1024 * 1024;

/** The AI SDK is loaded when a model is first asked: 110 ms and 30 MB that most commands need not pay. */
async function loadSdk(): Promise<{ ai: typeof import('ai'); openai: typeof import('@ai-sdk/openai-compatible') }> {
  const [ai, openai] = await Promise.all([import('ai'), import('@ai-sdk/openai-compatible')]);
  return { ai, openai };
}

/** A service that speaks the chat completions dialect of OpenAI: vLLM, llama-server, Ollama, OpenRouter and many more. */
export function openAICompatible(options: OpenAICompatibleOptions): Provider {
  const { name, headers = {}, clock = systemClock } = options;
  const baseUrl = options.baseUrl.replace(/\/+$/, '');
  const secrets = [options.apiKey ?? '', ...Object.values(headers)];
  const asked = (model: string | undefined): Asked => ({ provider: name, model, baseUrl, secrets });
  const auth: Record<string, string> = options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` };
  let service: OpenAICompatibleProvider | undefined;

  const info = (model: string): ModelInfo => {
    const known = options.describe?.(model) ?? {};
    return { id: `${name}/${model}`, provider: name, contextWindow: known.contextWindow, local: false, price: known.price };
  };

  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;

  async function generate(model: string, request: ModelRequest, { signal, onToken }: GenerateOptions): Promise<ModelReply> {
    if (signal.aborted) throw aborted(signal);
    const { ai, openai } = await loadSdk();
    service ??= openai.createOpenAICompatible({
      name,
      baseURL: baseUrl,
      headers: { ...auth, ...headers },
      includeUsage: true,
      supportsStructuredOutputs: true,
      fetch: guardedFetch,
    });
    const chat = service.chatModel(model);
    return attempt(asked(model), { signal, timeoutMs, clock }, async watch => {
      const settings = settingsOf(ai, chat, request, watch.signal, options.structuredOutput ?? 'json_schema');
      const call: Call = { ai, settings, clock, startedAt: clock.monotonic(), heard: watch.heard };
      const reply = await (onToken === undefined ? callWhole(call) : callStreaming(call, onToken));
      return finish(asked(model), request, reply);
    });
  }

  function list(signal: AbortSignal): Promise<ModelInfo[]> {
    return attempt(asked(undefined), { signal, timeoutMs, clock }, async watch => {
      const response = await guardedFetch(`${baseUrl}/models`, { headers: { ...auth, ...headers }, signal: watch.signal });
      const body = await response.text();
      // Not every service has this route; one that has not serves what the configuration names.
      if (response.status === 404 || response.status === 405) return [];
      if (!response.ok)
        throw fromStatus(asked(undefined), { status: response.status, body, headers: Object.fromEntries(response.headers) }, clock);
      return readModels(asked(undefined), body).map(entry => {
        const known = info(entry.name);
        return { ...known, contextWindow: known.contextWindow ?? entry.contextWindow };
      });
    });
  }

  return {
    name,
    list,
    model: (model): Model => ({ ...info(model), generate: (request, how) => generate(model, request, how) }),
    close: async () => {},
  };
}

type Sdk = Awaited<ReturnType<typeof loadSdk>>['ai'];
type Settings = Parameters<Sdk['generateText']>[0];

interface Call {
  ai: Sdk;
  settings: Settings;
  clock: Clock;
  startedAt: number;
  heard(): void;
}

function settingsOf(ai: Sdk, model: Settings['model'], request: ModelRequest, abortSignal: AbortSignal, form: StructuredOutput): Settings {
  const { schema, temperature, maxTokens, seed } = request;
  return {
    model,
    messages: request.messages,
    allowSystemInMessages: true,
    // The engine retries, durably; a retry in here would be a call that nobody counts.
    maxRetries: 0,
    abortSignal,
    // Strict mode takes only a part of JSON Schema; every answer is checked here anyway.
    providerOptions: { openaiCompatible: { strictJsonSchema: false } },
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
    latencyMs: clock.monotonic() - startedAt,
    firstTokenMs: undefined,
  };
}

async function callStreaming({ ai, settings, clock, startedAt, heard }: Call, onToken: (text: string) => void): Promise<RawReply> {
  let text = '';
  let firstTokenMs: number | undefined;
  // Errors come as parts of the stream; without a handler the SDK would also print them.
  const result = ai.streamText({ ...settings, onError: () => {} } as Parameters<Sdk['streamText']>[0]);
  for await (const part of result.stream) {
    heard();
    if (part.type === 'error') throw part.error;
    if (part.type === 'abort') throw settings.abortSignal?.reason;
    if (part.type !== 'text-delta') continue;
    firstTokenMs ??= clock.monotonic() - startedAt;
    text += part.text;
    onToken(part.text);
  }
  const [response, usage, finish] = await Promise.all([result.response, result.usage, result.finishReason]);
  return { model: response.modelId, text, finish, ...readUsage(usage), latencyMs: clock.monotonic() - startedAt, firstTokenMs };
}

function readUsage(usage: LanguageModelUsage): { usage: ModelUsage; usageUnknown?: true } {
  const count = (tokens: number | undefined): number => (tokens !== undefined && Number.isSafeInteger(tokens) && tokens >= 0 ? tokens : 0);
  const read: ModelUsage = {
    inputTokens: count(usage.inputTokens),
    outputTokens: count(usage.outputTokens),
    cachedInputTokens: count(usage.inputTokenDetails.cacheReadTokens),
    reasoningTokens: count(usage.outputTokenDetails.reasoningTokens),
  };
  return usage.inputTokens === undefined && usage.outputTokens === undefined ? { usage: read, usageUnknown: true } : { usage: read };
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
async function guardedFetch(...[input, init]: Parameters<typeof fetch>): Promise<Response> {
  const response = await fetch(input, { ...init, redirect: 'manual' });
  if (response.body === null) return response;
  let size = 0;
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
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

/** `{data: [{id, …}]}`, with the context window where the service tells it: vLLM, OpenRouter and others each have their own name for it. */
function readModels(asked: Asked, body: string): { name: string; contextWindow: number | undefined }[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    throw badReply(asked, 'its list of models is no JSON');
  }
  const data = isObject(parsed) ? parsed['data'] : parsed;
  if (!Array.isArray(data)) throw badReply(asked, 'its list of models has no `data`');
  return data.filter(isObject).flatMap((entry: JsonObject) => {
    const window = entry['context_length'] ?? entry['context_window'] ?? entry['max_model_len'];
    return typeof entry['id'] === 'string' ? [{ name: entry['id'], contextWindow: typeof window === 'number' ? window : undefined }] : [];
  });
}
