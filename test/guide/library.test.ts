import { describe, expect, test } from 'vitest';
import { defineAction, Orchestrator, Pipeline, type RunEvent } from '../../src/index.ts';
import { makePlace } from './place.ts';

const HELLO = `name: hello
inputs:
  name: { type: string }
tasks:
  - id: greet
    action: echo
    parameters: { text: "Hello, {{ name }}!" }
  - id: count
    action: transform
    parameters: { data: "{{ greet.result | length }}", expression: $ }
outputs:
  greeting: "{{ greet.result }}"
  length: "{{ count.result }}"
`;

const SLEEPY = `name: sleepy
tasks:
  - id: rest
    action: sleep
    parameters: { duration: 1h }
  - id: after
    action: echo
    dependencies: [rest]
    parameters: { text: never }
`;

describe('Orchestrator', () => {
  test('runs a file, and gives outputs in the types that the caller names', async () => {
    const { folder, write } = makePlace();
    write('hello.yaml', HELLO);
    await using orchestrator = await Orchestrator.open({ cwd: folder, state: 'memory:' });
    const { success, outputs } = await orchestrator.run<{ greeting: string; length: number }>('hello.yaml', { name: 'Ada' });
    expect([success, outputs.greeting.toUpperCase(), outputs.length + 1]).toEqual([true, 'HELLO, ADA!', 12]);
  });

  test('refuses inputs that do not fit before anything runs', async () => {
    const { folder } = makePlace();
    await using orchestrator = await Orchestrator.open({ cwd: folder, state: 'memory:' });
    await expect(orchestrator.run(await Pipeline.parse(HELLO), { name: 3 })).rejects.toMatchObject({ code: 'ORC-115' });
    expect(await orchestrator.runs()).toEqual([]);
  });

  test('an AbortSignal cancels a run', async () => {
    const { folder } = makePlace();
    await using orchestrator = await Orchestrator.open({ cwd: folder, state: 'memory:' });
    const abort = new AbortController();
    const run = await orchestrator.start(await Pipeline.parse(SLEEPY), {}, { signal: abort.signal });
    abort.abort();
    const { status, tasks } = await run.result();
    expect([status, tasks['rest']?.status, tasks['after']?.status]).toEqual(['cancelled', 'cancelled', 'cancelled']);
  });

  test('a signal that was aborted before leaves nothing running', async () => {
    const { folder } = makePlace();
    await using orchestrator = await Orchestrator.open({ cwd: folder, state: 'memory:' });
    const { status } = await orchestrator.run(await Pipeline.parse(SLEEPY), {}, { signal: AbortSignal.abort() });
    expect(status).toBe('cancelled');
  });

  test('events are an async iterator that ends with the run, in order and without a gap', async () => {
    const { folder } = makePlace();
    await using orchestrator = await Orchestrator.open({ cwd: folder, state: 'memory:' });
    const run = await orchestrator.start(await Pipeline.parse(HELLO), { name: 'Ada' });
    const events: RunEvent[] = [];
    for await (const event of run.events()) events.push(event);
    expect(events.map(event => event.seq)).toEqual(events.map((_, index) => index + 1));
    expect([events[0]?.type, events.at(-1)?.type]).toEqual(['run.created', 'run.ended']);
    expect(events.filter(event => event.type === 'task.completed').map(event => event.path)).toEqual(['greet', 'count']);
    const later: RunEvent[] = [];
    for await (const event of orchestrator.events(run.id)) later.push(event);
    expect(later).toEqual(events);
  });

  test('takes own actions, and checks pipelines against their schemas', async () => {
    const { folder } = makePlace();
    const shout = defineAction({
      name: 'words.shout',
      summary: 'Makes a text loud.',
      effect: 'pure',
      powers: [],
      parameters: { type: 'object', required: ['text'], additionalProperties: false, properties: { text: { type: 'string' } } },
      result: { type: 'string' },
      run: ({ text }) => `${String(text).toUpperCase()}!`,
    });
    const text = 'name: loud\ntasks:\n  - { id: say, action: words.shout, parameters: { text: hey } }\noutputs: { said: "{{ say.result }}" }\n';
    await using orchestrator = await Orchestrator.open({ cwd: folder, state: 'memory:', actions: [shout] });
    expect((await orchestrator.run(await Pipeline.parse(text, { actions: [shout] }))).outputs).toEqual({ said: 'HEY!' });
    await expect(Pipeline.parse(text.replace('text: hey', 'txt: hey'), { actions: [shout] })).rejects.toMatchObject({
      diagnostics: expect.arrayContaining([expect.objectContaining({ severity: 'error' })]),
    });
  });

  test('a fork changes a result and keeps the rest', async () => {
    const { folder } = makePlace();
    await using orchestrator = await Orchestrator.open({ cwd: folder, state: 'memory:' });
    const first = await orchestrator.run(await Pipeline.parse(HELLO), { name: 'Ada' });
    const fork = await orchestrator.fork(first.run, { at: 'count', set: { 'greet.output': 'Hi' } });
    const second = await fork.result();
    expect([second.outputs['length'], second.parent?.run]).toEqual([2, first.run]);
  });
});
