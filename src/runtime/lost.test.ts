import { expect, test } from 'vitest';
import { initial, type Event, type Input } from '../engine/index.ts';
import type { Plan } from '../plan/index.ts';
import { newLiveRun } from './live.ts';
import { enterLostCalls } from './lost.ts';

const ASKS = { model: 'lab/m', purpose: 'auto', worstMicroUsd: 30 };
const CALL = { purpose: 'auto', model: 'lab/m', inputTokens: 1, outputTokens: 1, costMicroUsd: 2, latencyMs: 3 };

/** What is entered for a run in which these calls were announced and not released, and these events are in the journal. */
async function entered(reserved: string[], events: Event[], doubted: string[] = []): Promise<{ keys: (string | undefined)[]; rows: object[]; reads: number }> {
  const state = initial();
  for (const key of reserved) state.reserved[key] = 30;
  state.doubted.push(...doubted);
  const run = newLiveRun('run_a', {} as Plan, state, 2, { status: 'running', reason: null, dueAt: null, tasksDone: 0, writtenAt: 0 });
  run.nextCall.set('', 4);
  const sent: Input[] = [];
  let reads = 0;
  const read = (): { seq: number; event: Event }[] => {
    reads++;
    return events.map((event, i) => ({ seq: i + 1, event }));
  };
  await enterLostCalls({ read } as never, { send: (_run: unknown, input: Input) => void sent.push(input), now: () => 99 } as never, run);
  return { keys: sent.map(input => (input.type === 'called' ? input.key : input.type)), rows: run.ledger, reads };
}

function announced(key: string, worstMicroUsd: number | null = 30): Event {
  return { type: 'budget.reserved', at: 7, slot: -1, key, microUsd: worstMicroUsd ?? 0, asks: { ...ASKS, worstMicroUsd } };
}

test('S12 an announcement without a call is a reply that was lost; one whose call is there was not', async () => {
  const called: Event = { type: 'model.called', at: 8, slot: -1, call: CALL, prompt: { v: '' }, reply: { v: '' }, key: '1.0' };
  const { keys, rows } = await entered(['1.0', '1.1', '1.2'], [announced('1.0'), called, announced('1.1'), announced('1.2', null), announced('0.9')]);
  expect(keys).toEqual(['1.1', '1.2']);
  const row = { run: 'run_a', path: '', attempt: 0, at: 7, purpose: 'auto', model: 'lab/m', costMicroUsd: null, failed: 'ORC-229', uncertain: true };
  expect(rows).toMatchObject([
    { ...row, call: 4, worstMicroUsd: 30 },
    { ...row, call: 5 },
  ]);
  expect(rows[1]).not.toHaveProperty('worstMicroUsd');
});

test('what is doubted already is not looked for again, and a reservation that names no call is left alone', async () => {
  expect(await entered(['1.0'], [announced('1.0')], ['1.0'])).toEqual({ keys: [], rows: [], reads: 0 });
  const { asks: _, ...bare } = announced('1.0') as Extract<Event, { type: 'budget.reserved' }>;
  expect(await entered(['1.0'], [bare])).toEqual({ keys: [], rows: [], reads: 1 });
});
