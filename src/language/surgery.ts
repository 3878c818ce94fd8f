import { isMap, isScalar, Pair, type Scalar, YAMLMap, YAMLSeq } from 'yaml';
import { DerivedScalar, findPair, keyText, nodeSpan, valueOf, type YamlNode } from './nodes.ts';
import { linearMap } from './offsets.ts';
import { at, type Path, type Reporter } from './report.ts';
import type { Span } from './source.ts';

/** A scalar with a text that the file does not hold, at the place of what it was made from. */
export function derived(value: string | number, span: Span): DerivedScalar {
  return new DerivedScalar(value, span, linearMap(span.start));
}

/** Gives the keys of a map their canonical names. Two that mean the same are a conflict; the canonical one counts. */
export function renameKeys(reporter: Reporter, map: YAMLMap, table: Readonly<Record<string, string>>, path: Path): void {
  for (const pair of map.items.slice()) {
    const key = keyText(pair);
    if (key !== undefined && Object.hasOwn(table, key)) renameKey(reporter, map, pair, table[key]!, path);
  }
}

export function renameKey(reporter: Reporter, map: YAMLMap, pair: Pair, name: string, path: Path): void {
  const other = findPair(map, name);
  if (other !== undefined && other !== pair) {
    reportConflict(reporter, pair, other, path);
    removePair(map, pair);
    return;
  }
  spell(reporter, pair, name, path);
}

/** Gives a key its canonical name. */
function spell(reporter: Reporter, pair: Pair, name: string, path: Path): void {
  const key = pair.key as Scalar;
  if (key.value !== name) reporter.spelling(nodeSpan(key), name, at(path, name));
  key.value = name;
  key.source = name;
}

export function reportConflict(reporter: Reporter, pair: Pair, other: Pair, path: Path): void {
  const [name, otherName] = [keyText(pair)!, keyText(other)!];
  reporter.error('ORC-111', nodeSpan(pair.key as Scalar), `\`${name}\` and \`${otherName}\` say the same thing twice`, {
    path: at(path, name),
    related: [{ message: `\`${otherName}\` is here`, span: nodeSpan(other.key as Scalar) }],
    help: [`keep \`${otherName}\``],
  });
}

/** Takes a pair out of its map; the comments before it go to the pair that follows. */
export function removePair(map: YAMLMap, pair: Pair): void {
  const index = map.items.indexOf(pair);
  map.items.splice(index, 1);
  const before = (pair.key as Scalar).commentBefore;
  const next = map.items[index] ?? map.items[index - 1];
  if (before && next !== undefined) {
    const key = next.key as Scalar;
    key.commentBefore = key.commentBefore ? `${before}\n${key.commentBefore}` : before;
  }
}

/** Puts a new pair into a map, where `place` says which pair it follows (none: at the end), and where in the file it counts as standing. */
export function insertPair(map: YAMLMap, name: string, value: YamlNode, span: Span, place?: Pair): void {
  const index = place === undefined ? map.items.length : map.items.indexOf(place) + 1;
  map.items.splice(index, 0, new Pair(derived(name, span), value));
}

/** Moves the members of `pair`'s map that `table` names (old name to new) into `target`, and takes the pair out when nothing is left in it. */
export function hoist(reporter: Reporter, map: YAMLMap, pair: Pair, table: Readonly<Record<string, string>>, target: YAMLMap, path: Path): void {
  const inner = valueOf(pair);
  if (!isMap(inner)) return;
  let place: Pair | undefined = target === map ? pair : undefined;
  for (const member of inner.items.slice()) {
    const key = keyText(member);
    if (key === undefined || !Object.hasOwn(table, key)) continue;
    inner.items.splice(inner.items.indexOf(member), 1);
    const other = findPair(target, table[key]!);
    if (other !== undefined) {
      reportConflict(reporter, member, other, path);
      continue;
    }
    spell(reporter, member, table[key]!, path);
    const index = place === undefined ? target.items.length : target.items.indexOf(place) + 1;
    target.items.splice(index, 0, member);
    place = place === undefined ? undefined : member;
  }
  if (inner.items.length === 0) removePair(map, pair);
}

export function makeMap(span: Span): YAMLMap {
  const map = new YAMLMap();
  map.range = [span.start, span.end, span.end];
  return map;
}

export function makeList(span: Span, items: YamlNode[]): YAMLSeq {
  const list = new YAMLSeq();
  list.range = [span.start, span.end, span.end];
  list.items = items;
  return list;
}

/** The map under a key, made if it is not there; undefined where something else stands there. */
export function ensureMap(map: YAMLMap, name: string, span: Span, place?: Pair): YAMLMap | undefined {
  const pair = findPair(map, name);
  if (pair !== undefined) {
    const value = valueOf(pair);
    return isMap(value) ? value : undefined;
  }
  const made = makeMap(span);
  insertPair(map, name, made, span, place);
  return made;
}

/** Replaces the value of a pair and keeps the comments around it. */
export function replaceValue(pair: Pair, value: YamlNode): void {
  const old = valueOf(pair);
  if (isScalar(old) && old !== value) {
    if (old.comment) value.comment = old.comment;
    if (old.commentBefore) value.commentBefore = old.commentBefore;
  }
  pair.value = value;
}
