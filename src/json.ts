/** Plain data, the only kind of value that crosses a room's wall. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

/** A JSON Schema (2020-12) as plain data. */
export type JsonSchema = boolean | JsonObject;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The one text of a value: keys sorted by code unit, no white space, numbers as JSON prints them (RFC 8785 without its number rules for -0).
 * Equal values have equal texts, whatever order their keys were written in. Used for hashes and for comparing.
 */
export function canonicalJson(value: Json): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const parts: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const member = value[key];
    if (member !== undefined) parts.push(`${JSON.stringify(key)}:${canonicalJson(member)}`);
  }
  return `{${parts.join(',')}}`;
}

/** Own member of an object, or undefined; never one that a prototype lends (C23). */
export function own(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Sets a member as the object's own, also where the name is `__proto__`. */
export function setOwn(object: JsonObject, key: string, value: Json): void {
  if (key === '__proto__') Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
  else object[key] = value;
}

/** No value of a reply or a file is taken that is nested deeper. */
const DEEPEST = 500;

/** A text as JSON; undefined where it is none, or holds what could not be written again as it was: a number beyond all doubles (`1e999`), a nesting without end. */
export function parseJson(text: string): Json | undefined {
  try {
    const value = JSON.parse(text) as Json;
    return isKeepable(value, DEEPEST) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isKeepable(value: Json, depth: number): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && (Array.isArray(value) ? value : Object.values(value)).every(member => isKeepable(member, depth - 1));
}
