import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { apply, documentOf, initial, restore, snapshot, type RunState } from '../../src/engine/index.ts';
import { sha256 } from '../../src/hash.ts';
import { canonicalJson, type Json } from '../../src/json.ts';
import { openModels } from '../../src/models/index.ts';
import { startModelServer } from '../support/model-server.ts';
import { makeFolder, openBench, until, type Bench } from './bench.ts';

/** Everything that a journal must be able to tell again: conditions, loops, waits, questions, retries, handlers, time, the file system, large values. */
const RICH = `
- { id: at, action: say, parameters: { value: "{{ now() }}" } }
- { id: there, action: say, condition: "{{ file_exists('absent') }}" }
- { id: ask, action: say, parameters: { value: <AUTO type="integer" min="1" max="9">how many films?</AUTO> } }
- { id: big, action: say, parameters: { value: "{{ 'x' * 100000 }}" } }
- id: each
  for_each: "{{ [3, 1, 2] }}"
  max_parallel: 2
  on_failure: continue
  tasks:
    - { id: one, action: say, parameters: { value: "{{ item * ask }}" } }
    - { id: odd, action: say, condition: "{{ one % 2 == 1 }}", parameters: { value: "{{ index }}" } }
    - { id: never, action: fail, condition: "{{ item == 2 }}", parameters: { message: no } }
- id: grow
  while: "{{ iteration < 3 }}"
  tasks:
    - { id: step, action: say, parameters: { value: "{{ iteration }}" } }
- { id: again, action: fail.until, parameters: { file: there }, retry: { max_attempts: 3, initial_backoff: 0.05 } }
- { id: saved, action: fail, parameters: { message: boom }, on_error: [ { action: say, parameters: { value: "{{ error.message }}" } } ] }
- { id: part, action: pipeline.run, parameters: { file: part.yaml, inputs: { n: "{{ ask }}" } } }
- { id: ok, action: approval, dependencies: [at], parameters: { prompt: "Go on?" } }
- { id: paid, action: signal.wait, dependencies: [ok], parameters: { name: paid } }
- { id: two, action: two.steps, dependencies: [paid] }
- id: grp
  parallel:
    - { id: l, action: say, parameters: { value: l } }
    - { id: r, action: generate_text, parameters: { prompt: "Say something about {{ big | length }}" } }
- { id: last, action: say, dependencies: [two, grp, each], parameters: { value: "{{ big | length }}" } }`;

async function setup(): Promise<Bench & { requests: unknown[] }> {
  const server = await startModelServer();
  onTestFinished(() => server.close());
  server.respond(request => (JSON.stringify(request.body).includes('films') ? { text: '{"value": 4}' } : { text: 'words' }));
  const folder = makeFolder();
  writeFileSync(
    join(folder, 'part.yaml'),
    'pipeline:\n  name: part\n  version: "1"\n  inputs: { n: { type: integer } }\n  tasks:\n    - { id: inner, action: say, parameters: { value: "{{ n + 1 }}" } }\n  outputs: { out: "{{ inner }}" }\n',
  );
  const config = { default: 'lab/small', providers: { lab: { type: 'openai-compatible', base_url: server.url, api_key: 'sk-lab' } } };
  const bench = await openBench({ folder, models: openModels(config, { env: {}, folder }) });
  return { ...bench, requests: server.requests };
}

const hashOf = (state: RunState): string => sha256(canonicalJson(JSON.parse(snapshot(state)) as Json));

