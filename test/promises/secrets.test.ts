import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { Orchestrator } from '../../src/index.ts';
import type { Action } from '../../src/tools/port.ts';
import { bytesUnder, makeFolder, openBench } from './bench.ts';

const SECRET = 'p@ss "w&rd" <ö>/+=7';
const coded = (code: string): unknown => expect.objectContaining({ code });

/** Encodings in which the value may come back, made here anew. */
function encodedForms(secret: string): { [name: string]: string } {
  const bytes = Buffer.from(secret);
  return {
    plain: secret,
    json: JSON.stringify(secret).slice(1, -1),
    url: encodeURIComponent(secret),
    form: new URLSearchParams({ a: secret }).toString().slice(2),
    base64: bytes.toString('base64'),
    base64url: bytes.toString('base64url'),
    hex: bytes.toString('hex'),
    HEX: bytes.toString('hex').toUpperCase(),
    html: secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
  };
}

/** A part of the encoded texts that no chance brings forth. */
function tellTales(secret: string): string[] {
  const basic = [Buffer.from(`me:${secret}`), Buffer.from(`user:${secret}`), Buffer.from(`x:${secret}:y`)].map(bytes => bytes.toString('base64').slice(8, -8));
  return [...Object.values(encodedForms(secret)), ...basic];
}

function expectClean(text: string, where: string): void {
  for (const form of tellTales(SECRET)) expect(text.includes(form), `${where} holds ${form}`).toBe(false);
}

