import { OrchestratorError, toFailure, type Failure } from '../errors.ts';
import { compute, taskOfSlot, type Computing, type Observation, type Outcome } from '../engine/index.ts';
import { sha256 } from '../hash.ts';
import { canonicalJson, isObject, own, setOwn, type Json, type JsonObject, type JsonSchema } from '../json.ts';
import type { PlanTask } from '../plan/index.ts';
import { checkSchema } from '../schema.ts';
import type { Store } from '../store/port.ts';
import type { Action, EffectClass, ModelGateway, Policy } from '../tools/port.ts';
import { checkResult, TaskContext } from './context.ts';
import { isUncached } from './caching.ts';
import type { InFlight, LiveRun } from './live.ts';
import type { Loop } from './loop.ts';
import { deferredBy } from './patience.ts';
import { hasMarker, type Secrets } from './secrets.ts';
import { actThrough, type Tapes } from './tape.ts';
import { plainJson, ValuePending, valueAt, type ValueStore } from './values.ts';

/** How long an action that was told to stop may take to clean up before it is left behind. */
const GRACE_MS = 3000;
/** Characters of a reply under way that are kept to be shown. */
const WRITTEN_MAX = 16_384;

/** What performing needs of its process. */
export interface Workshop {
  loop: Loop;
  store: Store;
  values: ValueStore;
  actions: Map<string, Action>;
  policy: Policy;
  stateFolder: string | undefined;
  secrets: Secrets;
  tapes: Tapes;
  /** Of a slot whose expressions may see the world. */
  computing(run: LiveRun, observed: Observation[], slot?: number): Computing;
  gateway(run: LiveRun, slot: number, flight: Flight, keep: Keep): ModelGateway;
}

/** Keeps what came of an effect under a name, so that it is not made again: a step of the attempt. */
export type Keep = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** One attempt under way: how it is stopped, and what it tells on the way. The signal is made only when somebody asks for it. */
export class Flight implements InFlight {
  progress: InFlight['progress'] = null;
  tokens: number | null = null;
  written = '';
  /** It met the cap of a budget that may be raised: it is taken back, not failed. */
  held = false;
  /** A model has answered in it. */
  answered = false;
  #controller: AbortController | null = null;
  #stopped: { reason: unknown } | null = null;
  #abandon: ((reason: unknown) => void) | null = null;
  #limit: { timeoutMs: number; message: string } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #grace: NodeJS.Timeout | undefined;

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#stopped !== null && !this.#controller.signal.aborted) this.#controller.abort(this.#stopped.reason);
    return this.#controller.signal;
  }

  get stopReason(): unknown {
    return this.#stopped?.reason;
  }

  /** Takes in what a model writes, piece by piece. Of several at once, the one that spoke last is heard. */
  writing(): (piece: string) => void {
    let text = '';
    return piece => {
      text += piece;
      if (text.length > 2 * WRITTEN_MAX) text = text.slice(-WRITTEN_MAX);
      this.written = text;
      this.tokens = (this.tokens ?? 0) + 1;
    };
  }

  limit(timeoutMs: number, message: string): void {
    this.#limit = { timeoutMs, message };
    this.postpone(0);
  }

  /** The time runs anew, and only after a while. */
  postpone(ms: number): void {
    if (this.#limit === undefined) return;
    const { timeoutMs, message } = this.#limit;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.abort(new OrchestratorError('ORC-218', message, { class: 'timeout', retryable: true })), ms + timeoutMs);
  }

  abort(reason: unknown): void {
    if (this.#stopped !== null) return;
    this.#stopped = { reason };
    this.#controller?.abort(reason);
    this.#grace = setTimeout(() => this.#abandon?.(reason), GRACE_MS);
  }

  /** The work, or the reason for which it was stopped and left behind. */
  guard<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#abandon = reject;
      work.then(resolve, reject);
    });
  }

  done(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#grace);
    this.#abandon = null;
  }
}

/** Performs an attempt and sends its outcome. */
export function perform(shop: Workshop, run: LiveRun, slot: number, attempt: number): void {
  const task = taskOfSlot(run.plan, run.state, slot);
  const flight = new Flight();
  run.inFlight.set(slot, flight);
  if (task.timeoutMs !== undefined) flight.limit(task.timeoutMs, `\`${task.id}\` took longer than ${task.timeoutMs / 1000} s`);
  void settle(shop, run, task, slot, attempt, flight);
}

