import { OrchestratorError } from '../errors.ts';
import type { JsonObject } from '../json.ts';

/** What a hosted service is opened with, once keys and addresses have been found. */
export interface ServiceSettings {
  baseUrl: string;
  apiKey: string | undefined;
  headers: Record<string, string>;
  fetch: typeof globalThis.fetch;
  /** Further settings of the provider: `region`, `api_version`. */
  more: { [key: string]: string | undefined };
  env: Environment;
}

/** How a service is told the shape of an answer: by its schema, as any JSON, or not at all. */
export type StructuredOutput = 'json_schema' | 'json_object' | 'none';

export type Environment = { [name: string]: string | undefined };

/**
 * Opens models of a service: a LanguageModelV4 of the AI SDK, an EmbeddingModelV4. Their types stay out of our declarations, which would bring the SDK's
 * into every program that uses them.
 */
export interface OpenedService {
  language(model: string): object;
  embedding?(model: string): object;
}

/** One kind of hosted service, as data. */
export interface Service {
  /** The npm package that speaks to it. */
  package: string;
  /** Variables that may hold its key, the first that is set wins. None: it needs no key. */
  keys: string[];
  /** Where it is; undefined where only the environment or the configuration can say. */
  baseUrl(env: Environment, more: ServiceSettings['more']): string | undefined;
  /** Whether the environment alone is enough for it to appear. */
  appears(env: Environment): boolean;
  /** Headers for its list of models. Absent: it has none. */
  listing?: { path: string; headers(apiKey: string): Record<string, string> };
  probesByName?: boolean;
  providerOptions: { [provider: string]: JsonObject };
  /** Its name in the table of prices; undefined where it costs nothing. */
  prices: string | undefined;
  /** Texts that one request for vectors may hold; absent where it makes none. */
  embedsAtOnce?: number;
  /** What is taken where nobody chose, good enough and cheap. */
  small: string | undefined;
  open(settings: ServiceSettings): Promise<OpenedService>;
}

const bearer = (apiKey: string): Record<string, string> => ({ authorization: `Bearer ${apiKey}` });
const hasKey = (env: Environment, names: string[]): boolean => names.some(name => (env[name] ?? '') !== '');
const atV1 = (url: string): string => (/\/v\d\w*\/?$/.test(url) ? url : `${url.replace(/\/+$/, '')}/v1`);

/** Settings that every package of the SDK takes by the same names. */
function common({ baseUrl, apiKey, headers, fetch }: ServiceSettings): {
  baseURL: string;
  headers: Record<string, string>;
  fetch: typeof globalThis.fetch;
  apiKey?: string;
} {
  return { baseURL: baseUrl, headers, fetch, ...(apiKey === undefined ? {} : { apiKey }) };
}

/** Of any service that speaks the dialect of OpenAI: small ones of one's own take no more. */
export const COMPATIBLE_EMBEDS_AT_ONCE = 32;
/** Strict mode takes only a part of JSON Schema; every answer is checked here anyway. */
const LOOSE: JsonObject = { strictJsonSchema: false };
const OPENAI_KEYS = ['OPENAI_API_KEY'];
const ANTHROPIC_KEYS = ['ANTHROPIC_API_KEY'];
const GOOGLE_KEYS = ['GOOGLE_GENERATIVE_AI_API_KEY', 'GEMINI_API_KEY'];
const AZURE_KEYS = ['AZURE_API_KEY', 'AZURE_OPENAI_API_KEY'];

