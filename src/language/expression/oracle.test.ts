import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseTemplate, render, scopeOf } from './index.ts';
import type { JsonObject } from '../../json.ts';

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'));
const oracle = read('./jinja-oracle.json') as { ctx: JsonObject; cases: { t: string; out: string }[] };
/** Where this language is not Jinja2, and why; docs/reference/templates.md lists the reasons. */
const differences = read('./jinja-differences.json') as { template: string; ours: string; what: string }[];
const host = { now: () => 0, fileExists: () => false, file: () => '' };

function outcome(text: string): string {
  const { template, problems } = parseTemplate(text);
  return problems[0]?.code ?? render(template!, { scope: scopeOf(oracle.ctx), host });
}

describe('what Jinja2 3.1.6 rendered', () => {
  const known = new Map(differences.map(difference => [difference.template, difference]));

  test.each(oracle.cases.filter(({ t }) => !known.has(t)))('is what we render: $t', ({ t, out }) => {
    expect(outcome(t)).toBe(out);
  });

  test.each(differences)('differs on purpose ($what): $template', ({ template, ours }) => {
    expect(outcome(template)).toBe(ours);
    expect(oracle.cases.find(({ t }) => t === template)?.out).not.toBe(ours);
  });

  test('covers 95 templates, and no difference without one', () => {
    expect(oracle.cases).toHaveLength(95);
    expect(differences.filter(({ template }) => !oracle.cases.some(({ t }) => t === template))).toEqual([]);
  });
});
