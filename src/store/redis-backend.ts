import { OrchestratorError } from '../errors.ts';
import { BackendConnectionError, notConnected, type Backend, type ConnectionProblem } from './connection.ts';

/** A Redis that does not answer for so long is not there. */
const PATIENCE_MS = 3000;

interface Client {
  isOpen: boolean;
  connect(): Promise<unknown>;
  ping(): Promise<string>;
  destroy(): void;
}

/** A Redis, which keeps replies of models and no state; here to be tried out as the stores are. */
export class RedisBackend implements Backend {
  readonly kind = 'redis';
  readonly #url: string;
  #client: Client | undefined;

  constructor(url: string) {
    if (!/^rediss?:\/\//.test(url) || !URL.canParse(url))
      throw new OrchestratorError('ORC-518', 'the address of a Redis begins with redis:// or rediss://', {
        help: ["createBackend('redis', { url: 'redis://127.0.0.1:6379' })"],
      });
    this.#url = url;
  }

  async connect(): Promise<void> {
    if (this.#client !== undefined) return;
    const { client, failing } = await makeClient(this.#url);
    try {
      await within(Promise.race([client.connect(), failing]));
      // A server that wants a password may tell so only when it is asked something.
      await within(client.ping());
    } catch (error) {
      if (client.isOpen) client.destroy();
      throw this.#failure(error);
    }
    this.#client = client;
  }

  async ping(): Promise<void> {
    if (this.#client === undefined) throw notConnected();
    try {
      await within(this.#client.ping());
    } catch (error) {
      throw this.#failure(error);
    }
  }

  async close(): Promise<void> {
    if (this.#client?.isOpen === true) this.#client.destroy();
    this.#client = undefined;
  }

  /** What went wrong, without the password that the address may hold. */
  #failure(error: unknown): BackendConnectionError {
    const { hostname, port, pathname } = new URL(this.#url);
    const place = `${hostname}:${port || '6379'}`;
    const kind = problemOf(error);
    const [words, fix] = {
      refused: [`nothing answers for Redis at ${place}`, `start it: redis-server --port ${port || '6379'}`],
      auth: [`the Redis at ${place} refuses the user or the password`, `put them into the address: redis://USER:PASSWORD@${place}`],
      missing_database: [`the Redis at ${place} has no database ${pathname.slice(1)}`, `take one that it has: redis://${place}/0`],
      timeout: [
        `the Redis at ${place} did not answer within ${PATIENCE_MS / 1000} s`,
        `look whether it answers others: redis-cli -h ${hostname} -p ${port || '6379'} ping`,
      ],
      tls: [`no secure connection to the Redis at ${place} came about`, 'write redis:// for a server without TLS, rediss:// for one with it'],
      schema: [`what answers at ${place} is no Redis`, `look what listens there: ss -ltnp 'sport = :${port || '6379'}'`],
    }[kind] as [string, string];
    return new BackendConnectionError('ORC-501', kind, words, fix, { retryable: kind === 'refused' || kind === 'timeout', cause: error });
  }
}

/** A client that is not connected yet, and what rejects when it meets an error that no call of it tells. */
async function makeClient(url: string): Promise<{ client: Client; failing: Promise<never> }> {
  let redis: typeof import('redis');
  try {
    redis = await import('redis');
  } catch (cause) {
    throw new OrchestratorError('ORC-407', 'a Redis is reached by the package redis, which is not installed', {
      class: 'not_found',
      help: ['npm install redis'],
      cause,
    });
  }
  const client = redis.createClient({ url, disableOfflineQueue: true, socket: { connectTimeout: PATIENCE_MS, reconnectStrategy: false } });
  // Without a listener a broken connection would end the process; whoever asks next is told of it.
  const failing = Promise.withResolvers<never>();
  failing.promise.catch(() => {});
  client.on('error', failing.reject);
  return { client: client as unknown as Client, failing: failing.promise };
}

class Late extends Error {}

async function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  work.catch(() => {});
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Late('no answer in time')), PATIENCE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function problemOf(error: unknown): ConnectionProblem {
  const { code = '', message = '', name = '' } = error as { code?: string; message?: string; name?: string };
  if (error instanceof Late || name === 'ConnectionTimeoutError' || code === 'ETIMEDOUT') return 'timeout';
  if (/^(WRONGPASS|NOAUTH|NOPERM)\b|invalid (username|password)/i.test(message)) return 'auth';
  if (/DB index/i.test(message)) return 'missing_database';
  if (/^(EPROTO|ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO)/.test(code)) return 'tls';
  if (/^E(CONN|HOST|NET|AI_|NOTFOUND|PIPE)/.test(code) || /\b(closed|offline|disconnect)/i.test(message)) return 'refused';
  return 'schema';
}
