import type { Run } from './run.ts';

const SURROGATE = /[\ud800-\udfff]/;

/** Characters as Python counts them: code points, not UTF-16 units. */
export function characters(text: string): string[] {
  return Array.from(text);
}

export function lengthOf(text: string): number {
  if (!SURROGATE.test(text)) return text.length;
  let count = 0;
  for (let i = 0; i < text.length; i++) if (!isTail(text, i)) count++;
  return count;
}

/** The part of a text between two character positions, neither negative. */
export function sliceText(text: string, from: number, to: number): string {
  return SURROGATE.test(text) ? characters(text).slice(from, to).join('') : text.slice(from, to);
}

/** One character by its place, which counts from the end where negative. */
export function characterAt(text: string, place: number, run: Run): string | undefined {
  run.charge(1 + (text.length >> 6));
  return SURROGATE.test(text) ? characters(text).at(place) : text.at(place);
}

function isTail(text: string, i: number): boolean {
  const unit = text.charCodeAt(i);
  const before = text.charCodeAt(i - 1);
  return unit >= 0xdc00 && unit <= 0xdfff && before >= 0xd800 && before <= 0xdbff;
}

export function contains(text: string, part: string, run: Run): boolean {
  run.charge(text.length >> 6);
  return text.includes(part);
}

/** Lines as Python's splitlines: no empty line after a last line break. */
export function splitLines(text: string): string[] {
  const lines = text.split(/\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** Python's strip(): white space, or any of the given characters. */
export function strip(text: string, chars: string | null): string {
  if (chars === null) return text.trim();
  const set = new Set(chars);
  const all = characters(text);
  let from = 0;
  let to = all.length;
  while (from < to && set.has(all[from]!)) from++;
  while (to > from && set.has(all[to - 1]!)) to--;
  return all.slice(from, to).join('');
}

/** Python's replace(), with the size of the outcome checked before it is made. `count` below 0 means all. */
export function replaceText(text: string, old: string, by: string, count: number, run: Run): string {
  run.charge(1 + (text.length >> 6));
  const parts = old === '' ? ['', ...characters(text), ''] : text.split(old);
  const changes = count < 0 ? parts.length - 1 : Math.min(count, parts.length - 1);
  run.charge(parts.length >> 2);
  run.reserve(text.length + changes * (by.length - old.length));
  return parts.slice(0, changes + 1).join(by) + (changes + 1 < parts.length ? old + parts.slice(changes + 1).join(old) : '');
}

/** Python's split(): at runs of white space where no separator is given; `most` below 0 means no limit. */
export function splitText(text: string, separator: string | null, most: number, run: Run): string[] {
  run.charge(1 + (text.length >> 2));
  if (separator !== null) {
    const parts = text.split(separator);
    return most < 0 || parts.length <= most + 1 ? parts : [...parts.slice(0, most), parts.slice(most).join(separator)];
  }
  const out: string[] = [];
  let rest = text.trimStart();
  while (rest !== '' && (most < 0 || out.length < most)) {
    if (most < 0) return rest.trimEnd().split(/\s+/);
    const end = rest.search(/\s/);
    out.push(end < 0 ? rest : rest.slice(0, end));
    rest = end < 0 ? '' : rest.slice(end).trimStart();
  }
  return rest === '' ? out : [...out, rest];
}

/** First character large, the others small. */
export function capitalize(text: string): string {
  const first = String.fromCodePoint(...(text === '' ? [] : [text.codePointAt(0)!]));
  return first.toUpperCase() + text.slice(first.length).toLowerCase();
}

/** Jinja's title: a word begins after white space, a hyphen or an opening bracket. */
export function titleFilter(text: string): string {
  return text.replace(/[^-\s({[<]+/g, capitalize);
}

/** Python's str.title(): every run of letters is a word. */
export function titleMethod(text: string): string {
  return text.replace(/\p{L}+/gu, capitalize);
}

/** HTML escapes as markupsafe writes them. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>'"]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&#39;', '"': '&#34;' })[c]!);
}
