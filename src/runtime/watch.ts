import type { Clock } from '../clock.ts';
import { hasEnded, waitsForOutside, type Command } from '../engine/index.ts';
import { probeStale, type Models } from '../models/index.ts';
import type { Store } from '../store/port.ts';
import type { LiveRun } from './live.ts';
import type { Loop } from './loop.ts';

const POLL_MS = 250;
/** How often models are examined, and how long ago those that are were heard last. */
const PROBE_EVERY_MS = 60_000;

/** What the watch asks of its shell. */
export interface Watched {
  store: Store;
  loop: Loop;
  models: Models;
  clock: Clock;
  obey(run: LiveRun, order: { key: string; command: Command }): void;
  /** Takes a run of this process up again. */
  take(run: string): Promise<LiveRun>;
  /** Takes a parked run back into memory. */
  wake(run: string): Promise<void>;
}

/**
 * Looks a few times a second at what others want: the control row, orders to runs that this process owns, timers of runs that left the memory; and once a minute
 * at how the models are.
 * Keeps those runs by name, and those that must be given back because this process can no longer write them.
 */
export class Watch {
  readonly #watched: Watched;
  /** Runs that only wait, with the time at which their next timer is due. */
  readonly #parked = new Map<string, number | null>();
  /** Runs to give back; of those that are true it is first written that they stand still. */
  readonly #stranded = new Map<string, boolean>();
  #probing: AbortController | undefined;
  #probedAt: number;
  #poll: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(watched: Watched) {
    this.#watched = watched;
    this.#probedAt = watched.clock.now();
  }

  isParked(run: string): boolean {
    return this.#parked.has(run);
  }

  /** A run is in memory again. */
  forget(run: string): void {
    this.#parked.delete(run);
    this.#stranded.delete(run);
  }

  /** A run that only waits for the outside is kept as rows: its state leaves the memory. */
  park(run: LiveRun): void {
    const { loop } = this.#watched;
    if (hasEnded(run.state)) {
      if (loop.runs.size === 0 && this.#parked.size === 0) this.#halt();
      return;
    }
    if (!waitsForOutside(run.state) || run.listeners.size > 0) return;
    loop.park(run);
    this.#parked.set(run.id, run.row.dueAt);
    this.start();
  }

  /**
   * A run that this process can no longer write is given back, so that anybody may take it up; where the store does not even take that, it is tried again.
   * One for which there was no room is not begun again by itself: once there is room, it is paused until a person has looked.
   */
  strand(run: string, hadNoRoom = false): void {
    if (this.#isStopped) return;
    this.#parked.delete(run);
    this.#stranded.set(run, hadNoRoom);
    this.start();
  }

  start(): void {
    if (this.#poll !== undefined || this.#isStopped) return;
    let isLooking = false;
    this.#poll = setInterval(() => {
      if (isLooking) return;
      isLooking = true;
      // What the store refuses now is looked at again in a moment.
      void this.#look()
        .catch(() => {})
        .finally(() => {
          isLooking = false;
        });
    }, POLL_MS);
    this.#poll.unref();
  }

  /** For good: the shell closes. */
  stop(): void {
    this.#isStopped = true;
    this.#probing?.abort();
    this.#halt();
  }

  #halt(): void {
    clearInterval(this.#poll);
    this.#poll = undefined;
  }

  async #pause(id: string): Promise<void> {
    const { loop, clock } = this.#watched;
    try {
      const run = await this.#watched.take(id);
      await loop.sendDurably(run, { type: 'pause', reason: 'needs_attention', now: clock.now() });
      loop.park(run);
    } catch (error) {
      this.#stranded.set(id, true);
      throw error;
    }
  }

  async #look(): Promise<void> {
    const { store, loop, clock, models } = this.#watched;
    const control = await store.control();
    const holding = control.drain || control.stop;
    if (loop.holding !== holding) {
      loop.holding = holding;
      loop.admitWaiting();
    }
    const asleep = new Set<string>();
    for (const order of await store.inbox()) {
      const live = loop.runs.get(order.run);
      if (live !== undefined) this.#watched.obey(live, order);
      else if (this.#parked.has(order.run)) asleep.add(order.run);
    }
    const now = clock.now();
    if (now - this.#probedAt >= PROBE_EVERY_MS) {
      this.#probedAt = now;
      this.#probing ??= new AbortController();
      void probeStale(models, PROBE_EVERY_MS, now, AbortSignal.any([this.#probing.signal, AbortSignal.timeout(PROBE_EVERY_MS)]));
    }
    for (const [id, due] of this.#parked) if (due !== null && due <= now) asleep.add(id);
    for (const id of asleep) await this.#watched.wake(id);
    for (const [id, hadNoRoom] of this.#stranded) {
      if (hadNoRoom) await this.#pause(id);
      await store.release(id);
      this.#stranded.delete(id);
    }
  }
}
