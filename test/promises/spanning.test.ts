import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test } from 'vitest';
import type { Clock } from '../../src/clock.ts';
import { stateHash, type Event, type RunDocument } from '../../src/engine/index.ts';
import { budgetLines, foldRun, openShell, raiseBudget, type EmbeddedShell } from '../../src/runtime/index.ts';
import { decodePlan } from '../../src/plan/index.ts';
import type { StartOptions } from '../../src/runtime/index.ts';
import { openModels } from '../../src/models/index.ts';
import { startModelServer, type ModelServer } from '../support/model-server.ts';
import { makeFolder, openBench } from './bench.ts';

/** Micro-dollars of one call: 30 tokens in at 10 $/M, 10 tokens out at 100 $/M. Its worst case is a little above, with that of the model that stands in. */
const CALL = 1300;
const WORST = 1507;
const USAGE = { prompt_tokens: 30, completion_tokens: 10, total_tokens: 40 };

interface Place {
  folder: string;
  server: ModelServer;
  calls(): number;
  open(clock?: Clock): Promise<EmbeddedShell>;
  file(name: string, tasks: string, more?: string): string;
}

async function place(budget: string, fallback = 'lab/cheap'): Promise<Place> {
  const folder = makeFolder();
  const server = await startModelServer();
  onTestFinished(() => server.close());
  server.respond(() => ({ text: 'fine', usage: USAGE }));
  writeFileSync(
    join(folder, 'orchestrator.config.yaml'),
    `models:
  default: lab/dear
  providers: { lab: { type: openai-compatible, base_url: "${server.url}" } }
  fallback: [${fallback}]
  catalog:
    - { id: lab/dear, cost: { input_per_million: 10, output_per_million: 100 } }
    - { id: lab/cheap, cost: { input_per_million: 1, output_per_million: 10 } }
    - { id: lab/odd }
budget: { ${budget} }
`,
  );
  return {
    folder,
    server,
    calls: () => server.requests.filter(({ method }) => method === 'POST').length,
    async open(clock) {
      const shell = await openShell({ cwd: folder, env: {}, ...(clock === undefined ? {} : { clock }) });
      onTestFinished(() => shell.close());
      return shell;
    },
    file(name, tasks, more = '') {
      const path = join(folder, `${name}.yaml`);
      writeFileSync(path, `name: ${name}\n${more}\ntasks:\n${tasks}\n`);
      return path;
    },
  };
}

const ASK = (id: string, more = ''): string => `  - { id: ${id}, action: generate_text, parameters: { prompt: "say ${id}", max_tokens: 10 }${more} }`;

async function runOf(shell: EmbeddedShell, file: string, options: StartOptions = {}): Promise<RunDocument> {
  return (await shell.start(file, {}, options)).result();
}

async function eventsOf(shell: EmbeddedShell, run: string): Promise<Event[]> {
  const events: Event[] = [];
  for await (const event of shell.events(run)) events.push(event);
  return events;
}

/** A clock that begins at a time and goes on as the machine's does. */
function clockFrom(time: number): Clock {
  const began = performance.now();
  return { now: () => time + performance.now() - began, monotonic: () => performance.now() };
}

test('S12 C24 on the cap of a day runs pause before the call, say until when, and go on once it is raised, by whom is kept', async () => {
  const { open, file, calls } = await place('per_day_usd: 0.003');
  const shell = await open();
  const done = await runOf(shell, file('one', ASK('a')));
  expect(done).toMatchObject({ status: 'completed', warnings: [] });
  const paused = await runOf(shell, file('two', ASK('a')));
  const again = await runOf(shell, file('three', ASK('a')));
  expect([paused.status, again.status, again.reason, calls()]).toEqual(['completed', 'paused', 'budget', 2]);
  const tomorrow = new Date(Math.ceil(Date.now() / 86_400_000) * 86_400_000).toISOString();
  expect(again.warnings).toEqual(['the budget of today has no room for the next call', expect.stringContaining(`it can go on at ${tomorrow}`)]);
  expect(again.next).toEqual([expect.stringMatching(/^orchestrator budget raise day 0.006$/), `orchestrator resume ${again.run}`]);
  const events = await eventsOf(shell, again.run);
  expect(events.find(event => event.type === 'budget.refused')).toMatchObject({
    refusal: { scope: 'day', microUsd: WORST, capMicroUsd: 3000, leftMicroUsd: 400 },
  });
  const row = (await shell.store.run(again.run))!;
  expect(new Date(row.dueAt!).toISOString()).toBe(tomorrow);
  await expect(raiseBudget(shell.shop, 'day', 0.002, 'ann')).rejects.toMatchObject({ code: 'ORC-518' });
  await expect(raiseBudget(shell.shop, 'user:ann', 1, 'ann')).rejects.toMatchObject({ code: 'ORC-518' });
  const { line, runs } = await raiseBudget(shell.shop, 'day', 0.01, 'ann');
  expect(line).toMatchObject({ capUsd: 0.003, raisedToUsd: 0.01, settledUsd: (2 * CALL) / 1e6, reservedUsd: 0, raises: [{ by: 'ann', usd: 0.01 }] });
  expect(runs).toEqual([{ run: again.run, isDriven: true }]);
  await expect.poll(async () => (await shell.show(again.run)).status).toBe('completed');
});

