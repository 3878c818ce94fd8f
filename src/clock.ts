/** Time, handed in: nothing below the shell reads a clock of its own. */
export interface Clock {
  /** Milliseconds since 1970, UTC. May jump. */
  now(): number;
  /** Milliseconds that never go backwards, for durations. */
  monotonic(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };

/** A clock whose time never goes backwards: a jump back is not followed, so that what waits does not wait longer; a jump ahead (a machine that slept) is. */
export function steadyClock(clock: Clock): Clock {
  let ahead = Number.NEGATIVE_INFINITY;
  return {
    now(): number {
      const monotonic = clock.monotonic();
      ahead = Math.max(ahead, clock.now() - monotonic);
      return Math.round(monotonic + ahead);
    },
    monotonic: () => clock.monotonic(),
  };
}

const REMEMBERED = 1024;
const times = new Float64Array(REMEMBERED).fill(Number.NaN);
const texts: string[] = Array.from({ length: REMEMBERED }, () => '');

/** ISO 8601, UTC, with milliseconds. Remembers the last ones: tasks that begin or settle together share a text. */
export function isoTime(ms: number): string {
  const place = Math.abs(Math.trunc(ms)) % REMEMBERED;
  if (times[place] !== ms) {
    texts[place] = new Date(ms).toISOString();
    times[place] = ms;
  }
  return texts[place]!;
}

export const DAY_MS = 86_400_000;

/** The day of a time, in UTC: `2026-11-24`. */
export function utcDay(ms: number): string {
  return isoTime(ms).slice(0, 10);
}

export function dayStart(day: string): number {
  return Date.parse(`${day}T00:00:00.000Z`);
}

/** When the next day begins. */
export function endOfDay(day: string): number {
  return dayStart(day) + DAY_MS;
}
