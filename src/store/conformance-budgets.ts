import { describe, expect, it } from 'vitest';
import type { Span } from '../engine/event.ts';
import { addition, call, creation } from './batches.ts';
import type { Spending, Store } from './port.ts';

const DAY = '2026-11-24';
const NOON = Date.UTC(2026, 10, 24, 12);
const TOMORROW = Date.UTC(2026, 10, 25);

function spending(part: Partial<Spending>): Spending {
  return { reservations: [], settlements: [], released: [], doubted: [], refused: [], warned: [], ...part };
}

const span = (capMicroUsd: number, scope = 'day'): Span => ({ scope, day: DAY, capMicroUsd });
const reservation = (key: string, microUsd: number, ...spans: Span[]): Spending['reservations'][number] => ({ key, microUsd, spans, at: NOON });

/** A run in a store, and how its next commits spend. */
async function spender(store: Store, run: string, more: Parameters<typeof creation>[1] = {}) {
  expect(await store.commit([creation(run, more)])).toEqual(['ok']);
  let seq = 1;
  return async (part: Partial<Spending>, events = 1): Promise<Spending & { verdict: string | undefined }> => {
    const asked = spending(part);
    const [verdict] = await store.commit([addition(run, seq, events, { spending: asked })]);
    if (verdict === 'ok') seq += events;
    return { ...asked, verdict };
  };
}

