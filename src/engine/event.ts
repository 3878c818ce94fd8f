import type { Failure } from '../errors.ts';
import type { Json } from '../json.ts';

/** A value by reference: small ones stand inline, large ones are blobs named by the SHA-256 of their JSON text. */
export type Ref = { v: Json } | { b: string; n: number };

export type RunStatus = 'pending' | 'running' | 'waiting' | 'paused' | 'cancelling' | 'completed' | 'failed' | 'cancelled';
export type TaskStatus = 'pending' | 'scheduled' | 'running' | 'waiting' | 'completed' | 'failed' | 'skipped' | 'cancelled';

/** Why a run or task is where it is (CONTRACT.md section 4). */
export type Reason =
  | 'upstream_failed'
  | 'condition_false'
  | 'condition_error'
  | 'run_failed'
  | 'routed'
  | 'approval'
  | 'signal'
  | 'timer'
  | 'backoff'
  | 'rate_limit'
  | 'budget'
  | 'breakpoint'
  | 'drain'
  | 'timed_out'
  | 'crashed'
  | 'needs_attention'
  | 'requested'
  | 'until';

/** What an expression learnt from the world (`now()`, `file_exists()`), so that replay sees the same. */
export type Observation = { call: string; argument: string | null; value: Json };

/** How a model was chosen by requirements: its score, and who was not taken, with the reason. */
export interface RouteRecord {
  strategy: string;
  score: number;
  /** What was let go, where nobody met all requirements. */
  relaxed: string[];
  rejected: { id: string; reason: string }[];
}

/** One model call, as the ledger keeps it. What may be absent is absent in journals of before it was kept. */
export interface CallRecord {
  purpose: string;
  /** Id of the model that answered. */
  model: string;
  inputTokens: number;
  outputTokens: number;
  /** Null where nobody knows. */
  costMicroUsd: number | null;
  latencyMs: number;
  /** Id of the model that was to answer, where another one did. */
  asked?: string;
  /** What its provider calls it, where that is another name. */
  answered?: string;
  /** Part of the input that the service had kept from an earlier call. */
  cachedInputTokens?: number;
  /** Part of the output that was thinking. */
  reasoningTokens?: number;
  firstTokenMs?: number;
  /** Why it stopped: `stop`, `length` or another word of the model port. */
  finish?: string;
  /** Present where the model was chosen by requirements. */
  route?: RouteRecord;
  /** Models that were asked before this one, and why they did not answer. */
  tried?: { id: string; code: string; message: string }[];
  /** It came out of the response cache. */
  cached?: true;
  /** What it would have cost, had it not come out of the cache. */
  savedMicroUsd?: number;
  /** Code of the failure, where the call gave nothing that can be used. */
  failed?: string;
  /** Its reply was lost, so that nobody knows whether it is billed; its cost is null. */
  uncertain?: true;
  /** The most that an uncertain call can be billed; absent where no price is known. */
  worstMicroUsd?: number;
  /** Hash of all that was asked: two calls with the same one could share an answer. */
  request?: string;
  /** Hash of the schema that the answer was to fit. */
  schema?: string;
  /** The answer did not fit it. */
  unmet?: true;
  /** A cassette answered: nobody was asked, and nothing was paid. */
  replayed?: true;
}

/** The folder into which a run records what it exchanges with the world, or out of which a replay is answered. */
export interface CassetteUse {
  mode: 'record' | 'replay';
  folder: string;
}

/** Which call is about to be made, and what it can cost at most: null where no price is known. */
export interface CallIntent {
  model: string;
  purpose: string;
  worstMicroUsd: number | null;
}

/** What happens where the next call could cost more than a budget has left. */
export type OnExceed = 'pause' | 'fail' | 'fallback-model';

/** A cap on what several runs cost together: on which day (UTC) it counts, and what it is. */
export interface Span {
  /** `day`, `pipeline:NAME` or `user:NAME`. */
  scope: string;
  day: string;
  capMicroUsd: number;
}

/** A cap under which the worst case of a call had no room. */
export interface Refusal {
  /** `call`, `task`, `run`, or that of a cap over several runs. */
  scope: string;
  microUsd: number;
  capMicroUsd: number;
  leftMicroUsd: number;
  /** When the cap begins anew; null for those that never do. */
  until: number | null;
}

/** Answers to AUTO tags that stand from the start, by task path and target; a locked run asks for no others. */
export interface Pins {
  locked: boolean;
  answers: { [path: string]: { [target: string]: Json } };
}

/**
 * A fact of a run. Slots are the numbers of task runs: the root scope has 0 … n-1, each scope that opens gets the next block of numbers.
 * Decisions are events too, so that an old journal folds the same under a newer program. Times are ms since 1970.
 */
