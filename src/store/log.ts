/** Bytes of the header of a write-ahead log, and of the one before each page in it. */
const LOG_HEADER = 32;
const FRAME_HEADER = 24;
const MAGIC = 0x377f0682;

/**
 * True where a write-ahead log must have lost commits that were synced (https://sqlite.org/fileformat2.html#walformat). SQLite reads a log up to the first frame
 * whose checksum does not hold and forgets the rest without a word. Each commit is synced before the next begins, so that a crash can tear the last one only:
 * with two commits of the same log beyond the bad frame, the disk has lost at least one that was acknowledged.
 */
export function hasLostCommits(log: Buffer): boolean {
  if (log.length < LOG_HEADER + FRAME_HEADER) return false;
  const magic = log.readUInt32BE(0);
  const pageBytes = log.readUInt32BE(8);
  const frameBytes = FRAME_HEADER + (pageBytes === 1 ? 65_536 : pageBytes);
  const frames = Math.floor((log.length - LOG_HEADER) / frameBytes);
  // A header that does not hold makes SQLite forget the whole log.
  const isBigEndian = (magic & 1) === 1;
  const words = wordsOf(log);
  let sums = addSums(words, 0, 24, { first: 0, second: 0 }, isBigEndian);
  let isSound = (magic & ~1) === MAGIC && holds(log, 24, sums);
  const salts = log.subarray(16, 24);
  let commitsBeyond = 0;
  for (let i = 0; i < frames; i++) {
    const at = LOG_HEADER + i * frameBytes;
    const isOurs = log.subarray(at + 8, at + 16).equals(salts);
    if (isSound) {
      if (isOurs) {
        sums = addSums(words, at, 8, sums, isBigEndian);
        sums = addSums(words, at + FRAME_HEADER, frameBytes - FRAME_HEADER, sums, isBigEndian);
      }
      isSound = isOurs && holds(log, at + 16, sums);
      if (isSound) continue;
    }
    if (isOurs && log.readUInt32BE(at + 4) !== 0) commitsBeyond++;
  }
  return commitsBeyond > 1;
}

interface Sums {
  first: number;
  second: number;
}

function holds(log: Buffer, at: number, { first, second }: Sums): boolean {
  return log.readUInt32BE(at) === first && log.readUInt32BE(at + 4) === second;
}

const HOST_IS_LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;

/** The log as 32-bit words of this host: reading them one call a word would take most of the time that a start after a crash has. */
function wordsOf(log: Buffer): Uint32Array {
  const aligned = log.byteOffset % 4 === 0 ? log : Buffer.from(log);
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length >>> 2);
}

function swapped(word: number): number {
  return (word >>> 24) | ((word >>> 8) & 0xff00) | ((word << 8) & 0xff0000) | (word << 24);
}

/** The checksum of the format: two sums that feed each other, over pairs of 32-bit words. */
function addSums(words: Uint32Array, from: number, bytes: number, sums: Sums, isBigEndian: boolean): Sums {
  let { first, second } = sums;
  const end = (from + bytes) >>> 2;
  if (isBigEndian === HOST_IS_LITTLE_ENDIAN) {
    for (let i = from >>> 2; i < end; i += 2) {
      first = (first + swapped(words[i]!) + second) | 0;
      second = (second + swapped(words[i + 1]!) + first) | 0;
    }
  } else {
    for (let i = from >>> 2; i < end; i += 2) {
      first = (first + words[i]! + second) | 0;
      second = (second + words[i + 1]! + first) | 0;
    }
  }
  return { first: first >>> 0, second: second >>> 0 };
}
