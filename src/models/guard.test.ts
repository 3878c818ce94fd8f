import { afterEach, beforeEach, expect, test } from 'vitest';
import { startModelServer, type ModelServer } from '../../test/support/model-server.ts';
import type { OrchestratorError } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import { openModels, type OpenModelsOptions } from './catalog.ts';
import type { ModelReply, ModelRequest } from './port.ts';
import { ModelProfiler } from './profiler.ts';

let server: ModelServer;
beforeEach(async () => {
  server = await startModelServer();
});
afterEach(() => server.close());

const signal = new AbortController().signal;
const MESSAGES: ModelRequest['messages'] = [{ role: 'user', content: 'hi' }];
const COST = { input_per_million: 1, output_per_million: 5 };

function setup(section: JsonObject = {}, options: Partial<OpenModelsOptions> = {}) {
  const models = openModels(
    {
      providers: { lab: { type: 'openai-compatible', base_url: server.url }, spare: { type: 'openai-compatible', base_url: server.url } },
      catalog: [
        { id: 'lab/small', cost: COST },
        { id: 'spare/same', cost: COST },
        { id: 'spare/dear', cost: { input_per_million: 9, output_per_million: 50 } },
      ],
      ...section,
    },
    { env: {}, ...options },
  );
  const ask = (id: string, request: Partial<ModelRequest> = {}, how: object = {}): Promise<ModelReply> =>
    models.get(id).generate({ messages: MESSAGES, ...request }, { signal, ...how });
  return { models, ask };
}

function caught(promise: Promise<unknown>): Promise<OrchestratorError> {
  return promise.then(
    () => expect.unreachable('it answered'),
    (error: OrchestratorError) => error,
  );
}

test('a reply says what it cost, and nothing where that is unknown', async () => {
  const { ask } = setup();
  server.reply({ usage: { prompt_tokens: 1000, completion_tokens: 100 } }, { usage: { prompt_tokens: 1000, completion_tokens: 100 } }, { usage: null });
  expect((await ask('lab/small')).costMicroUsd).toBe(1500);
  expect(await ask('lab/other')).not.toHaveProperty('costMicroUsd');
  expect(await ask('lab/small')).not.toHaveProperty('costMicroUsd');
});

test('the next of the chain answers, at its own price, and the reply says so', async () => {
  const { ask } = setup({ fallback: ['spare/same'] });
  server.reply({ status: 503, body: {} }, { text: 'hello', usage: { prompt_tokens: 1000, completion_tokens: 0 } });
  expect(await ask('lab/small')).toMatchObject({
    text: 'hello',
    costMicroUsd: 1000,
    fallback: { id: 'spare/same', tried: [{ id: 'lab/small', failure: { code: 'ORC-404' } }] },
  });
});

test('never to a dearer class, nor from free to paid, unless the configuration says so', async () => {
  server.respond(request => (request.body['model'] === 'small' ? { status: 503, body: {} } : 'hello'));
  expect(await caught(setup({ fallback: ['spare/dear', 'spare/unknown-price'] }).ask('lab/small'))).toMatchObject({ code: 'ORC-404' });
  expect((await setup({ fallback: { models: ['spare/dear'], may_cost_more: true } }).ask('lab/small')).fallback?.id).toBe('spare/dear');
  const free = {
    catalog: [
      { id: 'lab/small', cost: { input_per_million: 0, output_per_million: 0 } },
      { id: 'spare/same', cost: COST },
    ],
  };
  expect(await caught(setup({ ...free, fallback: ['spare/same'] }).ask('lab/small'))).toMatchObject({ code: 'ORC-404' });
});

test('where all fail, the last failure tells of those before it', async () => {
  const { ask } = setup({ fallback: ['spare/same'] });
  server.reply({ status: 503, body: {} }, { status: 401, body: {} });
  expect(await caught(ask('lab/small'))).toMatchObject({
    code: 'ORC-403',
    retryable: true,
    details: {
      tried: [
        { id: 'lab/small', code: 'ORC-404' },
        { id: 'spare/same', code: 'ORC-403' },
      ],
    },
  });
});

