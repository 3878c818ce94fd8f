import { describe, expect, test } from 'vitest';
import { value, text, codeAt } from '../../../test/support/expressions.ts';
import { matchesPattern } from './index.ts';

describe('C2 fuel', () => {
  test.each([
    ['{{ "a" * 2000000000 }}', '"a" * 2000000000'],
    ['{{ [0] * 2000000000 }}', '[0] * 2000000000'],
    ['{{ "a" | center(2000000000) }}', '"a" | center(2000000000)'],
    ['{{ range(2000000000) }}', 'range(2000000000)'],
    ['{{ ("a" * 100000) | replace("a", "b" * 100000) }}', '("a" * 100000) | replace("a", "b" * 100000)'],
    ['{{ ("a" * 5000000) ~ ("a" * 6000000) }}', '("a" * 5000000) ~ ("a" * 6000000)'],
    ['{{ range(100000) | slice(100000) | map("length") | map("string") | list | length > 0 and range(100000) | batch(2000000000, 0) }}', ''],
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
