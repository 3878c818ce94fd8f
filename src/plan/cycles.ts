/** What each node needs, by index. */
export type Needs = (node: number) => ArrayLike<number>;

/** Edges looked at while a shortest cycle is searched in one large component; beyond it the shortest found so far is shown. */
const SEARCH_MAX = 2_000_000;

/** One cycle for each group of nodes that wait for each other, the shortest one, as `[a, b, a]`: a needs b, b needs a. In the order of the lowest node. */
export function findCycles(count: number, needs: Needs): number[][] {
  const cycles: number[][] = [];
  for (const component of findComponents(count, needs)) {
    if (component.length > 1) cycles.push(shortestCycle(component, needs));
    else if (includes(needs(component[0]!), component[0]!)) cycles.push([component[0]!, component[0]!]);
  }
  return cycles.sort((a, b) => a[0]! - b[0]!);
}

function includes(list: ArrayLike<number>, node: number): boolean {
  return Array.prototype.includes.call(list, node);
}

/** Strongly connected components by Tarjan's algorithm, with its own stack, so that a chain of 100,000 nodes does not exhaust that of the machine. */
function findComponents(count: number, needs: Needs): number[][] {
  const components: number[][] = [];
  const order = new Int32Array(count).fill(-1);
  const low = new Int32Array(count);
  const next = new Int32Array(count);
  const open = new Uint8Array(count);
  const path: number[] = [];
  const waiting: number[] = [];
  let visited = 0;
  const enter = (node: number): void => {
    order[node] = low[node] = visited++;
    open[node] = 1;
    path.push(node);
    waiting.push(node);
  };
  for (let root = 0; root < count; root++) {
    if (order[root] !== -1) continue;
    enter(root);
    while (path.length > 0) {
      const node = path.at(-1)!;
      const targets = needs(node);
      if (next[node]! < targets.length) {
        const target = targets[next[node]!++]!;
        if (order[target] === -1) enter(target);
        else if (open[target]) low[node] = Math.min(low[node]!, order[target]!);
        continue;
      }
      path.pop();
      if (path.length > 0) low[path.at(-1)!] = Math.min(low[path.at(-1)!]!, low[node]!);
      if (low[node] === order[node]) components.push(closeComponent(node, waiting, open));
    }
  }
  return components;
}

function closeComponent(root: number, waiting: number[], open: Uint8Array): number[] {
  const component: number[] = [];
  let node: number;
  do {
    node = waiting.pop()!;
    open[node] = 0;
    component.push(node);
  } while (node !== root);
  return component.sort((a, b) => a - b);
}

/** The shortest cycle through a component of two nodes or more, begun at its lowest node. */
function shortestCycle(component: number[], needs: Needs): number[] {
  const members = new Set(component);
  const budget = { edges: SEARCH_MAX };
  const least = component.some(node => includes(needs(node), node)) ? 2 : 3;
  let best: number[] | undefined;
  for (const start of component) {
    if (best !== undefined && (best.length === least || budget.edges <= 0)) break;
    const cycle = cycleThrough(start, members, needs, budget);
    if (best === undefined || cycle.length < best.length) best = cycle;
  }
  const open = best!.slice(0, -1);
  const first = open.indexOf(open.reduce((a, b) => Math.min(a, b)));
  const turned = [...open.slice(first), ...open.slice(0, first)];
  return [...turned, turned[0]!];
}

/** The shortest cycle through one node of a component, by breadth-first search; there always is one. */
function cycleThrough(start: number, members: Set<number>, needs: Needs, budget: { edges: number }): number[] {
  const from = new Map<number, number>();
  const queue = [start];
  for (let next = 0; ; next++) {
    const node = queue[next]!;
    const targets = needs(node);
    budget.edges -= targets.length;
    for (let i = 0; i < targets.length; i++) {
      const target = targets[i]!;
      if (target === start) return [start, ...trace(node, start, from), start];
      if (!members.has(target) || from.has(target)) continue;
      from.set(target, node);
      queue.push(target);
    }
  }
}

/** The nodes from the one after `start` to `end`, along the edges by which the search came. */
function trace(end: number, start: number, from: Map<number, number>): number[] {
  const nodes: number[] = [];
  for (let node = end; node !== start; node = from.get(node)!) nodes.push(node);
  return nodes.reverse();
}

/** Longest distance of each node from one without needs, from 0: its level. The graph must have no cycle. */
export function levelsOf(count: number, needs: Needs): Uint32Array {
  const { waiting, start, dependants } = invert(count, needs);
  const levels = new Uint32Array(count);
  const queue: number[] = [];
  for (let node = 0; node < count; node++) if (waiting[node] === 0) queue.push(node);
  for (const node of queue) {
    for (let i = start[node]!; i < start[node + 1]!; i++) {
      const dependant = dependants[i]!;
      levels[dependant] = Math.max(levels[dependant]!, levels[node]! + 1);
      if (--waiting[dependant]! === 0) queue.push(dependant);
    }
  }
  return levels;
}

/** Edges the other way round, packed: the dependants of node n are `dependants[start[n]]` to before `dependants[start[n + 1]]`. */
export interface Edges {
  /** How many needs each task waits for. */
  waiting: Int32Array;
  start: Uint32Array;
  dependants: Uint32Array;
}

export function invert(count: number, needs: Needs): Edges {
  const waiting = new Int32Array(count);
  const start = new Uint32Array(count + 1);
  for (let node = 0; node < count; node++) {
    const targets = needs(node);
    waiting[node] = targets.length;
    for (let i = 0; i < targets.length; i++) start[targets[i]! + 1]!++;
  }
  for (let node = 0; node < count; node++) start[node + 1]! += start[node]!;
  const dependants = new Uint32Array(start[count]!);
  const next = start.slice();
  for (let node = 0; node < count; node++) {
    const targets = needs(node);
    for (let i = 0; i < targets.length; i++) dependants[next[targets[i]!]!++] = node;
  }
  return { waiting, start, dependants };
}
