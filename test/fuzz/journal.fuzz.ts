/**
 * Damages rows of a store and reads it through the product: what is served is what was written, or nothing is, with an error of the 5xx area (PROMISES.md, S5).
 *
 *   node test/fuzz/journal.fuzz.ts --count 20000 --seed 1
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { OrchestratorError } from '../../src/errors.ts';
import { sha256 } from '../../src/hash.ts';
import { openStore, type Batch, type Store } from '../../src/store/index.ts';
import { fuzzOptions, randomOf, type Random } from './random.ts';

const RUN = 'run_0000000000000001';
const PLAN = JSON.stringify({ format: 1, blocks: [] });
const LONG = 'x'.repeat(200);
const BLOB = JSON.stringify(LONG);

/** A run of some thirty commits, with a blob and snapshots. */
async function fill(folder: string): Promise<void> {
  const store = await openStore('sqlite:state.db', { base: folder });
  const row: NonNullable<Batch['create']>['row'] = {
    run: RUN,
    planHash: sha256(PLAN),
    pipeline: 'p',
    version: '1',
    file: 'p.yaml',
    workspace: '/',
    status: 'running',
    reason: null,
    createdAt: 1000,
    startedAt: 1000,
    endedAt: null,
    dueAt: null,
    user: 'me',
    tags: ['a', 'b'],
    key: 'k',
    keyHash: 'h',
    parent: null,
    tasksDone: 0,
    tasksTotal: 30,
    costMicroUsd: 0,
    error: null,
  };
  let expectedSeq = 0;
  for (let i = 0; i < 30; i++) {
    const batch: Batch = {
      run: RUN,
      expectedSeq,
      epoch: 1,
      events: [
        { type: 'task.scheduled', at: 1000 + i, slot: i },
        { type: 'task.completed', at: 1001 + i, slot: i, output: { v: `${i}${LONG}` } },
      ],
    };
    if (i === 0) Object.assign(batch, { create: { row, plan: { hash: sha256(PLAN), body: PLAN } }, blobs: [{ hash: sha256(BLOB), content: BLOB }] });
    if (i % 10 === 9) batch.snapshot = JSON.stringify({ seq: expectedSeq + 2, state: LONG });
    const [verdict] = await store.commit([batch]);
    if (verdict !== 'ok') throw new Error(`the store could not be filled: ${verdict}`);
    expectedSeq += 2;
  }
  await store.close();
}

/** Every way in which the run is read, as text. */
const READINGS: { [name: string]: (store: Store) => unknown } = {
  'all events': store => store.read(RUN),
  'later events': store => store.read(RUN, 41),
  'early events': store => store.read(RUN, 0, 17),
  snapshot: store => store.snapshot(RUN),
  'early snapshot': store => store.snapshot(RUN, 25),
  row: store => store.run(RUN),
  plan: store => store.plan(sha256(PLAN)),
  blob: store => store.blob(sha256(BLOB)),
  key: store => store.byKey('k'),
};

type Row = { [column: string]: string | number | Uint8Array | null };

class Damager {
  readonly #db: DatabaseSync;
  readonly #random: Random;
  readonly #tables: { name: string; keys: string[]; columns: string[]; rows: Row[] }[];

