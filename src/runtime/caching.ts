import { TASK_STATUSES, taskOfSlot } from '../engine/index.ts';
import type { GenerateOptions } from '../models/index.ts';
import type { LiveRun } from './live.ts';

/** Was the run started, or taken up, without caches? */
export function isUncached({ uncached, state }: LiveRun): boolean {
  return uncached || state.created?.uncached === true;
}

/**
 * What the response cache may do for a call of a task. Another attempt is made because the last one would not do, so that no kept reply stands for its own;
 * what it brings may be kept.
 */
export function cacheUse(run: LiveRun, slot: number): Pick<GenerateOptions, 'cache'> {
  const { plan, state } = run;
  if (isUncached(run)) return { cache: false };
  if (slot < 0) return {};
  if (taskOfSlot(plan, state, slot).uncached === true) return { cache: false };
  const before = state.attempt[slot]! - (TASK_STATUSES[state.taskStatus[slot]!] === 'running' ? 1 : 0);
  return before > 0 ? { cache: 'refresh' } : {};
}
