import { apply, initial, pathOf, TASK_STATUSES, taskOfSlot } from '../engine/index.ts';
import { decodePlan, type Plan } from '../plan/index.ts';
import { taskOf, type RunRow, type Store } from '../store/index.ts';

/** Runs that are looked at, the newest; and the largest of them whose journal is read for the times of its tasks. */
const RUNS = 20;
const JOURNAL_TASKS_MAX = 2000;

/** What a task took in the runs before, by task as written: `read/fetch` stands for `read[3]/fetch`. */
export interface TaskHistory {
  /** Micro-dollars and calls of all its iterations together, one for each run in which it asked a model; cost is null where a price was unknown. */
  costs: (number | null)[];
  calls: number[];
  /** Times of its single executions, in ms, the shortest first. */
  durations: number[];
}

export interface History {
  /** Completed runs of the pipeline that were looked at. */
  runs: number;
  /** Of each: micro-dollars, null where a price was unknown, and ms from start to end. */
  costs: (number | null)[];
  durations: number[];
  tasks: Map<string, TaskHistory>;
}

/** What the newest completed runs of a pipeline took. */
export async function historyOf(store: Pick<Store, 'runs' | 'ledger' | 'read' | 'plan'>, pipeline: string): Promise<History> {
  const rows = await store.runs({ pipeline, status: ['completed'], limit: RUNS });
  const history: History = { runs: rows.length, costs: [], durations: [], tasks: new Map() };
  const plans = new Map<string, Plan>();
  for (const row of rows) {
    if (row.startedAt !== null && row.endedAt !== null) history.durations.push(row.endedAt - row.startedAt);
    await addCosts(store, row.run, history);
    if (row.tasksTotal > JOURNAL_TASKS_MAX) continue;
    const plan = plans.get(row.planHash) ?? (await planOf(store, row));
    if (plan === undefined) continue;
    plans.set(row.planHash, plan);
    await addTimes(store, plan, row.run, history);
  }
  history.durations.sort((a, b) => a - b);
  for (const { durations } of history.tasks.values()) durations.sort((a, b) => a - b);
  return history;
}

async function planOf(store: Pick<Store, 'plan'>, { planHash }: RunRow): Promise<Plan | undefined> {
  const body = await store.plan(planHash);
  return body === undefined ? undefined : decodePlan(body);
}

async function addCosts(store: Pick<Store, 'ledger'>, run: string, history: History): Promise<void> {
  const groups = Map.groupBy(await store.ledger({ run }), ({ path }) => taskOf(path));
  let whole: number | null = 0;
  for (const [task, rows] of groups) {
    // What a lost reply cost is no guide to what the next one will.
    const certain = rows.filter(({ uncertain }) => uncertain !== true);
    const cost = certain.reduce<number | null>((sum, { costMicroUsd }) => (sum === null || costMicroUsd === null ? null : sum + costMicroUsd), 0);
    const known = historyOfTask(history, task);
    known.costs.push(cost);
    known.calls.push(certain.length);
    whole = whole === null || cost === null ? null : whole + cost;
  }
  history.costs.push(whole);
}

async function addTimes(store: Pick<Store, 'read'>, plan: Plan, run: string, history: History): Promise<void> {
  const state = initial();
  for (const { event } of await store.read(run)) apply(plan, state, event);
  for (let slot = 0; slot < state.slots; slot++) {
    const [beganAt, settledAt] = [state.beganAt[slot]!, state.settledAt[slot]!];
    if (TASK_STATUSES[state.taskStatus[slot]!] !== 'completed' || beganAt === 0 || taskOfSlot(plan, state, slot).kind === 'approval') continue;
    historyOfTask(history, taskOf(pathOf(plan, state, slot))).durations.push(Math.max(0, settledAt - beganAt));
  }
}

function historyOfTask({ tasks }: History, task: string): TaskHistory {
  let known = tasks.get(task);
  if (known === undefined) tasks.set(task, (known = { costs: [], calls: [], durations: [] }));
  return known;
}
