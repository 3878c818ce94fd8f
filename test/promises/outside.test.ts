import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeFolder, openBench, pipelineOf, startChild, until } from './bench.ts';

const coded = (code: string): unknown => expect.objectContaining({ code });

/** A process that drives a pipeline to its end, and this one, which meddles with it. */
async function withOwner(tasks: string, head = '') {
  const folder = makeFolder();
  const child = startChild(
    folder,
    `
    const handle = await shell.start(await compile(${JSON.stringify(pipelineOf(tasks, head))})); say(handle.id);
    for (;;) { const { status, reason } = await handle.result(); say(status + (reason === null ? '' : ' ' + reason)); if (status !== 'waiting' && status !== 'paused') break; await new Promise(resolve => { const timer = setInterval(async () => { if ((await store.run(handle.id)).status !== status) { clearInterval(timer); resolve(); } }, 20); }); }
    await shell.close();`,
  );
  const run = await child.line();
  return { ...(await openBench({ folder })), run, child };
}

test('S8 another process cancels: what runs is stopped, and the run ends cancelled', async () => {
  const { shell, run, child, performed } = await withOwner(
    '- { id: a, action: do.effectful, parameters: { gate: never } }\n- { id: b, action: say, dependencies: [a] }',
  );
  await until(() => performed().length > 0);
  await shell.command(run, { type: 'cancel', by: 'me' });
  expect(await child.line()).toBe('cancelled requested');
  expect(performed()).toEqual(['a']);
});

test('S8 another process pauses and resumes', async () => {
  const { shell, run, child, folder, performed } = await withOwner(
    '- { id: a, action: do.effectful, parameters: { gate: go } }\n- { id: b, action: say, dependencies: [a] }',
  );
  await until(() => performed().length > 0);
  await shell.command(run, { type: 'pause', by: 'me' });
  await until(async () => (await shell.show(run)).status === 'paused');
  writeFileSync(join(folder, 'go'), '');
  expect(await child.line()).toBe('paused requested');
  expect(performed()).toEqual(['a']);
  const handle = await shell.resume(run);
  expect(await child.line()).toBe('completed');
  expect((await handle.result()).status).toBe('completed');
  expect(performed()).toEqual(['a', 'b']);
});

test('S8 another process approves and sends signals; each order counts once', async () => {
  const { shell, run, child, folder, events } = await withOwner(`
- { id: ok, action: approval, parameters: { prompt: "?" } }
- { id: one, action: signal.wait, dependencies: [ok], parameters: { name: paid } }
- { id: two, action: signal.wait, dependencies: [one], parameters: { name: paid } }`);
  expect(await child.line()).toBe('waiting approval');
  await expect(shell.command(run, { type: 'approve', task: 'ok', choice: 'perhaps', by: 'me', comment: null })).rejects.toEqual(coded('ORC-508'));
  // Both come in one look of the owner, which has parked the run.
  await shell.command(run, { type: 'approve', task: 'ok', choice: 'approve', by: 'me', comment: null });
  await shell.command(run, { type: 'signal', name: 'paid', payload: 1, by: 'me' });
  await until(async () => (await shell.show(run)).tasks['one']!.status === 'completed');
  await new Promise(resolve => setTimeout(resolve, 600));
  expect((await shell.show(run)).tasks['two']!.status).toBe('waiting');
  await shell.command(run, { type: 'signal', name: 'paid', payload: 2, by: 'me' });
  await until(async () => (await shell.show(run)).status === 'completed');
  expect((await events(run)).filter(event => event.type === 'signal.received')).toHaveLength(2);
  expect((await shell.show(run)).tasks['two']!.output).toBe(2);
  expect(folder).not.toBe('');
});

test('S9 another process settles a doubt', async () => {
  const folder = makeFolder();
  const first = startChild(
    folder,
    `const handle = await shell.start(await compile(${JSON.stringify(pipelineOf('- { id: a, action: do.effectful, parameters: { gate: never } }'))})); say(handle.id);`,
  );
  const run = await first.line();
  const { shell, performed } = await openBench({ folder });
  await until(() => performed().length > 0);
  await first.kill();
  const heir = startChild(
    folder,
    `const handle = await shell.resume('${run}'); say((await handle.result()).reason); await new Promise(resolve => setTimeout(resolve, 3000)); await shell.close();`,
  );
  expect(await heir.line()).toBe('needs_attention');
  await shell.command(run, { type: 'settle', task: 'a', as: 'completed', value: 7, by: 'me' });
  await until(async () => (await shell.show(run)).status === 'completed');
  expect((await shell.show(run)).tasks['a']!.output).toBe(7);
  await heir.kill();
});

test('S8 an order to a run that nobody drives is kept for whoever takes it up; cancel needs nobody', async () => {
  const folder = makeFolder();
  const first = await openBench({ folder });
  const plan = await first.compile('- { id: ok, action: approval, parameters: { prompt: "?" } }\n- { id: b, action: say, dependencies: [ok] }');
  const [a, b] = [await first.shell.run(plan), await first.shell.run(plan)];
  await first.shell.close();
  const { shell, performed } = await openBench({ folder });
  await shell.command(a.run, { type: 'approve', task: 'ok', choice: 'approve', by: 'me', comment: null });
  await shell.command(b.run, { type: 'cancel', by: 'me' });
  expect((await shell.show(b.run)).status).toBe('cancelled');
  expect((await (await shell.resume(a.run)).result()).status).toBe('completed');
  expect(performed()).toEqual(['b']);
});

