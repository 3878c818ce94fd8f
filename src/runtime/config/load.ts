import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { OrchestratorError } from '../../errors.ts';
import { nearest } from '../../ids.ts';
import { isObject, own, setOwn, type Json, type JsonObject } from '../../json.ts';
import type { Diagnostic } from '../../language/diagnostic.ts';
import { ConfigError, readConfigFile, type ConfigFile } from './file.ts';
import { findIdle } from './idle.ts';
import { PROVIDER_TYPES } from './models.ts';
import { absolutePath, hasReference, resolveReferences } from './references.ts';
import { DEFAULTS, type Config } from './schema.ts';
import { ADDRESS_KEYS, isTrusted, leftOut, trustRecordFile, withoutPowers } from './trust.ts';

export const CONFIG_NAME = 'orchestrator.config.yaml';

export interface ConfigOptions {
  /** Where the search for a project file begins. */
  cwd: string;
  env: { [name: string]: string | undefined };
  /** `--config FILE`: read instead of a project file, and trusted. */
  configFile?: string;
  /** `--env NAME`; else ORCHESTRATOR_ENV. */
  environment?: string;
  /** A store that wins over file and environment variable. */
  state?: string;
}

export interface LoadedConfig {
  config: Config;
  /** The files that were read, the stronger one last. */
  files: { path: string; role: 'user' | 'project' | 'given'; trusted: boolean }[];
  /** Where relative paths of the configuration begin: the folder of the project file, else the working folder. */
  folder: string;
  /** `config.state.url`, ready to be opened: references resolved, paths absolute. */
  stateUrl: string;
  environment: string | undefined;
  /** What was left out because nobody trusted it (ORC-510). */
  warnings: Diagnostic[];
  /** What the files set and this version does not act on (ORC-519). */
  idle: Diagnostic[];
  /** The value behind a name of `secrets:`, looked up now; undefined where the name is not configured. Throws ORC-119 where what it refers to is not there. */
  secret(name: string): string | undefined;
  /** Puts what references stand for into a text of the configuration. Throws ORC-119. */
  resolve(text: string): string;
  /** Makes a path of the configuration absolute. */
  path(path: string): string;
}

/** The folder of the user's own configuration: `~/.config/orchestrator`. */
export function userFolder(env: ConfigOptions['env']): string {
  return join(env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config'), 'orchestrator');
}

/** The nearest project file, from `cwd` upwards. */
export function findConfig(cwd: string): string | undefined {
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const path = join(folder, CONFIG_NAME);
    if (existsSync(path)) return path;
    if (folder === dirname(folder)) return undefined;
  }
}

/** Reads the user's file and the project's (or the one given), lays them over the defaults, and leaves out what may not grant power. Throws ConfigError. */
export function loadConfig(options: ConfigOptions): LoadedConfig {
  const { cwd, env } = options;
  const environment = options.environment ?? (env['ORCHESTRATOR_ENV'] || undefined);
  const layers = readLayers(options);
  checkEnvironment(environment, layers);
  const warnings: Diagnostic[] = [];
  const idle: Diagnostic[] = [];
  let value = structuredClone(DEFAULTS) as unknown as JsonObject;
  for (const layer of layers) {
    const kept = layer.trusted ? { value: layer.file.value, warnings: [] } : withoutPowers(layer.file, environment);
    warnings.push(...kept.warnings);
    idle.push(...findIdle({ ...layer.file, value: kept.value }, environment));
    const beneath = value;
    value = lay(value, chosen(kept.value, environment));
    if (!layer.trusted) warnings.push(...guardProviders(beneath, value, layer.file), ...guardBudget(beneath, value, layer.file));
  }
  const config = value as unknown as Config;
  checkTypes(config, layers, environment);
  const project = layers.find(layer => layer.role !== 'user');
  const folder = project === undefined ? resolve(cwd) : dirname(resolve(project.file.path));
  const resolveText = (text: string): string => (hasReference(text) ? resolveReferences(text, { env, folder }) : text);
  const fromVariable = env['ORCHESTRATOR_STATE_URL'] || undefined;
  const stateUrl = options.state ?? fromVariable;
  return {
    config,
    files: layers.map(({ file, role, trusted }) => ({ path: file.path, role, trusted })),
    folder,
    stateUrl: stateUrl === undefined ? absoluteUrl(resolveText(config.state.url), folder) : absoluteUrl(stateUrl, resolve(cwd)),
    environment,
    warnings,
    idle,
    secret: name => (Object.hasOwn(config.secrets, name) ? resolveText(config.secrets[name]!) : undefined),
    resolve: resolveText,
    path: path => absolutePath(resolveText(path), folder),
  };
}

interface Layer {
  file: ConfigFile;
  role: 'user' | 'project' | 'given';
  trusted: boolean;
}

function readLayers({ cwd, env, configFile }: ConfigOptions): Layer[] {
  const layers: Layer[] = [];
  const own = join(userFolder(env), 'config.yaml');
  if (existsSync(own)) layers.push({ file: readConfigFile(own, cwd), role: 'user', trusted: true });
  if (configFile !== undefined) {
    layers.push({ file: readConfigFile(resolve(cwd, configFile), cwd), role: 'given', trusted: true });
    return layers;
  }
  const found = findConfig(cwd);
  if (found !== undefined) {
    const file = readConfigFile(found, cwd);
    layers.push({ file, role: 'project', trusted: env['ORCHESTRATOR_TRUST'] === '1' || isTrusted(file, trustRecordFile(userFolder(env))) });
  }
  return layers;
}

