import { isObject, own, type Json, type JsonObject } from '../../json.ts';
import { MODELS_SCHEMA } from '../../models/index.ts';

/** What the keys below `models` mean, by their path; `*` stands for a name or for each item. */
const MEANINGS: { [path: string]: string } = {
  '': 'Models and who serves them. A service appears by itself when its key is in the environment.',
  default: 'The model of tasks that name none: `<provider>/<model>`.',
  providers: 'Services and folders of models, by name.',
  'providers.*.type': 'Which service it is, what it speaks, or `llama.cpp` for files on this machine; by default what its name says.',
  'providers.*.base_url': 'Address up to and without `/chat/completions`.',
  'providers.*.api_key': 'The key; write a reference such as `${env:LAB_KEY}`, never the key itself.',
  'providers.*.headers': 'Headers that each request carries.',
  'providers.*.timeout': 'The longest silence that is waited out.',
  'providers.*.structured_output': 'How the service is told the shape of an answer.',
  'providers.*.limits': 'How much may be asked at once and a minute.',
  'providers.*.limits.requests_per_minute': 'Requests a minute.',
  'providers.*.limits.tokens_per_minute': 'Tokens a minute.',
  'providers.*.limits.concurrency': 'Requests at once.',
  'providers.*.models_dir': 'Folder of the GGUF files of local models.',
  'providers.*.threads': 'Threads that a local model uses.',
  'providers.*.context_size': 'Tokens of context of a local model.',
  'providers.*.resource_name': 'Name of the Azure resource.',
  'providers.*.api_version': 'Version of the Azure interface.',
  'providers.*.region': 'Region of Amazon Bedrock.',
  catalog: 'What is known of models beyond what their providers tell.',
  'catalog.*.id': '`<provider>/<model>`.',
  'catalog.*.context_window': 'Tokens that prompt and reply may have together.',
  'catalog.*.expertise': 'What the model is good at, for requirements: `fast`, `code`.',
  'catalog.*.capabilities': 'What it can do: `tools`, `embeddings`. It wins over what its name tells.',
  'catalog.*.modalities': 'What it reads: `text`, `image`, `file` (PDF).',
  'catalog.*.languages': 'Languages that it speaks well.',
  'catalog.*.size': 'Its size, such as `8b`.',
  'catalog.*.cost': 'Its price.',
  'catalog.*.cost.input_per_million': 'Dollars a million tokens of the prompt.',
  'catalog.*.cost.output_per_million': 'Dollars a million tokens of the reply.',
  'catalog.*.cost.cached_input_per_million': 'Dollars a million tokens read from the cache of the provider.',
  'catalog.*.cost.cache_write_per_million': 'Dollars a million tokens written to it.',
  'catalog.*.limits': 'As for a provider, for this model alone.',
  'catalog.*.limits.requests_per_minute': 'Requests a minute.',
  'catalog.*.limits.tokens_per_minute': 'Tokens a minute.',
  'catalog.*.limits.concurrency': 'Requests at once.',
  fallback: 'Models to try in turn where one is unavailable: a list, or a map that also says whether they may cost more.',
  routing: 'How a model is chosen for requirements.',
  'routing.strategy': 'What counts most.',
  'routing.rules': 'Models for certain domains.',
  'routing.rules.*.domain': 'Name of the domain.',
  'routing.rules.*.words': 'Words by which a prompt is known to belong to it.',
  'routing.rules.*.use': 'A model, or requirements.',
  hub: 'Where `orchestrator models pull` fetches local models.',
};

/** The section `models` of the configuration: the schema that the models check, with meanings. What one file leaves out another may give, so no key of a provider is required here. */
export const MODELS: JsonObject = describe(MODELS_SCHEMA as JsonObject, '');

/** Every type of provider. */
export const PROVIDER_TYPES: ReadonlySet<string> = new Set(typesOf());

/** Types of providers that take a key out of the environment where none is configured, and so would hand it to whatever address they are given. */
export const KEYED_TYPES: ReadonlySet<string> = new Set(
  [...PROVIDER_TYPES].filter(type => type !== 'openai-compatible' && type !== 'llama.cpp' && type !== 'ollama'),
);

function typesOf(): string[] {
  const type = at(MODELS_SCHEMA as JsonObject, 'properties', 'providers', 'additionalProperties', 'properties', 'type', 'enum');
  return Array.isArray(type) ? type.map(String) : [];
}

function at(schema: JsonObject, ...path: string[]): Json | undefined {
  return path.reduce<Json | undefined>((here, key) => (isObject(here) ? own(here, key) : undefined), schema);
}

function describe(schema: JsonObject, path: string): JsonObject {
  const inner = (key: string): string => (path === '' ? key : `${path}.${key}`);
  const result: JsonObject = { ...(path === 'providers.*' ? openProvider(schema) : schema) };
  if (Object.hasOwn(MEANINGS, path)) result['description'] = MEANINGS[path]!;
  for (const key of ['additionalProperties', 'items']) {
    const member = result[key];
    if (isObject(member)) result[key] = describe(member, inner('*'));
  }
  if (isObject(result['properties'])) {
    result['properties'] = Object.fromEntries(
      Object.entries(result['properties']).map(([key, member]) => [key, describe(isObject(member) ? member : {}, inner(key))]),
    );
  }
  return result;
}

/** The schema of a provider with the keys of all types in one place, and without what it requires. */
function openProvider({ required: _, ...schema }: JsonObject): JsonObject {
  const branches = (Array.isArray(schema['allOf']) ? schema['allOf'] : []) as { if: JsonObject; then: JsonObject }[];
  const properties = Object.assign({}, ...branches.map(branch => branch.then['properties'])) as JsonObject;
  const allOf = branches.map(({ if: condition, then: { required: _required, ...then } }) => ({ if: condition, then }));
  return { ...schema, additionalProperties: false, properties: { ...properties, ...(schema['properties'] as JsonObject) }, allOf };
}
