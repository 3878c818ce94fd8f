import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, realpathSync, statfsSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { OrchestratorError } from '../errors.ts';
import { isBusy, SQLITE, sqliteCode, storeFailure } from './failures.ts';
import { networkDisk } from './disk.ts';

/** Before this release a write-ahead log could be corrupted by a checkpoint that another process resets. */
const OLDEST_SQLITE = [3, 51, 3];
const BUSY_WAIT_MS = 10_000;
/** Half of what SQLite takes by itself: after a crash the whole log is read before anything goes on. */
const LOG_PAGES = 500;

export interface DatabaseOptions {
  /** False: a file that is not there is an error. */
  create: boolean;
  readOnly: boolean;
}

/** One connection, its prepared statements, and its errors in our words. */
export class Database {
  readonly path: string;
  readonly readOnly: boolean;
  /** True where the file is there without a write-ahead log beside it: all that was committed must then be in it. */
  readonly alone: boolean;
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;

  constructor(path: string, options: DatabaseOptions) {
    requireSqlite(process.versions.sqlite);
    this.path = existsSync(path) ? realpathSync(path) : path;
    this.readOnly = options.readOnly;
    try {
      if (!existsSync(this.path)) makeFile(this.path, options);
      refuseNetworkDisk(this.path);
      this.alone = !existsSync(`${this.path}-wal`);
      this.#db = options.readOnly ? openToRead(this.path, this.alone) : openToWrite(this.path);
    } catch (error) {
      throw openFailure(error, this.path);
    }
    this.#begin = this.#db.prepare('BEGIN IMMEDIATE');
    this.#commit = this.#db.prepare('COMMIT');
  }

  get<Row>(sql: string, ...values: SQLInputValue[]): Row | undefined {
    try {
      return this.statement(sql).get(...values) as Row | undefined;
    } catch (error) {
      throw storeFailure(error, this.path);
    }
  }

  all<Row>(sql: string, ...values: SQLInputValue[]): Row[] {
    try {
      return this.statement(sql).all(...values) as Row[];
    } catch (error) {
      throw storeFailure(error, this.path);
    }
  }

  /** Rows one by one, where all at once could be too many. */
  *each<Row>(sql: string, ...values: SQLInputValue[]): Generator<Row> {
    try {
      yield* this.#db.prepare(sql).iterate(...values) as Iterable<Row>;
    } catch (error) {
      throw storeFailure(error, this.path);
    }
  }

  /** How many rows it changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    try {
      return this.statement(sql).run(...values).changes as number;
    } catch (error) {
      throw storeFailure(error, this.path);
    }
  }

  execute(sql: string): void {
    try {
      this.#db.exec(sql);
    } catch (error) {
      throw storeFailure(error, this.path);
    }
  }

  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.#db.prepare(sql)));
    return statement;
  }

  /** One transaction: `work` sees and changes the newest state, and is durable once this returns. `uncertain` is asked when the commit itself failed. */
  write<Result>(work: () => Result, uncertain?: (failure: OrchestratorError, result: Result) => Result): Result {
    let result: Result | undefined;
    let done = false;
    try {
      this.#begin.run();
      result = work();
      done = true;
      this.#commit.run();
      return result;
    } catch (error) {
      this.rollback();
      const failure = storeFailure(error, this.path);
      if (done && uncertain !== undefined && failure.code !== 'ORC-512') return uncertain(failure, result as Result);
      throw failure;
    }
  }

  /** Several reads that see one state. */
  read<Result>(work: () => Result): Result {
    if (this.#db.isOpen && this.#db.isTransaction) return work();
    this.execute('BEGIN');
    try {
      return work();
    } finally {
      this.rollback();
    }
  }

  rollback(): void {
    if (this.#db.isTransaction) this.execute('ROLLBACK');
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }
}

/** Refuses an SQLite that cannot be trusted with a write-ahead log (ORC-505). */
export function requireSqlite(version: string | undefined): void {
  const parts = (version ?? '0').split('.').map(Number);
  const at = OLDEST_SQLITE.findIndex((part, i) => part !== (parts[i] ?? 0));
  if (at < 0 || (parts[at] ?? 0) > OLDEST_SQLITE[at]!) return;
  throw new OrchestratorError('ORC-505', `this Node has SQLite ${version ?? 'of no version'}; ${OLDEST_SQLITE.join('.')} or newer is needed`, {
    class: 'storage',
    help: ['update Node: 24.15 and newer bring one that is new enough'],
  });
}

function openToWrite(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_WAIT_MS });
  // The switch to a write-ahead log answers busy at once while another process makes it, so it is tried again.
  for (let tries = 0; ; tries++) {
    try {
      db.exec(
        `PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = ${LOG_PAGES}; PRAGMA foreign_keys = OFF; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON`,
      );
      return db;
    } catch (error) {
      if (isBusy(error) && tries < 500) {
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
        continue;
      }
      db.close();
      throw error;
    }
  }
}

/** Where the folder may not be written SQLite cannot make its index of the log; without a log none is needed. */
function openToRead(path: string, alone: boolean): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_WAIT_MS });
  try {
    db.exec('PRAGMA trusted_schema = OFF; SELECT 1 FROM sqlite_schema');
    return db;
  } catch (error) {
    db.close();
    if (!alone || sqliteCode(error) === SQLITE.notDatabase) throw error;
  }
  return new DatabaseSync(`${pathToFileURL(path).href}?immutable=1`, { readOnly: true });
}

/** Makes the folder for this user alone, out of sight of git, and the empty file; both are on disk before anything is acknowledged. */
function makeFile(path: string, { create, readOnly }: DatabaseOptions): void {
  if (!create || readOnly) {
    throw new OrchestratorError('ORC-501', `there is no state store at ${path}`, {
      class: 'storage',
      help: ['a run makes one: orchestrator run PIPELINE.yaml'],
    });
  }
  const folder = dirname(path);
  const made = mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (made !== undefined) {
    writeFileSync(join(folder, '.gitignore'), '*\n');
    syncFolder(dirname(made));
  }
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (!existsSync(path)) throw error;
  }
  syncFolder(folder);
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  fsyncSync(handle);
  closeSync(handle);
}

function refuseNetworkDisk(path: string): void {
  const { type } = statfsSync(dirname(path));
  const kind = networkDisk(type, dirname(path), () => (existsSync('/proc/self/mounts') ? readFileSync('/proc/self/mounts', 'utf8') : ''));
  if (kind === undefined) return;
  throw new OrchestratorError('ORC-503', `${path} lies on a network file system (${kind}), where locks and syncs cannot be trusted`, {
    class: 'storage',
    help: [`keep the store on a local disk: --state sqlite:/var/lib/orchestrator/${basename(path)}`],
  });
}

function openFailure(error: unknown, path: string): OrchestratorError {
  const folder = dirname(path);
  const options = { class: 'storage', cause: error } as const;
  if (error instanceof OrchestratorError) return error;
  if (sqliteCode(error) === SQLITE.notDatabase) {
    return new OrchestratorError('ORC-501', `${path} is not an SQLite database`, {
      ...options,
      help: [`look at what it is: file ${path}`, 'or name another file: --state sqlite:.orchestrator/state.db'],
    });
  }
  if (!existsSync(folder))
    return new OrchestratorError('ORC-501', `the folder ${folder} is not there and cannot be made`, { ...options, help: [`mkdir -p ${folder}`] });
  return storeFailure(error, path);
}
