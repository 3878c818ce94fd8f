/** Letters and digits that are not mistaken for each other (Crockford's base 32, lower case). */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** An id such as `run_01j9zq7k3x5w2`: nine characters of time (so that ids sort by age), then chance. `random` gives a number in [0, 1). */
export function newId(prefix: string, nowMs: number, random: () => number): string {
  let time = '';
  for (let rest = Math.floor(nowMs), i = 0; i < 9; i++, rest = Math.floor(rest / 32)) time = ALPHABET[rest % 32] + time;
  let chance = '';
  for (let i = 0; i < 7; i++) chance += ALPHABET[Math.floor(random() * 32)];
  return `${prefix}_${time}${chance}`;
}

/** Levenshtein distance of two short words with a swap counted as one (optimal string alignment); above `limit` it answers limit + 1. */
export function editDistance(a: string, b: string, limit = 3): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, beforeLast[j - 2]! + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return Math.min(last[b.length]!, limit + 1);
}

/** The names of `known` that somebody who typed `word` may have meant, nearest first, at most `count`. */
export function nearest(word: string, known: Iterable<string>, count = 3): string[] {
  const limit = word.length <= 3 ? 1 : word.length <= 6 ? 2 : 3;
  const lower = word.toLowerCase();
  const found: { name: string; distance: number }[] = [];
  for (const name of known) {
    const distance = editDistance(lower, name.toLowerCase(), limit);
    if (distance <= limit) found.push({ name, distance });
  }
  return found
    .sort((x, y) => x.distance - y.distance || (x.name < y.name ? -1 : 1))
    .slice(0, count)
    .map(x => x.name);
}
