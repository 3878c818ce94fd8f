import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PIPELINE_KEYS, TASK_KEYS } from '../src/language/keys.ts';
import {
  ACTION_SPELLINGS,
  HANDLER_SPELLINGS,
  INPUT_SPELLINGS,
  INPUT_TYPES,
  MATCH_SPELLINGS,
  PIPELINE_SPELLINGS,
  RETRY_SPELLINGS,
  TASK_SPELLINGS,
  TOOLS,
} from '../src/language/spellings.ts';
import { compile } from '../src/plan/compile.ts';
import { actionSpecs } from '../src/tools/index.ts';

const root = join(import.meta.dirname, '..');

/** Type and fields of every event, as `src/engine/event.ts` declares them. */
function declaredEvents(): Map<string, string[]> {
  const source = readFileSync(join(root, 'src/engine/event.ts'), 'utf8');
  const lines = source.slice(source.indexOf('export type Event ='), source.indexOf('export type EventType')).replaceAll(/\s+/g, ' ');
  const union = lines.replaceAll(/; \}/g, ' }').replaceAll(' | { type:', '\n| { type:').replaceAll(/;? ?$/gm, '');
  const events = new Map<string, string[]>();
  for (const [, type, rest] of union.matchAll(/\| \{ type: '([a-z.]+)'; at: number;?\s*(.*?) \}$/gm)) {
    const flat = rest!.replaceAll(/\{[^{}]*\}/g, 'object');
    events.set(
      type!,
      [...flat.matchAll(/(?:^|; )(\w+)\??:/g)].map(match => match[1]!),
    );
  }
  return events;
}

/** The same, as docs/reference/events.md tells it. */
function documentedEvents(): Map<string, string[]> {
  const page = readFileSync(join(root, 'docs/reference/events.md'), 'utf8');
  return new Map(
    [...page.matchAll(/^\| `([a-z.]+)` \|[^|]+\|(.*)\|$/gm)].map(([, type, fields]) => [type!, fields!.replaceAll('`', '').trim().split(' ').filter(Boolean)]),
  );
}

describe('the reference of events', () => {
  it('names every event of the journal with its fields, and no other', () => {
    const declared = declaredEvents();
    expect(declared.size).toBeGreaterThan(30);
    expect(Object.fromEntries(documentedEvents())).toEqual(Object.fromEntries(declared));
  });
});

/** The tables of docs/reference/language.md, as the code has them. */
function languageTables(): { [name: string]: string } {
  const keys = (table: { readonly [key: string]: string }): string =>
    ['| key | meaning |', '|---|---|', ...Object.entries(table).map(([key, text]) => `| \`${key}\` | ${text} |`)].join('\n');
  const spellings = [
    ...Object.entries(PIPELINE_SPELLINGS).map(([accepted, canonical]) => [`\`${accepted}\` of a pipeline`, `\`${canonical}\``]),
    ...Object.entries(TASK_SPELLINGS).map(([accepted, canonical]) => [`\`${accepted}\` of a task`, `\`${canonical}\``]),
    ...Object.entries(RETRY_SPELLINGS).map(([accepted, canonical]) => [`\`${accepted}\` of a retry`, `\`${canonical}\``]),
    ...Object.entries({ ...HANDLER_SPELLINGS, ...MATCH_SPELLINGS }).map(([accepted, canonical]) => [`\`${accepted}\` of a handler`, `\`${canonical}\``]),
    ...Object.entries({ ...INPUT_SPELLINGS, ...INPUT_TYPES }).map(([accepted, canonical]) => [`\`${accepted}\` of an input`, `\`${canonical}\``]),
    ...Object.entries(ACTION_SPELLINGS).map(([accepted, canonical]) => [`\`action: ${accepted}\``, `\`${canonical}\``]),
    ...Object.entries(TOOLS).flatMap(([tool, { operations, fixed = {} }]) =>
      Object.entries(operations).map(([operation, canonical]) => [
        `\`tool: ${tool}\` with \`action: ${operation}\``,
        [`\`${canonical}\``, ...Object.entries(fixed[operation] ?? {}).map(([key, value]) => `with \`${key}: ${value}\``)].join(' '),
      ]),
    ),
  ];
  return {
    pipeline: keys(PIPELINE_KEYS),
    task: keys(TASK_KEYS),
    spellings: ['| accepted | canonical |', '|---|---|', ...spellings.map(([accepted, canonical]) => `| ${accepted} | ${canonical} |`)].join('\n'),
  };
}

describe('the reference of the language', () => {
  const file = join(root, 'docs/reference/language.md');
  for (const [name, table] of Object.entries(languageTables())) {
    it(`holds the table of ${name} as the code has it (UPDATE=1 rewrites it)`, () => {
      const page = readFileSync(file, 'utf8');
      const between = new RegExp(`(<!-- ${name} -->\n)[^]*?(\n<!-- end -->)`);
      if (process.env['UPDATE'] === '1')
        writeFileSync(
          file,
          page.replace(between, (_, before: string, after: string) => before + table + after),
        );
      expect(between.exec(readFileSync(file, 'utf8'))?.[0]).toBe(`<!-- ${name} -->\n${table}\n<!-- end -->`);
    });
  }
});