test(
  'S7 the fold of the stored journal, from zero and from any checkpoint, is byte-equal to the live state, and calls nobody',
  { timeout: 60_000 },
  async () => {
    const { shell, store, compile, folder, requests, performed, events } = await setup();
    const compiled = await compile(RICH, 'outputs: { sum: "{{ ask }}", late: "{{ last }}" }');
    const handle = await shell.start(compiled);
    const live = shell.shop.loop.runs.get(handle.id)!;
    await until(() => performed().filter(path => path === 'again').length > 0);
    writeFileSync(join(folder, 'there'), '');
    // A reader keeps the run in memory, so that one live state spans all of it.
    const reader = (async () => {
      for await (const event of handle.events()) void event;
    })();
    await until(async () => (await shell.show(handle.id)).tasks['ok']!.status === 'waiting');
    await shell.command(handle.id, { type: 'approve', task: 'ok', choice: 'approve', by: 'me', comment: null });
    await shell.command(handle.id, { type: 'signal', name: 'paid', payload: { eur: 3 }, by: 'me' });
    await until(async () => (await shell.show(handle.id)).status !== 'running' && (await shell.show(handle.id)).status !== 'waiting');
    await reader;
    const document = await handle.result();
    expect(document.tasks['each']!.output).toMatchObject({ count: 3 });
    expect(document).toMatchObject({
      status: 'failed',
      tasks: { part: { output: { out: 5 } }, paid: { output: { eur: 3 } }, last: { output: 100_000 }, saved: { output: 'boom' } },
    });

    const [calls, traces, journal] = [requests.length, performed().length, await events(handle.id)];
    const { plan } = compiled;
    const folded = initial();
    const checkpoints: string[] = [];
    for (const event of journal) {
      apply(plan, folded, event);
      checkpoints.push(snapshot(folded));
    }
    expect(hashOf(folded)).toBe(hashOf(live.state));
    for (const [at, text] of checkpoints.entries()) {
      const state = restore(text);
      for (const event of journal.slice(at + 1)) apply(plan, state, event);
      expect(hashOf(state), `from the checkpoint at ${at + 1}`).toBe(hashOf(folded));
    }
    const told = documentOf({ plan, state: folded, run: handle.id, load: ref => shell.shop.values.load(ref) });
    expect(told).toEqual(document);
    const fresh = await openBench({ folder });
    expect(await fresh.shell.show(handle.id)).toEqual(document);
    expect([requests.length, performed().length]).toEqual([calls, traces]);
    expect(await store.verify()).toEqual([]);
  },
);

test('S7 S12 a resumed run asks no question again and takes no time anew', async () => {
  const { shell, folder, compile, store, requests } = await setup();
  const compiled = await compile(`
- { id: at, action: say, parameters: { value: <AUTO type="integer">how many films?</AUTO> } }
- { id: said, action: generate_text, parameters: { prompt: Hello } }
- { id: ok, action: approval, dependencies: [at, said], parameters: { prompt: "?" } }
- { id: use, action: say, dependencies: [ok], parameters: { value: "{{ at }} {{ said }}" } }`);
  const { run } = await shell.run(compiled);
  const asked = requests.length;
  await shell.close();
  const second = await openBench({ folder });
  await second.shell.command(run, { type: 'approve', task: 'ok', choice: 'approve', by: 'me', comment: null });
  expect(await (await second.shell.resume(run)).result()).toMatchObject({ status: 'completed', tasks: { use: { output: '4 words' } } });
  expect(requests).toHaveLength(asked);
  expect(await second.store.ledger({ run })).toHaveLength(2);
  expect(store).not.toBe(second.store);
});

test('S12 each call stands in the ledger once, with the commit of its result, also those of attempts that failed', async () => {
  const server = await startModelServer();
  onTestFinished(() => server.close());
  const folder = makeFolder();
  const config = {
    default: 'lab/small',
    providers: { lab: { type: 'openai-compatible', base_url: server.url, api_key: 'sk-lab' } },
    catalog: [{ id: 'lab/small', cost: { input_per_million: 1000, output_per_million: 1000 } }],
  };
  const { shell, compile, store, events } = await openBench({ folder, models: openModels(config, { env: {}, folder }) });
  const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
  // The first answer fits nothing and is asked again; the second attempt of the task is made because the first ends badly.
  server.respond(request =>
    JSON.stringify(request.body).includes('refused') ? { text: 'I will not', finishReason: 'content_filter', usage } : { text: 'no number at all', usage },
  );
  const schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
  const document = await shell.run(
    await compile(`
- { id: a, action: generate_structured, on_failure: continue, retry: { max_attempts: 2, initial_backoff: 0.01 }, parameters: { prompt: count, schema: ${JSON.stringify(schema)} } }
- { id: b, action: generate_text, dependencies: [a], parameters: { prompt: say } }
- { id: c, action: generate_text, dependencies: [b], on_failure: continue, parameters: { prompt: refused } }`),
  );
  const rows = await store.ledger({ run: document.run });
  expect(rows.filter(row => row.path === 'a').map(row => [row.attempt, row.call])).toEqual([
    [1, 0],
    [1, 1],
    [1, 2],
    [2, 3],
    [2, 4],
    [2, 5],
  ]);
  expect(server.requests).toHaveLength(8);
  // A refusal is an error, and is billed all the same.
  expect(document.tasks['c']).toMatchObject({ status: 'failed', error: { code: 'ORC-406' } });
  expect(rows).toHaveLength(8);
  expect(rows.every(row => row.costMicroUsd === 7000)).toBe(true);
  expect(document.costUsd).toBeCloseTo(0.056, 9);
  expect(document.tasks['a']!.costUsd).toBeCloseTo(0.042, 9);
  expect((await events(document.run)).filter(event => event.type === 'model.called')).toHaveLength(8);
});

