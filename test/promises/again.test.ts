import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeFolder, openBench } from './bench.ts';

const coded = (code: string): unknown => expect.objectContaining({ code });
const CHAIN = `
- { id: a, action: do.effectful, parameters: { value: "{{ n }}" } }
- { id: b, action: do.effectful, parameters: { value: "{{ a.value + 1 }}" } }
- { id: side, action: do.effectful }
- { id: c, action: say, parameters: { value: "{{ b.value }}" } }`;
const N = 'inputs: { n: { type: integer, default: 1 } }';

test('S6 a fork at a task keeps all but it and what depends on it, and the run that it came from stays as it is', async () => {
  const { shell, store, compile, performed } = await openBench();
  const first = await shell.run(await compile(CHAIN, N));
  const before = await store.read(first.run);
  const fork = await (await shell.fork(first.run, { at: 'b' })).result();
  expect(fork).toMatchObject({ status: 'completed', parent: { run: first.run, at: 'b' }, tasks: { a: { output: { value: 1 } }, c: { output: 2 } } });
  expect(performed()).toEqual(expect.arrayContaining(['a', 'b', 'side', 'c', 'b', 'c']));
  expect(performed().filter(path => path === 'a' || path === 'side')).toHaveLength(2);
  expect(await store.read(first.run)).toEqual(before);
  expect(fork.tasks['b']!.output).toMatchObject({ key: `${fork.run}/b` });
});

test('S6 a fork at a sequence number keeps what had settled by then', async () => {
  const { shell, compile, events, performed } = await openBench();
  const first = await shell.run(await compile(CHAIN, N));
  const journal = await events(first.run);
  const at = journal.findIndex(event => event.type === 'task.completed' && event.slot === 0) + 1;
  const fork = await (await shell.fork(first.run, { at })).result();
  expect(fork.status).toBe('completed');
  expect(performed().filter(path => path === 'a')).toHaveLength(1);
  expect(performed().filter(path => path === 'b')).toHaveLength(2);
  const whole = await (await shell.fork(first.run, { at: journal.length })).result();
  expect(whole).toMatchObject({ status: 'completed', tasks: { c: { output: 2 } } });
  expect(performed().filter(path => path === 'c')).toHaveLength(2);
  await expect(shell.fork(first.run, { at: 'nobody' })).rejects.toEqual(coded('ORC-508'));
});

test('S6 a fork with other inputs, results and parameters sees them, and says so', async () => {
  const { shell, compile } = await openBench();
  const { run } = await shell.run(await compile(CHAIN, N));
  const fork = async (at: string, set: { [path: string]: number }): Promise<unknown> => {
    const { tasks, inputs } = await (await shell.fork(run, { at, set })).result();
    return [inputs['n'], (tasks['a']!.output as { value: number }).value, (tasks['b']!.output as { value: number }).value, tasks['c']!.output];
  };
  expect(await fork('a', { 'inputs.n': 10 })).toEqual([10, 10, 11, 11]);
  expect(await fork('b', { 'a.output.value': 20 })).toEqual([1, 20, 21, 21]);
  expect(await fork('b', { 'b.parameters.value': 30 })).toEqual([1, 1, 30, 30]);
  await expect(shell.fork(run, { at: 'b', set: { 'b.nothing': 1 } })).rejects.toEqual(coded('ORC-518'));
  await expect(shell.fork(run, { at: 'b', set: { 'nobody.output': 1 } })).rejects.toEqual(coded('ORC-508'));
});

test('S6 a fork inside a loop runs that part of that iteration again, and what depends on it', async () => {
  const { shell, compile, performed } = await openBench();
  const first = await shell.run(
    await compile(`
- id: each
  for_each: "{{ [1, 2, 3] }}"
  tasks:
    - { id: x, action: do.effectful, parameters: { value: "{{ item }}" } }
    - { id: y, action: say, parameters: { value: "{{ x.value * 10 }}" } }
- { id: end, action: say, parameters: { value: "{{ each.items | map(attribute='y') | sum }}" } }`),
  );
  expect(first.tasks['end']!.output).toBe(60);
  const before = performed().length;
  const fork = await (await shell.fork(first.run, { at: 'each[1]/y', set: { 'each[1]/y.parameters.value': 0 } })).result();
  expect(fork).toMatchObject({ status: 'completed', tasks: { end: { output: 40 } } });
  expect(performed().slice(before)).toEqual(['each[1]/y', 'end']);
});

