import { expect, test } from 'vitest';
import { OrchestratorError, type ErrorClass } from '../errors.ts';
import { HealthBook, healthOf, kindOf, learn, NEVER_HEARD, type Outcome } from './health.ts';

const failure = (kind: ErrorClass, retryable = true): OrchestratorError => new OrchestratorError('ORC-404', 'no', { class: kind, retryable });
const after = (...outcomes: Partial<Outcome>[]) =>
  outcomes.reduce((record, outcome, index) => learn(record, { atMs: 1000 + index, latencyMs: 100, ...outcome }), NEVER_HEARD);

test.each<[ErrorClass, boolean, string | undefined]>([
  ['auth', false, 'auth'],
  ['network', true, 'network'],
  ['unavailable', true, 'network'],
  ['invalid_output', true, 'network'],
  ['timeout', true, 'slow'],
  ['not_found', false, 'missing'],
  ['rate_limit', false, 'quota'],
  ['rate_limit', true, undefined],
  ['invalid_input', false, undefined],
  ['policy', false, undefined],
  ['cancelled', false, undefined],
])('a failure of class %s (retryable: %s) is %s', (kind, retryable, expected) => {
  expect(kindOf(failure(kind, retryable))).toBe(expected);
  expect(healthOf(after({ error: failure(kind, retryable) }))).toMatchObject({ healthy: expected === undefined, kind: expected ?? null });
});

test('nothing is known of what was never heard of', () => {
  expect(healthOf(NEVER_HEARD)).toEqual({ healthy: true, latencyMs: null, checkedAt: null, error: null, kind: null });
});

test('latency, pace and errors are moving averages, and a call that succeeds makes well again', () => {
  const record = after({ latencyMs: 100, outputTokens: 10 }, { error: failure('network') }, { latencyMs: 200, outputTokens: 40, firstTokenMs: 20 });
  expect(record).toMatchObject({ latencyMs: 120, tokensPerSecond: 120, firstTokenMs: 20, calls: 3, failure: null, recentMs: [100, 200] });
  expect(record.errorRate).toBeCloseTo(0.16);
});

test('a probe says whether it is there, and nothing of its pace', () => {
  expect(after({ latencyMs: 100 }, { probe: true, latencyMs: 9 })).toMatchObject({ calls: 1, latencyMs: 100, checkedAtMs: 1001 });
  expect(after({ probe: true, error: failure('auth') })).toMatchObject({ calls: 0, errorRate: 0, failure: { kind: 'auth' } });
});

test('one that answers only after half a minute is well, and slow', () => {
  expect(healthOf(after({ latencyMs: 31_000 }))).toMatchObject({ healthy: true, kind: 'slow', latencyMs: 31_000 });
});

test('only the last latencies are kept, and all of it survives a restart', () => {
  const book = new HealthBook();
  for (let index = 0; index < 50; index++) book.learn('a', { atMs: index, latencyMs: index });
  const kept = new HealthBook(JSON.parse(JSON.stringify(book)));
  expect(kept.of('a')).toEqual(book.of('a'));
  expect(kept.of('a').recentMs).toHaveLength(30);
  expect(kept.of('b')).toBe(NEVER_HEARD);
});
