import { describe, expect, test } from 'vitest';
import type { Json, JsonObject } from '../../json.ts';
import { OrchestratorError } from '../../errors.ts';
import {
  evaluate,
  evaluateCondition,
  ExpressionError,
  isSecretMarker,
  makeSecretMarker,
  matchesPattern,
  parseExpression,
  parseTemplate,
  render,
  renderSegments,
  scopeOf,
  SECRET_KEY,
  VIEW,
  type EvalContext,
  type Fuel,
  type Value,
  type View,
} from './index.ts';

const host = {
  now: () => Date.UTC(2026, 0, 2, 3, 4, 5),
  fileExists: (path: string) => path === 'here',
  file: (path: string) => `<${path}>`,
};

function context(data: { [key: string]: Value } = {}, fuel?: Partial<Fuel>): EvalContext {
  const scope = { lookup: (name: string) => (Object.hasOwn(data, name) ? data[name] : undefined), names: () => Object.keys(data) };
  return fuel === undefined ? { scope, host } : { scope, host, fuel };
}

function value(text: string, data: { [key: string]: Value } = {}, fuel?: Partial<Fuel>): Json {
  const { expr, problems } = parseExpression(text);
  expect(problems).toEqual([]);
  return evaluate(expr!, context(data, fuel));
}

function text(source: string, data: { [key: string]: Value } = {}, fuel?: Partial<Fuel>): string {
  const { template, problems } = parseTemplate(source);
  expect(problems).toEqual([]);
  return render(template!, context(data, fuel));
}

/** The code and the part of the text that an error is about. */
function failure(
  source: string,
  data: { [key: string]: Value } = {},
  fuel?: Partial<Fuel>,
): { code: string; at: string; message: string; help: string[] } {
  const isTemplate = source.includes('{%') || source.includes('{{');
  try {
    const parsed = isTemplate ? parseTemplate(source).template! : parseExpression(source).expr!;
    if (isTemplate) render(parsed as never, context(data, fuel));
    else evaluate(parsed as never, context(data, fuel));
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return { code: error.code, at: source.slice(error.start, error.end), message: error.message, help: error.help };
  }
  throw new Error(`no error: ${source}`);
}

const codeAt = (source: string, data: { [key: string]: Value } = {}, fuel?: Partial<Fuel>): [string, string] => {
  const { code, at } = failure(source, data, fuel);
  return [code, at];
};

function view(fields: { [key: string]: Value }, asked: string[] = []): View {
  return {
    [VIEW]: true,
    get: key => {
      asked.push(key);
      return Object.hasOwn(fields, key) ? fields[key] : undefined;
    },
    keys: () => Object.keys(fields),
    whole: () => {
      asked.push('*');
      return fields;
    },
  };
}