test('a request that is at fault, or refused, is not asked of anybody else', async () => {
  const { ask } = setup({ fallback: ['spare/same'] });
  server.reply({ status: 400, body: {} }, { refusal: 'no' });
  await caught(ask('lab/small'));
  await caught(ask('lab/small'));
  expect(server.requests).toHaveLength(2);
});

test('a model that keeps failing is left alone for a while, also after a restart', async () => {
  const clock = { at: 1_000_000, now: () => clock.at, monotonic: () => clock.at };
  const { ask, models } = setup({}, { clock });
  server.respond(() => ({ status: 500, body: {} }));
  for (let i = 0; i < 6; i++) await caught(ask('lab/small'));
  expect(server.requests).toHaveLength(5);
  expect(models.describe('lab/small').circuit).toBe('open');
  const kept = setup({}, { clock, state: JSON.parse(JSON.stringify(models.state)) });
  expect(await caught(kept.ask('lab/small'))).toMatchObject({ code: 'ORC-404', details: { circuit: 'open' } });
  server.respond(() => 'well');
  clock.at += 30_000;
  expect((await kept.ask('lab/small')).text).toBe('well');
  expect(kept.models.describe('lab/small').circuit).toBe('closed');
});

test('a request that is at fault says nothing of the model', async () => {
  const { ask, models } = setup();
  server.respond(() => ({ status: 400, body: {} }));
  for (let i = 0; i < 7; i++) expect(await caught(ask('lab/small'))).toMatchObject({ code: 'ORC-406' });
  expect(server.requests).toHaveLength(7);
  expect(models.describe('lab/small')).toMatchObject({ circuit: 'closed', record: { calls: 0 } });
});

test('health is learned from traffic', async () => {
  const { ask, models } = setup();
  await ask('lab/small');
  expect(models.describe('lab/small').record).toMatchObject({ calls: 1, failure: null, errorRate: 0 });
  server.reply({ status: 401, body: {} });
  await caught(ask('lab/small'));
  expect(models.describe('lab/small').record).toMatchObject({ calls: 2, failure: { kind: 'auth' } });
});

test('limits hold calls back and give their places back, also after a failure', async () => {
  const { ask } = setup({ catalog: [{ id: 'lab/small', limits: { concurrency: 2 } }] });
  let under = 0;
  let most = 0;
  server.respond(() => {
    most = Math.max(most, ++under);
    setTimeout(() => under--, 8);
    return under % 2 === 0 ? { delayMs: 10, text: 'ok' } : { delayMs: 10, status: 400, body: {} };
  });
  await Promise.allSettled(Array.from({ length: 20 }, () => ask('lab/small')));
  expect(server.requests).toHaveLength(20);
  expect(most).toBeLessThanOrEqual(2);
});

test('what is done before a call is sent comes after the cache, the circuit and the limits, once for a chain; where it fails, nothing is sent', async () => {
  const { ask, models } = setup(
    { fallback: ['spare/same'], catalog: [{ id: 'lab/small', limits: { concurrency: 1 } }] },
    { cache: { url: 'memory:', ttlMs: 60_000 } },
  );
  let announced = 0;
  const how = { beforeSend: async () => void announced++ };
  await ask('lab/small', { temperature: 0 }, how);
  await ask('lab/small', { temperature: 0 }, how);
  expect([announced, server.requests.length]).toEqual([1, 1]);
  server.reply({ status: 503, body: {} });
  expect((await ask('lab/small', {}, how)).fallback?.id).toBe('spare/same');
  expect([announced, server.requests.length]).toEqual([2, 3]);
  const refuse = { beforeSend: () => Promise.reject(new Error('the budget is used up')) };
  for (let i = 0; i < 6; i++) await expect(ask('lab/small', {}, refuse)).rejects.toThrow('the budget is used up');
  expect(server.requests).toHaveLength(3);
  expect(models.describe('lab/small')).toMatchObject({ circuit: 'closed', record: { calls: 2 } });
  // The places are free again.
  expect((await ask('lab/small')).text).toBeDefined();
});

