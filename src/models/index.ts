export { askStructured, readAnswer, wrapSchema, type AskOptions, type StructuredAnswer } from './answers.ts';
export { autoRequest, autoSchema, type AutoContext, type AutoShape } from './auto.ts';
export { failedBill, reservationFor, type FailedBill, type Reservation } from './billing.ts';
export { CircuitBreaker, type BreakerState, type CircuitBreakerOptions } from './breaker.ts';
export { openCache, requestKey, type ResponseCache } from './cache.ts';
export { ModelNotFoundError, openModels, type Models, type OpenModelsOptions } from './catalog.ts';
export { textOf, withoutData } from './content.ts';
export { fallbackChain, priceClass, type FallbackSettings } from './fallback.ts';
export { healthOf, type Health, type HealthKind, type HealthRecord } from './health.ts';
export {
  admitAt,
  estimateTokens,
  memoryLimits,
  settleAt,
  waitOf,
  type Entry,
  type Limit,
  type LimitAsk,
  type LimitNews,
  type LimitState,
  type LimitStore,
  type Wait,
} from './limits.ts';
export { KEY_VARIABLES } from './keys.ts';
export { llamaCpp, type LlamaCppOptions } from './llama-cpp.ts';
export { openAICompatible, type OpenAICompatibleOptions } from './openai-compatible.ts';
export type {
  Abilities,
  Content,
  ContentPart,
  EmbedOptions,
  EmbedReply,
  EmbedRequest,
  GenerateOptions,
  Model,
  ModelInfo,
  ModelMessage,
  ModelPrice,
  ModelReply,
  ModelRequest,
  ModelTool,
  ModelUsage,
  Provider,
  RateWindow,
  ToolCall,
  ToolChoice,
} from './port.ts';
export { costOf, isFree, replyCost, worstCost } from './prices.ts';
export { probeStale } from './probing.ts';
export { ModelProfiler, percentile, type CallSample, type ModelProfile } from './profiler.ts';
export { modelsFolder } from './providers.ts';
export { ModelRegistry, RegisteredModel, type ModelRegistryOptions, type ModelResponse, type ResponseOptions } from './registry.ts';
export { readRequirements, type Requirements, type Strategy } from './requirements.ts';
export { ErrorHandler, isRateLimit, RetryStrategy, type ErrorHandlerOptions, type RetryStrategyOptions } from './retry.ts';
export { route, type Candidate, type DomainRule, type Route, type ScoreParts } from './routing.ts';
export { MODELS_SCHEMA } from './settings.ts';
export type { KeptModel, KeptModels, ModelStateJson, StateKeeper } from './state.ts';
export { LEVELS, type Traits } from './traits.ts';
export { embedAll, embedOf, type Embedder, type Vectors } from './vectors.ts';
