// What one batch costs in the SQLite store, by batches in a commit, against a raw one-row insert of the same minute: node bench/store.ts
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Event } from '../src/engine/event.ts';
import { openStore, type Batch } from '../src/store/index.ts';

const ROUNDS = 7;
const folder = mkdtempSync(join(tmpdir(), 'bench-store-'));

function eventsOf(i: number): Event[] {
  return [
    { type: 'task.completed', at: 1_732_470_000_000 + i, slot: i, output: { v: { v: i, text: 'x'.repeat(60) } } },
    { type: 'task.scheduled', at: 1_732_470_000_000 + i, slot: i + 1 },
    { type: 'attempt.started', at: 1_732_470_000_000 + i, slot: i + 1, attempt: 1, effect: 'pure' },
  ];
}

/** One row a batch and nothing else: the floor. */
function raw(): (size: number) => void {
  const db = new DatabaseSync(join(folder, 'raw.db'));
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE j (run TEXT, i INTEGER, r TEXT, PRIMARY KEY (run, i)) WITHOUT ROWID');
  const insert = db.prepare('INSERT INTO j VALUES (?, ?, ?)');
  let i = 0;
  return size => {
    if (size > 1) db.exec('BEGIN');
    for (let n = 0; n < size; n++, i++) insert.run(`run_${i % size}`, i, JSON.stringify(eventsOf(i)));
    if (size > 1) db.exec('COMMIT');
  };
}

/** `size` runs that each add one batch a commit; `change` as in a run whose counters move with every step. */
async function ours(size: number, change: boolean): Promise<() => void> {
  const store = await openStore(`sqlite:ours-${size}-${change}/state.db`, { base: folder });
  const runs = Array.from({ length: size }, (_, n) => `run_${n}`);
  await store.commit(runs.map(run => ({ run, expectedSeq: 0, epoch: 1, events: [], create: { row: rowOf(run), plan: { hash: 'plan', body: '{}' } } })));
  let step = 0;
  return () => {
    const batches = runs.map((run): Batch => ({
      run,
      expectedSeq: step * 3,
      epoch: 1,
      events: eventsOf(step),
      ...(change ? { change: { tasksDone: step } } : {}),
    }));
    for (const verdict of store.commit(batches) as string[]) if (verdict !== 'ok') throw new Error(verdict);
    step++;
  };
}

function rowOf(run: string): NonNullable<Batch['create']>['row'] {
  return {
    run,
    planHash: 'plan',
    pipeline: 'bench',
    version: '1',
    file: 'bench.yaml',
    workspace: '/',
    status: 'running',
    reason: null,
    createdAt: 1,
    startedAt: 1,
    endedAt: null,
    dueAt: null,
    user: null,
    tags: [],
    key: null,
    keyHash: null,
    parent: null,
    tasksDone: 0,
    tasksTotal: 1,
    costMicroUsd: 0,
    error: null,
  };
}

function perBatchUs(work: () => void, size: number, times: number): number {
  const start = performance.now();
  for (let n = 0; n < times; n++) work();
  return ((performance.now() - start) * 1000) / (times * size);
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1]!;
}

const insert = raw();
console.log('batches a commit | raw µs | ours µs | with a change µs | ratio | over raw µs');
for (const size of [1, 10, 100]) {
  const plain = await ours(size, false);
  const changing = await ours(size, true);
  const times = Math.ceil(600 / size ** 0.7);
  const found: number[][] = [[], [], []];
  for (let round = 0; round <= ROUNDS; round++) {
    const figures = [perBatchUs(() => insert(size), size, times), perBatchUs(plain, size, times), perBatchUs(changing, size, times)];
    if (round > 0) figures.forEach((figure, i) => found[i]!.push(figure));
  }
  const [floor, without, withChange] = found.map(median) as [number, number, number];
  const cells = [
    String(size).padStart(16),
    floor.toFixed(1),
    without.toFixed(1),
    withChange.toFixed(1),
    `${(withChange / floor).toFixed(2)} x`,
    (withChange - floor).toFixed(1),
  ];
  console.log(cells.join(' | '));
}
rmSync(folder, { recursive: true });
process.exit(0);
