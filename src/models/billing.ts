import type { Failure } from '../errors.ts';
import { isObject, type Json } from '../json.ts';
import type { MicroUsd } from '../money.ts';
import { attachmentsOf, bytesOf, isText, textsOf, type Attachment } from './content.ts';
import type { ModelInfo, ModelRequest, ModelUsage } from './port.ts';
import { replyCost, worstCost } from './prices.ts';

/** What a call that failed is billed: nothing, also because it was never made; what its service said; or nobody knows, because its reply was lost (S12). */
export type FailedBill = { billed: 'no' | 'unasked' } | { billed: 'yes'; usage: ModelUsage; costMicroUsd: MicroUsd | undefined } | { billed: 'uncertain' };

/** Failures after which a service may have done its work, and will want to be paid: no answer, a useless one, or nobody waited for it. */
const MAYBE_BILLED = new Set<Failure['code']>(['ORC-404', 'ORC-405', 'ORC-603', 'ORC-231', 'ORC-218', 'ORC-511', 'ORC-501', 'ORC-512', 'ORC-700']);

export function failedBill(failure: Pick<Failure, 'code' | 'details'>, model: Pick<ModelInfo, 'price' | 'local'>): FailedBill {
  const { usage, status, sent, circuit, asked } = failure.details ?? {};
  if (circuit !== undefined || asked === false) return { billed: 'unasked' };
  if (model.local) return { billed: 'no' };
  const used = readUsage(usage);
  if (used !== undefined) return { billed: 'yes', usage: used, costMicroUsd: used.inputTokens > 0 ? replyCost(model, { usage: used }) : undefined };
  // A service that answers with an error has done nothing; and what was never sent cannot be billed.
  if (status !== undefined || sent === false) return { billed: 'no' };
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

type Payable = Pick<ModelInfo, 'price' | 'local'> & Partial<Pick<ModelInfo, 'id' | 'contextWindow'>>;

/** The most that one call can cost with any of the models that may answer it. No token is shorter than a byte. */
export function reservationFor(models: Payable[], request: ModelRequest): Reservation {
  const texts = [...textsOf(request), ...(request.schema === undefined ? [] : [JSON.stringify(request.schema)])];
  const said = texts.reduce((sum, text) => sum + Buffer.byteLength(text) + TOKENS_AROUND, 0);
  const attached = attachmentsOf(request.messages);
  const maxTokens = request.maxTokens ?? OUTPUT_TOKENS_MAX;
  const costs = models.map(model => worstCost(model, said + attached.reduce((sum, part) => sum + mostTokens(part, model), 0), maxTokens));
  return { microUsd: costs.includes(undefined) ? undefined : Math.max(0, ...costs.map(cost => cost ?? 0)), maxTokens };
}

/** A large image at any service of today, and at the one model that counts its images many times over to be paid for them like its larger sister. */
const IMAGE_TOKENS_MAX = 10_000;
const IMAGE_TOKENS_MAX_4O_MINI = 50_000;
/** The largest context of today. */
const CONTEXT_TOKENS_MAX = 2_000_000;

/** What is packed (a PDF) may hold any amount of text, and no more than the context of the model. */
function mostTokens(part: Attachment, { id = '', contextWindow }: Payable): number {
  if (part.type === 'image') return /4o-mini/.test(id) ? IMAGE_TOKENS_MAX_4O_MINI : IMAGE_TOKENS_MAX;
  return isText(part.mediaType) ? bytesOf(part) + TOKENS_AROUND : (contextWindow ?? CONTEXT_TOKENS_MAX);
}
