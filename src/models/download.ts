import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { formatDuration } from '../duration.ts';
import { OrchestratorError } from '../errors.ts';
import { isObject, type Json } from '../json.ts';

export interface DownloadOptions {
  url: string;
  headers?: Record<string, string>;
  /** Where the file will be; what has come so far lies beside it, as `.part`. */
  path: string;
  /** What the file must be; undefined where nobody said. */
  expected: { bytes?: number | undefined; sha256?: string | undefined };
  signal: AbortSignal;
  onBytes(received: number, total: number | undefined): void;
  /** The longest silence, in ms. */
  silenceMs?: number;
}

const SILENCE_MS = 30_000;
/** How often a broken download is taken up again within one call, as long as something came. */
const RESUMES = 5;

/** Loads a file over HTTP. What broke off, now or in an earlier process, goes on where it stopped if the server still has the same file. */
export async function download(options: DownloadOptions): Promise<{ bytes: number; sha256: string }> {
  const part = `${options.path}.part`;
  for (let resumes = 0; ; resumes++) {
    const before = await sizeOf(part);
    try {
      await fetchInto(part, options);
      break;
    } catch (error) {
      if (error instanceof OrchestratorError || options.signal.aborted) throw error;
      const came = (await sizeOf(part)) > before;
      if (!came || resumes >= RESUMES) throw unreachable(options.url, error);
    }
  }
  return keep(part, options.path, options.expected);
}

/** Checks what has come and gives it its name. What is wrong is thrown away, so that the next try begins anew. */
export async function keep(part: string, path: string, expected: DownloadOptions['expected']): Promise<{ bytes: number; sha256: string }> {
  const bytes = await sizeOf(part);
  const sha256 = await hashOf(part);
  const wrong =
    expected.bytes !== undefined && bytes !== expected.bytes
      ? `it has ${bytes} bytes and not ${expected.bytes}`
      : expected.sha256 !== undefined && sha256 !== expected.sha256
        ? `its SHA-256 is ${sha256} and not ${expected.sha256}`
        : (await isGguf(part))
          ? undefined
          : 'it is no GGUF file';
  if (wrong === undefined) {
    await rename(part, path);
    await rm(noteOf(part), { force: true });
    return { bytes, sha256 };
  }
  await Promise.all([rm(part, { force: true }), rm(noteOf(part), { force: true })]);
  throw new OrchestratorError('ORC-408', `what came for ${path} is not the model: ${wrong}`, { class: 'invalid_output', retryable: true });
}

async function fetchInto(part: string, { url, headers = {}, signal, onBytes, expected, silenceMs = SILENCE_MS }: DownloadOptions): Promise<void> {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new Error(`nothing came for ${formatDuration(silenceMs)}`)), silenceMs);
  try {
    const note = await readNote(part, url);
    const have = note === undefined ? 0 : await sizeOf(part);
    if (have > 0 && have === expected.bytes) return;
    const resume: Record<string, string> = have > 0 ? { range: `bytes=${have}-`, 'if-range': note!.etag } : {};
    const response = await fetch(url, { headers: { ...headers, ...resume }, signal: AbortSignal.any([signal, silence.signal]) });
    const from = response.status === 206 ? rangeStart(response, have) : 0;
    if (!response.ok || response.body === null) throw badStatus(url, response.status);
    const length = Number(response.headers.get('content-length') ?? NaN);
    const total = Number.isFinite(length) ? from + length : expected.bytes;
    await writeNote(part, url, response);
    const file = await open(part, from > 0 ? 'a' : 'w');
    let received = from;
    try {
      onBytes(received, total);
      for await (const chunk of response.body) {
        timer.refresh();
        await file.write(chunk);
        onBytes((received += chunk.byteLength), total);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    if (total !== undefined && received < total) throw new Error(`it ended after ${received} of ${total} bytes`);
  } finally {
    clearTimeout(timer);
  }
}

/** Where a partial answer begins; one that begins elsewhere would leave a hole or a repetition. */
function rangeStart(response: Response, have: number): number {
  const start = Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1] ?? NaN);
  if (start === have) return have;
  throw new Error(`the answer does not begin at byte ${have}`);
}

/** What a part is a part of: without a strong name for the file's state, nothing is resumed. */
async function readNote(part: string, url: string): Promise<{ etag: string } | undefined> {
  const text = await readFile(noteOf(part), 'utf8').catch(() => '');
  try {
    const note = JSON.parse(text) as Json;
    return isObject(note) && note['url'] === url && typeof note['etag'] === 'string' ? { etag: note['etag'] } : undefined;
  } catch {
    return undefined;
  }
}

async function writeNote(part: string, url: string, response: Response): Promise<void> {
  const etag = response.headers.get('etag');
  if (etag === null || etag.startsWith('W/')) await rm(noteOf(part), { force: true });
  else await writeFile(noteOf(part), JSON.stringify({ url, etag }));
}

const noteOf = (part: string): string => `${part}.json`;

export async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function isGguf(path: string): Promise<boolean> {
  const file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
  await file.close();
  return bytesRead === 4 && buffer.toString('latin1') === 'GGUF';
}

function badStatus(url: string, status: number): OrchestratorError {
  const missing = status === 404 || status === 410;
  return new OrchestratorError(missing ? 'ORC-408' : 'ORC-404', `${url} answered with status ${status}`, {
    class: missing ? 'not_found' : status === 401 || status === 403 ? 'auth' : 'unavailable',
    retryable: status >= 500 || status === 429,
    details: { status },
  });
}

export function unreachable(url: string, cause: unknown): OrchestratorError {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return new OrchestratorError('ORC-404', `${url} cannot be reached: ${inner instanceof Error ? inner.message : String(inner)}`, {
    class: 'network',
    retryable: true,
    cause,
  });
}
