import { pathOf } from '../engine/index.ts';
import { OrchestratorError } from '../errors.ts';
import { sha256 } from '../hash.ts';
import type { Json } from '../json.ts';
import {
  askStructured,
  embedAll,
  embedOf,
  reservationFor,
  textOf,
  type EmbedReply,
  type EmbedRequest,
  type GenerateOptions,
  type Model,
  type ModelInfo,
  type ModelReply,
  type ModelRequest,
  type ModelUsage,
} from '../models/index.ts';
import { formatUsd } from '../money.ts';
import type { ModelAnswer, ModelCall, ModelChoice, ModelGateway, ModelVectors } from '../tools/port.ts';
import { modelFor, wantedFor, type AskingShop } from './asking.ts';
import type { LiveRun } from './live.ts';
import { Meter } from './meter.ts';
import type { Flight, Keep } from './perform.ts';
import type { Question, Tape } from './tape.ts';
import { plainJson } from './values.ts';

/** A reply, and the id of the model that gave it. */
type Told = { id: string; reply: ModelReply };
/** What an answer of a shape asks of its calls. */
type How = Pick<GenerateOptions, 'cache' | 'fits'>;

/** Models as the actions of one attempt ask them. */
export class Gateway implements ModelGateway {
  readonly #shop: AskingShop;
  readonly #run: LiveRun;
  readonly #slot: number;
  readonly #flight: Flight;
  readonly #keep: Keep;
  #batches = 0;

  constructor(shop: AskingShop, run: LiveRun, slot: number, flight: Flight, keep: Keep) {
    this.#shop = shop;
    this.#run = run;
    this.#slot = slot;
    this.#flight = flight;
    this.#keep = keep;
  }

