import { utcDay } from '../clock.ts';
import type { LedgerRow, TotalsFilter, TotalsKey, TotalsRow, Totals } from './port.ts';

const NOTHING: Totals = {
  calls: 0,
  failedCalls: 0,
  cacheHits: 0,
  unpricedCalls: 0,
  uncertainCalls: 0,
  costMicroUsd: 0,
  uncertainMicroUsd: 0,
  savedMicroUsd: 0,
  inputTokens: 0,
  outputTokens: 0,
  cachedInputTokens: 0,
  reasoningTokens: 0,
  repeatedCalls: 0,
  repeatedMicroUsd: 0,
  wastedCalls: 0,
  wastedMicroUsd: 0,
  schemaCalls: 0,
  unmetCalls: 0,
};
export const COUNTS = Object.keys(NOTHING) as readonly (keyof Totals)[];

/** What one call adds to the sums of its model, task, pipeline, user and day; negative where its row was written over. */
export interface Booking {
  at: number;
  task: string;
  model: string;
  totals: Totals;
}

/** What a store knows of the calls that it has, for the booking of one more. */
export interface KnownCalls {
  /** The row that this one takes the place of. */
  find(row: LedgerRow): LedgerRow | undefined;
  wasAsked(request: string): boolean;
  /** Whether a later attempt of the same task made calls. */
  wasRetried(row: LedgerRow): boolean;
  /** Calls of the attempt before, where this is the first call of its attempt. */
  attemptBefore(row: LedgerRow): LedgerRow[];
}

/** A call as it is to be kept, and what it changes in the sums. */
export function bookingsOf(row: LedgerRow, known: KnownCalls): { entered: LedgerRow; bookings: Booking[] } {
  const old = known.find(row);
  const isRepeat = old === undefined ? row.request !== undefined && known.wasAsked(row.request) : old.repeated === true;
  const entered: LedgerRow = isRepeat ? { ...row, repeated: true } : row;
  const isWasted = known.wasRetried(row);
  const bookings = [booking(entered, totalsOf(entered, isWasted))];
  if (old !== undefined) bookings.push(booking(old, negative(totalsOf(old, isWasted))));
  else if (!isWasted && row.attempt > 1) for (const before of known.attemptBefore(row)) bookings.push(booking(before, wasteOf(before)));
  return { entered, bookings };
}

function booking({ at, path, model }: LedgerRow, totals: Totals): Booking {
  return { at, task: taskOf(path), model, totals };
}

/** The task as written, of the path of one of its runs: `read[3]/fetch` is `read/fetch`. */
export function taskOf(path: string): string {
  return path.replace(/\[\d+\]|@\d+/g, '');
}

/** One call as sums. What came out of a cache took no tokens; what came out of a cassette was no call. */
export function totalsOf(row: LedgerRow, isWasted: boolean): Totals {
  if (row.replayed === true) return NOTHING;
  const { costMicroUsd, cached, uncertain, failed, schema } = row;
  const one = (is: boolean): number => (is ? 1 : 0);
  const paid = costMicroUsd ?? 0;
  const taken = cached === true ? NOTHING : row;
  const isRepeat = row.repeated === true && paid > 0;
  const isAnswer = schema !== undefined && failed === undefined && cached !== true;
  return {
    calls: 1,
    failedCalls: one(failed !== undefined),
    cacheHits: one(cached === true),
    unpricedCalls: one(costMicroUsd === null && uncertain !== true),
    uncertainCalls: one(uncertain === true),
    costMicroUsd: paid,
    uncertainMicroUsd: uncertain === true ? (row.worstMicroUsd ?? 0) : 0,
    savedMicroUsd: row.savedMicroUsd ?? 0,
    inputTokens: taken.inputTokens,
    outputTokens: taken.outputTokens,
    cachedInputTokens: taken.cachedInputTokens ?? 0,
    reasoningTokens: taken.reasoningTokens ?? 0,
    repeatedCalls: one(isRepeat),
    repeatedMicroUsd: isRepeat ? paid : 0,
    schemaCalls: one(isAnswer),
    unmetCalls: one(isAnswer && row.unmet === true),
    ...(isWasted ? wasted(paid) : { wastedCalls: 0, wastedMicroUsd: 0 }),
  };
}

function wasteOf({ costMicroUsd }: LedgerRow): Totals {
  return { ...NOTHING, ...wasted(costMicroUsd ?? 0) };
}

function wasted(paid: number): Pick<Totals, 'wastedCalls' | 'wastedMicroUsd'> {
  return { wastedCalls: paid > 0 ? 1 : 0, wastedMicroUsd: paid };
}

function negative(totals: Totals): Totals {
  const result = { ...NOTHING };
  for (const count of COUNTS) result[count] = -totals[count];
  return result;
}

export function addTotals(into: Totals, more: Totals): void {
  for (const count of COUNTS) into[count] += more[count];
}

/** Sums of bookings by the values of some keys. */
export class Sums {
  readonly #rows = new Map<string, TotalsRow>();

  add(keys: string[], totals: Totals): void {
    const name = keys.join('\n');
    let row = this.#rows.get(name);
    if (row === undefined) this.#rows.set(name, (row = { keys, ...NOTHING }));
    addTotals(row, totals);
  }

  /** Those of which anything is left. */
  rows(): TotalsRow[] {
    return [...this.#rows.values()].filter(row => COUNTS.some(count => row[count] !== 0));
  }
}

/** A booking with the run's own keys. */
export interface RunBooking extends Booking {
  pipeline: string;
  user: string;
}

export function keysOf(booked: RunBooking, by: readonly TotalsKey[]): string[] {
  return by.map(key => (key === 'day' ? utcDay(booked.at) : booked[key]));
}

export function isMeant(booked: RunBooking, { since, until, pipeline, user }: TotalsFilter): boolean {
  return (
    booked.at >= (since ?? -Infinity) &&
    booked.at < (until ?? Infinity) &&
    (pipeline === undefined || booked.pipeline === pipeline) &&
    (user === undefined || booked.user === user)
  );
}
