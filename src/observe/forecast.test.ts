import { expect, test } from 'vitest';
import { openModels } from '../models/index.ts';
import { compile } from '../plan/compile.ts';
import { encodePlan, type Plan } from '../plan/index.ts';
import { addition, creation } from '../store/batches.ts';
import { MemoryStore, type LedgerRow } from '../store/index.ts';
import { actionSpecs } from '../tools/index.ts';
import { forecast, type Forecast } from './forecast.ts';

const MODELS = openModels(
  {
    default: 'lab/small',
    providers: { lab: { type: 'openai-compatible', base_url: 'http://127.0.0.1:1/v1' } },
    catalog: [
      { id: 'lab/small', context_window: 8000, expertise: ['fast'], cost: { input_per_million: 1, output_per_million: 10 } },
      { id: 'lab/dear', cost: { input_per_million: 100, output_per_million: 1000 } },
      { id: 'lab/unpriced' },
    ],
  },
  { env: {}, folder: '/', resolve: text => text },
);

function planOf(tasks: string, more = ''): Plan {
  const { plan, diagnostics } = compile({
    file: 'p.yaml',
    text: `name: films\n${more}tasks:\n${tasks}`,
    read: () => undefined as never,
    actions: actionSpecs(),
  });
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  return plan!;
}

/** A store in which the plan ran so often, each time with calls of these costs and times. */
function ranBefore(plan: Plan, runs: { costs: (number | null)[]; ms: number }[]): MemoryStore {
  const store = new MemoryStore('own_a');
  runs.forEach(({ costs, ms }, n) => {
    const run = `run_${n}`;
    const row = { planHash: plan.hash, pipeline: 'films', status: 'completed' as const, startedAt: 1000, endedAt: 1000 + ms, createdAt: n };
    const born = creation(run, row);
    born.create!.plan = { hash: plan.hash, body: encodePlan(plan) };
    store.commit([born]);
    const base = { run, path: 'ask', attempt: 1, at: 1, purpose: 'text', model: 'lab/small', inputTokens: 10, outputTokens: 30, latencyMs: 400 };
    const ledger = costs.map((costMicroUsd, call): LedgerRow => ({ ...base, call, costMicroUsd }));
    store.commit([
      addition(run, 1, 0, {
        ledger,
        events: [
          { type: 'scope.opened', at: 1000, owner: -1, block: 0, index: 0, inputs: null },
          { type: 'task.scheduled', at: 1000, slot: 0 },
          { type: 'attempt.started', at: 1000, slot: 0, attempt: 1, effect: 'read' },
          { type: 'task.completed', at: 1000 + ms / 2, slot: 0, output: null },
        ],
      }),
    ]);
  });
  return store;
}

const ASK = '  - { id: ask, action: generate_text, parameters: { prompt: "12345678", max_tokens: 100 } }';
const told = (plan: Plan, store = new MemoryStore('own_a')): Promise<Forecast> => forecast(plan, { store, models: MODELS });

test('what was never run is priced from the texts of the file and the limits of the answers; its worst case is what would be set aside', async () => {
  const { byTask, cost, duration, runs, unknown } = await told(planOf(`${ASK}\n  - { id: free, action: echo, parameters: { text: hi } }`));
  // Two tokens and eight around the message, 100 of the answer; a token is a byte at worst, with 32 around.
  expect(byTask['ask']).toEqual({
    model: 'lab/small',
    times: 1,
    calls: 1,
    expectedUsd: 0.00101,
    p95Usd: null,
    worstUsd: 0.00104,
    p50Ms: null,
    p95Ms: null,
    basis: 'prices',
  });
  expect(byTask['free']).toMatchObject({ model: null, calls: 0, expectedUsd: 0, worstUsd: 0 });
  expect(cost).toEqual({ expectedUsd: 0.00101, p95Usd: null, worstUsd: 0.00104, knownUsd: 0.00101, budgetUsd: null });
  expect([duration, runs, unknown]).toEqual([{ p50Ms: null, p95Ms: null, basis: null }, 0, []]);
});

test('what ran before is told by what it took: the median, and what 95 of 100 runs stay below', async () => {
  const plan = planOf(ASK);
  const runs = Array.from({ length: 20 }, (_, n) => ({ costs: n === 0 ? [900, 100] : [100 + n], ms: 100 * (n + 1) }));
  const { byTask, cost, duration, runs: seen } = await told(plan, ranBefore(plan, runs));
  expect(byTask['ask']).toMatchObject({ expectedUsd: 0.00011, p95Usd: 0.000119, worstUsd: 0.00104, p50Ms: 500, p95Ms: 950, basis: 'history' });
  expect(cost).toMatchObject({ expectedUsd: 0.00011, p95Usd: 0.000119 });
  expect([duration, seen]).toEqual([{ p50Ms: 1000, p95Ms: 1900, basis: 'history' }, 20]);
});

test('a new task beside an old one is priced from the file, and its time from how fast its model was', async () => {
  const store = ranBefore(planOf(ASK), [{ costs: [500], ms: 200 }]);
  const plan = planOf(`${ASK}\n  - { id: new, action: generate_text, parameters: { prompt: "12345678" } }`);
  const { byTask, cost } = await told(plan, store);
  // 30 tokens were the average answer of the model.
  expect(byTask['new']).toMatchObject({ expectedUsd: 0.00031, p50Ms: 400, basis: 'prices' });
  expect(cost.expectedUsd).toBeCloseTo(0.00081, 9);
});

