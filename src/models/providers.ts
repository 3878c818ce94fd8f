import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { systemClock, type Clock } from '../clock.ts';
import { OrchestratorError } from '../errors.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { microUsd } from '../money.ts';
import { aiSdkProvider, type Describe } from './ai-sdk.ts';
import { llamaCpp } from './llama-cpp.ts';
import { openAICompatible } from './openai-compatible.ts';
import type { ModelPrice, Provider } from './port.ts';
import { lookUp } from './prices.ts';
import { SERVICES, type Environment, type Service, type StructuredOutput } from './services.ts';
import { readTimeoutMs } from './settings.ts';
import { abilitiesOf } from './traits.ts';

export interface OpenProvidersOptions {
  /** Where `${env:NAME}` and `~` are looked up. */
  env: Environment;
  /** Puts what `${file:…}` and `${cmd:…}` stand for into a key or a header; without it only `${env:NAME}` as the whole key is known. */
  resolve?: (text: string) => string;
  /** Folder of the configuration file, in which a relative models_dir is looked for. */
  folder?: string;
  clock?: Clock;
}

/** Those that the configuration names, and those that appear by themselves. */
export function openProviders(section: JsonObject, catalog: Map<string, JsonObject>, options: OpenProvidersOptions): Map<string, Provider> {
  const all = { ...appearing(options.env), ...namedProviders(section) };
  return new Map(Object.entries(all).map(([name, settings]) => [name, openProvider(name, settings as JsonObject, catalog, options)]));
}

function namedProviders(section: JsonObject): JsonObject {
  return isObject(section['providers']) ? section['providers'] : {};
}

/** The services whose key is in the environment, as if the configuration named them. */
function appearing(env: Environment): JsonObject {
  return Object.fromEntries(
    Object.entries(SERVICES)
      .filter(([, service]) => service.appears(env))
      .map(([type]) => [type, { type }]),
  );
}

/** The model that the configuration chooses. Who sets nothing but a key wants that service: its small model; who names providers chooses for himself. */
export function defaultModel(section: JsonObject, env: Environment): string | undefined {
  if (typeof section['default'] === 'string') return section['default'];
  if (Object.keys(namedProviders(section)).length > 0) return undefined;
  const first = Object.entries(SERVICES).find(([, service]) => service.small !== undefined && service.appears(env));
  return first === undefined ? undefined : `${first[0]}/${first[1].small}`;
}

function openProvider(name: string, settings: JsonObject, catalog: Map<string, JsonObject>, options: OpenProvidersOptions): Provider {
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
  const extra = (): Record<string, string> => headersOf(headers, options);
  const service = SERVICES[type as string];
  if (service !== undefined) return lazily(name, () => openService(service, settings, catalog, options, { ...common, headers: extra() }));
  return lazily(name, () =>
    openAICompatible({
      ...common,
      baseUrl: base_url as string,
      describe: describer(name, catalog, () => ({ price: undefined, contextWindow: undefined })),
      ...(typeof api_key === 'string' ? { apiKey: resolveSecret(api_key, name, options) } : {}),
      headers: extra(),
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
  options: OpenProvidersOptions,
  { name, headers, ...common }: CommonOptions,
): Provider {
  const { env, clock = systemClock } = options;
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
  const apiKey = typeof api_key === 'string' ? resolveSecret(api_key, name, options) : keyOf(service, name, env);
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
    ...(service.embedsAtOnce === undefined ? {} : { embedsAtOnce: service.embedsAtOnce }),
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
      abilities: abilitiesOf(model, entry),
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
  return { name, list: async signal => provider().list(signal), model: model => provider().model(model), close: async () => opened?.close() };
}

function headersOf(headers: Json | undefined, { resolve = text => text }: OpenProvidersOptions): Record<string, string> {
  return isObject(headers) ? Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, resolve(value as string)])) : {};
}

function resolveSecret(text: string, provider: string, { env, resolve = unchanged => unchanged }: OpenProvidersOptions): string {
  const variable = /^\$\{env:([^}]+)\}$/.exec(text)?.[1];
  if (variable === undefined) return resolve(text);
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
