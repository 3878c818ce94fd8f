import type { OrchestratorError } from '../errors.ts';
import { putBlob, pack } from './blobs.ts';
import { SqliteBudgetRows } from './budget-rows.ts';
import { Budgets } from './budgets.ts';
import { CHAIN_START, chainLink, rowChecksum } from './checksum.ts';
import type { Database } from './database.ts';
import { damaged, isDamage } from './failures.ts';
import { loadRun } from './journal.ts';
import { enterCall } from './ledger.ts';
import type { Batch, RunChange, RunRow, Verdict } from './port.ts';
import { bindRun, bornChecksum, changedFields, heldChecksum, INSERT_RUN, updateRun, type Held } from './rows.ts';

/** Snapshots of a run that are kept. */
export const SNAPSHOTS_KEPT = 3;

/** A row vouches for its journal at latest so long after an append: nobody pays for that at every step. */
const SEAL_EVERY_MS = 1000;
/** … and after so many appends, which whoever takes the run over has to check one by one. */
const SEAL_EVERY = 64;

/** A run that this process writes, and the version of the database at which it was seen to be its own. */
interface Owned extends Held {
  seenAt: number;
  /** Appends since the seal. */
  unsealed: number;
}

/**
 * The one way into the journal. It remembers the rows of the runs that this process owns, and trusts that memory only while no other connection has
 * changed the database: each transaction looks, under its lock, at the version that SQLite counts. An append is one INSERT; the row of the run is written
 * when something in it changes, and otherwise sealed within a second (docs/decisions/0006-seals.md).
 */
export class Writer {
  readonly #db: Database;
  readonly #owner: string;
  readonly #quarantine: Map<string, string>;
  readonly #budgets: Budgets;
  readonly #held = new Map<string, Owned>();
  /** Runs whose journal goes on beyond the seal of their row. */
  readonly #unsealed = new Set<string>();
  readonly #updates = new Map<string, string>();
  /** Plans that the store has, as of `#version`. */
  readonly #plans = new Set<string>();
  #version = -1;
  #sealedAtMs = 0;
  #sealing: NodeJS.Timeout | undefined;
  #failure: OrchestratorError | undefined;

  constructor(db: Database, owner: string, quarantine: Map<string, string>) {
    this.#db = db;
    this.#owner = owner;
    this.#quarantine = quarantine;
    this.#budgets = new Budgets(new SqliteBudgetRows(db));
  }

  /**
   * All batches in one transaction. A failure of the disk in the commit itself leaves open what is durable: the answers are `unknown`,
   * and this writer stops for good (a second sync that succeeds proves nothing about the first).
   */
  commit(batches: Batch[]): Verdict[] {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return this.#db.write(
        () => {
          this.#lookAround();
          const verdicts = batches.map(batch => this.#append(batch));
          if (this.#unsealed.size > 0) this.#sealInTime();
          return verdicts;
        },
        (failure, verdicts) => {
          this.#failure = failure;
          return verdicts.map(verdict => (verdict === 'ok' ? 'unknown' : verdict));
        },
      );
    } catch (error) {
      // What was remembered of this transaction did not come to be, and what it sealed was not sealed.
      this.#held.clear();
      this.#unsealed.clear();
      throw error;
    }
  }

  remember(held: Held): void {
    this.#held.set(held.row.run, { ...held, seenAt: -1, unsealed: 0 });
  }

  forget(run: string): void {
    this.#held.delete(run);
    this.#unsealed.delete(run);
  }

  /** Writes a row whose epoch or owner changes, outside the journal. */
  replace(held: Held): void {
    const { run, seq, epoch, owner } = held.row;
    this.#db.run('UPDATE runs SET seq = ?, head = ?, epoch = ?, owner = ?, sum = ? WHERE run = ?', seq, held.head, epoch, owner, heldChecksum(held), run);
  }

