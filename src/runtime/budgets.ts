import { utcDay } from '../clock.ts';
import { takeBack, type CallLimits, type Event, type OnExceed, type Span } from '../engine/index.ts';
import { OrchestratorError } from '../errors.ts';
import { microUsd } from '../money.ts';
import type { Plan } from '../plan/index.ts';
import type { Batch, Spending } from '../store/port.ts';
import type { Config } from './config/index.ts';
import type { LiveRun } from './live.ts';

/**
 * The cap that a run begins with: the one that was given for it, else the smaller of the pipeline's and the configuration's.
 * Undefined where nobody set one. Throws ORC-106 for one that is no amount.
 */
export function budgetOf(
  plan: Plan,
  givenUsd: number | undefined,
  config: Config['budget'] = {},
  at: number,
): Extract<Event, { type: 'budget.set' }> | undefined {
  if (givenUsd !== undefined) checkBudget(givenUsd);
  const caps = [
    { usd: plan.budget?.usd ?? Infinity, by: 'pipeline' },
    { usd: config.per_run_usd ?? Infinity, by: 'configuration' },
  ];
  const { usd, by } = givenUsd === undefined ? caps.reduce((least, cap) => (cap.usd < least.usd ? cap : least)) : { usd: givenUsd, by: 'start' };
  if (usd === Infinity) return undefined;
  const onExceed: OnExceed = plan.budget?.onExceed ?? config.on_exceed ?? 'pause';
  return { type: 'budget.set', at, microUsd: microUsd(usd), onExceed, by };
}

export function checkBudget(usd: number): void {
  if (Number.isFinite(usd) && usd >= 0) return;
  throw new OrchestratorError('ORC-106', `a budget is a number of dollars, and this is ${usd}`, { class: 'invalid_input', help: ['write it like 0.50'] });
}

/** The caps of the configuration on a call, on a task, and on what several runs cost together. */
export class Caps {
  readonly limits: CallLimits | undefined;
  readonly config: Config['budget'];

  constructor(config: Config['budget'] = {}) {
    this.config = config;
    const { per_call_usd: call, per_task_usd: task } = config;
    if (call === undefined && task === undefined) return;
    this.limits = { ...(call === undefined ? {} : { callMicroUsd: microUsd(call) }), ...(task === undefined ? {} : { taskMicroUsd: microUsd(task) }) };
  }

  /** The caps over several runs under which the calls of a run count, at a time. */
  spansOf(run: Pick<LiveRun, 'plan' | 'state'>, at: number): Span[] {
    const scopes = ['day', `pipeline:${run.plan.pipeline.name}`, `user:${run.state.created?.user ?? ''}`];
    return scopes.flatMap(scope => {
      const capMicroUsd = this.capOf(scope);
      return capMicroUsd === undefined ? [] : [{ scope, day: utcDay(at), capMicroUsd }];
    });
  }

  /** What the configuration lets a scope spend in a day; undefined where it says nothing. */
  capOf(scope: string): number | undefined {
    const { per_day_usd: day, per_pipeline_usd: pipeline, per_user_usd: user, pipelines = {}, users = {} } = this.config;
    const name = scope.slice(scope.indexOf(':') + 1);
    const named = (caps: { [name: string]: number }, every: number | undefined): number | undefined => (Object.hasOwn(caps, name) ? caps[name] : every);
    const usd = scope === 'day' ? day : scope.startsWith('pipeline:') ? named(pipelines, pipeline) : scope.startsWith('user:') ? named(users, user) : undefined;
    return usd === undefined ? undefined : microUsd(usd);
  }

  /** Scopes that the configuration names. */
  get scopes(): string[] {
    const { per_day_usd: day, pipelines = {}, users = {} } = this.config;
    return [
      ...(day === undefined ? [] : ['day']),
      ...Object.keys(pipelines).map(name => `pipeline:${name}`),
      ...Object.keys(users).map(name => `user:${name}`),
    ];
  }

  /** What happens on a cap, where neither the run nor its pipeline says. */
  get onExceed(): OnExceed {
    return this.config.on_exceed ?? 'pause';
  }
}

/** What events do to the caps over several runs; undefined where that is nothing. */
export function spendingOf(events: Event[]): Spending | undefined {
  const spending: Spending = { reservations: [], settlements: [], released: [], doubted: [], refused: [], warned: [] };
  let isAny = false;
  for (const event of events) {
    if (event.type === 'budget.reserved' && event.spans !== undefined) {
      const { key, microUsd: amount, spans, at } = event;
      spending.reservations.push({ key, microUsd: amount, spans, at });
    } else if (event.type === 'model.called' && event.key !== undefined) {
      spending.settlements.push({ key: event.key, microUsd: event.call.costMicroUsd ?? 0 });
    } else if (event.type === 'budget.released') spending.released.push(event.key);
    else if (event.type === 'budget.doubted') spending.doubted.push(...event.keys);
    else continue;
    isAny = true;
  }
  return isAny ? spending : undefined;
}

/**
 * The store had no room for some of a batch's reservations, and wrote nothing of it. They are taken back, the run is told, and the rest of what was decided
 * goes into its next batch. False where the store named none.
 */
export function putBack(run: LiveRun, batch: Batch, now: number): boolean {
  const refused = new Map(batch.spending?.refused.map(({ key, refusal }) => [key, refusal]));
  run.events = batch.events.filter(event => {
    const refusal = event.type === 'budget.reserved' ? refused.get(event.key) : undefined;
    if (event.type !== 'budget.reserved' || refusal === undefined) return true;
    takeBack(run.state, event);
    run.inputs.push({ type: 'refused', slot: event.slot, key: event.key, refusal, now });
    return false;
  });
  if (batch.blobs !== undefined) run.blobs = [...batch.blobs, ...run.blobs];
  if (batch.ledger !== undefined) run.ledger = [...batch.ledger, ...run.ledger];
  if (batch.consumed !== undefined) run.consumed = [...batch.consumed, ...run.consumed];
  // What was to be written of the run's row was not.
  if (batch.change !== undefined) run.row = { ...run.row, writtenAt: 0 };
  return run.events.length < batch.events.length;
}

/** Tells a run of the parts of caps that its calls were the first to pass that day. */
export function tellSpent(run: LiveRun, batch: Batch, now: number): void {
  for (const { key, scope, percent, settledMicroUsd, capMicroUsd } of batch.spending?.warned ?? []) {
    const call = batch.events.find(event => event.type === 'model.called' && event.key === key);
    run.inputs.push({ type: 'warned', slot: call?.type === 'model.called' ? call.slot : -1, scope, percent, settledMicroUsd, capMicroUsd, now });
  }
}
