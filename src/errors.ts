import { CODES, type Code } from './codes.ts';
import type { JsonObject } from './json.ts';

/** What kind of failure it was, for `on_error` matching and for retries. */
export type ErrorClass =
  | 'rate_limit'
  | 'timeout'
  | 'network'
  | 'auth'
  | 'not_found'
  | 'unavailable'
  | 'invalid_input'
  | 'invalid_output'
  | 'template'
  | 'process'
  | 'policy'
  | 'budget'
  | 'assertion'
  | 'cancelled'
  | 'attention'
  | 'upstream'
  | 'storage'
  | 'internal'
  | 'failed';

/** A failure as data: what the journal keeps, `run --json` prints and `on_error` matches. */
export interface Failure {
  code: Code;
  class: ErrorClass;
  message: string;
  retryable: boolean;
  help: string[];
  /** When the other side said how long to wait before the next try, in ms. */
  retryAfterMs?: number;
  /** Facts about the failure that a handler may want: status, exit code, path. */
  details?: JsonObject;
}

export interface OrchestratorErrorOptions {
  class?: ErrorClass;
  retryable?: boolean;
  help?: string[];
  retryAfterMs?: number;
  details?: JsonObject;
  cause?: unknown;
}

/** The one class of error that is thrown on purpose: a stable code, one line in the user's words, and what to do. */
export class OrchestratorError extends Error {
  readonly code: Code;
  readonly class: ErrorClass;
  readonly retryable: boolean;
  readonly help: string[];
  readonly retryAfterMs: number | undefined;
  readonly details: JsonObject | undefined;

  constructor(code: Code, message: string, options: OrchestratorErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'OrchestratorError';
    this.code = code;
    this.class = options.class ?? 'failed';
    this.retryable = options.retryable ?? false;
    this.help = options.help ?? [];
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details;
  }

  /** The slug that stands beside the code: `unknown-model`. */
  get slug(): string {
    return CODES[this.code].name;
  }
}

/** Any thrown thing as data. What is not ours becomes ORC-216 (an action's own error) unless `code` says otherwise. */
export function toFailure(error: unknown, code: Code = 'ORC-216'): Failure {
  if (error instanceof OrchestratorError) {
    const failure: Failure = { code: error.code, class: error.class, message: error.message, retryable: error.retryable, help: error.help };
    if (error.retryAfterMs !== undefined) failure.retryAfterMs = error.retryAfterMs;
    if (error.details !== undefined) failure.details = error.details;
    return failure;
  }
  const message = error instanceof Error ? error.message || error.name : String(error);
  return { code, class: 'failed', message, retryable: true, help: [] };
}
