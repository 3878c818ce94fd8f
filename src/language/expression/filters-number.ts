import { formatDuration } from '../../duration.ts';
import { formatDate, readDate } from './dates.ts';
import { group } from './format.ts';
import { fixedText, integerOf, isFloat, makeFloat, numberOf, roundHalfEven } from './numbers.ts';
import type { Run } from './run.ts';
import { filter, wantInteger, wantText } from './signature.ts';
import { kindOf, type Value } from './values.ts';

export const NUMBER_FILTERS = [
  filter('abs', 'The number without its sign.', '{{ -5 | abs }}', '5', (input, _args, run) => {
    const number = wantNumber(input, 'abs', run);
    return isFloat(input) ? makeFloat(Math.abs(number)) : Math.abs(number);
  }),
  filter(
    "date(format='%Y-%m-%d')",
    'A date (ISO text, or seconds since 1970) in the format of strftime, in UTC.',
    "{{ '2026-03-01T09:05:00Z' | date('%d %b %Y, %H:%M') }}",
    '01 Mar 2026, 09:05',
    (input, [format], run) => formatDate(readDate(input, run), wantText(format!, 'format', run), run),
  ),
  filter('duration_format', 'A number of seconds for people.', '{{ 3725 | duration_format }}', '1h 02m', (input, _args, run) =>
    formatDuration(Math.max(0, wantNumber(input, 'duration_format', run)) * 1000),
  ),
  filter(
    'filesizeformat(binary=false)',
    'A number of bytes for people; in powers of 1024 on request.',
    '{{ 12345678 | filesizeformat }}',
    '12.3 MB',
    (input, [binary], run) => fileSize(toNumber(input) ?? Number.NaN, binary === true, run),
  ),
  filter(
    'float(default=0.0)',
    'The value as a float, or the default where it is none.',
    "{{ '4.5' | float }} {{ 'x' | float(1.5) }}",
    '4.5 1.5',
    (input, [fallback]) => {
      const number = toNumber(input);
      return number === undefined ? fallback! : makeFloat(number);
    },
  ),
  filter(
    'int(default=0, base=10)',
    'The value as an integer, or the default where it is none.',
    "{{ '42' | int }} {{ 'ff' | int(0, 16) }} {{ 3.9 | int }}",
    '42 255 3',
    (input, [fallback, base], run) => toInteger(input, fallback!, wantInteger(base!, 'base', run, 2, 36)),
  ),
  filter(
    "number_format(decimals=0, separator=',')",
    'A number with separators between thousands.',
    '{{ 1234567.891 | number_format(2) }}',
    '1,234,567.89',
    (input, [decimals, separator], run) => {
      const number = wantNumber(input, 'number_format', run);
      const text = fixedText(Math.abs(number), wantInteger(decimals!, 'decimals', run, 0, 100));
      return (number < 0 && /[1-9]/.test(text) ? '-' : '') + group(text, wantText(separator!, 'separator', run));
    },
  ),
  filter(
    "round(precision=0, method='common')",
    'Rounds to so many decimals; a half goes to the even neighbour, `ceil` up, `floor` down.',
    "{{ 3.14159 | round(2) }} {{ 2.5 | round }} {{ 2.1 | round(0, 'ceil') }}",
    '3.14 2.0 3.0',
    (input, [precision, method], run) => round(input, wantInteger(precision!, 'precision', run, -300, 300), wantText(method!, 'method', run), run),
  ),
];

function wantNumber(value: Value, name: string, run: Run): number {
  const number = numberOf(value);
  if (number === undefined) throw run.fail(`\`${name}\` wants a number, not ${kindOf(value)}`, ['turn it into a number first: x | float']);
  return number;
}

/** What Python's float() reads. */
function toNumber(value: Value): number | undefined {
  if (typeof value !== 'string') return numberOf(value);
  const text = value.trim().toLowerCase();
  if (/^[+-]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:e[+-]?\d+)?$/.test(text)) return Number(text.replaceAll('_', ''));
  const named = /^([+-]?)(?:(inf|infinity)|nan)$/.exec(text);
  if (named === null) return undefined;
  return named[2] === undefined ? Number.NaN : named[1] === '-' ? -Infinity : Infinity;
}

function toInteger(value: Value, fallback: Value, base: number): Value {
  if (typeof value === 'string') {
    const text = value.trim().toLowerCase().replaceAll('_', '');
    const prefix = base === 16 ? '0x' : base === 8 ? '0o' : base === 2 ? '0b' : ' ';
    const [, sign, rest] = /^([+-]?)(.*)$/s.exec(text) as unknown as [string, string, string];
    const digits = rest.startsWith(prefix) ? rest.slice(2) : rest;
    if (digits !== '' && digits.length < 400 && Array.from(digits).every(digit => Number.isInteger(Number.parseInt(digit, base)))) {
      const integer = Number.parseInt(digits, base);
      return Number.isFinite(integer) ? (sign === '-' ? -integer + 0 : integer) : fallback;
    }
  }
  const number = toNumber(value);
  return number === undefined || !Number.isFinite(number) ? fallback : Math.trunc(number) + 0;
}

function round(input: Value, precision: number, method: string, run: Run): Value {
  const number = wantNumber(input, 'round', run);
  if (method === 'common') {
    const rounded = roundHalfEven(number, precision);
    return integerOf(input) === undefined ? makeFloat(rounded) : rounded;
  }
  if (method !== 'ceil' && method !== 'floor') throw run.fail(`\`${method}\` is not a way to round`, ['common, ceil or floor']);
  const unit = 10 ** precision;
  return makeFloat(((method === 'ceil' ? Math.ceil(number * unit) : Math.floor(number * unit)) + 0) / unit);
}

function fileSize(bytes: number, binary: boolean, run: Run): string {
  if (Number.isNaN(bytes)) throw run.fail('`filesizeformat` wants a number of bytes');
  const base = binary ? 1024 : 1000;
  if (bytes === 1) return '1 Byte';
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`;
  const units = binary ? ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB'] : ['kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'];
  let power = 0;
  while (power < units.length - 1 && bytes >= base ** (power + 2)) power++;
  return `${fixedText(bytes / base ** (power + 1), 1)} ${units[power]}`;
}
