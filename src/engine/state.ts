import type { Failure } from '../errors.ts';
import { edges } from '../plan/index.ts';
import type { Block, Plan, PlanTask } from '../plan/plan.ts';
import type { Event, Observation, OnExceed, Reason, Ref, Refusal, RouteRecord, RunStatus, TaskStatus } from './event.ts';

/** Task statuses by their number in `RunState.status`. */
export const TASK_STATUSES: readonly TaskStatus[] = ['pending', 'scheduled', 'running', 'waiting', 'completed', 'failed', 'skipped', 'cancelled'];
export const PENDING = 0;
export const SCHEDULED = 1;
export const RUNNING = 2;
export const WAITING = 3;
export const COMPLETED = 4;
export const FAILED = 5;
export const SKIPPED = 6;
export const CANCELLED = 7;

/** What a task that is under way is doing, so that a state says by itself what is owed to it. */
export const IDLE = 0;
export const PERFORMING = 1;
export const HANDLING = 2;
export const BACKOFF = 3;
export const SLEEPING = 4;
export const APPROVAL = 5;
export const SIGNAL = 6;
export const ATTENTION = 7;
export const DEFERRED = 8;

/** One instance of a block: the root, an iteration, a group, a sub-pipeline, a handler. */
export interface Scope {
  block: number;
  /** Slot of the task that owns it; -1 for the root and for the handlers of the pipeline itself. */
  owner: number;
  /** Iteration, or number of the handler. */
  index: number;
  /** First slot of its tasks. */
  base: number;
  /** Tasks that have not settled. */
  open: number;
  /** A task with the policy `fail` has failed in it. */
  failing: boolean;
  /** Inputs of a sub-pipeline. */
  inputs: Ref | null;
}

export interface LoopState {
  items: Ref | null;
  count: number;
  parallel: number;
  limit: number;
  opened: number;
  done: number;
  failed: number;
  /** A task with the policy `fail` has failed in one of its iterations, and its own policy is not to leave that out. */
  broken: boolean;
  /** More of its iterations were open than may run at once: those of a run that was reopened or forked take turns. */
  crowded?: true;
  /** The last condition of a while or until that was evaluated. */
  condition: { site: 'while' | 'until'; index: number; value: boolean } | null;
}

export interface AutoAnswer {
  value: Ref;
  source: 'model' | 'default' | 'pinned';
  model: string | null;
  reason: string | null;
}

/** What only some tasks have. */
export interface Extra {
  failure?: Failure;
  because?: string;
  condition?: boolean;
  /** By the number of the tag. */
  autos?: { [index: number]: AutoAnswer };
  loop?: LoopState;
  /** Scopes that the task owns, in the order of opening; handlers apart. */
  scopes?: number[];
  /** The handler that runs, or ran last since the task failed, and how often each has been tried. */
  handler?: { scope: number | null; tries: { [index: number]: number } };
  until?: number;
  /** Whose limit it waited for last. */
  waitsFor?: string;
  onTimeout?: string | null;
  choices?: string[];
  prompt?: string;
  signal?: string;
  steps?: Map<string, { effect: string; output: Ref | null }>;
  usage?: {
    model: string;
    inputTokens: number;
    outputTokens: number;
    costMicroUsd: number;
    /** Replies that came out of the response cache, and what they would have cost, as far as prices are known. */
    kept?: { calls: number; savedMicroUsd: number };
    route?: RouteRecord;
    tried?: { id: string; code: string; message: string }[];
  };
  observed?: Observation[];
  overrides?: Map<string, Ref>;
  effect?: string;
  /** Attempts that had been made when the task was reopened: they do not count against its retries. */
  attemptsBefore?: number;
  recovered?: boolean;
  cached?: boolean;
  exhausted?: boolean;
  adoptedFrom?: string;
}

/**
 * The state of a run: a fold of its events. Per task run there is one slot in the typed arrays; only `apply` writes here.
 */
