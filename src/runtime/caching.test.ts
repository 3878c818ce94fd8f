import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { createClient } from 'redis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { makeFolder } from '../../test/promises/bench.ts';
import { startModelServer, type ModelServer } from '../../test/support/model-server.ts';
import type { RunDocument } from '../engine/index.ts';
import { OrchestratorError } from '../errors.ts';
import { redisCache } from '../models/cache.ts';
import { requestKey, type ModelReply, type ModelRequest } from '../models/index.ts';
import type { Action } from '../tools/port.ts';
import type { ResumeOptions, StartOptions } from './api.ts';
import { openShell } from './open.ts';
import type { EmbeddedShell } from './shell.ts';

/** Takes no first answer. */
const PICKY: Action = {
  name: 'picky',
  summary: 'Takes no first answer.',
  effect: 'read',
  powers: ['model'],
  parameters: true,
  result: true,
  async run(_parameters, { models, attempt }) {
    const { text } = await models.ask({ purpose: 'picky', messages: [{ role: 'user', content: 'again' }], temperature: 0 });
    if (attempt === 1) throw new OrchestratorError('ORC-405', 'that will not do', { class: 'invalid_output', retryable: true });
    return text;
  },
};

interface Place {
  server: ModelServer;
  shell: EmbeddedShell;
  /** How often the model was asked. */
  asked(): number;
  open(): Promise<EmbeddedShell>;
  run(tasks: string, options?: StartOptions, by?: EmbeddedShell): Promise<RunDocument>;
}

/** A place with one model, at a price of a dollar a million tokens. */
async function place(cache = ''): Promise<Place> {
  const folder = makeFolder();
  const server = await startModelServer();
  onTestFinished(() => server.close());
  const price = 'cost: { input_per_million: 1, output_per_million: 1 }';
  writeFileSync(
    join(folder, 'orchestrator.config.yaml'),
    `models:\n  default: lab/small\n  providers: { lab: { type: openai-compatible, base_url: "${server.url}" } }\n  catalog: [ { id: lab/small, ${price} } ]\n${cache}\n`,
  );
  const open = async (): Promise<EmbeddedShell> => {
    const shell = await openShell({ cwd: folder, env: { ORCHESTRATOR_TRUST: '1' }, actions: [PICKY] });
    onTestFinished(() => shell.close());
    return shell;
  };
  const shell = await open();
  const run: Place['run'] = async (tasks, options = {}, by = shell) => {
    const file = join(folder, 'p.yaml');
    writeFileSync(file, `name: p\nversion: "1"\ntasks:\n${tasks}\n`);
    return by.run(file, {}, options);
  };
  return { server, shell, open, run, asked: () => server.requests.filter(({ method }) => method === 'POST').length };
}

const SAY = (id: string, more = '', temperature = 0): string =>
  `  - { id: ${id}, action: generate_text, parameters: { prompt: say it, temperature: ${temperature} }${more} }`;

