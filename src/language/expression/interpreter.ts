import type { Argument, Expr, Statement, Template } from './ast.ts';
import { DEFAULT_FILTER } from './filters-list.ts';
import { FILTERS } from './filters.ts';
import { FUNCTIONS } from './functions.ts';
import { keyOf, member } from './members.ts';
import { METHODS, receiver } from './methods.ts';
import { makeFloat } from './numbers.ts';
import { applyBinary, applyCompare, iterate, keyText, negate, truth } from './operators.ts';
import { toText } from './print.ts';
import { Run, suggest } from './run.ts';
import { bindArguments, type Signature } from './signature.ts';
import { isDefinedTest, TESTS } from './tests.ts';
import { characters } from './text.ts';
import { isRecord, isView, kindOf, Loop, Namespace, NOTHING, Secret, Undefined, type ExpressionError, type Record, type SecretMarker, type Value } from './values.ts';
import { setOwn } from '../../json.ts';

/** Names that a template sets. Nothing keeps a frame, so a loop clears and fills one. */
class Frame {
  readonly names = new Map<string, Value>();
  readonly parent: Frame | null;
  constructor(parent: Frame | null) {
    this.parent = parent;
  }
}

type Flow = 'on' | 'break' | 'continue';

/** Walks the tree. There is no code generation and no host object: values are data, what can be called is in four tables. */
export class Interpreter extends Run {
  #frame: Frame | null = null;
  #loops = 0;
  #out = '';
  #written = 0;
  #segments: (string | SecretMarker)[] | null = null;

  lookup(name: string): Value | undefined {
    for (let frame = this.#frame; frame !== null; frame = frame.parent) {
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
  #data(node: Expr): Value {
    const value = this.evaluate(node);
    if (typeof value !== 'object' || value === null) return value;
    this.at = node;
    return this.data(value);
  }

  truth(node: Expr): boolean {
    const value = this.#data(node);
    return typeof value === 'boolean' ? value : truth(value, this);
  }

  /** Any value, also one that is not defined. */
  evaluate(node: Expr): Value {
    this.at = node;
    this.charge(1);
    switch (node.kind) {
      case 'literal': return node.float === true ? makeFloat(node.value as number) : node.value;
      case 'name': return this.lookup(node.name) ?? this.#unknown(node.name);
      case 'attribute': return this.#member(node, node.object, node.name);
      case 'index': return this.#index(node);
      case 'slice': return this.#slice(node);
      case 'list': return node.items.map(item => this.value(item));
      case 'map': return this.#map(node);
      case 'unary': {
        if (node.operator === 'not') return !this.truth(node.operand);
        const operand = this.#data(node.operand);
        this.at = node;
        return negate(node.operator, operand, this);
      }
      case 'binary': return this.#binary(node);
      case 'compare': return this.#compare(node);
      case 'conditional': return this.truth(node.test) ? this.evaluate(node.then) : node.otherwise === null ? NOTHING : this.evaluate(node.otherwise);
      case 'filter': return this.#filter(node.name, node, node.input, node.arguments);
      case 'test': return this.#test(node) !== node.negated;
      case 'call': {
        const known = FUNCTIONS.get(node.name);
        if (known === undefined) throw this.fail(`there is no function \`${node.name}\``, suggest(node.name, FUNCTIONS.keys(), 'functions'), 'ORC-307');
        const args = this.#arguments(known.signature, node.arguments, node);
        return known.run(args, this);
      }
      case 'method': return this.#method(node);
      case 'concat': return this.#concat(node);
    }
  }

  #unknown(name: string): Undefined {
    return new Undefined(() => ({
      code: 'ORC-302',
      message: `\`${name}\` is not defined here`,
      help: suggest(name, this.#names(), 'defined here'),
    }));
  }

  #names(): Set<string> {
    const names = new Set(this.scope.names());
    for (let frame = this.#frame; frame !== null; frame = frame.parent) for (const name of frame.names.keys()) names.add(name);
    return names;
  }

  #member(node: Expr, of: Expr, key: string | number): Value {
    const object = this.evaluate(of);
    if (object instanceof Undefined) return object;
    this.at = node;
    return member(object, key, this) ?? new Undefined(() => ({ code: 'ORC-310', ...missingMember(object, key) }));
  }

