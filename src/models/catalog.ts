import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { parseDuration } from '../duration.ts';
import { OrchestratorError } from '../errors.ts';
import { nearest } from '../ids.ts';
import { isObject, type Json, type JsonObject, type JsonSchema } from '../json.ts';
import { microUsd } from '../money.ts';
import { checkSchema } from '../schema.ts';
import { llamaCpp } from './llama-cpp.ts';
import { openAICompatible, type StructuredOutput } from './openai-compatible.ts';
import type { Model, ModelInfo, Provider } from './port.ts';

const DURATION: JsonSchema = {
  anyOf: [
    { type: 'number', exclusiveMinimum: 0 },
    { type: 'string', pattern: '^[0-9.]+(ms|s|m|h)?([0-9.]+(ms|s|m))*$' },
  ],
};

/** What `models:` of the configuration may hold. */
export const MODELS_SCHEMA: JsonSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    default: { type: 'string', minLength: 1 },
    providers: {
      type: 'object',
      propertyNames: { pattern: '^[A-Za-z_][A-Za-z0-9_-]*$' },
      additionalProperties: {
        type: 'object',
        required: ['type'],
        properties: { type: { enum: ['openai-compatible', 'llama.cpp'] } },
        if: { properties: { type: { const: 'llama.cpp' } } },
        then: {
          additionalProperties: false,
          properties: {
            type: true,
            models_dir: { type: 'string', minLength: 1 },
            threads: { type: 'integer', minimum: 1 },
            context_size: { type: 'integer', minimum: 256 },
          },
        },
        else: {
          if: { properties: { type: { const: 'openai-compatible' } } },
          then: {
            required: ['base_url'],
            additionalProperties: false,
            properties: {
              type: true,
              base_url: { type: 'string', pattern: '^https?://[^/@]+(/.*)?$' },
              api_key: { type: 'string' },
              headers: { type: 'object', additionalProperties: { type: 'string' } },
              timeout: DURATION,
              structured_output: { enum: ['json_schema', 'json_object', 'none'] },
            },
          },
        },
      },
    },
    catalog: {
      type: 'array',
      items: {
        type: 'object',
        required: ['id'],
        additionalProperties: false,
        properties: {
          id: { type: 'string', pattern: '^[^/]+/.' },
          context_window: { type: 'integer', minimum: 1 },
          expertise: { type: 'array', items: { type: 'string' } },
          size: { type: ['string', 'number'] },
          cost: {
            type: 'object',
            required: ['input_per_million', 'output_per_million'],
            additionalProperties: false,
            properties: { input_per_million: { type: 'number', minimum: 0 }, output_per_million: { type: 'number', minimum: 0 } },
          },
        },
      },
    },
    fallback: { type: 'array', items: { type: 'string' } },
  },
};

export interface Models {
  /** The model of an id, `<provider>/<name>`; the name may hold slashes. Throws ORC-401. */
  get(id: string): Model;
  /** The model that is taken where none is named. Throws ORC-402 where there is none. */
  default(): Model;
  /** Whether `default` would find one. */
  hasDefault(): boolean;
  /** All models that can be found: those that the providers name, and those of the catalog. A provider that fails is reported beside them. */
  list(signal: AbortSignal): Promise<{ models: ModelInfo[]; failures: { provider: string; error: unknown }[] }>;
  close(): Promise<void>;
}

export interface OpenModelsOptions {
  /** Where `${env:NAME}` and `~` are looked up. */
  env: { [name: string]: string | undefined };
  /** Folder of the configuration file, in which a relative models_dir is looked for. */
  folder?: string;
}

/** The models of a configuration (its `models:` section). Loads no library and opens no connection until a model is asked. */
export function openModels(config: Json | undefined, options: OpenModelsOptions): Models {
  const section = checkedSection(config);
  const catalog = new Map(objects(section['catalog']).map(entry => [entry['id'] as string, entry]));
  const providers = new Map<string, Provider>();
  for (const [name, settings] of Object.entries(isObject(section['providers']) ? section['providers'] : {})) {
    providers.set(name, openProvider(name, settings as JsonObject, catalog, options));
  }
  const chosen = typeof section['default'] === 'string' ? section['default'] : undefined;

  function get(id: string): Model {
    const slash = id.indexOf('/');
    const provider = slash < 1 || slash === id.length - 1 ? undefined : providers.get(id.slice(0, slash));
    if (provider === undefined) throw unknownModel(id, chosen, [...catalog.keys()], [...providers.keys()]);
    return provider.model(id.slice(slash + 1));
  }

  return {
    get,
    hasDefault: () => chosen !== undefined,
    default() {
      if (chosen !== undefined) return get(chosen);
      throw new OrchestratorError('ORC-402', 'no model is configured', {
        class: 'not_found',
        help: [
          'name one in orchestrator.config.yaml: models: { default: <provider>/<name> }',
          'or run one on this machine: orchestrator models pull smollm2',
        ],
      });
    },
    async list(signal) {
      const answers = await Promise.allSettled([...providers.values()].map(provider => provider.list(signal)));
      const models = new Map<string, ModelInfo>();
      const failures: { provider: string; error: unknown }[] = [];
      for (const [index, provider] of [...providers.keys()].entries()) {
        const answer = answers[index]!;
        if (answer.status === 'fulfilled') for (const model of answer.value) models.set(model.id, model);
        else failures.push({ provider, error: answer.reason });
      }
      const silent = new Set(failures.map(({ provider }) => provider));
      for (const id of catalog.keys()) {
        const provider = id.slice(0, id.indexOf('/'));
        if (!models.has(id) && providers.has(provider) && !silent.has(provider)) models.set(id, infoOf(get(id)));
      }
      return { models: [...models.values()].sort((a, b) => (a.id < b.id ? -1 : 1)), failures };
    },
    close: async () => void (await Promise.all([...providers.values()].map(provider => provider.close()))),
  };
}

