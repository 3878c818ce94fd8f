import { expect, test } from 'vitest';
import { differencesOf, distanceBetween, tellDifferences } from './difference.ts';

test('differences are told leaf by leaf, with what only one side has', () => {
  const recorded = { model: null, messages: [{ role: 'user', content: 'red' }], gone: true, 'a key': [] };
  const asked = { model: null, messages: [{ role: 'user', content: 'blue' }, 'more'], limit: 5, 'a key': {} };
  expect(tellDifferences(differencesOf(recorded, asked))).toEqual([
    '  messages[0].content',
    '  - "red"',
    '  + "blue"',
    '  gone',
    '  - "true"',
    '  ["a key"]',
    '  - "[]"',
    '  + "{}"',
    '  messages[1]',
    '  + "more"',
    '  limit',
    '  + "5"',
  ]);
});

test('of a long text the piece is shown in which the difference begins', () => {
  const [one, two] = [`${'a'.repeat(500)}X${'b'.repeat(500)}`, `${'a'.repeat(500)}Y${'b'.repeat(500)}`];
  expect(differencesOf([one], [two])).toEqual([
    { at: '[0]', recorded: `…${'a'.repeat(30)}X${'b'.repeat(89)}…`, asked: `…${'a'.repeat(30)}Y${'b'.repeat(89)}…` },
  ]);
});

test('no more than a few differences are told, and the others counted', () => {
  const many = differencesOf({}, Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`k${i}`, i])));
  expect(tellDifferences(many).at(-1)).toBe('  and 4 more');
});

test.each([
  ['the same', { a: 1 }, { a: 1 }, 0],
  ['another leaf', { a: 'xx' }, { a: 'yy' }, 1],
  ['half of a text', { a: 'sharedAB' }, { a: 'sharedCD' }, 0.25],
  ['a leaf more', { a: 1, b: 2 }, { a: 1 }, 1],
  ['an empty text', { a: '' }, { a: 'x' }, 1],
])('distance: %s', (_, one, two, distance) => {
  expect(distanceBetween(one, two)).toBe(distance);
  expect(distanceBetween(two, one)).toBe(distance);
});
