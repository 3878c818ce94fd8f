import { createHmac } from 'node:crypto';
import { systemClock, type Clock } from '../clock.ts';
import { OrchestratorError } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { canonicalJson, isObject, own, type Json } from '../json.ts';
import { readAnswer } from './answers.ts';
import { CircuitBreaker } from './breaker.ts';
import type { ModelReply, ModelRequest } from './port.ts';

/** Where replies are kept. Never a source of truth: whatever goes wrong, nothing is found, and nothing is thrown but by `ping`. */
export interface ResponseCache {
  get(key: string): Promise<ModelReply | undefined>;
  set(key: string, reply: ModelReply, ttlMs: number): void;
  /** Throws where the cache cannot be reached. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** The name of a request: the same for equal requests to the same model, in whatever order their keys were written. */
export function requestKey(model: string, request: ModelRequest): string {
  return sha256(canonicalJson({ v: 1, model, request: request as unknown as Json }));
}

/** The name of one text's vector. */
export function vectorKey(model: string, text: string): string {
  return sha256(canonicalJson({ v: 1, model, vector: text }));
}

/** A request that is meant to be answered in the same way each time. */
export function isDeterministic({ temperature, seed }: ModelRequest): boolean {
  return temperature === 0 || seed !== undefined;
}

/** Replies in this process; the one that was used least recently goes first. */
export function memoryCache({ maxEntries = 1000, clock = systemClock }: { maxEntries?: number; clock?: Clock } = {}): ResponseCache {
  const kept = new Map<string, { reply: ModelReply; untilMs: number }>();
  return {
    async get(key) {
      const found = kept.get(key);
      if (found === undefined) return undefined;
      kept.delete(key);
      if (found.untilMs <= clock.now()) return undefined;
      kept.set(key, found);
      return structuredClone(found.reply);
    },
    set(key, reply, ttlMs) {
      kept.delete(key);
      kept.set(key, { reply: structuredClone(keptReply(reply)), untilMs: clock.now() + ttlMs });
      if (kept.size > maxEntries) kept.delete(kept.keys().next().value!);
    },
    ping: async () => {},
    close: async () => kept.clear(),
  };
}

export interface RedisCacheOptions {
  url: string;
  /** What a look-up may cost at most; 50 ms when absent. */
  timeoutMs?: number;
  /** Signs what is kept, so that a stranger who can write to the Redis cannot answer in a model's place. */
  secret?: string;
  clock?: Clock;
}

const REDIS_TIMEOUT_MS = 50;
const CONNECT_TIMEOUT_MS = 2000;
const ENTRY_MAX_BYTES = 8 * 1024 * 1024;

interface RedisClient {
  isOpen: boolean;
  get(key: string): Promise<string | null>;
  set(key: string, value: string, options: { expiration: { type: 'PX'; value: number } }): Promise<unknown>;
  ping(): Promise<string>;
  destroy(): void;
}

/** Replies in a Redis, shared by processes. Gone, slow or lying, it costs a look-up at most its time-out, and after three such nothing for 10 s. */
export function redisCache({ url, timeoutMs = REDIS_TIMEOUT_MS, secret = '', clock = systemClock }: RedisCacheOptions): ResponseCache {
  const breaker = new CircuitBreaker({ failureThreshold: 3, resetAfter: 10, name: 'the cache', clock });
  let opening: Promise<RedisClient> | undefined;
  let client: RedisClient | undefined;
  const open = (): Promise<RedisClient> => {
    opening ??= openRedis(url, opened => (client = opened));
    opening.catch(() => (opening = undefined));
    return opening;
  };
  const sign = (key: string, body: string): string => createHmac('sha256', secret).update(`${key}\n${body}`).digest('hex');

  /** The answer of the Redis, or undefined where it does not come in time. */
  const attempt = async <T>(work: (client: RedisClient) => Promise<T>): Promise<T | undefined> => {
    try {
      return await breaker.execute(() => within(timeoutMs, open().then(work)));
    } catch {
      return undefined;
    }
  };

  return {
    async get(key) {
      const text = await attempt(client => client.get(nameOf(key)));
      return typeof text === 'string' && text.length <= ENTRY_MAX_BYTES ? readEntry(text, key, sign) : undefined;
    },
    set(key, reply, ttlMs) {
      const body = canonicalJson(keptReply(reply) as unknown as Json);
      if (body.length > ENTRY_MAX_BYTES || ttlMs < 1) return;
      const entry = JSON.stringify({ v: 1, key, sign: sign(key, body), body });
      void attempt(client => client.set(nameOf(key), entry, { expiration: { type: 'PX', value: Math.ceil(ttlMs) } }));
    },
    async ping() {
      await within(
        CONNECT_TIMEOUT_MS,
        open().then(client => client.ping()),
      );
    },
    async close() {
      if (client?.isOpen === true) client.destroy();
      opening = client = undefined;
    },
  };
}

const nameOf = (key: string): string => `orchestrator:reply:${key}`;

/** A client that is connected; `onClient` gets it before that, so that it can be stopped. */
async function openRedis(url: string, onClient: (client: RedisClient) => void): Promise<RedisClient> {
  let redis: typeof import('redis');
  try {
    redis = await import('redis');
  } catch (cause) {
    throw new OrchestratorError('ORC-407', 'a cache in Redis needs the package redis, which is not installed', {
      class: 'not_found',
      help: ['npm install redis'],
      cause,
    });
  }
  const client = redis.createClient({
    url,
    disableOfflineQueue: true,
    socket: { connectTimeout: CONNECT_TIMEOUT_MS, reconnectStrategy: retries => Math.min(100 * 2 ** retries, 10_000) },
  });
  // Without a listener the first broken connection would end the process; every call tells of it anyway.
  client.on('error', () => {});
  onClient(client as unknown as RedisClient);
  const failing = Promise.withResolvers<never>();
  client.once('error', failing.reject);
  const connecting = client.connect();
  connecting.catch(() => {});
  try {
    await Promise.race([connecting, failing.promise]);
  } catch (error) {
    if (client.isOpen) client.destroy();
    throw error;
  }
  return client as unknown as RedisClient;
}

/** The reply in an entry; undefined where it is not what was kept under this key. */
function readEntry(text: string, key: string, sign: (key: string, body: string) => string): ModelReply | undefined {
  try {
    const entry = JSON.parse(text) as Json;
    if (!isObject(entry) || typeof entry['body'] !== 'string' || entry['key'] !== key) return undefined;
    if (entry['sign'] !== sign(key, entry['body'])) return undefined;
    const reply = JSON.parse(entry['body']) as Json;
    return isReply(reply) ? (reply as unknown as ModelReply) : undefined;
  } catch {
    return undefined;
  }
}

const FINISHES: readonly Json[] = ['stop', 'length', 'refused', 'tool_calls', 'other'];

/** Has it all that is counted on? What it holds beyond that is nothing that a reply can bring with it. */
function isReply(value: Json): boolean {
  if (!isObject(value) || !isObject(value['usage'])) return false;
  const { model, text, usage, finishReason, latencyMs, firstTokenMs = 0, toolCalls = [] } = value;
  const counts = ['inputTokens', 'outputTokens', 'cachedInputTokens', 'reasoningTokens'].map(name => own(usage, name));
  return (
    typeof model === 'string' &&
    typeof text === 'string' &&
    FINISHES.includes(finishReason ?? null) &&
    [latencyMs, firstTokenMs, ...counts].every(count => typeof count === 'number' && count >= 0) &&
    Array.isArray(toolCalls) &&
    KNOWN_ONLY.every(name => !Object.hasOwn(value, name))
  );
}

/** Facts of the one call that was made, which no later one shares. */
const KNOWN_ONLY = ['rates', 'fallback', 'cached'] as const;

/** A reply as it is kept. */
function keptReply(reply: ModelReply): ModelReply {
  const kept = { ...reply };
  for (const name of KNOWN_ONLY) delete kept[name];
  return kept;
}

/** May a reply stand for others to the same request? Not one that was cut off or refused, nor one without the shape that was asked for. */
export function isSound(reply: ModelReply, { schema }: ModelRequest, fits?: (reply: ModelReply) => boolean): boolean {
  if (reply.finishReason === 'tool_calls') return true;
  if (reply.finishReason !== 'stop') return false;
  if (fits !== undefined) return fits(reply);
  return schema === undefined || 'value' in readAnswer(reply, schema);
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  work.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The cache of an address: `memory:`, or `redis://…` (`rediss://…`). */
export function openCache(url: string, options: { secret?: string; clock?: Clock } = {}): ResponseCache {
  if (/^memory:?$/.test(url)) return memoryCache(options.clock === undefined ? {} : { clock: options.clock });
  if (/^rediss?:\/\//.test(url)) return redisCache({ url, ...options });
  throw new OrchestratorError('ORC-119', `cache.url must be memory: or redis://…, and is ${url.split(':', 1)[0]}:…`, { class: 'invalid_input' });
}
