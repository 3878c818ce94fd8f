import { expect, test, vi } from 'vitest';
import { OrchestratorError } from '../errors.ts';
import { ModelState, type KeptModels, type StateKeeper } from './state.ts';

const DOWN = new OrchestratorError('ORC-404', 'it is down', { class: 'unavailable' });

/** Processes that keep what they learn in one place, at one time. */
function place() {
  const clock = { at: 1_000_000, now: () => clock.at, monotonic: () => clock.at };
  const kept: KeptModels = { models: {}, turns: {} };
  const keeper: StateKeeper = {
    load: () => structuredClone(kept),
    save({ models, turns }) {
      Object.assign(kept.models, structuredClone(models));
      Object.assign(kept.turns, turns);
    },
  };
  const open = (by = keeper) => new ModelState(clock, {}, by);
  const fail = (state: ModelState, times: number) => {
    for (let i = 0; i < times; i++) {
      state.enter('m');
      state.settle('m', 'badly');
      state.learn('m', { atMs: clock.at, latencyMs: 5, error: DOWN });
    }
  };
  return { clock, kept, keeper, open, fail };
}

test('that a circuit opened is kept at once, and others see it within a second', () => {
  const { clock, kept, open, fail } = place();
  const [a, b] = [open(), open()];
  expect(b.circuit('m')).toBe('closed');
  fail(a, 5);
  expect(kept.models['m']).toMatchObject({ breaker: { status: 'open' } });
  expect(b.circuit('m')).toBe('closed');
  clock.at += 1000;
  expect(b.circuit('m')).toBe('open');
  expect(() => b.enter('m')).toThrow('failed 5 times in a row');
  expect(open().circuit('m')).toBe('open');
});

test('one process tries an open circuit, the others wait for what comes of it', () => {
  const { clock, open, fail } = place();
  const [a, b] = [open(), open()];
  fail(a, 5);
  clock.at += 30_000;
  b.enter('m');
  clock.at += 1000;
  expect(() => a.enter('m')).toThrow();
  b.settle('m', 'well');
  clock.at += 1000;
  a.enter('m');
  expect(a.circuit('m')).toBe('closed');
});

test('a trial that says nothing leaves the next one its turn', () => {
  const { clock, open, fail } = place();
  const state = open();
  fail(state, 5);
  clock.at += 30_000;
  state.enter('m');
  state.settle('m', 'unsaid');
  expect(() => state.enter('m')).not.toThrow();
});

test('health and turns are kept after a moment, many changes at once, and at the end', () => {
  vi.useFakeTimers();
  const { clock, kept, keeper, open } = place();
  const save = vi.spyOn(keeper, 'save');
  const state = open();
  for (let i = 0; i < 10; i++) state.learn('m', { atMs: clock.at, latencyMs: 100 });
  state.endTurn('t');
  expect(save).not.toHaveBeenCalled();
  vi.advanceTimersByTime(500);
  expect(save).toHaveBeenCalledTimes(1);
  expect(kept).toMatchObject({ models: { m: { health: { calls: 10 } } }, turns: { t: 1 } });
  state.flush();
  expect(save).toHaveBeenCalledTimes(1);
  state.learn('n', { atMs: clock.at, latencyMs: 100 });
  state.flush();
  expect(kept.models['n']).toMatchObject({ health: { calls: 1 }, breaker: { status: 'closed' } });
  vi.useRealTimers();
});

test('what was learned here since is not overwritten by what is older', () => {
  const { clock, open } = place();
  const [a, b] = [open(), open()];
  a.learn('m', { atMs: clock.at, latencyMs: 100 });
  a.endTurn('t');
  a.flush();
  clock.at += 2000;
  for (let i = 0; i < 2; i++) b.learn('m', { atMs: clock.at, latencyMs: 100 });
  expect([b.health('m').calls, b.turn('t')]).toEqual([2, 1]);
  b.endTurn('t');
  expect(b.turn('t')).toBe(2);
  expect(b.toJSON()).toMatchObject({ health: { m: { calls: 2 } }, turns: { t: 2 } });
});

test('a keeper may take its time', async () => {
  const { keeper, open, fail } = place();
  fail(open(), 5);
  const late = open({ ...keeper, load: async () => keeper.load() });
  expect(late.circuit('m')).toBe('closed');
  await Promise.resolve();
  expect(late.circuit('m')).toBe('open');
});

test('without a keeper a process learns for itself', () => {
  const clock = { now: () => 5, monotonic: () => 5 };
  const state = new ModelState(clock, { turns: { t: 3 }, breakers: { m: { status: 'open', failures: 5, sinceMs: 5 } } });
  expect([state.turn('t'), state.circuit('m'), state.circuit('n')]).toEqual([3, 'open', 'closed']);
  state.learn('m', { atMs: 5, latencyMs: 1 });
  state.flush();
});
