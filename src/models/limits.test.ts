import { expect, test } from 'vitest';
import { admitAt, Limiter, memoryLimits, promiseAt, settleAt, waitOf, type Limit, type LimitState, type LimitStore, type Wait } from './limits.ts';
import { readRateWindows, readRetryAfter } from './rates.ts';

const signal = new AbortController().signal;

/** Calls that come one after another as soon as they may, in simulated time; tells when each went. */
function run(limit: Limit, calls: number, tokens = 1): number[] {
  let state: LimitState | undefined;
  let nowMs = 0;
  const went: number[] = [];
  while (went.length < calls) {
    const { states, wait } = admitAt([limit], [state], { lease: `l${went.length}`, tokens, nowMs, leaseMs: 1000 });
    state = states[0]!;
    if (wait === undefined) went.push(nowMs);
    else nowMs = wait.untilMs;
  }
  return went;
}

function mostInAnyMinute(times: number[]): number {
  return Math.max(...times.map(start => times.filter(time => time >= start && time < start + 60_000).length));
}

test.each([1, 2, 5, 60, 600])('never more than %i requests within any minute, and nearly as many over time', perMinute => {
  const times = run({ key: 'm', requestsPerMinute: perMinute }, perMinute * 4);
  expect(mostInAnyMinute(times)).toBeLessThanOrEqual(perMinute);
  expect(times.at(-1)! / 60_000).toBeLessThanOrEqual(4 / 0.89);
});

test('tokens are counted, and one call that is larger than the bucket goes when it is full, and is owed', () => {
  const times = run({ key: 'm', tokensPerMinute: 1000 }, 3, 500);
  expect(times[0]).toBe(0);
  expect(times[1]).toBeGreaterThan(30_000);
  expect(times[2]! - times[1]!).toBeGreaterThan(30_000);
});

test('all limits of a call let it go together, or none is used; who holds longest is told', () => {
  const limits: Limit[] = [
    { key: 'lab', requestsPerMinute: 60 },
    { key: 'lab/small', requestsPerMinute: 1 },
  ];
  const first = admitAt(limits, [undefined, undefined], { lease: 'a', tokens: 1, nowMs: 0, leaseMs: 1000 });
  const second = admitAt(limits, first.states, { lease: 'b', tokens: 1, nowMs: 0, leaseMs: 1000 });
  expect(second.wait).toEqual({ who: 'lab/small', why: 'requests', untilMs: 60_000 });
  expect(second.states[0]!.requests).toBe(first.states[0]!.requests);
});

test('a place is free again when its call ends, or is lost', () => {
  const limit: Limit = { key: 'm', concurrency: 1 };
  const ask = (state: LimitState | undefined, lease: string, nowMs: number) => admitAt([limit], [state], { lease, tokens: 0, nowMs, leaseMs: 1000 });
  const first = ask(undefined, 'a', 0);
  expect(ask(first.states[0], 'b', 10).wait).toMatchObject({ why: 'concurrency' });
  expect(ask(settleAt(limit, first.states[0], { lease: 'a', nowMs: 20 }), 'b', 20).wait).toBeUndefined();
  expect(ask(first.states[0], 'b', 1001).wait).toBeUndefined();
});

test('what was thought and what was used are settled', () => {
  const limit: Limit = { key: 'm', tokensPerMinute: 6000 };
  const { states } = admitAt([limit], [undefined], { lease: 'a', tokens: 500, nowMs: 0, leaseMs: 1000 });
  expect(states[0]!.tokens).toBe(100);
  expect(settleAt(limit, states[0], { lease: 'a', nowMs: 0, moreTokens: -400 }).tokens).toBe(500);
});

