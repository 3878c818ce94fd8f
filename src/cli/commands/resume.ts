import type { ResumeOptions, RunHandle } from '../../runtime/api.ts';
import type { EmbeddedShell } from '../../runtime/index.ts';
import { drive } from '../drive.ts';
import type { Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import type { Terminal } from '../terminal.ts';
import { isWorker } from '../worker.ts';

/** Takes a run up by one of the shell's verbs, and follows it to where it stops. */
export async function takeUp(terminal: Terminal, { flags }: Invocation, begin: (shell: EmbeddedShell) => Promise<RunHandle>): Promise<number> {
  if (flags.on('detach') && !isWorker(terminal)) return (await import('../detach.ts')).detach(terminal, flags.on('json'));
  return withShell(terminal, async shell => drive(terminal, shell, await begin(shell), flags));
}

function resumeOptions({ flags }: Invocation): ResumeOptions {
  const budgetUsd = flags.number('budget');
  return budgetUsd === undefined ? {} : { budgetUsd };
}

export function resume(terminal: Terminal, invocation: Invocation): Promise<number> {
  return takeUp(terminal, invocation, shell => shell.resume(invocation.args[0]!, resumeOptions(invocation)));
}

export function retry(terminal: Terminal, invocation: Invocation): Promise<number> {
  return takeUp(terminal, invocation, shell => shell.retry(invocation.args[0]!, resumeOptions(invocation)));
}
