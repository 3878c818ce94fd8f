import { describe, expect, test } from 'vitest';
import type { Json, JsonSchema } from './json.ts';
import { badSchema, checkSchema, coerce, describeSchema } from './schema.ts';

/** Problems as `path keyword: message` lines. */
function check(schema: JsonSchema, value: Json, formats = false): string[] {
  return checkSchema(schema, value, { formats }).map(({ path, keyword, message }) => `${path.join('.')} ${keyword}: ${message}`.trim());
}

/** Schema, a value that fits, one that does not, and the keywords that say so. */
const CASES: [string, JsonSchema, Json, Json, string[]][] = [
  ['type', { type: 'string' }, 'a', 1, ['type']],
  ['integer takes 2.0', { type: 'integer' }, 2.0, 2.5, ['type']],
  ['null is no object', { type: 'object' }, {}, null, ['type']],
  ['a list is no object', { type: 'object' }, {}, [], ['type']],
  ['list of types', { type: ['string', 'null'] }, null, 1, ['type']],
  ['enum', { enum: ['a', 1, { x: [1] }] }, { x: [1] }, { x: [2] }, ['enum']],
  ['const', { const: { a: 1, b: 2 } }, { b: 2, a: 1 }, { a: 1 }, ['const']],
  ['const null', { const: null }, null, 0, ['const']],
  ['boolean schema', { properties: { a: false } }, { b: 1 }, { a: 1 }, ['false']],
  ['properties', { properties: { a: { type: 'string' } } }, { a: '' }, { a: 1 }, ['type']],
  ['required', { required: ['a', 'b'] }, { a: 1, b: 1 }, {}, ['required', 'required']],
  ['additionalProperties false', { properties: { a: true }, additionalProperties: false }, { a: 1 }, { b: 1 }, ['additionalProperties']],
  ['additionalProperties schema', { additionalProperties: { type: 'string' } }, { a: '' }, { a: 1 }, ['type']],
  [
    'patternProperties',
    { patternProperties: { '^x-': { type: 'string' } }, additionalProperties: false },
    { 'x-a': '' },
    { 'x-a': 1, y: 1 },
    ['type', 'additionalProperties'],
  ],
  ['propertyNames', { propertyNames: { maxLength: 2 } }, { ab: 1 }, { abc: 1 }, ['propertyNames']],
  ['minProperties', { minProperties: 1 }, { a: 1 }, {}, ['minProperties']],
  ['maxProperties', { maxProperties: 1 }, { a: 1 }, { a: 1, b: 1 }, ['maxProperties']],
  ['items', { items: { type: 'string' } }, [''], [1, '', 2], ['type', 'type']],
  ['prefixItems', { prefixItems: [{ type: 'string' }], items: false }, [''], [1, 2], ['type', 'false']],
  ['contains', { contains: { type: 'string' } }, [1, ''], [1], ['contains']],
  ['minContains 0', { contains: { type: 'string' }, minContains: 0 }, [1], [], []],
  ['maxContains', { contains: { type: 'string' }, maxContains: 1 }, ['', 1], ['', ''], ['maxContains']],
  ['minItems', { minItems: 1 }, [1], [], ['minItems']],
  ['maxItems', { maxItems: 1 }, [1], [1, 2], ['maxItems']],
  [
    'uniqueItems',
    { uniqueItems: true },
    [1, '1', { a: 1 }],
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    ['uniqueItems'],
  ],
  ['minLength counts code points', { minLength: 2 }, '👍👍', '👍', ['minLength']],
  ['maxLength counts code points', { maxLength: 1 }, '👍', 'ab', ['maxLength']],
  ['pattern is searched for', { pattern: 'b+' }, 'abbc', 'ac', ['pattern']],
  ['minimum', { minimum: 1 }, 1, 0, ['minimum']],
  ['maximum', { maximum: 1 }, 1, 2, ['maximum']],
  ['exclusiveMinimum', { exclusiveMinimum: 1 }, 1.1, 1, ['exclusiveMinimum']],
  ['exclusiveMaximum', { exclusiveMaximum: 1 }, 0.9, 1, ['exclusiveMaximum']],
  ['multipleOf', { multipleOf: 0.01 }, 0.07, 0.075, ['multipleOf']],
  ['multipleOf of large numbers', { multipleOf: 3 }, 3e10, 3e10 + 1, ['multipleOf']],
  ['allOf', { allOf: [{ minimum: 1 }, { maximum: 2 }] }, 1, 3, ['maximum']],
  ['anyOf', { anyOf: [{ type: 'string' }, { type: 'null' }] }, null, 1, ['anyOf']],
  ['oneOf, none', { oneOf: [{ type: 'string' }, { type: 'null' }] }, null, 1, ['oneOf']],
  ['oneOf, two', { oneOf: [{ minimum: 1 }, { maximum: 5 }] }, 0, 3, ['oneOf']],
  ['not', { not: { type: 'string' } }, 1, '', ['not']],
  ['if then', { if: { required: ['a'] }, then: { required: ['b'] } }, { c: 1 }, { a: 1 }, ['required']],
  ['if else', { if: { required: ['a'] }, else: { required: ['b'] } }, { a: 1 }, {}, ['required']],
  ['dependentRequired', { dependentRequired: { a: ['b'] } }, { b: 1 }, { a: 1 }, ['dependentRequired']],
  ['dependentSchemas', { dependentSchemas: { a: { required: ['b'] } } }, { b: 1 }, { a: 1 }, ['required']],
  ['$ref to $defs', { $ref: '#/$defs/a~1b', $defs: { 'a/b': { type: 'string' } } }, '', 1, ['type']],
  ['$ref to definitions', { items: { $ref: '#/definitions/a' }, definitions: { a: { type: 'string' } } }, [''], [1], ['type']],
  ['a recursive schema', { type: 'object', properties: { next: { $ref: '#' } } }, { next: { next: {} } }, { next: { next: 1 } }, ['type']],
];

