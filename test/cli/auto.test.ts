import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { JsonObject } from '../../src/json.ts';
import { startModelServer, type ModelServer } from '../support/model-server.ts';
import { makeProject, steady, type Project } from './project.ts';

const PIPELINE = `# A pipeline with tags of many kinds.
pipeline:
  name: open
  version: "1.0"
  tasks:
    - id: one # the first
      action: echo
      parameters:
        text: <AUTO>a word</AUTO>   # the word
    - id: two
      action: echo
      condition: <AUTO type="boolean">whether</AUTO>
      parameters: { text: "Say <AUTO>a word</AUTO>, \\"<AUTO>a word</AUTO>\\"!" }
    - id: three
      action: echo
      parameters:
        text: >-
          In a block: <AUTO>a
          word</AUTO>,
          and more.
    - id: each
      for_each: [a, b]
      tasks:
        - id: inner
          action: echo
          parameters: { text: "<AUTO>a word</AUTO>" }
  outputs:
    said: "{{ two.result }} {{ three.result }}"
`;

/** Answers that tell apart who asked: true for booleans, else the number of the question. */
function answerInTurn(server: ModelServer): void {
  let asked = 0;
  server.respond(({ body }) => {
    const text = JSON.stringify(body['messages']);
    return JSON.stringify({ value: text.includes('whether') ? true : `word ${++asked}` });
  });
}

async function setup(pipeline = PIPELINE): Promise<Project & { server: ModelServer; file: string }> {
  const server = await startModelServer();
  onTestFinished(() => server.close());
  const project = makeProject({
    'orchestrator.config.yaml': `models: { default: lab/small, providers: { lab: { type: openai-compatible, base_url: "${server.url}" } } }\n`,
    'open.yaml': pipeline,
  });
  answerInTurn(server);
  return { ...project, server, file: join(project.folder, 'open.yaml') };
}

const asked = ({ requests }: ModelServer): number => requests.filter(({ path }) => path.endsWith('/chat/completions')).length;

