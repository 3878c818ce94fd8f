import { expect, test } from 'vitest';
import { told } from '../../test/support/told.ts';
import { at, listNames, pathText, Reporter, suggest } from './report.ts';
import { makeSource } from './source.ts';

test('problems are told in the order of the file, warnings as errors where it is strict', () => {
  const reporter = new Reporter(makeSource('p.yaml', 'a\nb\n'), false);
  const strict = new Reporter(reporter.source, true);
  for (const each of [reporter, strict]) {
    each.info('ORC-100', { start: 2, end: 3 }, 'c');
    each.warn('ORC-100', { start: 0, end: 1 }, 'w', { path: at(undefined, 'x'), related: [{ message: 'r', span: { start: 1, end: 2 } }] });
    each.spelling({ start: 0, end: 1 }, 'y', at(undefined, 'x'));
  }
  expect(reporter.failed).toBe(false);
  expect(strict.failed).toBe(true);
  expect(reporter.sorted().map(told)).toEqual(['warning ORC-100 1:1-2 x', 'info ORC-100 2:1-2']);
  expect(strict.sorted()[0]).toMatchObject({ severity: 'error', related: [{ source: reporter.source }] });
});

test('paths read like those of JavaScript', () => {
  expect(pathText(at(at(at(at(undefined, 'a'), 0), 'b c'), 'd-e'))).toBe('a[0]["b c"].d-e');
  expect(pathText(at(at(undefined, 1), ''))).toBe('[1]');
});

test('words for lists of names', () => {
  expect([[], ['a'], ['a', 'b'], ['a', 'b', 'c']].map(listNames)).toEqual(['', '`a`', '`a` and `b`', '`a`, `b` and `c`']);
  expect(suggest('serach', ['search', 'read']).help).toEqual(['did you mean `search`?', 'one of: search, read']);
  expect(suggest('x', ['search']).help).toEqual(['one of: search']);
});
