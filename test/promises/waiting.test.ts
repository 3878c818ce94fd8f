import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { OrchestratorError } from '../../src/errors.ts';
import { openShell, type EmbeddedShell } from '../../src/runtime/index.ts';
import { startModelServer, type ModelServer } from '../support/model-server.ts';
import { makeFolder, startChild, until } from './bench.ts';

interface Place {
  folder: string;
  server: ModelServer;
  file: string;
  /** A process of its own, with a clock that may be ahead of ours. */
  open(aheadMs?: number): Promise<EmbeddedShell>;
}

/** A place whose model asked, a moment ago, to be left alone for so long. */
async function place(tasks: string, askedMs: number, model = ''): Promise<Place> {
  const folder = makeFolder();
  const server = await startModelServer();
  onTestFinished(() => server.close());
  writeFileSync(
    join(folder, 'orchestrator.config.yaml'),
    `models:\n  default: lab/small\n  providers: { lab: { type: openai-compatible, base_url: "${server.url}" } }\n  catalog: [ { id: lab/small${model} } ]\n`,
  );
  const file = join(folder, 'p.yaml');
  writeFileSync(file, `name: p\nversion: "1"\ntasks:\n${tasks}\n`);
  const open = async (aheadMs = 0): Promise<EmbeddedShell> => {
    const clock = { now: () => Date.now() + aheadMs, monotonic: () => performance.now() };
    const shell = await openShell({ cwd: folder, env: {}, clock });
    onTestFinished(() => shell.close());
    return shell;
  };
  if (askedMs > 0) {
    server.reply({ status: 429, headers: { 'retry-after-ms': String(askedMs) }, body: {} });
    const shell = await open();
    const { signal } = new AbortController();
    const asked = shell.shop.models.get('lab/small').generate({ messages: [{ role: 'user', content: 'hi' }] }, { signal });
    await expect(asked).rejects.toMatchObject({ code: 'ORC-601' } satisfies Partial<OrchestratorError>);
  }
  return { folder, server, file, open };
}

const ASK = '  - { id: a, action: generate_text, parameters: { prompt: say a, max_tokens: 5 } }';

test('S8 a long wait for a limit is the task’s: it says for whom and until when, outlives kill -9, and counts one attempt', async () => {
  const { folder, server, file, open } = await place(ASK, 60_000);
  const child = startChild(
    folder,
    `
    import { openShell } from '${new URL('../../src/runtime/index.ts', import.meta.url).href}';
    const other = await openShell({ cwd: ${JSON.stringify(folder)}, env: {} });
    const handle = await other.start(${JSON.stringify(file)});
    while (handle.view().active[0]?.status !== 'waiting') await new Promise(resolve => setTimeout(resolve, 10));
    say({ run: handle.id, active: handle.view().active[0] });`,
  );
  const { run, active } = (await child.line()) as unknown as { run: string; active: object };
  expect(active).toMatchObject({ path: 'a', status: 'waiting', reason: 'rate_limit', waitsFor: 'lab/small', until: expect.any(Number) });
  const shell = await open();
  await until(async () => (await shell.store.run(run))?.status === 'waiting');
  expect(await shell.runs({})).toMatchObject([{ status: 'waiting', reason: 'rate_limit', dueAt: expect.any(Number) }]);
  await child.kill();
  expect(await shell.show(run)).toMatchObject({
    status: 'waiting',
    reason: 'rate_limit',
    tasks: { a: { status: 'waiting', reason: 'rate_limit', attempts: 0, waiting: { for: 'lab/small', until: expect.any(String) } } },
  });
  expect(server.requests).toHaveLength(1);
  const waiting = await open();
  await waiting.resume(run);
  expect(await waiting.show(run)).toMatchObject({ status: 'waiting', reason: 'rate_limit' });
  await waiting.close();
  expect(server.requests).toHaveLength(1);
  const later = await open(61_000 + 60_000);
  const document = await (await later.resume(run)).result();
  expect(document).toMatchObject({ status: 'completed', tasks: { a: { attempts: 1 } } });
  expect(server.requests).toHaveLength(2);
  expect((await shell.store.ledger({ run })).map(({ attempt, call }) => [attempt, call])).toEqual([[1, 0]]);
  const told = (await shell.store.read(run)).map(({ event }) => event);
  expect(told.filter(({ type }) => type === 'attempt.deferred')).toMatchObject([{ reason: 'rate_limit', for: 'lab/small' }]);
  expect(told.filter(({ type }) => type === 'attempt.failed')).toEqual([]);
});