describe('checkSchema', () => {
  test.each(CASES)('%s', (_name, schema, fits, fails, keywords) => {
    expect(badSchema(schema as Json)).toEqual([]);
    expect(check(schema, fits)).toEqual([]);
    expect(checkSchema(schema, fails).map(problem => problem.keyword)).toEqual(keywords);
  });

  test('says what would be right, in the words of the user', () => {
    const said = (schema: JsonSchema, value: Json): string => checkSchema(schema, value)[0]!.message;
    expect(said({ type: 'integer', minimum: 1, maximum: 100 }, '5')).toBe('must be an integer from 1 to 100');
    expect(said({ type: 'integer', minimum: 1, maximum: 100 }, 500)).toBe('must be an integer from 1 to 100');
    expect(said({ enum: ['a', 'b'] }, 'c')).toBe('must be one of: a, b');
    expect(said({ type: 'string', enum: ['a', 'b'] }, 5)).toBe('must be one of: a, b');
    expect(said({ type: 'string', minLength: 1 }, '')).toBe('must be a non-empty string');
    expect(said({ minItems: 1, maxItems: 3 }, [])).toBe('must have 1 to 3 items');
    expect(said({ required: ['url'] }, {})).toBe('must have `url`');
    expect(said({ properties: { url: true }, additionalProperties: false }, { ulr: 1 })).toBe('is not allowed; allowed are: url');
    expect(said({ anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] }, 5)).toBe('must be a string, or a list of strings');
  });

  test('reports every problem, sorted by place, whatever the order of the members', () => {
    const schema: JsonSchema = { type: 'object', required: ['z'], properties: { b: { type: 'integer' }, a: { items: { maximum: 1 } } } };
    const said = [
      'required: must have `z`',
      'a.0 maximum: must be a number of at most 1',
      'a.10 maximum: must be a number of at most 1',
      'b type: must be an integer',
    ];
    const list = [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];
    expect(check(schema, { b: '', a: list })).toEqual(said);
    expect(check(schema, { a: list, b: '' })).toEqual(said);
  });

  test('of alternatives, says what is wrong inside the only one that has the right type', () => {
    const schema: JsonSchema = { anyOf: [{ type: 'string' }, { type: 'object', required: ['url'] }] };
    expect(check(schema, {})).toEqual(['required: must have `url`']);
  });

  test('formats are notes until they are asked for', () => {
    expect(check({ format: 'date' }, 'x')).toEqual([]);
    expect(check({ format: 'date' }, 'x', true)).toEqual(['format: must be a date such as 2026-03-29']);
    expect(check({ format: 'no-such-format' }, 'x', true)).toEqual([]);
  });

  test.each([
    [
      'date-time',
      ['2026-03-29T02:30:00Z', '2026-03-29t02:30:00.5+05:30', '2016-12-31T23:59:60Z'],
      ['2026-02-30T00:00:00Z', '2026-03-29T02:30:00', '2026-03-29T24:00:00Z', '2026-03-29T10:00:60Z'],
    ],
    ['date', ['2024-02-29'], ['2023-02-29', '2026-13-01', '2026-1-1', '2026-01-00']],
    ['time', ['02:30:00Z'], ['02:30Z', '02:60:00Z']],
    ['email', ['a.b+c@example.org'], ['a@', '@b', 'a b@c.d', 'a..b@c.d', 'a@-b.c', 'a']],
    ['uri', ['https://example.com/a?b#c', 'urn:x:y', 'mailto:a@b.c'], ['example.com', '/a', 'http://a b', 'http://a/%zz']],
    ['uuid', ['2EB8AA08-aa98-11ea-b4aa-73b441d16380'], ['2eb8aa08aa9811eab4aa73b441d16380']],
    ['ipv4', ['127.0.0.1'], ['256.0.0.1', '01.0.0.1', '1.2.3']],
    [
      'ipv6',
      ['::1', '::', 'fe80::1:2', '1:2:3:4:5:6:7:8', '::ffff:1.2.3.4', '1:2:3:4:5:6:1.2.3.4'],
      ['1:2:3:4:5:6:7', '1::2::3', ':1', '12345::', '1:2:3:4:5:6:7:8::', '::1.2.3', '1.2.3.4::', '1.2.3.4'],
    ],
  ])('format %s', (format, good, bad) => {
    expect(good.filter(text => check({ format }, text, true).length > 0)).toEqual([]);
    expect(bad.filter(text => check({ format }, text, true).length === 0)).toEqual([]);
  });

  test('C4 a pattern that stops a backtracking engine for seconds is matched at once', () => {
    const started = performance.now();
    expect(check({ pattern: '^(a+)+$' }, `${'a'.repeat(50_000)}!`)).toHaveLength(1);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test('C4 a pattern that cannot be matched in linear time is refused, and nothing passes it', () => {
    expect(check({ pattern: '(?=a)b' }, 'b')).toEqual([expect.stringContaining('pattern: cannot be checked')]);
    expect(badSchema({ properties: { a: { pattern: '(a' } } })).toMatchObject([{ path: ['properties', 'a', 'pattern'], keyword: 'pattern' }]);
  });

  test('C23 sees own members only', () => {
    expect(check({ required: ['constructor', '__proto__'] }, {})).toHaveLength(2);
    expect(check({ properties: {}, additionalProperties: false }, JSON.parse('{"__proto__": 1, "toString": 1}') as Json)).toHaveLength(2);
    expect(check({ const: JSON.parse('{"__proto__": {}}') as Json }, { x: 1 })).toHaveLength(1);
    expect(check({ $ref: '#/constructor' }, 1)).toEqual([expect.stringContaining('$ref: cannot be checked')]);
    expect(check(JSON.parse('{"properties": {"__proto__": {"type": "string"}}}') as JsonSchema, JSON.parse('{"__proto__": 1}') as Json)).toEqual([
      '__proto__ type: must be a string',
    ]);
  });

  test('a reference that goes round in a circle fails instead of hanging', () => {
    expect(check({ $ref: '#/$defs/a', $defs: { a: { anyOf: [{ $ref: '#/$defs/a' }, { $ref: '#/$defs/a' }] } } }, 1)[0]).toMatch(/anyOf|\$ref/);
  });

  test('values and schemas nested beyond the cap are refused', () => {
    let deep: Json = 0;
    for (let level = 0; level < 100_000; level++) deep = [deep];
    expect(check({ items: { $ref: '#' } }, deep)).toEqual(['depth: must not be nested deeper than 256 levels']);
    let schema: JsonSchema = { type: 'string' };
    for (let level = 0; level < 5000; level++) schema = { allOf: [schema] };
    expect(checkSchema(schema, 1)).toMatchObject([{ keyword: 'depth' }]);
    expect(badSchema(schema)).toMatchObject([{ keyword: 'depth' }]);
  });

  test('a recursive schema with choices cannot take for ever', () => {
    const branch: JsonSchema = { items: { $ref: '#' }, minItems: 1 };
    let value: Json = [];
    for (let level = 0; level < 60; level++) value = [value];
    expect(checkSchema({ anyOf: [branch, branch, branch] }, value)).toMatchObject([{ keyword: 'limit' }]);
  });
});

test.each<[JsonSchema, string]>([
  [{ type: 'integer', minimum: 1, maximum: 100 }, 'integer from 1 to 100'],
  [{ type: 'number', exclusiveMinimum: 0, maximum: 1 }, 'number above 0 and of at most 1'],
  [{ type: 'number', minimum: 0.5, multipleOf: 0.5 }, 'number of at least 0.5, a multiple of 0.5'],
  [{ type: 'string', minLength: 1, maxLength: 80 }, 'string of 1 to 80 characters'],
  [{ type: 'string', pattern: '^a' }, 'string matching ^a'],
  [{ type: 'string', format: 'email' }, 'e-mail address'],
  [{ type: 'boolean' }, 'true or false'],
  [{ type: ['string', 'null'] }, 'string or null'],
  [{ type: 'array', items: { type: 'string' } }, 'list of strings'],
  [{ type: 'array', items: { enum: ['a', 'b'] }, maxItems: 3 }, 'list of at most 3 items, each one of: a, b'],
  [{ type: 'object', required: ['a', 'b'] }, 'object with a, b'],
  [{ enum: ['a b', '', 'c,d', 1] }, 'one of: a b, "", "c,d", 1'],
  [{ $ref: '#/$defs/a', $defs: { a: { type: 'integer' } } }, 'integer'],
  [{ minimum: 3 }, 'number of at least 3'],
  [{}, 'any value'],
  [false, 'nothing'],
])('describeSchema %j', (schema, words) => {
  expect(describeSchema(schema)).toBe(words);
});

test.each<[JsonSchema, Json, Json]>([
  [{ type: 'integer' }, '5', 5],
  [{ type: 'integer' }, ' 5.0 ', 5],
  [{ type: 'integer' }, '5.5', '5.5'],
  [{ type: 'integer' }, '0x10', '0x10'],
  [{ type: 'integer' }, '', ''],
  [{ type: 'number' }, '-1.5e3', -1500],
  [{ type: 'boolean' }, 'True', true],
  [{ type: 'boolean' }, 'constructor', 'constructor'],
  [{ type: 'string' }, 5, '5'],
  [{ type: 'string' }, false, 'false'],
  [{ type: 'string' }, { a: 1 }, { a: 1 }],
  [{ type: 'null' }, 'null', null],
  [{ type: ['integer', 'null'] }, '5', 5],
  [{ type: 'array', items: { type: 'integer' } }, '["1", 2]', [1, 2]],
  [{ type: 'array' }, 'a', ['a']],
  [{ type: 'object', properties: { a: { type: 'integer' } } }, '{"a": "1", "b": "2"}', { a: 1, b: '2' }],
  [{ additionalProperties: { type: 'boolean' } }, { a: 'no' }, { a: false }],
  [{ prefixItems: [{ type: 'integer' }], items: { type: 'string' } }, ['1', 1], [1, '1']],
  [{ enum: ['positive', 'negative'] }, ' Positive', 'positive'],
  [{ enum: ['a', 'A'] }, ' a', ' a'],
  [{ enum: [1, 2] }, '2', 2],
  [{ anyOf: [{ type: 'integer' }, { type: 'string' }] }, '5', '5'],
  [{ anyOf: [{ type: 'integer' }, { type: 'null' }] }, '5', 5],
  [{ allOf: [{ $ref: '#/$defs/n' }], $defs: { n: { type: 'integer' } } }, '7', 7],
  [true, '5', '5'],
])('coerce %j of %j', (schema, value, expected) => {
  const before = structuredClone(value);
  expect(coerce(schema, value)).toEqual(expected);
  expect(value).toEqual(before);
});

test.each<[Json, (string | number)[]]>([
  [5, []],
  [{ type: 'text' }, ['type']],
  [{ type: [] }, ['type']],
  [{ enum: 'a' }, ['enum']],
  [{ required: 'a' }, ['required']],
  [{ minimum: '1' }, ['minimum']],
  [{ minLength: -1 }, ['minLength']],
  [{ multipleOf: 0 }, ['multipleOf']],
  [{ properties: [] }, ['properties']],
  [{ properties: { a: 1 } }, ['properties', 'a']],
  [{ patternProperties: { '(': true } }, ['patternProperties', '(']],
  [{ items: [{ type: 'string' }] }, ['items']],
  [{ anyOf: [] }, ['anyOf']],
  [{ anyOf: [true, 'x'] }, ['anyOf', 1]],
  [{ dependentRequired: { a: 'b' } }, ['dependentRequired']],
  [{ $ref: 'https://example.com/schema' }, ['$ref']],
  [{ $ref: '#/$defs/none' }, ['$ref']],
  [{ unevaluatedProperties: false }, ['unevaluatedProperties']],
  [{ minimum: 5, maximum: 1 }, ['minimum']],
  [{ uniqueItems: 1 }, ['uniqueItems']],
  [{ description: 5 }, ['description']],
])('badSchema %j', (schema, path) => {
  expect(badSchema(schema).map(problem => problem.path)).toEqual([path]);
});

test('badSchema takes keywords that it does not know as notes', () => {
  expect(badSchema({ type: 'string', 'x-expression': true, default: 5, examples: 1 })).toEqual([]);
});
