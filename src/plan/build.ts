import { at } from '../language/index.ts';
import type { Pipeline, Task, Value } from '../language/pipeline.ts';
import { findAction, lowerParameters } from './actions.ts';
import { countTask, place, type Compilation, type Site, type Unit } from './compilation.ts';
import { addDeclared, addRoutes, findTarget, finishEdges, makeList, routesOf } from './edges.ts';
import { buildHandlers, handlerTargets, targetsOf } from './handlers.ts';
import { bodyScope, conditionScope } from './loops.ts';
import { checkPipeline, checkTask } from './lints.ts';
import type { Block, Plan, PlanAuto, PlanHandler, PlanInput, PlanTask, PlanValue } from './plan.ts';
import { ANYTHING, type ListScope, type Scope, type TaskList } from './scope.ts';
import { itemShape } from './shapes.ts';
import { buildSubPipeline } from './subpipelines.ts';
import { errorScope, siteOf, type BlockContext, type Builder } from './site.ts';
import { lower, lowerAt, lowerLone } from './values.ts';

/** Builds the tasks of a list as a block of the plan. Gives its number and the list, for what is named from outside. */
function buildBlock(
  context: BlockContext,
  header: Omit<Block, 'tasks'>,
  tasks: readonly Task[],
  copied: ReadonlySet<string> = new Set(),
): { block: number; list: TaskList } {
  const { compilation, unit, outer, path } = context;
  const ids = new Map(tasks.map((task, index) => [task.id, index]));
  const targets = handlerTargets(tasks, copied);
  const list = makeList(tasks, new Set([...targets].flatMap(id => ids.get(id) ?? [])), ids);
  const block: Block = { ...header, tasks: [] };
  const number = compilation.blocks.push(block) - 1;
  const scopeOf = (task: number | null): ListScope => ({ kind: 'list', outer, list, task, ownRecord: false });
  addRoutes(unit, list, scopeOf, path);
  for (const [index, task] of tasks.entries()) {
    const here = at(at(path, 'tasks'), index);
    if (!countTask(compilation, unit, task.idSpan, here)) break;
    block.tasks.push(buildTask({ ...context, path: here }, scopeOf(index), number, task, []));
  }
  if (block.tasks.length === tasks.length) finishEdges(unit, list, block.tasks, path);
  return { block: number, list };
}

export function buildPipeline(compilation: Compilation, unit: Unit, header: Pick<Block, 'kind' | 'owner'>): { block: number; handlers: PlanHandler[] } {
  const { pipeline } = unit;
  const path = at(undefined, 'pipeline');
  const outer: Scope = { kind: 'pipeline', outer: null, unit, inputs: unit.inputs };
  const context: BlockContext = { compilation, unit, outer, path, build: BUILDER };
  const { block, list } = buildBlock(context, header, pipeline.tasks, new Set(targetsOf(pipeline.onError)));
  const scope: ListScope = { kind: 'list', outer, list, task: null, ownRecord: true };
  const built = compilation.blocks[block]!;
  built.inputs = pipeline.inputs.map((_, index) => buildInput(context, index));
  built.outputs = pipeline.outputs.map(({ name, span, value }) => {
    const site = { ...siteOf(context, scope, null, new Set()), path: at(at(path, 'outputs'), name), target: `outputs.${name}` };
    return { name, value: lower(site, value), at: place(unit, span.start) };
  });
  built.pipeline = describePipeline(pipeline);
  const handlers = buildHandlers(context, scope, null, pipeline.onError, []);
  checkPipeline(unit);
  return { block, handlers };
}

function describePipeline({ id, name, version, description }: Pipeline): Plan['pipeline'] {
  return { id, name, version, ...(description === undefined ? {} : { description }) };
}

/** An input; its default may use those that stand above it. */
function buildInput(context: BlockContext, index: number): PlanInput {
  const { unit, path } = context;
  const { name, schema, type, required, description, default: fallback, span } = unit.pipeline.inputs[index]!;
  const input: PlanInput = { name, schema, type, required, at: place(unit, span.start) };
  if (description !== undefined) input.description = description;
  if (fallback === undefined) return input;
  const above = new Map(unit.pipeline.inputs.slice(0, index).map(other => [other.name, other]));
  const scope: Scope = { kind: 'pipeline', outer: null, unit, inputs: above };
  const autos: PlanAuto[] = [];
  input.default = lower(
    { ...siteOf(context, scope, autos, new Set()), path: at(at(at(path, 'inputs'), name), 'default'), target: `inputs.${name}` },
    fallback,
    schema,
  );
  if (autos.length > 0) input.autos = autos;
  return input;
}

function buildTask(context: BlockContext, scope: ListScope, block: number, task: Task, chain: readonly string[]): PlanTask {
  const { compilation, unit, path } = context;
  const owner = { block, task: compilation.blocks[block]!.tasks.length };
  const included = new Set<string>();
  const result: PlanTask = {
    id: task.id,
    kind: 'action',
    action: '',
    effect: 'pure',
    parameters: { v: {} },
    needs: [],
    order: [],
    dependencies: [],
    onFailure: 'fail',
    handlers: [],
    autos: [],
    at: place(unit, task.idSpan.start),
    hash: '',
  };
  const listed = chain.length === 0;
  const handlerOnly = listed && scope.list.handlerOnly.has(scope.task!);
  if (handlerOnly) result.handlerOnly = true;
  const site = siteOf(context, listed && !handlerOnly ? scope : errorScope(scope), result.autos, included);
  if (listed) {
    addDeclared(compilation, unit, scope, task, path);
    addTargets(context, scope, task, result);
  }
  if (task.condition !== undefined) result.condition = lowerAt(site, 'condition', task.condition, { type: 'boolean' }, true);
  if (task.kind === 'action') buildAction(context, site, task, result, owner);
  else buildBody(context, site, task, result, owner);
  applySettings(context, site, task, result);
  result.handlers = buildHandlers(context, scope, owner, task.onError, listed ? [task.id] : chain);
  compilation.included.set(result, included);
  checkTask(unit, task, path);
  return result;
}

