import { parseDuration } from '../duration.ts';
import { OrchestratorError } from '../errors.ts';
import { isObject, type Json, type JsonObject, type JsonSchema } from '../json.ts';
import { checkSchema } from '../schema.ts';
import { SERVICES } from './services.ts';

const DURATION: JsonSchema = {
  anyOf: [
    { type: 'number', exclusiveMinimum: 0 },
    { type: 'string', pattern: '^[0-9.]+(ms|s|m|h|d)?([0-9.]+(ms|s|m|h))*$' },
  ],
};
const TEXTS: JsonSchema = { type: 'array', items: { type: 'string' } };
const PRICE: JsonSchema = { type: 'number', minimum: 0 };

const LIMITS: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    requests_per_minute: { type: 'number', exclusiveMinimum: 0 },
    tokens_per_minute: { type: 'number', exclusiveMinimum: 0 },
    concurrency: { type: 'integer', minimum: 1 },
  },
};

const HOSTED: JsonObject = {
  type: true,
  base_url: { type: 'string', pattern: '^https?://[^/@]+(/.*)?$' },
  api_key: { type: 'string' },
  headers: { type: 'object', additionalProperties: { type: 'string' } },
  timeout: DURATION,
  structured_output: { enum: ['json_schema', 'json_object', 'none'] },
  limits: LIMITS,
};

/** What each type of provider may be told. */
const BY_TYPE: { [type: string]: JsonObject } = {
  'openai-compatible': HOSTED,
  'llama.cpp': {
    type: true,
    models_dir: { type: 'string', minLength: 1 },
    threads: { type: 'integer', minimum: 1 },
    context_size: { type: 'integer', minimum: 256 },
    limits: LIMITS,
  },
  ...Object.fromEntries(Object.keys(SERVICES).map(type => [type, HOSTED])),
  azure: { ...HOSTED, resource_name: { type: 'string' }, api_version: { type: 'string' } },
  bedrock: { ...HOSTED, region: { type: 'string' } },
};

const PROVIDER: JsonSchema = {
  type: 'object',
  required: ['type'],
  properties: { type: { enum: Object.keys(BY_TYPE) } },
  allOf: Object.entries(BY_TYPE).map(([type, properties]) => ({
    if: { properties: { type: { const: type } }, required: ['type'] },
    then: { additionalProperties: false, properties, ...(type === 'openai-compatible' ? { required: ['base_url'] } : {}) },
  })),
};

const CATALOG_ENTRY: JsonSchema = {
  type: 'object',
  required: ['id'],
  additionalProperties: false,
  properties: {
    id: { type: 'string', pattern: '^[^/]+/.' },
    context_window: { type: 'integer', minimum: 1 },
    expertise: TEXTS,
    capabilities: TEXTS,
    modalities: TEXTS,
    languages: TEXTS,
    size: { type: ['string', 'number'] },
    cost: {
      type: 'object',
      required: ['input_per_million', 'output_per_million'],
      additionalProperties: false,
      properties: { input_per_million: PRICE, output_per_million: PRICE, cached_input_per_million: PRICE, cache_write_per_million: PRICE },
    },
    limits: LIMITS,
  },
};

const ROUTING: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    strategy: { enum: ['cheapest', 'fastest', 'best', 'balanced', 'round-robin', 'sticky'] },
    rules: {
      type: 'array',
      items: {
        type: 'object',
        required: ['domain', 'use'],
        additionalProperties: false,
        properties: {
          domain: { type: 'string', minLength: 1 },
          words: { type: 'array', minItems: 1, items: { type: 'string', minLength: 1 } },
          use: { anyOf: [{ type: 'string', minLength: 1 }, { type: 'object' }] },
        },
      },
    },
  },
};

/** What `models:` of the configuration may hold. */
export const MODELS_SCHEMA: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    default: { type: 'string', minLength: 1 },
    providers: { type: 'object', propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_-]*$' }, additionalProperties: PROVIDER },
    catalog: { type: 'array', items: CATALOG_ENTRY },
    fallback: {
      anyOf: [TEXTS, { type: 'object', required: ['models'], additionalProperties: false, properties: { models: TEXTS, may_cost_more: { type: 'boolean' } } }],
    },
    routing: ROUTING,
    hub: { type: 'string', pattern: '^https?://[^/@]+(/.*)?$' },
  },
};

/** The section, checked; a provider that says no type is of the type that its name says. */
export function checkedSection(config: Json | undefined): JsonObject {
  if (config === undefined || config === null) return {};
  const section = withTypes(config);
  const [problem] = checkSchema(MODELS_SCHEMA, section);
  if (problem === undefined) return section as JsonObject;
  throw new OrchestratorError('ORC-119', `${['models', ...problem.path].join('.')} ${problem.message}`, { class: 'invalid_input' });
}

function withTypes(config: Json): Json {
  if (!isObject(config) || !isObject(config['providers'])) return config;
  const providers = Object.entries(config['providers']).map(([name, settings]): [string, Json] => [
    name,
    isObject(settings) && settings['type'] === undefined && Object.hasOwn(BY_TYPE, name) ? { type: name, ...settings } : settings,
  ]);
  return { ...config, providers: Object.fromEntries(providers) };
}

/** How many requests, tokens and calls at once; what is absent is not limited. */
export interface LimitSettings {
  requestsPerMinute?: number;
  tokensPerMinute?: number;
  concurrency?: number;
}

export function readLimits(value: Json | undefined): LimitSettings {
  if (!isObject(value)) return {};
  const { requests_per_minute, tokens_per_minute, concurrency } = value;
  return {
    ...(typeof requests_per_minute === 'number' ? { requestsPerMinute: requests_per_minute } : {}),
    ...(typeof tokens_per_minute === 'number' ? { tokensPerMinute: tokens_per_minute } : {}),
    ...(typeof concurrency === 'number' ? { concurrency } : {}),
  };
}

export function readTimeoutMs(value: Json | undefined): number | undefined {
  return typeof value === 'number' || typeof value === 'string' ? parseDuration(value) : undefined;
}

export function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

export function texts(value: Json | undefined): string[] {
  return [value ?? []].flat().filter(text => typeof text === 'string');
}
