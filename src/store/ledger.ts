import { DAY_MS, utcDay } from '../clock.ts';
import { checksum, rowChecksum } from './checksum.ts';
import type { Database } from './database.ts';
import { damaged } from './failures.ts';
import type { LedgerFilter, LedgerRow, RunRow, TotalsFilter, TotalsKey, TotalsRow, Totals } from './port.ts';
import { bookingsOf, COUNTS, isMeant, keysOf, totalsOf, Sums, taskOf, type Booking, type KnownCalls } from './totals.ts';

type Value = string | number | null;

/** The columns that every row fills, in the order of the table. */
const FIRST = ['run', 'path', 'attempt', 'call', 'at', 'purpose', 'model', 'inputTokens', 'outputTokens', 'costMicroUsd', 'latencyMs'] as const;
/** Those that came later, in the order of the table, after `sum`; null where a row does not say. */
const LATER = [
  'asked',
  'answered',
  'cachedInputTokens',
  'reasoningTokens',
  'firstTokenMs',
  'cached',
  'finish',
  'failed',
  'uncertain',
  'worstMicroUsd',
  'savedMicroUsd',
  'request',
  'schema',
  'unmet',
  'repeated',
  'replayed',
] as const;
const FLAGS: ReadonlySet<string> = new Set(['cached', 'uncertain', 'unmet', 'repeated', 'replayed']);
const COLUMNS = [...FIRST, 'sum', ...LATER].map(column);
const INSERT = `INSERT OR REPLACE INTO ledger (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map(() => '?').join(', ')})`;
const SELECT = `SELECT ${[...FIRST, 'sum', ...LATER].map(field => `l.${column(field)} AS "${field}"`).join(', ')}`;

/** Totals of all users by pipeline, day, task and model; the same of each user; of each user by day alone, and by day and pipeline. */
export const EVERYBODY = 0;
const ONE_USER = 1;
export const USERS = 2;
const PIPELINE_USERS = 3;
const TOTAL_KEYS = ['kind', 'user', 'pipeline', 'day', 'task', 'model'] as const;
const SUMS = COUNTS.map(column).join(', ');
const ADD_SUMS = `INSERT OR REPLACE INTO totals (kind, user, pipeline, day, task, model, ${SUMS}, sum) VALUES (${'?, '.repeat(COUNTS.length + 6)}?)`;
const GET_SUMS = `SELECT ${SUMS} FROM totals WHERE kind = ? AND user = ? AND pipeline = ? AND day = ? AND task = ? AND model = ?`;

