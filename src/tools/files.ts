import { constants } from 'node:fs';
import { lstat, open, readdir, rename, rmdir, unlink, type FileHandle } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { OrchestratorError } from '../errors.ts';
import { sha256 } from '../hash.ts';
import type { JsonObject } from '../json.ts';
import {
  enter,
  enterParent,
  fileError,
  locate,
  openRegular,
  outsideRoot,
  refuseState,
  refuseStateInside,
  stateIdentity,
  type Folder,
  type Reach,
} from './jail.ts';
import { badParameter, count, flag, optionalText, text, throwIfAborted } from './parameters.ts';
import type { ActionContext } from './port.ts';

/** Bytes that a file action reads into memory unless its parameters say otherwise. */
export const MAX_FILE_BYTES = 16 * 1024 * 1024;
const MAX_ENTRIES = 10_000;

/** Who asks: the reach, and the key that makes the names of temporary files. */
export type Asker = Reach & Pick<ActionContext, 'key' | 'signal'>;

function tooLarge(given: string, size: number, limit: number): OrchestratorError {
  return new OrchestratorError('ORC-603', `The file ${given} has ${size} bytes; at most ${limit} are read.`, {
    class: 'invalid_input',
    help: ['raise max_bytes, or read a smaller file'],
    details: { path: given, size },
  });
}

/** The bytes of a regular file inside the roots. */
export async function readBytes(given: string, asker: Asker, limit = MAX_FILE_BYTES): Promise<Buffer> {
  throwIfAborted(asker.signal);
  try {
    const { folder, name } = await enterParent(await locate(given, asker), asker);
    await using _folder = folder;
    await using handle = await openRegular(folder, name, given);
    const { size } = await handle.stat();
    if (size > limit) throw tooLarge(given, size, limit);
    const bytes = await handle.readFile({ signal: asker.signal });
    if (bytes.length > limit) throw tooLarge(given, bytes.length, limit);
    return bytes;
  } catch (error) {
    throw fileError(error, given);
  }
}

/** Text of UTF-8 bytes; a byte order mark is dropped, other encodings are refused rather than garbled. */
export function decodeText(bytes: Uint8Array, given: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new OrchestratorError('ORC-227', `The file ${given} is not UTF-8 text.`, {
      class: 'invalid_input',
      help: ['read it with encoding: base64, or encoding: latin1'],
      details: { path: given },
    });
  }
}

/** Puts a new file in the place of `name`: a temporary file beside it, synced and renamed, so that a reader sees the old or the new one and nothing between. */
async function replaceFile(
  folder: Folder,
  name: string,
  given: string,
  key: string,
  mode: number | undefined,
  fill: (handle: FileHandle) => Promise<void>,
): Promise<number> {
  const existing = await lstat(folder.member(name)).catch(() => undefined);
  if (existing?.isSymbolicLink()) throw outsideRoot(given, 'is a symbolic link, and links are not followed');
  if (existing !== undefined && !existing.isFile())
    throw new OrchestratorError('ORC-221', `The path ${given} is ${existing.isDirectory() ? 'a folder' : 'not a regular file'}.`, {
      class: 'invalid_input',
      details: { path: given },
    });
  const temporary = folder.member(`.${name.slice(0, 40)}.${sha256(`${key}\n${given}`).slice(0, 12)}.tmp`);
  await unlink(temporary).catch(() => undefined); // what a crash of the same step left behind
  const handle = await open(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o666);
  try {
    await fill(handle);
    const wanted = mode ?? existing?.mode;
    if (wanted !== undefined) await handle.chmod(wanted & 0o777);
    await handle.sync();
    const { size } = await handle.stat();
    await rename(temporary, folder.member(name));
    await folder.handle.sync();
    return size;
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  } finally {
    await handle.close();
  }
}

/** Writes a whole file inside the roots and gives its size; missing folders are made. */
export async function writeBytes(given: string, data: string | Uint8Array, asker: Asker): Promise<number> {
  throwIfAborted(asker.signal);
  try {
    const { folder, name } = await enterParent(await locate(given, asker), asker, true);
    await using _folder = folder;
    return await replaceFile(folder, name, given, asker.key, undefined, handle => handle.writeFile(data));
  } catch (error) {
    throw fileError(error, given);
  }
}

