import { dayStart, DAY_MS, utcDay } from '../../clock.ts';
import { formatUsd, microUsd } from '../../money.ts';
import { costReport, readTime, type CostLine, type CostReport } from '../../observe/index.ts';
import type { Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import { sparkline } from '../sparkline.ts';
import { tableLines, type Cell } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { count, escapeLine } from '../text.ts';

const PARTS = ['model', 'pipeline', 'task', 'user', 'day'] as const;
/** Days that a sparkline shows at most. */
const DAYS_MAX = 60;
type Part = (typeof PARTS)[number];

/** What models cost, by model, pipeline, task, user or day, and how less would have done. */
export async function cost(terminal: Terminal, { flags }: Invocation): Promise<number> {
  const by = flags.choice('by', PARTS, 'model');
  const now = Date.now();
  const time = (name: 'since' | 'until'): { [key in typeof name]?: number } => {
    const given = flags.text(name);
    return given === undefined ? {} : { [name]: readTime(given, now) };
  };
  const only = (name: 'pipeline' | 'user'): { [key in typeof name]?: string } => {
    const given = flags.text(name);
    return given === undefined ? {} : { [name]: given };
  };
  const filter = { ...time('since'), ...time('until'), ...only('pipeline'), ...only('user') };
  const report = await withShell(terminal, shell => costReport(shell.store, filter, shell.shop.models));
  if (flags.on('json')) terminal.out(`${JSON.stringify({ v: 1, ...report }, null, 2)}\n`);
  else tell(terminal, report, by);
  return 0;
}

function tell(terminal: Terminal, report: CostReport, by: Part): void {
  const { out, err, quiet, outIsTerminal, columns, paintOut: paint } = terminal;
  if (report.calls === 0) {
    if (!quiet) err(`no model was called${report.since === null ? '' : ` since ${report.since}`}\n`);
    return;
  }
  const lines = linesOf(report, by);
  const rows = Object.entries(lines).map(([name, line]): (Cell | string)[] => [
    { text: name, style: 'strong' },
    costText(line),
    `${Math.round(line.share * 100)} %`,
    line.calls.toLocaleString('en-US'),
    line.failedCalls === 0 ? '' : { text: line.failedCalls.toLocaleString('en-US'), style: 'warning' },
    line.inputTokens.toLocaleString('en-US'),
    line.cachedInputTokens === 0 ? '' : line.cachedInputTokens.toLocaleString('en-US'),
    line.outputTokens.toLocaleString('en-US'),
  ]);
  const numbers = ['cost', 'share', 'calls', 'failed', 'tokens in', 'cached', 'out'].map(title => ({ title, align: 'right' as const }));
  out(`${tableLines([{ title: by, flexible: true }, ...numbers], rows, outIsTerminal ? columns : 120, paint).join('\n')}\n\n`);
  out(`${totalText(report).join(' · ')}\n`);
  for (const text of apartTexts(report)) out(`${paint('warning', '!')} ${text}\n`);
  for (const { text, saving } of report.suggestions) out(`${paint('ok', `save ${formatUsd(microUsd(saving))}`)}: ${escapeLine(text)}\n`);
}

function linesOf(report: CostReport, by: Part): { [name: string]: CostLine } {
  switch (by) {
    case 'model':
      return report.byModel;
    case 'pipeline':
      return report.byPipeline;
    case 'task':
      return report.byTask;
    case 'user':
      return report.byUser;
    case 'day':
      return report.byDay;
  }
}

/** Calls of an unknown price are never counted as free, nor are those whose reply was lost. */
function costText({ cost: dollars, calls, unpricedCalls, uncertainCalls }: Pick<CostLine, 'cost' | 'calls' | 'unpricedCalls' | 'uncertainCalls'>): string {
  if (unpricedCalls + uncertainCalls === calls) return 'unknown';
  return `${formatUsd(microUsd(dollars))}${unpricedCalls === 0 ? '' : ' + unknown'}`;
}

function totalText(report: CostReport): string[] {
  const { totalCost, calls, cacheHits, saved, trend } = report;
  const parts = [`${costText({ ...report, cost: totalCost })} for ${count(calls, 'call')}`];
  if (cacheHits > 0) parts.push(`${formatUsd(microUsd(saved))} saved by ${count(cacheHits, 'hit')} of the cache`);
  const days = dailyCosts(report.byDay);
  if (days.length > 1) {
    const change = trend.change === null ? '' : ` (${trend.change > 0 ? '+' : ''}${Math.round(trend.change * 100)} %)`;
    parts.push(`${trend.direction}${change} ${sparkline(days)}`);
  }
  return parts;
}

/** What the sum leaves out. */
function apartTexts({ unpricedCalls, uncertainCalls, uncertainCost }: CostReport): string[] {
  const texts: string[] = [];
  if (unpricedCalls > 0) texts.push(`${count(unpricedCalls, 'call')} of unknown price, not in the sum`);
  if (uncertainCalls > 0) {
    const most = uncertainCost === 0 ? '' : `, up to ${formatUsd(microUsd(uncertainCost))}`;
    texts.push(`${count(uncertainCalls, 'call')} whose reply was lost, not in the sum: they may be billed${most}`);
  }
  return texts;
}

/** The newest days up to the last that cost something, those between that cost nothing too. */
function dailyCosts(byDay: CostReport['byDay']): number[] {
  const days = Object.keys(byDay);
  if (days.length === 0) return [];
  const last = dayStart(days.at(-1)!);
  const first = Math.max(dayStart(days[0]!), last - (DAYS_MAX - 1) * DAY_MS);
  return Array.from({ length: (last - first) / DAY_MS + 1 }, (_, i) => byDay[utcDay(first + i * DAY_MS)]?.cost ?? 0);
}
