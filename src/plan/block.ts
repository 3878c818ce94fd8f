import { invert, type Edges } from './cycles.ts';
import type { Block } from './plan.ts';

const known = new WeakMap<Block, Edges>();

/** Who waits for whom in a block, as packed arrays. Made once for each block; `waiting` is shared, so copy it before counting down. */
export function edges(block: Block): Edges {
  let result = known.get(block);
  if (result === undefined) {
    result = invert(block.tasks.length, task => block.tasks[task]!.needs);
    known.set(block, result);
  }
  return result;
}
