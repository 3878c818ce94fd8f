import { formatDuration } from '../duration.ts';
import { formatUsd } from '../money.ts';
import type { ActiveTask, RunView } from '../runtime/api.ts';
import { markOf, reasonText } from './glyphs.ts';
import { escapeLine, fit, fitEnd, pad, widthOf, type Paint, type Style } from './text.ts';

/** More lines than these would push what one reads out of sight. */
const MAX_LINES = 12;
const BAR = 16;

export interface ProgressOptions {
  columns: number;
  paint: Paint;
  nowMs: number;
  /** What can be done now; the last line. */
  hint?: string;
  /** Lines to show in the place of the tasks, the last ones first where there is no room for all. */
  instead?: { title: string; lines: readonly string[] };
}

/** A picture of a run that is under way: a head, what runs and waits, at most 12 lines in all. Pure: the same view gives the same lines. */
export function progressLines(view: RunView, options: ProgressOptions): string[] {
  const { columns, hint, instead, paint } = options;
  const room = MAX_LINES - 1 - (hint === undefined ? 0 : 1);
  const last = hint === undefined ? [] : [paint('faint', fit(`  ${hint}`, columns))];
  if (instead !== undefined) {
    const texts = instead.lines.slice(1 - room);
    const more = instead.lines.length > texts.length ? ` (the last ${texts.length} of ${instead.lines.length})` : '';
    return [
      headLine(view, options),
      paint('strong', fit(`  ${instead.title}${more}`, columns)),
      ...texts.map(text => fit(`  ${escapeLine(text)}`, columns)),
      ...last,
    ];
  }
  const tasks = arrange(view.active);
  const shown = tasks.length > room ? tasks.slice(0, room - 1) : tasks;
  const lines = [headLine(view, options), ...shown.map(task => taskLine(task, options))];
  if (shown.length < tasks.length) lines.push(paint('faint', fit(`  … and ${tasks.length - shown.length} more under way`, columns)));
  return [...lines, ...last];
}

function headLine({ pipeline, run, status, done, failed, total, startedAt, costMicroUsd }: RunView, { columns, paint, nowMs }: ProgressOptions): string {
  const counts = [
    `${done}/${total}`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    clock(startedAt === null ? 0 : nowMs - startedAt),
    ...(costMicroUsd > 0 ? [formatUsd(costMicroUsd)] : []),
  ].join(' · ');
  const left = fit(`${escapeLine(pipeline)}  ${run}`, Math.max(8, columns - widthOf(counts) - 4));
  const gap = ' '.repeat(Math.max(2, columns - 2 - widthOf(left) - widthOf(counts)));
  const { glyph, style } = markOf(status);
  const name = left.split('  ')[0]!;
  return `${paint(style, glyph === '◐' ? '●' : glyph)} ${paint('strong', name)}${paint('faint', left.slice(name.length))}${gap}${counts}`;
}

/** `0:41`, `12:05`, `1:02:05`. */
function clock(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number): string => String(n).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}:${two(seconds % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

/** Loops and groups before what runs in them; those that run the longest first. */
function arrange(active: readonly ActiveTask[]): ActiveTask[] {
  return active.filter(task => task.status !== 'scheduled' || task.asking).toSorted((a, b) => compareText(a.path, b.path));
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function taskLine(task: ActiveTask, options: ProgressOptions): string {
  const { paint, columns } = options;
  const depth = task.path.split('/').length - 1;
  const name = depth === 0 ? task.path : (task.path.split('/').slice(-2).join('/') ?? task.path);
  const label = `${'  '.repeat(Math.min(depth, 3))}${markOf(task.asking ? 'running' : task.status).glyph} ${escapeLine(name)}`;
  const facts = factsOf(task, options.nowMs);
  const width = Math.min(Math.max(24, widthOf(label)), Math.floor(columns / 2));
  const head = pad(fit(label, width), width);
  const style: Style = task.status === 'waiting' ? 'warning' : 'busy';
  const room = Math.max(4, columns - width - 4);
  const written = task.tokens === null || task.writing === null ? '' : fitEnd(escapeLine(task.writing), room - widthOf(facts) - 1);
  return `  ${paint(style, head)}  ${fit(written === '' ? facts : `${facts} ${written}`, room)}`;
}

function factsOf(task: ActiveTask, nowMs: number): string {
  const facts: string[] = [];
  if (task.iterations !== null) facts.push(iterationsText(task.iterations));
  else if (task.asking) facts.push('asks a model');
  else if (task.status !== 'waiting') facts.push(task.action);
  if (task.progress !== null)
    facts.push(
      task.progress.total === null ? String(task.progress.done) : `${task.progress.done}/${task.progress.total}`,
      ...(task.progress.text === null ? [] : [escapeLine(task.progress.text)]),
    );
  if (task.status === 'waiting') facts.push(waitText(task, nowMs));
  else facts.push(formatDuration(Math.max(0, nowMs - task.since)));
  if (task.attempt > 1) facts.push(`attempt ${task.attempt}`);
  if (task.tokens !== null && task.tokens > 0) facts.push(`${task.tokens} tok ▸${task.writing === null ? ' streaming' : ''}`);
  return facts.join('  ');
}

function iterationsText({ done, total, failed }: NonNullable<ActiveTask['iterations']>): string {
  const counts = total === null ? `${done} done` : `${done}/${total}`;
  const filled = total === null || total === 0 ? 0 : Math.round((done / total) * BAR);
  const bar = total === null ? '' : `${'█'.repeat(filled)}${'░'.repeat(BAR - filled)}  `;
  return `${bar}${counts}${failed > 0 ? `  ${failed} ✕` : ''}`;
}

function waitText({ reason, until, waitsFor }: ActiveTask, nowMs: number): string {
  const what = `${reasonText(reason)}${waitsFor === null ? '' : ` of ${escapeLine(waitsFor)}`}`;
  const left = until === null ? '' : `, ${formatDuration(Math.max(0, until - nowMs))} left`;
  return `waits ${what}${left}`;
}

/** One line for where nothing can be redrawn: how far it is, and what takes the longest. */
export function heartbeat({ done, total, active, costMicroUsd }: RunView, nowMs: number): string {
  const running = active.filter(task => task.status === 'running' && task.iterations === null);
  const oldest = running.toSorted((a, b) => a.since - b.since)[0];
  const parts = [`${done}/${total} done`, `${running.length} running`];
  if (oldest !== undefined) parts.push(`oldest ${escapeLine(oldest.path)} ${formatDuration(nowMs - oldest.since)}`);
  const waiting = active.filter(task => task.status === 'waiting');
  if (waiting.length > 0) parts.push(`${waiting.length} waiting`);
  if (costMicroUsd > 0) parts.push(formatUsd(costMicroUsd));
  return `… ${parts.join(', ')}`;
}
