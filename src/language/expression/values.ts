import { OrchestratorError } from '../../errors.ts';
import type { Code } from '../../codes.ts';
import type { Json, JsonObject } from '../../json.ts';

/** Marks a View, so that no object that came as data can pass for one. */
export const VIEW: unique symbol = Symbol('view');

/**
 * A lazy record, such as a task: an attribute asks `get`, any other use takes `whole`.
 * What `whole` gives is plain data, or an object whose direct members may be views.
 */
export interface View {
  readonly [VIEW]: true;
  get(key: string): Value | undefined;
  keys(): string[];
  whole(): Value;
}

/** A float that happens to be a whole number: `4 / 2` is `2.0`. Other floats are plain numbers, and so are integers. */
export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** What is not there. It becomes an error, made by `describe`, as soon as something other than `default` or `is defined` uses it. */
export class Undefined {
  readonly describe: () => { code: Code; message: string; help: string[] };
  constructor(describe: Undefined['describe']) {
    this.describe = describe;
  }
}

/** The value of `a if c` where c is false: prints as nothing, as in Jinja2. */
export const NOTHING = new Undefined(() => ({
  code: 'ORC-310',
  message: 'an `if` without `else` gave no value',
  help: ['say what else it is: a if c else b'],
}));

/** The key under which a secret's marker prints. */
export const SECRET_KEY = '$secret';

/**
 * An opaque handle. It is told apart by its class and not by its key, so that data which looks like a marker is never taken for one (C11).
 */
export class Secret {
  readonly [SECRET_KEY]: string;
  constructor(name: string) {
    this[SECRET_KEY] = name;
  }
}

/** A secret as JSON sees it: `{"$secret": "NAME"}`. Only `makeSecretMarker` makes one; a copy or parsed JSON is not one. */
export type SecretMarker = JsonObject & { readonly [SECRET_KEY]: string };

export function makeSecretMarker(name: string): SecretMarker {
  return new Secret(name) as unknown as SecretMarker;
}

export function isSecretMarker(value: unknown): value is SecretMarker {
  return value instanceof Secret;
}

/** What `namespace()` makes: the one value that a template may change. */
export class Namespace {
  readonly fields: Map<string, Value>;
  constructor(fields: Map<string, Value>) {
    this.fields = fields;
  }
}

/** The variable `loop` of a `{% for %}`. */
export class Loop {
  readonly items: readonly Value[];
  readonly depth: number;
  index = 0;
  seen: Value | undefined;
  constructor(items: readonly Value[], depth: number) {
    this.items = items;
    this.depth = depth;
  }
}

/** One pair of `groupby`: a list of two that also answers to `.grouper` and `.list`. */
export class Group extends Array<Value> {}

export type Record = { [key: string]: Value };
export type Value = null | boolean | number | string | Float | Undefined | Secret | Namespace | Loop | View | Value[] | Record;

/** Where the names of an expression come from; undefined means that the name is not defined. Values are plain JSON, views and secret markers. */
export interface Scope {
  lookup(name: string): Value | undefined;
  names(): Iterable<string>;
}

/** What an expression may ask of the world: the time in ms since 1970, and files in the pipeline's folder. */
export interface Host {
  now(): number;
  fileExists(path: string): boolean;
  file(path: string): string;
}

/** Limits of one evaluation. */
export interface Fuel {
  steps: number;
  /** Characters, of the output and of any one text that is made on the way. */
  output: number;
  /** Nesting of values that are printed, compared or given back. */
  depth: number;
}

export interface EvalContext {
  scope: Scope;
  host: Host;
  fuel?: Partial<Fuel>;
}

/** An error in an expression, with its place in the text that was parsed. */
export class ExpressionError extends OrchestratorError {
  readonly start: number;
  readonly end: number;
  constructor(code: Code, message: string, place: { start: number; end: number }, help: string[] = []) {
    super(code, message, { class: 'template', help });
    this.name = 'ExpressionError';
    this.start = place.start;
    this.end = place.end;
  }
}

/** A scope over one plain object: own members only. */
export function scopeOf(data: { [key: string]: Json }): Scope {
  return { lookup: name => (Object.hasOwn(data, name) ? data[name] : undefined), names: () => Object.keys(data) };
}

export function isView(value: Value): value is View {
  return typeof value === 'object' && value !== null && (value as { [VIEW]?: unknown })[VIEW] === true;
}

/** True for a plain map: not a list, and none of the classes above. */
export function isRecord(value: Value): value is Record {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return !(
    value instanceof Float ||
    value instanceof Undefined ||
    value instanceof Secret ||
    value instanceof Namespace ||
    value instanceof Loop ||
    isView(value)
  );
}

/** A value in the user's words, for messages. */
export function kindOf(value: Value): string {
  if (value === null) return 'none';
  if (typeof value === 'boolean') return 'a boolean';
  if (typeof value === 'number' || value instanceof Float) return 'a number';
  if (typeof value === 'string') return 'text';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof Loop) return 'a loop';
  return value instanceof Secret ? 'a secret' : 'a map';
}
