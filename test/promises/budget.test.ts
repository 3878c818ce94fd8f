import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Orchestrator } from '../../src/index.ts';
import { openShell } from '../../src/runtime/index.ts';
import { makePlace } from '../guide/place.ts';
import { startModelServer, type ModelServer } from '../support/model-server.ts';

/** Dollars of one call of the server's: 30 tokens in at 10 $/M, 10 tokens out at 100 $/M. The worst case of the prompts here is a little above. */
const CALL_USD = 0.0013;
const USAGE = { prompt_tokens: 30, completion_tokens: 10, total_tokens: 40 };

interface Bench {
  server: ModelServer;
  orchestrator: Orchestrator;
  pipeline(name: string, tasks: string, more?: string): string;
  calls(): number;
}

async function bench(config = ''): Promise<Bench> {
  const { folder, write } = makePlace();
  const server = await startModelServer();
  server.respond(() => ({ text: 'fine', usage: USAGE }));
  write(
    'orchestrator.config.yaml',
    `models:
  default: lab/dear
  providers: { lab: { type: openai-compatible, base_url: "${server.url}" } }
  catalog:
    - { id: lab/dear, expertise: [high, code], cost: { input_per_million: 10, output_per_million: 100 } }
    - { id: lab/cheap, expertise: [low, fast], cost: { input_per_million: 1, output_per_million: 10 } }
    - { id: lab/odd, expertise: [odd] }
${config}`,
  );
  const orchestrator = await Orchestrator.open({ cwd: folder });
  onTestFinished(async () => {
    await orchestrator.close();
    await server.close();
  });
  return {
    server,
    orchestrator,
    pipeline(name, tasks, more = '') {
      const path = join(folder, `${name}.yaml`);
      writeFileSync(path, `name: ${name}\n${more}\ntasks:\n${tasks}\n`);
      return path;
    },
    calls: () => server.requests.filter(({ method }) => method === 'POST').length,
  };
}

const ASK = (id: string, more = ''): string => `  - { id: ${id}, action: generate_text, parameters: { prompt: "say ${id}", max_tokens: 10 }${more} }`;

test('S12 C24 on the cap a run pauses before the call, says what to do, and goes on once the cap is raised', async () => {
  const { orchestrator, pipeline, calls } = await bench();
  const file = pipeline('two', `${ASK('a')}\n${ASK('b', ', dependencies: [a]')}`);
  const paused = await orchestrator.run(file, {}, { budgetUsd: 0.002 });
  expect(paused).toMatchObject({
    status: 'paused',
    reason: 'budget',
    success: false,
    costUsd: CALL_USD,
    budget: { usd: 0.002, onExceed: 'pause', reservedUsd: 0 },
  });
  expect(paused.tasks).toMatchObject({ a: { status: 'completed', costUsd: CALL_USD }, b: { status: 'scheduled', attempts: 0 } });
  expect(paused.next).toEqual([`orchestrator resume ${paused.run} --budget 0.004`]);
  expect(calls()).toBe(1);
  const told: string[] = [];
  for await (const event of orchestrator.events(paused.run)) if (event.type === 'task.logged') told.push(event.text);
  expect(told).toEqual(['the next call could cost $0.00137, and $0.0007 of the budget of $0.002 is left']);
  const again = await (await orchestrator.resume(paused.run)).result();
  expect([again.status, again.reason, calls()]).toEqual(['paused', 'budget', 1]);
  const done = await (await orchestrator.resume(paused.run, { budgetUsd: 1 })).result();
  expect(done).toMatchObject({ status: 'completed', costUsd: 2 * CALL_USD, tasks: { b: { attempts: 1 } }, budget: { usd: 1, reservedUsd: 0 }, warnings: [] });
  expect(calls()).toBe(2);
});

