import { constants } from 'node:fs';
import { lstat, mkdir, open, realpath, stat, type FileHandle } from 'node:fs/promises';
import { isAbsolute, join, relative, resolve, sep } from 'node:path';
import { OrchestratorError } from '../errors.ts';
import { badParameter } from './parameters.ts';
import type { ActionContext } from './port.ts';

/** The part of a context that decides which files may be touched. */
export type Reach = Pick<ActionContext, 'workspace' | 'stateFolder' | 'policy'>;

/** A path inside a root: the root's real folder, the folders below it, and the path as it was given. */
export interface Place {
  root: string;
  segments: string[];
  given: string;
}

/** A folder held open, so that what it names stays the same whatever happens to the path that led to it. */
export interface Folder extends AsyncDisposable {
  handle: FileHandle;
  /** Where a member of the folder can be reached by calls that take a path. */
  member(name: string): string;
}

const FOLDER_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** O_NONBLOCK so that opening a pipe does not wait for its other end; the check for a regular file then refuses it. */
export const FILE_FLAGS = constants.O_NOFOLLOW | constants.O_NONBLOCK;

export function outsideRoot(given: string, why: string, help: string[] = []): OrchestratorError {
  return new OrchestratorError('ORC-222', `The path ${given} ${why}.`, { class: 'policy', help, details: { path: given } });
}

const FILE_ERRORS: Record<string, string> = {
  ENOENT: 'is not there',
  ENOTDIR: 'leads through something that is not a folder',
  EISDIR: 'is a folder',
  EACCES: 'may not be accessed by this user',
  EPERM: 'may not be changed by this user',
  EROFS: 'lies on a disk that is read-only',
  ENOTEMPTY: 'is a folder that is not empty',
  EEXIST: 'is there already',
  ENAMETOOLONG: 'is longer than the disk allows',
};

