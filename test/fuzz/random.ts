import { parseArgs } from 'node:util';

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

/** Makes `count` inputs and prints those for which `check` says what is wrong, or throws. */
export function fuzz({ count, seed }: FuzzOptions, make: (random: Random) => string, check: (input: string) => string | undefined): void {
  const random = randomOf(seed);
  let failures = 0;
  for (let i = 0; i < count; i++) {
    const input = make(random);
    let found: string | undefined;
    try {
      found = check(input);
    } catch (error) {
      found = `threw ${(error as Error).stack ?? String(error)}`;
    }
    if (found !== undefined && ++failures <= 10) console.log(`${JSON.stringify(input)}\n    ${found}`);
  }
  console.log(`${count} inputs, ${failures} failures (seed ${seed})`);
  process.exitCode = failures > 0 ? 1 : 0;
}
