import type { JsonObject } from '../json.ts';
import { position } from '../language/index.ts';

import type { ActionSpec } from '../tools/port.ts';
import { compile, type CompileLimits, type CompileResult } from './compile.ts';
import type { Plan, PlanTask } from './plan.ts';

/* What the tests of this room share: a small catalog of actions, and problems as short texts. */

function object(properties: JsonObject, required: string[] = [], more: JsonObject = {}): JsonObject {
  return { type: 'object', properties, required, additionalProperties: false, ...more };
}

const TEXT: JsonObject = { type: 'string' };

function spec(name: string, parameters: JsonObject, result: JsonObject, more: Partial<ActionSpec> = {}): ActionSpec {
  return { name, summary: `${name}.`, effect: 'pure', powers: [], parameters, result, ...more };
}

export const CATALOG: ActionSpec[] = [
  spec('echo', object({ text: TEXT }, ['text']), TEXT, { example: '- id: hello\n  action: echo\n  parameters: { text: hello }' }),
  spec('filesystem.read', object({ path: TEXT }, ['path']), object({ path: TEXT, content: TEXT, size: { type: 'integer' } }), { effect: 'read' }),
  spec('filesystem.write', object({ path: TEXT, content: TEXT }, ['path', 'content']), object({ path: TEXT, size: { type: 'integer' } }), {
    effect: 'idempotent',
  }),
  spec(
    'web_search',
    object({
      query: TEXT,
      max_results: { type: 'integer', minimum: 1, maximum: 100, default: 10, description: 'how many results to return' },
      tags: { type: 'array', items: TEXT },
      options: object({ safe: { type: 'boolean' } }, ['safe']),
    }),
    object({ results: { type: 'array', items: object({ title: TEXT, url: TEXT }) }, count: { type: 'integer' } }),
    { effect: 'read', provider: 'search' },
  ),
  spec('generate_text', { type: 'object', properties: { prompt: TEXT, temperature: { type: 'number' } }, required: ['prompt'] }, TEXT, {
    effect: 'read',
    powers: ['model'],
  }),
  spec(
    'generate_structured',
    { type: 'object', properties: { prompt: TEXT, schema: { type: 'object', 'x-schema': true } }, required: ['prompt', 'schema'] },
    { description: 'as the schema says' },
    { effect: 'read', powers: ['model'] },
  ),
  spec(
    'data.filter',
    object({ data: true, input: TEXT, condition: { type: 'string', 'x-expression': true, 'x-item': true } }, ['condition'], {
      anyOf: [{ required: ['data'] }, { required: ['input'] }],
    }),
    object({ data: true, rows: { type: 'integer' } }),
  ),
  spec(
    'evaluate_condition',
    object({ condition: { type: ['string', 'boolean'], 'x-expression': true } }, ['condition']),
    object({ result: { type: 'boolean' } }),
  ),
  spec(
    'shell.run',
    object({ command: { type: 'string', 'x-auto': false }, env: { type: 'object', additionalProperties: TEXT } }, ['command']),
    object({ stdout: TEXT, return_code: { type: 'integer' } }),
    { effect: 'effectful' },
  ),
  spec('pair', object({ a: TEXT, b: TEXT, c: TEXT }, [], { anyOf: [{ required: ['a', 'b'] }, { required: ['c'] }] }), {}),
  spec('fail', object({ message: TEXT }), { not: {} }),
  spec('open', object({ kind: { enum: ['a', 'b'] }, level: { anyOf: [{ type: 'integer' }, { type: 'null' }] } }, [], { additionalProperties: true }), {
    type: 'object',
  }),
  spec('sleep', object({ duration: { type: ['number', 'string'], 'x-duration': true } }, ['duration']), { type: 'null' }, { engine: 'sleep' }),
  spec('approval', object({ prompt: TEXT }, ['prompt']), object({ choice: TEXT }), { engine: 'approval' }),
  spec('signal.wait', object({ name: TEXT }, ['name']), {}, { engine: 'signal' }),
  spec(
    'pipeline.run',
    object(
      { file: { ...TEXT, 'x-auto': false }, inputs: { type: 'object', additionalProperties: true }, max_depth: { type: 'integer', minimum: 1, maximum: 16 } },
      ['file'],
    ),
    {},
    { engine: 'pipeline' },
  ),
];

export interface Options {
  /** What lies beside the pipeline, by path. */
  files?: Record<string, string>;
  file?: string;
  strict?: boolean;
  limits?: Partial<CompileLimits>;
  actions?: readonly ActionSpec[];
}

export interface Compiled {
  result: CompileResult;
  /** `error ORC-302 9 serach`: the line, and the first line of what is underlined; with the file in front where it is another one. */
  problems: string[];
  /** The plan; fails the test where there is none. */
  plan: Plan;
  /** A task by its path: `loop/inner`. */
  task(path: string): PlanTask;
}

export function setup(text: string, { files = {}, file = 'p.yaml', strict = false, limits = {}, actions = CATALOG }: Options = {}): Compiled {
  const result = compile({ file, text, actions, strict, limits, read: path => (Object.hasOwn(files, path) ? files[path]! : null) });
  const problems = result.diagnostics.map(({ severity, code, source, span }) => {
    const { line } = position(source, span.start);
    const underlined = source.text.slice(span.start, span.end).split('\n', 1)[0]!;
    return `${source.file === file ? '' : `${source.file} `}${severity} ${code} ${line} ${underlined}`;
  });
  const task = (path: string): PlanTask => {
    let block = result.plan!.blocks[0]!;
    let found: PlanTask | undefined;
    for (const id of path.split('/')) {
      found = block.tasks.find(other => other.id === id)!;
      if (found.body !== undefined) block = result.plan!.blocks[found.body]!;
    }
    return found!;
  };
  return {
    result,
    problems,
    task,
    get plan() {
      if (result.plan === null) throw new Error(`it has problems: ${result.diagnostics.map(({ message }) => message).join('; ')}`);
      return result.plan;
    },
  };
}

/** A pipeline of these lines below `tasks:`, which is its third line. */
export function tasks(lines: string): string {
  return `name: p\nversion: "1"\ntasks:\n${lines}`;
}
