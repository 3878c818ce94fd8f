import type { Deferral } from './effect.ts';
import { PERFORMING } from './state.ts';
import { emit, type Turn } from './turn.ts';

/** A limit lets nothing go for a while: an attempt that had begun is taken back, as if it had not, and the task is offered again when its time has come. */
export function defer(turn: Turn, slot: number, { until, for: whom }: Deferral, reason: 'rate_limit' | 'budget' = 'rate_limit'): void {
  const { state } = turn;
  if (state.phase[slot] === PERFORMING) emit(turn, { type: 'attempt.held', slot, attempt: state.attempt[slot]!, reason });
  emit(turn, { type: 'attempt.deferred', slot, until, reason, for: whom });
  turn.effects.push({ type: 'timer', slot, until });
}