/** Caps over several runs, as every adapter must keep them. */
export function budgetCases(two: () => Promise<[Store, Store]>): void {
  describe('caps over several runs', () => {
    it('S12 settled and reserved never exceed a cap, whoever reserves; a batch without room writes nothing', async () => {
      const [store, other] = await two();
      const a = await spender(store, 'run_a');
      const b = await spender(other, 'run_b');
      expect(await a({ reservations: [reservation('1.0', 60, span(100))] })).toMatchObject({ verdict: 'ok', refused: [] });
      const refused = await b({ reservations: [reservation('1.0', 40, span(100)), reservation('1.1', 1, span(100)), reservation('1.2', 0, span(100))] });
      const refusal = { scope: 'day', microUsd: 1, capMicroUsd: 100, leftMicroUsd: 0, until: TOMORROW };
      expect(refused).toMatchObject({ verdict: 'over_budget', refused: [{ key: '1.1', refusal }] });
      expect((await other.run('run_b'))!.seq).toBe(1);
      expect(await store.budgets(DAY)).toMatchObject([{ scope: 'day', reservedMicroUsd: 60 }]);
      expect(await b({ reservations: [reservation('1.0', 40, span(100))] })).toMatchObject({ verdict: 'ok' });
      await a({ settlements: [{ key: '1.0', microUsd: 25 }], released: ['1.0'] });
      expect(await store.budgets(DAY)).toMatchObject([{ settledMicroUsd: 25, reservedMicroUsd: 40, doubtedMicroUsd: 0, capMicroUsd: 100, raises: [] }]);
      expect(await store.reservations(DAY)).toEqual([{ run: 'run_b', key: '1.0', day: DAY, scopes: ['day'], microUsd: 40, at: NOON, doubted: false }]);
      expect(await store.budgets('2026-11-25')).toEqual([]);
      expect(await store.reservations('2026-11-25')).toEqual([]);
    });

    it('S12 a reservation needs room under each of its caps', async () => {
      const [store] = await two();
      const a = await spender(store, 'run_a');
      const spans = [span(100), span(50, 'pipeline:demo'), span(70, 'user:ann')];
      expect(await a({ reservations: [reservation('1.0', 51, ...spans)] })).toMatchObject({
        refused: [{ refusal: { scope: 'pipeline:demo', leftMicroUsd: 50 } }],
      });
      expect(await a({ reservations: [reservation('1.0', 50, ...spans)] })).toMatchObject({ verdict: 'ok' });
      expect((await store.budgets(DAY)).map(({ scope, reservedMicroUsd }) => [scope, reservedMicroUsd])).toEqual([
        ['day', 50],
        ['pipeline:demo', 50],
        ['user:ann', 50],
      ]);
    });

    it('S12 what a commit releases is room for what it reserves; what it settles is none', async () => {
      const [store] = await two();
      const a = await spender(store, 'run_a');
      await a({ reservations: [reservation('1.0', 90, span(100))] });
      const next = reservation('1.1', 60, span(100));
      const settled = { settlements: [{ key: '1.0', microUsd: 41 }], released: ['1.0'] };
      expect(await a({ reservations: [next], ...settled })).toMatchObject({ verdict: 'over_budget', refused: [{ refusal: { leftMicroUsd: 59 } }] });
      expect(await a({ reservations: [{ ...next, microUsd: 59 }], ...settled })).toMatchObject({ verdict: 'ok' });
      expect(await store.budgets(DAY)).toMatchObject([{ settledMicroUsd: 41, reservedMicroUsd: 59 }]);
    });

    it('S12 a lost reply stays set aside and is named; a bill above its reservation is recorded and stops the next call', async () => {
      const [store] = await two();
      const a = await spender(store, 'run_a');
      await a({ reservations: [reservation('1.0', 10, span(100)), reservation('1.1', 20, span(100))] });
      await a({ doubted: ['1.1', '9.9'], settlements: [{ key: '1.0', microUsd: 85 }], released: ['1.0', '9.9'] });
      expect(await store.budgets(DAY)).toMatchObject([{ settledMicroUsd: 85, reservedMicroUsd: 20, doubtedMicroUsd: 20 }]);
      expect(await a({ reservations: [reservation('1.2', 1, span(100))] })).toMatchObject({ refused: [{ refusal: { leftMicroUsd: 0 } }] });
      expect(await a({ reservations: [reservation('1.2', 0, span(100))] })).toMatchObject({ verdict: 'ok' });
    });

    it('80 and 95 percent of a cap are told once a day, over all processes', async () => {
      const [store, other] = await two();
      const a = await spender(store, 'run_a');
      const b = await spender(other, 'run_b');
      await a({ reservations: [reservation('1.0', 50, span(100)), reservation('1.1', 0, span(100))] });
      await b({ reservations: [reservation('1.0', 50, span(100))] });
      const settle = (microUsd: number): Partial<Spending> => ({ settlements: [{ key: '1.0', microUsd }] });
      expect((await a(settle(79))).warned).toEqual([]);
      expect((await b(settle(1))).warned).toEqual([{ key: '1.0', scope: 'day', percent: 80, settledMicroUsd: 80, capMicroUsd: 100 }]);
      expect((await a(settle(10))).warned).toEqual([]);
      expect((await a(settle(5))).warned).toMatchObject([{ percent: 95 }]);
      expect((await a(settle(0))).warned).toEqual([]);
    });

    it('a cap is raised for a day, by whom is kept, and a smaller cap of the configuration does not undo it', async () => {
      const [store, other] = await two();
      const a = await spender(store, 'run_a');
      const by = { scope: 'day', day: DAY, at: NOON, by: 'ann' };
      await a({ reservations: [reservation('1.0', 100, span(100))] });
      await a({ settlements: [{ key: '1.0', microUsd: 96 }], released: ['1.0'] });
      await other.raiseBudget({ ...by, microUsd: 110 }, 100);
      expect(await store.budgets(DAY)).toMatchObject([{ capMicroUsd: 100, raisedMicroUsd: 110, warned: 80, raises: [{ ...by, microUsd: 110 }] }]);
      expect(await a({ reservations: [reservation('1.1', 14, span(50))] })).toMatchObject({ verdict: 'ok' });
      expect(await a({ reservations: [reservation('1.2', 1, span(50))] })).toMatchObject({ refused: [{ refusal: { capMicroUsd: 110 } }] });
      await other.raiseBudget({ ...by, scope: 'user:ann', microUsd: 5 }, 1);
      expect((await store.budgets(DAY))[1]).toMatchObject({ scope: 'user:ann', settledMicroUsd: 0, warned: 0, raisedMicroUsd: 5 });
    });

    it('the first reservation of a day counts what its calls have cost already', async () => {
      const [store] = await two();
      await store.commit([creation('run_a', { user: 'ann' }), creation('run_b', { pipeline: 'other' })]);
      const ledger = (run: string, at: number, costMicroUsd: number | null): { ledger: ReturnType<typeof call>[] } => ({
        ledger: [call(run, at, { costMicroUsd, call: at })],
      });
      await store.commit([addition('run_a', 1, 1, ledger('run_a', NOON, 3)), addition('run_b', 1, 1, ledger('run_b', TOMORROW - 1, 4))]);
      await store.commit([addition('run_a', 2, 1, ledger('run_a', TOMORROW, 50)), addition('run_b', 2, 1, ledger('run_b', NOON - 1, null))]);
      const reserve = spending({ reservations: [reservation('1.0', 1, ...['day', 'pipeline:demo', 'user:ann', 'user:'].map(scope => span(100, scope)))] });
      await store.commit([addition('run_a', 3, 1, { spending: reserve })]);
      expect((await store.budgets(DAY)).map(({ scope, settledMicroUsd }) => [scope, settledMicroUsd])).toEqual([
        ['day', 7],
        ['pipeline:demo', 3],
        ['user:', 4],
        ['user:ann', 3],
      ]);
    });

    it('caps of days before those that are kept go with their runs', async () => {
      const [store] = await two();
      const a = await spender(store, 'run_a');
      await a({ reservations: [reservation('1.0', 1, span(100))] });
      await store.raiseBudget({ scope: 'day', day: DAY, at: NOON, by: 'ann', microUsd: 200 }, 100);
      await store.prune({ endedBefore: TOMORROW - 1 });
      expect(await store.budgets(DAY)).toHaveLength(1);
      await store.prune({ endedBefore: TOMORROW });
      expect([await store.budgets(DAY), await store.reservations(DAY)]).toEqual([[], []]);
      expect(await store.verify()).toEqual([]);
    });
  });
}
