import { parseDuration } from '../duration.ts';
import { OrchestratorError } from '../errors.ts';
import { costReport, type CostReport, type Ledger } from './costs.ts';
import type { PricedModels } from './savings.ts';

/** What a monitor looks at. */
export interface Observed {
  store: Ledger;
  models: PricedModels;
  close(): Promise<void>;
}

export interface CostReportOptions {
  /** A date, ms since 1970, an ISO time, or a duration back from now such as `7d`. */
  since?: Date | number | string;
  until?: Date | number | string;
  pipeline?: string;
  user?: string;
}

/** What the models of an environment cost. */
export class CostMonitor {
  readonly #open: () => Promise<Observed>;
  #observed: Promise<Observed> | undefined;

  constructor(options: { open: () => Promise<Observed> }) {
    this.#open = options.open;
  }

  async generateCostReport({ since, until, pipeline, user }: CostReportOptions = {}): Promise<CostReport> {
    const { store, models } = await (this.#observed ??= this.#open());
    const now = Date.now();
    return costReport(
      store,
      {
        ...(since === undefined ? {} : { since: readTime(since, now) }),
        ...(until === undefined ? {} : { until: readTime(until, now) }),
        ...(pipeline === undefined ? {} : { pipeline }),
        ...(user === undefined ? {} : { user }),
      },
      models,
    );
  }

  async close(): Promise<void> {
    await (await this.#observed)?.close();
    this.#observed = undefined;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A moment as people write one: a time, or how long ago. Throws ORC-106. */
export function readTime(given: Date | number | string, now: number): number {
  if (typeof given === 'number') return given;
  if (given instanceof Date) return given.getTime();
  const ago = parseDuration(given);
  const at = ago === undefined ? Date.parse(given) : now - ago;
  if (!Number.isNaN(at)) return at;
  throw new OrchestratorError('ORC-106', `\`${given}\` is neither a time nor a duration`, {
    class: 'invalid_input',
    help: ['write it like 7d, 24h or 2026-01-31'],
  });
}