function checkEnvironment(environment: string | undefined, layers: Layer[]): void {
  if (environment === undefined) return;
  const known = layers.flatMap(({ file }) => Object.keys(isObject(file.value['environments']) ? file.value['environments'] : {}));
  if (known.includes(environment)) return;
  const near = nearest(environment, known, 1)[0];
  const help =
    near !== undefined
      ? `did you mean \`${near}\`?`
      : known.length > 0
        ? `environments: ${known.join(', ')}`
        : `add it to ${CONFIG_NAME}: environments: { ${environment}: { … } }`;
  throw new OrchestratorError('ORC-119', `the configuration has no environment called \`${environment}\``, { class: 'invalid_input', help: [help] });
}

/** A provider says its type, or is called by it; only together do the files say all of it. */
function checkTypes({ models }: Config, layers: Layer[], environment: string | undefined): void {
  for (const [name, provider] of Object.entries(models.providers)) {
    if (provider['type'] !== undefined || PROVIDER_TYPES.has(name)) continue;
    const paths = [...(environment === undefined ? [] : [['environments', environment, 'models', 'providers', name]]), ['models', 'providers', name]];
    const places = layers.toReversed().flatMap(({ file }) => paths.flatMap(path => (file.has(path) ? [{ file, path }] : [])));
    const [{ file, path }] = places as [(typeof places)[number]];
    throw new ConfigError([
      {
        code: 'ORC-119',
        severity: 'error',
        message: `the provider \`${name}\` does not say of which type it is`,
        source: file.source,
        span: file.spanOf(path, true),
        label: 'needs `type`',
        path: path.join('.'),
        help: [
          `${provider['base_url'] === undefined ? 'one of' : 'for most servers of your own: type: openai-compatible; one of'}: ${[...PROVIDER_TYPES].join(', ')}`,
        ],
      },
    ]);
  }
}

/** A file's value with the chosen variant laid over it. */
function chosen(value: JsonObject, environment: string | undefined): JsonObject {
  const { environments, ...base } = value;
  const variant = environment !== undefined && isObject(environments) ? own(environments, environment) : undefined;
  return isObject(variant) ? lay(base, variant) : base;
}

/** One value over another: maps member by member, anything else as a whole. */
function lay(under: JsonObject, over: JsonObject): JsonObject {
  const result: JsonObject = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const beneath: Json | undefined = own(under, key);
    setOwn(result, key, isObject(value) && isObject(beneath) ? lay(beneath, value) : value);
  }
  return result;
}

/** A file that nobody trusts may not give another address, or another price, to a provider that a stronger file has named. */
function guardProviders(beneath: JsonObject, value: JsonObject, file: ConfigFile): Diagnostic[] {
  const before = (beneath as unknown as Config).models;
  const after = (value as unknown as Config).models;
  const warnings: Diagnostic[] = [];
  for (const name of Object.keys(before.providers)) {
    if (ADDRESS_KEYS.every(key => after.providers[name]?.[key] === before.providers[name]?.[key])) continue;
    after.providers[name] = before.providers[name]!;
    warnings.push(leftOut(file, ['models', 'providers', name], 'gives another address to a provider of your own'));
  }
  const catalog = after['catalog'];
  if (!Array.isArray(catalog) || catalog === before['catalog']) return warnings;
  after['catalog'] = catalog.map((entry, i) => {
    if (!isObject(entry) || entry['cost'] === undefined || !Object.hasOwn(before.providers, String(entry['id']).split('/')[0]!)) return entry;
    warnings.push(leftOut(file, ['models', 'catalog', i, 'cost'], 'sets the price by which your spending is counted'));
    const { cost: _, ...rest } = entry;
    return rest;
  });
  return warnings;
}

/** A file that nobody trusts may cap spending lower than a stronger file, and not higher. */
function guardBudget(beneath: JsonObject, value: JsonObject, file: ConfigFile): Diagnostic[] {
  const before = (beneath as unknown as Config).budget;
  const after = (value as unknown as Config).budget;
  const tooMuch = (...path: string[]): Diagnostic => leftOut(file, ['budget', ...path], 'lets more be spent than your own file allows');
  const warnings = CAPS.flatMap(key => {
    if (!((after[key] ?? Infinity) > (before[key] ?? Infinity))) return [];
    after[key] = before[key]!;
    return [tooMuch(key)];
  });
  for (const [kind, every] of [
    ['pipelines', 'per_pipeline_usd'],
    ['users', 'per_user_usd'],
  ] as const) {
    for (const [name, cap] of Object.entries(after[kind] ?? {})) {
      const own = before[kind] !== undefined && Object.hasOwn(before[kind], name) ? before[kind][name]! : undefined;
      const most = own ?? before[every] ?? Infinity;
      if (cap <= most) continue;
      if (own === undefined) delete after[kind]![name];
      else after[kind]![name] = own;
      warnings.push(tooMuch(kind, name));
    }
  }
  return warnings;
}

const CAPS = ['per_call_usd', 'per_task_usd', 'per_run_usd', 'per_pipeline_usd', 'per_user_usd', 'per_day_usd'] as const;

function absoluteUrl(url: string, folder: string): string {
  if (!url.startsWith('sqlite:')) return url;
  return `sqlite:${absolutePath(url.slice('sqlite:'.length), folder)}`;
}