test('a short wait stays in the process, and the live view says for whom', async () => {
  const { server, file, open } = await place(ASK, 1500);
  server.respond(() => ({ text: 'fine', pauseMs: 300 }));
  const shell = await open();
  const handle = await shell.start(file);
  await until(() => handle.view().active[0]?.progress?.text);
  expect(handle.view().active[0]).toMatchObject({ status: 'running', progress: { text: expect.stringContaining('waits for lab/small') } });
  await until(() => handle.view().active[0]?.tokens);
  expect(handle.view().active[0]!.progress).toBeNull();
  const { run, status } = await handle.result();
  expect([status, server.requests.length]).toEqual(['completed', 2]);
  expect((await shell.store.read(run)).filter(({ event }) => event.type === 'attempt.deferred')).toEqual([]);
});

test('many tasks at a slow limit wait in the journal, each for a time of its own, and hold no place meanwhile', async () => {
  const tasks = Array.from({ length: 20 }, (_, i) => ASK.replaceAll(' a,', ` t${i},`)).join('\n');
  const { server, file, open } = await place(tasks, 0, ', limits: { requests_per_minute: 10 }');
  const shell = await open();
  const handle = await shell.start(file);
  await until(() => handle.view().active.filter(({ status }) => status === 'waiting').length >= 17, 20_000);
  const times = handle.view().active.flatMap(task => (task.status === 'waiting' ? [task.until!] : []));
  expect(new Set(times).size).toBeGreaterThan(8);
  expect(server.requests.length).toBeLessThanOrEqual(3);
  expect(handle.view().active.every(({ status, attempt }) => status === 'waiting' || attempt === 1)).toBe(true);
  await handle.cancel();
  expect(await handle.result()).toMatchObject({ status: 'cancelled' });
}, 30_000);

test('a question of an AUTO tag is put off too, and its default does not answer for it', async () => {
  const { file, open } = await place('  - { id: a, action: echo, parameters: { text: \'<AUTO default="red">a colour</AUTO>\' } }', 60_000);
  const shell = await open();
  const handle = await shell.start(file);
  await until(() => handle.view().active[0]?.status === 'waiting');
  expect(handle.view()).toMatchObject({ status: 'waiting', reason: 'rate_limit', active: [{ waitsFor: 'lab/small' }] });
  await shell.close();
  const later = await open(120_000);
  const { status, autos } = await (await later.resume(handle.id)).result();
  expect([status, autos[0]?.source]).toEqual(['completed', 'model']);
});

test('C24 a call that waits for its turn sets nothing aside meanwhile: twenty go one after the other under a cap that holds two of them at their worst', async () => {
  const price = 'cost: { input_per_million: 10, output_per_million: 100 }, limits: { concurrency: 1 }';
  const tasks = Array.from({ length: 20 }, (_, i) => ASK.replaceAll(' a,', ` t${i},`)).join('\n');
  const { server, file, open } = await place(tasks, 0, `, ${price}`);
  server.respond(() => ({ text: 'fine', usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } }));
  const shell = await open();
  const { status, costUsd } = await shell.run(file, {}, { budgetUsd: 0.005 });
  expect([status, costUsd]).toEqual(['completed', 20 * 0.00011]);
});

test('C24 a kept reply costs nothing, and so is taken under a cap that has no room for the call', async () => {
  const task = '  - { id: a, action: generate_text, parameters: { prompt: say a, max_tokens: 5, temperature: 0 } }';
  const { file, open } = await place(task, 0, ', cost: { input_per_million: 10, output_per_million: 100 }');
  const shell = await open();
  expect((await shell.run(file, {}, { budgetUsd: 1 })).status).toBe('completed');
  expect(await shell.run(file, {}, { budgetUsd: 0 })).toMatchObject({ status: 'completed', costUsd: 0, tasks: { a: { kept: { calls: 1 } } } });
  expect((await shell.run(file, {}, { budgetUsd: 0, cache: false })).reason).toBe('budget');
});
