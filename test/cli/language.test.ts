import { chmodSync, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HELLO, makeProject } from './project.ts';

const WRONG = HELLO.replace('action: echo', 'action: ehco').replace('{{ name }}', '{{ nmae }}');

describe('validate', () => {
  test('tells every problem with its frame, and exits 2', async () => {
    const { call } = makeProject({ 'p.yaml': WRONG });
    const { code, out, err } = await call(['validate', 'p.yaml']);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(
      'error[ORC-210 unknown-action]: there is no action called `ehco`\n  --> p.yaml:9:15\n  |\n9 |       action: ehco\n  |               ^^^^ did you mean `echo`?\n',
    );
    expect(err).toContain('error[ORC-302 unknown-variable]: `nmae` is not defined here');
    expect(err).toMatch(/✕ p\.yaml: 2 errors[^\n]*\n$/);
  });

  test('says that a file is valid; --quiet says nothing', async () => {
    const { call } = makeProject({ 'p.yaml': HELLO.replace('    times: { type: integer, default: 1, minimum: 1, maximum: 3 }\n', '') });
    expect(await call(['validate', 'p.yaml'])).toEqual({ code: 0, out: '', err: '✓ p.yaml is valid: 2 tasks\n' });
    expect(await call(['validate', 'p.yaml', '-q'])).toEqual({ code: 0, out: '', err: '' });
  });

  test('--json is the document of the contract; of several files one document of them all', async () => {
    const { call } = makeProject({ 'p.yaml': WRONG, 'q.yaml': HELLO });
    const { code, out } = await call(['validate', 'p.yaml', '--json']);
    const document = JSON.parse(out) as { diagnostics: { code: string; severity: string }[] };
    expect(code).toBe(2);
    expect(document).toMatchObject({ v: 1, file: 'p.yaml', valid: false, pipeline: null, tasks: { greet: [], shout: ['greet'] } });
    expect(document.diagnostics[0]).toMatchObject({
      code: 'ORC-210',
      name: 'unknown-action',
      severity: 'error',
      file: 'p.yaml',
      line: 9,
      column: 15,
      endLine: 9,
      endColumn: 19,
      path: 'pipeline.tasks[0].action',
      related: [],
      fix: null,
    });
    const both = JSON.parse((await call(['validate', 'p.yaml', 'q.yaml', '--json'])).out) as object;
    expect(both).toMatchObject({
      v: 1,
      valid: false,
      files: [
        { file: 'p.yaml', valid: false },
        { file: 'q.yaml', valid: true },
      ],
    });
  });

  test('--format sarif and github are for machines, on stdout', async () => {
    const { call } = makeProject({ 'p.yaml': WRONG });
    expect(JSON.parse((await call(['validate', 'p.yaml', '--format', 'sarif'])).out)).toMatchObject({ version: '2.1.0' });
    expect((await call(['validate', 'p.yaml', '--format', 'github'])).out).toMatch(/^::error file=p\.yaml,line=9,/);
    expect(await call(['validate', 'p.yaml', '--format', 'sarf'])).toMatchObject({ code: 2, err: expect.stringContaining('did you mean `sarif`?') as string });
  });

  test('--fix makes the sure changes and keeps the mode of the file', async () => {
    const { call, folder } = makeProject({ 'p.yaml': HELLO.replace('"Hello, {{ name }}!" }', '{{ name }} }') });
    chmodSync(join(folder, 'p.yaml'), 0o640);
    expect(await call(['validate', 'p.yaml'])).toMatchObject({ code: 2 });
    expect(await call(['validate', 'p.yaml', '--fix'])).toMatchObject({ code: 0, err: expect.stringContaining('fixed 1 problem in p.yaml') as string });
    expect(readFileSync(join(folder, 'p.yaml'), 'utf8')).toContain('{ text: "{{ name }}" }');
    expect(statSync(join(folder, 'p.yaml')).mode & 0o777).toBe(0o640);
  });

  test('reads standard input, and a missing file is 3', async () => {
    const { call } = makeProject({});
    expect(await call(['validate', '-'], { input: HELLO })).toMatchObject({ code: 0 });
    expect(await call(['validate', 'none.yaml'])).toMatchObject({ code: 3, err: 'error[ORC-517 file-not-found]: there is no file none.yaml\n' });
  });

  test('the verdict depends on the file: what the policy denies is a warning, and a broken configuration changes nothing', async () => {
    const pipeline = HELLO.replace(
      'action: echo\n      parameters: { text: "{{ greet.result | upper }}" }',
      'action: shell.run\n      parameters: { command: "ls" }',
    ).replace('{{ shout.result }}', '{{ greet.result }}');
    const { call } = makeProject({ 'p.yaml': pipeline, 'orchestrator.config.yaml': 'modles: {}\n' });
    expect(await call(['validate', 'p.yaml'])).toMatchObject({ code: 0, err: expect.stringContaining('warning[ORC-214 denied-by-policy]') as string });
    expect(await call(['validate', 'p.yaml', '--strict'])).toMatchObject({ code: 0 });
  });

  test('C1 validate makes no state folder and runs nothing', async () => {
    const { call, folder } = makeProject({ 'p.yaml': HELLO });
    await call(['validate', 'p.yaml']);
    expect(() => statSync(join(folder, '.orchestrator'))).toThrow();
  });
});