test('S12 what a dead process had paid for stays in the ledger when its attempt runs again', async () => {
  const server = await startModelServer();
  onTestFinished(() => server.close());
  const folder = makeFolder();
  const config = {
    default: 'lab/small',
    providers: { lab: { type: 'openai-compatible', base_url: server.url, api_key: 'sk-lab' } },
    catalog: [{ id: 'lab/small', cost: { input_per_million: 1, output_per_million: 1 } }],
  };
  let isStuck = true;
  const action = {
    name: 'chat',
    summary: 'A probe.',
    effect: 'read' as const,
    powers: [],
    parameters: { type: 'object' },
    result: true,
    run: async (_parameters: object, context: { models: { ask(call: object): Promise<{ text: string }> }; signal: AbortSignal }) => {
      const { text } = await context.models.ask({ purpose: 'chat', messages: [{ role: 'user', content: 'hello' }] });
      if (isStuck) await new Promise((_, reject) => context.signal.addEventListener('abort', () => reject(new Error('stopped'))));
      return text;
    },
  };
  const open = (): Promise<Bench> => openBench({ folder, models: openModels(config, { env: {}, folder }), actions: [action as never] });
  const first = await open();
  const handle = await first.shell.start(await first.compile('- { id: a, action: chat }'));
  handle.result().catch(() => {});
  await until(async () => (await first.store.ledger({ run: handle.id })).length === 1);
  await first.shell.close();
  isStuck = false;
  const { shell, store } = await open();
  const document = await (await shell.resume(handle.id)).result();
  const rows = await store.ledger({ run: handle.id });
  expect(rows.map(row => [row.attempt, row.call])).toEqual([
    [1, 0],
    [1, 1],
  ]);
  expect(document.costUsd).toBeCloseTo(rows.reduce((sum, row) => sum + row.costMicroUsd!, 0) / 1_000_000, 9);
});

test('S12 a call that a dead process had under way is entered once, as uncertain, with the most that it can be billed', async () => {
  const server = await startModelServer();
  onTestFinished(() => server.close());
  const folder = makeFolder();
  const config = {
    default: 'lab/small',
    providers: { lab: { type: 'openai-compatible', base_url: server.url, api_key: 'sk-lab' } },
    catalog: [{ id: 'lab/small', cost: { input_per_million: 1, output_per_million: 1 } }],
  };
  const open = (): Promise<Bench> => openBench({ folder, models: openModels(config, { env: {}, folder }) });
  server.reply({ text: 'words' }, { fault: 'hang' }, { fault: 'hang' }, { text: '{"value": 4}' });
  let bench = await open();
  const handle = await bench.shell.start(
    await bench.compile(`
- { id: a, action: generate_text, parameters: { prompt: hello } }
- { id: b, action: say, dependencies: [a], parameters: { value: <AUTO type="integer">how many?</AUTO> } }`),
  );
  for (const requests of [2, 3]) {
    const going = requests === 2 ? handle : await bench.shell.resume(handle.id);
    going.result().catch(() => {});
    await until(async () => server.requests.length === requests);
    await bench.shell.close();
    bench = await open();
  }
  const document = await (await bench.shell.resume(handle.id)).result();
  expect(document.status).toBe('completed');
  const rows = await bench.store.ledger({ run: handle.id });
  const lost = { path: 'b', attempt: 0, purpose: 'auto', model: 'lab/small', costMicroUsd: null, failed: 'ORC-229', uncertain: true };
  expect(rows.filter(({ uncertain }) => uncertain === true)).toMatchObject([
    { ...lost, call: 0 },
    { ...lost, call: 1 },
  ]);
  expect(rows.map(({ costMicroUsd }) => costMicroUsd !== null)).toEqual([true, false, false, true]);
  expect(rows[1]!.worstMicroUsd).toBeGreaterThan(4096);
  expect(document.warnings).toEqual([
    expect.stringMatching(/^the replies of 2 model calls were lost: they are not in the cost, and may be billed, up to \$0\.0\d+$/),
  ]);
});
