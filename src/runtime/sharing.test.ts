import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import { makeFolder } from '../../test/promises/bench.ts';
import { startModelServer, type ModelServer } from '../../test/support/model-server.ts';
import type { LimitState } from '../models/index.ts';
import { MemoryHub, MemoryStore } from '../store/index.ts';
import { openShell } from './open.ts';
import { modelKeeper, sharedLimits } from './sharing.ts';

/** A process takes its time to start on a busy machine. */
const PATIENT = { timeout: 15_000 };

interface Child {
  process: ChildProcess;
  /** Has it ask; how many answers and failures there were. */
  go(): Promise<{ answers: number; failures: string[] }>;
}

interface Place {
  folder: string;
  server: ModelServer;
  /** Arrival of each request for `lab/small` at the server. */
  times: number[];
  /** A process that is ready to ask `lab/small` so many times at once: all that it has to load is loaded. */
  asking(calls: number): Promise<Child>;
}

async function place(limits: string): Promise<Place> {
  const folder = makeFolder();
  const server = await startModelServer();
  onTestFinished(() => server.close());
  writeFileSync(
    join(folder, 'orchestrator.config.yaml'),
    `models:\n  providers: { lab: { type: openai-compatible, base_url: "${server.url}" } }\n  catalog: [ { id: lab/small, limits: { ${limits} } } ]\n`,
  );
  const times: number[] = [];
  server.respond(({ body }) => {
    if (body['model'] === 'small') times.push(performance.now());
    return 'fine';
  });
  const asking = async (calls: number): Promise<Child> => {
    const script = `
      import { once } from 'node:events';
      import { openShell } from ${JSON.stringify(new URL('open.ts', import.meta.url).href)};
      const shell = await openShell({ cwd: ${JSON.stringify(folder)}, env: {} });
      const { signal } = new AbortController();
      const ask = id => shell.shop.models.get(id).generate({ messages: [{ role: 'user', content: 'hi' }], maxTokens: 1 }, { signal });
      await ask('lab/other').catch(() => {});
      console.log('"ready"');
      await once(process.stdin, 'data');
      process.stdin.destroy();
      const results = await Promise.allSettled(Array.from({ length: ${calls} }, () => ask('lab/small')));
      const failures = results.flatMap(({ reason }) => (reason === undefined ? [] : [reason.code]));
      await shell.close();
      console.log(JSON.stringify({ answers: results.length - failures.length, failures }));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const line = async (): Promise<unknown> => {
      const { value, done } = await lines.next();
      return done === true ? undefined : (JSON.parse(value) as unknown);
    };
    expect(await line()).toBe('ready');
    return {
      process: child,
      async go() {
        child.stdin.write('go');
        return (await line()) as { answers: number; failures: string[] };
      },
    };
  };
  return { folder, server, times, asking };
}

/** Processes that ask at the same time. */
async function together({ asking }: Place, ...calls: number[]): Promise<unknown[]> {
  const children = await Promise.all(calls.map(asking));
  return Promise.all(children.map(child => child.go()));
}

/** How often `lab/small` was asked. */
function askedOf({ server }: Place): number {
  return server.requests.filter(({ body }) => body['model'] === 'small').length;
}

test('requests a minute hold over three processes together', async () => {
  const here = await place('requests_per_minute: 600');
  const all = { answers: 30, failures: [] };
  expect(await together(here, 30, 30, 30)).toEqual([all, all, all]);
  // Sixty may go at once, and then one every 111 ms. Alone, each process would have let all of its own go at once.
  const { times } = here;
  expect(times).toHaveLength(90);
  expect(times.at(-1)! - times[0]!).toBeGreaterThan(2000);
});

test('no more calls than places at once over three processes, and each has its turn', async () => {
  const here = await place('concurrency: 2');
  let under = 0;
  let most = 0;
  here.server.respond(({ body }) => {
    if (body['model'] !== 'small') return 'fine';
    most = Math.max(most, ++under);
    setTimeout(() => under--, 18);
    return { text: 'fine', delayMs: 20 };
  });
  const all = { answers: 8, failures: [] };
  expect(await together(here, 8, 8, 8)).toEqual([all, all, all]);
  expect(most).toBe(2);
});

test('the places of a process that was killed come free at once', async () => {
  const here = await place('concurrency: 1');
  const [first, second] = await Promise.all([here.asking(1), here.asking(1)]);
  here.server.reply({ fault: 'hang' });
  void first.go();
  await expect.poll(() => askedOf(here), PATIENT).toBe(1);
  const outcome = second.go();
  await new Promise(resolve => setTimeout(resolve, 400));
  expect(askedOf(here)).toBe(1);
  first.process.kill('SIGKILL');
  await once(first.process, 'exit');
  const killedAt = performance.now();
  expect(await outcome).toEqual({ answers: 1, failures: [] });
  expect(performance.now() - killedAt).toBeLessThan(5000);
});

test.each([
  ['asks one process to wait', { status: 429, headers: { 'retry-after-ms': '1500' }, body: {} }, 'ORC-601'],
  [
    'says that nothing is left',
    { text: 'fine', headers: { 'x-ratelimit-limit-requests': '60', 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '1500ms' } },
    undefined,
  ],
])('a service that %s is left alone by all', async (_what, answer, code) => {
  const here = await place('concurrency: 100');
  const [first, second] = await Promise.all([here.asking(1), here.asking(3)]);
  here.server.reply(answer);
  const told = first.go();
  await expect.poll(() => askedOf(here), PATIENT).toBe(1);
  const toldAt = performance.now();
  expect((await told).failures).toEqual(code === undefined ? [] : [code]);
  expect(await second.go()).toEqual({ answers: 3, failures: [] });
  expect(here.times[0]! - toldAt).toBeGreaterThan(1000);
});

test('a circuit that one process opened is open for the others, and after a restart', async () => {
  const here = await place('concurrency: 1');
  const open = async () => {
    const shell = await openShell({ cwd: here.folder, env: {} });
    onTestFinished(() => shell.close());
    return shell.shop.models;
  };
  const before = await open();
  expect(before.describe('lab/small')).toMatchObject({ circuit: 'closed', record: { calls: 0 } });
  here.server.respond(() => ({ status: 500, body: {} }));
  expect(await together(here, 5)).toEqual([{ answers: 0, failures: Array.from({ length: 5 }, () => 'ORC-404') }]);
  expect((await open()).describe('lab/small')).toMatchObject({ circuit: 'open', record: { calls: 5, failure: { kind: 'network' } } });
  await expect.poll(() => before.describe('lab/small').circuit, PATIENT).toBe('open');
  expect(await together(here, 2)).toEqual([{ answers: 0, failures: ['ORC-404', 'ORC-404'] }]);
  expect(askedOf(here)).toBe(5);
});

const STATE: LimitState = { atMs: 5, blockedUntilMs: 0, leases: {} };
const broken = {
  change: (): never => {
    throw new Error('the disk is full');
  },
  list: (): never => {
    throw new Error('the disk is gone');
  },
};

test('where nothing can be shared each process counts for itself, and learns by itself', async () => {
  const limits = sharedLimits({ shared: broken, owner: 'own_1', alive: async () => true });
  const bump = (atMs: number) => limits.change(['x'], ([before]) => ({ states: [{ ...STATE, atMs }], result: before?.atMs }));
  expect([bump(5), bump(6)]).toEqual([undefined, 5]);
  const late = sharedLimits({ shared: { ...broken, change: () => Promise.reject(new Error('gone')) }, owner: 'own_1', alive: async () => true });
  expect(await late.change(['x'], () => ({ states: [STATE], result: 'done' }))).toBe('done');
  const keeper = modelKeeper({ shared: broken });
  expect(await keeper.load()).toEqual({ models: {}, turns: {} });
  keeper.save({ models: {}, turns: { x: 1 } });
});

test('only leases of the dead are swept', async () => {
  const hub = new MemoryHub();
  const [mine, other] = [new MemoryStore('own_1', hub), new MemoryStore('own_2', hub)];
  const limits = sharedLimits(mine);
  const leases = { 'own_1/a': 1e15, 'own_2/b': 1e15, 'own_3/c': 1e15 };
  await limits.change(['x', 'y'], () => ({ states: [{ ...STATE, leases }, STATE], result: undefined }));
  const left = () => limits.change(['x'], ([state]) => ({ states: [state!], result: Object.keys(state!.leases) }));
  expect(await limits.sweep!(['x', 'y', 'z'])).toBe(true);
  expect(await left()).toEqual(['own_1/a', 'own_2/b']);
  expect(await limits.sweep!(['x'])).toBe(false);
  await other.close();
  expect(await limits.sweep!(['x'])).toBe(true);
  expect(await left()).toEqual(['own_1/a']);
});

test('of what two processes learned of a model the newest stands, and of turns the most', async () => {
  const { shared } = new MemoryStore('own_1');
  const keeper = modelKeeper({ shared });
  const learned = (atMs: number) => ({ atMs, health: { calls: atMs }, breaker: {} }) as never;
  keeper.save({ models: { m: learned(2) }, turns: { t: 3 } });
  keeper.save({ models: { m: learned(1), n: learned(7) }, turns: { t: 2, u: 1 } });
  expect(await keeper.load()).toEqual({ models: { m: learned(2), n: learned(7) }, turns: { t: 3, u: 1 } });
  const slow = modelKeeper({ shared: { change: async (_keys, work) => work([]).result, list: async () => ({ 'model/m': 1 }) } });
  slow.save({ models: {}, turns: { x: 1 } });
  expect(Object.keys((await slow.load()).models)).toHaveLength(1);
});