test('Retry-After and a spent window hold everybody back, also where no limit is set', () => {
  const limit: Limit = { key: 'm' };
  const asked = settleAt(limit, undefined, { lease: 'a', nowMs: 1000, retryAfterMs: 5000 });
  expect(admitAt([limit], [asked], { lease: 'b', tokens: 1, nowMs: 2000, leaseMs: 1 }).wait).toEqual({ who: 'm', why: 'asked_to_wait', untilMs: 6000 });
  const rates = readRateWindows({ 'x-ratelimit-limit-requests': '60', 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '1m30s' }, 1000);
  const spent = settleAt(limit, undefined, { lease: 'a', nowMs: 1000, rates });
  expect(admitAt([limit], [spent], { lease: 'b', tokens: 1, nowMs: 2000, leaseMs: 1 }).wait).toMatchObject({ untilMs: 91_000 });
});

test('what the service says is left is believed where it is less', () => {
  const limit: Limit = { key: 'm', requestsPerMinute: 600 };
  const state = settleAt(limit, undefined, { lease: 'a', nowMs: 0, rates: [{ of: 'requests', limit: 600, remaining: 2, resetAtMs: 9 }] });
  expect(state.requests).toBe(2);
  expect(settleAt(limit, state, { lease: 'a', nowMs: 0, rates: [{ of: 'requests', limit: 600, remaining: 500, resetAtMs: 9 }] }).requests).toBe(2);
});

test('a clock that is set back gives nothing away', () => {
  const limit: Limit = { key: 'm', requestsPerMinute: 1 };
  const first = admitAt([limit], [undefined], { lease: 'a', tokens: 0, nowMs: 100_000, leaseMs: 1 });
  expect(admitAt([limit], first.states, { lease: 'b', tokens: 0, nowMs: 0, leaseMs: 1 }).wait).toBeDefined();
});

test.each<[Record<string, string>, object[]]>([
  [
    { 'x-ratelimit-limit-tokens': '40000', 'x-ratelimit-remaining-tokens': '39000', 'x-ratelimit-reset-tokens': '7.66s' },
    [{ of: 'tokens', limit: 40_000, remaining: 39_000, resetAtMs: 8660 }],
  ],
  [
    {
      'anthropic-ratelimit-requests-limit': '50',
      'anthropic-ratelimit-requests-remaining': '49',
      'anthropic-ratelimit-requests-reset': '1970-01-01T00:01:00Z',
    },
    [{ of: 'requests', limit: 50, remaining: 49, resetAtMs: 60_000 }],
  ],
  [{ 'anthropic-ratelimit-input-tokens-remaining': '0' }, [{ of: 'tokens', limit: undefined, remaining: 0, resetAtMs: undefined }]],
  [{ 'x-ratelimit-remaining-requests': 'many' }, []],
  [{}, []],
])('reads %j', (headers, windows) => {
  expect(readRateWindows(headers, 1000)).toEqual(windows);
});

test.each([
  [{ 'retry-after': '3' }, 3000],
  [{ 'retry-after': 'Thu, 01 Jan 1970 00:00:05 GMT' }, 4000],
  [{ 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' }, 0],
  [{ 'retry-after': 'soon' }, undefined],
  [{ 'retry-after': '-1' }, undefined],
])('reads a time to wait out of %j', (headers, ms) => {
  expect(readRetryAfter(headers as unknown as Record<string, string>, 1000)).toBe(ms);
});

function setup(limit: Partial<Limit>, store = memoryLimits()) {
  let leases = 0;
  const limiter = new Limiter({ store, newLease: () => `l${leases++}` });
  const limits: Limit[] = [{ key: 'lab' }, { key: 'lab/small', ...limit }];
  const enter = (more: object = {}) => limiter.enter(limits, { tokens: 1, leaseMs: 60_000, signal, ...more });
  return { limiter, limits, enter, store };
}

test('calls beyond the concurrency wait for their turn, first come, first served, and say so', async () => {
  const { limiter, enter } = setup({ concurrency: 2 });
  const order: number[] = [];
  const waits: Wait[] = [];
  const startedAt = performance.now();
  let most = 0;
  let under = 0;
  await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const entry = await enter({ onWait: (wait: Wait) => waits.push(wait) });
      order.push(index);
      most = Math.max(most, ++under);
      await new Promise(resolve => setImmediate(resolve));
      under--;
      await limiter.leave(entry, {});
    }),
  );
  expect(most).toBe(2);
  expect(order).toEqual(Array.from({ length: 50 }, (_, index) => index));
  expect(waits[0]).toMatchObject({ who: 'lab/small', why: 'concurrency' });
  // Who waits is woken by the one that leaves: looking again every 250 ms would take six seconds.
  expect(performance.now() - startedAt).toBeLessThan(3000);
});