test('S6 retry of a loop and of a group runs only the parts that failed', async () => {
  const { shell, compile, folder, performed } = await openBench();
  const first = await shell.run(
    await compile(`
- id: each
  for_each: "{{ [1, 2, 3] }}"
  max_parallel: 3
  tasks:
    - { id: x, action: do.effectful, parameters: { value: "{{ item }}" } }
    - { id: y, action: fail.until, condition: "{{ item == 2 }}", dependencies: [x], parameters: { file: there } }
- id: grp
  parallel:
    - { id: good, action: do.effectful }
    - { id: bad, action: fail.until, parameters: { file: there } }
- { id: end, action: say, dependencies: [each, grp] }`),
  );
  expect(first.status).toBe('failed');
  const before = performed().length;
  writeFileSync(join(folder, 'there'), '');
  const again = await (await shell.retry(first.run)).result();
  expect(again.status).toBe('completed');
  expect(performed().slice(before).sort()).toEqual(['each[1]/y', 'end', 'grp/bad']);
  expect(again.tasks['each']!.output).toMatchObject({ count: 3, items: [{ x: { value: 1 } }, { y: expect.anything() as object }, { x: { value: 3 } }] });
});

test('S6 a cancelled run is taken up by retry where it stopped', async () => {
  const { shell, compile, folder, performed } = await openBench();
  const handle = await shell.start(
    await compile(
      '- { id: a, action: do.effectful }\n- { id: b, action: do.idempotent, dependencies: [a], parameters: { gate: go } }\n- { id: c, action: say, dependencies: [b] }',
    ),
  );
  while (performed().length < 2) await new Promise(resolve => setTimeout(resolve, 5));
  await handle.cancel();
  expect((await handle.result()).status).toBe('cancelled');
  writeFileSync(join(folder, 'go'), '');
  expect((await (await shell.retry(handle.id)).result()).status).toBe('completed');
  expect(performed()).toEqual(['a', 'b', 'b', 'c']);
});

test('S6 a kept result is given again over runs and processes, until its time is over, and costs nothing', async () => {
  const folder = makeFolder();
  let now = Date.now();
  const clock = { now: () => now, monotonic: () => performance.now() };
  const first = await openBench({ folder, clock });
  const tasks =
    '- { id: a, action: do.read, cache: { key: "{{ n }}", ttl: 1h }, parameters: { value: "{{ n }}" } }\n- { id: f, action: fail.until, cache: { key: f, ttl: 1h }, parameters: { file: there }, on_failure: continue }';
  const run = async (bench: typeof first, n: number): Promise<[boolean, number]> => {
    const document = await bench.shell.run(await bench.compile(tasks, N), { n });
    return [document.tasks['a']!.cached, (document.tasks['a']!.output as { value: number }).value];
  };
  expect(await run(first, 1)).toEqual([false, 1]);
  expect(await run(first, 1)).toEqual([true, 1]);
  expect(await run(first, 2)).toEqual([false, 2]);
  await first.shell.close();
  const second = await openBench({ folder, clock });
  expect(await run(second, 1)).toEqual([true, 1]);
  now += 3_700_000;
  expect(await run(second, 1)).toEqual([false, 1]);
  // A failure is never kept.
  expect(second.performed().filter(path => path === 'f')).toHaveLength(5);
});

test('S6 a cache that cannot be written or read costs its use, not the task', async () => {
  const broken = async (): Promise<never> => {
    throw new Error('the cache is gone');
  };
  const { shell, compile, performed } = await openBench({ faults: () => ({ cached: broken, putCached: broken }) });
  const document = await shell.run(await compile('- { id: a, action: do.effectful, cache: { key: k } }'));
  expect(document.tasks['a']).toMatchObject({ status: 'completed', cached: false });
  expect(performed()).toEqual(['a']);
});

test('S8 until runs a task and what it needs, and resume does the rest', async () => {
  const { shell, compile, performed } = await openBench();
  const first = await shell.run(await compile(CHAIN, N), {}, { until: 'b' });
  expect([first.status, first.reason]).toEqual(['paused', 'until']);
  expect(performed()).toEqual(['a', 'b']);
  expect((await (await shell.resume(first.run)).result()).status).toBe('completed');
  expect(performed().slice(0, 2)).toEqual(['a', 'b']);
  expect(performed().slice(2).sort()).toEqual(['c', 'side']);
  await expect(shell.run(await compile(CHAIN, N), {}, { until: 'nobody' })).rejects.toEqual(coded('ORC-201'));
});

test('S2 a mocked task performs nothing, in loops too, and its result is checked like any other', async () => {
  const { shell, compile, performed } = await openBench();
  const document = await shell.run(
    await compile(`${CHAIN}\n- id: each\n  for_each: "{{ [1, 2] }}"\n  tasks:\n    - { id: x, action: do.effectful }`, N),
    {},
    { mocks: { a: { value: 41 }, 'each[1]/x': 'mocked', side: null } },
  );
  expect(document).toMatchObject({ status: 'completed', tasks: { a: { output: { value: 41 } }, c: { output: 42 }, 'each[1]/x': { output: 'mocked' } } });
  expect(performed().sort()).toEqual(['b', 'c', 'each[0]/x']);
});
