import { describe, expect, it } from 'vitest';
import { edges } from './block.ts';
import { decodePlan, encodePlan } from './codec.ts';
import { diagnosticDocument, validationDocument } from './document.ts';
import { estimate, planLevels } from './estimate.ts';
import { setup, tasks } from './fixture.ts';
import { graph, graphText } from './graph.ts';

const REPORT = `name: research
version: "1.0"
inputs: { topic: { type: string } }
tasks:
  - id: search
    action: web_search
    parameters: { query: "{{ topic }}" }
  - id: read
    for_each: "{{ search.results }}"
    max_parallel: 4
    tasks:
      - { id: fetch, action: filesystem.read, parameters: { path: "{{ item.url }}" } }
      - { id: sum, action: generate_text, parameters: { prompt: "{{ fetch.content }}" } }
  - { id: check, action: approval, condition: read.count > 0, on_false: tidy, parameters: { prompt: <AUTO>ask "nicely"</AUTO> } }
  - { id: publish, action: shell.run, dependencies: [check], parameters: { command: x } }
  - { id: tidy, action: echo, parameters: { text: x } }
`;

describe('hashes', () => {
  const hashOf = (text: string, file = 'p.yaml', files = {}): string => setup(text, { file, files }).plan.hash;

  it('S11 do not depend on the name of the file, comments, layout, spelling and order of keys', () => {
    const hash = hashOf(REPORT);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(hashOf(REPORT, 'elsewhere/q.yaml')).toBe(hash);
    expect(hashOf(`# a comment\n\n${REPORT.replaceAll('{{ ', '{{').replaceAll(' }}', ' }}')}`)).not.toBe(undefined);
    expect(hashOf(`# a comment\n${REPORT}`)).toBe(hash);
    expect(
      hashOf(
        REPORT.replace('tasks:', 'steps:')
          .replace('dependencies: [check]', 'depends_on: check')
          .replace('condition: read.count > 0', 'if: "{{ read.count > 0 }}"')
          .replace('"{{ search.results }}"', '"{{search.results}}"'),
      ),
    ).toBe(hash);
    expect(hashOf(REPORT.replace('{ id: tidy, action: echo, parameters: { text: x } }', '{ action: echo, parameters: { text: "x" }, id: tidy }'))).toBe(hash);
    const open = (parameters: string): string => hashOf(tasks(`  - { id: a, action: open, parameters: ${parameters} }\n`));
    expect(open('{ x: { a: 1, b: [2, "{{ execution.id }}"] }, kind: a }')).toBe(open('{ kind: a, x: { b: [2, "{{ execution.id }}"], a: 1 } }'));
  });

  it.each([
    ['a parameter', 'text: x', 'text: y'],
    ['a dependency', 'dependencies: [check], ', ''],
    ['a route', ', on_false: tidy', ''],
    ['a question', 'nicely', 'kindly'],
    ['a body', 'fetch.content', 'fetch.path'],
    ['a limit', 'max_parallel: 4', 'max_parallel: 5'],
    ['an input', 'type: string', 'type: file'],
    ['the version', '"1.0"', '"1.1"'],
    ['the policy', 'on_false: tidy', 'on_false: tidy, on_failure: skip'],
    ['a time-out', 'on_false: tidy', 'on_false: tidy, timeout: 5'],
    ['a retry', 'on_false: tidy', 'on_false: tidy, retry: { max_attempts: 2 }'],
    ['a handler', 'on_false: tidy', 'on_false: tidy, on_error: [{ fallback_value: 1 }]'],
  ])('change with %s', (_what, from, to) => {
    expect(REPORT).toContain(from);
    expect(hashOf(REPORT.replace(from, to))).not.toBe(hashOf(REPORT));
  });

  it.each([
    ['on_ambiguous: skip', 'on_ambiguous: retry'],
    ['cache: { key: a, ttl: 5 }', 'cache: { key: a, ttl: 6 }'],
    ['cache: { key: a }', 'cache: { key: b }'],
    ['cache: false', 'description: x'],
    ['model: a', 'model: b'],
    ['on_failure: skip', 'on_failure: continue'],
    ['condition: "true"', 'condition: "1"'],
    ['timeout: 5', 'timeout: 6'],
    ['retry: { max_attempts: 2 }', 'retry: { max_attempts: 2, jitter: false }'],
    ['on_error: [{ fallback_value: 1, retry: true }]', 'on_error: [{ fallback_value: 1, retry: true, max_retries: 2 }]'],
  ])('change from %s to %s', (from, to) => {
    const [before, after] = [from, to].map(key => hashOf(tasks(`  - { id: a, action: shell.run, ${key}, parameters: { command: x } }\n`)));
    expect(before).not.toBe(after);
  });

  it.each([
    ['while: "true"', 'while: "1"'],
    ['until: "true"', 'until: "1"'],
    ['until: "true"\n    max_iterations: 3', 'until: "true"\n    max_iterations: 4'],
    ['for_each: [1]', 'for_each: [2]'],
    ['for_each: [1]\n    loop_name: c', 'for_each: [1]\n    loop_name: b'],
  ])('of a loop change from %s to %s', (from, to) => {
    const [before, after] = [from, to].map(keys =>
      hashOf(tasks(`  - id: l\n    ${keys}\n    tasks:\n      - { id: a, action: echo, parameters: { text: x } }\n`)),
    );
    expect(before).not.toBe(after);
  });

  it('of a task change with its definition alone, not with how hard it is tried', () => {
    const before = setup(REPORT);
    const after = setup(
      REPORT.replace('text: x', 'text: y').replace('max_parallel: 4', 'max_parallel: 9').replace('on_false: tidy', 'on_false: tidy, timeout: 5'),
    );
    for (const path of ['search', 'read', 'read/fetch', 'check', 'publish']) expect(after.task(path).hash).toBe(before.task(path).hash);
    expect(after.task('tidy').hash).not.toBe(before.task('tidy').hash);
    expect(setup(REPORT.replace('fetch.content', 'fetch.path')).task('read').hash).not.toBe(before.task('read').hash);
    expect(before.task('search').hash).toMatch(/^[0-9a-f]{16}$/);
  });

  it('change with what is included, for the task that includes it', () => {
    const text = tasks(
      "  - { id: a, action: echo, parameters: { text: \"{{ file('x.md') }}{{ file('y.md') }}\" } }\n  - { id: b, action: echo, parameters: { text: x } }\n",
    );
    const [one, two] = ['1', '2'].map(content => setup(text, { files: { 'x.md': content, 'y.md': 'y' } }));
    expect(one!.plan.hash).not.toBe(two!.plan.hash);
    expect(one!.task('a').hash).not.toBe(two!.task('a').hash);
    expect(one!.task('b').hash).toBe(two!.task('b').hash);
  });

  it('cover all kinds of things', () => {
    const all =
      `name: p\ndescription: d\nbudget: { usd: 1 }\ntimeout: 5\nconcurrency: 2\ndefaults: { model: m }\ninputs: { n: { type: integer, default: <AUTO default="3" model="m">?</AUTO> } }\ntasks:\n  - { id: a, action: shell.run, cache: { key: "{{ n }}", ttl: 5 }, on_ambiguous: skip, parameters: { command: x } }\n` +
      '  - { id: b, action: echo, on_success: d, on_failure: d, parameters: { text: <AUTO>a <AUTO>b</AUTO></AUTO> }, on_error: [{ action: echo, parameters: { text: x } }] }\n  - { id: d, action: pipeline.run, parameters: { file: i.yaml } }\non_error: [{ action: echo, parameters: { text: x } }]\n';
    const files = { 'i.yaml': 'name: i\ntasks:\n  - { id: c, action: echo, parameters: { text: x } }\noutputs: { x: 1 }\n' };
    expect(hashOf(all, 'p.yaml', files)).toBe(hashOf(all, 'p.yaml', files));
    expect(hashOf(all, 'p.yaml', { 'i.yaml': files['i.yaml'].replace('x: 1', 'x: 2') })).not.toBe(hashOf(all, 'p.yaml', files));
    expect(hashOf(all.replace('b</AUTO>', 'c</AUTO>'), 'p.yaml', files)).not.toBe(hashOf(all, 'p.yaml', files));
  });
});