describe('numbers', () => {
  test.each<[string, string]>([
    ['4 / 2', '2.0'],
    ['7 // 2', '3'],
    ['-7 // 2', '-4'],
    ['-7 % 3', '2'],
    ['7 % -3', '-2'],
    ['6.0 % -3', '-0.0'],
    ['0.0 // 5', '0.0'],
    ['2.5 // 0.1', '24.0'],
    ['2 ** 10', '1024'],
    ['2 ** -1', '0.5'],
    ['2.0 ** 3', '8.0'],
    ['0.5 + 0.5', '1.0'],
    ['true + 1', '2'],
    ['-true', '-1'],
    ['+2.0', '2.0'],
    ['-0.0', '-0.0'],
    ['1e16', '1e+16'],
    ['123456789012345680.0', '1.2345678901234568e+17'],
    ['0.0001', '0.0001'],
    ['0.00001', '1e-05'],
    ['1.5e-7', '1.5e-07'],
    ['1e400', 'inf'],
    ['-1e400', '-inf'],
    ['1e400 - 1e400', 'nan'],
    ['[1e400, -1e400, 1e400 - 1e400]', '[Infinity, -Infinity, NaN]'],
    ['10 ** 21', '1000000000000000000000'],
    ['0x1F + 0b11 + 0o17', '49'],
    ['1 == 1.0 and true == 1', 'true'],
    ['2.5 | round', '2.0'],
    ['3.5 | round', '4.0'],
    ['2.675 | round(2)', '2.67'],
    ['0.125 | round(2)', '0.12'],
    ['1250 | round(-2)', '1200'],
    ['1350 | round(-2)', '1400'],
    ['1e400 | round', 'inf'],
    ['2.5 | round(200)', '2.5'],
    ['1.234 | round(1, "ceil")', '1.3'],
    ['-5.5 | abs', '5.5'],
    ['"1_0" | int', '10'],
    ['" -0x1f " | int(0, 16)', '-31'],
    ['"0o17" | int(0, 8)', '15'],
    ['"0b11" | int(0, 2)', '3'],
    ['"1e3" | int', '1000'],
    [`"${'9'.repeat(350)}" | int(7)`, '7'],
    ['none | int(4)', '4'],
    ['"inf" | int(4)', '4'],
    ['"-inf" | float', '-inf'],
    ['"nan" | float', 'nan'],
    ['"Infinity" | float', 'inf'],
    ['"x" | float', '0.0'],
    ['1 | filesizeformat', '1 Byte'],
    ['300 | filesizeformat', '300 Bytes'],
    ['2048 | filesizeformat(true)', '2.0 KiB'],
    ['1e30 | filesizeformat', '1000000.0 YB'],
    ['-1234.5 | number_format(1)', '-1,234.5'],
    ['-0.1 | number_format', '0'],
    ['1e22 | number_format(2)', '10,000,000,000,000,000,000,000.00'],
    ['1e400 | number_format', 'inf'],
  ])('%s is %s', (source, expected) => {
    expect(text(`{{ ${source} }}`)).toBe(expected);
  });

  test('JSON drops the distinction of floats, and integers stay', () => {
    expect(value('[4 / 2, 2, 2.5, {"a": 4 / 2}]')).toEqual([2, 2, 2.5, { a: 2 }]);
    expect(value('4 / 2')).toBe(2);
  });

  test.each([
    ['1 / 0', '1 / 0'],
    ['1 % 0', '1 % 0'],
    ['0 ** -1', '0 ** -1'],
    ['(-8) ** 0.5', '(-8) ** 0.5'],
    ['10 ** 400', '10 ** 400'],
    ['1e400', '1e400'],
    ['[1e400]', '[1e400]'],
    ['[4 / 2, 1e400]', '[4 / 2, 1e400]'],
    ['-"a"', '-"a"'],
    ['1 + "a"', '1 + "a"'],
    ['1 | round(0, "up")', '1 | round(0, "up")'],
    ['"a" | abs', '"a" | abs'],
    ['"a" | filesizeformat', '"a" | filesizeformat'],
  ])('%s fails at its place', (source, at) => {
    expect(codeAt(source)).toEqual(['ORC-310', at]);
  });
});