  #index(node: Expr & { kind: 'index' }): Value {
    const { index } = node;
    if (index.kind === 'literal' && typeof index.value !== 'boolean' && index.value !== null && index.float !== true) return this.#member(node, node.object, index.value);
    const value = this.#data(index);
    const object = this.evaluate(node.object);
    if (object instanceof Undefined) return object;
    this.at = node;
    const key = isRecord(object) ? keyText(value, this) : keyOf(value);
    if (key === undefined) throw this.fail(`${kindOf(value)} cannot be an index`);
    return member(object, key, this) ?? new Undefined(() => ({ code: 'ORC-310', ...missingMember(object, key) }));
  }

  #slice(node: Expr & { kind: 'slice' }): Value {
    const object = this.#data(node.object);
    const bounds = [node.from, node.to, node.step].map(bound => {
      const value = bound === null ? null : this.#data(bound);
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
      const key = keyText(this.#data(entry.key), this);
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
    const left = operator === '~' ? this.#printable(node.left) : this.#data(node.left);
    const right = operator === '~' ? this.#printable(node.right) : this.#data(node.right);
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
    let left = this.#data(node.first);
    for (const { operator, operand } of node.rest) {
      const right = this.#data(operand);
      this.at = node;
      if (!applyCompare(operator, left, right, this)) return false;
      left = right;
    }
    return true;
  }

  #filter(name: string, node: { start: number; end: number }, input: Expr, args: readonly Argument[]): Value {
    const known = FILTERS.get(name);
    if (known === undefined) throw this.#unknownFilter(name);
    if (known.run === DEFAULT_FILTER.run) return this.#default(known.signature, this.evaluate(input), args, node);
    const value = this.#data(input);
    return known.run(value, this.#arguments(known.signature, args, node), this);
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
    const input = isDefinedTest(node.name) ? this.evaluate(node.input) : this.#data(node.input);
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
      const value = this.value(argument.value);
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

  /** Renders a template to text, and to handles where secrets stand. */
  render(template: Template, segments: boolean): (string | SecretMarker)[] {
    this.#segments = segments ? [] : null;
    this.#frame = new Frame(null);
    this.#run(template.body);
    return [...(this.#segments ?? []), this.#out];
  }

  #run(body: readonly Statement[]): Flow {
    for (const statement of body) {
      const flow = this.#step(statement);
      if (flow !== 'on') return flow;
    }
    return 'on';
  }

  #step(node: Statement): Flow {
    switch (node.kind) {
      case 'text': this.at = node; this.#emit(node.text); return 'on';
      case 'output': this.#output(node.expr); return 'on';
      case 'if': return this.#run(node.branches.find(branch => branch.test === null || this.truth(branch.test))?.body ?? []);
      case 'for': return this.#for(node);
      case 'set': this.#set(node); return 'on';
      case 'set-block': {
        const [text, flow] = this.#capture(node.body);
        this.#frame!.names.set(node.target, this.#filtered(text, node.filters, node));
        return flow;
      }
      case 'with': {
        const values = node.bindings.map(binding => [binding.name, this.value(binding.value)] as const);
        return this.#scoped(() => {
          for (const [name, value] of values) this.#frame!.names.set(name, value);
          return this.#run(node.body);
        });
      }
      case 'filter-block': {
        const [text, flow] = this.#capture(node.body);
        const value = this.#filtered(text, node.filters, node);
        this.#emit(toText(value, this));
        return flow;
      }
      case 'break': case 'continue': return node.kind;
    }
  }

  #emit(text: string): void {
    this.#written += text.length;
    if (this.#written > this.output) this.reserve(this.#written);
    this.#out += text;
  }

  #output(expr: Expr): void {
    const value = this.evaluate(expr);
    this.at = expr;
    if (typeof value === 'string') return this.#emit(value);
    if (!(value instanceof Secret)) return this.#emit(toText(value, this));
    if (this.#segments === null) throw this.secret();
    this.#segments.push(this.#out, value as unknown as SecretMarker);
    this.#out = '';
  }

  /** Runs a body with an output of its own and gives that back. A secret must not get into it. */
  #capture(body: readonly Statement[]): [string, Flow] {
    const [out, written, segments] = [this.#out, this.#written, this.#segments];
    this.#out = '';
    this.#segments = null;
    const flow = this.#scoped(() => this.#run(body));
    const text = this.#out;
    [this.#out, this.#written, this.#segments] = [out, written, segments];
    return [text, flow];
  }

  #scoped(run: () => Flow): Flow {
    const outer = this.#frame;
    this.#frame = new Frame(outer);
    const result = run();
    this.#frame = outer;
    return result;
  }

  #filtered(text: string, filters: readonly { name: string; arguments: Argument[] }[], node: { start: number; end: number }): Value {
    let value: Value = text;
    for (const each of filters) {
      const known = FILTERS.get(each.name);
      if (known === undefined) throw this.#unknownFilter(each.name);
      value = known.run(this.data(value), this.#arguments(known.signature, each.arguments, node), this);
    }
    return value;
  }

  #set(node: Statement & { kind: 'set' }): void {
    const value = this.value(node.value);
    const name = node.targets[0]!;
    if (node.attribute === null) return this.#bind(node.targets, value, node.value, this.#frame!);
    const target = this.lookup(name);
    this.at = node;
    if (!(target instanceof Namespace)) throw this.fail(`\`${name}\` is not a namespace, so its parts cannot be set`, [`{% set ${name} = namespace() %}`]);
    target.fields.set(node.attribute, value);
  }

  #bind(targets: readonly string[], value: Value, node: Expr, frame: Frame): void {
    if (targets.length === 1) {
      frame.names.set(targets[0]!, value);
      return;
    }
    this.at = node;
    if (typeof value === 'string') throw this.fail(`a text cannot be taken apart into ${targets.join(', ')}`, ['the pairs of a map are: map.items()']);
    const parts = iterate(value, this);
    if (parts.length !== targets.length) throw this.fail(`${targets.length} names (${targets.join(', ')}) cannot take ${parts.length} values`);
    for (const [i, target] of targets.entries()) frame.names.set(target, parts[i]!);
  }

  #for(node: Statement & { kind: 'for' }): Flow {
    const outer = this.#frame;
    const source = this.#data(node.source);
    const frame = (this.#frame = new Frame(outer));
    let items = iterate(source, this);
    if (node.filter !== null) {
      const test = node.filter;
      items = items.filter(item => {
        this.#bind(node.targets, item, node.source, frame);
        return this.truth(test);
      });
    }
    const loop = new Loop(items, this.#loops++);
    for (let i = 0; i < items.length; i++) {
      loop.index = i;
      frame.names.clear();
      frame.names.set('loop', loop);
      this.at = node;
      this.charge(1);
      this.#bind(node.targets, items[i]!, node.source, frame);
      if (this.#run(node.body) === 'break') break;
    }
    this.#loops--;
    frame.names.clear();
    const flow = items.length === 0 ? this.#run(node.otherwise) : 'on';
    this.#frame = outer;
    return flow;
  }
}

/** Says what is missing, and what is there instead. */
function missingMember(object: Value, key: string | number): { message: string; help: string[] } {
  if (Array.isArray(object) || typeof object === 'string') {
    if (typeof key === 'number') return { message: `there is no member ${key}: the ${typeof object === 'string' ? 'text' : 'list'} has ${object.length}`, help: [] };
    return { message: `${kindOf(object)} has no attribute \`${key}\``, help: Array.isArray(object) ? [`of every member: x | map(attribute='${key}')`] : [] };
  }
  if (object === null || typeof object !== 'object') return { message: `${kindOf(object)} has no attribute \`${key}\``, help: [] };
  const keys = isView(object) ? object.keys() : isRecord(object) ? Object.keys(object) : object instanceof Namespace ? [...object.fields.keys()] : [];
  return { message: `there is no \`${key}\` in it`, help: suggest(String(key), keys, 'it has') };
}

/** Python's slicing. */
function sliceOf<T>(items: readonly T[], from: number | null, to: number | null, step: number): T[] {
  const length = items.length;
  const clamp = (place: number | null, fallback: number): number => {
    if (place === null) return fallback;
    const at = place < 0 ? place + length : place;
    return step > 0 ? Math.min(Math.max(at, 0), length) : Math.min(Math.max(at, -1), length - 1);
  };
  if (step === 1) return items.slice(clamp(from, 0), clamp(to, length));
  const end = clamp(to, step > 0 ? length : -1);
  const out: T[] = [];
  for (let i = clamp(from, step > 0 ? 0 : length - 1); step > 0 ? i < end : i > end; i += step) out.push(items[i]!);
  return out;
}
