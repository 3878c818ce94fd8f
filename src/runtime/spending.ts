import { endOfDay, isoTime, utcDay } from '../clock.ts';
import { raiseCommand } from '../engine/index.ts';
import { OrchestratorError } from '../errors.ts';
import { formatUsd, microUsd } from '../money.ts';
import { callsOf, costOf, roomOf, type BudgetRow } from '../store/index.ts';
import { checkBudget } from './budgets.ts';
import { foldRun, PlanShelf } from './load.ts';
import { lostIn } from './reserved.ts';
import type { Shop } from './shell.ts';

/** How a cap over several runs stands today; amounts are dollars. */
export interface BudgetLine {
  /** `day`, `pipeline:NAME` or `user:NAME`. */
  scope: string;
  day: string;
  /** Null where the configuration says nothing any more. */
  capUsd: number | null;
  raisedToUsd: number | null;
  settledUsd: number;
  /** Set aside for calls under way, and for those whose reply was lost. */
  reservedUsd: number;
  /** The part of what is reserved whose calls may be billed, and nobody knows how much: their replies were lost, or nobody drives their runs. */
  uncertainUsd: number;
  leftUsd: number | null;
  resetsAt: string;
  raises: { at: string; by: string; usd: number }[];
}

/** All caps over several runs that the configuration names, or that were used today, by name. */
export async function budgetLines({ store, caps, loop }: Shop): Promise<BudgetLine[]> {
  const day = utcDay(loop.now());
  const rows = new Map((await store.budgets(day)).map(row => [row.scope, row]));
  const lost = await lostIn(store, day);
  const scopes = [...new Set([...caps.scopes, ...rows.keys()])].sort();
  return Promise.all(
    scopes.map(async scope => {
      const row = rows.get(scope);
      const settled = row?.settledMicroUsd ?? (await spentBy(store, scope, day));
      return lineOf(scope, day, { row, cap: caps.capOf(scope), settled, lost: lost.get(scope) ?? 0 });
    }),
  );
}

function lineOf(
  scope: string,
  day: string,
  { row, cap, settled, lost }: { row: BudgetRow | undefined; cap: number | undefined; settled: number; lost: number },
): BudgetLine {
  const reserved = row?.reservedMicroUsd ?? 0;
  const raised = row?.raisedMicroUsd ?? null;
  const room = cap === undefined && raised === null ? null : roomOf({ capMicroUsd: cap ?? 0, raisedMicroUsd: raised });
  return {
    scope,
    day,
    capUsd: cap === undefined ? null : cap / 1_000_000,
    raisedToUsd: raised === null ? null : raised / 1_000_000,
    settledUsd: settled / 1_000_000,
    reservedUsd: reserved / 1_000_000,
    uncertainUsd: lost / 1_000_000,
    leftUsd: room === null ? null : Math.max(0, room - settled - reserved) / 1_000_000,
    resetsAt: isoTime(endOfDay(day)),
    raises: (row?.raises ?? []).map(({ at, by, microUsd: amount }) => ({ at: isoTime(at), by, usd: amount / 1_000_000 })),
  };
}

async function spentBy(store: Shop['store'], scope: string, day: string): Promise<number> {
  const { by, filter, name } = callsOf(scope, day);
  return costOf((await store.totals([by], filter))[0]!, name);
}

/** What came of raising a cap. */
export interface BudgetRaised {
  line: BudgetLine;
  /** Runs that were paused for it, and were told to go on: by their process, or by whoever takes them up. */
  runs: { run: string; isDriven: boolean }[];
}

/** Lets a scope spend up to `usd` today, and tells the runs that are paused for it to go on. Throws ORC-106, ORC-518. */
export async function raiseBudget(shop: Shop, scope: string, usd: number, by: string): Promise<BudgetRaised> {
  checkBudget(usd);
  const { store, caps, loop } = shop;
  const now = loop.now();
  const day = utcDay(now);
  const row = (await store.budgets(day)).find(one => one.scope === scope);
  const cap = caps.capOf(scope) ?? row?.capMicroUsd;
  if (cap === undefined) {
    throw new OrchestratorError('ORC-518', `there is no budget for ${scope}`, {
      class: 'invalid_input',
      help: ['orchestrator budget', 'a scope is: day, pipeline:NAME, user:NAME, or a run'],
    });
  }
  const room = roomOf({ capMicroUsd: cap, raisedMicroUsd: row?.raisedMicroUsd ?? null });
  if (microUsd(usd) <= room) {
    throw new OrchestratorError('ORC-518', `the budget for ${scope} is ${formatUsd(room)} already, and ${formatUsd(microUsd(usd))} is no more`, {
      class: 'invalid_input',
      help: [raiseCommand(scope, room * 2), 'a smaller one is set in the configuration'],
    });
  }
  await store.raiseBudget({ scope, day, at: now, by, microUsd: microUsd(usd) }, cap);
  const line = (await budgetLines(shop)).find(one => one.scope === scope)!;
  return { line, runs: await wakePaused(shop, scope, by) };
}

async function wakePaused({ store, shell }: Shop, scope: string, by: string): Promise<BudgetRaised['runs']> {
  const plans = new PlanShelf(store);
  const runs: BudgetRaised['runs'] = [];
  for (const { run, planHash, reason, owner } of await store.runs({ status: ['paused'] })) {
    if (reason !== 'budget') continue;
    const { refusals } = await foldRun(store, await plans.get(planHash), run);
    if (!Object.values(refusals).some(refusal => refusal.scope === scope)) continue;
    await shell.command(run, { type: 'resume', by });
    runs.push({ run, isDriven: owner !== null && (await store.alive(owner)) });
  }
  return runs;
}
