import { setImmediate as nextTurn } from 'node:timers/promises';
import { utcDay } from '../clock.ts';
import type { RunStatus } from '../engine/event.ts';
import type { Database } from './database.ts';
import { openRun, unknownRun } from './failures.ts';
import { namedBlobs } from './references.ts';
import { isOpen } from './rows.ts';

/** Pages given back to the file system in one transaction, so that nobody waits long. */
const PAGES_A_TURN = 500;

export interface PruneRequest {
  run?: string;
  endedBefore?: number;
  dryRun?: boolean;
}

/**
 * Deletes ended runs, one transaction each, then the blobs and plans that nobody else names, then shrinks the file. `isDamaged` runs go by name whatever their status.
 */
export async function prune(db: Database, what: PruneRequest, isDamaged: (run: string) => boolean): Promise<{ runs: string[]; bytes: number }> {
  const force = what.run !== undefined && isDamaged(what.run);
  const doomed = what.run === undefined ? endedRuns(db, what.endedBefore) : [namedRun(db, what.run, force)];
  const candidates = new Set<string>();
  const plans = new Set<string>();
  const gone: string[] = [];
  let bytes = 0;
  for (const run of doomed) {
    const before = { bytes: runBytes(db, run), blobs: blobsOfRun(db, run), plan: planOf(db, run) };
    if (what.dryRun !== true && !deleteRun(db, run, force)) continue;
    gone.push(run);
    bytes += before.bytes;
    for (const hash of before.blobs) candidates.add(hash);
    if (before.plan !== undefined) plans.add(before.plan);
    await nextTurn();
  }
  if (candidates.size > 0) bytes += await pruneBlobs(db, candidates, new Set(gone), what.dryRun === true);
  bytes += prunePlans(db, plans, new Set(gone), what.dryRun === true);
  if (what.dryRun !== true) {
    if (what.endedBefore !== undefined) {
      db.run('DELETE FROM cache WHERE expires_at <= ?', what.endedBefore);
      for (const table of ['budgets', 'reservations', 'raises']) db.run(`DELETE FROM ${table} WHERE day < ?`, utcDay(what.endedBefore));
    }
    await shrink(db);
  }
  return { runs: gone, bytes };
}

function endedRuns(db: Database, before: number | undefined): string[] {
  const sql = `SELECT run FROM runs WHERE status IN ('completed', 'failed', 'cancelled') AND ended_at < ? ORDER BY created_at, run`;
  return db.all<{ run: string }>(sql, before ?? Number.MAX_SAFE_INTEGER).map(row => row.run);
}

function namedRun(db: Database, run: string, force: boolean): string {
  const row = db.get<{ status: RunStatus }>('SELECT status FROM runs WHERE run = ?', run);
  if (row === undefined && !force) throw unknownRun(run);
  if (row !== undefined && isOpen(row.status) && !force) throw openRun(run, row.status);
  return run;
}

function deleteRun(db: Database, run: string, force: boolean): boolean {
  return db.write(() => {
    const row = db.get<{ status: RunStatus }>('SELECT status FROM runs WHERE run = ?', run);
    if (row !== undefined && isOpen(row.status) && !force) return false;
    for (const table of ['runs', 'journal', 'snapshots', 'inbox', 'ledger', 'quarantine']) db.run(`DELETE FROM ${table} WHERE run = ?`, run);
    return true;
  });
}

function runBytes(db: Database, run: string): number {
  return db.get<{ bytes: number }>(
    `SELECT (SELECT coalesce(sum(length(CAST(events AS BLOB))), 0) FROM journal WHERE run = ?1) + (SELECT coalesce(sum(length(content)), 0) FROM snapshots WHERE run = ?1) AS bytes`,
    run,
  )!.bytes;
}

function blobsOfRun(db: Database, run: string, after = 0): Set<string> {
  const named = new Set<string>();
  for (const { events } of db.each<{ events: string }>('SELECT events FROM journal WHERE run = ? AND seq > ?', run, after)) {
    for (const hash of namedBlobs(events)) named.add(hash);
  }
  return named;
}

function planOf(db: Database, run: string): string | undefined {
  return db.get<{ hash: string }>('SELECT plan_hash AS hash FROM runs WHERE run = ?', run)?.hash;
}

/** Two passes: the long one holds no lock, the second looks under the lock at what was written meanwhile. */
async function pruneBlobs(db: Database, candidates: Set<string>, gone: Set<string>, dryRun: boolean): Promise<number> {
  const seen = new Map<string, number>();
  const unseen = (): { run: string; seq: number }[] => {
    return db
      .all<{ run: string; seq: number }>('SELECT run, max(seq) AS seq FROM journal GROUP BY run')
      .filter(({ run, seq }) => !gone.has(run) && seq > (seen.get(run) ?? 0));
  };
  const look = ({ run, seq }: { run: string; seq: number }): void => {
    for (const hash of blobsOfRun(db, run, seen.get(run))) candidates.delete(hash);
    seen.set(run, seq);
  };
  for (const entry of unseen()) {
    look(entry);
    await nextTurn();
  }
  const work = (): number => {
    unseen().forEach(look);
    for (const { content } of db.each<{ content: string }>('SELECT content FROM cache')) {
      for (const hash of namedBlobs(content)) candidates.delete(hash);
    }
    return drop(db, 'blobs', candidates, dryRun);
  };
  return dryRun ? db.read(work) : db.write(work);
}

function prunePlans(db: Database, plans: Set<string>, gone: Set<string>, dryRun: boolean): number {
  const work = (): number =>
    drop(
      db,
      'plans',
      [...plans].filter(hash => !isPlanUsed(db, hash, gone)),
      dryRun,
    );
  return dryRun ? db.read(work) : db.write(work);
}

function isPlanUsed(db: Database, hash: string, gone: Set<string>): boolean {
  for (const { run } of db.each<{ run: string }>('SELECT run FROM runs WHERE plan_hash = ?', hash)) if (!gone.has(run)) return true;
  return false;
}

function drop(db: Database, table: 'blobs' | 'plans', hashes: Iterable<string>, dryRun: boolean): number {
  let bytes = 0;
  for (const hash of hashes) {
    bytes += db.get<{ bytes: number }>(`SELECT length(content) AS bytes FROM ${table} WHERE hash = ?`, hash)?.bytes ?? 0;
    if (!dryRun) db.run(`DELETE FROM ${table} WHERE hash = ?`, hash);
  }
  return bytes;
}

async function shrink(db: Database): Promise<void> {
  const free = (): number => db.get<{ freelist_count: number }>('PRAGMA freelist_count')!.freelist_count;
  for (let left = free(); left > 0; left = free()) {
    db.execute(`PRAGMA incremental_vacuum(${PAGES_A_TURN})`);
    if (free() >= left) break;
    await nextTurn();
  }
  db.execute('PRAGMA wal_checkpoint(TRUNCATE)');
}
