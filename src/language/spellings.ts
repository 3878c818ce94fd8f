/**
 * The accepted spellings, as data: what pipelines of older systems write, and the canonical word for it. Everything here is normalised while a file is parsed,
 * so that no later stage knows of it; `fmt` writes the canonical form.
 */
type Table = Readonly<Record<string, string>>;

export const PIPELINE_SPELLINGS: Table = { steps: 'tasks', parameters: 'inputs' };

export const TASK_SPELLINGS: Table = {
  depends_on: 'dependencies',
  needs: 'dependencies',
  if: 'condition',
  when: 'condition',
  foreach: 'for_each',
  steps: 'tasks',
  action_loop: 'tasks',
  goto: 'on_success',
  requires_model: 'model',
  retry_config: 'retry',
  inputs: 'parameters',
};

/** Keys of a task that `error_handling` may hold instead. */
export const ERROR_HANDLING_KEYS: readonly string[] = ['retry', 'retry_config', 'max_retries', 'on_error', 'on_failure', 'continue_on_error', 'timeout'];

export const RETRY_SPELLINGS: Table = {
  max_retries: 'max_attempts',
  attempts: 'max_attempts',
  retries: 'max_attempts',
  initial_delay: 'initial_backoff',
  retry_delay: 'initial_backoff',
  delay: 'initial_backoff',
  backoff_multiplier: 'backoff_factor',
  multiplier: 'backoff_factor',
  max_delay: 'max_backoff',
  retry_on: 'on',
};

export const HANDLER_SPELLINGS: Table = {
  handler_action: 'action',
  handler_task_id: 'task',
  retry_with_handler: 'retry',
  max_handler_retries: 'max_retries',
  fallback_result: 'fallback_value',
};

/** Keys of a handler that belong under `match`. */
export const MATCH_SPELLINGS: Table = { error_codes: 'codes', error_types: 'classes', error_patterns: 'patterns' };

/** Names of exceptions, as the classes of errors that they are. */
export const ERROR_TYPES: Table = {
  TimeoutError: 'timeout',
  ConnectionError: 'network',
  NetworkError: 'network',
  HTTPError: 'network',
  RateLimitError: 'rate_limit',
  AuthenticationError: 'auth',
  PermissionError: 'policy',
  FileNotFoundError: 'not_found',
  KeyError: 'invalid_input',
  TypeError: 'invalid_input',
  ValueError: 'invalid_input',
  ValidationError: 'invalid_input',
  AssertionError: 'assertion',
  RuntimeError: 'failed',
  Exception: 'failed',
};

export const QUEUE_SPELLINGS: Table = { steps: 'tasks', action_loop: 'tasks', task: 'tasks' };

export const INPUT_SPELLINGS: Table = { enum: 'choices', min: 'minimum', max: 'maximum' };

export const INPUT_TYPES: Table = {
  str: 'string',
  text: 'string',
  int: 'integer',
  float: 'number',
  bool: 'boolean',
  list: 'array',
  dict: 'object',
  map: 'object',
};

export const ACTION_SPELLINGS: Table = {
  generate: 'generate_text',
  'generate-text': 'generate_text',
  'generate-structured': 'generate_structured',
  analyze: 'analyze_text',
  'analyze-text': 'analyze_text',
  search_web: 'web_search',
  print: 'echo',
  display: 'echo',
};

export interface Tool {
  /** The action behind each operation. */
  operations: Table;
  /** The action of a tool that is named alone or beside prose. */
  otherwise: string;
  /** Parameters that an operation stands for, beside its action. */
  fixed?: Readonly<Record<string, Table>>;
}

const METHODS = ['put', 'patch', 'delete', 'head'];