export interface RunState {
  seq: number;
  /** Time of the last event. */
  at: number;
  status: RunStatus;
  reason: Reason | null;
  created: Extract<Event, { type: 'run.created' }> | null;
  epoch: number;
  owner: string;
  inputs: Ref | null;
  until: string | null;
  startedAt: number;
  endedAt: number;
  outputs: Ref | null;
  failure: Failure | null;
  slots: number;
  taskStatus: Uint8Array;
  phase: Uint8Array;
  taskReason: (Reason | null)[];
  /** Needs that have not settled. */
  waitingOn: Int32Array;
  attempt: Uint16Array;
  scopeOf: Int32Array;
  scheduledAt: Float64Array;
  beganAt: Float64Array;
  settledAt: Float64Array;
  output: (Ref | null)[];
  extra: Map<number, Extra>;
  scopes: Scope[];
  /** Slots in the order in which they settled; one that was reopened stands again, and only its last place counts. */
  order: number[];
  /** Tasks that are scheduled, running or waiting. */
  active: number;
  running: number;
  /** Tasks that settled. */
  done: number;
  failed: number;
  costMicroUsd: number;
  /** Calls whose price is not known. */
  unpricedCalls: number;
  /** Calls whose reply was lost, and the most that they can be billed, as far as prices are known; in no other sum. */
  uncertainCalls: number;
  uncertainMicroUsd: number;
  /** The cap of the run, and what happens on it. */
  budget: { microUsd: number; onExceed: OnExceed } | null;
  /** What is set aside for calls under way, and for those whose reply was lost, by their keys; and its sum. */
  reserved: { [key: string]: number };
  reservedMicroUsd: number;
  /** The same sums by the slot that calls; those that are nothing are left out. */
  reservedBy: { [slot: number]: number };
  /** Keys of the calls whose reply was lost: they may be billed, and nobody knows how much. */
  doubted: string[];
  /** The caps that slots met since the run was last resumed. */
  refusals: { [slot: number]: Refusal };
  /** The largest part of each cap, in percent, of which a person was told; of the run's own since it was set. */
  warned: { [scope: string]: { percent: number; settledMicroUsd: number; capMicroUsd: number } };
  /** When a run that is paused for a cap goes on by itself. */
  pausedUntil: number | null;
  signals: Map<string, Ref[]>;
  /** Scope of the pipeline's own handler, once it runs. */
  handlerScope: number;
}

const NO_BYTES = new Uint8Array(0);
const NO_COUNTS = new Uint16Array(0);
const NO_NUMBERS = new Int32Array(0);
const NO_TIMES = new Float64Array(0);

export function initial(): RunState {
  return {
    seq: 0,
    at: 0,
    status: 'pending',
    reason: null,
    created: null,
    epoch: 0,
    owner: '',
    inputs: null,
    until: null,
    startedAt: 0,
    endedAt: 0,
    outputs: null,
    failure: null,
    slots: 0,
    taskStatus: NO_BYTES,
    phase: NO_BYTES,
    taskReason: [],
    waitingOn: NO_NUMBERS,
    attempt: NO_COUNTS,
    scopeOf: NO_NUMBERS,
    scheduledAt: NO_TIMES,
    beganAt: NO_TIMES,
    settledAt: NO_TIMES,
    output: [],
    extra: new Map(),
    scopes: [],
    order: [],
    active: 0,
    running: 0,
    done: 0,
    failed: 0,
    costMicroUsd: 0,
    unpricedCalls: 0,
    uncertainCalls: 0,
    uncertainMicroUsd: 0,
    budget: null,
    reserved: {},
    reservedMicroUsd: 0,
    reservedBy: {},
    doubted: [],
    refusals: {},
    warned: {},
    pausedUntil: null,
    signals: new Map(),
    handlerScope: -1,
  };
}

export function extraOf(state: RunState, slot: number): Extra {
  let extra = state.extra.get(slot);
  if (extra === undefined) state.extra.set(slot, (extra = {}));
  return extra;
}

export function scopeOfSlot(state: RunState, slot: number): Scope {
  return state.scopes[state.scopeOf[slot]!]!;
}

export function blockOfSlot(plan: Plan, state: RunState, slot: number): Block {
  return plan.blocks[scopeOfSlot(state, slot).block]!;
}

export function taskOfSlot(plan: Plan, state: RunState, slot: number): PlanTask {
  const scope = scopeOfSlot(state, slot);
  return plan.blocks[scope.block]!.tasks[slot - scope.base]!;
}

export function isSettled(status: number): boolean {
  return status >= COMPLETED;
}

/** Makes room for `count` slots of a scope; the arrays double, so that growth costs the same per slot however many there are. */
export function openScope(plan: Plan, state: RunState, scope: Omit<Scope, 'base' | 'open' | 'failing'>): void {
  const block = plan.blocks[scope.block]!;
  const base = state.slots;
  const count = block.tasks.length;
  reserve(state, base + count);
  const { waiting } = edges(block);
  state.waitingOn.set(waiting, base);
  state.scopeOf.fill(state.scopes.length, base, base + count);
  for (let i = 0; i < count; i++) {
    state.output.push(null);
    state.taskReason.push(null);
  }
  state.slots = base + count;
  state.scopes.push({ ...scope, base, open: count, failing: false });
}