function encodingOf(parameters: JsonObject): 'utf-8' | 'latin1' | 'base64' {
  const encoding = text(parameters, 'encoding');
  if (encoding === 'utf-8' || encoding === 'latin1' || encoding === 'base64') return encoding;
  throw badParameter('encoding', 'utf-8, latin1 or base64');
}

export async function read(parameters: JsonObject, context: ActionContext): Promise<JsonObject> {
  const path = text(parameters, 'path');
  const encoding = encodingOf(parameters);
  const bytes = await readBytes(path, context, count(parameters, 'max_bytes'));
  return { path, content: encoding === 'utf-8' ? decodeText(bytes, path) : bytes.toString(encoding), size: bytes.length };
}

export async function write(parameters: JsonObject, context: ActionContext): Promise<JsonObject> {
  const path = text(parameters, 'path');
  return { path, size: await writeBytes(path, Buffer.from(text(parameters, 'content'), encodingOf(parameters)), context) };
}

export async function append(parameters: JsonObject, context: ActionContext): Promise<JsonObject> {
  const path = text(parameters, 'path');
  try {
    const { folder, name } = await enterParent(await locate(path, context), context, true);
    await using _folder = folder;
    await using handle = await openRegular(folder, name, path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT);
    await handle.writeFile(Buffer.from(text(parameters, 'content'), encodingOf(parameters)));
    await handle.sync();
    await folder.handle.sync();
    return { path, size: (await handle.stat()).size };
  } catch (error) {
    throw fileError(error, path);
  }
}

async function copyFile(source: string, path: string, overwrite: boolean, context: ActionContext): Promise<void> {
  const from = await enterParent(await locate(source, context), context);
  await using _from = from.folder;
  await using input = await openRegular(from.folder, from.name, source);
  const to = await enterParent(await locate(path, context), context, true);
  await using _to = to.folder;
  if (!overwrite) await refuseExisting(to.folder, to.name, path);
  const { mode } = await input.stat();
  await replaceFile(to.folder, to.name, path, context.key, mode, async output => {
    for await (const chunk of input.createReadStream({ autoClose: false, signal: context.signal })) await output.writeFile(chunk as Buffer);
  });
}

async function refuseExisting(folder: Folder, name: string, given: string): Promise<void> {
  const existing = await lstat(folder.member(name)).catch(() => undefined);
  if (existing !== undefined)
    throw new OrchestratorError('ORC-221', `The path ${given} is there already.`, {
      class: 'invalid_input',
      help: ['say overwrite: true to replace it'],
      details: { path: given },
    });
}

export async function copy(parameters: JsonObject, context: ActionContext): Promise<JsonObject> {
  const source = text(parameters, 'path');
  const path = text(parameters, 'destination');
  await copyFile(source, path, flag(parameters, 'overwrite'), context).catch((error: unknown) => {
    throw fileError(error, isMissingSource(error) ? source : path);
  });
  return { source, path };
}

/** Of the two paths of a copy only the source can be missing: the folders of the destination are made. */
function isMissingSource(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

export async function move(parameters: JsonObject, context: ActionContext): Promise<JsonObject> {
  const source = text(parameters, 'path');
  const path = text(parameters, 'destination');
  const overwrite = flag(parameters, 'overwrite');
  try {
    const place = await locate(source, context);
    await refuseStateInside(place, context);
    const from = await enterParent(place, context);
    await using _from = from.folder;
    const entry = await lstat(from.folder.member(from.name));
    if (!entry.isFile() && !entry.isDirectory()) throw outsideRoot(source, 'is neither a regular file nor a folder');
    const to = await enterParent(await locate(path, context), context, true);
    await using _to = to.folder;
    if (!overwrite) await refuseExisting(to.folder, to.name, path);
    await rename(from.folder.member(from.name), to.folder.member(to.name)).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EXDEV' || !entry.isFile()) throw error;
      await copyFile(source, path, overwrite, context);
      await unlink(from.folder.member(from.name));
    });
    await to.folder.handle.sync();
    await from.folder.handle.sync();
    return { source, path };
  } catch (error) {
    throw fileError(error, isMissingSource(error) ? source : path);
  }
}

