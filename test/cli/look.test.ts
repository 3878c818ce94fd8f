import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ASKING, BROKEN, HELLO, makeProject, steady, type Project } from './project.ts';

/** A project with one run of a pipeline. */
async function ran(pipeline: string, ...args: string[]): Promise<Project> {
  const project = makeProject({ 'p.yaml': pipeline });
  await project.call(['run', 'p.yaml', '-q', ...args]);
  return project;
}

describe('looking', () => {
  test('runs lists them, filters, and prints for people, scripts and programs', async () => {
    const { call } = await ran(BROKEN);
    await call(['run', 'p.yaml', '-q', '--tag', 'nightly']);
    expect(steady((await call(['runs'])).out).split('\n')[1]).toMatch(/^RUN +✕ failed +broken +just now +N s +\d\/3 +(boom: )?the press is broken$/);
    expect((await call(['runs', '--output', 'plain', '--tag', 'nightly'])).out.split('\t').slice(1, 4)).toEqual(['failed', '', 'broken']);
    expect(JSON.parse((await call(['runs', '--json', '--limit', '1'])).out) as { runs: object[]; more: boolean }).toMatchObject({
      v: 1,
      runs: [{ status: 'failed', tags: ['nightly'] }],
      more: true,
    });
    expect(await call(['runs', '--status', 'completed'])).toMatchObject({ out: '', err: 'No run matches. All of them: orchestrator runs\n' });
    expect(await call(['runs', '--status', 'compelted'])).toMatchObject({ code: 2 });
  });

  test('show tells the verdict, where it failed, each task, inputs and what next', async () => {
    const { call } = await ran(BROKEN);
    const { code, out } = await call(['show', 'last-failed']);
    expect(code).toBe(0);
    expect(steady(out)).toBe(`✕ broken failed after N s  RUN
  1 of 3 tasks done · 1 failed · 1 skipped

error[ORC-220 assertion-failed]: \`boom\` failed: the press is broken
  --> p.yaml:8:11
  |
8 |     - id: boom
  |           ^^^^
  |
  = note: 1 of 3 tasks is done and kept; 1 that needs it was skipped
  = help: orchestrator explain ORC-220
  = help: orchestrator retry RUN

${steady(out)
  .split('\n')
  .filter(line => /^(task|first|boom|after) /.test(line))
  .join('\n')}

Next
  orchestrator retry RUN
  orchestrator show RUN --task 'boom'
  orchestrator logs RUN
`);
  });

  test('show --task shows one task; an unknown one is not found', async () => {
    const { call } = await ran(HELLO);
    expect((await call(['show', 'last', '--task', 'greet'])).out).toMatch(/^✓ greet completed \n {2}action {4}echo\n[^]*\nOutput\n {2}Hello, world!\n$/);
    expect(await call(['show', 'last', '--task', 'gret'])).toMatchObject({ code: 3, err: expect.stringContaining('did you mean `greet`?') as string });
    expect(await call(['show', 'run_none'])).toMatchObject({ code: 3 });
  });

  test('show --json is the document that run --json printed', async () => {
    const project = makeProject({ 'p.yaml': HELLO });
    const { out } = await project.call(['run', 'p.yaml', '--json']);
    expect((await project.call(['show', 'last', '--json'])).out).toBe(out);
  });

  test('logs prints what tasks logged, by level and task', async () => {
    const { call } = await ran(
      HELLO.replaceAll('action: echo', 'action: log').replace('text: "{{ greet.result | upper }}"', 'text: "{{ greet.result | upper }}", level: warn'),
    );
    const lines = (await call(['logs', 'last'])).out.trimEnd().split('\n');
    expect(lines.map(line => line.replace(/^\S+ +/, ''))).toEqual(['info  greet  Hello, world!', 'warn  shout  HELLO, WORLD!']);
    expect((await call(['logs', 'last', '--level', 'warn', '--output', 'ndjson'])).out).toMatch(
      /^{"v":1,"run":"run_\w+","seq":\d+,"at":"[^"]+","level":"warn","path":"shout","text":"HELLO, WORLD!"}\n$/,
    );
    expect((await call(['logs', 'last', '--task', 'greet'])).out.split('\n')).toHaveLength(2);
  });

  test('diff tells what came out differently', async () => {
    const { call } = await ran(HELLO);
    const first = (JSON.parse((await call(['runs', '--json'])).out) as { runs: { run: string }[] }).runs[0]!.run;
    await call(['run', 'p.yaml', '-q', '-i', 'name=Ada']);
    const { out } = await call(['diff', first, 'last']);
    expect(out).toContain('input    name\n  - world\n  + Ada\n');
    expect(out).toContain('output   greeting\n  - HELLO, WORLD!\n  + HELLO, ADA!\n');
    expect(await call(['diff', 'last', 'last'])).toMatchObject({ code: 0, err: 'The two runs came to the same.\n' });
    expect(JSON.parse((await call(['diff', first, 'last', '--json'])).out)).toMatchObject({
      differences: [{ kind: 'input', at: 'name', a: 'world', b: 'Ada' }, { kind: 'result' }, { kind: 'result' }, { kind: 'output' }],
    });
  });

  test('auto explain says where answers came from, and the receipt says that a default was taken', async () => {
    const project = makeProject({ 'p.yaml': HELLO.replace('"Hello, {{ name }}!"', '<AUTO default="Hey">a greeting</AUTO>') });
    const { err } = await project.call(['run', 'p.yaml']);
    expect(err).toContain('  AUTO: took the default of greet.parameters.text ("Hey"): no model is configured\n');
    expect((await project.call(['auto', 'explain', 'last'])).out).toBe('greet.parameters.text = "Hey"\n  from its default (no model is configured)\n');
  });

  test('report writes one file', async () => {
    const { call, folder } = await ran(BROKEN);
    expect(await call(['report', 'last', '--html', 'r.html'])).toMatchObject({ code: 0, err: 'report: r.html\n' });
    const page = readFileSync(join(folder, 'r.html'), 'utf8');
    expect(page).toContain('What went wrong');
    expect(page).toContain('the press is broken');
    expect((await call(['report', 'last', '--html', '-'])).out).toMatch(/^<!doctype html>/);
  });
});

