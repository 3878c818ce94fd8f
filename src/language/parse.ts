import { isMap } from 'yaml';
import { nearest } from '../ids.ts';
import type { Diagnostic } from './diagnostic.ts';
import { readYaml } from './document.ts';
import { FUNCTION_NAMES } from './expression/index.ts';
import { Fields } from './fields.ts';
import { readHandlers, readRetry } from './handlers.ts';
import { readInputs } from './inputs.ts';
import { BUDGET_KEYS, DEFAULTS_KEYS, ON_EXCEED, PIPELINE_KEYS, RESERVED_NAMES } from './keys.ts';
import { findPair, nodeSpan, type YamlNode } from './nodes.ts';
import { normalisePipeline } from './normalise.ts';
import type { InputSpec, Pipeline } from './pipeline.ts';
import { at, listNames, Reporter } from './report.ts';
import { microUsd } from '../money.ts';
import type { Source, Span } from './source.ts';
import { PIPELINE_SPELLINGS } from './spellings.ts';
import { readTasks, type Scope } from './tasks.ts';
import { readValue } from './values.ts';

export interface ParseOptions {
  /** What is a warning otherwise is an error. */
  strict?: boolean;
  /** `limits.file_mib`; 16 where it is not given. */
  fileLimitMiB?: number;
  /** `limits.tasks`; 100,000 where it is not given. */
  taskLimit?: number;
}

export interface Parsed {
  /** What could be read, also where there are errors; null where there was nothing to read. */
  pipeline: Pipeline | null;
  /** Every problem of the file, in its order. */
  diagnostics: Diagnostic[];
}

/** Reads the text of a pipeline. Never throws; references between tasks, and actions, are for the plan to check. */
export function parse(source: Source, options: ParseOptions = {}): Parsed {
  const reporter = new Reporter(source, options.strict ?? false);
  const pipeline = tooLarge(reporter, options.fileLimitMiB ?? 16) ? null : read(reporter, options.taskLimit ?? 100_000);
  return { pipeline, diagnostics: reporter.sorted() };
}

function tooLarge(reporter: Reporter, limitMiB: number): boolean {
  const { text } = reporter.source;
  const limit = limitMiB * 1024 * 1024;
  // A UTF-16 code unit is at most three bytes of UTF-8, so most files need no counting.
  if (text.length * 3 <= limit || (text.length <= limit && new TextEncoder().encode(text).length <= limit)) return false;
  reporter.error('ORC-603', { start: 0, end: 1 }, `this file is larger than ${limitMiB} MiB`, {
    help: ['move a part of it to a file of its own: action: pipeline.run', 'or raise `limits.file_mib` in the configuration'],
  });
  return true;
}

function read(reporter: Reporter, taskLimit: number): Pipeline | null {
  const file = readYaml(reporter);
  if (file === undefined) return null;
  const wrapper = findPair(file.root, 'pipeline');
  const path = at(undefined, 'pipeline');
  if (wrapper === undefined) {
    normalisePipeline(reporter, file.root, path);
    const fields = new Fields(reporter, file.root, path);
    fields.finish(Object.keys(PIPELINE_KEYS), 'a pipeline', [...Object.keys(PIPELINE_SPELLINGS), 'pipeline', 'config']);
    // What is missing stands below the misspelled `pipeline`.
    if (!fields.has('tasks') && [...fields.entries.keys()].some(key => !Object.hasOwn(PIPELINE_KEYS, key) && nearest(key, ['pipeline']).length > 0))
      return null;
    return readPipeline(reporter, fields, nodeSpan(file.root), firstKeySpan(fields), ['name', 'tasks'], taskLimit);
  }
  new Fields(reporter, file.root, at(undefined, '')).finish(['pipeline'], 'a file that holds `pipeline`');
  const keySpan = nodeSpan(wrapper.key as YamlNode);
  if (!isMap(wrapper.value)) {
    reporter.error('ORC-104', keySpan, '`pipeline` is a map of keys', { path, help: ['write below it: name, version and tasks'] });
    return null;
  }
  normalisePipeline(reporter, wrapper.value, path);
  const fields = new Fields(reporter, wrapper.value, path);
  fields.finish(Object.keys(PIPELINE_KEYS), 'a pipeline', [...Object.keys(PIPELINE_SPELLINGS), 'config']);
  return readPipeline(reporter, fields, nodeSpan(wrapper.value), keySpan, ['name', 'version', 'tasks'], taskLimit);
}

function firstKeySpan(fields: Fields): Span {
  return fields.entries.values().next().value?.keySpan ?? { start: 0, end: 0 };
}

