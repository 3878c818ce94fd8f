import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startModelServer, type ModelServer } from '../../test/support/model-server.ts';
import type { OrchestratorError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { badSchema } from '../schema.ts';
import { openModels } from './catalog.ts';
import { MODELS_SCHEMA } from './settings.ts';

let server: ModelServer;
beforeEach(async () => {
  server = await startModelServer();
});
afterEach(() => server.close());

const signal = new AbortController().signal;

function setup(section: JsonObject = {}, env: { [name: string]: string } = { LAB_KEY: 'sk-very-secret' }) {
  return openModels(
    {
      default: 'lab/small',
      providers: {
        lab: { type: 'openai-compatible', base_url: server.url, api_key: '${env:LAB_KEY}' },
        local: { type: 'llama.cpp', models_dir: '~/nothing-here' },
      },
      catalog: [{ id: 'lab/org/large', context_window: 32768, cost: { input_per_million: 0.1, output_per_million: 0.4 } }],
      ...section,
    },
    { env },
  );
}

function caught(work: () => unknown): OrchestratorError {
  try {
    work();
  } catch (error) {
    return error as OrchestratorError;
  }
  return expect.unreachable('nothing was thrown');
}

test('the schema of the section is one', () => {
  expect(badSchema(MODELS_SCHEMA)).toEqual([]);
});

test('a model is found by provider and name, and asked with the key of the environment', async () => {
  const models = setup();
  expect((await models.get('lab/small').generate({ messages: [{ role: 'user', content: 'hi' }] }, { signal })).text).toBe('ok');
  expect(server.requests[0]!.headers.authorization).toBe('Bearer sk-very-secret');
  expect(models.default().id).toBe('lab/small');
});

test('a name may hold slashes, and the catalog says what is known of it', () => {
  expect(setup().get('lab/org/large')).toMatchObject({
    id: 'lab/org/large',
    provider: 'lab',
    contextWindow: 32768,
    local: false,
    price: { inputPerMillion: 100_000, outputPerMillion: 400_000 },
  });
  expect(setup().get('lab/other').price).toBeUndefined();
  expect(setup().get('local/x')).toMatchObject({ local: true, price: { inputPerMillion: 0, outputPerMillion: 0 } });
});

test.each([
  ['lba/small', ['lab/small']],
  ['lab', []],
  ['small', ['lab/small']],
  ['openai/org/large', ['lab/org/large']],
  ['/small', ['lab/small']],
])('an unknown model %s is named with the nearest ones', (id, suggestions) => {
  const error = caught(() => setup().get(id));
  expect(error).toMatchObject({ code: 'ORC-401', details: { model: id, suggestions } });
  expect(error.help).toContain('see all: orchestrator models list');
});

test('no model at all is another problem than an unknown one', () => {
  const models = openModels(undefined, { env: {} });
  expect(models.hasDefault()).toBe(false);
  expect(caught(() => models.default())).toMatchObject({ code: 'ORC-402' });
  expect(caught(() => models.get('a/b')).message).toContain('no provider is configured');
});

test('a key that is not set is named when its provider is used, and not before', () => {
  const models = setup({}, {});
  expect(models.get('local/x').local).toBe(true);
  expect(caught(() => models.get('lab/small'))).toMatchObject({ code: 'ORC-403', help: ['export LAB_KEY=…'] });
});

test.each<[JsonObject, string]>([
  [
    { providers: { lab: { type: 'opneai' } } },
    'models.providers.lab.type must be one of: openai-compatible, llama.cpp, anthropic, openai, google, mistral, groq, azure, bedrock, ollama',
  ],
  [{ providers: { lab: { type: 'openai-compatible' } } }, 'models.providers.lab must have `base_url`'],
  [{ providers: { lab: { type: 'openai-compatible', base_url: 'ftp://x' } } }, 'models.providers.lab.base_url must match the pattern ^https?://[^/@]+(/.*)?$'],
  [
    { providers: { lab: { type: 'llama.cpp', base_url: 'http://x' } } },
    'models.providers.lab.base_url is not allowed; allowed are: type, models_dir, threads, context_size, limits',
  ],
  [{ default: 5 }, 'models.default must be a non-empty string'],
  [{ defualt: 'x' }, 'models.defualt is not allowed; allowed are: default, providers, catalog, fallback, routing, hub'],
])('a section with a mistake says where: %j', (section, message) => {
  expect(caught(() => openModels(section, { env: {} }))).toMatchObject({ code: 'ORC-119', message });
});

test('lists what the providers serve and what the catalog adds; a provider that fails spoils nothing', async () => {
  server.models = [{ id: 'small' }];
  expect((await setup().list(signal)).models.map(({ id }) => id)).toEqual(['lab/org/large', 'lab/small']);
  server.reply({ status: 401, body: {} });
  const { models, failures } = await setup().list(signal);
  expect(models).toEqual([]);
  expect(failures).toMatchObject([{ provider: 'lab', error: { code: 'ORC-403' } }]);
  expect((await setup({}, {}).list(signal)).failures).toMatchObject([{ provider: 'lab', error: { code: 'ORC-403' } }]);
});

test('closing what was never used is fine', async () => {
  await expect(setup().close()).resolves.toBeUndefined();
});

test('the room is light until a model is asked', () => {
  const door = fileURLToPath(new URL('./index.ts', import.meta.url));
  const script = `
    const { registerHooks } = await import('node:module');
    const seen = [];
    registerHooks({ resolve: (name, context, next) => { seen.push(name); return next(name, context); } });
    const { openModels } = await import(${JSON.stringify(door)});
    openModels({ default: 'lab/x', providers: { lab: { type: 'openai-compatible', base_url: 'http://127.0.0.1:1/v1' }, local: { type: 'llama.cpp' } } }, { env: {} }).default();
    console.log(JSON.stringify(seen.filter(name => !name.startsWith('.') && !name.startsWith('node:') && !name.startsWith('file:') && !name.startsWith('/'))));`;
  expect(JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }))).toEqual(['re2js']);
});
