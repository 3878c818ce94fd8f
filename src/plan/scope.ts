import type { InputSpec, Task } from '../language/pipeline.ts';
import type { Span } from '../language/source.ts';
import type { JsonSchema } from '../json.ts';
import type { Unit } from './compilation.ts';

/** What is known of a value. `closed`: an object that lists its properties has no others (the results of actions, the bindings of loops). */
export interface Shape {
  schema: JsonSchema;
  closed: boolean;
}

export const ANYTHING: Shape = { schema: true, closed: false };

/** Why one task waits for another, as far as the file says so; at least one of the three is there. */
export interface Edge {
  declared?: Span;
  reference?: Span;
  route?: Span;
  /** Only the order counts: the one waited for may have ended in any way (the target of a route). */
  orderOnly?: true;
}

/** The tasks that stand in one list, and whom each of them waits for. */
export interface TaskList {
  tasks: readonly Task[];
  ids: ReadonlyMap<string, number>;
  /** By task; undefined where it waits for nobody. */
  edges: (Map<number, Edge> | undefined)[];
  /** Tasks that are only copied into handlers. */
  handlerOnly: ReadonlySet<number>;
}

/** Who is asking in a list: the task whose values are looked at (or that holds them); null where nobody waits (outputs, the conditions of a while). */
export interface ListScope {
  kind: 'list';
  outer: Scope;
  list: TaskList;
  task: number | null;
  /** In the handlers of a task its own record is there. */
  ownRecord: boolean;
}

/** Names in scope, innermost first. */
export type Scope =
  | { kind: 'pipeline'; outer: null; unit: Unit; inputs: ReadonlyMap<string, InputSpec> }
  | ListScope
  | { kind: 'names'; outer: Scope; names: ReadonlyMap<string, Shape> };

export type Namespace = 'inputs' | 'tasks' | 'execution';

export type Found =
  | { kind: 'task'; task: Task; index: number; scope: ListScope }
  | { kind: 'value'; shape: Shape }
  | { kind: 'input'; input: InputSpec; unit: Unit }
  | { kind: 'namespace'; namespace: Namespace; unit: Unit; inputs: ReadonlyMap<string, InputSpec> };

const NAMESPACES: ReadonlyMap<string, Namespace> = new Map([
  ['inputs', 'inputs'],
  ['parameters', 'inputs'],
  ['tasks', 'tasks'],
  ['execution', 'execution'],
]);

export function find(scope: Scope, name: string): Found | undefined {
  for (let here: Scope | null = scope; here !== null; here = here.outer) {
    if (here.kind === 'names') {
      const shape = here.names.get(name);
      if (shape !== undefined) return { kind: 'value', shape };
    } else if (here.kind === 'list') {
      const found = findIn(here, name);
      if (found !== undefined) return found;
    } else {
      const namespace = NAMESPACES.get(name);
      if (namespace !== undefined) return { kind: 'namespace', namespace, unit: here.unit, inputs: here.inputs };
      const input = here.inputs.get(name);
      if (input !== undefined) return { kind: 'input', input, unit: here.unit };
    }
  }
  return undefined;
}

/** The task of this id, in the list or in those around it. */
export function findTask(scope: Scope, id: string): (Found & { kind: 'task' }) | undefined {
  for (let here: Scope | null = scope; here !== null; here = here.outer) {
    const found = here.kind === 'list' ? findIn(here, id) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function findIn(scope: ListScope, id: string): (Found & { kind: 'task' }) | undefined {
  const index = scope.list.ids.get(id);
  return index === undefined ? undefined : { kind: 'task', task: scope.list.tasks[index]!, index, scope };
}

/** All that could be named: inputs, tasks, and the rest (loop names, namespaces), innermost first. */
export function namesIn(scope: Scope): { inputs: string[]; tasks: string[]; others: string[] } {
  const names = { inputs: [] as string[], tasks: [] as string[], others: [] as string[] };
  for (let here: Scope | null = scope; here !== null; here = here.outer) {
    if (here.kind === 'names') names.others.push(...here.names.keys());
    else if (here.kind === 'pipeline') {
      names.inputs.push(...here.inputs.keys());
      names.others.push(...NAMESPACES.keys());
    } else for (const id of here.list.ids.keys()) names.tasks.push(id);
  }
  return names;
}

/** Notes that the task which asks in `scope` waits for another of its list; false where that is itself. */
export function addEdge(scope: ListScope, index: number, why: Edge): boolean {
  if (scope.task === null) return true;
  if (scope.task === index) return scope.ownRecord;
  const edges = (scope.list.edges[scope.task] ??= new Map());
  const edge = edges.get(index);
  edges.set(index, edge === undefined ? why : { ...why, ...edge });
  return true;
}
