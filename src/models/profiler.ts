import { AsyncLocalStorage } from 'node:async_hooks';
import { systemClock, type Clock } from '../clock.ts';
import type { MicroUsd } from '../money.ts';

/** One call of a model, as a profiler sees it. */
export interface CallSample {
  model: string;
  ok: boolean;
  latencyMs: number;
  firstTokenMs?: number | undefined;
  outputTokens?: number;
  /** Undefined where the price is unknown. */
  costMicroUsd?: MicroUsd | undefined;
}

/** How one model did. Money is in dollars, and null where a price is unknown. */
export interface ModelProfile {
  model: string;
  calls: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  firstTokenMs: number | null;
  tokensPerSecond: number | null;
  errorRate: number;
  cost: number | null;
}

/** Who listens to the calls that are made within a function. */
const listeners = new AsyncLocalStorage<(sample: CallSample) => void>();

/** Tells the profilers around it, if any, of a call. */
export function noteCall(sample: CallSample): void {
  listeners.getStore()?.(sample);
}

/** Measures calls of models: those made within functions that it wraps, and those it is told of (from a ledger). */
export class ModelProfiler {
  readonly #samples = new Map<string, CallSample[]>();
  readonly #clock: Clock;

  constructor({ clock = systemClock }: { clock?: Clock } = {}) {
    this.#clock = clock;
  }

  /** The function, with every call of a model inside it measured. Where it makes none, it is measured itself, under its own name. A decorator too. */
  readonly profileModel = <This, Args extends unknown[], T>(
    fn: (this: This, ...args: Args) => T | Promise<T>,
    _context?: unknown,
  ): ((this: This, ...args: Args) => Promise<T>) => {
    const record = this.record.bind(this);
    const clock = this.#clock;
    return async function (this: This, ...args: Args) {
      const startedAt = clock.monotonic();
      const outer = listeners.getStore();
      let calls = 0;
      const note = (sample: CallSample): void => {
        calls++;
        record(sample);
        outer?.(sample);
      };
      const itself = (ok: boolean): void => {
        if (calls === 0) record({ model: fn.name === '' ? 'function' : fn.name, ok, latencyMs: clock.monotonic() - startedAt });
      };
      try {
        const value = await listeners.run(note, () => fn.apply(this, args));
        itself(true);
        return value;
      } catch (error) {
        itself(false);
        throw error;
      }
    };
  };

  /** Takes in one call. */
  record(sample: CallSample): void {
    const before = this.#samples.get(sample.model);
    if (before === undefined) this.#samples.set(sample.model, [sample]);
    else before.push(sample);
  }

  /** A line for each model, the one that took most time first. Percentiles are of the calls that succeeded. */
  report(): ModelProfile[] {
    const total = (samples: CallSample[]): number => samples.reduce((sum, { latencyMs }) => sum + latencyMs, 0);
    return [...this.#samples].sort(([, a], [, b]) => total(b) - total(a)).map(([model, samples]) => profileOf(model, samples));
  }
}

function profileOf(model: string, samples: CallSample[]): ModelProfile {
  const good = samples.filter(({ ok }) => ok);
  const latencies = (good.length > 0 ? good : samples).map(({ latencyMs }) => latencyMs).sort((a, b) => a - b);
  const firsts = good.flatMap(({ firstTokenMs }) => firstTokenMs ?? []).sort((a, b) => a - b);
  const talking = good.filter(({ outputTokens = 0 }) => outputTokens > 0);
  const tokens = talking.reduce((sum, { outputTokens = 0 }) => sum + outputTokens, 0);
  const seconds = talking.reduce((sum, { latencyMs }) => sum + latencyMs, 0) / 1000;
  // A failure may be billed all the same.
  const costs = samples.filter(({ ok, costMicroUsd }) => ok || costMicroUsd !== undefined).map(({ costMicroUsd }) => costMicroUsd);
  const known = costs.every(cost => cost !== undefined);
  return {
    model,
    calls: samples.length,
    p50Ms: round(percentile(latencies, 0.5)),
    p95Ms: round(percentile(latencies, 0.95)),
    p99Ms: round(percentile(latencies, 0.99)),
    firstTokenMs: firsts.length === 0 ? null : round(percentile(firsts, 0.5)),
    tokensPerSecond: seconds === 0 ? null : round(tokens / seconds),
    errorRate: (samples.length - good.length) / samples.length,
    cost: known ? costs.reduce((sum, cost) => sum + cost, 0) / 1_000_000 : null,
  };
}

/** The smallest value that so large a part of all does not exceed (nearest rank). */
export function percentile(sorted: number[], part: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
