import { describe, expect, test } from 'vitest';
import { CODES, type Code } from '../codes.ts';
import { EXPLANATIONS, explanationPage } from './explanations.ts';
import { parse } from './parse.ts';
import { makeSource } from './source.ts';

const codes = Object.keys(CODES) as Code[];

/** The codes of a whole pipeline, or of one with these tasks. */
function found(text: string): Code[] {
  const whole = text.startsWith('name:') ? text : `name: p\ntasks:\n${text.replace(/^/gm, '  ')}`;
  return parse(makeSource('p.yaml', `${whole}\n`)).diagnostics.map(({ code }) => code);
}

describe('explanations', () => {
  test('every code has one, and every one a code', () => {
    expect(Object.keys(EXPLANATIONS).sort()).toEqual(codes.sort());
  });

  test('a bad example never stands without a good one', () => {
    expect(codes.filter(code => (EXPLANATIONS[code].bad === undefined) !== (EXPLANATIONS[code].good === undefined))).toEqual([]);
  });

  /** What the plan finds rather than the reading of the file. */
  const later = new Set<Code>(['ORC-302', 'ORC-309']);
  const examples = codes.filter(code => EXPLANATIONS[code].bad !== undefined && !code.startsWith('ORC-2') && !later.has(code));
  test.each(examples)('the bad example of %s has the problem, the good one has none', code => {
    const { bad, good } = EXPLANATIONS[code];
    expect(found(bad!)).toContain(code);
    expect(found(good!)).toEqual([]);
  });

  test.each(codes.filter(code => EXPLANATIONS[code].bad !== undefined && (code.startsWith('ORC-2') || later.has(code))))(
    'the examples of %s can be read',
    code => {
      expect([...found(EXPLANATIONS[code].bad!), ...found(EXPLANATIONS[code].good!)]).toEqual([]);
    },
  );

  test('docs/reference/errors.md is what they say', async () => {
    await expect(explanationPage()).toMatchFileSnapshot('../../docs/reference/errors.md');
  });
});