async function echoServer(): Promise<{ url: string; seen: string[] }> {
  const seen: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      seen.push(JSON.stringify(request.headers) + body);
      response.writeHead(request.url === '/refuse' ? 400 : 200, { 'content-type': 'application/json', 'x-echo': encodeURIComponent(body) });
      response.end(
        JSON.stringify({ headers: request.headers, body, ...encodedForms(SECRET), basic: `Basic ${Buffer.from(`user:${SECRET}`).toString('base64')}` }),
      );
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

const leaky: Action = {
  name: 'leak',
  summary: 'A probe.',
  effect: 'read',
  powers: [],
  result: true,
  parameters: { type: 'object', properties: { token: { type: 'string', 'x-secret': true }, how: { type: 'string' } } },
  async run(parameters, context) {
    const token = context.reveal(parameters['token']!) as string;
    context.log('info', `the token is ${token}`);
    context.progress(1, 2, `sending ${token}`);
    await context.step('send', 'read', () => ({ [token]: token, nested: [encodedForms(token)] }));
    if (parameters['how'] === 'throw') throw new Error(`refused: ${token}, ${Buffer.from(token).toString('base64')}`);
    if (parameters['how'] === 'large') return { text: `${'x'.repeat(100_000)}${token}` };
    return { token, forms: encodedForms(token) };
  },
};

test('C11 a secret appears nowhere: not in journal, blobs, logs, errors, results and streams, in no encoding', async () => {
  const { url, seen } = await echoServer();
  const { shell, store, compile, folder, events } = await openBench({
    secrets: { TOKEN: SECRET },
    policy: { network: { private: 'allow' }, shell: 'allow' },
    actions: [leaky],
  });
  const compiled = await compile(
    `
- { id: post, action: http.post, parameters: { url: "${url}/", headers: { X-Token: "{{ secret('TOKEN') }}" }, body: { token: "key {{ secret('TOKEN') }}" } } }
- { id: refused, action: http.post, on_failure: continue, parameters: { url: "${url}/refuse", body: { token: "{{ secret('TOKEN') }}" } } }
- { id: sh, action: shell.run, parameters: { command: 'printf "%s" "$TOKEN"; printf "%s" "$TOKEN" | base64 >&2', env: { TOKEN: "{{ secret('TOKEN') }}" } } }
- { id: leak, action: leak, parameters: { token: "{{ secret('TOKEN') }}" } }
- { id: large, action: leak, parameters: { token: "{{ secret('TOKEN') }}", how: large } }
- { id: thrown, action: leak, on_failure: continue, parameters: { token: "{{ secret('TOKEN') }}", how: throw } }
- { id: kept, action: leak, cache: { ttl: 1d }, parameters: { token: "{{ secret('TOKEN') }}" } }
- { id: copied, action: say, dependencies: [thrown], parameters: { value: "{{ post.body }} {{ sh.stdout }} {{ thrown.error.message }}" } }`,
    'outputs: { all: "{{ leak }}" }',
  );
  const handle = await shell.start(compiled);
  const streamed: unknown[] = [];
  for await (const event of handle.events()) streamed.push(event, handle.view());
  const document = await handle.result();
  expect(document.status).toBe('failed');
  expect(
    Object.entries(document.tasks)
      .filter(([, task]) => task.status === 'failed')
      .map(([id]) => id),
  ).toEqual(['refused', 'thrown']);
  expect(seen.join()).toContain(JSON.stringify(`key ${SECRET}`).slice(1, -1).slice(0, 8));
  const journal = await events(document.run);
  const blobs = JSON.stringify(journal)
    .match(/"b":"[0-9a-f]{64}"/g)!
    .map(text => store.blob(text.slice(5, -1)) as string);
  expect(blobs.length).toBeGreaterThan(0);
  expectClean(JSON.stringify(document), 'the result document');
  expectClean(JSON.stringify(streamed), 'the stream');
  expectClean(JSON.stringify(journal), 'the journal');
  expectClean(
    JSON.stringify([...journal])
      .replaceAll('\\\\', '\\')
      .replaceAll('\\"', '"'),
    'the journal without its escapes',
  );
  expectClean(blobs.join(), 'a blob');
  expectClean(bytesUnder(folder), 'a file of the state folder');
  expectClean(compiled.body, 'the plan');
  expect(document.tasks['copied']!.output).toContain('▮▮▮');
});

test('C11 an input of type secret stores the name, and the caller who gives the value instead is not echoed', async () => {
  const { shell, store, compile, folder, events } = await openBench({ secrets: { TOKEN: SECRET }, actions: [leaky] });
  const compiled = await compile('- { id: leak, action: leak, parameters: { token: "{{ key }}" } }', 'inputs: { key: { type: secret } }');
  const document = await shell.run(compiled, { key: 'TOKEN' });
  expect(document).toMatchObject({ status: 'completed', tasks: { leak: { output: { token: '▮▮▮' } } } });
  expect((await events(document.run))[0]).toMatchObject({ inputs: { v: { key: 'TOKEN' } } });
  expectClean(JSON.stringify([document, await events(document.run)]), 'the run');
  expectClean(bytesUnder(folder), 'the store');
  const refusal = await shell.start(compiled, { key: SECRET }).catch((error: unknown) => error as Error);
  expect(refusal).toEqual(coded('ORC-312'));
  expectClean(JSON.stringify([(refusal as Error).message, refusal]), 'the refusal');
  expect(await store.runs({})).toHaveLength(1);
});

test('C11 a secret under 8 characters is refused, and a filter on one is an error', async () => {
  const { shell, compile, performed } = await openBench({ secrets: { SHORT: '1234567', TOKEN: SECRET }, actions: [leaky] });
  const document = await shell.run(await compile('- { id: a, action: leak, parameters: { token: "{{ secret(\'SHORT\') }}" } }'));
  expect(document.tasks['a']!.error).toMatchObject({ code: 'ORC-312' });
  const filtered = await shell.run(await compile('- { id: a, action: leak, parameters: { token: "{{ secret(\'TOKEN\') | upper }}" } }'));
  expect(filtered.tasks['a']!.error).toMatchObject({ message: 'a secret cannot be read by an expression' });
  expect(performed()).toEqual([]);
});

test('C11 data that looks like a handle is never unwrapped', async () => {
  const { shell, compile } = await openBench({ secrets: { TOKEN: SECRET }, actions: [leaky] });
  const document = await shell.run(
    await compile(
      `
- { id: data, action: say, parameters: { value: { secret: TOKEN, segments: ["a"] } } }
- { id: use, action: leak, on_failure: continue, dependencies: [data], parameters: { token: "{{ given }}" } }
- { id: text, action: leak, on_failure: continue, parameters: { token: "{{ data | tojson }}" } }`,
      'inputs: { given: { type: string } }',
    ),
    { given: "{{ secret('TOKEN') }}" },
  );
  expect(document.status).toBe('completed');
  expectClean(JSON.stringify(document), 'the document');
  expect(JSON.stringify(document.tasks['use']!.output ?? '')).not.toContain('▮▮▮');
});

test('C11 a secret of the configuration is found through the library, and closes nothing off when its variable is gone', async () => {
  const folder = makeFolder();
  writeFileSync(join(folder, 'orchestrator.config.yaml'), 'state: { url: "sqlite:state/state.db" }\nsecrets: { TOKEN: "${env:PROMISE_TOKEN}" }\n');
  writeFileSync(
    join(folder, 'p.yaml'),
    'pipeline:\n  name: p\n  version: "1"\n  tasks:\n    - { id: a, action: leak, parameters: { token: "{{ secret(\'TOKEN\') }}" } }\n',
  );
  process.env['PROMISE_TOKEN'] = SECRET;
  onTestFinished(() => void delete process.env['PROMISE_TOKEN']);
  const orchestrator = await Orchestrator.open({ cwd: folder, actions: [leaky] });
  onTestFinished(() => orchestrator.close());
  const good = await orchestrator.run('p.yaml');
  expect(good.status).toBe('completed');
  expectClean(JSON.stringify(good) + bytesUnder(folder), 'the run');
  delete process.env['PROMISE_TOKEN'];
  const other = await Orchestrator.open({ cwd: folder, actions: [leaky] });
  const bad = await other.run('p.yaml');
  await other.close();
  expect(bad.status).toBe('failed');
  expect(bad.tasks['a']!.error!.message).toContain('PROMISE_TOKEN');
});

test('C11 a secret that is gone when its run is resumed fails the task that needs it, and a new value is taken where there is one', async () => {
  const folder = makeFolder();
  const tasks =
    '- { id: ok, action: approval, parameters: { prompt: "?" } }\n- { id: leak, action: leak, dependencies: [ok], parameters: { token: "{{ secret(\'TOKEN\') }}" } }';
  const first = await openBench({ folder, secrets: { TOKEN: 'the old value' }, actions: [leaky] });
  const [a, b] = [await first.shell.run(await first.compile(tasks)), await first.shell.run(await first.compile(tasks))];
  await first.shell.close();
  const resumed = async (run: string, secrets: { [name: string]: string }) => {
    const { shell } = await openBench({ folder, secrets, actions: [leaky] });
    await shell.command(run, { type: 'approve', task: 'ok', choice: 'approve', by: 'me', comment: null });
    const document = await (await shell.resume(run)).result();
    await shell.close();
    return document;
  };
  expect(await resumed(a.run, {})).toMatchObject({ status: 'failed', tasks: { leak: { error: { code: 'ORC-312' } } } });
  expect(await resumed(b.run, { TOKEN: SECRET })).toMatchObject({ status: 'completed', tasks: { leak: { output: { token: '▮▮▮' } } } });
  expectClean(bytesUnder(folder), 'the store');
});

test('C11 the key of a provider appears nowhere, though a server repeats it in its errors and its answers, in any encoding', async () => {
  const key = 'sk-lab-0123456789/+=abcdefgh';
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(String(request.headers.authorization));
    const told = Object.values({ ...encodedForms(key), basic: Buffer.from(`user:${key}`).toString('base64') }).join(' ');
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const refuse = body.includes('refuse');
      response.writeHead(refuse ? 400 : 200, { 'content-type': refuse ? 'application/json' : 'text/event-stream' });
      const choices = [{ index: 0, delta: { role: 'assistant', content: `your key is ${told}` }, finish_reason: 'stop' }];
      const chunk = { id: 'x', object: 'chat.completion.chunk', created: 0, model: 'm', choices };
      response.end(
        refuse
          ? JSON.stringify({ error: { message: `no such model for the key ${told}`, type: 'invalid_request_error' } })
          : `data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`,
      );
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const folder = makeFolder();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(
    join(folder, 'given.yaml'),
    `state: { url: "sqlite:state/state.db" }\nmodels: { default: lab/m, providers: { lab: { type: openai-compatible, base_url: "${url}", api_key: "\${env:LAB_TEST_KEY}" } } }\n`,
  );
  writeFileSync(
    join(folder, 'p.yaml'),
    `pipeline:
  name: p
  version: "1"
  tasks:
    - { id: answered, action: generate_text, parameters: { prompt: tell me } }
    - { id: refused, action: generate_text, on_failure: continue, parameters: { prompt: refuse } }
    - { id: tag, action: echo, parameters: { text: "<AUTO default='none'>refuse</AUTO>" } }
    - { id: copied, action: echo, parameters: { text: "{{ answered }} {{ refused.error.message }}" } }
`,
  );
  process.env['LAB_TEST_KEY'] = key;
  onTestFinished(() => void delete process.env['LAB_TEST_KEY']);
  const orchestrator = await Orchestrator.open({ cwd: folder, configFile: 'given.yaml' });
  onTestFinished(() => orchestrator.close());
  const document = await orchestrator.run('p.yaml');
  expect(asked).toContain(`Bearer ${key}`);
  expect(document.tasks['refused']!.error!.message).toContain('▮▮▮');
  expect(JSON.stringify(document.tasks['answered']!.output)).toContain('▮▮▮');
  const all = JSON.stringify(document) + bytesUnder(folder);
  for (const form of [...Object.values(encodedForms(key)), Buffer.from(`user:${key}`).toString('base64').slice(8, -8)]) {
    expect(all.includes(form), `it holds ${form}`).toBe(false);
  }
});
