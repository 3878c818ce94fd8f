import { OrchestratorError } from '../errors.ts';
import type { Database } from './database.ts';
import { damaged } from './failures.ts';
import { bookLedger } from './ledger.ts';

/** `ORCH` in ASCII, in the header of every store: tells ours from the databases of other programs. */
export const APPLICATION_ID = 0x4f524348;

/** Numbered from 1, never edited once released. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE runs (
    run TEXT PRIMARY KEY, plan_hash TEXT NOT NULL, pipeline TEXT NOT NULL, version TEXT NOT NULL, file TEXT NOT NULL, workspace TEXT NOT NULL,
    status TEXT NOT NULL, reason TEXT, created_at INTEGER NOT NULL, started_at INTEGER, ended_at INTEGER, seq INTEGER NOT NULL, epoch INTEGER NOT NULL,
    owner TEXT, due_at INTEGER, user TEXT, tags TEXT NOT NULL, "key" TEXT, key_hash TEXT, parent TEXT, tasks_done INTEGER NOT NULL, tasks_total INTEGER NOT NULL,
    cost_micro_usd INTEGER NOT NULL, error TEXT, head TEXT NOT NULL, sum TEXT NOT NULL
  ) WITHOUT ROWID;
  CREATE UNIQUE INDEX runs_by_key ON runs ("key") WHERE "key" IS NOT NULL;
  CREATE INDEX runs_by_age ON runs (created_at, run);
  CREATE INDEX runs_by_status ON runs (status, created_at);
  CREATE INDEX runs_by_due ON runs (due_at) WHERE due_at IS NOT NULL;
  CREATE INDEX runs_by_plan ON runs (plan_hash);

  CREATE TABLE journal (
    run TEXT NOT NULL, seq INTEGER NOT NULL, first INTEGER NOT NULL, events TEXT NOT NULL, checksum TEXT NOT NULL, PRIMARY KEY (run, seq)
  ) WITHOUT ROWID;

  CREATE TABLE plans (hash TEXT PRIMARY KEY, packed INTEGER NOT NULL, size INTEGER NOT NULL, content BLOB NOT NULL, sum TEXT NOT NULL);
  CREATE TABLE blobs (hash TEXT PRIMARY KEY, packed INTEGER NOT NULL, size INTEGER NOT NULL, content BLOB NOT NULL);
  CREATE TABLE snapshots (
    run TEXT NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, packed INTEGER NOT NULL, size INTEGER NOT NULL, content BLOB NOT NULL, sum TEXT NOT NULL,
    PRIMARY KEY (run, seq)
  );

  CREATE TABLE inbox (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, "key" TEXT NOT NULL, at INTEGER NOT NULL, command TEXT, sum TEXT NOT NULL, UNIQUE (run, "key")
  );
  CREATE INDEX inbox_waiting ON inbox (run) WHERE command IS NOT NULL;

  CREATE TABLE ledger (
    run TEXT NOT NULL, path TEXT NOT NULL, attempt INTEGER NOT NULL, call INTEGER NOT NULL, at INTEGER NOT NULL, purpose TEXT NOT NULL, model TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_micro_usd INTEGER, latency_ms REAL NOT NULL, sum TEXT NOT NULL,
    PRIMARY KEY (run, path, attempt, call)
  ) WITHOUT ROWID;
  CREATE INDEX ledger_by_age ON ledger (at);

  CREATE TABLE cache ("key" TEXT PRIMARY KEY, content TEXT NOT NULL, expires_at INTEGER, sum TEXT NOT NULL);
  CREATE TABLE control (id INTEGER PRIMARY KEY CHECK (id = 1), drain INTEGER NOT NULL, stop INTEGER NOT NULL, reason TEXT, since INTEGER, sum TEXT NOT NULL);

  -- Owners whose process may have commits in the write-ahead log; one that is here, dead, and without that log has lost some.
  CREATE TABLE writers (owner TEXT PRIMARY KEY) WITHOUT ROWID;
  -- Runs that are not served because what was acknowledged of them may be gone.
  CREATE TABLE quarantine (run TEXT PRIMARY KEY, what TEXT NOT NULL) WITHOUT ROWID;
  `,
  // Events are appended to the end of their table, so that a commit of a thousand runs touches few pages; only the small index is written all over.
  `
  CREATE TABLE events (id INTEGER PRIMARY KEY, run TEXT NOT NULL, seq INTEGER NOT NULL, first INTEGER NOT NULL, events TEXT NOT NULL, checksum TEXT NOT NULL);
  INSERT INTO events (run, seq, first, events, checksum) SELECT run, seq, first, events, checksum FROM journal ORDER BY run, seq;
  DROP TABLE journal;
  ALTER TABLE events RENAME TO journal;
  CREATE UNIQUE INDEX journal_by_run ON journal (run, seq);
  `,
  // What a call of the ledger says beyond its tokens and its cost, and sums of all calls by day, kept as they come in.
  `
  CREATE TABLE calls (
    run TEXT NOT NULL, path TEXT NOT NULL, attempt INTEGER NOT NULL, call INTEGER NOT NULL, at INTEGER NOT NULL, purpose TEXT NOT NULL, model TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_micro_usd INTEGER, latency_ms REAL NOT NULL, sum TEXT NOT NULL,
    asked TEXT, answered TEXT, cached_input_tokens INTEGER, reasoning_tokens INTEGER, first_token_ms REAL, cached INTEGER, finish TEXT, failed TEXT,
    uncertain INTEGER, worst_micro_usd INTEGER, saved_micro_usd INTEGER, request TEXT, schema TEXT, unmet INTEGER, repeated INTEGER, replayed INTEGER,
    PRIMARY KEY (run, path, attempt, call)
  ) WITHOUT ROWID;
  INSERT INTO calls (run, path, attempt, call, at, purpose, model, input_tokens, output_tokens, cost_micro_usd, latency_ms, sum)
    SELECT run, path, attempt, call, at, purpose, model, input_tokens, output_tokens, cost_micro_usd, latency_ms, sum FROM ledger;
  DROP TABLE ledger;
  ALTER TABLE calls RENAME TO ledger;
  CREATE INDEX ledger_by_age ON ledger (at);
  CREATE INDEX ledger_by_request ON ledger (request) WHERE request IS NOT NULL;
  CREATE TABLE totals (
    kind INTEGER NOT NULL, user TEXT NOT NULL, pipeline TEXT NOT NULL, day INTEGER NOT NULL, task TEXT NOT NULL, model TEXT NOT NULL,
    calls INTEGER NOT NULL, failed_calls INTEGER NOT NULL, cache_hits INTEGER NOT NULL, unpriced_calls INTEGER NOT NULL, uncertain_calls INTEGER NOT NULL,
    cost_micro_usd INTEGER NOT NULL, uncertain_micro_usd INTEGER NOT NULL, saved_micro_usd INTEGER NOT NULL, input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL, cached_input_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL, repeated_calls INTEGER NOT NULL,
    repeated_micro_usd INTEGER NOT NULL, wasted_calls INTEGER NOT NULL, wasted_micro_usd INTEGER NOT NULL, schema_calls INTEGER NOT NULL,
    unmet_calls INTEGER NOT NULL, sum TEXT NOT NULL, PRIMARY KEY (kind, user, pipeline, day, task, model)
  ) WITHOUT ROWID;
  `,
  // Caps over several runs on one day (UTC), what is set aside under them, and who raised them.
  `
  CREATE TABLE budgets (
    scope TEXT NOT NULL, day TEXT NOT NULL, cap INTEGER NOT NULL, raised INTEGER, settled INTEGER NOT NULL, reserved INTEGER NOT NULL, warned INTEGER NOT NULL,
    sum TEXT NOT NULL, PRIMARY KEY (scope, day)
  ) WITHOUT ROWID;
  CREATE TABLE reservations (
    run TEXT NOT NULL, "key" TEXT NOT NULL, day TEXT NOT NULL, scopes TEXT NOT NULL, micro_usd INTEGER NOT NULL, at INTEGER NOT NULL, doubted INTEGER NOT NULL,
    sum TEXT NOT NULL, PRIMARY KEY (run, "key")
  ) WITHOUT ROWID;
  CREATE INDEX reservations_by_day ON reservations (day);
  CREATE TABLE raises (
    id INTEGER PRIMARY KEY, scope TEXT NOT NULL, day TEXT NOT NULL, at INTEGER NOT NULL, by TEXT NOT NULL, micro_usd INTEGER NOT NULL, sum TEXT NOT NULL
  );
  `,
];

/** The version from which on the sums of the ledger are kept. */
const SUMMED_FROM = 3;

