import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Bytes of the header of a write-ahead log, and of the one before each page in it. */
const LOG_HEADER = 32;
const FRAME_HEADER = 24;
/** Where the index of the log says how many frames SQLite has read: all up to the last commit before the first frame whose checksum does not hold. */
const FRAMES_READ_AT = 16;

/**
 * True where the write-ahead log of a database must have lost commits that were synced. SQLite reads a log up to the first frame whose checksum does not hold and
 * forgets the rest without a word. Each commit is synced before the next begins, so that a crash can tear the last one only: with two commits of the same log
 * beyond what SQLite has read, the disk has lost at least one that was acknowledged. Asked of a log that a connection of this process has read and nobody writes.
 * (https://sqlite.org/fileformat2.html#walformat, https://sqlite.org/walformat.html)
 */
export function hasLostCommits(database: string): boolean {
  const index = readIndex(`${database}-shm`);
  const header = readLog(`${database}-wal`, 0, LOG_HEADER);
  if (header.length < LOG_HEADER || index.length < FRAMES_READ_AT + 4) return false;
  const read = HOST_IS_LITTLE_ENDIAN ? index.readUInt32LE(FRAMES_READ_AT) : index.readUInt32BE(FRAMES_READ_AT);
  const pageBytes = header.readUInt32BE(8);
  const frameBytes = FRAME_HEADER + (pageBytes === 1 ? 65_536 : pageBytes);
  const rest = readLog(`${database}-wal`, LOG_HEADER + read * frameBytes);
  // Frames of an older log, which this one has not yet written over, have other salts.
  const salts = header.subarray(16, 24);
  let commits = 0;
  for (let at = 0; at + frameBytes <= rest.length; at += frameBytes) {
    if (rest.readUInt32BE(at + 4) !== 0 && rest.subarray(at + 8, at + 16).equals(salts)) commits++;
  }
  return commits > 1;
}

const HOST_IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/**
 * The beginning of the index. Its descriptor stays open for as long as the process lives: to close any descriptor of a file drops all the locks that the process
 * has on it, SQLite's too, and others would take the index for unused and cut it off beneath us (SIGBUS).
 */
function readIndex(path: string): Buffer {
  const part = Buffer.alloc(FRAMES_READ_AT + 4);
  return part.subarray(0, readSync(openSync(path, 'r'), part, 0, part.length, 0));
}

/** A part of the log, on which SQLite has no locks. */
function readLog(path: string, from: number, bytes = Infinity): Buffer {
  const file = openSync(path, 'r');
  try {
    const part = Buffer.alloc(Math.max(0, Math.min(bytes, fstatSync(file).size - from)));
    return part.subarray(0, readSync(file, part, 0, part.length, from));
  } finally {
    closeSync(file);
  }
}
