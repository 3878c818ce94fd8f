import { createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { freePort, hasRedis, startRedis } from '../../test/support/redis.ts';
import { BackendConnectionError, createBackend } from './backend.ts';

if (!hasRedis) console.warn('SKIPPED: connections to a real Redis, because there is no redis-server (apt-get install redis-server)');

async function problemOf(url: string): Promise<string> {
  try {
    await createBackend('redis', { url }).connect();
  } catch (error) {
    expect(error).toBeInstanceOf(BackendConnectionError);
    const { kind, fix, message, code } = error as BackendConnectionError;
    expect(code).toBe('ORC-501');
    expect(fix).not.toBe('');
    expect(message + fix).not.toContain('wrong-password');
    return kind;
  }
  return 'connected';
}

/** The port of something that is no Redis. */
async function listen(answer: (socket: Socket) => void): Promise<number> {
  const sockets: Socket[] = [];
  const server = createServer(socket => {
    sockets.push(socket.on('error', () => {}));
    answer(socket);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test('what is not there refuses, what is no Redis has the wrong form, what is silent is too late', async () => {
  expect(await problemOf(`redis://127.0.0.1:${await freePort()}`)).toBe('refused');
  expect(await problemOf(`redis://127.0.0.1:${await listen(socket => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))}`)).toBe('schema');
  expect(await problemOf(`rediss://127.0.0.1:${await listen(socket => void socket.write('-ERR no TLS here\r\n'))}`)).toBe('tls');
  expect(await problemOf(`redis://127.0.0.1:${await listen(() => {})}`)).toBe('timeout');
});

test('an address of another kind is refused with the form that is right', () => {
  expect(() => createBackend('redis', { url: 'http://127.0.0.1' })).toThrow(expect.objectContaining({ code: 'ORC-518' }));
});

test.skipIf(!hasRedis)('a Redis with a password takes the right one only, and has the databases that it has', async () => {
  const redis = await startRedis(['--requirepass', 'right-password', '--databases', '2']);
  onTestFinished(redis.close);
  expect(await problemOf(redis.url)).toBe('auth');
  expect(await problemOf(`redis://:wrong-password@127.0.0.1:${redis.port}`)).toBe('auth');
  expect(await problemOf(`redis://:right-password@127.0.0.1:${redis.port}/7`)).toBe('missing_database');
  const backend = createBackend('redis', { url: `redis://:right-password@127.0.0.1:${redis.port}/1` });
  await backend.connect();
  await backend.ping();
  await redis.close();
  await expect
    .poll(() =>
      backend.ping().then(
        () => 'there',
        (error: BackendConnectionError) => error.kind,
      ),
    )
    .toBe('refused');
  await backend.close();
  await expect(backend.ping()).rejects.toMatchObject({ kind: 'refused' });
});
