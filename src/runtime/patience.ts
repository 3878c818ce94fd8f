import { TASK_STATUSES, taskOfSlot, type Deferral } from '../engine/index.ts';
import { OrchestratorError, type Failure } from '../errors.ts';
import { waitOf } from '../models/index.ts';
import type { LiveRun } from './live.ts';
import type { Flight } from './perform.ts';

/** A longer wait for a limit is the task's and stands in the journal: it outlives the process, and holds no place in it. */
const PATIENCE_MS = 5000;

/**
 * How long a call may wait for a limit before its task is put off. For ever where an attempt that began anew would do again what cannot be done twice, or pay
 * again for what was answered; and before a task's condition is known, when it has no place in the journal to wait at.
 */
export function patienceOf({ plan, state }: LiveRun, slot: number, { answered }: Flight): { patienceMs?: number } {
  if (slot < 0 || answered) return {};
  const status = TASK_STATUSES[state.taskStatus[slot]!];
  const effect = state.extra.get(slot)?.effect ?? taskOfSlot(plan, state, slot).effect;
  return status === 'scheduled' || (status === 'running' && effect !== 'effectful') ? { patienceMs: PATIENCE_MS } : {};
}

/** The wait for which an attempt or a question is put off rather than failed. */
export function deferredBy(failure: Failure): { deferred?: Deferral } {
  const wait = waitOf(failure);
  return wait === undefined ? {} : { deferred: { until: wait.untilMs, for: wait.who } };
}

export function isPutOff(error: unknown): boolean {
  return error instanceof OrchestratorError && waitOf(error) !== undefined;
}
