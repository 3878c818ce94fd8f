import { OrchestratorError, toFailure, type Failure } from '../errors.ts';
import { isObject, setOwn, type Json, type JsonObject } from '../json.ts';
import {
  evaluate,
  evaluateCondition,
  EXPRESSIONS,
  isSecretMarker,
  renderSegments,
  TEMPLATES,
  type EvalContext,
  type Host,
  type SecretMarker,
  type Template,
} from '../language/expression/index.ts';
import type { PlanInput, PlanTask, PlanValue } from '../plan/index.ts';
import { checkSchema } from '../schema.ts';
import type { Site } from './effect.ts';
import { errorOf, namesOf, type Asker, type Values } from './names.ts';
import { SKIPPED, taskOfSlot } from './state.ts';

/** What a computation needs from the shell: values behind references, and the world as `now()`, `file_exists()` and `file()` see it. */
export interface Computing extends Values {
  host: Host;
}

const DEFAULT_ITERATIONS = 10;

/** A value of the plan with the values of this run in it. Rendered once: what comes out is data (C3). */
export function compute(value: PlanValue, computing: Computing, asker: Asker): Json {
  if ('v' in value) return value.v;
  return computeIn(value, { scope: namesOf(computing, asker), host: computing.host }, computing, asker);
}

function computeIn(value: PlanValue, context: EvalContext, computing: Computing, asker: Asker): Json {
  if ('v' in value) return value.v;
  if ('e' in value) {
    const expr = EXPRESSIONS.of(value.e);
    return value.s === 1
      ? textOf({ start: expr.start, end: expr.end, body: [{ kind: 'output', start: expr.start, end: expr.end, expr }] }, context)
      : evaluate(expr, context);
  }
  if ('t' in value) return textOf(TEMPLATES.of(value.t), context);
  if ('a' in value) {
    const answer = answerOf(computing, asker.slot, value.a);
    return value.s === 1 && typeof answer !== 'string' ? JSON.stringify(answer) : answer;
  }
  if ('l' in value) return value.l.map(item => computeIn(item, context, computing, asker));
  if ('m' in value) return joined(value.m.map(part => computeIn(part, context, computing, asker)));
  const object: JsonObject = {};
  for (const [key, member] of value.o) setOwn(object, key, computeIn(member, context, computing, asker));
  return object;
}

function answerOf(computing: Computing, slot: number, index: number): Json {
  const answer = computing.state.extra.get(slot)?.autos?.[index];
  if (answer === undefined) throw new OrchestratorError('ORC-314', 'an <AUTO> tag has no answer yet', { class: 'internal' });
  return computing.load(answer.value);
}

/**
 * A text with secrets in it, in segments that only the performing of an action joins (C11). It is told apart by its class, so that data which looks like one
 * is never unwrapped.
 */
export class SecretText {
  readonly segments: (string | SecretMarker)[];

  constructor(segments: (string | SecretMarker)[]) {
    this.segments = segments;
  }

  toJSON(): string {
    return this.segments.map(segment => (typeof segment === 'string' ? segment : '▮▮▮')).join('');
  }
}

function textOf(template: Template, context: EvalContext): Json {
  return textFrom(renderSegments(template, context));
}

function textFrom(segments: (string | SecretMarker)[]): Json {
  return segments.every(segment => typeof segment === 'string') ? segments.join('') : (new SecretText(segments) as unknown as Json);
}

function joined(parts: Json[]): Json {
  return textFrom(
    parts.flatMap((part): (string | SecretMarker)[] =>
      (part as unknown) instanceof SecretText ? (part as unknown as SecretText).segments : isSecretMarker(part) ? [part] : [plainText(part)],
    ),
  );
}

