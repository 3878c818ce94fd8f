import type { CallRecord, Event } from '../engine/index.ts';
import { canonicalJson, type Json } from '../json.ts';
import type { Model, ModelReply } from '../models/index.ts';
import type { Store } from '../store/port.ts';
import type { LiveRun } from './live.ts';
import type { Secrets } from './secrets.ts';
import type { ValueStore } from './values.ts';

/** A reply to the open question of a slot: it was paid, and did not do yet. */
export interface Heard {
  /** The request, as the journal keeps it. */
  prompt: string;
  reply: ModelReply;
}

/** A model that is not asked again what it has answered in the same question, before a crash or a cap came between (S12). */
export function listening(run: LiveRun, slot: number, model: Pick<Model, 'generate'>, secrets: Secrets): Pick<Model, 'generate'> {
  return {
    generate: async (request, options) => {
      const prompt = promptOf(secrets.redact(request.messages as unknown as Json));
      const known = run.heard.get(slot)?.find(one => one.prompt === prompt);
      if (known !== undefined) return known.reply;
      const reply = await model.generate(request, options);
      hear(run, slot, { prompt, reply });
      return reply;
    },
  };
}

/** Takes the replies to open questions out of the journal of a run that another process drove. One question of a slot is open at a time. */
export async function hearReplies(store: Store, values: ValueStore, run: LiveRun): Promise<void> {
  const { plan } = run;
  const asks = plan.inputs.some(({ autos = [] }) => autos.length > 0) || plan.blocks.some(({ tasks }) => tasks.some(({ autos }) => autos.length > 0));
  if (!asks) return;
  for (const { event } of await store.read(run.id)) {
    if (event.type === 'run.reopened') run.heard.clear();
    else if (CLOSING.has(event.type)) run.heard.delete((event as Event & { slot: number }).slot);
    else if (event.type === 'model.called' && event.call.purpose === 'auto' && event.call.failed === undefined) {
      const { slot, call, prompt, reply } = event;
      const [asked, text] = await values.settle(() => [values.load(prompt), values.load(reply)] as const);
      hear(run, slot, { prompt: promptOf(asked), reply: replyOf(call, String(text)) });
    }
  }
}

/** With these a question is answered, or given up: what is asked from then on is another one. */
const CLOSING: ReadonlySet<Event['type']> = new Set(['auto.resolved', 'attempt.failed', 'task.failed', 'task.skipped', 'task.cancelled', 'task.reset']);

function hear(run: LiveRun, slot: number, heard: Heard): void {
  const known = run.heard.get(slot);
  if (known === undefined) run.heard.set(slot, [heard]);
  else known.push(heard);
}

function promptOf(messages: Json): string {
  return canonicalJson(messages);
}

function replyOf(
  { model, answered, inputTokens, outputTokens, cachedInputTokens = 0, reasoningTokens = 0, costMicroUsd, finish }: CallRecord,
  text: string,
): ModelReply {
  return {
    model: answered ?? model,
    text,
    usage: { inputTokens, outputTokens, cachedInputTokens, reasoningTokens },
    finishReason: (finish ?? 'stop') as ModelReply['finishReason'],
    latencyMs: 0,
    firstTokenMs: undefined,
    ...(costMicroUsd === null ? {} : { costMicroUsd }),
    fallback: { id: model, tried: [] },
  };
}
