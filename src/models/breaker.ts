import { systemClock, type Clock } from '../clock.ts';
import { parseDuration } from '../duration.ts';
import { OrchestratorError, type ErrorClass } from '../errors.ts';

/** A breaker as plain data, to be kept over a restart. */
export interface BreakerState {
  status: 'closed' | 'open' | 'half-open';
  /** Failures in a row. */
  failures: number;
  /** Clock time at which it opened, or let its trial through. */
  sinceMs: number;
}

export interface BreakerSettings {
  /** Failures in a row that open it. */
  failureThreshold: number;
  /** How long it stays open before one call is let through on trial. */
  resetAfterMs: number;
}

export const CLOSED: BreakerState = { status: 'closed', failures: 0, sinceMs: 0 };
export const BREAKER: BreakerSettings = { failureThreshold: 5, resetAfterMs: 30_000 };

/** Whether a call may go, and the state that this makes: an open breaker whose time is over lets one through, and the next only when that one is settled or lost. */
export function admitCall(state: BreakerState, nowMs: number, settings: BreakerSettings): { state: BreakerState; waitMs: number } {
  if (state.status === 'closed') return { state, waitMs: 0 };
  // A clock that was set back must not hold it open for longer.
  const waitMs = Math.min(settings.resetAfterMs, state.sinceMs + settings.resetAfterMs - nowMs);
  return waitMs > 0 ? { state, waitMs } : { state: { ...state, status: 'half-open', sinceMs: nowMs }, waitMs: 0 };
}

/** The state after a call. */
export function settleCall(state: BreakerState, ok: boolean, nowMs: number, settings: BreakerSettings): BreakerState {
  if (ok) return CLOSED;
  if (state.status === 'open') return state;
  // A failed trial adds to the row that opened it, and so opens it again.
  const failures = state.failures + 1;
  return failures >= settings.failureThreshold ? { status: 'open', failures, sinceMs: nowMs } : { ...state, failures };
}

/** What says nothing of the service: the request was at fault, the caller gave up, or a limit asks to wait. */
const NOT_ITS_FAULT: ReadonlySet<ErrorClass> = new Set(['invalid_input', 'policy', 'cancelled', 'rate_limit', 'budget', 'not_found', 'template']);

export function isServiceFailure(error: unknown): boolean {
  return !(error instanceof OrchestratorError) || !NOT_ITS_FAULT.has(error.class);
}

export interface CircuitBreakerOptions {
  /** Failures in a row that open it; 5 when absent. */
  failureThreshold?: number;
  /** Seconds, or a text such as `30s`, after which a call is tried again; 30 s when absent. */
  resetAfter?: number | string;
  /** What it stands before, for the words of its error. */
  name?: string;
  /** A state that was kept, from `toJSON`. */
  state?: BreakerState;
  clock?: Clock;
}

/** Stops calling what keeps failing, and tries again after a while. */
export class CircuitBreaker {
  readonly #settings: BreakerSettings;
  readonly #clock: Clock;
  readonly #name: string;
  #state: BreakerState;

  constructor(options: CircuitBreakerOptions = {}) {
    const { failureThreshold = BREAKER.failureThreshold, resetAfter, name = 'the service', state = CLOSED, clock = systemClock } = options;
    const resetAfterMs = resetAfter === undefined ? BREAKER.resetAfterMs : parseDuration(resetAfter);
    if (!Number.isInteger(failureThreshold) || failureThreshold < 1) throw new TypeError('failureThreshold is a whole number from 1');
    if (resetAfterMs === undefined) throw new TypeError('resetAfter is a number of seconds, or a text such as 30s');
    this.#settings = { failureThreshold, resetAfterMs };
    this.#clock = clock;
    this.#name = name;
    this.#state = state;
  }

  get state(): BreakerState['status'] {
    return this.#state.status;
  }

  /** Calls, unless it is open: then it throws ORC-404 with the time to wait. */
  async execute<T>(fn: () => T | Promise<T>): Promise<T> {
    this.enter();
    try {
      const value = await fn();
      this.settle(true);
      return value;
    } catch (error) {
      if (isServiceFailure(error)) this.settle(false);
      else this.forget();
      throw error;
    }
  }

  /** Asks to call; throws ORC-404 where it is open. */
  enter(): void {
    const { state, waitMs } = admitCall(this.#state, this.#clock.now(), this.#settings);
    this.#state = state;
    if (waitMs > 0) throw circuitOpen(this.#name, state, waitMs);
  }

  settle(ok: boolean): void {
    this.#state = settleCall(this.#state, ok, this.#clock.now(), this.#settings);
  }

  /** The call said nothing of the service; a trial may be had by the next one. */
  forget(): void {
    if (this.#state.status === 'half-open') this.#state = { ...this.#state, sinceMs: 0 };
  }

  toJSON(): BreakerState {
    return this.#state;
  }
}

function circuitOpen(name: string, { failures }: BreakerState, waitMs: number): OrchestratorError {
  return new OrchestratorError('ORC-404', `${name} is not asked: it failed ${failures} times in a row`, {
    class: 'unavailable',
    retryable: true,
    retryAfterMs: waitMs,
    help: ['see its state: orchestrator models list', 'it is tried again by itself'],
    details: { circuit: 'open', failures },
  });
}
