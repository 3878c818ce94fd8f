import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openBench } from '../../test/support/action-bench.ts';
import type { Json, JsonObject } from '../json.ts';
import { parseCsv, printCsv } from './csv.ts';
import { AGGREGATE_NAMES, compareValues } from './aggregates.ts';
import { DATA_ACTIONS } from './data.ts';
import type { ActionContext } from './port.ts';

const COMMA = { delimiter: ',', infer: true };
const ROWS: JsonObject[] = [
  { name: 'Ann', age: 30, city: 'Oslo' },
  { name: 'Bo', age: 25, city: 'Bergen' },
  { name: 'Cy', age: null, city: 'Oslo' },
];

/** A stand-in for the pipeline's language: a comparison of a field of item with a number. */
const evaluate: ActionContext['evaluate'] = (expression, bindings) => {
  const [, field, operator, operand] = /^item\.(\w+) ([>*]) (\d+)$/.exec(expression)!;
  const value = Number((bindings['item'] as JsonObject)[field!]);
  return operator === '>' ? value > Number(operand) : value * Number(operand);
};

async function perform(action: string, parameters: JsonObject): Promise<JsonObject> {
  await using bench = await openBench({ evaluate });
  return (await bench.perform(action, parameters)) as JsonObject;
}

async function dataOf(action: string, parameters: JsonObject): Promise<Json> {
  return (await perform(action, parameters))['data']!;
}

describe('CSV (RFC 4180)', () => {
  const cases: [string, string, JsonObject[]][] = [
    [
      'CRLF, and no line break at the end',
      'a,b\r\n1,2\r\n3,4',
      [
        { a: 1, b: 2 },
        { a: 3, b: 4 },
      ],
    ],
    ['quotes, commas and line breaks in a field', 'a,b\n"x, ""y""","1\n2"\n', [{ a: 'x, "y"', b: '1\n2' }]],
    ['a byte order mark', '\uFEFFa\n1\n', [{ a: 1 }]],
    [
      'empty fields: null among numbers, empty among texts',
      'n,t\n1,x\n,\n',
      [
        { n: 1, t: 'x' },
        { n: null, t: '' },
      ],
    ],
    ['codes and labels stay text', 'zip,id,v\n012,12345678901234567890,1.2.3\n', [{ zip: '012', id: '12345678901234567890', v: '1.2.3' }]],
    [
      'prices and exponents are numbers',
      'p,e\n1.50,1e3\n-2.25,-5\n',
      [
        { p: 1.5, e: 1000 },
        { p: -2.25, e: -5 },
      ],
    ],
    ['one text makes a column text', 'a\n1\nx\n', [{ a: '1' }, { a: 'x' }]],
    ['booleans', 'a\ntrue\nfalse\n', [{ a: true }, { a: false }]],
    ['empty lines between records', 'a,b\n\n1,2\n\n', [{ a: 1, b: 2 }]],
    ['a header alone', 'a,b\n', []],
    ['nothing', '', []],
    ['a column called __proto__', '__proto__\n1\n', [JSON.parse('{"__proto__":1}') as JsonObject]],
  ];
  test.each(cases)('%s', (_, text, rows) => expect(parseCsv(text, COMMA).rows).toEqual(rows));

  test.each([
    ['a,b\n1\n', 2],
    ['a,b\n1,2,3\n', 2],
    ['a,a\n', 1],
    ['a\n"x\ny', 2],
    ['a\n"x"y\n', 2],
    ['a\nx"y\n', 2],
    ['a\n"1\n2"\n3,4\n', 4],
  ])('%j is refused at line %d', (text, line) => {
    expect(() => parseCsv(text, COMMA)).toThrow(expect.objectContaining({ code: 'ORC-227', details: { line } }));
  });

  test('what is printed is read again the same', () => {
    const name = fc.string({ minLength: 1, unit: fc.constantFrom('a', 'b', ',', '"', '\n', '\r', ' ', ';', 'ü') });
    const field = fc.string({ unit: fc.constantFrom('a', '1', ',', '"', '\n', '\r', ' ', ';', '\uFEFF') });
    const table = fc
      .uniqueArray(name, { minLength: 1, maxLength: 4 })
      .chain(columns =>
        fc.record({ columns: fc.constant(columns), rows: fc.array(fc.array(field, { minLength: columns.length, maxLength: columns.length })) }),
      );
    fc.assert(
      fc.property(table, fc.constantFrom(',', ';', '\t'), ({ columns, rows }, delimiter) => {
        const objects = rows.map(row => Object.fromEntries(columns.map((column, index) => [column, row[index]!])));
        expect(parseCsv(printCsv(columns, objects, delimiter), { delimiter, infer: false })).toEqual({ columns, rows: objects });
      }),
      { numRuns: 300 },
    );
  });

  test('a large file takes linear time', () => {
    const text = `a,b\n${'"x ""y""",2\n'.repeat(100_000)}`;
    expect(parseCsv(text, COMMA).rows).toHaveLength(100_000);
  });
});

