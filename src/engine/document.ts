import type { Failure } from '../errors.ts';
import type { Json } from '../json.ts';
import type { OnExceed, Reason, RouteRecord, RunStatus, TaskStatus } from './event.ts';

/** One task run in the result document (CONTRACT.md section 4). */
export interface TaskDocument {
  id: string;
  action: string;
  status: TaskStatus;
  success: boolean;
  output: Json;
  error: { code: string; class: string; message: string; retryable: boolean; help: string[] } | null;
  attempts: number;
  recovered: boolean;
  timedOut: boolean;
  skippedBecause: string | null;
  reason: Reason | null;
  cached: boolean;
  dependencies: string[];
  startedAt: string | null;
  endedAt: string | null;
  durationMs: number | null;
  queuedMs: number | null;
  model: string | null;
  usage: { inputTokens: number; outputTokens: number };
  costUsd: number;
  /** Replies that came out of the response cache, and what they would have cost, as far as prices are known. */
  kept?: { calls: number; savedUsd: number };
  /** Whose limit it waits for, and until when. */
  waiting?: { for: string; until: string };
  /** How the model was chosen, where it was chosen by requirements. */
  route?: RouteRecord;
  /** Models that were asked before the one that answered, and why they did not. */
  tried?: { id: string; code: string; message: string }[];
}

/** What `run --json` and `show --json` print, and what the library gives back. */
export interface RunDocument<Outputs = { [name: string]: Json }> {
  v: 1;
  run: string;
  pipeline: { name: string; version: string; hash: string };
  status: RunStatus;
  reason: Reason | null;
  success: boolean;
  inputs: { [name: string]: Json };
  outputs: Outputs;
  tasks: { [path: string]: TaskDocument };
  /** Paths in the order in which the tasks settled. */
  order: string[];
  startedAt: string | null;
  endedAt: string | null;
  durationMs: number | null;
  costUsd: number;
  /** The cap of the run. `reservedUsd` is set aside for calls under way, and for those whose reply was lost. */
  budget?: { usd: number; onExceed: OnExceed; reservedUsd: number };
  /** When a run that is paused for the budget of a day goes on by itself, if a process drives it or takes it up. */
  pausedUntil?: string;
  error: (Pick<Failure, 'code' | 'class' | 'message' | 'help'> & { path: string | null }) | null;
  parent: { run: string; at: string } | null;
  /** AUTO answers, with where each came from, and why a default was taken. */
  autos: { path: string; target: string; value: Json; source: 'model' | 'default' | 'pinned'; model: string | null; reason: string | null }[];
  /** What a person should know though nothing failed: loops that were exhausted, conditions that could not be evaluated. */
  warnings: string[];
  next: string[];
}
