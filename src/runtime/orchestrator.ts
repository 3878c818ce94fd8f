import type { RunDocument } from '../engine/index.ts';
import type { Json, JsonObject } from '../json.ts';
import type { RunFilter, RunRow } from '../store/port.ts';
import type { Action } from '../tools/port.ts';
import type { ForkOptions, ResumeOptions, RunEvent, RunHandle, StartOptions } from './api.ts';
import type { Compiled } from './compile.ts';
import { openShell } from './open.ts';
import type { Pipeline } from './pipeline.ts';
import type { EmbeddedShell } from './shell.ts';
import { budgetLines, raiseBudget, type BudgetLine, type BudgetRaised } from './spending.ts';

export interface OrchestratorOptions {
  /** Working folder: where the configuration is looked for and relative paths begin. The process's own by default. */
  cwd?: string;
  /** URL of the store, instead of the configured one: `memory:`, `sqlite:PATH`. */
  state?: string;
  /** A configuration file to read instead of the one that is found; it is trusted. */
  configFile?: string;
  /** An environment of the configuration. */
  environment?: string;
  /** Own actions, beside the built-in ones. */
  actions?: Action[];
  /** Effects under way at once in this process; 256 by default. */
  concurrency?: number;
  /** Takes up the runs that a dead process left behind. */
  resumeAll?: boolean;
}

/** What a run gave: the result document, with the outputs typed by the caller. */
export type RunResult<Outputs = { [name: string]: Json }> = RunDocument<Outputs>;

/** Options in which a pipeline is a file or a Pipeline. */
type Under<Options extends { pipeline?: unknown }> = Omit<Options, 'pipeline'> & { pipeline?: string | Pipeline };

function compiledIn<Options extends { pipeline?: string | Pipeline }>({
  pipeline,
  ...rest
}: Options): Omit<Options, 'pipeline'> & { pipeline?: string | Compiled } {
  return { ...rest, ...(pipeline === undefined ? {} : { pipeline: typeof pipeline === 'string' ? pipeline : pipeline.compiled }) };
}

/**
 * Runs pipelines in this process, durably. One store may be shared by any number of processes.
 *
 *     await using orchestrator = await Orchestrator.open();
 *     const result = await orchestrator.run('report.yaml', { topic: 'films' });
 */
export class Orchestrator {
  readonly #shell: EmbeddedShell;

  private constructor(shell: EmbeddedShell) {
    this.#shell = shell;
  }

  /** Opens the store, the models and the actions that the configuration names. Throws OrchestratorError with a 5xx code where that cannot be. */
  static async open(options: OrchestratorOptions = {}): Promise<Orchestrator> {
    const { cwd = process.cwd(), resumeAll, ...rest } = options;
    const orchestrator = new Orchestrator(await openShell({ cwd, env: process.env, ...rest }));
    if (resumeAll) await orchestrator.#shell.resumeAll();
    return orchestrator;
  }

  /** Runs a pipeline to its end (or until it waits for a person) and gives the result document; a run that failed is a result too. */
  async run<Outputs = { [name: string]: Json }>(pipeline: string | Pipeline, inputs: JsonObject = {}, options: StartOptions = {}): Promise<RunResult<Outputs>> {
    return (await this.start<Outputs>(pipeline, inputs, options)).result();
  }

  /** Starts a run; once this resolves, the run is durable. Throws ValidationError, ORC-115 for inputs, ORC-402 without a model. */
  async start<Outputs = { [name: string]: Json }>(
    pipeline: string | Pipeline,
    inputs: JsonObject = {},
    options: StartOptions = {},
  ): Promise<RunHandle<Outputs>> {
    const handle = await this.#shell.start(typeof pipeline === 'string' ? pipeline : pipeline.compiled, inputs, options);
    return handle as unknown as RunHandle<Outputs>;
  }

  /** Goes on with a run that waits, is paused, failed, or whose process died; under another pipeline, in a new run that takes its results over. */
  resume(run: string, options: Under<ResumeOptions> = {}): Promise<RunHandle> {
    return this.#shell.resume(run, compiledIn(options));
  }

  /** Runs the failed tasks of a run again, in the same run. */
  retry(run: string): Promise<RunHandle> {
    return this.#shell.retry(run);
  }

  /** A new run that keeps everything before a point of another one, at no cost; under another pipeline, what is defined there as it was. */
  fork(run: string, options: Under<ForkOptions>): Promise<RunHandle> {
    return this.#shell.fork(run, compiledIn(options));
  }

  cancel(run: string, by = 'library'): Promise<void> {
    return this.#shell.command(run, { type: 'cancel', by });
  }

  pause(run: string, by = 'library'): Promise<void> {
    return this.#shell.command(run, { type: 'pause', by });
  }

  approve(run: string, task: string, answer: { choice?: string; by?: string; comment?: string } = {}): Promise<void> {
    return this.#shell.command(run, { type: 'approve', task, choice: answer.choice ?? 'approve', by: answer.by ?? 'library', comment: answer.comment ?? null });
  }

  signal(run: string, name: string, payload: Json = null, by = 'library'): Promise<void> {
    return this.#shell.command(run, { type: 'signal', name, payload, by });
  }

  /** Says what became of an effect that was under way when its process died (S9). */
  settle(run: string, task: string, as: 'retry' | 'skip' | 'fail' | 'completed', value: Json = null, by = 'library'): Promise<void> {
    return this.#shell.command(run, { type: 'settle', task, as, value, by });
  }

  show(run: string): Promise<RunResult> {
    return this.#shell.show(run);
  }

  runs(filter: RunFilter = {}): Promise<RunRow[]> {
    return this.#shell.runs(filter);
  }

  /** Durable events of a run, in order; with `follow` until it ends. */
  events(run: string, options: { from?: number; follow?: boolean; signal?: AbortSignal } = {}): AsyncIterable<RunEvent> {
    return this.#shell.events(run, options);
  }

  /** How the caps over several runs stand today: of the day, of pipelines and of users. */
  budgets(): Promise<BudgetLine[]> {
    return budgetLines(this.#shell.shop);
  }

  /** Lets `day`, `pipeline:NAME` or `user:NAME` spend up to so many dollars today; runs that were paused for it are told to go on. */
  raiseBudget(scope: string, usd: number, by = 'library'): Promise<BudgetRaised> {
    return raiseBudget(this.#shell.shop, scope, usd, by);
  }

  /** Leaves the runs as they are; they are taken up again by `resume`, or by `open({ resumeAll: true })`. */
  close(): Promise<void> {
    return this.#shell.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
