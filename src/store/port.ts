import type { Json } from '../json.ts';
import type { CallRecord, Command, Event, Reason, Refusal, RunStatus, Span } from '../engine/event.ts';
import type { MicroUsd } from '../money.ts';

/** The row by which a run is found and listed; kept in the same commit as the events that change it. */
export interface RunRow {
  run: string;
  planHash: string;
  pipeline: string;
  version: string;
  file: string;
  workspace: string;
  status: RunStatus;
  reason: Reason | null;
  createdAt: number;
  startedAt: number | null;
  endedAt: number | null;
  /** Sequence number of the last event. */
  seq: number;
  epoch: number;
  /** Id of the owning process's lease, null where nobody holds it. */
  owner: string | null;
  /** Earliest time at which a timer of the run is due. */
  dueAt: number | null;
  user: string | null;
  tags: string[];
  key: string | null;
  /** Hash of pipeline and inputs behind `key`. */
  keyHash: string | null;
  parent: string | null;
  tasksDone: number;
  tasksTotal: number;
  costMicroUsd: number;
  /** First line of the failure, with the path of its task. */
  error: string | null;
}

/** The part of a run's row that a commit may change. */
export type RunChange = Partial<Pick<RunRow, 'status' | 'reason' | 'startedAt' | 'endedAt' | 'dueAt' | 'tasksDone' | 'tasksTotal' | 'costMicroUsd' | 'error'>>;

export interface LedgerRow extends CallRecord {
  run: string;
  path: string;
  attempt: number;
  /** Number of the call within the attempt. */
  call: number;
  at: number;
  /** The same had been asked before; told by the store. */
  repeated?: true;
}

export interface LedgerFilter {
  run?: string;
  since?: number;
  /** So many of the newest. */
  limit?: number;
}

/** Which calls are summed; times in ms since 1970. */
export interface TotalsFilter {
  since?: number;
  until?: number;
  pipeline?: string;
  user?: string;
}

/** What calls are summed by. Tasks are those of the file: `read/fetch` stands for `read[3]/fetch`. */
export type TotalsKey = 'model' | 'pipeline' | 'task' | 'user' | 'day';

/** Sums of model calls. */
export interface Totals {
  calls: number;
  failedCalls: number;
  /** Answered by the response cache: they took no tokens. */
  cacheHits: number;
  /** Calls that cost something, and nobody knows how much. */
  unpricedCalls: number;
  /** Calls whose reply was lost, and the most that they can be billed as far as prices are known; in no other sum. */
  uncertainCalls: number;
  uncertainMicroUsd: number;
  costMicroUsd: number;
  savedMicroUsd: number;
  inputTokens: number;
  outputTokens: number;
  cachedInputTokens: number;
  reasoningTokens: number;
  /** Paid calls that asked what had been asked before. */
  repeatedCalls: number;
  repeatedMicroUsd: number;
  /** Paid calls of attempts that another attempt followed. */
  wastedCalls: number;
  wastedMicroUsd: number;
  /** Answers that were to fit a schema, and those of them that did not. */
  schemaCalls: number;
  unmetCalls: number;
}

/** `keys` are the values of what was summed by, in that order; nobody's user is the empty text, days are like `2026-01-31` (UTC). */
export interface TotalsRow extends Totals {
  keys: string[];
}

/** What one run adds in one commit. */
export interface Batch {
  run: string;
  /** Sequence number of the last event that the writer knows; 0 for a run that is being created. */
  expectedSeq: number;
  /** Epoch under which the writer owns the run. */
  epoch: number;
  events: Event[];
  /** Present when the run is being created: its row (seq, epoch and owner are set by the store) and, unless the store has it, its plan. */
  create?: { row: Omit<RunRow, 'seq' | 'epoch' | 'owner'>; plan: { hash: string; body: string } };
  /** Blobs that the events name, by SHA-256 of their content. Those that the store has already are left alone. */
  blobs?: { hash: string; content: string }[];
  change?: RunChange;
  ledger?: LedgerRow[];
  /** What the events do to the caps over several runs. */
  spending?: Spending;
  /** Keys of inbox entries that these events answer; deleted in the same transaction. */
  consumed?: string[];
  /** A snapshot of the state after these events. */
  snapshot?: string;
}

