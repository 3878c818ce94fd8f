import { isoTime } from '../clock.ts';
import type { Failure } from '../errors.ts';
import { isObject, type Json } from '../json.ts';
import { budgetCommands, budgetWarnings } from './budget.ts';
import type { RunDocument, TaskDocument } from './document.ts';
import type { Reason, RunStatus } from './event.ts';
import { hasEnded } from './status.ts';
import { firstFailure } from './finish.ts';
import { inputsOf, resultOf, type Values } from './names.ts';
import {
  APPROVAL,
  ATTENTION,
  COMPLETED,
  DEFERRED,
  FAILED,
  SIGNAL,
  TASK_STATUSES,
  WAITING,
  isSettled,
  pathOf,
  scopeOfSlot,
  type AutoAnswer,
  type Extra,
  type RunState,
} from './state.ts';

/** The status that people see: a run that only waits is `waiting`, with what it waits for. */
export function visibleStatus(state: RunState): { status: RunStatus; reason: Reason | null } {
  if (state.status !== 'running' || state.active === 0 || state.running > runningContainers(state)) return { status: state.status, reason: state.reason };
  let reason: Reason | null = null;
  for (let slot = 0; slot < state.slots; slot++) {
    if (state.taskStatus[slot] === WAITING) {
      const why = state.taskReason[slot] ?? null;
      if (reason === null || why === 'needs_attention' || (why === 'approval' && reason !== 'needs_attention')) reason = why;
    } else if (state.taskStatus[slot] === 1) return { status: 'running', reason: null };
  }
  return reason === null ? { status: 'running', reason: null } : { status: 'waiting', reason };
}

/** Loops, groups and sub-pipelines that run only because something in them does, or waits. */
function runningContainers(state: RunState): number {
  let count = 0;
  for (const [slot, extra] of state.extra)
    if (slot >= 0 && state.taskStatus[slot] === 2 && (extra.scopes !== undefined || extra.loop !== undefined || extra.handler?.scope !== undefined)) count++;
  return count;
}

/** Does the run wait for nothing but people and signals without a time limit, so that a process may leave it? */
export function waitsForOutside(state: RunState): boolean {
  const { status, reason } = visibleStatus(state);
  if (status !== 'waiting') return false;
  if (reason !== 'approval' && reason !== 'signal' && reason !== 'needs_attention') return false;
  for (let slot = 0; slot < state.slots; slot++) {
    if (state.taskStatus[slot] !== WAITING) continue;
    const phase = state.phase[slot]!;
    if (phase !== APPROVAL && phase !== SIGNAL && phase !== ATTENTION) return false;
  }
  return true;
}

/** Earliest time at which a timer of the run is due, or null. */
export function dueAt(state: RunState): number | null {
  if (hasEnded(state)) return null;
  let earliest = state.status === 'paused' ? state.pausedUntil : null;
  for (const [slot, extra] of state.extra) {
    if (slot >= 0 && extra.until !== undefined && state.taskStatus[slot] === WAITING && (earliest === null || extra.until < earliest)) earliest = extra.until;
  }
  return earliest;
}

/** Slots in the order in which they settled last. */
function settledOrder(state: RunState): number[] {
  const seen = new Set<number>();
  const order: number[] = [];
  for (let i = state.order.length - 1; i >= 0; i--) {
    const slot = state.order[i]!;
    if (seen.has(slot) || !isSettled(state.taskStatus[slot]!)) continue;
    seen.add(slot);
    order.push(slot);
  }
  return order.reverse();
}

