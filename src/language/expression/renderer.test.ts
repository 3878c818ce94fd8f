import { describe, expect, test } from 'vitest';
import { text, failure } from '../../../test/support/expressions.ts';

describe('templates', () => {
  test.each<[string, string]>([
    ['a\n', 'a\n'],
    ['  {{- 1 -}}  b', '1b'],
    ['a {%- if true %} b {%- endif %} c', 'a b c'],
    ['a {#- c -#} b{# #}', 'ab'],
    ['{##}x', 'x'],
    ['{%+ if true +%} x{% endif %}', ' x'],
    ['{%- raw -%} {{ x }} {%- endraw -%}  y', '{{ x }}y'],
    ['{% raw %}{% endraw %}', ''],
    [
      '{% for x in [1, 2, 3] if x != 2 %}{{ loop.index }}/{{ loop.length }} {{ loop.revindex }} {{ loop.revindex0 }} {{ loop.first }} {{ loop.last }} {{ loop.depth }}{{ loop.depth0 }};{% endfor %}',
      '1/2 2 1 true false 10;2/2 1 0 false true 10;',
    ],
    ['{% for x in [1, 2] %}{{ loop.previtem | default("-") }}{{ loop.nextitem | default("-") }}{{ loop.nope is defined }}{% endfor %}', '-2false1-false'],
    ['{% for x in [1, 2] %}{% for y in [1] %}{{ loop.depth }}{% endfor %}{% endfor %}', '22'],
    ['{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{{ loop.cycle("a", "b") }}{% endfor %}', 'trueafalsebtruea'],
    ['{% for a, b in [[1, 2]] %}{{ a + b }}{% endfor %}{% for (a, b) in [[1, 2]] %}{{ a - b }}{% endfor %}', '3-1'],
    ['{% for x in [] %}{% else %}{% set y = 1 %}none{{ y }}{% endfor %}', 'none1'],
    ['{% for x in [1, 2] %}{% for y in [] %}{% else %}{% break %}{% endfor %}{{ x }}{% endfor %}', ''],
    ['{% for x in [1, 2] %}{% filter upper %}a{% continue %}{% endfilter %}{{ x }}{% endfor %}', 'AA'],
    ['{% for x in [1, 2] %}{% set y %}{{ x }}{% break %}{% endset %}{{ x }}{% endfor %}', ''],
    ['{% for x in [1, 2] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}', '1'],
    ['{% set x = 1 %}{% for y in [1] %}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}', '21'],
    ['{% set x = 1 %}{% if true %}{% set x = 2 %}{% endif %}{{ x }}', '2'],
    ['{% for x in [1, 2] %}{{ y is defined }}{% set y = x %}{% endfor %}', 'falsefalse'],
    ['{% for x in [1] if x > 1 %}{% else %}{{ x is defined }}{% endfor %}', 'false'],
    ['{{ {"b": 1, "a": 2} }}', '{"b": 1, "a": 2}'],
    ['{% set a, b = 1, 2 %}{{ a }}{{ b }}', '12'],
    ['{% set x | upper | replace("A", "b") %}aa{% endset %}{{ x }}', 'bb'],
    ['{% set x | default("q") %}{% endset %}[{{ x }}]', '[]'],
    ['{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}', '3false'],
    ['{% with %}{% set z = 1 %}{{ z }}{% endwith %}', '1'],
    ['{% filter indent(2) | upper %}a\nb{% endfilter %}', 'A\n  B'],
    ['{% if 0 %}a{% elif 1 %}b{% else %}c{% endif %}{% if 0 %}{% endif %}', 'b'],
    ['{% for now in [1] %}{{ now }}{% endfor %}{% set file = "f" %}{{ file }}', '1f'],
    ['{% for c in "ab" %}{{ c }}-{% endfor %}{% for k in {"x": 1} %}{{ k }}{% endfor %}', 'a-b-x'],
    ['{{ "a" if false }}|', '|'],
    ['{{ 1, 2 }}', '[1, 2]'],
    ["{{ '{{}}{}'.format(1) }}", '{}1'],
    ['{{ $item }}{{ $index }}', 'I7'],
    ['{{ [none, true, 1.0, "é"] }}', '[null, true, 1.0, "é"]'],
  ])('%s', (source, expected) => {
    expect(text(source, { item: 'I', index: 7 })).toBe(expected);
  });

  test.each([
    ['{% for a, b in {"xy": 1} %}{% endfor %}', '{"xy": 1}'],
    ['{% for a, b in [[1]] %}{% endfor %}', '[[1]]'],
    ['{% for x in 5 %}{% endfor %}', '5'],
    ['{% for x in none %}{% endfor %}', 'none'],
    ['{% set x = {} %}{% set x.a = 1 %}', '{% set x.a = 1 %}'],
    ['{% for x in [1] %}{{ loop }}{% endfor %}', 'loop'],
    ['{% for x in [1] %}{{ loop.cycle() }}{% endfor %}', 'loop.cycle()'],
    ['{% for x in [1] %}{{ [loop] | join }}{% endfor %}', '[loop] | join'],
    ['{% set y = [1] %}{% for x in y %}{{ z }}{% endfor %}', 'z'],
  ])('%s fails at %s', (source, at) => {
    expect(failure(source).at).toBe(at);
  });

  test('`loop` is not a value that can be given back, and is true', () => {
    expect(text('{% for x in [1] %}{{ 1 if loop }}{{ loop == 1 }}{% endfor %}')).toBe('1false');
  });
});
