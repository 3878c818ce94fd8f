import { dayStart } from '../clock.ts';
import { usd, type MicroUsd } from '../money.ts';
import type { Store, Totals, TotalsFilter, TotalsRow } from '../store/index.ts';
import { suggestionsFor, type CostSuggestion, type PricedModels } from './savings.ts';

/** Which calls a report is about; times in ms since 1970. */
export type CostFilter = TotalsFilter;

/** What a report reads of a store. */
export type Ledger = Pick<Store, 'totals' | 'ledger' | 'runs' | 'read' | 'blob'>;

/** What one model, pipeline, task, user or day took. Dollars; calls of unknown price cost something, and are counted apart. */
export interface CostLine {
  cost: number;
  calls: number;
  failedCalls: number;
  unpricedCalls: number;
  /** Calls whose reply was lost: they are not in `cost`, and may be billed so much, as far as prices are known. */
  uncertainCalls: number;
  uncertainCost: number;
  /** Calls that the response cache answered, and what they would have cost. */
  cacheHits: number;
  saved: number;
  inputTokens: number;
  outputTokens: number;
  /** Part of the input that a service had kept, and part of the output that was thinking. */
  cachedInputTokens: number;
  reasoningTokens: number;
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
  /** By `<pipeline>/<task>`, all iterations of a loop together. */
  byTask: { [task: string]: CostLine };
  byUser: { [user: string]: CostLine };
  byDay: { [day: string]: CostLine };
  /** The later half of the days against the earlier one; `change` is null where the earlier half cost nothing. */
  trend: { direction: 'rising' | 'falling' | 'flat'; change: number | null };
  /** One of a kind at most, the largest saving first. */
  suggestions: CostSuggestion[];
}

/** Whom a run is for that names nobody. */
const NOBODY = '(nobody)';
/** What is asked before any task. */
const INPUTS = '(inputs)';
/** A change below this part is none. */
const FLAT = 0.05;

const GROUPINGS = [[], ['model'], ['pipeline'], ['pipeline', 'task'], ['user'], ['day'], ['pipeline', 'task', 'model']] as const;

/** What models cost, out of the kept totals of a store; with models, also what others would have cost. */
export async function costReport(store: Ledger, filter: CostFilter = {}, models?: PricedModels): Promise<CostReport> {
  const [whole, byModel, byPipeline, byTask, byUser, byDay, byUse] = (await store.totals(GROUPINGS, filter)) as TotalsRow[][] & { length: 7 };
  const micro = whole![0]?.costMicroUsd ?? 0;
  const { share: _share, cost: totalCost, ...counts } = lineOf(whole![0], micro);
  const days = byDay!.toSorted((a, b) => (a.keys[0]! < b.keys[0]! ? -1 : 1));
  const perModel = linesOf(byModel!, micro);
  const [top] = Object.keys(perModel);
  return {
    since: filter.since === undefined ? null : new Date(filter.since).toISOString(),
    until: filter.until === undefined ? null : new Date(filter.until).toISOString(),
    totalCost,
    ...counts,
    topCostModel: top !== undefined && perModel[top]!.cost > 0 ? top : null,
    byModel: perModel,
    byPipeline: linesOf(byPipeline!, micro),
    byTask: linesOf(byTask!, micro, taskName),
    byUser: linesOf(byUser!, micro, ([user]) => (user === '' ? NOBODY : user!)),
    byDay: Object.fromEntries(days.map(row => [row.keys[0]!, lineOf(row, micro)])),
    trend: trendOf(days),
    suggestions: await suggestionsFor(store, byUse!, models),
  };
}

/** A task of a pipeline, for people. */
export function taskName([pipeline, task]: readonly string[]): string {
  return `${pipeline}/${task === '' ? INPUTS : task}`;
}

function linesOf(rows: TotalsRow[], total: MicroUsd, name = (keys: string[]): string => keys[0]!): { [name: string]: CostLine } {
  const lines = rows.map((row): [string, CostLine] => [name(row.keys), lineOf(row, total)]);
  return Object.fromEntries(lines.sort(([a, one], [b, two]) => two.cost - one.cost || (a < b ? -1 : 1)));
}

/** `total` is that of which the share is told. */
function lineOf(row: Totals | undefined, total: MicroUsd): CostLine {
  return {
    cost: usd(row?.costMicroUsd ?? 0),
    calls: row?.calls ?? 0,
    failedCalls: row?.failedCalls ?? 0,
    unpricedCalls: row?.unpricedCalls ?? 0,
    uncertainCalls: row?.uncertainCalls ?? 0,
    uncertainCost: usd(row?.uncertainMicroUsd ?? 0),
    cacheHits: row?.cacheHits ?? 0,
    saved: usd(row?.savedMicroUsd ?? 0),
    inputTokens: row?.inputTokens ?? 0,
    outputTokens: row?.outputTokens ?? 0,
    cachedInputTokens: row?.cachedInputTokens ?? 0,
    reasoningTokens: row?.reasoningTokens ?? 0,
    share: total === 0 ? 0 : (row?.costMicroUsd ?? 0) / total,
  };
}

/** Of an odd number of days the one in the middle belongs to neither half. */
function trendOf(days: TotalsRow[]): CostReport['trend'] {
  const at = (row: TotalsRow): number => dayStart(row.keys[0]!);
  const middle = days.length === 0 ? 0 : (at(days[0]!) + at(days.at(-1)!)) / 2;
  const sum = (some: TotalsRow[]): MicroUsd => some.reduce((micro, { costMicroUsd }) => micro + costMicroUsd, 0);
  const [before, after] = [sum(days.filter(row => at(row) < middle)), sum(days.filter(row => at(row) > middle))];
  if (days.length < 2 || before === 0) return { direction: after > 0 ? 'rising' : 'flat', change: null };
  const change = after / before - 1;
  return { direction: change > FLAT ? 'rising' : change < -FLAT ? 'falling' : 'flat', change };
}