test('C24 a run that is paused for the cap of a day goes on by itself when the next one begins, alive or taken up', async () => {
  const { open, file, calls } = await place('per_day_usd: 0.002');
  const midnight = Date.UTC(2026, 10, 25);
  const shell = await open(clockFrom(midnight - 1500));
  await runOf(shell, file('one', ASK('a')));
  const paused = await runOf(shell, file('two', ASK('a')));
  expect([paused.status, calls()]).toEqual(['paused', 1]);
  expect(await shell.resumeAll()).toEqual([]);
  await expect.poll(async () => (await shell.show(paused.run)).status, { timeout: 5000 }).toBe('completed');
  const third = await runOf(shell, file('three', ASK('a')));
  expect(third.status).toBe('paused');
  await shell.close();
  const late = await open(clockFrom(midnight + 1000));
  expect(await late.resumeAll()).toEqual([]);
  await late.close();
  const next = await open(clockFrom(midnight + 86_400_000));
  const [handle] = await next.resumeAll();
  expect(await handle!.result()).toMatchObject({ run: third.run, status: 'completed' });
  expect((await next.store.budgets('2026-11-25')).map(({ settledMicroUsd }) => settledMicroUsd)).toEqual([CALL]);
});

test('C24 a run that was paused and whose cap was raised while nobody drove it is taken up', async () => {
  const { open, file } = await place('users: { ann: 0.001 }');
  const first = await open();
  const { run } = await runOf(first, file('one', ASK('a')), { user: 'ann' });
  expect(await runOf(first, file('one', ASK('a')), { user: 'ben' })).toMatchObject({ status: 'completed' });
  await first.close();
  const second = await open();
  expect(await second.resumeAll()).toEqual([]);
  expect((await raiseBudget(second.shop, 'user:ann', 1, 'ann')).runs).toEqual([{ run, isDriven: false }]);
  const [handle] = await second.resumeAll();
  expect(await handle!.result()).toMatchObject({ run, status: 'completed' });
});

test('C24 caps of a call, a task, a pipeline and a user; fail, or a cheaper model, where the configuration says so', async () => {
  const call = await place('per_call_usd: 0.001');
  const shell = await call.open();
  const paused = await runOf(shell, call.file('one', ASK('a')));
  expect([paused.status, paused.reason, call.calls()]).toEqual(['paused', 'budget', 0]);
  expect(paused.warnings).toEqual([expect.stringContaining('per_call_usd')]);
  const task = await place('per_task_usd: 0.002, on_exceed: fail', '');
  task.server.reply({ text: '', refusal: 'no', usage: USAGE });
  const retried = task.file('one', ASK('a', ', retry: { max_attempts: 3, initial_backoff: 1ms, on: [policy] }'));
  expect(await runOf(await task.open(), retried)).toMatchObject({
    status: 'failed',
    costUsd: CALL / 1e6,
    error: { message: expect.stringContaining('one task may cost') },
  });
  const cheap = await place('pipelines: { one: 0.001 }, per_pipeline_usd: 5, on_exceed: fallback-model');
  const other = await cheap.open();
  expect(await runOf(other, cheap.file('one', ASK('a')))).toMatchObject({ status: 'completed', tasks: { a: { model: 'lab/cheap' } } });
  expect(await runOf(other, cheap.file('two', ASK('a')))).toMatchObject({ status: 'completed', tasks: { a: { model: 'lab/dear' } } });
  const failing = await place('per_user_usd: 0.001, on_exceed: fail');
  expect(await runOf(await failing.open(), failing.file('one', ASK('a')))).toMatchObject({
    status: 'failed',
    error: {
      code: 'ORC-602',
      message: expect.stringContaining('for runs for nobody today is left'),
      help: ['orchestrator budget raise user: 0.003014', expect.any(String)],
    },
  });
});

