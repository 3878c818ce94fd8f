import { expect, test } from 'vitest';
import type { Failure } from '../errors.ts';
import { setup } from './fixture.ts';
import { dueAt, restore, snapshot, stateHash, takeBack, type Refusal } from './index.ts';

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
  run.send({ type: 'budget', microUsd: 100, by: 'test' });
  expect([reserve('1.1', 60), reserve('1.2', 41), reserve('1.3', 40)]).toEqual([['budget.reserved'], ['budget.refused'], ['budget.reserved']]);
  run.send(called(30));
  expect(run.send({ type: 'release', slot: 0, key: '1.1' })).toHaveLength(1);
  expect(run.send({ type: 'release', slot: 0, key: '1.1' })).toEqual([]);
  expect(reserve('1.35', 0)).toEqual(['budget.reserved']);
  expect([reserve('1.4', 31), reserve('1.5', 30)]).toEqual([['budget.refused'], ['budget.reserved']]);
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

test('S12 a call whose reply was lost is counted apart, with the most that it can be billed; one that cost nothing leaves no trace at its task', () => {
  const run = setup(TWO, SCRIPT);
  const input = called(null);
  run.send({ ...input, call: { ...input.call, costMicroUsd: 0, failed: 'ORC-404' } });
  run.send({ ...input, call: { ...input.call, failed: 'ORC-404', uncertain: true } });
  expect(run.document.warnings).toEqual(['the reply of one model call was lost: it is not in the cost, and may be billed']);
  run.send({ ...input, call: { ...input.call, failed: 'ORC-404', uncertain: true, worstMicroUsd: 30 } });
  expect(run.document).toMatchObject({
    costUsd: 0,
    warnings: ['the replies of 2 model calls were lost: they are not in the cost, and may be billed, up to $0.00003'],
    tasks: { a: { model: null } },
  });
});

test('what the response cache spared stands at its task', () => {
  const run = setup(TWO, SCRIPT);
  const input = called(0);
  run.send({ ...input, call: { ...input.call, cached: true, savedMicroUsd: 7 } });
  run.send({ ...input, call: { ...input.call, cached: true } });
  expect(run.document).toMatchObject({ costUsd: 0, tasks: { a: { kept: { calls: 2, savedUsd: 0.000007 } } } });
});

test('how a model was chosen, and who was tried before it, stands at its task', () => {
  const run = setup(TWO, SCRIPT);
  const route = { strategy: 'cheapest', score: 1, relaxed: [], rejected: [{ id: 'x', reason: 'it is excluded' }] };
  const tried = [{ id: 'y', code: 'ORC-404', message: 'down' }];
  const input = called(1);
  run.send({ ...input, call: { ...input.call, route, tried } });
  expect(run.document.tasks['a']).toMatchObject({ route, tried });
});

const HELD = { type: 'settled', slot: 0, attempt: 1, outcome: { ok: false, failure: FAILURE, held: true } } as const;
const TOMORROW = Date.UTC(2026, 10, 25);
const refused = (refusal: Partial<Refusal>, slot = 0) => ({
  type: 'refused' as const,
  slot,
  key: '1.0',
  refusal: { scope: 'day', microUsd: 5, capMicroUsd: 100, leftMicroUsd: 1, until: null, ...refusal },
});

test('C24 one call, and all calls of one task, have caps of their own; what is doubted counts, what is released does not', () => {
  const run = setup(TWO, SCRIPT);
  const reserve = (key: string, microUsd: number, slot = 0) =>
    run
      .send({ type: 'reserve', slot, key, microUsd, limits: { callMicroUsd: 50, taskMicroUsd: 80 } })
      .map(event => ('refusal' in event ? event.refusal : event.type));
  expect(reserve('1.0', 51)).toEqual([{ scope: 'call', microUsd: 51, capMicroUsd: 50, leftMicroUsd: 50, until: null }]);
  expect(reserve('1.1', 50)).toEqual(['budget.reserved']);
  expect(reserve('1.2', 31)).toEqual([{ scope: 'task', microUsd: 31, capMicroUsd: 80, leftMicroUsd: 30, until: null }]);
  expect(reserve('1.3', 31, 1)).toEqual(['budget.reserved']);
  expect(run.send({ type: 'doubt', key: '1.1' })).toMatchObject([{ type: 'budget.doubted', keys: ['1.1'] }]);
  expect(run.send({ type: 'doubt', key: '1.1' })).toEqual([]);
  expect(reserve('1.4', 31)).toMatchObject([{ scope: 'task' }]);
  run.send({ type: 'release', slot: 0, key: '1.1' });
  run.send(called(49));
  expect([reserve('1.5', 32), reserve('1.6', 20), reserve('1.7', 11)]).toMatchObject([
    [{ scope: 'task', leftMicroUsd: 31 }],
    ['budget.reserved'],
    ['budget.reserved'],
  ]);
  run.send({ type: 'release', slot: 0, key: '1.6' });
  expect(run.state.reservedBy).toEqual({ 0: 11, 1: 31 });
  expect(stateHash(run.fold())).toBe(stateHash(run.state));
});

