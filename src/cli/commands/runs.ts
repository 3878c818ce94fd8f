import { formatDuration } from '../../duration.ts';
import type { RunStatus } from '../../engine/event.ts';
import { formatUsd, usd } from '../../money.ts';
import type { RunFilter, RunRow } from '../../store/index.ts';
import type { StoreHealth } from '../../store/port.ts';
import { markOf, reasonText } from '../glyphs.ts';
import { usageError, type Flags, type Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import { plainRows, tableLines, type Cell, type Column } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { count, escapeLine, type Paint } from '../text.ts';

const OUTPUTS = ['human', 'plain', 'json'] as const;
const STATUSES: readonly RunStatus[] = ['pending', 'running', 'waiting', 'paused', 'cancelling', 'completed', 'failed', 'cancelled'];
const LIMIT = 20;

export async function runs(terminal: Terminal, { flags }: Invocation): Promise<number> {
  const output = flags.choice('output', OUTPUTS, 'human');
  const filter = filterOf(flags);
  const limit = flags.number('limit', 1) ?? LIMIT;
  const nowMs = Date.now();
  // One more than is shown tells whether there are more.
  const [found, { setApart }] = await withShell(terminal, async shell => [
    await shell.runs({ ...filter, limit: limit + 1 }),
    // Read after the rows: those that do not hold what was written to them are known by then.
    await shell.store.health(),
  ]);
  const rows = found.slice(0, limit);
  if (output === 'json') terminal.out(`${JSON.stringify({ v: 1, runs: rows.map(jsonOf), more: found.length > limit, setApart }, null, 2)}\n`);
  else if (output === 'plain')
    terminal.out(
      plainRows(rows.map(row => [row.run, row.status, row.reason, row.pipeline, iso(row.createdAt), iso(row.endedAt), usd(row.costMicroUsd), row.error])),
    );
  else if (rows.length > 0) {
    terminal.out(
      `${tableLines(
        COLUMNS,
        rows.map(row => cellsOf(row, nowMs)),
        terminal.outIsTerminal ? terminal.columns : 120,
        terminal.paintOut,
      ).join('\n')}\n`,
    );
    if (found.length > limit && !terminal.quiet) terminal.err(`the newest ${limit}; more with --limit ${limit * 5}\n`);
  } else if (!terminal.quiet && setApart.length === 0) terminal.err(emptyText(Object.keys(filter).length > 0));
  if (setApart.length > 0 && output !== 'json') terminal.err(`${setApartText(setApart, terminal.paint)}\n`);
  return 0;
}

function filterOf(flags: Flags): RunFilter {
  const filter: RunFilter = {};
  const status = flags.list('status').map(text => {
    const found = STATUSES.find(one => one === text);
    if (found === undefined) throw usageError(`--status knows no \`${text}\``, [`one of: ${STATUSES.join(', ')}`]);
    return found;
  });
  if (flags.on('failed')) status.push('failed');
  if (status.length > 0) filter.status = status;
  for (const name of ['pipeline', 'user', 'tag'] as const) {
    const text = flags.text(name);
    if (text !== undefined) filter[name] = text;
  }
  return filter;
}

/** Runs that are not served are not forgotten. */
function setApartText(setApart: StoreHealth['setApart'], paint: Paint): string {
  const names = setApart.slice(0, 5).map(({ run }) => run);
  const more = setApart.length > names.length ? ` and ${setApart.length - names.length} more` : '';
  const [first] = setApart;
  return `${paint('error', '✕')} ${count(setApart.length, 'run')} ${setApart.length === 1 ? 'is' : 'are'} set apart and not served: ${names.join(', ')}${more}\n  ${escapeLine(first!.what)}\n  what it means: orchestrator explain ORC-504`;
}

function emptyText(isFiltered: boolean): string {
  return isFiltered
    ? 'No run matches. All of them: orchestrator runs\n'
    : 'No runs yet. Start one: orchestrator run FILE, or write a first pipeline: orchestrator init\n';
}

const COLUMNS: Column[] = [
  { title: 'run' },
  { title: 'status' },
  { title: 'pipeline', flexible: true },
  { title: 'started', align: 'right' },
  { title: 'took', align: 'right' },
  { title: 'tasks', align: 'right' },
  { title: 'cost', align: 'right' },
  { title: '', flexible: true },
];

function cellsOf(row: RunRow, nowMs: number): (Cell | string)[] {
  const { glyph, style } = markOf(row.status);
  const began = row.startedAt ?? row.createdAt;
  const isOverdue = row.dueAt !== null && row.dueAt < nowMs && row.owner === null && row.endedAt === null;
  const remark = row.error ?? (isOverdue ? 'overdue: nobody drives it' : row.endedAt === null ? reasonText(row.reason) : '');
  return [
    { text: row.run, style: 'strong' },
    { text: `${glyph} ${row.status}`, style },
    row.pipeline,
    ago(nowMs - began),
    row.endedAt === null ? '' : formatDuration(row.endedAt - began),
    `${row.tasksDone}/${row.tasksTotal}`,
    row.costMicroUsd > 0 ? formatUsd(row.costMicroUsd) : '',
    { text: remark, style: row.error === null ? 'faint' : 'error' },
  ];
}

/** `just now`, `4 min ago`, `3 h ago`, `2 d ago`. */
export function ago(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${minutes} min ago`;
  return minutes < 60 * 24 ? `${Math.floor(minutes / 60)} h ago` : `${Math.floor(minutes / 1440)} d ago`;
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

function jsonOf(row: RunRow): object {
  const { run, pipeline, version, file, status, reason, user, tags, parent, tasksDone, tasksTotal, costMicroUsd, error } = row;
  return {
    run,
    pipeline,
    version,
    file,
    status,
    reason,
    user,
    tags,
    parent,
    tasksDone,
    tasksTotal,
    costUsd: usd(costMicroUsd),
    error,
    createdAt: iso(row.createdAt),
    startedAt: iso(row.startedAt),
    endedAt: iso(row.endedAt),
    dueAt: iso(row.dueAt),
    durationMs: row.endedAt === null || row.startedAt === null ? null : row.endedAt - row.startedAt,
  };
}
