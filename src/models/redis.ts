import { connect, type Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';

/** An answer of Redis: a text, a number, or nothing. */
export type RedisReply = string | number | null;

interface Waiter {
  resolve: (reply: RedisReply) => void;
  reject: (error: Error) => void;
}

const PORT = 6379;
const CONNECT_TIMEOUT_MS = 2000;
/** More than this is nothing that was kept here; whoever sends it is hung up on. */
const REPLY_MAX_BYTES = 9 * 1024 * 1024;

/**
 * As much of Redis as a cache needs: one connection, and commands that are answered in their order. Written out because the usual client takes 200 ms to load,
 * several times what a look-up may cost, and holds whatever it is sent. What is no RESP2, or too large, ends the connection; so does the other side, at any time.
 */
export class RedisConnection {
  readonly #socket: Socket;
  readonly #waiting: Waiter[] = [];
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** So many bytes are needed before it is worth looking again. */
  #needed = 1;
  #failure: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => this.#end(new Error('no connection in time')));
    socket.on('data', data => this.#take(data));
    socket.on('error', error => this.#end(error));
    socket.on('close', () => this.#end(new Error('the connection was closed')));
    // A cache keeps no process alive.
    socket.unref();
  }

  /** Connects to `redis://[user:password@]host[:port][/database]`, or `rediss://…`. */
  static async open(url: string): Promise<RedisConnection> {
    const { protocol, hostname, port, username, password, pathname } = new URL(url);
    const host = hostname.replace(/^\[|\]$/g, '') || '127.0.0.1';
    const at = { host, port: port === '' ? PORT : Number(port) };
    const connection = new RedisConnection(protocol === 'rediss:' ? connectSecurely({ ...at, servername: host }) : connect(at));
    const name = decodeURIComponent(username);
    const database = pathname.slice(1);
    try {
      if (password !== '') await connection.send('AUTH', ...(name === '' ? [] : [name]), decodeURIComponent(password));
      await connection.send(...(database === '' ? ['PING'] : ['SELECT', database]));
    } catch (error) {
      connection.close();
      throw error;
    }
    connection.#socket.setTimeout(0);
    return connection;
  }

  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  send(...command: string[]): Promise<RedisReply> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      this.#waiting.push({ resolve, reject });
      this.#socket.write(`*${command.length}\r\n${command.map(part => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join('')}`);
    });
  }

  close(): void {
    this.#end(new Error('the connection was closed'));
  }

  #end(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#chunks = [];
    this.#socket.destroy();
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  #take(data: Buffer): void {
    this.#chunks.push(data);
    this.#bytes += data.length;
    if (this.#bytes < this.#needed) return;
    const buffer = Buffer.concat(this.#chunks);
    let at = 0;
    while (at < buffer.length && this.#failure === undefined) {
      const read = readReply(buffer, at);
      if (read === undefined || this.#waiting.length === 0) return this.#end(new Error('it does not speak the language of Redis'));
      this.#needed = read.end - at;
      if (read.end > buffer.length) break;
      at = read.end;
      this.#needed = 1;
      const { resolve, reject } = this.#waiting.shift()!;
      if (read.error === undefined) resolve(read.reply);
      else reject(new Error(read.error));
    }
    this.#chunks = [buffer.subarray(at)];
    this.#bytes = buffer.length - at;
  }
}

/** One answer and where it ends; beyond the buffer where some of it has not come. Undefined where it is none, or too large. */
function readReply(buffer: Buffer, from: number): { reply: RedisReply; error?: string; end: number } | undefined {
  const lineEnd = buffer.indexOf('\r\n', from);
  if (lineEnd < 0) return buffer.length - from > 512 ? undefined : { reply: null, end: buffer.length + 1 };
  const [kind, text, start] = [String.fromCharCode(buffer[from]!), buffer.toString('utf8', from + 1, lineEnd), lineEnd + 2];
  if (kind === '+') return { reply: text, end: start };
  if (kind === '-') return { reply: null, error: text, end: start };
  const number = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (kind === ':' && !Number.isNaN(number)) return { reply: number, end: start };
  if (kind !== '$' || Number.isNaN(number) || number > REPLY_MAX_BYTES) return undefined;
  if (number < 0) return { reply: null, end: start };
  const end = start + number + 2;
  return { reply: end > buffer.length ? null : buffer.toString('utf8', start, end - 2), end };
}
