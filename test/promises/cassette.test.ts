import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { costReport } from '../../src/observe/index.ts';
import type { JsonObject } from '../../src/json.ts';
import { openModels, type Models } from '../../src/models/index.ts';
import type { Action } from '../../src/tools/port.ts';
import { startModelServer, type ModelServer } from '../support/model-server.ts';
import { bytesUnder, makeFolder, openBench, type Bench, type BenchOptions } from './bench.ts';

const SECRET = 'tok-0123456789-abcdef';
const OPEN: BenchOptions['policy'] = { network: { private: 'allow' }, shell: 'allow' };
const coded = (code: string): unknown => expect.objectContaining({ code });

async function modelServer(): Promise<{ server: ModelServer; models: Models }> {
  const server = await startModelServer();
  onTestFinished(() => server.close().catch(() => {}));
  const config = {
    default: 'lab/small',
    providers: { lab: { type: 'openai-compatible', base_url: server.url } },
    catalog: [{ id: 'lab/small', context_window: 8192, cost: { input_per_million: 1, output_per_million: 2 } }],
  };
  return { server, models: openModels(config, { env: {}, folder: '/' }) };
}

/** A server that says what it was sent, and how often it was asked; it fails `failures` times first. */
async function webServer(failures = 0): Promise<{ url: string; asked(): number }> {
  let asked = 0;
  const server = createServer((request, response) => {
    asked++;
    response.writeHead(asked <= failures ? 503 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ number: asked, token: request.headers['x-token'] ?? null }));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, asked: () => asked };
}

/** What a cassette holds, as text. */
function textOf(tape: string): string {
  return readdirSync(join(tape, 'exchanges')).reduce(
    (text, file) => text + readFileSync(join(tape, 'exchanges', file), 'utf8'),
    readFileSync(join(tape, 'index.ndjson'), 'utf8'),
  );
}

/** A bench with nothing to ask: no model, no secret, no policy, in a folder of its own. */
function bare(actions: Action[] = []): Promise<Bench> {
  return openBench({ actions });
}

test('C11 a run is replayed without model, network, secret and policy; its results are the same, and the cassette holds no secret', async () => {
  const [{ server, models }, web, tape] = [await modelServer(), await webServer(), join(makeFolder(), 'tape')];
  let said = 0;
  server.respond(request => (JSON.stringify(request.body).includes('json_schema') ? JSON.stringify({ value: `word ${++said}` }) : `text ${++said}`));
  const tasks = `
- { id: ask, action: http.get, parameters: { url: "${web.url}", headers: { x-token: "{{ secret('TOKEN') }}" } } }
- { id: shell, action: shell.run, dependencies: [ask], parameters: { command: "date +%s%N" } }
- { id: write, action: filesystem.write, dependencies: [shell], parameters: { path: out.txt, content: "{{ shell.result.stdout }} at {{ now() }} in {{ execution.id }}" } }
- { id: read, action: filesystem.read, dependencies: [write], parameters: { path: out.txt } }
- { id: word, action: echo, dependencies: [read], parameters: { text: "<AUTO>A word for {{ read.result.content }}</AUTO>" } }
- id: many
  dependencies: [word]
  for_each: "{{ range(3) }}"
  tasks:
    - { id: same, action: generate_text, parameters: { prompt: "the same question" } }
`;
  const head = 'outputs: { ask: "{{ ask.result.body }}", read: "{{ read.result }}", word: "{{ word.result }}", many: "{{ many.result }}" }\n';
  const first = await openBench({ models, policy: OPEN, secrets: { TOKEN: SECRET } });
  const recorded = await first.shell.run(await first.compile(tasks, head), {}, { record: tape });
  expect(recorded).toMatchObject({ status: 'completed' });
  expect(recorded.costUsd).toBeGreaterThan(0);
  await server.close();

  const second = await bare();
  const replayed = await second.shell.run(await second.compile(tasks, head), {}, { replay: tape });
  expect(replayed).toMatchObject({ status: 'completed', costUsd: 0 });
  expect(replayed.outputs).toEqual(recorded.outputs);
  expect(new Set(Object.values(replayed.tasks).flatMap(({ action, output }) => (action === 'generate_text' ? [output] : []))).size).toBe(3);
  expect([web.asked(), server.requests.length, existsSync(join(second.folder, 'out.txt'))]).toEqual([1, 4, false]);
  for (const form of [SECRET, Buffer.from(SECRET).toString('base64').slice(2, -4)]) {
    expect(textOf(tape)).not.toContain(form);
    expect(bytesUnder(second.folder).includes(form)).toBe(false);
  }

  const [created] = await second.events(replayed.run);
  expect(created).toMatchObject({ type: 'run.created', tags: ['replay'], cassette: { mode: 'replay', folder: tape } });
  expect((await second.store.ledger({})).map(({ model, costMicroUsd, replayed: flag }) => [model, costMicroUsd, flag])).toEqual(
    Array.from({ length: 4 }, () => ['lab/small', 0, true]),
  );
  expect(await costReport(second.store)).toMatchObject({ totalCost: 0, calls: 0 });
});

