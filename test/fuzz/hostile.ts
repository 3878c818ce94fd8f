import { createServer, type AddressInfo, type Socket } from 'node:net';

/** What a server sends in answer to one request: pieces, and how it ends. Plain data, so that one that found something can be kept. */
export interface Script {
  /** Bytes as latin-1 text. */
  pieces: string[];
  /** `open` leaves the connection as it is: for the next request, or for ever. */
  end: 'close' | 'reset' | 'open';
}

export interface HostileServer {
  port: number;
  /** Answers requests that name this number: `/r/NUMBER` (a page) or `/l/NUMBER` in the path, or `rNUMBER` as the model. */
  play(number: number, script: Script): void;
  forget(number: number): void;
  /** Connections that are open now and were used for a page; those who ask models keep theirs for the next call. */
  openPages(): number;
  close(): Promise<void>;
}

const NUMBER = /^\w+ \/r\/(\d+)|^\w+ \/l\/(\d+)|"model":\s*"r(\d+)"/;

/** A server below HTTP: it reads as much of a request as it must to know which it is, and sends what it was told, sound or not. */
export async function startHostileServer(): Promise<HostileServer> {
  const scripts = new Map<number, Script>();
  const sockets = new Set<Socket>();
  const pages = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket.setNoDelay().on('error', () => {}));
    socket.on('close', () => sockets.delete(socket) && pages.delete(socket));
    let heard = '';
    socket.on('data', (data: Buffer) => {
      heard += data.toString('latin1');
      const found = whole(heard) ? NUMBER.exec(heard) : null;
      if (found === null) return;
      heard = '';
      if (found[1] !== undefined) pages.add(socket);
      void send(socket, scripts.get(Number(found[1] ?? found[2] ?? found[3])) ?? { pieces: [], end: 'reset' });
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    play: (number, script) => void scripts.set(number, script),
    forget: number => void scripts.delete(number),
    openPages: () => pages.size,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** Whether a request has come to its end, as its own headers tell. */
function whole(text: string): boolean {
  const head = text.indexOf('\r\n\r\n');
  if (head < 0) return false;
  if (/\r\ntransfer-encoding: chunked/i.test(text)) return text.endsWith('0\r\n\r\n');
  return text.length - head - 4 >= Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? 0);
}

async function send(socket: Socket, { pieces, end }: Script): Promise<void> {
  for (const piece of pieces) {
    if (!socket.writable) return;
    await new Promise(resolve => socket.write(piece, 'latin1', resolve));
    await new Promise(resolve => setImmediate(resolve));
  }
  if (end === 'close') socket.end();
  if (end === 'reset') socket.resetAndDestroy();
}
