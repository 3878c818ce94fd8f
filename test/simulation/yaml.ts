import { evaluateSite, type Computing, type Evaluation, type RunState, type Site } from '../../src/engine/index.ts';
import { compile } from '../../src/plan/compile.ts';
import type { Plan } from '../../src/plan/plan.ts';
import type { ActionSpec, EffectClass } from '../../src/tools/port.ts';
import { planOf } from './plan.ts';
import type { HandlerSpec, Scenario, Spec } from './scenario.ts';
import { parametersOf } from './world.ts';

const EFFECTS: EffectClass[] = ['pure', 'read', 'idempotent', 'keyed', 'effectful'];

function action(name: string, effect: EffectClass, engine?: ActionSpec['engine']): ActionSpec {
  return {
    name,
    summary: `${name}.`,
    effect,
    powers: [],
    parameters: { type: 'object', additionalProperties: true },
    result: {},
    ...(engine === undefined ? {} : { engine }),
  };
}

const CATALOG: ActionSpec[] = [
  ...EFFECTS.map(effect => action(`work.${effect}`, effect)),
  action('sleep', 'pure', 'sleep'),
  action('approval', 'pure', 'approval'),
  action('signal.wait', 'pure', 'signal'),
  action('pipeline.run', 'pure', 'pipeline'),
];

/** A scenario written down as YAML: flow style, which is JSON, so that nothing but the meaning is tested here. */
export function yamlOf(scenario: Scenario): { text: string; files: Map<string, string> } {
  const files = new Map<string, string>();
  const pipeline: { [key: string]: unknown } = { name: 'p', version: '1', tasks: taskList(scenario.tasks, files) };
  if (scenario.handlers.length > 0) pipeline['on_error'] = scenario.handlers.map(writeHandler);
  return { text: JSON.stringify(pipeline), files };
}

function taskList(list: Spec[], files: Map<string, string>): unknown[] {
  return list.map(spec => writeTask(spec, list, files));
}

function writeTask(spec: Spec, list: Spec[], files: Map<string, string>): { [key: string]: unknown } {
  const task: { [key: string]: unknown } = { id: spec.id };
  const idOf = (index: number): string => list[index]!.id;
  if (spec.dependencies.length > 0) task['dependencies'] = spec.dependencies.map(idOf);
  if (spec.condition !== 'none')
    task['condition'] = spec.asksCondition
      ? '<AUTO>may it?</AUTO>'
      : { true: '{{ 1 == 1 }}', false: '{{ 1 == 2 }}', error: '{{ 1 / 0 == 1 }}' }[spec.condition];
  if (spec.onSuccess !== undefined) task['on_success'] = idOf(spec.onSuccess);
  if (spec.onFalse !== undefined) task['on_false'] = idOf(spec.onFalse);
  task['on_failure'] = typeof spec.onFailure === 'object' ? idOf(spec.onFailure.route) : spec.onFailure;
  if (spec.onAmbiguous !== undefined) task['on_ambiguous'] = spec.onAmbiguous;
  if (spec.handlers.length > 0) task['on_error'] = spec.handlers.map(writeHandler);
  if (spec.retry !== undefined) {
    task['retry'] = {
      max_attempts: spec.retry.attempts,
      initial_backoff: 1,
      backoff_factor: 2,
      max_backoff: 3,
      jitter: true,
      ...(spec.retry.all ? { on: ['network', 'rate_limit', 'failed'] } : {}),
    };
  }
  Object.assign(task, writeKind(spec, files));
  return task;
}

function writeKind(spec: Spec, files: Map<string, string>): { [key: string]: unknown } {
  const body = (): unknown[] => taskList(spec.body, files);
  switch (spec.kind) {
    case 'action':
      return { action: `work.${spec.effect}`, parameters: Object.fromEntries(Array.from({ length: spec.tags }, (_, i) => [`p${i}`, '<AUTO>what?</AUTO>'])) };
    case 'for_each':
      return { for_each: spec.count < 0 ? '{{ none if true else [] }}' : `{{ range(${spec.count}) }}`, max_parallel: spec.parallel, tasks: body() };
    case 'while':
      return {
        [spec.bound]: spec.bound === 'while' ? `{{ iteration < ${spec.count} }}` : `{{ iteration + 1 >= ${spec.count} }}`,
        max_iterations: spec.limit,
        tasks: body(),
      };
    case 'group':
      return { parallel: body() };
    case 'pipeline': {
      const file = `${spec.id}.yaml`;
      files.set(file, JSON.stringify({ name: spec.id, version: '1', tasks: body() }));
      return { action: 'pipeline.run', parameters: { file } };
    }
    default:
      return { action: spec.kind === 'signal' ? 'signal.wait' : spec.kind, parameters: parametersOf(spec) };
  }
}

function writeHandler(handler: HandlerSpec): { [key: string]: unknown } {
  const written: { [key: string]: unknown } = { max_retries: handler.maxRetries };
  if (handler.retry) written['retry'] = true;
  if (handler.classes.length > 0) written['match'] = { classes: handler.classes };
  if (handler.fallback) written['fallback_value'] = 'fallback';
  if (handler.run !== undefined) written['action'] = `work.${handler.run.effect}`;
  return written;
}

/** The compiled plan, and its expressions as they are really evaluated. Throws where the compiler finds fault, or makes another plan than the generator. */
export function compiled(scenario: Scenario): { plan: Plan; evaluate: (state: RunState, slot: number, site: Site, index: number) => Evaluation } {
  const { text, files } = yamlOf(scenario);
  const { plan, diagnostics } = compile({ file: 'p.yaml', text, actions: CATALOG, read: path => files.get(path) ?? null });
  if (plan === null)
    throw new Error(
      `the compiler refuses it: ${diagnostics
        .filter(({ severity }) => severity === 'error')
        .map(({ code, message }) => `${code} ${message}`)
        .join('; ')}\n${text}`,
    );
  const [mine, theirs] = [planOf(scenario).plan, plan].map(shapeOf);
  if (mine !== theirs) throw new Error(`the compiler makes another plan:\n${theirs}\nexpected\n${mine}`);
  return {
    plan,
    evaluate: (state, slot, site, index) => {
      const computing: Computing = {
        plan,
        state,
        run: 'run',
        load: ref => ('v' in ref ? ref.v : null),
        host: { now: () => 0, fileExists: () => false, file: () => '' },
      };
      const result = evaluateSite(computing, slot, site, index);
      if (!result.ok) return result;
      return { ...result, ref: { v: site === 'loop' ? (result.value as { items: null }).items : result.value } };
    },
  };
}

function shapeOf({ blocks }: Plan): string {
  return JSON.stringify(
    blocks.map(({ kind, tasks }) => [
      kind,
      tasks.map(({ id, kind, needs, order, body, handlers, onFailure, onSuccess, onFalse, autos, retry, effect }) => ({
        id,
        kind,
        needs,
        order,
        body,
        handlers: handlers.map(({ block, retry, maxRetries, classes, fallback }) => [block, retry, maxRetries, classes, fallback !== undefined]),
        onFailure,
        onSuccess,
        onFalse,
        autos: autos.length,
        retry: retry?.maxAttempts,
        effect: kind === 'action' ? effect : null,
      })),
    ]),
  );
}
