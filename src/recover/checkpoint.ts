import { pathOf, taskOfSlot, TASK_STATUSES, type RunDocument, type RunStatus } from '../engine/index.ts';
import { OrchestratorError } from '../errors.ts';
import { decodePlan, type Plan } from '../plan/index.ts';
import { foldRun, openShell, type EmbeddedShell } from '../runtime/index.ts';

/** A durable point of a run, from which it can be told what was done and go on. */
export interface Checkpoint {
  run: string;
  pipeline: string;
  /** Sequence number of the last durable event. */
  seq: number;
  at: Date;
  status: RunStatus;
  /** Paths of the tasks that have a result, and of those that have none. */
  completedTasks: string[];
  failedTasks: string[];
  pendingTasks: string[];
}

export interface RecoveryOptions {
  environment?: string;
  cwd?: string;
  /** URL of the store, instead of the configured one. */
  state?: string;
}

/** Brings runs back that failed or whose process died (the guide's recovery). Opens the default environment on first use. */
export class PipelineRecovery {
  readonly #options: RecoveryOptions;
  #shell: Promise<EmbeddedShell> | undefined;

  constructor(options: RecoveryOptions = {}) {
    this.#options = options;
  }

  #open(): Promise<EmbeddedShell> {
    const { cwd = process.cwd(), environment, state } = this.#options;
    this.#shell ??= openShell({ cwd, env: process.env, ...(environment === undefined ? {} : { environment }), ...(state === undefined ? {} : { state }) });
    return this.#shell;
  }

  /** The newest durable point of a run (id, unique prefix, `last`, `last-failed`). Throws ORC-506. */
  async getLatestCheckpoint(run: string): Promise<Checkpoint> {
    const shell = await this.#open();
    const id = await shell.find(run);
    const row = (await shell.store.run(id))!;
    const body = await shell.store.plan(row.planHash);
    if (body === undefined)
      throw new OrchestratorError('ORC-504', `the plan of ${id} is not in the store`, { class: 'storage', help: ['orchestrator verify'] });
    return checkpointOf(shell, decodePlan(body), id);
  }

  /** Checks that the run can be folded up to the checkpoint. Nothing runs yet. */
  async restorePipeline(checkpoint: Checkpoint): Promise<RestoredPipeline> {
    const shell = await this.#open();
    const now = await this.getLatestCheckpoint(checkpoint.run);
    if (now.seq < checkpoint.seq)
      throw new OrchestratorError('ORC-504', `${checkpoint.run} has ${now.seq} events, the checkpoint names ${checkpoint.seq}`, {
        class: 'storage',
        help: ['orchestrator verify'],
      });
    return new RestoredPipeline(shell, now);
  }

  async close(): Promise<void> {
    await (await this.#shell)?.close();
    this.#shell = undefined;
  }
}

async function checkpointOf(shell: EmbeddedShell, plan: Plan, run: string): Promise<Checkpoint> {
  const state = await foldRun(shell.store, plan, run);
  const checkpoint: Checkpoint = {
    run,
    pipeline: plan.pipeline.name,
    seq: state.seq,
    at: new Date(state.at),
    status: state.status,
    completedTasks: [],
    failedTasks: [],
    pendingTasks: [],
  };
  for (let slot = 0; slot < state.slots; slot++) {
    if (taskOfSlot(plan, state, slot).handlerOnly) continue;
    const status = TASK_STATUSES[state.taskStatus[slot]!]!;
    const list =
      status === 'completed' ? checkpoint.completedTasks : status === 'failed' ? checkpoint.failedTasks : status === 'skipped' ? null : checkpoint.pendingTasks;
    list?.push(pathOf(plan, state, slot));
  }
  return checkpoint;
}

/** A run that is ready to go on. */
export class RestoredPipeline {
  readonly checkpoint: Checkpoint;
  readonly #shell: EmbeddedShell;

  constructor(shell: EmbeddedShell, checkpoint: Checkpoint) {
    this.#shell = shell;
    this.checkpoint = checkpoint;
  }

  get id(): string {
    return this.checkpoint.run;
  }

  /** Goes on from the last durable result: nothing that has one runs again (S6). Resolves when the run has ended or waits. */
  async resumeFromCheckpoint(): Promise<RunDocument> {
    if (this.checkpoint.status === 'completed') return this.#shell.show(this.id);
    return (await this.#shell.resume(this.id)).result();
  }
}
