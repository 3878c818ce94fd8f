/** How the waits between attempts grow. */
export interface Backoff {
  initialBackoffMs: number;
  backoffFactor: number;
  maxBackoffMs: number;
}

/** Part of a wait that chance adds where nobody says more, so that many who failed together do not come back together. */
export const JITTER = 0.1;

/** The wait after a failed attempt (the first is 1), in ms: each is longer than the one before by the factor, and by up to `jitter` of itself, and none longer than the most. `chance` is in [0, 1). */
export function backoffMs({ initialBackoffMs, backoffFactor, maxBackoffMs }: Backoff, attempt: number, jitter: number, chance: number): number {
  const planned = Math.min(maxBackoffMs, initialBackoffMs * backoffFactor ** (attempt - 1));
  return Math.round(Math.min(maxBackoffMs, planned * (1 + jitter * chance)));
}