export function schemaVersion(db: Database): number {
  const known = db.get('SELECT 1 FROM sqlite_schema WHERE name = ?', 'schema_version') !== undefined;
  return known ? (db.get<{ version: number }>('SELECT version FROM schema_version')?.version ?? -1) : 0;
}

/**
 * Brings the store to this program's version, in one transaction. A newer store is refused (ORC-502), as is another program's database (ORC-501).
 * A store that is open for reading only must be of this version already.
 */
export function migrate(db: Database, migrations: readonly string[] = MIGRATIONS): void {
  if (check(db, migrations.length) === migrations.length) return;
  if (db.readOnly) {
    throw new OrchestratorError('ORC-501', `${db.path} is a store of an older version, and it is open for reading only`, {
      class: 'storage',
      help: ['bring it up to date by opening it once for writing: orchestrator doctor'],
    });
  }
  db.write(() => {
    const version = check(db, migrations.length);
    if (version === 0)
      db.execute(`PRAGMA application_id = ${APPLICATION_ID}; CREATE TABLE schema_version (version INTEGER NOT NULL); INSERT INTO schema_version VALUES (0)`);
    for (const sql of migrations.slice(version)) db.execute(sql);
    if (version > 0 && version < SUMMED_FROM && migrations.length >= SUMMED_FROM) bookLedger(db);
    db.run('UPDATE schema_version SET version = ?', migrations.length);
  });
}

function check(db: Database, newest: number): number {
  const version = schemaVersion(db);
  const empty = db.get('SELECT 1 FROM sqlite_schema') === undefined;
  if (!empty && db.get<{ application_id: number }>('PRAGMA application_id')!.application_id !== APPLICATION_ID) {
    throw new OrchestratorError('ORC-501', `${db.path} is the database of another program`, {
      class: 'storage',
      help: ['name another file: --state sqlite:.orchestrator/state.db'],
    });
  }
  if (version > newest) {
    throw new OrchestratorError('ORC-502', `${db.path} was written by a newer version of the program (its schema is ${version}, ours is ${newest})`, {
      class: 'storage',
      help: ['update the program: npm install -g @orchestrator/orchestrator@latest', 'or use another store: --state sqlite:.orchestrator/other.db'],
    });
  }
  if (version < 0 || (version === 0 && !empty)) throw damaged(`${db.path} does not say which version it has`, null);
  return version;
}
