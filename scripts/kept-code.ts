/**
 * Part of dist/: how its large chunks are loaded. Node's compile cache keeps a module as it stands before it runs, so that every start compiles anew the functions
 * that it calls, and that was a fifth of its work (docs/decisions/0011-kept-code.md). Here a chunk is kept as it stands when a process ends, in the folder
 * of that same cache; where Node's cache is off, nothing is kept.
 */
import { hash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { basename, join } from 'node:path';
import { Script } from 'node:vm';

/** A chunk as a function of the module's own facilities and of what it imports; gives its exports. */
type Chunk = (meta: ImportMeta, dynamicImport: (specifier: string) => Promise<unknown>, ...imports: object[]) => { [name: string]: unknown };

/** How many processes look, at their end, whether they called more than those before them. */
const LOOKS = 8;
/** A process that lives longer does not wait for its end. */
const LOOK_AFTER_MS = 5000;
/** Of the file: the number of looks, the checksum of the rest. V8 looks at little more than the length of what it is handed. */
const CHECKSUM_AT = 1;
const CODE_AT = 33;

interface Kept {
  script: Script;
  file: string;
  looks: number;
  bytes: number;
}

let kept: Kept[] = [];

/** Compiles the chunk in a file of plain ASCII. Its import and its exports are put around it by scripts/build.ts. */
export function load(url: URL): Chunk {
  const source = readFileSync(url, 'latin1');
  const folder = getCompileCacheDir();
  const file = join(folder ?? '', basename(url.pathname, '.js'));
  const found = folder === undefined ? undefined : read(file);
  const script = new Script(source, found === undefined ? { filename: url.href } : { filename: url.href, cachedData: found.code });
  const isFresh = found === undefined || script.cachedDataRejected === true;
  const looks = isFresh ? 0 : found.looks;
  if (folder !== undefined && looks < LOOKS) {
    if (kept.length === 0) lookLater();
    kept.push({ script, file, looks, bytes: isFresh ? 0 : found.code.length });
  }
  return script.runInThisContext() as Chunk;
}

function read(file: string): { looks: number; code: Buffer } | undefined {
  try {
    const whole = readFileSync(file);
    const code = whole.subarray(CODE_AT);
    return checksum(code).equals(whole.subarray(CHECKSUM_AT, CODE_AT)) ? { looks: whole[0]!, code } : undefined;
  } catch {
    return undefined;
  }
}

function checksum(code: Buffer): Buffer {
  return hash('sha256', code, 'buffer');
}

function lookLater(): void {
  process.once('exit', look);
  setTimeout(look, LOOK_AFTER_MS).unref();
}

/** Writes what is more than was kept; a cache that cannot be written costs time, and nothing else. */
function look(): void {
  for (const { script, file, looks, bytes } of kept) {
    try {
      const made = script.createCachedData();
      const code = made.length > bytes ? made : read(file)!.code;
      const partial = `${file}.${process.pid}`;
      writeFileSync(partial, Buffer.concat([Buffer.of(looks + 1), checksum(code), code]), { mode: 0o600 });
      renameSync(partial, file);
    } catch {}
  }
  kept = [];
}
