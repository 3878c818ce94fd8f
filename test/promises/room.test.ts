import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Action } from '../../src/tools/port.ts';
import { openBench, until } from './bench.ts';

/** An action that counts how many of its kind are under way at once. */
function counter(): { action: Action; most(): number } {
  let [now, most] = [0, 0];
  return {
    most: () => most,
    action: {
      name: 'count',
      summary: 'A probe.',
      effect: 'pure',
      powers: [],
      parameters: { type: 'object' },
      result: true,
      async run({ fail }) {
        most = Math.max(most, ++now);
        await new Promise(resolve => setTimeout(resolve, 5));
        now--;
        if (fail === true) throw new Error('it failed');
        return 1;
      },
    },
  };
}

const many = (count: number, more = ''): string => Array.from({ length: count }, (_, i) => `- { id: t${i}, action: count${more} }`).join('\n');

test('S8 a run holds its own limit, and all runs together that of the process', async () => {
  const { action, most } = counter();
  const { shell, compile } = await openBench({ actions: [action], concurrency: 4 });
  const narrow = await compile(many(12), 'concurrency: 2');
  expect((await shell.run(narrow)).status).toBe('completed');
  expect(most()).toBe(2);
  const wide = await compile(many(12));
  const documents = await Promise.all([shell.run(wide), shell.run(wide), shell.run(narrow)]);
  expect(documents.map(document => document.status)).toEqual(['completed', 'completed', 'completed']);
  expect(most()).toBe(4);
});

test('S8 room that a failure, a cancel or a time-out leaves unused is given back', async () => {
  const { action, most } = counter();
  const { shell, compile, folder, performed } = await openBench({ actions: [action], concurrency: 1 });
  const good = await compile(many(2));
  for (let i = 0; i < 3; i++)
    expect((await shell.run(await compile(`- { id: bad, action: count, parameters: { fail: true } }\n${many(3)}`))).status).toBe('failed');
  expect((await shell.run(good)).status).toBe('completed');
  const gated = await shell.start(await compile(`- { id: a, action: do.effectful, parameters: { gate: go } }\n${many(3)}`));
  await until(() => performed().length > 0);
  await gated.cancel();
  expect((await gated.result()).status).toBe('cancelled');
  expect((await shell.run(good)).status).toBe('completed');
  expect(most()).toBe(1);
  expect(folder).not.toBe('');
});

test('S8 pausing and resuming while tasks wait for room neither doubles nor loses any', async () => {
  const { action, most } = counter();
  const { shell, compile, folder, performed } = await openBench({ actions: [action], concurrency: 1 });
  const plan = await compile(
    `- { id: a, action: do.effectful, parameters: { gate: go } }\n${many(4)}\n- { id: ok, action: approval, parameters: { prompt: "?" } }`,
  );
  const handle = await shell.start(plan);
  await until(() => performed().length > 0);
  await handle.pause();
  await shell.resume(handle.id);
  await handle.pause();
  writeFileSync(join(folder, 'go'), '');
  expect((await handle.result()).status).toBe('paused');
  const document = await (await shell.resume(handle.id)).result();
  expect([document.status, document.reason]).toEqual(['waiting', 'approval']);
  expect(Object.values(document.tasks).map(task => task.attempts)).toEqual([1, 1, 1, 1, 1, expect.any(Number)]);
  expect((await shell.run(await compile(many(3)))).status).toBe('completed');
  expect(most()).toBe(1);
});

test('S8 runs take turns for room: a large one does not starve a small one', async () => {
  const order: string[] = [];
  const { shell, compile } = await openBench({
    concurrency: 1,
    actions: [
      {
        name: 'turn',
        summary: 'A probe.',
        effect: 'pure',
        powers: [],
        parameters: { type: 'object' },
        result: true,
        run: async (_, context) => {
          order.push(context.run);
          await new Promise(resolve => setImmediate(resolve));
          return 1;
        },
      },
    ],
  });
  const large = await shell.start(await compile(many(50).replaceAll('count', 'turn')));
  const small = await shell.start(await compile(many(2).replaceAll('count', 'turn')));
  await small.result();
  await large.result();
  expect(order.lastIndexOf(small.id)).toBeLessThan(15);
});

test('S8 loops hold max_parallel', async () => {
  const { action, most } = counter();
  const { shell, compile } = await openBench({ actions: [action] });
  const document = await shell.run(await compile('- id: each\n  for_each: "{{ range(20) }}"\n  max_parallel: 3\n  tasks:\n    - { id: t, action: count }'));
  expect(document.status).toBe('completed');
  expect(most()).toBe(3);
});