test('what a service says of a limit holds its model back, and no other model of the provider', async () => {
  const { limiter, limits, enter } = setup({});
  await limiter.leave(await enter(), { retryAfterMs: 60_000 });
  expect(await limiter.tryEnter(limits, { tokens: 1, leaseMs: 1000 })).toMatchObject({ who: 'lab/small', why: 'asked_to_wait' });
  expect(await limiter.tryEnter([{ key: 'lab' }, { key: 'lab/large' }], { tokens: 1, leaseMs: 1000 })).toHaveProperty('lease');
});

test('two limiters over one store share its places', async () => {
  const { enter, limiter, store } = setup({ concurrency: 1 });
  const other = setup({ concurrency: 1 }, store);
  const entry = await enter();
  expect(await other.limiter.tryEnter(other.limits, { tokens: 1, leaseMs: 1000 })).toMatchObject({ why: 'concurrency' });
  await limiter.leave(entry, {});
  expect(await other.limiter.tryEnter(other.limits, { tokens: 1, leaseMs: 1000 })).toMatchObject({ lease: 'l1' });
});

test('who gives up while waiting goes at once, and those behind it keep their order', async () => {
  const { enter, limiter } = setup({ concurrency: 1 });
  const first = await enter();
  const abort = new AbortController();
  const second = enter({ signal: abort.signal }).catch((error: { code: string }) => error.code);
  const third = enter();
  abort.abort();
  expect(await second).toBe('ORC-231');
  await limiter.leave(first, {});
  expect((await third).lease).toBeDefined();
});

test('who goes away is told a time behind those before, at the pace of the limit, and within a minute', () => {
  const limit: Limit = { key: 'm', requestsPerMinute: 60 };
  const wait: Wait = { who: 'm', why: 'requests', untilMs: 1000 };
  let state: LimitState | undefined;
  const told = Array.from({ length: 80 }, () => {
    const { states, untilMs } = promiseAt([limit], [state], wait, { tokens: 1, nowMs: 0 }, 0.5);
    state = states[0]!;
    return untilMs;
  });
  expect(told[0]).toBe(1091);
  expect(told[1]! - told[0]!).toBe(1091);
  expect(new Set(told.slice(0, 50)).size).toBe(50);
  expect(Math.max(...told)).toBeLessThanOrEqual(61_000);
  expect(told.at(-1)).toBe(46_000);
  const slow: Limit = { key: 'm', requestsPerMinute: 0.5 };
  expect(promiseAt([slow], [undefined], wait, { tokens: 1, nowMs: 0 }, 0).untilMs).toBe(120_000);
});

test('those whom a service asked to wait come back one after the other, or spread where there is no pace', () => {
  const wait: Wait = { who: 'm', why: 'asked_to_wait', untilMs: 100_000 };
  const ask = { tokens: 100, nowMs: 0 };
  const paced: Limit = { key: 'm', tokensPerMinute: 6000 };
  const first = promiseAt([paced], [undefined], wait, ask, 0);
  expect(first.untilMs).toBe(100_000);
  expect(promiseAt([paced], first.states, wait, ask, 0).untilMs).toBeGreaterThan(101_000);
  expect([0, 0.5, 0.99].map(chance => promiseAt([{ key: 'm' }], [undefined], wait, ask, chance).untilMs)).toEqual([100_000, 105_000, 109_900]);
});

function limiterAt(store?: LimitStore): { limiter: Limiter; clock: { at: number } } {
  const clock = { at: 1000, now: () => clock.at, monotonic: () => clock.at };
  let leases = 0;
  return { limiter: new Limiter({ clock, newLease: () => `l${leases++}`, ...(store === undefined ? {} : { store }) }), clock };
}

