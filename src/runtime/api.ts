import type { Json, JsonObject } from '../json.ts';
import type { RunDocument } from '../engine/document.ts';
import type { Command, Event, Reason, RunStatus, TaskStatus } from '../engine/event.ts';
import type { RunFilter, RunRow } from '../store/port.ts';
import type { Compiled } from './compile.ts';

/** How a run is started. */
export interface StartOptions {
  /** Makes the start repeatable: the same key with the same body is the same run (S1). */
  key?: string;
  user?: string;
  tags?: string[];
  /** Runs this task and what it needs, nothing else. */
  until?: string;
  /** Results to take instead of performing a task, by path. */
  mocks?: { [path: string]: Json };
  /** Root of relative paths; the current folder by default. */
  workspace?: string;
  trigger?: string;
  /** Answers to AUTO tags, by task path and target: these are not asked. */
  answers?: { [path: string]: { [target: string]: Json } };
  /** Refuses to ask a model for AUTO tags: takes `answers`, else those of `pipeline.auto.json` beside the file. */
  locked?: boolean;
  /** What the run may cost at most, in dollars; instead of what the pipeline and the configuration say. */
  budgetUsd?: number;
  /** A folder into which every exchange with models and tools is recorded, so that the run can be replayed from it. */
  record?: string;
  /** A folder with such a recording: models and tools are not asked, it answers in their place, for nothing (ORC-520 where it cannot). */
  replay?: string;
  /** False: no kept result and no kept reply is taken, and none is kept. */
  cache?: boolean;
  /** Cancels the run. */
  signal?: AbortSignal;
}

/** How a run is taken up again. */
export interface ResumeOptions {
  until?: string;
  /** What the run may cost at most from now on, in dollars, with what it has cost already. */
  budgetUsd?: number;
  /** False: from now on no kept result and no kept reply is taken. */
  cache?: boolean;
  /**
   * A file, or a compiled pipeline: goes on under it, in a new run that takes over every result whose task is defined there as it was. Refused where it would
   * do again what has completed (S11).
   */
  pipeline?: string | Compiled;
}

/** An event as it is told to the outside: with its sequence number and the path of its task. */
export type RunEvent = Event & { seq: number; run: string; path: string | null };

/** A run that this process drives. */
export interface RunHandle<Outputs = { [name: string]: Json }> {
  readonly id: string;
  /** The result document, once the run has ended, waits for the outside, or is paused. */
  result(): Promise<RunDocument<Outputs>>;
  /** Durable events from the first on; ends when the run does. */
  events(): AsyncIterable<RunEvent>;
  /** A cheap look at where it is, for live views. */
  view(): RunView;
  /** Starts nothing more and lets the running tasks finish; the run is then `paused`. */
  pause(reason?: Reason): Promise<void>;
  cancel(reason?: Reason): Promise<void>;
}

/** Counts and the tasks under way, kept current at no cost to the loop. */
export interface RunView {
  run: string;
  pipeline: string;
  status: RunStatus;
  reason: Reason | null;
  done: number;
  failed: number;
  total: number;
  startedAt: number | null;
  costMicroUsd: number;
  active: ActiveTask[];
}

export interface ActiveTask {
  path: string;
  action: string;
  status: TaskStatus;
  reason: Reason | null;
  since: number;
  until: number | null;
  /** Whose limit it waits for. */
  waitsFor: string | null;
  attempt: number;
  /** Loops: iterations done and known. */
  iterations: { done: number; total: number | null; failed: number } | null;
  progress: { done: number; total: number | null; text: string | null } | null;
  /** It has not begun: a model is asked the question of one of its AUTO tags. */
  asking: boolean;
  /** Tokens streamed so far. */
  tokens: number | null;
  /** The end of the line that a model is writing, without secrets. */
  writing: string | null;
}

export interface ForkOptions {
  /** A task path (keeps all but it and what depends on it) or a sequence number (keeps what had settled by then); all of it by default, under another pipeline. */
  at?: string | number;
  /** A file, or a compiled pipeline, that the new run holds: tasks whose definition is another there, and what depends on them, run again. */
  pipeline?: string | Compiled;
  /** Runs this task and what it needs, nothing else. */
  until?: string;
  /** `TASK.parameters.x`, `TASK.output.x`, `inputs.x` to values. */
  set?: { [path: string]: Json };
}

/** What the command line, the server and the library's door call. */
export interface Shell {
  start(file: string, inputs?: JsonObject, options?: StartOptions): Promise<RunHandle>;
  run(file: string, inputs?: JsonObject, options?: StartOptions): Promise<RunDocument>;
  /** Goes on with a run: waiting, paused, interrupted, or failed (then the same as retry). */
  resume(run: string, options?: ResumeOptions): Promise<RunHandle>;
  /** Reopens an ended run: failed, cancelled and skipped-for-them tasks run again. */
  retry(run: string): Promise<RunHandle>;
  fork(run: string, options: ForkOptions): Promise<RunHandle>;
  /** Puts a command before the owner of the run, or applies it here when nobody owns it. */
  command(run: string, command: Command): Promise<void>;
  show(run: string): Promise<RunDocument>;
  events(run: string, options?: { from?: number; follow?: boolean; signal?: AbortSignal }): AsyncIterable<RunEvent>;
  runs(filter?: RunFilter): Promise<RunRow[]>;
  /** Full id for `last`, `last-failed`, an id or a unique prefix. Throws ORC-506, ORC-516. */
  find(name: string): Promise<string>;
  close(): Promise<void>;
}
