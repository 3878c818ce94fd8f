import { createHmac } from 'node:crypto';
import { systemClock, type Clock } from '../clock.ts';
import { OrchestratorError } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { canonicalJson, isObject, own, type Json } from '../json.ts';
import { readAnswer } from './answers.ts';
import { CircuitBreaker } from './breaker.ts';
import type { ModelReply, ModelRequest } from './port.ts';
import type { RedisConnection, RedisReply } from './redis.ts';

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
const PING_TIMEOUT_MS = 2000;
const ENTRY_MAX_BYTES = 8 * 1024 * 1024;

/** Replies in a Redis, shared by processes. Gone, slow or lying, it costs a look-up at most its time-out, and after three such nothing for 10 s. */
export function redisCache({ url, timeoutMs = REDIS_TIMEOUT_MS, secret = '', clock = systemClock }: RedisCacheOptions): ResponseCache {
  const breaker = new CircuitBreaker({ failureThreshold: 3, resetAfter: 10, name: 'the cache', clock });
  let redis: Promise<RedisConnection> | undefined;
  const open = async (): Promise<RedisConnection> => {
    const mine = (redis ??= import('./redis.ts').then(room => room.RedisConnection.open(url)));
    try {
      const opened = await mine;
      if (opened.isOpen) return opened;
    } catch (error) {
      if (redis === mine) redis = undefined;
      throw error;
    }
    // It was lost since.
    if (redis === mine) redis = undefined;
    return open();
  };
  const sign = (key: string, body: string): string => createHmac('sha256', secret).update(`${key}\n${body}`).digest('hex');

  /** The answer of the Redis, or undefined where it does not come in time. */
  const attempt = async (...command: string[]): Promise<RedisReply | undefined> => {
    try {
      return await breaker.execute(() =>
        within(
          timeoutMs,
          open().then(opened => opened.send(...command)),
        ),
      );
    } catch {
      return undefined;
    }
  };

  return {
    async get(key) {
      const text = await attempt('GET', nameOf(key));
      return typeof text === 'string' && text.length <= ENTRY_MAX_BYTES ? readEntry(text, key, sign) : undefined;
    },
    set(key, reply, ttlMs) {
      const body = canonicalJson(keptReply(reply) as unknown as Json);
      if (body.length > ENTRY_MAX_BYTES || ttlMs < 1) return;
      const entry = JSON.stringify({ v: 1, key, sign: sign(key, body), body });
      void attempt('SET', nameOf(key), entry, 'PX', String(Math.ceil(ttlMs)));
    },
    async ping() {
      await within(
        PING_TIMEOUT_MS,
        open().then(opened => opened.send('PING')),
      );
    },
    async close() {
      void redis?.then(
        opened => opened.close(),
        () => {},
      );
      redis = undefined;
    },
  };
}

const nameOf = (key: string): string => `orchestrator:reply:${key}`;

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
  if (/^rediss?:\/\//.test(url) && URL.canParse(url)) return redisCache({ url, ...options });
  throw new OrchestratorError('ORC-119', `cache.url must be memory: or redis://…, and is ${url.split(':', 1)[0]}:…`, { class: 'invalid_input' });
}
