/** A layered drawing of a graph without cycles: nodes in ranks, edges as chains of points that pass between the nodes of the ranks that they cross. */
export interface Layered {
  /** Rank, and place across the rank in units of one node, by node. */
  nodes: { rank: number; at: number }[];
  edges: { from: number; to: number; points: { rank: number; at: number }[] }[];
  ranks: number;
  /** Places across, over all ranks. */
  width: number;
}

interface Cell {
  rank: number;
  /** Node number, or undefined for a place that an edge passes through. */
  node: number | undefined;
  up: number[];
  down: number[];
  at: number;
}

const SWEEPS = 8;

/** `needs[i]` are the nodes from which edges lead to node i. */
export function layOut(needs: readonly (readonly number[])[]): Layered {
  const rank = ranksOf(needs);
  const cells: Cell[] = needs.map((_, node) => ({ rank: rank[node]!, node, up: [], down: [], at: 0 }));
  const chains: { from: number; to: number; cells: number[] }[] = [];
  needs.forEach((from, to) => {
    for (const start of from) chains.push({ from: start, to, cells: connect(cells, start, to) });
  });
  const ranks: number[][] = [];
  cells.forEach((cell, i) => (ranks[cell.rank] ??= []).push(i));
  for (const row of ranks) row.forEach((i, at) => (cells[i]!.at = at));
  order(cells, ranks);
  place(cells, ranks);
  const width = Math.max(1, ...cells.map(cell => cell.at + 1));
  const pointOf = (i: number): { rank: number; at: number } => ({ rank: cells[i]!.rank, at: cells[i]!.at });
  return {
    nodes: needs.map((_, node) => pointOf(node)),
    edges: chains.map(({ from, to, cells: through }) => ({ from, to, points: [from, ...through, to].map(pointOf) })),
    ranks: ranks.length,
    width,
  };
}

function ranksOf(needs: readonly (readonly number[])[]): number[] {
  const ranks = needs.map(() => -1);
  for (let start = 0; start < needs.length; start++) {
    const stack = [start];
    while (stack.length > 0) {
      const node = stack.at(-1)!;
      const open = ranks[node]! >= 0 ? undefined : needs[node]!.find(need => ranks[need]! < 0 && !stack.includes(need));
      if (open !== undefined) stack.push(open);
      else {
        if (ranks[node]! < 0) ranks[node] = Math.max(-1, ...needs[node]!.map(need => ranks[need]!)) + 1;
        stack.pop();
      }
    }
  }
  return ranks;
}

/** Puts a cell into each rank between the ends of an edge. */
function connect(cells: Cell[], from: number, to: number): number[] {
  const through: number[] = [];
  let before = from;
  for (let rank = cells[from]!.rank + 1; rank < cells[to]!.rank; rank++) {
    const i = cells.push({ rank, node: undefined, up: [before], down: [], at: 0 }) - 1;
    cells[before]!.down.push(i);
    through.push(i);
    before = i;
  }
  cells[before]!.down.push(to);
  cells[to]!.up.push(before);
  return through;
}

/** Sorts each rank by where its neighbours stand, down and up by turns, so that few edges cross. */
function order(cells: Cell[], ranks: number[][]): void {
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const goesDown = sweep % 2 === 0;
    const rows = goesDown ? ranks : ranks.toReversed();
    for (const row of rows) {
      const wish = new Map(row.map(i => [i, meanAt(cells, goesDown ? cells[i]!.up : cells[i]!.down) ?? cells[i]!.at]));
      row.sort((a, b) => wish.get(a)! - wish.get(b)! || cells[a]!.at - cells[b]!.at);
      row.forEach((i, at) => (cells[i]!.at = at));
    }
  }
}

function meanAt(cells: readonly Cell[], neighbours: readonly number[]): number | undefined {
  return neighbours.length === 0 ? undefined : neighbours.reduce((sum, i) => sum + cells[i]!.at, 0) / neighbours.length;
}

/** Moves each rank towards its neighbours, keeping its order and a place of distance; then everything to begin at 0. */
function place(cells: Cell[], ranks: number[][]): void {
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    for (const row of sweep % 2 === 0 ? ranks : ranks.toReversed()) {
      const wishes = row.map(i => meanAt(cells, [...cells[i]!.up, ...cells[i]!.down]) ?? cells[i]!.at);
      spread(wishes).forEach((at, k) => (cells[row[k]!]!.at = at));
    }
  }
  const least = Math.min(0, ...cells.map(cell => cell.at));
  for (const cell of cells) cell.at -= least;
}

/** The nearest places to the wishes that are at least one apart, in order (pool adjacent violators). */
function spread(wishes: readonly number[]): number[] {
  const blocks: { sum: number; count: number }[] = [];
  wishes.forEach((wish, i) => {
    blocks.push({ sum: wish - i, count: 1 });
    for (let last = blocks.length - 1; last > 0 && blocks[last]!.sum / blocks[last]!.count < blocks[last - 1]!.sum / blocks[last - 1]!.count; last--) {
      const block = blocks.pop()!;
      blocks[last - 1]!.sum += block.sum;
      blocks[last - 1]!.count += block.count;
    }
  });
  let i = 0;
  return blocks.flatMap(block => Array.from({ length: block.count }, () => block.sum / block.count + i++));
}
