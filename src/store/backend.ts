import { OrchestratorError, type OrchestratorErrorOptions } from '../errors.ts';
import type { Code } from '../codes.ts';
import { resultCode, SQLITE } from './failures.ts';
import { openStore, unsupported } from './open.ts';
import type { Store } from './port.ts';

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

/** A connection to a state store, to be tried out. */
export interface Backend {
  readonly kind: 'memory' | 'sqlite';
  /** Opens the store, and makes it where it is not there. Throws BackendConnectionError. */
  connect(): Promise<void>;
  /** Reads one row. Throws BackendConnectionError. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** For scripts that want to see whether a store can be reached. Its one option is `url`: `sqlite:PATH`, or the path alone. */
export function createBackend(kind: string, options: { url?: string } = {}): Backend {
  if (kind !== 'memory' && kind !== 'sqlite') throw unsupported(kind, options.url ?? kind);
  const unknown = Object.keys(options).filter(name => name !== 'url');
  if (unknown.length > 0) {
    throw new OrchestratorError('ORC-518', `createBackend takes the option \`url\`, not \`${unknown.join('`, `')}\``, {
      help: [`createBackend('${kind}', { url: '${kind === 'memory' ? 'memory:' : 'sqlite:.orchestrator/state.db'}' })`],
    });
  }
  if (kind === 'memory') return new StoreBackend(kind, 'memory:');
  const url = options.url ?? '.orchestrator/state.db';
  return new StoreBackend(kind, url.startsWith('sqlite:') ? url : `sqlite:${url}`);
}

class StoreBackend implements Backend {
  readonly kind: 'memory' | 'sqlite';
  readonly #url: string;
  #store: Store | undefined;

  constructor(kind: 'memory' | 'sqlite', url: string) {
    this.kind = kind;
    this.#url = url;
  }

  async connect(): Promise<void> {
    try {
      this.#store ??= await openStore(this.#url);
    } catch (error) {
      throw connectionError(error);
    }
  }

  async ping(): Promise<void> {
    if (this.#store === undefined) throw new BackendConnectionError('ORC-501', 'refused', 'the backend is not connected', 'await backend.connect() first');
    try {
      await this.#store.control();
    } catch (error) {
      throw connectionError(error);
    }
  }

  async close(): Promise<void> {
    await this.#store?.close();
    this.#store = undefined;
  }
}

function connectionError(error: unknown): unknown {
  if (!(error instanceof OrchestratorError) || !error.code.startsWith('ORC-50')) return error;
  const fix = error.help[0] ?? 'orchestrator doctor';
  return new BackendConnectionError(error.code, problemOf(error), error.message, fix, { help: error.help, retryable: error.retryable, cause: error });
}

function problemOf(error: OrchestratorError): ConnectionProblem {
  if (error.code === 'ORC-502' || error.code === 'ORC-504') return 'schema';
  switch (resultCode(error.cause)) {
    case SQLITE.busy:
    case SQLITE.locked:
      return 'timeout';
    case SQLITE.perm:
    case SQLITE.readOnly:
      return 'auth';
    case SQLITE.cannotOpen:
      return 'missing_database';
    case SQLITE.notDatabase:
      return 'schema';
    default:
      return 'refused';
  }
}
