import { afterEach, beforeEach, expect, test } from 'vitest';
import { startModelServer, type ModelServer } from '../../test/support/model-server.ts';
import type { JsonObject } from '../json.ts';
import { ModelNotFoundError, openModels } from './catalog.ts';
import { textOf } from './content.ts';
import { ModelProfiler } from './profiler.ts';
import { ModelRegistry } from './registry.ts';

let server: ModelServer;
beforeEach(async () => {
  server = await startModelServer();
});
afterEach(() => server.close());

function setup(section: JsonObject = {}) {
  const clock = { at: 1_000_000, now: () => clock.at, monotonic: () => clock.at };
  const open = () =>
    openModels(
      {
        default: 'lab/small',
        providers: { lab: { type: 'openai-compatible', base_url: server.url } },
        catalog: [{ id: 'lab/small', cost: { input_per_million: 1, output_per_million: 5 } }, { id: 'lab/large' }],
        ...section,
      },
      { env: {}, clock },
    );
  return { clock, registry: new ModelRegistry({ open, clock }) };
}

test('the guide: a model that is there, and how it is', async () => {
  const { registry } = setup();
  const model = registry.getModel('small');
  expect(await model.healthCheck()).toMatchObject({ healthy: true, error: null, kind: null, checkedAt: '1970-01-01T00:16:40.000Z' });
  server.reply({ text: 'hello', usage: { prompt_tokens: 1000, completion_tokens: 100 } });
  expect(await model.generateResponse('Test prompt', { system: 'Be brief.', temperature: 0 })).toMatchObject({
    text: 'hello',
    cost: 0.0015,
    model: 'lab/small',
  });
  expect(server.requests.at(-1)!.body['messages']).toEqual([
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Test prompt' },
  ]);
});

test('the guide: a model that is not there is named with the nearest, and what there is', () => {
  const { registry } = setup();
  expect(() => registry.getModel('smal')).toThrow(ModelNotFoundError);
  try {
    registry.getModel('smal');
  } catch (error) {
    expect(error).toMatchObject({ model: 'smal', suggestions: ['lab/small'], code: 'ORC-401' });
  }
  expect(registry.listModels()).toEqual(['lab/large', 'lab/small']);
});

test('the guide: a profiled function', async () => {
  const { registry, clock } = setup();
  const profiler = new ModelProfiler({ clock });
  const testModelPerformance = profiler.profileModel(async (name: string) => (await registry.getModel(name).generateResponse('Test prompt')).text);
  expect(await testModelPerformance('lab/small')).toBe('ok');
  expect(profiler.report()).toMatchObject([{ model: 'lab/small', calls: 1, errorRate: 0 }]);
});

test.each([
  [401, 'auth'],
  [503, 'network'],
])('a status of %i makes it unwell: %s', async (status, kind) => {
  const { registry } = setup();
  server.reply({ status, body: {} });
  expect(await registry.getModel('lab/small').healthCheck()).toMatchObject({ healthy: false, kind });
});

test('a service that nobody runs is a matter of the network', async () => {
  const { registry } = setup();
  const model = registry.getModel('lab/small');
  await server.close();
  expect(await model.healthCheck()).toMatchObject({ healthy: false, kind: 'network', error: expect.stringContaining('connection refused') });
});

test('a health is believed for a minute', async () => {
  const { registry, clock } = setup();
  const model = registry.getModel('lab/small');
  await model.healthCheck();
  await model.healthCheck();
  expect(server.requests).toHaveLength(1);
  clock.at += 60_000;
  await model.healthCheck();
  expect(server.requests).toHaveLength(2);
});

test('all are examined at once', async () => {
  const { registry } = setup();
  expect(Object.entries(await registry.healthCheck()).map(([id, { healthy, kind }]) => [id, healthy, kind])).toEqual([
    ['lab/large', false, 'missing'],
    ['lab/small', true, null],
  ]);
});

test('a choice asks the providers what they serve, once, and explains itself', async () => {
  const { registry } = setup({ default: 'lab/large', catalog: [] });
  server.models = [{ id: 'llama-3.1-8b', max_model_len: 32_768 }];
  const chosen = await registry.select({ min_context_window: 30_000 });
  expect(chosen.id).toBe('lab/llama-3.1-8b');
  expect(chosen.route).toMatchObject({ chosen: 'lab/llama-3.1-8b', rejected: [{ id: 'lab/large' }] });
  await registry.select({ min_size: '7b' });
  expect(server.requests).toHaveLength(1);
  await expect(registry.select({ min_context_window: 99_999 })).rejects.toMatchObject({ code: 'ORC-402' });
});

test("a model of one's own is one of them", async () => {
  const { registry } = setup();
  registry.register({
    id: 'own/echo',
    provider: 'own',
    contextWindow: 100,
    local: true,
    price: undefined,
    generate: async ({ messages }) => ({
      model: 'echo',
      text: textOf(messages.at(-1)!.content),
      usage: { inputTokens: 1, outputTokens: 1, cachedInputTokens: 0, reasoningTokens: 0 },
      finishReason: 'stop',
      latencyMs: 1,
      firstTokenMs: undefined,
    }),
  });
  expect(registry.listModels()).toContain('own/echo');
  expect(await registry.getModel('echo').generateResponse('hi')).toMatchObject({ text: 'hi', cost: 0, model: 'own/echo' });
  expect((await registry.select({ local: true })).id).toBe('own/echo');
});

test('watched, models are examined again and again, and no longer once that is over', async () => {
  const { registry, clock } = setup();
  const stop = registry.watch(5);
  await expect.poll(() => server.requests.length).toBeGreaterThanOrEqual(2);
  clock.at += 60_000;
  await expect.poll(() => server.requests.length).toBeGreaterThanOrEqual(4);
  stop();
});
