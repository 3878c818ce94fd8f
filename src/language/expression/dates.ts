import { isFloat, numberOf } from './numbers.ts';
import type { Run } from './run.ts';
import { kindOf, type Value } from './values.ts';

const ISO = /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*(Z|[+-]\d{2}:?\d{2})?)?$/i;
const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** A date from ISO text (without a zone: UTC) or from seconds since 1970. */
export function readDate(value: Value, run: Run): Date {
  const seconds = typeof value === 'boolean' ? undefined : numberOf(value);
  const time = seconds !== undefined ? seconds * 1000 : typeof value === 'string' ? readIso(value.trim()) : Number.NaN;
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) {
    throw run.fail(typeof value === 'string' || isFloat(value) || seconds !== undefined ? 'this is not a date' : `${kindOf(value)} is not a date`, [
      'dates are written like 2026-03-01 or 2026-03-01T09:05:00Z',
    ]);
  }
  return date;
}

function readIso(text: string): number {
  const match = ISO.exec(text);
  if (match === null) return Number.NaN;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(part => Number(part ?? 0)) as [number, number, number, number, number, number];
  const zone = match[8] ?? 'Z';
  const offset = zone.toUpperCase() === 'Z' ? 0 : (zone[0] === '-' ? -1 : 1) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(-2)));
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || hour > 24 || minute > 59 || second > 60) return Number.NaN;
  date.setUTCHours(hour, minute - offset, second, Number((match[7] ?? '0').padEnd(3, '0').slice(0, 3)));
  return date.getTime();
}

/** strftime in UTC. */
export function formatDate(date: Date, format: string, run: Run): string {
  run.charge(format.length);
  return format.replace(/%(-?)([A-Za-z%])/g, (all: string, bare: string, letter: string) => {
    const part = partOf(date, letter);
    if (part === undefined) throw run.fail(`\`${all}\` is not a part of a date`, ['for example: %Y-%m-%d %H:%M:%S']);
    return bare === '' ? part : part.replace(/^0+(?=\d)/, '');
  });
}

function partOf(date: Date, letter: string): string | undefined {
  const two = (n: number): string => String(n).padStart(2, '0');
  const hour = date.getUTCHours();
  const iso = date.toISOString();
  switch (letter) {
    case 'Y':
      return String(date.getUTCFullYear());
    case 'y':
      return two(date.getUTCFullYear() % 100);
    case 'm':
      return two(date.getUTCMonth() + 1);
    case 'd':
      return two(date.getUTCDate());
    case 'e':
      return String(date.getUTCDate()).padStart(2);
    case 'H':
      return two(hour);
    case 'I':
      return two(hour % 12 || 12);
    case 'M':
      return two(date.getUTCMinutes());
    case 'S':
      return two(date.getUTCSeconds());
    case 'f':
      return `${String(date.getUTCMilliseconds()).padStart(3, '0')}000`;
    case 'p':
      return hour < 12 ? 'AM' : 'PM';
    case 'B':
      return MONTHS[date.getUTCMonth()]!;
    case 'b':
      return MONTHS[date.getUTCMonth()]!.slice(0, 3);
    case 'A':
      return DAYS[date.getUTCDay()]!;
    case 'a':
      return DAYS[date.getUTCDay()]!.slice(0, 3);
    case 'w':
      return String(date.getUTCDay());
    case 'j':
      return String(Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1).padStart(3, '0');
    case 's':
      return String(Math.floor(date.getTime() / 1000));
    case 'z':
      return '+0000';
    case 'Z':
      return 'UTC';
    case 'F':
      return iso.slice(0, iso.indexOf('T'));
    case 'T':
      return iso.slice(-13, -5);
    case '%':
      return '%';
    default:
      return undefined;
  }
}
