import { isoTime } from '../clock.ts';
import { isObject, setOwn, type Json, type JsonObject } from '../json.ts';
import { makeSecretMarker, VIEW, type Scope as Names, type Value, type View } from '../language/expression/index.ts';
import type { Block, Plan, PlanInput } from '../plan/index.ts';
import type { Ref } from './event.ts';
import { firstFailure } from './finish.ts';
import { COMPLETED, FAILED, TASK_STATUSES, isSettled, type RunState, type Scope } from './state.ts';

/** What names mean in a run: the state, and how to get the value behind a reference (it may throw to have a blob fetched first). */
export interface Values {
  plan: Plan;
  state: RunState;
  /** Id of the run, for `execution.id`. */
  run: string;
  /** Of a replay: the run that it repeats, whose id and time expressions see. */
  origin?: { id: string; at: number };
  load(ref: Ref): Json;
}

/** Who asks: a task, or an iteration that is about to begin or has just ended (`iteration` and the scope of its latest bodies). */
export interface Asker {
  slot: number;
  /** The conditions of a loop are seen from inside: which iteration. */
  iteration?: number;
  /** Names laid over all others: `item` of data.filter. */
  bindings?: JsonObject;
}

const indexes = new WeakMap<Block, Map<string, number>>();

function indexOf(block: Block): Map<string, number> {
  let index = indexes.get(block);
  if (index === undefined) indexes.set(block, (index = new Map(block.tasks.map((task, i) => [task.id, i]))));
  return index;
}

/** Names in scope of a task, innermost first: bindings, loops, tasks of its list, those of the lists around it, inputs (LANGUAGE.md, References). */
export function namesOf(values: Values, asker: Asker): Names {
  return { lookup: name => lookup(values, asker, name), names: () => allNames(values, asker) };
}

function lookup(values: Values, asker: Asker, name: string): Value | undefined {
  if (asker.bindings !== undefined && Object.hasOwn(asker.bindings, name)) return asker.bindings[name]!;
  const { state, plan } = values;
  if (asker.iteration !== undefined) {
    const found = fromIteration(values, asker.slot, asker.iteration, name);
    if (found !== undefined) return found;
  }
  for (let slot = asker.slot; slot >= 0;) {
    const scope = state.scopes[state.scopeOf[slot]!]!;
    const block = plan.blocks[scope.block]!;
    const local = indexOf(block).get(name);
    if (local !== undefined) return taskView(values, scope.base + local);
    const found = fromScope(values, scope, block, name);
    if (found !== undefined) return found;
    if (block.kind === 'pipeline') return fromRun(values, asker.slot, scope, name);
    slot = scope.owner;
  }
  const root = state.scopes[0];
  if (root !== undefined && (asker.slot < 0 || plan.blocks[root.block]!.kind === 'root')) {
    const local = indexOf(plan.blocks[0]!).get(name);
    if (local !== undefined) return taskView(values, root.base + local);
  }
  return fromRun(values, asker.slot, undefined, name);
}

/** What a loop or handler binds inside its scopes. */
function fromScope(values: Values, scope: Scope, block: Block, name: string): Value | undefined {
  switch (block.kind) {
    case 'for_each':
    case 'while': {
      const owner = scope.owner;
      if (block.loopName === name) return loopRecord(values, owner, scope.index, block);
      return block.kind === 'for_each'
        ? forEachBinding(values, owner, scope.index, name, block.queue === true)
        : whileBinding(values, owner, scope.index, name);
    }
    case 'handler':
      return name === 'error' ? (scope.owner >= 0 ? errorOf(values, scope.owner) : errorOfRun(values)) : undefined;
    default:
      return undefined;
  }
}

function fromIteration(values: Values, slot: number, iteration: number, name: string): Value | undefined {
  const { state, plan } = values;
  const block = plan.blocks[plan.blocks[state.scopes[state.scopeOf[slot]!]!.block]!.tasks[slot - state.scopes[state.scopeOf[slot]!]!.base]!.body!]!;
  if (block.loopName === name) return loopRecord(values, slot, iteration, block);
  const bound = whileBinding(values, slot, iteration, name);
  if (bound !== undefined) return bound;
  const local = indexOf(block).get(name);
  if (local === undefined) return undefined;
  const scopes = state.extra.get(slot)?.scopes ?? [];
  const latest = scopes[Math.min(iteration, scopes.length - 1)];
  return latest === undefined ? null : taskView(values, state.scopes[latest]!.base + local);
}

const FOR_EACH_NAMES = ['item', 'index', 'is_first', 'is_last', 'position', 'length', 'remaining', 'has_next', 'has_prev'];
const WHILE_NAMES = ['iteration', 'index', 'is_first', 'loop_state', 'previous'];