/** `cost_micro_usd`, of `costMicroUsd`. */
function column(field: string): string {
  return field.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`);
}

interface RawCall {
  [field: string]: Value;
}

/** The values behind the checksum of a row, given by its columns. Trailing nulls do not count, so that a column that is added changes no checksum. */
export function callValues(columns: readonly Value[]): Value[] {
  let end = columns.length;
  while (end > FIRST.length && columns[end - 1] === null) end--;
  return columns.slice(0, end);
}

function valuesOf(row: LedgerRow, fields: readonly (keyof LedgerRow)[]): Value[] {
  return fields.map(field => (FLAGS.has(field) ? (row[field] === true ? 1 : null) : ((row[field] as Value | undefined) ?? null)));
}

function parseCall(raw: RawCall): LedgerRow {
  const later = LATER.filter(field => raw[field] !== null);
  const row = Object.fromEntries([
    ...FIRST.map(field => [field, raw[field]]),
    ...later.map(field => [field, FLAGS.has(field) ? true : raw[field]]),
  ]) as LedgerRow;
  if (rowChecksum(...callValues([...FIRST, ...LATER].map(field => raw[field]!))) !== raw['sum'])
    throw damaged(`a row of the ledger of ${row.run} does not hold what was written to it`, { run: row.run });
  return row;
}

function select(db: Database, clause: string, ...values: (string | number)[]): LedgerRow[] {
  return db.all<RawCall>(`${SELECT} FROM ledger l ${clause}`, ...values).map(parseCall);
}

/** Rows in order; with a limit, the newest. */
export function ledgerRows(db: Database, { run, since = 0, limit }: LedgerFilter): LedgerRow[] {
  const where = `WHERE l.at >= ?${run === undefined ? '' : ' AND l.run = ?'}`;
  const values = run === undefined ? [since] : [since, run];
  if (limit === undefined) return select(db, `${where} ORDER BY l.at, l.run, l.path, l.attempt, l.call`, ...values);
  return select(db, `${where} ORDER BY l.at DESC, l.run DESC, l.path DESC, l.attempt DESC, l.call DESC LIMIT ?`, ...values, limit).reverse();
}

/** Keeps a call and adds it to the sums, within the transaction of the result that it paid for (S12). */
export function enterCall(db: Database, row: LedgerRow, run: Pick<RunRow, 'pipeline' | 'user'>): void {
  const { entered, bookings } = bookingsOf(row, knownCalls(db));
  const later = valuesOf(entered, LATER);
  const first = valuesOf(entered, FIRST);
  db.run(INSERT, ...first, rowChecksum(...callValues([...first, ...later])), ...later);
  for (const one of bookings) book(db, one, run);
}

function knownCalls(db: Database): KnownCalls {
  const task = 'run = ? AND path = ?';
  return {
    find: ({ run, path, attempt, call }) => select(db, `WHERE ${task} AND attempt = ? AND call = ?`, run, path, attempt, call)[0],
    wasAsked: request => db.get('SELECT 1 FROM ledger WHERE request = ? LIMIT 1', request) !== undefined,
    // The questions of a task come before its first attempt, and none of them is asked again for the next.
    wasRetried: ({ run, path, attempt }) =>
      attempt > 0 && db.get(`SELECT 1 FROM ledger WHERE ${task} AND attempt > ? LIMIT 1`, run, path, attempt) !== undefined,
    attemptBefore({ run, path, attempt }) {
      if (db.get(`SELECT 1 FROM ledger WHERE ${task} AND attempt = ? LIMIT 1`, run, path, attempt) !== undefined) return [];
      const last = `(SELECT max(attempt) FROM ledger WHERE ${task} AND attempt BETWEEN 1 AND ?)`;
      return select(db, `WHERE ${task} AND attempt = ${last}`, run, path, run, path, attempt - 1);
    },
  };
}

function book(db: Database, { at, task, model, totals }: Booking, { pipeline, user }: Pick<RunRow, 'pipeline' | 'user'>): void {
  const day = Math.floor(at / DAY_MS);
  const whose = user ?? '';
  addTo(db, [EVERYBODY, '', pipeline, day, task, model], totals);
  if (whose !== '') addTo(db, [ONE_USER, whose, pipeline, day, task, model], totals);
  addTo(db, [USERS, whose, '', day, '', ''], totals);
  addTo(db, [PIPELINE_USERS, whose, pipeline, day, '', ''], totals);
}

function addTo(db: Database, key: (string | number)[], totals: Totals): void {
  const before = db.get<{ [column: string]: number }>(GET_SUMS, ...key);
  const sums = COUNTS.map(count => totals[count] + (before?.[column(count)] ?? 0));
  db.run(ADD_SUMS, ...key, ...sums, rowChecksum(...key, ...sums));
}

/** Sums of a ledger that was kept before there were any. */
export function bookLedger(db: Database): void {
  const known = knownCalls(db);
  for (const { pipeline, user, ...raw } of db.all<RawCall>(`${SELECT}, r.pipeline, r.user FROM ledger l JOIN runs r ON r.run = l.run ORDER BY l.at`)) {
    const row = parseCall(raw);
    const { at, path, model } = row;
    book(db, { at, task: taskOf(path), model, totals: totalsOf(row, known.wasRetried(row)) }, { pipeline: String(pipeline), user: user as string | null });
  }
}

/**
 * Sums of calls, one list for each grouping, all of one moment. Whole days (UTC) come out of the kept sums, whatever has become of their runs;
 * the hours at the ends of the time asked for are summed from the rows.
 */
export function totals(db: Database, groupings: readonly (readonly TotalsKey[])[], filter: TotalsFilter): TotalsRow[][] {
  const { since, until } = filter;
  const first = since === undefined ? Number.MIN_SAFE_INTEGER : Math.ceil(since / DAY_MS);
  const end = Math.max(first, until === undefined ? Number.MAX_SAFE_INTEGER : Math.floor(until / DAY_MS));
  return db.read(() => {
    const sums = groupings.map(() => new Sums());
    const byTask = keptTotals(filter.user === undefined ? EVERYBODY : ONE_USER, first, end, filter);
    const byUser = keptTotals(filter.pipeline === undefined ? USERS : PIPELINE_USERS, first, end, filter);
    checkAgreed(db, byTask, byUser);
    for (const kept of [byTask, byUser]) {
      const asked = groupings.flatMap((by, i) => (by.includes('user') === (kept === byUser) ? [{ by, sum: sums[i]! }] : []));
      if (asked.length > 0) checkKept(db, kept);
      for (const { by, sum } of asked) for (const { keys, ...row } of groupKept(db, kept, by)) sum.add(keys, row);
    }
    const known = knownCalls(db);
    for (const [from, to] of edges(since, until, first, end)) {
      const sql = `${SELECT}, r.pipeline, r.user FROM ledger l JOIN runs r ON r.run = l.run WHERE l.at >= ? AND l.at < ?`;
      for (const { pipeline, user, ...raw } of db.each<RawCall>(sql, from, to)) {
        const row = parseCall(raw);
        const { at, path, model } = row;
        const booked = { at, task: taskOf(path), model, pipeline: String(pipeline), user: String(user ?? ''), totals: totalsOf(row, known.wasRetried(row)) };
        if (isMeant(booked, filter)) groupings.forEach((by, i) => sums[i]!.add(keysOf(booked, by), booked.totals));
      }
    }
    return sums.map(one => one.rows());
  });
}

/** The times before the first whole day and after the last. */
function edges(since: number | undefined, until: number | undefined, first: number, end: number): [number, number][] {
  const parts: [number, number][] = [];
  if (since !== undefined) parts.push([since, Math.min(first * DAY_MS, until ?? Infinity)]);
  if (until !== undefined) parts.push([Math.max(end * DAY_MS, since ?? -Infinity), until]);
  return parts.filter(([from, to]) => from < to);
}

/** A choice of kept totals, as the end of a statement and its values. */
type Kept = readonly [clause: string, ...values: (string | number)[]];

function keptTotals(kind: number, first: number, end: number, { pipeline, user }: TotalsFilter): Kept {
  const where = ['kind = ?', 'day >= ?', 'day < ?'];
  const values: (string | number)[] = [kind, first, end];
  for (const [sql, value] of [['user = ?', user] as const, ['pipeline = ?', pipeline] as const]) {
    if (value === undefined) continue;
    where.push(sql);
    values.push(value);
  }
  return [`FROM totals WHERE ${where.join(' AND ')}`, ...values];
}

/** The text behind the checksum of a row of totals, made by SQLite: to take each value out of it would take five times as long. */
const CHECKED_TEXT = [...TOTAL_KEYS, ...COUNTS.map(column)].map(name => `${name} || char(0)`).join(' || ');

/** Throws ORC-504 where a row does not hold what was written to it: no sum is served that it is in. */
function checkKept(db: Database, [clause, ...values]: Kept): void {
  for (const { text, sum } of db.each<{ text: string; sum: string }>(`SELECT ${CHECKED_TEXT} AS text, sum ${clause}`, ...values))
    if (checksum(text) !== sum) throw damaged('a sum of the ledger does not hold what was written to it', null);
}

/** Throws ORC-504 where two tables of the same calls say different things: rows of one are gone. */
function checkAgreed(db: Database, ...both: [Kept, Kept]): void {
  const [one, two] = both.map(([clause, ...values]) =>
    db.get<{ calls: number; cost: number }>(`SELECT total(calls) AS calls, total(cost_micro_usd) AS cost ${clause}`, ...values)!,
  );
  if (one!.calls !== two!.calls || one!.cost !== two!.cost) throw damaged('sums of the ledger are missing', null);
}

function groupKept(db: Database, [clause, ...values]: Kept, by: readonly TotalsKey[]): TotalsRow[] {
  const sums = COUNTS.map(count => `total(${column(count)}) AS "${count}"`);
  const group = by.length === 0 ? '' : ` GROUP BY ${by.join(', ')}`;
  return db.all<{ [field: string]: Value }>(`SELECT ${[...by, ...sums].join(', ')} ${clause}${group}`, ...values).map(({ ...row }) => {
    const keys = by.map(key => (key === 'day' ? utcDay(Number(row[key]) * DAY_MS) : String(row[key])));
    for (const key of by) delete row[key];
    return { keys, ...(row as unknown as Totals) };
  });
}
