import { edges, type Plan, type PlanTask } from '../plan/index.ts';
import type { Event } from './event.ts';
import {
  APPROVAL,
  ATTENTION,
  BACKOFF,
  CANCELLED,
  COMPLETED,
  DEFERRED,
  FAILED,
  HANDLING,
  IDLE,
  PENDING,
  PERFORMING,
  RUNNING,
  SCHEDULED,
  SIGNAL,
  SKIPPED,
  SLEEPING,
  WAITING,
  blockOfSlot,
  extraOf,
  isSettled,
  openScope,
  scopeOfSlot,
  taskOfSlot,
  type Extra,
  type LoopState,
  type RunState,
  type Scope,
} from './state.ts';

type Of<T extends Event['type']> = Extract<Event, { type: T }>;

/** Folds one event into the state, in place. Total and deterministic; it holds no policy, asks nothing and reads no clock. */
export function apply(plan: Plan, state: RunState, event: Event): void {
  state.seq++;
  state.at = event.at;
  switch (event.type) {
    case 'task.completed':
      return applyCompleted(plan, state, event);
    case 'attempt.started':
      if (event.effect !== taskOfSlot(plan, state, event.slot).effect) extraOf(state, event.slot).effect = event.effect;
      state.attempt[event.slot] = event.attempt;
      state.phase[event.slot] = PERFORMING;
      return enter(state, event.slot, RUNNING, event.at);
    case 'task.scheduled':
      state.scheduledAt[event.slot] = event.at;
      return enter(state, event.slot, SCHEDULED, event.at);
    case 'task.failed':
      return applyFailed(plan, state, event);
    case 'task.skipped':
      if (event.because !== null) extraOf(state, event.slot).because = event.because;
      if (event.failure !== undefined) extraOf(state, event.slot).failure = event.failure;
      state.taskReason[event.slot] = event.reason;
      return settle(plan, state, event.slot, SKIPPED, event.at);
    case 'task.cancelled':
      state.taskReason[event.slot] = event.reason;
      return settle(plan, state, event.slot, CANCELLED, event.at);
    case 'task.reset':
      return applyReset(plan, state, event.slot);
    case 'task.adopted':
      return applyAdopted(plan, state, event);
    case 'task.logged':
    case 'value.overridden':
      if (event.type === 'value.overridden') (extraOf(state, event.slot).overrides ??= new Map()).set(event.path, event.value);
      return;
    case 'budget.set':
    case 'budget.reserved':
    case 'budget.refused':
    case 'budget.released':
    case 'budget.doubted':
    case 'budget.warned':
      return applyBudget(state, event);
    default:
      return event.type.startsWith('run.') ? applyRun(state, event as RunEvents) : applyDetail(plan, state, event as DetailEvents);
  }
}

type BudgetEvents = Extract<Event, { type: `budget.${string}` }>;
type RunEvents = Extract<Event, { type: `run.${string}` }>;
type DetailEvents = Exclude<
  Event,
  | RunEvents
  | BudgetEvents
  | Of<
      | 'task.completed'
      | 'attempt.started'
      | 'task.scheduled'
      | 'task.failed'
      | 'task.skipped'
      | 'task.cancelled'
      | 'task.reset'
      | 'task.adopted'
      | 'task.logged'
      | 'value.overridden'
    >
>;

function applyRun(state: RunState, event: RunEvents): void {
  switch (event.type) {
    case 'run.created':
      state.created = event;
      state.inputs = event.inputs;
      state.until = event.until;
      return;
    case 'run.acquired':
      state.epoch = event.epoch;
      state.owner = event.owner;
      return;
    case 'run.started':
      state.status = 'running';
      state.startedAt = event.at;
      return;
    case 'run.paused':
      state.status = 'paused';
      state.reason = event.reason;
      state.pausedUntil = event.until ?? null;
      return;
    case 'run.resumed':
      state.status = 'running';
      state.reason = null;
      state.until = event.until;
      state.pausedUntil = null;
      state.refusals = {};
      return;
    case 'run.reopened':
      state.refusals = {};
      state.status = 'running';
      state.startedAt = event.at;
      state.reason = null;
      state.failure = null;
      state.outputs = null;
      state.endedAt = 0;
      state.until = null;
      state.handlerScope = -1;
      return;
    case 'run.cancelling':
      state.status = 'cancelling';
      state.reason = event.reason;
      return;
    case 'run.ended':
      state.status = event.status;
      state.reason = event.reason;
      state.failure = event.failure;
      state.outputs = event.outputs;
      state.endedAt = event.at;
  }
}

