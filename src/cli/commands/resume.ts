import type { ResumeOptions, RunHandle } from '../../runtime/api.ts';
import type { Compiled, EmbeddedShell } from '../../runtime/index.ts';
import { drive } from '../drive.ts';
import { renderProblems } from '../frame.ts';
import type { Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import type { Terminal } from '../terminal.ts';
import { isWorker } from '../worker.ts';

/** Another pipeline for a run, with its warnings told. */
export async function compileFor(terminal: Terminal, shell: EmbeddedShell, file: string): Promise<Compiled> {
  const compiled = await shell.compile(file);
  const warnings = compiled.diagnostics.filter(problem => problem.severity === 'warning');
  if (warnings.length > 0 && !terminal.quiet) terminal.err(`${renderProblems(warnings, { paint: terminal.paint, columns: terminal.columns })}\n`);
  return compiled;
}

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
  const run = invocation.args[0]!;
  const file = invocation.flags.text('pipeline');
  return takeUp(terminal, invocation, async shell =>
    shell.resume(run, { ...resumeOptions(invocation), ...(file === undefined ? {} : { pipeline: await compileFor(terminal, shell, file) }) }),
  );
}

export function retry(terminal: Terminal, invocation: Invocation): Promise<number> {
  return takeUp(terminal, invocation, shell => shell.retry(invocation.args[0]!, resumeOptions(invocation)));
}