describe('data.convert', () => {
  test('reads each format by the ending of the file and writes each', async () => {
    await using bench = await openBench();
    await bench.perform('data.convert', { data: ROWS as Json, output: 'a.csv' });
    expect(await readFile(join(bench.folder, 'a.csv'), 'utf8')).toBe('name,age,city\r\nAnn,30,Oslo\r\nBo,25,Bergen\r\nCy,,Oslo\r\n');
    for (const [from, to] of [
      ['a.csv', 'b.json'],
      ['b.json', 'c.jsonl'],
      ['c.jsonl', 'd.yaml'],
      ['d.yaml', 'e.tsv'],
      ['e.tsv', 'f.json'],
    ]) {
      expect(await bench.perform('data.convert', { input: from!, output: to! })).toEqual({ path: to, rows: 3 });
    }
    expect(await bench.perform('data.convert', { input: 'f.json' })).toEqual({ data: ROWS, rows: 3, columns: ['name', 'age', 'city'] });
  });

  test('text in data is read, and given back in output_format', async () => {
    expect(await perform('data.convert', { data: '[{"a":1}]' })).toEqual({ data: [{ a: 1 }], rows: 1, columns: ['a'] });
    expect(await perform('data.convert', { data: 'a\n1\n', output_format: 'jsonl' })).toMatchObject({ data: '{"a":1}\n' });
    expect(await dataOf('data.convert', { data: 'a: [1, 2]', format: 'yaml' })).toEqual({ a: [1, 2] });
    expect(await dataOf('data.convert', { data: 'a;b\n1;x', delimiter: ';', output_format: 'csv' })).toBe('a,b\r\n1,x\r\n');
  });

  const bad: [string, JsonObject, string][] = [
    ['neither data nor input', {}, 'ORC-211'],
    ['both', { data: [], input: 'x.csv' }, 'ORC-212'],
    ['an ending that says nothing', { input: 'x.dat' }, 'ORC-227'],
    ['bad JSON', { data: '{', format: 'json' }, 'ORC-227'],
    ['bad YAML', { data: 'a: [', format: 'yaml' }, 'ORC-227'],
    ['an alias in YAML', { data: 'a: &x [1]\nb: *x', format: 'yaml' }, 'ORC-227'],
    ['a bad line of JSON Lines', { data: '{}\n{', format: 'jsonl' }, 'ORC-227'],
    ['an unknown format', { data: 'x', format: 'xml' }, 'ORC-212'],
    ['a list of numbers as CSV', { data: [1], output_format: 'csv' }, 'ORC-227'],
    ['an absent file', { input: 'nope.csv' }, 'ORC-221'],
  ];
  test.each(bad)('%s', async (_, parameters, code) => {
    await expect(perform('data.convert', parameters)).rejects.toMatchObject({ code });
  });
});

test('data.filter keeps the rows for which the condition is true', async () => {
  expect(await perform('data.filter', { data: ROWS as Json, condition: 'item.age > 26' })).toEqual({
    data: [ROWS[0]],
    rows: 1,
    columns: ['name', 'age', 'city'],
  });
  await expect(perform('data.filter', { data: { a: 1 }, condition: 'item.age > 26' })).rejects.toMatchObject({ code: 'ORC-227' });
});

