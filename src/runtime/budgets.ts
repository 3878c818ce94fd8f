import type { Event, OnExceed } from '../engine/index.ts';
import { OrchestratorError } from '../errors.ts';
import { microUsd } from '../money.ts';
import type { Plan } from '../plan/index.ts';
import type { Config } from './config/index.ts';

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
  const onExceed: OnExceed = plan.budget?.onExceed ?? 'pause';
  return { type: 'budget.set', at, microUsd: microUsd(usd), onExceed, by };
}

export function checkBudget(usd: number): void {
  if (Number.isFinite(usd) && usd >= 0) return;
  throw new OrchestratorError('ORC-106', `a budget is a number of dollars, and this is ${usd}`, { class: 'invalid_input', help: ['write it like 0.50'] });
}