test('S12 a call without a price is refused under every cap', async () => {
  const { open, file, calls } = await place('per_day_usd: 100');
  const document = await runOf(await open(), file('odd', ASK('a', ', model: lab/odd')));
  expect(document).toMatchObject({ status: 'failed', error: { code: 'ORC-602', message: expect.stringContaining('price of lab/odd is not known') } });
  expect(calls()).toBe(0);
});

test('S12 a bill above its reservation is recorded, told, and stops the next call', async () => {
  const { open, file, server, calls } = await place('per_day_usd: 0.01');
  server.respond(() => ({ text: 'fine', usage: { prompt_tokens: 30, completion_tokens: 100, total_tokens: 130 } }));
  const shell = await open();
  const first = await runOf(shell, file('one', ASK('a')));
  expect(first).toMatchObject({ status: 'completed', costUsd: 0.0103, warnings: ['over 95 % of the budget of today is spent: $0.0103 of $0.01'] });
  const events = await eventsOf(shell, first.run);
  expect(events.filter(event => event.type === 'budget.warned' || event.type === 'task.logged')).toMatchObject([
    { type: 'budget.warned', scope: 'day', percent: 95, slot: 0 },
    { type: 'task.logged', level: 'warn', text: 'over 95 % of the budget of today is spent: $0.0103 of $0.01' },
  ]);
  const second = await runOf(shell, file('two', ASK('a')));
  expect([second.status, second.warnings.length, calls()]).toEqual(['paused', 2, 1]);
  expect(await budgetLines(shell.shop)).toMatchObject([{ scope: 'day', settledUsd: 0.0103, leftUsd: 0 }]);
});

test('S7 S12 what the store refused leaves the state of a run as its journal tells it', async () => {
  const { open, file } = await place('per_day_usd: 0.007');
  const shell = await open();
  const paused = await runOf(shell, file('many', Array.from({ length: 30 }, (_, i) => ASK(`t${i}`)).join('\n')));
  expect(paused).toMatchObject({ status: 'paused', reason: 'budget' });
  const { planHash } = (await shell.store.run(paused.run))!;
  const folded = await foldRun(shell.store, decodePlan((await shell.store.plan(planHash))!), paused.run);
  const live = shell.shop.loop.runs.get(paused.run)!;
  expect(stateHash(live.state)).toBe(stateHash(folded));
  expect([folded.reservedMicroUsd, folded.costMicroUsd <= 7000]).toEqual([0, true]);
});

test('S5 S12 a batch that the store refuses loses nothing of what else was in it, also where the store answers late', async () => {
  const server = await startModelServer();
  onTestFinished(() => server.close());
  const long = 'x'.repeat(70_000);
  server.respond(() => ({ text: long, usage: USAGE }));
  const models = openModels(
    {
      default: 'lab/dear',
      providers: { lab: { type: 'openai-compatible', base_url: server.url } },
      catalog: [{ id: 'lab/dear', cost: { input_per_million: 10, output_per_million: 100 } }],
    },
    { env: {}, folder: makeFolder() },
  );
  let refusals = 0;
  const { shell, compile } = await openBench({
    models,
    budget: { per_day_usd: 0.004 },
    faults: store => ({
      commit: async batches => {
        await new Promise(resolve => setTimeout(resolve, 3));
        const verdicts = await store.commit(batches);
        refusals += verdicts.filter((verdict, i) => verdict === 'over_budget' && batches[i]!.events.length > 1).length;
        return verdicts;
      },
    }),
  });
  const compiled = await compile(
    Array.from({ length: 4 }, (_, i) => `- { id: t${i}, action: generate_text, parameters: { prompt: say it, max_tokens: 10 } }`).join('\n'),
  );
  const paused = await Promise.all(Array.from({ length: 3 }, async () => (await shell.start(compiled, {})).result()));
  expect(paused.map(({ status }) => status)).toEqual(['paused', 'paused', 'paused']);
  const calls = server.requests.filter(({ method }) => method === 'POST').length;
  const done = paused.flatMap(({ tasks }) => Object.values(tasks).filter(({ status }) => status === 'completed'));
  expect([done.length, calls * CALL <= 4000, refusals > 0]).toEqual([calls, true, true]);
  expect(done.every(({ output }) => output === long)).toBe(true);
  const ledger = await shell.store.ledger({});
  expect(ledger.reduce((sum, { costMicroUsd }) => sum + (costMicroUsd ?? 0), 0)).toBe(calls * CALL);
  for (const { run } of paused) {
    const { planHash } = (await shell.store.run(run))!;
    const folded = await foldRun(shell.store, decodePlan((await shell.store.plan(planHash))!), run);
    expect(stateHash(shell.shop.loop.runs.get(run)!.state)).toBe(stateHash(folded));
  }
});

