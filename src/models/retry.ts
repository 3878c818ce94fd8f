import { backoffMs, JITTER, type Backoff } from '../backoff.ts';
import { systemClock, type Clock } from '../clock.ts';
import { parseDuration } from '../duration.ts';
import { OrchestratorError, toFailure } from '../errors.ts';
import { isObject } from '../json.ts';
import { readRetryAfter } from './rates.ts';

export interface RetryStrategyOptions {
  /** Calls in all; 3 when absent. */
  maxAttempts?: number;
  /** What each wait is longer than the one before; 2 when absent. */
  backoffFactor?: number;
  /** Seconds, or a text such as `60s`; 60 s when absent. */
  maxBackoff?: number | string;
  /** Seconds, or a text; 1 s when absent. */
  initialBackoff?: number | string;
  /** Spreads waits by up to this part of them, so that many callers do not come back at once; 0.1 when absent. */
  jitter?: boolean | number;
}

/** How often, and after which waits, something is tried again: by the arithmetic of the engine's own `retry`. */
export class RetryStrategy {
  readonly maxAttempts: number;
  readonly #backoff: Backoff;
  readonly #jitter: number;

  constructor(options: RetryStrategyOptions = {}) {
    const { maxAttempts = 3, backoffFactor = 2, maxBackoff = 60, initialBackoff = 1, jitter = true } = options;
    if (!Number.isInteger(maxAttempts) || maxAttempts < 1) throw new TypeError('maxAttempts is a whole number from 1');
    if (!(backoffFactor >= 1)) throw new TypeError('backoffFactor is a number from 1');
    this.maxAttempts = maxAttempts;
    this.#backoff = { backoffFactor, maxBackoffMs: milliseconds('maxBackoff', maxBackoff), initialBackoffMs: milliseconds('initialBackoff', initialBackoff) };
    this.#jitter = typeof jitter === 'number' ? jitter : jitter ? JITTER : 0;
  }

  /** The wait after a failed attempt (the first is 1), in ms. `chance` is in [0, 1); a hash of run, path and attempt where it has to be the same again. */
  delayMs(attempt: number, chance: number): number {
    return backoffMs(this.#backoff, attempt, this.#jitter, chance);
  }
}

export interface ErrorHandlerOptions {
  retryStrategy?: RetryStrategy;
  clock?: Clock;
  random?: () => number;
  sleep?: (ms: number) => Promise<void>;
  /** Told before each wait. */
  onRetry?: (wait: { attempt: number; waitMs: number; error: unknown }) => void;
}

/** Tries again what may work the next time. */
export class ErrorHandler {
  readonly #strategy: RetryStrategy;
  readonly #options: ErrorHandlerOptions;

  constructor(options: ErrorHandlerOptions = {}) {
    this.#strategy = options.retryStrategy ?? new RetryStrategy();
    this.#options = options;
  }

  /** The function, tried again only where it was refused for a rate limit: after as long as was asked for, else by the strategy. A decorator too. */
  readonly retryOnRateLimit = <This, Args extends unknown[], T>(
    fn: (this: This, ...args: Args) => T | Promise<T>,
    _context?: unknown,
  ): ((this: This, ...args: Args) => Promise<T>) => {
    const attempt = this.#attempt.bind(this);
    return function (this: This, ...args: Args) {
      return attempt(() => fn.apply(this, args), isRateLimit);
    };
  };

  /** Calls the function until it succeeds, fails for good or has been tried often enough; the last error is thrown. */
  readonly execute = <T>(fn: () => T | Promise<T>): Promise<T> => this.#attempt(fn, error => toFailure(error).retryable);

  async #attempt<T>(fn: () => T | Promise<T>, mayRetry: (error: unknown) => boolean): Promise<T> {
    const { random = Math.random, sleep = wait, clock = systemClock, onRetry } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        return await fn();
      } catch (error) {
        if (attempt >= this.#strategy.maxAttempts || !mayRetry(error)) throw error;
        const waitMs = Math.max(this.#strategy.delayMs(attempt, random()), retryAfterOf(error, clock.now()) ?? 0);
        onRetry?.({ attempt, waitMs, error });
        await sleep(waitMs);
      }
    }
  }
}

function wait(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}

/** Ours, or any error that carries the status 429 as clients of services do. A spent quota is none: no wait mends it. */
export function isRateLimit(error: unknown): boolean {
  if (error instanceof OrchestratorError) return error.class === 'rate_limit' && error.retryable;
  const { status, statusCode, response } = (error ?? {}) as { status?: unknown; statusCode?: unknown; response?: unknown };
  return [status, statusCode, isObject(response) ? response['status'] : undefined].includes(429);
}

function retryAfterOf(error: unknown, nowMs: number): number | undefined {
  if (error instanceof OrchestratorError) return error.retryAfterMs;
  const { headers, responseHeaders } = (error ?? {}) as { headers?: unknown; responseHeaders?: unknown };
  const found = responseHeaders ?? headers;
  if (found instanceof Headers) return readRetryAfter(Object.fromEntries(found), nowMs);
  return isObject(found) ? readRetryAfter(found as Record<string, string>, nowMs) : undefined;
}

function milliseconds(name: string, value: number | string): number {
  const ms = parseDuration(value);
  if (ms === undefined) throw new TypeError(`${name} is a number of seconds, or a text such as 60s`);
  return ms;
}