/** What `tool: NAME` with `action: OPERATION` is called. */
export const TOOLS: Readonly<Record<string, Tool>> = {
  filesystem: {
    operations: {
      ...same('filesystem', ['read', 'write', 'append', 'copy', 'move', 'delete', 'list', 'exists']),
      read_file: 'filesystem.read',
      write_file: 'filesystem.write',
      list_directory: 'filesystem.list',
    },
    otherwise: 'filesystem.read',
  },
  terminal: { operations: { execute: 'shell.run', run: 'shell.run' }, otherwise: 'shell.run' },
  'python-executor': { operations: { execute: 'python.run', run: 'python.run' }, otherwise: 'python.run' },
  'data-processing': { operations: same('data', ['convert', 'filter', 'aggregate', 'transform', 'join', 'profile', 'sort']), otherwise: 'data.transform' },
  validation: { operations: { validate: 'validate' }, otherwise: 'validate' },
  'report-generator': { operations: { generate: 'report.generate' }, otherwise: 'report.generate' },
  'pdf-compiler': { operations: { compile: 'pdf.write' }, otherwise: 'pdf.write' },
  'web-search': { operations: { search: 'web_search' }, otherwise: 'web_search' },
  'headless-browser': { operations: { search: 'web_search', scrape: 'web_fetch' }, otherwise: 'web_search' },
  'http-client': {
    operations: { ...same('http', ['get', 'post', 'request']), ...Object.fromEntries(METHODS.map(method => [method, 'http.request'])) },
    otherwise: 'http.request',
    fixed: Object.fromEntries(METHODS.map(method => [method, { method: method.toUpperCase() }])),
  },
};

function same(room: string, operations: string[]): Table {
  return Object.fromEntries(operations.map(operation => [operation, `${room}.${operation}`]));
}

/** What a task does, told from the words that its author used. */
export interface NamedAction {
  name: string;
  /** What stood in `action` where that was a sentence. */
  prose?: string;
  /** `parameters.action` named the operation, and is no parameter. */
  fromParameter?: boolean;
  /** Parameters that the words stand for, where they are not given. */
  parameters?: Table;
}

/** The canonical name of an action; `operation` is what `parameters.action` says, `hasModel` whether the task names a model. */
export function nameAction(tool: string | undefined, action: string | undefined, operation: string | undefined, hasModel: boolean): NamedAction {
  if (tool !== undefined) return nameToolAction(tool, action, operation);
  const name = action ?? '';
  if (Object.hasOwn(ACTION_SPELLINGS, name)) return { name: ACTION_SPELLINGS[name]! };
  const dot = name.indexOf('.');
  const named = dot < 0 ? undefined : nameOperation(findTool(name.slice(0, dot)), name.slice(dot + 1));
  if (named !== undefined) return named;
  if (findTool(name) !== undefined) return nameToolAction(name, undefined, operation);
  if (hasModel && isProse(name)) return { name: 'generate_text', prose: name };
  return { name };
}

function nameToolAction(tool: string, action: string | undefined, operation: string | undefined): NamedAction {
  const known = findTool(tool);
  if (known === undefined) {
    if (action === undefined) return { name: tool };
    return isProse(action) ? { name: tool, prose: action } : { name: `${tool}.${action}` };
  }
  if (action === undefined) {
    const named = operation === undefined ? undefined : nameOperation(known, operation);
    return named === undefined ? { name: known.otherwise } : { ...named, fromParameter: true };
  }
  const word = action.startsWith(`${tool}.`) ? action.slice(tool.length + 1) : action;
  const named = nameOperation(known, word);
  if (named !== undefined) return named;
  return isProse(action) ? { name: known.otherwise, prose: action } : { name: `${tool}.${word}` };
}

function nameOperation(tool: Tool | undefined, operation: string): NamedAction | undefined {
  if (tool === undefined || !Object.hasOwn(tool.operations, operation)) return undefined;
  const name = tool.operations[operation]!;
  const fixed = tool.fixed ?? {};
  return Object.hasOwn(fixed, operation) ? { name, parameters: fixed[operation]! } : { name };
}

function findTool(name: string): Tool | undefined {
  const hyphened = name.replaceAll('_', '-');
  return Object.hasOwn(TOOLS, hyphened) ? TOOLS[hyphened] : undefined;
}

/** A sentence rather than a name. */
export function isProse(text: string): boolean {
  return /\S\s+\S/.test(text);
}

/** `echo "text"`: the offsets of the text within the prose, without its quotes. */
export function echoedText(action: string): { start: number; end: number } | undefined {
  const found = /^\s*(?:echo|print|display)\s+(?=\S)/.exec(action);
  if (found === null) return undefined;
  const start = found[0].length;
  const end = action.trimEnd().length;
  const quote = action[start];
  const quoted = end - start >= 2 && (quote === '"' || quote === "'") && action[end - 1] === quote;
  return quoted ? { start: start + 1, end: end - 1 } : { start, end };
}
