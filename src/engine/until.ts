import type { Plan } from '../plan/index.ts';
import { isSettled, scopeOfSlot, type RunState } from './state.ts';

const wantedOf = new WeakMap<Plan, Map<string, Uint8Array>>();

/** Does `--until` want a task: is it the one that was named, or something that it needs? What lies inside a wanted task is wanted too. */
export function isWanted(plan: Plan, state: RunState, slot: number): boolean {
  let at = slot;
  for (let owner = scopeOfSlot(state, at).owner; owner >= 0; owner = scopeOfSlot(state, at).owner) at = owner;
  if (state.scopes[0] === undefined || scopeOfSlot(state, at) !== state.scopes[0]) return true;
  return wanted(plan, state.until!)[at - state.scopes[0].base] === 1;
}

/** Has all that `--until` wants settled, and is there more? */
export function isReached(plan: Plan, state: RunState): boolean {
  const root = state.scopes[0];
  return root !== undefined && root.open > 0 && wanted(plan, state.until!).every((mark, i) => mark === 0 || isSettled(state.taskStatus[root.base + i]!));
}

function wanted(plan: Plan, until: string): Uint8Array {
  let known = wantedOf.get(plan);
  if (known === undefined) wantedOf.set(plan, (known = new Map()));
  const found = known.get(until);
  if (found !== undefined) return found;
  const tasks = plan.blocks[0]!.tasks;
  const marks = new Uint8Array(tasks.length);
  const queue = [tasks.findIndex(task => task.id === until)];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    if (at < 0 || marks[at] === 1) continue;
    marks[at] = 1;
    queue.push(...tasks[at]!.needs);
  }
  known.set(until, marks);
  return marks;
}
