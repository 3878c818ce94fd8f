import { pathOf, type CallRecord } from '../engine/index.ts';
import { OrchestratorError, toFailure } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { canonicalJson, isObject, type Json } from '../json.ts';
import {
  failedBill,
  replyCost,
  requestKey,
  reservationFor,
  type FailedBill,
  type GenerateOptions,
  type Model,
  type ModelReply,
  type ModelRequest,
  type ModelUsage,
  type Route,
} from '../models/index.ts';
import { formatUsd } from '../money.ts';
import type { AskingShop } from './asking.ts';
import type { LiveRun } from './live.ts';
import type { Flight } from './perform.ts';

/** A model that was chosen for a task or tag, and how. */
export interface Chosen {
  model: Model;
  /** Undefined where it was named. */
  route: Route | undefined;
}

/** So many of those that were not taken stand in the journal. */
const REJECTED_MAX = 20;
/** Characters of the hashes of requests and schemas that are kept: enough to tell them apart. */
const HASH_LENGTH = 16;
const NO_USAGE: ModelUsage = { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, reasoningTokens: 0 };

/**
 * A model whose every reply, and every failure that is billed, is journaled with its cost, also where the attempt fails later: in the same commit as the
 * result that it paid for (S12). Where the run has a budget, the worst case of a call is durable before the call is made (C24).
 */
export class Meter {
  readonly #shop: AskingShop;
  readonly #run: LiveRun;
  readonly #slot: number;
  readonly #purpose: string;
  readonly #chosen: Chosen;
  readonly #flight: Flight;

  constructor(shop: AskingShop, run: LiveRun, slot: number, purpose: string, chosen: Chosen, flight: Flight) {
    this.#shop = shop;
    this.#run = run;
    this.#slot = slot;
    this.#purpose = purpose;
    this.#chosen = chosen;
    this.#flight = flight;
  }

