import type { Failure } from '../errors.ts';
import { isObject, type Json } from '../json.ts';
import type { MicroUsd } from '../money.ts';
import type { ModelInfo, ModelRequest, ModelUsage } from './port.ts';
import { replyCost, worstCost } from './prices.ts';

/** What a call that failed is billed: nothing; what its service said; or nobody knows, because its reply was lost (S12). */
export type FailedBill = { billed: 'no' } | { billed: 'yes'; usage: ModelUsage; costMicroUsd: MicroUsd | undefined } | { billed: 'uncertain' };

/** Failures after which a service may have done its work, and will want to be paid. */
const MAYBE_BILLED = new Set<Failure['code']>(['ORC-404', 'ORC-405', 'ORC-603', 'ORC-231']);

export function failedBill(failure: Pick<Failure, 'code' | 'details'>, model: Pick<ModelInfo, 'price' | 'local'>): FailedBill {
  const { usage, status, sent, circuit } = failure.details ?? {};
  if (model.local) return { billed: 'no' };
  const used = readUsage(usage);
  if (used !== undefined) return { billed: 'yes', usage: used, costMicroUsd: used.inputTokens > 0 ? replyCost(model, { usage: used }) : undefined };
  // A service that answers with an error has done nothing; and what was never sent cannot be billed.
  if (status !== undefined || sent === false || circuit !== undefined) return { billed: 'no' };
  return { billed: MAYBE_BILLED.has(failure.code) ? 'uncertain' : 'no' };
}

function readUsage(value: Json | undefined): ModelUsage | undefined {
  const isOne = isObject(value) && typeof value['inputTokens'] === 'number' && typeof value['outputTokens'] === 'number';
  return isOne ? (value as unknown as ModelUsage) : undefined;
}

/** What is set aside for a call before it is made, and the limit of tokens that it must then be sent with. */
export interface Reservation {
  /** Undefined: a price is unknown, and under a budget the call is refused. */
  microUsd: MicroUsd | undefined;
  maxTokens: number;
}

/** Where a request names no limit of its own. */
const OUTPUT_TOKENS_MAX = 4096;
/** What a chat format puts around each message, at most, and what a schema is wrapped in. */
const TOKENS_AROUND = 32;

/** The most that one call can cost with any of the models that may answer it. No token is shorter than a byte. */
export function reservationFor(models: Pick<ModelInfo, 'price' | 'local'>[], request: ModelRequest): Reservation {
  const texts = [...request.messages.map(({ content }) => content), ...(request.schema === undefined ? [] : [JSON.stringify(request.schema)])];
  const input = texts.reduce((sum, text) => sum + Buffer.byteLength(text) + TOKENS_AROUND, 0);
  const maxTokens = request.maxTokens ?? OUTPUT_TOKENS_MAX;
  const costs = models.map(model => worstCost(model, input, maxTokens));
  return { microUsd: costs.includes(undefined) ? undefined : Math.max(0, ...costs.map(cost => cost ?? 0)), maxTokens };
}
