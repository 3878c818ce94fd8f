/** Money is counted in whole micro-dollars; a sum of them is exact up to nine billion dollars. */
export type MicroUsd = number;

export function microUsd(usd: number): MicroUsd {
  return Math.round(usd * 1_000_000);
}

export function usd(micro: MicroUsd): number {
  return micro / 1_000_000;
}

/** Dollars for people: three decimals from a cent up, as many as are needed below it. */
export function formatUsd(micro: MicroUsd): string {
  if (micro === 0) return '$0.00';
  const dollars = micro / 1_000_000;
  return micro >= 10_000 ? `$${dollars.toFixed(dollars >= 1 ? 2 : 3)}` : `$${dollars.toFixed(6).replace(/0+$/, '')}`;
}

/** Parts of a cap, in percent, from which a person is told. */
const TOLD_AT = [95, 80];

/** The largest part of a cap, of those at which a person is told, that is spent; 0 before the first. */
export function markSpent(settled: MicroUsd, cap: MicroUsd): number {
  return TOLD_AT.find(percent => settled * 100 >= cap * percent) ?? 0;
}
