import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseDocument } from 'yaml';
import { mask, MAX_DEPTH, unmask } from './mask.ts';

/** What YAML makes of a text once it is masked, with the masks taken off. */
function load(text: string): unknown {
  const masked = mask(text);
  expect(masked.text).toHaveLength(text.length);
  const document = parseDocument(masked.text, { prettyErrors: false });
  expect(document.errors.map(error => error.message)).toEqual([]);
  return unmasked(document.toJS());
}

function unmasked(value: unknown): unknown {
  if (typeof value === 'string') return unmask(value);
  if (Array.isArray(value)) return value.map(unmasked);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [unmask(key), unmasked(member)]));
}

describe('mask', () => {
  test.each<[string, string, unknown]>([
    ['an AUTO tag with a colon', 'query: <AUTO>Search for: latest AI research</AUTO>', { query: '<AUTO>Search for: latest AI research</AUTO>' }],
    [
      'an AUTO tag with a hash, brackets and quotes',
      'q: a <AUTO x="1">b # [c] {d} "e" \'f\'</AUTO> g # comment',
      { q: 'a <AUTO x="1">b # [c] {d} "e" \'f\'</AUTO> g' },
    ],
    [
      'an AUTO tag over lines',
      'q: <AUTO>\n    how many: lines\n    # really\n\n    - dash\n  </AUTO>\nr: 1',
      { q: '<AUTO> how many: lines # really\n- dash </AUTO>', r: 1 },
    ],
    ['an AUTO tag in a tag', 'q: <AUTO>a: <AUTO>b: c</AUTO> d: e</AUTO>', { q: '<AUTO>a: <AUTO>b: c</AUTO> d: e</AUTO>' }],
    ['an AUTO tag in a flow list', 'q: [<AUTO>pick: one, two</AUTO>, x]', { q: ['<AUTO>pick: one, two</AUTO>', 'x'] }],
    ['an unclosed AUTO tag takes its value', 'q: <AUTO>a: b\nr: 1', { q: '<AUTO>a: b', r: 1 }],
    ['an unclosed AUTO tag in a flow list takes its brackets', 'q: [<AUTO min="1">a, b]', { q: ['<AUTO min="1">a', 'b'] }],
    ['an AUTO tag without a bracket in a flow list', 'q: [<AUTO a, b]', { q: ['<AUTO a', 'b'] }],
    ['a tag that closes in another value is unclosed', 'q: <AUTO>a: b\nr: c</AUTO>', { q: '<AUTO>a: b', r: 'c</AUTO>' }],
    ['an expression', 'p: {{ out["k: v"] }}/x.txt # comment', { p: '{{ out["k: v"] }}/x.txt' }],
    ['an expression that holds its own end in a string', 'p: {{ "}}: " }} x', { p: '{{ "}}: " }} x' }],
    ['an expression with an escaped quote', 'p: {{ "\\"}}" }}\nq: {{ \\x }}', { p: '{{ "\\"}}" }}', q: '{{ \\x }}' }],
    ['a lone apostrophe in an expression', "p: {{ don't }} x", { p: "{{ don't }} x" }],
    ['a statement and a comment of a template', 'p: {% if a: b %}x{% endif %}{# c: d #}', { p: '{% if a: b %}x{% endif %}{# c: d #}' }],
    ['an expression in a flow map', 'p: { a: {{ x }}, b: 1 }', { p: { a: '{{ x }}', b: 1 } }],
    ['braces that are no template', 'p: { a: { b: 1 } }\nq: {a: {b: 1}}', { p: { a: { b: 1 } }, q: { a: { b: 1 } } }],
    ['an open brace without an end', 'p: a {{ b\nq: 1', { p: 'a {{ b', q: 1 }],
    ['an open brace in a key takes nothing below', 'p:\n  a{{: 1\n  b: {{ c }}', { p: { 'a{{': 1, b: '{{ c }}' } }],
    ['a template over lines', 'p: a {{ b\n  : c }} d\nq: 1', { p: 'a {{ b : c }} d', q: 1 }],
    ['a template over lines on a line of its own', 'p:\n  {{ b\n  : c }} d', { p: '{{ b : c }} d' }],
    ['a template as a key', '{{ a: b }}: 1', { '{{ a: b }}': 1 }],
    ['a literal block', 'p: |\n  {{ a: b }} "\n   <AUTO>x\n\nq: {{ c: d }}', { p: '{{ a: b }} "\n <AUTO>x\n', q: '{{ c: d }}' }],
    ['a folded block in a list', "- >-\n  it's {{ a\n- {{ b: c }}", ["it's {{ a", '{{ b: c }}']],
    ['a block at the end of the file', 'p: |-\n  a', { p: 'a' }],
    ['a block scalar without lines', 'p: |', { p: '' }],
    [
      'quotes with what looks like a template',
      'p: "{{ a: \\" }} # b"\nq: \'it\'\'s {{ x }}\'\n"r": {{ a: b }}',
      { p: '{{ a: " }} # b', q: "it's {{ x }}", r: '{{ a: b }}' },
    ],
    ['quotes over lines', 'p: "a\n  b: c"\nq: {{ a: b }}', { p: 'a b: c', q: '{{ a: b }}' }],
    ['a plain text over lines', 'p: one\n  don\'t "stop\n\n  {{ a: b }}\nq: {{ c: d }}', { p: 'one don\'t "stop\n{{ a: b }}', q: '{{ c: d }}' }],
    ['a comment ends a plain text', 'p: one\n  # {{ two\nq: 1', { p: 'one', q: 1 }],
    ['comments', '# {{ a: b\np: 1 # <AUTO>\n', { p: 1 }],
    ['a list in a map at the same column', 'p:\n- {{ a: b }}\n- q: {{ c: d }}\n  r: {{ e: f }}', { p: ['{{ a: b }}', { q: '{{ c: d }}', r: '{{ e: f }}' }] }],
    ['lists in lists', '- - {{ a: b }}\n  - c\n- d', [['{{ a: b }}', 'c'], 'd']],
    ['a value on the next line', 'p:\n  {{ a: b }}\nq:\n  r:\n    s', { p: '{{ a: b }}', q: { r: 's' } }],
    ['line ends of Windows', 'p: {{ a: b }}\r\nq: <AUTO>a: b\r\n\r\nr: |\r\n  x\r\n', { p: '{{ a: b }}', q: '<AUTO>a: b', r: 'x\n' }],
    ['a document marker', '---\np: {{ a: b }}\n', { p: '{{ a: b }}' }],
    ['an explicit key', '? {{ a: b }}\n: {{ c: d }}', { '{{ a: b }}': '{{ c: d }}' }],
    ['flow over lines', 'p: [a,\n  {{ b: c }},\n  "d" ]\nq: { "x": y, z: }', { p: ['a', '{{ b: c }}', 'd'], q: { x: 'y', z: null } }],
    ['a tag and an anchor before a template', 'p: !!str &x {{ a: b }}\nq: [!!str a, &y b]', { p: '{{ a: b }}', q: ['a', 'b'] }],
  ])('%s', (_name, text, value) => {
    expect(load(text)).toEqual(value);
  });

  test('every offset holds, whatever the text', () => {
    const piece = fc.constantFrom(
      '<AUTO>',
      '</AUTO>',
      '<AUTO ',
      '{{',
      '}}',
      '{%',
      '%}',
      ': ',
      ' #',
      '- ',
      '? ',
      '\n',
      '\n  ',
      '\r\n',
      '|\n',
      '>',
      '"',
      "'",
      '\\',
      '[',
      ']',
      '{',
      '}',
      ',',
      'a',
      ' ',
      '---\n',
      '%Y\n',
      '&',
      '!',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), pieces => {
        const text = pieces.join('');
        const masked = mask(text);
        expect(masked.text).toHaveLength(text.length);
        expect(unmask(masked.text)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  test('characters of the mask are told, with their places', () => {
    expect(mask('a: \uE021\uE03A b \uE07D').reserved).toEqual([
      { start: 3, end: 5 },
      { start: 8, end: 9 },
    ]);
    expect(mask('a: \uE020\uE07E').reserved).toEqual([]);
  });

  test('C6 nesting beyond the limit stops the scan', () => {
    expect(mask('['.repeat(MAX_DEPTH)).tooDeepAt).toBeUndefined();
    expect(mask('['.repeat(MAX_DEPTH + 1)).tooDeepAt).toBe(MAX_DEPTH);
    expect(mask('- '.repeat(MAX_DEPTH + 1)).tooDeepAt).toBe(2 * MAX_DEPTH);
  });

  test('what is never closed is told', () => {
    expect(mask('a: "b').unclosedAt).toBe(3);
    expect(mask('a: [b, [c]\nd: e').unclosedAt).toBe(3);
    expect(mask('a: "b"').unclosedAt).toBeUndefined();
  });

  test('takes linear time on lines of open brackets', () => {
    const open = '[' + '{{ '.repeat(50_000) + "\\'".repeat(50_000) + '<AUTO '.repeat(20_000);
    expect(mask(`a: ${open}`).text).toHaveLength(open.length + 3);
  });
});