test('what is asked otherwise fails with the nearest request and the difference, and takes neither a default nor another try', async () => {
  const [{ models }, tape] = [await modelServer(), join(makeFolder(), 'tape')];
  const tasks = (word: string): string => `
- { id: other, action: generate_text, parameters: { prompt: "Write about the sea and all its ships", temperature: 0 } }
- { id: text, action: generate_text, retry: { max_attempts: 3, initial_backoff: 0.01 }, parameters: { prompt: "Write about ${word} trees in the garden", temperature: 0 } }
- { id: tag, action: echo, on_failure: continue, parameters: { text: "<AUTO default='none'>A ${word} word</AUTO>" } }
`;
  const first = await openBench({ models });
  await first.shell.run(await first.compile(tasks('green')), {}, { record: tape });
  const second = await bare();
  const { status, tasks: done } = await second.shell.run(await second.compile(tasks('yellow')), {}, { replay: tape });
  expect(status).toBe('failed');
  expect(done['text']).toMatchObject({ attempts: 1, error: { code: 'ORC-520', retryable: false } });
  expect(done['tag']).toMatchObject({ status: 'failed', error: { code: 'ORC-520' } });
  expect(done['other']).toMatchObject({ status: 'completed', output: 'ok' });
  expect(done['text']!.error!.message.split('\n')).toEqual([
    'the cassette holds no answer to a request of `text` (model: generate_text)',
    expect.stringMatching(/^the nearest request was recorded at `text` \(exchanges\/[0-9a-f]{64}\.json\) and differs, - recorded, \+ asked now:$/),
    '  messages[0].content',
    '  - "Write about green trees in the garden"',
    '  + "Write about yellow trees in the garden"',
  ]);
});

test('an agent, vectors, a choice and a comparison are replayed whole, with the decisions that hung on costs and times', async () => {
  const [{ server, models }, web, tape] = [await modelServer(), await webServer(), join(makeFolder(), 'tape')];
  const fetches = { toolCalls: [{ name: 'fetch', arguments: '{}' }] };
  server.respond(({ path, body }) => {
    if (path.endsWith('/embeddings'))
      return {
        body: {
          object: 'list',
          model: 'small',
          data: [0, 1].map(index => ({ object: 'embedding', index, embedding: [index, 1] })),
          usage: { prompt_tokens: 3, total_tokens: 3 },
        },
      };
    return Array.isArray(body['tools']) ? ((body['messages'] as JsonObject[]).some(({ role }) => role === 'tool') ? 'There is one.' : fetches) : 'said';
  });
  const tasks = `
- id: agent
  action: agent
  parameters: { goal: "How many?", max_cost_usd: 0.5, tools: [ { action: http.get, name: fetch, fixed: { url: "${web.url}" } } ] }
- id: poor
  action: agent
  parameters: { goal: "How many more?", max_cost_usd: 0.0000001, tools: [ { action: http.get, name: fetch, fixed: { url: "${web.url}" } } ] }
- { id: vectors, action: embed, parameters: { texts: [one, two] } }
- { id: route, action: model.route, parameters: { requirements: { max_cost_usd: 1 } } }
- { id: compare, action: model.compare, parameters: { prompt: "Say something", models: [lab/small, lab/other] } }
`;
  const first = await openBench({ models, policy: OPEN });
  const recorded = await first.shell.run(await first.compile(tasks), {}, { record: tape });
  expect(recorded.status).toBe('completed');
  const asked = server.requests.length;
  const second = await bare();
  const replayed = await second.shell.run(await second.compile(tasks), {}, { replay: tape });
  const outputs = ({ tasks: done }: typeof recorded): object => Object.fromEntries(Object.entries(done).map(([path, { output }]) => [path, output]));
  expect(outputs(replayed)).toEqual(outputs(recorded));
  expect([web.asked(), server.requests.length, replayed.costUsd]).toEqual([1, asked, 0]);
});

