import type { Json, JsonSchema } from '../json.ts';
import type { EffectClass } from '../tools/port.ts';

/** Where in the sources something stands: index of the file, line, column (from 1). */
export type Place = [file: number, line: number, column: number];

/**
 * A value of the plan, as plain data. `v` a literal; `e` a lone expression, whose value keeps its type (with `s`: is made a text, because the schema says string);
 * `t` a template, which renders to text; `a` the answer to AUTO tag number a of the task; `m` parts that are joined to a text; `l` a list; `o` an object.
 */
export type PlanValue =
  | { v: Json }
  | { e: string; at: Place; s?: 1 }
  | { t: string; at: Place }
  | { a: number; s?: 1 }
  | { m: PlanValue[] }
  | { l: PlanValue[] }
  | { o: [string, PlanValue][] };

export interface PlanAuto {
  /** Where its answer goes: `parameters.query`, `condition`, `for_each`. */
  target: string;
  question: PlanValue;
  /** What a valid answer is. */
  schema: JsonSchema;
  default?: Json;
  model?: string;
  cache: boolean;
  at: Place;
}

export interface PlanRetry {
  maxAttempts: number;
  initialBackoffMs: number;
  backoffFactor: number;
  maxBackoffMs: number;
  jitter: boolean;
  on: string[];
}

export interface PlanHandler {
  /** Block that holds the one task to run; undefined where only a value is given. */
  block?: number;
  fallback?: PlanValue;
  codes: string[];
  classes: string[];
  patterns: string[];
  retry: boolean;
  maxRetries: number;
}

export type PlanTaskKind = 'action' | 'sleep' | 'approval' | 'signal' | 'for_each' | 'while' | 'group' | 'pipeline';

export interface PlanTask {
  id: string;
  kind: PlanTaskKind;
  /** Canonical name of the action; for loops and groups `for_each`, `while`, `parallel`. */
  action: string;
  effect: EffectClass;
  parameters: PlanValue;
  condition?: PlanValue;
  /** Tasks of the same block that must have settled (indexes, ascending, no repeats). */
  needs: number[];
  /** Those of `needs` that only give the order (routing): their outcome does not matter. */
  order: number[];
  /** Declared and inferred data dependencies, as indexes, for people and documents. */
  dependencies: number[];
  /** True for a task that stands in the list only to be copied into the block of a handler: it never runs by itself. */
  handlerOnly?: true;
  onFailure: 'fail' | 'continue' | 'skip' | { route: number };
  onSuccess?: number;
  onFalse?: number;
  handlers: PlanHandler[];
  retry?: PlanRetry;
  timeoutMs?: number;
  /** Id of a model, or requirements. */
  model?: PlanValue;
  cache?: { key: PlanValue; ttlMs?: number };
  /** The file says that its models are asked each time, whatever replies are kept. */
  uncached?: true;
  onAmbiguous?: 'retry' | 'skip' | 'fail';
  /** Loops, groups and sub-pipelines: the block that they repeat or hold. */
  body?: number;
  source?: PlanValue;
  while?: PlanValue;
  until?: PlanValue;
  maxIterations?: PlanValue;
  maxParallel?: PlanValue;
  autos: PlanAuto[];
  at: Place;
  /** SHA-256 of the definition, first 16 hex digits: two tasks with the same one may adopt each other's results. */
  hash: string;
}

export interface PlanInput {
  name: string;
  schema: JsonSchema;
  type: string;
  required: boolean;
  default?: PlanValue;
  description?: string;
  /** Tags in the default, answered at the start of the run. */
  autos?: PlanAuto[];
  at: Place;
}

export interface Block {
  kind: 'root' | 'for_each' | 'while' | 'group' | 'handler' | 'pipeline';
  /** Block and task that own it; null for the root (and for the handlers of the pipeline itself). */
  owner: { block: number; task: number } | null;
  loopName?: string;
  /** True for a queue, whose body knows `queue_size`. */
  queue?: boolean;
  tasks: PlanTask[];
  /** Sub-pipelines: their own inputs, outputs and name. */
  inputs?: PlanInput[];
  outputs?: { name: string; value: PlanValue; at: Place }[];
  pipeline?: { id: string; name: string; version: string; description?: string };
}

/** An action as the plan was compiled against it. */
export interface PlanAction {
  effect: EffectClass;
  parameters: JsonSchema;
  result: JsonSchema;
  provider?: string;
  /** It asks a model. */
  model?: true;
}

/** A compiled pipeline: immutable, plain data, named by its hash; loads without YAML. */
export interface Plan {
  format: 1;
  /** SHA-256 of what the plan means: everything but `files` and the places in them, so that name, place and layout of a file do not count. */
  hash: string;
  pipeline: { id: string; name: string; version: string; description?: string };
  /** The pipeline file, what it includes and the sub-pipelines, with the text as compiled; index 0 is the pipeline itself. */
  files: { file: string; sha256: string; text: string }[];
  /** Contents of `{{ file('path') }}`, by path as written. */
  inclusions: { [path: string]: string };
  inputs: PlanInput[];
  outputs: { name: string; value: PlanValue; at: Place }[];
  blocks: Block[];
  /** Handlers of the pipeline itself, run once when it fails. */
  handlers: PlanHandler[];
  timeoutMs?: number;
  concurrency?: number;
  budget?: { usd: number; onExceed: 'pause' | 'fail' | 'fallback-model' };
  defaultModel?: PlanValue;
  /** The actions that it names: schemas as compiled against. */
  actions: { [name: string]: PlanAction };
  /** True where a task or a tag without default needs a model. */
  needsModel: boolean;
}
