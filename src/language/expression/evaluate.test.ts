import { describe, expect, test } from 'vitest';
import { OrchestratorError } from '../../errors.ts';
import type { Json, JsonObject } from '../../json.ts';
import { host, context, value, text, failure, view } from '../../../test/support/expressions.ts';
import { evaluate, evaluateCondition, ExpressionError, parseExpression, scopeOf, VIEW, type Value, type View } from './index.ts';

describe('names and strictness', () => {
  test('an undefined name is ORC-302 at its place, with what is in scope', () => {
    const { code, at, help } = failure('1 + serach.results | length', { search: 1, other: 2 });
    expect([code, at]).toEqual(['ORC-302', 'serach.results']);
    expect(help).toEqual(['did you mean `search`?', 'defined here: other, search']);
    expect(failure('a', {}).help).toEqual([]);
    expect(failure('a', Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`n${i}`, i]))).help[0]).toMatch(/, …$/);
  });

  test('a missing attribute says what there is', () => {
    expect(failure('d.contnet', { d: { content: 1 } })).toMatchObject({
      code: 'ORC-310',
      at: 'd.contnet',
      help: ['did you mean `content`?', 'it has: content'],
    });
    expect(failure('t.contnet', { t: view({ content: 1 }) }).help[0]).toBe('did you mean `content`?');
  });

  test.each<[string, Json]>([
    ['missing | default("d")', 'd'],
    ['d.b.c | default("d")', 'd'],
    ['d["b"]["c"] | default("d")', 'd'],
    ['d.b[other] | d("d")', 'd'],
    ['missing is undefined and d.b is not defined', true],
    ['d.a | default(missing)', 1],
    ['"" | default("e", true)', 'e'],
    ['"x" | default("e", boolean=true)', 'x'],
    ['"" | default("e", false)', ''],
    ['none.x | default(1)', 1],
    ['(1).x | default(1)', 1],
  ])('%s is fine', (source, expected) => {
    expect(value(source, { d: { a: 1 }, other: 'o' })).toBe(expected);
  });

  test.each([
    'missing',
    'missing or 1',
    'missing == 1',
    '[missing]',
    'missing is none',
    'not missing',
    'd[missing]',
    'missing[0:1]',
    'x | default(missing)',
    'missing.a.b',
    '1 ~ missing',
    'missing.upper()',
    'upper(missing)',
  ])('S10 %s fails closed', source => {
    const { expr } = parseExpression(source);
    expect(() => evaluateCondition(expr!, context({ d: {} }))).toThrow(ExpressionError);
  });

  test('conditions are true as in Python', () => {
    const truths = ['1', '"a"', '[0]', '{"a": 1}', 'true', '0.5', '2.0', 'v'].map(source =>
      evaluateCondition(parseExpression(source).expr!, context({ v: view({ a: 1 }) })),
    );
    expect(truths).toEqual(truths.map(() => true));
    const falsehoods = ['0', '""', '[]', '{}', 'none', 'false', '0.0', 'not 1'].map(source => evaluateCondition(parseExpression(source).expr!, context()));
    expect(falsehoods).toEqual(falsehoods.map(() => false));
  });

  test('C2 C23 only own data is reachable', () => {
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty', '__class__', 'valueOf']) {
      for (const source of [
        name,
        `d.${name}`,
        `d["${name}"]`,
        `xs.${name}`,
        `s.${name}`,
        `n.${name}`,
        `d | attr("${name}")`,
        `[d] | map(attribute="${name}") | first`,
      ]) {
        expect(() => evaluate(parseExpression(source).expr!, { scope: scopeOf({ d: {}, xs: [1], s: 'a', n: 1 }), host }), source).toThrow(ExpressionError);
      }
      expect(value(`d.get("${name}")`, { d: {} })).toBeNull();
      expect(value(`"${name}" in d`, { d: {} })).toBe(false);
    }
    const made = value('{"__proto__": {"polluted": 1}}') as JsonObject;
    expect(Object.keys(made)).toEqual(['__proto__']);
    expect(({} as JsonObject)['polluted']).toBeUndefined();
    expect(value('{"__proto__": 1}["__proto__"]')).toBe(1);
    expect(value('dict(__proto__=4)["__proto__"]')).toBe(4);
    expect(value('xs.length is defined', { xs: [1] })).toBe(false);
  });

  test('a name that stands for none is defined', () => {
    expect(value('x is none and x is defined', { x: null })).toBe(true);
    expect(value('x | default("other")', { x: null })).toBeNull();
    expect(value('[x, t.x]', { x: null, t: view({ x: null }, []) })).toEqual([null, null]);
  });

  test('what scope, host and views throw passes through unchanged', () => {
    const loading = new OrchestratorError('ORC-504', 'not loaded yet');
    const scope = {
      lookup: () => {
        throw loading;
      },
      names: () => [],
    };
    expect(() => evaluate(parseExpression('a | default(1)').expr!, { scope, host })).toThrow(loading);
    const lazy: View = {
      [VIEW]: true,
      get: () => undefined,
      keys: () => [],
      whole: () => {
        throw loading;
      },
    };
    expect(() => value('[v] | join', { v: lazy })).toThrow(loading);
  });
});

