import { createRequire } from 'node:module';
import { microUsd, type MicroUsd } from '../money.ts';
import type { Model, ModelPrice, ModelUsage } from './port.ts';

type Library = typeof import('@pydantic/genai-prices');
type TablePrice = Record<string, number | { base: number; tiers: { start: number; price: number }[] } | undefined>;

/** What a kept table knows of a model. */
export interface Known {
  price: ModelPrice | undefined;
  contextWindow: number | undefined;
}

let library: Library | undefined;

/** The table of public prices, loaded when a price is first looked up (40 ms); it is never fetched anew, so that a price changes only with a version. */
function table(): Library {
  return (library ??= createRequire(import.meta.url)('@pydantic/genai-prices') as Library);
}

/** What the table knows of a model of a service, by the table's name for the service, at a time. Unknown stays unknown. */
export function lookUp(service: string, model: string, atMs: number): Known {
  const found = table().calcPrice({ input_tokens: 0, output_tokens: 0 }, model, { providerId: service, timestamp: new Date(atMs) });
  if (found === null) return { price: undefined, contextWindow: undefined };
  return { price: readPrice(found.model_price), contextWindow: found.model.context_window };
}

/** A row of the table in micro-dollars a million tokens, with its steps for long inputs; undefined where it prices no text. */
function readPrice(row: TablePrice): ModelPrice | undefined {
  const starts = new Set<number>();
  for (const price of Object.values(row)) if (typeof price === 'object') for (const tier of price.tiers) starts.add(tier.start);
  const base = priceFrom(row, 0);
  if (base === undefined) return undefined;
  const tiers = [...starts]
    .sort((a, b) => a - b)
    .flatMap(start => {
      const price = priceFrom(row, start + 1);
      return price === undefined ? [] : [{ aboveInputTokens: start, price }];
    });
  return tiers.length === 0 ? base : { ...base, tiers };
}

/** The row's prices for an input of so many tokens. */
function priceFrom(row: TablePrice, inputTokens: number): ModelPrice | undefined {
  const at = (key: string): MicroUsd | undefined => {
    const price = row[key];
    if (price === undefined) return undefined;
    return microUsd(typeof price === 'number' ? price : (price.tiers.findLast(({ start }) => start < inputTokens)?.price ?? price.base));
  };
  const inputPerMillion = at('input_mtok');
  // What makes vectors has a price for its input, and nothing else in its row.
  const outputPerMillion = at('output_mtok') ?? (Object.keys(row).every(key => key === 'input_mtok') ? 0 : undefined);
  if (inputPerMillion === undefined || outputPerMillion === undefined) return undefined;
  const [read, write] = [at('cache_read_mtok'), at('cache_write_mtok')];
  return {
    inputPerMillion,
    outputPerMillion,
    ...(read === undefined ? {} : { cachedInputPerMillion: read }),
    ...(write === undefined ? {} : { cacheWritePerMillion: write }),
  };
}

/**
 * The cost of one call: summed exactly in pico-dollars (tokens × micro-dollars a million), rounded up to micro-dollars once (S12).
 * Cached and kept tokens are parts of the input, thinking is part of the output.
 */
export function costOf(price: ModelPrice, usage: ModelUsage): MicroUsd {
  const { tiers = [] } = price;
  const tier = tiers.findLast(({ aboveInputTokens }) => usage.inputTokens > aboveInputTokens)?.price ?? price;
  const cached = usage.cachedInputTokens;
  const written = Math.min(usage.cacheWriteTokens ?? 0, usage.inputTokens - cached);
  const pico =
    (usage.inputTokens - cached - written) * tier.inputPerMillion +
    cached * (tier.cachedInputPerMillion ?? tier.inputPerMillion) +
    written * (tier.cacheWritePerMillion ?? tier.inputPerMillion) +
    usage.outputTokens * tier.outputPerMillion;
  return Math.ceil(pico / 1_000_000);
}

/** What a reply cost: undefined where the price, or what was used, is unknown. Nothing for a model of this machine. */
export function replyCost(model: Pick<Model, 'price' | 'local'>, reply: { usage: ModelUsage; usageUnknown?: true }): MicroUsd | undefined {
  if (isFree(model)) return 0;
  return model.price === undefined || reply.usageUnknown === true ? undefined : costOf(model.price, reply.usage);
}

/** The most that a call of so many tokens can cost, for a reservation: undefined where the price is unknown. */
export function worstCost(model: Pick<Model, 'price' | 'local'>, inputTokens: number, outputTokens: number): MicroUsd | undefined {
  if (isFree(model)) return 0;
  if (model.price === undefined) return undefined;
  const usage = { inputTokens, outputTokens, cachedInputTokens: 0, reasoningTokens: 0 };
  return Math.max(costOf(model.price, usage), costOf(model.price, { ...usage, cacheWriteTokens: inputTokens }));
}

export function isFree({ price, local }: Pick<Model, 'price' | 'local'>): boolean {
  return local || (price !== undefined && price.inputPerMillion === 0 && price.outputPerMillion === 0);
}

/** Micro-dollars a million tokens at three parts of input to one of output, to compare models by; undefined is unknown. */
export function blendedPrice({ price, local }: Pick<Model, 'price' | 'local'>): MicroUsd | undefined {
  if (local) return 0;
  return price === undefined ? undefined : (3 * price.inputPerMillion + price.outputPerMillion) / 4;
}