/** The services that appear by themselves, by their name and type in the configuration. In the order in which a default is looked for. */
export const SERVICES: { [type: string]: Service } = {
  anthropic: {
    package: '@ai-sdk/anthropic',
    keys: ANTHROPIC_KEYS,
    baseUrl: env => atV1(env['ANTHROPIC_BASE_URL'] || 'https://api.anthropic.com'),
    appears: env => hasKey(env, ANTHROPIC_KEYS),
    listing: { path: '/models', headers: apiKey => ({ 'x-api-key': apiKey, 'anthropic-version': '2023-06-01' }) },
    probesByName: true,
    // A tool's schema takes all of JSON Schema, and every model of theirs has tools.
    providerOptions: { anthropic: { structuredOutputMode: 'jsonTool' } },
    prices: 'anthropic',
    small: 'claude-haiku-4-5',
    open: async settings => {
      const service = (await load('@ai-sdk/anthropic', () => import('@ai-sdk/anthropic'))).createAnthropic(common(settings));
      return { language: model => service(model) };
    },
  },
  openai: {
    package: '@ai-sdk/openai',
    keys: OPENAI_KEYS,
    baseUrl: env => env['OPENAI_BASE_URL'] || 'https://api.openai.com/v1',
    appears: env => hasKey(env, OPENAI_KEYS),
    listing: { path: '/models', headers: bearer },
    probesByName: true,
    providerOptions: { openai: LOOSE },
    prices: 'openai',
    small: 'gpt-4o-mini',
    // Chat completions, and not the newer responses: proxies and gateways speak the former.
    embedsAtOnce: 2048,
    open: async settings => {
      const service = (await load('@ai-sdk/openai', () => import('@ai-sdk/openai'))).createOpenAI(common(settings));
      return { language: model => service.chat(model), embedding: model => service.embeddingModel(model) };
    },
  },
  google: {
    package: '@ai-sdk/google',
    keys: GOOGLE_KEYS,
    baseUrl: () => 'https://generativelanguage.googleapis.com/v1beta',
    appears: env => hasKey(env, GOOGLE_KEYS),
    listing: { path: '/models', headers: apiKey => ({ 'x-goog-api-key': apiKey }) },
    probesByName: true,
    providerOptions: {},
    prices: 'google',
    small: 'gemini-2.5-flash-lite',
    embedsAtOnce: 100,
    open: async settings => {
      const service = (await load('@ai-sdk/google', () => import('@ai-sdk/google'))).createGoogle(common(settings));
      return { language: model => service(model), embedding: model => service.embeddingModel(model) };
    },
  },
  mistral: {
    package: '@ai-sdk/mistral',
    keys: ['MISTRAL_API_KEY'],
    baseUrl: () => 'https://api.mistral.ai/v1',
    appears: env => hasKey(env, ['MISTRAL_API_KEY']),
    listing: { path: '/models', headers: bearer },
    probesByName: true,
    providerOptions: { mistral: LOOSE },
    prices: 'mistral',
    small: 'mistral-small-latest',
    embedsAtOnce: 32,
    open: async settings => {
      const service = (await load('@ai-sdk/mistral', () => import('@ai-sdk/mistral'))).createMistral(common(settings));
      return { language: model => service(model), embedding: model => service.embeddingModel(model) };
    },
  },
  groq: {
    package: '@ai-sdk/groq',
    keys: ['GROQ_API_KEY'],
    baseUrl: () => 'https://api.groq.com/openai/v1',
    appears: env => hasKey(env, ['GROQ_API_KEY']),
    listing: { path: '/models', headers: bearer },
    probesByName: true,
    providerOptions: { groq: LOOSE },
    prices: 'groq',
    small: 'llama-3.1-8b-instant',
    open: async settings => {
      const service = (await load('@ai-sdk/groq', () => import('@ai-sdk/groq'))).createGroq(common(settings));
      return { language: model => service(model) };
    },
  },
  azure: {
    package: '@ai-sdk/azure',
    keys: AZURE_KEYS,
    baseUrl: (env, more) => {
      const resource = more['resource_name'] ?? env['AZURE_RESOURCE_NAME'];
      if (resource !== undefined) return `https://${resource}.openai.azure.com/openai`;
      const endpoint = env['AZURE_OPENAI_ENDPOINT'];
      return endpoint === undefined ? undefined : `${endpoint.replace(/\/+$/, '')}/openai`;
    },
    appears: env => hasKey(env, AZURE_KEYS) && hasKey(env, ['AZURE_RESOURCE_NAME', 'AZURE_OPENAI_ENDPOINT']),
    providerOptions: { azure: LOOSE, openai: LOOSE },
    prices: 'azure',
    small: undefined,
    embedsAtOnce: 2048,
    open: async settings => {
      const version = settings.more['api_version'];
      const { createAzure } = await load('@ai-sdk/azure', () => import('@ai-sdk/azure'));
      const service = createAzure({ ...common(settings), ...(version === undefined ? {} : { apiVersion: version }) });
      return { language: model => service.chat(model), embedding: model => service.embeddingModel(model) };
    },
  },
  bedrock: {
    package: '@ai-sdk/amazon-bedrock',
    keys: ['AWS_BEARER_TOKEN_BEDROCK'],
    baseUrl: (env, more) => {
      const region = more['region'] ?? env['AWS_REGION'];
      return region === undefined ? undefined : `https://bedrock-runtime.${region}.amazonaws.com`;
    },
    // Keys of AWS alone may be there for anything else.
    appears: env => hasKey(env, ['AWS_BEARER_TOKEN_BEDROCK']) && hasKey(env, ['AWS_REGION']),
    providerOptions: {},
    prices: 'aws',
    small: undefined,
    embedsAtOnce: 1,
    open: async settings => {
      const { env, more } = settings;
      const { createAmazonBedrock } = await load('@ai-sdk/amazon-bedrock', () => import('@ai-sdk/amazon-bedrock'));
      const [accessKeyId, secretAccessKey, sessionToken] = [env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY'], env['AWS_SESSION_TOKEN']];
      const service = createAmazonBedrock({
        ...common(settings),
        region: more['region'] ?? env['AWS_REGION'] ?? 'us-east-1',
        ...(accessKeyId === undefined || secretAccessKey === undefined ? {} : { accessKeyId, secretAccessKey }),
        ...(sessionToken === undefined ? {} : { sessionToken }),
      });
      return { language: model => service(model), embedding: model => service.embeddingModel(model) };
    },
  },
  ollama: {
    package: '@ai-sdk/openai-compatible',
    keys: [],
    baseUrl: env => ollamaUrl(env['OLLAMA_HOST']),
    appears: env => hasKey(env, ['OLLAMA_HOST']),
    listing: { path: '/models', headers: () => ({}) },
    providerOptions: { openaiCompatible: LOOSE },
    prices: undefined,
    small: undefined,
    embedsAtOnce: COMPATIBLE_EMBEDS_AT_ONCE,
    open: settings => openCompatible('ollama', settings),
  },
};

/** A service that speaks the chat completions dialect of OpenAI: vLLM, llama-server, Ollama, OpenRouter and many more. */
export async function openCompatible(name: string, settings: ServiceSettings): Promise<OpenedService> {
  const { createOpenAICompatible } = await load('@ai-sdk/openai-compatible', () => import('@ai-sdk/openai-compatible'));
  const service = createOpenAICompatible({ name, includeUsage: true, supportsStructuredOutputs: true, ...common(settings) });
  return { language: model => service.chatModel(model), embedding: model => service.embeddingModel(model) };
}

/** `host`, `host:port` or an address, as Ollama itself reads it; what it listens on is not always where it can be reached. */
export function ollamaUrl(host = ''): string {
  const text = host.trim() === '' ? '127.0.0.1' : host.trim();
  const url = new URL(/^https?:\/\//.test(text) ? text : `http://${text}`);
  if (url.hostname === '0.0.0.0') url.hostname = '127.0.0.1';
  if (url.port === '' && url.protocol === 'http:') url.port = '11434';
  return atV1(url.href);
}

/** Loads a package of the SDK, some of which are installed only where they are used. */
async function load<T>(name: string, loading: () => Promise<T>): Promise<T> {
  try {
    return await loading();
  } catch (cause) {
    throw new OrchestratorError('ORC-407', `the provider needs the package ${name}, which is not installed`, {
      class: 'not_found',
      help: [`npm install ${name}`],
      cause,
    });
  }
}
