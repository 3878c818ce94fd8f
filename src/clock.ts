/** Time, handed in: nothing below the shell reads a clock of its own. */
export interface Clock {
  /** Milliseconds since 1970, UTC. May jump. */
  now(): number;
  /** Milliseconds that never go backwards, for durations. */
  monotonic(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

let lastMs = Number.NaN;
let lastText = '';

/** ISO 8601, UTC, with milliseconds. Remembers the last one: tasks that settle together share a time. */
export function isoTime(ms: number): string {
  if (ms !== lastMs) {
    lastText = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastText;
}
