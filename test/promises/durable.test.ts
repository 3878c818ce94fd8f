import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { OrchestratorError } from '../../src/errors.ts';
import type { Store } from '../../src/store/index.ts';
import { openBench, pipelineOf, startChild, until } from './bench.ts';

const coded = (code: string): unknown => expect.objectContaining({ code });
const TWO = '- { id: a, action: say, parameters: { value: 1 } }\n- { id: b, action: do.effectful, parameters: { value: "{{ a }}" } }';

test('S1 start answers only after the commit that holds the run, its inputs and its plan', async () => {
  const order: string[] = [];
  const { shell, store, compile } = await openBench({
    faults: store => ({
      commit: async batches => {
        await new Promise(resolve => setTimeout(resolve, 30));
        const verdicts = await store.commit(batches);
        for (const { create } of batches) if (create !== undefined) order.push('committed');
        return verdicts;
      },
    }),
  });
  const plan = await compile(TWO, 'inputs: { topic: { type: string } }');
  const handle = await shell.start(plan, { topic: 'films' });
  order.push('answered');
  expect(order).toEqual(['committed', 'answered']);
  expect(await store.run(handle.id)).toMatchObject({ planHash: plan.plan.hash });
  expect(await store.plan(plan.plan.hash)).toBe(plan.body);
  expect((await store.read(handle.id))[0]!.event).toMatchObject({ type: 'run.created', plan: plan.plan.hash, inputs: { v: { topic: 'films' } } });
  expect((await handle.result()).status).toBe('completed');
});

test('S1 a start that the store refused is told to the caller, and is no run', async () => {
  const { shell, store, compile, performed } = await openBench({
    faults: () => ({
      commit: () => {
        throw new OrchestratorError('ORC-501', 'the disk failed', { class: 'storage' });
      },
    }),
  });
  await expect(shell.start(await compile(TWO))).rejects.toEqual(coded('ORC-501'));
  expect(await store.runs({})).toEqual([]);
  expect(performed()).toEqual([]);
});

test('S1 a start whose answer was lost is found again by its key', async () => {
  let isLost = true;
  const { shell, store, compile } = await openBench({
    faults: store => ({
      commit: async batches => {
        const verdicts = await store.commit(batches);
        const said = isLost ? verdicts.map(() => 'unknown' as const) : verdicts;
        isLost = false;
        return said;
      },
    }),
  });
  const plan = await compile(TWO);
  await expect(shell.start(plan, {}, { key: 'k' })).rejects.toEqual(coded('ORC-501'));
  expect(await (await shell.start(plan, {}, { key: 'k' })).result()).toMatchObject({ status: 'completed', tasks: { b: { attempts: 1 } } });
  expect(await store.runs({})).toHaveLength(1);
});

test('S1 one key is one run while it runs, waits and when it has ended; another body is a conflict', async () => {
  const { shell, folder, compile } = await openBench();
  const plan = await compile(
    '- { id: a, action: do.read, parameters: { gate: go } }\n- { id: ok, action: approval, dependencies: [a], parameters: { prompt: "?" } }',
    'inputs: { n: { type: integer, default: 1 } }',
  );
  const first = await shell.start(plan, {}, { key: 'k' });
  const again = await shell.start(plan, { n: 1 }, { key: 'k' });
  expect(again.id).toBe(first.id);
  writeFileSync(join(folder, 'go'), '');
  expect((await again.result()).status).toBe('waiting');
  const waiting = await shell.start(plan, {}, { key: 'k' });
  expect((await waiting.result()).status).toBe('waiting');
  await shell.command(first.id, { type: 'approve', task: 'ok', choice: 'approve', by: 'me', comment: null });
  const ended = await (await shell.start(plan, {}, { key: 'k' })).result();
  expect([ended.run, ended.status]).toEqual([first.id, 'completed']);
  await expect(shell.start(plan, { n: 2 }, { key: 'k' })).rejects.toEqual(coded('ORC-509'));
});

