import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Diagnostic } from '../language/diagnostic.ts';
import { makeSource, type Source } from '../language/index.ts';
import { compile, type CompileResult } from '../plan/compile.ts';
import { DEFAULT_POLICY, actionSpecs, type ActionSpec, type Policy } from '../tools/index.ts';
import { deniedByPolicy, knownActions, loadConfig, readInside, readSource } from '../runtime/index.ts';
import { rootCausesFirst } from './frame.ts';
import { configOptions } from './opening.ts';
import type { Terminal } from './terminal.ts';

/** What compiling takes from the configuration: the actions that exist, and what the policy denies. Nothing of it decides whether a file is valid. */
export interface Surroundings {
  specs: ActionSpec[];
  policy: Policy;
  limits: { fileMiB: number; tasks: number } | undefined;
}

/** Where the configuration has problems of its own, files are still checked: against the built-in actions and the default policy. */
export function surroundingsOf(terminal: Terminal): Surroundings {
  try {
    const loaded = loadConfig(configOptions(terminal));
    const { limits, policy } = loaded.config;
    return { specs: knownActions(loaded), policy, limits: { fileMiB: limits.file_mib, tasks: limits.tasks } };
  } catch (error) {
    if (terminal.config !== undefined || terminal.environment !== undefined) throw error;
    return { specs: actionSpecs(), policy: DEFAULT_POLICY, limits: undefined };
  }
}

export interface CheckedFile {
  source: Source;
  result: CompileResult;
  /** Every problem, what the policy would refuse included. */
  diagnostics: Diagnostic[];
}

/** Reads a file, or standard input for `-`. Throws ORC-517. */
export function readPipeline(terminal: Terminal, file: string): { name: string; text: string; folder: string } {
  if (file === '-') return { name: '<stdin>', text: readFileSync(0, 'utf8'), folder: terminal.cwd };
  const path = resolve(terminal.cwd, file);
  return { name: file, text: readSource(path, file), folder: dirname(path) };
}

/** Compiles a text; nothing is executed, connected to or imported. */
export function checkPipeline(
  { name, text, folder }: { name: string; text: string; folder: string },
  { specs, policy, limits }: Surroundings,
  strict = false,
): CheckedFile {
  const result = compile({ file: name, text, read: path => readInside(folder, path), actions: specs, strict, ...(limits === undefined ? {} : { limits }) });
  const denied = result.pipeline === null ? [] : deniedByPolicy(result.pipeline, specs, policy);
  return { source: makeSource(name, text), result, diagnostics: rootCausesFirst([...result.diagnostics, ...denied]) };
}
