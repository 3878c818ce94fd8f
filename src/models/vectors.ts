import { OrchestratorError } from '../errors.ts';
import type { EmbedOptions, EmbedReply, Model, ModelReply } from './port.ts';

/** What makes vectors: a model, or whoever stands before one. */
export type Embedder = Pick<Model, 'id' | 'embed' | 'embedsAtOnce'>;

/** Vectors of texts, and every reply that they came in, since every reply costs. */
export interface Vectors {
  vectors: number[][];
  replies: EmbedReply[];
}

/** Services read no more than this at once, whatever the number of texts. */
const BYTES_AT_ONCE = 300_000;

/** Makes vectors of any number of texts, in as few requests as the model allows, one after the other. Throws ORC-410 where the model makes none. */
export async function embedAll(model: Embedder, texts: readonly string[], options: EmbedOptions): Promise<Vectors> {
  const empty = texts.findIndex(text => text.trim() === '');
  if (empty >= 0)
    throw new OrchestratorError('ORC-406', `text ${empty + 1} of ${texts.length} is empty, and nothing can be made of it`, { class: 'invalid_input' });
  const vectors: number[][] = [];
  const replies: EmbedReply[] = [];
  for (const batch of batchesOf(texts, model.embedsAtOnce ?? 1)) {
    const reply = await embedOf(model)({ texts: batch }, options);
    replies.push(reply);
    vectors.push(...reply.vectors);
    const [first, last] = [vectors[0]!, vectors.at(-1)!];
    if (first.length !== last.length) {
      const words = `${model.id} made vectors of ${first.length} numbers, and then of ${last.length}: they cannot be compared`;
      throw new OrchestratorError('ORC-405', words, { class: 'invalid_output', retryable: true });
    }
  }
  return { vectors, replies };
}

/** What makes the vectors of a model. Throws ORC-410 where it makes none. */
export function embedOf(model: Embedder): NonNullable<Model['embed']> {
  if (model.embed !== undefined) return (request, options) => model.embed!(request, options);
  throw new OrchestratorError('ORC-410', `${model.id} makes no vectors`, {
    class: 'invalid_input',
    details: { asked: false },
    help: ['name a model that does: model: openai/text-embedding-3-small', 'or let one be chosen: model: { capabilities: [embeddings] }'],
  });
}

function batchesOf(texts: readonly string[], most: number): string[][] {
  const batches: string[][] = [];
  let room = 0;
  for (const text of texts) {
    const bytes = Buffer.byteLength(text);
    const last = batches.at(-1);
    if (last === undefined || last.length >= most || bytes > room) {
      batches.push([text]);
      room = BYTES_AT_ONCE - bytes;
    } else {
      last.push(text);
      room -= bytes;
    }
  }
  return batches;
}

/** One vector as a cache of replies keeps it: its bytes as text, and the part of its request's tokens that it took. */
export function toKept({ model, vectors, usage, latencyMs }: EmbedReply, texts: readonly string[], at: number): ModelReply {
  const whole = texts.reduce((sum, text) => sum + text.length, 0);
  return {
    model,
    text: Buffer.from(Float64Array.from(vectors[at]!).buffer).toString('base64'),
    usage: { ...usage, inputTokens: Math.round((usage.inputTokens * texts[at]!.length) / whole) },
    finishReason: 'other',
    latencyMs,
    firstTokenMs: undefined,
  };
}

/** A vector that was kept, with the rest of its reply. */
export interface KeptVector {
  vector: number[];
  reply: ModelReply;
}

export function fromKept(reply: ModelReply | undefined): KeptVector | undefined {
  if (reply === undefined) return undefined;
  const bytes = Buffer.from(reply.text, 'base64');
  const vector = Array.from({ length: Math.floor(bytes.length / 8) }, (_, at) => bytes.readDoubleLE(at * 8));
  return vector.length > 0 && vector.every(Number.isFinite) ? { reply, vector } : undefined;
}

/** What was kept, if it is of one length: else some of it is of another model, and none of it can be trusted. */
export function alike(kept: (KeptVector | undefined)[]): (KeptVector | undefined)[] {
  const lengths = new Set(kept.flatMap(one => one?.vector.length ?? []));
  return lengths.size > 1 ? kept.map(() => undefined) : kept;
}

/** Vectors of all texts, out of the cache or a reply to those that were missing. */
export function joinVectors(
  texts: readonly string[],
  kept: readonly (KeptVector | undefined)[],
  asked: { reply: EmbedReply; texts: readonly string[] } | undefined,
): EmbedReply {
  const made = new Map(asked?.texts.map((text, at) => [text, asked.reply.vectors[at]!]));
  const vectors = texts.map((text, at) => kept[at]?.vector ?? made.get(text)!);
  if (asked !== undefined) return { ...asked.reply, vectors };
  const inputTokens = kept.reduce((sum, one) => sum + one!.reply.usage.inputTokens, 0);
  const { model, latencyMs } = kept[0]!.reply;
  return { model, vectors, usage: { inputTokens, outputTokens: 0, cachedInputTokens: 0, reasoningTokens: 0 }, latencyMs, costMicroUsd: 0, cached: true };
}
