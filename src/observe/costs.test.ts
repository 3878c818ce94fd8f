import { expect, test } from 'vitest';
import { openModels } from '../models/index.ts';
import { MemoryStore, type LedgerRow } from '../store/index.ts';
import { addition, creation } from '../store/batches.ts';
import { costReport } from './costs.ts';
import { CostMonitor, readTime } from './monitor.ts';
import { sharedPart } from './savings.ts';

const DAY = 86_400_000;
const T0 = Date.parse('2026-01-01T12:00:00Z');

type Call = Partial<LedgerRow> & { cost?: number | null; prompt?: string };

/** A store of these calls, each of a call of its own. */
function storeOf(calls: Call[]): MemoryStore {
  const store = new MemoryStore('own_a');
  store.commit([creation('run_a', { pipeline: 'films' }), creation('run_b', { pipeline: 'books', user: 'ada' })]);
  const seq: { [run: string]: number } = { run_a: 1, run_b: 1 };
  calls.forEach(({ run = 'run_a', cost = 100, prompt = `prompt ${calls.length}`, at = T0, ...more }, call) => {
    const base = { path: 'write', attempt: 1, call, at, purpose: 'text', model: 'lab/dear', inputTokens: 1000, outputTokens: 100, latencyMs: 1 };
    const row: LedgerRow = { ...base, costMicroUsd: cost, request: `${call}`, ...more, run };
    const event = { type: 'model.called' as const, at, slot: 0, call: row, prompt: { v: [{ role: 'user', content: prompt }] }, reply: { v: '' } };
    expect(store.commit([addition(run, seq[run]!++, 1, { events: [event], ledger: [row] })])).toEqual(['ok']);
  });
  return store;
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

test('S12 what is uncertain, what failed and what the cache saved stand beside the cost, not in it', async () => {
  const report = await costReport(
    storeOf([
      { cost: null, uncertain: true, worstMicroUsd: 70, failed: 'ORC-404', inputTokens: 0, outputTokens: 0 },
      { cost: 0, cached: true, savedMicroUsd: 100 },
      { cachedInputTokens: 400, reasoningTokens: 20 },
    ]),
  );
  const told = { calls: 3, failedCalls: 1, unpricedCalls: 0, uncertainCalls: 1, uncertainCost: 0.00007, cacheHits: 1, saved: 0.0001, inputTokens: 1000 };
  expect(report).toMatchObject({ totalCost: 0.0001, ...told, cachedInputTokens: 400, reasoningTokens: 20 });
  expect(report.byTask).toMatchObject({ 'films/write': { cost: 0.0001, share: 1, ...told } });
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
      { path: 'again', cost: 11_000, request: 'same' },
      { run: 'run_b', path: 'again', cost: 11_000, request: 'same' },
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

test('suggests a model that has met the schema of the same task, with the figures that prove it', async () => {
  const answer = (cost: number, model: string, more: Call = {}): Call => ({ cost, model, schema: 's', ...more });
  const proof = (calls: number): Call[] => [
    answer(11_000, 'lab/dear'),
    answer(11_000, 'lab/dear'),
    ...Array.from({ length: calls }, () => answer(20, 'lab/cheap')),
  ];
  const suggested = async (calls: Call[]): Promise<string[]> => (await costReport(storeOf(calls), {}, CATALOG)).suggestions.map(({ text }) => text);
  const proven =
    'lab/cheap met the schema of `write` of films in 5 of 5 answers; it would have taken the calls of lab/dear there for $0.00004 instead of $0.022';
  expect(await suggested(proof(5))).toEqual([proven]);
  const unproven = 'lab/cheap would have taken the 2 calls of lab/dear for $0.00004 instead of $0.022';
  expect(await suggested(proof(4))).toEqual([unproven]);
  expect(await suggested([...proof(5), answer(20, 'lab/cheap', { unmet: true })])).toEqual([unproven]);
  expect(await suggested([...proof(5), answer(20, 'lab/cheap', { path: 'other' })])).toEqual([proven]);
});

test('suggests to let the service keep what every prompt of a task begins with', async () => {
  const rules = 'the same rules '.repeat(600);
  const kept = openModels(
    {
      providers: { lab: { type: 'openai-compatible', base_url: 'http://127.0.0.1:1/v1' } },
      catalog: [{ id: 'lab/dear', cost: { input_per_million: 10, output_per_million: 10, cached_input_per_million: 1 } }],
    },
    { env: {}, folder: '/', resolve: text => text },
  );
  const asked = (prompt: (n: number) => string): Call[] => [1, 2, 3, 4].map(n => ({ cost: 30_000, inputTokens: 3000, prompt: prompt(n) }));
  const texts = async (calls: Call[]): Promise<string[]> => (await costReport(storeOf(calls), {}, kept)).suggestions.map(({ text }) => text);
  const told = 'every prompt of `write` of films begins with the same 2,999 tokens: with prompt caching, 3 calls would have read them at the lower price';
  expect(await texts(asked(n => `${rules}${n}`))).toEqual([told]);
  expect(await texts(asked(n => `${n}${rules}`))).toEqual([told.replace('begins', 'ends').replace('with prompt', 'put first, and with prompt')]);
  expect(await texts(asked(n => `${n}${rules}${n}`))).toEqual([]);
});

test('what all prompts share is told of three or more', () => {
  expect(sharedPart(['abx', 'aby'])).toBeUndefined();
  expect(sharedPart(['abx', 'aby', 'abz'])).toEqual({ part: 2 / 3, isFirst: true });
  expect(sharedPart(['xab', 'yab', 'zab'])).toEqual({ part: 2 / 3, isFirst: false });
  expect(sharedPart(['aa', 'aa', 'aa'])).toEqual({ part: 1, isFirst: true });
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
