import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { OrchestratorError } from '../../src/errors.ts';
import { MemoryHub, MemoryStore } from '../../src/store/index.ts';
import { makeFolder, openBench, performedIn, pipelineOf, startChild, until, type Bench } from './bench.ts';

const coded = (code: string): unknown => expect.objectContaining({ code });

/** Starts a pipeline in a process of its own, waits until the named tasks are under way, and kills it. */
async function killedAt(tasks: string, paths: string[], head = ''): Promise<Bench & { run: string }> {
  const folder = makeFolder();
  const child = startChild(folder, `const handle = await shell.start(await compile(${JSON.stringify(pipelineOf(tasks, head))})); say(handle.id);`);
  const run = await child.line();
  await until(() => paths.every(path => performedIn(folder).includes(path)));
  await child.kill();
  return { ...(await openBench({ folder })), run };
}

test('S9 S3 after kill -9 each effect class gets its verdict: the safe ones run again under the same key, an effect in doubt waits for a person', async () => {
  const classes = ['pure', 'read', 'idempotent', 'keyed', 'effectful'];
  const { shell, run, folder, performed, events } = await killedAt(
    classes.map(name => `- { id: ${name}, action: do.${name}, parameters: { gate: go } }`).join('\n'),
    classes,
  );
  writeFileSync(join(folder, 'go'), '');
  const document = await (await shell.resume(run)).result();
  expect([document.status, document.reason]).toEqual(['waiting', 'needs_attention']);
  for (const name of classes.slice(0, 4)) {
    expect(document.tasks[name]).toMatchObject({ status: 'completed', attempts: 1, output: { key: `${run}/${name}`, attempt: 1 } });
    expect(performed().filter(path => path === name)).toHaveLength(2);
  }
  expect(document.tasks['effectful']).toMatchObject({ status: 'waiting', attempts: 1 });
  expect(performed().filter(path => path === 'effectful')).toHaveLength(1);
  expect((await events(run)).find(event => event.type === 'run.acquired')).toMatchObject({ epoch: 2, again: [0, 1, 2, 3], doubt: [4] });
});

test.each([
  ['retry', 'completed', { status: 'completed', attempts: 2 }, ['a', 'a', 'b']],
  ['skip', 'completed', { status: 'skipped', error: null }, ['a']],
  ['fail', 'failed', { status: 'failed', error: { code: 'ORC-229' } }, ['a']],
  ['completed', 'completed', { status: 'completed', output: { sent: true } }, ['a', 'b']],
] as const)('S9 settle --as %s ends the doubt', async (as, status, task, traces) => {
  const { shell, run, folder, performed } = await killedAt(
    '- { id: a, action: do.effectful, parameters: { gate: go } }\n- { id: b, action: say, dependencies: [a] }',
    ['a'],
  );
  writeFileSync(join(folder, 'go'), '');
  const handle = await shell.resume(run);
  expect((await handle.result()).reason).toBe('needs_attention');
  await expect(shell.command(run, { type: 'settle', task: 'b', as, value: null, by: 'me' })).rejects.toEqual(coded('ORC-508'));
  await shell.command(run, { type: 'settle', task: 'a', as, value: { sent: true }, by: 'me' });
  const document = await handle.result();
  expect(document.status).toBe(status);
  expect(document.tasks['a']).toMatchObject(task);
  expect(performed()).toEqual(traces);
});

test.each([
  ['retry', { status: 'completed' }, ['a', 'a']],
  ['skip', { status: 'skipped' }, ['a']],
  ['fail', { status: 'failed' }, ['a']],
] as const)('S9 on_ambiguous: %s decides the doubt without asking', async (policy, task, traces) => {
  const { shell, run, folder, performed } = await killedAt(`- { id: a, action: do.effectful, on_ambiguous: ${policy}, parameters: { gate: go } }`, ['a']);
  writeFileSync(join(folder, 'go'), '');
  const document = await (await shell.resume(run)).result();
  expect(document.tasks['a']!.status).toBe(task.status);
  expect(performed()).toEqual(traces);
});

test('S6 what has a result never runs again by resume, nor a step of an attempt that does', async () => {
  const { shell, run, folder, performed } = await killedAt(
    '- { id: done, action: do.effectful }\n- { id: two, action: two.steps, dependencies: [done], parameters: { gate: go } }',
    // Killed once the result of the first step is durable: before that it would rightly run again.
    ['done', 'two#first', 'two#waits'],
  );
  writeFileSync(join(folder, 'go'), '');
  const document = await (await shell.resume(run)).result();
  expect(document.status).toBe('completed');
  expect(performed()).toEqual(['done', 'two#first', 'two#waits', 'two#waits', 'two#second']);
  expect(document.tasks['two']!.output).toEqual({ first: `${run}/two/first`, second: `${run}/two/second` });
});

