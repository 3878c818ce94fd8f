import { expect, it } from 'vitest';
import { addition, call, creation } from './batches.ts';
import type { LedgerRow, TotalsKey, Store } from './port.ts';

const DAY_MS = 86_400_000;
const NOON = Date.parse('2026-01-31T12:00:00Z');

/** What every adapter must do with the ledger. */
export function ledgerCases(one: () => Promise<Store>): void {
  it('S12 enters a call once, in the commit of its result', async () => {
    const store = await one();
    await store.commit([creation('run_a'), creation('run_b')]);
    await store.commit([
      addition('run_a', 1, 1, { ledger: [call('run_a', 30), call('run_a', 20, { call: 2, costMicroUsd: null, latencyMs: 1.5 })] }),
      addition('run_b', 1, 1, { ledger: [call('run_b', 10)] }),
    ]);
    await store.commit([addition('run_a', 2, 1, { ledger: [call('run_a', 30, { outputTokens: 9 })] })]);
    expect(await store.ledger({})).toEqual([
      call('run_b', 10),
      call('run_a', 20, { call: 2, costMicroUsd: null, latencyMs: 1.5 }),
      call('run_a', 30, { outputTokens: 9 }),
    ]);
    expect((await store.ledger({ run: 'run_a' })).map(({ at }) => at)).toEqual([20, 30]);
    expect((await store.ledger({ since: 20 })).map(({ at }) => at)).toEqual([20, 30]);
    expect(await store.ledger({ run: 'run_b', since: 11 })).toEqual([]);
  });

  it('S12 keeps all that a call says of itself, and gives the newest where only so many are asked for', async () => {
    const store = await one();
    await store.commit([creation('run_a')]);
    const told: Partial<LedgerRow> = {
      asked: 'lab/dear',
      answered: 'small-1',
      cachedInputTokens: 2,
      reasoningTokens: 0,
      firstTokenMs: 1.5,
      finish: 'stop',
      request: 'r',
    };
    const lost: Partial<LedgerRow> = { call: 2, costMicroUsd: null, failed: 'ORC-404', uncertain: true, worstMicroUsd: 9, schema: 's' };
    const hit: Partial<LedgerRow> = { call: 3, costMicroUsd: 0, cached: true, savedMicroUsd: 4, schema: 's', unmet: true };
    const rows = [told, lost, hit].map((more, i) => call('run_a', i + 1, more));
    await store.commit([addition('run_a', 1, 1, { ledger: rows })]);
    expect(await store.ledger({})).toEqual(rows);
    expect(await store.ledger({ limit: 2 })).toEqual(rows.slice(1));
    expect(await store.verify()).toEqual([]);
  });

  it('S12 keeps a call that a cassette answered, and counts it in no sum', async () => {
    const store = await one();
    const replayed = call('run_a', NOON, { costMicroUsd: 0, replayed: true, schema: 's' });
    await store.commit([creation('run_a')]);
    await store.commit([addition('run_a', 1, 1, { ledger: [replayed] })]);
    expect(await store.ledger({})).toEqual([replayed]);
    expect(await sums(store, ['model'])).toEqual({});
    expect(await sums(store, ['model'], { since: NOON - 1, until: NOON + 1 })).toEqual({});
    expect(await store.verify()).toEqual([]);
  });

  totalsCases(one);
}

/** The sums that are not zero, by their keys. */
async function sums(
  store: Store,
  by: readonly TotalsKey[],
  filter: Parameters<Store['totals']>[1] = {},
): Promise<{ [keys: string]: { [count: string]: number } }> {
  const [rows] = await store.totals([by], filter);
  return Object.fromEntries(
    rows!.map(({ keys, ...totals }) => [keys.join(' '), Object.fromEntries(Object.entries(totals).filter(([, count]) => count !== 0))]),
  );
}

