import { expect, onTestFinished, test } from 'vitest';
import { openModels } from '../../src/models/index.ts';
import { startModelServer, type ModelServer } from '../support/model-server.ts';
import { makeFolder, openBench, type Bench } from './bench.ts';

const TAG = '- { id: tag, action: echo, retry: { max_attempts: 2, initial_backoff: 0.01 }, parameters: { text: "<AUTO type=\'integer\'>How many</AUTO>" } }';

async function setup(): Promise<{ server: ModelServer; open(folder: string): Promise<Bench> }> {
  const server = await startModelServer();
  onTestFinished(() => server.close());
  const config = { default: 'lab/small', providers: { lab: { type: 'openai-compatible', base_url: server.url } } };
  return { server, open: folder => openBench({ folder, models: openModels(config, { env: {}, folder }) }) };
}

/** How many messages each request had: two ask, four mend the first answer. */
const turns = (server: ModelServer): number[] => server.requests.map(({ body }) => (body['messages'] as object[]).length);

test('S12 the answer of a tag that has to be mended is not paid again when the process dies before it is', async () => {
  const [{ server, open }, folder] = [await setup(), makeFolder()];
  server.reply('many', { fault: 'hang' });
  const first = await open(folder);
  const { id } = await first.shell.start(await first.compile(TAG));
  await expect.poll(() => turns(server)).toEqual([2, 4]);
  await first.shell.close();
  server.reply('{"value": 7}');
  const second = await open(folder);
  const { tasks } = await (await second.shell.resume(id)).result();
  expect(tasks['tag']).toMatchObject({ status: 'completed', output: '7' });
  expect(turns(server)).toEqual([2, 4, 4]);
  expect((await second.store.ledger({})).filter(({ failed }) => failed === undefined)).toHaveLength(2);
});

test('S12 a question that was given up is another one in the next attempt', async () => {
  const [{ server, open }, folder] = [await setup(), makeFolder()];
  server.reply('many', 'lots', 'a few', '{"value": 7}');
  const { shell, compile } = await open(folder);
  const { tasks } = await shell.run(await compile(TAG));
  expect(tasks['tag']).toMatchObject({ status: 'completed', output: '7' });
  expect(turns(server)).toEqual([2, 4, 6, 2]);
});
