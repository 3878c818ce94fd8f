import type { Failure } from '../errors.ts';
import type { Evaluation } from './effect.ts';
import type { Reason, Ref } from './event.ts';
import { handlerClosed, matches } from './handlers.ts';
import { continueLoop, openScopeOf, scopeFailure } from './loops.ts';
import { cancelTask, completeTask, failTask, isHeld, isStopping, stopReason } from './settle.ts';
import { hasEnded } from './status.ts';
import { COMPLETED, FAILED, isSettled, pathOf, scopeOfSlot, type RunState } from './state.ts';
import { emit, evaluate, failure as makeFailure, type Turn } from './turn.ts';
import type { Plan } from '../plan/index.ts';

/** All tasks of a scope have settled: its owner hears of it. */
export function scopeClosed(turn: Turn, id: number): void {
  const { state, plan } = turn;
  const scope = state.scopes[id]!;
  if (scope.open > 0) return;
  const block = plan.blocks[scope.block]!;
  const { owner } = scope;
  if (owner < 0) return rootClosed(turn);
  if (isSettled(state.taskStatus[owner]!) || isHeld(state, owner)) return;
  if (block.kind === 'handler') return handlerClosed(turn, owner, scope);
  if (block.kind === 'for_each' || block.kind === 'while') return continueLoop(turn, owner);
  if (isStopping(state, owner)) return cancelTask(turn, owner, stopReason(state));
  if (scope.failing) return failTask(turn, owner, scopeFailure(turn, scope));
  if (block.kind === 'pipeline') evaluate(turn, owner, 'outputs');
  else completeTask(turn, owner, null);
}

function rootClosed(turn: Turn): void {
  const { state, plan } = turn;
  if (hasEnded(state) || isUnderWay(state)) return;
  if (state.status === 'cancelling') return finish(turn, null);
  const first = state.failed > 0 && state.handlerScope < 0 ? firstFailure(plan, state) : null;
  if (first !== null) {
    const index = plan.handlers.findIndex(handler => handler.block !== undefined && matches(handler, first.failure));
    if (index >= 0) return openScopeOf(turn, -1, plan.handlers[index]!.block!, index);
  }
  evaluate(turn, -1, 'outputs');
}

/** Has a task of the pipeline, or of the pipeline's handler, not settled? A handler of an earlier try may have closed before. */
function isUnderWay(state: RunState): boolean {
  return [0, state.handlerScope].some(id => (state.scopes[id]?.open ?? 0) > 0);
}

/** The declared outputs were computed: the last thing that a run does. */
export function outputsEvaluated(turn: Turn, result: Evaluation): void {
  if (isUnderWay(turn.state)) return;
  if (turn.state.status === 'cancelling') return finish(turn, null);
  if (result.ok) finish(turn, null, result.ref);
  else finish(turn, result.failure);
}

/** Ends the run. `failure` is one of the run itself; failures of tasks count by themselves. */
export function finish(turn: Turn, failure: Failure | null, outputs: Ref | null = null): void {
  const { state, plan } = turn;
  if (state.status === 'cancelling') {
    const late = state.reason === 'timed_out';
    const why = late ? makeFailure('ORC-606', 'timeout', 'the timeout of the pipeline passed') : null;
    return emit(turn, { type: 'run.ended', status: late ? 'failed' : 'cancelled', reason: state.reason, failure: why, outputs: null });
  }
  const own = failure ?? (state.failed > 0 ? (firstFailure(plan, state)?.failure ?? null) : null);
  const reason: Reason | null = null;
  emit(turn, { type: 'run.ended', status: own === null ? 'completed' : 'failed', reason, failure: own, outputs });
}

/** The first failure that nothing has made good, and where; the innermost where a container failed because of it. */
export function firstFailure(plan: Plan, state: RunState): { slot: number; path: string; failure: Failure } | null {
  for (const slot of state.order) {
    if (state.taskStatus[slot] !== FAILED || isRecovered(plan, state, slot)) continue;
    return { slot, path: pathOf(plan, state, slot), failure: state.extra.get(slot)!.failure! };
  }
  return null;
}

/** Has a container around the task been recovered by its handler? What a handler itself failed with counts by the task that it is for. */
function isRecovered(plan: Plan, state: RunState, slot: number): boolean {
  for (let at = slot; at >= 0; at = scopeOfSlot(state, at).owner) {
    if (at !== slot && state.taskStatus[at] === COMPLETED && state.extra.get(at)?.recovered) return true;
    if (plan.blocks[scopeOfSlot(state, at).block]!.kind === 'handler') return true;
  }
  return false;
}