function totalsCases(one: () => Promise<Store>): void {
  const setup = async (): Promise<Store> => {
    const store = await one();
    await store.commit([
      creation('run_a', { pipeline: 'films', user: 'ada' }),
      creation('run_b', { pipeline: 'books' }),
      creation('run_c', { pipeline: 'books', user: 'bob' }),
    ]);
    const dear = { model: 'lab/dear', costMicroUsd: 100 };
    await store.commit([
      addition('run_a', 1, 1, {
        ledger: [call('run_a', NOON, { path: 'read[3]/fetch@2' }), call('run_a', NOON + DAY_MS, { ...dear, path: 'read[4]/fetch@1' })],
      }),
      addition('run_b', 1, 1, { ledger: [call('run_b', NOON, dear)] }),
      addition('run_c', 1, 1, { ledger: [call('run_c', NOON + 2 * DAY_MS, dear)] }),
    ]);
    return store;
  };

  it('S12 sums calls by model, pipeline, task, user and day, all of one moment', async () => {
    const store = await setup();
    const small = { calls: 1, costMicroUsd: 3, inputTokens: 5, outputTokens: 7 };
    const dear = (calls: number): object => ({ calls, costMicroUsd: 100 * calls, inputTokens: 5 * calls, outputTokens: 7 * calls });
    expect(await sums(store, [])).toEqual({ '': { calls: 4, costMicroUsd: 303, inputTokens: 20, outputTokens: 28 } });
    expect(await sums(store, ['model'])).toEqual({ 'lab/small': small, 'lab/dear': dear(3) });
    expect(await sums(store, ['pipeline', 'task', 'model'])).toEqual({
      'films read/fetch lab/small': small,
      'films read/fetch lab/dear': dear(1),
      'books search lab/dear': dear(2),
    });
    expect(Object.keys(await sums(store, ['user'])).sort()).toEqual(['', 'ada', 'bob']);
    expect(Object.keys(await sums(store, ['day'])).sort()).toEqual(['2026-01-31', '2026-02-01', '2026-02-02']);
    expect((await store.totals([['model'], ['day'], ['user']], {})).map(rows => rows.reduce((sum, row) => sum + row.costMicroUsd, 0))).toEqual([303, 303, 303]);
    expect(await store.verify()).toEqual([]);
  });

  it('sums only what is asked for: a time to the millisecond, a pipeline, a user', async () => {
    const store = await setup();
    const calls = async (filter: Parameters<Store['totals']>[1], by: TotalsKey = 'model'): Promise<number> =>
      Object.values(await sums(store, [by], filter)).reduce((sum, { calls: some = 0 }) => sum + some, 0);
    expect(await calls({ since: NOON })).toBe(4);
    expect(await calls({ since: NOON + 1 })).toBe(2);
    expect(await calls({ until: NOON })).toBe(0);
    expect(await calls({ until: NOON + 1 })).toBe(2);
    expect(await calls({ since: NOON + 1, until: NOON + 2 * DAY_MS })).toBe(1);
    expect(await calls({ since: NOON + 1, until: NOON + 2 })).toBe(0);
    expect(await calls({ since: NOON + 1, pipeline: 'books', user: 'bob' })).toBe(1);
    expect(await calls({ pipeline: 'books' })).toBe(2);
    expect(await calls({ pipeline: 'books' }, 'user')).toBe(2);
    expect(await calls({ user: 'ada' })).toBe(2);
    expect(await calls({ user: 'ada' }, 'user')).toBe(2);
    expect(await calls({ user: 'ada', pipeline: 'books' })).toBe(0);
  });

  it('S12 a row that is written over counts as it stands, an uncertain call and a hit of the cache apart', async () => {
    const store = await setup();
    await store.commit([
      addition('run_b', 2, 1, {
        ledger: [
          call('run_b', NOON, { costMicroUsd: null, cached: true, savedMicroUsd: 8 }),
          call('run_b', NOON, {
            call: 2,
            model: 'lab/dear',
            costMicroUsd: null,
            uncertain: true,
            worstMicroUsd: 70,
            failed: 'ORC-404',
            inputTokens: 0,
            outputTokens: 0,
          }),
          call('run_b', NOON, { call: 3, model: 'lab/dear', costMicroUsd: null, inputTokens: 0, outputTokens: 0 }),
        ],
      }),
    ]);
    expect(await sums(store, ['task', 'model'], { pipeline: 'books' })).toEqual({
      'search lab/small': { calls: 1, cacheHits: 1, unpricedCalls: 1, savedMicroUsd: 8 },
      'search lab/dear': {
        calls: 3,
        failedCalls: 1,
        uncertainCalls: 1,
        uncertainMicroUsd: 70,
        unpricedCalls: 1,
        costMicroUsd: 100,
        inputTokens: 5,
        outputTokens: 7,
      },
    });
  });

  it('knows what was asked before, what had to be done again, and what did not fit its schema', async () => {
    const store = await setup();
    const ledger = [
      call('run_a', NOON, { path: 'write', attempt: 0, request: 'q' }),
      call('run_a', NOON, { path: 'write', attempt: 1, request: 'r', schema: 's', unmet: true }),
      call('run_a', NOON, { path: 'write', attempt: 1, call: 2, schema: 's' }),
      call('run_a', NOON, { path: 'write', attempt: 3, request: 'r', schema: 's', failed: 'ORC-406' }),
    ];
    await store.commit([addition('run_a', 2, 1, { ledger })]);
    const expected = {
      calls: 4,
      failedCalls: 1,
      costMicroUsd: 12,
      inputTokens: 20,
      outputTokens: 28,
      repeatedCalls: 1,
      repeatedMicroUsd: 3,
      wastedCalls: 2,
      wastedMicroUsd: 6,
      schemaCalls: 2,
      unmetCalls: 1,
    };
    expect((await sums(store, ['task']))['write']).toEqual(expected);
    expect((await sums(store, ['task'], { since: NOON - 1 }))['write']).toEqual(expected);
    expect((await store.ledger({ run: 'run_a' })).filter(({ repeated }) => repeated).map(({ attempt }) => attempt)).toEqual([3]);
  });

  it('what was paid stays paid when its run is pruned', async () => {
    const store = await setup();
    await store.commit([addition('run_a', 2, 1, { change: { status: 'completed', endedAt: 9 } })]);
    await store.prune({ run: 'run_a' });
    expect(await store.ledger({ run: 'run_a' })).toEqual([]);
    expect(Object.keys(await sums(store, ['pipeline']))).toContain('films');
    expect(await store.verify()).toEqual([]);
  });
}