describe('codec', () => {
  it('reads what it wrote', () => {
    const { plan } = setup(REPORT);
    expect(decodePlan(encodePlan(plan))).toEqual(plan);
  });

  it.each([
    ['{', 'ORC-504'],
    ['[]', 'ORC-504'],
    ['{"hash":"x"}', 'ORC-504'],
    ['{"hash":"x","blocks":[],"format":2}', 'ORC-502'],
  ])('refuses %s', (text, code) => {
    expect(() => decodePlan(text)).toThrow(expect.objectContaining({ code }));
  });
});

it('edges of a block are packed, and made once', () => {
  const block = setup(REPORT).plan.blocks[0]!;
  const { waiting, start, dependants } = edges(block);
  expect([...waiting]).toEqual([0, 1, 1, 1, 1]);
  expect(Array.from(dependants.slice(start[2], start[3]))).toEqual([3, 4]);
  expect(edges(block)).toBe(edges(block));
});

describe('validate --json', () => {
  it('is the document of the contract', () => {
    const { result } = setup(REPORT);
    expect(validationDocument(result, 'p.yaml')).toEqual({
      v: 1,
      file: 'p.yaml',
      valid: true,
      pipeline: { name: 'research', version: '1.0', hash: result.plan!.hash },
      tasks: { search: [], read: ['search'], 'read/fetch': [], 'read/sum': ['fetch'], check: ['read'], publish: ['check'], tidy: [] },
      diagnostics: [],
    });
  });

  it('tells every problem with its place, and who waits for whom also then', () => {
    const { result } = setup(
      tasks(
        '  - { id: a, action: web_search, parameters: { max_results: "5" } }\n  - { id: b, action: echo, dependencies: [a, c], parameters: { text: x } }\n',
      ),
    );
    const document = validationDocument(result, 'p.yaml');
    expect(document).toMatchObject({ valid: false, pipeline: null, tasks: { a: [], b: ['a'] } });
    expect(document.diagnostics[0]).toMatchObject({
      code: 'ORC-212',
      name: 'parameter-type',
      severity: 'error',
      file: 'p.yaml',
      line: 4,
      column: 61,
      endLine: 4,
      endColumn: 64,
      path: 'pipeline.tasks[0].parameters.max_results',
      related: [],
      fix: { title: 'remove the quotes: max_results: 5', edits: [{ line: 4, column: 61, endLine: 4, endColumn: 64, text: '5' }] },
    });
    expect(document.diagnostics[1]).toMatchObject({
      code: 'ORC-201',
      line: 5,
      column: 46,
      fix: null,
      related: [{ message: 'a similar task is here', file: 'p.yaml', line: 4, column: 11 }],
    });
  });

  it('has empty lists and nulls where a problem says no more', () => {
    const source = { file: 'x', text: 'a', lineStarts: [0] };
    expect(diagnosticDocument({ code: 'ORC-100', severity: 'error', message: 'm', source, span: { start: 0, end: 1 } })).toEqual({
      code: 'ORC-100',
      name: 'yaml-syntax',
      severity: 'error',
      message: 'm',
      file: 'x',
      line: 1,
      column: 1,
      endLine: 1,
      endColumn: 2,
      path: null,
      related: [],
      notes: [],
      help: [],
      fix: null,
    });
  });
});

