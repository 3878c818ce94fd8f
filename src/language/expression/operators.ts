import type { BinaryOperator, CompareOperator } from './ast.ts';
import { formatPercent } from './format.ts';
import { integerOf, isFloat, makeFloat, numberOf } from './numbers.ts';
import { toText } from './print.ts';
import type { Run } from './run.ts';
import { characters, contains as textContains } from './text.ts';
import { Float, isRecord, kindOf, Loop, type Record, type Value } from './values.ts';

/** Truth as in Python: none, false, zero and what is empty are false. */
export function truth(raw: Value, run: Run): boolean {
  const value = run.data(raw);
  if (typeof value === 'object' && value !== null) {
    if (Array.isArray(value)) return value.length > 0;
    if (value instanceof Float) return value.value !== 0;
    return value instanceof Loop || Object.keys(value).length > 0;
  }
  return Boolean(value) || Number.isNaN(value);
}

/** Applies an operator to two values that are plain data; `and` and `or` are the interpreter's. */
export function applyBinary(operator: Exclude<BinaryOperator, 'and' | 'or'>, left: Value, right: Value, run: Run): Value {
  if (operator === '~') return joinText(toText(left, run), toText(right, run), run);
  const a = numberOf(left);
  const b = numberOf(right);
  if (a !== undefined && b !== undefined) return arithmetic(operator, a, b, isFloat(left) || isFloat(right), run);
  if (operator === '+') {
    if (typeof left === 'string' && typeof right === 'string') return joinText(left, right, run);
    if (Array.isArray(left) && Array.isArray(right)) {
      run.charge(left.length + right.length);
      return [...left, ...right];
    }
  } else if (operator === '*') {
    const count = integerOf(typeof left === 'string' || Array.isArray(left) ? right : left);
    const repeated = typeof left === 'string' || Array.isArray(left) ? left : right;
    if (count !== undefined && (typeof repeated === 'string' || Array.isArray(repeated))) return repeat(repeated, count, run);
  } else if (operator === '%' && typeof left === 'string') {
    return formatPercent(left, Array.isArray(right) ? right : [right], isRecord(right) ? right : undefined, run);
  }
  const help = operator === '+' && (typeof left === 'string' || typeof right === 'string') ? ['`~` joins values as text: a ~ b'] : [];
  throw run.fail(`\`${operator}\` cannot take ${kindOf(left)} and ${kindOf(right)}`, help);
}

function joinText(left: string, right: string, run: Run): string {
  run.reserve(left.length + right.length);
  return left + right;
}

function repeat(value: string | Value[], count: number, run: Run): Value {
  const times = Math.max(0, count);
  if (typeof value === 'string') {
    run.reserve(value.length * times);
    return value.repeat(value === '' ? 0 : times);
  }
  run.charge(value.length * times);
  const out: Value[] = [];
  for (let i = 0; i < (value.length === 0 ? 0 : times); i++) for (const item of value) out.push(item);
  return out;
}

function arithmetic(operator: string, a: number, b: number, float: boolean, run: Run): Value {
  if (b === 0 && (operator === '/' || operator === '//' || operator === '%')) throw run.fail('division by zero');
  let result: number;
  switch (operator) {
    case '+':
      result = a + b;
      break;
    case '-':
      result = a - b;
      break;
    case '*':
      result = a * b;
      break;
    case '/':
      return makeFloat(a / b);
    case '//':
      result = divide(a, b).quotient;
      break;
    case '%':
      result = divide(a, b).rest;
      break;
    default:
      return power(a, b, float, run);
  }
  return float ? makeFloat(result) : integer(result, run);
}

/** Python's divmod: the rest has the sign of the divisor, and the quotient goes with it to the last bit. */
function divide(a: number, b: number): { quotient: number; rest: number } {
  let rest = a % b;
  let quotient = (a - rest) / b;
  if (rest === 0) rest = b < 0 ? -0 : 0;
  else if (rest < 0 !== b < 0) {
    rest += b;
    quotient -= 1;
  }
  const floor = Math.floor(quotient);
  return { quotient: quotient === 0 ? (Object.is(a / b, -0) || a / b < 0 ? -0 : 0) : quotient - floor > 0.5 ? floor + 1 : floor, rest };
}

function power(a: number, b: number, float: boolean, run: Run): Value {
  if (a === 0 && b < 0) throw run.fail('zero has no negative power');
  const result = a ** b;
  if (Number.isNaN(result) && !Number.isNaN(a) && !Number.isNaN(b)) throw run.fail('a negative number has no such power');
  return float || b < 0 ? makeFloat(result) : integer(result, run);
}

/** An integer result; beyond what a double can hold is an error rather than infinity. Adding 0 turns -0 into 0. */
function integer(value: number, run: Run): number {
  if (!Number.isFinite(value)) throw run.fail('the number is too large');
  return value + 0;
}

