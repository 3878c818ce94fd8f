import { afterEach, beforeEach, expect, test } from 'vitest';
import { startModelServer, type Answer, type ModelServer } from '../../test/support/model-server.ts';
import type { OrchestratorError } from '../errors.ts';
import type { JsonSchema } from '../json.ts';
import { openAICompatible, type OpenAICompatibleOptions } from './openai-compatible.ts';
import type { GenerateOptions, ModelReply, ModelRequest } from './port.ts';

const SCHEMA: JsonSchema = { type: 'object', properties: { value: { type: 'integer', minimum: 3 } }, required: ['value'] };
const ASK: ModelRequest = {
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: 'Say hello.' },
  ],
};

let server: ModelServer;
beforeEach(async () => {
  server = await startModelServer();
});
afterEach(() => server.close());

function setup(options: Partial<OpenAICompatibleOptions> = {}) {
  const provider = openAICompatible({ name: 'lab', baseUrl: server.url, apiKey: 'sk-very-secret', timeoutMs: 5000, ...options });
  const signal = new AbortController().signal;
  const ask = (request: Partial<ModelRequest> = {}, how: Partial<GenerateOptions> = {}): Promise<ModelReply> =>
    provider.model('small').generate({ ...ASK, ...request }, { signal, ...how });
  /** The failure of a call that is answered like this, whole and streamed. */
  const failures = async (answer: Answer): Promise<OrchestratorError[]> => {
    server.reply(answer, answer);
    return [await caught(ask()), await caught(ask({}, { onToken: () => {} }))];
  };
  return { provider, ask, failures, signal };
}

async function caught(promise: Promise<unknown>): Promise<OrchestratorError> {
  return promise.then(
    value => expect.unreachable(`answered ${JSON.stringify(value)}`),
    (error: OrchestratorError) => error,
  );
}

test('a reply comes with its text, usage and the name of the model that answered', async () => {
  const { ask } = setup();
  server.reply({
    text: 'hello',
    model: 'small-2026',
    usage: { prompt_tokens: 12, completion_tokens: 7, prompt_tokens_details: { cached_tokens: 4 }, completion_tokens_details: { reasoning_tokens: 5 } },
  });
  const reply = await ask({ temperature: 0.5, maxTokens: 20, seed: 7 });
  expect(reply).toMatchObject({ text: 'hello', model: 'small-2026', finishReason: 'stop', firstTokenMs: undefined });
  expect(reply.usage).toEqual({ inputTokens: 12, outputTokens: 7, cachedInputTokens: 4, reasoningTokens: 5 });
  expect(reply.usageUnknown).toBeUndefined();
  expect(reply.latencyMs).toBeGreaterThan(0);
  expect(server.requests[0]!.body).toEqual({ model: 'small', messages: ASK.messages, temperature: 0.5, max_tokens: 20, seed: 7 });
  expect(server.requests[0]!.headers.authorization).toBe('Bearer sk-very-secret');
});

test('tokens are handed on as they come, with usage at the end', async () => {
  const { ask } = setup();
  server.reply({ text: 'one two three', usage: { prompt_tokens: 3, completion_tokens: 9 } });
  const tokens: string[] = [];
  const reply = await ask({}, { onToken: token => tokens.push(token) });
  expect(tokens.length).toBeGreaterThan(2);
  expect(tokens.join('')).toBe('one two three');
  expect(reply).toMatchObject({ text: 'one two three', finishReason: 'stop', usage: { inputTokens: 3, outputTokens: 9 } });
  expect(reply.firstTokenMs).toBeLessThanOrEqual(reply.latencyMs);
  expect(server.requests[0]!.body).toMatchObject({ stream: true, stream_options: { include_usage: true } });
});

test.each([undefined, () => {}])('a missing usage is zero and said to be unknown', async onToken => {
  const { ask } = setup();
  server.reply({ text: 'hello', usage: null });
  const reply = await ask({}, onToken === undefined ? {} : { onToken });
  expect(reply).toMatchObject({ usageUnknown: true, usage: { inputTokens: 0, outputTokens: 0 } });
});

test('a schema is sent as response_format and the answer comes parsed', async () => {
  const { ask } = setup();
  const reply = await ask({ schema: SCHEMA });
  expect(server.requests[0]!.body['response_format']).toEqual({ type: 'json_schema', json_schema: { name: 'answer', strict: false, schema: SCHEMA } });
  expect(reply.object).toEqual({ value: 3 });
});

test.each([
  ['json_object', { type: 'json_object' }],
  ['none', undefined],
] as const)('structured output as %s', async (structuredOutput, format) => {
  const { ask } = setup({ structuredOutput });
  server.reply('Here it is:\n```json\n{"value": 5}\n```');
  expect((await ask({ schema: SCHEMA })).object).toEqual({ value: 5 });
  expect(server.requests[0]!.body['response_format']).toEqual(format);
});

