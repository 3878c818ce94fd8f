import { expect, test } from 'vitest';
import type { JsonSchema } from '../json.ts';
import { grammarSchema } from './grammar.ts';

const ANYTHING = grammarSchema(true);

test.each<[JsonSchema, unknown]>([
  [{ type: 'integer', minimum: 3, maximum: 5 }, { enum: [3, 4, 5] }],
  [{ type: 'integer', minimum: 0, maximum: 100_000 }, { type: 'integer' }],
  [{ type: 'integer', minimum: 2.1, maximum: 2.9 }, { type: 'integer' }],
  [{ type: 'number', minimum: 3 }, { type: 'number' }],
  [{ enum: ['a', 1, null] }, { enum: ['a', 1, null] }],
  [{ enum: ['a', 'b'] }, { enum: ['a', 'b'] }],
  [{ const: 'x' }, { const: 'x' }],
  [
    { type: 'string', maxLength: 5, pattern: '^a' },
    { type: 'string', maxLength: 5 },
  ],
  [{ type: 'string', maxLength: 10_000 }, { type: 'string' }],
  [
    { type: 'string', format: 'date' },
    { type: 'string', format: 'date' },
  ],
  [{ type: ['string', 'null'] }, { type: ['string', 'null'] }],
  [{ type: ['string', 'array'] }, { oneOf: [{ type: 'string' }, { type: 'array', items: ANYTHING, maxItems: 32 }] }],
  [
    { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: 3 },
    { type: 'array', items: { type: 'string' }, minItems: 1, maxItems: 3 },
  ],
  [
    { type: 'array', minItems: 40 },
    { type: 'array', items: ANYTHING, minItems: 40, maxItems: 40 },
  ],
  [
    { type: 'object', properties: { a: { type: 'boolean' } } },
    { type: 'object', properties: { a: { type: 'boolean' } }, additionalProperties: false },
  ],
  [
    { type: 'object', additionalProperties: { type: 'boolean' } },
    { type: 'object', properties: {}, additionalProperties: { type: 'boolean' } },
  ],
  [{ anyOf: [{ type: 'string' }, { type: 'null' }] }, { oneOf: [{ type: 'string' }, { type: 'null' }] }],
  [{ allOf: [{ type: 'string' }, { maxLength: 3 }] }, { type: 'string', maxLength: 3 }],
  [{ $ref: '#/$defs/a', $defs: { a: { type: 'boolean' } } }, { type: 'boolean' }],
  [{}, ANYTHING],
])('%j', (schema, expected) => {
  expect(grammarSchema(schema)).toEqual(expected);
});

test('a schema that refers to itself ends in anything', () => {
  const schema: JsonSchema = { type: 'object', properties: { next: { $ref: '#' } } };
  expect(JSON.stringify(grammarSchema(schema))).toContain(JSON.stringify(ANYTHING));
});
