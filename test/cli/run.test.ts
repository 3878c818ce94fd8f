import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ASKING, BROKEN, HELLO, makeProject, steady } from './project.ts';

const SLOW = `pipeline:
  name: slow
  version: "1.0"
  tasks:
    - id: one
      action: shell.run
      parameters: { command: "sleep 0.6" }
    - id: two
      action: echo
      dependencies: [one]
      parameters: { text: done }
`;
const TRUSTED = { ORCHESTRATOR_TRUST: '1' };
const ALLOW_SHELL = 'policy: { shell: allow }\n';

describe('run', () => {
  test('prints the one output as it is, and tells the rest on stderr', async () => {
    const { call } = makeProject({ 'hello.yaml': HELLO });
    const { code, out, err } = await call(['run', 'hello.yaml', '-i', 'name=Ada']);
    expect([code, out]).toEqual([0, 'HELLO, ADA!\n']);
    expect(steady(err)).toBe(`● hello  RUN
  ✓ greet                 N s
  ✓ shout                 N s
✓ hello completed after N s  RUN
  2 of 2 tasks done
  next: orchestrator show RUN
`);
  });

  test('--quiet leaves stderr empty', async () => {
    const { call } = makeProject({ 'hello.yaml': HELLO });
    expect(await call(['run', 'hello.yaml', '--quiet'])).toEqual({ code: 0, out: 'HELLO, WORLD!\n', err: '' });
  });

  test('--json prints exactly one document', async () => {
    const { call } = makeProject({ 'hello.yaml': HELLO });
    const { code, out } = await call(['run', 'hello.yaml', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      v: 1,
      status: 'completed',
      success: true,
      outputs: { greeting: 'HELLO, WORLD!' },
      order: ['greet', 'shout'],
      next: [],
    });
  });

  test('--output ndjson streams events of version 1, the document last', async () => {
    const { call } = makeProject({ 'hello.yaml': HELLO });
    const { out } = await call(['run', 'hello.yaml', '--output', 'ndjson']);
    const events = out
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as { v: number; type: string; path?: string });
    expect(events.every(event => event.v === 1)).toBe(true);
    expect(events.map(event => event.type)).toEqual(expect.arrayContaining(['run.created', 'run.started', 'task.completed', 'run.ended']));
    expect(events.at(-1)?.type).toBe('run.result');
  });

  test('a failed run shows where, what was kept and what to do, and exits 1', async () => {
    const { call } = makeProject({ 'broken.yaml': BROKEN });
    const { code, out, err } = await call(['run', 'broken.yaml']);
    expect([code, out]).toEqual([1, '']);
    expect(steady(err)).toBe(`● broken  RUN
  ✓ first                 N s
  ✕ boom                  N s  ORC-220: the press is broken
  ⊘ after                 skipped: something it needs failed (boom)
error[ORC-220 assertion-failed]: \`boom\` failed: the press is broken
  --> broken.yaml:8:11
  |
8 |     - id: boom
  |           ^^^^
  |
  = note: 1 of 3 tasks is done and kept; 1 that needs it was skipped
  = help: orchestrator explain ORC-220
  = help: orchestrator retry RUN

✕ broken failed after N s  RUN
  1 of 3 tasks done · 1 failed · 1 skipped
  next: orchestrator retry RUN
        orchestrator show RUN --task 'boom'
        orchestrator logs RUN
`);
  });

  test('every problem of the inputs is told at once, with where it was declared, and exits 2', async () => {
    const { call } = makeProject({ 'p.yaml': HELLO.replace('default: world', 'description: Whom to greet') });
    const { code, out, err } = await call(['run', 'p.yaml', '-i', 'times=many', '-i', 'nmae=Ada']);
    expect([code, out]).toEqual([2, '']);
    expect(err).toBe(`error[ORC-117 unknown-input]: the pipeline has no input \`nmae\`
  = help: did you mean \`name\`?

error[ORC-115 input-type]: the input \`times\` must be an integer from 1 to 3
  --> p.yaml:6:5
  |
6 |     times: { type: integer, default: 1, minimum: 1, maximum: 3 }
  |     ^^^^^ was given the text "many"
  |

error[ORC-116 missing-input]: the input \`name\` was not given
  --> p.yaml:5:5
  |
5 |     name: { type: string, description: Whom to greet }
  |     ^^^^ has no default
  |
  = note: name: string - Whom to greet
  = help: give it: -i name=…
`);
  });

  test('what was meant is said: a file, an option, an input, a task', async () => {
    const { call } = makeProject({ 'hello.yaml': HELLO, 'sub/other.yaml': HELLO });
    const told = async (...args: string[]): Promise<[number, string]> => {
      const { code, err } = await call(args);
      return [code, err.split('\n').slice(0, 2).join('\n')];
    };
    expect(await told('run', 'helo.yaml')).toEqual([3, 'error[ORC-517 file-not-found]: there is no file helo.yaml\n  = help: did you mean hello.yaml?']);
    expect(await told('validate', 'sub')).toEqual([3, 'error[ORC-517 file-not-found]: sub is a folder, and not a file\n  = help: there is: sub/other.yaml']);
    expect(await told('run', 'nowhere/x.yaml')).toEqual([3, 'error[ORC-517 file-not-found]: there is no file nowhere/x.yaml\n']);
    expect(await told('run', 'hello.yaml', 'name=Ada')).toEqual([
      2,
      'error[ORC-518 usage]: `run` was given more arguments than it takes\n  = help: inputs are given with -i: -i name=Ada',
    ]);
    expect(await told('--jsn', 'runs')).toEqual([2, 'error[ORC-518 usage]: `runs` has no option `--jsn`\n  = help: did you mean `--json`?']);
    expect(await told('run', 'hello.yaml', '--until', 'shoot')).toEqual([
      2,
      'error[ORC-201 unknown-dependency]: there is no task `shoot` to run until\n  = help: did you mean `shout`?',
    ]);
    expect(await told('run', 'hello.yaml', '--until', 'nothing_like_it')).toEqual([
      2,
      'error[ORC-201 unknown-dependency]: there is no task `nothing_like_it` to run until\n  = help: tasks: greet, shout',
    ]);
  });

  test('inputs come from a file, and over it from the command line, @FILE read', async () => {
    const { call, folder } = makeProject({ 'hello.yaml': HELLO, 'in.json': '{"name": "Bob", "times": 2}', 'name.txt': 'Eve' });
    const { out } = await call(['run', 'hello.yaml', '--inputs', 'in.json', '-i', 'name=@name.txt', '--json']);
    expect((JSON.parse(out) as { inputs: object }).inputs).toEqual({ name: 'Eve', times: 2 });
    writeFileSync(join(folder, 'in.json'), '[1]');
    expect(await call(['run', 'hello.yaml', '--inputs', 'in.json'])).toMatchObject({ code: 2 });
    expect(await call(['run', 'hello.yaml', '--inputs', 'none.json'])).toMatchObject({ code: 3 });
  });

  test('S11 resume --pipeline goes on under a mended file in a new run, and refuses one that would do again what is done', async () => {
    const { call, folder } = makeProject({ 'broken.yaml': BROKEN });
    expect(await call(['run', 'broken.yaml', '-q'])).toMatchObject({ code: 1 });
    writeFileSync(join(folder, 'broken.yaml'), BROKEN.replace('text: fine', 'text: better'));
    const refused = await call(['resume', 'last', '--pipeline', 'broken.yaml']);
    expect(refused.code).toBe(2);
    expect(steady(refused.err)).toBe(`error[ORC-508 run-state]: \`first\` completed in RUN, and broken.yaml would do it otherwise
  = help: go on as it was: orchestrator resume RUN
  = help: do them again, in a new run: orchestrator fork RUN --pipeline broken.yaml
`);
    writeFileSync(join(folder, 'broken.yaml'), BROKEN.replace('action: fail', 'action: echo').replace('message:', 'text:'));
    const { code, out } = await call(['resume', 'last', '--pipeline', 'broken.yaml', '--json']);
    const document = JSON.parse(out) as { parent: { run: string }; tasks: Record<string, { attempts: number; output: unknown }> };
    expect([code, document.tasks['first'], document.tasks['boom']]).toMatchObject([
      0,
      { attempts: 0, output: 'fine' },
      { attempts: 1, output: 'the press is broken' },
    ]);
    expect(JSON.parse((await call(['show', document.parent.run, '--json'])).out)).toMatchObject({ status: 'failed' });
    const again = await call(['fork', 'last', '--pipeline', 'broken.yaml', '--at', 'first', '--json']);
    expect(JSON.parse(again.out)).toMatchObject({ status: 'completed', tasks: { first: { attempts: 1 } } });
    expect(await call(['resume', 'last', '--pipeline', 'none.yaml'])).toMatchObject({ code: 3 });
  });

  test('S11 a run that waits goes on under another file, and is cancelled', async () => {
    const { call, folder } = makeProject({ 'asking.yaml': ASKING });
    expect(await call(['run', 'asking.yaml', '-q'])).toMatchObject({ code: 5 });
    writeFileSync(join(folder, 'asking.yaml'), ASKING.replace('"Publish?"', '"Publish it now?"'));
    const { code, out } = await call(['resume', 'last', '--pipeline', 'asking.yaml', '--json']);
    const { parent, status, run } = JSON.parse(out) as { parent: { run: string }; status: string; run: string };
    expect([code, status]).toEqual([5, 'waiting']);
    expect(JSON.parse((await call(['show', parent.run, '--json'])).out)).toMatchObject({ status: 'cancelled' });
    expect((await call(['resume', 'last', '--pipeline', 'asking.yaml'])).err).toContain('asks: Publish it now?');
    expect(JSON.parse((await call(['show', 'last', '--json'])).out)).toMatchObject({ run });
  });

  test('--mock takes a result, --until stops after a task, and resume goes on', async () => {
    const { call } = makeProject({ 'hello.yaml': HELLO, 'greet.json': '"Salut"' });
    const first = await call(['run', 'hello.yaml', '--mock', 'greet=@greet.json', '--until', 'greet', '--json']);
    const document = JSON.parse(first.out) as { status: string; tasks: Record<string, { status: string; output: unknown }> };
    expect([first.code, document.status, document.tasks['greet']!.output, document.tasks['shout']!.status]).toEqual([0, 'paused', 'Salut', 'pending']);
    expect(await call(['resume', 'last', '--quiet'])).toMatchObject({ code: 0, out: 'SALUT\n' });
  });

  test('S1 the same key is the same run; with other inputs it is a conflict', async () => {
    const { call } = makeProject({ 'hello.yaml': HELLO });
    const ids = [await call(['run', 'hello.yaml', '--key', 'k', '--json']), await call(['run', 'hello.yaml', '--key', 'k', '--json'])].map(
      ({ out }) => (JSON.parse(out) as { run: string }).run,
    );
    expect(ids[0]).toBe(ids[1]);
    expect(await call(['run', 'hello.yaml', '--key', 'k', '-i', 'name=Bob'])).toMatchObject({ code: 2, err: expect.stringContaining('ORC-509') as string });
  });

  test('an invalid pipeline exits 2, a missing one 3, a usage mistake 2', async () => {
    const { call } = makeProject({ 'bad.yaml': HELLO.replace('action: echo', 'action: ehco') });
    expect(await call(['run', 'bad.yaml', '--json'])).toMatchObject({ code: 2, out: '', err: expect.stringContaining('did you mean `echo`?') as string });
    expect(await call(['run', 'none.yaml'])).toMatchObject({ code: 3 });
    expect(await call(['run'])).toMatchObject({ code: 2, err: 'error[ORC-518 usage]: `run` needs FILE\n  = help: orchestrator help run\n' });
    expect(await call(['rnu'])).toMatchObject({ code: 2, err: expect.stringContaining('did you mean `run`?') as string });
  });

  test('an approval without a terminal exits 5; approve and resume complete the run', async () => {
    const { call } = makeProject({ 'asking.yaml': ASKING });
    const waiting = await call(['run', 'asking.yaml', '--json']);
    const { run, next } = JSON.parse(waiting.out) as { run: string; next: string[] };
    expect(waiting.code).toBe(5);
    expect(next).toEqual([`orchestrator approve ${run} 'review' --choice publish`]);
    expect(await call(['approve', run, 'review', '--choice', 'burn'])).toMatchObject({ code: 2 });
    expect(await call(['approve', run, 'review', '--choice', 'drop'])).toMatchObject({ code: 0 });
    expect(await call(['resume', run, '--quiet'])).toMatchObject({ code: 0, out: 'drop\n' });
  });

  test('--report writes a page that asks for nothing and runs nothing', async () => {
    const { call, folder } = makeProject({ 'hello.yaml': HELLO });
    await call(['run', 'hello.yaml', '-i', 'name=<script>alert(1)</script>', '--report', 'r.html']);
    const page = readFileSync(join(folder, 'r.html'), 'utf8');
    expect(page).toContain('Completed');
    expect(page).not.toMatch(/<script(?! type="application\/json")|src=|href=|@import|url\((?!#hatch)/);
  });
});

describe('stopping', () => {
  test('Ctrl-C lets running tasks finish, says how to go on and exits 130; resume runs nothing twice', async () => {
    const { start, call } = makeProject({ 'slow.yaml': SLOW, 'orchestrator.config.yaml': ALLOW_SHELL });
    const { child, outcome, said } = start(['run', 'slow.yaml', '-v'], TRUSTED);
    await said('● slow');
    await new Promise(resolve => setTimeout(resolve, 300));
    child.kill('SIGINT');
    const { code, err } = await outcome;
    expect(code).toBe(130);
    expect(steady(err)).toContain('stopping: nothing new is started; 1 running task finishes (Ctrl-C again: stop now)');
    expect(steady(err)).toContain('next: orchestrator resume RUN');
    const resumed = await call(['resume', 'last', '--json'], { env: TRUSTED });
    expect(resumed.code).toBe(0);
    expect((JSON.parse(resumed.out) as { tasks: Record<string, { attempts: number }> }).tasks['one']!.attempts).toBe(1);
  });

  test('a second Ctrl-C stops at once', async () => {
    const { start } = makeProject({ 'slow.yaml': SLOW.replace('0.6', '30'), 'orchestrator.config.yaml': ALLOW_SHELL });
    const { child, outcome, said } = start(['run', 'slow.yaml'], TRUSTED);
    await said('● slow');
    await new Promise(resolve => setTimeout(resolve, 300));
    child.kill('SIGINT');
    await said('Ctrl-C again');
    child.kill('SIGINT');
    expect(await outcome).toMatchObject({ code: 130, err: expect.stringContaining('orchestrator resume run_') as string });
  });

  test('SIGTERM drains and exits 143', async () => {
    const { start } = makeProject({ 'slow.yaml': SLOW, 'orchestrator.config.yaml': ALLOW_SHELL });
    const { child, outcome, said } = start(['run', 'slow.yaml'], TRUSTED);
    await said('● slow');
    await new Promise(resolve => setTimeout(resolve, 300));
    child.kill('SIGTERM');
    expect(await outcome).toMatchObject({ code: 143 });
  });
});

describe('elsewhere than at a terminal', () => {
  test('lines hold no carriage return, no colour and no cursor movement', async () => {
    const { call } = makeProject({ 'broken.yaml': BROKEN });
    const { err } = await call(['run', 'broken.yaml']);
    expect(err).not.toMatch(/[\r\u001b]/);
  });

  test('C20 what a task says cannot steer the terminal', async () => {
    const { call } = makeProject({ 'p.yaml': HELLO.replace('"Hello, {{ name }}!"', '"\\e[2J{{ name }}"').replace('action: echo', 'action: log') });
    const { err } = await call(['run', 'p.yaml']);
    expect(err).toContain('\\x1b[2Jworld');
    expect(err).not.toContain('\u001b');
  });

  test('FORCE_COLOR colours, NO_COLOR and --no-color win over it', async () => {
    const { call } = makeProject({ 'hello.yaml': HELLO });
    expect((await call(['run', 'hello.yaml'], { env: { FORCE_COLOR: '1' } })).err).toContain('\u001b[');
    expect((await call(['run', 'hello.yaml'], { env: { FORCE_COLOR: '1', NO_COLOR: '1' } })).err).not.toContain('\u001b[');
    expect((await call(['run', 'hello.yaml', '--no-color'], { env: { FORCE_COLOR: '1' } })).err).not.toContain('\u001b[');
  });

  test('GitHub gets groups, an annotation at the line of the failure, and a summary', async () => {
    const { call, folder } = makeProject({ 'broken.yaml': BROKEN.replace('action: echo', 'action: log') });
    const { err } = await call(['run', 'broken.yaml'], { env: { GITHUB_ACTIONS: 'true', GITHUB_STEP_SUMMARY: 'summary.md' } });
    expect(steady(err)).toContain('::group::✓ first');
    expect(err).toContain('::error file=broken.yaml,line=8,endLine=8,col=11,endColumn=15,title=ORC-220 assertion-failed::`boom` failed: the press is broken');
    expect(readFileSync(join(folder, 'summary.md'), 'utf8')).toContain('### ✕ broken failed');
  });

  test('--detach prints the id at once, and the run goes on', async () => {
    const { call } = makeProject({ 'hello.yaml': HELLO });
    const { code, out } = await call(['run', 'hello.yaml', '--detach', '--quiet']);
    expect([code, steady(out)]).toEqual([0, 'RUN\n']);
    expect(await call(['watch', out.trim(), '--quiet'])).toMatchObject({ code: 0, out: 'HELLO, WORLD!\n' });
  });

  test('--detach of a pipeline with a mistake says what is wrong, with its exit code', async () => {
    const { call } = makeProject({ 'bad.yaml': HELLO.replace('action: echo', 'action: ehco') });
    expect(await call(['run', 'bad.yaml', '--detach'])).toMatchObject({ code: 2, out: '', err: expect.stringContaining('ORC-210') as string });
  });
});

test('a project without runs says what to do', async () => {
  const { call, folder } = makeProject({});
  expect(await call(['runs'])).toEqual({
    code: 0,
    out: '',
    err: 'No runs yet. Start one: orchestrator run FILE, or write a first pipeline: orchestrator init\n',
  });
  expect(existsSync(join(folder, '.orchestrator'))).toBe(true);
});