test('S7 a reservation that the store refused leaves no trace but the refusal', () => {
  const run = setup(TWO, SCRIPT);
  const before = stateHash(run.state);
  const at = run.state.at;
  const [event] = run.send({ type: 'reserve', slot: 0, key: '1.0', microUsd: 5, spans: [{ scope: 'day', day: '2026-11-24', capMicroUsd: 100 }] });
  expect(event).toMatchObject({ type: 'budget.reserved', spans: [{ scope: 'day' }] });
  if (event?.type === 'budget.reserved') takeBack(run.state, event);
  run.state.at = at;
  expect(stateHash(run.state)).toBe(before);
});

test('C24 a run on the cap of a day says until when, and goes on when the next day begins, also after a crash', () => {
  const run = setup(TWO, SCRIPT);
  run.send(refused({ until: TOMORROW }));
  expect(run.send(HELD).at(-1)).toMatchObject({ type: 'run.paused', reason: 'budget', until: TOMORROW });
  expect(dueAt(run.state)).toBe(TOMORROW);
  expect(run.document).toMatchObject({
    status: 'paused',
    pausedUntil: '2026-11-25T00:00:00.000Z',
    warnings: [
      'the budget of today has no room for the next call',
      'it can go on at 2026-11-25T00:00:00.000Z, when the budget begins anew, or once it is raised',
    ],
    next: ['orchestrator budget raise day 0.0002', 'orchestrator resume run_1'],
  });
  run.crash();
  run.wait(TOMORROW - run.now - 1);
  expect(run.send({ type: 'due', slot: -1 })).toEqual([]);
  run.crash();
  run.wait(1);
  expect(run.events.at(-1)).toMatchObject({ type: 'attempt.started', at: TOMORROW });
  expect(run.document).toMatchObject({ status: 'running', warnings: [] });
  expect(run.send({ type: 'due', slot: -1 })).toEqual([]);
  expect(stateHash(run.fold())).toBe(stateHash(run.state));
});

test.for([
  ['call', ['a call could cost more than one call may: per_call_usd under budget: in the configuration'], ['orchestrator resume run_1']],
  ['run', [], ['orchestrator resume run_1 --budget 0.002']],
  [
    "pipeline:a b'c",
    ["the budget of pipeline a b'c today has no room for the next call"],
    ["orchestrator budget raise 'pipeline:a b'\\''c' 0.0002", 'orchestrator resume run_1'],
  ],
  ['user:', ['the budget of runs for nobody today has no room for the next call'], ['orchestrator budget raise user: 0.0002', 'orchestrator resume run_1']],
] as const)('C24 the cap of %s in words, and what lets the run go on', ([scope, warnings, next]) => {
  const run = setup(TWO, SCRIPT);
  run.send({ type: 'budget', microUsd: 1000, by: 'test' });
  run.send(refused({ scope }));
  run.send(HELD);
  expect(run.document).toMatchObject({ status: 'paused', warnings, next });
});

test('S12 a part of a cap that is spent is told once, in the journal and in the log of the task; a larger cap begins anew', () => {
  const run = setup(TWO, SCRIPT);
  const types = (cost: number) => run.send(called(cost)).map(({ type }) => type);
  run.send({ type: 'budget', microUsd: 100, by: 'test' });
  expect([types(80), types(1), types(14), types(5)]).toEqual([
    ['model.called', 'budget.warned', 'task.logged'],
    ['model.called'],
    ['model.called', 'budget.warned', 'task.logged'],
    ['model.called'],
  ]);
  run.send({ type: 'budget', microUsd: 125, by: 'test' });
  expect(run.send({ ...called(1), key: '1.0' })).toMatchObject([
    { type: 'model.called', key: '1.0' },
    { type: 'budget.warned', slot: 0, scope: 'run', percent: 80, settledMicroUsd: 101, capMicroUsd: 125 },
    { type: 'task.logged', level: 'warn', text: 'over 80 % of the budget is spent: $0.000101 of $0.000125' },
  ]);
  run.send({ type: 'warned', slot: 0, scope: 'day', percent: 95, settledMicroUsd: 95, capMicroUsd: 100 });
  expect(run.document.warnings[1]).toBe('over 95 % of the budget of today is spent: $0.000095 of $0.0001');
});

test('S12 what a call cost counts also where its reply comes when the run has ended', () => {
  const run = setup('- { id: a, action: work }', { acts: { a: 'hangs' } });
  run.send({ type: 'budget', microUsd: 100, by: 'test' });
  run.send({ type: 'reserve', slot: 0, key: '1.0', microUsd: 60 });
  run.settle('a', { fails: {} });
  expect(run.document.status).toBe('failed');
  expect([...run.send(called(7)), ...run.send({ type: 'release', slot: 0, key: '1.0' })].map(({ type }) => type)).toEqual(['model.called', 'budget.released']);
  expect(run.document).toMatchObject({ status: 'failed', costUsd: 0.000007, budget: { reservedUsd: 0 } });
});

test('S12 the calls of a process that died may be billed: what was reserved for them stays so, and is named', () => {
  const run = setup(TWO, SCRIPT);
  run.send({ type: 'budget', microUsd: 100, by: 'test' });
  run.send({ type: 'reserve', slot: 0, key: '1.0', microUsd: 60 });
  run.crash();
  run.crash();
  expect([run.state.doubted, run.state.reservedMicroUsd]).toEqual([['1.0'], 60]);
});