  constructor(path: string, random: Random) {
    this.#db = new DatabaseSync(path);
    this.#db.exec('PRAGMA synchronous = OFF');
    this.#random = random;
    this.#tables = ['runs', 'journal', 'journal', 'journal', 'plans', 'blobs', 'snapshots'].map(name => {
      const info = this.#db.prepare(`PRAGMA table_info(${name})`).all() as { name: string; pk: number }[];
      return {
        name,
        keys: info.filter(({ pk }) => pk > 0).map(column => column.name),
        columns: info.map(column => column.name),
        rows: this.#db.prepare(`SELECT * FROM ${name}`).all() as Row[],
      };
    });
  }

  /** Damages one row; answers what was done, whether a row other than one of events cannot be found any more, and how to mend it. */
  damage(): { what: string; isUnnamed: boolean; mend: () => void } {
    const table = this.#pick(this.#tables);
    const row = this.#pick(table.rows);
    const where = table.keys.map(key => `"${key}" = ?`).join(' AND ');
    const keysOf = (of: Row): Row[string][] => table.keys.map(key => of[key]!);
    const marks = table.columns.map(() => '?').join(', ');
    const insert = (of: Row): unknown =>
      this.#db.prepare(`INSERT OR REPLACE INTO ${table.name} VALUES (${marks})`).run(...table.columns.map(column => of[column] ?? null));
    const remove = (of: Row): unknown => this.#db.prepare(`DELETE FROM ${table.name} WHERE ${where}`).run(...keysOf(of));
    if (this.#random() < 0.15) {
      remove(row);
      return { what: `${table.name} ${JSON.stringify(keysOf(row))} removed`, isUnnamed: table.name !== 'journal', mend: () => insert(row) };
    }
    const column = this.#pick(table.columns);
    const changed = { ...row, [column]: this.#change(row[column] ?? null, this.#pick(table.rows)[column] ?? null) };
    const replaced = table.rows.find(other => other !== row && keysOf(other).every((key, i) => key === keysOf(changed)[i]));
    remove(row);
    try {
      insert(changed);
    } catch {
      insert(row); // What the columns themselves refuse is no damage that could be on the disk.
      return { what: 'nothing', isUnnamed: false, mend: () => {} };
    }
    const what = `${table.name} ${JSON.stringify(keysOf(row))} ${column}: ${show(row[column])} -> ${show(changed[column])}`;
    const mend = (): void => {
      remove(changed);
      insert(row);
      if (replaced !== undefined) insert(replaced);
    };
    return { what, isUnnamed: table.name !== 'journal' && (table.keys.includes(column) || column === 'key'), mend };
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)]!;
  }

  /** Another value: with a bit turned, cut, lengthened, of another row, or of another type. */
  #change(value: Row[string], other: Row[string]): Row[string] {
    const way = this.#random();
    if (way < 0.15) return other;
    if (way < 0.2) return null;
    if (typeof value === 'number') return way < 0.6 ? value + 1 : Math.floor(this.#random() * 100);
    if (value === null) return 'something';
    const bytes = Buffer.from(value as string);
    if (bytes.length === 0) return 'x';
    const at = Math.floor(this.#random() * bytes.length);
    if (way < 0.3) return typeof value === 'string' ? bytes.subarray(0, at).toString() : bytes.subarray(0, at);
    if (way < 0.4) return typeof value === 'string' ? value + value.slice(at) : Buffer.concat([bytes, bytes.subarray(at)]);
    bytes[at] = bytes[at]! ^ (1 << Math.floor(this.#random() * 8));
    return typeof value === 'string' ? bytes.toString('latin1') : bytes;
  }

  close(): void {
    this.#db.close();
  }
}

function show(value: Row[string] | undefined): string {
  return value instanceof Uint8Array ? `${value.length} bytes` : JSON.stringify(value ?? null).slice(0, 120);
}

async function answer(store: Store, read: (store: Store) => unknown): Promise<string> {
  try {
    return JSON.stringify(await read(store)) ?? 'nothing';
  } catch (error) {
    if (error instanceof OrchestratorError && /^ORC-5\d\d$/.test(error.code)) return error.code;
    return `threw ${(error as Error).stack ?? String(error)}`;
  }
}

const { count, seed } = fuzzOptions(process.argv);
const folder = mkdtempSync(join(tmpdir(), 'journal-fuzz-'));
await fill(folder);
const open = (): Promise<Store> => openStore('sqlite:state.db', { base: folder, readOnly: true });
const readings = Object.entries(READINGS);
const truth = new Map<string, string>();
const sound = await open();
for (const [name, read] of readings) truth.set(name, await answer(sound, read));
const damager = new Damager(join(folder, 'state.db'), randomOf(seed));
const snapshots = new Set(await Promise.all([20, 40, 60].map(at => answer(sound, each => each.snapshot(RUN, at)))));
await sound.close();
let failures = 0;
for (let i = 0; i < count; i++) {
  const { what, isUnnamed, mend } = damager.damage();
  // A store refuses a run once it has found damage in it: each damage is looked for by a store that knows of none, and beginning elsewhere.
  const store = await open();
  for (let at = i; at < i + readings.length; at++) {
    const [name, read] = readings[at % readings.length]!;
    const given = await answer(store, read);
    if (given === truth.get(name) || given.startsWith('ORC-')) continue;
    // Without the row that names it, nothing is known of a run, a plan or a blob: that is an answer, and no wrong one. The events are not among those.
    if ((given === 'nothing' || given === '[]') && isUnnamed) continue;
    // A snapshot spares reading; without it the fold begins earlier.
    if (name.endsWith('snapshot') && (given === 'nothing' || snapshots.has(given))) continue;
    if (++failures <= 10) console.log(`${what}\n    ${name}: ${given.slice(0, 400)}`);
  }
  await store.close();
  mend();
}
damager.close();
rmSync(folder, { recursive: true });
console.log(`${count} inputs, ${failures} failures (seed ${seed})`);
process.exitCode = failures > 0 ? 1 : 0;
