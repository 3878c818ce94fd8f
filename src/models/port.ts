import type { Failure } from '../errors.ts';
import type { Json, JsonObject, JsonSchema } from '../json.ts';
import type { MicroUsd } from '../money.ts';

/** A piece of what is said. `data` is base64. */
export type ContentPart =
  | { type: 'text'; text: string }
  | { type: 'image'; mediaType: string; data: string }
  | { type: 'file'; mediaType: string; data: string; name?: string };

/** What is said in a message: a text, or pieces. Only a message of the user may hold images and files. */
export type Content = string | ContentPart[];

/** A model's wish to have a tool run. */
export interface ToolCall {
  /** The same in the message of role `tool` that answers it. */
  id: string;
  name: string;
  /** Parsed; not yet validated against the tool's parameters. */
  arguments: Json;
  /** What the service wants to see again when the call is shown to it (a signature of its thinking); to be kept and sent back as it is. */
  opaque?: JsonObject;
}

export type ModelMessage =
  | { role: 'system' | 'user'; content: Content }
  | { role: 'assistant'; content: Content; toolCalls?: ToolCall[] }
  /** What came of a tool call, as text. */
  | { role: 'tool'; toolCallId: string; name: string; content: string; failed?: true };

/** A tool that a model may ask for. */
export interface ModelTool {
  /** Letters, digits, `_` and `-`, 64 at most: services take no other name. */
  name: string;
  description: string;
  /** An object schema. */
  parameters: JsonSchema;
}

/** Whether a model may, may not or must ask for a tool, or for which. */
export type ToolChoice = 'auto' | 'none' | 'required' | { name: string };

/** One request to one model. */
export interface ModelRequest {
  messages: ModelMessage[];
  /** Asks for structured output of this shape. Where there are tools, it is left aside: what they found can be asked for afterwards. */
  schema?: JsonSchema;
  tools?: ModelTool[];
  /** `auto` when absent. Without tools it means nothing. */
  toolChoice?: ToolChoice;
  temperature?: number;
  maxTokens?: number;
  seed?: number;
}

export interface ModelUsage {
  inputTokens: number;
  outputTokens: number;
  /** Part of the input that the service had kept from an earlier call. */
  cachedInputTokens: number;
  /** Part of the output that was thinking. */
  reasoningTokens: number;
  /** Part of the input that the service keeps for later calls, where it says so. */
  cacheWriteTokens?: number;
}

export interface ModelReply {
  /** Id of the model that answered, as its provider says. */
  model: string;
  text: string;
  /** Parsed JSON where a schema was asked for and the text is JSON; not yet validated. */
  object?: Json;
  /** The tools that it wants to have run, in order; absent where it wants none. */
  toolCalls?: ToolCall[];
  usage: ModelUsage;
  /** The provider told no usage: the zeros above are not a count. */
  usageUnknown?: true;
  finishReason: 'stop' | 'length' | 'refused' | 'tool_calls' | 'other';
  latencyMs: number;
  firstTokenMs: number | undefined;
  /** What it cost at the price of the model that answered, rounded up once; 0 from the cache. Absent where price or usage are unknown. */
  costMicroUsd?: MicroUsd;
  /** What the service said of its rate limits. */
  rates?: RateWindow[];
  /** Id of the model that answered in the place of the one that was asked, and why those before it did not. */
  fallback?: { id: string; tried: { id: string; failure: Failure }[] };
  /** It came out of the response cache and cost nothing; `usage` is what it would have taken. */
  cached?: true;
}

/** One limit of a service as its headers tell it. */
export interface RateWindow {
  of: 'requests' | 'tokens';
  limit: number | undefined;
  remaining: number | undefined;
  /** When it is full again. */
  resetAtMs: number | undefined;
}