describe('texts', () => {
  test.each<[string, Json]>([
    ['"😀b"[0]', '😀'],
    ['"😀b"[-1]', 'b'],
    ['"😀b" | length', 2],
    ['"😀bc"[1:]', 'bc'],
    ['"abc"[-2:]', 'bc'],
    ['"abcdef"[::2]', 'ace'],
    ['"abcdef"[4:1:-2]', 'ec'],
    ['"abc"[5:]', ''],
    ['"\\x41\\u0042\\U00000043\\101\\q\\\n!"', 'ABCA\\q!'],
    ["'it''s'", 'its'],
    ['"a" "b"', 'ab'],
    ['"\\U0001F600" > "\\uffff"', true],
    ['"\\uffff" > "\\U0001F600"', false],
    ['"\\ud83d\\ude00" < "\\ud83d\\ude01"', true],
    ['"ab" < "abc"', true],
    ['"b" < "a"', false],
    ['"a" * 3', 'aaa'],
    ['3 * "a"', 'aaa'],
    ['"a" * -1', ''],
    ['"" * 1000000000', ''],
    ['[] * 1000000000', []],
    ['[1] * 2', [1, 1]],
    ['"abc".replace("", "-", 2)', '-a-bc'],
    ['"aXbXc".replace("X", "y", 1)', 'aybXc'],
    ['" a  b c ".split()', ['a', 'b', 'c']],
    ['" a  b  c ".split(none, 1)', ['a', 'b  c ']],
    ['"a b".split(none, 5)', ['a', 'b']],
    ['"".split()', []],
    ['"a,b,c".split(",", 1)', ['a', 'b,c']],
    ['"--a-".strip("-")', 'a'],
    ['"élan vital".title()', 'Élan Vital'],
    ['"" | capitalize', ''],
    ['"a(b [c" | title', 'A(B [C'],
    ['"abc" | center(2)', 'abc'],
    ['"ab" | center(5)', '  ab '],
    ['"a\\n\\nb" | indent(2, true, true)', '  a\n  \n  b'],
    ['"a\\nb" | indent("> ", true)', '> a\n> b'],
    ['"a b c" | truncate(3, leeway=0, end="")', 'a'],
    ['"abcdefghij" | truncate(5, leeway=0)', 'ab...'],
    ['"abc def ghi" | truncate(7, true, "~", 0)', 'abc de~'],
    ['"a b c" | truncate_words(5)', 'a b c'],
    ['"ab-cd ef" | wordwrap(4)', 'ab-\ncd\nef'],
    ['"abcdefgh" | wordwrap(3)', 'abc\ndef\ngh'],
    ['"abcdefgh ij" | wordwrap(3, false)', 'abcdefgh\nij'],
    ['"a-bcdefgh" | wordwrap(4, true, "|")', 'a-|bcde|fgh'],
    ['"ab cdefghi" | wordwrap(4, true, none, false)', 'ab c\ndefg\nhi'],
    ['"ab      cdefghi" | wordwrap(4)', 'ab\ncdef\nghi'],
    ['"<!-- <b> --><i>x &lt; &#65;&#x42; &nope; &#0;</i> <" | striptags', 'x < AB &nope; \ufffd <'],
    ['"it\'s (1)!*" | urlencode', 'it%27s%20%281%29%21%2A'],
    ['[["a/b", 1]] | urlencode', 'a%2Fb=1'],
    ['{"a": none} | xmlattr', ''],
    ['{"a": 1} | xmlattr(false)', 'a="1"'],
    ['"/a" | dirname', '/'],
    ['"a" | dirname', ''],
    ['"a//b" | dirname', 'a'],
    ['"Ab_c  -- d" | slugify("_")', 'ab_c_d'],
    ['"a-b-c" | regex_replace("-", "+", 1)', 'a+b-c'],
    ['"john smith" | regex_replace("(\\w+) (?P<last>\\w+)", "\\\\g<last> \\\\1 \\\\\\\\")', 'smith john \\'],
    ['"ab" | regex_replace("(a)|(b)", "[\\\\2]")', '[][b]'],
    ['"abc" | regex_search("x")', null],
    ['"abc" | regex_search("(b)(x)?", 2)', null],
    ['[1, ["a", {"k": "v"}]] | markdown_format', '- 1\n- - a\n  - - **k**: v'],
    ['{"k": [], "e": ""} | markdown_format', '- **k**:\n\n- **e**:'],
    ['"x" | markdown_format', 'x'],
    ['"ban" in "banana"', true],
    ['"banana".count("")', 7],
    ['"a" is in "abc"', true],
    ['"1" is lower', false],
  ])('%s', (source, expected) => {
    expect(value(source)).toEqual(expected);
  });

  test.each<[string, string]>([
    [
      '(http://a.com/c(d)) <www.x.org>, mailto:a@b.c a@b.c @a@b.c',
      '(<a href="http://a.com/c(d)" rel="noopener">http://a.com/c(d)</a>) &lt;<a href="https://www.x.org" rel="noopener">www.x.org</a>&gt;, <a href="mailto:a@b.c">a@b.c</a> <a href="mailto:a@b.c">a@b.c</a> @a@b.c',
    ],
    ['plain. http://1.2.3.4:80/?q', 'plain. <a href="http://1.2.3.4:80/?q" rel="noopener">http://1.2.3.4:80/?q</a>'],
  ])('urlize %s', (source, expected) => {
    expect(value('x | urlize', { x: source })).toBe(expected);
  });

  test('urlize takes its arguments', () => {
    expect(value('"www.example.com ftp://a.b" | urlize(7, true, "_blank", "me", ["ftp:"])')).toBe(
      '<a href="https://www.example.com" rel="me nofollow noopener" target="_blank">www.exa...</a> <a href="ftp://a.b" rel="me nofollow noopener" target="_blank">ftp://a.b</a>',
    );
    expect(codeAt('"x" | urlize(extra_schemes=["<"])')[0]).toBe('ORC-310');
  });

  test.each([
    '"a".split("")',
    '"a" | split("")',
    '"a" | truncate(2)',
    '"a" | regex_search("(")',
    '"a" | regex_search("(?=a)")',
    '"a" | regex_search("a", 1)',
    '"a" | regex_replace("a", "\\\\1")',
    '"a" | regex_replace("a", "\\\\g<x>")',
    '{"a b": 1} | xmlattr',
    '"x" | from_json',
    '1 | from_json',
    '[[1]] | urlencode',
    '"a" | indent(-1)',
    '"a" | indent("a" | length / 1)',
    '1 in "a"',
    '"a" | center("b")',
    '"a".startswith(1)',
    '", ".join([1])',
    '{"a": 1} + {}',
    '"a" % (1, 2)',
    '"%s"  % []',
    '"%" % 1',
    '"%*d" % 1',
    '"%q" % 1',
    '"%d" % "x"',
    '"%(a)s" % 1',
    '"%(a)s" % {"b": 1}',
    '"%c" % -1',
    '"%d" % 1e400',
    '"{}".format()',
    '"{x}".format()',
    '"{".format()',
    '"{0.a}".format(1)',
    '"{:zz}".format(1)',
    '"{:q}".format(1)',
    '{}.get([1])',
    '{[1]: 2}',
    'none.upper()',
    '[1].upper()',
    '1 in 2',
    '1 | length',
    '1 | list',
    '"x" | date',
    '"2026-13-01" | date',
    '"2026-02-30" | date',
    '[] | date',
    '1e400 | date',
    '0 | date("%Q")',
    '2 is divisibleby 0',
    '"a" is odd',
    '1 < "a"',
    '[] < {}',
    '{} | dictsort(by="x")',
    '1 | dictsort',
    '1 | items',
  ])('%s is an error of evaluation', source => {
    expect(codeAt(source)[0]).toBe('ORC-310');
  });

  test.each<[string, Json]>([
    ["'%5s|%-5s|%05d|%+d|% d' % ('a', 'b', 7, 7, 7)", '    a|b    |00007|+7| 7'],
    [
      "'%x %X %#x %o %e %E %g %G %c %% %r %.2s' % (255, 255, 255, 8, 1234.5, 1234.5, 0.00001, 1e20, 65, 'q', 'abc')",
      'ff FF 0xff 10 1.234500e+03 1.234500E+03 1e-05 1E+20 A % "q" ab',
    ],
    ["'%i %u %F' % (1.9, 2, 0.5)", '1 2 0.500000'],
    ["'%(a)s-%(b).1f' % {'a': 1, 'b': 2.25}", '1-2.2'],
    ["'%(a)s' | format(a=1)", '1'],
    ["'%g %g %#g %#.3g' % (100000.0, 1e400, 1.5, 1e9)", '100000 inf 1.50000 1.00e+09'],
    ["'%e' % 1e400", 'inf'],
    ["'{0:>5}|{0:<5}|{0:^5}|{0:*^5}|{n:05d}|{n:=+6d}'.format('a', n=-7)", '    a|a    |  a  |**a**|-0007|-    7'],
    [
      "'{:,} {:_} {:.1%} {:b} {:#b} {:#o} {:g}'.format(1234567, 1234567, 0.25, 5, 5, 8, 2.5)",
      '1,234,567 1_234_567 25.0% 101 0b101 0o10 2.5',
    ],
    ["'{!r:>4} {} {:.3} {:}'.format('a', 2.0, 2.34567, true)", '   a 2.0 2.35 true'],
    ["'{:x}'.format(-255)", '-ff'],
  ])('formats %s', (source, expected) => {
    expect(value(source)).toBe(expected);
  });

  test('the last format field and the width are bounded before anything is made', () => {
    expect(codeAt("'%99999d' % 1")[0]).toBe('ORC-311');
    expect(codeAt("'%.200f' % 1")[0]).toBe('ORC-311');
    expect(codeAt("'{:99999}'.format(1)")[0]).toBe('ORC-311');
  });

  test.each<[string, string]>([
    [
      "'2026-03-01T14:05:09.5+02:00' | date('%Y-%m-%d %H:%M:%S %y %e %I %p %f %B %b %A %a %w %j %s %z %Z %F %T %% %-d')",
      '2026-03-01 12:05:09 26  1 12 PM 500000 March Mar Sunday Sun 0 060 1772366709 +0000 UTC 2026-03-01 12:05:09 % 1',
    ],
    ["'2026-03-01 00:30-0130' | date('%H:%M %I %p')", '02:00 02 AM'],
    ['0 | date', '1970-01-01'],
    ["1.5 | date('%s')", '1'],
    ["now() | date('%F %T')", '2026-01-02 03:04:05'],
  ])('dates: %s', (source, expected) => {
    expect(value(source)).toBe(expected);
  });
});

