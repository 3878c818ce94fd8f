import type { Argument, Expr } from './ast.ts';
import { DEFAULT_FILTER } from './filters-list.ts';
import { FILTERS } from './filters.ts';
import { FUNCTIONS } from './functions.ts';
import { keyOf, member, missingMember, sliceOf } from './members.ts';
import { METHODS, receiver } from './methods.ts';
import { makeFloat } from './numbers.ts';
import { applyBinary, applyCompare, keyText, negate, truth } from './operators.ts';
import { toText } from './print.ts';
import { Run, suggest } from './run.ts';
import { bindArguments, type Signature } from './signature.ts';
import { isDefinedTest, TESTS } from './tests.ts';
import { characters } from './text.ts';
import { isRecord, isView, kindOf, NOTHING, Secret, Undefined, type ExpressionError, type Record, type Value } from './values.ts';
import { setOwn } from '../../json.ts';

/** Names that a template sets. Nothing keeps a frame, so a loop clears and fills one. */
export class Frame {
  readonly names = new Map<string, Value>();
  readonly parent: Frame | null;
  constructor(parent: Frame | null) {
    this.parent = parent;
  }
}

/** Walks the tree. There is no code generation and no host object: values are data, what can be called is in four tables. */
export class Interpreter extends Run {
  frame: Frame | null = null;

  lookup(name: string): Value | undefined {
    for (let frame = this.frame; frame !== null; frame = frame.parent) {
      const value = frame.names.get(name);
      if (value !== undefined) return value;
    }
    return this.scope.lookup(name);
  }

  /** A value that exists; it may still be a view, a secret or a namespace. */
  value(node: Expr): Value {
    const value = this.evaluate(node);
    if (!(value instanceof Undefined)) return value;
    this.at = node;
    throw this.undefined(value);
  }

  /** The value of a whole expression; an `if` without `else` gives none. */
  result(node: Expr): Value {
    const value = this.evaluate(node);
    this.at = node;
    if (value === NOTHING) return null;
    if (value instanceof Undefined) throw this.undefined(value);
    return value;
  }

  /** A value that an operation can look into. */
  operand(node: Expr): Value {
    const value = this.evaluate(node);
    if (typeof value !== 'object' || value === null) return value;
    this.at = node;
    return this.data(value);
  }

  truth(node: Expr): boolean {
    const value = this.operand(node);
    return typeof value === 'boolean' ? value : truth(value, this);
  }

  /** Any value, also one that is not defined. */
  evaluate(node: Expr): Value {
    this.at = node;
    this.charge(1);
    switch (node.kind) {
      case 'literal':
        return node.float === true ? makeFloat(node.value as number) : node.value;
      case 'name':
        return this.#name(node.name);
      case 'attribute':
        return this.#member(node, node.object, node.name);
      case 'index':
        return this.#index(node);
      case 'slice':
        return this.#slice(node);
      case 'list':
        return node.items.map(item => this.value(item));
      case 'map':
        return this.#map(node);
      case 'unary': {
        if (node.operator === 'not') return !this.truth(node.operand);
        const operand = this.operand(node.operand);
        this.at = node;
        return negate(node.operator, operand, this);
      }
      case 'binary':
        return this.#binary(node);
      case 'compare':
        return this.#compare(node);
      case 'conditional':
        return this.truth(node.test) ? this.evaluate(node.then) : node.otherwise === null ? NOTHING : this.evaluate(node.otherwise);
      case 'filter': {
        const input = this.evaluate(node.input);
        this.at = node.input;
        return this.applyFilter(node, input, node);
      }
      case 'test':
        return this.#test(node) !== node.negated;
      case 'call': {
        const known = FUNCTIONS.get(node.name);
        if (known === undefined) throw this.fail(`there is no function \`${node.name}\``, suggest(node.name, FUNCTIONS.keys(), 'functions'), 'ORC-307');
        const args = this.#arguments(known.signature, node.arguments, node);
        return known.run(args, this);
      }
      case 'method':
        return this.#method(node);
      case 'concat':
        return this.#concat(node);
    }
  }

