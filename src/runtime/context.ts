import type { Computing } from '../engine/index.ts';
import { namesOf, pathOf } from '../engine/index.ts';
import { OrchestratorError, toFailure } from '../errors.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { evaluate, EXPRESSIONS } from '../language/expression/index.ts';
import type { PlanTask } from '../plan/index.ts';
import { checkSchema } from '../schema.ts';
import type { Action, ActionContext, ActionSpec, EffectClass, ModelGateway, Performed, PerformOptions, Policy } from '../tools/port.ts';
import { effectKey } from './effect-key.ts';
import type { LiveRun } from './live.ts';
import { isPutOff } from './patience.ts';
import type { Flight, Workshop } from './perform.ts';
import { hasMarker } from './secrets.ts';
import { actThrough } from './tape.ts';
import { plainJson, valueAt } from './values.ts';

const LOG_LIMIT = 16_384;

/** What an action sees of its process. A class, so that an attempt costs one object and not a dozen closures. */
export class TaskContext implements ActionContext {
  readonly attempt: number;
  readonly #shop: Workshop;
  readonly #run: LiveRun;
  readonly #task: PlanTask;
  readonly #slot: number;
  readonly #flight: Flight;
  readonly #computing: Computing;
  #path: string | undefined;
  #key: string | undefined;
  #steps: Set<string> | undefined;

  constructor(shop: Workshop, run: LiveRun, task: PlanTask, slot: number, attempt: number, flight: Flight, computing: Computing) {
    this.#shop = shop;
    this.#run = run;
    this.#task = task;
    this.#slot = slot;
    this.attempt = attempt;
    this.#flight = flight;
    this.#computing = computing;
  }

  get run(): string {
    return this.#run.id;
  }