describe('replies of models', () => {
  test('the same deterministic question is paid for once, over runs; a hit is shown with what it saved', async () => {
    const { server, run, asked, open } = await place();
    server.respond(() => ({ text: 'fine', usage: { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 } }));
    const paid = await run(SAY('a'));
    const saved = await run(SAY('a'));
    expect([asked(), paid.costUsd, saved.costUsd, saved.tasks['a']!.output]).toEqual([1, 0.00012, 0, 'fine']);
    expect([paid.tasks['a']!.kept, saved.tasks['a']!.kept]).toEqual([undefined, { calls: 1, savedUsd: 0.00012 }]);
    const shell = await open();
    expect((await shell.store.ledger({ run: saved.run }))[0]).toMatchObject({ cached: true, costMicroUsd: 0, savedMicroUsd: 120 });
    await run(`${SAY('b', '', 0.7)}\n${SAY('c', '', 0.7)}`);
    expect(asked()).toBe(3);
  });

  test('`cache: false` on a task, and a start without caches, ask each time', async () => {
    const { run, asked } = await place();
    await run(SAY('a'));
    await run(SAY('a', ', cache: false'));
    expect(asked()).toBe(2);
    await run(SAY('a'), { cache: false });
    expect(asked()).toBe(3);
    await run(SAY('a', ', cache: { key: x }', 0.7));
    await run(SAY('a', ', cache: { key: x }', 0.7), { cache: false });
    expect(asked()).toBe(5);
    expect((await run(SAY('a', ', cache: { key: x }', 0.7))).tasks['a']!.cached).toBe(true);
    expect(asked()).toBe(5);
  });

  test('a run that was started without caches stays so, and one that is taken up so is from then on', async () => {
    const { run, asked, shell } = await place();
    const two = `${SAY('a')}\n${SAY('b', ', dependencies: [a]')}`;
    await run(SAY('a'));
    const goOn = async (started: StartOptions, resumed: ResumeOptions): Promise<number> => {
      const before = asked();
      const { run: id } = await run(two, { until: 'a', ...started });
      expect((await (await shell.resume(id, resumed)).result()).status).toBe('completed');
      return asked() - before;
    };
    expect(await goOn({}, {})).toBe(0);
    expect(await goOn({ cache: false }, {})).toBe(2);
    expect(await goOn({}, { cache: false })).toBe(1);
  });

  test('another attempt is never answered by what was kept, and what it brings is', async () => {
    const { run, asked, server } = await place();
    server.reply({ status: 503, body: {} });
    await run(SAY('a', ', retry: { max_attempts: 2, initial_backoff: 1ms, on: [unavailable] }'));
    expect(asked()).toBe(2);
    await run(SAY('a'));
    expect(asked()).toBe(2);
    // A kept reply would not do: the next attempt does not take it again.
    const picky = '  - { id: p, action: picky, retry: { max_attempts: 2, initial_backoff: 1ms } }';
    expect((await run(picky)).tasks['p']).toMatchObject({ status: 'completed', attempts: 2 });
    expect(asked()).toBe(4);
    expect((await run(picky)).status).toBe('completed');
    expect(asked()).toBe(5);
  });

  test('an answer that does not fit is neither kept nor served, and the question that mends it is asked', async () => {
    const { run, asked, server } = await place();
    const schema = '{ type: object, properties: { n: { type: integer } }, required: [n] }';
    const task = `  - { id: a, action: generate_structured, parameters: { prompt: how many, temperature: 0, schema: ${schema} } }`;
    server.reply({ text: '{"n": "none"}' }, { text: '{"n": 5}' });
    expect((await run(task)).tasks['a']!.output).toEqual({ n: 5 });
    expect(asked()).toBe(2);
    server.reply({ text: '{"n": "still none"}' }, { text: '{"n": 6}' });
    expect((await run(task)).tasks['a']!.output).toEqual({ n: 6 });
    expect(asked()).toBe(4);
    server.reply({ text: '{"n": 7}' });
    expect((await run(task)).tasks['a']!.output).toEqual({ n: 7 });
    expect((await run(task)).tasks['a']!.output).toEqual({ n: 7 });
    expect(asked()).toBe(5);
  });

  test('an AUTO tag is answered once by the model, and each time where it says so', async () => {
    const { run, asked, server } = await place();
    server.respond(() => '{"value": "blue"}');
    const tag = (more = ''): string => `  - { id: a, action: echo, parameters: { text: '<AUTO${more}>a colour</AUTO>' } }`;
    await run(tag());
    const before = asked();
    await run(tag());
    expect(asked()).toBe(before);
    await run(tag(' cache="false"'));
    await run(tag(' cache="false"'));
    expect(asked()).toBe(before + 2);
  });

  test('a reply is kept for no longer than its time', async () => {
    const { run, asked } = await place('cache: { url: "memory:", ttl: 50ms }');
    await run(SAY('a'));
    await new Promise(resolve => setTimeout(resolve, 60));
    await run(SAY('a'));
    expect(asked()).toBe(2);
  });
});

const hasRedis = spawnSync('redis-server', ['--version']).status === 0;
if (!hasRedis) console.warn('SKIPPED: runs over a real Redis, because there is no redis-server (apt-get install redis-server)');

/** A Redis of Debian's, and what is kept in it. */
async function startRedis(): Promise<{ port: number; spoil(change: (text: string) => string): Promise<number>; stop(): void }> {
  const port = await freePort();
  const server = spawn('redis-server', ['--port', String(port), '--save', '', '--appendonly', 'no', '--bind', '127.0.0.1'], { stdio: 'ignore' });
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => {
    if (client.isOpen) client.destroy();
    server.kill('SIGKILL');
  });
  return {
    port,
    /** Changes all that is kept; how much that was. */
    async spoil(change) {
      const keys = await client.keys('orchestrator:reply:*');
      for (const key of keys) await client.set(key, change((await client.get(key))!));
      return keys.length;
    },
    stop() {
      client.destroy();
      server.kill('SIGKILL');
    },
  };
}

