import { RE2JS } from 're2js';
import { isObject, own, type Json, type JsonObject, type JsonSchema } from '../json.ts';

export function typesOf(schema: JsonObject): string[] {
  const type = schema['type'];
  return typeof type === 'string' ? [type] : texts(type);
}

export function isType(type: string, value: Json): boolean {
  switch (type) {
    case 'integer':
      return Number.isInteger(value);
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    case 'null':
      return value === null;
    default:
      return typeof value === type;
  }
}

/** Equal as JSON values: the order of members does not matter. Goes only as deep as the two agree. */
export function isSame(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, index) => isSame(item, b[index]!));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every(key => Object.hasOwn(b, key) && isSame(a[key]!, b[key]!));
}

export function texts(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter(member => typeof member === 'string') : [];
}

export function schemas(value: Json | undefined): JsonSchema[] {
  return Array.isArray(value) ? value.filter((member): member is JsonSchema => typeof member === 'boolean' || isObject(member)) : [];
}

export function entriesOf(value: Json | undefined): [string, Json][] {
  return isObject(value) ? Object.entries(value) : [];
}

/** The schema of the item at an index. */
export function itemRule(schema: JsonObject, index: number): JsonSchema {
  const { prefixItems, items } = schema;
  const rule = Array.isArray(prefixItems) && index < prefixItems.length ? prefixItems[index] : items;
  return typeof rule === 'boolean' || isObject(rule) ? rule : true;
}

/** The schemas of the member of a name: by `properties` and `patternProperties`, else by an `additionalProperties` that is more than yes or no. */
export function memberRules(schema: JsonObject, name: string): JsonSchema[] {
  const { properties, patternProperties, additionalProperties } = schema;
  const rules: Json[] = [];
  const named = isObject(properties) ? own(properties, name) : undefined;
  if (named !== undefined) rules.push(named);
  for (const [pattern, rule] of entriesOf(patternProperties)) {
    const expression = compilePattern(pattern);
    if (typeof expression !== 'string' && expression.test(name)) rules.push(rule);
  }
  if (rules.length === 0 && isObject(additionalProperties)) rules.push(additionalProperties);
  return schemas(rules);
}

/** The schema at a JSON Pointer of this document; nothing else is ever fetched. */
export function resolveRef(root: JsonSchema, ref: string): JsonSchema | undefined {
  if (ref === '#') return root;
  if (!ref.startsWith('#/')) return undefined;
  let node: Json | undefined = root;
  for (const step of ref.slice(2).split('/')) {
    const name = decodeStep(step);
    if (Array.isArray(node)) node = node[Number(name)];
    else node = isObject(node) ? own(node, name) : undefined;
  }
  return typeof node === 'boolean' || isObject(node) ? node : undefined;
}

function decodeStep(step: string): string {
  const text = step.replaceAll('~1', '/').replaceAll('~0', '~');
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const patterns = new Map<string, RE2JS | string>();

/** A pattern compiled once for all checks, or the reason why it cannot be. */
export function compilePattern(pattern: string): RE2JS | string {
  let compiled = patterns.get(pattern);
  if (compiled === undefined) {
    try {
      compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
    } catch (error) {
      compiled = `the pattern ${pattern} is not a regular expression of RE2 (${error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error)})`;
    }
    if (patterns.size >= 1000) patterns.clear();
    patterns.set(pattern, compiled);
  }
  return compiled;
}
