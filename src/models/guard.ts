import type { Clock } from '../clock.ts';
import { OrchestratorError, toFailure, type Failure } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { unreadable } from './abilities.ts';
import { isServiceFailure } from './breaker.ts';
import { failedBill } from './billing.ts';
import { isDeterministic, isSound, requestKey, vectorKey, type ResponseCache } from './cache.ts';
import { aborted } from './failures.ts';
import { fallbackChain, mayFallBack, type FallbackSettings } from './fallback.ts';
import { estimateTokens, type Entry, type Limit, type Limiter } from './limits.ts';
import type { EmbedOptions, EmbedReply, EmbedRequest, GenerateOptions, Model, ModelReply, ModelRequest } from './port.ts';
import { replyCost } from './prices.ts';
import { noteCall } from './profiler.ts';
import type { ModelState } from './state.ts';
import { alike, embedOf, fromKept, joinVectors, toKept } from './vectors.ts';

/** What stands around every call. */
export interface Guards {
  state: ModelState;
  limiter: Limiter;
  /** The limits of a model: its provider's first, its own last. */
  limitsOf(model: Model): Limit[];
  fallback: FallbackSettings;
  /** The bare model of an id. */
  find(id: string): Model;
  cache: { store: ResponseCache; ttlMs: number } | undefined;
  clock: Clock;
}

/** After this time a call under way counts as lost by other processes. */
const LEASE_MS = 15 * 60_000;

/**
 * A model whose calls go through cache, circuit breaker and limits, and to the next of the chain where it does not answer.
 * Nothing is tried twice on the same model: that is the engine's, which does it durably. The reply says who answered, and for how much.
 */
export function guardModel(model: Model, guards: Guards): Model {
  return {
    id: model.id,
    provider: model.provider,
    local: model.local,
    get contextWindow() {
      return model.contextWindow;
    },
    get price() {
      return model.price;
    },
    get abilities() {
      return model.abilities ?? {};
    },
    generate: (request, options) => generate(model, request, options, guards),
    ...(model.embed === undefined ? {} : { embed: (request, options) => embed(model, request, options, guards), embedsAtOnce: model.embedsAtOnce ?? 1 }),
    ...(model.probe === undefined ? {} : { probe: signal => probe(model, signal, guards) }),
  };
}

async function probe(model: Model, signal: AbortSignal, { state, clock }: Guards): Promise<void> {
  const startedAt = clock.monotonic();
  const outcome = (): { atMs: number; latencyMs: number; probe: true } => ({ atMs: clock.now(), latencyMs: clock.monotonic() - startedAt, probe: true });
  try {
    await model.probe!(signal);
    state.learn(model.id, outcome());
  } catch (error) {
    state.learn(model.id, { ...outcome(), error });
    throw error;
  }
}

async function generate(model: Model, request: ModelRequest, options: GenerateOptions, guards: Guards): Promise<ModelReply> {
  const { cache, fallback, find } = guards;
  const use = cache === undefined ? false : (options.cache ?? isDeterministic(request));
  const key = use === false ? '' : requestKey(model.id, request);
  const isFit = (reply: ModelReply): boolean => isSound(reply, request, options.fits);
  const kept = use === true ? await cache!.store.get(key) : undefined;
  if (kept !== undefined && isFit(kept)) {
    if (options.signal.aborted) throw aborted(options.signal);
    options.onToken?.(kept.text);
    return { ...kept, cached: true, costMicroUsd: 0 };
  }
  const tried: { id: string; failure: Failure }[] = [];
  // Whoever of the chain is asked first: what may have to be paid for all of it is written down once.
  const how = options.beforeSend === undefined ? options : { ...options, beforeSend: once(options.beforeSend) };
  // The prices of others are looked up only when one of them is needed.
  let chain = [model.id];
  for (let at = 0; at < chain.length; at++) {
    const id = chain[at]!;
    try {
      const one = id === model.id ? model : find(id);
      const thought = estimateTokens(request);
      const reply = await callOnce(one, thought.input + thought.output, how, guards, () => one.generate(request, options));
      const told: ModelReply = id === model.id ? reply : { ...reply, fallback: { id, tried } };
      // Who falls back today may have its own model again tomorrow.
      if (use !== false && id === model.id && isFit(told)) cache!.store.set(key, told, cache!.ttlMs);
      return told;
    } catch (error) {
      if (at === 0 && mayFallBack(error) && fallback.models.length > 0) chain = chainFor(model, request, guards);
      tried.push({ id, failure: toFailure(error) });
      if (!mayFallBack(error) || at === chain.length - 1) throw withTried(error, tried, guards);
    }
  }
  throw new OrchestratorError('ORC-700', 'a chain of models was empty');
}

/** Who may answer: those of the chain that can read what the request holds. */
function chainFor(model: Model, request: ModelRequest, { fallback, find }: Guards): string[] {
  const { chain } = fallbackChain(model, fallback, find);
  return chain.filter(id => id === model.id || unreadable(find(id).abilities ?? {}, request) === undefined);
}

