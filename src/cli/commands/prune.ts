import { parseDuration } from '../../duration.ts';
import { loadConfig } from '../../runtime/index.ts';
import { usageError, type Invocation } from '../invocation.ts';
import { configOptions, withShell } from '../opening.ts';
import type { Terminal } from '../terminal.ts';
import { count } from '../text.ts';
import { OrchestratorError } from '../../errors.ts';

export async function prune(terminal: Terminal, { flags }: Invocation): Promise<number> {
  const keep = flags.text('keep') ?? loadConfig(configOptions(terminal)).config.retention.runs;
  const keepMs = parseDuration(keep);
  if (keepMs === undefined) throw usageError(`--keep wants a time such as 30d, 12h or 1h30m, and was given \`${keep}\``);
  const dryRun = flags.on('dryRun');
  const gone = await withShell(terminal, shell => shell.store.prune({ endedBefore: Date.now() - keepMs, dryRun }));
  tell(terminal, flags.on('json'), gone, dryRun, `ended more than ${keep} ago`);
  return 0;
}

export async function deleteRun(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const gone = await withShell(terminal, async shell => {
    const run = await shell.find(args[0]!);
    const row = await shell.store.run(run);
    if (row !== undefined && row.status !== 'completed' && row.status !== 'failed' && row.status !== 'cancelled') {
      throw new OrchestratorError('ORC-508', `${run} is ${row.status}: only an ended run is deleted`, {
        class: 'invalid_input',
        help: [`orchestrator cancel ${run}`],
      });
    }
    return shell.store.prune({ run });
  });
  tell(terminal, flags.on('json'), gone, false, '');
  return 0;
}

function tell(terminal: Terminal, asJson: boolean, { runs, bytes }: { runs: string[]; bytes: number }, dryRun: boolean, which: string): void {
  if (asJson) terminal.out(`${JSON.stringify({ v: 1, dryRun, runs, bytes }, null, 2)}\n`);
  else {
    if (dryRun) for (const run of runs) terminal.out(`${run}\n`);
    if (!terminal.quiet)
      terminal.err(
        `${dryRun ? 'would delete' : 'deleted'} ${count(runs.length, 'run')}${which === '' ? '' : ` that ${which}`}${runs.length === 0 ? '' : `, ${sizeText(bytes)}`}\n`,
      );
  }
}

export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = -1;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}