test('patience ends at once where the wait is known to be long, and in the queue too', async () => {
  const { limiter } = limiterAt();
  const limits: Limit[] = [{ key: 'lab' }, { key: 'm', requestsPerMinute: 1 }];
  const enter = (patienceMs?: number) => limiter.enter(limits, { tokens: 1, leaseMs: 1000, signal, patienceMs });
  await enter(0);
  const away = await Promise.allSettled([enter(5), enter(5), enter(59_000)]);
  const waits = away.map(result => waitOf((result as PromiseRejectedResult).reason as never));
  expect(waits.map(wait => [wait?.who, wait?.why])).toEqual(Array.from({ length: 3 }, () => ['m', 'requests']));
  expect(waits.map(wait => wait!.untilMs)).toEqual([61_000, 121_000, expect.any(Number)]);
  expect((away[0] as PromiseRejectedResult).reason).toMatchObject({ code: 'ORC-601', retryable: true, retryAfterMs: 60_000 });
});

test('who waits behind another for longer than its patience is sent away, and takes no turn from those who stay', async () => {
  const { limiter, clock } = limiterAt();
  const limits: Limit[] = [{ key: 'm', requestsPerMinute: 1 }];
  const enter = (patienceMs?: number) => limiter.enter(limits, { tokens: 1, leaseMs: 1000, signal: stop.signal, patienceMs });
  const stop = new AbortController();
  await enter();
  const staying = enter();
  await expect(enter(1)).rejects.toMatchObject({ code: 'ORC-601' });
  clock.at += 60_000;
  await limiter.leave({ lease: 'x', limits, tokens: 0 }, {});
  expect((await staying).lease).toBeDefined();
  const aborted = enter(50_000);
  const behind = enter(50_000);
  stop.abort(new Error('enough'));
  await expect(aborted).rejects.toThrow();
  await expect(behind).rejects.toThrow();
});

test('for a place that another holds one waits in its turn, however long', async () => {
  const { limiter } = limiterAt();
  const limits: Limit[] = [{ key: 'm', concurrency: 1 }];
  const enter = () => limiter.enter(limits, { tokens: 1, leaseMs: 1e6, signal, patienceMs: 1 });
  let entry = await enter();
  const waiting = [enter(), enter(), enter()];
  await new Promise(resolve => setTimeout(resolve, 20));
  for (const one of waiting) {
    await limiter.leave(entry, {});
    entry = await one;
  }
});

test('the places of the dead are looked for where all are taken, a few times a second at most', async () => {
  const sweeps: string[][] = [];
  const store: LimitStore = {
    ...memoryLimits(),
    owner: 'own_1',
    sweep: async keys => {
      sweeps.push(keys);
      await store.change(keys, states => ({ states: states.map(state => ({ ...state!, leases: {} })), result: undefined }));
      return true;
    },
  };
  const { limiter, clock } = limiterAt(store);
  const ask = () => limiter.tryEnter([{ key: 'm', concurrency: 1 }], { tokens: 0, leaseMs: 1e6 });
  expect(await ask()).toMatchObject({ lease: 'own_1/l0' });
  expect(await ask()).toMatchObject({ lease: 'own_1/l1' });
  expect(await ask()).toMatchObject({ why: 'concurrency' });
  clock.at += 250;
  expect(await ask()).toMatchObject({ lease: 'own_1/l3' });
  expect(sweeps).toEqual([['m'], ['m']]);
});

test('a limit at which nothing is counted stays as it is', () => {
  const limit: Limit = { key: 'm' };
  const first = admitAt([limit], [undefined], { lease: 'a', tokens: 1, nowMs: 5, leaseMs: 1 }).states[0]!;
  expect(admitAt([limit], [first], { lease: 'b', tokens: 1, nowMs: 9, leaseMs: 1 }).states[0]).toEqual(first);
  expect(settleAt(limit, first, { lease: 'b', nowMs: 12 })).toEqual(first);
});
