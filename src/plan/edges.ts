import { at, type Path } from '../language/index.ts';
import type { Task } from '../language/pipeline.ts';
import type { Span } from '../language/source.ts';
import type { Compilation, Unit } from './compilation.ts';
import { findCycles } from './cycles.ts';
import type { PlanTask } from './plan.ts';
import { nearNames } from './references.ts';
import { addEdge, findTask, namesIn, type Edge, type ListScope, type TaskList } from './scope.ts';

/** Edges that the routes of one list may make; each goes to every task that it jumps over, so that many long ones grow with the square of the list. */
const ROUTED_MAX = 1_000_000;
const NODES_SHOWN = 12;

export function makeList(tasks: readonly Task[], handlerOnly: ReadonlySet<number>, ids: ReadonlyMap<string, number>): TaskList {
  return { tasks, ids, edges: [], handlerOnly };
}

/** The dependencies that a task declares. */
export function addDeclared(compilation: Compilation, unit: Unit, scope: ListScope, task: Task, path: Path): void {
  for (const [index, { id, span }] of task.dependencies.entries()) {
    const here = at(at(path, 'dependencies'), index);
    const found = findTask(scope, id);
    if (found === undefined) reportUnknown(compilation, unit, scope, task, id, span, here);
    else if (!addEdge(found.scope, found.index, { declared: span })) {
      unit.reporter.error('ORC-203', span, found.scope === scope ? `\`${id}\` depends on itself` : `\`${task.id}\` depends on \`${id}\`, in which it runs`, {
        path: here,
        label: 'would wait for ever',
        help: ['remove it'],
      });
    }
  }
}

function reportUnknown(compilation: Compilation, unit: Unit, scope: ListScope, task: Task, id: string, span: Span, path: Path): void {
  const near = compilation.suggestions > 0 ? nearNames({ compilation }, id, namesIn(scope).tasks) : undefined;
  const found = near === undefined ? undefined : findTask(scope, near);
  unit.reporter.error('ORC-201', span, `task \`${task.id}\` depends on \`${id}\`, which does not exist`, {
    path,
    label: 'no task has this id',
    ...(found === undefined ? {} : { related: [{ message: 'a similar task is here', span: found.task.idSpan }], help: [`did you mean \`${found.task.id}\`?`] }),
  });
}

/** What routes add: their task comes before all that they jump over, and before their target, which takes it as settled however it ended. */
export function addRoutes(unit: Unit, list: TaskList, scopeOf: (task: number) => ListScope, path: Path): void {
  let routed = 0;
  for (const [index, task] of list.tasks.entries()) {
    for (const { key, target, span } of routesOf(task)) {
      const to = list.ids.get(target);
      if (to === undefined || to <= index) continue;
      routed += to - index;
      if (routed > ROUTED_MAX) {
        unit.reporter.error('ORC-605', span, `the routes of this list jump over more than ${ROUTED_MAX} tasks in sum`, {
          path: at(at(at(path, 'tasks'), index), key),
          label: 'jumps too far',
        });
        return;
      }
      const passage: Edge = { route: span };
      const arrival: Edge = { route: span, orderOnly: true };
      for (let between = index + 1; between <= to; between++) addEdge(scopeOf(between), index, between === to ? arrival : passage);
    }
  }
}

export function routesOf(task: Task): { key: string; target: string; span: Span }[] {
  const routes = [];
  if (task.onFalse !== undefined) routes.push({ key: 'on_false', ...task.onFalse });
  if (task.onSuccess !== undefined) routes.push({ key: 'on_success', ...task.onSuccess });
  if (task.onFailure.policy === 'route') routes.push({ key: 'on_failure', target: task.onFailure.target, span: task.onFailure.span });
  return routes;
}

/** The index of a route's target; undefined, with a problem, where it is not a task further down in the same list. */
export function findTarget(
  compilation: Compilation,
  unit: Unit,
  list: TaskList,
  source: number,
  route: { key: string; target: string; span: Span },
  path: Path,
): number | undefined {
  const { key, target, span } = route;
  const index = list.ids.get(target);
  if (index !== undefined && index > source) return index;
  const id = list.tasks[source]!.id;
  const policies = key === 'on_failure' ? ['or say what a failure means: on_failure: fail, continue or skip'] : [];
  const details = { path: at(path, key), help: ['a route leads to a task further down in the same list', ...policies] };
  if (index === undefined) {
    const near = nearNames(
      { compilation },
      target,
      list.tasks.slice(source + 1).map(task => task.id),
    );
    const label = near === undefined ? 'no such task in this list' : `did you mean \`${near}\`?`;
    unit.reporter.error('ORC-204', span, `\`${key}\` of \`${id}\` names \`${target}\`, which does not exist in this list`, { ...details, label });
  } else {
    const related = [{ message: `\`${target}\` is here`, span: list.tasks[index]!.idSpan }];
    unit.reporter.error('ORC-204', span, index === source ? `\`${key}\` of \`${id}\` leads to itself` : `\`${key}\` of \`${id}\` leads back to \`${target}\``, {
      ...details,
      label: 'must lead forward',
      related,
    });
  }
  return undefined;
}

/** Writes who waits for whom into the tasks of the plan, and reports those that wait for each other. */
export function finishEdges(unit: Unit, list: TaskList, tasks: PlanTask[], path: Path): void {
  for (const [index, task] of tasks.entries()) {
    const edges = [...(list.edges[index] ?? [])].sort(([a], [b]) => a - b);
    for (const [to, edge] of edges) {
      task.needs.push(to);
      if (edge.orderOnly) task.order.push(to);
      if (edge.declared !== undefined || edge.reference !== undefined) task.dependencies.push(to);
    }
  }
  for (const cycle of findCycles(tasks.length, node => tasks[node]!.needs)) reportCycle(unit, list, cycle, path);
}

function reportCycle(unit: Unit, list: TaskList, cycle: readonly number[], path: Path): void {
  const steps = cycle.slice(1).map((to, index) => describeEdge(list, cycle[index]!, to));
  const loose = steps.filter(step => step.edge.reference === undefined);
  const primary = loose[0] ?? steps.at(-1)!;
  const ids = cycle.map(index => list.tasks[index]!.id);
  const shown = ids.length <= NODES_SHOWN ? ids : [...ids.slice(0, NODES_SHOWN - 2), `… ${ids.length - NODES_SHOWN + 1} more …`, ids.at(-1)!];
  const only = loose.length === 1 ? ' is the only one that no {{ template }} needs' : ' is one that no {{ template }} needs';
  unit.reporter.error('ORC-202', primary.span, `these tasks wait for each other: ${shown.join(' -> ')}`, {
    path: at(at(path, 'tasks'), primary.from),
    label: primary.message,
    related: steps
      .filter(step => step !== primary)
      .slice(0, NODES_SHOWN)
      .map(({ message, span }) => ({ message, span })),
    help: [loose.length > 0 ? `remove one edge; \`${primary.name}\`${only}` : 'each of them uses a result of the next: one of them must do without'],
  });
}

interface CycleStep {
  from: number;
  edge: Edge;
  span: Span;
  name: string;
  message: string;
}

function describeEdge(list: TaskList, from: number, to: number): CycleStep {
  const edge = list.edges[from]!.get(to)!;
  const [a, b] = [list.tasks[from]!.id, list.tasks[to]!.id];
  const span = (edge.declared ?? edge.reference ?? edge.route)!;
  const why = edge.declared === undefined && edge.reference === undefined ? `, because \`${b}\` routes past or to it` : '';
  return { from, edge, span, name: `${a} -> ${b}`, message: `\`${a}\` waits for \`${b}\`${why}` };
}
