import { expect, test } from 'vitest';
import { openModels } from '../models/index.ts';
import type { Store } from '../store/index.ts';
import { costReport } from './costs.ts';
import { CostMonitor, readTime } from './monitor.ts';

const DAY = 86_400_000;
const T0 = Date.parse('2026-01-01T12:00:00Z');

type Call = { run?: string; path?: string; attempt?: number; model?: string; cost?: number | null; at?: number; prompt?: string };

/** A store of these calls, each of a call of its own. */
function storeOf(calls: Call[]): Pick<Store, 'ledger' | 'runs' | 'read'> {
  const rows = calls
    .map(({ run = 'run_a', path = 'write', attempt = 1, model = 'lab/dear', cost = 100, at = T0 }, call) => ({
      run,
      path,
      attempt,
      call,
      at,
      purpose: 'text',
      model,
      inputTokens: 1000,
      outputTokens: 100,
      costMicroUsd: cost,
      latencyMs: 1,
    }))
    .sort((a, b) => a.at - b.at);
  return {
    ledger: async ({ since = 0 }) => rows.filter(({ at }) => at >= since),
    runs: async () => ['run_a', 'run_b'].map(run => ({ run, pipeline: run === 'run_a' ? 'films' : 'books', user: run === 'run_a' ? null : 'ada' })) as never,
    read: async run =>
      rows
        .filter(row => row.run === run)
        .map((row, i) => ({
          seq: i + 1,
          event: { type: 'model.called', at: row.at, slot: 0, call: row, prompt: { v: calls[row.call]!.prompt ?? `prompt ${row.call}` }, reply: { v: '' } },
        })),
  };
}

const CATALOG = openModels(
  {
    providers: { lab: { type: 'openai-compatible', base_url: 'http://127.0.0.1:1/v1' } },
    catalog: [
      { id: 'lab/dear', expertise: ['high'], cost: { input_per_million: 10, output_per_million: 10 } },
      { id: 'lab/cheap', expertise: ['high'], cost: { input_per_million: 0.01, output_per_million: 0.1 } },
      { id: 'lab/simple', expertise: ['low'], cost: { input_per_million: 0, output_per_million: 0 } },
    ],
  },
  { env: {}, folder: '/', resolve: text => text },
);

test('sums by model, pipeline, user and day; the dearest first, days in order', async () => {
  const report = await costReport(
    storeOf([{ at: T0 }, { at: T0 + DAY, model: 'lab/simple', cost: 0 }, { at: T0 + DAY, run: 'run_b', model: 'lab/other', cost: 300 }]),
  );
  expect(report).toMatchObject({ totalCost: 0.0004, calls: 3, unpricedCalls: 0, inputTokens: 3000, outputTokens: 300, topCostModel: 'lab/other', since: null });
  expect(Object.keys(report.byModel)).toEqual(['lab/other', 'lab/dear', 'lab/simple']);
  expect(report.byPipeline).toMatchObject({ books: { cost: 0.0003, calls: 1, share: 0.75 }, films: { cost: 0.0001, calls: 2, share: 0.25 } });
  expect(Object.entries(report.byUser).map(([user, { cost }]) => [user, cost])).toEqual([
    ['ada', 0.0003],
    ['(nobody)', 0.0001],
  ]);
  expect(Object.keys(report.byDay)).toEqual(['2026-01-01', '2026-01-02']);
  expect(report.trend).toEqual({ direction: 'rising', change: 2 });
});

test('S12 a call of unknown price is counted apart, never as free', async () => {
  expect(await costReport(storeOf([{ cost: null }]))).toMatchObject({ totalCost: 0, calls: 1, unpricedCalls: 1, topCostModel: null });
});

test('only what is asked for: a time, a pipeline, a user', async () => {
  const store = storeOf([{ at: T0 }, { at: T0 + DAY, run: 'run_b' }, { at: T0 + 2 * DAY }]);
  const calls = async (filter: object): Promise<number> => (await costReport(store, filter)).calls;
  expect(await Promise.all([{ since: T0 + 1 }, { until: T0 + DAY }, { pipeline: 'books' }, { user: 'ada' }, { user: 'bob' }].map(calls))).toEqual([
    2, 1, 1, 1, 0,
  ]);
});

test('no calls: nothing is divided by nothing', async () => {
  expect(await costReport(storeOf([]), {}, CATALOG)).toMatchObject({
    totalCost: 0,
    topCostModel: null,
    byModel: {},
    trend: { direction: 'flat', change: null },
    suggestions: [],
  });
});

test('suggests the cheapest model that is no worse, retries to mend, and prompts to keep; the largest saving first', async () => {
  const { suggestions } = await costReport(
    storeOf([
      { attempt: 1, cost: 11_000 },
      { attempt: 2, cost: 11_000 },
      { path: 'again', cost: 11_000, prompt: 'same' },
      { run: 'run_b', path: 'again', cost: 11_000, prompt: 'same' },
    ]),
    {},
    CATALOG,
  );
  expect(suggestions.map(({ kind, saving }) => [kind, saving])).toEqual([
    ['cheaper_model', 0.04392],
    ['retry_waste', 0.011],
    ['repeated_prompts', 0.011],
  ]);
  expect(suggestions[0]!.text).toBe('lab/cheap would have taken the 4 calls of lab/dear for $0.00008 instead of $0.044');
  expect(suggestions[1]!.text).toContain('most of them by `write` of films');
});

test('a monitor opens its store on first use, and closes it', async () => {
  const told: string[] = [];
  const monitor = new CostMonitor({
    open: async () => ({ store: storeOf([{ at: T0 }, { at: T0 + DAY }]), models: CATALOG, close: async () => void told.push('closed') }),
  });
  expect((await monitor.generateCostReport({ since: '2026-01-02' })).calls).toBe(1);
  await monitor.close();
  expect(told).toEqual(['closed']);
});

test('times are dates, numbers, ISO texts and durations back from now', () => {
  expect([readTime(5, 9), readTime(new Date(7), 9), readTime('1970-01-01T00:00:01Z', 9), readTime('1d', DAY + 5)]).toEqual([5, 7, 1000, 5]);
  expect(() => readTime('yesteryear', 0)).toThrow(expect.objectContaining({ code: 'ORC-106' }));
});
