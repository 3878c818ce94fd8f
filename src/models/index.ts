export { askStructured, readAnswer, wrapSchema, type AskOptions, type StructuredAnswer } from './answers.ts';
export { autoRequest, autoSchema, type AutoContext, type AutoShape } from './auto.ts';
export { openModels, type Models, type OpenModelsOptions } from './catalog.ts';
export { llamaCpp, type LlamaCppOptions } from './llama-cpp.ts';
export { openAICompatible, type OpenAICompatibleOptions } from './openai-compatible.ts';
export type { GenerateOptions, Model, ModelInfo, ModelReply, ModelRequest, ModelUsage, Provider } from './port.ts';
export { MODELS_SCHEMA } from './settings.ts';
