import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startModelServer, type Answer, type ModelServer } from '../../test/support/model-server.ts';
import { toFailure, type OrchestratorError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { failedBill } from './billing.ts';
import { openModels, type OpenModelsOptions } from './catalog.ts';
import type { EmbedReply } from './port.ts';
import { embedAll, type Vectors } from './vectors.ts';

let server: ModelServer;
beforeEach(async () => {
  server = await startModelServer();
});
afterEach(() => server.close());

const signal = new AbortController().signal;
const COST = { input_per_million: 2, output_per_million: 0 };

function setup(section: JsonObject = {}, options: Partial<OpenModelsOptions> = {}) {
  const models = openModels(
    {
      providers: {
        openai: { type: 'openai', base_url: server.url },
        mistral: { type: 'mistral', base_url: server.url },
        lab: { type: 'openai-compatible', base_url: server.url },
        groq: { type: 'groq', base_url: server.url },
      },
      catalog: ['openai/embed', 'mistral/embed', 'lab/embed', 'lab/other'].map(id => ({ id, cost: COST })),
      ...section,
    },
    { env: { OPENAI_API_KEY: 'sk-openai', MISTRAL_API_KEY: 'key', GROQ_API_KEY: 'key' }, ...options },
  );
  const embed = (id: string, texts: string[], how: object = {}): Promise<EmbedReply> => models.get(id).embed!({ texts }, { signal, ...how });
  const all = (id: string, texts: string[]): Promise<Vectors> => embedAll(models.get(id), texts, { signal });
  const sizes = (): number[] => server.requests.map(({ body }) => (body['input'] as string[]).length);
  return { models, embed, all, sizes };
}

function caught(promise: Promise<unknown>): Promise<OrchestratorError> {
  return promise.then(
    value => expect.unreachable(`answered ${JSON.stringify(value)}`),
    (error: OrchestratorError) => error,
  );
}

const IDS = ['openai/embed', 'mistral/embed', 'lab/embed'];

test.each(IDS)('S12 %s makes a vector of each text, at the price of its input', async id => {
  server.reply({
    vectors: [
      [1, 2],
      [3, 4],
    ],
    usage: { prompt_tokens: 1000, total_tokens: 1000 },
    headers: { 'x-ratelimit-remaining-requests': '9' },
  });
  const reply = await setup().embed(id, ['a', 'b']);
  expect(reply).toMatchObject({
    vectors: [
      [1, 2],
      [3, 4],
    ],
    usage: { inputTokens: 1000, outputTokens: 0 },
    costMicroUsd: 2000,
  });
  expect(reply.rates).toMatchObject([{ of: 'requests', remaining: 9 }]);
  expect(server.requests[0]!.path).toBe('/v1/embeddings');
});

test('Google makes them in its own dialect, and tells no usage', async () => {
  const models = openModels({ providers: { google: { type: 'google', base_url: server.url, api_key: 'key' } } }, { env: {} });
  const values = [
    [1, 2],
    [3, 4],
  ];
  server.reply({ body: { embeddings: values.map(one => ({ values: one })) } });
  const { vectors, replies } = await embedAll(models.get('google/gemini-embedding-001'), ['a', 'b'], { signal });
  expect(vectors).toEqual(values);
  expect(replies[0]).toMatchObject({ usageUnknown: true });
  expect(models.get('google/gemini-embedding-001').embedsAtOnce).toBe(100);
});

test('without a usage nobody knows the cost', async () => {
  server.reply({ usage: null });
  const reply = await setup().embed('lab/embed', ['a']);
  expect(reply.usageUnknown).toBe(true);
  expect(reply).not.toHaveProperty('costMicroUsd');
});

test.each<[string, Answer, string]>([
  ['too few', { vectors: [[1, 2]] }, 'it has 1 vectors for 2 texts'],
  ['too many', { vectors: [[1], [2], [3]] }, 'it has 3 vectors for 2 texts'],
  ['unequal', { vectors: [[1, 2], [1]] }, 'its vectors are of unequal lengths'],
  ['empty', { vectors: [[], []] }, 'a vector is empty'],
  ['of no numbers', { raw: '{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":["x"]}],"usage":{"prompt_tokens":7}}' }, ''],
  ['no list', { raw: '{"data":7}' }, ''],
  [
    'of one text twice',
    { body: { data: [0, 0].map(index => ({ index, embedding: [1] })), usage: { prompt_tokens: 5 } } },
    'it does not say which vector is of which text',
  ],
])('vectors that are %s cannot be used', async (_case, answer, reason) => {
  server.reply(answer);
  const error = await caught(setup().embed('lab/embed', ['a', 'b']));
  expect(error).toMatchObject({ code: 'ORC-405', class: 'invalid_output', retryable: true, message: expect.stringContaining(reason) });
});

test('S12 and are billed, where the service says for how much', async () => {
  const { models, embed } = setup();
  server.reply({ vectors: [[1]], usage: { prompt_tokens: 500, total_tokens: 500 } });
  const error = await caught(embed('lab/embed', ['a', 'b']));
  expect(failedBill(toFailure(error), models.get('lab/embed'))).toMatchObject({ billed: 'yes', costMicroUsd: 1000 });
});

test('vectors that come in another order are put in that of their texts', async () => {
  server.reply({ body: { data: [2, 0, 1].map(index => ({ index, embedding: [index] })), usage: { prompt_tokens: 3 } } });
  expect((await setup().embed('lab/embed', ['a', 'b', 'c'])).vectors).toEqual([[0], [1], [2]]);
});

describe('any number of texts', () => {
  test('goes in as few requests as the service allows', async () => {
    const { all, sizes } = setup();
    const texts = Array.from({ length: 70 }, (_, at) => `text ${at}`);
    const { vectors, replies } = await all('mistral/embed', texts);
    expect(sizes()).toEqual([32, 32, 6]);
    expect(replies).toHaveLength(3);
    expect(vectors.map(([length]) => length)).toEqual(texts.map(text => text.length));
  });

  test('and of no more text than one request may hold', async () => {
    const { all, sizes } = setup();
    await all('openai/embed', ['x'.repeat(200_000), 'y'.repeat(200_000), 'z']);
    expect(sizes()).toEqual([1, 2]);
  });

  test('has vectors of one length, or none', async () => {
    server.respond(request => ({ vectors: (request.body['input'] as string[]).map(text => (text === 'text 40' ? [1, 2, 3] : [1, 2])) }));
    const texts = Array.from({ length: 33 }, (_, at) => `text ${at + 8}`);
    expect(await caught(setup().all('lab/embed', texts))).toMatchObject({
      code: 'ORC-405',
      message: 'lab/embed made vectors of 2 numbers, and then of 3: they cannot be compared',
    });
  });

  test('and no empty one among them', async () => {
    expect(await caught(setup().all('lab/embed', ['a', ' ']))).toMatchObject({ code: 'ORC-406', message: expect.stringContaining('text 2 of 2 is empty') });
    expect(server.requests).toEqual([]);
  });
});

test.each(['groq/llama-3.1-8b-instant', 'openai/gpt-4o'])('%s makes none, and that is said before it is asked', async id => {
  expect(await caught(setup().all(id, ['a']))).toMatchObject({ code: 'ORC-410', class: 'invalid_input', message: `${id} makes no vectors` });
});

test('nobody takes over: the vectors of another model mean something else', async () => {
  const { embed } = setup({ fallback: ['lab/other'] });
  server.reply({ status: 503, body: {} });
  expect(await caught(embed('lab/embed', ['a']))).toMatchObject({ code: 'ORC-404', retryable: true });
  expect(server.requests).toHaveLength(1);
});

test('limits and circuits hold for vectors too', async () => {
  const { embed, models } = setup({ catalog: [{ id: 'lab/embed', limits: { concurrency: 1 } }] });
  let under = 0;
  let most = 0;
  server.respond(() => {
    most = Math.max(most, ++under);
    setTimeout(() => under--, 8);
    return { delayMs: 10 };
  });
  await Promise.all(['a', 'b', 'c', 'd'].map(text => embed('lab/embed', [text])));
  expect(most).toBe(1);
  server.respond(() => ({ status: 500, body: {} }));
  for (let i = 0; i < 5; i++) await caught(embed('lab/embed', ['a']));
  expect(models.describe('lab/embed').circuit).toBe('open');
});

describe('the cache', () => {
  const cached = () => setup({}, { cache: { url: 'memory:', ttlMs: 60_000 } });

  test('keeps each vector, so that only new texts are asked for, each once', async () => {
    const { embed } = cached();
    const first = await embed('lab/embed', ['one', 'two']);
    const second = await embed('lab/embed', ['two', 'three', 'one', 'three']);
    expect(server.requests.map(({ body }) => body['input'])).toEqual([['one', 'two'], ['three']]);
    expect(second.vectors).toEqual([first.vectors[1], expect.any(Array), first.vectors[0], second.vectors[1]]);
    expect(second).not.toHaveProperty('cached');
  });

  test('gives what it has for nothing, exactly, and says what it would have taken', async () => {
    const { embed } = cached();
    server.reply({
      vectors: [
        [0.1, -1e-300],
        [1 / 3, 2],
      ],
      usage: { prompt_tokens: 100, total_tokens: 100 },
    });
    const first = await embed('lab/embed', ['aaa', 'b']);
    expect(first.costMicroUsd).toBe(200);
    expect(await embed('lab/embed', ['b', 'aaa'])).toMatchObject({
      vectors: [
        [1 / 3, 2],
        [0.1, -1e-300],
      ],
      cached: true,
      costMicroUsd: 0,
      usage: { inputTokens: 100 },
    });
    expect(server.requests).toHaveLength(1);
  });

  test('is left alone where that is asked, and of another model knows nothing', async () => {
    const { embed } = cached();
    await embed('lab/embed', ['a']);
    await embed('lab/embed', ['a'], { cache: false });
    await embed('lab/other', ['a']);
    expect(server.requests).toHaveLength(3);
  });
});

test('who is to answer in words is not looked for among those that make vectors', () => {
  const { models } = setup({ catalog: [{ id: 'lab/chat', cost: COST }, { id: 'openai/text-embedding-3-small' }] });
  expect(models.choose('cheapest').model.id).toBe('lab/chat');
  expect(models.choose({ capabilities: ['embeddings'] }).model.id).toBe('openai/text-embedding-3-small');
  expect(models.get('openai/text-embedding-3-small').price).toMatchObject({ inputPerMillion: 20_000, outputPerMillion: 0 });
});
