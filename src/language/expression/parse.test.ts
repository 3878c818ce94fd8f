import { describe, expect, test } from 'vitest';
import { evaluate, loneExpression, parseExpression, parseTemplate, scopeOf } from './index.ts';
import type { Json, JsonObject } from '../../json.ts';

const host = { now: () => 0, fileExists: () => false, file: (path: string) => path };

function problemsOf(text: string, inTemplate = text.includes('{%') || text.includes('{{')): string[] {
  const { problems } = inTemplate ? parseTemplate(text) : parseExpression(text);
  return problems.map(({ code, start, end }) => `${code} ${text.slice(start, end)}`);
}

function value(text: string, data: JsonObject = {}, units = false): Json {
  const { expr, problems } = parseExpression(text, { units });
  expect(problems).toEqual([]);
  return evaluate(expr!, { scope: scopeOf(data), host });
}

describe('problems of an expression', () => {
  test.each<[string, string[]]>([
    ['', ['ORC-305 ']],
    ['1 +', ['ORC-305 ']],
    ['1 2', ['ORC-305 2']],
    ['* 2', ['ORC-305 *']],
    ['a b', ['ORC-305 b']],
    ["a 'b'", ["ORC-305 'b'"]],
    ['a = b', ['ORC-305 =']],
    ['now()()', ['ORC-305 (']],
    ['x | upper(1 2)', ['ORC-305 2']],
    ['x |', ['ORC-305 ']],
    ['x is', ['ORC-305 ']],
    ['x.', ['ORC-305 ']],
    ['x.1.5.y', []],
    ['x."a"', ['ORC-305 "a"']],
    ['if', ['ORC-305 if']],
    ['(1', ['ORC-305 (']],
    ['[1', ['ORC-305 [']],
    ['{1: 2', ['ORC-305 {']],
    ['{1 2}', ['ORC-305 2']],
    ['{1: 2 3: 4}', ['ORC-305 3']],
    ['[1 2]', ['ORC-305 2']],
    ['(1, 2 3)', ['ORC-305 3']],
    ['a[1', ['ORC-305 [']],
    ['a[1 2]', ['ORC-305 2']],
    ['a[1:2 3]', ['ORC-305 3']],
    ['1)', ['ORC-305 )']],
    ['(1]', ['ORC-305 ]']],
    ["'abc", ["ORC-305 '"]],
    ["'\\x4'", ['ORC-305 \\x']],
    ["'\\U99999999'", ['ORC-305 \\U99999999']],
    ['1 ? 2', ['ORC-305 ?']],
    ['1 😀 2', ['ORC-305 😀']],
    ['012', ['ORC-305 012']],
    ['1__0', ['ORC-305 1__0']],
    ['1_', ['ORC-305 1_']],
    [`${'9'.repeat(400)}`, [`ORC-305 ${'9'.repeat(400)}`]],
    ['range(*x)', ['ORC-305 *']],
    ['range(**x)', ['ORC-305 **']],
    ['x | replace(old=1, 2)', ['ORC-305 2']],
    ['x | upcase', ['ORC-306 upcase']],
    ['x | upcase | lowr', ['ORC-306 upcase', 'ORC-306 lowr']],
    ["x | map('upcase')", ["ORC-306 'upcase'"]],
    ["x | select('od')", ["ORC-307 'od'"]],
    ["x | selectattr('a', 'od')", ["ORC-307 'od'"]],
    ['x | select(y)', []],
    ["x | map(attribute='nope')", []],
    ['x is od', ['ORC-307 od']],
    ['nope(1)', ['ORC-307 nope']],
    ['x.nope()', ['ORC-307 nope']],
    ['now', ['ORC-307 now']],
    ['file_exists()', ['ORC-308 file_exists']],
    ['now(1)', ['ORC-308 now']],
    ['file("a", "b")', ['ORC-308 file']],
    ['x | truncate(1, 2, 3, 4, 5)', ['ORC-308 truncate']],
    ['x | truncate(lenght=3)', ['ORC-308 truncate']],
    ['x | truncate(zzzzzzzz=3)', ['ORC-308 truncate']],
    ['x | truncate(3, length=3)', ['ORC-308 truncate']],
    ['x | truncate(end=3, end=3)', ['ORC-308 truncate']],
    ['x.split(1, 2, 3)', ['ORC-308 split']],
    ['x is divisibleby', ['ORC-308 divisibleby']],
    ['x | random', ['ORC-313 random']],
    ['joiner', ['ORC-313 joiner']],
    ['lipsum()', ['ORC-313 lipsum']],
    ['random', []],
    ['{{ a }} {{ b }}', ['ORC-305 {{']],
    ['{{ a', ['ORC-305 {{']],
    ["'{{ a'", ["ORC-305 '"]],
    ["'{{ a", ['ORC-305 {{']],
    ["'{{ a b }}'", ['ORC-305 b']],
    ['{{ a ]', ['ORC-305 ]']],
  ])('%s', (text, expected) => {
    expect(problemsOf(text, false)).toEqual(expected);
  });

  test('says what may have been meant, and what a call takes', () => {
    expect(parseExpression('x | uper').problems).toEqual([
      { code: 'ORC-306', message: 'there is no filter `uper`', start: 4, end: 8, label: 'did you mean `upper`?', help: ['did you mean `upper`?'] },
    ]);
    expect(parseExpression('x | zzzzzzzzz').problems[0]).toMatchObject({
      label: 'no filter has this name',
      help: [expect.stringMatching(/^filters: abs, attr, /)],
    });
    expect(parseExpression('x | truncate(lenght=3)').problems[0]!.help[0]).toBe('did you mean `length`?');
    expect(parseExpression('now').problems[0]).toMatchObject({ label: 'not called', help: ['call it: now()'] });
    expect(parseExpression('a = 1').problems[0]!.help).toEqual(['to compare write ==']);
    expect(parseExpression('file(1, 2)').problems[0]!.message).toBe('`file` takes one argument');
  });

  test('an unknown filter leaves the tree whole, a syntax error does not', () => {
    expect(parseExpression('x | nope').expr?.kind).toBe('filter');
    expect(parseExpression('x |').expr).toBeNull();
  });

  test('what nests too deep, or is too long a chain, is refused and does not exhaust the stack', () => {
    const deep = (text: string): string[] => parseExpression(text).problems.map(problem => problem.code);
    expect(deep(`${'('.repeat(60)}1${')'.repeat(60)}`)).toEqual([]);
    for (const text of [
      `${'('.repeat(20_000)}1`,
      '['.repeat(70),
      '-'.repeat(20_000) + '1',
      'not '.repeat(20_000) + '1',
      '1 if 1 else '.repeat(20_000) + '1',
      `1${' + 1'.repeat(20_000)}`,
      `a${'.b'.repeat(1000)}`,
      `a${' | upper'.repeat(1000)}`,
      '{{ '.repeat(100),
      "'{{ ".repeat(1) + '{{ '.repeat(100),
      `${"'{{ ".repeat(70)}`,
    ]) {
      expect(deep(text), text.slice(0, 20)).toEqual(['ORC-311']);
    }
    expect(deep(Array.from({ length: 300 }, (_, i) => `a${i}`).join(' or '))).toEqual([]);
  });
});

