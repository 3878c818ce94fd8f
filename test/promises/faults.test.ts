import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { OrchestratorError } from '../../src/errors.ts';
import { openModels } from '../../src/models/index.ts';
import type { Store } from '../../src/store/index.ts';
import { startModelServer } from '../support/model-server.ts';
import { makeFolder, openBench, until, watchRejections } from './bench.ts';

const coded = (code: string): unknown => expect.objectContaining({ code });
const full = (): OrchestratorError => new OrchestratorError('ORC-512', 'the disk is full', { class: 'storage', retryable: true });
const broken = (): OrchestratorError => new OrchestratorError('ORC-501', 'the disk failed', { class: 'storage' });

/** Faults that begin with the commit that holds an event of a kind, and last until `mend`. */
function failingAt(
  type: string,
  fail: (commit: () => ReturnType<Store['commit']>) => ReturnType<Store['commit']>,
  times = Infinity,
): { faults: (store: Store) => Partial<Store>; mend(): void } {
  let left = times;
  let begun = false;
  return {
    mend: () => void (left = 0),
    faults: store => ({
      commit: batches => {
        begun ||= batches.some(({ events }) => events.some(event => event.type === type));
        if (!begun || left <= 0) return store.commit(batches);
        left--;
        return fail(() => store.commit(batches));
      },
    }),
  };
}

const CHAIN = '- { id: a, action: do.idempotent }\n- { id: b, action: do.effectful, dependencies: [a] }\n- { id: c, action: say, dependencies: [b] }';

test.each([
  [
    'throws before the commit',
    () => {
      throw broken();
    },
  ],
  [
    'throws after the commit',
    (commit: () => unknown) => {
      commit();
      throw broken();
    },
  ],
  [
    'rejects',
    async () => {
      throw broken();
    },
  ],
  ['says `unknown`, and has committed', async (commit: () => ReturnType<Store['commit']>) => (await commit()).map(() => 'unknown' as const)],
  ['says `unknown`, and has not', () => ['unknown' as const]],
] as const)(
  'S4 S8 a store that %s in the middle: the handle rejects with the named error, and the run is resumed without a second effect in silence',
  async (_name, fail) => {
    watchRejections();
    const fault = failingAt('task.completed', fail as never, 1);
    const { shell, compile, performed, store, events } = await openBench(fault);
    const handle = await shell.start(await compile(CHAIN));
    await expect(handle.result()).rejects.toEqual(coded('ORC-501'));
    fault.mend();
    await until(async () => (await store.run(handle.id))!.owner === null);
    const resumed = await shell.resume(handle.id);
    // The lost commit may hold the intent of an effect that was never handed out: nobody can know, so a person is asked.
    if ((await resumed.result()).reason === 'needs_attention')
      await shell.command(handle.id, { type: 'settle', task: 'b', as: 'retry', value: null, by: 'me' });
    expect((await resumed.result()).status).toBe('completed');
    expect(performed().filter(path => path === 'b')).toHaveLength(1);
    expect((await events(handle.id)).filter(event => event.type === 'task.completed')).toHaveLength(3);
  },
);

test('S9 an effect whose result could not be written is in doubt when the run is resumed', async () => {
  watchRejections();
  let slot = -1;
  const { shell, compile, performed } = await openBench({
    faults: store => ({
      commit: batches => {
        if (slot < 0 && batches.some(({ events }) => events.some(event => event.type === 'task.completed' && event.slot === 1))) {
          slot = 1;
          throw broken();
        }
        return store.commit(batches);
      },
    }),
  });
  const handle = await shell.start(await compile(CHAIN));
  await expect(handle.result()).rejects.toEqual(coded('ORC-501'));
  const document = await (await shell.resume(handle.id)).result();
  expect([document.status, document.reason]).toEqual(['waiting', 'needs_attention']);
  expect(performed()).toEqual(['a', 'b']);
});

test('S8 a disk that is full for a moment stops nothing and repeats nothing', async () => {
  const { shell, compile, performed } = await openBench(
    failingAt(
      'task.completed',
      () => {
        throw full();
      },
      2,
    ),
  );
  expect((await shell.run(await compile(CHAIN))).status).toBe('completed');
  expect(performed()).toEqual(['a', 'b', 'c']);
});

