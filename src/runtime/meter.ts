import { pathOf, type CallRecord } from '../engine/index.ts';
import { toFailure } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { canonicalJson, isObject, type Json } from '../json.ts';
import {
  failedBill,
  replyCost,
  requestKey,
  reservationFor,
  withoutData,
  type FailedBill,
  type GenerateOptions,
  type Model,
  type ModelReply,
  type ModelRequest,
  type ModelUsage,
  type Route,
} from '../models/index.ts';
import type { AskingShop } from './asking.ts';
import { cacheUse } from './caching.ts';
import type { LiveRun } from './live.ts';
import { patienceOf } from './patience.ts';
import type { Flight } from './perform.ts';
import { announceCall, isCapped, reserveCall } from './reserving.ts';
import { keepReply, modelQuestion, playReply, type Spot } from './tape.ts';

/** A model that was chosen for a task or tag, and how. */
export interface Chosen {
  model: Model;
  /** Undefined where it was named. */
  route: Route | undefined;
  /** What was asked for; absent where the default was taken. */
  wanted?: Json;
}

/** So many of those that were not taken stand in the journal. */
const REJECTED_MAX = 20;
/** Characters of the hashes of requests and schemas that are kept: enough to tell them apart. */
const HASH_LENGTH = 16;
const NO_USAGE: ModelUsage = { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, reasoningTokens: 0 };

/** The cap has no room for the model that was chosen, and has for this one. */
class Instead extends Error {
  readonly model: Model;

  constructor(model: Model) {
    super(`${model.id} is asked instead`);
    this.model = model;
  }
}

/**
 * A model whose every reply, and every failure that is billed, is journaled with its cost, also where the attempt fails later: in the same commit as the
 * result that it paid for (S12). Where anything caps it, the worst case of a call is durable before the call is made (C24).
 */
export class Meter {
  readonly #shop: AskingShop;
  readonly #run: LiveRun;
  readonly #slot: number;
  readonly #purpose: string;
  readonly #chosen: Chosen;
  readonly #flight: Flight;
  /** What the live view said before the call had to wait. */
  #before: Flight['progress'] | undefined;
  /** What was set aside for the call under way. */
  #key: string | undefined;

  constructor(shop: AskingShop, run: LiveRun, slot: number, purpose: string, chosen: Chosen, flight: Flight) {
    this.#shop = shop;
    this.#run = run;
    this.#slot = slot;
    this.#purpose = purpose;
    this.#chosen = chosen;
    this.#flight = flight;
  }

  /** The request as its author made it, by which it is found in a cassette; `limit` narrows what is sent, or throws. */
  async generate(request: ModelRequest, options: GenerateOptions, limit = (whole: ModelRequest): ModelRequest => whole): Promise<ModelReply> {
    const tape = this.#shop.tapes.of(this.#run);
    if (tape === undefined) return this.#generate(limit(request), options);
    const { model, wanted } = this.#chosen;
    return tape.exchange(modelQuestion(this.#purpose, wanted, request), this.#spot, {
      perform: async () => this.#generate(limit(request), options),
      keep: reply => keepReply(reply, model),
      play: reply => this.#play(request, playReply(reply), options),
    });
  }

