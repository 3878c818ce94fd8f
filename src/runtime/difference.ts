import { isObject, type Json } from '../json.ts';

/** One place at which two requests differ; null is absent on that side. */
export interface Difference {
  at: string;
  recorded: string | null;
  asked: string | null;
}

/** So much of a text is shown, with the first thing that differs in it. */
const SHOWN = 120;
const BEFORE = 30;

/** Where two values differ, leaf by leaf, in the order of the first. */
export function differencesOf(recorded: Json, asked: Json): Difference[] {
  const [before, now] = [leavesOf(recorded), leavesOf(asked)];
  return [...new Set([...before.keys(), ...now.keys()])].flatMap(at => {
    const [one = null, two = null] = [before.get(at), now.get(at)];
    return one === two ? [] : [{ at, ...windowOn(one, two) }];
  });
}

/** How far apart two values are: nothing for leaves that are the same, one for those that only one has, a part for texts that share a beginning or an end. */
export function distanceBetween(one: Json, two: Json): number {
  const [left, right] = [leavesOf(one), leavesOf(two)];
  let distance = 0;
  for (const at of new Set([...left.keys(), ...right.keys()])) {
    const [a, b] = [left.get(at), right.get(at)];
    distance += a === undefined || b === undefined ? 1 : a === b ? 0 : 1 - shared(a, b).length / Math.max(a.length, b.length);
  }
  return distance;
}

/** Leaves by their path; each as JSON, texts as they are. */
function leavesOf(value: Json, at = '', leaves = new Map<string, string>()): Map<string, string> {
  if (Array.isArray(value) && value.length > 0) value.forEach((item, i) => leavesOf(item, `${at}[${i}]`, leaves));
  else if (isObject(value) && Object.keys(value).length > 0) {
    for (const key of Object.keys(value))
      leavesOf(value[key]!, /^[A-Za-z_]\w*$/.test(key) ? `${at}${at === '' ? '' : '.'}${key}` : `${at}[${JSON.stringify(key)}]`, leaves);
  } else leaves.set(at, typeof value === 'string' ? value : JSON.stringify(value));
  return leaves;
}

/** Length of the common beginning, and of it and the common end together. */
function shared(a: string, b: string): { prefix: number; length: number } {
  const most = Math.min(a.length, b.length);
  let prefix = 0;
  while (prefix < most && a[prefix] === b[prefix]) prefix++;
  let suffix = 0;
  while (suffix < most - prefix && a[a.length - 1 - suffix] === b[b.length - 1 - suffix]) suffix++;
  return { prefix, length: prefix + suffix };
}

/** Both sides of a difference, each cut to where it begins. */
function windowOn(recorded: string | null, asked: string | null): Pick<Difference, 'recorded' | 'asked'> {
  const from = recorded === null || asked === null ? 0 : Math.max(0, shared(recorded, asked).prefix - BEFORE);
  const cut = (text: string | null): string | null => {
    if (text === null) return null;
    const piece = text.slice(from, from + SHOWN);
    return `${from > 0 ? '…' : ''}${piece}${from + SHOWN < text.length ? '…' : ''}`;
  };
  return { recorded: cut(recorded), asked: cut(asked) };
}

/** Differences as people read them: the place, then `-` what was recorded and `+` what is asked now. */
export function tellDifferences(differences: readonly Difference[], most = 6): string[] {
  const told = differences
    .slice(0, most)
    .flatMap(({ at, recorded, asked }) => [
      `  ${at}`,
      ...(recorded === null ? [] : [`  - ${JSON.stringify(recorded)}`]),
      ...(asked === null ? [] : [`  + ${JSON.stringify(asked)}`]),
    ]);
  return differences.length > most ? [...told, `  and ${differences.length - most} more`] : told;
}
