import type { Failure } from '../errors.ts';
import type { Json, JsonSchema } from '../json.ts';
import type { MicroUsd } from '../money.ts';

/** One request to one model. */
export interface ModelRequest {
  messages: { role: 'system' | 'user' | 'assistant'; content: string }[];
  /** Asks for structured output of this shape. */
  schema?: JsonSchema;
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
  usage: ModelUsage;
  /** The provider told no usage: the zeros above are not a count. */
  usageUnknown?: true;
  finishReason: 'stop' | 'length' | 'refused' | 'other';
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
  /** Whether the response cache may answer and keep; by default only what is deterministic (a temperature of 0, or a seed). */
  cache?: boolean;
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
   * A refusal is thrown as ORC-406, with what it cost in `details.usage`.
   */
  generate(request: ModelRequest, options: GenerateOptions): Promise<ModelReply>;
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
