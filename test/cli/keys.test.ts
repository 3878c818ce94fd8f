import { describe, expect, test } from 'vitest';
import { makeProject } from './project.ts';
import { CTRL_C, hasPseudoTerminals } from './pseudo-terminal.ts';

const SLOW = `pipeline:
  name: slow
  version: "1.0"
  tasks:
    - { id: say, action: log, parameters: { text: hello there } }
    - { id: bad, action: fail, on_failure: continue, parameters: { message: it broke } }
    - { id: one, action: sleep, parameters: { duration: 2 } }
    - { id: two, action: sleep, dependencies: [one], parameters: { duration: 1 } }
`;

describe.skipIf(!hasPseudoTerminals)('keys of the live view', () => {
  test('f shows what failed, l what was logged, q detaches, and the run goes on in the background', { timeout: 60_000 }, async () => {
    const { sit, call } = makeProject({ 'slow.yaml': SLOW });
    const { type, shows, ended, screen } = sit(['run', 'slow.yaml']);
    await shows('f failures   l logs   q detach (the run goes on)   Ctrl-C stops');
    type('\u001b[A'); // An arrow is no key of ours.
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
    // Of all that was drawn meanwhile nothing is left, and the cursor is there again.
    expect(screen.text).not.toContain('What tasks log');
    expect(screen.isCursorHidden).toBe(false);
    await expect
      .poll(async () => (await call(['runs', '--output', 'plain'])).out, { timeout: 15_000, interval: 500 })
      .toMatch(/\tfailed\t.*\tbad: it broke\n$/);
    expect(JSON.parse((await call(['show', 'last', '--json'])).out)).toMatchObject({ tasks: { two: { status: 'completed' } } });
  });

  test('q stops watching and nothing else; Ctrl-C is Ctrl-C', { timeout: 60_000 }, async () => {
    const { sit, call } = makeProject({ 'slow.yaml': SLOW.replace('duration: 2', 'duration: 600') });
    const run = sit(['run', 'slow.yaml']);
    await run.shows('waits for the clock');
    const watch = sit(['watch', 'last']);
    await watch.shows('q stop watching (the run goes on)');
    watch.type('q');
    expect(await watch.ended).toBe(0);
    expect((await call(['runs', '--output', 'plain'])).out).toMatch(/\twaiting\t/);
    run.type(CTRL_C);
    await run.shows('stopping: nothing new is started');
    expect(await run.ended).toBe(130);
  });
});