test('watch of a run that nobody drives says so and how to go on, with the exit code of the run', async () => {
  const { call } = await ran(ASKING);
  const { code, err } = await call(['watch', 'last']);
  expect(code).toBe(5);
  expect(steady(err)).toContain('nobody drives it now; go on with it: orchestrator resume RUN\n');
});

describe('acting', () => {
  test('retry runs failed tasks again and keeps the rest', async () => {
    const { call } = await ran(BROKEN);
    const { code, out } = await call(['retry', 'last', '--json']);
    const { tasks } = JSON.parse(out) as { tasks: Record<string, { attempts: number }> };
    expect([code, tasks['first']!.attempts, tasks['boom']!.attempts]).toEqual([1, 1, 2]);
  });

  test('fork starts a new run that keeps what came before, with a value changed', async () => {
    const { call } = await ran(HELLO);
    const { code, out } = await call(['fork', 'last', '--at', 'shout', '--set', 'greet.output=bye', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ parent: { at: 'shout' }, outputs: { greeting: 'BYE' } });
    expect(await call(['fork', 'last'])).toMatchObject({ code: 2, err: expect.stringContaining('--at TASK') as string });
  });

  test('cancel ends a waiting run; what cannot be done says why and exits 2', async () => {
    const { call } = await ran(ASKING);
    expect(await call(['cancel', 'last'])).toMatchObject({ code: 0, err: expect.stringContaining('✓ cancelled') as string });
    expect(await call(['show', 'last', '--json'])).toMatchObject({ out: expect.stringContaining('"status": "cancelled"') as string });
    expect(await call(['cancel', 'last'])).toMatchObject({ code: 2, err: expect.stringContaining('ORC-508') as string });
    expect(await call(['settle', 'last', 'review'])).toMatchObject({ code: 2, err: expect.stringContaining('--as') as string });
    expect(await call(['signal', 'last', 'x', '{oops'])).toMatchObject({ code: 2, err: expect.stringContaining('is not JSON') as string });
  });

  test('runs delete takes a run away, prune old ones, and --dry-run only says so', async () => {
    const { call } = await ran(HELLO);
    await call(['run', 'p.yaml', '-q']);
    expect((await call(['prune', '--keep', '0s', '--dry-run'])).out.trimEnd().split('\n')).toHaveLength(2);
    expect(await call(['runs', 'delete', 'last'])).toMatchObject({ code: 0, err: expect.stringContaining('deleted 1 run') as string });
    expect(await call(['prune', '--keep', '0s'])).toMatchObject({
      code: 0,
      err: expect.stringContaining('deleted 1 run that ended more than 0s ago') as string,
    });
    expect((await call(['runs', '--output', 'plain'])).out).toBe('');
    expect(await call(['prune', '--keep', 'soon'])).toMatchObject({ code: 2 });
  });
});