test('S1 one key is one run also where another process runs it', async () => {
  const { shell, folder, compile, store, performed } = await openBench();
  const text = pipelineOf('- { id: a, action: do.effectful, parameters: { gate: go } }', 'inputs: { n: { type: integer, default: 1 } }');
  const child = startChild(
    folder,
    `const handle = await shell.start(await compile(${JSON.stringify(text)}), {}, { key: 'k' }); say(handle.id); await handle.result(); await shell.close();`,
  );
  const id = await child.line();
  await until(() => performed().length > 0);
  const plan = await compile('- { id: a, action: do.effectful, parameters: { gate: go } }', 'inputs: { n: { type: integer, default: 1 } }');
  const handle = await shell.start(plan, {}, { key: 'k' });
  expect(handle.id).toBe(id);
  expect(handle.view()).toMatchObject({ run: id, status: 'running', total: 1 });
  await expect(shell.start(plan, { n: 2 }, { key: 'k' })).rejects.toEqual(coded('ORC-509'));
  writeFileSync(join(folder, 'go'), '');
  expect((await handle.result()).status).toBe('completed');
  expect(performed()).toEqual(['a']);
  expect(await store.runs({})).toHaveLength(1);
  await child.ended;
});

test('S1 of processes that start under one key in the same moment, all get the same run', async () => {
  const { folder, store, performed } = await openBench();
  const text = JSON.stringify(pipelineOf('- { id: a, action: do.effectful }'));
  const script = `process.stdin.once('data', async () => { const handle = await shell.start(plan, {}, { key: 'k' }); say(handle.id + ' ' + (await handle.result()).status); await shell.close(); process.exit(0); }); const plan = await compile(${text}); say('ready');`;
  const children = [1, 2, 3].map(() => startChild(folder, script));
  for (const child of children) await child.line();
  for (const child of children) child.process.stdin!.write('go');
  const said = await Promise.all(children.map(child => child.line()));
  expect(new Set(said).size).toBe(1);
  expect(said[0]).toMatch(/completed$/);
  expect(await store.runs({})).toHaveLength(1);
  expect(performed()).toEqual(['a']);
});

test('S1 one key in one moment in one process is one run', async () => {
  const { shell, store, compile } = await openBench();
  const plan = await compile(TWO);
  const handles = await Promise.all([1, 2, 3].map(() => shell.start(plan, {}, { key: 'k' })));
  expect(new Set(handles.map(handle => handle.id)).size).toBe(1);
  for (const handle of handles) expect((await handle.result()).status).toBe('completed');
  expect(await store.runs({})).toHaveLength(1);
});

test('S2 no attempt and no step begins before its intent is committed', async () => {
  const intents = new Set<string>();
  const seen: string[] = [];
  const open = (text: string): void => {
    seen.push(text);
    if (!intents.has(text)) throw new Error(`${text} began before its intent was committed`);
  };
  const slow = (store: Store): Partial<Store> => ({
    commit: async batches => {
      await new Promise(resolve => setTimeout(resolve, 10));
      const verdicts = await store.commit(batches);
      for (const { events } of batches) {
        for (const event of events) {
          if (event.type === 'attempt.started') intents.add(`attempt ${event.slot}.${event.attempt}`);
          if (event.type === 'step.started') intents.add(`step ${event.slot}.${event.name}`);
        }
      }
      return verdicts;
    },
  });
  const slots: { [id: string]: number } = { a: 0, b: 1, c: 2 };
  const { shell, compile } = await openBench({
    faults: slow,
    actions: [
      {
        name: 'watch',
        summary: 'A probe.',
        effect: 'effectful',
        powers: [],
        parameters: { type: 'object' },
        result: true,
        async run(_parameters, context) {
          open(`attempt ${slots[context.path]}.${context.attempt}`);
          if (context.path === 'c' && context.attempt === 1) throw new Error('once more');
          return context.step('send', 'effectful', () => (open(`step ${slots[context.path]}.send`), 1));
        },
      },
    ],
  });
  const document = await shell.run(
    await compile(
      '- { id: a, action: watch }\n- { id: b, action: watch, dependencies: [a] }\n- { id: c, action: watch, retry: { max_attempts: 2, initial_backoff: 0.01 } }',
    ),
  );
  expect(document.status).toBe('completed');
  expect(seen.sort()).toEqual(['attempt 0.1', 'attempt 1.1', 'attempt 2.1', 'attempt 2.2', 'step 0.send', 'step 1.send', 'step 2.send']);
});
