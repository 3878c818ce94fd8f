import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { OrchestratorError } from '../../src/errors.ts';
import { makeFolder, openBench, pipelineOf, startChild, until, watchRejections } from './bench.ts';

const coded = (code: string): unknown => expect.objectContaining({ code });

test('S8 a clock that jumps stretches no wait and makes no duration negative', async () => {
  let ahead = 0;
  const { shell, compile, events } = await openBench({ clock: { now: () => Date.now() + ahead, monotonic: () => performance.now() } });
  const handle = await shell.start(
    await compile(
      '- { id: nap, action: sleep, parameters: { duration: 0.2 } }\n- { id: a, action: do.read, dependencies: [nap], timeout: 5 }\n- { id: again, action: sleep, dependencies: [a], parameters: { duration: 0.1 } }',
      'timeout: 1h',
    ),
  );
  const startedAt = performance.now();
  ahead = -3_600_000;
  await until(async () => (await shell.show(handle.id)).tasks['a']!.status === 'completed');
  ahead = 1_800_000;
  const document = await handle.result();
  expect(document.status).toBe('completed');
  expect(performance.now() - startedAt).toBeLessThan(5000);
  const times = (await events(handle.id)).map(event => event.at);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  for (const task of Object.values(document.tasks)) expect(task.durationMs).toBeGreaterThanOrEqual(0);
});

test('S8 a process that runs out of memory leaves its run to be taken up', async () => {
  const { shell, folder } = await openBench();
  const text = JSON.stringify(pipelineOf('- { id: a, action: do.read, parameters: { gate: go } }'));
  const child = startChild(
    folder,
    `const handle = await shell.start(await compile(${text})); say(handle.id); const hoard = []; for (;;) hoard.push(Array.from({ length: 100000 }, (_, i) => ({ i })));`,
    { flags: ['--max-old-space-size=48'], quiet: true },
  );
  const run = await child.line();
  expect(await child.ended).not.toBe(0);
  writeFileSync(join(folder, 'go'), '');
  expect((await (await shell.resume(run)).result()).status).toBe('completed');
});

test('S8 a rejection that an action leaves unhandled ends the process, not the run', async () => {
  const { shell, folder } = await openBench();
  const text = JSON.stringify(pipelineOf('- { id: a, action: do.read, parameters: { gate: go } }'));
  const child = startChild(
    folder,
    `const handle = await shell.start(await compile(${text})); say(handle.id); process.on('unhandledRejection', () => process.exit(70)); setTimeout(() => Promise.reject(new Error('stray')), 50);`,
  );
  const run = await child.line();
  expect(await child.ended).toBe(70);
  writeFileSync(join(folder, 'go'), '');
  expect((await (await shell.resume(run)).result()).status).toBe('completed');
});

test('S8 close() while tasks run leaves the run to be resumed in a new shell, and tells who waits', async () => {
  watchRejections();
  const folder = makeFolder();
  const first = await openBench({ folder });
  const handle = await first.shell.start(
    await first.compile(
      '- { id: a, action: do.idempotent, parameters: { gate: go } }\n- { id: s, action: sleep, parameters: { duration: 0.3 } }\n- { id: b, action: say, dependencies: [a, s] }',
    ),
  );
  const told = expect(handle.result()).rejects.toEqual(coded('ORC-231'));
  await until(() => first.performed().length > 0);
  await first.shell.close();
  await told;
  await expect(handle.result()).rejects.toEqual(coded('ORC-231'));
  writeFileSync(join(folder, 'go'), '');
  const { shell, performed } = await openBench({ folder });
  expect((await (await shell.resume(handle.id)).result()).status).toBe('completed');
  expect(performed()).toEqual(['a', 'a', 'b']);
});

test('S8 whoever waits while the shell closes gets an answer', async () => {
  watchRejections();
  const { shell, compile } = await openBench();
  const plan = await compile('- { id: a, action: do.read, parameters: { gate: never } }');
  const handle = await shell.start(plan);
  const answers = [shell.close(), handle.cancel(), handle.pause(), handle.result(), shell.start(plan), shell.command(handle.id, { type: 'pause', by: 'me' })];
  const settled = await Promise.allSettled(answers);
  expect(settled).toHaveLength(6);
  expect(settled[0]!.status).toBe('fulfilled');
});

test('S8 after close() everything that is asked ends with a named error', async () => {
  watchRejections();
  const { shell, compile } = await openBench();
  const plan = await compile('- { id: a, action: do.read, parameters: { gate: never } }');
  const handle = await shell.start(plan);
  const reader = (async () => {
    for await (const event of handle.events()) void event;
  })();
  const read = expect(reader).rejects.toBeInstanceOf(OrchestratorError);
  await new Promise(resolve => setTimeout(resolve, 20));
  await shell.close();
  await read;
  for (const ask of [
    () => shell.start(plan),
    () => shell.show(handle.id),
    () => shell.resume(handle.id),
    () => shell.fork(handle.id, { at: 'a' }),
    () => shell.runs(),
    () => handle.result(),
    () => handle.cancel(),
  ]) {
    await expect(ask()).rejects.toBeInstanceOf(OrchestratorError);
  }
  await shell.close();
});
