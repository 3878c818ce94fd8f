import type { OrchestratorError } from '../errors.ts';
import { putBlob, pack } from './blobs.ts';
import { CHAIN_START, chainLink, rowChecksum } from './checksum.ts';
import type { Database } from './database.ts';
import { damaged, isDamage } from './failures.ts';
import { loadRun } from './journal.ts';
import type { Batch, LedgerRow, RunChange, RunRow, Verdict } from './port.ts';
import { bindRun, bornChecksum, changedFields, heldChecksum, INSERT_RUN, updateRun, type Held } from './rows.ts';

/** Snapshots of a run that are kept. */
export const SNAPSHOTS_KEPT = 3;

/**
 * The one way into the journal. It remembers the rows of the runs that this process owns, and never trusts that memory: each append is an UPDATE
 * that names sequence number, epoch and owner, and touches nothing unless the database agrees.
 */
export class Writer {
  readonly #db: Database;
  readonly #owner: string;
  readonly #quarantine: Map<string, string>;
  readonly #held = new Map<string, Held>();
  readonly #updates = new Map<string, string>();
  #failure: OrchestratorError | undefined;

  constructor(db: Database, owner: string, quarantine: Map<string, string>) {
    this.#db = db;
    this.#owner = owner;
    this.#quarantine = quarantine;
  }

  /**
   * All batches in one transaction. A failure of the disk in the commit itself leaves open what is durable: the answers are `unknown`,
   * and this writer stops for good (a second sync that succeeds proves nothing about the first).
   */
  commit(batches: Batch[]): Verdict[] {
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return this.#db.write(
        () => batches.map(batch => this.#append(batch)),
        (failure, verdicts) => {
          this.#failure = failure;
          return verdicts.map(verdict => (verdict === 'ok' ? 'unknown' : verdict));
        },
      );
    } catch (error) {
      for (const { run } of batches) this.#held.delete(run);
      throw error;
    }
  }

  remember(held: Held): void {
    this.#held.set(held.row.run, held);
  }

  forget(run: string): void {
    this.#held.delete(run);
  }

  /** Writes a row whose epoch or owner changes, outside the journal. */
  replace(held: Held): void {
    this.#db.run('UPDATE runs SET epoch = ?, owner = ?, sum = ? WHERE run = ?', held.row.epoch, held.row.owner, heldChecksum(held), held.row.run);
  }

  #append(batch: Batch): Verdict {
    if (this.#quarantine.has(batch.run)) return 'fenced';
    if (batch.create !== undefined) return this.#create(batch, batch.create);
    let held = this.#held.get(batch.run);
    if (held === undefined || this.#judge(batch, held) !== 'ok') {
      try {
        held = loadRun(this.#db, batch.run);
      } catch (error) {
        if (!isDamage(error)) throw error;
        this.#quarantine.set(batch.run, error.message);
        return 'fenced';
      }
      const verdict = held === undefined ? 'conflict' : this.#judge(batch, held);
      if (held === undefined || verdict !== 'ok') {
        this.#held.delete(batch.run);
        return verdict;
      }
    }
    const next = this.#advance(batch, held);
    if (next === undefined) {
      this.#held.delete(batch.run);
      return this.#append(batch);
    }
    this.#attach(batch, next.row.seq);
    if (next.row.endedAt === null) this.#held.set(batch.run, next);
    else this.#held.delete(batch.run);
    return 'ok';
  }

  #judge(batch: Batch, { row }: Held): Verdict {
    if (row.owner !== this.#owner || row.epoch !== batch.epoch) return 'fenced';
    return row.seq === batch.expectedSeq ? 'ok' : 'conflict';
  }

  /** The new row, or undefined where the database no longer agrees with `held`. */
  #advance(batch: Batch, held: Held): Held | undefined {
    const change = batch.change ?? {};
    const fields = changedFields(held.row, change);
    const seq = batch.expectedSeq + batch.events.length;
    const events = JSON.stringify(batch.events);
    const head = batch.events.length === 0 ? held.head : chainLink(held.head, batch.run, seq, events);
    const next: Held = { row: { ...held.row, ...pick(change, fields), seq }, head, born: held.born };
    const values = fields.map(field => next.row[field]);
    const updated = this.#db.run(this.#update(fields), seq, head, heldChecksum(next), ...values, batch.run, batch.expectedSeq, batch.epoch, this.#owner);
    if (updated === 0) return undefined;
    if (batch.events.length > 0) this.#link(batch, seq, events, head);
    return next;
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
    const held: Held = { row, head, born: bornChecksum(row) };
    if (this.#db.run(INSERT_RUN, ...bindRun(held)) === 0) {
      return this.#db.get('SELECT 1 FROM runs WHERE run = ?', batch.run) === undefined ? 'key_conflict' : 'conflict';
    }
    if (seq > 0) this.#link(batch, seq, events, head);
    this.#putPlan(plan);
    this.#attach(batch, seq);
    this.#held.set(batch.run, held);
    return 'ok';
  }

  #putPlan({ hash, body }: { hash: string; body: string }): void {
    if (this.#db.get('SELECT 1 FROM plans WHERE hash = ?', hash) !== undefined) return;
    const { packed, size, content } = pack(body);
    this.#db.run('INSERT INTO plans (hash, packed, size, content, sum) VALUES (?, ?, ?, ?, ?)', hash, packed, size, content, rowChecksum(hash, body));
  }

  /** What rides along with the events. */
  #attach(batch: Batch, seq: number): void {
    if (batch.blobs !== undefined) for (const { hash, content } of batch.blobs) putBlob(this.#db, hash, content);
    if (batch.ledger !== undefined) for (const row of batch.ledger) this.#enter(row);
    if (batch.consumed !== undefined) {
      for (const key of batch.consumed)
        this.#db.run('UPDATE inbox SET command = NULL, sum = ? WHERE run = ? AND "key" = ?', rowChecksum(batch.run, key, null), batch.run, key);
    }
    if (batch.snapshot !== undefined) this.#keepSnapshot(batch, batch.snapshot, seq);
  }

  #enter(row: LedgerRow): void {
    const values = ledgerValues(row);
    this.#db.run('INSERT OR REPLACE INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)', ...values, rowChecksum(...values));
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

/** A ledger row in the order of its table. */
export function ledgerValues(row: LedgerRow): (string | number | null)[] {
  return [row.run, row.path, row.attempt, row.call, row.at, row.purpose, row.model, row.inputTokens, row.outputTokens, row.costMicroUsd, row.latencyMs];
}

function pick(change: RunChange, fields: (keyof RunChange)[]): RunChange {
  return Object.fromEntries(fields.map(field => [field, change[field]])) as RunChange;
}
