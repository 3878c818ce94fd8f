import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from '../engine/event.ts';
import { getBlob, unpack, type Packed } from './blobs.ts';
import { SqliteBudgetRows } from './budget-rows.ts';
import { Budgets } from './budgets.ts';
import { rowChecksum } from './checksum.ts';
import { Database, type DatabaseOptions } from './database.ts';
import { damaged, isDamage, unknownRun } from './failures.ts';
import { loadRun, readJournal } from './journal.ts';
import { Lease } from './lease.ts';
import { ledgerRows, totals } from './ledger.ts';
import { hasLostCommits } from './log.ts';
import type {
  Batch,
  BudgetRaise,
  BudgetRow,
  Control,
  Damage,
  HeldReservation,
  LedgerFilter,
  LedgerRow,
  RunFilter,
  RunRow,
  Store,
  StoreHealth,
  TotalsFilter,
  TotalsKey,
  TotalsRow,
  Verdict,
} from './port.ts';
import { prune, type PruneRequest } from './prune.ts';
import { OPEN_STATUSES, parseRun, SELECT_RUN, type Held, type RawRow } from './rows.ts';
import { migrate, schemaVersion } from './schema.ts';
import { SqliteShared } from './shared.ts';
import { verify, WHOLE_STORE } from './verify.ts';
import { Writer } from './writer.ts';

const OPEN = OPEN_STATUSES.map(status => `'${status}'`).join(', ');
/** Above every character that an id can hold. */
const LAST = '\u{10ffff}';

export interface SqliteOptions extends DatabaseOptions {
  /** Id of this process's lease: letters, digits and underscores, never used before. */
  owner: string;
}

const OPEN_STORES = new Set<SqliteStore>();

/**
 * A process that ends by itself closes its databases, and the log with them: a store that was left open would then look like one whose log somebody took away.
 * So what its user did not close is closed in order. A process that is killed gets no such chance, and leaves the log.
 */
function closeAtExit(store: SqliteStore): void {
  if (OPEN_STORES.size === 0 && !isWatchingExit) {
    isWatchingExit = true;
    process.on('exit', () => {
      for (const open of OPEN_STORES) void open.close().catch(() => {});
    });
  }
  OPEN_STORES.add(store);
}

let isWatchingExit = false;

/** Runs in one SQLite file, which any number of processes of one machine share. Every method answers before it returns; the promises are for the port's sake. */
export class SqliteStore implements Store {
  readonly kind = 'sqlite';
  readonly owner: string;
  readonly shared: SqliteShared;
  readonly #options: SqliteOptions;
  readonly #lease: Lease;
  readonly #writer: Writer;
  /** Runs that are not served, and why. */
  readonly #quarantine = new Map<string, string>();
  #db: Database;
  #enrolled = false;
  #closed = false;

  constructor(path: string, options: SqliteOptions) {
    this.#options = options;
    this.owner = options.owner;
    this.#db = new Database(path, options);
    this.#lease = new Lease(join(dirname(this.#db.path), 'owners'), options.owner);
    this.shared = new SqliteShared(`${this.#db.path}-shared`, options);
    this.#writer = new Writer(this.#db, options.owner, this.#quarantine);
    try {
      migrate(this.#db);
      if (!options.readOnly) this.#lease.take();
      this.#lookForLosses();
    } catch (error) {
      this.#lease.release();
      this.#db.close();
      throw error;
    }
    closeAtExit(this);
  }

  commit(batches: Batch[]): Verdict[] {
    this.#enrol();
    return this.#writer.commit(batches);
  }

  read(run: string, from = 0, to = Infinity): ReturnType<typeof readJournal> {
    return this.#guard(run, () => readJournal(this.#db, run, from, to));
  }

  snapshot(run: string, at = Number.MAX_SAFE_INTEGER): { seq: number; state: string } | undefined {
    // A damaged snapshot is passed over: the journal from an older one, or from the start, says the same.
    for (const row of this.#db.all<Packed & { seq: number; sum: string }>(
      'SELECT seq, packed, size, content, sum FROM snapshots WHERE run = ? AND seq <= ? ORDER BY seq DESC',
      run,
      at,
    )) {
      const state = unpack(row);
      if (state !== undefined && rowChecksum(run, row.seq, state) === row.sum) return { seq: row.seq, state };
    }
    return undefined;
  }

  async snapshots(run: string): Promise<{ seq: number; at: number; bytes: number }[]> {
    return this.#db
      .all<{ seq: number; at: number; bytes: number }>('SELECT seq, at, size AS bytes FROM snapshots WHERE run = ? ORDER BY seq', run)
      .map(row => ({ ...row }));
  }

