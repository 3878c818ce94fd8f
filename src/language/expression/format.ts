import { fixedText, floatText, integerText, isFloat, numberOf } from './numbers.ts';
import { toJsonText, toText } from './print.ts';
import type { Run } from './run.ts';
import { lengthOf, sliceText } from './text.ts';
import { kindOf, type Record, type Value } from './values.ts';

/** How one value is laid out: what `%` and `format` have in common. */
interface Layout {
  fill: string;
  align: '<' | '>' | '^' | '=';
  sign: '' | '+' | ' ' | '-';
  alternate: boolean;
  width: number;
  grouping: '' | ',' | '_';
  precision: number | null;
  type: string;
}

const WIDEST = 10_000;
const PERCENT = /%(?:\((\w+)\))?([-+ #0]*)(\d+|\*)?(?:\.(\d+|\*))?([a-zA-Z%])?/g;

/** Python's `text % values`. */
export function formatPercent(text: string, values: Value[], named: Record | undefined, run: Run): string {
  let next = 0;
  const take = (): Value => {
    if (next >= values.length) throw run.fail('there are fewer values than `%` fields in the text');
    return values[next++]!;
  };
  let length = text.length;
  const out = text.replace(
    PERCENT,
    (_all, key: string | undefined, flags: string, width: string | undefined, precision: string | undefined, type: string | undefined) => {
      if (type === '%') return '%';
      if (type === undefined) throw run.fail('a `%` in the text has no type', ['`%%` is a percent sign']);
      if (width === '*' || precision === '*') throw run.fail('`*` is not a width here', ['write the width as a number']);
      const value = key === undefined ? take() : namedValue(named, key, run);
      const left = flags.includes('-');
      const piece = lay(
        value,
        {
          fill: flags.includes('0') && !left ? '0' : ' ',
          align: left ? '<' : flags.includes('0') && !'sr'.includes(type) ? '=' : '>',
          sign: flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '',
          alternate: flags.includes('#'),
          width: bounded(width, run),
          grouping: '',
          precision: precision === undefined ? null : bounded(precision, run),
          type: type === 'i' || type === 'u' ? 'd' : type,
        },
        run,
      );
      length += piece.length;
      run.limit(length);
      return piece;
    },
  );
  run.reserve(length);
  if (named === undefined && next < values.length) throw run.fail('there are more values than `%` fields in the text');
  return out;
}

function namedValue(named: Record | undefined, key: string, run: Run): Value {
  if (named === undefined || !Object.hasOwn(named, key)) throw run.fail(`no value is named \`${key}\``);
  return named[key]!;
}

function bounded(text: string | undefined, run: Run): number {
  const width = Number(text ?? 0);
  if (width > WIDEST) throw run.fail(`a width is at most ${WIDEST}`, [], 'ORC-311');
  return width;
}

const FIELD = /\{\{|\}\}|\{([^{}]*)\}|[{}]/g;
const SPECIFICATION = /^(?:(.)?([<>=^]))?([-+ ])?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([a-zA-Z%])?$/su;

/** Python's `text.format(…)`: fields by place or name, with a format specification; no attributes, no indexes. */
export function formatBraces(text: string, values: Value[], named: Record, run: Run): string {
  let next = 0;
  let length = text.length;
  const out = text.replace(FIELD, (all: string, field: string | undefined) => {
    if (field === undefined) {
      if (all.length === 2) return all[0]!;
      throw run.fail(`a single \`${all}\` in a text to format`, [`\`${all}${all}\` is the character itself`]);
    }
    const [, name, conversion, specification] = /^([^!:]*)(![rsa])?(?::(.*))?$/s.exec(field) ?? [undefined, undefined, undefined, undefined];
    if (name === undefined || !/^\w*$/.test(name)) throw run.fail(`\`{${field}}\` is not a field`, ['a field is a place or a name: {0}, {name}, {price:.2f}']);
    const place = name === '' ? next++ : /^\d+$/.test(name) ? Number(name) : undefined;
    if (place !== undefined && place >= values.length) throw run.fail('there are fewer values than fields in the text');
    const value = run.data(place === undefined ? namedValue(named, name, run) : values[place]!);
    const piece = lay(conversion === undefined ? value : toText(value, run), readSpecification(specification ?? '', value, run), run);
    length += piece.length;
    run.limit(length);
    return piece;
  });
  run.reserve(length);
  return out;
}

function readSpecification(text: string, value: Value, run: Run): Layout {
  const match = SPECIFICATION.exec(text);
  if (match === null) throw run.fail(`\`${text}\` is not a format`, ['for example: {:>8}, {:.2f}, {:,}']);
  const [, fill, align, sign, alternate, zero, width, grouping, precision, type] = match;
  const numeric = numberOf(value) !== undefined && typeof value !== 'boolean';
  return {
    fill: fill ?? (zero === undefined ? ' ' : '0'),
    align: (align ?? (zero !== undefined ? '=' : numeric ? '>' : '<')) as Layout['align'],
    sign: (sign ?? '') as Layout['sign'],
    alternate: alternate !== undefined,
    width: bounded(width, run),
    grouping: (grouping ?? '') as Layout['grouping'],
    precision: precision === undefined ? null : bounded(precision, run),
    type: type ?? (numeric && precision !== undefined ? 'g' : numeric ? '' : 's'),
  };
}

function lay(value: Value, layout: Layout, run: Run): string {
  let body = bodyOf(value, layout, run);
  let sign = '';
  if (numberOf(value) !== undefined && !'src'.includes(layout.type || '-')) {
    if (body.startsWith('-')) [sign, body] = ['-', body.slice(1)];
    else if (layout.sign === '+' || layout.sign === ' ') sign = layout.sign;
    if (layout.grouping !== '') body = group(body, layout.grouping);
  }
  const missing = layout.width - lengthOf(sign + body);
  if (missing <= 0) return sign + body;
  const pad = (count: number): string => layout.fill.repeat(count);
  switch (layout.align) {
    case '<':
      return sign + body + pad(missing);
    case '>':
      return pad(missing) + sign + body;
    case '=':
      return sign + pad(missing) + body;
    case '^':
      return pad(Math.floor(missing / 2)) + sign + body + pad(Math.ceil(missing / 2));
  }
}

/** Sets a mark between every three digits before the point. */
export function group(digits: string, mark: string): string {
  const end = digits.search(/[^\d]|$/);
  let whole = '';
  for (let i = 0; i < end; i++) whole += (i > 0 && (end - i) % 3 === 0 ? mark : '') + digits[i]!;
  return whole + digits.slice(end);
}

function bodyOf(value: Value, layout: Layout, run: Run): string {
  const { type, precision } = layout;
  if (type === 's' || type === 'r') {
    const text = type === 'r' ? toJsonText(value, run) : toText(value, run);
    return precision === null ? text : sliceText(text, 0, precision);
  }
  const number = numberOf(value);
  if (number === undefined) throw run.fail(`\`${type}\` wants a number, not ${kindOf(value)}`, ['turn it into a number first: x | float']);
  const decimals = precision ?? 6;
  if (decimals > 100) throw run.fail('a precision is at most 100', [], 'ORC-311');
  switch (type) {
    case '':
      return isFloat(value) ? floatText(number) : integerText(number);
    case 'd':
      return integerText(Math.trunc(whole(number, run)));
    case 'f':
    case 'F':
      return fixedText(number, decimals);
    case '%':
      return `${fixedText(number * 100, decimals)}%`;
    case 'e':
    case 'E':
      return sized(exponential(number, decimals), type === 'E');
    case 'g':
    case 'G':
      return sized(general(number, decimals === 0 ? 1 : decimals, layout.alternate), type === 'G');
    case 'x':
    case 'X':
      return sized(based(whole(number, run), 16, layout.alternate ? '0x' : ''), type === 'X');
    case 'o':
      return based(whole(number, run), 8, layout.alternate ? '0o' : '');
    case 'b':
      return based(whole(number, run), 2, layout.alternate ? '0b' : '');
    case 'c':
      if (!(number >= 0 && number <= 0x10ffff)) throw run.fail('this number is not a character');
      return String.fromCodePoint(Math.trunc(number));
    default:
      throw run.fail(`\`${type}\` is not a type of format`, ['common ones: s text, d integer, .2f two decimals, x hexadecimal']);
  }
}

function whole(value: number, run: Run): number {
  if (!Number.isFinite(value)) throw run.fail(`${floatText(value)} is not an integer`);
  return value;
}

function sized(text: string, upper: boolean): string {
  return upper ? text.toUpperCase() : text;
}

function based(value: number, base: number, prefix: string): string {
  const integer = Math.trunc(value);
  return `${integer < 0 ? '-' : ''}${prefix}${BigInt(Math.abs(integer)).toString(base)}`;
}

function exponential(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return floatText(value);
  return value.toExponential(decimals).replace(/e([+-])(\d)$/, 'e$10$2');
}

/** `%g`: so many significant digits, an exponent where the number is very small or very large, no zeros at the end. */
function general(value: number, digits: number, alternate: boolean): string {
  if (!Number.isFinite(value)) return floatText(value);
  const scientific = exponential(value, digits - 1);
  const exponent = Number(scientific.slice(scientific.indexOf('e') + 1));
  if (exponent >= -4 && exponent < digits) {
    const plain = fixedText(value, Math.max(0, digits - 1 - exponent));
    return alternate || !plain.includes('.') ? plain : plain.replace(/\.?0+$/, '');
  }
  return alternate ? scientific : scientific.replace(/\.?0*e/, 'e');
}
