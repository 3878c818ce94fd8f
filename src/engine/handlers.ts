import type { Failure } from '../errors.ts';
import { matchesPattern } from '../language/expression/index.ts';
import type { PlanHandler } from '../plan/index.ts';
import type { Evaluation } from './effect.ts';
import { openScopeOf } from './loops.ts';
import { completeTask, failFinally, isStopping } from './settle.ts';
import { CANCELLED, COMPLETED, FAILED, HANDLING, PENDING, RUNNING, SKIPPED, isSettled, type Scope } from './state.ts';
import { emit, evaluate, offer, taskAt, type Turn } from './turn.ts';

/** A task has failed for good: its handlers are tried in order, then its policy decides (LANGUAGE.md, Failure). */
export function failNow(turn: Turn, slot: number, failure: Failure): void {
  if (isSettled(turn.state.taskStatus[slot]!)) return;
  if (!mayHandle(turn, slot)) return failFinally(turn, slot, failure);
  emit(turn, { type: 'attempt.failed', slot, attempt: turn.state.attempt[slot]!, failure, retryAt: null });
  handleNext(turn, slot, 0);
}

/** The failure that a task's handlers are about. */
function failureOf(turn: Turn, slot: number): Failure {
  return turn.state.extra.get(slot)!.failure!;
}

/** Tries the first handler from `from` on that matches; without one the task fails. */
export function handleNext(turn: Turn, slot: number, from: number): void {
  const failure = failureOf(turn, slot);
  const { handlers } = taskAt(turn, slot);
  const index = handlers.findIndex((handler, i) => i >= from && matches(handler, failure));
  if (index < 0 || isStopping(turn.state, slot)) return failFinally(turn, slot, failure);
  const handler = handlers[index]!;
  if (handler.block === undefined) evaluate(turn, slot, 'fallback', index);
  else openScopeOf(turn, slot, handler.block, index);
}

export function matches(handler: PlanHandler, failure: Failure): boolean {
  if (handler.codes.length + handler.classes.length + handler.patterns.length === 0) return true;
  if (handler.codes.includes(failure.code) || handler.classes.includes(failure.class) || handler.classes.includes('*')) return true;
  return handler.patterns.some(pattern => matchesPattern(pattern, failure.message));
}

/** The task of a handler has settled. */
export function handlerClosed(turn: Turn, slot: number, scope: Scope): void {
  if (isSettled(turn.state.taskStatus[slot]!) || turn.state.phase[slot] !== HANDLING) return;
  const handler = taskAt(turn, slot).handlers[scope.index]!;
  const worked = turn.state.taskStatus[scope.base] === COMPLETED;
  if (!worked) return handler.fallback === undefined ? handleNext(turn, slot, scope.index + 1) : evaluate(turn, slot, 'fallback', scope.index);
  if (!handler.retry) return completeTask(turn, slot, turn.state.output[scope.base]!, { recovered: true });
  retryNow(turn, slot, failureOf(turn, slot));
}

/** The value that stands for the result, computed. */
export function fallbackEvaluated(turn: Turn, slot: number, index: number, result: Evaluation): void {
  if (turn.state.taskStatus[slot] !== RUNNING || turn.state.phase[slot] !== HANDLING) return;
  if (result.ok) completeTask(turn, slot, result.ref, { recovered: true, ...(result.observed?.length ? { observed: result.observed } : {}) });
  else handleNext(turn, slot, index + 1);
}

/** May the handlers of a task that has failed (again) run? A handler that retries runs as often as it says. */
function mayHandle(turn: Turn, slot: number): boolean {
  const { handlers } = taskAt(turn, slot);
  if (handlers.length === 0 || turn.state.status === 'cancelling') return false;
  const last = turn.state.extra.get(slot)?.handler;
  if (last === undefined) return true;
  const handler = handlers[last.index]!;
  return handler.retry && last.retries < handler.maxRetries;
}

/** Puts a task before its effect again, at once. */
export function retryNow(turn: Turn, slot: number, failure: Failure): void {
  emit(turn, { type: 'attempt.failed', slot, attempt: turn.state.attempt[slot]!, failure, retryAt: turn.now });
  tryAgain(turn, slot);
}

/** The wait before another try is over: an action is offered again, a container goes on with what failed in it. */
export function tryAgain(turn: Turn, slot: number): void {
  emit(turn, { type: 'timer.fired', slot });
  if (turn.state.extra.get(slot)?.scopes === undefined) offer(turn, slot, 'call');
  else reopenInside(turn, slot);
}

/** Resets what failed, was cancelled or was skipped for it inside a container, and queues what can run. */
export function reopenInside(turn: Turn, slot: number): void {
  const { state } = turn;
  for (const id of state.extra.get(slot)?.scopes ?? []) {
    const scope = state.scopes[id]!;
    const end = scope.base + turn.plan.blocks[scope.block]!.tasks.length;
    for (let inner = scope.base; inner < end; inner++) if (isLost(turn, inner)) resetTask(turn, inner);
    for (let inner = scope.base; inner < end; inner++) if (state.taskStatus[inner] === PENDING && state.waitingOn[inner] === 0) turn.ready.push(inner);
    if (scope.open === 0) turn.closed.push(id);
  }
}

/** Did a task not get its result, for a reason that another try could mend? */
export function isLost(turn: Turn, slot: number): boolean {
  const status = turn.state.taskStatus[slot]!;
  const reason = turn.state.taskReason[slot];
  if (status === COMPLETED) return (turn.state.extra.get(slot)?.loop?.failed ?? 0) > 0;
  return status === FAILED || status === CANCELLED || (status === SKIPPED && (reason === 'upstream_failed' || reason === 'run_failed' || reason === 'needs_attention'));
}

export function resetTask(turn: Turn, slot: number): void {
  emit(turn, { type: 'task.reset', slot });
  if (turn.state.extra.get(slot)?.scopes !== undefined) reopenInside(turn, slot);
}

/** After a crash: goes on where the handling of a failure stood. */
export function continueHandling(turn: Turn, slot: number): void {
  const handler = turn.state.extra.get(slot)?.handler;
  if (handler === undefined || handler.scope === null) return handleNext(turn, slot, 0);
  const scope = turn.state.scopes[handler.scope]!;
  if (scope.open === 0) handlerClosed(turn, slot, scope);
}
