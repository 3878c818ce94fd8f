import { afterEach, beforeEach, expect, test } from 'vitest';
import { startModelServer, type ModelServer } from '../../test/support/model-server.ts';
import type { JsonObject, JsonSchema } from '../json.ts';
import { openModels } from './catalog.ts';
import type { GenerateOptions, ModelReply, ModelRequest } from './port.ts';
import { ollamaUrl, SERVICES } from './services.ts';

const SCHEMA: JsonSchema = { type: 'object', properties: { value: { type: 'integer', minimum: 3 } }, required: ['value'] };
const MESSAGES: ModelRequest['messages'] = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Say hello.' },
];
const signal = new AbortController().signal;
const KEYS = {
  OPENAI_API_KEY: 'sk-openai-secret',
  ANTHROPIC_API_KEY: 'sk-ant-secret',
  GEMINI_API_KEY: 'gemini-secret',
  MISTRAL_API_KEY: 'mistral-secret',
  GROQ_API_KEY: 'groq-secret',
  AZURE_API_KEY: 'azure-secret',
  AZURE_RESOURCE_NAME: 'mine',
  AWS_BEARER_TOKEN_BEDROCK: 'aws-secret',
  AWS_REGION: 'eu-north-1',
  OLLAMA_HOST: '127.0.0.1',
};

let server: ModelServer;
beforeEach(async () => {
  server = await startModelServer();
});
afterEach(() => server.close());

function setup(type: string, more: JsonObject = {}) {
  const models = openModels({ providers: { [type]: { base_url: server.url, ...more } } }, { env: KEYS });
  const ask = (name: string, request: Partial<ModelRequest> = {}, how: Partial<GenerateOptions> = {}): Promise<ModelReply> =>
    models.get(`${type}/${name}`).generate({ messages: MESSAGES, ...request }, { signal, ...how });
  return { models, ask };
}

test('a service appears by itself when its key is in the environment, and not before', () => {
  const names = Object.keys(SERVICES);
  const reachable = (env: { [name: string]: string }): string[] =>
    names.filter(name => {
      try {
        return openModels({}, { env }).get(`${name}/x`) !== undefined;
      } catch {
        return false;
      }
    });
  expect(reachable({})).toEqual([]);
  expect(reachable({ OPENAI_API_KEY: '' })).toEqual([]);
  expect(reachable({ GOOGLE_GENERATIVE_AI_API_KEY: 'x' })).toEqual(['google']);
  expect(reachable({ AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'y', AWS_REGION: 'z' })).toEqual([]);
  expect(reachable(KEYS)).toEqual(names);
});

test('who sets nothing but a key gets the small model of its service; who names providers chooses for himself', () => {
  expect(openModels({}, { env: { OPENAI_API_KEY: 'x' } }).default().id).toBe('openai/gpt-4o-mini');
  expect(openModels({}, { env: { ANTHROPIC_API_KEY: 'x', OPENAI_API_KEY: 'x' } }).default().id).toBe('anthropic/claude-haiku-4-5');
  expect(openModels({ providers: { local: { type: 'llama.cpp' } } }, { env: { OPENAI_API_KEY: 'x' } }).hasDefault()).toBe(false);
});

test('OpenAI is asked in its own dialect, whole and streamed', async () => {
  const { ask } = setup('openai');
  server.reply({ text: 'hello', model: 'gpt-4o-mini-2024', usage: { prompt_tokens: 12, completion_tokens: 7, prompt_tokens_details: { cached_tokens: 4 } } });
  expect(await ask('gpt-4o-mini', { maxTokens: 9 })).toMatchObject({
    text: 'hello',
    model: 'gpt-4o-mini-2024',
    finishReason: 'stop',
    usage: { inputTokens: 12, outputTokens: 7, cachedInputTokens: 4, reasoningTokens: 0 },
  });
  expect(server.requests[0]).toMatchObject({ path: '/v1/chat/completions', body: { model: 'gpt-4o-mini', messages: MESSAGES, max_tokens: 9 } });
  expect(server.requests[0]!.headers.authorization).toBe('Bearer sk-openai-secret');
  const tokens: string[] = [];
  server.reply({ text: 'one two three', usage: { prompt_tokens: 3, completion_tokens: 9 } });
  const reply = await ask('gpt-4o-mini', {}, { onToken: token => tokens.push(token) });
  expect(tokens.join('')).toBe('one two three');
  expect(reply).toMatchObject({ text: 'one two three', usage: { inputTokens: 3, outputTokens: 9 } });
});

