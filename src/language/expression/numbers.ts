import { Float, type Value } from './values.ts';

/** A float as a value: whole numbers are wrapped, so that they keep printing with a point. */
export function makeFloat(value: number): Value {
  return Number.isInteger(value) ? new Float(value) : value;
}

/** The number that a value is in arithmetic (booleans count as 0 and 1, as in Python), or undefined. */
export function numberOf(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  if (value instanceof Float) return value.value;
  return typeof value === 'boolean' ? Number(value) : undefined;
}

export function isFloat(value: Value): boolean {
  return value instanceof Float || (typeof value === 'number' && !Number.isInteger(value));
}

/** An integer or boolean as a number; undefined for anything else, floats too. */
export function integerOf(value: Value): number | undefined {
  if (typeof value === 'boolean') return Number(value);
  return typeof value === 'number' && Number.isInteger(value) ? value : undefined;
}

export function integerText(value: number): string {
  return Math.abs(value) < 1e21 ? String(value) : BigInt(value).toString();
}

/** Python's repr of a float: shortest digits, an exponent below 1e-4 and from 1e16 on. */
export function floatText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const [mantissa, power] = value.toExponential().split('e') as [string, string];
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 16) {
    const plain = exponent < 0 ? value.toFixed(Math.min(100, mantissa.replace(/[-.]/g, '').length - 1 - exponent)) : String(value);
    return plain.includes('.') ? plain : `${plain}.0`;
  }
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** A number with so many decimals, a half going to the even neighbour as in Python (`toFixed` takes the larger one). */
export function fixedText(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return floatText(value);
  if (Object.is(value, -0)) return `-${fixedText(0, decimals)}`;
  if (Math.abs(value) >= 1e21) return `${BigInt(value)}${decimals > 0 ? `.${'0'.repeat(decimals)}` : ''}`;
  const rounded = value.toFixed(decimals);
  const exact = value.toFixed(Math.min(100, decimals + 40));
  const cut = exact.length - Math.min(100, decimals + 40) + decimals;
  const tail = decimals === 0 ? exact.slice(cut).replace('.', '') : exact.slice(cut);
  if (!/^50*$/.test(tail)) return rounded;
  const below = decimals === 0 ? exact.slice(0, exact.indexOf('.')) : exact.slice(0, cut);
  return Number(below.at(-1)) % 2 === 0 ? below : rounded;
}

/** Python's round(): to `precision` decimals, which may be negative, a half going to the even neighbour. */
export function roundHalfEven(value: number, precision: number): number {
  if (!Number.isFinite(value)) return value;
  if (precision >= 0) return precision > 100 ? value : Number(fixedText(value, precision));
  const unit = 10 ** -precision;
  const quotient = value / unit;
  const floor = Math.floor(quotient);
  const half = quotient - floor;
  return (half > 0.5 || (half === 0.5 && floor % 2 !== 0) ? floor + 1 : floor) * unit + 0;
}