  /** Seals every journal whose row lags behind. */
  seal(): void {
    clearTimeout(this.#sealing);
    this.#sealing = undefined;
    if (this.#unsealed.size === 0 || this.#failure !== undefined) return;
    this.#sealedAtMs = -Infinity;
    this.commit([]);
  }

  /** Whether another connection has changed the database since the last transaction. */
  #lookAround(): void {
    const { data_version: version } = this.#db.get<{ data_version: number }>('PRAGMA data_version')!;
    if (version === this.#version) return;
    this.#version = version;
    this.#plans.clear();
  }

  /** Within a transaction: seals what lags behind, once a second; the last of a burst is sealed by the clock. */
  #sealInTime(): void {
    const now = performance.now();
    if (now - this.#sealedAtMs >= SEAL_EVERY_MS) {
      this.#sealedAtMs = now;
      for (const run of this.#unsealed) {
        const held = this.#held.get(run);
        if (held !== undefined && this.#isMine(held)) this.#writeRow(held, []);
      }
      this.#unsealed.clear();
      return;
    }
    // What the store refuses now is sealed with a later commit.
    this.#sealing ??= setTimeout(() => {
      try {
        this.seal();
      } catch {}
    }, SEAL_EVERY_MS).unref();
  }

  #append(batch: Batch): Verdict {
    if (this.#quarantine.has(batch.run)) return 'fenced';
    if (batch.spending !== undefined && this.#budgets.refuses(batch.run, batch.spending)) return 'over_budget';
    if (batch.create !== undefined) return this.#create(batch, batch.create);
    let held = this.#held.get(batch.run);
    if (held === undefined || !this.#isMine(held) || this.#judge(batch, held) !== 'ok') {
      try {
        const found = loadRun(this.#db, batch.run);
        held = found === undefined ? undefined : { ...found, seenAt: this.#version, unsealed: 0 };
      } catch (error) {
        if (!isDamage(error)) throw error;
        this.#quarantine.set(batch.run, error.message);
        return 'fenced';
      }
      const verdict = held === undefined ? 'conflict' : this.#judge(batch, held);
      if (held === undefined || verdict !== 'ok') {
        this.forget(batch.run);
        return verdict;
      }
      this.#held.set(batch.run, held);
    }
    this.#advance(batch, held);
    return 'ok';
  }

  /** Looks again at a row that another connection may have changed. */
  #isMine(held: Owned): boolean {
    if (held.seenAt === this.#version) return true;
    const { run, epoch } = held.row;
    if (this.#db.get('SELECT 1 FROM runs WHERE run = ? AND epoch = ? AND owner = ?', run, epoch, this.#owner) === undefined) return false;
    held.seenAt = this.#version;
    return true;
  }

  #judge(batch: Batch, { row }: Held): Verdict {
    if (row.owner !== this.#owner || row.epoch !== batch.epoch) return 'fenced';
    return row.seq === batch.expectedSeq ? 'ok' : 'conflict';
  }

  #advance(batch: Batch, held: Owned): void {
    const { row } = held;
    const { run } = row;
    if (batch.events.length > 0) {
      const events = JSON.stringify(batch.events);
      row.seq = batch.expectedSeq + batch.events.length;
      held.head = chainLink(held.head, run, row.seq, events);
      this.#link(batch, row.seq, events, held.head);
    }
    const fields = batch.change === undefined ? [] : changedFields(row, batch.change);
    if (batch.events.length > 0) held.unsealed++;
    if (fields.length > 0) Object.assign(row, batch.change);
    if (fields.length > 0 || held.unsealed >= SEAL_EVERY) this.#writeRow(held, fields);
    else if (batch.events.length > 0) this.#unsealed.add(run);
    this.#attach(batch, row);
    // A run that ended is not written again, one that waits not soon: many may.
    if ((row.endedAt !== null || row.status === 'waiting' || row.status === 'paused') && !this.#unsealed.has(run)) this.#held.delete(run);
  }

  #writeRow(held: Owned, fields: (keyof RunChange)[]): void {
    const { row, head } = held;
    this.#db.run(this.#update(fields), row.seq, head, heldChecksum(held), ...fields.map(field => row[field]), row.run);
    held.seal = { seq: row.seq, head };
    held.unsealed = 0;
    this.#unsealed.delete(row.run);
  }

  #link(batch: Batch, seq: number, events: string, checksum: string): void {
    const added = this.#db.run(
      'INSERT INTO journal (run, seq, first, events, checksum) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
      batch.run,
      seq,
      batch.expectedSeq + 1,
      events,
      checksum,
    );
    if (added === 0) throw damaged(`the journal of ${batch.run} goes on beyond its row`, { run: batch.run, seq });
  }

  #update(fields: (keyof RunChange)[]): string {
    const name = fields.join();
    let sql = this.#updates.get(name);
    if (sql === undefined) this.#updates.set(name, (sql = updateRun(fields)));
    return sql;
  }

