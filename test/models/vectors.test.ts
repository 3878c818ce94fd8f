import { expect, onTestFinished, test } from 'vitest';
import { openModels } from '../../src/models/index.ts';
import { makeFolder, openBench } from '../promises/bench.ts';
import { startModelServer } from '../support/model-server.ts';

test('S12 vectors of many texts are many requests, each with its row in the ledger and its cost', async () => {
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
  server.respond(request => ({
    vectors: (request.body['input'] as string[]).map(text => [Number(text.slice(5)), 1]),
    usage: { prompt_tokens: 100, total_tokens: 100 },
  }));
  const texts = Array.from({ length: 70 }, (_, at) => `text ${at}`);
  const document = await shell.run(await compile(`  - { id: v, action: embed, parameters: { model: mistral/vectors, texts: ${JSON.stringify(texts)} } }`));
  expect(document.error).toBeNull();
  expect(document.tasks['v']!.output).toMatchObject({ count: 70, dimensions: 2, vectors: texts.map((_, at) => [at, 1]) });
  const rows = await store.ledger({});
  expect(rows.map(({ purpose, model, inputTokens, outputTokens, costMicroUsd }) => ({ purpose, model, inputTokens, outputTokens, costMicroUsd }))).toEqual(
    [32, 32, 6].map(() => ({ purpose: 'embed', model: 'mistral/vectors', inputTokens: 100, outputTokens: 0, costMicroUsd: 100 })),
  );
  expect(document.tasks['v']!.costUsd).toBeCloseTo(0.0003, 6);
});
