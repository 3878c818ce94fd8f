import { apply, failureOf, initial, pathOf, type Effect, type Event, type Input, type Reason, type RunState, type RunStatus } from '../engine/index.ts';
import type { Plan } from '../plan/index.ts';
import type { Batch, LedgerRow, RunRow } from '../store/port.ts';
import type { ActiveTask, RunEvent } from './api.ts';
import type { Heard } from './heard.ts';

/** A run that this process owns and holds in memory. */
export interface LiveRun {
  readonly id: string;
  readonly plan: Plan;
  readonly state: RunState;
  readonly epoch: number;
  /** Sequence number of the last durable event. */
  durable: number;
  /** Came in and not decided yet. */
  inputs: Input[];
  /** Decided and not durable yet: nothing of it is handed out before it is. */
  events: Event[];
  effects: Effect[];
  blobs: { hash: string; content: string }[];
  ledger: LedgerRow[];
  consumed: string[];
  /** Keys of all orders that were taken in: one that is read again before it is deleted counts once. */
  readonly obeyed: Set<string>;
  /** Who waits for the inputs so far to be durable. */
  waiters: { resolve: () => void; reject: (error: unknown) => void }[];
  /** Attempts and questions under way, by slot (questions by -2 - slot). */
  readonly inFlight: Map<number, InFlight>;
  readonly timers: Map<number, NodeJS.Timeout>;
  /** Ends the run when the pipeline's own timeout has passed. */
  deadline: NodeJS.Timeout | undefined;
  /** Offers that wait for admission. */
  held: number;
  /** Slots whose admitted work takes room in the process and in the run. */
  readonly tokens: Set<number>;
  /** Whoever took it up wants no caches. */
  uncached: boolean;
  /** Row as last written, to write only what changes. */
  row: { status: RunStatus; reason: Reason | null; dueAt: number | null; tasksDone: number; writtenAt: number };
  /** Present until the first commit. */
  create: NonNullable<Batch['create']> | null;
  readonly listeners: Set<(events: RunEvent[]) => void>;
  readonly settlers: { resolve: () => void; reject: (error: unknown) => void }[];
  /** Why this process can no longer drive the run. */
  lost: Error | null;
  /** Events since the last snapshot. */
  sinceSnapshot: number;
  /** Number of the next model call, by path: it goes on where a dead process stopped, so that no row of the ledger is written over (S12). */
  readonly nextCall: Map<string, number>;
  /** Number of the next reservation of this epoch; it goes on where another object of the run stopped. */
  reservations: number;
  /** Its calls count under caps over several runs. */
  spends: boolean;
  /** Replies to the open question of each slot. */
  readonly heard: Map<number, Heard[]>;
}

/** One effect that is under way. */
export interface InFlight {
  abort(reason: unknown): void;
  progress: ActiveTask['progress'];
  tokens: number | null;
  /** The end of what a model is writing, as it came. */
  written: string;
}

/** An event as the outside sees it. */
export function outsideEvent(run: LiveRun, event: Event, seq: number): RunEvent {
  const slot = 'slot' in event ? event.slot : 'owner' in event && typeof event.owner === 'number' ? event.owner : -1;
  return { ...event, seq, run: run.id, path: slot >= 0 ? pathOf(run.plan, run.state, slot) : null } as RunEvent;
}

export function newLiveRun(id: string, plan: Plan, state: RunState, epoch: number, row: LiveRun['row'], create: LiveRun['create'] = null): LiveRun {
  return {
    id,
    plan,
    state,
    epoch,
    row,
    create,
    durable: state.seq,
    inputs: [],
    events: [],
    effects: [],
    blobs: [],
    ledger: [],
    consumed: [],
    obeyed: new Set(),
    waiters: [],
    inFlight: new Map(),
    timers: new Map(),
    deadline: undefined,
    held: 0,
    uncached: false,
    tokens: new Set(),
    listeners: new Set(),
    settlers: [],
    lost: null,
    sinceSnapshot: 0,
    nextCall: new Map(),
    reservations: state.seq,
    spends: Object.keys(state.reserved).length > 0,
    heard: new Map(),
  };
}

/** A run that does not exist yet: its first events wait for the first commit. */
export function bornRun(
  id: string,
  plan: Plan,
  body: string,
  events: Event[],
  blobs: LiveRun['blobs'],
  about: Pick<RunRow, 'user' | 'tags' | 'key' | 'keyHash' | 'parent' | 'workspace'>,
): LiveRun {
  const createdAt = events[0]!.at;
  const row: Omit<RunRow, 'seq' | 'epoch' | 'owner'> = {
    run: id,
    planHash: plan.hash,
    pipeline: plan.pipeline.name,
    version: plan.pipeline.version,
    file: plan.files[0]?.file ?? '',
    status: 'pending',
    reason: null,
    createdAt,
    startedAt: null,
    endedAt: null,
    dueAt: null,
    tasksDone: 0,
    tasksTotal: plan.blocks[0]!.tasks.length,
    costMicroUsd: 0,
    error: null,
    ...about,
  };
  const state = initial();
  const run = newLiveRun(
    id,
    plan,
    state,
    1,
    { status: 'pending', reason: null, dueAt: null, tasksDone: 0, writtenAt: createdAt },
    { row, plan: { hash: plan.hash, body } },
  );
  for (const event of events) {
    apply(plan, state, event);
    run.events.push(event);
  }
  run.blobs.push(...blobs);
  return run;
}

/** Why a run failed, in one line, with the path of the task that did. */
export function errorOf({ plan, state }: Pick<LiveRun, 'plan' | 'state'>): string | null {
  const failure = failureOf({ plan, state });
  if (failure === null) return null;
  const [line = ''] = failure.message.split('\n');
  return `${failure.path === null || line.includes(`\`${failure.path}\``) ? '' : `${failure.path}: `}${line}`.slice(0, 300);
}

/** The row as it stands, to write only what changes. */
export function rowNow(row: RunRow): LiveRun['row'] {
  return { status: row.status, reason: row.reason, dueAt: row.dueAt, tasksDone: row.tasksDone, writtenAt: 0 };
}