test('S8 a disk that stays full ends the wait with ORC-512; reading goes on, and once there is room the run is paused until a person resumes it', async () => {
  watchRejections();
  const fault = failingAt('task.completed', () => {
    throw full();
  });
  const { shell, compile, store, performed } = await openBench(fault);
  const handle = await shell.start(await compile(CHAIN));
  await expect(handle.result()).rejects.toEqual(coded('ORC-512'));
  expect((await shell.show(handle.id)).tasks['a']!.status).toBe('running');
  expect(await shell.runs()).toHaveLength(1);
  fault.mend();
  await until(async () => (await store.run(handle.id))!.owner === null);
  expect(await store.run(handle.id)).toMatchObject({ status: 'paused', reason: 'needs_attention' });
  expect(await shell.resumeAll()).toEqual([]);
  expect((await (await shell.resume(handle.id)).result()).status).toBe('completed');
  expect(performed()).toEqual(['a', 'a', 'b', 'c']);
});

test('S8 one run that cannot be written does not stop the others', async () => {
  watchRejections();
  let doomed = '';
  const { shell, folder, compile } = await openBench({
    faults: store => ({
      commit: batches =>
        batches.flatMap(batch =>
          batch.run === doomed && batch.events.some(event => event.type === 'task.completed') ? ['fenced' as const] : (store.commit([batch]) as 'ok'[]),
        ),
    }),
  });
  const plan = await compile('- { id: a, action: do.read, parameters: { gate: go } }\n- { id: b, action: say, dependencies: [a] }');
  const handles = [await shell.start(plan), await shell.start(plan)];
  doomed = handles[0]!.id;
  writeFileSync(join(folder, 'go'), '');
  await expect(handles[0]!.result()).rejects.toEqual(coded('ORC-511'));
  expect((await handles[1]!.result()).status).toBe('completed');
});

const WAITING_FOR_BIG = `
- { id: big, action: say, parameters: { value: "{{ 'x' * 200000 }}" } }
- { id: ok, action: approval, dependencies: [big], parameters: { prompt: "?" } }
- { id: use, action: say, dependencies: [ok], parameters: { value: "{{ big | length }}" } }
- { id: guarded, action: do.effectful, dependencies: [ok], condition: "{{ big | length > 3 }}" }`;
const late = <T>(value: T, ms = 5): Promise<T> => new Promise(resolve => setTimeout(() => resolve(value), ms));

/** A run that needs a large value once it is approved, in a folder where nobody drives it. */
async function approved(): Promise<{ folder: string; run: string }> {
  const folder = makeFolder();
  const { shell, compile } = await openBench({ folder });
  const { run } = await shell.run(await compile(WAITING_FOR_BIG));
  await shell.close();
  const other = await openBench({ folder });
  await other.shell.command(run, { type: 'approve', task: 'ok', choice: 'approve', by: 'me', comment: null });
  await other.shell.close();
  return { folder, run };
}

test.each([
  ['at once', (): undefined => undefined],
  ['late', (): never => late(undefined) as never],
])('S5 a large value that is missing, told %s, is named, and nothing goes on with something else in its place', async (_name, blob) => {
  watchRejections();
  const { folder, run } = await approved();
  const { shell, performed } = await openBench({ folder, faults: () => ({ blob }) });
  await expect((async () => (await shell.resume(run)).result())()).rejects.toEqual(coded('ORC-504'));
  expect(performed()).toEqual(['big']);
});

test('S8 values that come late from the store are waited for', async () => {
  watchRejections();
  const { folder, run } = await approved();
  const { shell } = await openBench({
    folder,
    faults: store => ({
      blob: hash => late(store.blob(hash)) as never,
      commit: batches => late(store.commit(batches)) as never,
      read: (...range) => late(store.read(...range)) as never,
      inbox: run => late(store.inbox(run)) as never,
    }),
  });
  const document = await (await shell.resume(run)).result();
  expect(document).toMatchObject({ status: 'completed', tasks: { use: { output: 200_000 }, guarded: { status: 'completed' } } });
});

