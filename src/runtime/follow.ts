import { apply, hasEnded, initial, pathOf, type Event } from '../engine/index.ts';
import type { Store } from '../store/port.ts';
import type { RunEvent } from './api.ts';
import type { PlanShelf } from './load.ts';
import { rowOf } from './load.ts';
import type { Loop } from './loop.ts';

const POLL_MS = 250;

/** Durable events of a run in order, from the store; with `follow` until it ends, woken by the loop where the run is driven here. */
export async function* readEvents(
  store: Store,
  loop: Loop,
  plans: PlanShelf,
  run: string,
  options: { from?: number; follow?: boolean; signal?: AbortSignal },
): AsyncGenerator<RunEvent> {
  const plan = await plans.get((await rowOf(store, run)).planHash);
  const state = initial();
  const from = options.from ?? 0;
  for (;;) {
    const woken = options.follow ? wakeUp(loop, run, options.signal) : null;
    const rows = await store.read(run, state.seq);
    for (const { seq, event } of rows) {
      apply(plan, state, event);
      if (seq > from) yield toldEvent(event, seq, run, slotOfEvent(event), slot => pathOf(plan, state, slot));
    }
    if (woken === null || hasEnded(state) || options.signal?.aborted) return woken?.cancel();
    if (rows.length === 0) await woken.promise;
    woken.cancel();
  }
}

function slotOfEvent(event: Event): number {
  if ('slot' in event) return event.slot;
  return event.type === 'scope.opened' ? event.owner : -1;
}

function toldEvent(event: Event, seq: number, run: string, slot: number, path: (slot: number) => string): RunEvent {
  return { ...event, seq, run, path: slot >= 0 ? path(slot) : null } as RunEvent;
}

/** Resolves when the run may have new events: at its next commit here, or after a while where another process drives it. */
function wakeUp(loop: Loop, run: string, signal: AbortSignal | undefined): { promise: Promise<void>; cancel(): void } {
  const live = loop.runs.get(run);
  let wake: () => void = () => {};
  const promise = new Promise<void>(resolve => {
    wake = resolve;
  });
  const timer = setTimeout(wake, live === undefined ? POLL_MS : POLL_MS * 4);
  const listener = (): void => wake();
  live?.listeners.add(listener);
  signal?.addEventListener('abort', listener, { once: true });
  return {
    promise,
    cancel: () => {
      clearTimeout(timer);
      live?.listeners.delete(listener);
      signal?.removeEventListener('abort', listener);
    },
  };
}
