import { expect, onTestFinished, test } from 'vitest';
import { startModelServer } from '../support/model-server.ts';
import { makeProject, steady, type Project } from './project.ts';

const ASK = (id: string): string => `  - { id: ${id}, action: generate_text, parameters: { prompt: say it, max_tokens: 10 } }\n`;

/** A call costs $0.0013, and $0.00137 at worst. */
async function project(budget: string): Promise<Project> {
  const server = await startModelServer();
  onTestFinished(() => server.close());
  server.respond(() => ({ text: 'fine', usage: { prompt_tokens: 30, completion_tokens: 10, total_tokens: 40 } }));
  return makeProject({
    'orchestrator.config.yaml': `models:
  default: lab/dear
  providers: { lab: { type: openai-compatible, base_url: "${server.url}" } }
  catalog: [ { id: lab/dear, cost: { input_per_million: 10, output_per_million: 100 } } ]
${budget}`,
    'one.yaml': `name: one\ntasks:\n${ASK('a')}`,
    'two.yaml': `name: two\ntasks:\n${ASK('a')}  - { id: b, action: generate_text, dependencies: [a], parameters: { prompt: say it, max_tokens: 10 } }\n`,
  });
}

test('C24 a day that is spent pauses runs with exit 6, is told at 80 percent, shown, raised, and the run goes on', async () => {
  const { call } = await project('budget: { per_day_usd: 0.003, per_user_usd: 1 }\n');
  const full = await call(['run', 'two.yaml', '--user', 'ann']);
  expect([full.code, full.err]).toEqual([0, expect.stringContaining('over 80 % of the budget of today is spent: $0.0026 of $0.003')]);
  const paused = await call(['run', 'one.yaml', '--user', 'ann']);
  expect(paused.code).toBe(6);
  expect(steady(paused.err)).toContain('$0.0004 of the budget of $0.003 for today is left, until TIME');
  expect(steady(paused.err)).toContain('next: orchestrator budget raise day 0.006\n        orchestrator resume RUN');
  const shown = await call(['budget']);
  expect([shown.code, steady(shown.out)]).toEqual([
    0,
    'today        cap    spent  reserved     left\nday       $0.003  $0.0026     $0.00  $0.0004\nuser:ann   $1.00  $0.0026     $0.00   $0.997\nbegins anew at TIME\ncaps: $0.003 per day, $1.00 per user\n',
  ]);
  expect((await call(['budget', 'raise', 'day', '0.001'])).code).toBe(2);
  const raised = await call(['budget', 'raise', 'day', '1', '--json']);
  expect([raised.code, JSON.parse(raised.out)]).toMatchObject([0, { v: 1, scope: 'day', raisedToUsd: 1, leftUsd: 0.9974, runs: [{ isDriven: false }] }]);
  const { next } = JSON.parse(raised.out) as { next: string[] };
  expect((await call(next[0]!.split(' ').slice(1))).code).toBe(0);
  const told = JSON.parse((await call(['budget', '--json'])).out) as { budgets: { scope: string }[] };
  expect(told).toMatchObject({
    v: 1,
    budgets: [{ scope: 'day', settledUsd: 0.0039, raises: [{ usd: 1 }] }, { scope: 'user:ann' }],
    caps: { per_day_usd: 0.003 },
  });
});

test('C24 `budget raise` of a run sets its cap and lets it go on; what is no budget is named', async () => {
  const { call } = await project('');
  const none = await call(['budget']);
  expect([none.code, none.out, none.err]).toEqual([0, '', expect.stringContaining('no budget is set')]);
  expect((await call(['run', 'one.yaml', '--budget', '0.001'])).code).toBe(6);
  const raised = await call(['budget', 'raise', 'last', '$1']);
  expect([raised.code, steady(raised.err)]).toEqual([0, '✓ RUN may cost $1.00\n  next: orchestrator resume RUN\n']);
  expect((await call(['resume', 'last'])).code).toBe(0);
  expect(
    await Promise.all(
      [
        ['day', '1'],
        ['day', 'much'],
        ['nobody', '1'],
      ].map(async args => (await call(['budget', 'raise', ...args])).code),
    ),
  ).toEqual([2, 2, 3]);
});
