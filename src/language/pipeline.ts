import type { Json, JsonObject, JsonSchema } from '../json.ts';
import type { Expr, Template } from './expression/ast.ts';
import type { Source, Span } from './source.ts';

/**
 * A pipeline as its file says, in the canonical spelling: what `parse` makes and `plan` reads. No later stage knows another spelling.
 * Spans are offsets in `source.text`, the file as written.
 */
export interface Pipeline {
  source: Source;
  span: Span;
  /** The folder of the file, in which `{{ file() }}` and sub-pipelines are looked for, as the caller named it. */
  id: string;
  name: string;
  version: string;
  description: string | undefined;
  inputs: InputSpec[];
  defaults: { model?: Value; timeoutMs?: number; retry?: Retry };
  budget: { usd: number; onExceed: 'pause' | 'fail' | 'fallback-model'; span: Span } | undefined;
  timeoutMs: number | undefined;
  concurrency: number | undefined;
  tasks: Task[];
  outputs: { name: string; span: Span; value: Value }[];
  onError: Handler[];
}

export type InputType = 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object' | 'file' | 'secret';

export interface InputSpec {
  name: string;
  span: Span;
  type: InputType;
  description: string | undefined;
  required: boolean;
  /** Undefined where the input is required. May hold an AUTO tag. */
  default: Value | undefined;
  /** type, minimum, maximum, enum (from `choices`), pattern, items, … as one schema. `file` and `secret` are strings here. */
  schema: JsonSchema;
}

/** What a task does: calls an action, repeats a body, or holds a group. */
export type TaskKind = 'action' | 'for_each' | 'while' | 'parallel';

export interface Task {
  /** The whole entry of the list. */
  span: Span;
  id: string;
  idSpan: Span;
  /** True where the file gives no id and `step_1`, `step_2`, … was taken. */
  idGenerated: boolean;
  name: string | undefined;
  description: string | undefined;
  kind: TaskKind;
  /** Canonical name of the action; present when kind is `action`. */
  action: { name: string; span: Span; prose?: string } | undefined;
  parameters: MapValue;
  dependencies: { id: string; span: Span }[];
  condition: Value | undefined;
  /** The source of a for_each. An expression (braces are optional), a list in the file, or an AUTO tag. */
  forEach: Value | undefined;
  /** Text conditions of a loop, as expressions. */
  while: Value | undefined;
  until: Value | undefined;
  maxIterations: Value | undefined;
  maxParallel: Value | undefined;
  loopName: string | undefined;
  /** True for `create_parallel_queue`: its body also knows `queue_size`. */
  queue: boolean;
  /** Body of a loop, members of a group; empty for an action. */
  tasks: Task[];
  onFailure: { policy: 'fail' | 'continue' | 'skip'; span?: Span } | { policy: 'route'; target: string; span: Span };
  onSuccess: { target: string; span: Span } | undefined;
  onFalse: { target: string; span: Span } | undefined;
  onError: Handler[];
  retry: Retry | undefined;
  timeoutMs: number | undefined;
  /** Id of a model, or requirements as a map; `none` where the author says that no model is needed. */
  model: Value | undefined;
  cache: false | { key: Value | undefined; ttlMs: number | undefined } | undefined;
  onAmbiguous: 'retry' | 'skip' | 'fail' | undefined;
  /** Declared fields of the result (`outputs:` of a task): name to JSON Schema. */
  outputs: JsonObject | undefined;
}

export interface Retry {
  maxAttempts: number;
  initialBackoffMs: number;
  backoffFactor: number;
  maxBackoffMs: number;
  jitter: boolean;
  /** Error classes that are tried again; empty: every retryable one. */
  on: string[];
}

export interface Handler {
  span: Span;
  /** What runs: an action with parameters, a copy of a task of the same list, or nothing but a value. */
  run:
    | { kind: 'action'; action: { name: string; span: Span; prose?: string }; parameters: MapValue }
    | { kind: 'task'; id: string; span: Span }
    | { kind: 'value' };
  /** Taken where nothing runs, or where what runs fails. */
  fallback: Value | undefined;
  match: { codes: string[]; classes: string[]; patterns: string[] };
  /** Runs the task again after the handler. */
  retry: boolean;
  maxRetries: number;
  timeoutMs: number | undefined;
  priority: number;
}

/** A value of the file: a plain one, or one that is computed when the task runs. */
export type Value = LiteralValue | ExpressionValue | TemplateValue | AutoValue | MixedValue | ListValue | MapValue;

export interface LiteralValue {
  kind: 'literal';
  value: Json;
  /** Text of a plain (unquoted) scalar as written, so that `012` can stay `012` where a string is wanted. */
  source?: string;
  span: Span;
}
/** A value that is one lone `{{ expression }}` (or a condition without braces): keeps its type. */
export interface ExpressionValue {
  kind: 'expression';
  text: string;
  expr: Expr;
  map: OffsetMap;
  span: Span;
}
/** Text with templates in it: renders to a string. */
export interface TemplateValue {
  kind: 'template';
  text: string;
  template: Template;
  map: OffsetMap;
  span: Span;
}
/** One lone AUTO tag: the answer is the value, with its type. */
export interface AutoValue {
  kind: 'auto';
  tag: AutoTag;
  span: Span;
}
/** Text with AUTO tags in it: renders to a string. */
export interface MixedValue {
  kind: 'mixed';
  parts: (LiteralValue | ExpressionValue | TemplateValue | AutoValue)[];
  span: Span;
}
export interface ListValue {
  kind: 'list';
  items: Value[];
  span: Span;
}
export interface MapValue {
  kind: 'map';
  entries: { key: string; keySpan: Span; value: Value }[];
  span: Span;
}

export interface AutoTag {
  span: Span;
  /** The question: a template, in which tags may stand too (innermost first). */
  question: Value;
  type: 'string' | 'integer' | 'number' | 'boolean' | 'list' | 'choice' | 'json' | undefined;
  min: number | undefined;
  max: number | undefined;
  choices: string[] | undefined;
  pattern: string | undefined;
  /** Schema of the elements of a list, from `items="string"`. */
  items: JsonSchema | undefined;
  default: Json | undefined;
  hasDefault: boolean;
  model: string | undefined;
  cache: boolean;
}

/** Says where in the file a character of a decoded scalar stands (escapes, folded lines and indentation make the two differ). */
export interface OffsetMap {
  toSource(offset: number): number;
}