describe('data.aggregate', () => {
  test('groups in the order of first appearance', async () => {
    expect(
      await dataOf('data.aggregate', {
        data: ROWS as Json,
        group_by: 'city',
        aggregations: { age: 'sum', people: 'count', known: { operation: 'count', field: 'age' }, names: { operation: 'list', field: 'name' } },
      }),
    ).toEqual([
      { city: 'Oslo', age: 30, people: 2, known: 1, names: ['Ann', 'Cy'] },
      { city: 'Bergen', age: 25, people: 1, known: 1, names: ['Bo'] },
    ]);
    expect(await dataOf('data.aggregate', { data: ROWS as Json })).toEqual([{ count: 3 }]);
  });

  test.each([
    ['sum', 10],
    ['mean', 2.5],
    ['avg', 2.5],
    ['median', 2.5],
    ['min', 1],
    ['max', 4],
    ['first', 3],
    ['last', 4],
    ['count', 4],
    ['count_distinct', 4],
    ['std', Math.sqrt(5 / 3)],
  ])('%s of 3, 1, 2, null, 4 is %d', async (operation, expected) => {
    const [row] = (await dataOf('data.aggregate', { data: [3, 1, 2, null, 4].map(x => ({ x })), aggregations: { r: { operation, field: 'x' } } })) as [
      { r: number },
    ];
    expect(row.r).toBeCloseTo(expected, 12);
  });

  test('sums do not lose small numbers beside large ones', async () => {
    expect(await dataOf('data.aggregate', { data: [1e16, 1, -1e16, 1].map(x => ({ x })), aggregations: { x: 'sum' } })).toEqual([{ x: 2 }]);
  });

  test('nothing to compute from is null, and a text is no number', async () => {
    expect(
      await dataOf('data.aggregate', { data: [{ x: null }], aggregations: { a: { operation: 'mean', field: 'x' }, b: { operation: 'min', field: 'x' } } }),
    ).toEqual([{ a: null, b: null }]);
    await expect(perform('data.aggregate', { data: [{ x: 'y' }], aggregations: { x: 'sum' } })).rejects.toMatchObject({ code: 'ORC-227' });
    await expect(perform('data.aggregate', { data: [{ x: 1 }], aggregations: { x: 'constructor' } })).rejects.toMatchObject({ code: 'ORC-212' });
  });

  test('the specification names every operation that there is', () => {
    const properties = (DATA_ACTIONS.find(action => action.name === 'data.aggregate')!.parameters as JsonObject)['properties'] as JsonObject;
    for (const name of AGGREGATE_NAMES) expect((properties['aggregations'] as JsonObject)['description']).toContain(name);
  });
});

test('data.transform sets, renames, drops and selects', async () => {
  expect(await dataOf('data.transform', { data: [{ a: 2, b: 1 }], set: { c: 'item.a * 3', k: 5 }, rename: { b: 'd' }, drop: 'a' })).toEqual([
    { d: 1, c: 6, k: 5 },
  ]);
  expect(await dataOf('data.transform', { data: [{ a: 2, b: 1 }], select: ['b', 'x'] })).toEqual([{ b: 1, x: null }]);
});

