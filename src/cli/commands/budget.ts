import { formatUsd, microUsd } from '../../money.ts';
import { budgetLines, raiseBudget, type BudgetLine, type EmbeddedShell } from '../../runtime/index.ts';
import { userName } from '../approvals.ts';
import { usageError, type Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import { tableLines, type Cell } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { escapeLine } from '../text.ts';

/** How the caps over several runs stand today. */
export async function budget(terminal: Terminal, { flags }: Invocation): Promise<number> {
  const [lines, caps] = await withShell(terminal, async shell => [await budgetLines(shell.shop), shell.shop.caps.config] as const);
  if (flags.on('json')) terminal.out(`${JSON.stringify({ v: 1, budgets: lines, caps }, null, 2)}\n`);
  else tell(terminal, lines, caps);
  return 0;
}

/** Lets a scope, or a run, spend more. */
export async function raise(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const [scope = '', amount = ''] = args;
  const dollars = Number(amount.replace(/^\$/, ''));
  if (amount.trim() === '' || !Number.isFinite(dollars) || dollars < 0) throw usageError(`\`${amount}\` is no amount of dollars`, ['write it like 0.50']);
  const isScope = scope === 'day' || scope.startsWith('pipeline:') || scope.startsWith('user:');
  await withShell(terminal, shell =>
    isScope ? raiseScope(terminal, shell, scope, dollars, flags.on('json')) : raiseRun(terminal, shell, scope, dollars, flags.on('json')),
  );
  return 0;
}

async function raiseScope(terminal: Terminal, shell: EmbeddedShell, scope: string, dollars: number, isJson: boolean): Promise<void> {
  const by = userName();
  const { line, runs } = await raiseBudget(shell.shop, scope, dollars, by);
  const next = runs.filter(run => !run.isDriven).map(({ run }) => `orchestrator resume ${run}`);
  if (isJson) return terminal.out(`${JSON.stringify({ v: 1, ...line, by, runs, next }, null, 2)}\n`);
  if (terminal.quiet) return;
  const driven = runs.length - next.length;
  const { err, paint } = terminal;
  err(
    `${paint('ok', '✓')} ${escapeLine(scope)} may spend ${formatUsd(microUsd(dollars))} today, until ${line.resetsAt}; ${formatUsd(microUsd(line.leftUsd ?? 0))} is left\n`,
  );
  if (driven > 0) err(`  ${driven} paused ${driven === 1 ? 'run goes' : 'runs go'} on\n`);
  for (const command of next) err(`  next: ${command}\n`);
}

async function raiseRun(terminal: Terminal, shell: EmbeddedShell, name: string, dollars: number, isJson: boolean): Promise<void> {
  const run = await shell.find(name);
  const by = userName();
  await shell.command(run, { type: 'budget', microUsd: microUsd(dollars), by });
  const { status, reason } = await shell.show(run);
  if (status === 'paused' && reason === 'budget') await shell.command(run, { type: 'resume', by });
  const row = await shell.store.run(run);
  const isDriven = row?.owner != null && (await shell.store.alive(row.owner));
  const next = isDriven ? `orchestrator watch ${run}` : `orchestrator resume ${run}`;
  if (isJson) terminal.out(`${JSON.stringify({ v: 1, run, usd: dollars, by, next: [next] }, null, 2)}\n`);
  else if (!terminal.quiet) terminal.err(`${terminal.paint('ok', '✓')} ${run} may cost ${formatUsd(microUsd(dollars))}\n  next: ${next}\n`);
}

function tell(
  { out, err, quiet, outIsTerminal, columns, paintOut: paint }: Terminal,
  lines: BudgetLine[],
  caps: EmbeddedShell['shop']['caps']['config'],
): void {
  const money = (usd: number | null): string => (usd === null ? 'none' : formatUsd(microUsd(usd)));
  const rows = lines.map((line): (Cell | string)[] => {
    const room = Math.max(line.capUsd ?? 0, line.raisedToUsd ?? 0);
    const style = line.leftUsd === 0 ? 'error' : line.leftUsd !== null && line.leftUsd < room / 5 ? 'warning' : undefined;
    return [
      { text: line.scope, style: 'strong' },
      line.capUsd === null && line.raisedToUsd === null ? 'none' : money(room),
      money(line.settledUsd),
      money(line.reservedUsd),
      { text: money(line.leftUsd), ...(style === undefined ? {} : { style }) },
      remarksOf(line).join('; '),
    ];
  });
  const numbers = ['cap', 'spent', 'reserved', 'left'].map(title => ({ title, align: 'right' as const }));
  if (rows.length > 0) {
    out(
      `${tableLines([{ title: 'today', flexible: true }, ...numbers, { title: '', flexible: true }], rows, outIsTerminal ? columns : 160, paint).join('\n')}\n`,
    );
    out(paint('faint', `begins anew at ${lines[0]!.resetsAt}\n`));
  }
  const each = Object.entries(caps).flatMap(([key, cap]) => (typeof cap === 'number' ? [`${money(cap)} ${key.slice(0, -4).replace('_', ' ')}`] : []));
  if (each.length > 0) out(`caps: ${each.join(', ')}\n`);
  else if (rows.length === 0 && !quiet) err('no budget is set: budget: { per_day_usd: 20 } in orchestrator.config.yaml sets one\n');
}

function remarksOf({ raisedToUsd, uncertainUsd, raises }: BudgetLine): string[] {
  const last = raises.at(-1);
  return [
    ...(raisedToUsd === null || last === undefined ? [] : [`raised by ${last.by} at ${last.at.slice(11, 16)}`]),
    ...(uncertainUsd === 0 ? [] : [`${formatUsd(microUsd(uncertainUsd))} of it uncertain: replies were lost`]),
  ];
}
