import { randomOf, type Random } from '../fuzz/random.ts';

export { randomOf, type Random };

export function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

export function pick<T>(random: Random, values: readonly T[]): T {
  return values[below(random, values.length)]!;
}