describe('braces in an expression', () => {
  test.each<[string, Json]>([
    ['{{ n > 2 }}', true],
    ['{{ n }} > 2 and {{ s }} == "x"', true],
    ['{{- n -}}', 3],
    ["'{{ s }}' == 'x'", true],
    ["'a{{ n }}b{{- s -}}c'", 'a3bxc'],
    ["'{{ d['k'] }}' ~ '!'", 'v!'],
    ["'{{ n }}' 'q'", '3q'],
    ["'{{ '{{ s }}' }}'", 'x'],
    ["{{ {'a': {'b': 1}} }}", { a: { b: 1 } }],
    ["'{' ~ '}}'", '{}}'],
    ["'{{ '}}' }}'", '}}'],
  ])('%s', (text, expected) => {
    expect(value(text, { n: 3, s: 'x', d: { k: 'v' } })).toEqual(expected);
  });
});

describe('units', () => {
  test.each<[string, Json]>([
    ['1GB', 2 ** 30],
    ['1.5KiB', 1536],
    ['5m', 300],
    ['100ms', 0.1],
    ['250us', 0.00025],
    ['5%', 0.05],
    ['x > 5% and x < 1', true],
    ['7%3', 1],
    ['7 % 3', 1],
    ['1h == 60m', true],
  ])('%s', (text, expected) => {
    expect(value(text, { x: 0.5 }, true)).toEqual(expected);
  });

  test('only where asked for, and only those there are', () => {
    expect(problemsOf('1GB')).toEqual(['ORC-305 GB']);
    expect(parseExpression('1 < 5parsec', { units: true }).problems).toMatchObject([{ code: 'ORC-305', start: 5, end: 11 }]);
  });
});