/** Stands before a Redis and hands on nothing of its answers before a while has passed. */
async function delaying(port: number): Promise<{ port: number; delay: { ms: number } }> {
  const delay = { ms: 0 };
  const sockets = new Set<Socket>();
  const proxy = createServer(socket => {
    const redis = connect(port, '127.0.0.1');
    for (const one of [socket, redis]) sockets.add(one.on('error', () => {}));
    socket.on('data', data => redis.write(data));
    redis.on('data', data => setTimeout(() => socket.write(data), delay.ms));
  });
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  return { port: (proxy.address() as AddressInfo).port, delay };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise(resolve => server.close(resolve));
  return port;
}

describe.skipIf(!hasRedis)('replies in a Redis', () => {
  const at = (port: number): string => `cache: { url: "redis://127.0.0.1:${port}", secret: "a secret of ours" }`;
  const warm = async (run: Place['run'], asked: Place['asked']): Promise<void> => {
    await run(SAY('a'));
    // What is kept is not waited for.
    await expect
      .poll(
        async () => {
          const before = asked();
          await run(SAY('a'));
          return asked() - before;
        },
        { timeout: 15_000 },
      )
      .toBe(0);
  };

  test('are shared by processes', async () => {
    const redis = await startRedis();
    const { run, asked, open } = await place(at(redis.port));
    await warm(run, asked);
    const before = asked();
    const other = await open();
    // The first look opens the connection.
    await run(SAY('x', ''), {}, other);
    await run(SAY('a'), {}, other);
    expect(asked() - before).toBeLessThanOrEqual(1);
  });

  test('gone in the middle, it costs nothing but what the model costs', async () => {
    const redis = await startRedis();
    const { run, asked } = await place(at(redis.port));
    await warm(run, asked);
    redis.stop();
    const before = asked();
    for (let i = 0; i < 4; i++) expect((await run(SAY('a'))).tasks['a']!.output).toBeDefined();
    expect(asked() - before).toBe(4);
  });

  test('slow, it costs a call 50 ms, and after three such nothing', async () => {
    const redis = await startRedis();
    const proxy = await delaying(redis.port);
    const { run, asked, open } = await place(at(proxy.port));
    await warm(run, asked);
    const { models } = (await open()).shop;
    const ask = async (): Promise<number> => {
      const startedAt = performance.now();
      await models.get('lab/small').generate({ messages: [{ role: 'user', content: 'new' }], temperature: 0 }, { signal: new AbortController().signal });
      return performance.now() - startedAt;
    };
    await ask();
    const bare = Math.min(await ask(), await ask());
    proxy.delay.ms = 5000;
    const times: number[] = [];
    for (let i = 0; i < 8; i++) times.push(await ask());
    // What is beyond the 50 ms belongs to a busy machine.
    expect(Math.min(...times.slice(0, 3)) - bare).toBeLessThan(90);
    expect(Math.min(...times.slice(3)) - bare).toBeLessThan(45);
  });

  test.each([
    ['another text', (text: string) => text.replaceAll('fine', 'evil')],
    ['a reply of its own', () => JSON.stringify({ v: 1, key: 'x', sign: '', body: '{"text":"evil"}' })],
    ['no JSON', () => 'evil'],
    ['half of it', (text: string) => text.slice(0, text.length / 2)],
  ])('lying with %s, it is not believed', async (_what, change) => {
    const redis = await startRedis();
    const { run, asked, server } = await place(at(redis.port));
    server.respond(() => 'fine');
    await warm(run, asked);
    expect(await redis.spoil(change)).toBe(1);
    const before = asked();
    const { tasks } = await run(SAY('a'));
    expect([tasks['a']!.output, asked() - before]).toEqual(['fine', 1]);
  });

  test('one that does not fit is not kept; and one that is there, well signed, is not served', async () => {
    const redis = await startRedis();
    const { server, asked, shell } = await place(at(redis.port));
    const schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
    const request: ModelRequest = { messages: [{ role: 'user', content: 'how many' }], temperature: 0, schema };
    const ask = (): Promise<ModelReply> => shell.shop.models.get('lab/small').generate(request, { signal: new AbortController().signal });
    server.reply({ text: '{"n": "none"}' });
    const unfit = await ask();
    const cache = redisCache({ url: `redis://127.0.0.1:${redis.port}`, secret: 'a secret of ours' });
    onTestFinished(() => cache.close());
    await new Promise(resolve => setTimeout(resolve, 50));
    expect(await cache.get(requestKey('lab/small', request))).toBeUndefined();
    cache.set(requestKey('lab/small', request), unfit, 60_000);
    await expect.poll(() => cache.get(requestKey('lab/small', request))).toBeDefined();
    server.reply({ text: '{"n": 5}' });
    expect((await ask()).object).toEqual({ n: 5 });
    expect(asked()).toBe(2);
  });
});