function applyBudget(state: RunState, event: BudgetEvents): void {
  switch (event.type) {
    case 'budget.set':
      state.budget = { microUsd: event.microUsd, onExceed: event.onExceed };
      delete state.warned['run'];
      return;
    case 'budget.reserved':
      delete state.refusals[event.slot];
      state.reserved[event.key] = event.microUsd;
      state.reservedMicroUsd += event.microUsd;
      if (event.microUsd > 0) state.reservedBy[event.slot] = (state.reservedBy[event.slot] ?? 0) + event.microUsd;
      return;
    case 'budget.refused':
      state.refusals[event.slot] = event.refusal;
      return;
    case 'budget.released':
      return unreserve(state, event.slot, event.key);
    case 'budget.doubted':
      state.doubted.push(...event.keys);
      return;
    case 'budget.warned': {
      const { percent, settledMicroUsd, capMicroUsd } = event;
      state.warned[event.scope] = { percent, settledMicroUsd, capMicroUsd };
    }
  }
}

function unreserve(state: RunState, slot: number, key: string): void {
  const microUsd = state.reserved[key]!;
  const left = (state.reservedBy[slot] ?? 0) - microUsd;
  if (left > 0) state.reservedBy[slot] = left;
  else delete state.reservedBy[slot];
  state.reservedMicroUsd -= microUsd;
  delete state.reserved[key];
}

/**
 * Unfolds reservations for which the store had no room, so that they are as if they had not been decided. They are not durable, and nothing that was decided
 * with them looks at them but reservations of the same turn, which were then judged too strictly, never too kindly.
 */
export function takeBack(state: RunState, event: Of<'budget.reserved'>): void {
  state.seq--;
  unreserve(state, event.slot, event.key);
}

function applyDetail(plan: Plan, state: RunState, event: DetailEvents): void {
  switch (event.type) {
    case 'scope.opened':
      return applyScope(plan, state, event);
    case 'loop.started': {
      const { items, count, parallel, limit } = event;
      extraOf(state, event.slot).loop = { items, count, parallel, limit, opened: 0, done: 0, failed: 0, broken: false, condition: null };
      return enter(state, event.slot, RUNNING, event.at);
    }
    case 'condition.evaluated': {
      const extra = extraOf(state, event.slot);
      if (event.site === 'condition') extra.condition = event.value;
      else extra.loop!.condition = { site: event.site, index: event.index, value: event.value };
      return;
    }
    case 'attempt.failed': {
      const extra = extraOf(state, event.slot);
      extra.failure = event.failure;
      if (event.handler !== undefined) countTry(extra, event.handler, null);
      if (event.retryAt !== null) extra.until = event.retryAt;
      else if (extra.handler !== undefined) extra.handler.scope = null;
      state.attempt[event.slot] = event.attempt;
      state.taskReason[event.slot] = event.retryAt === null ? null : 'backoff';
      state.phase[event.slot] = event.retryAt === null ? HANDLING : BACKOFF;
      return enter(state, event.slot, event.retryAt === null ? RUNNING : WAITING, event.at);
    }
    case 'attempt.deferred':
      if (event.for !== undefined) extraOf(state, event.slot).waitsFor = event.for;
      return wait(state, event.slot, DEFERRED, event.reason, event.until, event.at);
    case 'attempt.held':
      state.attempt[event.slot] = event.attempt - 1;
      state.phase[event.slot] = IDLE;
      return enter(state, event.slot, SCHEDULED, event.at);
    case 'attempt.doubtful':
      return wait(state, event.slot, ATTENTION, 'needs_attention', null, event.at);
    case 'timer.fired':
      state.phase[event.slot] = IDLE;
      state.taskReason[event.slot] = null;
      return enter(state, event.slot, state.extra.get(event.slot)?.scopes === undefined ? SCHEDULED : RUNNING, event.at);
    case 'timer.set':
      return wait(state, event.slot, SLEEPING, 'timer', event.until, event.at);
    default:
      return applyOutside(state, event);
  }
}

type OutsideEvents = Exclude<
  DetailEvents,
  Of<
    | 'scope.opened'
    | 'loop.started'
    | 'condition.evaluated'
    | 'attempt.failed'
    | 'attempt.deferred'
    | 'attempt.held'
    | 'attempt.doubtful'
    | 'timer.fired'
    | 'timer.set'
  >
>;