test('S6 S3 retry runs the failed tasks again and nothing else, under the same key', async () => {
  const { shell, compile, folder, performed } = await openBench();
  const failed = await shell.run(
    await compile(
      '- { id: a, action: do.effectful }\n- { id: b, action: fail.until, dependencies: [a], parameters: { file: there }, retry: { max_attempts: 2, initial_backoff: 0.01 } }\n- { id: c, action: say, dependencies: [b] }',
    ),
  );
  expect(failed).toMatchObject({
    status: 'failed',
    tasks: { b: { attempts: 2 }, c: { status: 'skipped', skippedBecause: expect.stringContaining('b') as string } },
  });
  writeFileSync(join(folder, 'there'), '');
  const document = await (await shell.retry(failed.run)).result();
  expect(document).toMatchObject({ status: 'completed', run: failed.run, tasks: { b: { output: { key: `${failed.run}/b`, attempt: 3 } } } });
  expect(performed()).toEqual(['a', 'b', 'b', 'b', 'c']);
  await expect(shell.retry(failed.run)).rejects.toEqual(coded('ORC-508'));
  await expect(shell.resume(failed.run)).rejects.toEqual(coded('ORC-508'));
});

test('S3 the key travels as Idempotency-Key over attempts, and as a variable to programs', async () => {
  const keys: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    keys.push(request.headers['idempotency-key'] as string | undefined);
    response.writeHead(keys.length === 1 ? 503 : 200).end('{}');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { shell, compile } = await openBench({ policy: { network: { private: 'allow' }, shell: 'allow' } });
  const document = await shell.run(
    await compile(`
- { id: post, action: http.post, parameters: { url: "http://127.0.0.1:${(server.address() as AddressInfo).port}/", body: { a: 1 }, keyed: true }, retry: { max_attempts: 3, initial_backoff: 0.01 } }
- { id: sh, action: shell.run, parameters: { command: 'printf %s "$ORCHESTRATOR_IDEMPOTENCY_KEY"' } }`),
  );
  expect(document.status).toBe('completed');
  expect(keys).toEqual([`${document.run}/post`, `${document.run}/post`]);
  expect((document.tasks['sh']!.output as { stdout: string }).stdout).toBe(`${document.run}/sh`);
});

test('S4 a zombie that wakes after takeover writes nothing, its handle says so, and the heir goes on', async () => {
  const hub = new MemoryHub();
  const folder = makeFolder();
  const zombie = await openBench({ folder, store: new MemoryStore('own_a', hub) });
  const plan = await zombie.compile('- { id: a, action: do.idempotent, parameters: { gate: go } }\n- { id: b, action: say, dependencies: [a] }');
  const handle = await zombie.shell.start(plan);
  const told = expect(handle.result()).rejects.toEqual(coded('ORC-511'));
  await until(() => zombie.performed().length > 0);
  hub.living.delete('own_a');
  const heir = await openBench({ folder, store: new MemoryStore('own_b', hub) });
  const mine = await heir.shell.resume(handle.id);
  await until(() => heir.performed().length > 1);
  writeFileSync(join(folder, 'go'), '');
  await told;
  expect((await mine.result()).status).toBe('completed');
  const types = (await heir.events(handle.id)).map(event => event.type);
  expect(types.filter(type => type === 'task.completed')).toHaveLength(2);
  expect(types.at(-1)).toBe('run.ended');
  await expect(handle.cancel()).rejects.toEqual(coded('ORC-508'));
});

test('S4 two shells on one run: the second is refused while the first lives', async () => {
  const folder = makeFolder();
  const child = startChild(
    folder,
    `const handle = await shell.start(await compile(${JSON.stringify(pipelineOf('- { id: a, action: do.effectful, parameters: { gate: go } }'))})); say(handle.id); await handle.result(); await shell.close();`,
  );
  const run = await child.line();
  const { shell } = await openBench({ folder });
  await expect(shell.resume(run)).rejects.toEqual(coded('ORC-507'));
  child.process.kill('SIGSTOP');
  await expect(shell.resume(run)).rejects.toEqual(coded('ORC-507'));
  child.process.kill('SIGCONT');
  writeFileSync(join(folder, 'go'), '');
  await child.ended;
  expect(await shell.show(run)).toMatchObject({ status: 'completed', tasks: { a: { attempts: 1 } } });
  expect(performedIn(folder)).toEqual(['a']);
});

