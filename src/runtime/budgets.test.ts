import { expect, test } from 'vitest';
import { initial, apply, type Event, type Refusal } from '../engine/index.ts';
import type { Plan } from '../plan/index.ts';
import type { Batch, Spending } from '../store/port.ts';
import { Caps, putBack, spendingOf, tellSpent } from './budgets.ts';
import { newLiveRun, type LiveRun } from './live.ts';

const PLAN = {} as Plan;
const SPANS = [{ scope: 'day', day: '2026-11-24', capMicroUsd: 100 }];
const REFUSAL: Refusal = { scope: 'day', microUsd: 7, capMicroUsd: 100, leftMicroUsd: 3, until: 9 };

const reserved = (slot: number, key: string): Event => ({ type: 'budget.reserved', at: 5, slot, key, microUsd: 7, spans: SPANS });
const logged: Event = { type: 'task.logged', at: 5, slot: 0, level: 'info', text: 'hi' };
const ledger = (call: number): NonNullable<Batch['ledger']>[number] => ({
  run: 'run_1',
  path: 'a',
  attempt: 1,
  call,
  at: 5,
  purpose: 'prompt',
  model: 'm',
  inputTokens: 1,
  outputTokens: 1,
  costMicroUsd: 1,
  latencyMs: 1,
});

/** A run with events that were decided and are in a batch. */
function setup(events: Event[]): { run: LiveRun; batch: Batch & { spending: Spending } } {
  const run = newLiveRun('run_1', PLAN, initial(), 1, { status: 'running', reason: null, dueAt: null, tasksDone: 0, writtenAt: 4 });
  for (const event of events) apply(PLAN, run.state, event);
  run.events = events;
  return { run, batch: { run: 'run_1', expectedSeq: 0, epoch: 1, events, spending: spendingOf(events)! } };
}

test('S12 what a refused batch held is held for the next, before what came in meanwhile', () => {
  const { run, batch } = setup([reserved(0, '1.0'), logged, reserved(1, '1.1')]);
  Object.assign(batch, { blobs: [{ hash: 'h1', content: '1' }], ledger: [ledger(1)], consumed: ['c1'], change: { tasksDone: 1 } });
  run.blobs = [{ hash: 'h2', content: '2' }];
  run.ledger = [ledger(2)];
  run.consumed = ['c2'];
  batch.spending.refused = [{ key: '1.1', refusal: REFUSAL }];
  expect(putBack(run, batch, 6)).toBe(true);
  expect(run.events).toEqual([reserved(0, '1.0'), logged]);
  expect(run.state).toMatchObject({ seq: 2, reserved: { '1.0': 7 }, reservedMicroUsd: 7, reservedBy: { 0: 7 } });
  expect(run.inputs).toEqual([{ type: 'refused', slot: 1, key: '1.1', refusal: REFUSAL, now: 6 }]);
  expect([run.blobs.map(({ hash }) => hash), run.ledger.map(({ call }) => call), run.consumed, run.row.writtenAt]).toEqual([
    ['h1', 'h2'],
    [1, 2],
    ['c1', 'c2'],
    0,
  ]);
});

test('a batch that is refused without a reason is not tried for ever', () => {
  const { run, batch } = setup([logged, reserved(0, '1.0')]);
  expect(putBack(run, batch, 6)).toBe(false);
});

test('S12 what events do to the caps over several runs, and nothing where they do nothing', () => {
  expect(spendingOf([logged, { type: 'budget.set', at: 1, microUsd: 1, onExceed: 'pause', by: 'x' }])).toBeUndefined();
  const call = { purpose: 'text', model: 'm', inputTokens: 1, outputTokens: 1, costMicroUsd: null, latencyMs: 1 };
  const called: Event = { type: 'model.called', at: 5, slot: 3, call, prompt: { v: '' }, reply: { v: '' }, key: '1.0' };
  const events: Event[] = [called, { type: 'budget.released', at: 5, slot: 3, key: '1.0' }, { type: 'budget.doubted', at: 5, keys: ['0.1', '0.2'] }];
  expect(spendingOf(events)).toEqual({
    reservations: [],
    settlements: [{ key: '1.0', microUsd: 0 }],
    released: ['1.0'],
    doubted: ['0.1', '0.2'],
    refused: [],
    warned: [],
  });
  const run = newLiveRun('run_1', PLAN, initial(), 1, { status: 'running', reason: null, dueAt: null, tasksDone: 0, writtenAt: 4 });
  const warned = { key: '1.0', scope: 'day', percent: 80, settledMicroUsd: 80, capMicroUsd: 100 };
  tellSpent(run, { run: 'run_1', expectedSeq: 0, epoch: 1, events, spending: { ...spendingOf(events)!, warned: [warned] } }, 6);
  expect(run.inputs).toEqual([{ type: 'warned', slot: 3, scope: 'day', percent: 80, settledMicroUsd: 80, capMicroUsd: 100, now: 6 }]);
});

test('the caps of a configuration, by scope; a name that every object knows is no name', () => {
  const caps = new Caps({ per_day_usd: 1, per_user_usd: 2, users: { ann: 3 }, pipelines: { big: 4 }, per_task_usd: 5 });
  expect(['day', 'user:ann', 'user:constructor', 'user:', 'pipeline:big', 'pipeline:constructor', 'odd'].map(scope => caps.capOf(scope))).toEqual([
    1_000_000,
    3_000_000,
    2_000_000,
    2_000_000,
    4_000_000,
    undefined,
    undefined,
  ]);
  expect([caps.scopes, caps.limits, caps.onExceed]).toEqual([['day', 'pipeline:big', 'user:ann'], { taskMicroUsd: 5_000_000 }, 'pause']);
  expect([new Caps().limits, new Caps({ on_exceed: 'fail' }).onExceed]).toEqual([undefined, 'fail']);
});