/** The result document of a run, at any moment of it. Large results are loaded: it is for people and scripts, not for the loop. */
export function documentOf(values: Values): RunDocument {
  const { state, plan, run } = values;
  const { status, reason } = visibleStatus(state);
  const tasks: RunDocument['tasks'] = Object.fromEntries(
    Array.from({ length: state.slots }, (_, slot) => [pathOf(plan, state, slot), taskDocument(values, slot)]),
  );
  const failure = failureOf(values);
  return {
    v: 1,
    run,
    pipeline: { name: plan.pipeline.name, version: plan.pipeline.version, hash: plan.hash },
    status,
    reason,
    success: status === 'completed',
    inputs: inputsOf(values),
    outputs: outputs(values),
    tasks,
    order: settledOrder(state).map(slot => pathOf(plan, state, slot)),
    startedAt: state.startedAt === 0 ? null : isoTime(state.startedAt),
    endedAt: state.endedAt === 0 ? null : isoTime(state.endedAt),
    durationMs: state.startedAt === 0 ? null : (state.endedAt || state.at) - state.startedAt,
    costUsd: state.costMicroUsd / 1_000_000,
    ...(state.budget === null
      ? {}
      : { budget: { usd: state.budget.microUsd / 1_000_000, onExceed: state.budget.onExceed, reservedUsd: state.reservedMicroUsd / 1_000_000 } }),
    ...(state.status === 'paused' && state.pausedUntil !== null ? { pausedUntil: isoTime(state.pausedUntil) } : {}),
    error: failure,
    parent: state.created?.parent ?? null,
    autos: autosOf(values),
    warnings: warningsOf(values),
    next: nextCommands(values, status, reason),
  };
}

function outputs(values: Values): { [name: string]: Json } {
  const value = values.state.outputs === null ? {} : values.load(values.state.outputs);
  return isObject(value) ? value : {};
}

/** Why a run failed, and the path of the task that did; null where nothing has failed. */
export function failureOf({ state, plan }: Pick<Values, 'state' | 'plan'>): RunDocument['error'] {
  const first = state.failed > 0 ? firstFailure(plan, state) : null;
  if (state.failure !== null)
    return pick(state.failure, first?.failure === state.failure || first?.failure.message === state.failure.message ? first.path : null);
  return first === null ? null : pick(first.failure, first.path);
}

function pick(failure: Failure, path: string | null): NonNullable<RunDocument['error']> {
  return { code: failure.code, class: failure.class, message: failure.message, help: failure.help, path };
}

/** What most tasks share, so that the document of a hundred thousand of them stays small. */
const NO_EXTRA: Extra = {};
const NO_DEPENDENCIES: string[] = [];
const NO_USAGE = Object.freeze({ inputTokens: 0, outputTokens: 0 });

function taskDocument(values: Values, slot: number): TaskDocument {
  const { state, plan } = values;
  const scope = scopeOfSlot(state, slot);
  const block = plan.blocks[scope.block]!;
  const task = block.tasks[slot - scope.base]!;
  const extra = state.extra.get(slot) ?? NO_EXTRA;
  const status = state.taskStatus[slot]!;
  const began = state.beganAt[slot]!;
  const ended = state.settledAt[slot]!;
  const scheduled = state.scheduledAt[slot]!;
  const failure = status === COMPLETED ? undefined : extra.failure;
  return {
    id: task.id,
    action: task.action,
    status: TASK_STATUSES[status]!,
    success: status === COMPLETED,
    output: status === COMPLETED ? resultOf(values, slot) : null,
    error:
      failure === undefined ? null : { code: failure.code, class: failure.class, message: failure.message, retryable: failure.retryable, help: failure.help },
    attempts: state.attempt[slot]!,
    recovered: extra.recovered === true,
    timedOut: status === FAILED && extra.failure?.class === 'timeout',
    skippedBecause: extra.because ?? null,
    reason: state.taskReason[slot] ?? null,
    cached: extra.cached === true,
    dependencies: task.dependencies.length === 0 ? NO_DEPENDENCIES : task.dependencies.map(index => block.tasks[index]!.id),
    startedAt: began === 0 ? null : isoTime(began),
    endedAt: ended === 0 ? null : isoTime(ended),
    durationMs: began === 0 || ended === 0 ? null : ended - began,
    queuedMs: scheduled === 0 || began === 0 ? null : Math.max(0, began - scheduled),
    model: extra.usage?.model ?? null,
    usage: extra.usage === undefined ? NO_USAGE : { inputTokens: extra.usage.inputTokens, outputTokens: extra.usage.outputTokens },
    costUsd: (extra.usage?.costMicroUsd ?? 0) / 1_000_000,
    ...(state.phase[slot] === DEFERRED && extra.waitsFor !== undefined ? { waiting: { for: extra.waitsFor, until: isoTime(extra.until!) } } : {}),
    ...(extra.usage?.kept === undefined ? {} : { kept: { calls: extra.usage.kept.calls, savedUsd: extra.usage.kept.savedMicroUsd / 1_000_000 } }),
    ...(extra.usage?.route === undefined ? {} : { route: extra.usage.route }),
    ...(extra.usage?.tried === undefined ? {} : { tried: extra.usage.tried }),
  };
}

