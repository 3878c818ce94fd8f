import { formatDuration } from '../../duration.ts';
import { count, fit } from '../text.ts';
import { markOf } from '../glyphs.ts';
import type { Facts, Segment, TimelineRow } from './facts.ts';
import { markup, type Html } from './markup.ts';

const WIDTH = 1000;
const LABEL = 250;
const RIGHT = 64;
const ROW = 24;
const HEAD = 26;
const MAX_ROWS = 80;
/** Width in which a long stretch without work is drawn. */
const FOLD = 36;

/** When each task waited and worked. Long stretches in which nothing worked (an approval over night) are folded and marked. */
export function drawTimeline(facts: Facts, criticalPath: readonly string[]): Html {
  const rows = chooseRows(facts.rows);
  const scale = makeScale(facts, rows);
  const height = HEAD + rows.length * ROW + 8;
  return markup`<svg class="timeline" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Timeline of ${count(rows.length, 'task')}; the table of tasks says the same">
<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect class="hatch-ground" width="6" height="6"/><rect class="hatch-line" width="2" height="6"/></pattern></defs>
${scale.ticks.map(tick => markup`<line class="tick" x1="${round(tick.x)}" y1="${HEAD - 6}" x2="${round(tick.x)}" y2="${height - 6}"/><text class="axis" x="${round(tick.x)}" y="14">${tick.text}</text>`)}
${scale.folds.map(fold => markup`<rect class="fold" x="${round(fold.x)}" y="${HEAD - 4}" width="${FOLD}" height="${height - HEAD - 2}"/><text class="axis" x="${round(fold.x + FOLD / 2)}" y="14">⫽ ${fold.text}</text>`)}
${rows.map((row, i) => drawRow(row, HEAD + i * ROW, scale, criticalPath.includes(row.path)))}
</svg>${facts.rows.length > rows.length && markup`<p class="faint">${rows.length} of ${facts.rows.length} task runs are drawn: the root tasks, those that failed and the longest.</p>`}`;
}

function chooseRows(rows: readonly TimelineRow[]): TimelineRow[] {
  if (rows.length <= MAX_ROWS) return [...rows];
  const weight = (row: TimelineRow): number => (row.path.includes('/') ? 0 : 1e15) + (row.task.status === 'failed' ? 1e14 : 0) + (row.task.durationMs ?? 0);
  const kept = new Set(rows.toSorted((a, b) => weight(b) - weight(a)).slice(0, MAX_ROWS));
  return rows.filter(row => kept.has(row));
}

function drawRow(row: TimelineRow, y: number, scale: Scale, isCritical: boolean): Html {
  const depth = Math.min(3, row.path.split('/').length - 1);
  const end = Math.max(...row.segments.map(segment => segment.toMs));
  const time = row.task.durationMs === null ? '' : formatDuration(row.task.durationMs);
  return markup`<g class="row ${row.task.status}"><title>${row.path}: ${row.task.status}${time === '' ? '' : `, ${time}`}</title>
<text class="label" x="${8 + depth * 14}" y="${y + 15}"><tspan class="glyph">${markOf(row.task.status).glyph}</tspan> ${fit(row.path, 34 - depth * 2)}</text>
${row.segments.toSorted((a, b) => Number(a.kind === 'model') - Number(b.kind === 'model')).map(segment => drawSegment(segment, y, scale, isCritical))}
<text class="took" x="${round(scale.x(end) + 6)}" y="${y + 15}">${time}</text></g>`;
}

function drawSegment({ kind, fromMs, toMs, note }: Segment, y: number, scale: Scale, isCritical: boolean): Html {
  const x = scale.x(fromMs);
  const width = Math.max(kind === 'queue' ? 0.5 : 2, scale.x(toMs) - x);
  const [top, height] = kind === 'queue' ? [y + 9, 4] : kind === 'model' ? [y + 15, 4] : [y + 4, 14];
  return markup`<rect class="bar ${kind}${isCritical && kind === 'run' ? ' critical' : ''}" x="${round(x)}" y="${top}" width="${round(width)}" height="${height}" rx="${kind === 'queue' || kind === 'model' ? 2 : 3}"><title>${note === '' ? kind : note}: ${formatDuration(toMs - fromMs)}</title></rect>`;
}

interface Scale {
  x(ms: number): number;
  ticks: { x: number; text: string }[];
  folds: { x: number; text: string }[];
}

interface Gap {
  fromMs: number;
  toMs: number;
}

function makeScale(facts: Facts, rows: readonly TimelineRow[]): Scale {
  const begin = facts.startedMs;
  const end = Math.max(begin + 1, ...rows.flatMap(row => row.segments.map(segment => segment.toMs)));
  const gaps = idleGaps(rows, begin, end);
  const folded = gaps.reduce((sum, gap) => sum + gap.toMs - gap.fromMs, 0);
  const room = WIDTH - LABEL - RIGHT - gaps.length * FOLD;
  const perMs = room / Math.max(1, end - begin - folded);
  const x = (ms: number): number => {
    let left = LABEL + (Math.min(ms, end) - begin) * perMs;
    for (const gap of gaps) {
      if (ms <= gap.fromMs) break;
      const inside = Math.min(ms, gap.toMs) - gap.fromMs;
      left += (inside / (gap.toMs - gap.fromMs)) * FOLD - inside * perMs;
    }
    return left;
  };
  const step = niceStep((end - begin - folded) / 7);
  const ticks: Scale['ticks'] = [];
  for (let at = 0; at <= end - begin; at += step) {
    const gap = gaps.find(one => begin + at > one.fromMs && begin + at < one.toMs);
    if (gap === undefined) ticks.push({ x: x(begin + at), text: at === 0 ? '0' : formatDuration(at).replace('.0 s', ' s') });
    else at = Math.ceil((gap.toMs - begin) / step) * step - step;
  }
  return { x, ticks, folds: gaps.map(gap => ({ x: x(gap.fromMs), text: formatDuration(gap.toMs - gap.fromMs) })) };
}

/** Stretches of more than a third of the whole, and of more than a second, in which no task worked. */
function idleGaps(rows: readonly TimelineRow[], begin: number, end: number): Gap[] {
  const busy = rows
    .flatMap(row =>
      row.task.action === 'for_each' || row.task.action === 'while' || row.task.action === 'parallel' || row.task.action === 'pipeline.run'
        ? []
        : row.segments.filter(segment => segment.kind === 'run'),
    )
    .sort((a, b) => a.fromMs - b.fromMs);
  const gaps: Gap[] = [];
  let last = begin;
  for (const { fromMs, toMs } of [...busy, { fromMs: end, toMs: end }]) {
    if (fromMs - last > Math.max(1000, (end - begin) / 3)) gaps.push({ fromMs: last, toMs: fromMs });
    last = Math.max(last, toMs);
  }
  return gaps;
}

/** 1, 2 or 5 times a power of ten, in milliseconds; above a minute, times that a clock shows. */
function niceStep(ms: number): number {
  const above = [60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000];
  if (ms > 30_000) return above.find(step => step >= ms) ?? Math.ceil(ms / 86_400_000) * 86_400_000;
  const power = 10 ** Math.floor(Math.log10(Math.max(1, ms)));
  return [1, 2, 5, 10].map(factor => factor * power).find(step => step >= ms) ?? 10 * power;
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}
