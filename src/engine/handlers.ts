import type { Failure } from '../errors.ts';
import { matchesPattern } from '../language/expression/index.ts';
import type { PlanHandler } from '../plan/index.ts';
import type { Evaluation } from './effect.ts';
import { openScopeOf, queueInside } from './loops.ts';
import { completeTask, failFinally, isStopping } from './settle.ts';
import { CANCELLED, COMPLETED, FAILED, HANDLING, SKIPPED, isSettled, type Scope } from './state.ts';
import { emit, evaluate, offer, pathAt, taskAt, type Turn } from './turn.ts';

/** A task has failed for good: its handlers are tried in order, then its policy decides (LANGUAGE.md, Failure). */
export function failNow(turn: Turn, slot: number, failure: Failure): void {
  const { state } = turn;
  // A container may be told twice in one turn that it cannot go on.
  if (isSettled(state.taskStatus[slot]!) || state.phase[slot] === HANDLING) return;
  if (taskAt(turn, slot).handlers.length === 0 || state.status === 'cancelling') return failFinally(turn, slot, failure);
  emit(turn, { type: 'attempt.failed', slot, attempt: turn.state.attempt[slot]!, failure, retryAt: null });
  handleNext(turn, slot, 0);
}

/** The failure that a task's handlers are about. */
function failureOf(turn: Turn, slot: number): Failure {
  return turn.state.extra.get(slot)!.failure!;
}

/** Tries the first handler from `from` on that matches and has a try left; without one the task fails. */
export function handleNext(turn: Turn, slot: number, from: number): void {
  const failure = failureOf(turn, slot);
  const { handlers } = taskAt(turn, slot);
  const tries = turn.state.extra.get(slot)!.handler?.tries;
  const index = handlers.findIndex((handler, i) => i >= from && matches(handler, failure) && (tries?.[i] ?? 0) < (handler.retry ? handler.maxRetries : 1));
  if (index < 0 || isStopping(turn.state, slot)) return failFinally(turn, slot, failure);
  const handler = handlers[index]!;
  if (handler.block === undefined && handler.fallback === undefined) retryNow(turn, slot, failure, index);
  else if (handler.block === undefined) evaluate(turn, slot, 'fallback', index);
  else openScopeOf(turn, slot, handler.block, index);
}

export function matches(handler: PlanHandler, failure: Failure): boolean {
  if (handler.codes.length + handler.classes.length + handler.patterns.length === 0) return true;
  if (handler.codes.includes(failure.code) || handler.classes.includes(failure.class) || handler.classes.includes('*')) return true;
  return handler.patterns.some(pattern => matchesPattern(pattern, failure.message));
}

/** The task of a handler has settled. One that is not the last to run has been heard of before. */
export function handlerClosed(turn: Turn, slot: number, scope: Scope): void {
  if (turn.state.phase[slot] !== HANDLING || handlerScope(turn, slot) !== scope) return;
  const handler = taskAt(turn, slot).handlers[scope.index]!;
  const worked = turn.state.taskStatus[scope.base] === COMPLETED;
  if (!worked) return handler.fallback === undefined ? handleNext(turn, slot, scope.index + 1) : evaluate(turn, slot, 'fallback', scope.index);
  if (!handler.retry) return completeTask(turn, slot, turn.state.output[scope.base]!, { recovered: true });
  if (isStopping(turn.state, slot)) failFinally(turn, slot, failureOf(turn, slot));
  else retryNow(turn, slot, failureOf(turn, slot));
}

function handlerScope(turn: Turn, slot: number): Scope | undefined {
  return turn.state.scopes[turn.state.extra.get(slot)?.handler?.scope ?? -1];
}

/** The value that stands for the result, computed. */
export function fallbackEvaluated(turn: Turn, slot: number, index: number, result: Evaluation): void {
  if (turn.state.phase[slot] !== HANDLING || (handlerScope(turn, slot)?.open ?? 0) > 0) return;
  if (result.ok) completeTask(turn, slot, result.ref, { recovered: true, ...(result.observed?.length ? { observed: result.observed } : {}) });
  else handleNext(turn, slot, index + 1);
}

/** Puts a task before its effect again, at once; `only` is the handler that does nothing else. */
function retryNow(turn: Turn, slot: number, failure: Failure, only?: number): void {
  emit(turn, {
    type: 'attempt.failed',
    slot,
    attempt: turn.state.attempt[slot]!,
    failure,
    retryAt: turn.now,
    ...(only === undefined ? {} : { handler: only }),
  });
  tryAgain(turn, slot);
}

/** The wait before another try is over: a task is offered again, a container goes on with what failed in it. */
export function tryAgain(turn: Turn, slot: number): void {
  emit(turn, { type: 'timer.fired', slot });
  const scopes = turn.state.extra.get(slot)?.scopes;
  if (scopes === undefined) return offer(turn, slot, 'enter');
  for (const id of scopes) resetScope(turn, turn.state.scopes[id]!);
  queueInside(turn, slot);
}

/** Resets what did not get its result in a scope, and in the containers in it; what has one stays (S6). */
export function resetScope(turn: Turn, scope: Scope): void {
  const { state } = turn;
  const end = scope.base + turn.plan.blocks[scope.block]!.tasks.length;
  const sources = new Set<string>();
  for (let slot = scope.base; slot < end; slot++) {
    if (!isLost(turn, slot)) continue;
    sources.add(pathAt(turn, slot));
    emit(turn, { type: 'task.reset', slot });
    for (const id of state.extra.get(slot)?.scopes ?? []) resetScope(turn, state.scopes[id]!);
  }
  // What a route had left out because of a failure may run now: its source decides again.
  for (let slot = scope.base; slot < end; slot++) {
    if (state.taskStatus[slot] === SKIPPED && sources.has(state.extra.get(slot)?.because ?? '')) emit(turn, { type: 'task.reset', slot });
  }
}

/** Did a task not get its result, for a reason that another try could mend? A container that has completed may hold such tasks. */
function isLost(turn: Turn, slot: number): boolean {
  const { state, plan } = turn;
  const status = state.taskStatus[slot]!;
  const reason = state.taskReason[slot];
  if (status === COMPLETED) {
    const extra = state.extra.get(slot);
    if (extra?.scopes === undefined || extra.recovered) return false;
    return extra.scopes.some(id => plan.blocks[state.scopes[id]!.block]!.tasks.some((_, i) => isLost(turn, state.scopes[id]!.base + i)));
  }
  return status === FAILED || status === CANCELLED || (status === SKIPPED && (reason === 'upstream_failed' || reason === 'needs_attention'));
}

/** After a crash: goes on where the handling of a failure stood. */
export function continueHandling(turn: Turn, slot: number): void {
  const scope = handlerScope(turn, slot);
  if (scope === undefined) handleNext(turn, slot, 0);
  else if (scope.open === 0) handlerClosed(turn, slot, scope);
}