function addTargets({ compilation, unit, path }: BlockContext, scope: ListScope, task: Task, result: PlanTask): void {
  for (const route of routesOf(task)) {
    const target = findTarget(compilation, unit, scope.list, scope.task!, route, path);
    if (target === undefined) continue;
    if (route.key === 'on_false') result.onFalse = target;
    else if (route.key === 'on_success') result.onSuccess = target;
    else result.onFailure = { route: target };
  }
  if (task.onFailure.policy !== 'route') result.onFailure = task.onFailure.policy;
}

function buildAction(context: BlockContext, site: Site, task: Task, result: PlanTask, owner: { block: number; task: number }): void {
  const { action } = task;
  const spec = action && findAction({ ...site, path: at(site.path, 'action') }, action);
  result.action = action?.name ?? '';
  result.effect = spec?.effect ?? 'effectful';
  if (spec?.engine !== undefined) result.kind = spec.engine;
  const here = { ...site, path: at(site.path, 'parameters'), target: 'parameters', secrets: true };
  if (spec?.engine === 'pipeline') buildSubPipeline(context, here, task, spec, result, owner);
  else result.parameters = lowerParameters(here, task.parameters, spec, task.id, action?.span ?? task.idSpan);
}

function buildBody(context: BlockContext, site: Site, task: Task, result: PlanTask, owner: { block: number; task: number }): void {
  const kind = task.kind === 'parallel' ? 'group' : task.kind === 'for_each' ? 'for_each' : 'while';
  result.kind = kind;
  result.action = task.kind;
  let items = ANYTHING;
  if (task.forEach?.kind === 'expression') {
    const { value, shape } = lowerLone({ ...site, path: at(site.path, 'for_each'), target: 'for_each' }, task.forEach);
    result.source = value;
    items = itemShape(shape);
  } else if (task.forEach !== undefined) result.source = lowerAt(site, 'for_each', task.forEach, { type: 'array' });
  if (task.maxParallel !== undefined) result.maxParallel = lowerAt(site, 'max_parallel', task.maxParallel, { type: 'integer', minimum: 1 });
  if (task.maxIterations !== undefined) result.maxIterations = lowerAt(site, 'max_iterations', task.maxIterations, { type: 'integer', minimum: 1 });
  const outer = bodyScope(context, site.scope, task, items);
  const header: Omit<Block, 'tasks'> = { kind, owner };
  if (task.loopName !== undefined) header.loopName = task.loopName;
  if (task.queue) header.queue = true;
  const body = buildBlock({ ...context, outer }, header, task.tasks);
  result.body = body.block;
  const inner: Site = { ...site, scope: conditionScope(outer, body.list) };
  if (task.while !== undefined) result.while = lowerAt(inner, 'while', task.while, { type: 'boolean' }, true);
  if (task.until !== undefined) result.until = lowerAt(inner, 'until', task.until, { type: 'boolean' }, true);
}

/** The model that tasks take which name none. It is the same for all of them, so it may use the inputs and no task. */
export function defaultModel(compilation: Compilation, unit: Unit, model: Value): PlanValue {
  const scope: Scope = { kind: 'pipeline', outer: null, unit, inputs: unit.inputs };
  const context: BlockContext = { compilation, unit, outer: scope, path: at(at(undefined, 'pipeline'), 'defaults'), build: BUILDER };
  return lowerAt(siteOf(context, scope, null, new Set()), 'model', model);
}

function applySettings({ unit, compilation }: BlockContext, site: Site, task: Task, result: PlanTask): void {
  const { defaults } = unit.pipeline;
  // What only waits, repeats or holds other tasks takes no defaults: they are for each attempt of an action.
  const own = result.kind === 'action';
  const retry = task.retry ?? (own ? defaults.retry : undefined);
  const timeoutMs = task.timeoutMs ?? (own ? defaults.timeoutMs : undefined);
  if (retry !== undefined) result.retry = retry;
  if (timeoutMs !== undefined) result.timeoutMs = timeoutMs;
  const asks = result.autos.length > 0 || compilation.actions[result.action]?.model === true;
  if (task.model !== undefined) result.model = lowerAt(site, 'model', task.model);
  else if (asks && defaults.model !== undefined) result.model = defaultModel(compilation, unit, defaults.model);
  if (task.cache === false) result.uncached = true;
  if (task.cache) {
    const key: PlanValue = task.cache.key === undefined ? { v: null } : lowerAt({ ...site, path: at(site.path, 'cache') }, 'key', task.cache.key);
    result.cache = { key, ...(task.cache.ttlMs === undefined ? {} : { ttlMs: task.cache.ttlMs }) };
  }
  if (task.onAmbiguous !== undefined) result.onAmbiguous = task.onAmbiguous;
}

const BUILDER: Builder = { task: buildTask, pipeline: buildPipeline };
