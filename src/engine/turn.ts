import type { Failure } from '../errors.ts';
import type { Plan, PlanTask } from '../plan/index.ts';
import { apply } from './apply.ts';
import type { Effect, Site, Stage } from './effect.ts';
import type { Event } from './event.ts';
import { pathOf, taskOfSlot, type RunState } from './state.ts';

/** One answer of `decide` in the making: events are folded as they are decided, so that every later decision of the turn sees them. */
export interface Turn {
  readonly plan: Plan;
  readonly state: RunState;
  readonly now: number;
  readonly events: Event[];
  readonly effects: Effect[];
  /** Slots whose last need has settled in this turn, and scopes whose last task has. Work is queued, never nested: chains may be 100,000 long. */
  readonly ready: number[];
  readonly closed: number[];
  /** Tasks that cannot go on, for their handlers or their policy to decide. */
  readonly broken: { slot: number; failure: Failure }[];
}

/** Queues of one turn are empty again at its end, so that all turns share them: `decide` is never entered twice at once. */
const queues: Pick<Turn, 'ready' | 'closed' | 'broken'> = { ready: [], closed: [], broken: [] };

export function newTurn(plan: Plan, state: RunState, now: number, into: { events: Event[]; effects: Effect[] }): Turn {
  queues.ready.length = queues.closed.length = queues.broken.length = 0;
  return { plan, state, now, events: into.events, effects: into.effects, ready: queues.ready, closed: queues.closed, broken: queues.broken };
}

/** An event without its time, which is that of the turn. */
type Bare<E> = E extends Event ? Omit<E, 'at'> : never;

export function emit(turn: Turn, bare: Bare<Event>): void {
  const event = { ...bare, at: turn.now } as Event;
  turn.events.push(event);
  apply(turn.plan, turn.state, event);
}

export function offer(turn: Turn, slot: number, stage: Stage, index = 0): void {
  turn.effects.push({ type: 'offer', slot, stage, index });
}

export function evaluate(turn: Turn, slot: number, site: Site, index = 0): void {
  turn.effects.push({ type: 'evaluate', slot, site, index });
}

export function taskAt(turn: Turn, slot: number): PlanTask {
  return taskOfSlot(turn.plan, turn.state, slot);
}

export function pathAt(turn: Turn, slot: number): string {
  return pathOf(turn.plan, turn.state, slot);
}

export function failure(code: Failure['code'], kind: Failure['class'], message: string, help: string[] = []): Failure {
  return { code, class: kind, message, retryable: false, help };
}
