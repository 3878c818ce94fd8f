import { describe, expect, it } from 'vitest';
import type { JsonSchema } from '../json.ts';
import { findMissing, itemShape, shapeAt, type Step } from './shapes.ts';
import { ANYTHING } from './scope.ts';

const ENTRY: JsonSchema = { type: 'object', properties: { a: { type: 'string' } } };

describe('findMissing', () => {
  const missing = (schema: JsonSchema, path: Step[], closed = true): unknown => findMissing({ schema, closed }, path);

  it.each<[string, JsonSchema, Step[]]>([
    ['anything', true, ['x', 'y']],
    ['a schema that says nothing', {}, ['x']],
    ['a type that nobody knows', { type: 'any' }, ['x']],
    ['an object that lists no members', { type: 'object' }, ['x']],
    ['an object with further members of any kind', { ...ENTRY, additionalProperties: true }, ['x', 'y']],
    ['a schema with parts elsewhere', { ...ENTRY, $ref: '#/x' }, ['x']],
    ['one of several alternatives', { anyOf: [{ type: 'string' }, ENTRY] }, ['a']],
    ['one of several types', { type: ['string', 'object', 'null'] }, ['a']],
    ['nothing but null', { type: ['null'] }, ['a']],
    ['an item of a list of anything', { type: 'array' }, [0, 'x']],
    ['an item from the end', { type: 'array', items: ENTRY }, ['-1', 'a']],
    ['a character', { type: 'string' }, [0, 0]],
  ])('%s has all', (_what, schema, path) => {
    expect(missing(schema, path)).toBeUndefined();
  });

  it('says which step is missing, and what there is', () => {
    expect(missing(ENTRY, ['b'])).toEqual({ index: 0, known: ['a'] });
    expect(missing({ properties: { a: true } }, ['b'])).toEqual({ index: 0, known: ['a'] });
    expect(missing({ type: 'object', additionalProperties: false }, ['b'])).toEqual({ index: 0, known: [] });
    expect(missing({ type: 'object', additionalProperties: ENTRY }, ['x', 'b'])).toEqual({ index: 1, known: ['a'] });
    expect(missing({ oneOf: [{ type: 'string' }, ENTRY] }, ['b'])).toEqual({ index: 0, known: ['a'] });
    expect(missing({ anyOf: [{ type: 'integer' }, { type: 'object', properties: { a: ENTRY } }] }, ['a', 'b'])).toEqual({ index: 1, known: ['a'] });
    expect(missing({ type: 'boolean' }, ['b'])).toEqual({ index: 0, known: [], kind: 'true or false' });
    expect(missing({ type: 'array' }, ['b'])).toEqual({ index: 0, known: [], kind: 'a list' });
    expect(missing(ENTRY, ['constructor'])).toEqual({ index: 0, known: ['a'] });
  });

  it('a value that is not closed may have more than its schema lists', () => {
    expect(missing(ENTRY, ['b'], false)).toBeUndefined();
    expect(missing({ ...ENTRY, additionalProperties: false }, ['b'], false)).toEqual({ index: 0, known: ['a'] });
  });
});

it('shapeAt follows a path as far as its schema is plain', () => {
  const shape = { schema: { type: 'object', properties: { list: { type: 'array', items: ENTRY }, either: { type: ['string', 'object'] } } }, closed: true };
  expect(shapeAt(shape, ['list', 0])).toEqual({ schema: ENTRY, closed: true });
  for (const path of [['either', 'x'], ['nowhere'], ['list', 'x']]) expect(shapeAt(shape, path)).toBe(ANYTHING);
});

it('itemShape knows the elements of lists and the entries of objects', () => {
  expect(itemShape({ schema: { type: 'array', items: ENTRY }, closed: true })).toEqual({ schema: ENTRY, closed: true });
  expect(itemShape({ schema: { type: 'object' }, closed: true }).schema).toMatchObject({ properties: { key: { type: 'string' }, value: true } });
  for (const schema of [true, {}, { type: 'array' }, { type: 'string' }]) expect(itemShape({ schema, closed: true })).toBe(ANYTHING);
});