describe('data.join', () => {
  const left: Json = [
    { id: 1, v: 'a' },
    { id: 2, v: 'b' },
    { id: null, v: 'n' },
  ];
  const right: Json = [
    { id: 1, v: 'x' },
    { id: 1, v: 'y' },
    { id: 3, v: 'z' },
    { id: null, v: 'm' },
  ];
  test.each([
    [
      'inner',
      [
        { id: 1, v: 'a', v_right: 'x' },
        { id: 1, v: 'a', v_right: 'y' },
      ],
    ],
    [
      'left',
      [
        { id: 1, v: 'a', v_right: 'x' },
        { id: 1, v: 'a', v_right: 'y' },
        { id: 2, v: 'b', v_right: null },
        { id: null, v: 'n', v_right: null },
      ],
    ],
    [
      'right',
      [
        { id: 1, v: 'a', v_right: 'x' },
        { id: 1, v: 'a', v_right: 'y' },
        { id: 3, v: null, v_right: 'z' },
        { id: null, v: null, v_right: 'm' },
      ],
    ],
  ])('%s', async (how, rows) => expect(await dataOf('data.join', { data: left, with: right, on: 'id', how })).toEqual(rows));

  test('by fields of different names, and from a file', async () => {
    await using bench = await openBench();
    await writeFile(join(bench.folder, 'c.csv'), 'code,name\nno,Norway\n');
    expect(await bench.perform('data.join', { data: [{ c: 'no' }, { c: 'se' }], with_input: 'c.csv', on: { c: 'code' }, how: 'outer' })).toMatchObject({
      data: [
        { c: 'no', name: 'Norway' },
        { c: 'se', name: null },
      ],
    });
    await expect(bench.perform('data.join', { data: [], with: [], on: [] })).rejects.toMatchObject({ code: 'ORC-212' });
  });
});

test('data.profile describes each column', async () => {
  const result = await perform('data.profile', { data: ROWS as Json });
  expect(result).toMatchObject({ rows: 3 });
  expect(result['data']).toEqual([
    {
      column: 'name',
      type: 'string',
      count: 3,
      nulls: 0,
      distinct: 3,
      top: [
        { value: 'Ann', count: 1 },
        { value: 'Bo', count: 1 },
        { value: 'Cy', count: 1 },
      ],
      min: 'Ann',
      max: 'Cy',
    },
    {
      column: 'age',
      type: 'integer',
      count: 2,
      nulls: 1,
      distinct: 2,
      top: [
        { value: 30, count: 1 },
        { value: 25, count: 1 },
      ],
      min: 25,
      max: 30,
      mean: 27.5,
      median: 27.5,
      std: Math.sqrt(12.5),
      sum: 55,
    },
    {
      column: 'city',
      type: 'string',
      count: 3,
      nulls: 0,
      distinct: 2,
      top: [
        { value: 'Oslo', count: 2 },
        { value: 'Bergen', count: 1 },
      ],
      min: 'Bergen',
      max: 'Oslo',
    },
  ]);
});

describe('data.sort', () => {
  const names = async (parameters: JsonObject): Promise<string[]> =>
    ((await dataOf('data.sort', { data: ROWS as Json, ...parameters })) as { name: string }[]).map(row => row.name);
  test('up, down, by several, nulls last, with a limit', async () => {
    expect(await names({ by: 'age' })).toEqual(['Bo', 'Ann', 'Cy']);
    expect(await names({ by: '-age' })).toEqual(['Ann', 'Bo', 'Cy']);
    expect(await names({ by: 'age', order: 'desc' })).toEqual(['Ann', 'Bo', 'Cy']);
    expect(await names({ by: ['city', { field: 'name', order: 'desc' }] })).toEqual(['Bo', 'Cy', 'Ann']);
    expect(await names({ by: 'name', limit: 1 })).toEqual(['Ann']);
    expect(await dataOf('data.sort', { data: [2, null, 10, 1] })).toEqual([1, 2, 10, null]);
  });

  test('the order of any two values is total', () => {
    const value = fc.oneof(fc.constant(null), fc.boolean(), fc.integer(), fc.string(), fc.array(fc.integer())) as fc.Arbitrary<Json>;
    fc.assert(
      fc.property(value, value, value, (a, b, c) => {
        expect(Math.sign(compareValues(a, b)) + Math.sign(compareValues(b, a))).toBe(0);
        if (compareValues(a, b) <= 0 && compareValues(b, c) <= 0) expect(compareValues(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });
});

test('the effect says whether a file is written, read, or neither', () => {
  const { effectOf } = DATA_ACTIONS[0]!;
  expect([effectOf!({ data: [], output: 'x.csv' }), effectOf!({ input: 'x.csv' }), effectOf!({ data: [] })]).toEqual(['idempotent', 'read', 'pure']);
});
