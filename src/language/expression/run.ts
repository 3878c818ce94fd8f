import type { Code } from '../../codes.ts';
import { nearest } from '../../ids.ts';
import {
  ExpressionError,
  isView,
  Namespace,
  Secret,
  Undefined,
  type EvalContext,
  type Fuel,
  type Host,
  type Record,
  type Scope,
  type Value,
} from './values.ts';

export const FUEL: Fuel = { steps: 1_000_000, output: 10 * 1024 * 1024, depth: 64 };

/** One evaluation: its limits, what it may ask for, and the place that an error would be about. Operators, filters and tests get it as `run`. */
export abstract class Run {
  readonly scope: Scope;
  readonly host: Host;
  readonly depth: number;
  readonly output: number;
  /** The node whose operation is under way. */
  at: { readonly start: number; readonly end: number } = { start: 0, end: 0 };
  #steps: number;

  constructor(context: EvalContext) {
    this.scope = context.scope;
    this.host = context.host;
    this.#steps = context.fuel?.steps ?? FUEL.steps;
    this.output = context.fuel?.output ?? FUEL.output;
    this.depth = context.fuel?.depth ?? FUEL.depth;
  }

  /** Applies a filter that is named by a value, as `map('upper')` does. */
  abstract callFilter(name: string, input: Value, positional: Value[], named: Record): Value;
  abstract callTest(name: string, input: Value, positional: Value[], named: Record): boolean;
  /** Whether there is a filter or a test of this name. */
  abstract knows(kind: 'filter' | 'test', name: string): boolean;
  abstract lookup(name: string): Value | undefined;

  fail(message: string, help: string[] = [], code: Code = 'ORC-310'): ExpressionError {
    return new ExpressionError(code, message, this.at, help);
  }

  /** Pays for work; called before it is done. */
  charge(steps: number): void {
    this.#steps -= steps;
    if (this.#steps < 0) throw this.fail('this takes more steps than a template is allowed', ['loop over less, or do the work in a task'], 'ORC-311');
  }

  /** Refuses a text of so many characters. */
  limit(characters: number): void {
    if (characters > this.output) {
      throw this.fail(`this makes a text of more than ${this.output} characters`, ['write large texts to a file in a task'], 'ORC-311');
    }
  }

  /** Pays for a text of so many characters before it is made. */
  reserve(characters: number): void {
    this.limit(characters);
    this.charge(characters / 64);
  }

  /** Goes one level deeper into a value, up to the limit. */
  enter(depth: number, cost = 1): number {
    if (depth >= this.depth) throw this.fail('this value is nested deeper than a template may look', [], 'ORC-311');
    this.charge(cost);
    return depth + 1;
  }

  undefined(value: Undefined): ExpressionError {
    const { code, message, help } = value.describe();
    return this.fail(message, help, code);
  }

  secret(): ExpressionError {
    return this.fail('a secret cannot be read by an expression', ['hand it to a parameter as it is: "{{ secret(\'NAME\') }}"'], 'ORC-312');
  }

  /** A value that can be looked into: neither undefined, nor a secret, nor lazy. */
  data(value: Value): Value {
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof Undefined) throw this.undefined(value);
    if (value instanceof Secret) throw this.secret();
    if (value instanceof Namespace) return Object.fromEntries(value.fields);
    return isView(value) ? value.whole() : value;
  }
}

/** Help lines for a name that is not known: what may have been meant, and what there is. */
export function suggest(word: string, known: Iterable<string>, what: string): string[] {
  const names = [...known].sort();
  const near = nearest(word, names, 1)[0];
  const help = near === undefined ? [] : [`did you mean \`${near}\`?`];
  if (names.length > 0) help.push(`${what}: ${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : ''}`);
  return help;
}
