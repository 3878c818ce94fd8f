import { existsSync, rmSync } from 'node:fs';
import { OrchestratorError } from '../errors.ts';
import { setOwn, type Json } from '../json.ts';
import { Database, type DatabaseOptions } from './database.ts';
import { damaged, isDamage, SQLITE, sqliteCode } from './failures.ts';
import type { Shared } from './port.ts';

const SELECT = 'SELECT value FROM shared WHERE "key" = ?';
const REPLACE = 'INSERT OR REPLACE INTO shared VALUES (?, ?)';
/** Above every character that a key can hold. */
const LAST = '\u{10ffff}';

/**
 * Small values in a file of their own beside the store. They change with every call of a model, so a commit must not cost a sync: under NORMAL only a checkpoint
 * is synced, which keeps the file whole, and a process that is killed loses nothing. What a loss of power takes is found out again. In a file of their own they
 * also keep clear of the journal, where every sync is waited for. It is opened when it is first used; a damaged one is begun anew.
 */
export class SqliteShared implements Shared {
  readonly #path: string;
  readonly #options: DatabaseOptions;
  #db: Database | undefined;

  constructor(path: string, options: DatabaseOptions) {
    this.#path = path;
    this.#options = options;
  }

  change<T>(keys: readonly string[], work: (values: (Json | undefined)[]) => { values: Json[]; result: T }): T {
    return this.#mended(db =>
      db.write(() => {
        const before = keys.map(key => db.get<{ value: string }>(SELECT, key)?.value);
        const { values, result } = work(before.map(parsed));
        for (const [index, key] of keys.entries()) {
          const text = JSON.stringify(values[index]!);
          if (text !== before[index]) db.run(REPLACE, key, text);
        }
        return result;
      }),
    );
  }

  list(prefix: string): { [key: string]: Json } {
    // To look is no reason to make it.
    if (this.#db === undefined && !existsSync(this.#path)) return {};
    const rows = this.#mended(db =>
      db.all<{ key: string; value: string }>('SELECT "key", value FROM shared WHERE "key" >= ? AND "key" < ?', prefix, prefix + LAST),
    );
    const known: { [key: string]: Json } = {};
    for (const row of rows) {
      const value = parsed(row.value);
      if (value !== undefined) setOwn(known, row.key, value);
    }
    return known;
  }

  close(): void {
    this.#db?.close();
    this.#db = undefined;
  }

  #mended<T>(work: (db: Database) => T): T {
    try {
      return work(this.#open());
    } catch (error) {
      if (this.#options.readOnly || !isDamage(error)) throw error;
    }
    this.close();
    for (const ending of ['', '-wal', '-shm']) rmSync(this.#path + ending, { force: true });
    return work(this.#open());
  }

  #open(): Database {
    if (this.#db !== undefined) return this.#db;
    const db = openFile(this.#path, this.#options);
    try {
      if (!this.#options.readOnly)
        db.execute(
          'PRAGMA busy_timeout = 1000; PRAGMA synchronous = NORMAL; CREATE TABLE IF NOT EXISTS shared ("key" TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID',
        );
    } catch (error) {
      db.close();
      throw error;
    }
    return (this.#db = db);
  }
}

/** A file that is no database at all is damage too: it is ours by its name. */
function openFile(path: string, options: DatabaseOptions): Database {
  try {
    return new Database(path, { ...options, create: true });
  } catch (error) {
    if (error instanceof OrchestratorError && sqliteCode(error.cause) === SQLITE.notDatabase) throw damaged(error.message, null, error);
    throw error;
  }
}

function parsed(text: string | undefined): Json | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Json);
  } catch {
    return undefined;
  }
}
