import { expect, test } from 'vitest';
import { sha256 } from '../hash.ts';
import type { Json } from '../json.ts';
import { MemoryStore } from '../store/index.ts';
import { plainJson, ValueStore } from './values.ts';

const store = (): ValueStore => new ValueStore(new MemoryStore('own_a'));

test('a small value stands for itself, a large one is a blob by the hash of its text', () => {
  const blobs: { hash: string; content: string }[] = [];
  const values = store();
  expect(values.refer({ a: 1 }, blobs)).toEqual({ v: { a: 1 } });
  expect(values.refer('x'.repeat(65_534), blobs)).toEqual({ v: 'x'.repeat(65_534) });
  const large = 'x'.repeat(65_535);
  const ref = values.refer(large, blobs);
  expect(ref).toEqual({ b: sha256(JSON.stringify(large)), n: 65_537 });
  expect(blobs).toEqual([{ hash: (ref as { b: string }).b, content: JSON.stringify(large) }]);
  expect(values.load(ref)).toBe(large);
  expect(() => store().load(ref)).toThrow(expect.objectContaining({ code: 'ORC-504' }));
});

test.each<[string, unknown, Json]>([
  ['what JSON has no word for', { a: undefined, b: Number.NaN, c: Number.POSITIVE_INFINITY, d: -0, e: () => 1 }, { b: null, c: null, d: 0 }],
  ['dates and classes', [new Date(0), new Map([[1, 2]])], ['1970-01-01T00:00:00.000Z', {}]],
  ['nothing at all', undefined, null],
])('%s becomes what JSON makes of it', (_case, value, plain) => {
  expect(plainJson(value)).toEqual(plain);
});

test('what is plain already is not copied, own members named __proto__ among it', () => {
  const value = { list: [1, 'a', null], nested: JSON.parse('{"__proto__": {"a": 1}}') as Json };
  expect(plainJson(value)).toBe(value);
  const bare = Object.assign(Object.create(null) as object, { a: 1 });
  expect(plainJson(bare)).toBe(bare);
});

test('what is nested too deep is refused by name', () => {
  const nest = (depth: number): unknown => Array.from({ length: depth }).reduce<unknown>(inner => [inner], 1);
  expect(plainJson(nest(500))).toEqual(nest(500));
  expect(() => plainJson(nest(501))).toThrow(expect.objectContaining({ code: 'ORC-604' }));
});