function checkedSection(config: Json | undefined): JsonObject {
  if (config === undefined || config === null) return {};
  const [problem] = checkSchema(MODELS_SCHEMA, config);
  if (problem === undefined) return config as JsonObject;
  throw new OrchestratorError('ORC-119', `${['models', ...problem.path].join('.')} ${problem.message}`, { class: 'invalid_input' });
}

function openProvider(name: string, settings: JsonObject, catalog: Map<string, JsonObject>, { env, folder }: OpenModelsOptions): Provider {
  const { type, base_url, api_key, headers, timeout, structured_output, models_dir, threads, context_size } = settings;
  if (type === 'llama.cpp') {
    return llamaCpp({
      name,
      modelsDir: folderPath(typeof models_dir === 'string' ? models_dir : '~/.orchestrator/models', env, folder),
      ...(typeof threads === 'number' ? { threads } : {}),
      ...(typeof context_size === 'number' ? { contextSize: context_size } : {}),
    });
  }
  const timeoutMs = typeof timeout === 'number' || typeof timeout === 'string' ? parseDuration(timeout) : undefined;
  return lazily(name, () =>
    openAICompatible({
      name,
      baseUrl: base_url as string,
      describe: model => describeEntry(catalog.get(`${name}/${model}`)),
      ...(typeof api_key === 'string' ? { apiKey: resolveSecret(api_key, name, env) } : {}),
      ...(isObject(headers) ? { headers: headers as Record<string, string> } : {}),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(structured_output === undefined ? {} : { structuredOutput: structured_output as StructuredOutput }),
    }),
  );
}

/** A provider that is opened when it is first used: a key that is missing matters to those who use it only. */
function lazily(name: string, open: () => Provider): Provider {
  let opened: Provider | undefined;
  const provider = (): Provider => (opened ??= open());
  return {
    name,
    list: async signal => provider().list(signal),
    model: model => provider().model(model),
    close: async () => opened?.close(),
  };
}

function describeEntry(entry: JsonObject | undefined): Partial<Pick<ModelInfo, 'contextWindow' | 'price'>> {
  if (entry === undefined) return {};
  const { context_window, cost } = entry;
  return {
    ...(typeof context_window === 'number' ? { contextWindow: context_window } : {}),
    ...(isObject(cost)
      ? {
          price: {
            inputPerMillion: microUsd(cost['input_per_million'] as number),
            outputPerMillion: microUsd(cost['output_per_million'] as number),
          },
        }
      : {}),
  };
}

function resolveSecret(text: string, provider: string, env: OpenModelsOptions['env']): string {
  const variable = /^\$\{env:([^}]+)\}$/.exec(text)?.[1];
  if (variable === undefined) return text;
  const value = env[variable];
  if (value !== undefined && value !== '') return value;
  throw new OrchestratorError('ORC-403', `the key of the provider ${provider} is not set: there is no ${variable} in the environment`, {
    class: 'auth',
    help: [`export ${variable}=…`],
  });
}

function folderPath(path: string, env: OpenModelsOptions['env'], folder = process.cwd()): string {
  const full = path === '~' || path.startsWith('~/') ? join(env['HOME'] ?? homedir(), path.slice(1)) : path;
  return isAbsolute(full) ? full : resolve(folder, full);
}

function unknownModel(id: string, chosen: string | undefined, listed: string[], providers: string[]): OrchestratorError {
  const known = [...new Set([...(chosen === undefined ? [] : [chosen]), ...listed])];
  const slash = id.indexOf('/');
  const rest = slash < 0 ? id : id.slice(slash + 1);
  const sameName = known.filter(name => name.endsWith(`/${rest}`));
  const sameProvider = slash < 1 ? [] : nearest(id.slice(0, slash), providers).map(name => `${name}/${rest}`);
  const meant = [...new Set([...nearest(id, known), ...sameName, ...sameProvider])].slice(0, 3);
  const where = providers.length === 0 ? 'no provider is configured' : `the providers are: ${providers.join(', ')}`;
  return new OrchestratorError('ORC-401', `no model called \`${id}\` is registered; ${where}`, {
    class: 'not_found',
    help: [...meant.map(name => `did you mean ${name}?`), 'see all: orchestrator models list'],
    details: { model: id, suggestions: meant },
  });
}

function infoOf({ id, provider, contextWindow, local, price }: Model): ModelInfo {
  return { id, provider, contextWindow, local, price };
}

function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
