import type { Code } from '../codes.ts';
import { position, type Details, type Path, type Reporter, type Source, type Span } from '../language/index.ts';
import type { InputSpec, Pipeline, Task } from '../language/pipeline.ts';

import type { JsonSchema } from '../json.ts';
import type { ActionSpec } from '../tools/port.ts';
import type { Block, Place, Plan, PlanAuto, PlanTask } from './plan.ts';
import type { Scope } from './scope.ts';

export interface CompileLimits {
  /** Size of one file. */
  fileMiB: number;
  /** Tasks of a plan, sub-pipelines and handlers included. */
  tasks: number;
}

export interface CompileRequest {
  /** The name under which the user knows the file. */
  file: string;
  text: string;
  /** Reads a file relative to the folder of the pipeline file; null where it is absent or lies outside. */
  read(path: string): string | null;
  /** The actions that exist, as data. */
  actions: readonly ActionSpec[];
  /** What is usually a warning is an error. */
  strict?: boolean;
  limits?: Partial<CompileLimits>;
}

/** What grows while a pipeline and those that it runs are compiled. */
export interface Compilation {
  request: CompileRequest;
  strict: boolean;
  limits: CompileLimits;
  catalog: ReadonlyMap<string, ActionSpec>;
  /** Every parsed file by its path from the folder of the pipeline; null where it cannot be parsed. */
  units: Map<string, ParsedFile>;
  files: Plan['files'];
  inclusions: Plan['inclusions'];
  actions: Plan['actions'];
  blocks: Block[];
  /** Shapes of results as far as they were asked for. */
  results: WeakMap<Task, JsonSchema>;
  /** Files that the texts of a task include, for its hash. */
  included: WeakMap<PlanTask, Set<string>>;
  taskCount: number;
  /** Lists of names to search for a near one that are left; keeps a file full of mistakes linear. */
  suggestions: number;
}

export interface ParsedFile {
  source: Source;
  pipeline: Pipeline | null;
  reporter: Reporter;
  /** Index in `files`. */
  file: number;
}

/** One pipeline file being compiled, as it was reached. */
export interface Unit extends ParsedFile {
  pipeline: Pipeline;
  /** Its path from the folder of the main pipeline file, and the folder of that path (empty, or with a slash at the end). */
  path: string;
  folder: string;
  caller: Unit | null;
  inputs: ReadonlyMap<string, InputSpec>;
  usedInputs: Set<string>;
}

/** Where a value stands, while it is checked and made part of the plan. */
export interface Site {
  compilation: Compilation;
  unit: Unit;
  scope: Scope;
  path: Path;
  /** What it is to its task: `parameters.query`, `condition`. */
  target: string;
  /** A condition: it fails closed (S10), so what the compiler does not know is a warning only. */
  lenient: boolean;
  /** Where AUTO tags are collected; null where none may stand. */
  autos: PlanAuto[] | null;
  /** The value goes to an action, which may unwrap secrets. */
  secrets: boolean;
  /** Collects the files that its texts include. */
  included: Set<string>;
}

export function place(unit: Unit, offset: number): Place {
  const { line, column } = position(unit.source, offset);
  return [unit.file, line, column];
}

/** Reports a problem of this kind of place: an error, but a warning where the place is lenient. */
export function reportAt(site: Site, code: Code, span: Span, message: string, details: Details = {}): void {
  const here = { path: site.path, ...details };
  if (site.lenient) site.unit.reporter.warn(code, span, message, here);
  else site.unit.reporter.error(code, span, message, here);
}

/** Counts one more task of the plan; false, and a problem for the first of them, where that is too many. */
export function countTask(compilation: Compilation, unit: Unit, span: Span, path: Path): boolean {
  const { tasks } = compilation.limits;
  compilation.taskCount++;
  if (compilation.taskCount === tasks + 1)
    unit.reporter.error('ORC-605', span, `the plan has more than ${tasks} tasks, sub-pipelines and what handlers copy included`, {
      path,
      label: 'one too many',
      help: ['limits.tasks in the configuration allows more'],
    });
  return compilation.taskCount <= tasks;
}
