import { expect, it } from 'vitest';
import { evaluate, EXPRESSIONS, parseExpression, scopeOf, TEMPLATES } from './index.ts';

const context = { scope: scopeOf({ a: 2 }), host: { now: () => 0, fileExists: () => false, file: () => '' } };

it('parses a text once, and takes what somebody else has parsed', () => {
  expect(EXPRESSIONS.of('a + 40')).toBe(EXPRESSIONS.of('a + 40'));
  EXPRESSIONS.keep('known elsewhere', parseExpression('a + 1').expr!);
  expect(evaluate(EXPRESSIONS.of('known elsewhere'), context)).toBe(3);
});

it('refuses what cannot be read, each time', () => {
  for (let time = 0; time < 2; time++) {
    expect(() => EXPRESSIONS.of('a +')).toThrow(expect.objectContaining({ code: 'ORC-305' }));
    expect(() => TEMPLATES.of('{% if a %}')).toThrow(expect.objectContaining({ class: 'template' }));
  }
});

it('forgets rather than grows without end', () => {
  const first = EXPRESSIONS.of('a + 0.5');
  for (let i = 0; i < 6000; i++) EXPRESSIONS.of(`a + ${i}`);
  expect(EXPRESSIONS.of('a + 0.5')).not.toBe(first);
  expect(EXPRESSIONS.of('a + 0.5')).toEqual(first);
});
