import { spawn, spawnSync } from 'node:child_process';
import { connect, createServer, type AddressInfo } from 'node:net';

export const hasRedis = spawnSync('redis-server', ['--version']).status === 0;

/** A Redis of its own on loopback, without a file; `close` ends it. */
export async function startRedis(settings: readonly string[] = []): Promise<{ url: string; port: number; close(): Promise<void> }> {
  const port = await freePort();
  const child = spawn('redis-server', ['--port', String(port), '--save', '', '--appendonly', 'no', '--bind', '127.0.0.1', ...settings], { stdio: 'ignore' });
  const ended = new Promise<void>(resolve => child.on('close', () => resolve()));
  const url = `redis://127.0.0.1:${port}`;
  while (!(await answers(port))) await new Promise(resolve => setTimeout(resolve, 10));
  const close = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  return { url, port, close };
}

/** Whether it says anything, be it that it wants a password. */
function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const tell = (is: boolean): void => {
      socket.destroy();
      resolve(is);
    };
    socket.on('error', () => tell(false));
    socket.on('data', () => tell(true));
  });
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}
