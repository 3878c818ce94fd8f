import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Event } from '../engine/event.ts';
import { getBlob, unpack, type Packed } from './blobs.ts';
import { rowChecksum } from './checksum.ts';
import type { Database } from './database.ts';
import { isDamage } from './failures.ts';
import { chain, loadRun } from './journal.ts';
import { callValues, EVERYBODY, USERS } from './ledger.ts';
import type { Damage } from './port.ts';
import { referredBlobs } from './references.ts';
import { MIGRATIONS } from './schema.ts';

type Value = string | number | null;

/** Stands for the whole store where a run would stand in the table of what is quarantined. */
export const WHOLE_STORE = '';

/** Reads everything and says what does not hold. Other work of this process goes on in between. */
export async function verify(db: Database): Promise<Damage[]> {
  const damages: Damage[] = [];
  const attempt = <Result>(run: string | null, work: () => Result): Result | undefined => {
    try {
      return work();
    } catch (error) {
      if (!isDamage(error)) throw error;
      damages.push({ run, what: error.message });
      return undefined;
    }
  };
  attempt(null, () => damages.push(...checkStructure(db)));
  attempt(null, () => damages.push(...quarantined(db)));
  for (const run of attempt(null, () => runsOf(db)) ?? []) {
    attempt(run, () => damages.push(...checkRun(db, run)));
    await nextTurn();
  }
  for (const hash of attempt(null, () => db.all<{ hash: string }>('SELECT hash FROM blobs')) ?? []) {
    attempt(null, () => {
      if (getBlob(db, hash.hash) === null) damages.push({ run: null, what: `the value ${hash.hash} does not hold what was written to it` });
    });
    await nextTurn();
  }
  attempt(null, () => damages.push(...checkTotals(db)));
  for (const table of CHECKED_TABLES) {
    attempt(null, () => damages.push(...checkTable(db, table)));
    await nextTurn();
  }
  return damages;
}

/** SQLite's own view of its pages and indexes, and the tables themselves, which must be those that we made. */
function checkStructure(db: Database): Damage[] {
  const damages: Damage[] = db
    .all<{ integrity_check: string }>('PRAGMA integrity_check')
    .filter(row => row.integrity_check !== 'ok')
    .map(row => ({ run: null, what: row.integrity_check }));
  const { page } = db.get<{ page: number }>('SELECT page_size AS page FROM pragma_page_size')!;
  if (statSync(db.path).size % page !== 0) damages.push({ run: null, what: `${db.path} ends in the middle of a page` });
  const tables = `SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name <> 'schema_version' ORDER BY name`;
  const fresh = new DatabaseSync(':memory:');
  try {
    for (const sql of MIGRATIONS) fresh.exec(sql);
    if (JSON.stringify(db.all(tables)) !== JSON.stringify(fresh.prepare(tables).all()))
      damages.push({ run: null, what: 'the tables are not those that this version makes' });
  } finally {
    fresh.close();
  }
  return damages;
}

function quarantined(db: Database): Damage[] {
  return db.all<{ run: string; what: string }>('SELECT run, what FROM quarantine').map(({ run, what }) => ({ run: run === WHOLE_STORE ? null : run, what }));
}

/** Every run that any table names. */
function runsOf(db: Database): string[] {
  return db
    .all<{ run: string }>(
      'SELECT run FROM runs UNION SELECT DISTINCT run FROM journal UNION SELECT run FROM snapshots UNION SELECT run FROM inbox UNION SELECT run FROM ledger',
    )
    .map(row => row.run);
}

function checkRun(db: Database, run: string): Damage[] {
  return db.read(() => {
    const damages: Damage[] = [];
    const held = loadRun(db, run);
    if (held === undefined) damages.push({ run, what: `the row of ${run} is missing` });
    const named = new Set<string>();
    for (const { events } of chain(db, run, held)) for (const event of JSON.parse(events) as Event[]) for (const hash of referredBlobs(event)) named.add(hash);
    for (const hash of named) {
      if (db.get('SELECT 1 FROM blobs WHERE hash = ?', hash) === undefined) damages.push({ run, what: `the value ${hash} is missing` });
    }
    if (held !== undefined && db.get('SELECT 1 FROM plans WHERE hash = ?', held.row.planHash) === undefined)
      damages.push({ run, what: `the plan ${held.row.planHash} is missing` });
    return damages;
  });
}

/** What is summed twice must be the same, and no less than the rows that are there; those of pruned runs are in the sums alone. */
function checkTotals(db: Database): Damage[] {
  const summed = 'SELECT total(calls) AS calls, total(cost_micro_usd) AS cost FROM totals WHERE kind = ?';
  const [all, users] = [EVERYBODY, USERS].map(kind => db.get<{ calls: number; cost: number }>(summed, kind)!);
  const rows = db.get<{ calls: number; cost: number }>('SELECT count(*) AS calls, total(cost_micro_usd) AS cost FROM ledger WHERE replayed IS NULL')!;
  const agree = all!.calls === users!.calls && all!.cost === users!.cost && rows.calls <= all!.calls && rows.cost <= all!.cost;
  return agree ? [] : [{ run: null, what: 'the sums of the ledger are not those of its calls' }];
}

interface CheckedTable {
  /** What one row is, for people. */
  what: string;
  sql: string;
  /** The values behind the checksum; undefined where they cannot be made out. */
  values(row: { [column: string]: Value }): Value[] | undefined;
}

const CHECKED_TABLES: CheckedTable[] = [
  { what: 'a plan', sql: 'SELECT hash, packed, size, content, sum FROM plans', values: row => withText(row, ['hash']) },
  { what: 'a snapshot', sql: 'SELECT run, seq, packed, size, content, sum FROM snapshots', values: row => withText(row, ['run', 'seq']) },
  { what: 'a command', sql: 'SELECT run, "key", command, sum FROM inbox', values: row => [row['run']!, row['key']!, row['command']!] },
  { what: 'a call of the ledger', sql: 'SELECT * FROM ledger', values: ({ sum: _, ...row }) => callValues(Object.values(row)) },
  { what: 'a sum of the ledger', sql: 'SELECT * FROM totals', values: ({ sum: _, ...row }) => Object.values(row) },
  { what: 'a budget', sql: 'SELECT * FROM budgets', values: ({ sum: _, ...row }) => Object.values(row) },
  { what: 'what is reserved', sql: 'SELECT * FROM reservations', values: ({ sum: _, ...row }) => Object.values(row) },
  { what: 'a raise of a budget', sql: 'SELECT scope, day, at, by, micro_usd, sum FROM raises', values: ({ sum: _, ...row }) => Object.values(row) },
  { what: 'a cached result', sql: 'SELECT "key", content, expires_at, sum FROM cache', values: ({ sum: _, ...row }) => Object.values(row) },
  { what: 'the row that says drain and stop', sql: 'SELECT drain, stop, reason, since, sum FROM control', values: ({ sum: _, ...row }) => Object.values(row) },
];

function withText(row: { [column: string]: Value }, before: string[]): Value[] | undefined {
  const text = unpack(row as unknown as Packed);
  return text === undefined ? undefined : [...before.map(column => row[column]!), text];
}

function checkTable(db: Database, { what, sql, values }: CheckedTable): Damage[] {
  const damages: Damage[] = [];
  for (const row of db.each<{ [column: string]: Value }>(sql)) {
    const found = values(row);
    if (found !== undefined && rowChecksum(...found) === row['sum']) continue;
    const run = typeof row['run'] === 'string' ? row['run'] : null;
    damages.push({ run, what: `${what}${run === null ? '' : ` of ${run}`} does not hold what was written to it` });
  }
  return damages;
}
