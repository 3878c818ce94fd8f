import type { JsonSchema } from '../json.ts';
import type { Path } from '../language/index.ts';
import type { Task } from '../language/pipeline.ts';
import type { Compilation, Site, Unit } from './compilation.ts';
import type { Block, PlanHandler, PlanTask } from './plan.ts';
import type { ListScope, Scope } from './scope.ts';

/** Tasks hold handlers and pipelines, which hold tasks: what each of them needs of the others is handed down, so that no file imports itself. */
export interface Builder {
  /** Builds one task, for its list or for a handler; `chain` are then the ids of the tasks that it handles, and its own. */
  task(context: BlockContext, scope: ListScope, block: number, task: Task, chain: readonly string[]): PlanTask;
  /** Builds a pipeline, the main one or one that a task runs, as a block that knows its inputs and outputs. */
  pipeline(compilation: Compilation, unit: Unit, header: Pick<Block, 'kind' | 'owner'>): { block: number; handlers: PlanHandler[] };
}

/** What the tasks of one block have in common while it is built. */
export interface BlockContext {
  compilation: Compilation;
  unit: Unit;
  /** Names around the list. */
  outer: Scope;
  /** Where the list stands in the file, without `.tasks`. */
  path: Path;
  build: Builder;
}

/** A site for a value of a task; the task's own tags are collected in `autos`. */
export function siteOf(context: BlockContext, scope: Scope, autos: Site['autos'], included: Set<string>): Site {
  return { compilation: context.compilation, unit: context.unit, scope, path: context.path, target: '', lenient: false, autos, secrets: false, included };
}

/** `error` is in scope in handlers, and in the tasks that stand in a list for handlers to copy. */
export function errorScope(outer: Scope): Scope {
  const text = { type: 'string' };
  const error: JsonSchema = {
    type: 'object',
    properties: { code: text, class: text, message: text, task: text, attempt: { type: 'integer' } },
    additionalProperties: false,
  };
  return { kind: 'names', outer, names: new Map([['error', { schema: error, closed: true }]]) };
}