function plainText(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** What a site gives: the value for the engine's decision. Errors of the pipeline come back as failures; what `load` throws passes through. */
export function evaluateSite(computing: Computing, slot: number, site: Site, index: number): { ok: true; value: Json } | { ok: false; failure: Failure } {
  try {
    return { ok: true, value: siteValue(computing, slot, site, index) };
  } catch (error) {
    if (error instanceof OrchestratorError) return { ok: false, failure: { ...toFailure(error), class: error.class === 'failed' ? 'template' : error.class } };
    throw error;
  }
}

function siteValue(computing: Computing, slot: number, site: Site, index: number): Json {
  if (slot < 0) return outputsOf(computing, computing.plan.outputs, { slot: -1 }, computing.state.failed > 0);
  const task = taskOfSlot(computing.plan, computing.state, slot);
  switch (site) {
    case 'condition':
      return truth(task.condition!, computing, { slot });
    case 'while':
      return truth(task.while!, computing, { slot, iteration: index });
    case 'until':
      return truth(task.until!, computing, { slot, iteration: index });
    case 'loop':
      return loopValue(task, computing, { slot });
    case 'parameters':
      return compute(task.parameters, computing, { slot });
    case 'inputs':
      return subInputs(task, computing, { slot });
    case 'fallback':
      return compute(task.handlers[index]!.fallback!, computing, { slot, bindings: { error: errorOf(computing, slot) } });
    case 'outputs':
      return subOutputs(task, computing, slot);
  }
}

/** Truth as the expression language has it; the text of a condition is an expression, whatever braces it wears. */
function truth(value: PlanValue, computing: Computing, asker: Asker): boolean {
  if ('e' in value) return evaluateCondition(EXPRESSIONS.of(value.e), { scope: namesOf(computing, asker), host: computing.host });
  const result = compute(value, computing, asker);
  if (typeof result === 'string') return !['', 'false', 'no', 'none', 'null', '0'].includes(result.trim().toLowerCase());
  return Array.isArray(result) ? result.length > 0 : isObject(result) ? Object.keys(result).length > 0 : Boolean(result);
}

function loopValue(task: PlanTask, computing: Computing, asker: Asker): Json {
  const whole = (value: PlanValue | undefined, usual: number, what: string): number => {
    if (value === undefined) return usual;
    const number = compute(value, computing, asker);
    if (typeof number !== 'number' || !Number.isInteger(number) || number < 1)
      throw new OrchestratorError('ORC-212', `\`${what}\` must be a whole number from 1 on, it is ${JSON.stringify(number)}`, { class: 'invalid_input' });
    return number;
  };
  const parallel = whole(task.maxParallel, 1, 'max_parallel');
  const limit = whole(task.maxIterations, DEFAULT_ITERATIONS, 'max_iterations');
  if (task.kind === 'while') return { items: null, count: 0, parallel, limit };
  const source = compute(task.source!, computing, asker);
  const items = Array.isArray(source) ? source : isObject(source) ? Object.entries(source).map(([key, value]) => ({ key, value })) : undefined;
  if (items === undefined)
    throw new OrchestratorError(
      'ORC-232',
      `\`for_each\` wants a list or an object, it is ${source === null ? 'null' : `the ${typeof source} ${JSON.stringify(source).slice(0, 60)}`}`,
      { class: 'invalid_input' },
    );
  return { items, count: items.length, parallel, limit };
}

/** Inputs of a sub-pipeline: those that the caller gives, checked, and the defaults. */
function subInputs(task: PlanTask, computing: Computing, asker: Asker): Json {
  const parameters = compute(task.parameters, computing, asker);
  const given = isObject(parameters) && isObject(parameters['inputs']) ? parameters['inputs'] : {};
  const specs = computing.plan.blocks[task.body!]!.inputs ?? [];
  return completeInputs(specs, given, computing);
}

/** Inputs given, laid over the defaults and checked: all problems in one error. */
export function completeInputs(specs: PlanInput[], given: JsonObject, computing: Computing): JsonObject {
  const inputs: JsonObject = {};
  const problems: string[] = [];
  for (const spec of specs) {
    const value = Object.hasOwn(given, spec.name)
      ? given[spec.name]!
      : spec.default === undefined
        ? undefined
        : computeDefault(spec.default, inputs, computing);
    if (value === undefined) {
      if (spec.required) problems.push(`\`${spec.name}\` is missing`);
      else setOwn(inputs, spec.name, null);
      continue;
    }
    for (const problem of checkSchema(spec.schema, value)) problems.push(`\`${[spec.name, ...problem.path].join('.')}\` ${problem.message}`);
    setOwn(inputs, spec.name, value);
  }
  const names = new Set(specs.map(spec => spec.name));
  for (const name of Object.keys(given)) if (!names.has(name)) problems.push(`\`${name}\` is not an input of the pipeline`);
  if (problems.length > 0) throw new OrchestratorError('ORC-115', problems.join('; '), { class: 'invalid_input' });
  return inputs;
}

/** A default may use the inputs that stand above it, and nothing else. */
function computeDefault(value: PlanValue, above: JsonObject, computing: Computing): Json {
  return compute(value, computing, { slot: -1, bindings: { ...above, inputs: above, parameters: above } });
}

function subOutputs(task: PlanTask, computing: Computing, slot: number): Json {
  const body = computing.plan.blocks[task.body!]!;
  const scope = computing.state.scopes[computing.state.extra.get(slot)!.scopes!.at(-1)!]!;
  return outputsOf(computing, body.outputs ?? [], { slot: scope.base }, false);
}

/** Declared outputs. Of a run that failed, those that can be computed; one that hangs on a skipped task is null. */
function outputsOf(computing: Computing, outputs: { name: string; value: PlanValue }[], asker: Asker, lenient: boolean): JsonObject {
  const result: JsonObject = {};
  const mayBeAbsent = lenient || hasSkipped(computing);
  for (const { name, value } of outputs) {
    try {
      setOwn(result, name, compute(value, computing, asker));
    } catch (error) {
      if (!mayBeAbsent || !(error instanceof OrchestratorError)) throw error;
      setOwn(result, name, null);
    }
  }
  return result;
}

function hasSkipped(computing: Computing): boolean {
  const { state } = computing;
  for (let slot = 0; slot < state.slots; slot++) if (state.taskStatus[slot] === SKIPPED) return true;
  return false;
}