export interface GenerateOptions {
  signal: AbortSignal;
  /** Called with each piece of text as it comes. */
  onToken?: (text: string) => void;
  /** Called when the call has to wait for a limit: whose, and until when. */
  onWait?: (wait: { who: string; why: string; untilMs: number }) => void;
  /** Called once, when the call is about to be made: no kept reply answers it, and circuit and limits let it go. Where it rejects, nothing is sent. */
  beforeSend?: () => Promise<void>;
  /** How long to wait for a limit here; where that takes longer, ORC-601 says when to come back (`waitOf`). For ever when absent. */
  patienceMs?: number;
  /** Whether the response cache may answer and keep, or (`refresh`) only keep; by default it may what is deterministic (a temperature of 0, or a seed). */
  cache?: boolean | 'refresh';
  /** Whether a reply is what was asked for, for whoever keeps an account of calls. */
  fits?: (reply: ModelReply) => boolean;
}

/** Texts that are to become vectors: one or more, none of them empty. */
export interface EmbedRequest {
  texts: string[];
}

export type EmbedOptions = Pick<GenerateOptions, 'signal' | 'onWait' | 'beforeSend' | 'patienceMs' | 'cache'>;

export interface EmbedReply {
  /** Id of the model that answered, as its provider says. */
  model: string;
  /** One for each text, in their order, all of the same length. */
  vectors: number[][];
  /** Vectors take input only. */
  usage: ModelUsage;
  /** The provider told no usage: the zeros above are not a count. */
  usageUnknown?: true;
  latencyMs: number;
  /** As in a `ModelReply`. */
  costMicroUsd?: MicroUsd;
  rates?: RateWindow[];
  cached?: true;
}

/** What a model can do; what is absent is not known, and is tried. */
export interface Abilities {
  /** By itself. One that has none is brought to it by an answer of a shape. */
  tools?: boolean;
  /** As input. */
  images?: boolean;
  /** As input: a PDF and the like. */
  files?: boolean;
  embeddings?: boolean;
}

/** What is known of a model before it is asked. */
export interface ModelInfo {
  /** `<provider>/<name>`. */
  id: string;
  provider: string;
  contextWindow: number | undefined;
  /** Runs on this machine, free of charge. */
  local: boolean;
  /** Undefined is unknown, which counts as paid. */
  price: ModelPrice | undefined;
  abilities?: Abilities;
}

/** Micro-dollars per million tokens. */
export interface ModelPrice {
  inputPerMillion: MicroUsd;
  outputPerMillion: MicroUsd;
  /** As for other input where absent. */
  cachedInputPerMillion?: MicroUsd;
  cacheWritePerMillion?: MicroUsd;
  /** Other prices for calls with a longer input, by rising length. */
  tiers?: { aboveInputTokens: number; price: ModelPrice }[];
}

export interface Model extends ModelInfo {
  /**
   * Throws an OrchestratorError with a 4xx, 601 or 603 code; never retries by itself. Aborted: the signal's reason, else ORC-231.
   * A refusal is thrown as ORC-406, with what it cost in `details.usage`; tool calls whose arguments are no JSON as ORC-405, likewise.
   */
  generate(request: ModelRequest, options: GenerateOptions): Promise<ModelReply>;
  /**
   * Makes vectors of texts, in one request: of `embedsAtOnce` at most (`embedAll` asks for more in several). Throws as `generate` does.
   * Never falls back: the vectors of two models cannot be compared. Absent where its provider has no embeddings.
   */
  embed?(request: EmbedRequest, options: EmbedOptions): Promise<EmbedReply>;
  /** Texts that one request may hold, 1 when absent. */
  embedsAtOnce?: number;
  /** Asks its provider, at no cost, whether it is there; throws as `generate` does. Absent where no such question can be asked. */
  probe?(signal: AbortSignal): Promise<void>;
}

/** A source of models: a hosted service, or a folder of local ones. */
export interface Provider {
  readonly name: string;
  /** Names the models that it serves, as far as it can tell. */
  list(signal: AbortSignal): Promise<ModelInfo[]>;
  /** The model of this name, without asking the service whether it exists. */
  model(name: string): Model;
  close(): Promise<void>;
}
