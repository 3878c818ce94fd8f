import { expect, test } from 'vitest';
import type { Failure } from '../errors.ts';
import { setup } from './fixture.ts';
import { restore, snapshot, stateHash } from './index.ts';

const FAILURE = { code: 'ORC-602', class: 'budget', message: 'no', retryable: false, help: [] } satisfies Failure;
const TWO = '- { id: a, action: work }\n- { id: b, action: work, dependencies: [a] }';
const SCRIPT = { acts: { a: 'hangs', b: 'hangs' } } as const;

const called = (costMicroUsd: number | null) => ({
  type: 'called' as const,
  slot: 0,
  prompt: { v: '' },
  reply: { v: '' },
  call: { purpose: 'text', model: 'm', inputTokens: 1, outputTokens: 1, costMicroUsd, latencyMs: 1 },
});

test('S12 settled and reserved together stay within the cap; what is released is free again, once', () => {
  const run = setup(TWO, SCRIPT);
  const reserve = (key: string, microUsd: number) => run.send({ type: 'reserve', slot: 0, key, microUsd }).map(({ type }) => type);
  expect(reserve('1.0', 1)).toEqual([]);
  run.send({ type: 'budget', microUsd: 100, by: 'test' });
  expect([reserve('1.1', 60), reserve('1.2', 41), reserve('1.3', 40)]).toEqual([['budget.reserved'], [], ['budget.reserved']]);
  run.send(called(30));
  expect(run.send({ type: 'release', slot: 0, key: '1.1' })).toHaveLength(1);
  expect(run.send({ type: 'release', slot: 0, key: '1.1' })).toEqual([]);
  expect([reserve('1.4', 31), reserve('1.5', 30)]).toEqual([[], ['budget.reserved']]);
  expect(run.document.budget).toEqual({ usd: 0.0001, onExceed: 'pause', reservedUsd: 0.00007 });
  expect(stateHash(restore(snapshot(run.state)))).toBe(stateHash(run.fold()));
});

test('C24 an attempt that is held is taken back, and counts only once the cap is raised', () => {
  const run = setup(TWO, SCRIPT);
  run.send({ type: 'budget', microUsd: 100, by: 'test' });
  run.send({ type: 'settled', slot: 0, attempt: 1, outcome: { ok: false, failure: FAILURE, held: true } });
  expect(run.document).toMatchObject({
    status: 'paused',
    reason: 'budget',
    next: ['orchestrator resume run_1 --budget 0.0002'],
    tasks: { a: { status: 'scheduled', attempts: 0 } },
  });
  run.order({ type: 'budget', microUsd: 500, by: 'ann' });
  run.send({ type: 'resume', until: null });
  expect(run.document).toMatchObject({ status: 'running', tasks: { a: { status: 'running', attempts: 1 } }, budget: { usd: 0.0005 } });
});

test('where nothing goes on around it, a task on the cap fails like any other', () => {
  const run = setup('- { id: a, action: work }\n- { id: b, action: work }', SCRIPT);
  run.settle('b', { fails: {} });
  run.send({ type: 'settled', slot: 0, attempt: 1, outcome: { ok: false, failure: FAILURE, held: true } });
  expect(run.document).toMatchObject({ status: 'failed', tasks: { a: { status: 'failed', error: { code: 'ORC-602' } } } });
});

test('a question on the cap is asked again, of a task, of a condition and of an input', () => {
  for (const tasks of [
    '- { id: a, action: work, parameters: { x: "<AUTO>how many</AUTO>" } }',
    '- { id: a, action: work, condition: "<AUTO>whether</AUTO>" }',
  ]) {
    const run = setup(tasks);
    run.send({ type: 'answered', slot: 0, index: 0, answer: { ok: false, failure: FAILURE, held: true } });
    expect([run.document.status, run.document.reason]).toEqual(['paused', 'budget']);
    run.send({ type: 'resume', until: null });
    run.send({ type: 'answered', slot: 0, index: 0, answer: { ok: true, value: { v: true }, source: 'model', model: 'm', reason: null } });
    expect(run.document.status).toBe('completed');
  }
});

test('a cap may be set when the run has ended, for those who try it again', () => {
  const run = setup('- { id: a, action: work }', { acts: { a: { fails: {} } } });
  expect(run.send({ type: 'budget', microUsd: 7, by: 'resume' })).toMatchObject([{ type: 'budget.set', microUsd: 7, by: 'resume' }]);
  expect(run.document.status).toBe('failed');
});

test.for([
  [79, []],
  [80, ['over 80 % of the budget is spent: $0.00008 of $0.0001']],
  [95, ['over 95 % of the budget is spent: $0.000095 of $0.0001']],
] as const)('%d %% of the budget', ([cost, warnings]) => {
  const run = setup(TWO, SCRIPT);
  run.send({ type: 'budget', microUsd: 100, by: 'test' });
  run.send(called(cost));
  expect(run.document.warnings).toEqual(warnings);
});

test('S12 calls whose price is not known are told, and no cap at all is no part of nothing', () => {
  const run = setup(TWO, SCRIPT);
  run.send(called(null));
  run.send(called(null));
  expect(run.document.warnings).toEqual(['the prices of 2 model calls are not known, so the run cost more than is shown']);
  run.send({ type: 'budget', microUsd: 0, by: 'test' });
  expect(run.document.warnings).toHaveLength(1);
});

test('how a model was chosen, and who was tried before it, stands at its task', () => {
  const run = setup(TWO, SCRIPT);
  const route = { strategy: 'cheapest', score: 1, relaxed: [], rejected: [{ id: 'x', reason: 'it is excluded' }] };
  const tried = [{ id: 'y', code: 'ORC-404', message: 'down' }];
  const input = called(1);
  run.send({ ...input, call: { ...input.call, route, tried } });
  expect(run.document.tasks['a']).toMatchObject({ route, tried });
});
