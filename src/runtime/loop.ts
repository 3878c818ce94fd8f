import type { Clock } from '../clock.ts';
import { OrchestratorError } from '../errors.ts';
import {
  decide,
  dueAt,
  evaluateSite,
  hasEnded,
  snapshot,
  visibleStatus,
  waitsForOutside,
  type Computing,
  type Effect,
  type Evaluation,
  type Input,
  type Observation,
} from '../engine/index.ts';
import type { Json } from '../json.ts';
import type { Batch, RunChange, Store, Verdict } from '../store/port.ts';
import { Admission } from './admission.ts';
import { putBack, spendingOf, tellSpent } from './budgets.ts';
import { errorOf, outsideEvent, type LiveRun } from './live.ts';
import { ValuePending, type ValueStore } from './values.ts';

const SNAPSHOT_EVERY = 50_000;
const ROW_EVERY_MS = 1000;
const LONGEST_TIMER_MS = 2_000_000_000;
/** A disk that is full, or a store that is busy, may be so for a moment only: the same commit is tried again after these pauses. */
const COMMIT_AGAIN_MS = [50, 200, 1000];

/** What the loop leaves to others: the effects that touch the world. */
export interface Performer {
  perform(run: LiveRun, slot: number, attempt: number): void;
  ask(run: LiveRun, slot: number, index: number): void;
  /** Effect class of an attempt that is about to begin. */
  effectOf(run: LiveRun, slot: number): string;
  computing(run: LiveRun, observed: Observation[], slot: number): Computing;
}

/**
 * The loop of a process: takes all waiting inputs of all runs, decides each, commits all their events in one transaction, and only then hands out the effects
 * (append before effect, S2). One turn an event-loop turn, so that what ends together is written together.
 */
export class Loop {
  readonly runs = new Map<string, LiveRun>();
  readonly #store: Store;
  readonly #values: ValueStore;
  readonly #clock: Clock;
  readonly #performer: Performer;
  readonly #admission: Admission<Extract<Effect, { type: 'offer' }>>;
  readonly #dirty = new Set<LiveRun>();
  #scheduled = false;
  #committing: Promise<void> | null = null;
  /** While set, no effect is admitted: drain and emergency stop. */
  holding = false;
  /** Called when a run has ended or can be left. */
  onIdle: (run: LiveRun) => void = () => {};
  /** Called when this process has given a run up; `run.lost` says why. */
  onLost: (run: LiveRun) => void = () => {};

  constructor(options: { store: Store; values: ValueStore; clock: Clock; performer: Performer; concurrency: number }) {
    this.#store = options.store;
    this.#values = options.values;
    this.#clock = options.clock;
    this.#performer = options.performer;
    this.#admission = new Admission({ process: options.concurrency });
  }

  add(run: LiveRun): void {
    this.runs.set(run.id, run);
  }