function forEachBinding(values: Values, owner: number, index: number, name: string, queue: boolean): Value | undefined {
  const loop = values.state.extra.get(owner)?.loop;
  if (loop === undefined) return undefined;
  switch (name) {
    case 'item':
      return (values.load(loop.items!) as Json[])[index] ?? null;
    case 'index':
      return index;
    case 'position':
      return index + 1;
    case 'length':
      return loop.count;
    case 'queue_size':
      return queue ? loop.count : undefined;
    case 'remaining':
      return loop.count - index - 1;
    case 'is_first':
      return index === 0;
    case 'has_prev':
      return index > 0;
    case 'is_last':
      return index === loop.count - 1;
    case 'has_next':
      return index < loop.count - 1;
    default:
      return undefined;
  }
}

function whileBinding(values: Values, owner: number, index: number, name: string): Value | undefined {
  switch (name) {
    case 'iteration':
    case 'index':
      return index;
    case 'is_first':
      return index === 0;
    case 'previous':
      return index === 0 ? null : iterationView(values, owner, index - 1);
    case 'loop_state':
      return { iteration: index, count: index, previous: index === 0 ? null : iterationView(values, owner, index - 1) };
    default:
      return undefined;
  }
}

function loopRecord(values: Values, owner: number, index: number, block: Block): Value {
  const names = block.kind === 'for_each' ? FOR_EACH_NAMES : WHILE_NAMES;
  const get = (key: string): Value | undefined =>
    block.kind === 'for_each' ? forEachBinding(values, owner, index, key, block.queue === true) : whileBinding(values, owner, index, key);
  return view(
    get,
    () => names,
    () => Object.fromEntries(names.map(name => [name, get(name)!])),
  );
}

/** What the pipeline's own handler is about: the first failure that nothing has made good. */
function errorOfRun(values: Values): Json {
  const first = firstFailure(values.plan, values.state);
  return first === null ? null : errorOf(values, first.slot);
}

/** The failure of a task as its handlers see it. */
export function errorOf(values: Values, slot: number): Json {
  const failure = values.state.extra.get(slot)?.failure;
  if (failure === undefined) return null;
  const scope = values.state.scopes[values.state.scopeOf[slot]!]!;
  const task = values.plan.blocks[scope.block]!.tasks[slot - scope.base]!.id;
  return { code: failure.code, class: failure.class, message: failure.message, task, attempt: values.state.attempt[slot]! };
}

function fromRun(values: Values, slot: number, scope: Scope | undefined, name: string): Value | undefined {
  const specs = scope === undefined ? values.plan.inputs : (values.plan.blocks[scope.block]!.inputs ?? []);
  const inputs = withHandles(specs, scope === undefined ? inputsOf(values) : recordOf(values, scope.inputs));
  if (name === 'inputs' || name === 'parameters') return inputs;
  if (Object.hasOwn(inputs, name)) return inputs[name]!;
  if (name === 'tasks') return tasksView(values, slot);
  return name === 'execution' ? execution(values) : undefined;
}

/** Inputs of type `secret` hold the name of one: expressions see a handle (C11). */
function withHandles(specs: PlanInput[], inputs: JsonObject): JsonObject {
  if (!specs.some(spec => spec.type === 'secret')) return inputs;
  const copy = { ...inputs };
  for (const spec of specs) {
    const name = spec.type === 'secret' ? copy[spec.name] : undefined;
    if (typeof name === 'string') copy[spec.name] = makeSecretMarker(name);
  }
  return copy;
}

function recordOf(values: Values, ref: Ref | null): JsonObject {
  const value = ref === null ? {} : values.load(ref);
  return isObject(value) ? value : {};
}

/** Inputs of the run: those given, the defaults, and what models answered for defaults that are tags. */
export function inputsOf(values: Values): JsonObject {
  const given = recordOf(values, values.state.inputs);
  const answers = values.state.extra.get(-1)?.autos;
  if (answers === undefined) return given;
  const inputs: JsonObject = { ...given };
  let index = 0;
  for (const input of values.plan.inputs) {
    for (const _ of input.autos ?? []) {
      const answer = answers[index++];
      if (answer !== undefined && !Object.hasOwn(given, input.name)) setOwn(inputs, input.name, values.load(answer.value));
    }
  }
  return inputs;
}

function execution(values: Values): Json {
  const { id, at: beganAt } = values.origin ?? { id: values.run, at: values.state.created?.at ?? 0 };
  const at = isoTime(beganAt);
  return { id, started_at: at, timestamp: at, date: at.slice(0, 10), time: at.slice(11, 19) };
}

function view(get: (key: string) => Value | undefined, keys: () => string[], whole: () => Value): View {
  return { [VIEW]: true, get, keys, whole };
}

const ABOUT = ['result', 'status', 'success', 'error', 'attempts', 'duration'];

/** A task as expressions see it: `result` is always the output, else the fields of the output come before what is known about the task. */
export function taskView(values: Values, slot: number): Value {
  return view(
    key => {
      const result = resultOf(values, slot);
      if (key === 'result') return result;
      return isObject(result) && Object.hasOwn(result, key) ? result[key] : aboutTask(values, slot, key);
    },
    () => {
      const result = resultOf(values, slot);
      return [...(isObject(result) ? Object.keys(result) : []), ...ABOUT];
    },
    () => resultOf(values, slot),
  );
}

