import { backoffMs, JITTER } from '../backoff.ts';
import type { Failure } from '../errors.ts';
import type { Json } from '../json.ts';
import type { PlanTask } from '../plan/index.ts';
import { hold, mayHold } from './budget.ts';
import { defer } from './deferral.ts';
import type { Input } from './effect.ts';
import { fallbackEvaluated } from './handlers.ts';
import { loopCondition, observedOf, openScopeOf, queueInside, startLoop } from './loops.ts';
import { startWait } from './outside.ts';
import { blocks, cancelTask, completeTask, failTask, isHeld, isStopping, skipTask, stopReason } from './settle.ts';
import { COMPLETED, IDLE, PENDING, PERFORMING, RUNNING, SCHEDULED, scopeOfSlot } from './state.ts';
import { emit, evaluate, offer, pathAt, taskAt, type Turn } from './turn.ts';
import { isWanted } from './until.ts';

/** Takes a task as far as it can go without the world: from pending to its offer, or a container that was opened again back to work. */
export function advance(turn: Turn, slot: number): void {
  const status = turn.state.taskStatus[slot];
  if (status === PENDING) begin(turn, slot);
  else if (status === RUNNING && turn.state.phase[slot] === IDLE && !isHeld(turn.state, slot)) queueInside(turn, slot);
}

function begin(turn: Turn, slot: number): void {
  const { state } = turn;
  if (isHeld(state, slot)) return;
  if (state.until !== null && !isWanted(turn.plan, state, slot)) return;
  if (isStopping(state, slot)) return cancelTask(turn, slot, stopReason(state));
  const task = taskAt(turn, slot);
  const { base } = scopeOfSlot(state, slot);
  for (const need of task.needs) {
    if (state.taskStatus[base + need] === COMPLETED || task.order.includes(need)) continue;
    if (blocks(turn, base + need)) return skipTask(turn, slot, 'upstream_failed', pathAt(turn, base + need));
  }
  if (task.handlerOnly) return skipTask(turn, slot, 'routed', null);
  if (task.condition !== undefined && state.extra.get(slot)?.condition === undefined) {
    const tag = unresolved(turn, slot, task, true);
    return tag >= 0 ? offer(turn, slot, 'auto', tag) : evaluate(turn, slot, 'condition');
  }
  schedule(turn, slot);
}

function schedule(turn: Turn, slot: number): void {
  const mocks = turn.state.created!.mocks;
  if (mocks !== null) {
    const path = pathAt(turn, slot);
    if (Object.hasOwn(mocks, path)) return completeTask(turn, slot, { v: mocks[path] as Json });
  }
  emit(turn, { type: 'task.scheduled', slot });
  offer(turn, slot, 'enter');
}

/** Number of the first tag that has no answer yet, or -1. Tags of the condition are asked before it is evaluated, all others once the task is admitted. */
function unresolved(turn: Turn, slot: number, task: PlanTask, ofCondition: boolean): number {
  if (task.autos.length === 0) return -1;
  const answers = turn.state.extra.get(slot)?.autos;
  return task.autos.findIndex((tag, i) => tag.target.startsWith('condition') === ofCondition && answers?.[i] === undefined);
}

/** Takes a task that was let in to its effect. */
export function proceed(turn: Turn, slot: number): void {
  const task = taskAt(turn, slot);
  const tag = unresolved(turn, slot, task, false);
  if (tag >= 0) return offer(turn, slot, 'auto', tag);
  switch (task.kind) {
    case 'action':
      return offer(turn, slot, 'call');
    case 'for_each':
    case 'while':
      return evaluate(turn, slot, 'loop');
    case 'group':
      return openScopeOf(turn, slot, task.body!, 0);
    case 'pipeline':
      return evaluate(turn, slot, 'inputs');
    default:
      return evaluate(turn, slot, 'parameters');
  }
}

