import { expect, test } from 'vitest';
import type { Clock } from '../clock.ts';
import { OrchestratorError } from '../errors.ts';
import { CircuitBreaker } from './breaker.ts';

function setup() {
  const clock: Clock & { at: number } = { at: 1000, now: () => clock.at, monotonic: () => clock.at };
  const breaker = new CircuitBreaker({ failureThreshold: 3, resetAfter: 10, name: 'lab/small', clock });
  const fail = (error: Error = new Error('no')): Promise<unknown> => breaker.execute(() => Promise.reject(error)).catch((thrown: unknown) => thrown);
  return { clock, breaker, fail };
}

test('opens after so many failures in a row, tries again after its time, and closes when that is well', async () => {
  const { clock, breaker, fail } = setup();
  for (let i = 0; i < 3; i++) await fail();
  expect(breaker.state).toBe('open');
  expect(await fail()).toMatchObject({ code: 'ORC-404', retryable: true, retryAfterMs: 10_000 });
  clock.at += 10_000;
  expect(await breaker.execute(() => 'well')).toBe('well');
  expect(breaker.state).toBe('closed');
});

test('a success between failures starts the count anew', async () => {
  const { breaker, fail } = setup();
  await fail();
  await fail();
  await breaker.execute(() => 1);
  await fail();
  await fail();
  expect(breaker.state).toBe('closed');
});

test('while one is on trial no other goes, and a failed trial opens it for another while', async () => {
  const { clock, breaker, fail } = setup();
  for (let i = 0; i < 3; i++) await fail();
  clock.at += 10_000;
  const trial = Promise.withResolvers<string>();
  const first = breaker.execute(() => trial.promise).catch((error: Error) => error.message);
  expect(breaker.state).toBe('half-open');
  expect(await fail()).toMatchObject({ code: 'ORC-404' });
  trial.reject(new Error('still no'));
  expect(await first).toBe('still no');
  expect(breaker.state).toBe('open');
  expect(await fail()).toMatchObject({ retryAfterMs: 10_000 });
});

test.each(['invalid_input', 'policy', 'cancelled', 'rate_limit'] as const)('a failure of class %s says nothing of the service', async kind => {
  const { breaker, fail, clock } = setup();
  for (let i = 0; i < 9; i++) await fail(new OrchestratorError('ORC-406', 'no', { class: kind }));
  expect(breaker.state).toBe('closed');
  for (let i = 0; i < 3; i++) await fail();
  clock.at += 10_000;
  await fail(new OrchestratorError('ORC-406', 'no', { class: kind }));
  // The trial told nothing, so the next one is a trial too.
  expect(await breaker.execute(() => 'well')).toBe('well');
});

test('its state survives a restart, and a clock that was set back does not hold it open for longer', async () => {
  const { breaker, fail, clock } = setup();
  for (let i = 0; i < 3; i++) await fail();
  const kept = new CircuitBreaker({ failureThreshold: 3, resetAfter: '10s', state: JSON.parse(JSON.stringify(breaker)), clock });
  expect(kept.state).toBe('open');
  clock.at = 0;
  await expect(kept.execute(() => 1)).rejects.toMatchObject({ retryAfterMs: 10_000 });
});

test.each([{ failureThreshold: 0 }, { failureThreshold: 1.5 }, { resetAfter: 'soon' }])('refuses %j', options => {
  expect(() => new CircuitBreaker(options)).toThrow(TypeError);
});
