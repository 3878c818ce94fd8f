import { isObject, type JsonObject, type JsonSchema } from '../json.ts';
import type { ActionSpec } from '../tools/port.ts';
import { AUTO_ATTRIBUTES } from './auto.ts';
import {
  BUDGET_KEYS,
  ERROR_CLASSES,
  FAILURE_POLICIES,
  INPUT_SCHEMA_KEYS,
  INPUT_TYPE_NAMES,
  ON_AMBIGUOUS,
  ON_EXCEED,
  PIPELINE_KEYS,
  TASK_KEYS,
} from './keys.ts';
import { PIPELINE_SPELLINGS, TASK_SPELLINGS } from './spellings.ts';

/** A value that is computed stands wherever a plain one may. */
const COMPUTED: JsonObject = {
  type: 'string',
  pattern: '\\{\\{|\\{%|<AUTO',
  description: `A template, or a question to a model: <AUTO ${AUTO_ATTRIBUTES.join('= ')}=>…</AUTO>`,
};
const DURATION: JsonObject = {
  anyOf: [
    { type: 'number', minimum: 0 },
    { type: 'string', pattern: '^\\s*(\\d+(\\.\\d+)?(ms|s|m|h|d|w)?\\s*)+$' },
  ],
};
const EXPRESSION: JsonObject = { type: ['string', 'boolean', 'number'] };
const COUNT: JsonObject = { anyOf: [{ type: 'integer', minimum: 1 }, COMPUTED] };
const WORDS: JsonObject = { anyOf: [{ type: 'array', items: { type: 'string' } }, { type: 'string' }] };
const ID: JsonObject = { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_-]*$' };
const MODEL: JsonObject = { type: ['string', 'object'] };
const HANDLERS: JsonObject = {
  anyOf: [{ type: 'array', items: { anyOf: [{ $ref: '#/$defs/handler' }, { type: 'string' }] } }, { $ref: '#/$defs/handler' }, { type: 'string' }],
};
const TASKS: JsonObject = { type: 'array', minItems: 1, items: { $ref: '#/$defs/task' } };

/** The JSON Schema (2020-12) of a pipeline file, from which editors complete keys, actions and the parameters of each action. */
export function pipelineSchema(actions: readonly ActionSpec[]): JsonObject {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Orchestrator pipeline',
    anyOf: [
      {
        type: 'object',
        required: ['pipeline'],
        properties: { pipeline: { $ref: '#/$defs/pipeline', required: ['name', 'version', 'tasks'] } },
        patternProperties: { '^x-': true },
      },
      { $ref: '#/$defs/pipeline', required: ['name'] },
    ],
    $defs: {
      pipeline: object(describe(PIPELINE_KEYS, PIPELINE_PROPERTIES), accepted(PIPELINE_SPELLINGS, PIPELINE_PROPERTIES)),
      task: {
        ...object(describe(TASK_KEYS, { ...TASK_PROPERTIES, action: actionName(actions) }), {
          ...accepted(TASK_SPELLINGS, TASK_PROPERTIES),
          ...OLDER_TASK_KEYS,
        }),
        allOf: actions.map(parametersOf),
      },
      input: { anyOf: [object(INPUT_PROPERTIES), { type: ['string', 'number', 'boolean', 'null', 'array'] }] },
      retry: {
        anyOf: [
          { type: 'object', properties: RETRY_PROPERTIES },
          { type: 'integer', minimum: 0 },
        ],
      },
      handler: { type: 'object', properties: { ...HANDLER_PROPERTIES, action: actionName(actions) } },
    },
  };
}

const INPUT_PROPERTIES: JsonObject = {
  type: { enum: [...INPUT_TYPE_NAMES], description: 'What the input is; string where it is not given' },
  description: { type: 'string', description: 'What to give, in a line' },
  default: { description: 'Taken where the input is not given; without it the input is required' },
  required: { type: ['boolean', 'array'], description: 'false: null where it is not given' },
  choices: { type: 'array', minItems: 1, description: 'The only values that it takes' },
  minimum: { type: 'number' },
  maximum: { type: 'number' },
  pattern: { type: 'string', description: 'Regular expression that a text must match' },
  items: { type: ['object', 'string'], description: 'JSON Schema, or type, of the items of an array' },
  metadata: true,
  ...Object.fromEntries(INPUT_SCHEMA_KEYS.map(key => [key, true])),
};

const RETRY_PROPERTIES: JsonObject = {
  max_attempts: { type: 'integer', minimum: 1, default: 3, description: 'How often it is tried in all' },
  initial_backoff: { ...DURATION, default: '1s', description: 'Wait before the second attempt' },
  backoff_factor: { type: 'number', minimum: 1, default: 2, description: 'How much longer each wait is than the one before' },
  max_backoff: { ...DURATION, default: '60s', description: 'Longest wait' },
  jitter: { type: 'boolean', default: true, description: 'Waits differ a little, so that not all try at once' },
  on: { type: 'array', items: { enum: [...ERROR_CLASSES] }, description: 'Classes of errors that are tried again; every retryable one where it is not given' },
};

