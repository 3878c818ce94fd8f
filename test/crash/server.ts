import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface Received {
  path: string;
  key: string | null;
  /** Number of the process of its lane that sent it. */
  process: number;
}

/** What one lane wants to hear of, at the instant at which it happens. */
export interface Listener {
  connected(): boolean;
  received(request: Received): void;
  answered(path: string): void;
  flaky(path: string): boolean;
  process: number;
}

/** The world outside: a server on loopback to which all lanes send their effects, each on its own port, so that a bare connection can be told. */
export class EffectServer {
  readonly #server: Server;
  readonly #listener: Listener;

  private constructor(server: Server, listener: Listener) {
    this.#server = server;
    this.#listener = listener;
  }

  static open(listener: Listener): Promise<EffectServer> {
    const server = createServer();
    const opened = new EffectServer(server, listener);
    server.on('connection', (socket: Socket) => {
      if (!listener.connected()) socket.destroy();
    });
    server.on('request', (request, response) => opened.#answer(request, response));
    return new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(opened)));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/effects`;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = String(request.headers['x-path']);
    const key = request.headers['idempotency-key'];
    request.resume().on('end', () => {
      const fails = this.#listener.flaky(path);
      this.#listener.received({ path, key: key === undefined ? null : String(key), process: this.#listener.process });
      response.on('finish', () => this.#listener.answered(path));
      const delay = Math.random() * 6;
      setTimeout(() => {
        response.writeHead(fails ? 503 : 200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ path, ok: !fails }));
      }, delay);
    });
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
