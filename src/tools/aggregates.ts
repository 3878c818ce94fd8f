import { OrchestratorError } from '../errors.ts';
import { canonicalJson, isObject, own, type Json, type JsonObject } from '../json.ts';
import { badParameter } from './parameters.ts';

/** Order of any two values: null last, then by kind (booleans, numbers, texts, the rest), then by value; texts by code unit, the same on every machine. */
export function compareValues(a: Json, b: Json): number {
  const rank = (value: Json): number =>
    value === null ? 4 : typeof value === 'boolean' ? 0 : typeof value === 'number' ? 1 : typeof value === 'string' ? 2 : 3;
  const difference = rank(a) - rank(b);
  if (difference !== 0) return difference;
  if (a === null) return 0;
  const [left, right] = typeof a === 'object' ? [canonicalJson(a), canonicalJson(b)] : [a, b as typeof a];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** One way to make many values one; nulls are left out before. */
const AGGREGATES: Record<string, (values: Json[], numbers: () => number[]) => Json> = {
  count: values => values.length,
  count_distinct: values => new Set(values.map(canonicalJson)).size,
  first: values => values[0] ?? null,
  last: values => values.at(-1) ?? null,
  list: values => values,
  min: values => (values.length === 0 ? null : values.reduce((a, b) => (compareValues(b, a) < 0 ? b : a))),
  max: values => (values.length === 0 ? null : values.reduce((a, b) => (compareValues(b, a) > 0 ? b : a))),
  sum: (_, numbers) => sum(numbers()),
  mean: (_, numbers) => mean(numbers()),
  median: (_, numbers) => quantile(numbers(), 0.5),
  std: (_, numbers) => deviation(numbers()),
};
const AGGREGATE_WORDS: Record<string, string> = { avg: 'mean', average: 'mean', stddev: 'std', distinct: 'count_distinct', collect: 'list' };
export const AGGREGATE_NAMES = Object.keys(AGGREGATES);

/** Sum by Neumaier's compensation, so that the order of rows hardly matters. */
function sum(numbers: number[]): number {
  let total = 0,
    lost = 0;
  for (const number of numbers) {
    const next = total + number;
    lost += Math.abs(total) >= Math.abs(number) ? total - next + number : number - next + total;
    total = next;
  }
  return total + lost;
}

function mean(numbers: number[]): number | null {
  return numbers.length === 0 ? null : sum(numbers) / numbers.length;
}

/** Sample standard deviation; null for fewer than two values. */
function deviation(numbers: number[]): number | null {
  if (numbers.length < 2) return null;
  const middle = mean(numbers)!;
  return Math.sqrt(sum(numbers.map(number => (number - middle) ** 2)) / (numbers.length - 1));
}

function quantile(numbers: number[], share: number): number | null {
  if (numbers.length === 0) return null;
  const sorted = [...numbers].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)]!;
  return below + (sorted[Math.ceil(at)]! - below) * (at - Math.floor(at));
}

function aggregateNamed(name: string, where: string): (values: Json[], numbers: () => number[]) => Json {
  const found = Object.hasOwn(AGGREGATE_WORDS, name) ? AGGREGATE_WORDS[name]! : name;
  if (!Object.hasOwn(AGGREGATES, found)) throw badParameter(where, `one of ${AGGREGATE_NAMES.join(', ')}`);
  return AGGREGATES[found]!;
}

function numbersOf(values: Json[], field: string): number[] {
  return values.map(value => {
    if (typeof value !== 'number')
      throw new OrchestratorError('ORC-227', `The field ${field} holds ${JSON.stringify(value).slice(0, 60)}, which is not a number.`, {
        class: 'invalid_input',
      });
    return value;
  });
}

/** `{name: "sum"}` is short for `{name: {operation: sum, field: name}}`. */
export function aggregation(name: string, written: Json): (rows: JsonObject[]) => Json {
  const operation = isObject(written) ? (own(written, 'operation') ?? own(written, 'function') ?? own(written, 'op')) : written;
  const field = isObject(written) ? (own(written, 'field') ?? (operation === 'count' ? undefined : name)) : operation === 'count' ? undefined : name;
  if (typeof operation !== 'string' || (field !== undefined && typeof field !== 'string'))
    throw badParameter(`aggregations.${name}`, 'an operation, or { operation, field }');
  const aggregate = aggregateNamed(operation, `aggregations.${name}`);
  return rows => {
    if (field === undefined) return rows.length;
    const values = rows.map(row => own(row, field) ?? null).filter(value => value !== null);
    return aggregate(values, () => numbersOf(values, field));
  };
}

/** One figure of values that are not null; the caller has seen that they are numbers where the operation wants numbers. */
export function figure(operation: 'min' | 'max' | 'mean' | 'median' | 'std' | 'sum', values: Json[]): Json {
  return AGGREGATES[operation]!(values, () => values as number[]);
}