/** What one commit of a run does to the caps over several runs: judged and written in its transaction, by the keys of its reservations. */
export interface Spending {
  /** Worst cases of calls that are about to be made. Where one has no room under one of its caps, the whole batch is refused. */
  reservations: { key: string; microUsd: MicroUsd; spans: Span[]; at: number }[];
  /** Bills, under what was reserved for them. */
  settlements: { key: string; microUsd: MicroUsd }[];
  /** Reservations whose calls are settled. */
  released: string[];
  /** Reservations whose calls may be billed, and nobody knows how much: they stay. */
  doubted: string[];
  /** Filled in by the store, where its verdict is `over_budget`: the reservations without room. */
  refused: { key: string; refusal: Refusal }[];
  /** Filled in by the store: caps of which a part is spent that nobody was told of that day. */
  warned: { key: string; scope: string; percent: number; settledMicroUsd: MicroUsd; capMicroUsd: MicroUsd }[];
}

/** A cap over several runs on one day (UTC). */
export interface BudgetRow {
  /** `day`, `pipeline:NAME` or `user:NAME`. */
  scope: string;
  day: string;
  /** What the configuration said last. */
  capMicroUsd: MicroUsd;
  /** What a person raised it to. */
  raisedMicroUsd: MicroUsd | null;
  settledMicroUsd: MicroUsd;
  reservedMicroUsd: MicroUsd;
  /** The part of what is reserved whose calls may be billed, and nobody knows how much. */
  doubtedMicroUsd: MicroUsd;
  /** The largest part, in percent, of which a person was told. */
  warned: number;
  raises: BudgetRaise[];
}

/** Who let a scope spend how much, on one day. */
export interface BudgetRaise {
  scope: string;
  day: string;
  at: number;
  by: string;
  microUsd: MicroUsd;
}

/** What is set aside for one call. */
export interface HeldReservation {
  run: string;
  key: string;
  day: string;
  scopes: string[];
  microUsd: MicroUsd;
  at: number;
  doubted: boolean;
}

/**
 * `ok`: durable. `conflict`: another sequence number, or the run exists already. `fenced`: another epoch or owner.
 * `key_conflict`: the idempotency key belongs to another run. `over_budget`: a reservation has no room under a cap
 * over several runs, and nothing of the batch was written. `unknown`: the answer was lost; read back to see.
 */
export type Verdict = 'ok' | 'conflict' | 'fenced' | 'key_conflict' | 'over_budget' | 'unknown';

export interface RunFilter {
  status?: RunStatus[];
  pipeline?: string;
  user?: string;
  tag?: string;
  since?: number;
  /** Runs older than this id's row, newest first. */
  before?: string;
  limit?: number;
}

/** One row that every process reads before it admits work. */
export interface Control {
  drain: boolean;
  stop: boolean;
  reason: string | null;
  since: number | null;
}

/** Facts for `doctor`, `verify` and backups. */
export interface StoreHealth {
  kind: string;
  location: string;
  schemaVersion: number;
  bytes: number;
  runs: number;
  /** Runs that are not served, because they do not hold what was written to them. */
  setApart: { run: string; what: string }[];
}

export interface Damage {
  run: string | null;
  what: string;
}

/** Small values that all processes of a store share, and that may be lost with the power: levels of rate limits, what is known of the health of models. */
export interface Shared {
  /** One atomic step, also against other processes: `work` sees the values of the keys, and what it gives back stands in their place. It must not wait. */
  change<T>(keys: readonly string[], work: (values: (Json | undefined)[]) => { values: Json[]; result: T }): T | Promise<T>;
  /** All values whose keys begin with the prefix, by key. */
  list(prefix: string): { [key: string]: Json } | Promise<{ [key: string]: Json }>;
}

/**
 * Where runs live. One transaction a commit, judged per run; everything that a commit acknowledged survives a crash (S5).
 * A process has one lease (its owner id); a run belongs to one owner under an epoch, and every commit is fenced by both.
 * Errors are OrchestratorErrors with 5xx codes. Adapters: memory, sqlite (postgres later); all pass `conformance.ts`.
 */