test('S12 C24 fifty tasks at once: settled and reserved never exceed the cap, and the sum is that of the server', async () => {
  const { orchestrator, pipeline, server, calls } = await bench();
  server.respond(() => ({ text: 'fine', usage: USAGE, delayMs: 5 }));
  const file = pipeline('many', Array.from({ length: 50 }, (_, i) => ASK(`t${i}`)).join('\n'));
  const { run, status, reason, costUsd } = await orchestrator.run(file, {}, { budgetUsd: 0.03 });
  expect([status, reason]).toEqual(['paused', 'budget']);
  expect(costUsd).toBeCloseTo(calls() * CALL_USD, 9);
  // Who has no room only because others are calling waits for them.
  expect(calls()).toBe(23);
  let settled = 0;
  const reserved = new Map<string, number>();
  for await (const event of orchestrator.events(run)) {
    if (event.type === 'model.called') settled += event.call.costMicroUsd!;
    if (event.type === 'budget.reserved') reserved.set(event.key, event.microUsd);
    if (event.type === 'budget.released') reserved.delete(event.key);
    // The release of a call stands behind it in the same commit, with others in between.
    if (event.type === 'budget.reserved') expect(settled + [...reserved.values()].reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(30_000);
  }
  expect(reserved.size).toBe(0);
  const done = await (await orchestrator.resume(run, { budgetUsd: 10 })).result();
  expect([done.status, calls()]).toEqual(['completed', 50]);
  expect(done.costUsd).toBeCloseTo(50 * CALL_USD, 9);
});

test('C24 `on_exceed: fail` ends the run with ORC-602; it can be tried again under a larger cap', async () => {
  const { orchestrator, pipeline, calls } = await bench();
  const failed = await orchestrator.run(pipeline('one', ASK('a'), 'budget: { usd: 0.001, on_exceed: fail }'));
  expect(failed).toMatchObject({ status: 'failed', error: { code: 'ORC-602', path: 'a' } });
  expect(calls()).toBe(0);
  expect(await (await orchestrator.resume(failed.run, { budgetUsd: 1 })).result()).toMatchObject({ status: 'completed', budget: { usd: 1, onExceed: 'fail' } });
});

test('C24 `on_exceed: fallback-model` takes the first cheaper model that fits, and pauses where none does', async () => {
  const { orchestrator, pipeline, server } = await bench('  fallback: [lab/cheap]');
  const file = pipeline('one', ASK('a'), 'budget: { usd: 0.001, on_exceed: fallback-model }');
  expect(await orchestrator.run(file)).toMatchObject({ status: 'completed', costUsd: CALL_USD / 10 });
  expect(server.requests.at(-1)!.body['model']).toBe('cheap');
  expect(await orchestrator.run(file, {}, { budgetUsd: 0.00001 })).toMatchObject({ status: 'paused', reason: 'budget' });
});

test('S12 a call without a price is refused under a budget, and fails', async () => {
  const { orchestrator, pipeline, calls } = await bench();
  const document = await orchestrator.run(pipeline('odd', ASK('a', ', model: lab/odd')), {}, { budgetUsd: 100 });
  expect(document).toMatchObject({ status: 'failed', error: { code: 'ORC-602', message: expect.stringContaining('price of lab/odd is not known') } });
  expect(calls()).toBe(0);
});

test('S12 without a budget a call without a price is made, and a warning says so', async () => {
  const { orchestrator, pipeline } = await bench();
  const document = await orchestrator.run(pipeline('odd', ASK('a', ', model: lab/odd')));
  expect(document).toMatchObject({ status: 'completed', costUsd: 0, warnings: [expect.stringContaining('the price of one model call is not known')] });
});

test('C24 the configuration caps each run; the smaller of two caps stands', async () => {
  const { orchestrator, pipeline, calls } = await bench('budget: { per_run_usd: 0.001 }');
  expect(await orchestrator.run(pipeline('one', ASK('a'), 'budget: { usd: 5 }'))).toMatchObject({ status: 'paused', reason: 'budget', budget: { usd: 0.001 } });
  expect(calls()).toBe(0);
  await expect(orchestrator.run(pipeline('one', ASK('a')), {}, { budgetUsd: Number.NaN })).rejects.toMatchObject({ code: 'ORC-106' });
});

test('C24 a question of an AUTO tag is held like an attempt, also of an input, and a default does not answer for it', async () => {
  const { orchestrator, pipeline, server, calls } = await bench();
  server.respond(() => ({ text: '{"value": "blue"}', usage: USAGE }));
  const file = pipeline('tags', '  - { id: a, action: echo, parameters: { text: \'<AUTO default="red">a colour</AUTO>\' } }');
  const paused = await orchestrator.run(file, {}, { budgetUsd: 0.0001 });
  expect([paused.status, paused.reason, calls()]).toEqual(['paused', 'budget', 0]);
  expect(await (await orchestrator.resume(paused.run, { budgetUsd: 9 })).result()).toMatchObject({ status: 'completed', tasks: { a: { output: 'blue' } } });
});

test('S12 80 % and 95 % of a budget are told', async () => {
  const { orchestrator, pipeline } = await bench();
  const file = pipeline('one', '  - { id: a, action: generate_text, parameters: { prompt: s, max_tokens: 10 } }');
  const worst = await orchestrator.run(file, {}, { budgetUsd: 0 });
  expect(worst.warnings).toEqual([]);
  const { costUsd, warnings } = await orchestrator.run(file, {}, { budgetUsd: 0.0016 });
  expect([costUsd, warnings]).toEqual([CALL_USD, ['over 80 % of the budget is spent: $0.0013 of $0.0016']]);
  expect((await orchestrator.run(file, {}, { budgetUsd: 0.00136 })).warnings).toEqual(['over 95 % of the budget is spent: $0.0013 of $0.00136']);
});

test('S12 retries and failures that are billed stand in the ledger, and the sum equals that of the server', async () => {
  const { orchestrator, pipeline, server, calls } = await bench();
  server.reply({ status: 503 }, { fault: 'empty', usage: USAGE }, { text: '', refusal: 'no', usage: USAGE });
  const file = pipeline('retried', ASK('a', ', retry: { max_attempts: 4, initial_backoff: 1ms, on: [unavailable, invalid_output, policy] }'));
  const document = await orchestrator.run(file, {}, { budgetUsd: 1 });
  expect([document.status, calls()]).toEqual(['completed', 4]);
  const shell = await openShell({ cwd: process.cwd(), env: process.env });
  onTestFinished(() => shell.close());
  const rows = await shell.store.ledger({ run: document.run });
  expect(rows.reduce((sum, { costMicroUsd }) => sum + costMicroUsd!, 0)).toBe(Math.round(document.costUsd * 1e6));
  expect(rows.map(({ attempt, failed, uncertain, costMicroUsd }) => [attempt, failed, uncertain, costMicroUsd! > 0])).toEqual([
    [1, 'ORC-404', undefined, false],
    [2, 'ORC-405', true, false],
    [3, 'ORC-406', undefined, true],
    [4, undefined, undefined, true],
  ]);
});

test('a model is chosen by what it should be good at, or by requirements; the choice is explained in journal and document', async () => {
  const { orchestrator, pipeline, server } = await bench();
  const file = pipeline('routed', `${ASK('a', ', model: fast')}\n${ASK('b', ', requires_model: { expertise: [code], max_cost_usd: 1 }')}`);
  const { status, run, tasks } = await orchestrator.run(file);
  expect(status).toBe('completed');
  expect(server.requests.map(({ body }) => body['model']).sort((a, b) => String(a).localeCompare(String(b)))).toEqual(['cheap', 'dear']);
  expect(tasks['a']!.route).toMatchObject({
    strategy: 'balanced',
    rejected: expect.arrayContaining([{ id: 'lab/dear', reason: expect.stringContaining('not known to be good at: fast') }]),
  });
  expect(tasks['b']!.route!.score).toBeGreaterThan(0);
  for await (const event of orchestrator.events(run)) if (event.type === 'model.called') expect(event.call.route).toBeDefined();
});

test('a model that does not answer is stood in for by the next of the chain; who was tried is recorded', async () => {
  const { orchestrator, pipeline, server } = await bench('  fallback: [lab/cheap]');
  server.reply({ status: 503 });
  const { status, tasks } = await orchestrator.run(pipeline('chain', ASK('a')));
  expect([status, tasks['a']!.model, tasks['a']!.tried]).toEqual([
    'completed',
    'lab/cheap',
    [{ id: 'lab/dear', code: 'ORC-404', message: expect.stringContaining('not available') }],
  ]);
});

test('S12 a call that was given up when its time had passed may be billed, and is marked so; one that was never made is not there', async () => {
  const { orchestrator, pipeline, server, calls } = await bench();
  server.reply({ fault: 'hang' });
  const document = await orchestrator.run(pipeline('slow', ASK('a', ', timeout: 0.3')));
  expect([document.status, calls()]).toEqual(['failed', 1]);
  const shell = await openShell({ cwd: process.cwd(), env: process.env });
  onTestFinished(() => shell.close());
  const row = { path: 'a', model: 'lab/dear', failed: 'ORC-218', uncertain: true, costMicroUsd: null, inputTokens: 0, purpose: 'generate_text' };
  expect(await shell.store.ledger({ run: document.run })).toMatchObject([{ ...row, worstMicroUsd: expect.any(Number) }]);
  expect(document.warnings).toEqual([
    expect.stringMatching(/^the reply of one model call was lost: it is not in the cost, and may be billed, up to \$0\.00\d+$/),
  ]);
  await server.close();
  const refused = await orchestrator.run(pipeline('gone', ASK('a')));
  expect(await shell.store.ledger({ run: refused.run })).toMatchObject([{ failed: 'ORC-404', costMicroUsd: 0 }]);
});

test('C24 who waits for room in a budget can be cancelled, and goes on when a call under way leaves it', async () => {
  const { orchestrator, pipeline, server, calls } = await bench();
  server.respond(() => ({ text: 'fine', usage: USAGE, delayMs: 400 }));
  const file = pipeline('two', `${ASK('a')}\n${ASK('b')}`);
  expect(await orchestrator.run(file, {}, { budgetUsd: 0.0027 })).toMatchObject({ status: 'completed', costUsd: 2 * CALL_USD });
  const handle = await orchestrator.start(file, {}, { budgetUsd: 0.0027 });
  await expect.poll(() => handle.view().active.filter(({ progress }) => progress?.text?.startsWith('waits for room in the budget') === true).length).toBe(1);
  await orchestrator.cancel(handle.id);
  const { status, tasks } = await handle.result();
  expect([status, tasks['a']!.status, tasks['b']!.status, calls()]).toEqual(['cancelled', 'cancelled', 'cancelled', 3]);
});