test('without caps over several runs nothing is kept of them', async () => {
  const { open, file } = await place('per_run_usd: 1');
  const shell = await open();
  expect(await runOf(shell, file('one', ASK('a')))).toMatchObject({ status: 'completed' });
  const day = new Date().toISOString().slice(0, 10);
  expect([await shell.store.budgets(day), await shell.store.reservations(day), await budgetLines(shell.shop)]).toEqual([[], [], []]);
});

interface Child {
  process: ChildProcess;
  /** The documents' statuses, once all of its runs have come to where they stop. */
  statuses: Promise<string[]>;
}

/** A process that starts `count` runs at once. */
function starting(folder: string, file: string, count: number): Child {
  const script = `
    import { openShell } from ${JSON.stringify(new URL('../../src/runtime/open.ts', import.meta.url).href)};
    const shell = await openShell({ cwd: ${JSON.stringify(folder)}, env: {} });
    const compiled = await shell.compile(${JSON.stringify(file)});
    const runs = Array.from({ length: ${count} }, async () => (await (await shell.start(compiled, {})).result()).status);
    console.log(JSON.stringify(await Promise.all(runs)));
    await shell.close();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout });
  const statuses = once(lines, 'line').then(([line]) => JSON.parse(String(line)) as string[]);
  return { process: child, statuses };
}

/** Looks at the caps while work goes on, and says the most that was ever settled and reserved together. */
async function most(shell: EmbeddedShell, over: Promise<unknown>): Promise<number> {
  let isOver = false;
  void over.finally(() => (isOver = true));
  let highest = 0;
  while (!isOver) {
    for (const { settledUsd, reservedUsd } of await budgetLines(shell.shop)) highest = Math.max(highest, Math.round((settledUsd + reservedUsd) * 1e6));
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  return highest;
}

test('S12 a hundred runs at once in two processes: settled and reserved never exceed the cap of the day, and the sum is that of the server', async () => {
  const cap = 80_000;
  const { folder, file, server, open, calls } = await place(`per_day_usd: ${cap / 1e6}`);
  server.respond(() => ({ text: 'fine', usage: USAGE, delayMs: 20 }));
  const shell = await open();
  const one = file('one', ASK('a'));
  const children = [starting(folder, one, 50), starting(folder, one, 50)];
  const all = Promise.all(children.map(({ statuses }) => statuses));
  const highest = await most(shell, all);
  const statuses = (await all).flat();
  const completed = statuses.filter(status => status === 'completed').length;
  expect(statuses.filter(status => status === 'paused')).toHaveLength(100 - completed);
  expect([completed, completed * CALL <= cap, highest <= cap]).toEqual([calls(), true, true]);
  // Who has no room only because others are calling waits for them, so that the cap is spent to the last call.
  expect(completed).toBe(1 + Math.floor((cap - WORST) / CALL));
  expect(await budgetLines(shell.shop)).toMatchObject([{ settledUsd: (completed * CALL) / 1e6, reservedUsd: 0, uncertainUsd: 0 }]);
});

test('S12 a process is killed in the middle of its calls: they stay reserved as uncertain, and the cap holds over all that follows', async () => {
  const cap = 60_000;
  const { folder, file, server, open, calls } = await place(`per_day_usd: ${cap / 1e6}`);
  let isKilled = false;
  server.respond(() => (isKilled || calls() <= 15 ? { text: 'fine', usage: USAGE } : { fault: 'hang' }));
  const shell = await open();
  const two = file('two', `${ASK('a')}\n${ASK('b', ', dependencies: [a]')}`);
  const victim = starting(folder, two, 30);
  await expect.poll(calls, { timeout: 10_000 }).toBeGreaterThan(20);
  victim.process.kill('SIGKILL');
  await once(victim.process, 'exit');
  isKilled = true;
  await starting(folder, two, 10).statuses;
  const [line] = await budgetLines(shell.shop);
  expect(line!.uncertainUsd).toBe(line!.reservedUsd);
  expect(line!.uncertainUsd).toBeGreaterThan(0);
  const resumed = Promise.all((await shell.resumeAll()).map(handle => handle.result()));
  expect(await most(shell, resumed)).toBeLessThanOrEqual(cap);
  const [after] = await budgetLines(shell.shop);
  const settled = Math.round(after!.settledUsd * 1e6);
  const lost = calls() - settled / CALL;
  expect(after!.reservedUsd).toBe(after!.uncertainUsd);
  expect([settled + Math.round(after!.reservedUsd * 1e6) <= cap, lost >= 0, lost * WORST <= Math.round(after!.uncertainUsd * 1e6)]).toEqual([true, true, true]);
  expect(await shell.store.verify()).toEqual([]);
});