test('S8 a run that another process took first, or that is damaged, does not keep the others from being taken up', async () => {
  const { run, folder } = await killedAt('- { id: a, action: do.idempotent, parameters: { gate: go } }', ['a']);
  const other = startChild(
    folder,
    `const handle = await shell.start(await compile(${JSON.stringify(pipelineOf('- { id: b, action: do.read, parameters: { gate: go } }'))})); say(handle.id); await handle.result(); await shell.close();`,
  );
  const [taken, damaged] = [await other.line(), 'run_damaged'];
  const { shell } = await openBench({
    folder,
    faults: store => ({
      orphans: async () => [(await store.run(taken))!, { ...(await store.run(taken))!, run: damaged }, ...(await store.orphans())],
      match: (prefix, limit) => (prefix === damaged ? Promise.resolve([damaged]) : store.match(prefix, limit)),
      run: id => {
        if (id === damaged) throw new OrchestratorError('ORC-504', 'it is damaged', { class: 'storage' });
        return store.run(id);
      },
    }),
  });
  const handles = await shell.resumeAll();
  expect(handles.map(handle => handle.id)).toEqual([run]);
  writeFileSync(join(folder, 'go'), '');
  expect((await handles[0]!.result()).status).toBe('completed');
  await other.ended;
});

test('S4 a run that is taken up twice in one moment in one process is driven once', async () => {
  const { shell, run, folder, performed, events } = await killedAt(
    '- { id: a, action: do.idempotent, parameters: { gate: go } }\n- { id: b, action: do.effectful, dependencies: [a] }',
    ['a'],
  );
  const handles = await Promise.all([shell.resume(run), shell.resume(run), shell.resume(run)]);
  writeFileSync(join(folder, 'go'), '');
  for (const handle of handles) expect((await handle.result()).status).toBe('completed');
  expect(performed()).toEqual(['a', 'a', 'b']);
  expect((await events(run)).filter(event => event.type === 'run.acquired')).toHaveLength(1);
});

test('S8 a run that cannot be read when it is taken up is not kept from others', async () => {
  const { run, folder } = await killedAt('- { id: a, action: do.idempotent, parameters: { gate: go } }', ['a']);
  let isBroken = true;
  const { shell, store } = await openBench({
    folder,
    faults: store => ({
      read: (...range) => {
        if (isBroken) throw new OrchestratorError('ORC-501', 'the disk failed', { class: 'storage' });
        return store.read(...range);
      },
    }),
  });
  await expect(shell.resume(run)).rejects.toEqual(coded('ORC-501'));
  expect((await store.run(run))!.owner).toBeNull();
  isBroken = false;
  writeFileSync(join(folder, 'go'), '');
  expect((await (await shell.resume(run)).result()).status).toBe('completed');
});

test("S8 a run whose owner died is found as nobody's and taken up; a terminal status stays as it is", async () => {
  const { shell, store, run, folder } = await killedAt('- { id: a, action: do.read, parameters: { gate: go } }', ['a']);
  writeFileSync(join(folder, 'go'), '');
  expect((await store.orphans()).map(row => row.run)).toEqual([run]);
  const [handle] = await shell.resumeAll();
  expect((await handle!.result()).status).toBe('completed');
  const journal = await store.read(run);
  expect(await shell.resumeAll()).toEqual([]);
  await expect(shell.resume(run)).rejects.toEqual(coded('ORC-508'));
  await expect(shell.command(run, { type: 'cancel', by: 'me' })).rejects.toEqual(coded('ORC-508'));
  expect(await store.read(run)).toEqual(journal);
});

test('S11 a run holds the plan that it began with: editing the file changes nothing of it, and resume needs no file', async () => {
  const folder = makeFolder();
  const file = join(folder, 'p.yaml');
  writeFileSync(
    file,
    pipelineOf('- { id: a, action: approval, parameters: { prompt: "?" } }\n- { id: b, action: say, dependencies: [a], parameters: { value: old } }'),
  );
  const first = await openBench({ folder });
  const { run, pipeline } = await first.shell.run(file);
  await first.shell.close();
  writeFileSync(file, pipelineOf('- { id: a, action: say }\n- { id: other, action: say, parameters: { value: new } }'));
  const { shell, store } = await openBench({ folder });
  await shell.command(run, { type: 'approve', task: 'a', choice: 'approve', by: 'me', comment: null });
  const document = await (await shell.resume(run)).result();
  expect(document).toMatchObject({ status: 'completed', pipeline: { hash: pipeline.hash }, tasks: { b: { output: 'old' } } });
  expect((await store.run(run))!.planHash).toBe(pipeline.hash);
  expect((await shell.run(file)).pipeline.hash).not.toBe(pipeline.hash);
  expect(readFileSync(file, 'utf8')).toContain('new');
});