test('S4 a value that arrives when the shell has been closed moves nothing', async () => {
  watchRejections();
  const { folder, run } = await approved();
  let [closed, after] = [false, 0];
  const { shell } = await openBench({
    folder,
    faults: store => ({
      blob: hash => late(store.blob(hash), 60) as never,
      commit: batches => {
        if (closed) after++;
        return store.commit(batches);
      },
    }),
  });
  const handle = await shell.resume(run);
  await shell.close();
  closed = true;
  await late(null, 120);
  expect(after).toBe(0);
  await expect(handle.result()).rejects.toEqual(coded('ORC-231'));
});

test('S8 an order that is read twice before it is answered counts once', async () => {
  const { shell, compile, events } = await openBench({ faults: store => ({ inbox: run => late(store.inbox(run), 300) as never }) });
  const { run } = await shell.run(
    await compile(
      '- { id: a, action: signal.wait, parameters: { name: go } }\n- { id: b, action: signal.wait, dependencies: [a], parameters: { name: go } }\n- { id: c, action: do.read, dependencies: [a], parameters: { gate: never } }',
    ),
  );
  await late(null, 200);
  await shell.command(run, { type: 'signal', name: 'go', payload: 1, by: 'me' });
  await late(null, 800);
  expect((await events(run)).filter(event => event.type === 'signal.received')).toHaveLength(1);
  expect((await shell.show(run)).tasks['b']!.status).toBe('waiting');
});

test('S5 S12 what comes in while a commit is under way goes into the next one whole: large values, costs, orders', async () => {
  const folder = makeFolder();
  const { shell, compile } = await openBench({
    folder,
    faults: store => ({
      commit: async batches => {
        await new Promise(resolve => setTimeout(resolve, 15));
        const copy = structuredClone(batches);
        await new Promise(resolve => setTimeout(resolve, 15));
        return store.commit(copy);
      },
    }),
    actions: [
      {
        name: 'large',
        summary: 'A probe.',
        effect: 'pure',
        powers: [],
        parameters: { type: 'object' },
        result: true,
        run: async ({ i }) => {
          await new Promise(resolve => setTimeout(resolve, 4 * Number(i)));
          return `${String(i)} `.repeat(50_000);
        },
      },
    ],
  });
  const { run, status } = await shell.run(
    await compile(Array.from({ length: 30 }, (_, i) => `- { id: t${i}, action: large, parameters: { i: ${i} } }`).join('\n')),
  );
  expect(status).toBe('completed');
  const fresh = await openBench({ folder });
  expect(Object.values((await fresh.shell.show(run)).tasks).map(task => (task.output as string).split(' ')[0])).toEqual(
    Array.from({ length: 30 }, (_, i) => String(i)),
  );
});

test('S8 an action that hangs and ignores its signal is left behind at its time-out', async () => {
  const { shell, compile } = await openBench();
  const document = await shell.run(
    await compile(
      '- { id: a, action: hang, timeout: 0.05, on_failure: continue }\n- { id: b, action: say, dependencies: [a], parameters: { value: "{{ a.error.code }}" } }',
    ),
  );
  expect(document).toMatchObject({
    status: 'failed',
    tasks: { a: { status: 'failed', timedOut: true, error: { code: 'ORC-218', class: 'timeout' } }, b: { output: 'ORC-218' } },
  });
});

test('S8 a cancel, or the end of the run, does not wait for a model that says nothing', async () => {
  const server = await startModelServer();
  onTestFinished(() => server.close());
  server.respond(() => ({ fault: 'hang' }));
  const folder = makeFolder();
  const { shell, compile } = await openBench({
    folder,
    models: openModels(
      { default: 'lab/small', providers: { lab: { type: 'openai-compatible', base_url: server.url, api_key: 'sk-lab' } } },
      { env: {}, folder },
    ),
  });
  const plan = await compile(
    '- { id: asked, action: say, parameters: { value: <AUTO>what?</AUTO> } }\n- { id: told, action: generate_text, parameters: { prompt: hello } }',
  );
  const startedAt = performance.now();
  const handle = await shell.start(plan);
  await until(() => server.requests.length === 2);
  await handle.cancel();
  expect((await handle.result()).status).toBe('cancelled');
  const broken = await shell.run(
    await compile('- { id: asked, action: say, parameters: { value: <AUTO>what?</AUTO> } }\n- { id: bad, action: fail, parameters: { message: no } }'),
  );
  expect(broken).toMatchObject({ status: 'failed', tasks: { asked: { status: 'cancelled' } } });
  expect(performance.now() - startedAt).toBeLessThan(2500);
});

