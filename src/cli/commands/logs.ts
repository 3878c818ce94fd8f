import { isoTime } from '../../clock.ts';
import { usageError, type Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import type { Terminal } from '../terminal.ts';
import { escapeLine, pad, type Style } from '../text.ts';

const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
const STYLES: Record<(typeof LEVELS)[number], Style> = { debug: 'faint', info: 'info', warn: 'warning', error: 'error' };

export async function logs(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const output = flags.choice('output', ['human', 'ndjson'] as const, 'human');
  const least = LEVELS.indexOf(flags.choice('level', LEVELS, 'debug'));
  const only = flags.text('task');
  const follow = flags.on('follow');
  let told = 0;
  await withShell(terminal, async shell => {
    const run = await shell.find(args[0]!);
    if (only !== undefined && (await shell.show(run)).tasks[only] === undefined)
      throw usageError(`there is no task \`${only}\` in ${run}`, [`orchestrator show ${run}`]);
    const stop = new AbortController();
    process.once('SIGINT', () => stop.abort());
    for await (const event of shell.events(run, { follow, signal: stop.signal })) {
      if (event.type !== 'task.logged' || LEVELS.indexOf(event.level) < least || (only !== undefined && event.path !== only)) continue;
      told++;
      if (output === 'ndjson')
        terminal.out(`${JSON.stringify({ v: 1, run, seq: event.seq, at: isoTime(event.at), level: event.level, path: event.path, text: event.text })}\n`);
      else
        terminal.out(
          `${terminal.paintOut('faint', isoTime(event.at).slice(11, 23))} ${terminal.paintOut(STYLES[event.level], pad(event.level, 5))} ${terminal.paintOut('strong', escapeLine(event.path ?? ''))}  ${escapeLine(event.text)}\n`,
        );
    }
  });
  if (told === 0 && !terminal.quiet) terminal.err('Nothing was logged. The action `log` writes here, and so do many others while they run.\n');
  return 0;
}
