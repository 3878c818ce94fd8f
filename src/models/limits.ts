import { systemClock, type Clock } from '../clock.ts';
import { formatDuration } from '../duration.ts';
import { OrchestratorError, type Failure } from '../errors.ts';
import { isObject, type JsonObject } from '../json.ts';
import { aborted, unlessAborted } from './failures.ts';
import { attachmentsOf, bytesOf, textsOf, type Attachment } from './content.ts';
import type { ModelRequest, RateWindow } from './port.ts';
import type { LimitSettings } from './settings.ts';

/** A limit and whose it is: a model's id, or the name of a provider. */
export interface Limit extends LimitSettings {
  key: string;
}

/** What is left of a limit, as plain data: kept where all processes see it. */
export interface LimitState {
  /** What may go at once; below zero is what is owed. Undefined: the limit was not used yet. */
  requests?: number;
  tokens?: number;
  /** Clock time of the levels above. */
  atMs: number;
  /** Nobody goes before, because the service asked to be left alone. */
  blockedUntilMs: number;
  /** Those who went away to come back later were told times up to this one. */
  promisedMs?: number;
  /** Calls under way, by name, and when each counts as lost. */
  leases: { [lease: string]: number };
}

/** One call that wants to go. */
export interface LimitAsk {
  lease: string;
  /** Tokens that it will take, as far as can be told. */
  tokens: number;
  nowMs: number;
  /** After this time the call counts as lost, and its place is free again. */
  leaseMs: number;
}

/** Who holds a call back, why, and until when. */
export interface Wait {
  who: string;
  why: 'requests' | 'tokens' | 'concurrency' | 'asked_to_wait';
  untilMs: number;
}

const MINUTE_MS = 60_000;
/** Part of a minute's worth that may go at once. */
const BURST = 0.1;
/** How often to look again for a place that another process holds. */
const LOOK_AGAIN_MS = 250;
/** No service is believed that wants to be left alone for longer. */
const BLOCK_MAX_MS = 24 * 3_600_000;

interface Bucket {
  capacity: number;
  /** Refill a millisecond. */
  rate: number;
}

/** A bucket from which no more than `perMinute` can be taken within any minute, also with a burst at its beginning. */
function bucketOf(perMinute: number): Bucket {
  const capacity = Math.max(1, Math.floor(perMinute * BURST));
  return { capacity, rate: Math.max(perMinute - capacity + 1, perMinute / 2) / MINUTE_MS };
}

function withoutLost(leases: LimitState['leases'], nowMs: number): LimitState['leases'] {
  // Without a prototype an object is a plain table from the start; else each new name of a lease would make a new shape.
  const kept = Object.create(null) as LimitState['leases'];
  for (const lease in leases) if (leases[lease]! > nowMs) kept[lease] = leases[lease]!;
  return kept;
}

/** The state with its buckets filled up to now and its lost leases gone. */
function refresh(state: LimitState | undefined, limit: Limit, nowMs: number): LimitState {
  // A clock that was set back gives nothing and takes nothing.
  const passed = state === undefined ? 0 : Math.max(0, nowMs - state.atMs);
  const level = (before: number | undefined, perMinute: number | undefined): number | undefined => {
    if (perMinute === undefined) return undefined;
    const { capacity, rate } = bucketOf(perMinute);
    return Math.min(capacity, (before ?? capacity) + passed * rate);
  };
  const requests = level(state?.requests, limit.requestsPerMinute);
  const tokens = level(state?.tokens, limit.tokensPerMinute);
  const isCounted = requests !== undefined || tokens !== undefined;
  return {
    ...(requests === undefined ? {} : { requests }),
    ...(tokens === undefined ? {} : { tokens }),
    // Where nothing is counted nothing changes with time, and so nothing need be written.
    atMs: isCounted ? nowMs : (state?.atMs ?? nowMs),
    blockedUntilMs: state?.blockedUntilMs ?? 0,
    ...(state?.promisedMs === undefined ? {} : { promisedMs: state.promisedMs }),
    leases: withoutLost(state?.leases ?? {}, nowMs),
  };
}