const HANDLER_PROPERTIES: JsonObject = {
  task: { ...ID, description: 'Id of a task of the same list that is run' },
  fallback_value: { description: 'Result of the task where nothing else gives one' },
  match: {
    type: 'object',
    description: 'Errors that the handler is for; every one where it is not given',
    properties: { codes: WORDS, classes: { type: 'array', items: { enum: [...ERROR_CLASSES] } }, patterns: WORDS },
  },
  parameters: { type: 'object', description: 'Parameters of the action' },
  retry: { type: 'boolean', description: 'Runs the task again after the handler' },
  max_retries: { type: 'integer', minimum: 1 },
  timeout: DURATION,
  priority: { type: 'number', description: 'Lower ones are tried first' },
};

const PIPELINE_PROPERTIES: JsonObject = {
  id: { type: 'string' },
  name: { type: 'string' },
  version: { type: ['string', 'number'] },
  description: { type: 'string' },
  metadata: true,
  inputs: { type: 'object', additionalProperties: { $ref: '#/$defs/input' } },
  defaults: object({ model: MODEL, timeout: DURATION, retry: { $ref: '#/$defs/retry' } }),
  budget: {
    type: 'object',
    required: ['usd'],
    properties: { usd: { type: 'number', minimum: 0 }, on_exceed: { enum: [...ON_EXCEED] } },
    propertyNames: { enum: [...BUDGET_KEYS] },
  },
  timeout: DURATION,
  concurrency: { type: 'integer', minimum: 1 },
  tasks: TASKS,
  outputs: { type: 'object' },
  on_error: HANDLERS,
};

const TASK_PROPERTIES: JsonObject = {
  id: ID,
  name: { type: 'string' },
  description: { type: 'string' },
  metadata: true,
  parameters: { type: 'object' },
  dependencies: WORDS,
  condition: EXPRESSION,
  for_each: { type: ['string', 'array', 'object'] },
  while: EXPRESSION,
  until: EXPRESSION,
  max_iterations: COUNT,
  max_parallel: COUNT,
  loop_name: ID,
  tasks: TASKS,
  parallel: TASKS,
  on_failure: { anyOf: [{ enum: [...FAILURE_POLICIES] }, ID] },
  on_error: HANDLERS,
  on_success: ID,
  on_false: ID,
  retry: { $ref: '#/$defs/retry' },
  timeout: DURATION,
  model: MODEL,
  cache: { anyOf: [{ type: 'boolean' }, object({ key: { type: 'string', description: 'Template; the same text is the same result' }, ttl: DURATION })] },
  on_ambiguous: { enum: [...ON_AMBIGUOUS] },
  outputs: { type: ['object', 'array'] },
};

/** Older keys of a task that have no single canonical key. */
const OLDER_TASK_KEYS: JsonObject = Object.fromEntries(
  ['tool', 'max_retries', 'continue_on_error', 'error_handling', 'create_parallel_queue', 'task'].map(key => [key, { deprecated: true, doNotSuggest: true }]),
);

function object(properties: JsonObject, older: JsonObject = {}): JsonObject {
  return { type: 'object', properties: { ...properties, ...older }, patternProperties: { '^x-': true }, additionalProperties: false };
}

function describe(descriptions: Readonly<Record<string, string>>, properties: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(descriptions).map(([key, description]) => [key, { ...(isObject(properties[key]) ? properties[key] : {}), description }]),
  );
}

/** Accepted spellings are no error in an editor, and are not offered. */
function accepted(spellings: Readonly<Record<string, string>>, properties: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(spellings).map(([key, name]) => [
      key,
      { ...(isObject(properties[name]) ? properties[name] : {}), deprecated: true, doNotSuggest: true, description: `Another spelling of \`${name}\`` },
    ]),
  );
}

function actionName(actions: readonly ActionSpec[]): JsonObject {
  return { anyOf: [...actions.map(({ name, summary }) => ({ const: name, description: summary })), { type: 'string' }] };
}

function parametersOf({ name, summary, parameters }: ActionSpec): JsonObject {
  return {
    if: { required: ['action'], properties: { action: { const: name } } },
    then: { properties: { parameters: { description: summary, ...asObject(orComputed(parameters)) } } },
  };
}

function asObject(schema: JsonSchema): JsonObject {
  return isObject(schema) ? schema : {};
}

/** The schema of parameters as they are written: each may be computed, and those with a default of the language may be missing. */
function orComputed(schema: JsonSchema): JsonSchema {
  if (!isObject(schema) || !isObject(schema['properties'])) return schema;
  const properties = Object.entries(schema['properties']).map(([key, value]) => {
    const { description, ...rest } = asObject(value as JsonSchema);
    const either: JsonObject = { ...(description === undefined ? {} : { description }), anyOf: [rest, COMPUTED] };
    return [key, either] as const;
  });
  return { ...schema, properties: Object.fromEntries(properties) };
}