export type Event =
  | {
      type: 'run.created';
      at: number;
      plan: string;
      inputs: Ref;
      workspace: string;
      program: string;
      trigger: string;
      user: string | null;
      tags: string[];
      key: string | null;
      parent: { run: string; at: string } | null;
      until: string | null;
      mocks: { [path: string]: Json } | null;
      pins?: Pins;
      uncached?: true;
      cassette?: CassetteUse;
    }
  | { type: 'run.acquired'; at: number; epoch: number; owner: string; program: string; again: number[]; doubt: number[] }
  | { type: 'run.started'; at: number }
  | { type: 'run.paused'; at: number; reason: Reason; until?: number }
  | { type: 'run.resumed'; at: number; until: string | null }
  | { type: 'run.reopened'; at: number; by: string }
  | { type: 'run.cancelling'; at: number; by: string; reason: Reason }
  | { type: 'run.ended'; at: number; status: 'completed' | 'failed' | 'cancelled'; reason: Reason | null; failure: Failure | null; outputs: Ref | null }
  | { type: 'scope.opened'; at: number; owner: number; block: number; index: number; inputs: Ref | null }
  | { type: 'loop.started'; at: number; slot: number; items: Ref | null; count: number; parallel: number; limit: number; observed?: Observation[] }
  | { type: 'condition.evaluated'; at: number; slot: number; site: 'condition' | 'while' | 'until'; index: number; value: boolean; observed?: Observation[] }
  | { type: 'task.scheduled'; at: number; slot: number }
  | { type: 'task.skipped'; at: number; slot: number; reason: Reason; because: string | null; failure?: Failure }
  | { type: 'task.cancelled'; at: number; slot: number; reason: Reason }
  | { type: 'task.completed'; at: number; slot: number; output: Ref | null; recovered?: true; cached?: true; exhausted?: true; observed?: Observation[] }
  | { type: 'task.failed'; at: number; slot: number; failure: Failure }
  | { type: 'task.reset'; at: number; slot: number }
  | { type: 'task.adopted'; at: number; slot: number; status: 'completed' | 'skipped'; output: Ref | null; recovered: boolean; from: string }
  | { type: 'task.logged'; at: number; slot: number; level: 'debug' | 'info' | 'warn' | 'error'; text: string }
  | { type: 'attempt.started'; at: number; slot: number; attempt: number; effect: string }
  | { type: 'attempt.failed'; at: number; slot: number; attempt: number; failure: Failure; retryAt: number | null; handler?: number }
  | { type: 'attempt.deferred'; at: number; slot: number; until: number; reason: Reason; for?: string }
  | { type: 'attempt.held'; at: number; slot: number; attempt: number; reason: Reason }
  | { type: 'attempt.doubtful'; at: number; slot: number; attempt: number }
  | { type: 'step.started'; at: number; slot: number; name: string; key: string; effect: string }
  | { type: 'step.completed'; at: number; slot: number; name: string; output: Ref }
  | { type: 'model.called'; at: number; slot: number; call: CallRecord; prompt: Ref; reply: Ref; key?: string }
  | { type: 'budget.set'; at: number; microUsd: number; onExceed: OnExceed; by: string }
  | { type: 'budget.reserved'; at: number; slot: number; key: string; microUsd: number; spans?: Span[]; asks?: CallIntent }
  | { type: 'budget.refused'; at: number; slot: number; key: string; refusal: Refusal }
  | { type: 'budget.released'; at: number; slot: number; key: string }
  | { type: 'budget.doubted'; at: number; keys: string[] }
  | { type: 'budget.warned'; at: number; slot: number; scope: string; percent: number; settledMicroUsd: number; capMicroUsd: number }
  | {
      type: 'auto.resolved';
      at: number;
      slot: number;
      index: number;
      value: Ref;
      source: 'model' | 'default' | 'pinned';
      model: string | null;
      reason: string | null;
    }
  | { type: 'timer.set'; at: number; slot: number; until: number; kind: 'sleep' | 'timeout' }
  | { type: 'timer.fired'; at: number; slot: number }
  | { type: 'approval.requested'; at: number; slot: number; prompt: string; choices: string[]; until: number | null; onTimeout: string | null }
  | { type: 'approval.given'; at: number; slot: number; choice: string; by: string; comment: string | null }
  | { type: 'signal.awaited'; at: number; slot: number; name: string; until: number | null; onTimeout: string | null }
  | { type: 'signal.received'; at: number; name: string; payload: Ref }
  | { type: 'value.overridden'; at: number; slot: number; path: string; value: Ref };

export type EventType = Event['type'];

/** A request of another process, or of this one, to a run that is under way; delivered through the store's inbox. */
export type Command =
  | { type: 'cancel'; by: string }
  | { type: 'pause'; by: string }
  | { type: 'resume'; by: string }
  | { type: 'budget'; microUsd: number; by: string }
  | { type: 'approve'; task: string; choice: string; by: string; comment: string | null }
  | { type: 'signal'; name: string; payload: Json; by: string }
  | { type: 'settle'; task: string; as: 'retry' | 'skip' | 'fail' | 'completed'; value: Json; by: string };