  /** The pipeline's own timeout runs from the start of the run, also over a restart; a run that was reopened begins anew. */
  #watchDeadline(run: LiveRun): void {
    const end = deadlineOf(run);
    if (end === null || run.deadline !== undefined || run.state.status !== 'running') return;
    run.deadline = setTimeout(
      () => {
        run.deadline = undefined;
        const now = this.#clock.now();
        if (now < end) this.#watchDeadline(run);
        else this.send(run, { type: 'expired', now });
      },
      Math.min(Math.max(0, end - this.#clock.now()), LONGEST_TIMER_MS),
    );
  }

  /** Hands an input to a run. */
  send(run: LiveRun, input: Input): void {
    if (run.lost !== null) return;
    run.inputs.push(input);
    this.#wake(run);
  }

  /** As `send`, and waits until what was decided from it is durable. */
  sendDurably(run: LiveRun, input: Input): Promise<void> {
    return new Promise((resolve, reject) => {
      if (run.lost !== null) return reject(run.lost);
      run.waiters.push({ resolve, reject });
      this.send(run, input);
    });
  }

  /** Waits until a run has ended, is paused, or waits for the outside; rejects where this process cannot go on with it. */
  settled(run: LiveRun): Promise<void> {
    return new Promise((resolve, reject) => {
      run.settlers.push({ resolve, reject });
      this.#wake(run);
    });
  }

  now(): number {
    return this.#clock.now();
  }

  #wake(run: LiveRun): void {
    this.#dirty.add(run);
    if (this.#scheduled || this.#committing !== null) return;
    this.#scheduled = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#scheduled = false;
    const turned = [...this.#dirty];
    this.#dirty.clear();
    const batches: Batch[] = [];
    const written: LiveRun[] = [];
    for (const run of turned) {
      if (run.lost !== null) continue;
      try {
        this.#decide(run);
      } catch (error) {
        this.lose(run, error);
        continue;
      }
      if (run.events.length > 0 || run.create !== null) {
        batches.push(this.#batchOf(run));
        written.push(run);
      } else this.#after(run);
    }
    if (batches.length > 0) this.#commit(batches, written);
  }

  #commit(batches: Batch[], runs: LiveRun[]): void {
    let answer: Verdict[] | Promise<Verdict[]>;
    try {
      answer = this.#store.commit(batches);
    } catch (error) {
      answer = Promise.reject(error);
    }
    if (!(answer instanceof Promise)) return this.#committed(batches, runs, answer);
    this.#committing = this.#insist(answer, batches)
      .then(
        verdicts => this.#committed(batches, runs, verdicts),
        error => runs.forEach(run => this.lose(run, error)),
      )
      .finally(() => {
        this.#committing = null;
        if (this.#dirty.size > 0) this.#wake(this.#dirty.values().next().value!);
      });
  }

  /** The verdicts on a commit; where it was refused as a whole for a reason that may pass, it is tried again. */
  async #insist(answer: Promise<Verdict[]>, batches: Batch[]): Promise<Verdict[]> {
    for (const pauseMs of COMMIT_AGAIN_MS) {
      try {
        return await answer;
      } catch (error) {
        if (!(error instanceof OrchestratorError && error.retryable)) throw error;
      }
      await new Promise(resolve => setTimeout(resolve, pauseMs));
      answer = (async () => this.#store.commit(batches))();
    }
    return answer;
  }

  #committed(batches: Batch[], runs: LiveRun[], verdicts: Verdict[]): void {
    runs.forEach((run, i) => {
      const batch = batches[i]!;
      if (verdicts[i] === 'ok') {
        if (batch.spending !== undefined) tellSpent(run, batch, this.#clock.now());
        this.#durable(run);
      } else if (verdicts[i] !== 'over_budget' || !putBack(run, batch, this.#clock.now())) this.lose(run, refusal(run, verdicts[i]!));
      if (run.inputs.length > 0) this.#wake(run);
    });
  }

  /** All waiting inputs of a run, and those that pure effects and admissions bring back in the same turn. */
  #decide(run: LiveRun): void {
    const { inputs, events } = run;
    const effects: Effect[] = [];
    for (let i = 0; i < inputs.length; i++) {
      const input = inputs[i]!;
      decide(run.plan, run.state, input, { events, effects });
      const isIdle = input.type === 'admitted' && input.stage !== 'enter' && !effects.some(effect => effect.type === 'perform' || effect.type === 'ask');
      for (let k = 0; k < effects.length; k++) this.#route(run, effects[k]!);
      effects.length = 0;
      // What was held back while the run went on is offered again when it is resumed; what was let through too late begins nothing.
      if (run.held > 0 && run.state.status !== 'running') this.#dropHeld(run);
      if (isIdle) this.freed(run, input.slot);
    }
    run.inputs = [];
  }

  #route(run: LiveRun, effect: Effect): void {
    if (effect.type === 'offer') this.#offer(run, effect);
    else if (effect.type === 'evaluate') this.#evaluate(run, effect);
    else run.effects.push(effect);
  }

  /** Between offer and admission stands all that holds a task back. */
  #offer(run: LiveRun, offer: Extract<Effect, { type: 'offer' }>): void {
    if (run.state.status !== 'running') return;
    const needsRoom = offer.stage !== 'enter';
    // A run that is resumed offers again what a question is under way for: the answer takes it on.
    if (needsRoom && run.tokens.has(offer.slot)) return;
    if (this.holding || (needsRoom && !this.#admission.take(run.id, run.plan.concurrency))) {
      run.held++;
      this.#admission.wait(run.id, offer);
      return;
    }
    if (needsRoom) run.tokens.add(offer.slot);
    this.#admit(run, offer);
  }

  #dropHeld(run: LiveRun): void {
    run.held = 0;
    this.#admission.drop(run.id);
  }

  #admit(run: LiveRun, offer: Extract<Effect, { type: 'offer' }>): void {
    const effect = offer.stage === 'call' ? this.#performer.effectOf(run, offer.slot) : '';
    run.inputs.push({ type: 'admitted', slot: offer.slot, stage: offer.stage, index: offer.index, effect, now: this.#clock.now() });
  }

  /** What a slot was admitted for has ended, or never began. */
  freed(run: LiveRun, slot: number): void {
    if (!run.tokens.delete(slot)) return;
    this.#admission.release(run.id);
    this.admitWaiting();
  }

  /** Lets through what can go now: room was made, or a hold was lifted. */
  admitWaiting(): void {
    if (this.holding) return;
    for (const { run: id, item } of this.#admission.admit(run => this.runs.get(run)?.plan.concurrency)) {
      const run = this.runs.get(id)!;
      run.held--;
      if (item.stage === 'enter') this.#admission.release(id);
      else run.tokens.add(item.slot);
      this.#admit(run, item);
      this.#wake(run);
    }
  }

  #evaluate(run: LiveRun, effect: Extract<Effect, { type: 'evaluate' }>): void {
    const { slot, site, index } = effect;
    try {
      run.inputs.push({ type: 'evaluated', slot, site, index, result: this.#evaluation(run, effect), now: this.#clock.now() });
    } catch (error) {
      if (!(error instanceof ValuePending)) throw error;
      error.arrival
        .then(() => {
          this.#evaluate(run, effect);
          this.#wake(run);
        })
        .catch((failed: unknown) => this.lose(run, failed));
    }
  }

  #evaluation(run: LiveRun, { slot, site, index }: Extract<Effect, { type: 'evaluate' }>): Evaluation {
    const observed: Observation[] = [];
    const result = evaluateSite(this.#performer.computing(run, observed, slot), slot, site, index);
    if (!result.ok) return result;
    const kept: Json = site === 'loop' ? (result.value as { items: Json }).items : result.value;
    return { ok: true, value: result.value, ref: this.#values.refer(kept, run.blobs), observed };
  }

  #batchOf(run: LiveRun): Batch {
    const batch: Batch = { run: run.id, expectedSeq: run.durable, epoch: run.epoch, events: run.events };
    if (run.create !== null) batch.create = run.create;
    // What is added from here on, while the commit is under way, belongs to the next one.
    if (run.blobs.length > 0) [batch.blobs, run.blobs] = [run.blobs, []];
    if (run.ledger.length > 0) [batch.ledger, run.ledger] = [run.ledger, []];
    if (run.consumed.length > 0) [batch.consumed, run.consumed] = [run.consumed, []];
    const spending = run.spends ? spendingOf(run.events) : undefined;
    if (spending !== undefined) batch.spending = spending;
    run.sinceSnapshot += run.events.length;
    if (run.sinceSnapshot >= SNAPSHOT_EVERY) {
      batch.snapshot = snapshot(run.state);
      run.sinceSnapshot = 0;
    }
    const change = this.#rowChange(run);
    if (change !== null) batch.change = change;
    return batch;
  }

  /** What of the run's row is to be written: its status when it changes, counts once a second and at the end. */
  #rowChange(run: LiveRun): RunChange | null {
    const { state, row } = run;
    const now = this.#clock.now();
    const busy = run.inFlight.size > 0 || run.held > 0 || run.effects.some(effect => effect.type === 'perform' || effect.type === 'ask');
    const { status, reason } = busy || state.status !== 'running' ? state : visibleStatus(state);
    const ended = hasEnded(state);
    const hasTimer = run.timers.size > 0 || row.dueAt !== null || run.effects.some(effect => effect.type === 'timer');
    const due = ended ? null : earliest(hasTimer ? dueAt(state) : null, deadlineOf(run));
    if (status === row.status && reason === row.reason && due === row.dueAt && !ended && now - row.writtenAt < ROW_EVERY_MS) return null;
    const change: RunChange = { status, reason, dueAt: due, tasksDone: state.done, tasksTotal: state.slots, costMicroUsd: state.costMicroUsd };
    if (state.startedAt > 0) change.startedAt = state.startedAt;
    change.endedAt = ended ? state.endedAt : null;
    change.error = ended ? errorOf(run) : null;
    run.row = { status, reason, dueAt: due, tasksDone: state.done, writtenAt: now };
    return change;
  }

  #durable(run: LiveRun): void {
    const first = run.durable + 1;
    const { events } = run;
    run.durable += events.length;
    run.create = null;
    run.events = [];
    if (run.listeners.size > 0 && events.length > 0) {
      const told = events.map((event, i) => outsideEvent(run, event, first + i));
      for (const listener of run.listeners) listener(told);
    }
    this.#after(run);
  }

  /** Hands out effects, tells who waits, and looks whether the run can be left. */
  #after(run: LiveRun): void {
    const { effects } = run;
    this.#watchDeadline(run);
    if (effects.length > 0) {
      run.effects = [];
      for (const effect of effects) this.#start(run, effect);
    }
    if (run.waiters.length > 0 && run.inputs.length === 0) {
      const { waiters } = run;
      run.waiters = [];
      for (const waiter of waiters) waiter.resolve();
    }
    if (run.inFlight.size > 0 && hasEnded(run.state))
      for (const flight of run.inFlight.values()) flight.abort(new OrchestratorError('ORC-231', 'the run has ended', { class: 'cancelled' }));
    if (run.inFlight.size === 0 && run.inputs.length === 0) this.#perhapsIdle(run);
  }

  #start(run: LiveRun, effect: Effect): void {
    switch (effect.type) {
      case 'perform':
        // What a dead process had begun goes on in this one without an offer; it counts all the same.
        if (!run.tokens.has(effect.slot)) {
          this.#admission.force(run.id);
          run.tokens.add(effect.slot);
        }
        return this.#performer.perform(run, effect.slot, effect.attempt);
      case 'ask':
        return this.#performer.ask(run, effect.slot, effect.index);
      case 'abort':
        run.inFlight.get(effect.slot)?.abort(new OrchestratorError('ORC-231', 'cancelled', { class: 'cancelled' }));
        return;
      case 'timer':
        return this.#setTimer(run, effect.slot, effect.until);
      default:
    }
  }

