import { isScalar, parseDocument, visit, type Scalar } from 'yaml';
import type { Json } from '../json.ts';
import { splitAuto } from '../language/index.ts';

/** An AUTO tag in a text: where it begins, and the value to write in its place; without one it stays. */
export interface PlacedTag {
  offset: number;
  value: Json | undefined;
}

/** A text with values in the place of tags. What is around them, comments too, stays as it is. `open` are those for which no plain value could be written. */
export function pinTags(text: string, tags: readonly PlacedTag[]): { text: string; pinned: number[]; open: number[] } {
  const scalars = scalarsOf(text);
  const byScalar = new Map<Scalar, PlacedTag[]>();
  const open: number[] = [];
  for (const tag of tags) {
    const scalar = scalars.find(({ range }) => range![0] <= tag.offset && tag.offset < range![1]);
    if (scalar === undefined) open.push(tag.offset);
    else byScalar.set(scalar, [...(byScalar.get(scalar) ?? []), tag]);
  }
  const pinned: number[] = [];
  let result = text;
  // From the last to the first, so that places before stay where they are.
  for (const [scalar, inside] of [...byScalar].sort(([a], [b]) => b.range![0] - a.range![0])) {
    const wanted = inside.filter(({ value }) => value !== undefined);
    if (wanted.length === 0) continue;
    const edited = pinScalar(
      result,
      scalar,
      inside.sort((a, b) => a.offset - b.offset),
    );
    (edited === undefined ? open : pinned).push(...wanted.map(({ offset }) => offset));
    result = edited ?? result;
  }
  return { text: result, pinned, open };
}

function scalarsOf(text: string): Scalar[] {
  const scalars: Scalar[] = [];
  visit(parseDocument(text), {
    Scalar: (_, node) => {
      if (typeof node.value === 'string' && node.range) scalars.push(node);
    },
  });
  return scalars;
}

/** Marks that would make a template, or another tag, of an answer. */
const LIVE = /\{\{|\{%|\{#|<AUTO[\s>/]|<\/AUTO>/;

function pinScalar(text: string, scalar: Scalar, tags: readonly PlacedTag[]): string | undefined {
  if (tags.some(({ value }) => value !== undefined && LIVE.test(JSON.stringify(value)))) return undefined;
  const decoded = scalar.value as string;
  const { pieces, problems } = splitAuto(decoded);
  const found = pieces.filter(piece => piece.kind === 'tag');
  // A text that is used in several places has a tag for each.
  if (problems.length > 0 || found.length !== tags.length) return undefined;
  const [start, end] = [scalar.range![0], scalar.range![1]];
  const replaced = (value: Json): string => text.slice(0, start) + JSON.stringify(value) + (text[end - 1] === '\n' ? '\n' : '') + text.slice(end);
  const rest = pieces.filter(piece => piece.kind === 'text').map(piece => decoded.slice(piece.start, piece.end));
  if (found.length === 1 && rest.every(piece => piece.trim() === '')) return replaced(tags[0]!.value!);
  const words = (piece: (typeof pieces)[number]): string => {
    const written = decoded.slice(piece.start, piece.end);
    if (piece.kind === 'text') return written;
    const { value } = tags[found.indexOf(piece)]!;
    return value === undefined ? written : plainText(value);
  };
  const whole = pieces.map(words).join('');
  const inPlace = editInPlace(text, tags);
  return inPlace !== undefined && valueAt(inPlace, start) === whole ? inPlace : replaced(whole);
}

/** The same text of the file with the words of the answers where the tags were, which keeps how it was written. */
function editInPlace(text: string, tags: readonly PlacedTag[]): string | undefined {
  let result = text;
  for (const { offset, value } of tags.toReversed()) {
    if (value === undefined) continue;
    const end = endOfTag(result, offset);
    if (end === undefined) return undefined;
    result = result.slice(0, offset) + plainText(value) + result.slice(end);
  }
  return result;
}

function endOfTag(text: string, offset: number): number | undefined {
  let depth = 0;
  for (const { 0: token, index } of text.slice(offset).matchAll(/<AUTO(?=[\s>/])|<\/AUTO>/g)) {
    depth += token === '<AUTO' ? 1 : -1;
    if (depth === 0) return offset + index + token.length;
  }
  return undefined;
}

/** The value of the scalar that begins there, if it still is one. */
function valueAt(text: string, offset: number): unknown {
  return scalarsOf(text).find(scalar => isScalar(scalar) && scalar.range![0] === offset)?.value;
}

/** How an answer stands within a text. */
function plainText(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