  /** Enters a reply of a cassette, for which nobody is paid. */
  #play(request: ModelRequest, reply: ModelReply, options: GenerateOptions): ModelReply {
    options.onToken?.(reply.text);
    const told = { model: reply.fallback!.id, ...tokensOf(reply.usage), costMicroUsd: 0, latencyMs: 0, finish: reply.finishReason };
    this.#enter(request, saidIn(reply), { ...told, replayed: true });
    return reply;
  }

  get #spot(): Spot {
    const { plan, state } = this.#run;
    return { slot: this.#slot, path: () => pathOf(plan, state, this.#slot), attempt: this.#slot < 0 ? 0 : state.attempt[this.#slot]! };
  }

  /** A kept reply is paid by nobody, and a call that waits for a limit sets nothing aside meanwhile: what may have to be paid is written down when it goes. */
  async #generate(request: ModelRequest, options: GenerateOptions): Promise<ModelReply> {
    const [shop, run] = [this.#shop, this.#run];
    const { model } = this.#chosen;
    const asked = { model, request, purpose: this.#purpose };
    if (!isCapped(shop, run)) {
      const announce = async (): Promise<void> => void (this.#key = await announceCall(shop, run, this.#slot, asked));
      return this.#ask(model, request, { ...options, beforeSend: announce });
    }
    const limited = { ...request, maxTokens: reservationFor([shop.models.describe(model.id)], request).maxTokens };
    const reserve = async (): Promise<void> => {
      const held = await reserveCall(shop, run, this.#slot, this.#flight, asked);
      this.#key = held.key;
      if (held.model !== model) throw new Instead(held.model);
    };
    try {
      return await this.#ask(model, limited, { ...options, beforeSend: reserve });
    } catch (error) {
      if (error instanceof Instead) return this.#ask(error.model, limited, options);
      throw error;
    }
  }

  async #ask(model: Model, request: ModelRequest, options: GenerateOptions): Promise<ModelReply> {
    try {
      const { reply, isSettled } = await this.#call(model, request, options);
      this.#settle(isSettled);
      return reply;
    } catch (error) {
      if (!(error instanceof Instead)) this.#settle(this.#bills(error, model).every(({ bill }) => bill.billed !== 'uncertain'));
      throw error;
    }
  }

  /** What may be billed, and nobody knows how much, stays set aside. */
  #settle(isSure: boolean): void {
    const { loop } = this.#shop;
    const key = this.#key;
    if (key === undefined) return;
    if (isSure) loop.send(this.#run, { type: 'release', slot: this.#slot, key, now: loop.now() });
    else loop.send(this.#run, { type: 'doubt', key, now: loop.now() });
  }

  async #call(model: Model, request: ModelRequest, options: GenerateOptions): Promise<{ reply: ModelReply; isSettled: boolean }> {
    const startedAt = this.#shop.loop.now();
    try {
      const reply = await model.generate(request, {
        ...cacheUse(this.#run, this.#slot),
        ...options,
        ...patienceOf(this.#run, this.#slot, this.#flight),
        onWait: wait => this.#tellWait(wait),
        onToken: piece => {
          this.#goOn();
          options.onToken?.(piece);
        },
      });
      this.#goOn();
      this.#flight.answered = true;
      const id = reply.fallback?.id ?? model.id;
      const before = (reply.fallback?.tried ?? []).map(one => ({ ...one, bill: failedBill(one.failure, this.#shop.models.describe(one.id)) }));
      for (const one of before) this.#enterFailed(request, one.id, one.failure.code, one.bill, 0);
      const tried = before.map(({ id: other, failure }) => ({ id: other, code: failure.code, message: this.#shop.secrets.redactText(failure.message) }));
      this.#enter(request, saidIn(reply), {
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
      if (error instanceof Instead) throw error;
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

  #enter(request: ModelRequest, said: Json, told: Omit<CallRecord, 'purpose' | 'route'>): void {
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
      ...(told.replayed === true || told.model === asked.id ? {} : { asked: asked.id }),
      // A replay pays nothing: it neither repeats a call nor is repeated by one.
      ...(told.replayed === true ? {} : { request: requestKey(told.model, request).slice(0, HASH_LENGTH) }),
      ...(request.schema === undefined ? {} : { schema: sha256(canonicalJson(request.schema)).slice(0, HASH_LENGTH) }),
    };
    run.ledger.push({ ...record, run: run.id, path, attempt: this.#slot < 0 ? 0 : run.state.attempt[this.#slot]!, call: number, at: now });
    const call: CallRecord = { ...record, ...(route === undefined ? {} : { route: recordOf(route) }) };
    const refer = (value: Json): ReturnType<typeof values.refer> => values.refer(secrets.redact(value), run.blobs);
    loop.send(run, {
      type: 'called',
      slot: this.#slot,
      call,
      prompt: refer(withoutData(request.messages)),
      reply: refer(said),
      ...(this.#key === undefined ? {} : { key: this.#key }),
      now,
    });
  }

  /** Whom a call waits for, and until when, in the live view. */
  #tellWait({ who, why, untilMs }: { who: string; why: string; untilMs: number }): void {
    const ms = Math.max(0, untilMs - this.#shop.loop.now());
    if (this.#before === undefined) this.#before = this.#flight.progress;
    this.#flight.progress = { done: 0, total: null, text: `waits for ${who}: ${why}, ${Math.ceil(ms / 1000)} s at most` };
    // A time-out of the author's runs from admission; that of a question is for the model, which has not been asked.
    if (this.#purpose === 'auto') this.#flight.postpone(ms);
  }

  /** The wait is over. */
  #goOn(): void {
    if (this.#before === undefined) return;
    this.#flight.progress = this.#before;
    this.#before = undefined;
  }
}

/** What a reply said, for the journal. */
function saidIn({ text, toolCalls }: ModelReply): Json {
  return toolCalls === undefined ? text : ({ text, toolCalls } as unknown as Json);
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
