import type { RunState } from './state.ts';

export function hasEnded(state: RunState): boolean {
  return state.status === 'completed' || state.status === 'failed' || state.status === 'cancelled';
}
