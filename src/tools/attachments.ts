import { isUtf8 } from 'node:buffer';
import { basename } from 'node:path';
import { OrchestratorError } from '../errors.ts';
import { readBytes, type Asker } from './files.ts';
import type { ContentPart } from './port.ts';

/** The largest image or file that a model is shown; services take no larger ones. */
const MAX_BYTES = 10 * 1024 * 1024;
const MAX_COUNT = 50;

/** Image formats by their first bytes: the name of a file proves nothing. */
const IMAGES: { mediaType: string; isOne(bytes: Buffer): boolean }[] = [
  { mediaType: 'image/png', isOne: bytes => bytes.subarray(0, 8).equals(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) },
  { mediaType: 'image/jpeg', isOne: bytes => bytes.subarray(0, 3).equals(Buffer.from([0xff, 0xd8, 0xff])) },
  { mediaType: 'image/gif', isOne: bytes => ['GIF87a', 'GIF89a'].includes(bytes.toString('latin1', 0, 6)) },
  { mediaType: 'image/webp', isOne: bytes => bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP' },
];

/** Images and files as a model is shown them, read from within the roots (C7). */
export async function readAttachments(images: readonly string[], files: readonly string[], asker: Asker): Promise<ContentPart[]> {
  if (images.length + files.length > MAX_COUNT)
    throw new OrchestratorError('ORC-603', `A model is shown ${MAX_COUNT} images and files at most, and here are ${images.length + files.length}.`, {
      class: 'invalid_input',
    });
  const parts: ContentPart[] = [];
  for (const path of images) parts.push(imagePart(path, await readBytes(path, asker, MAX_BYTES)));
  for (const path of files) parts.push(filePart(path, await readBytes(path, asker, MAX_BYTES)));
  return parts;
}

function imagePart(path: string, bytes: Buffer): ContentPart {
  const format = IMAGES.find(({ isOne }) => isOne(bytes));
  if (format !== undefined) return { type: 'image', mediaType: format.mediaType, data: bytes.toString('base64') };
  throw new OrchestratorError('ORC-227', `The file ${path} is no image in PNG, JPEG, GIF or WebP.`, {
    class: 'invalid_input',
    help: ['give texts and PDF under files'],
    details: { path },
  });
}

function filePart(path: string, bytes: Buffer): ContentPart {
  const name = basename(path);
  if (bytes.toString('latin1', 0, 5) === '%PDF-') return { type: 'file', mediaType: 'application/pdf', data: bytes.toString('base64'), name };
  const format = IMAGES.find(({ isOne }) => isOne(bytes));
  if (format !== undefined) return { type: 'image', mediaType: format.mediaType, data: bytes.toString('base64') };
  if (!isUtf8(bytes))
    throw new OrchestratorError('ORC-227', `The file ${path} is neither a text (UTF-8), a PDF nor an image.`, { class: 'invalid_input', details: { path } });
  return { type: 'file', mediaType: 'text/plain', data: bytes.toString('base64'), name };
}
