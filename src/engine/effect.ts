import type { Failure } from '../errors.ts';
import type { Json } from '../json.ts';
import type { CallIntent, CallRecord, Command, Observation, Ref, Refusal, Span } from './event.ts';

/** Where a task stands when it asks to go on: before anything of it, before a model is asked for a tag, before its effect. */
export type Stage = 'enter' | 'auto' | 'call';

/** A pure computation over the values of the run, done by the shell in the same turn. */
export type Site = 'condition' | 'loop' | 'while' | 'until' | 'parameters' | 'inputs' | 'fallback' | 'outputs';

/** What the shell must do. It is data: a debugger may hold it, a simulator may lose it, another host may run it elsewhere. */
export type Effect =
  | { type: 'offer'; slot: number; stage: Stage; index: number }
  | { type: 'evaluate'; slot: number; site: Site; index: number }
  | { type: 'ask'; slot: number; index: number }
  | { type: 'perform'; slot: number; attempt: number }
  | { type: 'abort'; slot: number }
  | { type: 'timer'; slot: number; until: number };

/** Caps of the configuration on one call, and on all calls of one task run. */
export interface CallLimits {
  callMicroUsd?: number;
  taskMicroUsd?: number;
}

/** What an effect, a person, a timer or a crash brought back. Every input carries its time: the engine reads no clock. */
export type Input = { now: number } & (
  | { type: 'start' }
  | { type: 'recovered'; epoch: number; owner: string; program: string }
  | { type: 'admitted'; slot: number; stage: Stage; index: number; effect: string }
  | ({ type: 'deferred'; slot: number; reason: 'rate_limit' | 'budget' } & Deferral)
  | { type: 'evaluated'; slot: number; site: Site; index: number; result: Evaluation }
  | { type: 'answered'; slot: number; index: number; answer: Answer }
  | { type: 'settled'; slot: number; attempt: number; outcome: Outcome }
  | { type: 'step'; slot: number; attempt: number; name: string; step: { started: { key: string; effect: string } } | { completed: Ref } }
  | { type: 'called'; slot: number; call: CallRecord; prompt: Ref; reply: Ref; key?: string }
  | { type: 'budget'; microUsd: number; by: string }
  | { type: 'reserve'; slot: number; key: string; microUsd: number; limits?: CallLimits; spans?: Span[]; asks?: CallIntent }
  | { type: 'refused'; slot: number; key: string; refusal: Refusal }
  | { type: 'release'; slot: number; key: string }
  | { type: 'doubt'; key: string }
  | { type: 'warned'; slot: number; scope: string; percent: number; settledMicroUsd: number; capMicroUsd: number }
  | { type: 'logged'; slot: number; level: 'debug' | 'info' | 'warn' | 'error'; text: string }
  | { type: 'due'; slot: number }
  | { type: 'expired' }
  | { type: 'pause'; reason: 'requested' | 'drain' | 'breakpoint' | 'budget' | 'needs_attention' }
  | { type: 'resume'; until: string | null }
  | { type: 'reopen'; by: string }
  | { type: 'override'; slot: number; path: string; value: Ref }
  | { type: 'command'; command: Command }
);

/** `value` is what the site gives: a boolean for conditions, `{ items, … }` for loops, parameters, inputs, outputs. Large ones are references already. */
export type Evaluation = { ok: true; value: Json; ref: Ref; observed?: Observation[] } | { ok: false; failure: Failure };

/** Until when a limit lets nothing go, and whose limit it is. */
export interface Deferral {
  until: number;
  for: string;
}

/** `held` where a budget was met that may be raised, `deferred` where a limit lets nothing go: the question, or the attempt, is as if it had not been. */
export type Answer =
  | { ok: true; value: Ref; source: 'model' | 'default' | 'pinned'; model: string | null; reason: string | null }
  | { ok: false; failure: Failure; held?: true; deferred?: Deferral };

export type Outcome = { ok: true; output: Ref; cached?: boolean; observed?: Observation[] } | { ok: false; failure: Failure; held?: true; deferred?: Deferral };