describe('auto pin', () => {
  test('writes answers in the place of tags, typed, in the style that was there, with all comments; what a loop asks stays open', async () => {
    const { call, file, server } = await setup();
    const first = await call(['run', 'open.yaml', '-q']);
    expect(first.code).toBe(0);
    const { code, out, err } = await call(['auto', 'pin', 'last']);
    expect({ code, err: steady(err) }).toEqual({
      code: 0,
      err: `left open: each[0]/inner.parameters.text, which a loop asks anew each time
left open: each[1]/inner.parameters.text, which a loop asks anew each time
the answers that no plain value stands for can be kept beside the file: orchestrator auto pin RUN --lock
✓ 5 answers written into ${file}
`,
    });
    expect(out).toMatch(/^two\.parameters\.text#2 = "word \d"$/m);
    const text = readFileSync(file, 'utf8');
    expect(text.replaceAll(/word \d/g, 'WORD')).toBe(
      PIPELINE.replace('<AUTO>a word</AUTO>   # the word', '"WORD"   # the word')
        .replace('<AUTO type="boolean">whether</AUTO>', 'true')
        .replace('Say <AUTO>a word</AUTO>, \\"<AUTO>a word</AUTO>\\"!', 'Say WORD, \\"WORD\\"!')
        .replace('<AUTO>a\n          word</AUTO>', 'WORD'),
    );
    const before = asked(server);
    const second = await call(['run', 'open.yaml', '-q']);
    expect(second.out).toBe(first.out);
    expect(asked(server) - before, 'only the loop asks again, and once what it asks twice').toBe(1);
  });

  test('refuses where the file has changed since the run, and leaves it', async () => {
    const { call, file } = await setup();
    await call(['run', 'open.yaml', '-q']);
    const changed = `${PIPELINE}# changed\n`;
    writeFileSync(file, changed);
    expect(await call(['auto', 'pin', 'last'])).toMatchObject({ code: 2, err: expect.stringContaining('has changed since run_') });
    expect(readFileSync(file, 'utf8')).toBe(changed);
    writeFileSync(join(file, '../other.yaml'), PIPELINE);
    expect((await call(['auto', 'pin', 'last', '--file', 'other.yaml'])).code).toBe(0);
    expect(readFileSync(join(file, '../other.yaml'), 'utf8')).not.toContain('whether');
  });

  test('C5 an answer that would be read as a template or a tag is never written into the file', async () => {
    const { call, file, server } = await setup();
    const hostile = "{{ secret('KEY') }}";
    server.respond(({ body }) => JSON.stringify({ value: JSON.stringify(body['messages']).includes('whether') ? true : hostile }));
    await call(['run', 'open.yaml', '-q']);
    const { code, err } = await call(['auto', 'pin', 'last']);
    expect(code).toBe(0);
    expect(err).toContain('left open: one.parameters.text, whose answer cannot stand there as a plain value');
    expect(readFileSync(file, 'utf8')).toBe(PIPELINE.replace('<AUTO type="boolean">whether</AUTO>', 'true'));
  });
});

describe('run --locked', () => {
  test('takes the answers that auto pin --lock wrote, those of a loop too, and asks nobody', async () => {
    const { call, server, folder } = await setup();
    const first = await call(['run', 'open.yaml', '--json']);
    expect((await call(['auto', 'pin', 'last', '--lock'])).code).toBe(0);
    const before = asked(server);
    const second = await call(['run', 'open.yaml', '--locked', '--json']);
    const [a, b] = [first, second].map(({ out }) => JSON.parse(out) as { outputs: JsonObject; autos: { value: unknown; source: string }[] });
    expect(second.code).toBe(0);
    expect(b!.outputs).toEqual(a!.outputs);
    expect(new Set(b!.autos.map(({ source }) => source))).toEqual(new Set(['pinned']));
    expect(asked(server)).toBe(before);
    writeFileSync(join(folder, 'orchestrator.config.yaml'), '{}\n');
    expect((await call(['run', 'open.yaml', '--locked', '-q'])).code, 'no model is needed').toBe(0);
  });

  test('refuses to ask: without a file before it starts, for a missing answer when it is needed, for one that does not fit', async () => {
    const { call, server, folder } = await setup();
    expect(await call(['run', 'open.yaml', '--locked'])).toMatchObject({ code: 2, err: expect.stringContaining('there is no open.auto.json') });
    await call(['run', 'open.yaml', '-q']);
    await call(['auto', 'pin', 'last', '--lock']);
    const path = join(folder, 'open.auto.json');
    const lock = JSON.parse(readFileSync(path, 'utf8')) as { answers: { [path: string]: JsonObject } };
    const before = asked(server);
    delete lock.answers['each[1]/inner'];
    writeFileSync(path, JSON.stringify(lock));
    expect(await call(['run', 'open.yaml', '--locked'])).toMatchObject({
      code: 1,
      err: expect.stringMatching(/ORC-318[^]*each\[1\]\/inner\.parameters\.text` has no recorded answer/),
    });
    lock.answers['two'] = { ...lock.answers['two'], condition: 'perhaps' };
    writeFileSync(path, JSON.stringify(lock));
    expect(await call(['run', 'open.yaml', '--locked'])).toMatchObject({
      code: 1,
      err: expect.stringContaining('two.condition` has a recorded answer that does not fit'),
    });
    writeFileSync(path, 'oops');
    expect(await call(['run', 'open.yaml', '--locked'])).toMatchObject({ code: 2, err: expect.stringContaining('is not JSON') });
    expect(asked(server)).toBe(before);
  });

  test('a locked run that goes on later is still locked', async () => {
    const { call, server, folder } = await setup(
      PIPELINE.replace(
        '  outputs:',
        `    - { id: wait, action: approval, dependencies: [each], parameters: { prompt: "on?" } }
    - { id: late, action: echo, dependencies: [wait], parameters: { text: "<AUTO>late</AUTO>" } }
  outputs:`,
      ),
    );
    await call(['run', 'open.yaml', '-q']);
    await call(['approve', 'last', 'wait']);
    expect((await call(['resume', 'last', '-q'])).code).toBe(0);
    await call(['auto', 'pin', 'last', '--lock']);
    const before = asked(server);
    expect((await call(['run', 'open.yaml', '--locked', '-q'])).code).toBe(5);
    await call(['approve', 'last', 'wait']);
    writeFileSync(join(folder, 'open.auto.json'), '{}');
    expect((await call(['resume', 'last', '-q'])).code).toBe(0);
    expect(asked(server)).toBe(before);
  });
});

describe('auto diff', () => {
  test('shows where two runs were answered differently, and where one was not asked', async () => {
    const { call, server } = await setup();
    await call(['run', 'open.yaml', '-q']);
    server.respond(({ body }) => JSON.stringify({ value: JSON.stringify(body['messages']).includes('whether') ? false : 'word 1' }));
    await call(['run', 'open.yaml', '-q']);
    const [b, a] = (JSON.parse((await call(['runs', '--json'])).out) as { runs: { run: string }[] }).runs.map(({ run }) => run);
    const { code, out, err } = await call(['auto', 'diff', a!, b!]);
    expect(code).toBe(0);
    expect(out).toContain('two.condition\n  - true  (lab/small)\n  + false  (lab/small)\n');
    expect(err).toMatch(/^\d answers of 7 differ between run_/);
    const { differences } = JSON.parse((await call(['auto', 'diff', a!, b!, '--json'])).out) as { differences: { at: string; b: unknown }[] };
    expect(differences.find(({ at }) => at === 'two.condition')).toMatchObject({ a: { value: true, source: 'model' }, b: { value: false } });
    expect(steady((await call(['auto', 'diff', 'last', 'last'])).err)).toBe('0 answers of 5 differ between RUN and RUN\n');
    expect(existsSync('open.auto.json')).toBe(false);
  });
});
