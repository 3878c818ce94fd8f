import type { Command, Event } from '../engine/event.ts';
import { sha256 } from '../hash.ts';
import type { Json } from '../json.ts';
import { callsOf, costOf, MemoryBudgetRows } from './budget-rows.ts';
import { Budgets } from './budgets.ts';
import { utcDay } from '../clock.ts';
import { damaged, openRun, unknownRun } from './failures.ts';
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
  Shared,
  Store,
  StoreHealth,
  TotalsFilter,
  TotalsKey,
  TotalsRow,
  Verdict,
} from './port.ts';
import type { PruneRequest } from './prune.ts';
import { namedBlobs } from './references.ts';
import { isOpen } from './rows.ts';
import { bookingsOf, isMeant, keysOf, Sums, type RunBooking } from './totals.ts';
import { SNAPSHOTS_KEPT } from './writer.ts';

/** All that is kept of one run. Events and commands are texts, so that nobody shares an object with the store. */
interface MemoryRun {
  row: RunRow;
  journal: { first: number; events: string }[];
  snapshots: { seq: number; at: number; state: string }[];
  /** By path. */
  ledger: Map<string, LedgerRow[]>;
  /** In order of arrival; a command that was consumed is null, its key stays. */
  inbox: Map<string, { at: number; command: string | null }>;
}

/** What several memory stores share, as several processes share a file. */
export class MemoryHub {
  readonly runs = new Map<string, MemoryRun>();
  readonly keys = new Map<string, string>();
  readonly plans = new Map<string, string>();
  readonly blobs = new Map<string, string>();
  readonly cache = new Map<string, { content: string; expiresAt: number | null }>();
  readonly shared = new Map<string, string>();
  readonly living = new Set<string>();
  /** How many calls of the ledger made a request. */
  readonly requests = new Map<string, number>();
  /** What every call added to the sums of the ledger; they outlive their runs. */
  readonly bookings: RunBooking[] = [];
  readonly caps = new MemoryBudgetRows((scope, day) => {
    const { by, filter, name } = callsOf(scope, day);
    const sums = new Sums();
    for (const one of this.bookings) if (isMeant(one, filter)) sums.add(keysOf(one, by), one.totals);
    return costOf(sums.rows(), name);
  });
  readonly budgets = new Budgets(this.caps);
  control: Control = { drain: false, stop: false, reason: null, since: null };
}

/** The store of tests, simulations and `memory:`: it means what the others mean, and forgets all when its process ends. */
export class MemoryStore implements Store {
  readonly kind = 'memory';
  readonly owner: string;
  readonly shared: Shared;
  readonly #hub: MemoryHub;

  constructor(owner: string, hub: MemoryHub = new MemoryHub()) {
    this.owner = owner;
    this.#hub = hub;
    this.shared = sharedIn(hub.shared);
    hub.living.add(owner);
  }

