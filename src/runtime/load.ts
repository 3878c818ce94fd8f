import { apply, initial, restore, type RunState } from '../engine/index.ts';
import { OrchestratorError } from '../errors.ts';
import { decodePlan, type Plan } from '../plan/index.ts';
import type { RunRow, Store } from '../store/port.ts';

const PLANS_KEPT = 50;

/** Plans of the store, decoded once. */
export class PlanShelf {
  readonly #store: Store;
  readonly #plans = new Map<string, Plan>();

  constructor(store: Store) {
    this.#store = store;
  }

  put(plan: Plan): void {
    if (this.#plans.size >= PLANS_KEPT) this.#plans.delete(this.#plans.keys().next().value!);
    this.#plans.set(plan.hash, plan);
  }

  async get(hash: string): Promise<Plan> {
    const known = this.#plans.get(hash);
    if (known !== undefined) return known;
    const body = await this.#store.plan(hash);
    if (body === undefined)
      throw new OrchestratorError('ORC-504', `the plan ${hash.slice(0, 12)} is not in the store`, { class: 'storage', help: ['orchestrator verify'] });
    const plan = decodePlan(body);
    this.put(plan);
    return plan;
  }
}

/** State of a run at a sequence number (the newest by default): the last snapshot before it and the events since. No effect, no call. */
export async function foldRun(store: Store, plan: Plan, run: string, to?: number): Promise<RunState> {
  const from = await store.snapshot(run, to);
  const state = from === undefined ? initial() : restore(from.state);
  for (const { event } of await store.read(run, from?.seq ?? 0, to)) apply(plan, state, event);
  return state;
}

export async function rowOf(store: Store, run: string): Promise<RunRow> {
  const row = await store.run(run);
  if (row === undefined) throw new OrchestratorError('ORC-506', `there is no run ${run}`, { class: 'not_found', help: ['orchestrator runs'] });
  return row;
}

/** Full id for `last`, `last-failed`, an id or a unique prefix. */
export async function findRun(store: Store, name: string): Promise<string> {
  if (name === 'last' || name === 'last-failed') {
    const [row] = await store.runs(name === 'last' ? { limit: 1 } : { limit: 1, status: ['failed'] });
    if (row === undefined)
      throw new OrchestratorError('ORC-506', name === 'last' ? 'there are no runs yet' : 'no run has failed', {
        class: 'not_found',
        help: ['orchestrator run FILE'],
      });
    return row.run;
  }
  const matches = await store.match(name, 5);
  if (matches.length === 1 || matches.includes(name)) return matches.includes(name) ? name : matches[0]!;
  if (matches.length === 0) throw new OrchestratorError('ORC-506', `there is no run ${name}`, { class: 'not_found', help: ['orchestrator runs'] });
  throw new OrchestratorError('ORC-516', `more than one run begins with ${name}: ${matches.join(', ')}`, {
    class: 'invalid_input',
    help: ['write more of it', 'orchestrator runs'],
  });
}