  plan(hash: string): string | undefined {
    const row = this.#db.get<Packed & { sum: string }>('SELECT packed, size, content, sum FROM plans WHERE hash = ?', hash);
    if (row === undefined) return undefined;
    const body = unpack(row);
    if (body === undefined || rowChecksum(hash, body) !== row.sum) throw damaged(`the plan ${hash} does not hold what was written to it`, null);
    return body;
  }

  blob(hash: string): string | undefined {
    const content = getBlob(this.#db, hash);
    if (content === null) throw damaged(`the value ${hash} does not hold what was written to it`, null);
    return content;
  }

  async run(id: string): Promise<RunRow | undefined> {
    return this.#guard(id, () => loadRun(this.#db, id)?.row);
  }

  async runs(filter: RunFilter): Promise<RunRow[]> {
    const where: string[] = [];
    const values: (string | number)[] = [];
    const add = (sql: string, ...bound: (string | number)[]): void => {
      where.push(sql);
      values.push(...bound);
    };
    if (filter.status !== undefined) add(`status IN (${filter.status.map(() => '?').join(', ')})`, ...filter.status);
    if (filter.pipeline !== undefined) add('pipeline = ?', filter.pipeline);
    if (filter.user !== undefined) add('user = ?', filter.user);
    if (filter.tag !== undefined) add('EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)', filter.tag);
    if (filter.since !== undefined) add('created_at >= ?', filter.since);
    if (filter.before !== undefined) add('(created_at, run) < (SELECT created_at, run FROM runs WHERE run = ?)', filter.before);
    return this.#rows(`${where.length === 0 ? '' : `WHERE ${where.join(' AND ')} `}ORDER BY created_at DESC, run DESC LIMIT ?`, ...values, filter.limit ?? -1);
  }

  async match(prefix: string, limit: number): Promise<string[]> {
    const whole = prefix.startsWith('run_') ? prefix : `run_${prefix}`;
    return this.#db
      .all<{ run: string }>('SELECT run FROM runs WHERE run >= ? AND run < ? ORDER BY run DESC LIMIT ?', whole, whole + LAST, limit)
      .map(row => row.run);
  }

  async byKey(key: string): Promise<RunRow | undefined> {
    const found = this.#db.get<{ run: string }>('SELECT run FROM runs WHERE "key" = ?', key);
    return found === undefined ? undefined : this.run(found.run);
  }

  async ledger(filter: LedgerFilter): Promise<LedgerRow[]> {
    return ledgerRows(this.#db, filter);
  }

  async totals(groupings: readonly (readonly TotalsKey[])[], filter: TotalsFilter): Promise<TotalsRow[][]> {
    return totals(this.#db, groupings, filter);
  }

  async acquire(run: string): Promise<RunRow | undefined> {
    this.#enrol();
    const held = this.#guard(run, () => this.#db.write(() => this.#take(run)));
    if (held === undefined) return undefined;
    this.#writer.remember(held);
    return { ...held.row, tags: [...held.row.tags] };
  }

  async release(run: string): Promise<void> {
    this.#writer.forget(run);
    this.#db.write(() => {
      const held = loadRun(this.#db, run);
      if (held?.row.owner === this.owner) this.#writer.replace({ ...held, row: { ...held.row, owner: null } });
    });
  }

  async alive(owner: string): Promise<boolean> {
    return this.#lease.alive(owner);
  }

  async deliver(run: string, key: string, command: Command, at: number): Promise<boolean> {
    this.#enrol();
    return this.#db.write(() => {
      if (this.#db.get('SELECT 1 FROM runs WHERE run = ?', run) === undefined) throw unknownRun(run);
      const text = JSON.stringify(command);
      return (
        this.#db.run(
          'INSERT INTO inbox (run, "key", at, command, sum) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
          run,
          key,
          at,
          text,
          rowChecksum(run, key, text),
        ) > 0
      );
    });
  }

  inbox(run?: string): { run: string; key: string; command: Command }[] {
    const where = run === undefined ? 'run IN (SELECT run FROM runs WHERE owner = ?)' : 'run = ?';
    const sql = `SELECT run, "key", command, sum FROM inbox WHERE command IS NOT NULL AND ${where} ORDER BY at, id`;
    const waiting: { run: string; key: string; command: Command }[] = [];
    for (const row of this.#db.all<{ run: string; key: string; command: string; sum: string }>(sql, run ?? this.owner)) {
      if (rowChecksum(row.run, row.key, row.command) === row.sum) waiting.push({ run: row.run, key: row.key, command: JSON.parse(row.command) as Command });
      else this.#quarantine.set(row.run, `a command for ${row.run} does not hold what was written to it`);
    }
    return waiting;
  }

