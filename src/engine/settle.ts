import type { Failure } from '../errors.ts';
import { edges } from '../plan/index.ts';
import type { Observation, Reason, Ref } from './event.ts';
import {
  FAILED,
  PENDING,
  PERFORMING,
  RUNNING,
  SCHEDULED,
  SKIPPED,
  WAITING,
  BACKOFF,
  isSettled,
  ownedScopes,
  scopeOfSlot,
  type RunState,
  type Scope,
} from './state.ts';
import { emit, pathAt, taskAt, type Turn } from './turn.ts';

/** Ends a task well. `output` is null where the result is a view over the task's scopes. */
export function completeTask(
  turn: Turn,
  slot: number,
  output: Ref | null,
  marks: { recovered?: true; cached?: true; exhausted?: true; observed?: Observation[] } = {},
): void {
  emit(turn, { type: 'task.completed', slot, output, ...marks });
  const { onSuccess } = taskAt(turn, slot);
  if (onSuccess !== undefined) route(turn, slot, onSuccess);
  release(turn, slot);
}

/** A task cannot go on: later in this turn its handlers are asked, else it fails. */
export function failTask(turn: Turn, slot: number, failure: Failure): void {
  turn.broken.push({ slot, failure });
}

/** The policy of the task decides what its failure means for the others (LANGUAGE.md, Failure). */
export function failFinally(turn: Turn, slot: number, failure: Failure): void {
  emit(turn, { type: 'task.failed', slot, failure });
  const policy = taskAt(turn, slot).onFailure;
  if (typeof policy === 'object') route(turn, slot, policy.route);
  else if (policy === 'fail') stopScope(turn, slot);
  release(turn, slot);
}

export function skipTask(turn: Turn, slot: number, reason: Reason, because: string | null, failure?: Failure): void {
  emit(turn, { type: 'task.skipped', slot, reason, because, ...(failure === undefined ? {} : { failure }) });
  const { onFalse } = taskAt(turn, slot);
  if (onFalse !== undefined && (reason === 'condition_false' || reason === 'condition_error')) route(turn, slot, onFalse);
  release(turn, slot);
}

export function cancelTask(turn: Turn, slot: number, reason: Reason): void {
  emit(turn, { type: 'task.cancelled', slot, reason });
  release(turn, slot);
}

/** Jumps forward: what is written between source and target is skipped. */
function route(turn: Turn, slot: number, target: number): void {
  const { base } = scopeOfSlot(turn.state, slot);
  const because = pathAt(turn, slot);
  for (let between = slot + 1; between < base + target; between++) {
    if (turn.state.taskStatus[between] === PENDING) skipTask(turn, between, 'routed', because);
  }
}

/** Queues what the end of a task sets free. */
function release(turn: Turn, slot: number): void {
  const { state } = turn;
  const id = state.scopeOf[slot]!;
  const scope = state.scopes[id]!;
  const { start, dependants } = edges(turn.plan.blocks[scope.block]!);
  const local = slot - scope.base;
  for (let i = start[local]!; i < start[local + 1]!; i++) {
    const dependant = scope.base + dependants[i]!;
    if (state.waitingOn[dependant] === 0 && !isSettled(state.taskStatus[dependant]!)) turn.ready.push(dependant);
  }
  if (scope.open === 0) turn.closed.push(id);
}

/** True where something around the task has failed for good, or the run is being cancelled: nothing new begins there. */
export function isStopping(state: RunState, slot: number): boolean {
  if (state.status === 'cancelling') return true;
  for (let at = slot; at >= 0; at = scopeOfSlot(state, at).owner) if (scopeOfSlot(state, at).failing || isLeft(state, at)) return true;
  return false;
}

/** Does a task stand in an iteration of a loop that another iteration has broken? The handlers of the loop are no iterations. */
function isLeft(state: RunState, slot: number): boolean {
  const id = state.scopeOf[slot]!;
  const extra = state.extra.get(state.scopes[id]!.owner);
  return extra?.loop?.broken === true && extra.handler?.scope !== id;
}

/** Does something around a task wait? Only what was opened again can: for a need that was opened too, or for its turn among the iterations. */
export function isHeld(state: RunState, slot: number): boolean {
  for (let at = slot; at >= 0; at = scopeOfSlot(state, at).owner) if (state.waitingOn[at] !== 0 || isQueued(state, at)) return true;
  return false;
}

