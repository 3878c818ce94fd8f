import { makeSource, parse, Reporter, type Span } from '../language/index.ts';
import type { InputSpec, Pipeline, Task } from '../language/pipeline.ts';

import { sha256 } from '../hash.ts';
import type { Compilation, ParsedFile, Unit } from './compilation.ts';

/** Sub-pipelines within sub-pipelines. */
export const DEPTH_MAX = 16;

/** Why a sub-pipeline cannot be opened, and where the file names it. */
export interface SubPipelineProblem {
  problem: 'not-constant' | 'missing' | 'recursive' | 'deep' | 'broken';
  path: string;
  span: Span;
}

/** A path of a file within the folder of the main pipeline, without `.` and `..`; undefined where it leads out of it. */
function joinPath(folder: string, path: string): string | undefined {
  if (path.startsWith('/') || /^[a-z]:/i.test(path) || path.includes('\0')) return undefined;
  const parts: string[] = [];
  for (const part of `${folder}${path}`.replaceAll('\\', '/').split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join('/');
}

/** The parsed file, each only once; undefined where it is not there. */
export function openFile(compilation: Compilation, path: string, text: string | null, name: string): ParsedFile | undefined {
  const known = compilation.units.get(path);
  if (known !== undefined) return known;
  if (text === null) return undefined;
  const source = makeSource(name, text);
  const reporter = new Reporter(source, compilation.strict);
  const { strict, limits } = compilation;
  const { pipeline, diagnostics } = parse(source, { strict, fileLimitMiB: limits.fileMiB, taskLimit: limits.tasks });
  reporter.diagnostics.push(...diagnostics);
  const file: ParsedFile = { source, pipeline, reporter, file: compilation.files.length };
  compilation.files.push({ file: name, sha256: sha256(text), text });
  compilation.units.set(path, file);
  return file;
}

export function makeUnit(file: ParsedFile, pipeline: Pipeline, path: string, caller: Unit | null): Unit {
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  const inputs = new Map<string, InputSpec>(pipeline.inputs.map(input => [input.name, input]));
  return { ...file, pipeline, path, folder, caller, inputs, usedInputs: new Set() };
}

/** The pipeline that a task runs, or that it `ended`: it ran itself as deep as it may. What is wrong with it is reported where the task is built, and not here. */
export function openSubPipeline(compilation: Compilation, unit: Unit, task: Task): { unit: Unit } | SubPipelineProblem | { ended: true } {
  const given = task.parameters.entries.find(({ key }) => key === 'file');
  const span = given?.value.span ?? task.action?.span ?? task.idSpan;
  if (given?.value.kind !== 'literal' || typeof given.value.value !== 'string') return { problem: 'not-constant', path: '', span };
  const written = given.value.value;
  const path = joinPath(unit.folder, written);
  if (path === undefined) return { problem: 'missing', path: written, span };
  let depth = 0;
  let again = 0;
  for (let caller: Unit | null = unit; caller !== null; caller = caller.caller) {
    if (caller.path === path) again++;
    depth++;
  }
  const deepest = depthOf(task);
  if (again > 0 && deepest === undefined) return { problem: 'recursive', path, span };
  if (deepest !== undefined && again > deepest) return { ended: true };
  if (depth > DEPTH_MAX) return { problem: 'deep', path, span };
  const file = openFile(compilation, path, compilation.units.has(path) ? null : compilation.request.read(path), siblingName(compilation.request.file, path));
  if (file === undefined) return { problem: 'missing', path: written, span };
  if (file.pipeline === null) return { problem: 'broken', path, span };
  return { unit: makeUnit(file, file.pipeline, path, unit) };
}

/** How often the pipeline that a task runs may run itself. */
function depthOf(task: Task): number | undefined {
  const given = task.parameters.entries.find(({ key }) => key === 'max_depth')?.value;
  return given?.kind === 'literal' && typeof given.value === 'number' ? given.value : undefined;
}

/** The name of a file as the user knows it: beside the name of the main pipeline. */
function siblingName(main: string, path: string): string {
  return main.slice(0, Math.max(main.lastIndexOf('/'), main.lastIndexOf('\\')) + 1) + path;
}

/** Reads a file that a text includes, into the plan; undefined where it is not there. Gives the name under which the plan keeps it. */
export function includeFile(compilation: Compilation, unit: Unit, written: string): string | undefined {
  const path = joinPath(unit.folder, written);
  if (path === undefined) return undefined;
  const name = unit.folder === '' ? written : path;
  if (Object.hasOwn(compilation.inclusions, name)) return name;
  const text = compilation.request.read(path);
  if (text === null) return undefined;
  Object.defineProperty(compilation.inclusions, name, { value: text, enumerable: true, configurable: true, writable: true });
  return name;
}
