import { formatUsd, microUsd } from '../../money.ts';
import { costReport, readTime, type CostLine, type CostReport } from '../../observe/index.ts';
import type { Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import { sparkline } from '../sparkline.ts';
import { tableLines, type Cell } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { count, escapeLine } from '../text.ts';

const PARTS = ['model', 'pipeline', 'user', 'day'] as const;
type Part = (typeof PARTS)[number];

/** What models cost, by model, pipeline, user or day, and how less would have done. */
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
    line.inputTokens.toLocaleString('en-US'),
    line.outputTokens.toLocaleString('en-US'),
  ]);
  const numbers = ['cost', 'share', 'calls', 'tokens in', 'out'].map(title => ({ title, align: 'right' as const }));
  out(`${tableLines([{ title: by, flexible: true }, ...numbers], rows, outIsTerminal ? columns : 120, paint).join('\n')}\n\n`);
  out(`${totalText(report, Object.values(report.byDay))}\n`);
  for (const { text, saving } of report.suggestions) out(`${paint('ok', `save ${formatUsd(microUsd(saving))}`)}: ${escapeLine(text)}\n`);
}

function linesOf(report: CostReport, by: Part): { [name: string]: CostLine } {
  switch (by) {
    case 'model':
      return report.byModel;
    case 'pipeline':
      return report.byPipeline;
    case 'user':
      return report.byUser;
    case 'day':
      return report.byDay;
  }
}

/** Calls of an unknown price are never counted as free. */
function costText({ cost: dollars, calls, unpricedCalls }: Pick<CostLine, 'cost' | 'calls' | 'unpricedCalls'>): string {
  if (unpricedCalls === calls) return 'unknown';
  return `${formatUsd(microUsd(dollars))}${unpricedCalls === 0 ? '' : ' + unknown'}`;
}

function totalText(report: CostReport, days: readonly CostLine[]): string {
  const { totalCost, calls, unpricedCalls, trend } = report;
  const parts = [`${costText({ cost: totalCost, calls, unpricedCalls })} for ${count(calls, 'call')}`];
  if (unpricedCalls > 0) parts.push(`${count(unpricedCalls, 'call')} of unknown price`);
  if (days.length > 1) {
    const change = trend.change === null ? '' : ` (${trend.change > 0 ? '+' : ''}${Math.round(trend.change * 100)} %)`;
    parts.push(`${trend.direction}${change} ${sparkline(days.map(({ cost: dollars }) => dollars))}`);
  }
  return parts.join(' · ');
}
