import { ModelProfiler, type ModelProfile } from '../models/index.ts';
import type { LedgerRow } from '../store/index.ts';

/** How a model did in the calls of a ledger. */
export interface LedgerProfile extends ModelProfile {
  /** Latencies of its newest calls that succeeded, the oldest of them first. */
  recentMs: number[];
  /** Tokens of an average answer; null where there was none. */
  answerTokens: number | null;
}

/** Calls that are shown as recent. */
const RECENT = 20;

/** Tells a profiler of the calls of a ledger in which a model was really asked: what came out of a cache or a cassette says nothing about it. */
export function recordCalls(profiler: ModelProfiler, rows: readonly LedgerRow[]): LedgerRow[] {
  const asked = rows.filter(({ cached, replayed }) => cached !== true && replayed !== true);
  for (const { model, failed, latencyMs, firstTokenMs, outputTokens, costMicroUsd } of asked)
    profiler.record({ model, ok: failed === undefined, latencyMs, firstTokenMs, outputTokens, costMicroUsd: costMicroUsd ?? undefined });
  return asked;
}

/** A line for each model that was asked, the one that took most time first. A reply that was lost is a failure. */
export function profiles(rows: readonly LedgerRow[]): LedgerProfile[] {
  const profiler = new ModelProfiler();
  const asked = recordCalls(profiler, rows);
  const answers = Map.groupBy(
    asked.filter(({ failed }) => failed === undefined),
    ({ model }) => model,
  );
  return profiler.report().map(profile => {
    const own = answers.get(profile.model) ?? [];
    const tokens = own.reduce((sum, { outputTokens }) => sum + outputTokens, 0);
    return {
      ...profile,
      recentMs: own.slice(-RECENT).map(({ latencyMs }) => latencyMs),
      answerTokens: own.length === 0 ? null : Math.round(tokens / own.length),
    };
  });
}
