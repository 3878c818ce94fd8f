/** The keys that each map of a pipeline knows, with a line on each for editors and messages. */
export const PIPELINE_KEYS = {
  id: 'Short name by which other files and the state store know the pipeline; the name where it is not given',
  name: 'Name of the pipeline',
  version: 'Version of the pipeline, such as "1.0"',
  description: 'What the pipeline does, in a line',
  metadata: 'Anything; not read by the program',
  inputs: 'Typed inputs, enforced before anything runs',
  defaults: 'Model, timeout and retry of tasks that do not say',
  budget: 'What a run may cost, and what happens when the next call could exceed it',
  timeout: 'How long a run may take: 90, 90s, 2m, 1h30m',
  concurrency: 'How many tasks may run at once',
  tasks: 'What the pipeline does; data flow decides the order',
  outputs: 'Named results of the pipeline',
  on_error: 'Handlers of the pipeline itself: the first that fits runs once when the run has failed, which it stays',
} as const;

export const TASK_KEYS = {
  id: 'Name of the task, by which expressions refer to its result',
  name: 'Name for people; never a template',
  description: 'What the task does; never a template',
  metadata: 'Anything; not read by the program',
  action: 'What the task does, such as filesystem.write',
  parameters: 'Parameters of the action',
  dependencies: 'Tasks that must have settled before this one starts; references add themselves',
  condition: 'Expression; the task is skipped where it is false',
  for_each: 'List or object whose items the body is run for',
  while: 'Expression; the body is repeated as long as it is true',
  until: 'Expression, tested after each iteration; the body is repeated until it is true',
  max_iterations: 'Most iterations of while and until; 10 where it is not given',
  max_parallel: 'How many iterations of a for_each may run at once; 1 where it is not given',
  loop_name: 'Name by which inner tasks reach the variables of this loop',
  tasks: 'Body of the loop',
  parallel: 'Tasks of a group, run side by side',
  on_failure: 'fail, continue, skip, or the id of a task below to go on with',
  on_error: 'Handlers that may recover a failure',
  on_success: 'Id of a task below; those between are skipped when this one completes',
  on_false: 'Id of a task below; those between are skipped when the condition is false',
  retry: 'How a failure is tried again',
  timeout: 'How long one attempt may take: 90, 90s, 2m, 1h30m',
  model: 'Id of a model, or requirements of one',
  cache: 'Whether an earlier result is taken again, and for how long',
  on_ambiguous: 'What becomes of the task when a crash leaves it unknown whether its effect took place: retry, skip or fail',
  outputs: 'Fields of the result, as JSON Schemas',
} as const;

export const LOOP_ONLY_KEYS: readonly string[] = ['max_iterations', 'max_parallel', 'loop_name', 'tasks'];
export const ACTION_ONLY_KEYS: readonly string[] = ['action', 'tool', 'parameters', 'cache', 'on_ambiguous'];

export const QUEUE_KEYS: readonly string[] = ['on', 'tasks', 'max_parallel'];
export const DEFAULTS_KEYS: readonly string[] = ['model', 'timeout', 'retry'];
export const BUDGET_KEYS: readonly string[] = ['usd', 'on_exceed'];
export const RETRY_KEYS: readonly string[] = ['max_attempts', 'initial_backoff', 'backoff_factor', 'max_backoff', 'jitter', 'on'];
export const CACHE_KEYS: readonly string[] = ['key', 'ttl'];
export const HANDLER_KEYS: readonly string[] = [
  'action',
  'tool',
  'task',
  'fallback_value',
  'match',
  'parameters',
  'retry',
  'max_retries',
  'timeout',
  'priority',
  'name',
  'description',
];
/** What those who come from other systems write for a key of a task, and what it is called here. */
export const TASK_WORDS: { readonly [key: string]: string } = {
  uses: 'action',
  type: 'action',
  with: 'parameters',
  params: 'parameters',
  args: 'parameters',
  arguments: 'parameters',
  run: 'action: shell.run',
  script: 'action: shell.run',
  after: 'dependencies',
  requires: 'dependencies',
  wait_for: 'dependencies',
  loop: 'for_each',
  with_items: 'for_each',
  only_if: 'condition',
  catch: 'on_error',
  rescue: 'on_error',
  fallback: 'on_error',
};

export const MATCH_KEYS: readonly string[] = ['codes', 'classes', 'patterns'];
export const INPUT_KEYS: readonly string[] = ['type', 'description', 'default', 'required', 'choices', 'minimum', 'maximum', 'pattern', 'items', 'metadata'];

/** Keywords of JSON Schema that an input may use as they are. */
export const INPUT_SCHEMA_KEYS: readonly string[] = [
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'uniqueItems',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'format',
  'properties',
  'additionalProperties',
  'examples',
  'title',
];

export const INPUT_TYPE_NAMES = ['string', 'integer', 'number', 'boolean', 'array', 'object', 'file', 'secret'] as const;
export const ON_EXCEED = ['pause', 'fail', 'fallback-model'] as const;
export const ON_AMBIGUOUS = ['retry', 'skip', 'fail'] as const;
export const FAILURE_POLICIES = ['fail', 'continue', 'skip'] as const;

/** Every class of error that `on_error` and `retry.on` may name. */
export const ERROR_CLASSES = [
  'rate_limit',
  'timeout',
  'network',
  'auth',
  'not_found',
  'unavailable',
  'invalid_input',
  'invalid_output',
  'template',
  'process',
  'policy',
  'budget',
  'assertion',
  'cancelled',
  'attention',
  'upstream',
  'storage',
  'internal',
  'failed',
] as const;

/** Names that a loop binds in its body. */
export const FOR_EACH_NAMES: readonly string[] = ['item', 'index', 'is_first', 'is_last', 'position', 'length', 'remaining', 'has_next', 'has_prev'];
export const WHILE_NAMES: readonly string[] = ['iteration', 'index', 'is_first', 'loop_state', 'previous'];

/** Names with a meaning of their own in every expression. */
export const RESERVED_NAMES: readonly string[] = [
  'inputs',
  'parameters',
  'tasks',
  'execution',
  'and',
  'or',
  'not',
  'in',
  'is',
  'if',
  'else',
  'true',
  'false',
  'none',
  'null',
  'True',
  'False',
  'None',
];
