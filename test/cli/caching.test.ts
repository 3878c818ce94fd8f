import { expect, onTestFinished, test } from 'vitest';
import { startModelServer } from '../support/model-server.ts';
import { makeProject } from './project.ts';

const PIPELINE = `name: p
tasks:
  - { id: a, action: generate_text, parameters: { prompt: say it, temperature: 0 } }
  - { id: b, action: generate_text, dependencies: [a], parameters: { prompt: say it, temperature: 0 } }
  - { id: c, action: generate_text, dependencies: [b], cache: true, parameters: { prompt: say more } }
`;

test('the receipt says what the cache spared; --no-cache of run and resume takes nothing from before', async () => {
  const server = await startModelServer();
  onTestFinished(() => server.close());
  server.respond(() => ({ text: 'fine', usage: { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 } }));
  const asked = (): number => server.requests.filter(({ method }) => method === 'POST').length;
  const price = 'cost: { input_per_million: 1, output_per_million: 1 }';
  const { call } = makeProject({
    'p.yaml': PIPELINE,
    'orchestrator.config.yaml': `models:\n  default: lab/small\n  providers: { lab: { type: openai-compatible, base_url: "${server.url}" } }\n  catalog: [ { id: lab/small, ${price} } ]\n`,
  });
  const first = await call(['run', 'p.yaml']);
  expect([first.code, asked()]).toEqual([0, 2]);
  expect(first.err).toContain('⚡ one reply from the cache, $0.00012 saved');
  expect((await call(['cost'])).out).toContain('$0.00012 saved by 1 hit of the cache');
  const second = await call(['run', 'p.yaml']);
  expect(second.err).toContain('1 cached');
  expect(asked()).toBe(3);
  const bare = await call(['run', 'p.yaml', '--no-cache', '--until', 'b']);
  expect(bare.err).not.toContain('cache,');
  expect(asked()).toBe(5);
  expect((await call(['resume', 'last', '--no-cache'])).code).toBe(0);
  expect(asked()).toBe(6);
});
