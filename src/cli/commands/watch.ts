import { planOf, RUN_OUTPUTS, tellEnd } from '../drive.ts';
import { EXIT, exitCodeOfRun } from '../exit.ts';
import { Follower } from '../follower.ts';
import type { Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import type { Terminal } from '../terminal.ts';
import { Tracker } from '../tracker.ts';

export async function watch(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const output = flags.choice('output', RUN_OUTPUTS, 'human');
  return withShell(terminal, async shell => {
    const run = await shell.find(args[0]!);
    const plan = await planOf(shell, run);
    const tracker = new Tracker((await shell.store.run(run))!, plan);
    const follower = new Follower(terminal, shell, tracker, output, 0, event => tracker.take(event));
    follower.start();
    const left = new Promise<'left'>(resolve => process.once('SIGINT', () => resolve('left')));
    const how = await Promise.race([follower.ended(), left]);
    await follower.end();
    // Whoever stops watching leaves the run as it is.
    if (how === 'left') return EXIT.interrupted;
    const document = await shell.show(run);
    await tellEnd(terminal, document, plan, output);
    return exitCodeOfRun(document);
  });
}
