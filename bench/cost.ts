/**
 * A cost report over a large ledger: `node bench/cost.ts [--rows 1000000]`. Prints its table, and with all rows writes its part of docs/benchmarks.md.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { DAY_MS } from '../src/clock.ts';
import { costReport, type CostFilter } from '../src/observe/index.ts';
import { openStore, type Batch, type LedgerRow } from '../src/store/index.ts';
import { figureTable, machineLine, quantile, writePart, type Figure } from './page.ts';

const DAYS = 90;
const PIPELINES = 40;
const TASKS = 6;
const MODELS = 12;
const USERS = 25;
const CALLS_A_RUN = 50;
const RUNS_A_COMMIT = 40;

const ROWS = 1_000_000;

const { values } = parseArgs({ options: { rows: { type: 'string', default: String(ROWS) } } });
const rows = Number(values.rows);
const end = Date.parse('2026-06-30T18:00:00Z');
const folder = mkdtempSync(join(tmpdir(), 'bench-cost-'));
const path = join(folder, 'state.db');

/** A number below `limit`, the same for the same arguments, without a pattern between them. */
function draw(number: number, salt: number, limit: number): number {
  let bits = Math.imul(number ^ (salt * 0x9e3779b1), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return ((bits ^ (bits >>> 16)) >>> 0) % limit;
}

/** A run with its calls: most of a task's calls are of one model, a few of another, some were tried again. */
function runOf(number: number): Batch {
  const run = `run_${String(number).padStart(8, '0')}`;
  const pipeline = draw(number, 1, PIPELINES);
  const at = end - draw(number, 2, DAYS) * DAY_MS - draw(number, 3, DAY_MS);
  const ledger = Array.from({ length: CALLS_A_RUN }, (_, call): LedgerRow => {
    const task = call % TASKS;
    const model = (pipeline + task + (call % 10 === 9 ? 1 : 0)) % MODELS;
    const isAgain = call % 20 === 13;
    return {
      run,
      path: `each[${Math.floor(call / TASKS)}]/task_${task}`,
      attempt: isAgain ? 2 : 1,
      call,
      at: at + call,
      purpose: 'text',
      model: `lab/model_${model}`,
      inputTokens: 1500 + call,
      outputTokens: 200,
      costMicroUsd: 100 * (model + 1),
      latencyMs: 800,
      cachedInputTokens: 0,
      reasoningTokens: 0,
      finish: 'stop',
      request: `${number * CALLS_A_RUN + (call % 25 === 24 ? 0 : call)}`,
      schema: 's',
    };
  });
  const row = { run, planHash: 'plan', pipeline: `pipeline_${pipeline}`, version: '1', file: '', workspace: '', status: 'completed' as const, reason: null };
  const times = { createdAt: at, startedAt: at, endedAt: at + 60_000, dueAt: null, tasksDone: TASKS, tasksTotal: TASKS, costMicroUsd: 0, error: null };
  const about = { user: `user_${draw(number, 4, USERS)}`, tags: [], key: null, keyHash: null, parent: null };
  return { run, expectedSeq: 0, epoch: 1, events: [], create: { row: { ...row, ...times, ...about }, plan: { hash: 'plan', body: '{}' } }, ledger };
}

const store = await openStore(`sqlite:${path}`, { owner: 'own_bench' });
try {
  const startedAt = performance.now();
  for (let number = 0; number < rows / CALLS_A_RUN; number += RUNS_A_COMMIT)
    await store.commit(Array.from({ length: RUNS_A_COMMIT }, (_, i) => runOf(number + i)));
  const wroteMs = performance.now() - startedAt;
  const took = `${((wroteMs * 1000) / rows).toFixed(0)} µs a call to keep them with their totals, ${(statSync(path).size / 2 ** 20).toFixed(0)} MiB`;
  const written = `${rows.toLocaleString('en-US')} calls: ${took}`;
  const time = async (work: () => unknown): Promise<number> => {
    const times: number[] = [];
    for (let i = 0; i < 5; i++) {
      const began = performance.now();
      await work();
      times.push(performance.now() - began);
    }
    return quantile(times, 0.5);
  };
  const raw = new DatabaseSync(path, { readOnly: true });
  const scanMs = await time(() => raw.prepare('SELECT model, sum(cost_micro_usd), sum(input_tokens), count(*) FROM ledger GROUP BY model').all());
  raw.close();
  const filters: [string, CostFilter][] = [
    ['of all', {}],
    ['since 7 days', { since: end - 7 * DAY_MS }],
    ['of one pipeline', { pipeline: 'pipeline_3' }],
    ['of one user', { user: 'user_3' }],
    ['of one user, 30 days', { user: 'user_3', since: end - 30 * DAY_MS }],
  ];
  const figures: Figure[] = [];
  for (const [name, filter] of filters) {
    const { calls } = await costReport(store, filter);
    const ms = await time(() => costReport(store, filter));
    const detail = `${calls.toLocaleString('en-US')} calls; ${(ms / scanMs).toFixed(2)} × one statement over all rows, by model alone (${scanMs.toFixed(0)} ms)`;
    figures.push({ name: `a cost report ${name}`, value: ms, unit: 'ms', detail, bar: ['<=', 1000] });
  }
  const table = figureTable(figures);
  process.stdout.write(`${written}\n${table}\n`);
  const words = 'Printed by `node bench/cost.ts`: calls of 90 days, 40 pipelines of 6 tasks, 12 models, 25 users; medians of five.';
  if (rows === ROWS) writePart('cost', `## Cost reports\n\n${words} ${machineLine()}\n${written}.\n\n${table}`);
} finally {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
}