test('S8 a signal of the caller cancels, also one that was given before', async () => {
  watchRejections();
  const { shell, compile } = await openBench();
  const plan = await compile('- { id: a, action: do.read, parameters: { gate: never } }');
  const late = new AbortController();
  const handle = await shell.start(plan, {}, { signal: late.signal });
  late.abort();
  expect((await handle.result()).status).toBe('cancelled');
  expect((await shell.run(plan, {}, { signal: AbortSignal.abort() })).status).toBe('cancelled');
});

test('S8 what an action throws, returns or leaves behind fails its task and nothing else', async () => {
  watchRejections();
  const cyclic: { [key: string]: unknown } = {};
  cyclic['self'] = cyclic;
  let deep: unknown = 1;
  for (let i = 0; i < 50_000; i++) deep = [deep];
  let deeper: unknown = 1;
  for (let i = 0; i < 1200; i++) deeper = [deeper];
  const results: { [name: string]: () => unknown } = {
    cyclic: () => cyclic,
    deep: () => deep,
    deeper: () => deeper,
    big: () => 10n,
    text: () => Promise.reject('a text'),
    nothing: () => Promise.reject(),
    odd: () => ({ a: undefined, b: NaN, c: new Date(0), d: () => 1 }),
    frozen: () => Object.freeze({ a: Object.freeze([1]) }),
    getter: () => ({
      get a() {
        throw new Error('a getter');
      },
    }),
  };
  const { shell, compile } = await openBench({
    actions: [
      {
        name: 'give',
        summary: 'A probe.',
        effect: 'pure',
        powers: [],
        parameters: { type: 'object' },
        result: true,
        run: ({ what }) => results[String(what)]!() as never,
      },
    ],
  });
  const document = await shell.run(
    await compile(
      Object.keys(results)
        .map(what => `- { id: t_${what}, action: give, on_failure: continue, parameters: { what: ${what} } }`)
        .join('\n'),
    ),
  );
  const codes = Object.fromEntries(Object.keys(results).map(what => [what, document.tasks[`t_${what}`]!.error?.code ?? document.tasks[`t_${what}`]!.output]));
  expect(codes).toEqual({
    cyclic: 'ORC-216',
    deep: 'ORC-216',
    deeper: 'ORC-604',
    big: 'ORC-216',
    text: 'ORC-216',
    nothing: 'ORC-216',
    odd: { b: null, c: '1970-01-01T00:00:00.000Z' },
    frozen: { a: [1] },
    getter: 'ORC-216',
  });
});

test('S8 huge results and lists pass through', { timeout: 60_000 }, async () => {
  const { shell, store, compile } = await openBench({
    actions: [
      {
        name: 'huge',
        summary: 'A probe.',
        effect: 'pure',
        powers: [],
        parameters: { type: 'object' },
        result: true,
        run: () => ({ text: 'ä'.repeat(10_000_000), list: Array.from({ length: 100_000 }, (_, i) => ({ i })) }),
      },
    ],
  });
  const document = await shell.run(
    await compile('- { id: a, action: huge }\n- { id: b, action: say, parameters: { value: "{{ [a.text | length, a.list | length, a.list[99999].i] }}" } }'),
  );
  expect(document.tasks['b']!.output).toEqual([10_000_000, 100_000, 99_999]);
  const folded = await shell.show(document.run);
  expect((folded.tasks['a']!.output as { list: unknown[] }).list).toHaveLength(100_000);
  expect(await store.verify()).toEqual([]);
});

test('S8 an action that blocks the event loop holds up the others and loses nothing', async () => {
  const { shell, compile } = await openBench({
    actions: [
      {
        name: 'block',
        summary: 'A probe.',
        effect: 'pure',
        powers: [],
        parameters: { type: 'object' },
        result: true,
        run: () => {
          for (const end = Date.now() + 700; Date.now() < end;);
          return 1;
        },
      },
    ],
  });
  const document = await shell.run(
    await compile('- { id: a, action: block }\n- { id: s, action: sleep, parameters: { duration: 0.1 } }\n- { id: b, action: say, dependencies: [s] }'),
  );
  expect(document.status).toBe('completed');
});