async function settle(shop: Workshop, run: LiveRun, task: PlanTask, slot: number, attempt: number, flight: Flight): Promise<void> {
  let outcome: Outcome;
  try {
    outcome = await attemptOf(shop, run, task, slot, attempt, flight);
  } catch (error) {
    const failure = redacted(shop, failureOf(flight, error));
    outcome = { ok: false, failure, ...(flight.held ? { held: true as const } : {}), ...deferredBy(failure) };
  }
  flight.done();
  if (run.inFlight.get(slot) === flight) run.inFlight.delete(slot);
  shop.loop.send(run, { type: 'settled', slot, attempt, outcome, now: shop.loop.now() });
  shop.loop.freed(run, slot);
}

/** What a failure says goes into the journal: without secrets (C11). */
export function redacted(shop: Workshop, failure: Failure): Failure {
  const safe = { ...failure, message: shop.secrets.redactText(failure.message) };
  if (failure.details !== undefined) safe.details = shop.secrets.redact(failure.details) as JsonObject;
  return safe;
}

function failureOf(flight: Flight, error: unknown): Failure {
  const stop = flight.stopReason;
  if (stop instanceof OrchestratorError) return toFailure(stop);
  return toFailure(error);
}

async function attemptOf(shop: Workshop, run: LiveRun, task: PlanTask, slot: number, attempt: number, flight: Flight): Promise<Outcome> {
  const action = shop.actions.get(task.action);
  if (action === undefined)
    throw new OrchestratorError('ORC-210', `there is no action called \`${task.action}\` in this process`, {
      class: 'not_found',
      help: ['orchestrator actions'],
    });
  const observed: Observation[] = [];
  const computing = shop.computing(run, observed, slot);
  const parameters = await parametersOf(shop, run, task, slot, computing);
  const tape = shop.tapes.of(run);
  // What is recorded shall be there in the replay, and what is replayed is not what a later run may take.
  const cacheKey = task.cache === undefined || tape !== undefined || isUncached(run) ? undefined : await cacheKeyOf(shop, task, slot, parameters, computing);
  const kept = cacheKey === undefined ? undefined : await leniently(shop, run, slot, () => shop.store.cached(cacheKey, shop.loop.now()));
  if (kept !== undefined) return { ok: true, output: shop.values.refer(JSON.parse(kept) as Json, run.blobs), cached: true, observed };
  const context = new TaskContext(shop, run, task, slot, attempt, flight, computing);
  const result = actThrough(tape, action, parameters, { slot, path: () => context.path, attempt }, () => action.run(parameters, context));
  const output = shop.secrets.redact(plainJson(result instanceof Promise ? await flight.guard(result) : result));
  checkResult(task.action, action, output);
  if (cacheKey !== undefined) {
    const expiresAt = task.cache!.ttlMs === undefined ? null : shop.loop.now() + task.cache!.ttlMs;
    await leniently(shop, run, slot, () => shop.store.putCached(cacheKey, JSON.stringify(output), expiresAt));
  }
  return { ok: true, output: shop.values.refer(output, run.blobs), observed };
}

/** Kept results are a convenience: where they cannot be read or written, the work is done all the same, and the task's log says so. */
async function leniently<T>(shop: Workshop, run: LiveRun, slot: number, use: () => Promise<T>): Promise<T | undefined> {
  try {
    return await use();
  } catch (error) {
    const { loop, secrets } = shop;
    loop.send(run, {
      type: 'logged',
      slot,
      level: 'warn',
      text: `kept results cannot be used: ${secrets.redactText(toFailure(error).message)}`,
      now: loop.now(),
    });
    return undefined;
  }
}

/** Results are kept by action and key; without a key of its own, by the action's parameters. */
async function cacheKeyOf(shop: Workshop, task: PlanTask, slot: number, parameters: JsonObject, computing: Computing): Promise<string> {
  const key = await shop.values.settle(() => compute(task.cache!.key, computing, { slot }));
  return sha256(canonicalJson({ action: task.action, key: key ?? plainJson(parameters) }));
}

