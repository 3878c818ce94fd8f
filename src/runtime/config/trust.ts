import { mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { sha256 } from '../../hash.ts';
import { isObject, own, setOwn, type Json, type JsonObject } from '../../json.ts';
import type { Diagnostic } from '../../language/diagnostic.ts';
import type { ConfigFile } from './file.ts';
import { KEYED_TYPES } from './models.ts';
import { absolutePath, filesIn, hasReference } from './references.ts';

type Path = (string | number)[];

/** A part of a configuration that grants power, and in which words. */
interface Power {
  path: Path;
  message: string;
}

/** Everything in a file (and in the environment that is laid over it) that counts only when somebody who may has said so. */
export function findPowers(file: ConfigFile, environment: string | undefined): Power[] {
  const environments = own(file.value, 'environments');
  const variant = environment !== undefined && isObject(environments) ? own(environments, environment) : undefined;
  const powers = powersOf(file.value, [], file.folder, {});
  if (isObject(variant)) powers.push(...powersOf(variant, ['environments', environment!], file.folder, providersOf(file.value)));
  return powers;
}

/** `beneath` are the providers over which those of the value are laid. */
function powersOf(value: JsonObject, base: Path, folder: string, beneath: JsonObject): Power[] {
  const at = (...path: Path): Json | undefined => path.reduce<Json | undefined>((here, part) => (isObject(here) ? own(here, String(part)) : undefined), value);
  const found: Power[] = [];
  const add = (path: Path, message: string): void => void found.push({ path: [...base, ...path], message });

  const shell = at('policy', 'shell');
  if (shell !== undefined && shell !== 'deny') add(['policy', 'shell'], 'lets pipelines start programs');
  if (at('policy', 'code') === 'allow') add(['policy', 'code'], 'lets pipelines run code');
  if (at('policy', 'network', 'private') === 'allow') add(['policy', 'network', 'private'], 'lets pipelines reach private addresses');
  const roots = at('policy', 'files', 'roots');
  if (Array.isArray(roots) && roots.some(root => typeof root === 'string' && isOutside(root, folder)))
    add(['policy', 'files', 'roots'], 'lets pipelines read and write outside this folder');

  const store = at('state', 'url');
  if (typeof store === 'string' && storeIsOutside(store, folder)) add(['state', 'url'], 'keeps runs outside this folder');
  const cache = at('cache', 'url');
  if (typeof cache === 'string' && !/^memory:?$/.test(cache)) add(['cache', 'url'], 'keeps results outside this folder');
  const backups = at('backup', 'dir');
  if (typeof backups === 'string' && isOutside(backups, folder)) add(['backup', 'dir'], 'writes backups outside this folder');
  const log = at('logging', 'file');
  if (typeof log === 'string' && isOutside(log, folder)) add(['logging', 'file'], 'writes a log outside this folder');

  for (const [name, server] of members(at('mcp', 'servers')))
    if (isObject(server) && own(server, 'command') !== undefined) add(['mcp', 'servers', name], 'starts a program of its own');
  if (at('actions') !== undefined) add(['actions'], 'loads modules of code');
  found.push(...powersOfModels(value, base, beneath));
  for (const [kind, path] of referencesIn(value, [], folder)) {
    if (!found.some(power => startsWith([...base, ...path], power.path))) add(path, kind === 'cmd' ? 'runs a command' : 'reads a file outside this folder');
  }
  return found;
}

function powersOfModels(value: JsonObject, base: Path, beneath: JsonObject): Power[] {
  const found: Power[] = [];
  const add = (path: Path, message: string): void => void found.push({ path: [...base, 'models', ...path], message });
  const models = own(value, 'models');
  const section: JsonObject = isObject(models) ? models : {};
  const providers = providersOf(value);
  for (const [name, provider] of members(providers)) {
    const under = own(beneath, name);
    if (isObject(provider) && sendsKey(name, isObject(under) ? { ...under, ...provider } : provider))
      add(['providers', name], 'sends a key of yours to an address that this file names');
  }
  if (own(section, 'hub') !== undefined) add(['hub'], 'says where models are downloaded from');
  const fallback = own(section, 'fallback');
  if (isObject(fallback) && own(fallback, 'may_cost_more') === true)
    add(['fallback', 'may_cost_more'], 'lets a model that costs more stand in for one that costs less');
  const catalog = own(section, 'catalog');
  for (const [i, entry] of (Array.isArray(catalog) ? catalog : []).entries()) {
    if (isObject(entry) && own(entry, 'cost') !== undefined && !isServedHere(String(entry['id']), { ...beneath, ...providers }))
      add(['catalog', i, 'cost'], 'sets the price by which your spending is counted');
  }
  return found;
}

function providersOf(value: JsonObject): JsonObject {
  const models = own(value, 'models');
  const providers = isObject(models) ? own(models, 'providers') : undefined;
  return isObject(providers) ? providers : {};
}

/** Whether the file itself says where the model is: a key of the user's, and so his money, is not spent there. */
function isServedHere(id: string, providers: JsonObject): boolean {
  const provider = own(providers, id.slice(0, id.indexOf('/')));
  return isObject(provider) && (own(provider, 'base_url') !== undefined || own(provider, 'type') === 'llama.cpp');
}

function members(value: Json | undefined): [string, Json][] {
  return isObject(value) ? Object.entries(value) : [];
}

function startsWith(path: Path, beginning: Path): boolean {
  return beginning.every((part, i) => path[i] === part);
}

/** Settings that make up the address to which a provider's requests go. */
export const ADDRESS_KEYS = ['base_url', 'resource_name', 'region'] as const;

function sendsKey(name: string, provider: JsonObject): boolean {
  if (ADDRESS_KEYS.every(key => own(provider, key) === undefined)) return false;
  if (hasReference(JSON.stringify(provider))) return true;
  const type = own(provider, 'type');
  return own(provider, 'api_key') === undefined && KEYED_TYPES.has(typeof type === 'string' ? type : name);
}

function isOutside(path: string, folder: string): boolean {
  if (hasReference(path)) return true;
  const inner = relative(folder, absolutePath(path, folder));
  return inner === '..' || inner.startsWith('../') || inner.startsWith('/');
}

function storeIsOutside(url: string, folder: string): boolean {
  if (/^memory:?$/.test(url)) return false;
  return !url.startsWith('sqlite:') || isOutside(url.slice('sqlite:'.length), folder);
}

/** Paths of all texts that hold a `${cmd:…}`, or a `${file:…}` that leads out of the folder. Variants that are not chosen are no concern. */
function referencesIn(value: Json, path: Path, folder: string): ['cmd' | 'file', Path][] {
  if (typeof value === 'string') {
    if (hasReference(value, 'cmd')) return [['cmd', path]];
    return filesIn(value).some(file => leadsOut(file, folder)) ? [['file', path]] : [];
  }
  if (Array.isArray(value)) return value.flatMap((item, i) => referencesIn(item, [...path, i], folder));
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, member]) => (path.length === 0 && key === 'environments' ? [] : referencesIn(member, [...path, key], folder)));
}