describe('lists and maps', () => {
  const rows = [
    { n: 2, t: 'b' },
    { n: 1, t: 'a' },
    { n: 3, t: 'A' },
  ];
  test.each<[string, Json]>([
    ['rows | sort(attribute="t,n") | map(attribute="n")', [1, 3, 2]],
    ['rows | groupby("t") | map(attribute="grouper")', ['a', 'b']],
    ['rows | groupby("t") | map(attribute="list") | map("length")', [2, 1]],
    ['rows | groupby("t", case_sensitive=true) | map("first")', ['A', 'a', 'b']],
    ['rows | groupby("q", default="z") | first | first', 'z'],
    ['(rows | groupby("t"))[0].nope is defined', false],
    [
      'rows | groupby("t")',
      [
        ['a', [rows[1]!, rows[2]!]],
        ['b', [rows[0]!]],
      ],
    ],
    ['rows | map(attribute="q", default=0)', [0, 0, 0]],
    ['[[1, 2]] | map(attribute=1)', [2]],
    ['[{"a": {"b": 1}}, {"a": {}}] | map(attribute="a.b") | select("defined")', [1]],
    ['[{"a": {"b": 1}}, {}] | selectattr("a.b", "defined") | list | length', 1],
    ['rows | rejectattr("n", "gt", 1)', [rows[1]!]],
    ['rows | selectattr("n", "in", [1, 2]) | length', 2],
    ['none | map("upper")', []],
    ['none | select', []],
    ['["a"] | map("default", "x")', ['a']],
    ['["a b"] | map("replace", old="a", new="c")', ['c b']],
    ['rows | max(attribute="n")', rows[2]!],
    ['["b", "A"] | min', 'A'],
    ['["b", "A"] | max(case_sensitive=true)', 'b'],
    ['[] | max | default("none")', 'none'],
    ['[] | first | default(0)', 0],
    ['"" | last | default(0)', 0],
    ['"ab" | last', 'b'],
    ['"ab" | first', 'a'],
    ['{"a": 1} | first', 'a'],
    ['{"a": 1} | length', 1],
    ['[1, 1.0, true, "1", none, [1], [1], {"a": 1}] | unique | length', 5],
    ['rows | unique(attribute="t") | length', 2],
    ['rows | sum(attribute="n", start=10)', 16],
    ['[1, 2] | join("-", attribute=none)', '1-2'],
    ['rows | join(attribute="n")', '213'],
    ['{"b": 1, "a": 2} | dictsort(by="value", reverse=true) | map("first")', ['a', 'b']],
    ['{"a": 1} | attr("a")', 1],
    ['{"0": "x"} | attr("0")', 'x'],
    ['[1, 2, 3] | batch(2) | list', [[1, 2], [3]]],
    ['[] | batch(2, 0)', []],
    [
      '[1, 2, 3] | slice(2, 9)',
      [
        [1, 2],
        [3, 9],
      ],
    ],
    [
      '{"a": 1, "b": 2}.items()',
      [
        ['a', 1],
        ['b', 2],
      ],
    ],
    ['{"a": 1}.get("a") + {"a": 1}.get("b", 1)', 2],
    ['{1: "x", none: "y", true: "z", 2.0: "w"}', { 1: 'x', null: 'y', true: 'z', '2.0': 'w' }],
    ['{true: 1}[true]', 1],
    ['[10, 20][true]', 20],
    ['[1, [2, 3]] == [1, [2, 3]]', true],
    ['{"a": 1} == {"a": 1.0}', true],
    ['{"a": 1} == {"b": 1}', false],
    ['[1] == {"0": 1}', false],
    ['{} == []', false],
    ['none == 0', false],
    ['[1, 2] < [1, 3]', true],
    ['[1] < [1, 2]', true],
    ['1e400 - 1e400 < 1', false],
    ['"a" in {"a": 1}', true],
    ['2 in [1, 2.0]', true],
    ['dict([["a", 1]], b=2)', { a: 1, b: 2 }],
    ['dict({"a": 1})', { a: 1 }],
    ['range(5, 1, -2)', [5, 3]],
    ['range(0)', []],
    ['[1, 2, 1].count(1)', 2],
    ['(1, 2,)', [1, 2]],
    ['()', []],
    ['[1, 2,]', [1, 2]],
    ['{"a": 1,}', { a: 1 }],
    ['1, 2', [1, 2]],
    ['1 < 2 < 3', true],
    ['1 < 3 < 2', false],
    ['0 or [] or "x"', 'x'],
    ['1 && !none || false', true],
    ['"a" if false', null],
    ['("a" if false) | default("b")', 'b'],
    ['"<" ~ ("a" if false) ~ ">"', '<>'],
    ['[x is defined for_ is undefined]'.replace(' for_ is undefined', ''), [false]],
    ['not not 1', true],
    ['1 is not none', true],
    ['none is sameas none', true],
    ['0.0 is false', false],
    ['0.0 or 5', 5],
    ['(1e400 - 1e400) and 1', 1],
    ['file_exists("here") and not file_exists("there")', true],
    ['file("a.md")', '<a.md>'],
    ['{{ file:p/a-b.md }}', '<p/a-b.md>'],
    ['now()', '2026-01-02T03:04:05.000Z'],
    ['namespace(a=1)', { a: 1 }],
    ['namespace({"a": 1}).a', 1],
    ['namespace(a=1) | length', 1],
    ['loop_var("outer", "index")', 4],
    ['"x" is filter or "upper" is filter and "odd" is test', true],
    ['{"b": 1, "a": [2.0]} | tojson', '{"a": [2.0], "b": 1}'],
    ['"é\\ud83d<" | tojson', '"\\u00e9\\ud83d\\u003c"'],
    ['{"é": []} | to_json(indent=2)', '{\n  "é": []\n}'],
  ])('%s', (source, expected) => {
    expect(value(source, { rows, outer: { item: 'o', index: 4 } })).toEqual(expected);
  });

  test.each([
    'rows | map',
    'rows | map(1)',
    'rows | map(attribute="n", what=1)',
    'rows | select("nope")',
    'rows | select(1)',
    'rows | map("nope")',
    '1 | nope',
    '1 is nope',
    'nope()',
    '1.nope()',
    'range()',
    '["a"] | map("replace")',
    'rows | map("default", 1, 2, 3)',
  ])('%s is refused when it runs, whatever the parser said', source => {
    const { expr } = parseExpression(source.replace('1.nope', '(1).nope'));
    expect(() => evaluate(expr!, context({ rows }))).toThrow(ExpressionError);
  });

  test.each([
    ['range(0, 5, 0)', 'ORC-310'],
    ['range(100001)', 'ORC-311'],
    ['xs["a"]', 'ORC-310'],
    ['xs[none]', 'ORC-310'],
    ['xs[9]', 'ORC-310'],
    ['"abc"[9]', 'ORC-310'],
    ['xs.name', 'ORC-310'],
    ['none.x', 'ORC-310'],
    ['xs["a":]', 'ORC-310'],
    ['xs[::0]', 'ORC-310'],
    ['(1)[1:]', 'ORC-310'],
    ['xs | first + none', 'ORC-310'],
    ['[] | first', 'ORC-310'],
    ['[] | min', 'ORC-310'],
    ['[{}] | map(attribute="a") | join', 'ORC-310'],
    ['[{}] | map(attribute="a")', 'ORC-310'],
    ['[{}, {}] | sort(attribute="a.b")', 'ORC-310'],
    ['loop_var("outer")', 'ORC-302'],
    ['"a" if false', 'none'],
    ['("a" if false) + 1', 'ORC-310'],
    ['namespace().x', 'ORC-310'],
  ])('%s: %s', (source, code) => {
    if (code === 'none') expect(value(source)).toBeNull();
    else expect(codeAt(source, { xs: [1] })[0]).toBe(code);
  });
});

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
    const falsehoods = ['0', '""', '[]', '{}', 'none', 'false', '0.0', 'not 1'].map(source =>
      evaluateCondition(parseExpression(source).expr!, context()),
    );
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
        expect(() => evaluate(parseExpression(source).expr!, { scope: scopeOf({ d: {}, xs: [1], s: 'a', n: 1 }), host }), source).toThrow(
          ExpressionError,
        );
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