export function negate(operator: '-' | '+', value: Value, run: Run): Value {
  const number = numberOf(value);
  if (number === undefined) throw run.fail(`\`${operator}\` cannot take ${kindOf(value)}`);
  const result = operator === '-' ? -number : number;
  return isFloat(value) ? makeFloat(result) : result + 0;
}

/** Equality as in Python: 1, 1.0 and true are equal, lists and maps by their members. */
export function equals(leftRaw: Value, rightRaw: Value, run: Run, depth = 0): boolean {
  const left = run.data(leftRaw);
  const right = run.data(rightRaw);
  if (typeof left === 'string' || typeof right === 'string') return left === right;
  const a = numberOf(left);
  if (a !== undefined) return a === numberOf(right);
  if (left === null || right === null) return left === right;
  const inner = run.enter(depth);
  if (Array.isArray(left)) {
    return Array.isArray(right) && left.length === right.length && left.every((item, i) => equals(item, right[i]!, run, inner));
  }
  if (!isRecord(left) || !isRecord(right)) return false;
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every(key => Object.hasOwn(right, key) && equals(left[key]!, right[key]!, run, inner));
}

/** Order as in Python: numbers with numbers, texts by code point, lists member by member; anything else is an error. */
export function compare(leftRaw: Value, rightRaw: Value, run: Run, depth = 0): number {
  const left = run.data(leftRaw);
  const right = run.data(rightRaw);
  if (typeof left === 'string' && typeof right === 'string') return compareText(left, right);
  const a = numberOf(left);
  const b = numberOf(right);
  if (a !== undefined && b !== undefined) return a < b ? -1 : a > b ? 1 : a === b ? 0 : Number.NaN;
  if (Array.isArray(left) && Array.isArray(right)) {
    const inner = run.enter(depth);
    const shared = Math.min(left.length, right.length);
    for (let i = 0; i < shared; i++) {
      if (!equals(left[i]!, right[i]!, run, inner)) return compare(left[i]!, right[i]!, run, inner);
    }
    return left.length - right.length;
  }
  throw run.fail(
    `${kindOf(left)} and ${kindOf(right)} have no order`,
    typeof left === 'string' || typeof right === 'string' ? ['turn text into a number first: x | int'] : [],
  );
}

/** By code point: a surrogate stands for a character above all others of one unit. */
function compareText(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return x >= 0xd800 !== y >= 0xd800 || x < 0xd800 ? x - y : rank(x) - rank(y);
  }
  return a.length - b.length;
}

function rank(unit: number): number {
  return unit >= 0xe000 ? unit - 0x2000 : unit + 0x2000;
}

export function applyCompare(operator: CompareOperator, left: Value, right: Value, run: Run): boolean {
  switch (operator) {
    case '==':
      return equals(left, right, run);
    case '!=':
      return !equals(left, right, run);
    case '<':
      return compare(left, right, run) < 0;
    case '<=':
      return compare(left, right, run) <= 0;
    case '>':
      return compare(left, right, run) > 0;
    case '>=':
      return compare(left, right, run) >= 0;
    case 'in':
      return contains(right, left, run);
    case 'not in':
      return !contains(right, left, run);
  }
}

/** `item in container`: a part of a text, a member of a list, a key of a map. */
export function contains(containerRaw: Value, itemRaw: Value, run: Run): boolean {
  const container = run.data(containerRaw);
  const item = run.data(itemRaw);
  if (typeof container === 'string') {
    if (typeof item !== 'string') throw run.fail(`text can hold only text, not ${kindOf(item)}`, ['turn it into text first: x | string']);
    return textContains(container, item, run);
  }
  if (Array.isArray(container)) {
    run.charge(container.length / 8);
    return container.some(member => equals(member, item, run));
  }
  if (isRecord(container)) return Object.hasOwn(container, keyText(item, run));
  throw run.fail(`nothing can be in ${kindOf(container)}`);
}

/** A value as the key of a map. */
export function keyText(value: Value, run: Run): string {
  if (typeof value === 'object' && value !== null && !(value instanceof Float)) throw run.fail(`${kindOf(value)} cannot be a key`);
  return toText(value, run);
}

/** The members that a loop or a list filter goes through: those of a list, the keys of a map, the characters of a text. */
export function iterate(raw: Value, run: Run): Value[] {
  const value = run.data(raw);
  if (Array.isArray(value)) {
    run.charge(value.length / 8);
    return value;
  }
  if (typeof value === 'string') {
    run.charge(value.length / 8);
    return characters(value);
  }
  if (isRecord(value)) return Object.keys(value);
  throw run.fail(`${kindOf(value)} is not a list`, value === null ? ['give it a list where it is none: x or []'] : []);
}

/** A map, or an error that says what wants one. */
export function asRecord(raw: Value, what: string, run: Run): Record {
  const value = run.data(raw);
  if (!isRecord(value)) throw run.fail(`${what} wants a map, not ${kindOf(value)}`);
  return value;
}
