import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { OrchestratorError } from '../errors.ts';
import { nearest } from '../ids.ts';
import { MemoryStore } from './memory.ts';
import type { Store } from './port.ts';

export interface OpenOptions {
  /** The folder that relative paths start from; the working folder by default. */
  base?: string;
  /** False: a store that is not there is an error (ORC-501). True by default. */
  create?: boolean;
  /** Opens without the right to change anything; such a process owns no runs. */
  readOnly?: boolean;
  /** Id of this process's lease, where it shall not be drawn by chance: letters, digits and underscores, never used before. */
  owner?: string;
}

const KINDS = ['memory', 'sqlite'];

/** Opens the store that a URL names: `memory:` or `sqlite:PATH`. */
export async function openStore(url: string, options: OpenOptions = {}): Promise<Store> {
  const [kind, rest] = split(url);
  const owner = options.owner ?? `own_${randomBytes(10).toString('hex')}`;
  if (kind === 'memory') return new MemoryStore(owner);
  if (kind !== 'sqlite') throw unsupported(kind, url);
  const path = rest.startsWith('//') ? rest.slice(2) : rest;
  if (path === '') throw new OrchestratorError('ORC-515', `\`${url}\` names no file`, { class: 'storage', help: ['--state sqlite:.orchestrator/state.db'] });
  // Loaded here, so that nobody who keeps nothing in SQLite pays for it.
  const { SqliteStore } = await import('./sqlite.ts');
  return new SqliteStore(resolve(options.base ?? '.', path), { owner, create: options.create ?? true, readOnly: options.readOnly ?? false });
}

/** Kind and rest of a URL; what has no colon is all kind. */
function split(url: string): [string, string] {
  const colon = url.indexOf(':');
  return colon < 0 ? [url, ''] : [url.slice(0, colon), url.slice(colon + 1)];
}

export function unsupported(kind: string, url: string): OrchestratorError {
  const help = ['a store is `memory:` or `sqlite:PATH`, as in --state sqlite:.orchestrator/state.db'];
  if (/^(postgres|postgresql)$/.test(kind)) {
    return new OrchestratorError('ORC-515', 'this version keeps its state in SQLite or in memory, not in Postgres', { class: 'storage', help });
  }
  const meant = nearest(kind, KINDS, 1)[0];
  const hint = meant === undefined ? '' : `; perhaps ${meant} is meant`;
  return new OrchestratorError('ORC-515', `there is no store of the kind \`${kind || url}\`${hint}`, { class: 'storage', help });
}
