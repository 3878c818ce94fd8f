import type { RunEvent, RunHandle, RunView, ActiveTask } from '../runtime/api.ts';
import type { Plan } from '../plan/plan.ts';
import type { RunRow } from '../store/index.ts';
import { taskAt } from './trouble.ts';

/** The view of a run that another process drives, kept from its events. */
export class Tracker implements Pick<RunHandle, 'id' | 'view'> {
  readonly id: string;
  readonly #view: RunView;
  readonly #plan: Plan | undefined;
  readonly #active = new Map<string, ActiveTask>();

  constructor(row: RunRow, plan: Plan | undefined) {
    this.id = row.run;
    this.#plan = plan;
    this.#view = {
      run: row.run,
      pipeline: row.pipeline,
      status: row.status,
      reason: row.reason,
      done: 0,
      failed: 0,
      total: row.tasksTotal,
      startedAt: row.startedAt,
      costMicroUsd: 0,
      active: [],
    };
  }

  view(): RunView {
    return { ...this.#view, active: [...this.#active.values()] };
  }

  take(event: RunEvent): void {
    const view = this.#view;
    const path = event.path ?? '';
    switch (event.type) {
      case 'run.started':
        view.startedAt = event.at;
        view.status = 'running';
        break;
      case 'run.paused':
        view.status = 'paused';
        view.reason = event.reason;
        break;
      case 'run.resumed':
      case 'run.reopened':
        view.status = 'running';
        view.reason = null;
        break;
      case 'run.ended':
        view.status = event.status;
        this.#active.clear();
        break;
      case 'model.called':
        view.costMicroUsd += event.call.costMicroUsd ?? 0;
        break;
      default:
        this.#takeTask(event, path);
    }
  }

  #takeTask(event: RunEvent, path: string): void {
    switch (event.type) {
      case 'loop.started':
        this.#begin(path, event.at, 1).iterations = { done: 0, total: event.items === null ? null : event.count, failed: 0 };
        break;
      case 'attempt.started':
        this.#begin(path, event.at, event.attempt);
        break;
      case 'approval.requested':
        this.#wait(path, event.at, 'approval', event.until);
        break;
      case 'signal.awaited':
        this.#wait(path, event.at, 'signal', event.until);
        break;
      case 'timer.set':
        if (event.kind === 'sleep') this.#wait(path, event.at, 'timer', event.until);
        break;
      case 'attempt.deferred':
        this.#wait(path, event.at, event.reason, event.until, event.for);
        break;
      case 'attempt.failed':
        if (event.retryAt !== null) this.#wait(path, event.at, 'backoff', event.retryAt);
        break;
      case 'task.completed':
      case 'task.skipped':
      case 'task.cancelled':
      case 'task.failed':
        this.#settle(path, event.type === 'task.failed');
        break;
      default:
    }
  }

  #begin(path: string, at: number, attempt: number): ActiveTask {
    const action = this.#plan === undefined ? '' : (taskAt(this.#plan, path)?.action ?? '');
    const task: ActiveTask = {
      path,
      action,
      status: 'running',
      reason: null,
      since: at,
      until: null,
      waitsFor: null,
      attempt,
      iterations: null,
      asking: false,
      progress: null,
      tokens: null,
      writing: null,
    };
    this.#active.set(path, task);
    return task;
  }

  #wait(path: string, at: number, reason: ActiveTask['reason'], until: number | null, waitsFor: string | null = null): void {
    const task = this.#active.get(path) ?? this.#begin(path, at, 1);
    Object.assign(task, { status: 'waiting', reason, until, waitsFor });
  }

  #settle(path: string, hasFailed: boolean): void {
    this.#active.delete(path);
    const slash = path.lastIndexOf('/');
    if (slash < 0) {
      this.#view.done++;
      if (hasFailed) this.#view.failed++;
    }
    // The last task of an iteration ends it; which one that is, the number of the iteration tells best.
    const owner = this.#active.get(path.slice(0, slash).replace(/[[@]\d+\]?$/, ''));
    const index = /[[@](\d+)\]?$/.exec(path.slice(0, slash))?.[1];
    if (owner?.iterations != null && index !== undefined) owner.iterations.done = Math.max(owner.iterations.done, Number(index));
  }
}
