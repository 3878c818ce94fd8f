import { formatUsd, microUsd } from '../../money.ts';
import { forecast, type Forecast, type TaskForecast } from '../../observe/index.ts';
import type { Plan } from '../../plan/index.ts';
import { openRecords } from '../../runtime/index.ts';
import { configOptions } from '../opening.ts';
import { tableLines, type Cell } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { count, escapeLine } from '../text.ts';
import { msText } from './models.ts';

/** What the next run of a plan will take: read from what is kept, asking nobody. */
export async function forecastFor(terminal: Terminal, plan: Plan): Promise<Forecast> {
  const records = await openRecords(configOptions(terminal));
  try {
    return await forecast(plan, records);
  } finally {
    await records.close();
  }
}

/** The forecast as a table of the tasks that take anything, its sum, and what is not known. */
export function forecastLines({ byTask, cost, duration, runs, unknown }: Forecast, terminal: Terminal): string[] {
  const { columns, outIsTerminal, paintOut: paint } = terminal;
  const rows = Object.entries(byTask)
    .filter(([, { calls, p50Ms }]) => calls > 0 || p50Ms !== null)
    .map(([path, task]) => rowOf(path, task));
  const numbers = ['times', 'calls', 'expected', 'p95', 'at most', 'time p50', 'p95'].map(title => ({ title, align: 'right' as const }));
  const heads = [{ title: 'task' }, { title: 'model', flexible: true as const }, ...numbers, { title: 'from' }];
  const table = rows.length === 0 ? [] : ['', ...tableLines(heads, rows, outIsTerminal ? columns : 140, paint)];
  return [...table, '', ...totalLines(cost, duration, runs), ...unknown.map(text => `${paint('warning', '!')} ${escapeLine(text)}`)];
}

function rowOf(path: string, { model, times, calls, expectedUsd, p95Usd, worstUsd, p50Ms, p95Ms, basis }: TaskForecast): (Cell | string)[] {
  const asked = calls > 0;
  return [
    { text: path, style: 'strong' },
    asked ? (model ?? 'unknown') : '',
    times === null ? 'unknown' : times.toLocaleString('en-US'),
    asked ? String(calls) : '',
    asked ? usdText(expectedUsd) : '',
    p95Usd === null || !asked ? '' : usdText(p95Usd),
    asked ? usdText(worstUsd) : '',
    ...[p50Ms, p95Ms].map(ms => (ms === null ? 'unknown' : msText(ms))),
    basis ?? '',
  ];
}

function usdText(usd: number | null): string {
  return usd === null ? 'unknown' : formatUsd(microUsd(usd));
}

function totalLines(
  { expectedUsd, p95Usd, worstUsd, knownUsd, budgetUsd }: Forecast['cost'],
  { p50Ms, p95Ms, basis }: Forecast['duration'],
  runs: number,
): string[] {
  const capped = budgetUsd !== null && worstUsd === budgetUsd ? ' (its budget)' : '';
  const likely =
    expectedUsd === null
      ? `unknown, ${usdText(knownUsd)} of it known`
      : `${usdText(expectedUsd)} expected${p95Usd === null ? '' : `, ${usdText(p95Usd)} in 95 of 100 runs`}`;
  const cost = worstUsd === 0 && expectedUsd === 0 ? 'nothing' : `${likely}; at most ${usdText(worstUsd)}${capped}`;
  const before = runs === 0 ? 'it has not run here yet' : `of ${count(runs, 'run')} before`;
  const time =
    p50Ms === null || p95Ms === null
      ? `unknown: ${before}`
      : `${msText(p50Ms)} expected, ${msText(p95Ms)} in 95 of 100 runs (${basis === 'history' ? before : 'by how fast its models were, nothing else counted'})`;
  return [`${'cost'.padEnd(14)} ${cost}`, `${'duration'.padEnd(14)} ${time}`];
}
