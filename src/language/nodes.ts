import { isAlias, isMap, isScalar, isSeq, Scalar, type Alias, type Pair, type YAMLMap, type YAMLSeq } from 'yaml';
import { unmask } from './mask.ts';
import { scalarMap, type ScalarStyle } from './offsets.ts';
import type { OffsetMap } from './pipeline.ts';
import type { Source, Span } from './source.ts';

export type YamlNode = Scalar | YAMLMap | YAMLSeq | Alias;

/** A member of a map: its key as written, and what it holds. */
export interface Entry {
  key: string;
  keySpan: Span;
  node: YamlNode;
  pair: Pair;
}

/** A scalar that stands for a part of another one, or for something that an accepted spelling says in other words. */
export class DerivedScalar extends Scalar<unknown> {
  readonly map: OffsetMap;

  constructor(value: string | number, span: Span, map: OffsetMap) {
    super(value);
    this.map = map;
    this.range = [span.start, span.end, span.end];
  }
}

export function nodeSpan(node: YamlNode): Span {
  const range = node.range;
  return range ? { start: range[0], end: Math.max(range[0], range[1]) } : { start: 0, end: 0 };
}

/** The text of a scalar as its author means it, with the masks taken off: a string's characters, anything else as it is written. */
export function scalarText(node: Scalar): string {
  if (typeof node.value === 'string') return unmask(node.value);
  return node.source ?? (node.value === null ? '' : String(node.value));
}

export function isPlain(node: Scalar): boolean {
  return node.type === 'PLAIN' || node.type === undefined;
}

export function isNull(node: YamlNode): boolean {
  return isScalar(node) && node.value === null;
}

const STYLES: Record<string, ScalarStyle> = {
  PLAIN: 'plain',
  QUOTE_SINGLE: 'single',
  QUOTE_DOUBLE: 'double',
  BLOCK_LITERAL: 'literal',
  BLOCK_FOLDED: 'folded',
};

/** Where in the file each character of a scalar's text stands. */
export function textMap(source: Source, node: Scalar): OffsetMap {
  if (node instanceof DerivedScalar) return node.map;
  const { start, end } = nodeSpan(node);
  const style = STYLES[node.type ?? 'PLAIN']!;
  const quote = style === 'single' || style === 'double' ? 1 : 0;
  return scalarMap(source.text, start + quote, end - quote, style, scalarText(node));
}

/** What a value is, for a sentence: `this is a list`. */
export function kindOf(node: YamlNode): string {
  if (isMap(node)) return 'a map';
  if (isSeq(node)) return 'a list';
  if (isAlias(node)) return 'an alias';
  if (node.value === null) return 'nothing';
  if (typeof node.value === 'string') return `the text ${JSON.stringify(shorten(scalarText(node)))}`;
  return typeof node.value === 'boolean' ? `the boolean ${scalarText(node)}` : `the number ${scalarText(node)}`;
}

export function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 37)}…` : text;
}

/** The name of a key; undefined where the key is not a scalar. */
export function keyText(pair: Pair): string | undefined {
  return isScalar(pair.key) ? scalarText(pair.key) : undefined;
}

/** The members of a map by name. Of two with one name the first counts; the other has been reported by then. */
export function entriesOf(map: YAMLMap): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  for (const pair of map.items) {
    const key = keyText(pair);
    if (key === undefined || entries.has(key)) continue;
    entries.set(key, { key, keySpan: nodeSpan(pair.key as Scalar), node: valueOf(pair), pair });
  }
  return entries;
}

export function valueOf(pair: Pair): YamlNode {
  const value = pair.value as YamlNode | null;
  if (value !== null) return value;
  const key = nodeSpan(pair.key as YamlNode);
  const empty = new Scalar<unknown>(null);
  empty.range = [key.end, key.end, key.end];
  return empty;
}

export function findPair(map: YAMLMap, name: string): Pair | undefined {
  // The names that are looked for hold no masks, so that nothing need be unmasked.
  return map.items.find(({ key }) => isScalar(key) && key.value === name);
}

/** The text of a member, where it is a string. */
export function textOf(map: YAMLMap, name: string): string | undefined {
  const pair = findPair(map, name);
  return pair !== undefined && isScalar(pair.value) && typeof pair.value.value === 'string' ? unmask(pair.value.value) : undefined;
}

export function listItems(list: YAMLSeq): YamlNode[] {
  return list.items as YamlNode[];
}
