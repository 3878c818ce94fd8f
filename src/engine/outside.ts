import { parseDuration } from '../duration.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import type { Evaluation } from './effect.ts';
import type { Command } from './event.ts';
import { tryAgain } from './handlers.ts';
import { completeTask, failFinally, failTask, skipTask } from './settle.ts';
import { APPROVAL, ATTENTION, BACKOFF, DEFERRED, SIGNAL, SLEEPING, WAITING, slotOf } from './state.ts';
import { emit, failure, taskAt, type Turn } from './turn.ts';

/** A wait begins: its parameters are known. The run may outlive the process from here on. */
export function startWait(turn: Turn, slot: number, result: Evaluation): void {
  if (!result.ok) return failTask(turn, slot, result.failure);
  const parameters = isObject(result.value) ? result.value : {};
  const { kind } = taskAt(turn, slot);
  if (kind === 'sleep') return startSleep(turn, slot, parameters);
  const limit = parameters['timeout'] ?? null;
  const limitMs = limit === null ? undefined : parseDuration(limit as number | string);
  if (limit !== null && limitMs === undefined)
    return failTask(turn, slot, failure('ORC-110', 'invalid_input', `\`timeout\` is no time: ${JSON.stringify(limit)}`));
  const until = limitMs === undefined ? null : turn.now + limitMs;
  const onTimeout = typeof parameters['on_timeout'] === 'string' ? parameters['on_timeout'] : null;
  if (kind === 'approval') {
    const choices = Array.isArray(parameters['choices']) ? parameters['choices'].map(String) : ['approve', 'reject'];
    emit(turn, { type: 'approval.requested', slot, prompt: text(parameters['prompt'] ?? ''), choices, until, onTimeout });
  } else {
    const name = text(parameters['name'] ?? taskAt(turn, slot).id);
    const early = turn.state.signals.get(name)?.[0];
    emit(turn, { type: 'signal.awaited', slot, name, until, onTimeout });
    if (early !== undefined) return completeTask(turn, slot, early);
  }
  if (until !== null) turn.effects.push({ type: 'timer', slot, until });
}

function text(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function startSleep(turn: Turn, slot: number, parameters: JsonObject): void {
  const given = parameters['duration'] ?? parameters['seconds'] ?? 0;
  const ms = typeof given === 'number' || typeof given === 'string' ? parseDuration(given) : undefined;
  if (ms === undefined)
    return failTask(
      turn,
      slot,
      failure('ORC-110', 'invalid_input', `\`duration\` is no time: ${JSON.stringify(given)}`, ['write seconds, or a text such as 90s, 2m or 1h30m']),
    );
  const until = turn.now + ms;
  emit(turn, { type: 'timer.set', slot, until, kind: 'sleep' });
  turn.effects.push({ type: 'timer', slot, until });
}

/** A timer of a task went off. One that comes early, late or twice finds nothing to do. */
export function due(turn: Turn, slot: number): void {
  const { state } = turn;
  const until = state.extra.get(slot)?.until;
  if (state.taskStatus[slot] !== WAITING || until === undefined) return;
  if (until > turn.now) {
    turn.effects.push({ type: 'timer', slot, until });
    return;
  }
  const phase = state.phase[slot];
  if (phase === BACKOFF || phase === DEFERRED) tryAgain(turn, slot);
  else if (phase === SLEEPING) completeTask(turn, slot, { v: { slept_until: new Date(until).toISOString() } });
  else if (phase === APPROVAL || phase === SIGNAL) waitTimedOut(turn, slot, phase);
}

function waitTimedOut(turn: Turn, slot: number, phase: number): void {
  const extra = turn.state.extra.get(slot)!;
  const choice = extra.onTimeout ?? null;
  if (choice === 'skip') return skipTask(turn, slot, 'timed_out', null);
  if (choice !== null && choice !== 'fail') {
    if (phase === SIGNAL) return completeTask(turn, slot, { v: null });
    return approve(turn, slot, choice, 'timeout', null);
  }
  failTask(turn, slot, failure('ORC-218', 'timeout', phase === APPROVAL ? 'nobody answered in time' : `the signal \`${extra.signal}\` did not come in time`));
}

function approve(turn: Turn, slot: number, choice: string, by: string, comment: string | null): void {
  const usual = turn.state.extra.get(slot)!.choices!.join() === 'approve,reject';
  emit(turn, { type: 'approval.given', slot, choice, by, comment });
  if (usual && choice === 'reject') return failTask(turn, slot, failure('ORC-220', 'assertion', `rejected by ${by}${comment === null ? '' : `: ${comment}`}`));
  completeTask(turn, slot, { v: { choice, by, comment, approved: choice !== 'reject' } });
}

/** What a person or another process asked of a task. What does not fit the state is left alone: the sender was told when it was checked. */
export function command(turn: Turn, order: Exclude<Command, { type: 'cancel' | 'pause' | 'resume' | 'budget' }>): void {
  const { state, plan } = turn;
  if (order.type === 'signal') return receive(turn, order.name, order.payload);
  const slot = slotOf(plan, state, order.task);
  if (slot < 0 || state.taskStatus[slot] !== WAITING) return;
  if (order.type === 'approve') {
    if (state.phase[slot] === APPROVAL && state.extra.get(slot)!.choices!.includes(order.choice)) approve(turn, slot, order.choice, order.by, order.comment);
    return;
  }
  if (state.phase[slot] === ATTENTION) settleDoubt(turn, slot, order);
}

function receive(turn: Turn, name: string, payload: Json): void {
  const { state } = turn;
  emit(turn, { type: 'signal.received', name, payload: { v: payload } });
  for (const [slot, extra] of state.extra) {
    if (slot >= 0 && extra.signal === name && state.taskStatus[slot] === WAITING && state.phase[slot] === SIGNAL)
      return completeTask(turn, slot, { v: payload });
  }
}

/** A person says what became of an effect that nobody saw end (S9). */
function settleDoubt(turn: Turn, slot: number, order: Extract<Command, { type: 'settle' }>): void {
  if (order.as === 'completed') return completeTask(turn, slot, { v: order.value });
  if (order.as === 'skip') return skipTask(turn, slot, 'needs_attention', null);
  const doubt = failure('ORC-229', 'attention', `settled as failed by ${order.by}`);
  if (order.as === 'fail') return failFinally(turn, slot, doubt);
  tryAgain(turn, slot);
}