/** What people, models and steps said. */
function applyOutside(state: RunState, event: OutsideEvents): void {
  switch (event.type) {
    case 'approval.requested': {
      Object.assign(extraOf(state, event.slot), { prompt: event.prompt, choices: event.choices, onTimeout: event.onTimeout });
      return wait(state, event.slot, APPROVAL, 'approval', event.until, event.at);
    }
    case 'signal.awaited': {
      Object.assign(extraOf(state, event.slot), { signal: event.name, onTimeout: event.onTimeout });
      return wait(state, event.slot, SIGNAL, 'signal', event.until, event.at);
    }
    case 'signal.received': {
      const waiting = state.signals.get(event.name);
      if (waiting === undefined) state.signals.set(event.name, [event.payload]);
      else waiting.push(event.payload);
      return;
    }
    case 'auto.resolved': {
      const extra = extraOf(state, event.slot);
      (extra.autos ??= {})[event.index] = { value: event.value, source: event.source, model: event.model, reason: event.reason };
      return;
    }
    case 'model.called':
      return applyCall(state, event);
    case 'step.started':
      (extraOf(state, event.slot).steps ??= new Map()).set(event.name, { effect: event.effect, output: null });
      return;
    case 'step.completed':
      (extraOf(state, event.slot).steps ??= new Map()).set(event.name, { effect: '', output: event.output });
      return;
    case 'approval.given':
  }
}

/** A call that failed and cost nothing is a fact of its ledger only; one whose reply was lost is counted apart (S12). */
function applyCall(state: RunState, { slot, call }: Of<'model.called'>): void {
  if (call.uncertain === true) {
    state.uncertainCalls++;
    state.uncertainMicroUsd += call.worstMicroUsd ?? 0;
    return;
  }
  if (call.failed !== undefined && call.costMicroUsd === 0) return;
  const extra = extraOf(state, slot);
  const usage = (extra.usage ??= { model: call.model, inputTokens: 0, outputTokens: 0, costMicroUsd: 0 });
  usage.model = call.model;
  usage.inputTokens += call.inputTokens;
  usage.outputTokens += call.outputTokens;
  usage.costMicroUsd += call.costMicroUsd ?? 0;
  if (call.cached === true) {
    const { calls, savedMicroUsd } = usage.kept ?? { calls: 0, savedMicroUsd: 0 };
    usage.kept = { calls: calls + 1, savedMicroUsd: savedMicroUsd + (call.savedMicroUsd ?? 0) };
  }
  if (call.route !== undefined) usage.route = call.route;
  if (call.tried !== undefined) usage.tried = call.tried;
  state.costMicroUsd += call.costMicroUsd ?? 0;
  if (call.costMicroUsd === null) state.unpricedCalls++;
}

function applyScope(plan: Plan, state: RunState, event: Of<'scope.opened'>): void {
  const id = state.scopes.length;
  openScope(plan, state, { block: event.block, owner: event.owner, index: event.index, inputs: event.inputs });
  const isHandler = plan.blocks[event.block]!.kind === 'handler';
  if (event.owner < 0) {
    if (isHandler) state.handlerScope = id;
    return;
  }
  const extra = extraOf(state, event.owner);
  if (isHandler) {
    return countTry(extra, event.index, id);
  }
  (extra.scopes ??= []).push(id);
  if (extra.loop !== undefined) {
    extra.loop.opened++;
    noteCrowd(extra.loop);
  }
  enter(state, event.owner, RUNNING, event.at);
}

function countTry(extra: Extra, handler: number, scope: number | null): void {
  const tries = extra.handler?.tries ?? {};
  extra.handler = { scope, tries: { ...tries, [handler]: (tries[handler] ?? 0) + 1 } };
}

function applyCompleted(plan: Plan, state: RunState, event: Of<'task.completed'>): void {
  const { slot } = event;
  state.output[slot] = event.output;
  state.taskReason[slot] = null;
  if (event.recovered || event.cached || event.exhausted || event.observed) {
    const extra = extraOf(state, slot);
    if (event.recovered) extra.recovered = true;
    if (event.cached) extra.cached = true;
    if (event.exhausted) extra.exhausted = true;
    if (event.observed) extra.observed = event.observed;
  }
  if (state.phase[slot] === SIGNAL) {
    const name = state.extra.get(slot)!.signal!;
    const waiting = state.signals.get(name);
    if (waiting !== undefined && waiting.length > 1) waiting.shift();
    else state.signals.delete(name);
  }
  settle(plan, state, slot, COMPLETED, event.at);
}

function applyFailed(plan: Plan, state: RunState, event: Of<'task.failed'>): void {
  extraOf(state, event.slot).failure = event.failure;
  if (taskOfSlot(plan, state, event.slot).onFailure === 'fail') {
    const scope = scopeOfSlot(state, event.slot);
    scope.failing = true;
    const loop = loopAround(plan, state, scope);
    if (loop !== undefined && breaksOnFailure(taskOfSlot(plan, state, scope.owner))) loop.broken = true;
  }
  state.taskReason[event.slot] = event.failure.class === 'timeout' ? 'timed_out' : null;
  settle(plan, state, event.slot, FAILED, event.at);
}

