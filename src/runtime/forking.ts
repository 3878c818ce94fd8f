import type { Event, Ref, RunState } from '../engine/index.ts';
import type { Json, JsonObject } from '../json.ts';
import type { Plan } from '../plan/index.ts';
import type { RunRow, Store } from '../store/port.ts';
import type { ForkOptions } from './api.ts';
import type { Compiled } from './compile.ts';
import { forkRun } from './fork.ts';
import { lineUp } from './lineup.ts';
import { foldRun, rowOf, type PlanShelf } from './load.ts';
import type { ValueStore } from './values.ts';

/** A run of which another one is to be made. */
export interface Parent {
  row: RunRow;
  plan: Plan;
  state: RunState;
}

export async function readParent(store: Store, plans: PlanShelf, run: string, to?: number): Promise<Parent> {
  const row = await rowOf(store, run);
  const plan = await plans.get(row.planHash);
  return { row, plan, state: await foldRun(store, plan, run, to) };
}

export interface ForkPlan {
  plan: Plan;
  body: string;
  events: Event[];
  overrides: { slot: number; path: string; value: Ref }[];
  blobs: { hash: string; content: string }[];
}

/** The beginning of a fork, under the parent's plan or another one. */
export async function planFork(
  { row, plan, state }: Parent,
  compiled: Compiled | undefined,
  how: {
    store: Store;
    values: ValueStore;
    options: ForkOptions;
    now: number;
    program: string;
    /** Checks inputs, and fills in the defaults of a plan. */
    inputsOf(plan: Plan, given: JsonObject): JsonObject;
  },
): Promise<ForkPlan> {
  const { store, values, inputsOf, ...rest } = how;
  const blobs: ForkPlan['blobs'] = [];
  const request = { plan, state, parent: row.run, values, blobs, ...rest };
  if (compiled === undefined) return { plan, body: (await store.plan(plan.hash))!, blobs, ...(await values.settle(() => forkRun(request))) };
  const { plan: target, body } = compiled;
  const complete = (given: JsonObject): JsonObject => inputsOf(target, declaredInputs(target, given));
  return { plan: target, body, blobs, ...(await values.settle(() => forkRun({ ...request, lineup: lineUp(plan, state, target), complete }))) };
}

/** Of what a run was given, what another pipeline declares. */
function declaredInputs({ inputs }: Plan, given: JsonObject): JsonObject {
  return Object.fromEntries(inputs.filter(({ name }) => Object.hasOwn(given, name)).map(({ name }): [string, Json] => [name, given[name]!]));
}