function isQueued(state: RunState, slot: number): boolean {
  const id = state.scopeOf[slot]!;
  const { owner } = state.scopes[id]!;
  const extra = owner < 0 ? undefined : state.extra.get(owner);
  if (extra?.loop === undefined || extra.loop.opened - extra.loop.done <= extra.loop.parallel) return false;
  return extra.scopes!.filter(other => state.scopes[other]!.open > 0).indexOf(id) >= extra.loop.parallel;
}

/** Why what has not begun is cancelled. */
export function stopReason(state: RunState): Reason {
  return state.status === 'cancelling' ? (state.reason ?? 'requested') : 'run_failed';
}

/** Does a task that has not completed hold back those that need its result? */
export function blocks(turn: Turn, slot: number): boolean {
  const status = turn.state.taskStatus[slot]!;
  if (status === SKIPPED) return turn.state.taskReason[slot] === 'upstream_failed' || turn.state.taskReason[slot] === 'needs_attention';
  return status !== FAILED || taskAt(turn, slot).onFailure !== 'continue';
}

/** The scope of a failed task comes to its end: dependants are skipped, the others that have not begun are cancelled, running ones finish. */
function stopScope(turn: Turn, failed: number): void {
  const scope = scopeOfSlot(turn.state, failed);
  skipDependants(turn, failed);
  stopOpen(turn, scope, 'run_failed');
  // Iterations beside this one: what has not begun there does not begin.
  if (turn.state.extra.get(scope.owner)?.loop?.broken !== true) return;
  for (const id of ownedScopes(turn.state, scope.owner))
    if (turn.state.scopes[id] !== scope && turn.state.scopes[id]!.open > 0) stopOpen(turn, turn.state.scopes[id]!, 'run_failed');
}

/** Skips all that needs the failed task, through any number of tasks between. */
function skipDependants(turn: Turn, failed: number): void {
  const { state, plan } = turn;
  const scope = scopeOfSlot(state, failed);
  const block = plan.blocks[scope.block]!;
  const { start, dependants } = edges(block);
  const queue = [failed];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    const local = at - scope.base;
    const because = pathAt(turn, at);
    for (let i = start[local]!; i < start[local + 1]!; i++) {
      const dependant = scope.base + dependants[i]!;
      if (state.taskStatus[dependant] !== PENDING || block.tasks[dependants[i]!]!.order.includes(local)) continue;
      emit(turn, { type: 'task.skipped', slot: dependant, reason: 'upstream_failed', because });
      queue.push(dependant);
    }
  }
  if (scope.open === 0) turn.closed.push(state.scopeOf[failed]!);
}

/** Cancels all in a scope that has not begun, also inside what is running in it. */
export function stopOpen(turn: Turn, scope: Scope, reason: Reason): void {
  const { state } = turn;
  const end = scope.base + turn.plan.blocks[scope.block]!.tasks.length;
  for (let slot = scope.base; slot < end; slot++) {
    const status = state.taskStatus[slot]!;
    if (isSettled(status)) continue;
    if (status === PENDING || status === SCHEDULED || (status === WAITING && state.phase[slot] !== BACKOFF))
      emit(turn, { type: 'task.cancelled', slot, reason });
    else if (status === WAITING && reason !== 'run_failed') emit(turn, { type: 'task.cancelled', slot, reason });
    else if (status === RUNNING && state.phase[slot] !== PERFORMING) stopInside(turn, slot, reason);
  }
  if (scope.open === 0) turn.closed.push(state.scopeOf[scope.base]!);
}

function stopInside(turn: Turn, slot: number, reason: Reason): void {
  const inner = ownedScopes(turn.state, slot);
  let open = 0;
  for (const id of inner) {
    const scope = turn.state.scopes[id]!;
    if (scope.open === 0) continue;
    stopOpen(turn, scope, reason);
    open += scope.open;
  }
  // Nothing inside is running: nobody else would end the task.
  if (open === 0 && !isSettled(turn.state.taskStatus[slot]!)) emit(turn, { type: 'task.cancelled', slot, reason });
}