test('a price that is not known is unknown, and so is the sum; the rest is told', async () => {
  const unpriced = '  - { id: odd, action: generate_text, model: lab/unpriced, parameters: { prompt: x } }';
  const { byTask, cost, unknown } = await told(planOf(`${ASK}\n${unpriced}`));
  expect(byTask['odd']).toMatchObject({ model: 'lab/unpriced', expectedUsd: null, worstUsd: null, basis: null });
  expect(cost).toMatchObject({ expectedUsd: null, worstUsd: null, knownUsd: 0.00101 });
  expect(unknown).toEqual(['what `odd` costs is unknown: the price of lab/unpriced is not known']);
  const plan = planOf(ASK);
  expect((await told(plan, ranBefore(plan, [{ costs: [null], ms: 1 }]))).byTask['ask']).toMatchObject({ basis: 'prices', expectedUsd: 0.00031 });
});

test('a loop counts as often as the file says; where only the run knows, its worst case is unknown', async () => {
  const loop = (items: string): string => `  - id: each\n    for_each: ${items}\n    tasks:\n    ${ASK}`;
  const known = await told(planOf(loop('[1, 2, 3]')));
  expect(known.byTask['each/ask']).toMatchObject({ times: 3, expectedUsd: 0.00303, worstUsd: 0.00312 });
  const open = await told(planOf(loop('"{{ range(3) }}"')));
  expect(open.byTask['each/ask']).toMatchObject({ times: null, expectedUsd: 0.00101, worstUsd: null });
  expect(open.unknown).toEqual(['how often `each` repeats is known in the run only: its costs are those of one time']);
  const given = await told(planOf(loop('"{{ inputs.names }}"'), 'inputs: { names: { type: list, default: [a, b] } }\n'));
  expect(given.byTask['each/ask']).toMatchObject({ times: null, expectedUsd: 0.00202, worstUsd: null });
  expect(given.unknown).toEqual(['how often `each` repeats is known in the run only: it is counted as 2, as the default of `names` has it']);
});

test('values of the run make a prompt as long as the context of the model at worst; retries, repairs and a budget count', async () => {
  const more = 'inputs: { topic: string }\nbudget: { usd: 0.5 }\n';
  const { byTask, cost, unknown } = await told(
    planOf(
      `  - { id: ask, action: generate_text, retry: { max_attempts: 2 }, parameters: { prompt: "{{ topic }}", max_tokens: 100 } }
  - { id: pick, action: echo, parameters: { text: '<AUTO default="a">which?</AUTO>' } }
  - { id: best, action: generate_text, model: lab/dear, parameters: { prompt: "{{ topic }}" } }`,
      more,
    ),
  );
  expect(byTask['ask']!.worstUsd).toBe(0.018);
  expect(byTask['pick']).toMatchObject({ calls: 1, model: 'lab/small', basis: 'prices' });
  expect(byTask['pick']!.worstUsd).toBeGreaterThan(3 * 0.04096);
  expect(byTask['best']!.worstUsd).toBeNull();
  expect(cost).toMatchObject({ worstUsd: 0.5, budgetUsd: 0.5 });
  expect(unknown).toEqual([
    'what values make a prompt longer is known in the run only: the expected cost counts the texts of the file',
    'the worst case of `best` is unknown: the context window of lab/dear is not known',
  ]);
});

test('the model is whom a choice would fall on, and unknown where only the run can tell', async () => {
  const task = (id: string, model: string): string => `  - { id: ${id}, action: generate_text, ${model}, parameters: { prompt: x } }`;
  const { byTask, unknown } = await told(
    planOf(
      [
        task('word', 'model: fast'),
        task('needs', 'requires_model: { expertise: [fast] }'),
        task('open', 'model: "{{ topic }}"'),
        '  - { id: own, action: generate_text, parameters: { prompt: x, model: lab/dear } }',
        '  - { id: agent, action: agent, parameters: { goal: x, tools: [], max_cost_usd: 0.2 } }',
      ].join('\n'),
      'inputs: { topic: string }\n',
    ),
  );
  expect(Object.entries(byTask).map(([path, { model }]) => [path, model])).toEqual([
    ['word', 'lab/small'],
    ['needs', 'lab/small'],
    ['open', null],
    ['own', 'lab/dear'],
    ['agent', 'lab/small'],
  ]);
  expect(byTask['agent']!.worstUsd).toBe(0.2);
  expect(unknown).toEqual(['what `open` costs is unknown: its model is chosen in the run']);
});

test('a comparison costs what all of its models do', async () => {
  const task = (id: string, models: string): string =>
    `  - { id: ${id}, action: model.compare, parameters: { prompt: "12345678", max_tokens: 100, models: ${models} } }`;
  const { byTask, unknown } = await told(
    planOf(
      [
        task('both', '[lab/small, lab/dear]'),
        task('small', '[lab/small]'),
        task('dear', '[lab/dear]'),
        task('some', '[lab/small, lab/unpriced]'),
        task('open', '"{{ list }}"'),
      ].join('\n'),
      'inputs: { list: array }\n',
    ),
  );
  expect(byTask['small']!.expectedUsd).toBeGreaterThan(0);
  // The names of the models count as text of the task, so that it is not the sum to the last token.
  for (const part of ['expectedUsd', 'worstUsd'] as const)
    expect(byTask['both']![part]! / (byTask['small']![part]! + byTask['dear']![part]!)).toBeCloseTo(1, 1);
  expect([byTask['some']!.expectedUsd, byTask['open']!.expectedUsd]).toEqual([null, null]);
  expect(unknown).toEqual(
    expect.arrayContaining([
      'what `some` costs is unknown: the price of lab/unpriced is not known',
      'what `open` costs is unknown: its models are named in the run',
    ]),
  );
});