test('Anthropic is asked in its own dialect, whole and streamed', async () => {
  const { ask } = setup('anthropic');
  server.reply({ text: 'hello', usage: { input_tokens: 12, output_tokens: 7, cache_read_input_tokens: 4, cache_creation_input_tokens: 2 } });
  const reply = await ask('claude-haiku-4-5', { maxTokens: 9 });
  expect(reply).toMatchObject({ text: 'hello', model: 'claude-haiku-4-5', finishReason: 'stop' });
  // Anthropic counts what was cached apart; here it is part of the input, as everywhere.
  expect(reply.usage).toEqual({ inputTokens: 18, outputTokens: 7, cachedInputTokens: 4, cacheWriteTokens: 2, reasoningTokens: 0 });
  expect(server.requests[0]).toMatchObject({
    path: '/v1/messages',
    body: { model: 'claude-haiku-4-5', max_tokens: 9, system: [{ type: 'text', text: 'Be brief.' }] },
  });
  expect(server.requests[0]!.headers['x-api-key']).toBe('sk-ant-secret');
  const tokens: string[] = [];
  server.reply({ text: 'one two three', usage: { input_tokens: 3, output_tokens: 9 } });
  const streamed = await ask('claude-haiku-4-5', {}, { onToken: token => tokens.push(token) });
  expect(tokens.join('')).toBe('one two three');
  expect(streamed).toMatchObject({ text: 'one two three', usage: { inputTokens: 3, outputTokens: 9 } });
});

test.each(['openai', 'anthropic'])('%s answers in a shape, whole and streamed', async type => {
  const { ask } = setup(type);
  expect((await ask('m', { schema: SCHEMA })).object).toEqual({ value: 3 });
  server.reply({ text: '{"value": 5}' });
  expect((await ask('m', { schema: SCHEMA }, { onToken: () => {} })).object).toEqual({ value: 5 });
});

test.each([
  ['mistral', 'mistral-small-latest', 'Bearer mistral-secret'],
  ['groq', 'llama-3.1-8b-instant', 'Bearer groq-secret'],
  ['ollama', 'llama3.2', undefined],
])('%s speaks the dialect of OpenAI', async (type, model, authorization) => {
  const { ask } = setup(type);
  server.reply({ text: 'hello', usage: { prompt_tokens: 2, completion_tokens: 1, total_tokens: 3 } });
  expect(await ask(model)).toMatchObject({ text: 'hello', usage: { inputTokens: 2, outputTokens: 1 } });
  expect(server.requests[0]!.headers.authorization).toBe(authorization);
});

test.each(['mistral', 'groq', 'ollama', 'azure'])('a stream of %s that ends early is no answer', async type => {
  const { ask } = setup(type);
  const usage = { prompt_tokens: 2, completion_tokens: 1, total_tokens: 3 };
  for (const at of [0, 150, 350, 500]) {
    server.reply({ text: 'one two three four', usage, cut: { at, then: 'end' } });
    await expect(ask('m', {}, { onToken: () => {} }), `cut at ${at}`).rejects.toMatchObject({ code: 'ORC-405', retryable: true });
  }
  server.reply({ text: 'one two three four', usage });
  expect(await ask('m', {}, { onToken: () => {} })).toMatchObject({ text: 'one two three four', finishReason: 'stop' });
});

test('Azure is asked with its own key', async () => {
  const { ask } = setup('azure', { api_version: '2026-01-01' });
  server.reply('hello');
  expect((await ask('my-deployment')).text).toBe('hello');
  expect(server.requests[0]!.headers['api-key']).toBe('azure-secret');
});