  #setTimer(run: LiveRun, slot: number, until: number): void {
    clearTimeout(run.timers.get(slot));
    const delay = Math.min(Math.max(0, until - this.#clock.now()), LONGEST_TIMER_MS);
    run.timers.set(
      slot,
      setTimeout(() => {
        run.timers.delete(slot);
        this.send(run, { type: 'due', slot, now: this.#clock.now() });
      }, delay),
    );
  }

  #perhapsIdle(run: LiveRun): void {
    const { state } = run;
    // What is due already goes on by itself in a moment.
    const isDue = run.row.dueAt !== null && run.row.dueAt <= this.#clock.now();
    const idle = hasEnded(state) || state.status === 'paused' || (run.held === 0 && !isDue && waitsForOutside(state));
    if (!idle) return;
    if (hasEnded(state)) this.#forget(run);
    const settlers = run.settlers.splice(0);
    for (const settler of settlers) settler.resolve();
    this.onIdle(run);
  }

  #forget(run: LiveRun): void {
    for (const timer of run.timers.values()) clearTimeout(timer);
    run.timers.clear();
    clearTimeout(run.deadline);
    this.#dropHeld(run);
    if (this.runs.get(run.id) === run) this.runs.delete(run.id);
  }

  /** Leaves a run that only waits: its rows are all that is kept. */
  park(run: LiveRun): void {
    this.#forget(run);
  }

  /** This process cannot go on with the run: another has taken it, it cannot be written, or the process closes. What is not durable is dropped. */
  lose(run: LiveRun, reason: unknown): void {
    if (run.lost !== null) return;
    const error = reason instanceof Error ? reason : new OrchestratorError('ORC-700', String(reason), { class: 'internal' });
    run.lost = error;
    this.#forget(run);
    for (const flight of run.inFlight.values()) flight.abort(error);
    for (const waiter of run.waiters.splice(0)) waiter.reject(error);
    for (const settler of run.settlers.splice(0)) settler.reject(error);
    for (const listener of run.listeners) listener([]);
    this.onLost(run);
    for (const slot of run.tokens) if (!run.inFlight.has(slot) && !run.inFlight.has(-2 - slot)) this.freed(run, slot);
  }

  /** Waits until nothing that was decided is unwritten. */
  async flushed(): Promise<void> {
    while (this.#dirty.size > 0 || this.#committing !== null) await (this.#committing ?? new Promise(resolve => setImmediate(resolve)));
  }
}

/** When the pipeline's own timeout passes, or null. */
function deadlineOf({ plan, state }: LiveRun): number | null {
  return plan.timeoutMs === undefined || state.startedAt === 0 ? null : state.startedAt + plan.timeoutMs;
}

function earliest(a: number | null, b: number | null): number | null {
  return a === null || b === null ? (a ?? b) : Math.min(a, b);
}

function refusal(run: LiveRun, verdict: Verdict): OrchestratorError {
  if (verdict === 'key_conflict') return new OrchestratorError('ORC-509', 'the idempotency key belongs to another run', { class: 'invalid_input' });
  if (verdict === 'over_budget') return new OrchestratorError('ORC-602', 'the budget is used up', { class: 'budget' });
  if (verdict === 'unknown')
    return new OrchestratorError('ORC-501', 'the answer of the store to a commit was lost', { class: 'storage', help: [`orchestrator resume ${run.id}`] });
  return new OrchestratorError('ORC-511', `another process has taken over ${run.id}`, { class: 'storage', help: [`orchestrator show ${run.id}`] });
}
