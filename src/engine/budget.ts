import { isoTime } from '../clock.ts';
import { markSpent, type MicroUsd } from '../money.ts';
import type { Input } from './effect.ts';
import type { Refusal } from './event.ts';
import { isStopping } from './settle.ts';
import { PERFORMING, type RunState } from './state.ts';
import { emit, type Turn } from './turn.ts';

type Of<T extends Input['type']> = Extract<Input, { type: T }>;

/** In the place of a slot, for the timer of a run that is paused until its cap begins anew. */
export const PAUSE_TIMER = -1;

/** Sets the cap of a run. What happens on it stays as it was, or as the pipeline says. */
export function setBudget(turn: Turn, microUsd: MicroUsd, by: string): void {
  const onExceed = turn.state.budget?.onExceed ?? turn.plan.budget?.onExceed ?? 'pause';
  emit(turn, { type: 'budget.set', microUsd, onExceed, by });
}

/**
 * Sets the worst case of a call aside where it has room under the caps of this run (S12); else says under which it has none, and the call is not made (C24).
 * Caps over several runs are judged by the store, in the commit of the event: where one has no room, the event is taken back and `refused` comes instead.
 */
export function reserve(turn: Turn, { slot, key, microUsd, limits = {}, spans, asks }: Of<'reserve'>): void {
  const { budget, costMicroUsd, reservedMicroUsd, reservedBy, extra } = turn.state;
  const caps = [
    { scope: 'call', capMicroUsd: limits.callMicroUsd, usedMicroUsd: 0 },
    { scope: 'task', capMicroUsd: limits.taskMicroUsd, usedMicroUsd: (extra.get(slot)?.usage?.costMicroUsd ?? 0) + (reservedBy[slot] ?? 0) },
    { scope: 'run', capMicroUsd: budget?.microUsd, usedMicroUsd: costMicroUsd + reservedMicroUsd },
  ];
  for (const { scope, capMicroUsd = Infinity, usedMicroUsd } of caps) {
    // What costs nothing has room under every cap, also under one that a bill has passed.
    if (microUsd === 0 || usedMicroUsd + microUsd <= capMicroUsd) continue;
    const refusal: Refusal = { scope, microUsd, capMicroUsd, leftMicroUsd: Math.max(0, capMicroUsd - usedMicroUsd), until: null };
    return emit(turn, { type: 'budget.refused', slot, key, refusal });
  }
  emit(turn, { type: 'budget.reserved', slot, key, microUsd, ...(spans === undefined ? {} : { spans }), ...(asks === undefined ? {} : { asks }) });
}

/** A call was settled: what it cost, if anything, is folded already. */
export function release(turn: Turn, slot: number, key: string): void {
  if (Object.hasOwn(turn.state.reserved, key)) emit(turn, { type: 'budget.released', slot, key });
}

/** Replies of calls are lost, and nobody knows what they are billed: what was set aside for them stays so. */
export function doubt(turn: Turn, keys: string[]): void {
  const { reserved, doubted } = turn.state;
  const fresh = keys.filter(key => Object.hasOwn(reserved, key) && !doubted.includes(key));
  if (fresh.length > 0) emit(turn, { type: 'budget.doubted', keys: fresh });
}

/** A call was made: is a part of the run's cap passed of which nobody was told yet? */
export function called(turn: Turn, { slot, call, prompt, reply, key }: Of<'called'>): void {
  emit(turn, { type: 'model.called', slot, call, prompt, reply, ...(key === undefined ? {} : { key }) });
  const { budget, costMicroUsd, warned } = turn.state;
  if (budget === null || costMicroUsd === 0) return;
  const percent = markSpent(costMicroUsd, budget.microUsd);
  if (percent > (warned['run']?.percent ?? 0)) warn(turn, { slot, scope: 'run', percent, settledMicroUsd: costMicroUsd, capMicroUsd: budget.microUsd });
}

/** Tells a person, in the journal and in the log of the task whose call it was. */
export function warn(turn: Turn, warning: Omit<Of<'warned'>, 'type' | 'now'>): void {
  const { slot, scope, percent, settledMicroUsd, capMicroUsd } = warning;
  emit(turn, { type: 'budget.warned', slot, scope, percent, settledMicroUsd, capMicroUsd });
  emit(turn, { type: 'task.logged', slot, level: 'warn', text: warningText(scope, turn.state.warned[scope]!) });
}

