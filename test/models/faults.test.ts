import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { OrchestratorError } from '../../src/errors.ts';
import type { JsonObject, JsonSchema } from '../../src/json.ts';
import { askStructured, openModels, type Model, type ModelReply, type ModelRequest } from '../../src/models/index.ts';
import { bodyOf, startModelServer, type Answer, type ModelServer } from '../support/model-server.ts';

/** Every way of asking in which a fault must be told in the same way. */
const WAYS = (['openai', 'anthropic', 'lab'] as const).flatMap(service => (['whole', 'streamed'] as const).map(mode => ({ service, mode })));
type Way = (typeof WAYS)[number];

const SILENCE_MS = 300;
const MESSAGES: ModelRequest['messages'] = [{ role: 'user', content: 'Say hello.' }];
const SCHEMA: JsonSchema = { type: 'object', properties: { value: { type: 'integer' } }, required: ['value'], additionalProperties: false };
const signal = new AbortController().signal;

let server: ModelServer;
beforeAll(async () => {
  server = await startModelServer();
});
afterAll(() => server.close());
afterEach(() => {
  server.requests.length = 0;
  server.respond(() => 'ok');
});

const routeOf = (service: Way['service']): '/messages' | '/chat/completions' => (service === 'anthropic' ? '/messages' : '/chat/completions');

/** A model of its own for each case, so that no circuit is open from the one before. */
function setup({ service, mode }: Way, timeoutMs = 20_000) {
  const models = openModels(
    {
      providers: {
        [service]: { type: service === 'lab' ? 'openai-compatible' : service, base_url: server.url, api_key: 'sk-very-secret-key', timeout: timeoutMs / 1000 },
      },
      catalog: [{ id: `${service}/m`, cost: { input_per_million: 1, output_per_million: 5 } }],
    },
    { env: {} },
  );
  const streams = mode === 'streamed' ? { onToken: () => {} } : {};
  const model: Model = models.get(`${service}/m`);
  const ask = (request: Partial<ModelRequest> = {}): Promise<ModelReply> => model.generate({ messages: MESSAGES, ...request }, { signal, ...streams });
  return { model, models, ask, streams };
}

async function failureOf(way: Way, answer: Answer): Promise<OrchestratorError> {
  server.reply(answer);
  const isSilent = answer.fault === 'hang' || answer.cut?.then === 'stall';
  return setup(way, isSilent ? SILENCE_MS : undefined)
    .ask()
    .then(
      reply => expect.unreachable(`answered ${JSON.stringify(reply)}`),
      (error: OrchestratorError) => error,
    );
}

type Told = Partial<Pick<OrchestratorError, 'code' | 'class' | 'retryable' | 'retryAfterMs'>>;

const error = (type: string, message: string): JsonObject => ({ type: 'error', error: { type, code: type, message } });
const PAGE = '<!doctype html><html><body>502 Bad Gateway</body></html>';
const LIMITED: Told = { code: 'ORC-601', class: 'rate_limit', retryable: true };
const DOWN: Told = { code: 'ORC-404', class: 'unavailable', retryable: true };
const CUT: Told = { code: 'ORC-405', class: 'invalid_output', retryable: true };
const BROKEN: Told = { code: 'ORC-404', class: 'network', retryable: true };
const SILENT: Told = { code: 'ORC-404', class: 'timeout', retryable: true };