  #create(batch: Batch, { row: given, plan }: NonNullable<Batch['create']>): Verdict {
    if (batch.expectedSeq !== 0) return 'conflict';
    const seq = batch.events.length;
    const events = JSON.stringify(batch.events);
    const row: RunRow = { ...given, ...batch.change, run: batch.run, tags: [...given.tags], seq, epoch: 1, owner: this.#owner };
    const head = seq === 0 ? CHAIN_START : chainLink(CHAIN_START, batch.run, seq, events);
    const held: Owned = { row, head, seal: { seq, head }, born: bornChecksum(row), seenAt: this.#version, unsealed: 0 };
    if (this.#db.run(INSERT_RUN, ...bindRun(held)) === 0) {
      return this.#db.get('SELECT 1 FROM runs WHERE run = ?', batch.run) === undefined ? 'key_conflict' : 'conflict';
    }
    if (seq > 0) this.#link(batch, seq, events, head);
    this.#putPlan(plan);
    this.#attach(batch, row);
    this.#held.set(batch.run, held);
    return 'ok';
  }

  #putPlan({ hash, body }: { hash: string; body: string }): void {
    if (this.#plans.has(hash)) return;
    this.#plans.add(hash);
    if (this.#db.get('SELECT 1 FROM plans WHERE hash = ?', hash) !== undefined) return;
    const { packed, size, content } = pack(body);
    this.#db.run('INSERT INTO plans (hash, packed, size, content, sum) VALUES (?, ?, ?, ?, ?)', hash, packed, size, content, rowChecksum(hash, body));
  }

  /** What rides along with the events. */
  #attach(batch: Batch, row: RunRow): void {
    // Before its calls are in the ledger, as it was judged.
    if (batch.spending !== undefined) this.#budgets.enter(batch.run, batch.spending);
    if (batch.blobs !== undefined) for (const { hash, content } of batch.blobs) putBlob(this.#db, hash, content);
    if (batch.ledger !== undefined) for (const call of batch.ledger) enterCall(this.#db, call, row);
    if (batch.consumed !== undefined) {
      for (const key of batch.consumed)
        this.#db.run('UPDATE inbox SET command = NULL, sum = ? WHERE run = ? AND "key" = ?', rowChecksum(batch.run, key, null), batch.run, key);
    }
    if (batch.snapshot !== undefined) this.#keepSnapshot(batch, batch.snapshot, row.seq);
  }

  #keepSnapshot({ run, events }: Batch, state: string, seq: number): void {
    const { packed, size, content } = pack(state);
    const at = events.at(-1)?.at ?? 0;
    this.#db.run('INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?, ?, ?)', run, seq, at, packed, size, content, rowChecksum(run, seq, state));
    this.#db.run(
      `DELETE FROM snapshots WHERE run = ?1 AND seq <= (SELECT seq FROM snapshots WHERE run = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ${SNAPSHOTS_KEPT})`,
      run,
    );
  }
}
