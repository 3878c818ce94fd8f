import type { Json, JsonSchema } from '../json.ts';

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
  cachedInputTokens: number;
  reasoningTokens: number;
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
}

export interface GenerateOptions {
  signal: AbortSignal;
  /** Called with each piece of text as it comes. */
  onToken?: (text: string) => void;
}

/** What is known of a model before it is asked. */
export interface ModelInfo {
  /** `<provider>/<name>`. */
  id: string;
  provider: string;
  contextWindow: number | undefined;
  /** Runs on this machine, free of charge. */
  local: boolean;
  /** Micro-dollars per million tokens; undefined is unknown, which counts as paid. */
  price: { inputPerMillion: number; outputPerMillion: number } | undefined;
}

export interface Model extends ModelInfo {
  /**
   * Throws an OrchestratorError with a 4xx, 601 or 603 code; never retries by itself. Aborted: the signal's reason, else ORC-231.
   * A refusal is thrown as ORC-406, with what it cost in `details.usage`.
   */
  generate(request: ModelRequest, options: GenerateOptions): Promise<ModelReply>;
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