describe('views', () => {
  test('an attribute asks for itself alone, any other use takes the whole', () => {
    const asked: string[] = [];
    const task = view({ a: 1, b: 'x' }, asked);
    expect(value('t.a + 1', { t: task })).toBe(2);
    expect(value('t["b"]', { t: task })).toBe('x');
    expect(value('t.get("a")', { t: task })).toBe(1);
    expect(value('[t] | map(attribute="a")', { t: task })).toEqual([1]);
    expect(asked).toEqual(['a', 'b', 'a', 'a']);
    expect(value('t', { t: task })).toEqual({ a: 1, b: 'x' });
    expect(value('[t, 1]', { t: task })).toEqual([{ a: 1, b: 'x' }, 1]);
    expect(value('t.items() | length', { t: task })).toBe(2);
    expect(value('t is mapping', { t: task })).toBe(true);
    expect(text('{{ t }}', { t: task })).toBe('{"a": 1, "b": "x"}');
  });

  test('one over a text, a number or a list stands for it everywhere: in texts, places and arguments', () => {
    const over = (whole: Value): View => ({ [VIEW]: true, get: () => undefined, keys: () => [], whole: () => whole });
    const names = { s: over('ab'), n: over(2), l: over([7, 8]) };
    expect(text('{{ s }}-{{ n }}-{{ l }}', names)).toBe('ab-2-[7, 8]');
    expect(value('"x" ~ s', names)).toBe('xab');
    expect([value('l[0]', names), value('l[-1]', names), value('s[1]', names)]).toEqual([7, 8, 'b']);
    expect(value('range(n)', names)).toEqual([0, 1]);
    expect(value('"a-b".replace("-", s)', names)).toBe('aabb');
    expect(value('[s, n] | join(s)', names)).toBe('abab2');
  });

  test('members of a view, or of what the scope holds, may be views', () => {
    expect(value('tasks', { tasks: view({ t: view({ a: 1 }) }) })).toEqual({ t: { a: 1 } });
    expect(value('state', { state: { previous: view({ a: 1 }), n: 1 } })).toEqual({ previous: { a: 1 }, n: 1 });
    expect(value('v', { v: view({}) })).toEqual({});
  });

  test('a plain value is given back itself, not copied', () => {
    const big = { list: [1, 'a', null], map: { k: [2] } };
    expect(value('d', { d: big })).toBe(big);
    expect(value('d.list', { d: big })).toBe(big.list);
    expect(value('d.nope or d', { d: { ...big, nope: 0 } })).toEqual({ ...big, nope: 0 });
    expect(value('d or 1', { d: big })).toBe(big);
  });
});
