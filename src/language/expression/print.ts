import { setOwn, type Json, type JsonObject } from '../../json.ts';
import { floatText, integerText } from './numbers.ts';
import type { Run } from './run.ts';
import { Float, isView, Loop, Namespace, NOTHING, Secret, Undefined, type Value } from './values.ts';

/** A value as text: text as it is, booleans and null as JSON, floats as in Python, lists and maps as JSON. */
export function toText(value: Value, run: Run): string {
  if (typeof value === 'string') return value;
  if (value === NOTHING) return '';
  if (isView(value)) return toText(value.whole(), run);
  return typeof value === 'object' && value !== null && !(value instanceof Float) ? toJsonText(value, run) : scalarText(value);
}

function scalarText(value: null | boolean | number | Float): string {
  if (typeof value === 'number') return Number.isInteger(value) ? integerText(value) : floatText(value);
  return value instanceof Float ? floatText(value.value) : String(value);
}

export interface JsonStyle {
  /** Spaces a level; 0 or less keeps it on one line. */
  indent: number;
  sortKeys: boolean;
  /** Escapes what is not ASCII. */
  ascii: boolean;
}

const PLAIN: JsonStyle = { indent: 0, sortKeys: false, ascii: false };

/** A value as Python's json.dumps writes it: `", "` and `": "` between members. */
export function toJsonText(value: Value, run: Run, style: JsonStyle = PLAIN): string {
  const pieces: string[] = [];
  let length = 0;
  const put = (piece: string): void => {
    length += piece.length;
    run.limit(length);
    pieces.push(piece);
  };
  const members = (open: string, close: string, count: number, depth: number, member: (i: number, inner: number) => void): void => {
    const line = style.indent > 0 && count > 0 ? `\n${' '.repeat(style.indent * (depth + 1))}` : '';
    const separator = line === '' ? ', ' : `,${line}`;
    const inner = run.enter(depth);
    put(open + line);
    for (let i = 0; i < count; i++) {
      if (i > 0) put(separator);
      member(i, inner);
    }
    put(line === '' ? close : `\n${' '.repeat(style.indent * depth)}${close}`);
  };
  const write = (raw: Value, depth: number): void => {
    const item = run.data(raw);
    if (typeof item === 'string') put(quote(item, style.ascii));
    else if (Array.isArray(item)) members('[', ']', item.length, depth, (i, inner) => write(item[i]!, inner));
    else if (item === null || typeof item !== 'object' || item instanceof Float) put(jsonScalar(item));
    else if (item instanceof Loop) throw run.fail('`loop` is not a value', ['use a part of it: loop.index']);
    else {
      const record = item as { [key: string]: Value };
      const keys = style.sortKeys ? Object.keys(record).sort() : Object.keys(record);
      members('{', '}', keys.length, depth, (i, inner) => {
        put(`${quote(keys[i]!, style.ascii)}: `);
        write(record[keys[i]!]!, inner);
      });
    }
  };
  run.charge(1);
  write(value, 0);
  run.reserve(length);
  return pieces.join('');
}

function jsonScalar(value: null | boolean | number | Float): string {
  const text = scalarText(value);
  return text === 'nan' ? 'NaN' : text === 'inf' ? 'Infinity' : text === '-inf' ? '-Infinity' : text;
}

function quote(text: string, ascii: boolean): string {
  const quoted = JSON.stringify(text);
  return ascii ? quoted.replace(/[\u007f-\uffff]/g, c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`) : quoted;
}

/** A value as plain JSON. What is plain already is given back itself, not copied. */
export function toJson(value: Value, run: Run, depth = 0): Json {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return finite(value, run);
  if (value instanceof Float) return finite(value.value, run);
  if (value instanceof Secret) return value as unknown as Json;
  if (value === NOTHING) return null;
  if (value instanceof Undefined || value instanceof Loop)
    throw value instanceof Loop ? run.fail('`loop` is not a value', ['use a part of it: loop.index']) : run.undefined(value);
  if (isView(value)) return wholeJson(value, run, depth);
  const members: readonly (readonly [string, Value])[] | null = Array.isArray(value)
    ? null
    : value instanceof Namespace
      ? [...value.fields]
      : Object.entries(value);
  const inner = run.enter(depth, 0.1 + (members ?? (value as Value[])).length / 20);
  return members === null ? listJson(value as Value[], run, inner) : recordJson(value as { [key: string]: Value }, members, run, inner);
}

function listJson(list: Value[], run: Run, depth: number): Json {
  const out = Array.from(list, item => toJson(item, run, depth));
  const plain = Object.getPrototypeOf(list) === Array.prototype && out.every((item, i) => item === list[i]);
  return plain ? (list as Json[]) : out;
}

function recordJson(record: { [key: string]: Value }, members: readonly (readonly [string, Value])[], run: Run, depth: number): Json {
  const out: JsonObject = {};
  let plain = !(record instanceof Namespace);
  for (const [key, member] of members) {
    const json = toJson(member, run, depth);
    plain &&= json === member;
    setOwn(out, key, json);
  }
  return plain ? (record as JsonObject) : out;
}

/** As `toJson` for what a scope or view gave, which is plain but for views among its direct members; so it is not walked, however large it is. */
export function wholeJson(value: Value, run: Run, depth = 0): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (isView(value)) return wholeJson(value.whole(), run, run.enter(depth));
  const lazy = Object.values(value).some(member => typeof member === 'object' && member !== null && isView(member as Value));
  return lazy ? toJson(value, run, depth) : (value as Json);
}

function finite(value: number, run: Run): number {
  if (!Number.isFinite(value)) throw run.fail(`${floatText(value)} is not a number that JSON can hold`);
  return value;
}