describe('language tools', () => {
  test('fmt rewrites to the canonical spelling; --check only says so, with exit 1', async () => {
    const { call, folder } = makeProject({
      'p.yaml': HELLO.replace('tasks:', '# what it does\n  steps:').replace('action: echo\n', 'depends_on: []\n      action: echo\n'),
    });
    expect(await call(['fmt', '--check', 'p.yaml'])).toMatchObject({ code: 1, err: 'would rewrite p.yaml\n' });
    expect(await call(['fmt', 'p.yaml'])).toMatchObject({ code: 0, err: 'rewrote p.yaml\n' });
    expect(readFileSync(join(folder, 'p.yaml'), 'utf8')).toContain('# what it does\n  tasks:');
    expect(await call(['fmt', 'p.yaml'])).toMatchObject({ code: 0, err: '1 file already in the canonical spelling\n' });
  });

  test('plan shows the order, --graph a flowchart, --estimate what it would take; it makes no store', async () => {
    const { call, folder } = makeProject({ 'p.yaml': HELLO });
    expect((await call(['plan', 'p.yaml', '-q'])).out).toMatch(/^hello 1\.0 {2}[0-9a-f]{12}\n─ greet: echo\n─ shout: echo {2}← greet\n$/);
    expect((await call(['plan', 'p.yaml', '--graph'])).out).toMatch(/^flowchart TD\n/);
    expect((await call(['plan', 'p.yaml', '--estimate'])).out).toBe(
      'tasks          2\nat once        up to 1\nlongest chain  greet → shout (2)\nmodel calls    none\n\ncost           nothing\nduration       unknown: it has not run here yet\n',
    );
    expect(existsSync(join(folder, '.orchestrator'))).toBe(false);
    await call(['run', 'p.yaml', '-q']);
    expect((await call(['plan', 'p.yaml', '--estimate'])).out).toMatch(
      /\ntask +model +times +calls +expected +p95 +at most +time p50 +p95 +from\ngreet +1 +\d+ ms +\d+ ms\nshout +1 +\d+ ms +\d+ ms\n\ncost +nothing\nduration +[\d.]+ m?s expected, [\d.]+ m?s in 95 of 100 runs \(of 1 run before\)\n$/,
    );
    const { estimate } = JSON.parse((await call(['plan', 'p.yaml', '--estimate', '--json'])).out) as { estimate: object };
    expect(estimate).toMatchObject({ tasks: 2, runs: 1, cost: { expectedUsd: 0, worstUsd: 0 }, duration: { basis: 'history' }, unknown: [] });
    expect(JSON.parse((await call(['plan', 'p.yaml', '--json'])).out)).toMatchObject({ v: 1, levels: [['greet'], ['shout']] });
  });

  test.each(['ORC-301', '301', 'unclosed-auto'])('explain knows %s', async word => {
    const { call } = makeProject({});
    expect((await call(['explain', word])).out).toContain('ORC-301 unclosed-auto');
  });

  test('explain of an unknown code is not found', async () => {
    expect(await makeProject({}).call(['explain', 'unclosed-atuo'])).toMatchObject({
      code: 3,
      err: expect.stringContaining('orchestrator explain unclosed-auto') as string,
    });
  });

  test('schema is JSON Schema, of pipelines and of the configuration', async () => {
    const { call } = makeProject({});
    expect(JSON.parse((await call(['schema'])).out)).toHaveProperty('$schema');
    expect(JSON.parse((await call(['schema', 'config'])).out)).toMatchObject({ properties: { policy: {}, models: {} } });
  });

  test('actions lists them all, and one with its parameters', async () => {
    const { call } = makeProject({});
    const rows = (await call(['actions', '--output', 'plain'])).out
      .trimEnd()
      .split('\n')
      .map(line => line.split('\t'));
    expect(rows.find(row => row[0] === 'shell.run')?.slice(1, 3)).toEqual(['effectful', 'shell']);
    expect((await call(['actions', 'echo'])).out).toMatch(/^echo {2}.*\n\n/);
    expect(await call(['actions', 'ehco'])).toMatchObject({ code: 3, err: expect.stringContaining('orchestrator actions echo') as string });
  });

  test('actions sync records own actions of a trusted configuration; validate then knows them', async () => {
    const module =
      "export const greet = { name: 'own.greet', summary: 'Greets', effect: 'pure', powers: [], parameters: { type: 'object', properties: { who: { type: 'string' } }, required: ['who'] }, result: { type: 'string' }, run: ({ who }) => `Hi ${who}` };\n";
    const pipeline = HELLO.replace(
      'action: echo\n      parameters: { text: "Hello, {{ name }}!" }',
      'action: own.greet\n      parameters: { who: "{{ name }}" }',
    );
    const { call } = makeProject({ 'actions/own.mjs': module, 'p.yaml': pipeline, 'orchestrator.config.yaml': 'actions: [./actions/own.mjs]\n' });
    expect(await call(['actions', 'sync'])).toMatchObject({ code: 4, err: expect.stringContaining('orchestrator trust') as string });
    await call(['trust']);
    expect(await call(['actions', 'sync'])).toMatchObject({ code: 0, err: '✓ recorded 1 action of 1 module in orchestrator.actions.json\n' });
    expect(await call(['validate', 'p.yaml', '-q'])).toMatchObject({ code: 0 });
    expect(await call(['run', 'p.yaml', '-q'])).toMatchObject({ code: 0, out: 'HI WORLD\n' });
  });
});