test('Google and Bedrock are asked in theirs', async () => {
  const google = {
    candidates: [{ content: { parts: [{ text: 'hello' }], role: 'model' }, finishReason: 'STOP' }],
    usageMetadata: { promptTokenCount: 4, candidatesTokenCount: 2, totalTokenCount: 6 },
  };
  const bedrock = {
    output: { message: { role: 'assistant', content: [{ text: 'hello' }] } },
    stopReason: 'end_turn',
    usage: { inputTokens: 4, outputTokens: 2, totalTokens: 6 },
  };
  server.reply({ status: 200, body: google }, { status: 200, body: bedrock });
  for (const type of ['google', 'bedrock'])
    expect(await setup(type).ask('some-model')).toMatchObject({ text: 'hello', finishReason: 'stop', usage: { inputTokens: 4, outputTokens: 2 } });
  expect(server.requests[0]!.headers['x-goog-api-key']).toBe('gemini-secret');
  expect(server.requests[1]!.headers.authorization).toBe('Bearer aws-secret');
});

test('prices come from the kept table, and the catalog wins over it', () => {
  const models = openModels(
    { catalog: [{ id: 'openai/gpt-4o-mini', context_window: 5, cost: { input_per_million: 1, output_per_million: 2, cached_input_per_million: 0.5 } }] },
    { env: KEYS },
  );
  expect(models.get('openai/gpt-4o-mini')).toMatchObject({
    contextWindow: 5,
    price: { inputPerMillion: 1_000_000, outputPerMillion: 2_000_000, cachedInputPerMillion: 500_000 },
  });
  expect(models.get('anthropic/claude-haiku-4-5')).toMatchObject({
    contextWindow: 200_000,
    price: { inputPerMillion: 1_000_000, outputPerMillion: 5_000_000, cachedInputPerMillion: 100_000 },
  });
  expect(models.get('openai/nobody-knows-me').price).toBeUndefined();
  expect(models.get('ollama/llama3.2')).toMatchObject({ local: true, price: { inputPerMillion: 0, outputPerMillion: 0 } });
});

test.each(['openai', 'anthropic'])('%s is asked whether a model is there, at no cost', async type => {
  const { models } = setup(type);
  await expect(models.get(`${type}/small`).probe!(signal)).resolves.toBeUndefined();
  await expect(models.get(`${type}/large`).probe!(signal)).rejects.toMatchObject({ code: 'ORC-401' });
  server.reply({ status: 401, body: {} });
  await expect(models.get(`${type}/small`).probe!(signal)).rejects.toMatchObject({ code: 'ORC-403', class: 'auth' });
  expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /v1/models/small', 'GET /v1/models/large', 'GET /v1/models/small']);
});

test('a service of the dialect of OpenAI is asked for its list instead', async () => {
  const { models } = setup('ollama');
  server.models = [{ id: 'llama3.2:latest' }];
  await expect(models.get('ollama/llama3.2').probe!(signal)).resolves.toBeUndefined();
  await expect(models.get('ollama/other').probe!(signal)).rejects.toMatchObject({ code: 'ORC-401' });
});

test.each([
  [undefined, 'http://127.0.0.1:11434/v1'],
  ['0.0.0.0', 'http://127.0.0.1:11434/v1'],
  ['gpu.lab:8080', 'http://gpu.lab:8080/v1'],
  ['https://ollama.lab', 'https://ollama.lab/v1'],
])('the host of Ollama %s is at %s', (host, url) => {
  expect(ollamaUrl(host)).toBe(url);
});

test('C11 a key does not come back in a message', async () => {
  for (const type of ['openai', 'anthropic']) {
    server.reply({ status: 401, body: { error: { message: 'bad key: sk-openai-secret sk-ant-secret' } } });
    const message = await setup(type)
      .ask('m')
      .catch((error: Error) => error.message);
    expect(message).not.toContain(type === 'openai' ? 'sk-openai-secret' : 'sk-ant-secret');
  }
});