  async generate(request: ModelRequest, options: GenerateOptions): Promise<ModelReply> {
    const { model } = this.#chosen;
    if (this.#run.state.budget === null) return (await this.#call(model, request, options)).reply;
    const held = await this.#reserve(request);
    let isSure = false;
    try {
      const { reply, isSettled } = await this.#call(held.model, { ...request, maxTokens: held.maxTokens }, options);
      isSure = isSettled;
      return reply;
    } catch (error) {
      isSure = this.#bills(error, held.model).every(({ bill }) => bill.billed !== 'uncertain');
      throw error;
    } finally {
      // What may be billed, and nobody knows how much, stays set aside.
      if (isSure) this.#shop.loop.send(this.#run, { type: 'release', slot: this.#slot, key: held.key, now: this.#shop.loop.now() });
    }
  }

  async #call(model: Model, request: ModelRequest, options: GenerateOptions): Promise<{ reply: ModelReply; isSettled: boolean }> {
    const startedAt = this.#shop.loop.now();
    try {
      const reply = await model.generate(request, { ...options, onWait: wait => this.#tellWait(wait) });
      const id = reply.fallback?.id ?? model.id;
      const before = (reply.fallback?.tried ?? []).map(one => ({ ...one, bill: failedBill(one.failure, this.#shop.models.describe(one.id)) }));
      for (const one of before) this.#enterFailed(request, one.id, one.failure.code, one.bill, 0);
      const tried = before.map(({ id: other, failure }) => ({ id: other, code: failure.code, message: this.#shop.secrets.redactText(failure.message) }));
      this.#enter(request, reply.text, {
        model: id,
        ...(id.endsWith(`/${reply.model}`) ? {} : { answered: reply.model }),
        ...tokensOf(reply.usage),
        costMicroUsd: reply.costMicroUsd ?? null,
        latencyMs: Math.round(reply.latencyMs),
        ...(reply.firstTokenMs === undefined ? {} : { firstTokenMs: Math.round(reply.firstTokenMs) }),
        finish: reply.finishReason,
        ...(tried.length === 0 ? {} : { tried }),
        ...(reply.cached === true ? this.#saved(id, reply) : {}),
        ...(options.fits?.(reply) === false ? { unmet: true as const } : {}),
      });
      return { reply, isSettled: reply.costMicroUsd !== undefined && before.every(({ bill }) => bill.billed !== 'uncertain') };
    } catch (error) {
      for (const { id, code, bill } of this.#bills(error, model)) this.#enterFailed(request, id, code, bill, this.#shop.loop.now() - startedAt);
      throw error;
    }
  }

  /** What a call that failed is billed: by the models that were tried, one after the other. */
  #bills(error: unknown, model: Model): { id: string; code: string; bill: FailedBill }[] {
    const failure = toFailure(error);
    const tried = failure.details?.['tried'];
    if (!Array.isArray(tried)) return [{ id: model.id, code: failure.code, bill: failedBill(failure, model) }];
    return tried.filter(isObject).map(one => ({ id: String(one['id']), code: String(one['code']), bill: one as unknown as FailedBill }));
  }

  /** A call that failed costs nothing, what its service says, or (where its reply was lost) nobody knows what: then the worst case stands beside it. */
  #enterFailed(request: ModelRequest, id: string, code: string, bill: FailedBill, latencyMs: number): void {
    if (bill.billed === 'unasked') return;
    const told = { model: id, ...tokensOf(bill.billed === 'yes' ? bill.usage : NO_USAGE), latencyMs, failed: code };
    if (bill.billed === 'no') return this.#enter(request, '', { ...told, costMicroUsd: 0 });
    if (bill.billed === 'yes') return this.#enter(request, '', { ...told, costMicroUsd: bill.costMicroUsd ?? null });
    const { microUsd } = reservationFor([this.#shop.models.describe(id)], request);
    this.#enter(request, '', { ...told, costMicroUsd: null, uncertain: true, ...(microUsd === undefined ? {} : { worstMicroUsd: microUsd }) });
  }

  /** What a reply that came out of the cache would have cost. */
  #saved(id: string, reply: ModelReply): Pick<CallRecord, 'cached' | 'savedMicroUsd'> {
    const saved = replyCost(this.#shop.models.describe(id), reply);
    return { cached: true, ...(saved === undefined ? {} : { savedMicroUsd: saved }) };
  }

  #enter(request: ModelRequest, text: string, told: Omit<CallRecord, 'purpose' | 'route'>): void {
    const { loop, values, secrets } = this.#shop;
    const run = this.#run;
    if (run.lost !== null) return;
    const path = pathOf(run.plan, run.state, this.#slot);
    const number = run.nextCall.get(path) ?? 0;
    run.nextCall.set(path, number + 1);
    const now = loop.now();
    const { model: asked, route } = this.#chosen;
    const record: CallRecord = {
      purpose: this.#purpose,
      ...told,
      ...(told.model === asked.id ? {} : { asked: asked.id }),
      request: requestKey(told.model, request).slice(0, HASH_LENGTH),
      ...(request.schema === undefined ? {} : { schema: sha256(canonicalJson(request.schema)).slice(0, HASH_LENGTH) }),
    };
    run.ledger.push({ ...record, run: run.id, path, attempt: this.#slot < 0 ? 0 : run.state.attempt[this.#slot]!, call: number, at: now });
    const call: CallRecord = { ...record, ...(route === undefined ? {} : { route: recordOf(route) }) };
    const refer = (value: Json): ReturnType<typeof values.refer> => values.refer(secrets.redact(value), run.blobs);
    loop.send(run, { type: 'called', slot: this.#slot, call, prompt: refer(request.messages as unknown as Json), reply: refer(text), now });
  }

  /** Whom a call waits for, and until when, in the live view. */
  #tellWait({ who, why, untilMs }: { who: string; why: string; untilMs: number }): void {
    const seconds = Math.max(0, Math.ceil((untilMs - this.#shop.loop.now()) / 1000));
    this.#flight.progress = { done: 0, total: null, text: `waits for ${who}: ${why}, ${seconds} s at most` };
  }

  /** Sets the worst case of a call aside, of the model that was chosen or, where the pipeline says so, of the first of its chain that fits. */
  async #reserve(request: ModelRequest): Promise<{ key: string; model: Model; maxTokens: number }> {
    const { loop, models } = this.#shop;
    const run = this.#run;
    const { onExceed } = run.state.budget!;
    const others =
      onExceed === 'fallback-model'
        ? models
            .chain(this.#chosen.model.id)
            .chain.slice(1)
            .map(id => models.get(id))
        : [];
    let least = Infinity;
    for (const model of [this.#chosen.model, ...others]) {
      const { microUsd, maxTokens } = this.#worst(model, request);
      least = Math.min(least, microUsd);
      const key = `${run.epoch}.${run.reservations++}`;
      await loop.sendDurably(run, { type: 'reserve', slot: this.#slot, key, microUsd, now: loop.now() });
      if (Object.hasOwn(run.state.reserved, key)) return { key, model, maxTokens };
    }
    const { budget, costMicroUsd, reservedMicroUsd } = run.state;
    const left = Math.max(0, budget!.microUsd - costMicroUsd - reservedMicroUsd);
    const words = `the next call could cost ${formatUsd(least)}, and ${formatUsd(left)} of the budget of ${formatUsd(budget!.microUsd)} is left`;
    if (onExceed !== 'fail') {
      this.#flight.held = true;
      // What is held fails nowhere, so that its log is where a person finds the figures.
      if (this.#slot >= 0) loop.send(run, { type: 'logged', slot: this.#slot, level: 'warn', text: words, now: loop.now() });
    }
    throw new OrchestratorError('ORC-602', words, {
      class: 'budget',
      help: [`orchestrator resume ${run.id} --budget ${(Math.max(budget!.microUsd, least) * 2) / 1_000_000}`, 'or limit the answer: max_tokens'],
    });
  }

  /** The most that a call can cost, with all of its chain that may have to be paid before one answers. Throws ORC-602 where a price is unknown. */
  #worst(model: Model, request: ModelRequest): { microUsd: number; maxTokens: number } {
    const { models } = this.#shop;
    let sum = 0;
    let tokens = 0;
    for (const id of models.chain(model.id).chain) {
      const { microUsd, maxTokens } = reservationFor([models.describe(id)], request);
      if (microUsd === undefined) {
        throw new OrchestratorError('ORC-602', `the price of ${id} is not known, and the run has a budget`, {
          class: 'budget',
          help: [`give its price: models: { catalog: [ { id: ${id}, cost: { input_per_million: …, output_per_million: … } } ] }`, 'or run it without a budget'],
        });
      }
      sum += microUsd;
      tokens = maxTokens;
    }
    return { microUsd: sum, maxTokens: tokens };
  }
}

function tokensOf({ inputTokens, outputTokens, cachedInputTokens, reasoningTokens }: ModelUsage): Omit<ModelUsage, 'cacheWriteTokens'> {
  return { inputTokens, outputTokens, cachedInputTokens, reasoningTokens };
}

function recordOf({ strategy, candidates, chosen, relaxed, rejected }: Route): NonNullable<CallRecord['route']> {
  const score = candidates.find(({ id }) => id === chosen)?.score ?? 0;
  const others = candidates.filter(({ id }) => id !== chosen).map(({ id, score: own }) => ({ id, reason: `its score of ${round(own)} is lower` }));
  return { strategy, score: round(score), relaxed, rejected: [...rejected, ...others].slice(0, REJECTED_MAX) };
}

function round(score: number): number {
  return Math.round(score * 1000) / 1000;
}