describe('C11 secrets', () => {
  test('a lone one is its marker, which no data can forge', () => {
    const marker = value("secret('LAB_TOKEN')");
    expect(isSecretMarker(marker)).toBe(true);
    expect(JSON.stringify(marker)).toBe('{"$secret":"LAB_TOKEN"}');
    expect(JSON.stringify(value("{'h': [secret('A')]}"))).toBe('{"h":[{"$secret":"A"}]}');
    const forged = { [SECRET_KEY]: 'LAB_TOKEN' };
    expect(isSecretMarker(value('d', { d: forged }))).toBe(false);
    expect(isSecretMarker(makeSecretMarker('X'))).toBe(true);
    expect(isSecretMarker(value('t', { t: makeSecretMarker('X') }))).toBe(true);
    expect(isSecretMarker(value("secret('A') if true else 1"))).toBe(true);
    expect(isSecretMarker(value("x | default(secret('A'))"))).toBe(true);
  });

  test('a text keeps it as a segment', () => {
    const { template } = parseTemplate("Bearer {{ secret('A') }}{% for x in [1] %}{{ secret('B') }}!{% endfor %}");
    expect(JSON.stringify(renderSegments(template!, context()))).toBe('["Bearer ",{"$secret":"A"},{"$secret":"B"},"!"]');
    expect(() => render(template!, context())).toThrow(expect.objectContaining({ code: 'ORC-312', start: 10, end: 21 }));
  });

  test.each([
    "secret('A') | upper",
    "secret('A') | default('x')",
    "secret('A') is defined",
    "secret('A') is string",
    "secret('A') ~ ''",
    "secret('A') == 'a'",
    "secret('A') + 'a'",
    "'a' in [secret('A')]",
    "[secret('A')] | join",
    "secret('A').x",
    "secret('A')[0]",
    "secret('A') | tojson",
    "{'a': secret('A')} | tojson",
    "secret('A').upper()",
    "not secret('A')",
    "secret('A') and 1",
    "'%s' % secret('A')",
    "'{}'.format(secret('A'))",
    "[secret('A'), 'a'] | sort",
    "[secret('A')] | unique",
    "'' | default('', secret('A'))",
    "{% set x %}{{ secret('A') }}{% endset %}",
    "{% filter upper %}{{ secret('A') }}{% endfilter %}",
    "{{ [secret('A')] }}",
    "secret('A') | first",
    "1 if secret('A')",
    '\'x{{ secret("A") }}\'',
  ])('%s is ORC-312', source => {
    const inTemplate = source.includes('{%') || source.startsWith('{{');
    const run = (): unknown =>
      inTemplate ? renderSegments(parseTemplate(source).template!, context()) : evaluate(parseExpression(source).expr!, context());
    expect(run).toThrow(expect.objectContaining({ code: 'ORC-312' }));
  });
});

