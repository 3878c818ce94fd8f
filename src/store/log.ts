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
  let sums = addSums(log, 0, 24, { first: 0, second: 0 }, isBigEndian);
  let isSound = (magic & ~1) === MAGIC && holds(log, 24, sums);
  const salts = log.subarray(16, 24);
  let commitsBeyond = 0;
  for (let i = 0; i < frames; i++) {
    const at = LOG_HEADER + i * frameBytes;
    const isOurs = log.subarray(at + 8, at + 16).equals(salts);
    if (isSound) {
      if (isOurs) {
        sums = addSums(log, at, 8, sums, isBigEndian);
        sums = addSums(log, at + FRAME_HEADER, frameBytes - FRAME_HEADER, sums, isBigEndian);
      }
      isSound = isOurs && holds(log, at + 16, sums);
      if (isSound) continue;
    }
    if (isOurs && log.readUInt32BE(at + 4) !== 0) commitsBeyond++;
  }
  return commitsBeyond > 1;
}

interface Sums { first: number; second: number }

function holds(log: Buffer, at: number, { first, second }: Sums): boolean {
  return log.readUInt32BE(at) === first && log.readUInt32BE(at + 4) === second;
}

/** The checksum of the format: two sums that feed each other, over pairs of 32-bit words. */
function addSums(log: Buffer, from: number, bytes: number, { first, second }: Sums, isBigEndian: boolean): Sums {
  for (let at = from; at < from + bytes; at += 8) {
    first = (first + (isBigEndian ? log.readUInt32BE(at) : log.readUInt32LE(at)) + second) >>> 0;
    second = (second + (isBigEndian ? log.readUInt32BE(at + 4) : log.readUInt32LE(at + 4)) + first) >>> 0;
  }
  return { first, second };
}
