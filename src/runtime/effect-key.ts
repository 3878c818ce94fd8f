import type { RunState } from '../engine/index.ts';
import type { LiveRun } from './live.ts';

/** Scopes of handlers by owner and number of the handler, in the order in which they were opened; read on as the run goes on. */
const HANDLINGS = new WeakMap<RunState, { seen: number; scopes: Map<string, number[]> }>();

/**
 * Under what an effect is known outside (S3): the same over attempts and resumes. A handler that runs again handles another failure, which is another effect
 * though its path is the same: from the second time on the key says which time it is.
 */
export function effectKey({ id, plan, state }: Pick<LiveRun, 'id' | 'plan' | 'state'>, slot: number, path: string): string {
  const times: number[] = [];
  for (let at = slot; at >= 0;) {
    const number = state.scopeOf[at]!;
    const { block, owner, index } = state.scopes[number]!;
    const { kind } = plan.blocks[block]!;
    if (kind === 'handler') times.unshift(handlings({ plan, state }, `${owner} ${index}`).indexOf(number) + 1);
    at = kind === 'root' ? -1 : owner;
  }
  return `${id}/${path}${times.some(time => time > 1) ? `~${times.join('.')}` : ''}`;
}

function handlings({ plan, state }: Pick<LiveRun, 'plan' | 'state'>, key: string): number[] {
  const known = HANDLINGS.get(state) ?? { seen: 0, scopes: new Map<string, number[]>() };
  HANDLINGS.set(state, known);
  for (; known.seen < state.scopes.length; known.seen++) {
    const { block, owner, index } = state.scopes[known.seen]!;
    if (plan.blocks[block]!.kind !== 'handler') continue;
    const name = `${owner} ${index}`;
    known.scopes.set(name, [...(known.scopes.get(name) ?? []), known.seen]);
  }
  return known.scopes.get(key) ?? [];
}
