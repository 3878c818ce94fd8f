import { nearest } from '../../ids.ts';
import { makeFloat } from './numbers.ts';
import type { Run } from './run.ts';
import type { Record, Value } from './values.ts';

interface Parameter {
  name: string;
  required: boolean;
  default: Value;
}

/** What a filter, test, function or method takes, read from its text: `indent(width=4, first=false)`, `format(*values, **named)`. */
export interface Signature {
  name: string;
  text: string;
  parameters: Parameter[];
  /** Takes any number of further values: they come as one list after the parameters. */
  rest: boolean;
  /** Takes any names: they come as one map at the end. */
  named: boolean;
}

export function parseSignature(text: string): Signature {
  const open = text.indexOf('(');
  const signature: Signature = { name: open < 0 ? text : text.slice(0, open), text, parameters: [], rest: false, named: false };
  for (const part of open < 0 ? [] : text.slice(open + 1, -1).split(/, (?=[a-z*])/)) {
    if (part.startsWith('**')) signature.named = true;
    else if (part.startsWith('*')) signature.rest = true;
    else if (part !== '') {
      const [name, value] = part.split('=') as [string, string?];
      signature.parameters.push({ name, required: value === undefined, default: value === undefined ? null : readDefault(value) });
    }
  }
  return signature;
}

function readDefault(text: string): Value {
  if (text === 'none') return null;
  return /^\d+\.\d+$/.test(text) ? makeFloat(Number(text)) : (JSON.parse(text.replaceAll("'", '"')) as Value);
}

/** What is wrong with a call of so many values and these names, or null. `help` says what it takes. */
export function checkArguments(signature: Signature, positional: number, names: readonly string[]): { message: string; help: string[] } | null {
  const { name, parameters, rest, named, text } = signature;
  const help = [`it takes: ${text}`];
  if (positional > parameters.length && !rest) {
    const most = parameters.length === 0 ? 'no arguments' : parameters.length === 1 ? 'one argument' : `at most ${parameters.length} arguments`;
    return { message: `\`${name}\` takes ${most}`, help };
  }
  for (const [i, given] of names.entries()) {
    const place = parameters.findIndex(parameter => parameter.name === given);
    if (place < 0 && !named) {
      const near = nearest(
        given,
        parameters.map(parameter => parameter.name),
        1,
      )[0];
      return { message: `\`${name}\` has no argument \`${given}\``, help: near === undefined ? help : [`did you mean \`${near}\`?`, ...help] };
    }
    if ((place >= 0 && place < positional) || names.indexOf(given) < i) return { message: `\`${name}\` is given \`${given}\` twice`, help };
  }
  const missing = parameters.find((parameter, i) => parameter.required && i >= positional && !names.includes(parameter.name));
  return missing === undefined ? null : { message: `\`${name}\` needs \`${missing.name}\``, help };
}

/** Lays values out in the order of the parameters, defaults filled in; then the list of further values and the map of further names, where taken. */
export function bindArguments(signature: Signature, positional: readonly Value[], named: Record, run: Run): Value[] {
  const names = Object.keys(named);
  const problem = checkArguments(signature, positional.length, names);
  if (problem !== null) throw run.fail(problem.message, problem.help, 'ORC-308');
  const out = signature.parameters.map((parameter, i) => {
    if (i < positional.length) return positional[i]!;
    return Object.hasOwn(named, parameter.name) ? named[parameter.name]! : parameter.default;
  });
  if (signature.rest) out.push(positional.slice(signature.parameters.length));
  if (signature.named) {
    const known = new Set(signature.parameters.map(parameter => parameter.name));
    out.push(Object.fromEntries(names.filter(name => !known.has(name)).map(name => [name, named[name]!])));
  }
  return out;
}

/** What is common to filters, tests, functions and methods: what they take, one line about them, an example with its outcome. */
export interface Described {
  readonly name: string;
  readonly signature: Signature;
  readonly summary: string;
  readonly example: string;
  readonly result: string;
}

export interface Filter extends Described {
  readonly run: (input: Value, args: Value[], run: Run) => Value;
}
export interface Test extends Described {
  readonly run: (input: Value, args: Value[], run: Run) => boolean;
}
export interface FunctionOf extends Described {
  readonly run: (args: Value[], run: Run) => Value;
}

/** A row of a table of filters: signature, summary, example, its outcome, the code. */
export function filter(text: string, summary: string, example: string, result: string, run: Filter['run']): Filter {
  const signature = parseSignature(text);
  return { name: signature.name, signature, summary, example, result, run };
}

export function test(text: string, summary: string, example: string, result: string, run: Test['run']): Test {
  const signature = parseSignature(text);
  return { name: signature.name, signature, summary, example, result, run };
}

/** The same thing under another name. */
export function alias<T extends Described>(name: string, of: T): T {
  const signature = { ...of.signature, name, text: of.signature.text.replace(of.name, name) };
  return { ...of, name, signature, example: of.example.replace(`| ${of.name}`, `| ${name}`) };
}

export function byName<T extends Described>(rows: readonly T[]): ReadonlyMap<string, T> {
  return new Map(rows.map(row => [row.name, row]));
}

// Arguments in the kind that an operation wants. They are given the name that the signature uses, for the message.

export function wantText(value: Value, name: string, run: Run): string {
  if (typeof value !== 'string') throw run.fail(`\`${name}\` must be text`);
  return value;
}

/** An integer within bounds, which keep sizes small before anything is made. */
export function wantInteger(value: Value, name: string, run: Run, least = -Number.MAX_SAFE_INTEGER, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw run.fail(`\`${name}\` must be an integer`);
  if (value < least) throw run.fail(`\`${name}\` must be at least ${least}`);
  if (value > most) throw run.fail(`\`${name}\` must be at most ${most}`);
  return value;
}
