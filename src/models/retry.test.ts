import { expect, test } from 'vitest';
import { OrchestratorError } from '../errors.ts';
import { ErrorHandler, RetryStrategy, type RetryStrategyOptions } from './retry.ts';

function setup(options: RetryStrategyOptions = {}) {
  const waits: number[] = [];
  const handler = new ErrorHandler({
    retryStrategy: new RetryStrategy({ maxAttempts: 5, backoffFactor: 2, maxBackoff: 60, ...options }),
    sleep: async ms => void waits.push(ms),
    random: () => 0.5,
    clock: { now: () => 1_000_000, monotonic: () => 0 },
  });
  let calls = 0;
  const failing = (error: unknown, times: number) => async (): Promise<string> => {
    if (++calls <= times) throw error;
    return 'done';
  };
  return { waits, handler, failing, calls: () => calls };
}

const limited = (more: object = {}): OrchestratorError => new OrchestratorError('ORC-601', 'slow down', { class: 'rate_limit', retryable: true, ...more });

test('backs off by the factor, spread by jitter, and never beyond the most', async () => {
  const { handler, waits, failing } = setup({ maxBackoff: 5, initialBackoff: 1, jitter: 0.2 });
  expect(await handler.retryOnRateLimit(failing(limited(), 4))()).toBe('done');
  expect(waits).toEqual([1100, 2200, 4400, 5000]);
});

test('Retry-After is honoured where it is longer than the plan', async () => {
  const { handler, waits, failing } = setup({ jitter: false });
  await handler.retryOnRateLimit(failing(limited({ retryAfterMs: 7000 }), 1))();
  expect(waits).toEqual([7000]);
});

test("a 429 of somebody else's client counts too, with its headers", async () => {
  const { handler, waits, failing } = setup({ jitter: false });
  await handler.retryOnRateLimit(failing(Object.assign(new Error('429'), { status: 429, headers: { 'retry-after': '3' } }), 1))();
  await handler.retryOnRateLimit(failing(Object.assign(new Error('429'), { statusCode: 429, headers: new Headers({ 'retry-after-ms': '1500' }) }), 3))();
  expect(waits).toEqual([3000, 1500]);
});

test('gives up after so many attempts, with the last error', async () => {
  const { handler, waits, failing, calls } = setup({ maxAttempts: 3 });
  await expect(handler.retryOnRateLimit(failing(limited(), 9))()).rejects.toMatchObject({ code: 'ORC-601' });
  expect([waits.length, calls()]).toEqual([2, 3]);
});

test.each([
  ['another failure', new OrchestratorError('ORC-404', 'gone', { class: 'network', retryable: true })],
  ['a spent quota', new OrchestratorError('ORC-601', 'pay', { class: 'rate_limit', retryable: false })],
  ['a TypeError', new TypeError('x is not a function')],
])('%s is not tried again for a rate limit', async (_case, error) => {
  const { handler, failing, calls } = setup();
  await expect(handler.retryOnRateLimit(failing(error, 1))()).rejects.toBe(error);
  expect(calls()).toBe(1);
});

test('execute tries again what is retryable, and nothing else', async () => {
  const { handler, failing, calls } = setup();
  expect(await handler.execute(failing(new OrchestratorError('ORC-404', 'gone', { retryable: true }), 2))).toBe('done');
  await expect(setup().handler.execute(() => Promise.reject(new OrchestratorError('ORC-403', 'no', {})))).rejects.toMatchObject({ code: 'ORC-403' });
  expect(calls()).toBe(3);
});

test('wraps a function as a decorator does: arguments, this and result pass through', async () => {
  const { handler } = setup();
  const client = {
    name: 'small',
    ask: handler.retryOnRateLimit(async function (this: { name: string }, prompt: string) {
      return `${this.name}: ${prompt}`;
    }),
  };
  expect(await client.ask('hi')).toBe('small: hi');
});

test.each([{ maxAttempts: 0 }, { backoffFactor: 0.5 }, { maxBackoff: 'soon' }])('refuses %j', options => {
  expect(() => new RetryStrategy(options)).toThrow(TypeError);
});