/** An error of the file system in the user's words. */
export function fileError(error: unknown, given: string): OrchestratorError {
  if (error instanceof OrchestratorError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const options = { details: { path: given }, cause: error };
  if (code === 'ELOOP')
    return outsideRoot(given, 'leads through a symbolic link, and links are not followed', [
      'name the folder that the link points to, and add it to policy.files.roots',
    ]);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new OrchestratorError('ORC-512', `The disk is full: ${given} could not be written.`, { ...options, class: 'storage', retryable: true });
  const known = FILE_ERRORS[code];
  if (code === 'ENOENT') return new OrchestratorError('ORC-221', `The file ${given} ${known}.`, { ...options, class: 'not_found' });
  if (known !== undefined) return new OrchestratorError('ORC-221', `The path ${given} ${known}.`, { ...options, class: 'storage' });
  return new OrchestratorError('ORC-221', `The file ${given} could not be used: ${(error as Error).message}.`, {
    ...options,
    class: 'storage',
    retryable: true,
  });
}

function isInside(folder: string, path: string): boolean {
  const rest = relative(folder, path);
  return rest === '' || (rest !== '..' && !rest.startsWith(`..${sep}`) && !isAbsolute(rest));
}

async function realOrSame(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

/** Finds the root that holds `given`. Nothing below the root is looked at, so what comes back may not exist, or may still be a link. */
export async function locate(given: string, reach: Reach): Promise<Place> {
  if (given === '') throw badParameter('path', 'a path that is not empty');
  if (given.includes('\0')) throw outsideRoot(JSON.stringify(given), 'holds a NUL character, which no path may');
  const path = resolve(reach.workspace, given);
  if (reach.stateFolder !== undefined && isInside(reach.stateFolder, path)) throw refuseState(given);
  const roots = reach.policy.files.roots.map(root => resolve(reach.workspace, root)).sort((a, b) => b.length - a.length);
  for (const root of roots) {
    const real = await realOrSame(root);
    const base = isInside(root, path) ? root : isInside(real, path) ? real : undefined;
    if (base !== undefined)
      return {
        root: real,
        segments: relative(base, path)
          .split(sep)
          .filter(segment => segment !== ''),
        given,
      };
  }
  throw outsideRoot(given, 'leads outside the folders that the policy allows', [
    `allow its folder in orchestrator.config.yaml: policy: { files: { roots: [${roots.length > 0 ? '".", ' : ''}"FOLDER"] } }`,
  ]);
}

/**
 * The way to a member of an open folder. On Linux it goes through the descriptor, which is what openat does: a folder that is exchanged for a link meanwhile changes nothing.
 * Elsewhere it is the path, and each component is looked at before it is opened.
 */
function memberOf(handle: FileHandle, path: string, name: string): string {
  return process.platform === 'linux' ? `/proc/self/fd/${handle.fd}/${name}` : join(path, name);
}

async function openFolder(at: string, path: string): Promise<Folder> {
  const entry = await lstat(at);
  if (entry.isSymbolicLink()) throw Object.assign(new Error('link'), { code: 'ELOOP' });
  const handle = await open(at, FOLDER_FLAGS);
  return { handle, member: name => memberOf(handle, path, name), [Symbol.asyncDispose]: () => handle.close() };
}

/** Device and inode of the state folder, by which it is known under any name. */
export async function stateIdentity(reach: Reach): Promise<string | undefined> {
  if (reach.stateFolder === undefined) return undefined;
  const entry = await stat(reach.stateFolder).catch(() => undefined);
  return entry === undefined ? undefined : `${entry.dev}:${entry.ino}`;
}

export function refuseState(given: string): OrchestratorError {
  return outsideRoot(given, 'leads into the state folder, which no action may touch');
}

/** Opens the folder that `segments` lead to, one component at a time and never through a link; `create` makes what is missing. */
export async function enter(place: Place, segments: string[], reach: Reach, create = false): Promise<Folder> {
  const state = await stateIdentity(reach);
  let path = place.root;
  let folder = await openFolder(path, path);
  try {
    for (let depth = 0; ; depth++) {
      const entry = await folder.handle.stat();
      if (`${entry.dev}:${entry.ino}` === state) throw refuseState(place.given);
      const segment = segments[depth];
      if (segment === undefined) return folder;
      const next = folder.member(segment);
      if (create) await mkdir(next).catch(ignoreExisting);
      path = join(path, segment);
      const child = await openFolder(next, path);
      await folder.handle.close();
      folder = child;
    }
  } catch (error) {
    await folder.handle.close();
    throw error;
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

/** Opens the folder around a place and names its last component; a root itself has none and is refused. */
export async function enterParent(place: Place, reach: Reach, create = false): Promise<{ folder: Folder; name: string }> {
  const name = place.segments.at(-1);
  if (name === undefined)
    throw new OrchestratorError('ORC-221', `The path ${place.given} is a folder.`, { class: 'invalid_input', details: { path: place.given } });
  return { folder: await enter(place, place.segments.slice(0, -1), reach, create), name };
}

/** Refuses a place that is the state folder or has it inside, before it is moved or deleted. */
export async function refuseStateInside(place: Place, reach: Reach): Promise<void> {
  if (reach.stateFolder === undefined) return;
  if (isInside(join(place.root, ...place.segments), await realOrSame(reach.stateFolder))) throw refuseState(place.given);
}

/** Opens a regular file for reading; links, folders, pipes and devices are refused. */
export async function openRegular(folder: Folder, name: string, given: string, flags = constants.O_RDONLY): Promise<FileHandle> {
  const handle = await open(folder.member(name), flags | FILE_FLAGS, 0o666);
  const entry = await handle.stat();
  if (entry.isFile()) return handle;
  await handle.close();
  throw new OrchestratorError('ORC-221', `The path ${given} is ${entry.isDirectory() ? 'a folder' : 'not a regular file'}.`, {
    class: 'invalid_input',
    details: { path: given },
  });
}