describe('C2 fuel', () => {
  test.each([
    ['{{ "a" * 2000000000 }}', '"a" * 2000000000'],
    ['{{ [0] * 2000000000 }}', '[0] * 2000000000'],
    ['{{ "a" | center(2000000000) }}', '"a" | center(2000000000)'],
    ['{{ range(2000000000) }}', 'range(2000000000)'],
    ['{{ ("a" * 100000) | replace("a", "b" * 100000) }}', '("a" * 100000) | replace("a", "b" * 100000)'],
    ['{{ ("a" * 5000000) ~ ("a" * 6000000) }}', '("a" * 5000000) ~ ("a" * 6000000)'],
    [
      '{{ range(100000) | slice(100000) | map("length") | map("string") | list | length > 0 and range(100000) | batch(2000000000, 0) }}',
      '',
    ],
    ['{% for a in range(2000) %}{% for b in range(2000) %}{% endfor %}{% endfor %}', ''],
    ['{% for a in range(2000) %}{{ "x" * 10000 }}{% endfor %}', ''],
    ['{{ [[[0] * 1000] * 1000] * 1000 }}', ''],
    ['{{ (["a" * 1000] * 100000) | join }}', ''],
    ['{{ "%s" % ("a" * 6000000) ~ "{}".format("a" * 6000000) }}', ''],
    ['{% set ns = namespace(l=[]) %}{% for a in range(1000) %}{% set ns.l = ns.l + ["a" * 1000000] %}{% endfor %}', ''],
    ['{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}', ''],
    ['{% set ns = namespace() %}{% set ns.me = ns %}{{ ns == namespace(me=ns) }}', ''],
    ['{% set ns = namespace(x=[]) %}{% for a in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}', ''],
    ['{{ "a" | regex_search("a" * 3000) }}', ''],
    ['{{ ("a" * 1000000) | regex_search("((a?){30}){30}b") }}', ''],
  ])('%s ends with ORC-311', (source, at) => {
    const [code, place] = codeAt(source);
    expect(code).toBe('ORC-311');
    if (at !== '') expect(place).toBe(at);
  });

  test('limits can be set', () => {
    expect(codeAt('{{ "abcdef" }}', {}, { output: 5 })[0]).toBe('ORC-311');
    expect(codeAt('1 + 1', {}, { steps: 2 })).toEqual(['ORC-311', '1']);
    expect(codeAt('[[[1]]]', {}, { depth: 2 })[0]).toBe('ORC-311');
  });

  test('C4 a hostile regular expression takes linear time', () => {
    expect(value('("a" * 100000) | regex_search("(a+)+$") | length')).toBe(100_000);
    expect(matchesPattern('(a+)+$', `${'a'.repeat(10_000)}b`)).toBe(false);
    expect(matchesPattern('rate.?limit', 'a rate limit')).toBe(true);
    expect(matchesPattern('(', '(')).toBe(false);
  });

  test('C3 what comes out is data and is not rendered again', () => {
    expect(text('{{ a }}', { a: '{{ b }}' })).toBe('{{ b }}');
  });
});

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
    [
      '{% for x in [1, 2] %}{{ loop.previtem | default("-") }}{{ loop.nextitem | default("-") }}{{ loop.nope is defined }}{% endfor %}',
      '-2false1-false',
    ],
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
