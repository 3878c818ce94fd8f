import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { FILTERS, FUNCTIONS, FUNCTION_NAMES, METHODS, parseTemplate, renderSegments, scopeOf, TESTS, type Operation } from './index.ts';

const page = new URL('../../../docs/reference/templates.md', import.meta.url);
const host = { now: () => Date.UTC(2026, 0, 2), fileExists: () => true, file: () => 'Hello' };
const scope = scopeOf({ outer: { index: 2, item: 'x' } });

function outcome(template: string): string {
  const parsed = parseTemplate(template);
  expect(parsed.problems).toEqual([]);
  return renderSegments(parsed.template!, { scope, host })
    .map(segment => (typeof segment === 'string' ? segment : JSON.stringify(segment).replace(':', ': ')))
    .join('');
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', '↵');
const code = (text: string): string => (text.includes('`') ? `\`\` ${cell(text)} \`\`` : `\`${cell(text)}\``);

function table(operations: readonly Operation[]): string {
  const rows = operations.map(({ signature, summary, example, result }) => `| ${code(signature)} | ${cell(summary)} | ${code(example)} | ${code(result)} |`);
  return ['| | | example | gives |', '|---|---|---|---|', ...rows].join('\n');
}

function differences(): string {
  const all = JSON.parse(readFileSync(new URL('./jinja-differences.json', import.meta.url), 'utf8')) as { template: string; ours: string; what: string }[];
  const first = new Map(all.toReversed().map(each => [each.what, each]));
  const rows = Array.from(first.values(), ({ template, ours, what }) => `| ${cell(what)} | ${code(template)} | ${code(ours)} |`).toReversed();
  return ['| | for example | gives |', '|---|---|---|', ...rows].join('\n');
}

describe.each([
  ['filters', FILTERS],
  ['tests', TESTS],
  ['functions', FUNCTIONS],
  ['methods', METHODS],
])('the table of %s', (_name, operations) => {
  test.each(operations.map(each => [each.signature, each] as const))('%s: its example gives what it says', (_signature, { name, example, result, summary }) => {
    expect(outcome(example)).toBe(result);
    expect(example).toContain(name);
    expect(summary).toMatch(/\.$/);
  });

  test('has no name twice', () => {
    expect(new Set(operations.map(each => each.name)).size).toBe(operations.length);
  });
});

/** Every filter of Jinja2 3.1 but `random`, and those of LANGUAGE.md. */
const PROMISED =
  'abs attr batch capitalize center count d default dictsort e escape filesizeformat first float forceescape format groupby indent int items join last length list lower map max min pprint reject rejectattr replace reverse round safe select selectattr slice sort string striptags sum title tojson trim truncate unique upper urlencode urlize wordcount wordwrap xmlattr ' +
  'slugify from_json to_json json basename dirname date truncate_words regex_replace regex_search split markdown_format number_format duration_format';

test('every filter that is promised is there', () => {
  expect(FILTERS.map(each => each.name)).toEqual(PROMISED.split(' ').sort());
  expect([...FUNCTION_NAMES]).toEqual(['dict', 'file', 'file_exists', 'loop_var', 'namespace', 'now', 'range', 'secret']);
});

test('the page has the tables that the code has (vitest -u writes them)', async () => {
  const tables: Record<string, string> = {
    filters: table(FILTERS),
    tests: table(TESTS),
    functions: table(FUNCTIONS),
    methods: table(METHODS),
    differences: differences(),
  };
  const written = readFileSync(page, 'utf8').replace(
    /<!-- (\w+) -->[^]*?<!-- end -->/g,
    (_all, name: string) => `<!-- ${name} -->\n${tables[name]}\n<!-- end -->`,
  );
  await expect(written).toMatchFileSnapshot(page.pathname);
});
