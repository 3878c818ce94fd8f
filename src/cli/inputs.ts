import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { OrchestratorError } from '../errors.ts';
import { nearest } from '../ids.ts';
import { isObject, setOwn, type Json, type JsonObject } from '../json.ts';
import { makeSource } from '../language/source.ts';
import type { Plan, PlanInput } from '../plan/plan.ts';
import { checkSchema, describeSchema } from '../schema.ts';
import type { Problem } from './frame.ts';
import { usageError } from './invocation.ts';
import type { Terminal } from './terminal.ts';

/** The inputs do not fit what the pipeline declares: every problem at once. */
export class InputError extends OrchestratorError {
  readonly diagnostics: Problem[];
  constructor(problems: Problem[]) {
    super(problems[0]!.code, problems.map(problem => problem.message).join('; '), { class: 'invalid_input' });
    this.diagnostics = problems;
  }
}

/** A text that names a file by `@`, read; `@@` begins a text with an @. */
export function readArgument(text: string, { cwd }: Pick<Terminal, 'cwd'>): string {
  if (!text.startsWith('@')) return text;
  if (text.startsWith('@@')) return text.slice(1);
  return readNamedFile(text.slice(1), cwd);
}

export function readNamedFile(file: string, cwd: string): string {
  try {
    return readFileSync(file === '-' ? 0 : resolve(cwd, file), 'utf8');
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new OrchestratorError('ORC-517', missing ? `there is no file ${file}` : `${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}`, {
      class: 'not_found',
      cause,
    });
  }
}

export function parseJsonFile(file: string, cwd: string): Json {
  try {
    return JSON.parse(readNamedFile(file, cwd)) as Json;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw usageError(`${file} is not JSON: ${error.message}`);
  }
}

/** `key=value` as its two halves. */
export function splitPair(text: string, option: string, what: string): [name: string, value: string] {
  const at = text.indexOf('=');
  if (at < 1) throw usageError(`${option} wants ${what}, and was given \`${text}\``);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** The inputs that a call gives: those of the file, and over them those of the command line, each converted to its declared type. Throws InputError. */
export function gatherInputs(plan: Plan, pairs: readonly string[], file: string | undefined, terminal: Pick<Terminal, 'cwd'>): JsonObject {
  const given: JsonObject = {};
  if (file !== undefined) {
    const value = parseJsonFile(file, terminal.cwd);
    if (!isObject(value)) throw usageError(`${file} holds no JSON object of inputs`, ['write: {"name": "value"}']);
    for (const [name, member] of Object.entries(value)) setOwn(given, name, member);
  }
  const specs = new Map(plan.inputs.map(input => [input.name, input]));
  const typed = new Map<string, string>();
  for (const pair of pairs) {
    const [name, text] = splitPair(pair, '-i', 'key=value');
    typed.set(name, text);
    setOwn(given, name, convert(specs.get(name), text, terminal));
  }
  const problems = [...unknownInputs(plan, given), ...missingInputs(plan, given), ...misfits(plan, given, typed)];
  if (problems.length > 0) throw new InputError(problems);
  return given;
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const BOOLEANS: { [text: string]: boolean } = { true: true, yes: true, on: true, '1': true, false: false, no: false, off: false, '0': false };

/** A text of the command line as a value of the declared type; left as text where it is none, for the check to say so. */
function convert(input: PlanInput | undefined, text: string, terminal: Pick<Terminal, 'cwd'>): Json {
  if (input?.type === 'file') return text.startsWith('@') ? text.slice(1) : text;
  const content = readArgument(text, terminal);
  switch (input?.type) {
    case 'integer':
    case 'number':
      return NUMBER.test(content.trim()) ? Number(content) : content;
    case 'boolean': {
      const word = content.trim().toLowerCase();
      return Object.hasOwn(BOOLEANS, word) ? BOOLEANS[word]! : content;
    }
    case 'array':
    case 'object':
      try {
        return JSON.parse(content) as Json;
      } catch {
        return content;
      }
    default:
      return content;
  }
}

function unknownInputs(plan: Plan, given: JsonObject): Problem[] {
  const names = plan.inputs.map(input => input.name);
  return Object.keys(given)
    .filter(name => !names.includes(name))
    .map(name => {
      const near = nearest(name, names, 1)[0];
      const help = near !== undefined ? `did you mean \`${near}\`?` : names.length > 0 ? `inputs: ${names.join(', ')}` : 'this pipeline takes no inputs';
      return { code: 'ORC-117', severity: 'error', message: `the pipeline has no input \`${name}\``, help: [help] };
    });
}

function missingInputs(plan: Plan, given: JsonObject): Problem[] {
  return plan.inputs
    .filter(input => input.required && !Object.hasOwn(given, input.name))
    .map(input => ({
      code: 'ORC-116',
      severity: 'error',
      message: `the input \`${input.name}\` was not given`,
      ...declaration(plan, input),
      label: 'has no default',
      notes: [`${input.name}: ${describeSchema(input.schema)}${input.description === undefined ? '' : ` - ${input.description}`}`],
      help: [`give it: -i ${input.name}=${exampleOf(input)}`],
    }));
}

function exampleOf(input: PlanInput): string {
  switch (input.type) {
    case 'integer':
    case 'number':
      return '1';
    case 'boolean':
      return 'true';
    case 'array':
      return "'[…]'";
    case 'object':
      return "'{…}'";
    default:
      return '…';
  }
}

function misfits(plan: Plan, given: JsonObject, typed: ReadonlyMap<string, string>): Problem[] {
  return plan.inputs
    .filter(input => Object.hasOwn(given, input.name))
    .flatMap(input =>
      checkSchema(input.schema, given[input.name]!).map((problem): Problem => {
        const place = [input.name, ...problem.path].map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`)).join('');
        const text = typed.get(input.name);
        const value = JSON.stringify(given[input.name]);
        const isText = typeof given[input.name] === 'string';
        const label = input.type === 'secret' ? {} : { label: `was given ${isText ? 'the text ' : ''}${value.length > 40 ? `${value.slice(0, 39)}…` : value}` };
        const wantsJson = text !== undefined && isText && (input.type === 'array' || input.type === 'object');
        return {
          code: 'ORC-115',
          severity: 'error',
          message: `the input \`${place}\` ${problem.message}`,
          ...declaration(plan, input),
          ...label,
          ...(wantsJson ? { help: [`write it as JSON: -i ${input.name}='${input.type === 'array' ? '["a", "b"]' : '{"a": 1}'}'`] } : {}),
        };
      }),
    );
}

/** Where the pipeline declares an input. */
function declaration(plan: Plan, { at: [file, line, column], name }: PlanInput): Pick<Problem, 'source' | 'span'> {
  const { file: path, text } = plan.files[file]!;
  const source = makeSource(path, text);
  const start = (source.lineStarts[line - 1] ?? 0) + column - 1;
  return { source, span: { start, end: start + (text.startsWith(name, start) ? name.length : 1) } };
}

/** Results to take instead of performing tasks. */
export function gatherMocks(pairs: readonly string[], terminal: Pick<Terminal, 'cwd'>): { [path: string]: Json } {
  const mocks: { [path: string]: Json } = {};
  for (const pair of pairs) {
    const [path, text] = splitPair(pair, '--mock', 'TASK=@FILE or TASK=JSON');
    const content = readArgument(text, terminal);
    try {
      mocks[path] = JSON.parse(content) as Json;
    } catch {
      mocks[path] = content;
    }
  }
  return mocks;
}
