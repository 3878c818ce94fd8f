import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { isDeterministic, memoryCache, openCache, redisCache, requestKey, type ResponseCache } from './cache.ts';
import type { ModelReply, ModelRequest } from './port.ts';

const REQUEST: ModelRequest = { messages: [{ role: 'user', content: 'hi' }], temperature: 0 };
const REPLY: ModelReply = {
  model: 'small',
  text: 'hello',
  usage: { inputTokens: 1, outputTokens: 2, cachedInputTokens: 0, reasoningTokens: 0 },
  finishReason: 'stop',
  latencyMs: 5,
  firstTokenMs: undefined,
};
const KEY = requestKey('lab/small', REQUEST);
const hasRedis = spawnSync('redis-server', ['--version']).status === 0;
if (!hasRedis) console.warn('SKIPPED: the cache against a real Redis, because there is no redis-server (apt-get install redis-server)');

test('a request has one name, whatever the order of its keys, and another for another model or any other word', () => {
  expect(requestKey('lab/small', { temperature: 0, messages: [{ content: 'hi', role: 'user' }] } as ModelRequest)).toBe(KEY);
  expect(requestKey('lab/large', REQUEST)).not.toBe(KEY);
  expect(requestKey('lab/small', { ...REQUEST, maxTokens: 5 })).not.toBe(KEY);
});

test('only what is meant to be answered in the same way each time is deterministic', () => {
  expect([REQUEST, { ...REQUEST, temperature: 0.5, seed: 7 }, { ...REQUEST, temperature: 0.5 }, { messages: [] }].map(isDeterministic)).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

test('memory keeps for a time, forgets the least used, and hands out copies', async () => {
  const clock = { at: 0, now: () => clock.at, monotonic: () => clock.at };
  const cache = memoryCache({ maxEntries: 2, clock });
  cache.set('a', REPLY, 1000);
  cache.set('b', REPLY, 1000);
  (await cache.get('a'))!.text = 'spoiled';
  expect((await cache.get('a'))!.text).toBe('hello');
  cache.set('c', REPLY, 1000);
  expect(await cache.get('b')).toBeUndefined();
  clock.at = 1000;
  expect(await cache.get('a')).toBeUndefined();
});

test('an address that is neither is refused, without what it may hold', () => {
  expect(() => openCache('http://user:password@x')).toThrow('cache.url must be memory: or redis://…, and is http:…');
});

describe.skipIf(!hasRedis)('Redis', () => {
  let server: ChildProcess;
  let url: string;
  const open: ResponseCache[] = [];
  beforeAll(async () => {
    const port = await freePort();
    url = `redis://127.0.0.1:${port}`;
    server = spawn('redis-server', ['--port', String(port), '--save', '', '--appendonly', 'no', '--bind', '127.0.0.1'], { stdio: 'ignore' });
    const cache = redisCache({ url });
    for (let tries = 0; tries < 100; tries++) {
      if (
        await cache.ping().then(
          () => true,
          () => false,
        )
      )
        break;
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    await cache.close();
  });
  afterAll(() => void server?.kill());
  afterEach(async () => void (await Promise.all(open.splice(0).map(cache => cache.close()))));
  const setup = async (options: object = {}): Promise<ResponseCache> => {
    const cache = redisCache({ url, timeoutMs: 1000, ...options });
    open.push(cache);
    await cache.ping();
    return cache;
  };
  const written = async (cache: ResponseCache, key: string): Promise<ModelReply> => {
    for (;;) {
      const found = await cache.get(key);
      if (found !== undefined) return found;
      await new Promise(resolve => setImmediate(resolve));
    }
  };

  test('keeps replies for other processes', async () => {
    (await setup()).set(KEY, REPLY, 60_000);
    const { firstTokenMs: _none, ...kept } = REPLY;
    expect(await written(await setup(), KEY)).toEqual(kept);
  });

  test('forgets after the time to live', async () => {
    const cache = await setup();
    cache.set('short', REPLY, 150);
    await written(cache, 'short');
    await expect.poll(() => cache.get('short')).toBeUndefined();
  });

  test('what was put there by somebody without the secret is not believed', async () => {
    const mine = await setup({ secret: 'mine' });
    (await setup({ secret: 'theirs' })).set('forged', REPLY, 60_000);
    await written(await setup({ secret: 'theirs' }), 'forged');
    expect(await mine.get('forged')).toBeUndefined();
  });
});

describe('a Redis that is', () => {
  let server: Server | undefined;
  const sockets = new Set<Socket>();
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    server?.close();
    server = undefined;
  });
  const listen = async (answer: (socket: Socket, data: string) => void): Promise<string> => {
    server = createServer(socket => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('data', data => answer(socket, data.toString()));
    });
    await new Promise<void>(resolve => server!.listen(0, '127.0.0.1', resolve));
    return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const ask = async (url: string): Promise<{ found: unknown; tookMs: number }> => {
    const cache = redisCache({ url });
    const startedAt = performance.now();
    const found = await cache.get(KEY);
    const tookMs = performance.now() - startedAt;
    cache.set(KEY, REPLY, 1000);
    await cache.close();
    return { found, tookMs };
  };

  test('gone finds nothing', async () => {
    expect((await ask(`redis://127.0.0.1:${await freePort()}`)).found).toBeUndefined();
  });

  test('slow costs at most its time, and after three such nothing', async () => {
    await ask('redis://127.0.0.1:1');
    const url = await listen(() => {});
    const cache = redisCache({ url, timeoutMs: 50 });
    const times: number[] = [];
    for (let i = 0; i < 5; i++) {
      const startedAt = performance.now();
      expect(await cache.get(KEY)).toBeUndefined();
      times.push(performance.now() - startedAt);
    }
    expect(Math.max(...times.slice(0, 3))).toBeLessThan(150);
    expect(Math.max(...times.slice(3))).toBeLessThan(25);
    await cache.close();
  });

  test.each([
    ['no JSON', 'not json'],
    ['another entry', JSON.stringify({ v: 1, key: 'other', sign: 'x', body: '{}' })],
    ['an unsigned reply', JSON.stringify({ v: 1, key: KEY, sign: 'x', body: JSON.stringify(REPLY) })],
    ['a number', '5'],
  ])('lying with %s is not believed', async (_case, value) => {
    const url = await listen((socket, data) => {
      for (const command of data.match(/\*\d+\r\n(?:\$\d+\r\n[^\r]*\r\n)+/g) ?? []) {
        if (/\r\nGET\r\n/i.test(command)) socket.write(`$${Buffer.byteLength(value)}\r\n${value}\r\n`);
        else socket.write('+OK\r\n');
      }
    });
    expect((await ask(url)).found).toBeUndefined();
  });

  test('no Redis at all finds nothing', async () => {
    const url = await listen(socket => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect((await ask(url)).found).toBeUndefined();
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}
