import type { Failure } from '../errors.ts';
import type { Json } from '../json.ts';
import type { Evaluation } from './effect.ts';
import type { Observation, Ref } from './event.ts';
import { cancelTask, completeTask, failTask, isStopping, stopReason } from './settle.ts';
import { FAILED, linkOf, type LoopState, type RunState, type Scope } from './state.ts';
import { emit, evaluate, failure, taskAt, type Turn } from './turn.ts';

/** The source, limits and width of a loop are known: it begins. */
export function startLoop(turn: Turn, slot: number, result: Evaluation): void {
  if (!result.ok) return failTask(turn, slot, result.failure);
  const value = result.value as { items: Json[] | null; count: number; parallel: number; limit: number };
  emit(turn, {
    type: 'loop.started',
    slot,
    items: value.items === null ? null : result.ref,
    count: value.count,
    parallel: value.parallel,
    limit: value.limit,
    ...observedOf(result),
  });
  continueLoop(turn, slot);
}

export function observedOf(result: { observed?: Observation[] }): { observed?: Observation[] } {
  return result.observed === undefined || result.observed.length === 0 ? {} : { observed: result.observed };
}

/** Opens what may be opened now, asks the next condition, or ends the loop. Safe to call again at any time. */
export function continueLoop(turn: Turn, slot: number): void {
  const task = taskAt(turn, slot);
  const loop = loopOf(turn.state, slot);
  const isFull = loop.opened - loop.done >= loop.parallel;
  if (isFull || loop.crowded === true) for (const id of openIterations(turn.state, slot).slice(0, loop.parallel)) queueScope(turn, id);
  if (isFull) return;
  if (task.kind === 'for_each') continueForEach(turn, slot);
  else continueWhile(turn, slot);
}

/** The iterations that have not ended, in order: the first of them run, where more were opened again than may run at once. Several may end in one turn. */
function openIterations(state: RunState, slot: number): number[] {
  return state.extra.get(slot)!.scopes!.filter(id => state.scopes[id]!.open > 0);
}

/** Queues what can run in the scopes of a container that was opened again; where nothing can, the container goes on by itself. */
export function queueInside(turn: Turn, slot: number): void {
  const scopes = turn.state.extra.get(slot)?.scopes ?? [];
  const open = scopes.filter(id => turn.state.scopes[id]!.open > 0);
  for (const id of open) queueScope(turn, id);
  if (open.length === 0 && scopes.length > 0) turn.closed.push(scopes.at(-1)!);
}

function queueScope(turn: Turn, id: number): void {
  const { base, block } = turn.state.scopes[id]!;
  for (let i = 0; i < turn.plan.blocks[block]!.tasks.length; i++) turn.ready.push(base + i);
}

function loopOf(state: RunState, slot: number): LoopState {
  return state.extra.get(slot)!.loop!;
}

function continueForEach(turn: Turn, slot: number): void {
  const loop = loopOf(turn.state, slot);
  const stopping = isStopping(turn.state, slot);
  const { broken } = loop;
  const body = taskAt(turn, slot).body!;
  while (!stopping && !broken && loop.opened < loop.count && loop.opened - loop.done < loop.parallel) openScopeOf(turn, slot, body, loop.opened);
  if (loop.done < loop.opened) return;
  if (stopping) return cancelTask(turn, slot, stopReason(turn.state));
  if (broken) return failTask(turn, slot, iterationFailure(turn, slot));
  if (loop.opened === loop.count) completeTask(turn, slot, null);
}

function continueWhile(turn: Turn, slot: number): void {
  const { state } = turn;
  const task = taskAt(turn, slot);
  const loop = loopOf(state, slot);
  if (loop.done < loop.opened) return;
  if (isStopping(state, slot)) return cancelTask(turn, slot, stopReason(state));
  if (loop.broken) return failTask(turn, slot, iterationFailure(turn, slot));
  if (loop.opened > 0 && task.until !== undefined) {
    const last = loop.opened - 1;
    const until = knownCondition(loop, 'until', last);
    if (until === true) return completeTask(turn, slot, null);
    if (until === undefined && knownCondition(loop, 'while', loop.opened) === undefined) return evaluate(turn, slot, 'until', last);
  }
  if (loop.opened >= loop.limit) return completeTask(turn, slot, null, { exhausted: true });
  if (task.while !== undefined) {
    const holds = knownCondition(loop, 'while', loop.opened);
    if (holds === undefined) return evaluate(turn, slot, 'while', loop.opened);
    if (!holds) return completeTask(turn, slot, null);
  }
  openScopeOf(turn, slot, task.body!, loop.opened);
}

function knownCondition(loop: LoopState, site: 'while' | 'until', index: number): boolean | undefined {
  const known = loop.condition;
  return known !== null && known.site === site && known.index === index ? known.value : undefined;
}

/** A condition of a while or until was evaluated. One that cannot be evaluated ends the loop as failed: nothing runs on a guess (S10). */
export function loopCondition(turn: Turn, slot: number, site: 'while' | 'until', index: number, result: Evaluation): void {
  const loop = turn.state.extra.get(slot)?.loop;
  if (loop === undefined || loop.done < loop.opened || index !== (site === 'while' ? loop.opened : loop.opened - 1)) return;
  if (!result.ok) return failTask(turn, slot, { ...result.failure, code: 'ORC-315' });
  emit(turn, { type: 'condition.evaluated', slot, site, index, value: result.value === true, ...observedOf(result) });
  continueLoop(turn, slot);
}

/** Opens a scope and queues those of its tasks that wait for nothing. */
export function openScopeOf(turn: Turn, owner: number, block: number, index: number, inputs: Ref | null = null): void {
  emit(turn, { type: 'scope.opened', owner, block, index, inputs });
  const id = turn.state.scopes.length - 1;
  const scope = turn.state.scopes[id]!;
  for (let i = 0; i < scope.open; i++) if (turn.state.waitingOn[scope.base + i] === 0) turn.ready.push(scope.base + i);
  if (scope.open === 0) turn.closed.push(id);
}

function iterationFailure(turn: Turn, slot: number): Failure {
  const { state } = turn;
  const id = state.extra.get(slot)!.scopes!.find(scope => state.scopes[scope]!.failing)!;
  return scopeFailure(turn, state.scopes[id]!);
}

/** What the owner of a failing scope says: the first failure in it, named by its path. */
export function scopeFailure(turn: Turn, scope: Scope): Failure {
  const { state, plan } = turn;
  const tasks = plan.blocks[scope.block]!.tasks;
  const at = tasks.findIndex((task, i) => state.taskStatus[scope.base + i] === FAILED && task.onFailure === 'fail');
  const inner = state.extra.get(scope.base + at)!.failure!;
  const path = `${linkOf(plan.blocks[scope.block]!, scope.index).replace(/^\//, '')}${tasks[at]!.id}`;
  return { ...failure('ORC-230', inner.class, `\`${path}\` failed: ${inner.message}`), retryable: inner.retryable };
}