test('Retry-After holds the next call back, and that is told', async () => {
  const { ask } = setup();
  server.reply({ status: 429, headers: { 'retry-after-ms': '120' }, body: {} });
  expect(await caught(ask('lab/small'))).toMatchObject({ code: 'ORC-601', retryAfterMs: 120 });
  const waits: unknown[] = [];
  const startedAt = performance.now();
  await ask('lab/small', {}, { onWait: (wait: unknown) => waits.push(wait) });
  expect(performance.now() - startedAt).toBeGreaterThan(90);
  expect(waits[0]).toMatchObject({ who: 'lab/small', why: 'asked_to_wait' });
});

test('a deterministic reply comes out of the cache the second time, for nothing; others do where that is asked', async () => {
  const { ask } = setup({}, { cache: { url: 'memory:', ttlMs: 60_000 } });
  const count = async (request: Partial<ModelRequest>, how: object = {}): Promise<[number, unknown]> => {
    const before = server.requests.length;
    const reply = [await ask('lab/small', request, how), await ask('lab/small', request, how)][1]!;
    return [server.requests.length - before, reply.cached];
  };
  expect(await count({ temperature: 0 })).toEqual([1, true]);
  expect((await ask('lab/small', { temperature: 0 })).costMicroUsd).toBe(0);
  expect(await count({ temperature: 0.7 })).toEqual([2, undefined]);
  expect(await count({ temperature: 0.8 }, { cache: true })).toEqual([1, true]);
  expect(await count({ temperature: 0, maxTokens: 9 }, { cache: false })).toEqual([2, undefined]);
});

test.each<[Json, string]>([
  ['lab/small', 'lab/small'],
  ['spare:dear', 'spare/dear'],
  ['dear', 'spare/dear'],
  ['cheapest', 'lab/small'],
  ['poetry', 'lab/poet'],
  [{ strategy: 'cheapest', preferred: ['spare'] }, 'spare/same'],
  [{ domain: 'law' }, 'spare/dear'],
])('%j chooses %s', (wanted, id) => {
  const { models } = setup({
    catalog: [{ id: 'lab/small', cost: COST }, { id: 'spare/same', cost: COST }, { id: 'spare/dear' }, { id: 'lab/poet', expertise: ['poetry'] }],
    routing: { rules: [{ domain: 'law', use: 'spare/dear' }] },
  });
  expect(models.choose(wanted).model.id).toBe(id);
});

test('what nobody can be chosen for is told with the reasons', () => {
  const { models } = setup();
  expect(() => models.choose('poety')).toThrow('no model called `poety` is registered');
  expect(() => models.choose({ max_cost_usd: 0.000001 })).toThrow(
    expect.objectContaining({ code: 'ORC-402', help: expect.arrayContaining([expect.stringContaining('lab/small: a call would cost')]) }),
  );
  expect(() => models.choose({ domain: 'law' })).toThrow(expect.objectContaining({ code: 'ORC-106' }));
});

test('a route is told without a turn being taken, and a choice takes one', () => {
  const { models } = setup({ routing: { strategy: 'round-robin' } });
  const route = (): string | null => models.route({}).chosen;
  expect([route(), route()]).toEqual(['lab/small', 'lab/small']);
  expect([models.choose({}).model.id, models.choose({}).model.id, models.choose({}).model.id]).toEqual(['lab/small', 'spare/dear', 'spare/same']);
});

test('a profiler around a function sees its calls', async () => {
  const { ask } = setup();
  const profiler = new ModelProfiler();
  await profiler.profileModel(() => ask('lab/small'))();
  expect(profiler.report()).toMatchObject([{ model: 'lab/small', calls: 1, errorRate: 0 }]);
});
