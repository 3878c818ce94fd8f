import { OrchestratorError } from '../errors.ts';
import { nearest } from '../ids.ts';
import { findCycles, levelsOf, type Needs } from './cycles.ts';

/** A task as far as its order matters. */
export interface Dependent {
  id: string;
  dependencies?: readonly string[];
}

/** Tasks wait for each other. `cycle` is the first of `cycles`, each as `['a', 'b', 'a']`: a waits for b, b for a. */
export class CircularDependencyError extends OrchestratorError {
  readonly cycle: string[];
  readonly cycles: string[][];

  constructor(cycles: string[][]) {
    const [first] = cycles;
    super('ORC-202', `these tasks wait for each other: ${cycles.map(cycle => cycle.join(' -> ')).join('; ')}`, {
      class: 'invalid_input',
      help: ['remove one of the dependencies of each circle'],
    });
    this.name = 'CircularDependencyError';
    this.cycle = first!;
    this.cycles = cycles;
  }
}

/** A task depends on one that does not exist. */
export class MissingDependencyError extends OrchestratorError {
  readonly task: string;
  readonly dependency: string;

  constructor(task: string, dependency: string, known: Iterable<string>) {
    const near = nearest(dependency, known).map(id => `did you mean \`${id}\`?`);
    super('ORC-201', `task \`${task}\` depends on \`${dependency}\`, which does not exist`, { class: 'invalid_input', help: near.slice(0, 1) });
    this.name = 'MissingDependencyError';
    this.task = task;
    this.dependency = dependency;
  }
}

/** The ids in an order in which each task comes after all that it depends on: by level, then as given. Throws MissingDependencyError or CircularDependencyError. */
export function resolveDependencies(tasks: readonly Dependent[]): string[] {
  return levels(tasks).flat();
}

/** The ids in levels: the first needs nothing, each other one only what stands in levels before it. */
export function levels(tasks: readonly Dependent[]): string[][] {
  const needs = readNeeds(tasks);
  const cycles = findCycles(tasks.length, needs);
  if (cycles.length > 0) throw new CircularDependencyError(cycles.map(cycle => cycle.map(index => tasks[index]!.id)));
  const result: string[][] = [];
  for (const [index, level] of levelsOf(tasks.length, needs).entries()) (result[level] ??= []).push(tasks[index]!.id);
  return result;
}

function readNeeds(tasks: readonly Dependent[]): Needs {
  const indexes = new Map(tasks.map(({ id }, index) => [id, index]));
  const needs = tasks.map(({ id, dependencies = [] }) =>
    [...new Set(dependencies)].map(dependency => {
      const index = indexes.get(dependency);
      if (index === undefined) throw new MissingDependencyError(id, dependency, indexes.keys());
      return index;
    }),
  );
  return node => needs[node]!;
}

/** The guide's resolver of the order of tasks. */
export class DependencyResolver {
  /** Ids in an order that respects all dependencies. Throws CircularDependencyError, MissingDependencyError. */
  resolveDependencies(tasks: readonly Dependent[]): string[] {
    return resolveDependencies(tasks);
  }

  levels(tasks: readonly Dependent[]): string[][] {
    return levels(tasks);
  }
}
