import { pathOf, resultOf, slotOf, type AutoAnswer, type Event, type Ref, type RunState } from '../engine/index.ts';
import { OrchestratorError } from '../errors.ts';
import { isObject, setOwn, type Json, type JsonObject } from '../json.ts';
import type { Plan } from '../plan/index.ts';
import type { ForkOptions } from './api.ts';
import { sameLineup, withDependants, type Lineup } from './lineup.ts';
import type { ValueStore } from './values.ts';

export interface ForkRequest {
  /** What the parent holds. */
  plan: Plan;
  state: RunState;
  parent: string;
  /** How the parent's tasks line up with those of the plan that the fork holds; by default it is the same plan. */
  lineup?: Lineup;
  /** Makes the inputs of the parent those of the fork. */
  complete?: (given: JsonObject) => JsonObject;
  options: ForkOptions;
  now: number;
  program: string;
  values: ValueStore;
  blobs: { hash: string; content: string }[];
}

export interface Fork {
  events: Event[];
  /** Parameters to lay over those of tasks that run again, by the slots of the new run. */
  overrides: { slot: number; path: string; value: Ref }[];
}

const COMPLETED = 4;
const SKIPPED = 6;

/**
 * The first events of a fork: the scopes that are kept, and an adoption for every task in them that had settled, at no cost.
 * At a task all is kept but it and what depends on it; at a sequence number (the state is folded up to there) what had settled by then; under another
 * plan what is defined there as it was.
 */
export function forkRun(request: ForkRequest): Fork {
  const { plan, state, parent, options, now, program, values, blobs, complete, lineup = sameLineup(plan, state) } = request;
  const at = options.at ?? state.seq;
  if (state.created === null) throw new OrchestratorError('ORC-508', `${parent} has no events at ${at}`, { class: 'invalid_input' });
  const edits = readEdits(request);
  if (typeof at === 'string') dropAt(lineup, plan, state, at, parent);
  const given = edits.inputs ?? state.created.inputs;
  const events: Event[] = [
    {
      ...state.created,
      at: now,
      plan: lineup.target.hash,
      program,
      trigger: 'fork',
      key: null,
      until: options.until ?? null,
      parent: { run: parent, at: String(at) },
      inputs: complete === undefined ? given : values.refer(complete((values.load(given) ?? {}) as JsonObject), blobs),
    },
    { type: 'run.started', at: now },
  ];
  const slots = adopt(request, lineup, edits.outputs, events);
  const overrides = edits.parameters.map(({ path, parameter, value }) => ({
    slot: slots.get(slotOf(plan, state, path)) ?? -1,
    path: `parameters.${parameter}`,
    value,
  }));
  return { events, overrides: overrides.filter(override => override.slot >= 0) };
}

interface Edits {
  inputs: Ref | null;
  outputs: Map<number, Ref>;
  parameters: { path: string; parameter: string; value: Ref }[];
}

/** `inputs.x`, `TASK.output.x`, `TASK.parameters.x`. */
function readEdits({ plan, state, options, values, blobs }: ForkRequest): Edits {
  const edits: Edits = { inputs: null, outputs: new Map(), parameters: [] };
  let inputs: JsonObject | null = null;
  for (const [target, value] of Object.entries(options.set ?? {})) {
    const [, input] = /^inputs\.([^.]+)$/.exec(target) ?? [];
    const [, path, kind, rest] = /^(.+)\.(output|parameters)(?:\.(.+))?$/.exec(target) ?? [];
    if (input !== undefined) {
      const known = state.created!.inputs;
      inputs ??= { ...((values.load(known) ?? {}) as JsonObject) };
      setOwn(inputs, input, value);
    } else if (path !== undefined && kind === 'parameters' && rest !== undefined) {
      edits.parameters.push({ path, parameter: rest, value: values.refer(value, blobs) });
    } else if (path !== undefined && kind === 'output') {
      const slot = slotOf(plan, state, path);
      if (slot < 0) throw new OrchestratorError('ORC-508', `there is no task \`${path}\` in the run`, { class: 'not_found' });
      const output = rest === undefined ? value : withMember(resultOf({ plan, state, run: '', load: ref => values.load(ref) }, slot), rest.split('.'), value);
      edits.outputs.set(slot, values.refer(output, blobs));
    } else {
      throw new OrchestratorError('ORC-518', `\`${target}\` is nothing that can be set`, {
        class: 'invalid_input',
        help: ['write inputs.NAME, TASK.output.FIELD or TASK.parameters.NAME'],
      });
    }
  }
  if (inputs !== null) edits.inputs = values.refer(inputs, blobs);
  return edits;
}

function withMember(value: Json, steps: string[], member: Json): Json {
  const [step, ...rest] = steps;
  if (step === undefined) return member;
  if (Array.isArray(value)) return value.map((item, i) => (String(i) === step ? withMember(item, rest, member) : item));
  const copy: JsonObject = isObject(value) ? { ...value } : {};
  setOwn(copy, step, withMember(Object.hasOwn(copy, step) ? copy[step]! : null, rest, member));
  return copy;
}

