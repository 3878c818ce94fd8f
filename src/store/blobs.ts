import { sha256 } from '../hash.ts';
import type { Database } from './database.ts';

/** Below this little is saved, and a start would pay for loading the library. */
const WORTH_BYTES = 4096;

/** Loaded with the first value that is packed. */
const zlib = (): typeof import('node:zlib') => process.getBuiltinModule('node:zlib');

/** Text as it is stored: `size` is its length in UTF-8, `packed` 1 where it is a zstd frame. */
export interface Packed {
  packed: 0 | 1;
  size: number;
  content: Uint8Array;
}

export function pack(text: string): Packed {
  const raw = Buffer.from(text);
  if (raw.length >= WORTH_BYTES) {
    const { constants, zstdCompressSync } = zlib();
    const content = zstdCompressSync(raw, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
    if (content.length < raw.length) return { packed: 1, size: raw.length, content };
  }
  return { packed: 0, size: raw.length, content: raw };
}

/** The text, or undefined where it cannot be unpacked. `size` bounds what a damaged frame may swell to. */
export function unpack({ packed, size, content }: Packed): string | undefined {
  if (packed === 0) return Buffer.from(content.buffer, content.byteOffset, content.length).toString();
  try {
    return zlib()
      .zstdDecompressSync(content, { maxOutputLength: Math.max(size, 1) })
      .toString();
  } catch {
    return undefined;
  }
}

export function putBlob(db: Database, hash: string, text: string): void {
  if (db.get('SELECT 1 FROM blobs WHERE hash = ?', hash) !== undefined) return;
  const { packed, size, content } = pack(text);
  db.run('INSERT INTO blobs (hash, packed, size, content) VALUES (?, ?, ?, ?)', hash, packed, size, content);
}

/** The content, undefined where there is none of this hash, null where what is there does not have it. */
export function getBlob(db: Database, hash: string): string | undefined | null {
  const row = db.get<Packed>('SELECT packed, size, content FROM blobs WHERE hash = ?', hash);
  if (row === undefined) return undefined;
  const text = unpack(row);
  return text !== undefined && sha256(text) === hash ? text : null;
}
