import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openBench, type BenchOptions } from '../../test/support/action-bench.ts';
import type { JsonObject } from '../json.ts';
import { splitWords } from './programs.ts';

const SHELL: BenchOptions = { policy: { shell: 'allow' } };

function listed(...programs: string[]): BenchOptions {
  return { policy: { shell: programs } };
}

/** Waits until `check` holds; gives up after two seconds. */
async function until(check: () => boolean): Promise<boolean> {
  for (let turn = 0; turn < 200; turn++) {
    if (check()) return true;
    await new Promise(resolve => setTimeout(resolve, 10));
  }
  return false;
}

/** A process that has ended but that nobody has waited for does not count. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe('shell.run', () => {
  test('C9 is denied by default and says how to allow it', async () => {
    await using bench = await openBench();
    await expect(bench.perform('shell.run', { command: 'true' })).rejects.toMatchObject({
      code: 'ORC-214',
      class: 'policy',
      help: expect.arrayContaining([expect.stringContaining('policy: { shell')]),
    });
  });

  test('gives outputs, code and duration; data goes into args', async () => {
    await using bench = await openBench(SHELL);
    expect(await bench.perform('shell.run', { command: 'echo out; echo err >&2; printf "%s" "$1"', args: ['$(id)`id`"'] })).toEqual({
      stdout: 'out\n$(id)`id`"',
      stderr: 'err\n',
      return_code: 0,
      duration_ms: expect.any(Number),
    });
    expect(await bench.perform('shell.run', { command: 'cat', input: 'given' })).toMatchObject({ stdout: 'given' });
  });

  test('a code other than 0 fails, unless check is false', async () => {
    await using bench = await openBench(SHELL);
    await expect(bench.perform('shell.run', { command: 'echo no such thing >&2; exit 3' })).rejects.toMatchObject({
      code: 'ORC-226',
      class: 'process',
      message: expect.stringContaining('no such thing'),
      details: { return_code: 3 },
    });
    expect(await bench.perform('shell.run', { command: 'exit 3', check: false })).toMatchObject({ return_code: 3 });
    expect(await bench.perform('shell.run', { command: 'kill -9 $$', check: false })).toMatchObject({ return_code: 137 });
  });

  test('C9 S3 gets a minimal environment, the idempotency key, and what env adds', async () => {
    process.env['TOOLS_TEST_SECRET'] = 'leak';
    await using bench = await openBench({ ...SHELL, reveal: value => (typeof value === 'object' ? 'hunter22' : value) });
    const { stdout } = (await bench.perform('shell.run', { command: 'env', env: { TOKEN: { secret: 'T' }, N: 1 } })) as { stdout: string };
    delete process.env['TOOLS_TEST_SECRET'];
    expect(await bench.perform('shell.run', { command: 'cat', input: { secret: 'T' } })).toMatchObject({ stdout: 'hunter22' });
    const names = stdout
      .trim()
      .split('\n')
      .map(line => line.split('=')[0]!);
    expect(names.filter(name => !['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'PWD', 'OLDPWD', 'SHLVL', '_'].includes(name)).sort()).toEqual([
      'N',
      'ORCHESTRATOR_IDEMPOTENCY_KEY',
      'TOKEN',
    ]);
    expect(stdout).toContain('ORCHESTRATOR_IDEMPOTENCY_KEY=run_1/task\n');
    expect(stdout).toContain('TOKEN=hunter22\n');
  });

  test('C9 a time-out kills the grandchildren too', async () => {
    await using bench = await openBench(SHELL);
    const command = 'sh -c \'trap "" TERM; echo $$ > pid; while :; do sleep 1; done\' & wait';
    const started = performance.now();
    await expect(bench.perform('shell.run', { command, timeout: '300ms' })).rejects.toMatchObject({ code: 'ORC-226', class: 'timeout', retryable: true });
    expect(performance.now() - started).toBeLessThan(5000);
    const pid = Number(await readFile(join(bench.folder, 'pid'), 'utf8'));
    expect(await until(() => !isAlive(pid))).toBe(true);
  });

  test('C9 a program that ignores the request to end is killed', async () => {
    const controller = new AbortController();
    await using bench = await openBench({ ...SHELL, signal: controller.signal });
    const asked = bench.perform('shell.run', { command: 'trap "" TERM; echo $$ > pid; while :; do sleep 0.1; done' });
    const failed = expect(asked).rejects.toMatchObject({ code: 'ORC-231' });
    expect(await until(() => existsSync(join(bench.folder, 'pid')))).toBe(true);
    controller.abort();
    await failed;
    expect(isAlive(Number(await readFile(join(bench.folder, 'pid'), 'utf8')))).toBe(false);
  });

  test('C9 what is left running when the command ends is killed, and an output held open elsewhere does not hang it', async () => {
    await using bench = await openBench(SHELL);
    await bench.perform('shell.run', { command: 'sleep 100 & echo $! > pid' });
    const orphan = Number(await readFile(join(bench.folder, 'pid'), 'utf8'));
    expect(await until(() => !isAlive(orphan))).toBe(true);
    const { duration_ms } = (await bench.perform('shell.run', { command: 'setsid sleep 3 & sleep 0.05' })) as { duration_ms: number };
    expect(duration_ms).toBeLessThan(2500);
  });

  test('C9 endless output keeps its beginning and its end and says what is missing', async () => {
    await using bench = await openBench(SHELL);
    const { stdout } = (await bench.perform('shell.run', { command: 'echo first; head -c 5000000 /dev/zero | tr "\\0" x; echo last', max_output: 1000 })) as {
      stdout: string;
    };
    expect(stdout).toMatch(/^first\nx+\n\[… \d+ bytes left out …\]\nx+last\n$/);
    expect(stdout.length).toBeLessThan(1100);
    expect(bench.logged).toEqual([expect.stringContaining('warn')]);
  });

  test('runs in the workspace or a folder of it, never in the state folder', async () => {
    await using bench = await openBench(SHELL);
    await mkdir(join(bench.folder, 'sub'));
    expect(await bench.perform('shell.run', { command: 'pwd' })).toMatchObject({ stdout: `${bench.folder}\n` });
    expect(await bench.perform('shell.run', { command: 'pwd', cwd: 'sub' })).toMatchObject({ stdout: `${bench.folder}/sub\n` });
    for (const cwd of ['/', '.orchestrator', '..'])
      await expect(bench.perform('shell.run', { command: 'pwd', cwd })).rejects.toMatchObject({ code: 'ORC-222' });
  });
});

describe('C9 a list of programs', () => {
  test('runs what is listed without a shell', async () => {
    await using bench = await openBench(listed('printf'));
    expect(await bench.perform('shell.run', { command: "printf '%s|' 'a b'", args: ['$(id); id', '*'] })).toMatchObject({ stdout: 'a b|$(id); id|*|' });
  });

  const refused: [string, JsonObject][] = [
    ['a program that is not listed', { command: 'sh -c id' }],
    ['a listed name at another path', { command: '/tmp/printf x' }],
    ['an option in args', { command: 'printf', args: ['--version'] }],
    ['PATH, which would change what is run', { command: 'printf x', env: { PATH: '/tmp' } }],
    ['LD_PRELOAD', { command: 'printf x', env: { LD_PRELOAD: '/tmp/x.so' } }],
    ['an assignment before the program', { command: 'X=1 printf x' }],
  ];
  test.each(refused)('refuses %s', async (_, parameters) => {
    await using bench = await openBench(listed('printf'));
    await expect(bench.perform('shell.run', parameters)).rejects.toMatchObject({ code: 'ORC-214', class: 'policy' });
  });

  test('refuses a command into which something was rendered', async () => {
    await using bench = await openBench({ ...listed('printf'), literal: () => false });
    await expect(bench.perform('shell.run', { command: 'printf x' })).rejects.toMatchObject({ code: 'ORC-214' });
  });

  test('no shell means that redirections and pipes are plain words', async () => {
    await using bench = await openBench(listed('echo'));
    expect(await bench.perform('shell.run', { command: 'echo a > b | c && d' })).toMatchObject({ stdout: 'a > b | c && d\n' });
    expect(existsSync(join(bench.folder, 'b'))).toBe(false);
  });

  test('a listed program that is not installed is not found', async () => {
    await using bench = await openBench(listed('no-such-program'));
    await expect(bench.perform('shell.run', { command: 'no-such-program' })).rejects.toMatchObject({ code: 'ORC-226', class: 'not_found' });
  });

  test.each([
    ['a  b', ['a', 'b']],
    [`a 'b c' "d \\" e" f\\ g`, ['a', 'b c', 'd " e', 'f g']],
    [`x''y ""`, ['xy', '']],
    ['', []],
  ])('the words of %j', (command, words) => expect(splitWords(command)).toEqual(words));

  test('an open quote is an error', () => expect(() => splitWords("a 'b")).toThrow(expect.objectContaining({ code: 'ORC-212' })));
});

describe('python.run', () => {
  const CODE: BenchOptions = { policy: { code: 'allow', network: { private: 'allow' } } };

  test('C10 is denied by default', async () => {
    await using bench = await openBench(SHELL);
    await expect(bench.perform('python.run', { code: 'pass' })).rejects.toMatchObject({ code: 'ORC-214', class: 'policy' });
  });

  test('runs code isolated, with data in args', async () => {
    await using bench = await openBench(CODE);
    expect(await bench.perform('python.run', { code: 'import sys\nprint(sys.argv[1:], sys.flags.isolated)', args: ["a'b", '-x'] })).toMatchObject({
      stdout: "[\"a'b\", '-x'] 1\n",
      return_code: 0,
    });
    await expect(bench.perform('python.run', { code: 'raise SystemError("so")' })).rejects.toMatchObject({
      code: 'ORC-226',
      message: expect.stringContaining('SystemError: so'),
    });
  });

  test('C10 a memory bomb and an endless loop are stopped', async () => {
    await using bench = await openBench(CODE);
    await expect(bench.perform('python.run', { code: 'x = bytearray(1 << 30)', memory_mib: 200 })).rejects.toMatchObject({
      code: 'ORC-226',
      message: expect.stringContaining('MemoryError'),
    });
    await expect(bench.perform('python.run', { code: 'while True: pass', timeout: '300ms' })).rejects.toMatchObject({ code: 'ORC-226', class: 'timeout' });
  });

  test('C10 code has no network, or is refused where the network cannot be taken away', async () => {
    await using bench = await openBench({ policy: { code: 'allow' } });
    const code = `
import ctypes, os, socket
def attempt(name, go):
  try:
    go()
    print(name, "worked")
  except OSError as error:
    print(name, "failed")
def enter_host():
  if ctypes.CDLL(None).setns(open(f"/proc/{os.getppid()}/ns/net").fileno(), 0) != 0: raise OSError
print(",".join(name for _, name in socket.if_nameindex() if not name.startswith("ifb")))
attempt("connect", lambda: socket.create_connection(("1.1.1.1", 53), 2))
attempt("setns", enter_host)`;
    const result = await bench.perform('python.run', { code }).catch((error: unknown) => error as { code: string });
    if ('code' in (result as object)) expect(result).toMatchObject({ code: 'ORC-214', help: expect.arrayContaining(['install bubblewrap']) });
    else expect(result).toMatchObject({ stdout: 'lo\nconnect failed\nsetns failed\n' });
  });
});
