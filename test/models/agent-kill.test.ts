import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { Json, JsonObject } from '../../src/json.ts';
import { makeProject, type Project } from '../cli/project.ts';
import { startModelServer, type Answer, type ModelServer } from '../support/model-server.ts';

/** A server that counts what is posted to it, and is silent while `holds` says so. */
async function startLedger(): Promise<{ url: string; posted: string[]; holds: boolean }> {
  const self = { url: '', posted: [] as string[], holds: false };
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      self.posted.push(body);
      if (!self.holds) response.end('noted');
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close().closeAllConnections();
  });
  self.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/note`;
  return self;
}

const note = (text: string): Answer => ({ toolCalls: [{ name: 'note', arguments: JSON.stringify({ body: text }) }] });

async function setup(): Promise<Project & { server: ModelServer; ledger: Awaited<ReturnType<typeof startLedger>>; env: Record<string, string> }> {
  const server = await startModelServer();
  onTestFinished(() => server.close());
  const ledger = await startLedger();
  const project = makeProject({
    'orchestrator.config.yaml': `policy: { network: { private: allow } }
models:
  default: lab/small
  providers: { lab: { type: openai-compatible, base_url: "${server.url}" } }
  catalog: [ { id: lab/small, capabilities: [tools], cost: { input_per_million: 1, output_per_million: 2 } } ]
`,
    'p.yaml': `pipeline:
  name: agent
  version: "1"
  tasks:
    - id: work
      action: agent
      parameters:
        goal: Note one, then two.
        tools: [ { action: http.post, name: note, fixed: { url: "${ledger.url}" }, free: [body], allow_side_effects: true } ]
    - id: after
      action: echo
      parameters: { text: "{{ work.answer }}" }
`,
  });
  return { ...project, server, ledger, env: { ORCHESTRATOR_TRUST: '1' } };
}

/** Looks again and again; what is looked for is told by a server, which nothing else announces. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(resolve => setTimeout(resolve, 10));
}

interface Shown {
  run: string;
  status: string;
  reason: string | null;
  costUsd: number;
  tasks: { [path: string]: { output: JsonObject; attempts: number; costUsd: number } };
}

const shown = (out: string): Shown => JSON.parse(out) as Shown;

/** How often each request was made; the history of a conversation tells one from the other. */
function timesAsked(server: ModelServer): number[] {
  const counts = new Map<string, number>();
  for (const { body } of server.requests) {
    const key = JSON.stringify(body['messages'] as Json);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts.values()];
}

test(
  'S6 S12 an agent that is killed while its model answers goes on where it was: no reply is paid for twice, no tool is called twice',
  { timeout: 60_000 },
  async () => {
    const { server, ledger, start, call, env } = await setup();
    server.reply(note('one'), note('two'), { fault: 'hang' });
    const { child, outcome } = start(['run', 'p.yaml', '-q'], env);
    await until(() => server.requests.length === 3);
    child.kill('SIGKILL');
    await outcome;
    expect(ledger.posted).toEqual(['one', 'two']);
    server.reply('All noted.');
    const { code, out, err } = await call(['resume', 'last', '--output', 'json'], { env });
    expect(code, err).toBe(0);
    const document = shown(out);
    expect(document.tasks['work']).toMatchObject({
      attempts: 1,
      output: { answer: 'All noted.', stopped: 'answer', steps: [{ tool: 'note' }, { tool: 'note' }] },
    });
    // The one that hung was never answered, and is asked again.
    expect(timesAsked(server)).toEqual([1, 1, 2]);
    expect(ledger.posted).toEqual(['one', 'two']);
    const replies = server.requests.filter((_, index) => index !== 2);
    expect(replies).toHaveLength(3);
    expect(document.tasks['work']!.costUsd).toBe(document.tasks['work']!.output['cost_usd']);
  },
);

test('S9 an agent that is killed while a tool changes something waits for a person, who says what became of it', { timeout: 60_000 }, async () => {
  const { server, ledger, start, call, env } = await setup();
  server.reply(note('one'));
  ledger.holds = true;
  const { child, outcome } = start(['run', 'p.yaml', '-q'], env);
  await until(() => ledger.posted.length === 1);
  child.kill('SIGKILL');
  await outcome;
  ledger.holds = false;
  const { code, out } = await call(['resume', 'last', '--output', 'json'], { env });
  expect(code).toBe(5);
  expect(shown(out)).toMatchObject({ status: 'waiting', reason: 'needs_attention' });
  expect([server.requests.length, ledger.posted.length]).toEqual([1, 1]);
  server.reply('All noted.');
  await call(['settle', 'last', 'work', '--as', 'retry'], { env });
  const again = await call(['resume', 'last', '--output', 'json'], { env });
  const document = shown((await call(['show', 'last', '--json'], { env })).out);
  expect(document, again.err).toMatchObject({ status: 'completed', tasks: { work: { output: { answer: 'All noted.' } } } });
  // The reply before it was not asked for again; the note was made a second time on the word of a person.
  expect(timesAsked(server)).toEqual([1, 1]);
  expect(ledger.posted).toEqual(['one', 'one']);
});
