import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/specs.ts';
import { HELLO, makeProject, steady } from './project.ts';

const SHELL = HELLO.replace(
  'action: echo\n      parameters: { text: "{{ greet.result | upper }}" }',
  'action: shell.run\n      parameters: { command: "echo from the shell" }',
).replace('{{ shout.result }}', '{{ shout.result.stdout }}');

describe('help', () => {
  test('--version and version say the version', async () => {
    const { call } = makeProject({});
    expect((await call(['--version'])).out).toMatch(/^orchestrator \d+\.\d+\.\d+\n$/);
    expect(JSON.parse((await call(['version', '--json'])).out)).toMatchObject({ v: 1, node: process.versions.node });
  });

  test('without a command, and for each command, there is help on stdout', async () => {
    const { call } = makeProject({});
    const { code, out } = await call([]);
    expect(code).toBe(0);
    for (const spec of COMMANDS) expect(out).toContain(spec.name.split(' ')[0]);
    expect((await call(['help', 'run'])).out).toContain('--until <task>');
    expect((await call(['run', '--help'])).out).toBe((await call(['help', 'run'])).out);
    expect(Math.max(...out.split('\n').map(line => line.length))).toBeLessThanOrEqual(80);
  });

  test('--help and --version load neither YAML nor a model library', async () => {
    const { folder } = makeProject({});
    const main = join(import.meta.dirname, '../../src/cli/main.ts');
    const loaded = (argument: string): string[] => {
      const probe = join(folder, 'probe.mjs');
      writeFileSync(
        probe,
        `import { registerHooks } from 'node:module';\nconst seen = [];\nregisterHooks({ load: (url, context, next) => { if (url.startsWith('file:')) seen.push(url); return next(url, context); } });\nprocess.on('exit', () => console.error(JSON.stringify(seen)));\n`,
      );
      const script = `${process.execPath} --import ${probe} ${main} ${argument} 2>&1 >/dev/null | tail -1`;
      return (JSON.parse(execFileSync('sh', ['-c', script], { encoding: 'utf8' })) as string[])
        .filter(url => !url.endsWith('probe.mjs'))
        .map(url => url.replace(/.*\/(src|node_modules)\//, ''));
    };
    expect(loaded('--version').sort()).toEqual(['cli/main.ts', 'cli/version.ts']);
    expect(
      loaded('--help')
        .filter(url => !url.startsWith('cli/') && !url.startsWith('commander/'))
        .sort(),
    ).toEqual(['codes.ts', 'errors.ts', 'ids.ts']);
  });
});

describe('configuration', () => {
  test('a mistake in it is told with its place, and exits 2', async () => {
    const { call } = makeProject({ 'p.yaml': HELLO, 'orchestrator.config.yaml': 'limits:\n  taks: 5\n' });
    expect(await call(['run', 'p.yaml'])).toEqual({
      code: 2,
      out: '',
      err: 'error[ORC-119 bad-configuration]: the configuration has no key `limits.taks`\n  --> orchestrator.config.yaml:2:3\n  |\n2 |   taks: 5\n  |   ^^^^ did you mean `tasks`?\n  |\n',
    });
  });

  test('power that nobody granted is left out and said; trust grants it, and an edit takes it back', async () => {
    const { call, folder } = makeProject({ 'p.yaml': SHELL, 'orchestrator.config.yaml': 'policy: { shell: allow }\n' });
    const denied = await call(['run', 'p.yaml']);
    expect(denied.code).toBe(1);
    expect(denied.err).toContain(
      'warning[ORC-510 not-trusted]: `policy.shell` was left out: it lets pipelines start programs, and nobody has trusted this file\n  --> orchestrator.config.yaml:1:18\n',
    );
    expect(denied.err).toContain('orchestrator trust orchestrator.config.yaml');
    expect(await call(['trust'])).toMatchObject({
      code: 0,
      err: '✓ orchestrator.config.yaml is trusted, as it is now; it grants:\n  orchestrator.config.yaml:1  policy.shell lets pipelines start programs\n',
    });
    expect(await call(['run', 'p.yaml', '-q'])).toEqual({ code: 0, out: 'from the shell\n', err: '' });
    writeFileSync(join(folder, 'orchestrator.config.yaml'), 'policy: { shell: allow } # edited\n');
    expect(await call(['run', 'p.yaml', '-q'])).toMatchObject({ code: 1 });
    expect(await call(['run', 'p.yaml', '-q', '--config', 'orchestrator.config.yaml'])).toMatchObject({ code: 0 });
    expect(await call(['run', 'p.yaml', '-q'], { env: { ORCHESTRATOR_TRUST: '1' } })).toMatchObject({ code: 0 });
    await call(['trust']);
    await call(['trust', '--revoke']);
    expect(await call(['run', 'p.yaml', '-q'])).toMatchObject({ code: 1 });
  });

  test('what has no effect is told once by a run, and by doctor; those who only look are not told', async () => {
    const { call } = makeProject({ 'p.yaml': HELLO, 'orchestrator.config.yaml': 'server: { port: 1 }\n' });
    const { code, err } = await call(['run', 'p.yaml']);
    expect(code).toBe(0);
    expect(err).toContain(`warning[ORC-519 no-effect]: \`server\` is not acted on by this version: there is no \`serve\`
  --> orchestrator.config.yaml:1:1
  |
1 | server: { port: 1 }
  | ^^^^^^ has no effect yet
  |
  = help: run pipelines in the background: orchestrator run FILE --detach
`);
    expect(err.match(/ORC-519/g)).toHaveLength(1);
    expect((await call(['run', 'p.yaml', '-q'])).err).toBe('');
    expect((await call(['runs'])).err).not.toContain('ORC-519');
    expect((await call(['doctor', '--offline'])).out).toContain('! configuration orchestrator.config.yaml:1: `server` is not acted on by this version');
  });

  test('limits hold for run as they do for validate', async () => {
    const { call } = makeProject({ 'p.yaml': HELLO, 'orchestrator.config.yaml': 'limits: { tasks: 1 }\n' });
    for (const command of ['validate', 'run'])
      expect(await call([command, 'p.yaml'])).toMatchObject({ code: 2, err: expect.stringContaining('ORC-605') as string });
  });

  test('ORCHESTRATOR_STATE_URL wins, and --env chooses a variant', async () => {
    const { call } = makeProject({ 'p.yaml': HELLO, 'orchestrator.config.yaml': 'environments: { side: { state: { url: "sqlite:side.db" } } }\n' });
    await call(['run', 'p.yaml', '-q', '--env', 'side']);
    expect((await call(['runs', '--output', 'plain'])).out).toBe('');
    expect((await call(['runs', '--output', 'plain', '--env', 'side'])).out).not.toBe('');
    expect((await call(['runs', '--output', 'plain'], { env: { ORCHESTRATOR_STATE_URL: 'sqlite:side.db' } })).out).not.toBe('');
    expect(await call(['runs', '--env', 'sied'])).toMatchObject({ code: 2, err: expect.stringContaining('did you mean `side`?') as string });
  });

  test('S5 a run that is set apart is not forgotten: `runs` says so', async () => {
    const { call, folder } = makeProject({ 'p.yaml': HELLO });
    await call(['run', 'p.yaml', '-q']);
    const db = new DatabaseSync(join(folder, '.orchestrator/state.db'));
    db.exec("UPDATE runs SET status = 'failed'");
    db.close();
    const { out, err } = await call(['runs']);
    expect(out).toBe('');
    expect(steady(err)).toBe(`✕ 1 run is set apart and not served: RUN
  the row of RUN does not hold what was written to it
  what it means: orchestrator explain ORC-504
`);
    expect(JSON.parse((await call(['runs', '--json'])).out)).toMatchObject({ runs: [], setApart: [{ what: expect.any(String) as string }] });
  });

  test('doctor says what is not ready and how to mend it, and exits 4', async () => {
    const { call } = makeProject({
      'orchestrator.config.yaml': 'models: { default: lab/x, providers: { lab: { type: openai-compatible, base_url: "http://127.0.0.1:9" } } }\n',
    });
    const { code, out } = await call(['doctor']);
    expect(code).toBe(4);
    expect(out).toMatch(/✕ models +lab: /);
    expect(out).toMatch(/\nNot ready: 1 problem\.\n$/);
    expect(await call(['doctor', '--offline'])).toMatchObject({ code: 0 });
    expect(JSON.parse((await call(['doctor', '--json'])).out)).toMatchObject({ v: 1, ready: false });
  });
});

describe('beginning', () => {
  test('what init writes is valid and runs', async () => {
    const { call, folder } = makeProject({});
    expect(await call(['init', 'demo', '--yes'])).toMatchObject({ code: 0, out: '' });
    expect(await call(['validate', 'demo/pipeline.yaml', '-q', '--strict'])).toMatchObject({ code: 0 });
    expect(await call(['run', 'demo/pipeline.yaml', '--json', '-i', 'name=Ada'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('Hello, Ada!') as string,
    });
    expect(readFileSync(join(folder, 'greeting.txt'), 'utf8')).toBe('Hello, Ada!');
    expect(await call(['init', 'demo', '--yes'])).toMatchObject({ code: 2, err: expect.stringContaining('--force') as string });
    expect(await call(['init', 'other', '--model', 'local/smollm2', '--name', 'x', '-y'])).toMatchObject({ code: 0 });
    expect(await call(['doctor', '--offline', '--config', 'other/orchestrator.config.yaml'])).toMatchObject({ code: 0 });
  });

  test('completions are scripts that their shells can read', async () => {
    const { call, folder } = makeProject({});
    const script = (await call(['completions', 'bash'])).out;
    writeFileSync(
      join(folder, 'c.bash'),
      `${script}\nCOMP_WORDS=(orchestrator res); COMP_CWORD=1; _orchestrator; echo "\${COMPREPLY[@]}"\nCOMP_WORDS=(orchestrator validate --str); COMP_CWORD=2; _orchestrator; echo "\${COMPREPLY[@]}"\n`,
    );
    expect(execFileSync('bash', [join(folder, 'c.bash')], { encoding: 'utf8' })).toBe('resume\n--strict\n');
    for (const shell of ['zsh', 'fish']) expect((await call(['completions', shell])).out).toContain('validate');
    expect(await call(['completions', 'fsih'])).toMatchObject({ code: 2, err: expect.stringContaining('orchestrator completions fish') as string });
  });
});

test('a fault of the program exits 70 and says where its report lies, without the secrets that it was given', async () => {
  const { call, folder } = makeProject({ 'p.yaml': HELLO });
  const probe = join(folder, 'fault.mjs');
  writeFileSync(
    probe,
    "import { registerHooks } from 'node:module';\nregisterHooks({ load: (url, context, next) => (url.endsWith('/commands/runs.ts') ? { format: 'module', source: 'throw new Error(\"lost: \" + process.env.API_KEY)', shortCircuit: true } : next(url, context)) });\n",
  );
  const { code, err } = await call(['runs'], { env: { NODE_OPTIONS: `--import ${probe}`, API_KEY: 'sk-very-secret' } });
  expect(code).toBe(70);
  const path = /the details are in\s+(\S+)/.exec(err)![1]!;
  const report = readFileSync(join(folder, path), 'utf8');
  expect(report).toContain('command: orchestrator runs');
  expect(report + err).not.toContain('sk-very-secret');
});
