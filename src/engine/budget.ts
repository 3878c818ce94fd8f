import type { MicroUsd } from '../money.ts';
import { isStopping } from './settle.ts';
import { PERFORMING, type RunState } from './state.ts';
import { emit, type Turn } from './turn.ts';

/** Sets the cap of a run. What happens on it stays as it was, or as the pipeline says. */
export function setBudget(turn: Turn, microUsd: MicroUsd, by: string): void {
  const onExceed = turn.state.budget?.onExceed ?? turn.plan.budget?.onExceed ?? 'pause';
  emit(turn, { type: 'budget.set', microUsd, onExceed, by });
}

/** Sets the worst case of a call aside, where settled and reserved costs stay within the cap (S12); else nothing, and the call is not made (C24). */
export function reserve(turn: Turn, slot: number, key: string, microUsd: MicroUsd): void {
  const { budget, costMicroUsd, reservedMicroUsd } = turn.state;
  if (budget !== null && costMicroUsd + reservedMicroUsd + microUsd <= budget.microUsd) emit(turn, { type: 'budget.reserved', slot, key, microUsd });
}

/** A call was settled: what it cost, if anything, is folded already. */
export function release(turn: Turn, slot: number, key: string): void {
  if (Object.hasOwn(turn.state.reserved, key)) emit(turn, { type: 'budget.released', slot, key });
}

/** May a task that met the cap wait for a larger one? Not where nothing goes on around it. */
export function mayHold(state: RunState, slot: number): boolean {
  return slot < 0 ? state.status !== 'cancelling' : !isStopping(state, slot);
}

/** The cap was met: the attempt is taken back, as if it had not begun, and the run pauses until the cap is raised. */
export function hold(turn: Turn, slot: number): void {
  const { state } = turn;
  if (slot >= 0 && state.phase[slot] === PERFORMING) emit(turn, { type: 'attempt.held', slot, attempt: state.attempt[slot]!, reason: 'budget' });
  if (state.status === 'running') emit(turn, { type: 'run.paused', reason: 'budget' });
}

/** Parts of the cap, in percent, from which a person is told. */
const WARN_AT = [95, 80];

/** What a person should know of the money of a run. */
export function budgetWarnings(state: RunState): string[] {
  const { budget, costMicroUsd, unpricedCalls } = state;
  const warnings: string[] = [];
  if (unpricedCalls > 0)
    warnings.push(
      `${unpricedCalls === 1 ? 'the price of one model call is' : `the prices of ${unpricedCalls} model calls are`} not known, so the run cost more than is shown`,
    );
  if (budget === null) return warnings;
  const part = budget.microUsd === 0 ? 100 : Math.floor((costMicroUsd * 100) / budget.microUsd);
  const mark = WARN_AT.find(percent => part >= percent);
  if (mark !== undefined && costMicroUsd > 0)
    warnings.push(`over ${mark} % of the budget is spent: $${costMicroUsd / 1_000_000} of $${budget.microUsd / 1_000_000}`);
  return warnings;
}