describe('plan', () => {
  it('--estimate tells what holds for every run', () => {
    const { plan } = setup(REPORT);
    expect(estimate(plan)).toEqual({
      tasks: 7,
      criticalPath: ['search', 'read/fetch', 'read/sum', 'check', 'publish'],
      parallel: 4,
      modelCalls: 2,
      autoTags: 1,
      loops: [{ path: 'read', kind: 'for_each', times: null }],
      waits: [{ path: 'check', kind: 'approval' }],
      effectful: ['publish'],
      providers: ['search'],
    });
    expect(planLevels(plan)).toEqual([['search'], ['read'], ['check'], ['publish', 'tidy']]);
  });

  it('--estimate counts loops whose length the file says', () => {
    let number = 0;
    const loop = (head: string): string => `  - id: l${++number}\n    ${head}\n    tasks:\n      - { id: t, action: sleep, parameters: { duration: 1 } }\n`;
    const { plan } = setup(
      `name: p\nconcurrency: 2\n${tasks(loop('for_each: [1, 2]') + loop('for_each: [1, "{{ execution.id }}"]') + loop('while: "true"\n    max_iterations: 7') + loop('until: "true"') + loop('for_each: "{{ [1] }}"') + loop('for_each: { a: 1 }')).slice(8)}`,
    );
    expect(estimate(plan)).toMatchObject({ loops: [{ times: 2 }, { times: 2 }, { times: 7 }, { times: null }, { times: null }, { times: null }], parallel: 2 });
  });

  it('--graph draws a Mermaid flowchart', () => {
    expect(graph(setup(REPORT).plan)).toBe(`flowchart TD
  b0t0["search: web_search"]
  subgraph b0t1["read: for_each"]
    b1t0["fetch: filesystem.read"]
    b1t1["sum: generate_text"]
    b1t0 --> b1t1
  end
  b0t2["check: approval"]
  b0t3["publish: shell.run"]
  b0t4["tidy: echo"]
  b0t0 --> b0t1
  b0t1 --> b0t2
  b0t2 -. on_false .-> b0t4
  b0t2 --> b0t3
`);
  });

  it('--graph draws for a terminal', () => {
    expect(graphText(setup(REPORT).plan)).toBe(`─ search: web_search
─ read: for_each      ← search
│ ─ fetch: filesystem.read
│ ─ sum: generate_text      ← fetch
─ check: approval     ← read  on_false → tidy
┬ publish: shell.run  ← check
└ tidy: echo
`);
    const group = tasks(
      '  - id: g\n    parallel:\n      - { id: a, action: echo, parameters: { text: x } }\n      - { id: b, action: echo, parameters: { text: x }, on_failure: c }\n      - { id: c, action: echo, parameters: { text: x } }\n      - { id: d, action: echo, parameters: { text: x }, on_success: e, on_error: [{ task: h }] }\n      - { id: e, action: echo, parameters: { text: x } }\n      - { id: h, action: echo, parameters: { text: x } }\n',
    );
    expect(graphText(setup(group).plan)).toBe(
      '─ g: parallel\n  ┬ a: echo\n  ├ b: echo            on_failure → c\n  ├ d: echo            on_success → e\n  └ h: echo (handler)\n  ┬ c: echo\n  └ e: echo\n',
    );
  });
});
