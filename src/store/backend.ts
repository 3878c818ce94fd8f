import { OrchestratorError } from '../errors.ts';
import { BackendConnectionError, notConnected, type Backend, type ConnectionProblem } from './connection.ts';
import { resultCode, SQLITE } from './failures.ts';
import { openStore, unsupported } from './open.ts';
import type { Store } from './port.ts';
import { RedisBackend } from './redis-backend.ts';

export { BackendConnectionError, type Backend, type ConnectionProblem };

const URLS = { memory: 'memory:', sqlite: 'sqlite:.orchestrator/state.db', redis: 'redis://127.0.0.1:6379' };

/**
 * For scripts that want to see whether a store, or the Redis that keeps replies, can be reached. Its one option is `url`: `sqlite:PATH`, or the path alone;
 * `redis://…`.
 */
export function createBackend(kind: string, options: { url?: string } = {}): Backend {
  if (kind !== 'memory' && kind !== 'sqlite' && kind !== 'redis') throw unsupported(kind, options.url ?? kind);
  const unknown = Object.keys(options).filter(name => name !== 'url');
  if (unknown.length > 0) {
    throw new OrchestratorError('ORC-518', `createBackend takes the option \`url\`, not \`${unknown.join('`, `')}\``, {
      help: [`createBackend('${kind}', { url: '${URLS[kind]}' })`],
    });
  }
  if (kind === 'redis') return new RedisBackend(options.url ?? URLS.redis);
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
    if (this.#store === undefined) throw notConnected();
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
