import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import { OrchestratorError } from '../errors.ts';

/** A file in an archive. */
export interface ZipMember {
  name: string;
  /** Bytes when unpacked. */
  bytes: number;
  open(): Promise<Readable>;
}

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
const COMMENT_MAX_BYTES = 65_535;
const DIRECTORY_MAX_BYTES = 16 * 1024 * 1024;

/** The regular files of a ZIP archive (APPNOTE 6.3.10, without ZIP64 and encryption), from its directory at the end. */
export async function listZip(path: string): Promise<ZipMember[]> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const tail = await readAt(file, Math.max(0, size - END_BYTES - COMMENT_MAX_BYTES), size);
    const end = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 0x05, 0x06]));
    if (end < 0 || tail.readUInt32LE(end) !== END) throw damaged(path, 'it has no directory');
    const length = tail.readUInt32LE(end + 12);
    const offset = tail.readUInt32LE(end + 16);
    if (length > DIRECTORY_MAX_BYTES || offset + length > size) throw damaged(path, 'its directory lies outside the file');
    return readDirectory(path, await readAt(file, offset, offset + length));
  } finally {
    await file.close();
  }
}

function readDirectory(path: string, directory: Buffer): ZipMember[] {
  const members: ZipMember[] = [];
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === ENTRY;) {
    const [flags, method] = [directory.readUInt16LE(at + 8), directory.readUInt16LE(at + 10)];
    const [packed, bytes] = [directory.readUInt32LE(at + 20), directory.readUInt32LE(at + 24)];
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map(offset => directory.readUInt16LE(at + offset)) as [number, number, number];
    const offset = directory.readUInt32LE(at + 42);
    const name = directory.toString('utf8', at + 46, at + 46 + nameBytes);
    at += 46 + nameBytes + extraBytes + commentBytes;
    if (name.endsWith('/') || (flags & 1) !== 0 || (method !== 0 && method !== 8)) continue;
    members.push({ name, bytes, open: () => openMember(path, offset, packed, method) });
  }
  return members;
}

async function openMember(path: string, offset: number, packed: number, method: number): Promise<Readable> {
  const file = await open(path);
  const head = await readAt(file, offset, offset + 30);
  await file.close();
  if (head.length < 30 || head.readUInt32LE(0) !== LOCAL) throw damaged(path, 'a file in it is not where its directory says');
  const start = offset + 30 + head.readUInt16LE(26) + head.readUInt16LE(28);
  const raw = createReadStream(path, { start, end: start + packed - 1 });
  return method === 0 ? raw : raw.pipe(createInflateRaw()).on('close', () => raw.destroy());
}

async function readAt(file: Awaited<ReturnType<typeof open>>, from: number, to: number): Promise<Buffer> {
  const buffer = Buffer.alloc(Math.max(0, to - from));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
  return buffer.subarray(0, bytesRead);
}

function damaged(path: string, how: string): OrchestratorError {
  return new OrchestratorError('ORC-408', `the archive ${path} is damaged: ${how}`, { class: 'failed' });
}
