import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { OrchestratorError } from '../errors.ts';
import { completeInputs, initial, type Computing } from '../engine/index.ts';
import { nearest } from '../ids.ts';
import { isObject, type JsonObject } from '../json.ts';
import type { Diagnostic } from '../language/diagnostic.ts';
import type { CompileLimits } from '../plan/compile.ts';
import { decodePlan, encodePlan, type Plan } from '../plan/index.ts';
import type { ActionSpec } from '../tools/port.ts';
import type { PackedDiagnostics } from './diagnostics.ts';

/** A compiled pipeline with the text of its plan, so that many runs of it are started without compiling again. */
export interface Compiled {
  plan: Plan;
  /** The plan as the store keeps it. */
  body: string;
  /** Warnings and notes; errors never get here. */
  diagnostics: Diagnostic[];
}

/** The pipeline has problems: all of them, with positions. */
export class ValidationError extends OrchestratorError {
  declare readonly diagnostics: Diagnostic[];

  constructor(diagnostics: Diagnostic[]) {
    const errors = diagnostics.filter(diagnostic => diagnostic.severity === 'error');
    const first = errors[0]!;
    super(first.code, errors.length === 1 ? first.message : `${first.message} (and ${errors.length - 1} more)`, {
      class: 'invalid_input',
      help: first.help ?? [],
    });
    this.name = 'ValidationError';
    // Not enumerable: a program that prints the error would print its whole source with it.
    Object.defineProperty(this, 'diagnostics', { value: diagnostics, enumerable: false });
  }
}

/** Files above this size are compiled in a process of their own, which gives the memory of the YAML back. */
const OWN_PROCESS_BYTES = 1024 * 1024;
/** More files than these are no help. */
const FILES_SHOWN = 8;

export interface CompileOptions {
  strict?: boolean;
  /** Those of the configuration. */
  limits?: CompileLimits | undefined;
}

/** What the process that compiles apart is told. */
export interface CompileOrder extends CompileOptions {
  file: string;
  path: string;
  folder: string;
  actions: ActionSpec[];
}

/** Compiles a file as `validate` does: nothing is executed, connected to or imported. Throws ValidationError, ORC-517. */
export async function compileFile(file: string, cwd: string, actions: ActionSpec[], options: CompileOptions = {}): Promise<Compiled> {
  const path = resolve(cwd, file);
  const text = readSource(path, file);
  return text.length > OWN_PROCESS_BYTES
    ? compileApart({ file, path, folder: dirname(path), actions, ...options })
    : compileText(file, text, dirname(path), actions, options);
}

async function compileApart(order: CompileOrder): Promise<Compiled> {
  const { spawn } = await import('node:child_process');
  const { unpackDiagnostics } = await import('./diagnostics.ts');
  const own = new URL(import.meta.url.endsWith('.ts') ? '../runtime/compiler.ts' : '../runtime/compiler.js', import.meta.url);
  const child = spawn(process.execPath, [...process.execArgv, fileURLToPath(own)], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(order));
  let output = '';
  for await (const piece of child.stdout.setEncoding('utf8')) output += piece as string;
  const code = child.exitCode ?? (await new Promise<number | null>(done => child.once('close', done)));
  if (code !== 0)
    throw new OrchestratorError('ORC-700', `the compiler process ended with ${code === null ? 'a signal' : `code ${code}`}`, { class: 'internal' });
  const end = output.indexOf('\n');
  const answer = JSON.parse(output.slice(0, end)) as { valid: boolean; diagnostics: PackedDiagnostics };
  const diagnostics = unpackDiagnostics(answer.diagnostics);
  if (!answer.valid) throw new ValidationError(diagnostics);
  const body = output.slice(end + 1);
  return { plan: decodePlan(body), body, diagnostics };
}

export function readSource(path: string, asGiven: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const words =
      code === 'ENOENT' ? `there is no file ${asGiven}` : code === 'EISDIR' ? `${asGiven} is a folder, and not a file` : `${asGiven} cannot be read: ${code}`;
    throw new OrchestratorError('ORC-517', words, { class: 'not_found', help: filesNear(path, asGiven) });
  }
}

/** What may have been meant by a path that is no file: a name that is near, else the pipelines that lie there. */
function filesNear(path: string, asGiven: string): string[] {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  const folder = isFolder ? path : dirname(path);
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder, { withFileTypes: true }).flatMap(entry => (entry.isFile() && /\.(ya?ml|json)$/.test(entry.name) ? [entry.name] : []));
  const named = (file: string): string => join(isFolder ? asGiven : dirname(asGiven), file);
  const near = isFolder ? [] : nearest(basename(path), files, 1);
  if (near.length > 0) return [`did you mean ${named(near[0]!)}?`];
  return files.length > 0 && files.length <= FILES_SHOWN ? [`there is: ${files.map(named).join(', ')}`] : [];
}

/** Compiles a text; `folder` is where the files that it names are looked for. Throws ValidationError. */
export async function compileText(file: string, text: string, folder: string, actions: ActionSpec[], options: CompileOptions = {}): Promise<Compiled> {
  const { plan, body, diagnostics } = await compileHere(file, text, folder, actions, options);
  if (plan === null) throw new ValidationError(diagnostics);
  return { plan, body, diagnostics };
}

export async function compileHere(
  file: string,
  text: string,
  folder: string,
  actions: ActionSpec[],
  { strict = false, limits }: CompileOptions,
): Promise<{ plan: Plan | null; body: string; diagnostics: Diagnostic[] }> {
  const { compile } = await import('../plan/compile.ts');
  const { plan, diagnostics } = compile({ file, text, read: path => readInside(folder, path), actions, strict, ...(limits === undefined ? {} : { limits }) });
  return { plan, body: plan === null ? '' : encodePlan(plan), diagnostics };
}

/** The text of a file within the pipeline's folder, or null where it is absent or leads outside, also through links. */
export function readInside(folder: string, path: string): string | null {
  if (isAbsolute(path) || path.includes('\0')) return null;
  try {
    const root = realpathSync(folder);
    const real = realpathSync(resolve(root, path));
    const inside = relative(root, real);
    if (inside.startsWith(`..${sep}`) || inside === '..' || isAbsolute(inside)) return null;
    return readFileSync(real, 'utf8');
  } catch {
    return null;
  }
}

/** Inputs of a run: what was given, checked, with the defaults; those whose default is an AUTO tag stay open until the run asks. Throws ORC-115. */
export function startInputs(plan: Plan, given: JsonObject, host: Computing['host']): JsonObject {
  const computing: Computing = { plan, state: initial(), run: '', host, load: ref => ('v' in ref ? ref.v : null) };
  const asked = new Set(plan.inputs.filter(input => (input.autos?.length ?? 0) > 0 && !Object.hasOwn(given, input.name)).map(input => input.name));
  const inputs = completeInputs(
    plan.inputs.filter(input => !asked.has(input.name)),
    given,
    computing,
  );
  return isObject(inputs) ? inputs : {};
}
