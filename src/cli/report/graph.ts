import { formatDuration } from '../../duration.ts';
import type { RunDocument, TaskDocument } from '../../engine/document.ts';
import { markOf } from '../glyphs.ts';
import { count, fit } from '../text.ts';
import { layOut, type Layered } from './layers.ts';
import { markup, type Html } from './markup.ts';

const NODE = { width: 176, height: 46 };
const GAP = { along: 54, across: 18 };
/** With more nodes a drawing says less than a wall of cells. */
const MAX_NODES = 120;
const WALL_COLUMNS = 60;
/** Longer chains run down the page instead of across it. */
const MAX_ACROSS = 5;

/** The root tasks of a run as a graph: who waited for whom, and how each ended. Very many are a wall of cells instead. */
export function drawGraph(document: RunDocument, criticalPath: readonly string[]): Html {
  const entries = Object.entries(document.tasks).filter(([path]) => !path.includes('/'));
  if (entries.length > MAX_NODES) return drawWall(Object.entries(document.tasks));
  const index = new Map(entries.map(([path], i) => [path, i]));
  const layout = layOut(entries.map(([, task]) => task.dependencies.flatMap(id => index.get(id) ?? [])));
  const goesDown = layout.ranks > MAX_ACROSS;
  const at = pointer(goesDown);
  const [width, height] = goesDown
    ? [layout.width * (NODE.width + GAP.across), layout.ranks * (NODE.height + GAP.along)]
    : [layout.ranks * (NODE.width + GAP.along), layout.width * (NODE.height + GAP.across)];
  const onPath = (from: number, to: number): boolean =>
    criticalPath.indexOf(entries[to]![0]) === criticalPath.indexOf(entries[from]![0]) + 1 && criticalPath.includes(entries[from]![0]);
  return markup`<svg class="graph" viewBox="-4 -4 ${width + 8} ${height + 8}" width="${width + 8}" height="${height + 8}" role="img" aria-label="Graph of ${count(entries.length, 'task')}; the table below it says the same">
${layout.edges.map(edge => drawEdge(edge, at, goesDown, onPath(edge.from, edge.to)))}
${entries.map(([path, task], i) => drawNode(path, task, at(layout.nodes[i]!), countInside(document, path)))}
</svg>`;
}

type Pointer = (point: { rank: number; at: number }) => { x: number; y: number };

function pointer(goesDown: boolean): Pointer {
  return ({ rank, at }) =>
    goesDown
      ? { x: at * (NODE.width + GAP.across), y: rank * (NODE.height + GAP.along) }
      : { x: rank * (NODE.width + GAP.along), y: at * (NODE.height + GAP.across) };
}

/** A curve from the end of one node to the beginning of the next, through the places in between. */
function drawEdge({ points }: Layered['edges'][number], at: Pointer, goesDown: boolean, isCritical: boolean): Html {
  const half = { x: NODE.width / 2, y: NODE.height / 2 };
  let path = '';
  points.forEach((point, i) => {
    const { x, y } = at(point);
    const enter = goesDown ? { x: x + half.x, y } : { x, y: y + half.y };
    const leave = goesDown ? { x: x + half.x, y: y + NODE.height } : { x: x + NODE.width, y: y + half.y };
    if (i > 0) {
      const before = at(points[i - 1]!);
      const start = goesDown ? { x: before.x + half.x, y: before.y + NODE.height } : { x: before.x + NODE.width, y: before.y + half.y };
      const bend = (goesDown ? enter.y - start.y : enter.x - start.x) / 2;
      path += goesDown
        ? ` C${round(start.x)} ${round(start.y + bend)} ${round(enter.x)} ${round(enter.y - bend)} ${round(enter.x)} ${round(enter.y)}`
        : ` C${round(start.x + bend)} ${round(start.y)} ${round(enter.x - bend)} ${round(enter.y)} ${round(enter.x)} ${round(enter.y)}`;
    }
    if (i < points.length - 1) path += i === 0 ? `M${round(leave.x)} ${round(leave.y)}` : ` L${round(leave.x)} ${round(leave.y)}`;
  });
  return markup`<path class="${isCritical ? 'edge critical' : 'edge'}" d="${path.trim()}"/>`;
}

function round(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function drawNode(path: string, task: TaskDocument, { x, y }: { x: number; y: number }, inside: number): Html {
  const time = task.durationMs === null ? '' : formatDuration(task.durationMs);
  const more = [inside > 0 ? `×${inside}` : '', task.attempts > 1 ? `↻ ${task.attempts}` : '', task.cached ? '⚡' : ''].filter(text => text !== '').join(' ');
  return markup`<g class="node ${task.status}" transform="translate(${round(x)} ${round(y)})"><title>${path}: ${task.action}, ${task.status}${task.error === null ? '' : `: ${task.error.message}`}</title>
<rect width="${NODE.width}" height="${NODE.height}" rx="8"/><rect class="edge-mark" width="5" height="${NODE.height}" rx="2.5"/>
<text class="name" x="16" y="19"><tspan class="glyph">${markOf(task.status).glyph}</tspan> ${fit(path, 20)}</text>
<text class="fact" x="16" y="36">${fit(task.action, time === '' && more === '' ? 24 : 16)}</text><text class="fact number" x="${NODE.width - 10}" y="36">${[more, time].filter(text => text !== '').join('  ')}</text></g>`;
}

function countInside(document: RunDocument, path: string): number {
  const outer = `${path}[`;
  const iterations = new Set(
    Object.keys(document.tasks)
      .filter(other => other.startsWith(outer) || other.startsWith(`${path}@`))
      .map(other => other.split('/')[0]),
  );
  return iterations.size;
}

/** Every task run as a cell: among thousands, failures are seen at once. */
function drawWall(entries: readonly [string, TaskDocument][]): Html {
  const size = 15;
  const rows = Math.ceil(entries.length / WALL_COLUMNS);
  return markup`<svg class="wall" viewBox="0 0 ${WALL_COLUMNS * size} ${rows * size}" role="img" aria-label="${entries.length} task runs as cells">
${entries.map(([path, task], i) => markup`<rect class="cell ${task.status}" x="${(i % WALL_COLUMNS) * size}" y="${Math.floor(i / WALL_COLUMNS) * size}" width="${size - 2}" height="${size - 2}" rx="2"><title>${path}: ${task.status}</title></rect>`)}
</svg>`;
}