test('a text that is no JSON is kept, so that it can be asked again', async () => {
  const { ask } = setup();
  server.reply('I do not know.');
  const reply = await ask({ schema: SCHEMA });
  expect(reply.text).toBe('I do not know.');
  expect(reply).not.toHaveProperty('object');
});

test('an answer that was cut off at the limit says so', async () => {
  const { ask } = setup();
  server.reply({ text: 'hel', finishReason: 'length' });
  expect((await ask()).finishReason).toBe('length');
});

test.each<[string, Answer, Partial<OrchestratorError>]>([
  ['401', { status: 401, body: { error: { message: 'no' } } }, { code: 'ORC-403', class: 'auth', retryable: false }],
  ['403', { status: 403, body: { error: 'no' } }, { code: 'ORC-403', class: 'auth', retryable: false }],
  ['404', { status: 404, body: { error: { message: 'no such model' } } }, { code: 'ORC-401', class: 'not_found', retryable: false }],
  [
    '429 with retry-after',
    { status: 429, headers: { 'retry-after': '3' }, body: {} },
    { code: 'ORC-601', class: 'rate_limit', retryable: true, retryAfterMs: 3000 },
  ],
  ['429 with retry-after-ms', { status: 429, headers: { 'retry-after-ms': '20', 'retry-after': '3' }, body: {} }, { code: 'ORC-601', retryAfterMs: 20 }],
  ['429 without a word', { status: 429, body: {} }, { code: 'ORC-601', class: 'rate_limit', retryable: true, retryAfterMs: undefined }],
  ['429 for a spent quota', { status: 429, body: { error: { code: 'insufficient_quota', message: 'pay' } } }, { code: 'ORC-601', retryable: false }],
  ['500', { status: 500, body: 'oops' }, { code: 'ORC-404', class: 'unavailable', retryable: true }],
  ['503 with retry-after', { status: 503, headers: { 'retry-after': '2' }, body: {} }, { code: 'ORC-404', retryable: true, retryAfterMs: 2000 }],
  ['529', { status: 529, body: { error: { type: 'overloaded_error', message: 'busy' } } }, { code: 'ORC-404', class: 'unavailable', retryable: true }],
  ['400', { status: 400, body: { error: { message: 'temperature?' } } }, { code: 'ORC-406', class: 'invalid_input', retryable: false }],
  ['400 for a filtered prompt', { status: 400, body: { error: { code: 'content_filter', message: 'no' } } }, { code: 'ORC-406', class: 'policy' }],
  ['400 for a long prompt', { status: 400, body: { error: { code: 'context_length_exceeded', message: 'long' } } }, { code: 'ORC-409', retryable: false }],
  ['400 for a long prompt, in words', { status: 400, body: { message: "This model's maximum context length is 8192 tokens" } }, { code: 'ORC-409' }],
  ['413', { status: 413, body: {} }, { code: 'ORC-409' }],
  ['a redirect', { status: 307, headers: { location: 'http://127.0.0.1:1/' }, body: {} }, { code: 'ORC-404', retryable: false }],
  ['a filtered answer', { text: 'x', finishReason: 'content_filter' }, { code: 'ORC-406', class: 'policy' }],
  ['a refusal', { refusal: 'I cannot help with that' }, { code: 'ORC-406', class: 'policy' }],
  ['a connection that is reset', { fault: 'reset' }, { code: 'ORC-404', class: 'network', retryable: true }],
  ['a connection that is reset midway', { fault: 'reset-midway', text: 'one two three' }, { code: 'ORC-404', class: 'network', retryable: true }],
  ['a truncated reply', { fault: 'truncate', text: 'one two three' }, { code: 'ORC-405', class: 'invalid_output', retryable: true }],
  ['a malformed reply', { fault: 'malformed' }, { code: 'ORC-405', retryable: true }],
  ['an HTML page with status 200', { fault: 'html' }, { code: 'ORC-405', retryable: true }],
  ['a reply without choices', { fault: 'empty' }, { code: 'ORC-405', retryable: true }],
])('%s', async (_case, answer, expected) => {
  const { failures } = setup();
  for (const failure of await failures(answer)) {
    expect({ name: failure.name, ...expected }).toEqual({ name: 'OrchestratorError', ...pick(failure, expected) });
  }
  expect(server.requests).toHaveLength(2);
});

function pick(failure: OrchestratorError, expected: Partial<OrchestratorError>): Record<string, unknown> {
  return Object.fromEntries(Object.keys(expected).map(key => [key, failure[key as keyof OrchestratorError]]));
}

