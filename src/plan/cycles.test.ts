import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findCycles, invert, levelsOf } from './cycles.ts';

const graphs = fc
  .integer({ min: 1, max: 9 })
  .chain(count => fc.array(fc.uniqueArray(fc.integer({ min: 0, max: count - 1 }), { maxLength: 4 }), { minLength: count, maxLength: count }));

/** Which nodes can be reached from which, by trying all: an oracle that shares no idea with the code. */
function reachable(needs: readonly number[][]): boolean[][] {
  const reach = needs.map(targets => needs.map((_, node) => targets.includes(node)));
  for (const middle of reach.keys()) for (const a of reach) for (const b of reach.keys()) if (a[middle] && reach[middle]![b]) a[b] = true;
  return reach;
}

function shortestThrough(needs: readonly number[][], members: readonly number[]): number {
  let best = Infinity;
  for (const start of members) {
    let frontier = new Set([start]);
    for (let length = 1; length <= needs.length && best > length; length++) {
      frontier = new Set([...frontier].flatMap(node => needs[node]!));
      if (frontier.has(start)) best = length;
    }
  }
  return best;
}

describe('findCycles', () => {
  it('finds one shortest cycle for each group that waits for itself, and no other', () => {
    fc.assert(
      fc.property(graphs, needs => {
        const reach = reachable(needs);
        const groups = new Map<string, number[]>();
        for (const node of needs.keys()) {
          if (!reach[node]![node]) continue;
          const members = [...needs.keys()].filter(other => reach[node]![other] && reach[other]![node]);
          groups.set(members.join(), members);
        }
        const cycles = findCycles(needs.length, node => needs[node]!);
        expect(cycles).toHaveLength(groups.size);
        for (const cycle of cycles) {
          expect(cycle.at(-1)).toBe(cycle[0]);
          for (const [i, node] of cycle.slice(0, -1).entries()) expect(needs[node]).toContain(cycle[i + 1]);
          const members = [...groups.values()].find(group => group.includes(cycle[0]!))!;
          expect(cycle.length - 1).toBe(shortestThrough(needs, members));
          expect(cycle[0]).toBe(Math.min(...cycle));
        }
      }),
      { numRuns: 400 },
    );
  });

  it('walks a chain of 100,000 without exhausting the stack, and the circle that closes it', () => {
    const count = 100_000;
    expect(findCycles(count, node => (node === 0 ? [] : [node - 1]))).toEqual([]);
    const [cycle, ...others] = findCycles(count, node => [node === 0 ? count - 1 : node - 1]);
    expect(others).toEqual([]);
    expect(cycle).toHaveLength(count + 1);
  });
});

describe('levelsOf and invert', () => {
  it('puts each node one level after the last that it needs', () => {
    const needs = [[], [0], [0], [1, 2], [3, 0], []];
    expect([...levelsOf(needs.length, node => needs[node]!)]).toEqual([0, 1, 1, 2, 3, 0]);
  });

  it('turns needs into dependants', () => {
    const needs = [[], [0], [0, 1]];
    const { waiting, start, dependants } = invert(needs.length, node => needs[node]!);
    expect([...waiting]).toEqual([0, 1, 2]);
    expect([...start]).toEqual([0, 2, 3, 3]);
    expect([...dependants]).toEqual([1, 2, 2]);
  });
});
