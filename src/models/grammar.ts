import type { GbnfJsonSchema } from 'node-llama-cpp';
import { isObject, type Json, type JsonObject, type JsonSchema } from '../json.ts';
import { resolveRef } from '../schema.ts';

/** A grammar holds repetitions by writing them out, so large bounds are left to the check of the answer. */
const COUNT_MAX = 200;
/** A small model that has begun a list does not always find its end. */
const ITEMS_MAX = 32;
const DEPTH_MAX = 12;

type Basic = 'string' | 'number' | 'integer' | 'boolean' | 'null';
const BASIC: Basic[] = ['string', 'number', 'integer', 'boolean', 'null'];
/** Where a schema says nothing, a small model would go on for ever: a plain value, or a small list or object of such. */
const PLAIN: GbnfJsonSchema = { oneOf: [{ type: 'string', maxLength: COUNT_MAX }, { type: ['number', 'integer', 'boolean', 'null'] }] };
const ANYTHING: GbnfJsonSchema = {
  oneOf: [PLAIN, { type: 'object', additionalProperties: PLAIN, maxProperties: 8 }, { type: 'array', items: PLAIN, maxItems: 8 }],
};

/**
 * A JSON Schema as far as a grammar of llama.cpp can hold a model to it. What comes out may be wider than the schema (patterns, ranges of numbers)
 * or choose for the model (optional members are always written); the answer is checked afterwards either way.
 */
export function grammarSchema(schema: JsonSchema, root: JsonSchema = schema, depth = 0): GbnfJsonSchema {
  if (!isObject(schema) || depth > DEPTH_MAX) return ANYTHING;
  const inner = (part: Json | undefined): GbnfJsonSchema => grammarSchema(part === undefined ? true : (part as JsonSchema), root, depth + 1);
  const { $ref: ref, enum: choices, const: constant, anyOf, oneOf, allOf } = schema;
  const target = typeof ref === 'string' ? resolveRef(root, ref) : undefined;
  if (target !== undefined) return inner(target);
  if (isPlain(constant)) return { const: constant };
  if (Array.isArray(choices)) return choices.every(isPlain) ? { enum: choices } : ANYTHING;
  const alternatives = [anyOf, oneOf].flatMap(list => (Array.isArray(list) ? list : []));
  if (alternatives.length > 0) return { oneOf: alternatives.map(inner) };
  if (Array.isArray(allOf)) return inner(Object.assign({}, schema, { allOf: null }, ...allOf.filter(isObject)) as JsonObject);
  const types = [schema['type'] ?? []].flat();
  if (types.length > 1)
    return types.every(type => BASIC.includes(type as Basic)) ? { type: types as Basic[] } : { oneOf: types.map(type => inner({ ...schema, type })) };
  return types[0] === undefined ? ANYTHING : typeGrammar(types[0] as string, schema, inner);
}

function typeGrammar(type: string, schema: JsonObject, inner: (part: Json | undefined) => GbnfJsonSchema): GbnfJsonSchema {
  const bound = (keyword: string): JsonObject => (typeof schema[keyword] === 'number' && schema[keyword] <= COUNT_MAX ? { [keyword]: schema[keyword] } : {});
  switch (type) {
    case 'integer':
      return integerGrammar(schema);
    case 'number':
    case 'boolean':
    case 'null':
      return { type };
    case 'string': {
      const { format } = schema;
      if (format === 'date' || format === 'time' || format === 'date-time') return { type: 'string', format };
      return { type: 'string', ...bound('minLength'), ...bound('maxLength') };
    }
    case 'array': {
      const { items, prefixItems, minItems } = schema;
      const most = Math.max(ITEMS_MAX, typeof minItems === 'number' ? minItems : 0);
      return {
        type: 'array',
        items: inner(items),
        ...(Array.isArray(prefixItems) ? { prefixItems: prefixItems.map(inner) } : {}),
        maxItems: most,
        ...bound('minItems'),
        ...bound('maxItems'),
      };
    }
    case 'object': {
      const properties = isObject(schema['properties']) ? Object.entries(schema['properties']) : [];
      const rest = schema['additionalProperties'];
      const open = properties.length === 0 && rest !== false;
      return {
        type: 'object',
        properties: Object.fromEntries(properties.map(([name, part]) => [name, inner(part)])),
        additionalProperties: open && (isObject(rest) ? inner(rest) : true),
      };
    }
    default:
      return ANYTHING;
  }
}

/** A short range of integers becomes a choice, since a grammar knows no bounds of numbers. */
function integerGrammar(schema: JsonObject): GbnfJsonSchema {
  const { minimum, maximum } = schema;
  if (typeof minimum !== 'number' || typeof maximum !== 'number' || maximum < minimum || maximum - minimum > COUNT_MAX) return { type: 'integer' };
  const first = Math.ceil(minimum);
  const count = Math.floor(maximum) - first + 1;
  return count < 1 ? { type: 'integer' } : { enum: Array.from({ length: count }, (_, index) => first + index) };
}

function isPlain(value: Json | undefined): value is string | number | boolean | null {
  return value === null || (value !== undefined && typeof value !== 'object');
}