function applyAdopted(plan: Plan, state: RunState, event: Of<'task.adopted'>): void {
  const extra = extraOf(state, event.slot);
  extra.adoptedFrom = event.from;
  if (event.recovered) extra.recovered = true;
  state.output[event.slot] = event.output;
  settle(plan, state, event.slot, event.status === 'completed' ? COMPLETED : SKIPPED, event.at);
}

/** The same arithmetic as `settle`, backwards: the task is open again, and so is its scope. */
function applyReset(plan: Plan, state: RunState, slot: number): void {
  const status = state.taskStatus[slot]!;
  const scope = scopeOfSlot(state, slot);
  const extra = state.extra.get(slot);
  const resumes = extra?.scopes !== undefined;
  if (isSettled(status)) {
    state.done--;
    if (status === FAILED) state.failed--;
    if (resumes) {
      state.active++;
      state.running++;
    }
    countOpen(plan, state, scope, 1);
    const { start, dependants } = edges(plan.blocks[scope.block]!);
    const local = slot - scope.base;
    for (let i = start[local]!; i < start[local + 1]!; i++) state.waitingOn[scope.base + dependants[i]!]!++;
  }
  scope.failing = false;
  state.taskStatus[slot] = resumes ? RUNNING : PENDING;
  state.phase[slot] = IDLE;
  state.taskReason[slot] = null;
  state.output[slot] = null;
  state.settledAt[slot] = 0;
  if (state.attempt[slot]! > 0) extraOf(state, slot).attemptsBefore = state.attempt[slot]!;
  if (extra === undefined) return;
  for (const key of ['failure', 'because', 'condition', 'handler', 'until', 'recovered', 'exhausted', 'observed'] as const) delete extra[key];
}

/** True where a failed iteration ends the loop rather than being left out. */
function breaksOnFailure({ onFailure }: PlanTask): boolean {
  return onFailure !== 'skip' && onFailure !== 'continue';
}

/** The loop of which a scope is an iteration; the handler of a loop is none. */
function loopAround(plan: Plan, state: RunState, scope: Scope): LoopState | undefined {
  return scope.owner < 0 || plan.blocks[scope.block]!.kind === 'handler' ? undefined : state.extra.get(scope.owner)?.loop;
}

function countOpen(plan: Plan, state: RunState, scope: Scope, by: 1 | -1): void {
  const before = scope.open;
  scope.open += by;
  const loop = before === 0 || scope.open === 0 ? loopAround(plan, state, scope) : undefined;
  if (loop === undefined) return;
  const closed = scope.open === 0 ? 1 : -1;
  loop.done += closed;
  if (scope.failing) loop.failed += closed;
  // An iteration that opens again is one that failed: all that did are opened in one turn.
  if (closed < 0) loop.broken = false;
  noteCrowd(loop);
}

function noteCrowd(loop: LoopState): void {
  if (loop.opened - loop.done > loop.parallel) loop.crowded = true;
}

/** Moves a task into a status that is not its last. */
function enter(state: RunState, slot: number, status: number, at: number): void {
  const before = state.taskStatus[slot]!;
  if (before === PENDING) state.active++;
  if (before === RUNNING) state.running--;
  if (status === RUNNING) {
    state.running++;
    if (state.beganAt[slot] === 0) state.beganAt[slot] = at;
  }
  state.taskStatus[slot] = status;
}

function wait(state: RunState, slot: number, phase: number, reason: RunState['reason'], until: number | null, at: number): void {
  const extra = extraOf(state, slot);
  if (until === null) delete extra.until;
  else extra.until = until;
  state.phase[slot] = phase;
  state.taskReason[slot] = reason;
  if (state.beganAt[slot] === 0) state.beganAt[slot] = at;
  enter(state, slot, WAITING, at);
}

/** Gives a task its last status and counts it down: one decrement per dependant, no scan. */
function settle(plan: Plan, state: RunState, slot: number, status: number, at: number): void {
  const before = state.taskStatus[slot]!;
  if (before === RUNNING) state.running--;
  if (before !== PENDING) state.active--;
  state.taskStatus[slot] = status;
  state.phase[slot] = IDLE;
  state.settledAt[slot] = at;
  state.done++;
  if (status === FAILED) state.failed++;
  state.order.push(slot);
  const scope = scopeOfSlot(state, slot);
  const { start, dependants } = edges(blockOfSlot(plan, state, slot));
  const local = slot - scope.base;
  for (let i = start[local]!; i < start[local + 1]!; i++) state.waitingOn[scope.base + dependants[i]!]!--;
  countOpen(plan, state, scope, -1);
}