function autosOf(values: Values): RunDocument['autos'] {
  const { state, plan } = values;
  const autos: RunDocument['autos'] = [];
  const inputTags = plan.inputs.flatMap(input => (input.autos ?? []).map(tag => ({ ...tag, target: `inputs.${input.name}` })));
  for (const [slot, extra] of state.extra) {
    if (extra.autos === undefined) continue;
    const scope = slot < 0 ? undefined : scopeOfSlot(state, slot);
    const tags = scope === undefined ? inputTags : plan.blocks[scope.block]!.tasks[slot - scope.base]!.autos;
    for (const [i, { value, source, model, reason }] of Object.entries(extra.autos) as [string, AutoAnswer][]) {
      autos.push({ path: pathOf(plan, state, slot), target: tags[Number(i)]?.target ?? '', value: values.load(value), source, model, reason });
    }
  }
  return autos;
}

/** What a person should know though nothing failed. */
function warningsOf(values: Values): string[] {
  const { state, plan } = values;
  const warnings = budgetWarnings(state);
  for (const [slot, extra] of state.extra) {
    if (slot < 0) continue;
    if (extra.exhausted) warnings.push(`\`${pathOf(plan, state, slot)}\` stopped after ${extra.loop?.limit} iterations, its max_iterations`);
    if (state.taskReason[slot] === 'condition_error')
      warnings.push(`the condition of \`${pathOf(plan, state, slot)}\` could not be evaluated, so it did not run: ${extra.failure?.message ?? ''}`);
  }
  return warnings;
}

function nextCommands(values: Values, status: RunStatus, reason: Reason | null): string[] {
  const { state, plan, run } = values;
  if (status === 'failed') {
    const first = firstFailure(plan, state);
    return [`orchestrator retry ${run}`, ...(first === null ? [] : [`orchestrator show ${run} --task '${first.path}'`]), `orchestrator logs ${run}`];
  }
  if (status === 'cancelled') return [`orchestrator retry ${run}`];
  if (status === 'paused' && reason === 'budget') return budgetCommands(state, run);
  if (status === 'paused') return [`orchestrator resume ${run}`];
  if (status !== 'waiting') return [];
  const commands: string[] = [];
  for (let slot = 0; slot < state.slots; slot++) {
    const path = state.taskStatus[slot] === WAITING ? pathOf(plan, state, slot) : '';
    if (state.phase[slot] === APPROVAL) commands.push(`orchestrator approve ${run} '${path}' --choice ${state.extra.get(slot)?.choices?.[0] ?? 'approve'}`);
    if (state.phase[slot] === SIGNAL) commands.push(`orchestrator signal ${run} ${state.extra.get(slot)?.signal ?? ''} '{}'`);
    if (state.phase[slot] === ATTENTION) commands.push(`orchestrator settle ${run} '${path}' --as retry|skip|fail|completed`);
  }
  return reason === 'timer' || commands.length === 0 ? [...commands, `orchestrator resume ${run}`] : commands;
}
