import { doubt, owedPause } from './budget.ts';
import type { Input } from './effect.ts';
import { continueHandling, resetScope } from './handlers.ts';
import { continueLoop } from './loops.ts';
import { cancelTask, failTask, isHeld, skipTask, stopReason } from './settle.ts';
import { startRoot, startRun } from './start.ts';
import { HANDLING, PENDING, PERFORMING, RUNNING, SCHEDULED, WAITING, isSettled } from './state.ts';
import { emit, failure, offer, taskAt, type Turn } from './turn.ts';

/** A process has taken over a run: a verdict for each intent without a result (S9), then what is owed. */
export function recover(turn: Turn, input: Extract<Input, { type: 'recovered' }>): void {
  const { state } = turn;
  const again: number[] = [];
  const doubtful: number[] = [];
  for (let slot = 0; slot < state.slots; slot++) {
    if (state.taskStatus[slot] !== RUNNING || state.phase[slot] !== PERFORMING) continue;
    (runsAgain(turn, slot) ? again : doubtful).push(slot);
  }
  emit(turn, { type: 'run.acquired', epoch: input.epoch, owner: input.owner, program: input.program, again, doubt: doubtful });
  // Calls that the dead process had under way may be billed.
  doubt(turn, Object.keys(state.reserved));
  for (const slot of doubtful) decideDoubt(turn, slot);
  for (const slot of again) {
    if (state.status === 'cancelling') cancelTask(turn, slot, stopReason(state));
    else turn.effects.push({ type: 'perform', slot, attempt: state.attempt[slot]! });
  }
  owedOf(turn);
}

/** `pure`, `read` and `idempotent` run again, `keyed` again under the same key, `effectful` only where its author said so. */
function runsAgain(turn: Turn, slot: number): boolean {
  const extra = turn.state.extra.get(slot);
  const task = taskAt(turn, slot);
  let effectful = (extra?.effect ?? task.effect) === 'effectful';
  for (const step of extra?.steps?.values() ?? []) if (step.output === null && step.effect === 'effectful') effectful = true;
  return !effectful || task.onAmbiguous === 'retry';
}

function decideDoubt(turn: Turn, slot: number): void {
  const { onAmbiguous } = taskAt(turn, slot);
  if (turn.state.status === 'cancelling') return cancelTask(turn, slot, stopReason(turn.state));
  if (onAmbiguous === 'skip') return skipTask(turn, slot, 'needs_attention', null);
  if (onAmbiguous === 'fail')
    return failTask(turn, slot, failure('ORC-229', 'attention', 'the process died while this ran, so it is not known whether its effect took place'));
  emit(turn, { type: 'attempt.doubtful', slot, attempt: turn.state.attempt[slot]! });
}

/** Issues again all that a live process would hold in its memory: offers, pure computations, timers. Nothing that runs is touched. */
export function owedOf(turn: Turn): void {
  const { state } = turn;
  if (state.status === 'pending') return startRun(turn);
  owedPause(turn);
  if (state.scopes.length === 0) return startRoot(turn);
  for (let slot = 0; slot < state.slots; slot++) {
    const status = state.taskStatus[slot]!;
    if (isSettled(status)) continue;
    if (status === PENDING) {
      turn.ready.push(slot);
    } else if (status === SCHEDULED) offer(turn, slot, 'enter');
    else if (status === WAITING) owedWait(turn, slot);
    else if (state.phase[slot] === HANDLING) continueHandling(turn, slot);
    else if (state.phase[slot] !== PERFORMING) owedContainer(turn, slot);
  }
  for (let id = 0; id < state.scopes.length; id++) if (state.scopes[id]!.open === 0 && state.scopes[id]!.owner < 0) turn.closed.push(id);
}

function owedWait(turn: Turn, slot: number): void {
  const until = turn.state.extra.get(slot)?.until;
  if (until !== undefined) turn.effects.push({ type: 'timer', slot, until });
}

function owedContainer(turn: Turn, slot: number): void {
  if (isHeld(turn.state, slot)) return;
  const extra = turn.state.extra.get(slot);
  if (extra?.loop !== undefined) return continueLoop(turn, slot);
  for (const id of extra?.scopes ?? []) if (turn.state.scopes[id]!.open === 0) turn.closed.push(id);
}

/** `retry` of a run that has ended: what failed, was cancelled or was skipped for it is open again; what has a result stays (S6). */
export function reopen(turn: Turn, by: string): void {
  const { state } = turn;
  if (state.status !== 'failed' && state.status !== 'cancelled') return;
  emit(turn, { type: 'run.reopened', by });
  const root = state.scopes[0];
  if (root === undefined) return startRoot(turn);
  resetScope(turn, root);
  owedOf(turn);
}