/** May a task that met the cap wait for a larger one? Not where nothing goes on around it. */
export function mayHold(state: RunState, slot: number): boolean {
  return slot < 0 ? state.status !== 'cancelling' : !isStopping(state, slot);
}

/** A cap was met: the attempt is taken back, as if it had not begun, and the run pauses until the cap is raised, or begins anew. */
export function hold(turn: Turn, slot: number): void {
  const { state } = turn;
  if (slot >= 0 && state.phase[slot] === PERFORMING) emit(turn, { type: 'attempt.held', slot, attempt: state.attempt[slot]!, reason: 'budget' });
  if (state.status !== 'running') return;
  const until = state.refusals[slot]?.until ?? null;
  emit(turn, { type: 'run.paused', reason: 'budget', ...(until === null ? {} : { until }) });
  owedPause(turn);
}

/** The timer of a run that is paused until its cap begins anew. */
export function owedPause({ state, effects }: Turn): void {
  if (state.status === 'paused' && state.pausedUntil !== null) effects.push({ type: 'timer', slot: PAUSE_TIMER, until: state.pausedUntil });
}

/** A cap over several runs, in words. */
export function scopeText(scope: string): string {
  if (scope === 'day') return 'today';
  const [kind, name] = [scope.slice(0, scope.indexOf(':')), scope.slice(scope.indexOf(':') + 1)];
  return kind === 'user' && name === '' ? 'runs for nobody today' : `${kind} ${name} today`;
}

function warningText(scope: string, { percent, settledMicroUsd, capMicroUsd }: RunState['warned'][string]): string {
  const whose = scope === 'run' ? '' : ` of ${scopeText(scope)}`;
  return `over ${percent} % of the budget${whose} is spent: $${settledMicroUsd / 1_000_000} of $${capMicroUsd / 1_000_000}`;
}

/** What a person should know of the money of a run. */
export function budgetWarnings(state: RunState): string[] {
  const { unpricedCalls, uncertainCalls, uncertainMicroUsd, warned, refusals, status, reason, pausedUntil } = state;
  const warnings: string[] = [];
  if (unpricedCalls > 0)
    warnings.push(
      `${unpricedCalls === 1 ? 'the price of one model call is' : `the prices of ${unpricedCalls} model calls are`} not known, so the run cost more than is shown`,
    );
  if (uncertainCalls > 0) {
    const calls = uncertainCalls === 1 ? 'the reply of one model call was lost: it is' : `the replies of ${uncertainCalls} model calls were lost: they are`;
    warnings.push(`${calls} not in the cost, and may be billed${uncertainMicroUsd > 0 ? `, up to $${uncertainMicroUsd / 1_000_000}` : ''}`);
  }
  for (const [scope, warning] of Object.entries(warned)) warnings.push(warningText(scope, warning));
  if (status !== 'paused' || reason !== 'budget') return warnings;
  for (const scope of new Set(Object.values(refusals).map(refusal => refusal.scope))) {
    if (scope === 'call' || scope === 'task')
      warnings.push(`a call could cost more than one ${scope} may: per_${scope}_usd under budget: in the configuration`);
    else if (scope !== 'run') warnings.push(`the budget of ${scopeText(scope)} has no room for the next call`);
  }
  if (pausedUntil !== null) warnings.push(`it can go on at ${isoTime(pausedUntil)}, when the budget begins anew, or once it is raised`);
  return warnings;
}

/** What lets a run go on that is paused for a budget. */
export function budgetCommands(state: RunState, run: string): string[] {
  const refusals = Object.values(state.refusals);
  const spans = refusals.filter(({ scope }) => scope !== 'call' && scope !== 'task' && scope !== 'run');
  const raises = new Set(spans.map(({ scope, capMicroUsd, microUsd }) => raiseCommand(scope, Math.max(capMicroUsd, microUsd) * 2)));
  const own = refusals.length === 0 || refusals.some(({ scope }) => scope === 'run');
  const cap = own && state.budget !== null ? ` --budget ${(state.budget.microUsd * 2) / 1_000_000}` : '';
  return [...raises, `orchestrator resume ${run}${cap}`];
}

/** The command that raises a cap over several runs. */
export function raiseCommand(scope: string, microUsd: MicroUsd): string {
  const word = /^[\w.:/-]+$/.test(scope) ? scope : `'${scope.replaceAll("'", "'\\''")}'`;
  return `orchestrator budget raise ${word} ${microUsd / 1_000_000}`;
}