function reserve(state: RunState, slots: number): void {
  const size = state.taskStatus.length;
  if (slots <= size) return;
  // The first scope is most often the only one; small arrays without room to spare stay within the heap.
  const next = Math.max(slots, size * 2);
  const grow = <T extends Uint8Array | Uint16Array | Int32Array | Float64Array>(old: T, fresh: T): T => {
    fresh.set(old);
    return fresh;
  };
  state.taskStatus = grow(state.taskStatus, new Uint8Array(next));
  state.phase = grow(state.phase, new Uint8Array(next));
  state.waitingOn = grow(state.waitingOn, new Int32Array(next));
  state.attempt = grow(state.attempt, new Uint16Array(next));
  state.scopeOf = grow(state.scopeOf, new Int32Array(next));
  state.scheduledAt = grow(state.scheduledAt, new Float64Array(next));
  state.beganAt = grow(state.beganAt, new Float64Array(next));
  state.settledAt = grow(state.settledAt, new Float64Array(next));
}

/** Path of a task run: `search`, `read[3]/fetch`, `refine@2/score`, `sub/inner`, `boom/on_error[0]/notify`. */
export function pathOf(plan: Plan, state: RunState, slot: number): string {
  if (slot < 0) return '';
  let path = '';
  for (let at = slot; at >= 0;) {
    const scope = scopeOfSlot(state, at);
    const block = plan.blocks[scope.block]!;
    path = block.tasks[at - scope.base]!.id + path;
    if (block.kind === 'root') break;
    path = linkOf(block, scope.index) + path;
    at = scope.owner;
  }
  return path;
}

/** What stands between the path of an owner and that of a task in its scope. */
export function linkOf(block: Block, index: number): string {
  if (block.kind === 'for_each') return `[${index}]/`;
  if (block.kind === 'while') return `@${index}/`;
  return block.kind === 'handler' ? `/on_error[${index}]/` : '/';
}

/** Slot of a path, or -1. Walks from the root, one scope a step. */
export function slotOf(plan: Plan, state: RunState, path: string): number {
  // A run that was tried again may have had its own handler more than once: the last one is meant.
  for (let root = state.scopes.length - 1; root >= 0; root--) {
    if (state.scopes[root]!.owner >= 0) continue;
    const found = findIn(plan, state, root, path);
    if (found >= 0) return found;
  }
  return -1;
}

function findIn(plan: Plan, state: RunState, scopeId: number, path: string): number {
  const scope = state.scopes[scopeId]!;
  const block = plan.blocks[scope.block]!;
  const prefix = scope.owner < 0 && block.kind === 'handler' ? linkOf(block, scope.index) : '';
  if (!path.startsWith(prefix)) return -1;
  const rest = path.slice(prefix.length);
  for (let i = 0; i < block.tasks.length; i++) {
    const id = block.tasks[i]!.id;
    if (!rest.startsWith(id)) continue;
    if (rest.length === id.length) return scope.base + i;
    const inner = rest.slice(id.length);
    if (inner[0] !== '[' && inner[0] !== '@' && inner[0] !== '/') continue;
    for (const child of inner.startsWith('/on_error[') ? scopesOf(state, scope.base + i) : (state.extra.get(scope.base + i)?.scopes ?? [])) {
      const link = linkOf(plan.blocks[state.scopes[child]!.block]!, state.scopes[child]!.index);
      if (!inner.startsWith(link)) continue;
      const found = findIn(plan, state, child, inner.slice(link.length));
      if (found >= 0) return found;
    }
  }
  return -1;
}

/** All scopes that a task ever owned, the last first: handlers may have run more than once. */
function scopesOf(state: RunState, slot: number): number[] {
  const ids: number[] = [];
  for (let id = state.scopes.length - 1; id >= 0; id--) if (state.scopes[id]!.owner === slot) ids.push(id);
  return ids;
}

/** Scopes that a task owns, its handler's last. */
export function ownedScopes(state: RunState, slot: number): number[] {
  const extra = state.extra.get(slot);
  if (extra === undefined) return [];
  const handler = extra.handler?.scope;
  return handler === null || handler === undefined ? (extra.scopes ?? []) : [...(extra.scopes ?? []), handler];
}
