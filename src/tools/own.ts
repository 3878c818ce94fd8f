import { readFile } from 'node:fs/promises';
import { relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { OrchestratorError } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { canonicalJson, isObject, type Json, type JsonObject } from '../json.ts';
import { actionSpecs, findAction } from './index.ts';
import { withFilledParameters } from './parameters.ts';
import type { Action, ActionSpec, EffectClass, Power } from './port.ts';

/** One module of own actions as it was when it was recorded. */
export interface ModuleRecord {
  /** Path relative to the folder of the manifest, with slashes. */
  file: string;
  sha256: string;
  actions: ActionSpec[];
}

/** `orchestrator.actions.json`: what validate, plan and lsp know of own actions without loading a line of them. */
export interface ActionManifest {
  v: 1;
  modules: ModuleRecord[];
}

const EFFECTS: readonly EffectClass[] = ['pure', 'read', 'idempotent', 'keyed', 'effectful'];
const POWERS: readonly Power[] = ['files', 'network', 'shell', 'code', 'model'];
const NAME = /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$/;
const SYNC_HELP = ['orchestrator actions sync'];

function moduleError(file: string, message: string, help: string[] = [], cause?: unknown): OrchestratorError {
  return new OrchestratorError('ORC-513', `${file}: ${message}`, {
    class: 'invalid_input',
    help,
    details: { file },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** What is wrong with a specification, or undefined. */
function specProblem(spec: JsonObject): string | undefined {
  const { name, summary, effect, powers, parameters, result } = spec;
  if (typeof name !== 'string' || !NAME.test(name)) return `${JSON.stringify(name ?? null)} is no name for an action; write one such as weather.today`;
  if (findAction(name) !== undefined) return `the name ${name} belongs to a built-in action`;
  if (typeof summary !== 'string' || summary === '') return `the action ${name} needs a summary of one line`;
  if (!EFFECTS.some(known => known === effect)) return `the effect of ${name} must be one of ${EFFECTS.join(', ')}`;
  if (!Array.isArray(powers) || !powers.every(power => POWERS.some(known => known === power)))
    return `the powers of ${name} must be a list of ${POWERS.join(', ')}`;
  if (!isObject(parameters) || parameters['type'] !== 'object') return `the parameters of ${name} must be a JSON Schema with type: object`;
  if (typeof result !== 'boolean' && !isObject(result)) return `the result of ${name} must be a JSON Schema`;
  if ('engine' in spec || 'provider' in spec) return `${name} may not say engine or provider`;
  return undefined;
}

/** Whether a value survives as plain data, which is what a manifest can hold. */
function isPlain(value: unknown): value is Json {
  try {
    return canonicalJson(value as Json) === canonicalJson(JSON.parse(JSON.stringify(value)) as Json);
  } catch {
    return false;
  }
}

/** Declares an action of one's own: gives it back, typed, after a look at its specification. */
export function defineAction(action: Action): Action {
  const [spec] = actionSpecs([action]);
  const problem = isPlain(spec) ? specProblem(spec as unknown as JsonObject) : 'the specification of an action must be plain data';
  if (problem !== undefined) throw new OrchestratorError('ORC-513', `This is not an action: ${problem}.`, { class: 'invalid_input' });
  if (typeof action.run !== 'function')
    throw new OrchestratorError('ORC-513', `The action ${action.name} needs a function run(parameters, context).`, { class: 'invalid_input' });
  return action;
}

function isActionLike(value: unknown): value is Action {
  return isObject(value) && typeof value['run'] === 'function' && 'name' in value;
}

/** Imports a module and gives the actions that it exports, one by one, in lists, or as its default; they find the defaults of their schemas filled in. This runs the module's code. */
export async function loadModule(file: string, shown = file): Promise<Action[]> {
  let exported: Record<string, unknown>;
  try {
    exported = (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
  } catch (error) {
    throw moduleError(shown, `the module cannot be loaded: ${error instanceof Error ? error.message : String(error)}`, [], error);
  }
  const actions = [...new Set(Object.values(exported).flat())].filter(isActionLike);
  if (actions.length === 0) throw moduleError(shown, 'the module exports no action', ["export const weather = defineAction({ name: 'weather.today', … })"]);
  const names = new Set<string>();
  for (const action of actions) {
    try {
      defineAction(action);
    } catch (error) {
      throw moduleError(shown, (error as Error).message);
    }
    if (names.has(action.name)) throw moduleError(shown, `the action ${action.name} is exported twice`);
    names.add(action.name);
  }
  return actions.map(withFilledParameters);
}

/** Imports the modules once and gives the text of their manifest. `folder` is where the manifest will lie. */
export async function syncManifest(files: string[], folder: string): Promise<string> {
  const modules: ModuleRecord[] = [];
  const owners = new Map<string, string>();
  for (const file of files) {
    const path = resolve(folder, file);
    const shown = relative(folder, path).split(sep).join('/');
    const hash = sha256(await readModule(path, shown));
    const actions = actionSpecs(await loadModule(path, shown));
    for (const { name } of actions) {
      const other = owners.get(name);
      if (other !== undefined) throw moduleError(shown, `the action ${name} is already in ${other}`);
      owners.set(name, shown);
    }
    modules.push({ file: shown, sha256: hash, actions });
  }
  return `${JSON.stringify({ v: 1, modules } satisfies ActionManifest, null, 2)}\n`;
}

async function readModule(path: string, shown: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw moduleError(shown, `the module cannot be read: ${(error as Error).message}`, [], error);
  }
}

function manifestError(message: string): OrchestratorError {
  return moduleError('orchestrator.actions.json', message, SYNC_HELP);
}

/** Reads the text of a manifest; nothing is loaded. */
export function readManifest(text: string): ActionManifest {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    throw manifestError('the manifest is not JSON');
  }
  if (!isObject(value) || value['v'] !== 1 || !Array.isArray(value['modules'])) throw manifestError('the manifest is not one of version 1');
  for (const module of value['modules']) {
    if (!isObject(module) || typeof module['file'] !== 'string' || typeof module['sha256'] !== 'string' || !Array.isArray(module['actions']))
      throw manifestError('a module of the manifest lacks file, sha256 or actions');
    for (const spec of module['actions']) {
      const problem = isObject(spec) ? specProblem(spec) : 'an action is not an object';
      if (problem !== undefined) throw manifestError(problem);
    }
  }
  return value as unknown as ActionManifest;
}

/** Loads a recorded module for a run; one that differs from its record is refused before any of its code runs. */
export async function loadRecorded(record: ModuleRecord, folder: string): Promise<Action[]> {
  const path = resolve(folder, record.file);
  if (sha256(await readModule(path, record.file)) !== record.sha256) throw moduleError(record.file, 'the module is not the one that was recorded', SYNC_HELP);
  const actions = await loadModule(path, record.file);
  if (canonicalJson(actionSpecs(actions) as unknown as Json) !== canonicalJson(record.actions as unknown as Json))
    throw moduleError(record.file, 'the module declares other actions than were recorded', SYNC_HELP);
  return actions;
}