/** Makes vectors of those texts that the cache has none for. Another model's vectors would mean something else, so nobody takes over. */
async function embed(model: Model, { texts }: EmbedRequest, options: EmbedOptions, guards: Guards): Promise<EmbedReply> {
  const keeps = guards.cache !== undefined && options.cache !== false ? guards.cache : undefined;
  const keys = keeps === undefined ? [] : texts.map(text => vectorKey(model.id, text));
  const kept = options.cache === 'refresh' ? [] : alike(await Promise.all(keys.map(async key => fromKept(await keeps!.store.get(key)))));
  const missing = [...new Set(texts.filter((_, at) => kept[at] === undefined))];
  if (missing.length === 0) {
    if (options.signal.aborted) throw aborted(options.signal);
    return joinVectors(texts, kept, undefined);
  }
  const tokens = estimateTokens({ messages: missing.map(content => ({ role: 'user', content })), maxTokens: 0 }).input;
  const reply = await callOnce(model, tokens, options, guards, () => embedOf(model)({ texts: missing }, options));
  if (keeps !== undefined) for (const [at, text] of missing.entries()) keeps.store.set(vectorKey(model.id, text), toKept(reply, missing, at), keeps.ttlMs);
  return joinVectors(texts, kept, { reply, texts: missing });
}

/** The last failure, with those before it, so that each can be told and none is paid for in silence. */
function withTried(error: unknown, tried: { id: string; failure: Failure }[], { find }: Guards): unknown {
  if (!(error instanceof OrchestratorError) || tried.length < 2) return error;
  const { retryable, help, retryAfterMs } = error;
  const told = tried.map(({ id, failure }) => {
    const { code, class: kind, message } = failure;
    return { id, code, class: kind, message, ...failedBill(failure, find(id)) } as unknown as JsonObject;
  });
  const before = tried.slice(0, -1).map(({ failure }) => failure.message);
  return new OrchestratorError(error.code, `${error.message}; before it, ${before.join('; ')}`, {
    class: error.class,
    retryable: retryable || tried.some(({ failure }) => failure.retryable),
    help,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    details: { ...error.details, tried: told },
    cause: error,
  });
}

type AnyReply = Pick<ModelReply, 'usage' | 'usageUnknown' | 'latencyMs' | 'rates' | 'costMicroUsd'> & { firstTokenMs?: number | undefined };

async function callOnce<R extends AnyReply>(
  model: Model,
  tokens: number,
  { signal, onWait, beforeSend, patienceMs }: EmbedOptions,
  { state, limiter, limitsOf, clock }: Guards,
  perform: () => Promise<R>,
): Promise<R> {
  state.enter(model.id);
  let entry: Entry;
  try {
    const asked = { tokens, leaseMs: LEASE_MS, signal, patienceMs, ...(onWait === undefined ? {} : { onWait }) };
    entry = await limiter.enter(limitsOf(model), asked);
  } catch (error) {
    state.settle(model.id, 'unsaid');
    throw unasked(error);
  }
  try {
    await beforeSend?.();
  } catch (error) {
    state.settle(model.id, 'unsaid');
    await limiter.leave(entry, { usedTokens: 0 });
    throw unasked(error);
  }
  const startedAt = clock.monotonic();
  try {
    const reply = await perform();
    state.settle(model.id, 'well');
    const { usage, usageUnknown, latencyMs, firstTokenMs, rates } = reply;
    const used = usageUnknown === true ? {} : { usedTokens: usage.inputTokens + usage.outputTokens };
    await limiter.leave(entry, { ...used, ...(rates === undefined ? {} : { rates }) });
    const sample = { latencyMs, firstTokenMs, outputTokens: usage.outputTokens };
    state.learn(model.id, { atMs: clock.now(), ...sample });
    const costMicroUsd = replyCost(model, reply);
    noteCall({ model: model.id, ok: true, ...sample, costMicroUsd });
    return costMicroUsd === undefined ? reply : { ...reply, costMicroUsd };
  } catch (error) {
    const latencyMs = clock.monotonic() - startedAt;
    state.settle(model.id, isServiceFailure(error) ? 'badly' : 'unsaid');
    await limiter.leave(entry, { retryAfterMs: error instanceof OrchestratorError ? error.retryAfterMs : undefined });
    state.learn(model.id, { atMs: clock.now(), latencyMs, error });
    noteCall({ model: model.id, ok: false, latencyMs });
    throw error;
  }
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}

/** The same failure, of a call that was given up before it was made. */
function unasked(error: unknown): unknown {
  if (!(error instanceof OrchestratorError)) return error;
  const { code, message, class: kind, retryable, retryAfterMs, help, details } = error;
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  return new OrchestratorError(code, message, { class: kind, retryable, help, ...wait, details: { ...details, asked: false }, cause: error });
}
