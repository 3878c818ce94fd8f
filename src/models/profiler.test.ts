import { expect, test } from 'vitest';
import { ModelProfiler, noteCall, percentile } from './profiler.ts';

test('measures every call that is made within a function, also in what it awaits', async () => {
  const profiler = new ModelProfiler();
  const work = profiler.profileModel(async (model: string) => {
    for (let ms = 1; ms <= 100; ms++) {
      await Promise.resolve();
      noteCall({ model, ok: ms % 10 !== 0, latencyMs: ms * 10, firstTokenMs: 5, outputTokens: ms, costMicroUsd: 1000 });
    }
    return 'done';
  });
  expect(await work('lab/small')).toBe('done');
  noteCall({ model: 'outside', ok: true, latencyMs: 1 });
  expect(profiler.report()).toEqual([
    { model: 'lab/small', calls: 100, p50Ms: 490, p95Ms: 950, p99Ms: 990, firstTokenMs: 5, tokensPerSecond: 100, errorRate: 0.1, cost: 0.1 },
  ]);
});

test('calls of two functions at once do not mix, and one inside the other counts for both', async () => {
  const [one, two] = [new ModelProfiler(), new ModelProfiler()];
  const call = (model: string) => async (): Promise<void> => {
    await new Promise(resolve => setImmediate(resolve));
    noteCall({ model, ok: true, latencyMs: 1 });
  };
  await Promise.all([one.profileModel(call('a'))(), two.profileModel(call('b'))()]);
  await one.profileModel(() => two.profileModel(call('c'))())();
  expect(one.report().map(({ model }) => model)).toEqual(['a', 'c']);
  expect(two.report().map(({ model }) => model)).toEqual(['b', 'c']);
});

test('a price that is unknown makes the cost unknown', () => {
  const profiler = new ModelProfiler();
  profiler.record({ model: 'a', ok: true, latencyMs: 1, costMicroUsd: 5 });
  profiler.record({ model: 'a', ok: true, latencyMs: 1, costMicroUsd: undefined });
  expect(profiler.report()[0]!.cost).toBeNull();
});

test('a function that asks no model is measured itself, and its error comes through', async () => {
  const profiler = new ModelProfiler();
  const failing = profiler.profileModel(async function named() {
    throw new TypeError('no');
  });
  await expect(failing()).rejects.toThrow(TypeError);
  expect(profiler.report()).toMatchObject([{ model: 'named', calls: 1, errorRate: 1 }]);
});

test.each([
  [[], 0.5, 0],
  [[7], 0.99, 7],
  [[1, 2, 3, 4], 0.5, 2],
  [[1, 2, 3, 4], 0.95, 4],
])('the percentile of %j at %d is %d', (sorted, part, value) => {
  expect(percentile(sorted, part)).toBe(value);
});
