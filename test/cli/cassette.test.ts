import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startModelServer, type ModelServer } from '../support/model-server.ts';
import { makeProject, steady, type Project } from './project.ts';

const TALKS = `pipeline:
  name: talks
  version: "1.0"
  tasks:
    - id: draft
      action: generate_text
      parameters: { prompt: "Write about the sea" }
    - id: title
      action: generate_text
      parameters: { prompt: "A title for: {{ draft.result }}" }
      dependencies: [draft]
    - id: mood
      action: echo
      parameters: { text: "<AUTO>The mood of {{ title.result }}</AUTO>" }
  outputs: { title: "{{ title.result }}", mood: "{{ mood.result }}" }
`;
const KEY = { LAB_KEY: 'key-0123456789-abcdef' };

/** A project whose models a server on loopback answers, behind a key. */
async function setup(): Promise<Project & { server: ModelServer }> {
  const server = await startModelServer();
  onTestFinished(() => server.close().catch(() => {}));
  const project = makeProject({
    'p.yaml': TALKS,
    'config.yaml': `models:
  default: lab/small
  providers: { lab: { type: openai-compatible, base_url: "${server.url}", api_key: "\${env:LAB_KEY}" } }
  catalog: [ { id: lab/small, context_window: 8192, cost: { input_per_million: 100, output_per_million: 400 } } ]
`,
  });
  return { ...project, server };
}

const result = (out: string): { [key: string]: unknown } => JSON.parse(out) as { [key: string]: unknown };

test('C11 run --record, then --replay: the same outputs without key, model and cost; an edited prompt is told with its difference', async () => {
  const { call, server, folder } = await setup();
  server.respond(({ body }) => (JSON.stringify(body).includes('title') ? 'Blue' : 'A long text'));
  const config = ['--config', 'config.yaml'];
  const recorded = await call(['run', 'p.yaml', '--record', 'tape', '--json', ...config], { env: KEY });
  expect(recorded).toMatchObject({ code: 0, err: expect.stringContaining('orchestrator run p.yaml --replay tape') });
  const before = result((await call(['cost', '--json', ...config], { env: KEY })).out)['totalCost'];
  expect(before).toBeGreaterThan(0);
  expect(readFileSync(join(folder, 'tape', 'index.ndjson'), 'utf8')).not.toContain(KEY.LAB_KEY);
  await server.close();

  for (const flags of [[], config]) {
    const replayed = await call(['run', 'p.yaml', '--replay', 'tape', '--json', ...flags]);
    expect(replayed).toMatchObject({ code: 0, err: expect.stringContaining('no model was asked, nothing was paid') });
    expect(result(replayed.out)).toMatchObject({ outputs: result(recorded.out)['outputs'], costUsd: 0 });
  }
  expect(result((await call(['cost', '--json'])).out)).toMatchObject({ totalCost: before });

  writeFileSync(join(folder, 'p.yaml'), TALKS.replace('the sea', 'the hills'));
  const missed = await call(['run', 'p.yaml', '--replay', 'tape']);
  expect(missed.code).toBe(1);
  expect(steady(missed.err).replaceAll(/[0-9a-f]{64}/g, 'HASH'))
    .toContain(`error[ORC-520 not-recorded]: the cassette holds no answer to a request of \`draft\` (model: generate_text)
  --> p.yaml:5:11
  |
5 |     - id: draft
  |           ^^^^^
  |
  = note: the nearest request was recorded at \`draft\` (exchanges/HASH.json) and differs, - recorded, + asked now:
            messages[0].content
            - "Write about the sea"
            + "Write about the hills"
`);
});

test('a recording survives kill -9 and goes on with resume', async () => {
  const { call, start, server, folder } = await setup();
  server.respond(({ body }) => (JSON.stringify(body).includes('A title') ? { text: 'Blue', delayMs: 60_000 } : 'A long text'));
  const { child, outcome } = start(['run', 'p.yaml', '--record', 'tape', '--config', 'config.yaml'], KEY);
  await expect.poll(() => server.requests.length, { timeout: 20_000, interval: 20 }).toBe(2);
  child.kill('SIGKILL');
  await outcome;
  server.respond(({ body }) => (JSON.stringify(body).includes('A title') ? 'Blue' : 'A long text'));
  const resumed = await call(['resume', 'last', '--json', '--config', 'config.yaml'], { env: KEY });
  expect(resumed.code).toBe(0);
  const asked = server.requests.length;
  const replayed = await call(['run', 'p.yaml', '--replay', join(folder, 'tape'), '--json']);
  expect(result(replayed.out)).toMatchObject({ status: 'completed', outputs: result(resumed.out)['outputs'] });
  expect(server.requests.length).toBe(asked);
});

test('a folder without a cassette is not found, and record and replay exclude each other', async () => {
  const { call, folder } = makeProject({ 'p.yaml': TALKS });
  expect(await call(['run', 'p.yaml', '--replay', 'none'])).toMatchObject({ code: 3, err: expect.stringContaining('there is no cassette') });
  expect(await call(['run', 'p.yaml', '--replay', 'none', '--record', 'none'])).toMatchObject({ code: 2, err: expect.stringContaining('ORC-518') });
  expect(await call(['run', 'p.yaml', '--record', 'p.yaml/tape'])).toMatchObject({ code: 4, err: expect.stringContaining('ORC-402') });
  expect(existsSync(join(folder, 'none'))).toBe(false);
});