export interface Store {
  readonly kind: 'memory' | 'sqlite' | 'postgres';
  /** Id of this process's lease. */
  readonly owner: string;
  readonly shared: Shared;

  /** Commits all batches in one transaction; a batch that is refused does not stop the others. */
  commit(batches: Batch[]): Verdict[] | Promise<Verdict[]>;

  /** Events of a run with `from < seq <= to`, in order. Throws ORC-504 where a checksum or the hash chain does not hold. */
  read(run: string, from?: number, to?: number): { seq: number; event: Event }[] | Promise<{ seq: number; event: Event }[]>;
  /** The newest snapshot at or before `at`. */
  snapshot(run: string, at?: number): { seq: number; state: string } | undefined | Promise<{ seq: number; state: string } | undefined>;
  snapshots(run: string): Promise<{ seq: number; at: number; bytes: number }[]>;
  plan(hash: string): string | undefined | Promise<string | undefined>;
  /** Throws ORC-504 where the content does not have the hash. */
  blob(hash: string): string | undefined | Promise<string | undefined>;

  run(id: string): RunRow | undefined | Promise<RunRow | undefined>;
  runs(filter: RunFilter): Promise<RunRow[]>;
  /** Ids that begin with `prefix` (with or without `run_`), at most `limit`, newest first. */
  match(prefix: string, limit: number): Promise<string[]>;
  byKey(key: string): Promise<RunRow | undefined>;
  ledger(filter: LedgerFilter): Promise<LedgerRow[]>;
  /**
   * Sums of the ledger, a list for each grouping, all of one moment. They are kept as calls come in, so that asking costs no more for a million of them,
   * and stay when runs are pruned. Users can be grouped by alone.
   */
  totals(groupings: readonly (readonly TotalsKey[])[], filter: TotalsFilter): Promise<TotalsRow[][]>;

  /**
   * Takes the run for this process under the next epoch, unless a live process owns it: then undefined. A dead owner on this host is succeeded at once.
   * Of a run that this process owns already the answer is its row, unchanged.
   */
  acquire(run: string): Promise<RunRow | undefined>;
  /** Gives the run up, so that anybody may take it. Ignored where this process does not own it. */
  release(run: string): Promise<void>;
  /** True while the process behind the lease lives. */
  alive(owner: string): Promise<boolean>;

  /** Puts a command before the run's owner, once per key. False where the key is known already. */
  deliver(run: string, key: string, command: Command, at: number): Promise<boolean>;
  /** Waiting commands of runs, oldest first; of all runs that this process owns where `run` is undefined. */
  inbox(run?: string): { run: string; key: string; command: Command }[] | Promise<{ run: string; key: string; command: Command }[]>;
  /** Runs that are not ended and that nobody alive owns: what `--resume-all` takes up. */
  orphans(): Promise<RunRow[]>;
  /** Runs with a timer due at `now` that nobody alive owns. */
  due(now: number): Promise<RunRow[]>;

  control(): Control | Promise<Control>;
  setControl(control: Control): Promise<void>;

  /** The caps over several runs that were used or raised on a day, by scope. */
  budgets(day: string): Promise<BudgetRow[]>;
  /** What is set aside under them, oldest first. */
  reservations(day: string): Promise<HeldReservation[]>;
  /** Lets a scope spend more on one day; `capMicroUsd` is what the configuration says. */
  raiseBudget(raise: BudgetRaise, capMicroUsd: MicroUsd): Promise<void>;

  /** Results of tasks with `cache:`; missing and outdated entries are undefined. */
  cached(key: string, now: number): Promise<string | undefined>;
  putCached(key: string, content: string, expiresAt: number | null): Promise<void>;

  /** Deletes ended runs (one, or those that ended before a time), with what only they use. Returns what went. */
  prune(what: { run?: string; endedBefore?: number; dryRun?: boolean }): Promise<{ runs: string[]; bytes: number }>;
  /** Reads everything and checks it: row checksums, hash chains, blobs, rows without runs. */
  verify(): Promise<Damage[]>;
  health(): Promise<StoreHealth>;
  close(): Promise<void>;
}
