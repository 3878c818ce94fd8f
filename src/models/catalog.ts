import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { systemClock, type Clock } from '../clock.ts';
import { OrchestratorError } from '../errors.ts';
import { nearest } from '../ids.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { microUsd } from '../money.ts';
import { aiSdkProvider, type Describe, type StructuredOutput } from './ai-sdk.ts';
import { llamaCpp } from './llama-cpp.ts';
import { openAICompatible } from './openai-compatible.ts';
import type { Model, ModelInfo, ModelPrice, Provider } from './port.ts';
import { lookUp } from './prices.ts';
import { SERVICES, type Environment, type Service } from './services.ts';
import { checkedSection, readTimeoutMs } from './settings.ts';
import { catalogOf } from './traits.ts';

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
  env: Environment;
  /** Folder of the configuration file, in which a relative models_dir is looked for. */
  folder?: string;
  clock?: Clock;
}

/** The models of a configuration (its `models:` section). Loads no library and opens no connection until a model is asked. */
export function openModels(config: Json | undefined, options: OpenModelsOptions): Models {
  const section = checkedSection(config);
  const catalog = catalogOf(section);
  const named = isObject(section['providers']) ? section['providers'] : {};
  const providers = new Map<string, Provider>();
  for (const [name, settings] of Object.entries({ ...appearing(options.env), ...named })) {
    providers.set(name, openProvider(name, settings as JsonObject, catalog, options));
  }
  const chosen = typeof section['default'] === 'string' ? section['default'] : defaultOf(named, options.env);

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

/** The services whose key is in the environment, as if the configuration named them. */
function appearing(env: Environment): JsonObject {
  return Object.fromEntries(
    Object.entries(SERVICES)
      .filter(([, service]) => service.appears(env))
      .map(([type]) => [type, { type }]),
  );
}

/** Who sets nothing but a key wants that service: its small model. Who names providers chooses for himself. */
function defaultOf(named: JsonObject, env: Environment): string | undefined {
  if (Object.keys(named).length > 0) return undefined;
  const first = Object.entries(SERVICES).find(([, service]) => service.small !== undefined && service.appears(env));
  return first === undefined ? undefined : `${first[0]}/${first[1].small}`;
}

function openProvider(name: string, settings: JsonObject, catalog: Map<string, JsonObject>, options: OpenModelsOptions): Provider {
  const { type, base_url, api_key, headers, timeout, structured_output, models_dir, threads, context_size } = settings;
  const { env, folder } = options;
  if (type === 'llama.cpp') {
    return llamaCpp({
      name,
      modelsDir: modelsFolder(models_dir, env, folder),
      ...(typeof threads === 'number' ? { threads } : {}),
      ...(typeof context_size === 'number' ? { contextSize: context_size } : {}),
    });
  }
  const timeoutMs = readTimeoutMs(timeout);
  const common = {
    name,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(structured_output === undefined ? {} : { structuredOutput: structured_output as StructuredOutput }),
  };
  const extra = isObject(headers) ? (headers as Record<string, string>) : {};
  const service = SERVICES[type as string];
  if (service !== undefined) return lazily(name, () => openService(service, settings, catalog, options, { ...common, headers: extra }));
  return lazily(name, () =>
    openAICompatible({
      ...common,
      baseUrl: base_url as string,
      describe: describer(name, catalog, () => ({ price: undefined, contextWindow: undefined })),
      ...(typeof api_key === 'string' ? { apiKey: resolveSecret(api_key, name, env) } : {}),
      headers: extra,
    }),
  );
}

interface CommonOptions {
  name: string;
  headers: Record<string, string>;
  timeoutMs?: number;
  structuredOutput?: StructuredOutput;
}

function openService(
  service: Service,
  settings: JsonObject,
  catalog: Map<string, JsonObject>,
  { env, clock = systemClock }: OpenModelsOptions,
  { name, headers, ...common }: CommonOptions,
): Provider {
  const { base_url, api_key } = settings;
  const text = (key: string): string | undefined => (typeof settings[key] === 'string' ? settings[key] : undefined);
  const more = { region: text('region'), api_version: text('api_version'), resource_name: text('resource_name') };
  const baseUrl = (typeof base_url === 'string' ? base_url : service.baseUrl(env, more))?.replace(/\/+$/, '');
  if (baseUrl === undefined) {
    throw new OrchestratorError('ORC-407', `it is not known where ${name} is`, {
      class: 'not_found',
      help: [`set models.providers.${name}.base_url in orchestrator.config.yaml`],
    });
  }
  const apiKey = typeof api_key === 'string' ? resolveSecret(api_key, name, env) : keyOf(service, name, env);
  const { listing, prices } = service;
  const known = (model: string): ReturnType<typeof lookUp> =>
    prices === undefined ? { price: FREE, contextWindow: undefined } : lookUp(prices, model, clock.now());
  const local = prices === undefined && /^https?:\/\/(127\.|localhost[:/]|\[::1\])/.test(baseUrl);
  return aiSdkProvider({
    ...common,
    name,
    baseUrl,
    secrets: [apiKey ?? '', ...Object.values(headers)],
    open: fetch => service.open({ baseUrl, apiKey, headers, fetch, more, env }),
    providerOptions: service.providerOptions,
    describe: describer(name, catalog, known),
    local,
    ...(listing === undefined ? {} : { listing: { url: baseUrl + listing.path, headers: { ...listing.headers(apiKey ?? ''), ...headers } } }),
    ...(service.probesByName === true ? { probesByName: true } : {}),
    clock,
  });
}

const FREE: ModelPrice = { inputPerMillion: 0, outputPerMillion: 0 };

/** What the catalog says wins over what the table knows; the table is loaded when somebody wants to know. */
function describer(name: string, catalog: Map<string, JsonObject>, known: (model: string) => ReturnType<typeof lookUp>): Describe {
  return model => {
    const entry = catalog.get(`${name}/${model}`) ?? {};
    const window = entry['context_window'];
    return {
      contextWindow: () => (typeof window === 'number' ? window : known(model).contextWindow),
      price: () => priceOf(entry['cost']) ?? known(model).price,
    };
  };
}

function priceOf(cost: Json | undefined): ModelPrice | undefined {
  if (!isObject(cost)) return undefined;
  const at = (key: string): number | undefined => (typeof cost[key] === 'number' ? microUsd(cost[key]) : undefined);
  const [cached, written] = [at('cached_input_per_million'), at('cache_write_per_million')];
  return {
    inputPerMillion: at('input_per_million')!,
    outputPerMillion: at('output_per_million')!,
    ...(cached === undefined ? {} : { cachedInputPerMillion: cached }),
    ...(written === undefined ? {} : { cacheWritePerMillion: written }),
  };
}

function keyOf(service: Service, name: string, env: Environment): string | undefined {
  const key = service.keys.map(variable => env[variable]).find(value => value !== undefined && value !== '');
  const [variable] = service.keys;
  // Amazon takes its general keys too.
  if (key !== undefined || variable === undefined || (env['AWS_ACCESS_KEY_ID'] !== undefined && variable.startsWith('AWS_'))) return key;
  throw missingKey(name, variable);
}

function missingKey(provider: string, variable: string): OrchestratorError {
  return new OrchestratorError('ORC-403', `the key of the provider ${provider} is not set: there is no ${variable} in the environment`, {
    class: 'auth',
    help: [`export ${variable}=…`],
  });
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

function resolveSecret(text: string, provider: string, env: Environment): string {
  const variable = /^\$\{env:([^}]+)\}$/.exec(text)?.[1];
  if (variable === undefined) return text;
  const value = env[variable];
  if (value !== undefined && value !== '') return value;
  throw missingKey(provider, variable);
}

/** Where local models lie: `models_dir` of the provider, else the user's own folder. */
export function modelsFolder(path: Json | undefined, env: Environment, folder?: string): string {
  return folderPath(typeof path === 'string' ? path : '~/.orchestrator/models', env, folder);
}

function folderPath(path: string, env: Environment, folder = process.cwd()): string {
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