/** What holds a call back at one limit; undefined where nothing does. */
function holdBack(limit: Limit, state: LimitState, { tokens, nowMs }: LimitAsk): Wait | undefined {
  const wait = (why: Wait['why'], untilMs: number): Wait => ({ who: limit.key, why, untilMs: Math.ceil(untilMs) });
  if (state.blockedUntilMs > nowMs) return wait('asked_to_wait', state.blockedUntilMs);
  if (state.requests !== undefined && state.requests < 1) {
    return wait('requests', nowMs + (1 - state.requests) / bucketOf(limit.requestsPerMinute!).rate);
  }
  if (state.tokens !== undefined) {
    const { capacity, rate } = bucketOf(limit.tokensPerMinute!);
    // What is larger than the whole bucket goes when the bucket is full, and is owed.
    const needed = Math.min(tokens, capacity);
    if (state.tokens < needed) return wait('tokens', nowMs + (needed - state.tokens) / rate);
  }
  if (limit.concurrency !== undefined && Object.keys(state.leases).length >= limit.concurrency) return wait('concurrency', nowMs + LOOK_AGAIN_MS);
  return undefined;
}

/** Lets a call through all of its limits at once, or through none: the states that this makes, and what holds it back longest. */
export function admitAt(limits: Limit[], before: (LimitState | undefined)[], ask: LimitAsk): { states: LimitState[]; wait: Wait | undefined } {
  const states = limits.map((limit, index) => refresh(before[index], limit, ask.nowMs));
  const waits = limits.flatMap((limit, index) => holdBack(limit, states[index]!, ask) ?? []);
  const wait = waits.sort((a, b) => b.untilMs - a.untilMs)[0];
  if (wait !== undefined) return { states, wait };
  for (const [index, state] of states.entries()) {
    if (state.requests !== undefined) state.requests -= 1;
    if (state.tokens !== undefined) state.tokens -= ask.tokens;
    if (limits[index]!.concurrency !== undefined) state.leases[ask.lease] = ask.nowMs + ask.leaseMs;
  }
  return { states, wait: undefined };
}

/** Nobody is sent away for so much longer than its limit holds it back: a place may come free before. */
const QUEUE_MAX_MS = 60_000;

/**
 * When one who goes away is to come back: behind all who were told a time before, at the pace of the limit, so that they do not all come at once.
 * `chance` in [0, 1) spreads those who have no pace, or no more room in the queue.
 */
export function promiseAt(
  limits: Limit[],
  before: (LimitState | undefined)[],
  wait: Wait,
  ask: Pick<LimitAsk, 'tokens' | 'nowMs'>,
  chance: number,
): { states: LimitState[]; untilMs: number } {
  const states = limits.map((limit, index) => refresh(before[index], limit, ask.nowMs));
  const index = limits.findIndex(({ key }) => key === wait.who);
  const paceMs = paceOf(limits[index]!, ask.tokens);
  const free = Math.max(wait.untilMs, (states[index]!.promisedMs ?? 0) + paceMs);
  const last = wait.untilMs + Math.max(QUEUE_MAX_MS, paceMs);
  if (paceMs > 0 && free <= last) {
    states[index]!.promisedMs = free;
    return { states, untilMs: Math.ceil(free) };
  }
  const spreadMs = paceMs > 0 ? QUEUE_MAX_MS : Math.min(QUEUE_MAX_MS, (wait.untilMs - ask.nowMs) / 10);
  return { states, untilMs: Math.ceil(wait.untilMs + spreadMs * (paceMs > 0 ? (1 + chance) / 2 : chance)) };
}

/** Time between two calls that a limit lets go, once its burst is used up. */
function paceOf({ requestsPerMinute, tokensPerMinute }: Limit, tokens: number): number {
  const each = requestsPerMinute === undefined ? 0 : 1 / bucketOf(requestsPerMinute).rate;
  return tokensPerMinute === undefined ? each : Math.max(each, tokens / bucketOf(tokensPerMinute).rate);
}

/** What became known when a call ended. */
export interface LimitNews {
  lease: string;
  nowMs: number;
  /** Tokens used beyond (or, negative, below) what was thought. */
  moreTokens?: number;
  rates?: RateWindow[];
  retryAfterMs?: number | undefined;
}

/** The state of a limit after a call. What the service itself says of its limits is believed where it is less than what we thought. */
export function settleAt(limit: Limit, before: LimitState | undefined, news: LimitNews): LimitState {
  const state = refresh(before, limit, news.nowMs);
  delete state.leases[news.lease];
  if (state.tokens !== undefined) state.tokens -= news.moreTokens ?? 0;
  const block = (untilMs: number): void => {
    state.blockedUntilMs = Math.max(state.blockedUntilMs, Math.min(untilMs, news.nowMs + BLOCK_MAX_MS));
  };
  if (news.retryAfterMs !== undefined) block(news.nowMs + news.retryAfterMs);
  for (const { of, remaining, resetAtMs } of news.rates ?? []) {
    if (remaining === undefined) continue;
    if (remaining === 0 && resetAtMs !== undefined) block(resetAtMs);
    const level = state[of];
    if (level !== undefined) state[of] = Math.min(level, remaining);
  }
  return state;
}