/** As `isOutside`, with links followed. */
function leadsOut(path: string, folder: string): boolean {
  if (isOutside(path, folder)) return true;
  try {
    return isOutside(realpathSync(absolutePath(path, folder)), realpathSync(folder));
  } catch {
    // What is not there is read by nobody.
    return false;
  }
}

/** Takes what grants power out of a file's value, and says so with its line and the command that would let it count. */
export function withoutPowers(file: ConfigFile, environment: string | undefined): { value: JsonObject; warnings: Diagnostic[] } {
  const value = structuredClone(file.value);
  const warnings = findPowers(file, environment).map(({ path, message }): Diagnostic => {
    remove(value, path);
    return leftOut(file, path, message);
  });
  return { value: warnings.length === 0 ? value : (withoutNulls(value) as JsonObject), warnings };
}

/** Says that a part of a file does not count, and why. */
export function leftOut(file: ConfigFile, path: Path, message: string): Diagnostic {
  const name = path.join('.');
  return {
    code: 'ORC-510',
    severity: 'warning',
    message: `\`${name}\` was left out: it ${message}, and nobody has trusted this file`,
    source: file.source,
    span: file.spanOf(path),
    label: 'does not count',
    path: name,
    help: [`read the file, then: orchestrator trust ${file.source.file}`],
  };
}

/** Lists without the holes that `remove` left in them. */
function withoutNulls(value: Json): Json {
  if (Array.isArray(value)) return value.filter(item => item !== null).map(withoutNulls);
  if (isObject(value)) for (const [key, member] of Object.entries(value)) setOwn(value, key, withoutNulls(member));
  return value;
}

function remove(value: JsonObject, path: Path): void {
  const parent = path
    .slice(0, -1)
    .reduce<Json | undefined>((here, part) => (Array.isArray(here) ? here[Number(part)] : isObject(here) ? own(here, String(part)) : undefined), value);
  const last = path.at(-1)!;
  // An element of a list keeps its place, so that the paths of its neighbours still hold.
  if (Array.isArray(parent)) parent[Number(last)] = null;
  else if (isObject(parent)) delete parent[last];
}

/** Files that somebody trusted: absolute path to the hash of the content that was read. */
type TrustRecord = { [path: string]: string };

function readRecord(recordFile: string): TrustRecord {
  try {
    const record: unknown = JSON.parse(readFileSync(recordFile, 'utf8'));
    return isObject(record) ? (record as TrustRecord) : {};
  } catch {
    // No record, or one that cannot be read: nothing is trusted.
    return {};
  }
}

function writeRecord(recordFile: string, record: TrustRecord): void {
  mkdirSync(dirname(recordFile), { recursive: true, mode: 0o700 });
  const draft = `${recordFile}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, recordFile);
}

/** Where trust is recorded: beside the user's own configuration. */
export function trustRecordFile(userFolder: string): string {
  return join(userFolder, 'trust.json');
}

export function isTrusted(file: Pick<ConfigFile, 'path' | 'text'>, recordFile: string): boolean {
  const record = readRecord(recordFile);
  const path = realpathSync(file.path);
  return Object.hasOwn(record, path) && record[path] === sha256(file.text);
}

/** Records that this file, with this content, may grant power. */
export function trustFile(file: Pick<ConfigFile, 'path' | 'text'>, recordFile: string): void {
  const record = readRecord(recordFile);
  writeRecord(recordFile, { ...record, [realpathSync(file.path)]: sha256(file.text) });
}

/** Takes the trust back. False where there was none. */
export function revokeTrust(path: string, recordFile: string): boolean {
  const { [realpathSync(path)]: known, ...rest } = readRecord(recordFile);
  if (known === undefined) return false;
  writeRecord(recordFile, rest);
  return true;
}