function aboutTask(values: Values, slot: number, key: string): Value | undefined {
  const { state } = values;
  const status = state.taskStatus[slot]!;
  switch (key) {
    case 'status':
      return TASK_STATUSES[status]!;
    case 'success':
      return status === COMPLETED;
    case 'error':
      return status === FAILED || state.extra.get(slot)?.failure !== undefined ? errorOf(values, slot) : null;
    case 'attempts':
      return state.attempt[slot]!;
    case 'duration':
      return isSettled(status) && state.beganAt[slot]! > 0 ? (state.settledAt[slot]! - state.beganAt[slot]!) / 1000 : 0;
    default:
      return undefined;
  }
}

/** `tasks.ID`: the record about a task without doubt, its result under `result`; the tasks of the lists around it are found too. */
function tasksView(values: Values, slot: number): Value {
  const slots = tasksAround(values, slot);
  const record = (at: number): Value =>
    view(
      key => (key === 'result' ? resultOf(values, at) : aboutTask(values, at, key)),
      () => ABOUT,
      () => resultOf(values, at),
    );
  return view(
    key => {
      const at = slots.get(key);
      return at === undefined ? undefined : record(at);
    },
    () => [...slots.keys()],
    () => Object.fromEntries([...slots].map(([id, at]) => [id, resultOf(values, at)])),
  );
}

/** Slots of the tasks in scope, by id: those of the own list first, then those of the lists around it, up to the pipeline's. */
function tasksAround(values: Values, slot: number): Map<string, number> {
  const { state, plan } = values;
  const slots = new Map<string, number>();
  let scope = slot < 0 ? state.scopes[0] : state.scopes[state.scopeOf[slot]!];
  while (scope !== undefined) {
    const block = plan.blocks[scope.block]!;
    for (const [id, local] of indexOf(block)) if (!slots.has(id)) slots.set(id, scope.base + local);
    scope = block.kind === 'pipeline' || scope.owner < 0 ? undefined : state.scopes[state.scopeOf[scope.owner]!];
  }
  return slots;
}

/** The output of a task run as plain data; that of a loop or group is put together from its scopes. Null for what has not completed. */
export function resultOf(values: Values, slot: number): Json {
  const { state, plan } = values;
  const output = state.output[slot];
  if (output !== null && output !== undefined) return values.load(output);
  if (state.taskStatus[slot] !== COMPLETED && !isOpenContainer(state, slot)) return null;
  const scope = state.scopes[state.scopeOf[slot]!]!;
  const task = plan.blocks[scope.block]!.tasks[slot - scope.base]!;
  const extra = state.extra.get(slot);
  if (task.kind === 'group') return extra?.scopes?.[0] === undefined ? null : scopeResult(values, extra.scopes[0]);
  if (task.kind !== 'for_each' && task.kind !== 'while') return null;
  const items = (extra?.scopes ?? []).map(id => scopeResult(values, id));
  const result: JsonObject = { items, count: task.kind === 'for_each' ? (extra?.loop?.count ?? 0) : items.length };
  if (task.kind === 'while') result['exhausted'] = extra?.exhausted === true;
  return result;
}

/** A loop or group that failed or is under way still shows what its scopes hold. */
function isOpenContainer(state: RunState, slot: number): boolean {
  return state.extra.get(slot)?.scopes !== undefined;
}

function iterationView(values: Values, owner: number, index: number): Value {
  const id = values.state.extra.get(owner)?.scopes?.[index];
  return id === undefined ? null : scopeResult(values, id);
}

function scopeResult(values: Values, id: number): JsonObject {
  const scope = values.state.scopes[id]!;
  const result: JsonObject = {};
  values.plan.blocks[scope.block]!.tasks.forEach((task, i) => setOwn(result, task.id, resultOf(values, scope.base + i)));
  return result;
}

/** Names for messages about a name that is not there. */
function allNames(values: Values, asker: Asker): string[] {
  const { state, plan } = values;
  const names = new Set<string>(Object.keys(asker.bindings ?? {}));
  if (asker.iteration !== undefined) for (const name of WHILE_NAMES) names.add(name);
  for (let slot = asker.slot; slot >= 0;) {
    const scope = state.scopes[state.scopeOf[slot]!]!;
    const block = plan.blocks[scope.block]!;
    for (const task of block.tasks) names.add(task.id);
    if (block.kind === 'for_each') for (const name of FOR_EACH_NAMES) names.add(name);
    if (block.kind === 'while') for (const name of WHILE_NAMES) names.add(name);
    if (block.kind === 'handler') names.add('error');
    slot = block.kind === 'pipeline' ? -1 : scope.owner;
  }
  for (const input of plan.inputs) names.add(input.name);
  for (const name of ['inputs', 'tasks', 'execution']) names.add(name);
  return [...names];
}
