import { microUsd, usd, type MicroUsd } from '../money.ts';
import type { LedgerRow, Store } from '../store/index.ts';
import { suggestionsFor, type CostSuggestion, type PricedModels } from './savings.ts';

/** Which calls a report is about; times in ms since 1970. */
export interface CostFilter {
  since?: number;
  until?: number;
  pipeline?: string;
  user?: string;
}

/** What one model, pipeline, user or day took. Dollars; calls of unknown price cost something, and are counted apart. */
export interface CostLine {
  cost: number;
  calls: number;
  unpricedCalls: number;
  inputTokens: number;
  outputTokens: number;
  /** Part of the whole, 0 to 1. */
  share: number;
}

export interface CostReport extends Omit<CostLine, 'share' | 'cost'> {
  since: string | null;
  until: string | null;
  /** Dollars of all calls whose price is known. */
  totalCost: number;
  /** The model that took most; null where nothing was paid. */
  topCostModel: string | null;
  /** The dearest first; days in their order. */
  byModel: { [model: string]: CostLine };
  byPipeline: { [pipeline: string]: CostLine };
  byUser: { [user: string]: CostLine };
  byDay: { [day: string]: CostLine };
  /** The later half of the days against the earlier one; `change` is null where the earlier half cost nothing. */
  trend: { direction: 'rising' | 'falling' | 'flat'; change: number | null };
  /** At most three, the largest saving first. */
  suggestions: CostSuggestion[];
}

/** A call with the run that made it. */
export interface PaidCall extends LedgerRow {
  pipeline: string;
  user: string;
}

/** Whom a run is for that names nobody. */
const NOBODY = '(nobody)';
const UNKNOWN = '(unknown)';
/** A change below this part is none. */
const FLAT = 0.05;

/** What models cost, out of the ledger of a store; with models, also what others would have cost. */
export async function costReport(store: Pick<Store, 'ledger' | 'runs' | 'read'>, filter: CostFilter = {}, models?: PricedModels): Promise<CostReport> {
  const calls = await callsOf(store, filter);
  const whole = lineOf(calls, 1);
  const part = (key: (call: PaidCall) => string): { [name: string]: CostLine } => linesBy(calls, key, microUsd(whole.cost));
  const byModel = part(({ model }) => model);
  const [top] = Object.keys(byModel);
  const byDay = Object.fromEntries(Object.entries(part(({ at }) => dayOf(at))).sort(([a], [b]) => (a < b ? -1 : 1)));
  const { cost: totalCost, share: _share, ...counts } = whole;
  return {
    since: filter.since === undefined ? null : new Date(filter.since).toISOString(),
    until: filter.until === undefined ? null : new Date(filter.until).toISOString(),
    totalCost,
    ...counts,
    topCostModel: top !== undefined && byModel[top]!.cost > 0 ? top : null,
    byModel,
    byPipeline: part(({ pipeline }) => pipeline),
    byUser: part(({ user }) => user),
    byDay,
    trend: trendOf(calls),
    suggestions: await suggestionsFor(store, calls, models),
  };
}

async function callsOf(store: Pick<Store, 'ledger' | 'runs'>, { since, until = Infinity, pipeline, user }: CostFilter): Promise<PaidCall[]> {
  const rows = await store.ledger(since === undefined ? {} : { since });
  const runs = new Map((await store.runs({})).map(row => [row.run, row]));
  return rows.flatMap(row => {
    const run = runs.get(row.run);
    const call = { ...row, pipeline: run?.pipeline ?? UNKNOWN, user: run?.user ?? NOBODY };
    const isMeant = row.at < until && (pipeline === undefined || call.pipeline === pipeline) && (user === undefined || call.user === user);
    return isMeant ? [call] : [];
  });
}

function linesBy(calls: PaidCall[], key: (call: PaidCall) => string, total: MicroUsd): { [name: string]: CostLine } {
  const groups = Map.groupBy(calls, key);
  return Object.fromEntries(
    [...groups].map(([name, group]): [string, CostLine] => [name, lineOf(group, total)]).sort(([a, one], [b, two]) => two.cost - one.cost || (a < b ? -1 : 1)),
  );
}

/** The sum of some calls; `total` is that of which its share is told. */
function lineOf(calls: LedgerRow[], total: MicroUsd): CostLine {
  let micro: MicroUsd = 0;
  let unpricedCalls = 0;
  let inputTokens = 0;
  let outputTokens = 0;
  for (const call of calls) {
    micro += call.costMicroUsd ?? 0;
    if (call.costMicroUsd === null) unpricedCalls++;
    inputTokens += call.inputTokens;
    outputTokens += call.outputTokens;
  }
  return { cost: usd(micro), calls: calls.length, unpricedCalls, inputTokens, outputTokens, share: total === 0 ? 0 : micro / total };
}

function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

function trendOf(calls: PaidCall[]): CostReport['trend'] {
  const first = calls[0]?.at ?? 0;
  const last = calls.at(-1)?.at ?? 0;
  const middle = (first + last) / 2;
  const sum = (some: PaidCall[]): MicroUsd => some.reduce((micro, { costMicroUsd }) => micro + (costMicroUsd ?? 0), 0);
  const [before, after] = [sum(calls.filter(({ at }) => at < middle)), sum(calls.filter(({ at }) => at >= middle))];
  if (first === last || before === 0) return { direction: first !== last && after > 0 ? 'rising' : 'flat', change: null };
  const change = after / before - 1;
  return { direction: change > FLAT ? 'rising' : change < -FLAT ? 'falling' : 'flat', change };
}