test('failures are replayed too: the same attempts, and the same end', async () => {
  const [web, tape] = [await webServer(1), join(makeFolder(), 'tape')];
  const tasks = `
- { id: get, action: http.get, retry: { max_attempts: 3, initial_backoff: 0.01, on: [unavailable] }, parameters: { url: "${web.url}" } }
- { id: gone, action: filesystem.read, on_failure: continue, parameters: { path: not-there.txt } }
`;
  const first = await openBench({ policy: OPEN });
  const recorded = await first.shell.run(await first.compile(tasks), {}, { record: tape });
  const second = await bare();
  writeFileSync(join(second.folder, 'not-there.txt'), 'now it is');
  const replayed = await second.shell.run(await second.compile(tasks), {}, { replay: tape });
  for (const { tasks: done } of [recorded, replayed]) {
    expect(done['get']).toMatchObject({ attempts: 2, output: { body: { number: 2 } } });
    expect(done['gone']).toMatchObject({ status: 'failed', error: recorded.tasks['gone']!.error });
  }
  expect(web.asked()).toBe(2);
});

test('an own action is not performed in a replay, whatever it says of itself; a default that was taken without a model is taken again', async () => {
  const tape = join(makeFolder(), 'tape');
  let performed = 0;
  const dice: Action = { name: 'dice', summary: 'A probe.', effect: 'pure', powers: [], parameters: { type: 'object' }, result: true, run: () => ++performed };
  const tasks = '- { id: roll, action: dice }\n- { id: tag, action: echo, parameters: { text: "<AUTO default=\'none\'>A word</AUTO>" } }\n';
  const first = await bare([dice]);
  const recorded = await first.shell.run(await first.compile(tasks), {}, { record: tape });
  const { models, server } = await modelServer();
  const second = await openBench({ actions: [dice], models });
  const replayed = await second.shell.run(await second.compile(tasks), {}, { replay: tape });
  expect([recorded, replayed].map(({ tasks: done }) => [done['roll']!.output, done['tag']!.output])).toEqual([
    [1, 'none'],
    [1, 'none'],
  ]);
  expect([performed, server.requests.length]).toEqual([1, 0]);
  for (const { autos } of [recorded, replayed]) expect(autos).toMatchObject([{ source: 'default', reason: 'no model is configured' }]);
});

test('what an expression saw of the world is seen again, in its turn, and a loop that waits for an hour still ends', async () => {
  const tape = join(makeFolder(), 'tape');
  const tasks = `
- { id: a, action: echo, parameters: { text: "{{ now() }} {{ file_exists('f.txt') }}" } }
- { id: b, action: echo, condition: "{{ not file_exists('f.txt') }}", parameters: { text: "{{ now() }} {{ execution.timestamp }}" } }
`;
  const first = await bare();
  const recorded = await first.shell.run(await first.compile(tasks), {}, { record: tape });
  const second = await bare();
  writeFileSync(join(second.folder, 'f.txt'), '');
  const replayed = await second.shell.run(await second.compile(tasks), {}, { replay: tape });
  for (const path of ['a', 'b']) expect(replayed.tasks[path]!.output).toEqual(recorded.tasks[path]!.output);
  // The recording has no more of it: the time goes on from what was seen last.
  const waits = '- { id: a, action: echo, parameters: { text: "{{ [now(), now(), now()] | unique | length }}" } }';
  expect((await second.shell.run(await second.compile(waits), {}, { replay: tape })).status).toBe('completed');
});

