import { describe, expect, test } from 'vitest';
import type { Json } from '../../json.ts';
import { value, codeAt } from '../../../test/support/expressions.ts';

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
    ["'{:,} {:_} {:.1%} {:b} {:#b} {:#o} {:g}'.format(1234567, 1234567, 0.25, 5, 5, 8, 2.5)", '1,234,567 1_234_567 25.0% 101 0b101 0o10 2.5'],
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