describe('problems of a template', () => {
  test.each<[string, string[]]>([
    ['{{ a | uper }} {{ b | lowr }} {{ c', ['ORC-306 uper', 'ORC-306 lowr', 'ORC-305 {{']],
    ['{{ a b }} {{ c d }}', ['ORC-305 b', 'ORC-305 d']],
    ["{{ ' }} {{ a b }}", ["ORC-305 '", 'ORC-305 b']],
    ['{{ }}', ['ORC-305 }}']],
    ['{{ a {{ b }}', ['ORC-305 {{']],
    ['{{ (a }} x', ['ORC-305 }']],
    ['{{ (a', ['ORC-305 (']],
    ['{% if (a', ['ORC-305 if', 'ORC-305 (']],
    ['{% if a %}x', ['ORC-305 if']],
    ['{% if a b %}x{% endif %}{{ c d }}', ['ORC-305 b', 'ORC-305 d']],
    ['{% if a %}{% else %}{% elif b %}{% endif %}', ['ORC-305 elif']],
    ['{% if a %}{% endif x %}', ['ORC-305 x']],
    ['{% for x in y %}{% endif %}{% endfor %}', ['ORC-305 endif']],
    ['{% for x y %}{% endfor %}', ['ORC-305 y']],
    ['{% for x in y if a b %}{% endfor %}', ['ORC-305 b']],
    ['{% for x in y recursive %}{% endfor %}', ['ORC-313 recursive']],
    ['{% for (x in y %}{% break %}{% else %}{{ a b }}{% endfor %}', ['ORC-305 }', 'ORC-305 b']],
    ['{% if (a] %}{% elif b %}{% else %}{% endif %}{% endif %}', ['ORC-305 ]', 'ORC-305 endif']],
    ['{% if (a] %}', ['ORC-305 if', 'ORC-305 ]']],
    ['{% set (a] %}{% ? %}', ['ORC-305 ]', 'ORC-305 ?']],
    ['{% for (x, y z) in z %}{% endfor %}', ['ORC-305 z']],
    ['{% for 1 in y %}{% endfor %}', ['ORC-305 1']],
    ['{% endfor %}', ['ORC-305 endfor']],
    ['{% break %}', ['ORC-305 break']],
    ['{% for x in y %}{% continue 1 %}{% endfor %}', ['ORC-305 1']],
    ['{% set a, b %}', ['ORC-305 %}']],
    ['{% set a.b %}', ['ORC-305 %}']],
    ['{% set a = %}', ['ORC-305 %}']],
    ['{% set a b %}{% endset %}', ['ORC-305 b']],
    ['{% set a | uper %}{% endset %}', ['ORC-306 uper']],
    ['{% with a %}{% endwith %}', ['ORC-305 %}']],
    ['{% with a = 1 b = 2 %}{% endwith %}', ['ORC-305 b']],
    ['{% filter uper %}{% endfilter %}', ['ORC-306 uper']],
    ['{% filter %}{% endfilter %}', ['ORC-305 %}']],
    ['{% macro m(a) %}{{ a b }}{% endmacro %}{{ c d }}', ['ORC-313 macro', 'ORC-305 b', 'ORC-305 d']],
    ['{% include "x" %}', ['ORC-313 include']],
    ['{% import "x" as y %}{% from "x" import y %}{% extends "z" %}', ['ORC-313 import', 'ORC-313 from', 'ORC-313 extends']],
    ['{% block a %}x{% endblock %}', ['ORC-313 block']],
    ['{% fro x in y %}', ['ORC-305 fro']],
    ['{% something %}', ['ORC-305 something']],
    ['{% 1 %}', ['ORC-305 1']],
    ['{# never', ['ORC-305 {#']],
    ['{% raw %} {{', ['ORC-305 {% raw %}']],
    ['{% if now %}{% endif %}', ['ORC-307 now']],
    ['{% for now in [1] %}{{ now }}{% else %}{{ now }}{% endfor %}{{ now }}', ['ORC-307 now', 'ORC-307 now']],
    ['{% set file = 1 %}{{ file }}{% if file %}{% endif %}', []],
    ['{% for file in file("a") if file %}{{ file }}{% endfor %}', []],
    ['{% with now = 1 %}{{ now }}{% endwith %}{{ now }}', ['ORC-307 now']],
    ['{{ file:a b }}', ['ORC-305 b']],
    ["{{ '{{ x }}' }}", []],
  ])('%s', (text, expected) => {
    expect(problemsOf(text, true)).toEqual(expected);
  });

  test('no more than a hundred, and an end to nesting', () => {
    const many = parseTemplate('{{ a b }}'.repeat(100_000));
    expect(many.problems).toHaveLength(100);
    expect(many.template).toBeNull();
    expect(parseExpression(`[${'a | nope, '.repeat(1000)}now, now]`).problems).toHaveLength(100);
    expect(parseExpression(`[${'1,'.repeat(60_000)}]`).problems).toMatchObject([{ code: 'ORC-305', message: 'this expression is too long' }]);
    const deep = parseTemplate('{% if a %}'.repeat(100_000)).problems;
    expect(deep.some(problem => problem.code === 'ORC-311')).toBe(true);
    expect(parseTemplate(`${'{% if a %}'.repeat(60)}x${'{% endif %}'.repeat(60)}`).problems).toEqual([]);
    expect(problemsOf(`{{ a${'.b'.repeat(500)} }}`)[0]).toMatch(/^ORC-311/);
  });
});

describe('a lone expression', () => {
  test.each<[string, string | null]>([
    ['{{ a }}', 'name'],
    ['  {{ a + 1 }}\n', 'binary'],
    ['{{- a -}}', 'name'],
    ['{{ a }}b', null],
    ['{{ a }}{{ b }}', null],
    ['{% set a = 1 %}{{ a }}', null],
    ['a', null],
    ['', null],
    ['{{ {"a": {}} }}', 'map'],
  ])('%s', (text, kind) => {
    expect(loneExpression(parseTemplate(text).template!)?.kind ?? null).toBe(kind);
  });
});

describe('places in the tree', () => {
  test('a node covers its text, parentheses around a part included', () => {
    const text = '(a + b) * (c.d | upper) is in ([1])';
    const { expr } = parseExpression(text);
    expect(text.slice(expr!.start, expr!.end)).toBe('(a + b) * (c.d | upper) is in ([1])');
    expect(expr).toMatchObject({ kind: 'binary', left: { start: 1, end: 6 }, right: { kind: 'test', start: 10 } });
  });
});
