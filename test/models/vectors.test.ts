import { expect, onTestFinished, test } from 'vitest';
import { openModels } from '../../src/models/index.ts';
import { makeFolder, openBench } from '../promises/bench.ts';
import { startModelServer, type Answer, type RecordedRequest } from '../support/model-server.ts';

/** A shell whose `mistral/vectors`, 32 texts at once, are made by a server on loopback: of `text 7` the vector [7, 1], for 100 tokens a request. */
async function setup() {
  const server = await startModelServer();
  onTestFinished(() => server.close());
  const folder = makeFolder();
  const models = openModels(
    {
      providers: { mistral: { type: 'mistral', base_url: server.url, api_key: 'key' } },
      catalog: [{ id: 'mistral/vectors', cost: { input_per_million: 1, output_per_million: 0 } }],
    },
    { env: {}, folder },
  );
  const { shell, store, compile } = await openBench({ folder, models });
  server.respond(vectorsOf);
  const run = async (more = '') =>
    shell.run(await compile(`  - { id: v, action: embed, parameters: { model: mistral/vectors, texts: ${JSON.stringify(TEXTS)} }${more} }`));
  return { server, store, run };
}

function vectorsOf({ body }: RecordedRequest): Answer {
  return { vectors: (body['input'] as string[]).map(text => [Number(text.slice(5)), 1]), usage: { prompt_tokens: 100, total_tokens: 100 } };
}

const TEXTS = Array.from({ length: 70 }, (_, at) => `text ${at}`);

test('S12 vectors of many texts are many requests, each with its row in the ledger and its cost', async () => {
  const { store, run } = await setup();
  const document = await run();
  expect(document.error).toBeNull();
  expect(document.tasks['v']!.output).toMatchObject({ count: 70, dimensions: 2, vectors: TEXTS.map((_, at) => [at, 1]) });
  const rows = await store.ledger({});
  expect(rows.map(({ purpose, model, inputTokens, outputTokens, costMicroUsd }) => ({ purpose, model, inputTokens, outputTokens, costMicroUsd }))).toEqual(
    [32, 32, 6].map(() => ({ purpose: 'embed', model: 'mistral/vectors', inputTokens: 100, outputTokens: 0, costMicroUsd: 100 })),
  );
  expect(document.tasks['v']!.costUsd).toBeCloseTo(0.0003, 6);
});

test('S6 S12 a request that was paid is not made again when a later one fails', async () => {
  const { server, store, run } = await setup();
  let asked = 0;
  server.respond(request => (++asked === 3 ? { status: 503, body: {} } : vectorsOf(request)));
  const document = await run(', retry: { max_attempts: 2, initial_backoff: 0.01 }');
  expect(document.error).toBeNull();
  expect(document.tasks['v']).toMatchObject({ attempts: 2, output: { vectors: TEXTS.map((_, at) => [at, 1]) } });
  expect(server.requests.map(({ body }) => (body['input'] as string[]).length)).toEqual([32, 32, 6, 6]);
  expect((await store.ledger({})).reduce((sum, { costMicroUsd }) => sum + costMicroUsd!, 0)).toBe(300);
});
