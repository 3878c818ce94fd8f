import type { RunDocument } from '../engine/document.ts';
import { OrchestratorError } from '../errors.ts';
import type { Plan } from '../plan/plan.ts';
import { decodePlan } from '../plan/index.ts';
import type { RunHandle } from '../runtime/api.ts';
import type { EmbeddedShell } from '../runtime/index.ts';
import { EXIT, exitCodeOfRun, type Interruption } from './exit.ts';
import { Follower } from './follower.ts';
import type { Flags } from './invocation.ts';
import { announceId } from './worker.ts';
import { receiptLines } from './receipt.ts';
import { printOutputs } from './result.ts';
import type { Terminal } from './terminal.ts';

/** Commands that follow a run print in one of these forms. */
export const RUN_OUTPUTS = ['human', 'json', 'ndjson'] as const;
export type RunOutput = (typeof RUN_OUTPUTS)[number];

/** Follows a run that this process drives to where it stops, tells how it went, and gives the exit code. */
export async function drive(terminal: Terminal, shell: EmbeddedShell, handle: RunHandle, flags: Flags, tellsNext = true): Promise<number> {
  const output = flags.choice('output', RUN_OUTPUTS, 'human');
  announceId(terminal, handle.id);
  const stopping = new Stopping(terminal);
  try {
    const document = await toTheEnd(terminal, shell, handle, output, stopping);
    if (stopping.detaches && stopping.interruption === null && document.status === 'paused') {
      await shell.store.release(document.run);
      return await (await import('./detach.ts')).goOnInBackground(terminal, document.run);
    }
    const plan = await planOf(shell, document.run);
    await tellEnd(terminal, document, plan, output, tellsNext);
    const report = flags.text('report');
    if (report !== undefined) await (await import('./report/write.ts')).writeRunReport(terminal, shell, document, plan, report);
    return exitCodeOfRun(document, stopping.interruption);
  } finally {
    stopping.end();
  }
}

async function toTheEnd(terminal: Terminal, shell: EmbeddedShell, first: RunHandle, output: RunOutput, stopping: Stopping): Promise<RunDocument> {
  let from = 0;
  for (let handle = first; ;) {
    const follower = new Follower(terminal, shell, handle, output, {
      from,
      ...(shell.store.kind === 'memory' ? {} : { leave: { word: 'detach (the run goes on)', act: () => stopping.detach() } }),
    });
    stopping.handle = handle;
    stopping.follower = follower;
    follower.start();
    let document: RunDocument;
    try {
      document = await handle.result();
    } finally {
      from = await follower.end();
      stopping.follower = undefined;
    }
    if (stopping.interruption !== null || document.status !== 'waiting' || document.reason !== 'approval' || !terminal.canAsk) return document;
    const { answerApprovals } = await import('./approvals.ts');
    if (!(await answerApprovals(terminal, shell, document))) return document;
    try {
      handle = await shell.resume(document.run);
    } catch (error) {
      // It may have ended before this process could look again.
      if (error instanceof OrchestratorError && error.code === 'ORC-508') return shell.show(document.run);
      throw error;
    }
  }
}

/** The plan that a run holds. */
export async function planOf(shell: EmbeddedShell, run: string): Promise<Plan | undefined> {
  const row = await shell.store.run(run);
  const body = row === undefined ? undefined : await shell.store.plan(row.planHash);
  return body === undefined ? undefined : decodePlan(body);
}