  async orphans(): Promise<RunRow[]> {
    this.#lease.others();
    return this.#unowned(this.#rows(`WHERE status IN (${OPEN}) ORDER BY created_at, run`));
  }

  async due(now: number): Promise<RunRow[]> {
    return this.#unowned(this.#rows(`WHERE due_at <= ? AND status IN (${OPEN}) ORDER BY due_at, run`, now));
  }

  control(): Control {
    const row = this.#db.get<{ drain: number; stop: number; reason: string | null; since: number | null; sum: string }>(
      'SELECT drain, stop, reason, since, sum FROM control',
    );
    if (row === undefined) return { drain: false, stop: false, reason: null, since: null };
    if (rowChecksum(row.drain, row.stop, row.reason, row.since) !== row.sum)
      throw damaged('the row that says drain and stop does not hold what was written to it', null);
    return { drain: row.drain === 1, stop: row.stop === 1, reason: row.reason, since: row.since };
  }

  async setControl({ drain, stop, reason, since }: Control): Promise<void> {
    this.#enrol();
    const values = [Number(drain), Number(stop), reason, since] as const;
    this.#db.run('INSERT OR REPLACE INTO control VALUES (1, ?, ?, ?, ?, ?)', ...values, rowChecksum(...values));
  }

  async budgets(day: string): Promise<BudgetRow[]> {
    return new SqliteBudgetRows(this.#db).ofDay(day);
  }

  async reservations(day: string): Promise<HeldReservation[]> {
    return new SqliteBudgetRows(this.#db).reservations(day);
  }

  async raiseBudget(raise: BudgetRaise, capMicroUsd: number): Promise<void> {
    this.#enrol();
    this.#db.write(() => new Budgets(new SqliteBudgetRows(this.#db)).raise(raise, capMicroUsd));
  }

  async cached(key: string, now: number): Promise<string | undefined> {
    const row = this.#db.get<{ content: string; expiresAt: number | null; sum: string }>(
      'SELECT content, expires_at AS "expiresAt", sum FROM cache WHERE "key" = ?',
      key,
    );
    if (row === undefined || (row.expiresAt !== null && row.expiresAt <= now)) return undefined;
    return rowChecksum(key, row.content, row.expiresAt) === row.sum ? row.content : undefined;
  }

  async putCached(key: string, content: string, expiresAt: number | null): Promise<void> {
    this.#enrol();
    this.#db.run('INSERT OR REPLACE INTO cache VALUES (?, ?, ?, ?)', key, content, expiresAt, rowChecksum(key, content, expiresAt));
  }

  async prune(what: PruneRequest): Promise<{ runs: string[]; bytes: number }> {
    if (what.dryRun !== true) this.#enrol();
    const result = await prune(this.#db, what, run => this.#isDamaged(run));
    if (what.dryRun !== true) for (const run of result.runs) this.#quarantine.delete(run);
    return result;
  }

  async verify(): Promise<Damage[]> {
    const damages = await verify(this.#db);
    for (const { run, what } of damages) if (run !== null) this.#quarantine.set(run, what);
    return damages;
  }

  async health(): Promise<StoreHealth> {
    const { pages } = this.#db.get<{ pages: number }>('SELECT page_count * page_size AS pages FROM pragma_page_count, pragma_page_size')!;
    const { runs } = this.#db.get<{ runs: number }>('SELECT count(*) AS runs FROM runs')!;
    const setApart = [...this.#quarantine].flatMap(([run, what]) => (run === WHOLE_STORE ? [] : [{ run, what }]));
    return { kind: this.kind, location: this.#db.path, schemaVersion: schemaVersion(this.#db), bytes: pages, runs, setApart };
  }

  /**
   * Nothing in here waits for anything: it is done at the end of a process too. Whoever closes last removes the write-ahead log. An owner that died between our look and our close has then left nothing in it,
   * and its name must go too, or the next to open would think that a log is missing.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    OPEN_STORES.delete(this);
    try {
      this.#writer.seal();
    } catch {
      // A store that can no longer be written is closed all the same; its journal says what its rows do not.
    }
    this.shared.close();
    for (let again = false; ; again = true) {
      const others = this.#signOff();
      this.#db.close();
      if (again || others === 0 || existsSync(`${this.#db.path}-wal`) || !existsSync(this.#db.path)) break;
      this.#db = new Database(this.#db.path, this.#options);
    }
    this.#lease.release();
  }

  /** Before the first write: says in the main file itself that this owner may have commits in the log. */
  #enrol(): void {
    if (this.#enrolled) return;
    this.#db.run('INSERT OR IGNORE INTO writers VALUES (?)', this.owner);
    this.#db.execute('PRAGMA wal_checkpoint(PASSIVE)');
    this.#enrolled = true;
  }

  /** How many other owners may still have commits in the log. */
  #signOff(): number {
    if (this.#db.readOnly) return 0;
    const writers = this.#db.all<{ owner: string }>('SELECT owner FROM writers').map(row => row.owner);
    const gone = writers.filter(owner => owner === this.owner || !this.#lease.alive(owner));
    if (gone.length > 0) this.#db.write(() => gone.forEach(owner => this.#db.run('DELETE FROM writers WHERE owner = ?', owner)));
    return writers.length - gone.length;
  }

  /** Where the log of a dead owner is missing or damaged, no unfinished run can be trusted: it could repeat what was done. */
  #lookForLosses(): void {
    const writers = this.#db.all<{ owner: string }>('SELECT owner FROM writers').map(row => row.owner);
    const dead = writers.filter(owner => !this.#lease.alive(owner));
    const what = dead.length === 0 ? undefined : this.#loss();
    if (what !== undefined && this.#db.readOnly) {
      for (const { run } of this.#db.all<{ run: string }>(`SELECT run FROM runs WHERE status IN (${OPEN})`)) this.#quarantine.set(run, what);
    } else if (what !== undefined) {
      this.#db.write(() => {
        this.#db.run(`INSERT OR REPLACE INTO quarantine SELECT run, ?1 FROM runs WHERE status IN (${OPEN}) UNION ALL SELECT ?2, ?1`, what, WHOLE_STORE);
        for (const owner of dead) this.#db.run('DELETE FROM writers WHERE owner = ?', owner);
      });
    }
    for (const row of this.#db.all<{ run: string; what: string }>('SELECT run, what FROM quarantine')) this.#quarantine.set(row.run, row.what);
  }

  #loss(): string | undefined {
    if (this.#db.alone) return 'the write-ahead log is missing, and with it what was last acknowledged';
    // A log that others are writing to cannot be judged from outside, nor need it be: they have read it.
    if (this.#lease.others() || !existsSync(`${this.#db.path}-wal`) || !hasLostCommits(this.#db.path) || this.#lease.others()) return undefined;
    return 'the write-ahead log is damaged, and what was acknowledged after the damage is lost';
  }

  #take(run: string): Held | undefined {
    const held = loadRun(this.#db, run);
    if (held === undefined) throw unknownRun(run);
    const { owner, epoch } = held.row;
    if (owner === this.owner) return held;
    if (owner !== null && this.#lease.alive(owner)) return undefined;
    const taken = { ...held, row: { ...held.row, owner: this.owner, epoch: epoch + 1 } };
    this.#writer.replace(taken);
    return taken;
  }

  /** Runs the work unless the run is quarantined, and quarantines it where the work finds damage. */
  #guard<Result>(run: string, work: () => Result): Result {
    const known = this.#quarantine.get(run);
    if (known !== undefined) throw damaged(`${run} is not served: ${known}`, { run });
    try {
      return work();
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#quarantine.set(run, error.message);
      throw error.details === undefined ? damaged(`${run} cannot be read: ${error.message}`, { run }, error) : error;
    }
  }

  /** Rows that can be trusted; the others are quarantined, and `verify` names them. */
  #rows(clause: string, ...values: (string | number)[]): RunRow[] {
    const rows: RunRow[] = [];
    for (const raw of this.#db.all<RawRow>(`${SELECT_RUN} ${clause}`, ...values)) {
      const run = String(raw['run']);
      const held = parseRun(raw);
      if (held === undefined) this.#quarantine.set(run, `the row of ${run} does not hold what was written to it`);
      else if (!this.#quarantine.has(run)) rows.push(held.row);
    }
    return rows;
  }

  #unowned(rows: RunRow[]): RunRow[] {
    const living = new Map<string, boolean>();
    return rows.filter(({ owner }) => {
      if (owner === null) return true;
      if (!living.has(owner)) living.set(owner, this.#lease.alive(owner));
      return living.get(owner) === false;
    });
  }

  #isDamaged(run: string): boolean {
    try {
      this.#guard(run, () => readJournal(this.#db, run, 0, Infinity));
      return false;
    } catch (error) {
      if (isDamage(error)) return true;
      throw error;
    }
  }
}
