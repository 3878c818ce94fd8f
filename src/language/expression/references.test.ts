import { describe, expect, test } from 'vitest';
import { calls, parseExpression, parseTemplate, references } from './index.ts';

function refs(text: string): string[] {
  const parsed = text.includes('{%') || text.includes('{{') ? parseTemplate(text).template! : parseExpression(text).expr!;
  return references(parsed).map(({ name, path, optional }) => [name, ...path].join('.') + (optional ? '?' : ''));
}

describe('references', () => {
  test.each<[string, string[]]>([
    ['search.results[0].url', ['search.results.0.url']],
    ["tasks['a-b'].result", ['tasks.a-b.result']],
    ['a[b.c].d', ['a', 'b.c']],
    ['a[1.0].d', ['a']],
    ['a[none]', ['a']],
    ['a[-1].b', ['a']],
    ['a.b.items()', ['a.b']],
    ['a.b[1:c]', ['a.b', 'c']],
    ['(a or b).c', ['a', 'b']],
    ['a | default(b)', ['a?', 'b']],
    ['a.b | d("x") | upper', ['a.b?']],
    ['(a | upper).b', ['a']],
    ['(a | default({})).b', ['a?']],
    ['a is defined', ['a?']],
    ['a is undefined and b', ['a?', 'b']],
    ['a is defined and a.b > 1', ['a?', 'a.b?']],
    ['a.b is not defined or a.b.c', ['a.b?', 'a.b.c?']],
    ['a.c and a.b is defined', ['a.c', 'a.b?']],
    ['a if a is defined else b', ['a?', 'a?', 'b']],
    ['b if a else none', ['b', 'a']],
    ['b if a', ['b', 'a']],
    ['1 if 2 is defined else a', ['a']],
    ['[a, {b: c}, -d, not e, f < g <= h, i ~ j, x.y(k), z is divisibleby l]', ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'x', 'k', 'z', 'l']],
    ["'{{ a.b }}-{{ c }}'", ['a.b', 'c']],
    ["loop_var('outer', 'index') + loop_var('inner') + loop_var(x)", ['outer.index', 'inner.item', 'x']],
    ['now + 1', []],
    ["range(n) | map('add', m)", ['n', 'm']],
    ['{{ a.b }} {% if c %}{{ d }}{% elif e %}{% else %}{{ f }}{% endif %}', ['a.b', 'c', 'd', 'e', 'f']],
    ['{% if x is defined %}{{ x.y }}{% endif %}{{ x }}', ['x?', 'x.y?', 'x']],
    ['{% for x in xs if x > lim %}{{ x.y }}{{ loop.index }}{{ z }}{% else %}{{ x }}{% endfor %}{{ loop }}', ['xs', 'lim', 'z', 'x', 'loop']],
    ['{% set a = b %}{{ a }}{% for x in [1] %}{% set c = a %}{{ c }}{% endfor %}{{ c }}', ['b', 'c']],
    ['{% set ns.x = v %}', ['ns', 'v']],
    ['{% set ns = namespace() %}{% set ns.x = v %}', ['v']],
    ['{% set t | replace(a, b) %}{{ c }}{% endset %}{{ t }}', ['a', 'b', 'c']],
    ['{% with a = b, c = a %}{{ a }}{{ c }}{% endwith %}{{ a }}', ['b', 'a', 'a']],
    ['{% filter indent(n) %}{{ m }}{% break %}{% endfilter %}'.replace('{% break %}', ''), ['n', 'm']],
    ['{% for x in y %}{% break %}{% continue %}{% endfor %}', ['y']],
  ])('%s', (text, expected) => {
    expect(refs(text)).toEqual(expected);
  });

  test('give the place of the chain, of the name and of each step', () => {
    const text = "1 + search.results[0]['url'] | upper";
    const [found] = references(parseExpression(text).expr!);
    expect(text.slice(found!.start, found!.end)).toBe("search.results[0]['url']");
    expect(text.slice(found!.start, found!.nameEnd)).toBe('search');
    expect(found!.steps.map(({ start, end }) => text.slice(start, end))).toEqual(['results', '0', "'url'"]);
  });
});

describe('calls', () => {
  test('with their constant texts', () => {
    const text =
      "{% if file_exists('a') %}{{ file(\"b\") ~ now() }}{% else %}{% set x = secret(n) %}{% for y in range(1) if range(2) %}{{ dict(a='c') }}{% else %}{{ now() }}{% endfor %}{% endif %}{% with z = file('w') %}{{ now() }}{% endwith %}{% filter replace(file('r'), '') %}{{ file('i') }}{% endfilter %}{% set q | trim(file('t')) %}{% endset %}";
    expect(calls(parseTemplate(text).template!).map(call => [call.name, ...call.arguments])).toEqual([
      ['file_exists', 'a'],
      ['file', 'b'],
      ['now'],
      ['secret', null],
      ['range', null],
      ['range', null],
      ['dict', 'c'],
      ['now'],
      ['file', 'w'],
      ['now'],
      ['file', 'r'],
      ['file', 'i'],
      ['file', 't'],
    ]);
    const [call] = calls(parseExpression("x == file('p.md')").expr!);
    expect(call).toEqual({ name: 'file', start: 5, end: 17, arguments: ['p.md'] });
  });
});