/** A pure computation of a task came back. */
export function evaluatedTask(turn: Turn, input: Extract<Input, { type: 'evaluated' }>): void {
  const { slot, site, index, result } = input;
  const status = turn.state.taskStatus[slot];
  switch (site) {
    case 'condition':
      if (status !== PENDING) return;
      if (!result.ok) return skipTask(turn, slot, 'condition_error', null, result.failure);
      emit(turn, { type: 'condition.evaluated', slot, site, index, value: result.value === true, ...observedOf(result) });
      return result.value === true ? schedule(turn, slot) : skipTask(turn, slot, 'condition_false', null);
    case 'loop':
      return status === SCHEDULED ? startLoop(turn, slot, result) : undefined;
    case 'while':
    case 'until':
      return status === RUNNING ? loopCondition(turn, slot, site, index, result) : undefined;
    case 'parameters':
      return status === SCHEDULED ? startWait(turn, slot, result) : undefined;
    case 'inputs':
      if (status !== SCHEDULED) return;
      return result.ok ? openScopeOf(turn, slot, taskAt(turn, slot).body!, 0, result.ref) : failTask(turn, slot, result.failure);
    case 'outputs':
      if (status !== RUNNING || !hasClosed(turn, slot)) return;
      return result.ok ? completeTask(turn, slot, result.ref, observedOf(result)) : failTask(turn, slot, result.failure);
    case 'fallback':
      return fallbackEvaluated(turn, slot, index, result);
  }
}

/** Has all in a container settled? Outputs that were computed before it was opened again are no longer its own. */
function hasClosed({ state }: Turn, slot: number): boolean {
  return state.scopes[state.extra.get(slot)?.scopes?.at(-1) ?? -1]?.open === 0;
}

/** An attempt ended. */
export function settled(turn: Turn, { slot, attempt, outcome }: Extract<Input, { type: 'settled' }>): void {
  const { state } = turn;
  if (state.phase[slot] !== PERFORMING || state.attempt[slot] !== attempt) return;
  if (outcome.ok) return completeTask(turn, slot, outcome.output, { ...(outcome.cached ? { cached: true as const } : {}), ...observedOf(outcome) });
  if (state.status === 'cancelling') return cancelTask(turn, slot, stopReason(state));
  if (outcome.held && mayHold(state, slot)) return hold(turn, slot);
  if (outcome.deferred && mayHold(state, slot)) return defer(turn, slot, outcome.deferred);
  attemptFailed(turn, slot, attempt, outcome.failure);
}

/** A question has no answer. Where it stands in the condition, that cannot be evaluated, and the task does not run (S10); else the attempt has failed before its effect. */
export function questionFailed(turn: Turn, slot: number, failure: Failure): void {
  if (turn.state.taskStatus[slot] === PENDING) skipTask(turn, slot, 'condition_error', null, failure);
  else attemptFailed(turn, slot, turn.state.attempt[slot]! + 1, failure);
}

function attemptFailed(turn: Turn, slot: number, attempt: number, failure: Failure): void {
  const retryAt = retryTime(turn, slot, attempt, failure);
  if (retryAt === null) return failTask(turn, slot, failure);
  emit(turn, { type: 'attempt.failed', slot, attempt, failure, retryAt });
  turn.effects.push({ type: 'timer', slot, until: retryAt });
}

/** When the next attempt may begin, or null where there is none: attempts are used up, or another try could not help. */
function retryTime(turn: Turn, slot: number, attempt: number, failure: Failure): number | null {
  const { retry } = taskAt(turn, slot);
  if (retry === undefined || isStopping(turn.state, slot)) return null;
  const used = attempt - (turn.state.extra.get(slot)?.attemptsBefore ?? 0);
  const eligible = retry.on.length === 0 ? failure.retryable : retry.on.includes(failure.class) || retry.on.includes(failure.code);
  if (used >= retry.maxAttempts || !eligible) return null;
  const spread = retry.jitter ? chance(`${turn.state.created!.at}:${pathAt(turn, slot)}:${attempt}`) : 0;
  return turn.now + Math.max(backoffMs(retry, used, JITTER, spread), Math.round(failure.retryAfterMs ?? 0));
}

/** A number in [0, 1) that is the same for the same text (FNV-1a): the engine draws no random numbers. */
function chance(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0) / 0x1_0000_0000;
}
