import { spawn, spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { makeProject } from './project.ts';

const BINARY = join(import.meta.dirname, '../../bin/orchestrator');
/** A terminal for a command: `script` of util-linux, which Debian has in its essential packages. */
const hasTerminal = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0;
if (!hasTerminal) console.warn('keys of the live view: NOT TESTED at a terminal, there is no `script` of util-linux here');

const SLOW = `pipeline:
  name: slow
  version: "1.0"
  tasks:
    - { id: say, action: log, parameters: { text: hello there } }
    - { id: bad, action: fail, on_failure: continue, parameters: { message: it broke } }
    - { id: one, action: sleep, parameters: { duration: 2 } }
    - { id: two, action: sleep, dependencies: [one], parameters: { duration: 1 } }
`;

/** Calls the command line at a terminal of 100 columns. */
function atTerminal(folder: string, args: string) {
  const child = spawn('script', ['-qec', `stty cols 100 rows 40; ${BINARY} ${args}`, '/dev/null'], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: join(folder, '../home'), TERM: 'xterm', NODE_COMPILE_CACHE: join(tmpdir(), 'orchestrator-test-cache') },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let shown = '';
  child.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
  const ended = new Promise<number | null>(resolve => child.on('close', resolve));
  const shows = (text: string): Promise<void> => expect.poll(() => stripVTControlCharacters(shown), { timeout: 15_000 }).toContain(text);
  return { type: (keys: string) => void child.stdin.write(keys), shows, ended };
}

describe.skipIf(!hasTerminal)('at a terminal', () => {
  test('f shows what failed, l what was logged, q detaches, and the run goes on in the background', { timeout: 60_000 }, async () => {
    const { folder, call } = makeProject({ 'slow.yaml': SLOW });
    const { type, shows, ended } = atTerminal(folder, 'run slow.yaml');
    await shows('f failures   l logs   q detach (the run goes on)   Ctrl-C stops');
    type('f');
    await shows('What has failed');
    await shows('  ✕ bad  ORC-220: it broke');
    type('l');
    await shows('What tasks log');
    await shows('  say  hello there');
    type('q');
    await shows('detaching: the run then goes on in the background');
    await shows('goes on in the background: orchestrator watch run_');
    expect(await ended).toBe(0);
    await expect
      .poll(async () => (await call(['runs', '--output', 'plain'])).out, { timeout: 15_000, interval: 500 })
      .toMatch(/\tfailed\t.*\tbad: it broke\n$/);
    expect(JSON.parse((await call(['show', 'last', '--json'])).out)).toMatchObject({ tasks: { two: { status: 'completed' } } });
  });

  test('q stops watching and nothing else; Ctrl-C is Ctrl-C', { timeout: 60_000 }, async () => {
    const { folder, call } = makeProject({ 'slow.yaml': SLOW.replace('duration: 2', 'duration: 600') });
    const run = atTerminal(folder, 'run slow.yaml');
    await run.shows('waits for the clock');
    const watch = atTerminal(folder, 'watch last');
    await watch.shows('q stop watching (the run goes on)');
    watch.type('q');
    expect(await watch.ended).toBe(0);
    expect((await call(['runs', '--output', 'plain'])).out).toMatch(/\twaiting\t/);
    run.type('\u0003');
    await run.shows('stopping: nothing new is started');
    expect(await run.ended).toBe(130);
  });
});
