import { TASK_STATUSES, documentOf, hasEnded, pathOf, taskOfSlot, visibleStatus, type Reason, type RunDocument, type TaskStatus } from '../engine/index.ts';
import type { ActiveTask, RunEvent, RunHandle, RunView } from './api.ts';
import type { LiveRun } from './live.ts';
import type { Shop } from './shell.ts';

/** At most so many tasks under way are shown; the counts tell of all. */
const SHOWN = 64;

/** The handle of a run that this process drives, or drove: one that only waits leaves the memory, and may come back as another object. */
export class Handle implements RunHandle {
  readonly id: string;
  readonly #shop: Shop;
  readonly #run: LiveRun;

  constructor(shop: Shop, run: LiveRun) {
    this.id = run.id;
    this.#shop = shop;
    this.#run = run;
  }

  async result(): Promise<RunDocument> {
    const { loop, shell, values } = this.#shop;
    const run = this.#run;
    const live = loop.runs.get(this.id);
    if (live !== undefined) await loop.settled(live);
    else if (run.lost !== null) throw run.lost;
    // A run that was parked may have gone on since, as another object.
    if (live !== run && !hasEnded(run.state)) return shell.show(this.id);
    return values.settle(() => documentOf({ plan: run.plan, state: run.state, run: this.id, load: ref => values.load(ref) }));
  }

  events(): AsyncIterable<RunEvent> {
    return this.#shop.shell.events(this.id, { follow: true });
  }

  async pause(reason: Reason = 'requested'): Promise<void> {
    const { loop, shell } = this.#shop;
    const live = loop.runs.get(this.id);
    if (live === undefined) return shell.command(this.id, { type: 'pause', by: 'this process' });
    await loop.sendDurably(live, { type: 'pause', reason: reason === 'drain' ? 'drain' : 'requested', now: loop.now() });
  }

  async cancel(reason: Reason = 'requested'): Promise<void> {
    const { loop, shell } = this.#shop;
    if (hasEnded(this.#run.state)) return;
    const live = loop.runs.get(this.id);
    if (live === undefined) return shell.command(this.id, { type: 'cancel', by: 'this process' });
    if (reason === 'timed_out') await loop.sendDurably(live, { type: 'expired', now: loop.now() });
    else await loop.sendDurably(live, { type: 'command', command: { type: 'cancel', by: 'this process' }, now: loop.now() });
  }

  view(): RunView {
    const { state, plan } = this.#run;
    const { status, reason } = this.#run.inFlight.size > 0 ? { status: state.status, reason: state.reason } : visibleStatus(state);
    const active: ActiveTask[] = [];
    for (let slot = 0; slot < state.slots && active.length < SHOWN; slot++) {
      const name = TASK_STATUSES[state.taskStatus[slot]!]!;
      if (name === 'running' || name === 'waiting' || name === 'scheduled') active.push(activeTask(this.#shop, this.#run, slot, name));
    }
    return {
      run: this.id,
      pipeline: plan.pipeline.name,
      status,
      reason,
      done: state.done,
      failed: state.failed,
      total: state.slots,
      startedAt: state.startedAt === 0 ? null : state.startedAt,
      costMicroUsd: state.costMicroUsd,
      active,
    };
  }
}

function activeTask({ secrets }: Shop, run: LiveRun, slot: number, status: TaskStatus): ActiveTask {
  const { state, plan } = run;
  const extra = state.extra.get(slot);
  const flight = run.inFlight.get(slot) ?? run.inFlight.get(-2 - slot);
  const loop = extra?.loop;
  return {
    path: pathOf(plan, state, slot),
    action: taskOfSlot(plan, state, slot).action,
    status,
    reason: state.taskReason[slot] ?? null,
    since: state.beganAt[slot]! || state.scheduledAt[slot]!,
    until: extra?.until ?? null,
    waitsFor: state.taskReason[slot] === 'rate_limit' ? (extra?.waitsFor ?? null) : null,
    attempt: state.attempt[slot]!,
    iterations: loop === undefined ? null : { done: loop.done, total: loop.items === null ? null : loop.count, failed: loop.failed },
    asking: run.inFlight.has(-2 - slot),
    progress: flight?.progress ?? null,
    tokens: flight?.tokens ?? null,
    writing: flight === undefined || flight.written === '' ? null : lastLine(secrets.redactGrowing(flight.written)),
  };
}

/** Characters of a line that fit a terminal. */
const LINE_MAX = 300;

function lastLine(text: string): string {
  const end = text.trimEnd();
  return end.slice(end.lastIndexOf('\n') + 1).slice(-LINE_MAX);
}
