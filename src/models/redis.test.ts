import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { hasRedis, startRedis } from '../../test/support/redis.ts';
import { RedisConnection } from './redis.ts';

if (!hasRedis) console.warn('SKIPPED: connections to a real Redis, because there is no redis-server (apt-get install redis-server)');

async function opened(url: string): Promise<RedisConnection> {
  const connection = await RedisConnection.open(url);
  onTestFinished(() => connection.close());
  return connection;
}

describe.skipIf(!hasRedis)('a Redis', () => {
  test('answers commands in their order, texts of any length and letters, and nothing where there is nothing', async () => {
    const server = await startRedis();
    onTestFinished(() => server.close());
    const redis = await opened(server.url);
    const long = 'ä€😀\r\n'.repeat(200_000);
    const replies = await Promise.all([redis.send('SET', 'x', long), redis.send('GET', 'x'), redis.send('GET', 'y'), redis.send('STRLEN', 'x')]);
    expect([replies[0], replies[1] === long, replies[2], replies[3]]).toEqual(['OK', true, null, Buffer.byteLength(long)]);
    await expect(redis.send('SET', 'x')).rejects.toThrow('wrong number of arguments');
    expect(await redis.send('PING')).toBe('PONG');
    const other = await opened(`${server.url}/3`);
    expect(await other.send('GET', 'x')).toBeNull();
    redis.close();
    expect(redis.isOpen).toBe(false);
    await expect(redis.send('PING')).rejects.toThrow('closed');
  });

  test('is opened with its password, and with no other', async () => {
    const server = await startRedis(['--requirepass', 'p@ss word']);
    onTestFinished(() => server.close());
    const at = server.url.replace('redis://', '');
    expect(await (await opened(`redis://:p%40ss%20word@${at}`)).send('PING')).toBe('PONG');
    expect(await (await opened(`redis://default:p%40ss%20word@${at}`)).send('PING')).toBe('PONG');
    await expect(RedisConnection.open(`redis://:wrong@${at}`)).rejects.toThrow('WRONGPASS');
    await expect(RedisConnection.open(`redis://${at}`)).rejects.toThrow('NOAUTH');
  });

  test('that dies is closed, with all that waited', async () => {
    const server = await startRedis();
    const redis = await opened(server.url);
    const waiting = redis.send('BLPOP', 'nobody', '0');
    const refused = expect(waiting).rejects.toThrow();
    await server.close();
    await refused;
    expect(redis.isOpen).toBe(false);
    await expect(RedisConnection.open(server.url)).rejects.toThrow('ECONNREFUSED');
  });
});

/** Something on loopback that answers the first PING well, and everything after it as it likes. */
async function listen(answer: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer(socket => {
    sockets.add(socket.on('error', () => {}));
    socket.once('data', () => {
      socket.write('+PONG\r\n');
      socket.on('data', () => answer(socket));
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('answers may come in pieces, however small, and several at once', async () => {
  const pieces = [...'$5\r\nhel\r\n\r\n:7\r'.split(''), '\n-no\r\n$-1\r\n'];
  const url = await listen(socket => {
    for (const piece of pieces.splice(0)) socket.write(piece);
  });
  const redis = await opened(url);
  const asked = await Promise.allSettled(['a', 'b', 'c', 'd'].map(key => redis.send('GET', key)));
  expect(asked.map(one => (one.status === 'fulfilled' ? one.value : (one.reason as Error).message))).toEqual(['hel\r\n', 7, 'no', null]);
});

test.each([
  ['another language', 'HTTP/1.1 200 OK\r\n\r\n'],
  ['a list', '*1\r\n$1\r\nx\r\n'],
  ['a length that is none', '$five\r\n'],
  ['more than was ever kept', '$10000000\r\n'],
  ['a line without an end', 'x'.repeat(2000)],
  ['more answers than questions', '+OK\r\n+OK\r\n+OK\r\n'],
])('%s ends the connection', async (_what, text) => {
  const redis = await opened(await listen(socket => void socket.write(text)));
  await redis.send('GET', 'x').catch(() => {});
  await expect.poll(() => redis.isOpen).toBe(false);
});