/** Where the states of limits are kept. `change` is one atomic step over all of its keys, also against other processes. */
export interface LimitStore {
  change<T>(keys: string[], work: (states: (LimitState | undefined)[]) => { states: LimitState[]; result: T }): T | Promise<T>;
  /** Begins the names of this process's leases, so that others can tell whose they are. */
  owner?: string;
  /** Frees the places of calls whose process has died; true where there were some. */
  sweep?(keys: string[]): Promise<boolean>;
}

/** States in this process. */
export function memoryLimits(kept: { [key: string]: LimitState } = {}): LimitStore & { toJSON(): { [key: string]: LimitState } } {
  const all = new Map(Object.entries(kept));
  return {
    change(keys, work) {
      const { states, result } = work(keys.map(key => all.get(key)));
      for (const [index, key] of keys.entries()) all.set(key, states[index]!);
      return result;
    },
    toJSON: () => Object.fromEntries(all),
  };
}

/** A call that went. */
export interface Entry {
  lease: string;
  limits: Limit[];
  tokens: number;
}

export interface LimiterOptions {
  store?: LimitStore;
  clock?: Clock;
  /** Names leases; no two processes may make the same. */
  newLease: () => string;
}

export interface EnterOptions {
  tokens: number;
  leaseMs: number;
  signal: AbortSignal;
  onWait?: (wait: Wait) => void;
  /** Waits no longer than this, but rejects with the time at which to come back; any time when absent. */
  patienceMs?: number | undefined;
}

/** Holds calls back until their limits let them go, first come, first served within a process. */
export class Limiter {
  readonly #store: LimitStore;
  readonly #clock: Clock;
  readonly #newLease: () => string;
  /** The end of the queue of each model: whoever comes waits for the one before. */
  readonly #queues = new Map<string, Promise<void>>();
  readonly #sleepers = new Set<() => void>();
  #sweptAtMs = 0;

  constructor({ store = memoryLimits(), clock = systemClock, newLease }: LimiterOptions) {
    this.#store = store;
    this.#clock = clock;
    this.#newLease = newLease;
  }

  /** Goes at once, or tells what holds it back. For those who wait in their own way: a durable engine. */
  async tryEnter(limits: Limit[], { tokens, leaseMs }: Pick<EnterOptions, 'tokens' | 'leaseMs'>): Promise<Entry | Wait> {
    const { owner } = this.#store;
    const lease = owner === undefined ? this.#newLease() : `${owner}/${this.#newLease()}`;
    const keys = limits.map(({ key }) => key);
    const attempt = (): Wait | undefined | Promise<Wait | undefined> =>
      this.#store.change(keys, before => {
        const { states, wait } = admitAt(limits, before, { lease, tokens, nowMs: this.#clock.now(), leaseMs });
        return { states, result: wait };
      });
    let wait = await attempt();
    if (wait?.why === 'concurrency' && (await this.#sweep(keys))) wait = await attempt();
    return wait ?? { lease, limits, tokens };
  }

  /** A process that died gives nothing back by itself; whether one has is looked for no more often than others look for a place. */
  async #sweep(keys: string[]): Promise<boolean> {
    const now = this.#clock.monotonic();
    if (this.#store.sweep === undefined || now - this.#sweptAtMs < LOOK_AGAIN_MS) return false;
    this.#sweptAtMs = now;
    return this.#store.sweep(keys);
  }

  /** One who would rather come back than wait is told when. */
  async #sentAway(limits: Limit[], wait: Wait, { tokens }: EnterOptions): Promise<OrchestratorError> {
    const nowMs = this.#clock.now();
    const untilMs = await this.#store.change(
      limits.map(({ key }) => key),
      before => {
        const { states, untilMs: promised } = promiseAt(limits, before, wait, { tokens, nowMs }, Math.random());
        return { states, result: promised };
      },
    );
    return heldBack({ ...wait, untilMs }, nowMs);
  }

