import { expect, test } from 'vitest';
import { call } from '../store/batches.ts';
import { profiles } from './profiles.ts';

test('models are told by the calls that asked them, lost replies as failures, caches and cassettes not at all', () => {
  const rows = [
    ...Array.from({ length: 24 }, (_, i) => call('run_a', i, { latencyMs: 10 * (i + 1), firstTokenMs: 5, outputTokens: 30 })),
    call('run_a', 30, { latencyMs: 0, costMicroUsd: null, failed: 'ORC-404', uncertain: true }),
    call('run_a', 31, { latencyMs: 0, cached: true, costMicroUsd: 0 }),
    call('run_a', 32, { latencyMs: 0, replayed: true, costMicroUsd: 0 }),
    call('run_a', 33, { model: 'lab/refuses', latencyMs: 7, failed: 'ORC-406', costMicroUsd: 9 }),
  ];
  expect(profiles(rows)).toEqual([
    {
      model: 'lab/small',
      calls: 25,
      p50Ms: 120,
      p95Ms: 230,
      p99Ms: 240,
      firstTokenMs: 5,
      tokensPerSecond: 240,
      errorRate: 0.04,
      cost: 0.000072,
      recentMs: Array.from({ length: 20 }, (_, i) => 50 + 10 * i),
      answerTokens: 30,
    },
    expect.objectContaining({ model: 'lab/refuses', errorRate: 1, cost: 0.000009, recentMs: [], answerTokens: null }),
  ]);
});
