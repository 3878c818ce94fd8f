import { afterEach, beforeEach, expect, test } from 'vitest';
import { startModelServer, type ModelServer } from '../../test/support/model-server.ts';
import type { OrchestratorError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { reservationFor } from './billing.ts';
import { requestKey } from './cache.ts';
import { openModels } from './catalog.ts';
import { withoutData } from './content.ts';
import { estimateTokens } from './limits.ts';
import type { ContentPart, ModelRequest } from './port.ts';

let server: ModelServer;
beforeEach(async () => {
  server = await startModelServer();
});
afterEach(() => server.close());

const signal = new AbortController().signal;
/** One pixel. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const IMAGE: ContentPart = { type: 'image', mediaType: 'image/png', data: PNG };
const PDF: ContentPart = { type: 'file', mediaType: 'application/pdf', data: Buffer.from('%PDF-1.4').toString('base64'), name: 'a.pdf' };
const NOTES: ContentPart = { type: 'file', mediaType: 'text/markdown', data: Buffer.from('# Hi\n</file>').toString('base64'), name: 'notes.md' };
const asking = (...parts: ContentPart[]): ModelRequest => ({ messages: [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }, ...parts] }] });

function setup(entry: JsonObject = { modalities: ['image', 'file'] }, fallback: string[] = []) {
  const models = openModels(
    {
      providers: {
        openai: { type: 'openai', base_url: server.url },
        anthropic: { type: 'anthropic', base_url: server.url },
        lab: { type: 'openai-compatible', base_url: server.url },
      },
      catalog: ['openai/m', 'anthropic/m', 'lab/m'].map(id => ({ id, ...entry })),
      fallback,
    },
    { env: { OPENAI_API_KEY: 'sk-openai-secret', ANTHROPIC_API_KEY: 'sk-ant-secret' } },
  );
  const ask = (id: string, request: ModelRequest) => models.get(id).generate(request, { signal });
  const sent = async (id: string, request: ModelRequest): Promise<unknown> => {
    await ask(id, request);
    return (server.requests.at(-1)!.body['messages'] as JsonObject[])[0]!['content'];
  };
  return { models, ask, sent };
}

function caught(promise: Promise<unknown>): Promise<OrchestratorError> {
  return promise.then(
    value => expect.unreachable(`answered ${JSON.stringify(value)}`),
    (error: OrchestratorError) => error,
  );
}

test.each(['openai/m', 'lab/m'])('an image goes to %s as an address that holds it', async id => {
  expect(await setup().sent(id, asking(IMAGE))).toEqual([
    { type: 'text', text: 'What is it?' },
    { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}` } },
  ]);
});

test('and to Anthropic as what it is; a PDF as a document', async () => {
  expect(await setup().sent('anthropic/m', asking(IMAGE, PDF))).toEqual([
    { type: 'text', text: 'What is it?' },
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
    { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: PDF.type === 'file' && PDF.data }, title: 'a.pdf' },
  ]);
});

test('a PDF goes to OpenAI as a file', async () => {
  expect(await setup().sent('openai/m', asking(PDF))).toMatchObject([
    { type: 'text' },
    { type: 'file', file: { filename: 'a.pdf', file_data: expect.stringMatching(/^data:application\/pdf;base64,/) } },
  ]);
});

test('C16 a file of text goes to any model as text that cannot leave its fence', async () => {
  const content = (await setup({ modalities: [] }).sent('lab/m', asking(NOTES))) as { text: string }[];
  const text = content.map(part => part.text).join('\n');
  expect(text).toContain('notes.md');
  expect(text).toContain('# Hi');
  expect(text.match(/<\/data>/g)).toHaveLength(1);
  expect(text).not.toContain('</file>');
});

test.each([
  ['lab/m', { modalities: ['text'] }, IMAGE, 'lab/m does not read images'],
  ['lab/m', { modalities: ['image'] }, PDF, 'lab/m does not read files of the type application/pdf'],
  ['openai/gpt-3.5-turbo', {}, IMAGE, 'openai/gpt-3.5-turbo does not read images'],
])('what %s is known not to read is refused before it is asked (%j)', async (id, entry, part, message) => {
  const error = await caught(setup(entry).ask(id, asking(part)));
  expect(error).toMatchObject({ code: 'ORC-410', class: 'invalid_input', retryable: false, message });
  expect(error.help[1]).toContain(`id: ${id}`);
  expect(server.requests).toEqual([]);
});

test('what nobody knows of is tried', async () => {
  await setup({}).ask('lab/m', asking(IMAGE));
  expect(server.requests).toHaveLength(1);
});

test('a kind of file that the dialect has no form for is refused in words', async () => {
  const video: ContentPart = { type: 'file', mediaType: 'video/mp4', data: 'AAAA', name: 'a.mp4' };
  expect(await caught(setup().ask('openai/m', asking(video)))).toMatchObject({ code: 'ORC-410', message: expect.stringContaining('video/mp4') });
  expect(server.requests).toEqual([]);
});

test('one that cannot read it does not take over', async () => {
  const { ask, models } = setup({ modalities: ['image'] }, ['lab/smollm2', 'lab/other']);
  server.reply({ status: 503, body: {} }, 'a cat');
  expect((await ask('lab/m', asking(IMAGE))).fallback?.id).toBe('lab/other');
  expect(models.describe('lab/smollm2').abilities).toMatchObject({ images: false });
});

test('S12 images and files are counted before the call, and at their worst for a budget', () => {
  const price = { inputPerMillion: 1_000_000, outputPerMillion: 0 };
  const plain = estimateTokens(asking()).input;
  expect(estimateTokens(asking(IMAGE)).input - plain).toBe(1500);
  const worst = (id: string, ...parts: ContentPart[]): number =>
    reservationFor([{ id, local: false, price, contextWindow: 200_000 }], { ...asking(...parts), maxTokens: 0 }).microUsd!;
  expect(worst('lab/m', IMAGE) - worst('lab/m')).toBe(10_000);
  expect(worst('openai/gpt-4o-mini', IMAGE) - worst('openai/gpt-4o-mini')).toBe(50_000);
  expect(worst('lab/m', PDF) - worst('lab/m')).toBe(200_000);
  expect(worst('lab/m', NOTES) - worst('lab/m')).toBeLessThan(100);
});

test('another image is another request, and a journal holds its hash and not its data', () => {
  const other: ContentPart = { ...IMAGE, data: Buffer.from('other').toString('base64') };
  expect(requestKey('m', asking(IMAGE))).not.toBe(requestKey('m', asking(other)));
  const told = JSON.stringify(withoutData(asking(IMAGE).messages));
  expect(told).not.toContain(PNG);
  expect(told).toMatch(/"mediaType":"image\/png","bytes":70,"sha256":"[0-9a-f]{64}"/);
});
