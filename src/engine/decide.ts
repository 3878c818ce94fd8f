import type { Plan } from '../plan/index.ts';
import { advance, evaluatedTask, proceed, questionFailed, settled } from './advance.ts';
import { called, doubt, hold, mayHold, owedPause, PAUSE_TIMER, release, reserve, setBudget, warn } from './budget.ts';
import { defer } from './deferral.ts';
import { command, due } from './outside.ts';
import type { Effect, Input } from './effect.ts';
import type { Event } from './event.ts';
import { finish, outputsEvaluated, scopeClosed } from './finish.ts';
import { failNow } from './handlers.ts';
import { owedOf, recover, reopen } from './recovery.ts';
import { stopOpen } from './settle.ts';
import { isReached } from './until.ts';
import { startRoot, startRun } from './start.ts';
import { hasEnded } from './status.ts';
import { PENDING, PERFORMING, RUNNING, SCHEDULED, type RunState } from './state.ts';
import { emit, newTurn, type Turn } from './turn.ts';

export interface Decision {
  events: Event[];
  effects: Effect[];
}

/**
 * All policy: what follows from one input. The events are folded into `state` as they are decided; they count only once they are durable, and a state whose
 * commit was refused is thrown away and folded again from the journal. Total: an input that no longer fits (late, doubled, of another attempt) changes nothing.
 * What is decided is added to `into`, so that a caller with many inputs gathers them in one place.
 */
export function decide(plan: Plan, state: RunState, input: Input, into: Decision = { events: [], effects: [] }): Decision {
  const turn = newTurn(plan, state, input.now, into);
  respond(turn, input);
  drainQueues(turn);
  return into;
}

/** What is owed to a run that this process has just folded: waits and pure effects to issue again, and offers. */
export function owed(plan: Plan, state: RunState, now: number): Decision {
  const into: Decision = { events: [], effects: [] };
  const turn = newTurn(plan, state, now, into);
  owedOf(turn);
  drainQueues(turn);
  return into;
}

/** What counts also when the run has ended: orders to open it again, and what calls cost whose replies came late. */
const AFTER_END: ReadonlySet<Input['type']> = new Set(['reopen', 'budget', 'called', 'release', 'doubt', 'warned']);

function respond(turn: Turn, input: Input): void {
  const { state } = turn;
  if (hasEnded(state) && !AFTER_END.has(input.type)) return;
  switch (input.type) {
    case 'start':
      return start(turn);
    case 'recovered':
      return recover(turn, input);
    case 'reopen':
      return reopen(turn, input.by);
    case 'budget':
      return setBudget(turn, input.microUsd, input.by);
    case 'expired':
      return cancelRun(turn, 'timeout', 'timed_out');
    case 'pause':
      if (state.status === 'running') emit(turn, { type: 'run.paused', reason: input.reason });
      return;
    case 'resume':
      return resume(turn, input.until);
    case 'command':
      if (input.command.type === 'cancel') return cancelRun(turn, input.command.by, 'requested');
      if (input.command.type === 'pause') return respond(turn, { type: 'pause', reason: 'requested', now: input.now });
      if (input.command.type === 'resume') return resume(turn, null);
      if (input.command.type === 'budget') return setBudget(turn, input.command.microUsd, input.command.by);
      return command(turn, input.command);
    default:
      return respondForTask(turn, input);
  }
}

type TaskInput = Exclude<Input, { type: 'start' | 'recovered' | 'reopen' | 'budget' | 'expired' | 'pause' | 'resume' | 'command' }>;

function respondForTask(turn: Turn, input: TaskInput): void {
  switch (input.type) {
    case 'admitted':
      return admitted(turn, input);
    case 'deferred':
      if (turn.state.taskStatus[input.slot] !== SCHEDULED) return;
      return defer(turn, input.slot, input, input.reason);
    case 'evaluated':
      return input.slot < 0 ? outputsEvaluated(turn, input.result) : evaluatedTask(turn, input);
    case 'answered':
      return answered(turn, input);
    case 'settled':
      return settled(turn, input);
    case 'step':
      return step(turn, input);
    case 'called':
      return called(turn, input);
    case 'reserve':
      return reserve(turn, input);
    case 'refused':
      return emit(turn, { type: 'budget.refused', slot: input.slot, key: input.key, refusal: input.refusal });
    case 'release':
      return release(turn, input.slot, input.key);
    case 'doubt':
      return doubt(turn, [input.key]);
    case 'warned':
      return warn(turn, input);
    case 'logged':
      return emit(turn, { type: 'task.logged', slot: input.slot, level: input.level, text: input.text });
    case 'override':
      return emit(turn, { type: 'value.overridden', slot: input.slot, path: input.path, value: input.value });
    case 'due':
      return input.slot === PAUSE_TIMER ? pauseOver(turn) : due(turn, input.slot);
  }
}

