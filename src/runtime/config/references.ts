import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { OrchestratorError } from '../../errors.ts';

export interface Surroundings {
  env: { [name: string]: string | undefined };
  /** Folder in which relative paths begin. */
  folder: string;
}

const REFERENCE = /\$\{(env|file|cmd):([^}]*)\}/g;
const COMMAND_LIMIT_MS = 10_000;

export function hasReference(text: string, kind?: 'env' | 'file' | 'cmd'): boolean {
  return kind === undefined ? /\$\{(env|file|cmd):/.test(text) : text.includes(`\${${kind}:`);
}

/** The paths that `${file:…}` in a text name. */
export function filesIn(text: string): string[] {
  return [...text.matchAll(REFERENCE)].filter(([, kind]) => kind === 'file').map(([, , path]) => path!);
}

/** A path of the configuration, absolute: `~` is the home folder, relative ones begin at `folder`. */
export function absolutePath(path: string, folder: string): string {
  if (path === '~' || path.startsWith('~/')) return join(homedir(), path.slice(1));
  return isAbsolute(path) ? resolve(path) : resolve(folder, path);
}

/** Puts what `${env:X}`, `${file:PATH}` and `${cmd:COMMAND}` stand for into a text. Throws ORC-119 where one stands for nothing. */
export function resolveReferences(text: string, { env, folder }: Surroundings): string {
  return text.replace(REFERENCE, (_, kind: string, name: string) => {
    if (kind === 'env') return readVariable(name, env);
    return kind === 'file' ? readSecretFile(name, folder) : runCommand(name, folder);
  });
}

function readVariable(name: string, env: Surroundings['env']): string {
  const value = env[name];
  if (value === undefined || value === '') {
    throw new OrchestratorError('ORC-119', `the environment variable ${name}, which the configuration names, is not set`, {
      class: 'auth',
      help: [`export ${name}=…`],
    });
  }
  return value;
}

function readSecretFile(name: string, folder: string): string {
  const path = absolutePath(name, folder);
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw new OrchestratorError('ORC-119', `the file ${name}, which the configuration names, cannot be read`, {
      class: 'auth',
      help: [`ls -l ${path}`],
      cause,
    });
  }
}

function runCommand(command: string, folder: string): string {
  // Starting programs brings a good part of Node with it, which every start would pay for.
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const { status, stdout, error } = spawnSync('sh', ['-c', command], {
    cwd: folder,
    encoding: 'utf8',
    timeout: COMMAND_LIMIT_MS,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (error !== undefined || status !== 0) {
    const how = error === undefined ? `ended with exit code ${status}` : `could not be run: ${error.message}`;
    throw new OrchestratorError('ORC-119', `a command that the configuration names ${how}`, { class: 'auth', help: [command] });
  }
  return stdout.replace(/\r?\n$/, '');
}
