import { describe, expect, test } from 'vitest';
import { context, value } from '../../../test/support/expressions.ts';
import { evaluate, isSecretMarker, makeSecretMarker, parseExpression, parseTemplate, render, renderSegments, SECRET_KEY } from './index.ts';

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
    "[secret('A')] | map('default', 1)",
    "'' | default('', secret('A'))",
    "{% set x %}{{ secret('A') }}{% endset %}",
    "{% filter upper %}{{ secret('A') }}{% endfilter %}",
    "{{ [secret('A')] }}",
    "secret('A') | first",
    "1 if secret('A')",
    '\'x{{ secret("A") }}\'',
  ])('%s is ORC-312', source => {
    const inTemplate = source.includes('{%') || source.startsWith('{{');
    const run = (): unknown => (inTemplate ? renderSegments(parseTemplate(source).template!, context()) : evaluate(parseExpression(source).expr!, context()));
    expect(run).toThrow(expect.objectContaining({ code: 'ORC-312' }));
  });
});