/** Parameters with the values of this run in them, what a debugger laid over them, checked against the action's schema. */
function parametersOf(shop: Workshop, run: LiveRun, task: PlanTask, slot: number, computing: Computing): JsonObject | Promise<JsonObject> {
  try {
    return checkedParameters(shop, run, task, slot, compute(task.parameters, computing, { slot }));
  } catch (error) {
    if (!(error instanceof ValuePending)) throw error;
    return shop.values.settle(() => checkedParameters(shop, run, task, slot, compute(task.parameters, computing, { slot })));
  }
}

function checkedParameters(shop: Workshop, run: LiveRun, task: PlanTask, slot: number, value: Json): JsonObject {
  const parameters = isObject(value) ? value : {};
  const overrides = run.state.extra.get(slot)?.overrides;
  if (overrides !== undefined) {
    for (const [path, ref] of overrides)
      if (path.startsWith('parameters.')) setIn(parameters, path.slice('parameters.'.length).split('.'), shop.values.load(ref));
  }
  const schema = run.plan.actions[task.action]?.parameters ?? true;
  if (overrides === undefined && provenFor(task, schema)) return parameters;
  const problems = checkSchema(schema, parameters).filter(problem => !hasMarker(valueAt(parameters, problem.path)));
  if (problems.length > 0) {
    const words = problems.map(problem => `\`${problem.path.join('.')}\` ${problem.message}`).join('; ');
    throw new OrchestratorError('ORC-212', words, { class: 'invalid_input', help: [`orchestrator actions ${task.action}`] });
  }
  return parameters;
}

const proven = new WeakMap<PlanTask, boolean>();

/** Did the compiler prove that the parameters fit, whatever the values of the run: are all but those whose schema takes anything (or any text) written in the file? */
function provenFor(task: PlanTask, schema: JsonSchema): boolean {
  let known = proven.get(task);
  if (known === undefined) proven.set(task, (known = prove(task, schema)));
  return known;
}

function prove({ parameters }: PlanTask, schema: JsonSchema): boolean {
  if (typeof schema === 'boolean' || 'v' in parameters) return schema !== false;
  if (!('o' in parameters) || Object.keys(schema).some(keyword => !PLAIN_KEYWORDS.has(keyword))) return false;
  const properties = isObject(schema['properties']) ? schema['properties'] : {};
  return parameters.o.every(([name, value]) => {
    if ('v' in value) return true;
    const spec = Object.hasOwn(properties, name) ? properties[name]! : false;
    if (typeof spec === 'boolean' || !isObject(spec)) return spec === true;
    const limits = Object.keys(spec).filter(keyword => !ANNOTATIONS.has(keyword) && !keyword.startsWith('x-'));
    return limits.length === 0 || (limits.join() === 'type' && spec['type'] === 'string' && ('t' in value || ('e' in value && value.s === 1)));
  });
}

/** What a schema of parameters may say beside its properties without asking for a look at the whole. */
const PLAIN_KEYWORDS: ReadonlySet<string> = new Set(['type', 'properties', 'required', 'additionalProperties', 'title', 'description']);
const ANNOTATIONS: ReadonlySet<string> = new Set(['title', 'description', 'default', 'examples']);

function setIn(object: JsonObject, steps: string[], value: Json): void {
  let here = object;
  for (const step of steps.slice(0, -1)) {
    const known = own(here, step);
    const next: JsonObject = known !== undefined && isObject(known) ? known : {};
    setOwn(here, step, next);
    here = next;
  }
  setOwn(here, steps.at(-1)!, value);
}

/** The class of an attempt that is about to begin, for these very parameters. Where they cannot be computed now, the plan's class stands. */
export function effectOf(shop: Workshop, run: LiveRun, slot: number): EffectClass {
  const task = taskOfSlot(run.plan, run.state, slot);
  // A replay leaves no effect that could be in doubt.
  if (shop.tapes.of(run)?.replays === true) return 'pure';
  const action = shop.actions.get(task.action);
  if (action?.effectOf === undefined) return action?.effect ?? task.effect;
  try {
    const value = compute(task.parameters, shop.computing(run, []), { slot });
    return action.effectOf(isObject(value) ? value : {});
  } catch {
    return action.effect;
  }
}