test('S8 drain holds back what has not begun, refuses new runs, and lifting it goes on', async () => {
  const { shell, store, compile, folder, performed } = await openBench();
  const plan = await compile('- { id: a, action: do.effectful, parameters: { gate: go } }\n- { id: b, action: say, dependencies: [a] }');
  const handle = await shell.start(plan);
  await until(() => performed().length > 0);
  await store.setControl({ drain: true, stop: false, reason: 'a new version', since: 0 });
  await expect(shell.start(plan)).rejects.toEqual(coded('ORC-514'));
  await new Promise(resolve => setTimeout(resolve, 400));
  writeFileSync(join(folder, 'go'), '');
  await new Promise(resolve => setTimeout(resolve, 400));
  expect(performed()).toEqual(['a']);
  await store.setControl({ drain: false, stop: false, reason: null, since: null });
  expect((await handle.result()).status).toBe('completed');
  expect(performed()).toEqual(['a', 'b']);
});

test("S8 timers go on over a restart: a sleep, the wait before a retry, an approval's time limit", async () => {
  const folder = makeFolder();
  const first = await openBench({ folder });
  const handle = await first.shell.start(
    await first.compile(`
- { id: nap, action: sleep, parameters: { duration: 0.6 } }
- { id: again, action: fail.until, parameters: { file: there }, retry: { max_attempts: 2, initial_backoff: 0.6, jitter: false } }
- { id: ok, action: approval, parameters: { prompt: "?", timeout: 0.6, on_timeout: approve } }
- { id: end, action: say, dependencies: [nap, again, ok] }`),
  );
  await until(async () => (await first.shell.show(handle.id)).tasks['again']!.status === 'waiting');
  await first.shell.close();
  expect((await (await openBench({ folder })).store.run(handle.id))!.dueAt).toBeGreaterThan(0);
  writeFileSync(join(folder, 'there'), '');
  await new Promise(resolve => setTimeout(resolve, 700));
  const { shell } = await openBench({ folder });
  const document = await (await shell.resume(handle.id)).result();
  expect(document).toMatchObject({ status: 'completed', tasks: { ok: { output: { choice: 'approve', by: 'timeout' } }, again: { attempts: 2 } } });
  expect(document.tasks['nap']!.durationMs).toBeGreaterThanOrEqual(590);
});

test("S8 the pipeline's own timeout goes on over a restart, and over a wait that left the memory", async () => {
  const folder = makeFolder();
  const first = await openBench({ folder });
  const tasks = '- { id: a, action: do.read, parameters: { gate: never } }';
  const handle = await first.shell.start(await first.compile(tasks, 'timeout: 0.5'));
  await first.shell.close();
  const { shell, compile, store } = await openBench({ folder });
  const document = await (await shell.resume(handle.id)).result();
  expect([document.status, document.reason]).toEqual(['failed', 'timed_out']);
  const waiting = await shell.run(await compile('- { id: ok, action: approval, parameters: { prompt: "?" } }', 'timeout: 0.5'));
  expect(waiting.status).toBe('waiting');
  expect((await store.run(waiting.run))!.dueAt).not.toBeNull();
  await until(async () => (await shell.show(waiting.run)).status === 'failed');
  expect(await shell.show(waiting.run)).toMatchObject({ reason: 'timed_out' });
});

test('S8 the time limit of a lone approval passes though its run has left the memory, here and over a restart', async () => {
  const folder = makeFolder();
  const first = await openBench({ folder });
  const plan = await first.compile(
    '- { id: ok, action: approval, parameters: { prompt: "?", timeout: 0.3, on_timeout: reject, choices: [yes, reject] } }\n- { id: end, action: say, dependencies: [ok] }',
  );
  const { run } = await first.shell.run(plan);
  await until(async () => (await first.shell.show(run)).status === 'completed');
  const late = await first.shell.run(plan);
  await first.shell.close();
  await new Promise(resolve => setTimeout(resolve, 400));
  const { shell, events } = await openBench({ folder });
  expect((await (await shell.resume(late.run)).result()).tasks['ok']!.output).toMatchObject({ choice: 'reject', by: 'timeout' });
  expect((await events(late.run)).filter(event => event.type === 'run.acquired')).toHaveLength(1);
});

test('S8 a handle follows its run through waits', async () => {
  const { shell, compile } = await openBench();
  const handle = await shell.start(
    await compile(
      '- { id: ok, action: approval, parameters: { prompt: "?" } }\n- { id: s, action: signal.wait, dependencies: [ok], parameters: { name: go } }',
    ),
  );
  expect((await handle.result()).reason).toBe('approval');
  await shell.command(handle.id, { type: 'approve', task: 'ok', choice: 'approve', by: 'me', comment: null });
  expect((await handle.result()).reason).toBe('signal');
  await handle.cancel();
  expect((await handle.result()).status).toBe('cancelled');
});