/** A named task, all that depends on it in its list, and the containers around it, which go on, are not taken over. */
function dropAt({ dropped, open }: Lineup, plan: Plan, state: RunState, at: string, parent: string): void {
  const named = slotOf(plan, state, at);
  if (named < 0)
    throw new OrchestratorError('ORC-508', `there is no task \`${at}\` in ${parent}`, { class: 'not_found', help: [`orchestrator show ${parent}`] });
  for (let slot = named; slot >= 0;) {
    const scope = state.scopes[state.scopeOf[slot]!]!;
    for (const local of withDependants(plan.blocks[scope.block]!, [slot - scope.base])) dropped.add(scope.base + local);
    if (scope.owner >= 0) open.set(scope.owner, scope.index);
    slot = scope.owner;
  }
}

/** Opens the kept scopes in the parent's order and adopts what had settled in them. Returns the new slot of each old one. */
function adopt({ plan, state, parent, now }: ForkRequest, lineup: Lineup, outputs: Map<number, Ref>, events: Event[]): Map<number, number> {
  const { target, dropped, open } = lineup;
  const slots = new Map<number, number>();
  let next = 0;
  for (const [id, scope] of state.scopes.entries()) {
    const kind = plan.blocks[scope.block]!.kind;
    const block = lineup.blocks[id];
    const owner = scope.owner < 0 ? -1 : slots.get(scope.owner);
    const ownerIsDropped = scope.owner >= 0 && dropped.has(scope.owner) && !open.has(scope.owner);
    // What a handler recovered keeps the handler's result; later rounds of a while were made from the one that runs again.
    const isRecovered = state.extra.get(scope.owner)?.recovered === true && !open.has(scope.owner);
    const isLater = kind === 'while' && scope.index > (open.get(scope.owner) ?? Infinity);
    if (block === undefined || owner === undefined || ownerIsDropped || isRecovered || isLater || kind === 'handler') continue;
    const loop = state.extra.get(scope.owner)?.loop;
    if (loop !== undefined && scope.index === 0) {
      const { items, count, parallel, limit } = loop;
      events.push({ type: 'loop.started', at: now, slot: owner, items, count, parallel, limit });
    }
    if (kind === 'while' && loop !== undefined)
      events.push({ type: 'condition.evaluated', at: now, slot: owner, site: 'while', index: scope.index, value: true });
    events.push({ type: 'scope.opened', at: now, owner, block, index: scope.index, inputs: scope.inputs });
    for (const [i, place] of lineup.places[id]!.entries()) if (place !== undefined) slots.set(scope.base + i, next + place);
    next += target.blocks[block]!.tasks.length;
  }
  const adopted = new Set<number>();
  for (const slot of [...new Set(state.order.toReversed())].reverse()) {
    if (!slots.has(slot) || dropped.has(slot) || !isKept(plan, state, slot, slots, adopted)) continue;
    const status = state.taskStatus[slot];
    adopted.add(slot);
    events.push({
      type: 'task.adopted',
      at: now,
      slot: slots.get(slot)!,
      status: status === COMPLETED ? 'completed' : 'skipped',
      output: outputs.get(slot) ?? state.output[slot] ?? null,
      recovered: state.extra.get(slot)?.recovered === true,
      from: `${parent}:${pathOf(plan, state, slot)}`,
    });
  }
  carryAnswers(state, lineup, slots, now, events);
  return slots;
}

/** Is there a result to keep? A container is only kept with all that it holds: where something in it failed, it goes on in the fork. */
function isKept(plan: Plan, state: RunState, slot: number, slots: Map<number, number>, adopted: Set<number>): boolean {
  const reason = state.taskReason[slot];
  if (state.taskStatus[slot] === SKIPPED) return reason !== 'upstream_failed' && reason !== 'needs_attention';
  if (state.taskStatus[slot] !== COMPLETED) return false;
  const scopes = (state.extra.get(slot)?.scopes ?? []).map(id => state.scopes[id]!);
  return scopes.every(({ base, block }) => !slots.has(base) || plan.blocks[block]!.tasks.every((_, i) => adopted.has(base + i)));
}

/** Answers to AUTO tags are kept also for tasks that run again: the same question is not paid twice. */
function carryAnswers(state: RunState, { changed, sameQuestions }: Lineup, slots: Map<number, number>, now: number, events: Event[]): void {
  for (const [slot, extra] of state.extra) {
    const target = slot < 0 ? slot : slots.get(slot);
    if (target === undefined || changed.has(slot) || (slot < 0 && !sameQuestions)) continue;
    for (const [index, answer] of Object.entries(extra.autos ?? {}) as [string, AutoAnswer][])
      events.push({ type: 'auto.resolved', at: now, slot: target, index: Number(index), ...answer });
  }
}
