import type { Code } from '../codes.ts';
import { OrchestratorError, type OrchestratorErrorOptions } from '../errors.ts';

/** What stands between us and a store. */
export type ConnectionProblem = 'refused' | 'auth' | 'missing_database' | 'timeout' | 'tls' | 'schema';

/** A store that cannot be reached, with the one thing to do about it. */
export class BackendConnectionError extends OrchestratorError {
  readonly kind: ConnectionProblem;
  readonly fix: string;

  constructor(code: Code, kind: ConnectionProblem, message: string, fix: string, options: OrchestratorErrorOptions = {}) {
    super(code, message, { class: 'storage', help: [fix], ...options });
    this.name = 'BackendConnectionError';
    this.kind = kind;
    this.fix = fix;
  }
}

/** A connection to a state store, or to the cache of replies, to be tried out. */
export interface Backend {
  readonly kind: 'memory' | 'sqlite' | 'redis';
  /** Opens the store, and makes it where it is not there. Throws BackendConnectionError. */
  connect(): Promise<void>;
  /** Reads one row. Throws BackendConnectionError. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export function notConnected(): BackendConnectionError {
  return new BackendConnectionError('ORC-501', 'refused', 'the backend is not connected', 'await backend.connect() first');
}