export async function remove(parameters: JsonObject, context: ActionContext): Promise<JsonObject> {
  const path = text(parameters, 'path');
  const recursive = flag(parameters, 'recursive');
  try {
    const place = await locate(path, context);
    await refuseStateInside(place, context);
    const { folder, name } = await enterParent(place, context);
    await using _folder = folder;
    const entry = await lstat(folder.member(name));
    if (!entry.isDirectory()) await unlink(folder.member(name));
    else {
      if (recursive) await removeMembers(place.segments, place, context);
      await rmdir(folder.member(name));
    }
    await folder.handle.sync();
    return { path, deleted: true };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { path, deleted: false };
    throw fileError(error, path);
  }
}

async function removeMembers(segments: string[], place: Awaited<ReturnType<typeof locate>>, context: ActionContext): Promise<void> {
  throwIfAborted(context.signal);
  await using folder = await enter(place, segments, context);
  for (const member of await readdir(folder.member('.'), { withFileTypes: true })) {
    if (!member.isDirectory()) await unlink(folder.member(member.name));
    else {
      await removeMembers([...segments, member.name], place, context);
      await rmdir(folder.member(member.name));
    }
  }
}

export async function exists(parameters: JsonObject, context: ActionContext): Promise<JsonObject> {
  const path = text(parameters, 'path');
  try {
    const place = await locate(path, context);
    if (place.segments.length === 0) {
      await (await enter(place, [], context)).handle.close();
      return { path, exists: true };
    }
    const { folder, name } = await enterParent(place, context);
    await using _folder = folder;
    const entry = await lstat(folder.member(name));
    if (`${entry.dev}:${entry.ino}` === (await stateIdentity(context))) throw refuseState(path);
    return { path, exists: true };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { path, exists: false };
    throw fileError(error, path);
  }
}

/** Whether a name fits a pattern of `*` (any characters) and `?` (one), in time linear in both for each star. */
export function matchesPattern(name: string, pattern: string): boolean {
  let at = 0,
    part = 0,
    star = -1,
    resume = 0;
  while (at < name.length) {
    if (part < pattern.length && pattern[part] === '*') {
      star = part++;
      resume = at;
    } else if (part < pattern.length && (pattern[part] === '?' || pattern[part] === name[at])) {
      at++;
      part++;
    } else if (star >= 0) {
      part = star + 1;
      at = ++resume;
    } else return false;
  }
  while (pattern[part] === '*') part++;
  return part === pattern.length;
}

export async function list(parameters: JsonObject, context: ActionContext): Promise<JsonObject> {
  const path = text(parameters, 'path');
  const pattern = optionalText(parameters, 'pattern') ?? '*';
  const recursive = flag(parameters, 'recursive');
  const files: JsonObject[] = [];
  try {
    const place = await locate(path, context);
    const state = await stateIdentity(context);
    const visit = async (segments: string[], shown: string): Promise<void> => {
      throwIfAborted(context.signal);
      await using folder = await enter(place, segments, context);
      for (const name of (await readdir(folder.member('.'))).sort()) {
        const entry = await lstat(folder.member(name)).catch(() => undefined);
        if (entry === undefined || `${entry.dev}:${entry.ino}` === state) continue;
        const type = entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : entry.isSymbolicLink() ? 'link' : 'other';
        if (matchesPattern(name, pattern)) files.push({ name, path: join(shown, name), size: type === 'file' ? entry.size : 0, type });
        if (files.length > MAX_ENTRIES)
          throw new OrchestratorError('ORC-603', `The folder ${path} holds more than ${MAX_ENTRIES} entries.`, {
            class: 'invalid_input',
            help: ['narrow it with pattern, or list one of its folders'],
          });
        if (recursive && type === 'folder') await visit([...segments, name], join(shown, name));
      }
    };
    await visit(place.segments, path);
    return { path, files, count: files.length };
  } catch (error) {
    throw fileError(error, path);
  }
}

/** The real folder in which a program may run: inside the roots, not the state folder. */
export async function workingFolder(given: string, asker: Asker): Promise<string> {
  try {
    const place = await locate(given, asker);
    await (await enter(place, place.segments, asker)).handle.close();
    return resolve(place.root, ...place.segments);
  } catch (error) {
    throw fileError(error, given);
  }
}
