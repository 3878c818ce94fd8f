import type { Ref } from '../engine/index.ts';
import { OrchestratorError } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { isObject, type Json } from '../json.ts';
import type { Store } from '../store/port.ts';

/** Values whose JSON text is longer stand in the journal as blobs. */
const INLINE_LIMIT = 64 * 1024;
const CACHE_BYTES = 64 * 1024 * 1024;

/** Thrown by `load` where the store answers later: whoever computes waits for it and computes again. */
export class ValuePending extends Error {
  readonly arrival: Promise<void>;
  constructor(arrival: Promise<void>) {
    super('a value is still on its way from the store');
    this.arrival = arrival;
  }
}

/** Turns values into references and back; keeps the blobs that were used last, so that a value just made is never fetched. */
export class ValueStore {
  readonly #store: Store;
  readonly #cache = new Map<string, { value: Json; bytes: number }>();
  #bytes = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  /** A reference to a value; where it is large, its text is put into `blobs` for the commit that first names it. */
  refer(value: Json, blobs: { hash: string; content: string }[]): Ref {
    if (weigh(value, INLINE_LIMIT / 4) <= INLINE_LIMIT / 4) return { v: value };
    const content = JSON.stringify(value);
    if (content.length <= INLINE_LIMIT) return { v: value };
    const hash = sha256(content);
    if (!this.#cache.has(hash)) this.#keep(hash, value, content.length);
    blobs.push({ hash, content });
    return { b: hash, n: content.length };
  }

  load(ref: Ref): Json {
    if ('v' in ref) return ref.v;
    const kept = this.#cache.get(ref.b);
    if (kept !== undefined) {
      this.#cache.delete(ref.b);
      this.#cache.set(ref.b, kept);
      return kept.value;
    }
    const content = this.#store.blob(ref.b);
    if (content instanceof Promise) {
      const arrival = content.then(text => void this.#arrive(ref.b, text));
      // Whoever can do without the value does not wait for it, and need not hear that it never came.
      arrival.catch(() => {});
      throw new ValuePending(arrival);
    }
    return this.#arrive(ref.b, content);
  }

  /** Computes with values that may have to be fetched first. */
  async settle<T>(compute: () => T): Promise<T> {
    for (;;) {
      try {
        return compute();
      } catch (error) {
        if (!(error instanceof ValuePending)) throw error;
        await error.arrival;
      }
    }
  }

  #arrive(hash: string, content: string | undefined): Json {
    if (content === undefined)
      throw new OrchestratorError('ORC-504', `a large value (${hash.slice(0, 12)}) is not in the store`, { class: 'storage', help: ['orchestrator verify'] });
    const value = JSON.parse(content) as Json;
    this.#keep(hash, value, content.length);
    return value;
  }

  #keep(hash: string, value: Json, bytes: number): void {
    this.#cache.set(hash, { value, bytes });
    this.#bytes += bytes;
    for (const [oldest, entry] of this.#cache) {
      if (this.#bytes <= CACHE_BYTES || oldest === hash) break;
      this.#cache.delete(oldest);
      this.#bytes -= entry.bytes;
    }
  }
}

/** Roughly the bytes of a value's JSON text, counted only until `limit` is passed. */
function weigh(value: Json, limit: number): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value !== 'object' || value === null) return 8;
  let weight = 2;
  if (Array.isArray(value)) {
    for (const item of value) {
      weight += weigh(item, limit - weight) + 1;
      if (weight > limit) return weight;
    }
    return weight;
  }
  for (const key in value) {
    weight += key.length + 4 + weigh(value[key]!, limit - weight);
    if (weight > limit) return weight;
  }
  return weight;
}

/** Values that are nested deeper could not be written, nor folded again. */
const DEEPEST = 500;

/** A value as JSON holds it, so that the live run and its replay see the same: what JSON cannot hold is dropped or becomes null, as `JSON.stringify` does. Throws ORC-604. */
export function plainJson(value: unknown): Json {
  if (isPlain(value, DEEPEST)) return value as Json;
  const text = JSON.stringify(value);
  if (text === undefined) return null;
  const plain = JSON.parse(text) as Json;
  // Only now that it is plain data can it be told whether it was too deep or just not plain.
  if (!isPlain(plain, DEEPEST))
    throw new OrchestratorError('ORC-604', `a result may be nested ${DEEPEST} deep, and this one is nested deeper`, { class: 'invalid_output' });
  return plain;
}

function isPlain(value: unknown, depth: number): boolean {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0);
  if (typeof value !== 'object' || depth === 0) return false;
  if (Array.isArray(value)) return value.every(item => isPlain(item, depth - 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  for (const key in value) if (!isPlain((value as { [key: string]: unknown })[key], depth - 1)) return false;
  return true;
}

/** What stands at a path within a value; null where nothing does. */
export function valueAt(value: Json, path: readonly (string | number)[]): Json {
  let here = value;
  for (const step of path) here = Array.isArray(here) ? (here[Number(step)] ?? null) : isObject(here) ? (here[String(step)] ?? null) : null;
  return here;
}
