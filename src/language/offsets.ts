import type { OffsetMap } from './pipeline.ts';
import type { Span } from './source.ts';

export type ScalarStyle = 'plain' | 'single' | 'double' | 'literal' | 'folded';

/**
 * The map from the characters of a decoded scalar to the file. `start` and `end` bound what is inside the quotes; of a block scalar they bound all of it,
 * its header included. `decoded` is what YAML made of it.
 */
export function scalarMap(text: string, start: number, end: number, style: ScalarStyle, decoded: string): OffsetMap {
  // Every escape and every fold of more than one character shortens the text, so equal lengths mean that nothing has moved.
  if (style !== 'literal' && style !== 'folded' && end - start === decoded.length) return linearMap(start);
  return new AlignedMap(text, start, end, style, decoded);
}

/** A map for text that stands in the file as it is. */
export function linearMap(start: number): OffsetMap {
  return { toSource: offset => start + offset };
}

/** The map of the part of a text that begins at `offset`. */
export function shiftedMap(map: OffsetMap, offset: number): OffsetMap {
  return offset === 0 ? map : { toSource: part => map.toSource(part + offset) };
}

/** The place in the file of a range of decoded text; never ends before it starts. */
export function mappedSpan(map: OffsetMap, start: number, end: number): Span {
  const from = map.toSource(start);
  return { start: from, end: end > start ? Math.max(from, map.toSource(end - 1)) + 1 : from };
}

/** Aligns on first use: positions inside most scalars are never asked for. */
class AlignedMap implements OffsetMap {
  readonly #align: () => number[];
  #offsets: number[] | undefined;

  constructor(text: string, start: number, end: number, style: ScalarStyle, decoded: string) {
    this.#align = () => (style === 'literal' || style === 'folded' ? alignBlock(text, start, end, decoded) : alignFlow(text, start, end, style, decoded));
  }

  toSource(offset: number): number {
    this.#offsets ??= this.#align();
    return this.#offsets[Math.max(0, Math.min(offset, this.#offsets.length - 1))]!;
  }
}

/** Plain and quoted scalars: escapes, doubled quotes, and line breaks that are folded with the white space around them. */
function alignFlow(text: string, start: number, end: number, style: ScalarStyle, decoded: string): number[] {
  const offsets: number[] = [];
  const fold = /[ \t]*\r?\n[ \t\r\n]*/y;
  let at = start;
  while (offsets.length < decoded.length && at < end) {
    fold.lastIndex = at;
    const folded = fold.exec(text)?.[0];
    if (folded !== undefined) {
      const breaks = folded.split('\n').length - 1;
      for (let i = 0; i < Math.max(1, breaks - 1); i++) offsets.push(at);
      at += folded.length;
    } else if (style === 'double' && text[at] === '\\') {
      const length = escapeLength(text, at);
      if (text[at + 1] !== '\n' && text[at + 1] !== '\r') offsets.push(at);
      if (text[at + 1] === 'U' && decoded.codePointAt(offsets.length - 1)! > 0xffff) offsets.push(at);
      at += length;
    } else {
      offsets.push(at);
      at += style === 'single' && text[at] === "'" ? 2 : 1;
    }
  }
  return finish(offsets, decoded.length, Math.min(at, end));
}

function escapeLength(text: string, at: number): number {
  const next = text[at + 1];
  if (next === 'x') return 4;
  if (next === 'u') return 6;
  if (next === 'U') return 10;
  // A backslash at the end of a line takes the line break and the indentation after it.
  const joined = /^\\\r?\n[ \t]*/.exec(text.slice(at, at + 1024));
  return joined === null ? 2 : joined[0].length;
}

/** Block scalars: indentation is cut from every line, and a folded one makes spaces of single line breaks. */
function alignBlock(text: string, start: number, end: number, decoded: string): number[] {
  const offsets: number[] = [];
  const headerEnd = text.indexOf('\n', start);
  if (headerEnd < 0 || headerEnd >= end) return finish(offsets, decoded.length, end);
  const indent = blockIndent(text.slice(headerEnd + 1, end), decoded);
  let at = lineContent(text, headerEnd + 1, indent);
  while (offsets.length < decoded.length && at < end) {
    if (!isBreak(text, at)) {
      offsets.push(at++);
      continue;
    }
    const breaks: number[] = [];
    while (at < end && isBreak(text, at)) {
      breaks.push(at);
      at = lineContent(text, text.indexOf('\n', at) + 1, indent);
    }
    if (decoded[offsets.length] === ' ' && breaks.length === 1) offsets.push(breaks[0]!);
    else {
      let kept = 0;
      while (kept < breaks.length && decoded[offsets.length + kept] === '\n') kept++;
      offsets.push(...breaks.slice(breaks.length - kept));
    }
  }
  return finish(offsets, decoded.length, Math.min(at, end));
}

const isBreak = (text: string, at: number): boolean => text[at] === '\n' || (text[at] === '\r' && text[at + 1] === '\n');

/** Where the content of a line begins: after its indentation, or at its end if it is shorter. */
function lineContent(text: string, lineStart: number, indent: number): number {
  let at = lineStart;
  while (at < lineStart + indent && text[at] === ' ') at++;
  return at;
}

/** The indentation that YAML cut, known from the first line that holds more than spaces. */
function blockIndent(raw: string, decoded: string): number {
  const rawLine = /^ *(?=[^ \r\n])/m.exec(raw)?.[0].length ?? 0;
  const decodedLine = /^ *(?=[^ \r\n])/m.exec(decoded)?.[0].length ?? 0;
  return Math.max(0, rawLine - decodedLine);
}

/** Gives a place to the end of the text, and to what alignment did not reach. */
function finish(offsets: number[], length: number, at: number): number[] {
  while (offsets.length <= length) offsets.push(at);
  return offsets;
}
