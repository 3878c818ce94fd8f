import type { EmbeddingModelV4, EmbeddingModelV4Result } from '@ai-sdk/provider';
import type { Clock } from '../clock.ts';
import { isObject, type Json } from '../json.ts';
import { isCount, ratesOf } from './ai-sdk-reply.ts';
import { badReply, type Asked } from './failures.ts';
import type { EmbedReply } from './port.ts';

/** One request of an embedding model of the AI SDK. */
export interface EmbedCall {
  model: EmbeddingModelV4;
  texts: string[];
  abortSignal: AbortSignal;
  clock: Clock;
  startedAt: number;
  asked: Asked;
}

/** Makes vectors once. Vectors that are too few, of unequal lengths or not of numbers are billed, and of no use. */
export async function embedOnce({ model, texts, abortSignal, clock, startedAt, asked }: EmbedCall): Promise<EmbedReply> {
  const result = await model.doEmbed({ values: texts, abortSignal });
  const { response } = result;
  const body = isObject((response?.body ?? null) as Json) ? (response!.body as { [key: string]: Json }) : {};
  const used = usageOf(result);
  const fault = faultOf(result.embeddings, texts.length);
  const order = fault === undefined ? orderOf(body['data'], texts.length) : [];
  const reason = fault ?? (order === undefined ? 'it does not say which vector is of which text' : undefined);
  if (reason !== undefined) throw badReply(asked, reason, used.usageUnknown === true ? {} : { usage: { ...used.usage } });
  const vectors: number[][] = [];
  for (const [at, vector] of result.embeddings.entries()) vectors[order![at]!] = vector;
  return {
    model: typeof body['model'] === 'string' ? body['model'] : model.modelId,
    vectors,
    ...used,
    ...ratesOf(response?.headers, clock),
    latencyMs: clock.monotonic() - startedAt,
  };
}

function usageOf({ usage }: EmbeddingModelV4Result): Pick<EmbedReply, 'usage' | 'usageUnknown'> {
  const told = isCount(usage?.tokens) && usage.tokens > 0 ? usage.tokens : undefined;
  const used = { inputTokens: told ?? 0, outputTokens: 0, cachedInputTokens: 0, reasoningTokens: 0 };
  return told === undefined ? { usage: used, usageUnknown: true } : { usage: used };
}

function faultOf(vectors: readonly number[][], texts: number): string | undefined {
  if (vectors.length !== texts) return `it has ${vectors.length} vectors for ${texts} texts`;
  const dimension = vectors[0]!.length;
  if (dimension === 0) return 'a vector is empty';
  if (vectors.some(vector => vector.length !== dimension)) return 'its vectors are of unequal lengths';
  return vectors.some(vector => vector.some(value => !Number.isFinite(value))) ? 'a vector holds something that is no number' : undefined;
}

/** Which text each vector is of: where the entries of a reply say so, they need not come in order. Undefined where they contradict themselves. */
function orderOf(data: Json | undefined, count: number): number[] | undefined {
  const inOrder = Array.from({ length: count }, (_, at) => at);
  const told = Array.isArray(data) ? data.map(entry => (isObject(entry) ? entry['index'] : undefined)) : [];
  if (told.length !== count || told.every(index => index === undefined)) return inOrder;
  const order = told.filter(index => isCount(index) && index < count) as number[];
  return new Set(order).size === count ? order : undefined;
}