  /** Goes when its turn has come; rejects with the signal's reason when that is aborted before, and with ORC-601 where that would take longer than its patience. */
  async enter(limits: Limit[], options: EnterOptions): Promise<Entry> {
    const { signal, patienceMs = Infinity } = options;
    const deadline = this.#clock.now() + patienceMs;
    const queue = limits.at(-1)?.key ?? '';
    const before = this.#queues.get(queue) ?? Promise.resolve();
    const turn = Promise.withResolvers<void>();
    this.#queues.set(queue, turn.promise);
    try {
      let isItsTurn = await patiently(unlessAborted(before, signal), patienceMs);
      for (;;) {
        if (signal.aborted) throw aborted(signal);
        const entry = await this.tryEnter(limits, options);
        if ('lease' in entry) return entry;
        // When a place that another holds comes free nobody can say, so that is waited for.
        if (entry.why !== 'concurrency' && entry.untilMs > deadline) throw await this.#sentAway(limits, entry, options);
        options.onWait?.(entry);
        if (isItsTurn) await this.#sleep(entry.untilMs - this.#clock.now(), signal);
        else isItsTurn = await unlessAborted(before, signal).then(() => true);
      }
    } finally {
      // Who gives up hands on the turn that it would have had, and no earlier one.
      void before.then(() => {
        turn.resolve();
        if (this.#queues.get(queue) === turn.promise) this.#queues.delete(queue);
      });
    }
  }

  /** Gives the place back and takes in what the call taught. What a service says of its limits it says of the model, the last of the limits. */
  async leave(entry: Entry, news: { usedTokens?: number; rates?: RateWindow[]; retryAfterMs?: number | undefined }): Promise<void> {
    const { usedTokens, rates, retryAfterMs } = news;
    const used: LimitNews = { lease: entry.lease, nowMs: this.#clock.now(), moreTokens: usedTokens === undefined ? 0 : usedTokens - entry.tokens };
    const told: LimitNews = { ...used, ...(rates === undefined ? {} : { rates }), retryAfterMs };
    const last = entry.limits.length - 1;
    await this.#store.change(
      entry.limits.map(({ key }) => key),
      before => ({ states: entry.limits.map((limit, index) => settleAt(limit, before[index], index === last ? told : used)), result: undefined }),
    );
    for (const wake of this.#sleepers) wake();
  }

  /** Sleeps until the time has passed, a place became free in this process, or the signal is aborted. */
  #sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.max(1, Math.min(ms, 2 ** 31 - 1)));
      this.#sleepers.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}

/** True when the turn came, false when the patience was over before. */
async function patiently(turn: Promise<unknown>, patienceMs: number): Promise<boolean> {
  if (patienceMs === Infinity) return turn.then(() => true);
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<boolean>(resolve => {
    timer = setTimeout(resolve, patienceMs, false);
  });
  try {
    return await Promise.race([turn.then(() => true), over]);
  } finally {
    clearTimeout(timer);
  }
}

/** A limit holds the call back for longer than the caller wants to wait here. Nothing was sent. */
function heldBack(wait: Wait, nowMs: number): OrchestratorError {
  const afterMs = Math.max(0, wait.untilMs - nowMs);
  return new OrchestratorError('ORC-601', `${wait.who} takes no call for ${formatDuration(afterMs)}: ${REASONS[wait.why]}`, {
    class: 'rate_limit',
    retryable: true,
    retryAfterMs: afterMs,
    details: { asked: false, wait: { ...wait } },
  });
}

/** In words, what holds a call back. */
export const REASONS: { [why in Wait['why']]: string } = {
  requests: 'its requests of this minute are used up',
  tokens: 'its tokens of this minute are used up',
  concurrency: 'all its places are taken',
  asked_to_wait: 'it asked to be left alone',
};

/** The wait for which a call was sent back with ORC-601; undefined where that failed for another reason. */
export function waitOf(failure: { code: Failure['code']; details?: JsonObject | undefined }): Wait | undefined {
  const wait = failure.details?.['wait'];
  return failure.code === 'ORC-601' && isObject(wait) ? (wait as unknown as Wait) : undefined;
}

/** Tokens of a request as far as it tells: four characters each of its text, what images and files take as a rule, and the whole of what it may answer. */
export function estimateTokens(request: Pick<ModelRequest, 'messages' | 'tools' | 'maxTokens'>): { input: number; output: number } {
  const characters = textsOf(request).reduce((sum, text) => sum + text.length, 0);
  const attached = attachmentsOf(request.messages).reduce((sum, part) => sum + attachmentTokens(part), 0);
  return { input: Math.ceil(characters / 4) + 8 * request.messages.length + attached, output: request.maxTokens ?? OUTPUT_TOKENS };
}

/** Services count an image by its size in pixels, most of them between 300 and 1,600 tokens; a file as its text, and a page of a PDF as an image beside it. */
function attachmentTokens(part: Attachment): number {
  return part.type === 'image' ? IMAGE_TOKENS : Math.min(Math.ceil(bytesOf(part) / 4), FILE_TOKENS_MAX);
}

const IMAGE_TOKENS = 1500;
const FILE_TOKENS_MAX = 100_000;
/** What is thought of an answer whose request names no limit. */
const OUTPUT_TOKENS = 512;