test('a recording goes on after a crash; what was asked twice is answered as the run that went on heard it', async () => {
  const [web, tape] = [await webServer(), join(makeFolder(), 'tape')];
  const tasks = `- { id: one, action: http.get, parameters: { url: "${web.url}" } }\n- { id: two, action: http.get, dependencies: [one], parameters: { url: "${web.url}" } }\n`;
  const first = await openBench({ policy: OPEN });
  const recorded = await first.shell.run(await first.compile(tasks), {}, { record: tape });
  // A process that dies between the answer and its commit has recorded an answer that the run never saw, and half a line.
  const index = readFileSync(join(tape, 'index.ndjson'), 'utf8');
  const line = JSON.parse(index.split('\n').find(text => text.includes('"path":"one"'))!) as { file: string };
  const lost = readFileSync(join(tape, 'exchanges', line.file), 'utf8').replace('"number": 1', '"number": 99');
  const lostFile = line.file.replace('.json', '.7.json');
  writeFileSync(join(tape, 'exchanges', lostFile), lost);
  writeFileSync(join(tape, 'index.ndjson'), `${JSON.stringify({ ...line, file: lostFile })}\n${index}{"v":1,"type":"exch`);
  const second = await bare();
  const replayed = await second.shell.run(await second.compile(tasks), {}, { replay: tape });
  for (const { tasks: done } of [recorded, replayed])
    expect([done['one']!.output, done['two']!.output]).toMatchObject([{ body: { number: 1 } }, { body: { number: 2 } }]);
  // What is recorded from now on begins its own line.
  await first.shell.run(await first.compile(tasks), {}, { record: tape });
  const again = await bare();
  expect(await again.shell.run(await again.compile(tasks), {}, { replay: tape })).toMatchObject({ tasks: { one: { output: { body: { number: 3 } } } } });
});

test('a folder that is no cassette, one that was meddled with, and both at once are refused before anything runs', async () => {
  const [web, tape] = [await webServer(), join(makeFolder(), 'tape')];
  const tasks = `- { id: one, action: http.get, parameters: { url: "${web.url}" } }`;
  const bench = await openBench({ policy: OPEN });
  const compiled = await bench.compile(tasks);
  await expect(bench.shell.run(compiled, {}, { replay: tape })).rejects.toEqual(coded('ORC-517'));
  await expect(bench.shell.run(compiled, {}, { replay: tape, record: tape })).rejects.toEqual(coded('ORC-518'));
  await bench.shell.run(compiled, {}, { record: tape });
  const [file] = readdirSync(join(tape, 'exchanges'));
  const path = join(tape, 'exchanges', file!);
  writeFileSync(path, readFileSync(path, 'utf8').replace('http.get', 'http.got'));
  expect(await bench.shell.run(compiled, {}, { replay: tape })).toMatchObject({ status: 'failed', error: { code: 'ORC-521' } });
  rmSync(path);
  expect(await bench.shell.run(compiled, {}, { replay: tape })).toMatchObject({ status: 'failed', error: { code: 'ORC-521' } });
  appendFileSync(join(tape, 'index.ndjson'), '{"v":1,"type":"exchange","run":"r","path":"p","of":"x","attempt":1,"repeat":0,"file":"../../../etc/passwd"}\n');
  await expect(bench.shell.run(compiled, {}, { replay: tape })).rejects.toEqual(coded('ORC-521'));
  await expect(bench.shell.run(compiled, {}, { record: join(tape, 'index.ndjson', 'inside') })).rejects.toEqual(coded('ORC-521'));
});
