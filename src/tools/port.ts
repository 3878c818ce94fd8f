import type { Json, JsonObject, JsonSchema } from '../json.ts';
import type { ModelMessage, ModelTool, ToolCall, ToolChoice } from '../models/port.ts';

export type { ContentPart, ModelMessage, ModelTool, ToolCall } from '../models/port.ts';

/**
 * What becomes of an effect when nobody knows whether it took place (PROMISES.md S9): the first three run again, `keyed` runs again under its key,
 * `effectful` waits for a person.
 */
export type EffectClass = 'pure' | 'read' | 'idempotent' | 'keyed' | 'effectful';

/** What an action may need beyond its parameters; the policy grants it or the action is refused. */
export type Power = 'files' | 'network' | 'shell' | 'code' | 'model';

/** What an action is, without its code: all that `validate`, `actions`, `schema` and the plan read. It is plain data. */
export interface ActionSpec {
  /** Canonical name: `filesystem.write`. */
  name: string;
  /** One line. */
  summary: string;
  /** Paragraphs for `actions NAME`. */
  description?: string;
  effect: EffectClass;
  powers: Power[];
  /** An object schema. A property may say `"x-expression": true` (its text is an expression, `item` in scope when `"x-item": true`), or `"x-auto": false` (no AUTO tag may stand there), `"x-secret": true` (a secret may stand in it), `"x-literal": true` (data should not be rendered into it), `"x-duration": true` (a text is a duration), `"x-schema": true` (its value is a JSON Schema), `"x-actions": true` (it lists actions, in the file and by their names). */
  parameters: JsonSchema;
  /** Schema of the result. */
  result: JsonSchema;
  /** A task that shows its use, as YAML. */
  example?: string;
  /** Done by the engine itself, durably, rather than by code: waits and sub-pipelines. */
  engine?: 'sleep' | 'approval' | 'signal' | 'pipeline';
  /** Declared, but nothing performs it until a provider is configured (exit 4). */
  provider?: string;
}

/** A built-in or own action: its specification and the function that performs it. */
export interface Action extends ActionSpec {
  /** The class for these very parameters, where it depends on them (http.post with `keyed: true`). */
  effectOf?(parameters: JsonObject): EffectClass;
  /** Performs the action once. Returns its result, or throws an OrchestratorError (or anything, which fails the attempt as ORC-216). */
  run(parameters: JsonObject, context: ActionContext): Promise<Json> | Json;
}

/** What the shell hands to an action. */
export interface ActionContext {
  run: string;
  /** Path of the task: `read[3]/fetch`. */
  path: string;
  attempt: number;
  /** `<run>/<path>` : the same over attempts and resumes (S3). */
  key: string;
  /** Aborted at the time-out, at cancel and at the second Ctrl-C. */
  signal: AbortSignal;
  /** Root of relative paths: the folder in which the run was started, absolute. */
  workspace: string;
  /** The state folder, which no path may reach; absolute. */
  stateFolder: string | undefined;
  policy: Policy;
  /** Name and description of the pipeline, which some actions take as defaults. */
  pipeline: { name: string; description: string | undefined };
  log(level: 'debug' | 'info' | 'warn' | 'error', text: string): void;
  /** How far a long action is, for the live view. */
  progress(done: number, total: number | undefined, text?: string): void;
  /** Memoises one effect inside the attempt, in the journal: what has a result is never done again, whatever fails later. */
  step<T extends Json>(name: string, effect: EffectClass, perform: (key: string) => Promise<T> | T): Promise<T>;
  /** Asks a model; each reply is journaled with its cost. */
  models: ModelGateway;
  /** The action of this name, as the run has it. */
  action(name: string): ActionSpec | undefined;
  /** Performs another action as a step of this one, with the policy and the reach of the run. Throws only where the attempt is to end. */
  perform(action: string, parameters: JsonObject, how: PerformOptions): Promise<Performed>;
  /** Evaluates an expression of the pipeline's language, with `bindings` over the names in scope (data.filter and the like). */
  evaluate(expression: string, bindings: JsonObject): Json;
  /** Whether the text of a parameter stands in the file just so, with nothing rendered into it; absent where nobody knows. */
  literal?(parameter: string): boolean;
  /** Joins secrets into a text that holds handles: `{secret: NAME}` segments. Only an action may, at the moment of performing. */
  reveal(value: Json): Json;
}

/** How an action performs another. */
export interface PerformOptions {
  /** Name of the step; used once in an attempt. */
  step: string;
  /** Whether it may do more than look: else one that is neither pure nor read with these parameters is refused. */
  mayChange: boolean;
  /** As `literal` of the context. */
  literal?(parameter: string): boolean;
}

/** What came of it: a result, or why there is none. Both are facts: what has failed is not done again either. */
export type Performed = ({ result: Json } | { error: { code: string; message: string } }) & {
  /** What the models cost that it asked; null where a price is unknown. */
  costMicroUsd: number | null;
};

/** Who may do what; the default denies shell, code and private addresses. */
export interface Policy {
  shell: 'allow' | 'deny' | string[];
  code: 'allow' | 'deny';
  network: { private: 'allow' | 'deny' };
  /** Folders that file actions may touch, relative to the workspace or absolute. */
  files: { roots: string[] };
}

export const DEFAULT_POLICY: Policy = { shell: 'deny', code: 'deny', network: { private: 'deny' }, files: { roots: ['.'] } };

/** A call of a model as an action makes it. */
export interface ModelCall {
  purpose: string;
  messages: ModelMessage[];
  /** Asks for an answer of this shape; not together with tools. */
  schema?: JsonSchema;
  tools?: ModelTool[];
  toolChoice?: ToolChoice;
  /** Id, or requirements; else the task's model, else the default. */
  model?: Json;
  temperature?: number;
  maxTokens?: number;
  /** The most that it may cost: a call whose worst case is above, or whose price is unknown, is not made (ORC-602, `details.cap` is `call`). */
  maxCostMicroUsd?: number;
  /** Keeps each reply as a step of this name, so that none is paid for twice; a name is used once in an attempt. */
  step?: string;
}

/** What a model said, and what all replies that it took have cost and used. */
export interface ModelAnswer {
  text: string;
  /** Present where a schema was given: the parsed and validated object. */
  object?: Json;
  /** The tools that it wants to have run; absent where it wants none. */
  toolCalls?: ToolCall[];
  model: string;
  usage: { inputTokens: number; outputTokens: number };
  /** Undefined where the price is unknown. */
  costMicroUsd: number | undefined;
  latencyMs: number;
}

/** The vectors of texts, one for each in their order. */
export interface ModelVectors extends Pick<ModelAnswer, 'model' | 'usage' | 'costMicroUsd'> {
  vectors: number[][];
}

/** Which model would be taken, and why. */
export interface ModelChoice {
  /** Null: none qualifies. */
  chosen: string | null;
  /** The strategy of the choice; `named` where an id was given. */
  strategy: string;
  candidates: { id: string; score: number; parts: { [part: string]: number } }[];
  rejected: { id: string; reason: string }[];
  /** What was let go, so that there was one at all. */
  relaxed: string[];
  /** The rule of the configuration that led here. */
  rule: string | null;
}

export interface ModelGateway {
  ask(call: ModelCall): Promise<ModelAnswer>;
  embed(call: { purpose: string; texts: string[]; model?: Json; step?: string }): Promise<ModelVectors>;
  /** Which model `ask` would take for `model`, by now and for a prompt of this text. Asks nobody. */
  route(model: Json | undefined, text: string): Promise<ModelChoice>;
}