  get path(): string {
    return (this.#path ??= pathOf(this.#run.plan, this.#run.state, this.#slot));
  }

  get key(): string {
    return this.#ownKey();
  }

  #ownKey(): string {
    return (this.#key ??= effectKey(this.#run, this.#slot, this.path));
  }

  get signal(): AbortSignal {
    return this.#flight.signal;
  }

  get workspace(): string {
    return this.#run.state.created!.workspace;
  }

  get stateFolder(): string | undefined {
    return this.#shop.stateFolder;
  }

  get policy(): Policy {
    return this.#shop.policy;
  }

  get pipeline(): ActionContext['pipeline'] {
    const { name, description } = this.#run.plan.pipeline;
    return { name, description };
  }

  get models(): ModelGateway {
    return this.#shop.gateway(this.#run, this.#slot, this.#flight, (name, work) => this.step(name, 'read', work as () => Promise<never>));
  }

  action(name: string): ActionSpec | undefined {
    return this.#shop.actions.get(name);
  }

  async perform(name: string, parameters: JsonObject, how: PerformOptions): Promise<Performed> {
    const action = this.#shop.actions.get(name);
    const effect = action === undefined ? 'pure' : effectIn(action, parameters);
    const refusal = refuse(name, action, parameters, effect, how.mayChange);
    if (action === undefined || refusal !== undefined) return { error: refusal!, costMicroUsd: 0 };
    return this.step(how.step, effect, async (key): Promise<Performed> => {
      const context = new StepContext([this.#shop, this.#run, this.#task, this.#slot, this.attempt, this.#flight, this.#computing], { ...how, key });
      try {
        const spot = { slot: this.#slot, path: () => this.path, attempt: this.attempt };
        const result = plainJson(await actThrough(this.#shop.tapes.of(this.#run), action, parameters, spot, () => action.run(parameters, context)));
        checkResult(name, action, result);
        return { result, costMicroUsd: context.costMicroUsd };
      } catch (error) {
        // What ends the attempt, or puts it off, is no outcome of the action.
        if (this.#flight.signal.aborted || this.#flight.held || isPutOff(error)) throw error;
        const { code, message } = toFailure(error);
        return { error: { code, message }, costMicroUsd: context.costMicroUsd };
      }
    });
  }

  log(level: 'debug' | 'info' | 'warn' | 'error', text: string): void {
    const { loop, secrets } = this.#shop;
    loop.send(this.#run, { type: 'logged', slot: this.#slot, level, text: secrets.redactText(text).slice(0, LOG_LIMIT), now: loop.now() });
  }

  progress(done: number, total: number | undefined, text?: string): void {
    this.#flight.progress = { done, total: total ?? null, text: text === undefined ? null : this.#shop.secrets.redactText(text) };
  }

  step<T extends Json>(name: string, effect: EffectClass, perform: (key: string) => Promise<T> | T): Promise<T> {
    this.#steps ??= new Set();
    return memoised(this.#shop, this.#run, this.#slot, this.attempt, { key: this.#ownKey(), names: this.#steps, name, effect }, perform);
  }

  evaluate(expression: string, bindings: JsonObject): Json {
    return evaluate(EXPRESSIONS.of(expression), { scope: namesOf(this.#computing, { slot: this.#slot, bindings }), host: this.#computing.host });
  }

  literal(parameter: string): boolean {
    return isLiteral(this.#task, parameter);
  }

  reveal(value: Json): Json {
    return this.#shop.secrets.reveal(value);
  }
}

/** What an action sees that another performs as its step: its names and keys lie below the step. */
class StepContext extends TaskContext {
  /** What its models have cost so far; null once a price was unknown. */
  costMicroUsd: number | null = 0;
  readonly #how: PerformOptions & { key: string };

  constructor(of: ConstructorParameters<typeof TaskContext>, how: PerformOptions & { key: string }) {
    super(...of);
    this.#how = how;
  }

  override get key(): string {
    return this.#how.key;
  }

  override get models(): ModelGateway {
    const gateway = super.models;
    const count = <T extends { costMicroUsd: number | undefined }>(answer: T): T => {
      this.costMicroUsd = this.costMicroUsd === null || answer.costMicroUsd === undefined ? null : this.costMicroUsd + answer.costMicroUsd;
      return answer;
    };
    return { ask: async call => count(await gateway.ask(call)), embed: async call => count(await gateway.embed(call)), route: gateway.route };
  }

  override step<T extends Json>(name: string, effect: EffectClass, perform: (key: string) => Promise<T> | T): Promise<T> {
    return super.step(`${this.#how.step}/${name}`, effect, perform);
  }

  override literal(parameter: string): boolean {
    return this.#how.literal?.(parameter) ?? false;
  }
}

function effectIn(action: Action, parameters: JsonObject): EffectClass {
  try {
    return action.effectOf?.(parameters) ?? action.effect;
  } catch {
    return action.effect;
  }
}

/** Why an action is not performed as a step, in words that a model can act on; undefined where nothing is against it. */
function refuse(
  name: string,
  action: Action | undefined,
  parameters: JsonObject,
  effect: EffectClass,
  mayChange: boolean,
): { code: string; message: string } | undefined {
  if (action === undefined) return { code: 'ORC-210', message: `there is no action called \`${name}\`` };
  if (action.engine !== undefined) return { code: 'ORC-216', message: `\`${name}\` is done by the engine, as a task of its own` };
  const problems = checkSchema(action.parameters, parameters as Json).filter(problem => !hasMarker(valueAt(parameters, problem.path)));
  if (problems.length > 0) return { code: 'ORC-212', message: problems.map(({ path, message }) => `\`${path.join('.')}\` ${message}`).join('; ') };
  if (mayChange || effect === 'pure' || effect === 'read') return undefined;
  return { code: 'ORC-214', message: `\`${name}\` would change something (its effect is ${effect}), and the author of the pipeline has not allowed that` };
}

function isLiteral(task: PlanTask, parameter: string): boolean {
  const { parameters } = task;
  if ('v' in parameters) return true;
  const entry = 'o' in parameters ? parameters.o.find(([key]) => key === parameter) : undefined;
  return entry !== undefined && 'v' in entry[1];
}

/** One effect inside an attempt: its intent is durable before it is done (unless it is pure), its result before the action goes on. */
async function memoised<T extends Json>(
  shop: Workshop,
  run: LiveRun,
  slot: number,
  attempt: number,
  step: { key: string; names: Set<string>; name: string; effect: EffectClass },
  work: (key: string) => Promise<T> | T,
): Promise<T> {
  const { loop, values } = shop;
  if (step.names.has(step.name)) throw new OrchestratorError('ORC-216', `the step \`${step.name}\` was used twice in one attempt`, { class: 'internal' });
  step.names.add(step.name);
  const known = run.state.extra.get(slot)?.steps?.get(step.name);
  if (known !== undefined && known.output !== null) return (await values.settle(() => values.load(known.output!))) as T;
  const key = `${step.key}/${step.name}`;
  if (step.effect !== 'pure')
    await loop.sendDurably(run, { type: 'step', slot, attempt, name: step.name, step: { started: { key, effect: step.effect } }, now: loop.now() });
  const result = shop.secrets.redact(plainJson(await work(key)));
  await loop.sendDurably(run, { type: 'step', slot, attempt, name: step.name, step: { completed: values.refer(result, run.blobs) }, now: loop.now() });
  return result as T;
}

/** A result that does not fit what its action declares is an error (ORC-219). */
export function checkResult(name: string, action: Action, output: Json): void {
  if (action.result === true || (isObject(action.result) && Object.keys(action.result).length === 0)) return;
  const [problem] = checkSchema(action.result, output);
  if (problem === undefined) return;
  const where = problem.path.length === 0 ? 'the result' : `\`${problem.path.join('.')}\` of the result`;
  throw new OrchestratorError('ORC-219', `${where} of \`${name}\` ${problem.message}`, { class: 'invalid_output' });
}