function start(turn: Turn): void {
  if (turn.state.status === 'pending') startRun(turn);
}

/** The queues, until both are empty: what became ready is advanced, what closed is reported to its owner. */
function drainQueues(turn: Turn): void {
  const { state } = turn;
  let next = 0;
  let nextClosed = 0;
  let nextBroken = 0;
  for (;;) {
    if (nextBroken < turn.broken.length) {
      const { slot, failure } = turn.broken[nextBroken++]!;
      failNow(turn, slot, failure);
    } else if (next < turn.ready.length) advance(turn, turn.ready[next++]!);
    else if (nextClosed < turn.closed.length) scopeClosed(turn, turn.closed[nextClosed++]!);
    else break;
  }
  if (state.status === 'running' && state.until !== null && state.active === 0 && isReached(turn.plan, state))
    emit(turn, { type: 'run.paused', reason: 'until' });
}

function admitted(turn: Turn, input: Extract<Input, { type: 'admitted' }>): void {
  const { state } = turn;
  if (state.status !== 'running') return;
  const { slot } = input;
  const status = state.taskStatus[slot];
  if (input.stage === 'auto') {
    if (status !== SCHEDULED && status !== PENDING) return;
    if (state.extra.get(slot)?.autos?.[input.index] === undefined) turn.effects.push({ type: 'ask', slot, index: input.index });
    return;
  }
  if (status !== SCHEDULED) return;
  if (input.stage === 'enter') return proceed(turn, slot);
  const attempt = state.attempt[slot]! + 1;
  emit(turn, { type: 'attempt.started', slot, attempt, effect: input.effect });
  turn.effects.push({ type: 'perform', slot, attempt });
}

function answered(turn: Turn, input: Extract<Input, { type: 'answered' }>): void {
  const { state } = turn;
  const { slot, index, answer } = input;
  if (slot >= 0 && state.taskStatus[slot] !== SCHEDULED && state.taskStatus[slot] !== PENDING) return;
  if (state.extra.get(slot)?.autos?.[index] !== undefined) return;
  if (!answer.ok && answer.held && mayHold(state, slot)) return hold(turn, slot);
  // Before its condition is known a task has no place to wait at: its question waits in the process, and is asked again after a crash.
  if (!answer.ok && answer.deferred && state.taskStatus[slot] === SCHEDULED && mayHold(state, slot)) return defer(turn, slot, answer.deferred);
  if (!answer.ok) return slot < 0 ? finish(turn, answer.failure) : questionFailed(turn, slot, answer.failure);
  emit(turn, { type: 'auto.resolved', slot, index, value: answer.value, source: answer.source, model: answer.model, reason: answer.reason });
  if (slot < 0) startRoot(turn);
  else if (state.taskStatus[slot] === SCHEDULED) proceed(turn, slot);
  else advance(turn, slot);
}

function step(turn: Turn, input: Extract<Input, { type: 'step' }>): void {
  const { state } = turn;
  if (state.phase[input.slot] !== PERFORMING || state.attempt[input.slot] !== input.attempt) return;
  if ('started' in input.step) emit(turn, { type: 'step.started', slot: input.slot, name: input.name, ...input.step.started });
  else emit(turn, { type: 'step.completed', slot: input.slot, name: input.name, output: input.step.completed });
}

function resume(turn: Turn, until: string | null): void {
  if (turn.state.status !== 'paused') return;
  emit(turn, { type: 'run.resumed', until });
  owedOf(turn);
}

/** The cap for which the run is paused begins anew. */
function pauseOver(turn: Turn): void {
  const { pausedUntil } = turn.state;
  if (pausedUntil !== null && pausedUntil <= turn.now) resume(turn, null);
  else owedPause(turn);
}

/** Nothing new begins, what runs is told to stop, what waits is cancelled. */
function cancelRun(turn: Turn, by: string, reason: 'requested' | 'timed_out'): void {
  const { state } = turn;
  if (state.status === 'cancelling') return;
  emit(turn, { type: 'run.cancelling', by, reason });
  if (state.scopes.length === 0) return finish(turn, null);
  for (let slot = 0; slot < state.slots; slot++)
    if (state.taskStatus[slot] === RUNNING && state.phase[slot] === PERFORMING) turn.effects.push({ type: 'abort', slot });
  for (const scope of state.scopes) if (scope.owner < 0 && scope.open > 0) stopOpen(turn, scope, reason);
  turn.closed.push(0);
}