  commit(batches: Batch[]): Verdict[] {
    return batches.map(batch => {
      if (batch.spending !== undefined && this.#hub.budgets.refuses(batch.run, batch.spending)) return 'over_budget';
      const verdict = batch.create === undefined ? this.#judge(batch) : this.#create(batch, batch.create);
      if (verdict === 'ok') this.#append(batch);
      return verdict;
    });
  }

  read(run: string, from = 0, to = Infinity): { seq: number; event: Event }[] {
    const found: { seq: number; event: Event }[] = [];
    for (const { first, events } of this.#hub.runs.get(run)?.journal ?? []) {
      if (first > to) break;
      const parsed = JSON.parse(events) as Event[];
      if (first + parsed.length - 1 <= from) continue;
      parsed.forEach((event, i) => {
        if (first + i > from && first + i <= to) found.push({ seq: first + i, event });
      });
    }
    return found;
  }

  snapshot(run: string, at = Infinity): { seq: number; state: string } | undefined {
    const found = this.#hub.runs.get(run)?.snapshots.findLast(({ seq }) => seq <= at);
    return found === undefined ? undefined : { seq: found.seq, state: found.state };
  }

  async snapshots(run: string): Promise<{ seq: number; at: number; bytes: number }[]> {
    return (this.#hub.runs.get(run)?.snapshots ?? []).map(({ seq, at, state }) => ({ seq, at, bytes: Buffer.byteLength(state) }));
  }

  plan(hash: string): string | undefined {
    return this.#hub.plans.get(hash);
  }

  blob(hash: string): string | undefined {
    const content = this.#hub.blobs.get(hash);
    if (content !== undefined && sha256(content) !== hash) throw damaged(`the value ${hash} does not hold what was written to it`, null);
    return content;
  }

  async run(id: string): Promise<RunRow | undefined> {
    const row = this.#hub.runs.get(id)?.row;
    return row === undefined ? undefined : copy(row);
  }

  async runs(filter: RunFilter): Promise<RunRow[]> {
    const before = filter.before === undefined ? undefined : this.#hub.runs.get(filter.before)?.row;
    if (filter.before !== undefined && before === undefined) return [];
    return this.#rows(
      row =>
        (filter.status === undefined || filter.status.includes(row.status)) &&
        (filter.pipeline === undefined || row.pipeline === filter.pipeline) &&
        (filter.user === undefined || row.user === filter.user) &&
        (filter.tag === undefined || row.tags.includes(filter.tag)) &&
        (filter.since === undefined || row.createdAt >= filter.since) &&
        (before === undefined || byAge(row, before) < 0),
    )
      .reverse()
      .slice(0, filter.limit);
  }

  async match(prefix: string, limit: number): Promise<string[]> {
    const whole = prefix.startsWith('run_') ? prefix : `run_${prefix}`;
    return [...this.#hub.runs.keys()]
      .filter(run => run.startsWith(whole))
      .sort()
      .reverse()
      .slice(0, limit);
  }

  async byKey(key: string): Promise<RunRow | undefined> {
    const run = this.#hub.keys.get(key);
    return run === undefined ? undefined : this.run(run);
  }

  async ledger(filter: LedgerFilter): Promise<LedgerRow[]> {
    const place = (row: LedgerRow): (string | number)[] => [row.at, row.run, row.path, row.attempt, row.call];
    return [...this.#hub.runs.values()]
      .filter(({ row }) => filter.run === undefined || row.run === filter.run)
      .flatMap(({ ledger }) => [...ledger.values()].flat())
      .filter(row => row.at >= (filter.since ?? 0))
      .sort((a, b) => compare(place(a), place(b)))
      .slice(-(filter.limit ?? Infinity))
      .map(row => ({ ...row }));
  }

  async totals(groupings: readonly (readonly TotalsKey[])[], filter: TotalsFilter): Promise<TotalsRow[][]> {
    const meant = this.#hub.bookings.filter(one => isMeant(one, filter));
    return groupings.map(by => {
      const sums = new Sums();
      for (const one of meant) sums.add(keysOf(one, by), one.totals);
      return sums.rows();
    });
  }

  async acquire(run: string): Promise<RunRow | undefined> {
    const { row } = this.#known(run);
    if (row.owner === this.owner) return copy(row);
    if (row.owner !== null && this.#hub.living.has(row.owner)) return undefined;
    row.owner = this.owner;
    row.epoch++;
    return copy(row);
  }

  async release(run: string): Promise<void> {
    const row = this.#hub.runs.get(run)?.row;
    if (row?.owner === this.owner) row.owner = null;
  }

  async alive(owner: string): Promise<boolean> {
    return this.#hub.living.has(owner);
  }

  async deliver(run: string, key: string, command: Command, at: number): Promise<boolean> {
    const { inbox } = this.#known(run);
    if (inbox.has(key)) return false;
    inbox.set(key, { at, command: JSON.stringify(command) });
    return true;
  }

  inbox(run?: string): { run: string; key: string; command: Command }[] {
    return [...this.#hub.runs.values()]
      .filter(({ row }) => (run === undefined ? row.owner === this.owner : row.run === run))
      .flatMap(({ row, inbox }) => [...inbox].map(([key, entry]) => ({ run: row.run, key, ...entry })))
      .sort((a, b) => a.at - b.at)
      .flatMap(({ run, key, command }) => (command === null ? [] : [{ run, key, command: JSON.parse(command) as Command }]));
  }

  async orphans(): Promise<RunRow[]> {
    return this.#rows(row => isOpen(row.status) && this.#isUnowned(row));
  }

  async due(now: number): Promise<RunRow[]> {
    const due = this.#rows(row => row.dueAt !== null && row.dueAt <= now && isOpen(row.status) && this.#isUnowned(row));
    return due.sort((a, b) => compare([a.dueAt!, a.run], [b.dueAt!, b.run]));
  }

  control(): Control {
    return { ...this.#hub.control };
  }

  async setControl({ drain, stop, reason, since }: Control): Promise<void> {
    this.#hub.control = { drain, stop, reason, since };
  }

  async budgets(day: string): Promise<BudgetRow[]> {
    return this.#hub.caps.ofDay(day);
  }

  async reservations(day: string): Promise<HeldReservation[]> {
    return this.#hub.caps.reservations(day);
  }

  async raiseBudget(raise: BudgetRaise, capMicroUsd: number): Promise<void> {
    this.#hub.budgets.raise(raise, capMicroUsd);
  }

  async cached(key: string, now: number): Promise<string | undefined> {
    const entry = this.#hub.cache.get(key);
    return entry === undefined || (entry.expiresAt !== null && entry.expiresAt <= now) ? undefined : entry.content;
  }

  async putCached(key: string, content: string, expiresAt: number | null): Promise<void> {
    this.#hub.cache.set(key, { content, expiresAt });
  }

  async prune({ run, endedBefore, dryRun = false }: PruneRequest): Promise<{ runs: string[]; bytes: number }> {
    if (run !== undefined && isOpen(this.#known(run).row.status)) throw openRun(run, this.#known(run).row.status);
    const { runs, plans, blobs, keys, cache } = this.#hub;
    const isDoomed = (row: RunRow): boolean =>
      run === undefined ? !isOpen(row.status) && (row.endedAt ?? Infinity) < (endedBefore ?? Infinity) : row.run === run;
    const doomed = this.#rows(isDoomed);
    const kept = this.#rows(row => !isDoomed(row));
    const used = new Set([...kept.flatMap(row => this.#blobsOf(row.run)), ...[...cache.values()].flatMap(({ content }) => namedBlobs(content))]);
    const spareBlobs = new Set(doomed.flatMap(row => this.#blobsOf(row.run)).filter(hash => !used.has(hash)));
    const sparePlans = new Set(doomed.map(row => row.planHash).filter(hash => !kept.some(row => row.planHash === hash)));
    const journals = doomed.flatMap(row => runs.get(row.run)!.journal.map(({ events }) => events));
    const texts = [...journals, ...[...spareBlobs].map(hash => blobs.get(hash) ?? ''), ...[...sparePlans].map(hash => plans.get(hash) ?? '')];
    if (!dryRun) {
      for (const row of doomed) {
        for (const call of [...runs.get(row.run)!.ledger.values()].flat()) this.#countRequest(call, -1);
        runs.delete(row.run);
        if (row.key !== null) keys.delete(row.key);
      }
      for (const hash of spareBlobs) blobs.delete(hash);
      for (const hash of sparePlans) plans.delete(hash);
      if (endedBefore !== undefined) this.#hub.caps.forgetBefore(utcDay(endedBefore));
      if (endedBefore !== undefined) for (const [key, { expiresAt }] of cache) if (expiresAt !== null && expiresAt <= endedBefore) cache.delete(key);
    }
    return { runs: doomed.map(row => row.run), bytes: texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) };
  }

  async verify(): Promise<Damage[]> {
    return [...this.#hub.blobs]
      .filter(([hash, content]) => sha256(content) !== hash)
      .map(([hash]) => ({ run: null, what: `the value ${hash} does not hold what was written to it` }));
  }

  async health(): Promise<StoreHealth> {
    const texts = [
      ...this.#hub.blobs.values(),
      ...this.#hub.plans.values(),
      ...[...this.#hub.runs.values()].flatMap(({ journal }) => journal.map(({ events }) => events)),
    ];
    const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
    return { kind: this.kind, location: 'memory', schemaVersion: 0, bytes, runs: this.#hub.runs.size, setApart: [] };
  }

  async close(): Promise<void> {
    this.#hub.living.delete(this.owner);
  }

  #create(batch: Batch, { row, plan }: NonNullable<Batch['create']>): Verdict {
    const { runs, keys, plans } = this.#hub;
    if (batch.expectedSeq !== 0 || runs.has(batch.run)) return 'conflict';
    if (row.key !== null && keys.has(row.key)) return 'key_conflict';
    if (row.key !== null) keys.set(row.key, batch.run);
    if (!plans.has(plan.hash)) plans.set(plan.hash, plan.body);
    const created = { ...copy({ ...row, seq: 0, epoch: 1, owner: this.owner }), run: batch.run };
    runs.set(batch.run, { row: created, journal: [], snapshots: [], ledger: new Map(), inbox: new Map() });
    return 'ok';
  }

  #judge(batch: Batch): Verdict {
    const row = this.#hub.runs.get(batch.run)?.row;
    if (row === undefined) return 'conflict';
    if (row.owner !== this.owner || row.epoch !== batch.epoch) return 'fenced';
    return row.seq === batch.expectedSeq ? 'ok' : 'conflict';
  }

  #append({ run, expectedSeq, events, blobs = [], change, ledger = [], consumed = [], spending, snapshot }: Batch): void {
    const kept = this.#known(run);
    kept.row = { ...kept.row, ...defined(change), seq: expectedSeq + events.length };
    if (events.length > 0) kept.journal.push({ first: expectedSeq + 1, events: JSON.stringify(events) });
    for (const { hash, content } of blobs) if (!this.#hub.blobs.has(hash)) this.#hub.blobs.set(hash, content);
    if (spending !== undefined) this.#hub.budgets.enter(run, spending);
    for (const row of ledger) this.#enter(kept, row);
    for (const key of consumed) {
      const entry = kept.inbox.get(key);
      if (entry !== undefined) entry.command = null;
    }
    if (snapshot === undefined) return;
    const others = kept.snapshots.filter(({ seq }) => seq !== kept.row.seq);
    kept.snapshots = [...others, { seq: kept.row.seq, at: events.at(-1)?.at ?? 0, state: snapshot }].slice(-SNAPSHOTS_KEPT);
  }

  #enter({ row: { pipeline, user }, ledger }: MemoryRun, row: LedgerRow): void {
    const { requests, bookings: booked } = this.#hub;
    const ofTask = ledger.get(row.path) ?? [];
    const { entered, bookings } = bookingsOf(row, {
      find: ({ attempt, call }) => ofTask.find(other => other.attempt === attempt && other.call === call),
      wasAsked: request => (requests.get(request) ?? 0) > 0,
      wasRetried: ({ attempt }) => attempt > 0 && ofTask.some(other => other.attempt > attempt),
      attemptBefore({ attempt }) {
        const before = ofTask.reduce((last, other) => (other.attempt < attempt ? Math.max(last, other.attempt) : last), 0);
        return ofTask.some(other => other.attempt === attempt) ? [] : ofTask.filter(other => before > 0 && other.attempt === before);
      },
    });
    const others = ofTask.filter(other => other.attempt !== row.attempt || other.call !== row.call);
    ledger.set(row.path, [...others, { ...entered }]);
    if (others.length === ofTask.length) this.#countRequest(row, 1);
    for (const one of bookings) booked.push({ ...one, pipeline, user: user ?? '' });
  }

  #countRequest({ request }: LedgerRow, by: 1 | -1): void {
    if (request !== undefined) this.#hub.requests.set(request, (this.#hub.requests.get(request) ?? 0) + by);
  }

  #known(run: string): MemoryRun {
    const known = this.#hub.runs.get(run);
    if (known === undefined) throw unknownRun(run);
    return known;
  }

  /** Copies, oldest first. */
  #rows(wanted: (row: RunRow) => boolean): RunRow[] {
    return [...this.#hub.runs.values()]
      .map(({ row }) => row)
      .filter(wanted)
      .sort(byAge)
      .map(copy);
  }

  #isUnowned(row: RunRow): boolean {
    return row.owner === null || !this.#hub.living.has(row.owner);
  }

  #blobsOf(run: string): string[] {
    return this.#hub.runs.get(run)!.journal.flatMap(({ events }) => namedBlobs(events));
  }
}

function sharedIn(texts: Map<string, string>): Shared {
  const valueOf = (key: string): Json | undefined => (texts.has(key) ? (JSON.parse(texts.get(key)!) as Json) : undefined);
  return {
    change(keys, work) {
      const { values, result } = work(keys.map(valueOf));
      for (const [index, key] of keys.entries()) texts.set(key, JSON.stringify(values[index]!));
      return result;
    },
    list: prefix => Object.fromEntries([...texts.keys()].filter(key => key.startsWith(prefix)).map(key => [key, valueOf(key)!])),
  };
}

function copy(row: RunRow): RunRow {
  return { ...row, tags: [...row.tags] };
}

function defined<Part extends object>(part: Part | undefined): Partial<Part> {
  return Object.fromEntries(Object.entries(part ?? {}).filter(([, value]) => value !== undefined)) as Partial<Part>;
}

function byAge(a: RunRow, b: RunRow): number {
  return compare([a.createdAt, a.run], [b.createdAt, b.run]);
}

function compare(a: (string | number)[], b: (string | number)[]): number {
  for (let i = 0; i < a.length; i++) {
    if (a[i]! !== b[i]!) return a[i]! < b[i]! ? -1 : 1;
  }
  return 0;
}
