import type { EmbeddedShell } from '../../runtime/index.ts';
import { planOf, RUN_OUTPUTS, tellEnd } from '../drive.ts';
import { EXIT, exitCodeOfRun } from '../exit.ts';
import { Follower } from '../follower.ts';
import type { Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import type { Terminal } from '../terminal.ts';
import { Tracker } from '../tracker.ts';

const LOOK_MS = 500;

export async function watch(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const output = flags.choice('output', RUN_OUTPUTS, 'human');
  return withShell(terminal, async shell => {
    const run = await shell.find(args[0]!);
    const plan = await planOf(shell, run);
    const tracker = new Tracker((await shell.store.run(run))!, plan);
    const over = new AbortController();
    let leave: (how: 'left' | 'done') => void = () => {};
    const left = new Promise<'left' | 'done'>(resolve => (leave = resolve));
    process.once('SIGINT', () => leave('left'));
    const follower = new Follower(terminal, shell, tracker, output, {
      observe: event => tracker.take(event),
      leave: { word: 'stop watching (the run goes on)', act: () => leave('done') },
    });
    follower.start();
    const how = await Promise.race([follower.ended(), left, abandoned(shell, run, over.signal)]);
    over.abort();
    await follower.end();
    // Whoever stops watching leaves the run as it is.
    if (how === 'left') return EXIT.interrupted;
    if (how === 'done') return EXIT.ok;
    const document = await shell.show(run);
    if (how === 'abandoned' && document.endedAt === null && !terminal.quiet) terminal.err(`nobody drives it now; go on with it: orchestrator resume ${run}\n`);
    await tellEnd(terminal, document, plan, output);
    return exitCodeOfRun(document);
  });
}

/** Resolves when no live process owns the run, twice in a row: it will not move until somebody takes it up. */
async function abandoned(shell: EmbeddedShell, run: string, signal: AbortSignal): Promise<'abandoned'> {
  for (let seen = 0; seen < 2;) {
    const owner = (await shell.store.run(run))?.owner ?? null;
    seen = owner !== null && (await shell.store.alive(owner)) ? 0 : seen + 1;
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, LOOK_MS);
      signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
    });
    if (signal.aborted) break;
  }
  return 'abandoned';
}