/** What older pipelines write, what it is called here, and what is in its result. */
const OLDER: [tool: string, operations: string, canonical: string, result: string[] | 'text' | 'anything'][] = [
  ['filesystem', 'read read_file', 'filesystem.read', ['path', 'content', 'size']],
  ['filesystem', 'write write_file', 'filesystem.write', ['path', 'size']],
  ['filesystem', 'append', 'filesystem.append', ['path', 'size']],
  ['filesystem', 'copy', 'filesystem.copy', ['source', 'path']],
  ['filesystem', 'move', 'filesystem.move', ['source', 'path']],
  ['filesystem', 'delete', 'filesystem.delete', ['path', 'deleted']],
  ['filesystem', 'list list_directory', 'filesystem.list', ['path', 'files', 'count']],
  ['filesystem', 'exists', 'filesystem.exists', ['path', 'exists']],
  ['terminal', 'execute', 'shell.run', ['stdout', 'stderr', 'return_code', 'duration_ms']],
  ['python-executor', 'execute', 'python.run', ['stdout', 'stderr', 'return_code', 'duration_ms']],
  ...['convert', 'filter', 'aggregate', 'transform', 'join', 'sort'].map((name): (typeof OLDER)[number] => [
    'data-processing',
    name,
    `data.${name}`,
    'anything',
  ]),
  ['data-processing', 'profile', 'data.profile', 'anything'],
  ['validation', 'validate', 'validate', ['valid', 'errors', 'data']],
  ['report-generator', 'generate', 'report.generate', ['path', 'size']],
  ['pdf-compiler', 'compile', 'pdf.write', ['path', 'size']],
  ['web-search', 'search', 'web_search', ['results', 'count']],
  ['headless-browser', 'search', 'web_search', ['results', 'count']],
  ['headless-browser', 'scrape', 'web_fetch', ['url', 'title', 'text', 'links']],
  ...['get', 'post', 'request'].map((name): (typeof OLDER)[number] => [
    'http-client',
    name,
    `http.${name}`,
    ['status', 'headers', 'body', 'url', 'duration_ms'],
  ]),
  ['http-client', 'put patch delete head', 'http.request', ['status', 'headers', 'body', 'url', 'duration_ms']],
  ['', 'generate_text generate generate-text', 'generate_text', 'text'],
  ['', 'generate_structured generate-structured', 'generate_structured', 'anything'],
  ['', 'analyze_text analyze', 'analyze_text', ['analysis']],
  ['', 'web-search.search search_web', 'web_search', ['results', 'count']],
  ['', 'terminal.execute', 'shell.run', ['stdout', 'stderr', 'return_code', 'duration_ms']],
  ['', 'python-executor.execute', 'python.run', ['stdout', 'stderr', 'return_code', 'duration_ms']],
  ['', 'http-client', 'http.request', ['status', 'headers', 'body', 'url', 'duration_ms']],
  ['', 'evaluate_condition', 'evaluate_condition', ['result']],
  ['', 'echo print display', 'echo', 'anything'],
  ['', 'log', 'log', 'anything'],
  ['', 'fail', 'fail', 'anything'],
  ['', 'assert', 'assert', ['passed']],
];

describe('the actions of older pipelines', () => {
  const specs = new Map(actionSpecs().map(spec => [spec.name, spec]));
  const cases = OLDER.flatMap(([tool, operations, canonical, result]) => operations.split(' ').map(operation => ({ tool, operation, canonical, result })));

  it.each(cases)('$tool $operation is $canonical', ({ tool, operation, canonical, result }) => {
    const text = `name: p\ntasks:\n  - { id: t, ${tool === '' ? '' : `tool: ${tool}, `}action: ${operation} }\n`;
    const { pipeline, diagnostics } = compile({ file: 'p.yaml', text, read: () => null, actions: [...specs.values()] });
    expect(pipeline!.tasks[0]!.action?.name).toBe(canonical);
    expect(diagnostics.filter(({ code }) => code === 'ORC-210')).toEqual([]);
    const schema = specs.get(canonical)?.result;
    if (Array.isArray(result)) expect(Object.keys((schema as { properties: object }).properties)).toEqual(expect.arrayContaining(result));
    else if (result === 'text') expect(schema).toMatchObject({ type: 'string' });
    else expect(schema).toBeDefined();
  });

  it('none of the tables leads to an action that does not exist', () => {
    const named = [
      ...Object.values(ACTION_SPELLINGS),
      ...Object.values(TOOLS).flatMap(({ operations, otherwise }) => [...Object.values(operations), otherwise]),
    ];
    expect(named.filter(name => !specs.has(name))).toEqual([]);
    const covered = new Set(cases.map(({ tool, operation }) => `${tool} ${operation}`));
    const synonyms = ['terminal run', 'python-executor run'];
    const all = Object.entries(TOOLS).flatMap(([tool, { operations }]) => Object.keys(operations).map(operation => `${tool} ${operation}`));
    expect(all.filter(pair => !covered.has(pair) && !synonyms.includes(pair))).toEqual([]);
  });
});