/** What a service may do in place of answering, and what must be told of it. */
const FAULTS: [string, Answer, Told][] = [
  [
    '429 with Retry-After in seconds',
    { status: 429, headers: { 'retry-after': '7' }, body: error('rate_limit_error', 'slow') },
    { ...LIMITED, retryAfterMs: 7000 },
  ],
  ['429 with Retry-After in ms', { status: 429, headers: { 'retry-after-ms': '250' }, body: {} }, { ...LIMITED, retryAfterMs: 250 }],
  ['429 with a Retry-After that cannot be read', { status: 429, headers: { 'retry-after': 'soon' }, body: {} }, { ...LIMITED, retryAfterMs: undefined }],
  ['429 without a word', { status: 429, body: {} }, { ...LIMITED, retryAfterMs: undefined }],
  ['429 with a page', { status: 429, body: PAGE }, LIMITED],
  ['429 for a spent quota', { status: 429, body: error('insufficient_quota', 'pay') }, { ...LIMITED, retryable: false }],
  ['500', { status: 500, body: error('api_error', 'oops') }, DOWN],
  ['500 with a page', { status: 500, body: PAGE }, DOWN],
  ['500 with an empty body', { status: 500, body: '' }, DOWN],
  ['502', { status: 502, body: PAGE }, DOWN],
  ['503', { status: 503, body: {} }, { ...DOWN, retryAfterMs: undefined }],
  ['503 with Retry-After', { status: 503, headers: { 'retry-after': '2' }, body: {} }, { ...DOWN, retryAfterMs: 2000 }],
  ['504', { status: 504, body: {} }, DOWN],
  ['529 overloaded', { status: 529, body: error('overloaded_error', 'busy') }, DOWN],
  ['408', { status: 408, body: {} }, { code: 'ORC-404', class: 'timeout', retryable: true }],
  ['401', { status: 401, body: error('authentication_error', 'no') }, { code: 'ORC-403', class: 'auth', retryable: false }],
  ['403', { status: 403, body: error('permission_error', 'no') }, { code: 'ORC-403', class: 'auth', retryable: false }],
  ['404', { status: 404, body: error('not_found_error', 'no such model') }, { code: 'ORC-401', class: 'not_found', retryable: false }],
  ['400', { status: 400, body: error('invalid_request_error', 'temperature?') }, { code: 'ORC-406', class: 'invalid_input', retryable: false }],
  ['400 for a filtered prompt', { status: 400, body: error('content_filter', 'no') }, { code: 'ORC-406', class: 'policy', retryable: false }],
  [
    '400 for a long prompt',
    { status: 400, body: error('invalid_request_error', 'prompt is too long: 250000 tokens > 200000 maximum') },
    { code: 'ORC-409', class: 'invalid_input', retryable: false },
  ],
  ['413', { status: 413, body: error('request_too_large', 'too large') }, { code: 'ORC-409', retryable: false }],
  ['a redirect', { status: 307, headers: { location: 'http://127.0.0.1:1/' }, body: {} }, { code: 'ORC-404', class: 'unavailable', retryable: false }],
  ['a reset before a byte', { fault: 'reset' }, BROKEN],
  ['a reset after the headers', { text: 'one two three', cut: { at: 0, then: 'reset' } }, BROKEN],
  ['a reset in the middle', { text: 'one two three', cut: { at: 60, then: 'reset' } }, BROKEN],
  ['silence before a byte', { fault: 'hang' }, SILENT],
  ['silence after the headers', { text: 'one two three', cut: { at: 0, then: 'stall' } }, SILENT],
  ['silence in the middle', { text: 'one two three', cut: { at: 60, then: 'stall' } }, SILENT],
  ['an end after the headers', { text: 'one two three', cut: { at: 0, then: 'end' } }, CUT],
  ['an end in the middle', { text: 'one two three', cut: { at: 60, then: 'end' } }, CUT],
  ['a page with status 200', { raw: PAGE, contentType: 'text/html' }, CUT],
  ['a page that says it is JSON', { raw: PAGE, contentType: 'application/json' }, CUT],
  ['a body that is no JSON', { raw: '{"choices": [{' }, CUT],
  ['JSON of another shape', { raw: '{"hello": "world"}' }, CUT],
  ['JSON that is no object', { raw: '[1, 2]' }, CUT],
  ['an empty body', { raw: '' }, CUT],
  ['bytes that are no text', { raw: '\u0000\u0001\ufffd\u0000' }, CUT],
  ['an event that is no JSON', { raw: 'event: message_start\ndata: {nope}\n\n', contentType: 'text/event-stream' }, CUT],
  ['a refusal', { refusal: 'I cannot help with that' }, { code: 'ORC-406', class: 'policy', retryable: false }],
];