const MISSING_EXAMPLES: Record<string, string> = {
  name: 'name: my_pipeline',
  version: 'version: "1.0"',
  tasks: 'tasks:\n      - id: search\n        action: web_search',
};

function readPipeline(reporter: Reporter, fields: Fields, span: Span, headSpan: Span, required: string[], taskLimit: number): Pipeline {
  const missing = required.filter(key => !fields.has(key));
  if (missing.length > 0) {
    reporter.error('ORC-102', headSpan, `pipeline is missing ${listNames(missing)}`, {
      path: fields.path,
      label: `needs ${missing.map(key => `\`${key}\``).join(', ')}`,
      help: [`add:\n    ${missing.map(key => MISSING_EXAMPLES[key]).join('\n    ')}`],
    });
  }
  const name = readName(fields);
  const inputs = readInputs(fields);
  return {
    source: reporter.source,
    span,
    id: fields.text('id') ?? name,
    name,
    version: readVersion(fields),
    description: fields.text('description'),
    inputs,
    defaults: readDefaults(fields),
    budget: readBudget(fields),
    timeoutMs: fields.durationMs('timeout'),
    concurrency: fields.integer('concurrency', 1),
    tasks: readTasks({ reporter, remaining: taskLimit }, fields, 'tasks', rootScope(inputs)),
    outputs: readOutputs(fields),
    onError: readHandlers(fields),
  };
}

/** What every task of the pipeline would hide. */
function rootScope(inputs: InputSpec[]): Scope {
  const names = new Map<string, string>();
  for (const name of FUNCTION_NAMES) names.set(name, 'a function of the expression language');
  for (const name of RESERVED_NAMES) names.set(name, 'a word of the expression language');
  for (const { name } of inputs) names.set(name, 'an input of the pipeline');
  return { parent: undefined, names };
}

function readName(fields: Fields): string {
  const word = fields.word('name', 'a text', false);
  if (word !== undefined && word.text.trim() === '')
    fields.reporter.error('ORC-112', word.span, '`name` is empty', { path: word.path, help: ['name the pipeline: name: my_pipeline'] });
  return word?.text ?? '';
}

function readVersion(fields: Fields): string {
  const word = fields.word('version', 'a text such as "1.0"', false);
  if (word !== undefined && !/^\d+(?:\.\d+){0,2}(?:[-+][\w.+-]+)?$/.test(word.text)) {
    fields.reporter.error('ORC-106', word.span, `\`${word.text}\` is not a version`, {
      path: word.path,
      help: ['write one to three numbers: "1", "1.0" or "1.0.0"'],
    });
  }
  return word?.text ?? '1.0.0';
}

function readDefaults(pipeline: Fields): Pipeline['defaults'] {
  const fields = pipeline.map('defaults', 'a map of model, timeout and retry');
  if (fields === undefined) return {};
  fields.finish(DEFAULTS_KEYS, '`defaults`');
  const model = fields.get('model');
  const timeoutMs = fields.durationMs('timeout');
  const retry = readRetry(fields);
  return {
    ...(model === undefined ? {} : { model: readValue(fields.reporter, model.node, fields.pathOf('model')) }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(retry === undefined ? {} : { retry }),
  };
}

function readBudget(pipeline: Fields): Pipeline['budget'] {
  const fields = pipeline.map('budget', 'a map such as { usd: 0.50, on_exceed: pause }');
  if (fields === undefined) return undefined;
  fields.finish(BUDGET_KEYS, '`budget`');
  const { keySpan: span, node } = pipeline.get('budget')!;
  if (!fields.has('usd'))
    fields.reporter.error('ORC-102', span, '`budget` is missing `usd`', {
      path: fields.path,
      label: 'needs `usd`',
      help: ['add how many dollars a run may cost: usd: 0.50'],
    });
  const usd = fields.number('usd', 0);
  const onExceed = fields.oneOf('on_exceed', ON_EXCEED) ?? 'pause';
  // Money is counted in whole micro-dollars everywhere.
  return usd === undefined ? undefined : { usd: microUsd(usd) / 1_000_000, onExceed, span: nodeSpan(node) };
}

function readOutputs(pipeline: Fields): Pipeline['outputs'] {
  const fields = pipeline.map('outputs', 'a map of names to values');
  if (fields === undefined) return [];
  return Array.from(fields.entries.values(), ({ key, keySpan, node }) => ({
    name: key,
    span: keySpan,
    value: readValue(fields.reporter, node, fields.pathOf(key)),
  }));
}
