import { systemClock, type Clock } from '../clock.ts';
import { toFailure, type Failure } from '../errors.ts';
import type { JsonSchema } from '../json.ts';
import { askStructured } from './answers.ts';
import type { Model, ModelReply } from './port.ts';
import { replyCost } from './prices.ts';

/** One thing that a model was tried on. */
export interface Check {
  name: 'there' | 'text' | 'structured' | 'streaming' | 'usage';
  ok: boolean;
  latencyMs: number;
  /** Of what was tried; undefined where the price is unknown. */
  costMicroUsd: number | undefined;
  failure: Failure | null;
}

const SCHEMA: JsonSchema = { type: 'object', properties: { sum: { type: 'integer' } }, required: ['sum'], additionalProperties: false };

/** Tries a model on all that pipelines want of it, with a few tokens each. Each failure is told; nothing is thrown. */
export async function checkModel(model: Model, signal: AbortSignal, clock: Clock = systemClock): Promise<Check[]> {
  const checks: Check[] = [];
  const attempt = async (name: Check['name'], work: () => Promise<{ ok: boolean; replies: ModelReply[] }>): Promise<boolean> => {
    const startedAt = clock.monotonic();
    const done = (ok: boolean, costMicroUsd: number | undefined, failure: Failure | null): boolean => {
      checks.push({ name, ok, latencyMs: Math.round(clock.monotonic() - startedAt), costMicroUsd, failure });
      return ok;
    };
    try {
      const { ok, replies } = await work();
      const costs = replies.map(reply => replyCost(model, reply));
      return done(ok, costs.includes(undefined) ? undefined : costs.reduce<number>((sum, cost) => sum + (cost ?? 0), 0), null);
    } catch (error) {
      return done(false, 0, toFailure(error));
    }
  };
  const say = (onToken?: (text: string) => void): Promise<ModelReply> =>
    model.generate(
      { messages: [{ role: 'user', content: 'Say hello in one word.' }], maxTokens: 16, temperature: 0 },
      { signal, cache: false, ...(onToken === undefined ? {} : { onToken }) },
    );

  const there = await attempt('there', async () => {
    await model.probe?.(signal);
    return { ok: true, replies: [] };
  });
  // What is not there needs no more trying.
  if (!there) return checks;
  let told = false;
  await attempt('text', async () => {
    const reply = await say();
    told = reply.usageUnknown !== true;
    return { ok: reply.text.trim() !== '', replies: [reply] };
  });
  await attempt('streaming', async () => {
    let pieces = 0;
    const reply = await say(() => pieces++);
    return { ok: pieces > 0, replies: [reply] };
  });
  await attempt('structured', async () => {
    const request = { messages: [{ role: 'user' as const, content: 'What is 2 + 3?' }], temperature: 0 };
    const { ok, replies } = await askStructured(model, request, SCHEMA, { signal, cache: false });
    return { ok, replies };
  });
  await attempt('usage', async () => ({ ok: told, replies: [] }));
  return checks;
}