describe.each(WAYS)('$service, $mode:', way => {
  test.each(FAULTS)('%s', async (_case, answer, told) => {
    const failure = await failureOf(way, answer);
    const { code, class: kind, retryable, retryAfterMs, message } = failure;
    expect({ code, class: kind, retryable, retryAfterMs }).toMatchObject(told);
    expect(message).toMatch(/^\S.*\S$/);
    expect(message + JSON.stringify(failure.details ?? {})).not.toContain('sk-very-secret-key');
    // One call is one request, whatever came of it.
    expect(server.requests).toHaveLength(1);
  });

  test('a connection that is refused', async () => {
    const closed = await startModelServer();
    await closed.close();
    const models = openModels(
      {
        providers: { [way.service]: { type: way.service === 'lab' ? 'openai-compatible' : way.service, base_url: closed.url, api_key: 'sk-very-secret-key' } },
      },
      { env: {} },
    );
    const asked = models.get(`${way.service}/m`).generate({ messages: MESSAGES }, { signal, ...(way.mode === 'streamed' ? { onToken: () => {} } : {}) });
    await expect(asked).rejects.toMatchObject({ ...BROKEN, message: `${way.service} cannot be reached at ${closed.url}: connection refused` });
  });

  test('a host that does not exist', async () => {
    const models = openModels({ providers: { lab: { type: 'openai-compatible', base_url: 'http://nothing.invalid/v1' } } }, { env: {} });
    await expect(models.get('lab/m').generate({ messages: MESSAGES }, { signal })).rejects.toMatchObject(BROKEN);
  });

  test('an empty answer is an answer where the service says that it is complete, and a fault where it has no choices', async () => {
    if (way.service === 'anthropic') {
      server.reply({ fault: 'empty' });
      return expect(await setup(way).ask()).toMatchObject({ text: '', finishReason: 'stop' });
    }
    expect(await failureOf(way, { fault: 'empty' })).toMatchObject(CUT);
  });

  test('an unknown finish reason is told as another, with the text', async () => {
    server.reply({ text: 'hello', finishReason: 'eureka' });
    expect(await setup(way).ask()).toMatchObject({ text: 'hello', finishReason: 'other' });
  });

  test('an answer that was cut off at the limit of tokens says so', async () => {
    server.reply({ text: 'hel', finishReason: way.service === 'anthropic' ? 'max_tokens' : 'length' });
    expect(await setup(way).ask()).toMatchObject({ text: 'hel', finishReason: 'length' });
  });

  test('a wrong content type alone spoils nothing', async () => {
    server.reply({ text: 'hello', contentType: 'text/plain' });
    expect((await setup(way).ask()).text).toBe('hello');
  });

  test.each<[string, JsonObject | null]>([
    ['missing', null],
    ['empty', {}],
    ['negative', way.service === 'anthropic' ? { input_tokens: -5, output_tokens: 3 } : { prompt_tokens: -5, completion_tokens: 3, total_tokens: -2 }],
    ['broken', way.service === 'anthropic' ? { input_tokens: 1.5, output_tokens: 3 } : { prompt_tokens: 1.5, completion_tokens: 3, total_tokens: 4.5 }],
  ])('a usage that is %s is never a price: it is unknown, or a fault', async (_case, usage) => {
    server.reply({ text: 'hello', usage });
    const reply = await setup(way)
      .ask()
      .catch((thrown: OrchestratorError) => thrown);
    if (reply instanceof Error) expect(reply).toMatchObject(CUT);
    else {
      expect(reply).toMatchObject({ text: 'hello', usageUnknown: true });
      expect(reply).not.toHaveProperty('costMicroUsd');
      expect(Object.values(reply.usage).every(count => Number.isSafeInteger(count) && count >= 0)).toBe(true);
    }
  });

  test('S12 our bill equals that of the server, to the micro-dollar, over answers good and bad', async () => {
    const { ask } = setup(way);
    let theirs = 0n;
    let ours = 0;
    for (let i = 1; i <= 30; i++) {
      const [input, output] = [i * 137, i * 11];
      server.reply(
        i % 5 === 0
          ? { status: 429, headers: { 'retry-after-ms': '1' }, body: {} }
          : {
              text: 'x',
              usage:
                way.service === 'anthropic'
                  ? { input_tokens: input, output_tokens: output }
                  : { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
            },
      );
      if (i % 5 !== 0) theirs += BigInt(input * 1 + output * 5);
      ours += await ask().then(
        reply => reply.costMicroUsd!,
        () => 0,
      );
    }
    expect(BigInt(ours)).toBe(theirs);
  });

  test('structured output that is invalid is asked again with what was wrong, every call counted, and given up in the end', async () => {
    const { model, streams } = setup(way);
    server.reply('{"value": "many"}', '{"value": 5}');
    const mended = await askStructured(model, { messages: MESSAGES }, SCHEMA, { signal, ...streams });
    expect(mended).toMatchObject({ ok: true, value: { value: 5 } });
    expect(mended.replies).toHaveLength(2);
    expect(JSON.stringify(server.requests[1]!.body['messages'])).toContain('`value` must be');
    server.respond(() => '{"value": null}');
    const given = await askStructured(model, { messages: MESSAGES }, SCHEMA, { signal, ...streams });
    expect(given).toMatchObject({ ok: false });
    expect(given.replies.map(({ costMicroUsd }) => typeof costMicroUsd)).toEqual(['number', 'number', 'number']);
  });

  test('C14 an endless reply is cut off', async () => {
    expect(await failureOf(way, { raw: way.mode === 'streamed' ? `data: ${'x'.repeat(33 * 1024 * 1024)}` : 'x'.repeat(33 * 1024 * 1024) })).toMatchObject({
      code: 'ORC-603',
      retryable: false,
    });
  });

  test('a reply that ends at any byte is either whole or a fault, and never half an answer', { timeout: 60_000 }, async () => {
    const text = 'one two';
    const { ask } = setup(way);
    server.reply({ text });
    await ask();
    const whole = bodyOf(routeOf(way.service), server.requests[0]!, { text });
    server.requests.length = 0;
    const length = Buffer.byteLength(whole);
    // The question says where its answer ends, so that many can be asked at once.
    server.respond(request => ({ text, cut: { at: Number(/cut at (\d+)\./.exec(JSON.stringify(request.body['messages']))![1]), then: 'end' } }));
    const whereWhole: number[] = [];
    const askCutAt = async (at: number): Promise<void> => {
      const result = await setup(way)
        .ask({ messages: [{ role: 'user', content: `cut at ${at}.` }] })
        .catch((thrown: OrchestratorError) => thrown);
      if (result instanceof Error) return expect(result, `cut at ${at}: ${whole.slice(Math.max(0, at - 40), at)}`).toMatchObject(CUT);
      expect(result.text, `cut at ${at}`).toBe(text);
      whereWhole.push(at);
    };
    for (let from = 0; from < length; from += 16) {
      await Promise.all(Array.from({ length: Math.min(16, length - from) }, (_, offset) => askCutAt(from + offset)));
    }
    // Only what comes after the last word of the answer may be lost, and then its usage is unknown.
    if (way.mode === 'whole') expect(whereWhole).toEqual([]);
    else expect(whereWhole.every(at => at > whole.indexOf('"stop') || at > whole.indexOf('end_turn'))).toBe(true);
    expect(server.requests).toHaveLength(length);
  });
});

test('the matrix has at least sixty faults a dialect', () => {
  expect(FAULTS.length).toBeGreaterThanOrEqual(40);
  expect(FAULTS.length * WAYS.length).toBeGreaterThanOrEqual(60 * 3);
});
