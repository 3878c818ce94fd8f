import { at } from '../language/index.ts';
import type { Handler, MapValue, Task } from '../language/pipeline.ts';
import { countTask } from './compilation.ts';
import { nearNames } from './references.ts';
import type { Block, PlanHandler } from './plan.ts';
import type { ListScope } from './scope.ts';
import { errorScope, siteOf, type BlockContext } from './site.ts';
import { lower } from './values.ts';

/** The ids of tasks that handlers copy: those named by the tasks of the list, and by the pipeline. */
export function handlerTargets(tasks: readonly Task[], copied: ReadonlySet<string>): Set<string> {
  const ids = new Set(copied);
  for (const task of tasks) for (const id of targetsOf(task.onError)) ids.add(id);
  return ids;
}

export function targetsOf(handlers: readonly Handler[]): string[] {
  return handlers.flatMap(({ run }) => (run.kind === 'task' ? [run.id] : []));
}

/**
 * The handlers of a task, or (where `scope.task` is null) of the pipeline. `chain` are the ids of the tasks on whose behalf they run,
 * outermost first: a handler's task may have handlers of its own, but may not come round to itself.
 */
export function buildHandlers(
  context: BlockContext,
  scope: ListScope,
  owner: Block['owner'],
  handlers: readonly Handler[],
  chain: readonly string[],
): PlanHandler[] {
  const names: ListScope = { ...scope, ownRecord: true };
  return handlers.map((handler, index) => {
    const here: BlockContext = { ...context, outer: errorScope(names), path: at(at(context.path, 'on_error'), index) };
    const { codes, classes, patterns } = handler.match;
    const result: PlanHandler = { codes, classes, patterns, retry: handler.retry, maxRetries: handler.maxRetries };
    const task = taskOf(here, names, handler, index, chain);
    if (task !== undefined && countTask(here.compilation, here.unit, handler.span, here.path))
      result.block = buildHandlerBlock(here, names, owner, task, [...chain, task.id]);
    if (handler.fallback !== undefined)
      result.fallback = lower(
        { ...siteOf(here, here.outer, null, new Set()), path: at(here.path, 'fallback_value'), target: 'fallback_value' },
        handler.fallback,
      );
    return result;
  });
}

function buildHandlerBlock(context: BlockContext, scope: ListScope, owner: Block['owner'], task: Task, chain: readonly string[]): number {
  const { compilation } = context;
  const block: Block = { kind: 'handler', owner, tasks: [] };
  const number = compilation.blocks.push(block) - 1;
  block.tasks.push(context.build.task(context, scope, number, task, chain));
  return number;
}

/** The task that a handler runs: one made of its action, or a copy of a task of the list, which waits for nobody. */
function taskOf({ compilation, unit, path }: BlockContext, scope: ListScope, handler: Handler, index: number, chain: readonly string[]): Task | undefined {
  const { run } = handler;
  if (run.kind === 'value') return undefined;
  if (run.kind === 'action') return { ...blankTask(handler, `on_error_${index + 1}`, run.parameters), action: run.action };
  const found = scope.list.ids.get(run.id);
  if (found === undefined) {
    const near = nearNames({ compilation }, run.id, scope.list.ids.keys());
    unit.reporter.error('ORC-208', run.span, `the handler names the task \`${run.id}\`, which does not exist in this list`, {
      path: at(path, 'task'),
      label: near === undefined ? 'no such task in this list' : `did you mean \`${near}\`?`,
      help: ['a handler copies a task of the list in which its own task stands'],
    });
    return undefined;
  }
  const task = scope.list.tasks[found]!;
  if (chain.includes(run.id)) {
    unit.reporter.error('ORC-202', run.span, `these tasks handle the errors of each other: ${[...chain, run.id].join(' -> ')}`, {
      path: at(path, 'task'),
      label: 'comes round to itself',
    });
    return undefined;
  }
  return { ...task, dependencies: [], onSuccess: undefined, onFalse: undefined, onFailure: { policy: 'fail' }, timeoutMs: handler.timeoutMs ?? task.timeoutMs };
}

function blankTask({ span, timeoutMs }: Handler, id: string, parameters: MapValue): Task {
  return {
    span,
    id,
    idSpan: span,
    idGenerated: true,
    name: undefined,
    description: undefined,
    kind: 'action',
    action: undefined,
    parameters,
    dependencies: [],
    condition: undefined,
    forEach: undefined,
    while: undefined,
    until: undefined,
    maxIterations: undefined,
    maxParallel: undefined,
    loopName: undefined,
    queue: false,
    tasks: [],
    onFailure: { policy: 'fail' },
    onSuccess: undefined,
    onFalse: undefined,
    onError: [],
    retry: undefined,
    timeoutMs,
    model: undefined,
    cache: undefined,
    onAmbiguous: undefined,
    outputs: undefined,
  };
}
