import { parseArgs } from 'node:util';
import { isObject, type Json } from '../../src/json.ts';

/** A number in [0, 1), the same for the same seed. */
export type Random = () => number;

/** mulberry32: small, and good enough for choosing test cases. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface FuzzOptions {
  count: number;
  seed: number;
}

/** `--count N --seed S` of a command line. */
export function fuzzOptions(argv: readonly string[]): FuzzOptions {
  const { values } = parseArgs({ args: argv.slice(2), options: { count: { type: 'string', default: '20000' }, seed: { type: 'string', default: '1' } } });
  return { count: Number(values.count), seed: Number(values.seed) };
}

export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[below(random, list.length)]!;
}

/** Whether a thing of this probability happens. */
export function chance(random: Random, part: number): boolean {
  return random() < part;
}

/** A value with a few members changed, doubled, taken away, or given another name. */
export function bend(random: Random, value: Json, odd: readonly Json[]): Json {
  if (chance(random, 0.05)) return pick(random, odd);
  if (Array.isArray(value)) {
    const bent = value.map(item => bend(random, item, odd));
    if (chance(random, 0.05)) bent.push(...bent);
    return chance(random, 0.05) ? bent.slice(1) : bent;
  }
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(() => !chance(random, 0.03))
      .map(([name, member]) => [chance(random, 0.02) ? `${name}x` : name, bend(random, member, odd)]),
  );
}

/** One of the texts, with a few things deleted, doubled, put in, or taken from another of the texts. */
export function mutate(random: Random, texts: readonly string[], pieces: readonly string[]): string {
  let text = texts[below(random, texts.length)]!;
  for (let changes = below(random, 5); changes >= 0; changes--) {
    const at = below(random, text.length + 1);
    const to = Math.min(text.length, at + 1 + below(random, 12));
    const other = texts[below(random, texts.length)]!;
    const from = below(random, other.length + 1);
    switch (below(random, 4)) {
      case 0:
        text = text.slice(0, at) + text.slice(to);
        break;
      case 1:
        text = text.slice(0, to) + text.slice(at);
        break;
      case 2:
        text = text.slice(0, at) + pieces[below(random, pieces.length)]! + text.slice(at);
        break;
      default:
        text = text.slice(0, at) + other.slice(from, from + below(random, 60)) + text.slice(to);
    }
  }
  return text;
}

/** Makes `count` inputs, after those that were `kept` because they once found something, and prints those for which `check` says what is wrong, or throws. */
export function fuzz(
  { count, seed }: FuzzOptions,
  make: (random: Random) => string,
  check: (input: string) => string | undefined,
  kept: readonly string[] = [],
): void {
  const random = randomOf(seed);
  let failures = 0;
  for (let i = 0; i < kept.length + count; i++) {
    const input = kept[i] ?? make(random);
    let found: string | undefined;
    try {
      found = check(input);
    } catch (error) {
      found = `threw ${(error as Error).stack ?? String(error)}`;
    }
    if (found !== undefined && ++failures <= 10) console.log(`${JSON.stringify(input)}\n    ${found}`);
  }
  console.log(`${kept.length + count} inputs, ${failures} failures (seed ${seed})`);
  process.exitCode = failures > 0 ? 1 : 0;
}