/** The result goes to stdout; what went wrong and the receipt to stderr. */
export async function tellEnd(terminal: Terminal, document: RunDocument, plan: Plan | undefined, output: RunOutput, tellsNext = true): Promise<void> {
  if (output === 'json') terminal.out(`${JSON.stringify(document, null, 2)}\n`);
  else if (output === 'ndjson') terminal.out(`${JSON.stringify({ v: 1, type: 'run.result', run: document.run, document })}\n`);
  else await printOutputs(terminal, document);
  if (document.status === 'failed') {
    const [{ renderProblem }, { troubleOf }] = await Promise.all([import('./frame.ts'), import('./trouble.ts')]);
    const trouble = troubleOf(document, plan);
    if (trouble !== undefined) {
      terminal.err(`${renderProblem(trouble, { paint: terminal.paint, columns: terminal.columns })}\n`);
      if (terminal.env['GITHUB_ACTIONS'] === 'true') await annotate(terminal, trouble);
    }
  }
  if (!terminal.quiet) terminal.err(`${receiptLines(document, terminal.paint, tellsNext).join('\n')}\n`);
  const summary = terminal.env['GITHUB_STEP_SUMMARY'];
  if (terminal.env['GITHUB_ACTIONS'] === 'true' && summary !== undefined && summary !== '') {
    const [{ appendFileSync }, { jobSummary }] = await Promise.all([import('node:fs'), import('./summary.ts')]);
    appendFileSync(summary, jobSummary(document));
  }
}

async function annotate(terminal: Terminal, trouble: import('./frame.ts').Problem): Promise<void> {
  const [{ githubAnnotation }, { diagnosticDocument }] = await Promise.all([import('./annotations.ts'), import('../plan/compile.ts')]);
  const { source, span, help = [], code, severity, message } = trouble;
  terminal.err(
    githubAnnotation(source === undefined || span === undefined ? { code, severity, message, help } : diagnosticDocument({ ...trouble, source, span })),
  );
}

/** What Ctrl-C and SIGTERM mean while a run is driven: first stop starting, then stop. */
class Stopping {
  interruption: Interruption = null;
  handle: RunHandle | undefined;
  /** The run is to go on in the background. */
  detaches = false;
  /** Who draws at the moment. */
  follower: Follower | undefined;
  readonly #terminal: Terminal;
  readonly #onInterrupt = (): void => this.#stop('interrupted');
  readonly #onTerminate = (): void => this.#stop('drained');
  /** The terminal is gone, and nobody can be told. An exit of our own takes the programs that run along, which the signal would leave behind. */
  readonly #onHangUp = (): void => process.exit(EXIT.hungUp);

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    process.on('SIGINT', this.#onInterrupt).on('SIGTERM', this.#onTerminate).on('SIGHUP', this.#onHangUp);
  }

  end(): void {
    process.off('SIGINT', this.#onInterrupt).off('SIGTERM', this.#onTerminate).off('SIGHUP', this.#onHangUp);
  }

  /** Nothing new is started here; once what runs has ended, another process goes on. */
  detach(): void {
    if (this.detaches || this.interruption !== null) return;
    this.detaches = true;
    const running = this.#running();
    this.follower?.say(`${this.#terminal.paint('info', 'detaching:')} ${running === '' ? '' : `${running} here; `}the run then goes on in the background`);
    this.#pause('requested');
  }

  #running(): string {
    const running = this.handle?.view().active.filter(task => task.status === 'running').length ?? 0;
    return running === 0 ? '' : `${running} running ${running === 1 ? 'task finishes' : 'tasks finish'}`;
  }

  #pause(reason: 'requested' | 'drain'): void {
    this.handle?.pause(reason).catch(() => {
      // A run that has ended meanwhile tells its end by itself.
    });
  }

  #stop(how: 'interrupted' | 'drained'): void {
    const { err, paint } = this.#terminal;
    const run = this.handle?.id ?? '';
    if (this.interruption !== null) {
      this.follower?.leave();
      err(`\n${paint('warning', 'stopped.')} Go on with it: orchestrator resume ${run}\n`);
      process.exit(EXIT[this.interruption]);
    }
    this.interruption = how;
    const running = this.#running();
    const finishing = running === '' ? '' : `; ${running}`;
    const text = `${paint('warning', how === 'interrupted' ? 'stopping:' : 'draining:')} nothing new is started${finishing}${how === 'interrupted' ? ' (Ctrl-C again: stop now)' : ''}`;
    if (this.follower === undefined) err(`${text}\n`);
    else this.follower.say(text);
    this.#pause(how === 'drained' ? 'drain' : 'requested');
  }
}
