import { isObject, type Json, type JsonObject, type JsonSchema } from '../json.ts';
import { FORMATS } from './formats.ts';
import { resolveRef, schemas, texts, typesOf } from './parts.ts';

/** What a schema asks for, in a few words without an article: `integer from 1 to 100`. */
export function describeSchema(schema: JsonSchema): string {
  return phrase(schema, schema).replace(/^an? /, '');
}

/** The same with its article. `depth` bounds how far inner schemas are told. */
export function phrase(schema: JsonSchema, root: JsonSchema = schema, depth = 0): string {
  if (!isObject(schema)) return schema === false ? 'nothing' : 'any value';
  if (depth > 3) return 'a value';
  const { enum: list, const: constant, $ref: ref } = schema;
  if (Array.isArray(list)) return list.length === 1 ? word(list[0]!) : `one of: ${joinCapped(list.map(word), ', ')}`;
  if (constant !== undefined && constant !== null) return word(constant);
  const types = typesOf(schema);
  if (types.length > 0) return types.map(type => typePhrase(schema, type, root, depth)).join(' or ');
  const target = typeof ref === 'string' ? resolveRef(root, ref) : undefined;
  if (target !== undefined) return phrase(target, root, depth + 1);
  const alternatives = [...schemas(schema['anyOf']), ...schemas(schema['oneOf'])];
  if (alternatives.length > 0) return joinCapped([...new Set(alternatives.map(part => phrase(part, root, depth + 1)))], ', or ');
  const parts = schemas(schema['allOf'])
    .map(part => phrase(part, root, depth + 1))
    .filter(text => text !== 'any value');
  if (parts.length > 0) return parts.join(' and ');
  const { not } = schema;
  if (not !== undefined) return `anything but ${phrase(not as JsonSchema, root, depth + 1)}`;
  const implied = impliedType(schema);
  return implied === undefined ? 'any value' : typePhrase(schema, implied, root, depth);
}

/** The type that a schema without `type` has in mind, by its keywords. */
function impliedType(schema: JsonObject): string | undefined {
  const hints: [string, string[]][] = [
    ['object', ['properties', 'required', 'additionalProperties', 'patternProperties']],
    ['array', ['items', 'prefixItems', 'minItems', 'maxItems', 'contains']],
    ['number', ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf']],
    ['string', ['pattern', 'minLength', 'maxLength', 'format']],
  ];
  return hints.find(([, keywords]) => keywords.some(keyword => Object.hasOwn(schema, keyword)))?.[0];
}

function typePhrase(schema: JsonObject, type: string, root: JsonSchema, depth: number): string {
  switch (type) {
    case 'integer':
    case 'number':
      return numberPhrase(schema, type);
    case 'string':
      return stringPhrase(schema);
    case 'boolean':
      return 'true or false';
    case 'array':
      return listPhrase(schema, root, depth);
    case 'object': {
      const required = texts(schema['required']);
      return required.length === 0 ? 'an object' : `an object with ${joinCapped(required, ', ')}`;
    }
    default:
      return type;
  }
}

export function numberPhrase(schema: JsonObject, type: 'integer' | 'number'): string {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  const noun = type === 'integer' ? 'an integer' : 'a number';
  const multiple = typeof multipleOf === 'number' ? `, a multiple of ${multipleOf}` : '';
  const above = typeof exclusiveMinimum === 'number' ? `above ${exclusiveMinimum}` : undefined;
  const below = typeof exclusiveMaximum === 'number' ? `below ${exclusiveMaximum}` : undefined;
  if (!above && !below && typeof minimum === 'number' && typeof maximum === 'number') return `${noun} from ${minimum} to ${maximum}${multiple}`;
  const lower = above ?? (typeof minimum === 'number' ? `of at least ${minimum}` : undefined);
  const upper = below ?? (typeof maximum === 'number' ? `of at most ${maximum}` : undefined);
  return `${[noun, [lower, upper].filter(Boolean).join(' and ')].filter(Boolean).join(' ')}${multiple}`;
}

export function stringPhrase(schema: JsonObject): string {
  const { minLength, maxLength, pattern, format } = schema;
  const known = typeof format === 'string' ? FORMATS.get(format)?.phrase : undefined;
  const matching = typeof pattern === 'string' ? ` matching ${pattern}` : '';
  if (minLength === 1 && typeof maxLength !== 'number') return `a non-empty string${matching}`;
  const size = countPhrase(minLength, maxLength, 'character');
  return `${known ?? 'a string'}${size === '' ? '' : ` of ${size}`}${matching}`;
}

function listPhrase(schema: JsonObject, root: JsonSchema, depth: number): string {
  const size = countPhrase(schema['minItems'], schema['maxItems'], 'item');
  const head = `a list${size === '' ? '' : ` of ${size}`}`;
  const items = schema['items'];
  const each = items === undefined || items === false ? 'any value' : phrase(items as JsonSchema, root, depth + 1);
  if (each === 'any value') return head;
  const plain = /^an? (string|integer|number|object)$/.exec(each)?.[1];
  return plain && size === '' ? `a list of ${plain}s` : `${head}, each ${each}`;
}

/** `1 to 3 items`, `at least 2 items`, `exactly 1 item`; empty where there is no bound. */
export function countPhrase(least: Json | undefined, most: Json | undefined, noun: string): string {
  const plural = (count: number): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
  if (typeof least === 'number' && typeof most === 'number') return least === most ? `exactly ${plural(most)}` : `${least} to ${plural(most)}`;
  if (typeof least === 'number') return `at least ${plural(least)}`;
  return typeof most === 'number' ? `at most ${plural(most)}` : '';
}

/** A value as a word in a list: a text bare, unless it could not be told from what surrounds it. */
export function word(value: Json): string {
  return typeof value === 'string' && /^[^\s,"](?:[^,"\n]*[^\s,"])?$/.test(value) ? value : JSON.stringify(value);
}

export function joinCapped(words: string[], separator: string): string {
  return words.length <= 20 ? words.join(separator) : `${words.slice(0, 20).join(separator)}${separator}and ${words.length - 20} more`;
}
