import { openScopeOf } from './loops.ts';
import { emit, type Turn } from './turn.ts';

export function startRun(turn: Turn): void {
  emit(turn, { type: 'run.started' });
  startRoot(turn);
}

/** Asks the tags in the defaults of inputs, one after the other; once they are answered the root scope opens. */
export function startRoot(turn: Turn): void {
  const answers = turn.state.extra.get(-1)?.autos ?? {};
  let index = 0;
  for (const input of turn.plan.inputs) {
    for (let i = 0; i < (input.autos?.length ?? 0); i++, index++) {
      if (answers[index] !== undefined) continue;
      turn.effects.push({ type: 'ask', slot: -1, index });
      return;
    }
  }
  if (turn.state.scopes.length === 0) openScopeOf(turn, -1, 0, 0);
}