test('an error that comes with status 200 is taken for what it says', async () => {
  const { ask } = setup();
  server.reply({ body: { error: { code: 429, message: 'slow down' } } }, { body: { error: { message: 'the worker died' } } });
  expect(await caught(ask())).toMatchObject({ code: 'ORC-601', retryable: true });
  expect(await caught(ask())).toMatchObject({ code: 'ORC-405', message: expect.stringContaining('the worker died') });
});

test('a refusal tells what it cost', async () => {
  const { ask } = setup();
  server.reply({ text: 'x', finishReason: 'content_filter', usage: { prompt_tokens: 5, completion_tokens: 1 } });
  expect((await caught(ask())).details).toMatchObject({ model: 'small', usage: { inputTokens: 5, outputTokens: 1 } });
});

test('a service that nobody runs is named with its address', async () => {
  const { ask } = setup({ baseUrl: `${server.url}/` });
  await server.close();
  expect(await caught(ask())).toMatchObject({
    code: 'ORC-404',
    class: 'network',
    retryable: true,
    message: `lab cannot be reached at ${server.url}: connection refused`,
  });
});

test('C11 a key that the service repeats does not come back in the message', async () => {
  const { failures } = setup();
  for (const failure of await failures({ status: 401, body: { error: { message: 'Incorrect API key provided: sk-very-secret' } } })) {
    expect(JSON.stringify([failure.message, failure.details, failure.help])).not.toContain('sk-very-secret');
  }
});

test('C8 a redirect is not followed, so that the key stays here', async () => {
  const other = await startModelServer();
  const { ask } = setup();
  server.reply({ status: 307, headers: { location: `${other.url}/chat/completions` }, body: {} });
  await caught(ask());
  await other.close();
  expect(other.requests).toEqual([]);
});

test('C14 an endless reply is cut off', async () => {
  const { ask } = setup();
  server.reply({ text: 'x'.repeat(33 * 1024 * 1024) });
  expect(await caught(ask())).toMatchObject({ code: 'ORC-603' });
});

test.each(['hang', 'stall'] as const)('a service that falls silent (%s) is given up', async fault => {
  const { ask } = setup({ timeoutMs: 150 });
  server.reply({ fault, text: 'one two three' }, { fault, text: 'one two three' });
  expect(await caught(ask())).toMatchObject({ code: 'ORC-404', class: 'timeout', retryable: true, message: 'lab/small sent nothing for 150 ms' });
  expect(await caught(ask({}, { onToken: () => {} }))).toMatchObject({ code: 'ORC-404', class: 'timeout' });
});

test('a stream that is slow, but not silent, is heard to its end', async () => {
  const { ask } = setup({ timeoutMs: 250 });
  server.reply({ text: 'one two three four five six', pauseMs: 50 });
  const reply = await ask({}, { onToken: () => {} });
  expect(reply.text).toBe('one two three four five six');
  expect(reply.latencyMs).toBeGreaterThan(250);
});

test('an abort ends the call at once and hangs up', async () => {
  const { ask } = setup();
  server.reply({ fault: 'hang' });
  const abort = new AbortController();
  const call = caught(ask({}, { signal: abort.signal }));
  while (server.requests.length === 0) await new Promise(resolve => setImmediate(resolve));
  abort.abort();
  expect(await call).toMatchObject({ code: 'ORC-231', class: 'cancelled' });
  while (!server.requests[0]!.aborted) await new Promise(resolve => setImmediate(resolve));
});

test('an abort within a stream, at its first token', async () => {
  const { ask } = setup();
  server.reply({ fault: 'stall', text: 'one two three' });
  const abort = new AbortController();
  expect(await caught(ask({}, { signal: abort.signal, onToken: () => abort.abort() }))).toMatchObject({ code: 'ORC-231' });
});

test('lists what the service serves', async () => {
  const { provider, signal } = setup({
    describe: name => ({
      contextWindow: () => (name === 'b' ? 5 : undefined),
      price: () => (name === 'b' ? { inputPerMillion: 1, outputPerMillion: 2 } : undefined),
      abilities: {},
    }),
  });
  server.models = [
    { id: 'org/a', max_model_len: 8192 },
    { id: 'b', context_length: 9 },
  ];
  expect(await provider.list(signal)).toEqual([
    { id: 'lab/org/a', provider: 'lab', contextWindow: 8192, local: false, price: undefined, abilities: {} },
    { id: 'lab/b', provider: 'lab', contextWindow: 5, local: false, price: { inputPerMillion: 1, outputPerMillion: 2 }, abilities: {} },
  ]);
  server.reply({ status: 404, body: {} }, { status: 401, body: {} }, { fault: 'html' });
  expect(await provider.list(signal)).toEqual([]);
  expect(await caught(provider.list(signal))).toMatchObject({ code: 'ORC-403' });
  expect(await caught(provider.list(signal))).toMatchObject({ code: 'ORC-405' });
});