  /** A name that stands for none is defined. */
  #name(name: string): Value {
    const value = this.lookup(name);
    if (value !== undefined) return value;
    return new Undefined(() => ({ code: 'ORC-302', message: `\`${name}\` is not defined here`, help: suggest(name, this.#names(), 'defined here') }));
  }

  #names(): Set<string> {
    const names = new Set(this.scope.names());
    for (let frame = this.frame; frame !== null; frame = frame.parent) for (const name of frame.names.keys()) names.add(name);
    return names;
  }

  #member(node: Expr, of: Expr, key: string | number): Value {
    const object = this.evaluate(of);
    if (object instanceof Undefined) return object;
    this.at = node;
    return this.#own(object, key);
  }

  /** A member that is there and none is none; only one that is not there is undefined. */
  #own(object: Value, key: string | number): Value {
    const value = member(object, key, this);
    return value === undefined ? new Undefined(() => ({ code: 'ORC-310', ...missingMember(object, key) })) : value;
  }

  #index(node: Expr & { kind: 'index' }): Value {
    const { index } = node;
    if (index.kind === 'literal' && typeof index.value !== 'boolean' && index.value !== null && index.float !== true)
      return this.#member(node, node.object, index.value);
    const value = this.operand(index);
    const object = this.evaluate(node.object);
    if (object instanceof Undefined) return object;
    this.at = node;
    const key = isRecord(object) ? keyText(value, this) : keyOf(value);
    if (key === undefined) throw this.fail(`${kindOf(value)} cannot be an index`);
    return this.#own(object, key);
  }

  #slice(node: Expr & { kind: 'slice' }): Value {
    const object = this.operand(node.object);
    const bounds = [node.from, node.to, node.step].map(bound => {
      const value = bound === null ? null : this.operand(bound);
      if (value !== null && (typeof value !== 'number' || !Number.isInteger(value))) throw this.fail('the bounds of a slice are integers');
      return value;
    });
    this.at = node;
    if (typeof object !== 'string' && !Array.isArray(object)) throw this.fail(`${kindOf(object)} has no slices`);
    this.charge(object.length);
    const items = typeof object === 'string' ? characters(object) : object;
    const [from, to, step] = bounds as [number | null, number | null, number | null];
    if (step === 0) throw this.fail('the step of a slice is not 0');
    const picked = sliceOf(items, from, to, step ?? 1);
    return typeof object === 'string' ? picked.join('') : picked;
  }

  #map(node: Expr & { kind: 'map' }): Record {
    const out: Record = {};
    for (const entry of node.entries) {
      const key = keyText(this.operand(entry.key), this);
      setOwn(out as Parameters<typeof setOwn>[0], key, this.value(entry.value) as never);
    }
    return out;
  }

  #binary(node: Expr & { kind: 'binary' }): Value {
    const { operator } = node;
    if (operator === 'and' || operator === 'or') {
      const left = this.value(node.left);
      this.at = node.left;
      return truth(left, this) === (operator === 'or') ? left : this.value(node.right);
    }
    const left = operator === '~' ? this.#printable(node.left) : this.operand(node.left);
    const right = operator === '~' ? this.#printable(node.right) : this.operand(node.right);
    this.at = node;
    return applyBinary(operator, left, right, this);
  }

  /** As `#data`, but an `if` without `else` joins as nothing. */
  #printable(node: Expr): Value {
    const value = this.evaluate(node);
    this.at = node;
    return value === NOTHING ? '' : this.data(value);
  }

  #compare(node: Expr & { kind: 'compare' }): boolean {
    let left = this.operand(node.first);
    for (const { operator, operand } of node.rest) {
      const right = this.operand(operand);
      this.at = node;
      if (!applyCompare(operator, left, right, this)) return false;
      left = right;
    }
    return true;
  }

  /** Applies a filter to a value, which may be undefined where the filter is `default`. */
  applyFilter(call: { name: string; arguments: Argument[] }, input: Value, node: { start: number; end: number }): Value {
    const known = FILTERS.get(call.name);
    if (known === undefined) throw this.#unknownFilter(call.name);
    if (known.run === DEFAULT_FILTER.run) return this.#default(known.signature, input, call.arguments, node);
    const value = this.data(input);
    return known.run(value, this.#arguments(known.signature, call.arguments, node), this);
  }

  /** The other value is computed only where it is needed, so it may be one that fails otherwise. */
  #default(signature: Signature, input: Value, args: readonly Argument[], node: { start: number; end: number }): Value {
    this.at = node;
    if (input instanceof Secret) throw this.secret();
    if (!(input instanceof Undefined)) {
      const boolean = args.find((argument, i) => argument.name === 'boolean' || (argument.name === undefined && i === 1));
      if (boolean === undefined || !this.truth(boolean.value)) return input;
      this.at = node;
      if (truth(input, this)) return input;
    }
    return this.#arguments(signature, args, node)[0]!;
  }

  #test(node: Expr & { kind: 'test' }): boolean {
    const known = TESTS.get(node.name);
    if (known === undefined) throw this.#unknownTest(node.name);
    const input = isDefinedTest(node.name) ? this.evaluate(node.input) : this.operand(node.input);
    if (input instanceof Secret) throw this.secret();
    return known.run(input, this.#arguments(known.signature, node.arguments, node), this);
  }

  #method(node: Expr & { kind: 'method' }): Value {
    const known = METHODS.get(node.name);
    if (known === undefined) throw this.fail(`there is no method \`${node.name}\``, suggest(node.name, METHODS.keys(), 'methods'), 'ORC-307');
    const object = this.value(node.object);
    this.at = node;
    const self = receiver(object, known, this);
    return known.run(self, this.#arguments(known.signature, node.arguments, node), this);
  }

  #concat(node: Expr & { kind: 'concat' }): string {
    let text = '';
    for (const part of node.parts) {
      const value = this.#printable(part);
      text += toText(value, this);
      this.reserve(text.length);
    }
    return text;
  }

  /** Values of arguments in the order of the signature. Afterwards an error is about `node`. */
  #arguments(signature: Signature, args: readonly Argument[], node: { start: number; end: number }): Value[] {
    const positional: Value[] = [];
    let named: Record | undefined;
    for (const argument of args) {
      const given = this.value(argument.value);
      const value = isView(given) ? given.whole() : given;
      if (argument.name === undefined) positional.push(value);
      else setOwn((named ??= {}) as Parameters<typeof setOwn>[0], argument.name, value as never);
    }
    this.at = node;
    const { parameters, rest, named: more } = signature;
    if (named !== undefined || rest || more || positional.length > parameters.length) return bindArguments(signature, positional, named ?? {}, this);
    for (let i = positional.length; i < parameters.length; i++) {
      if (parameters[i]!.required) return bindArguments(signature, positional, {}, this);
      positional.push(parameters[i]!.default);
    }
    return positional;
  }

  callFilter(name: string, input: Value, positional: Value[], named: Record): Value {
    const known = FILTERS.get(name);
    if (known === undefined) throw this.#unknownFilter(name);
    this.charge(1);
    const value = known.run === DEFAULT_FILTER.run ? input : this.data(input);
    return known.run(value, bindArguments(known.signature, positional, named, this), this);
  }

  callTest(name: string, input: Value, positional: Value[], named: Record): boolean {
    const known = TESTS.get(name);
    if (known === undefined) throw this.#unknownTest(name);
    this.charge(1);
    const value = isDefinedTest(name) ? input : this.data(input);
    return known.run(value, bindArguments(known.signature, positional, named, this), this);
  }

  knows(kind: 'filter' | 'test', name: string): boolean {
    return (kind === 'filter' ? FILTERS : TESTS).has(name);
  }

  #unknownFilter(name: string): ExpressionError {
    return this.fail(`there is no filter \`${name}\``, suggest(name, FILTERS.keys(), 'filters'), 'ORC-306');
  }

  #unknownTest(name: string): ExpressionError {
    return this.fail(`there is no test \`${name}\``, suggest(name, TESTS.keys(), 'tests'), 'ORC-307');
  }
}
