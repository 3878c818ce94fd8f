import { OrchestratorError, toFailure, type Failure } from '../errors.ts';

/** What is wrong with a model: the key, the way to it, its quota, its absence, or its pace. */
export type HealthKind = 'auth' | 'network' | 'quota' | 'missing' | 'slow';

/** How a model is, as far as is known. */
export interface Health {
  healthy: boolean;
  latencyMs: number | null;
  /** ISO time; null where nothing was ever heard of it. */
  checkedAt: string | null;
  error: string | null;
  kind: HealthKind | null;
}

/** What is remembered of a model's calls and probes, as plain data. */
export interface HealthRecord {
  checkedAtMs: number;
  /** The last call or probe failed in this way; null: it was well. */
  failure: { kind: HealthKind; message: string } | null;
  /** Moving averages over about ten calls; null before the first. */
  latencyMs: number | null;
  firstTokenMs: number | null;
  tokensPerSecond: number | null;
  /** Part of the calls that fail, in [0, 1]. */
  errorRate: number;
  calls: number;
  /** Latencies of the last calls, for a sparkline. */
  recentMs: number[];
}

/** How a call or a probe went. */
export interface Outcome {
  atMs: number;
  latencyMs: number;
  firstTokenMs?: number | undefined;
  outputTokens?: number;
  error?: unknown;
  /** Not a call, only a question whether it is there: it says nothing of how fast it answers. */
  probe?: true;
}

const RECENT = 30;
/** Weight of the newest call in a moving average. */
const WEIGHT = 0.2;
/** Where the average call takes longer, a model is well, and slow. */
const SLOW_MS = 30_000;

export const NEVER_HEARD: HealthRecord = {
  checkedAtMs: 0,
  failure: null,
  latencyMs: null,
  firstTokenMs: null,
  tokensPerSecond: null,
  errorRate: 0,
  calls: 0,
  recentMs: [],
};

/** The record after one more outcome. What says nothing of the model (a refused prompt, a call that was given up) leaves it as it is. */
export function learn(record: HealthRecord, outcome: Outcome): HealthRecord {
  const kind = outcome.error === undefined ? undefined : kindOf(outcome.error);
  if (outcome.error !== undefined && kind === undefined) return record;
  const failure = kind === undefined ? null : { kind, message: toFailure(outcome.error).message };
  const seen = { ...record, checkedAtMs: outcome.atMs, failure };
  if (outcome.probe === true) return seen;
  const calls = record.calls + 1;
  const errorRate = average(record.calls === 0 ? null : record.errorRate, failure === null ? 0 : 1);
  if (failure !== null) return { ...seen, calls, errorRate };
  const { latencyMs, firstTokenMs, outputTokens = 0 } = outcome;
  return {
    ...seen,
    calls,
    errorRate,
    latencyMs: average(record.latencyMs, latencyMs),
    firstTokenMs: firstTokenMs === undefined ? record.firstTokenMs : average(record.firstTokenMs, firstTokenMs),
    tokensPerSecond: outputTokens === 0 || latencyMs <= 0 ? record.tokensPerSecond : average(record.tokensPerSecond, (outputTokens * 1000) / latencyMs),
    recentMs: [...record.recentMs, Math.round(latencyMs)].slice(-RECENT),
  };
}

function average(before: number | null, value: number): number {
  return before === null ? value : before + WEIGHT * (value - before);
}

/** What a failure says of the model; undefined where it says nothing. */
export function kindOf(error: unknown): HealthKind | undefined {
  const failure: Failure = toFailure(error);
  if (!(error instanceof OrchestratorError)) return 'network';
  if (failure.class === 'auth') return 'auth';
  if (failure.class === 'timeout') return 'slow';
  // A limit that passes makes nobody ill; the limiter waits it out.
  if (failure.class === 'rate_limit') return failure.retryable ? undefined : 'quota';
  if (failure.class === 'not_found' || failure.code === 'ORC-407' || failure.code === 'ORC-408') return 'missing';
  return failure.class === 'network' || failure.class === 'unavailable' || failure.class === 'invalid_output' ? 'network' : undefined;
}

/** The record for people and for routing. */
export function healthOf(record: HealthRecord): Health {
  const { failure, latencyMs, checkedAtMs } = record;
  const slow = failure === null && latencyMs !== null && latencyMs > SLOW_MS;
  return {
    healthy: failure === null,
    latencyMs: latencyMs === null ? null : Math.round(latencyMs),
    checkedAt: checkedAtMs === 0 ? null : new Date(checkedAtMs).toISOString(),
    error: failure?.message ?? null,
    kind: failure?.kind ?? (slow ? 'slow' : null),
  };
}

/** What is known of the health of all models; plain data on request, so that it can be kept. */
export class HealthBook {
  readonly #records: Map<string, HealthRecord>;

  constructor(records: { [id: string]: HealthRecord } = {}) {
    this.#records = new Map(Object.entries(records));
  }

  of(id: string): HealthRecord {
    return this.#records.get(id) ?? NEVER_HEARD;
  }

  set(id: string, record: HealthRecord): void {
    this.#records.set(id, record);
  }

  learn(id: string, outcome: Outcome): void {
    this.#records.set(id, learn(this.of(id), outcome));
  }

  toJSON(): { [id: string]: HealthRecord } {
    return Object.fromEntries(this.#records);
  }
}
