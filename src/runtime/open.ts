import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseDuration } from '../duration.ts';
import type { Clock } from '../clock.ts';
import { OrchestratorError } from '../errors.ts';
import type { Json } from '../json.ts';
import type { Diagnostic } from '../language/diagnostic.ts';
import { ModelRegistry as Registry, openModels, type Models, type OpenModelsOptions } from '../models/index.ts';
import { openStore, type Store } from '../store/index.ts';
import { actionSpecs, BUILTIN_ACTIONS, type Action, type ActionSpec } from '../tools/index.ts';
import type { ActionManifest } from '../tools/own.ts';
import { loadConfig, type ConfigOptions, type LoadedConfig } from './config/index.ts';
import { guardKeys } from './keys.ts';
import { Secrets } from './secrets.ts';
import { modelKeeper, sharedLimits } from './sharing.ts';
import { EmbeddedShell } from './shell.ts';

const MANIFEST = 'orchestrator.actions.json';
/** Effects under way at once in one process, unless the options say otherwise. */
const CONCURRENCY = 256;

export interface OpenShellOptions extends ConfigOptions {
  /** Own actions, beside the built-in ones and those that the configuration names. */
  actions?: Action[];
  concurrency?: number;
  /** Told what of a configuration was left out because nobody trusted it (ORC-510), and what of it has no effect (ORC-519). */
  onWarning?: (warning: Diagnostic) => void;
  /** Models in the place of those that the configuration names. */
  models?: Models;
  /** Opens the store for looking only. */
  readOnly?: boolean;
  /** In the place of the machine's. */
  clock?: Clock;
}

/** The actions that a configuration knows, as data: nothing is loaded. Compiling needs no more. */
export function knownActions(loaded: LoadedConfig, own: readonly Action[] = []): ActionSpec[] {
  return [...actionSpecs(), ...actionSpecs(own), ...recorded(loaded).modules.flatMap(module => module.actions)];
}

function recorded(loaded: LoadedConfig): ActionManifest {
  const path = join(loaded.folder, MANIFEST);
  if (loaded.config.actions.length === 0 || !existsSync(path)) return { v: 1, modules: [] };
  return JSON.parse(readFileSync(path, 'utf8')) as ActionManifest;
}

/** Opens a shell over the store, models, policy and actions that the configuration names. */
export async function openShell(options: OpenShellOptions): Promise<EmbeddedShell> {
  const loaded = loadConfig(options);
  for (const warning of [...loaded.warnings, ...loaded.idle]) options.onWarning?.(warning);
  const { config } = loaded;
  const own = [...(options.actions ?? []), ...(await ownActions(loaded))];
  const store = await openStore(loaded.stateUrl, options.readOnly === undefined ? {} : { readOnly: options.readOnly });
  const secrets = new Secrets(name => loaded.secret(name));
  const resolve = guardKeys(secrets, loaded, options.env);
  return new EmbeddedShell({
    cwd: options.cwd,
    store,
    stateFolder: loaded.stateUrl.startsWith('sqlite:') ? dirname(loaded.stateUrl.slice('sqlite:'.length)) : undefined,
    models:
      options.models ??
      modelsOf({ ...loaded, resolve }, options.env, {
        limits: sharedLimits(store),
        keeper: modelKeeper(store),
        ...(options.clock === undefined ? {} : { clock: options.clock }),
      }),
    budget: config.budget,
    policy: config.policy,
    limits: { fileMiB: config.limits.file_mib, tasks: config.limits.tasks },
    secrets,
    actions: [...BUILTIN_ACTIONS, ...own],
    concurrency: options.concurrency ?? CONCURRENCY,
    program: PROGRAM,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
}

/** What an environment has kept, and its models, for looking only: a store that is not there is an empty one, and none is made. */
export async function openRecords(options: ConfigOptions): Promise<{ store: Store; models: Models; close(): Promise<void> }> {
  const loaded = loadConfig(options);
  const url = loaded.stateUrl;
  const isThere = !url.startsWith('sqlite:') || existsSync(url.slice('sqlite:'.length));
  const store = isThere ? await openStore(url, { readOnly: true }) : await openStore('memory:');
  const models = modelsOf({ ...loaded, resolve: guardKeys(new Secrets(name => loaded.secret(name)), loaded, options.env) }, options.env);
  const close = async (): Promise<void> => {
    await models.close();
    await store.close();
  };
  return { store, models, close };
}

/** The models of a configuration. Nothing is loaded or asked before a model is. */
function modelsOf(
  { config, folder, resolve }: LoadedConfig,
  env: NodeJS.ProcessEnv,
  shared: Pick<OpenModelsOptions, 'limits' | 'keeper' | 'clock'> = {},
): Models {
  const { url, ttl, secret } = config.cache;
  const cache = { url: resolve(url), ttlMs: parseDuration(ttl) ?? 0, ...(secret === undefined ? {} : { secret: resolve(secret) }) };
  return openModels(config.models as Json, { env, folder, resolve, cache, ...shared });
}

/** The models of an environment: the default one, unless the options say otherwise. */
export class ModelRegistry extends Registry {
  constructor({ cwd = process.cwd(), ...options }: Partial<Omit<ConfigOptions, 'env'>> = {}) {
    super({ open: () => modelsOf(loadConfig({ cwd, env: process.env, ...options }), process.env) });
  }
}

/** Name and version for the journal. */
export const PROGRAM = `orchestrator ${(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version}`;

/** Modules of own actions that the configuration names, each as `actions sync` recorded it. */
async function ownActions(loaded: LoadedConfig): Promise<Action[]> {
  if (loaded.config.actions.length === 0) return [];
  const path = join(loaded.folder, MANIFEST);
  if (!existsSync(path))
    throw new OrchestratorError('ORC-513', `the configuration names modules of own actions, and there is no ${MANIFEST} beside it`, {
      class: 'invalid_input',
      help: ['orchestrator actions sync'],
    });
  const { loadRecorded, readManifest } = await import('../tools/own.ts');
  const { modules } = readManifest(readFileSync(path, 'utf8'));
  return (await Promise.all(modules.map(module => loadRecorded(module, loaded.folder)))).flat();
}