describe('eval', () => {
  test('evaluates an expression, a template, a context, standard input', async () => {
    const { call } = makeProject({ 'c.json': '{"xs": [1, 2, 3]}' });
    expect((await call(['eval', '[1, 2, 3] | sum'])).out).toBe('6\n');
    expect((await call(['eval', 'xs | length', '--context', 'c.json', '--json'])).out).toBe('{"value":3}\n');
    expect((await call(['eval', '--template', 'n={{ xs | length }}', '--context', 'c.json'])).out).toBe('n=3\n');
    expect((await call(['eval', '-'], { input: '1 + 1\n' })).out).toBe('2\n');
  });

  test('shows where in the text a mistake is, and exits 2', async () => {
    const { call } = makeProject({});
    expect(await call(['eval', 'xs | lenght'])).toMatchObject({ code: 2, err: expect.stringMatching(/ORC-306[^]*<text>:1:6[^]*\^{6}/) as string });
    expect(await call(['eval', 'nothing.here'])).toMatchObject({ code: 2, err: expect.stringContaining('ORC-302') as string });
  });

  test('sees the inputs and results of a recorded run', async () => {
    const { call } = makeProject({ 'p.yaml': HELLO });
    await call(['run', 'p.yaml', '-q', '-i', 'name=Ada']);
    expect((await call(['eval', 'name ~ ": " ~ greet.result', '--run', 'last'])).out).toBe('Ada: Hello, Ada!\n');
    expect((await call(['eval', 'greet.result | length', '--run', 'last:shout'])).out).toBe('11\n');
    expect(await call(['eval', '1', '--run', 'last:shuot'])).toMatchObject({ code: 3, err: expect.stringContaining('did you mean `shout`?') as string });
  });
});
