import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, onTestFinished, test } from 'vitest';
import { addition, creation } from './batches.ts';
import { openStore, type Spending, type Store } from './index.ts';

const DAY = '2026-11-24';
const NOON = Date.UTC(2026, 10, 24, 12);

function reserving(key: string): Spending {
  const spans = [{ scope: 'day', day: DAY, capMicroUsd: 100 }];
  return { reservations: [{ key, microUsd: 10, spans, at: NOON }], settlements: [], released: [], doubted: [], refused: [], warned: [] };
}

/** A store with a cap that is used and raised, and something that is reserved under it. */
async function setup(): Promise<{ store: Store; damage(sql: string): void }> {
  const folder = mkdtempSync(join(tmpdir(), 'budgets-'));
  const store = await openStore('sqlite:state.db', { base: folder });
  onTestFinished(async () => {
    await store.close();
    rmSync(folder, { recursive: true });
  });
  await store.commit([creation('run_a'), creation('run_b')]);
  await store.commit([addition('run_a', 1, 1, { spending: reserving('1.0') })]);
  await store.raiseBudget({ scope: 'day', day: DAY, at: NOON, by: 'ann', microUsd: 200 }, 100);
  return {
    store,
    damage(sql) {
      const db = new DatabaseSync(join(folder, 'state.db'));
      db.exec(sql);
      db.close();
    },
  };
}

test.each([
  ['a cap', 'UPDATE budgets SET settled = 7', 'a budget'],
  ['what is reserved', 'UPDATE reservations SET micro_usd = 1', 'what is reserved of run_a'],
  ['who raised it', `UPDATE raises SET by = 'eve'`, 'a raise of a budget'],
])('S5 %s that is not as it was written is named, and not served', async (_, sql, what) => {
  const { store, damage } = await setup();
  expect(await store.verify()).toEqual([]);
  damage(sql);
  expect((await store.verify()).map(found => found.what)).toEqual([`${what} does not hold what was written to it`]);
  await expect(store.budgets(DAY)).rejects.toMatchObject({ code: 'ORC-504' });
});

test('S12 under a cap that cannot be trusted nothing is spent; what needs none goes on', async () => {
  const { store, damage } = await setup();
  damage('UPDATE budgets SET reserved = 0');
  expect(() => store.commit([addition('run_b', 1, 1, { spending: reserving('1.0') })])).toThrow(expect.objectContaining({ code: 'ORC-504' }));
  expect(await store.commit([addition('run_b', 1)])).toEqual(['ok']);
  expect(await store.reservations(DAY)).toHaveLength(1);
});