  async ask(call: ModelCall): Promise<ModelAnswer> {
    const asked = this.#asker(call);
    const told: Told[] = [];
    const generate = async (request: ModelRequest, how: How = {}): Promise<ModelReply> => {
      const ask = async (): Promise<Told> => asked(request, how);
      // A name is used once: the questions that mend an answer are steps of their own.
      const name = call.step === undefined || told.length === 0 ? call.step : `${call.step}.${told.length + 1}`;
      const one = name === undefined ? await ask() : await this.#keep(name, ask);
      told.push(one);
      return one.reply;
    };
    const request = requestOf(call);
    if (call.schema === undefined) {
      const reply = await generate(request);
      return answerOf(told, reply);
    }
    const answer = await askStructured({ generate }, request, call.schema, { signal: this.#flight.signal });
    if (answer.ok) return { ...answerOf(told, answer.replies.at(-1)!), object: answer.value };
    throw new OrchestratorError('ORC-405', `the model's answer does not fit the schema: ${answer.problem}`, { class: 'invalid_output', retryable: true });
  }

  async embed({ purpose, texts, model, step }: Parameters<ModelGateway['embed']>[0]): Promise<ModelVectors> {
    const wanted = await this.#shop.values.settle(() => wantedFor(this.#shop, this.#run, this.#slot, model));
    const vectorsOf = async (): Promise<ModelVectors> => {
      const chosen = await this.#shop.values.settle(() => modelFor(this.#shop, this.#run, this.#slot, model));
      if (chosen === undefined) throw this.#nobody();
      const { model: one } = chosen;
      const { signal } = this.#flight;
      const embed = async ({ texts: batch }: EmbedRequest): Promise<EmbedReply> => {
        const { embedder, vectors } = embedderOf(one, batch);
        const meter = new Meter(this.#shop, this.#run, this.#slot, purpose, { ...chosen, model: embedder }, this.#flight);
        const reply = await meter.generate({ messages: batch.map(content => ({ role: 'user', content })), maxTokens: 0 }, { signal });
        return { ...reply, vectors: vectors() };
      };
      // Where there are several requests, none that was paid is made again when a later one fails. The same texts at the same place are the same step.
      const kept = async (request: EmbedRequest): Promise<EmbedReply> => {
        if (request.texts.length === texts.length) return embed(request);
        const name = `vectors ${++this.#batches} ${sha256(JSON.stringify(request.texts)).slice(0, 12)}`;
        return this.#keep(name, () => embed(request));
      };
      const { vectors, replies } = await embedAll({ id: one.id, embed: kept, embedsAtOnce: one.embedsAtOnce ?? 1 }, texts, { signal });
      return { vectors, model: one.id, ...billOf(replies) };
    };
    const ask = async (): Promise<ModelVectors> => this.#taped({ of: `vectors: ${purpose}`, request: { model: wanted ?? null, texts } }, vectorsOf);
    return step === undefined ? ask() : this.#keep(step, ask);
  }

  async route(model: Json | undefined, text: string): Promise<ModelChoice> {
    const { values } = this.#shop;
    const wanted = await values.settle(() => wantedFor(this.#shop, this.#run, this.#slot, model));
    return this.#taped({ of: 'model choice', request: { model: wanted ?? null, text } }, () => this.#choose(wanted, text));
  }

  #choose(wanted: Json | undefined, text: string): ModelChoice {
    const { models } = this.#shop;
    const named = wanted === undefined ? (models.hasDefault() ? models.default().id : null) : typeof wanted === 'string' ? models.named(wanted) : undefined;
    if (named !== undefined) return { chosen: named, strategy: 'named', candidates: [], rejected: [], relaxed: [], rule: null };
    const { chosen, strategy, candidates, rejected, relaxed, rule } = models.route(wanted!, text);
    return { chosen, strategy, candidates: candidates.map(one => ({ ...one, parts: { ...one.parts } })), rejected, relaxed, rule };
  }

  get #tape(): Tape | undefined {
    return this.#shop.tapes.of(this.#run);
  }

  /** An answer about models rather than of one: the cassette keeps it as it is. */
  async #taped<T extends ModelVectors | ModelChoice>(question: Question, perform: () => Promise<T> | T): Promise<T> {
    const { plan, state } = this.#run;
    const spot = { slot: this.#slot, path: () => pathOf(plan, state, this.#slot), attempt: state.attempt[this.#slot]! };
    return this.#tape === undefined ? perform() : this.#tape.exchange(question, spot, { perform, keep: plainJson, play: reply => reply as unknown as T });
  }

  /** Asks the model that the call is for. It is chosen when it is needed: what is known already needs none. */
  #asker(call: ModelCall): (request: ModelRequest, how: How) => Promise<Told> {
    const { values } = this.#shop;
    const text = call.messages.findLast(({ role }) => role === 'user')?.content ?? '';
    let chosen: ReturnType<typeof modelFor>;
    return async (request, { cache, fits }) => {
      chosen ??= await values.settle(() => modelFor(this.#shop, this.#run, this.#slot, call.model, textOf(text)));
      if (chosen === undefined) throw this.#nobody();
      const { id } = chosen.model;
      const cap = call.maxCostMicroUsd;
      const limit = (whole: ModelRequest): ModelRequest => (cap === undefined ? whole : { ...whole, maxTokens: this.#within(id, whole, cap) });
      const meter = new Meter(this.#shop, this.#run, this.#slot, call.purpose, chosen, this.#flight);
      const how: GenerateOptions = {
        signal: this.#flight.signal,
        onToken: this.#flight.writing(),
        ...(cache === undefined ? {} : { cache }),
        ...(fits === undefined ? {} : { fits }),
      };
      const reply = await meter.generate(request, how, limit);
      this.#flight.written = '';
      return { id: reply.fallback?.id ?? id, reply };
    };
  }

  #nobody(): OrchestratorError {
    return new OrchestratorError('ORC-402', `\`${pathOf(this.#run.plan, this.#run.state, this.#slot)}\` needs a model, and none is configured`, {
      class: 'not_found',
      help: ['set a model in orchestrator.config.yaml under models: default'],
    });
  }

  /** The limit of tokens with which a call stays below a cap in the worst case; where none does, the call is not made. */
  #within(id: string, request: ModelRequest, capMicroUsd: number): number {
    const { models } = this.#shop;
    const { microUsd, maxTokens } = reservationFor(
      models.chain(id).chain.map(one => models.describe(one)),
      request,
    );
    if (microUsd !== undefined && microUsd <= capMicroUsd) return maxTokens;
    const words =
      microUsd === undefined
        ? `the price of ${id} is not known, and its calls have a cap`
        : `the next call could cost ${formatUsd(microUsd)}, and ${formatUsd(Math.max(0, capMicroUsd))} is left for it`;
    throw new OrchestratorError('ORC-602', words, {
      class: 'budget',
      help: ['limit the answer: max_tokens', 'or raise the cap'],
      details: { cap: 'call', priced: microUsd !== undefined },
    });
  }
}

/** A model whose one reply are vectors, so that they are metered like every other reply. */
function embedderOf(model: Model, texts: string[]): { embedder: Model; vectors(): number[][] } {
  const embed = embedOf(model);
  let made: number[][] | undefined;
  const embedder: Model = {
    ...infoOf(model),
    generate: async (_request, { onToken: _onToken, ...options }) => {
      const { vectors, ...told } = await embed({ texts }, options);
      made = vectors;
      return { ...told, text: '', finishReason: 'stop', firstTokenMs: undefined };
    },
  };
  const vectors = (): number[][] => {
    // The vectors of two models cannot be compared, so that none answers for another.
    if (made === undefined) throw new OrchestratorError('ORC-602', `${model.id} would cost more than the budget has left`, { class: 'budget' });
    return made;
  };
  return { embedder, vectors };
}

function infoOf({ id, provider, contextWindow, local, price }: Model): ModelInfo {
  return { id, provider, contextWindow, local, price };
}

function requestOf({ messages, tools, toolChoice, temperature, maxTokens }: ModelCall): ModelRequest {
  return {
    messages,
    ...(tools === undefined ? {} : { tools }),
    ...(toolChoice === undefined ? {} : { toolChoice }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(maxTokens === undefined ? {} : { maxTokens }),
  };
}

/** The last reply, with what all have used and cost. */
function answerOf(told: readonly Told[], { text, toolCalls }: ModelReply): ModelAnswer {
  const replies = told.map(({ reply }) => reply);
  return {
    text,
    ...(toolCalls === undefined ? {} : { toolCalls }),
    model: told.at(-1)!.id,
    ...billOf(replies),
    latencyMs: Math.round(replies.reduce((total, { latencyMs }) => total + latencyMs, 0)),
  };
}

/** What replies have used and cost together; one of unknown cost makes the whole unknown. */
function billOf(replies: readonly Pick<ModelReply, 'usage' | 'costMicroUsd'>[]): Pick<ModelAnswer, 'usage' | 'costMicroUsd'> {
  const sum = (of: (usage: ModelUsage) => number): number => replies.reduce((total, { usage }) => total + of(usage), 0);
  const costs = replies.map(({ costMicroUsd }) => costMicroUsd);
  return {
    usage: { inputTokens: sum(({ inputTokens }) => inputTokens), outputTokens: sum(({ outputTokens }) => outputTokens) },
    costMicroUsd: costs.includes(undefined) ? undefined : costs.reduce<number>((total, cost) => total + cost!, 0),
  };
}
