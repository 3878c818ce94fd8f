import jsonata from 'jsonata';
import { RE2JS } from 're2js';
import { OrchestratorError } from '../errors.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { abortError, given, optionalDurationMs, optionalObject, text } from './parameters.ts';
import type { ActionContext } from './port.ts';

const MAX_STEPS = 1_000_000;
const MAX_DEPTH = 500;
const MAX_TEXT = 16 * 1024 * 1024;
const MAX_SEQUENCE = 1_000_000;
/** How long an expression may hold the event loop before it lets others run. */
const SLICE_MS = 10;

/** The part of RegExp that JSONata uses, in linear time (C4): it hands over the RegExp that its parser made and calls exec from lastIndex on. */
class LinearRegExp {
  lastIndex = 0;
  private readonly pattern: RE2JS;

  constructor(source: RegExp) {
    const flags = (source.ignoreCase ? RE2JS.CASE_INSENSITIVE : 0) | (source.multiline ? RE2JS.MULTILINE : 0);
    this.pattern = RE2JS.compile(source.source, flags);
  }

  exec(input: string): RegExpExecArray | null {
    const matcher = this.pattern.matcher(input);
    if (this.lastIndex > input.length || !matcher.find(this.lastIndex)) {
      this.lastIndex = 0;
      return null;
    }
    const match = Array.from({ length: matcher.groupCount() + 1 }, (_, group) => matcher.group(group) ?? undefined);
    this.lastIndex = matcher.end() === matcher.start() ? matcher.end() + 1 : matcher.end();
    return Object.assign(match, { index: matcher.start(), input }) as unknown as RegExpExecArray;
  }
}

function fuelError(what: string): OrchestratorError {
  return new OrchestratorError('ORC-311', `The expression ${what}.`, {
    class: 'template',
    help: ['make it smaller, or raise timeout, a parameter of the action'],
  });
}

/** Called before each node of the expression: counts, looks at the clock, and now and then lets the rest of the program run. */
function guard(timeoutMs: number, signal: AbortSignal): () => Promise<void> | undefined {
  const deadline = performance.now() + timeoutMs;
  let steps = 0;
  let sliceEnd = performance.now() + SLICE_MS;
  return () => {
    if (++steps > MAX_STEPS) throw fuelError(`takes more than ${MAX_STEPS} steps`);
    if (steps % 64 !== 0) return undefined;
    const now = performance.now();
    if (now > deadline) throw fuelError(`takes longer than ${timeoutMs / 1000} s`);
    if (signal.aborted) throw abortError(signal);
    if (now < sliceEnd) return undefined;
    return new Promise(resolve =>
      setImmediate(() => {
        sliceEnd = performance.now() + SLICE_MS;
        resolve();
      }),
    );
  };
}

function checkSize(_expression: unknown, _input: unknown, _environment: unknown, result: unknown): void {
  if (typeof result === 'string' && result.length > MAX_TEXT) throw fuelError('makes a text that is too long');
}

function pad(value: string, width: number, filler = ' '): string {
  const size = Math.abs(Math.trunc(width));
  if (size > MAX_TEXT) throw fuelError('makes a text that is too long');
  const missing = Math.max(0, size - Array.from(value).length);
  const padding = Array.from((filler === '' ? ' ' : filler).repeat(missing))
    .slice(0, missing)
    .join('');
  return width < 0 ? padding + value : value + padding;
}

/** JSONata throws plain objects: `{code, message, position, token}`. */
function jsonataError(error: unknown): OrchestratorError {
  if (error instanceof OrchestratorError) return error;
  const { code, message, position } = error as { code?: string; message?: string; position?: number };
  if (code === 'D1011') return fuelError('is nested too deep');
  if (code === 'D1012') return fuelError('takes too long');
  if (code === 'D2014' || code === 'D2015') return fuelError('makes a list that is too long');
  const where = position === undefined ? '' : ` (at character ${position})`;
  return new OrchestratorError(
    code?.startsWith('S') === true ? 'ORC-305' : 'ORC-310',
    `The JSONata expression failed${where}: ${message ?? 'for no reason that it gives'}.`,
    { class: 'template', cause: error },
  );
}

/** A result as plain data: sequences become lists, what is nothing becomes null, a function is no data. */
function plain(value: unknown): Json {
  if (typeof value === 'function' || (isObject(value) && '_jsonata_lambda' in value))
    throw new OrchestratorError('ORC-310', 'The JSONata expression gives a function, which is no data.', { class: 'template' });
  return value === undefined ? null : (JSON.parse(JSON.stringify(value) ?? 'null') as Json);
}

export async function runJsonata(parameters: JsonObject, context: ActionContext): Promise<Json> {
  const timeoutMs = optionalDurationMs(parameters, 'timeout')!;
  try {
    const expression = jsonata(text(parameters, 'expression'), {
      RegexEngine: LinearRegExp as unknown as RegExpConstructor,
      timeout: timeoutMs,
      stack: MAX_DEPTH,
      sequence: MAX_SEQUENCE,
    });
    expression.registerFunction(
      'eval',
      () => {
        throw fuelError('calls $eval, which would run data');
      },
      '<sx?:x>',
    );
    expression.registerFunction('pad', pad, '<s-ns?:s>');
    const hooks = expression as unknown as { assign(name: symbol, value: unknown): void };
    hooks.assign(Symbol.for('jsonata.__evaluate_entry'), guard(timeoutMs, context.signal));
    hooks.assign(Symbol.for('jsonata.__evaluate_exit'), checkSize);
    return plain(await expression.evaluate(given(parameters, 'data') ?? null, optionalObject(parameters, 'bindings') ?? {}));
  } catch (error) {
    throw jsonataError(error);
  }
}
