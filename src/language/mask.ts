import type { Span } from './source.ts';

/** Deepest nesting of maps and lists that a file may have. */
export const MAX_DEPTH = 64;

/**
 * YAML gives these characters a meaning, and the inside of AUTO tags and templates is not YAML. Each has a twin in the private-use area,
 * one code unit long like itself, so that a masked text has the offsets of the text as written.
 */
const ACTIVE = /[:#{}[\],&*!|>"'%@`?-]/g;
const TWIN = /[\uE021-\uE07D]/g;
const TWINS = /[\uE021-\uE07D]+/g;
const TWIN_BASE = 0xe000;

/** A text in which everything that is not YAML is masked, and what the scanner noticed on its way. */
export interface MaskedText {
  text: string;
  /** Runs of characters that the file held already although the mask needs them. */
  reserved: Span[];
  /** Where the nesting first exceeds MAX_DEPTH; the rest of the file was not scanned. */
  tooDeepAt: number | undefined;
  /** Where a quote or bracket opens that the file never closes. */
  unclosedAt: number | undefined;
}

/** Masks AUTO tags, `{{ }}`, `{% %}` and `{# #}` in the plain scalars of a YAML text. The result is as long as the text. */
export function mask(text: string): MaskedText {
  const scanner = new Scanner(text);
  scanner.run();
  let masked = '';
  let done = 0;
  for (const { start, end } of scanner.regions) {
    masked += text.slice(done, start) + text.slice(start, end).replace(ACTIVE, character => String.fromCharCode(TWIN_BASE + character.charCodeAt(0)));
    done = end;
  }
  const reserved = Array.from(text.matchAll(TWINS), ({ 0: run, index }) => ({ start: index, end: index + run.length }));
  return { text: masked + text.slice(done), reserved, tooDeepAt: scanner.tooDeepAt, unclosedAt: scanner.unclosedAt };
}

/** Gives masked characters their own faces again. */
export function unmask(text: string): string {
  return text.replace(TWIN, twin => String.fromCharCode(twin.charCodeAt(0) - TWIN_BASE));
}

/** Where each `<AUTO …>` ends with its `</AUTO>`, by the offset at which it opens; what is never closed is not there. */
function matchAutoTags(text: string): Map<number, number> {
  const ends = new Map<number, number>();
  const open: number[] = [];
  for (const { 0: token, index } of text.matchAll(/<AUTO(?=[\s>/])|<\/AUTO>/g)) {
    if (token === '<AUTO') open.push(index);
    else if (open.length > 0) ends.set(open.pop()!, index + token.length);
  }
  return ends;
}

const isBlank = (character: string | undefined): boolean => character === ' ' || character === '\t';
const isEnd = (character: string | undefined): boolean => character === undefined || character === '\n' || character === '\r';
const isFlowIndicator = (character: string | undefined): boolean => character !== undefined && ',[]{}'.includes(character);

/** Knows just enough YAML to tell plain scalars from quotes, block scalars and comments. It never fails: what is not YAML is for the parser to say. */
class Scanner {
  readonly regions: Span[] = [];
  tooDeepAt: number | undefined;
  unclosedAt: number | undefined;
  readonly #text: string;
  readonly #autoEnds: Map<number, number>;
  #position = 0;
  #lineStart = 0;
  /** Columns of the block maps and lists that are open here. */
  readonly #columns: number[] = [];
  #flowDepth = 0;
  /** End of the lines that the outermost flow collection may take. */
  #flowLimit = 0;
  #flowStart = 0;
  /** For each closing bracket of templates: the limit up to which it was last looked for in vain. */
  readonly #unclosed = new Map<string, number>();

  constructor(text: string) {
    this.#text = text;
    this.#autoEnds = matchAutoTags(text);
  }

  run(): void {
    while (this.#position < this.#text.length && this.tooDeepAt === undefined) {
      this.#token();
      if (this.#columns.length + this.#flowDepth > MAX_DEPTH) this.tooDeepAt = this.#position - 1;
    }
    if (this.#flowDepth > 0) this.unclosedAt ??= this.#flowStart;
  }

  /** Column of the innermost block collection: what belongs to a value in it is indented by more. */
  get #parent(): number {
    return this.#columns.at(-1) ?? -1;
  }

  #token(): void {
    const text = this.#text;
    while (isBlank(text[this.#position]) || text[this.#position] === '\r') this.#position++;
    const start = this.#position;
    const character = text[start];
    if (character === undefined) return;
    if (character === '\n') return this.#newLine(start + 1);
    const atLineStart = text.slice(this.#lineStart, start).trim() === '';
    if (character === '#' && (atLineStart || isBlank(text[start - 1]))) return this.#skipLine();
    if (this.#flowDepth === 0) {
      if (atLineStart && this.#startLine(start)) return;
      if ((character === '-' || character === '?') && (isBlank(text[start + 1]) || isEnd(text[start + 1]))) {
        this.#enter(start - this.#lineStart);
        this.#position++;
        return;
      }
      if (character === '|' || character === '>') return this.#skipBlockScalar();
    }
    if (character === '"' || character === "'") return this.#quoted(character);
    if ('&*!'.includes(character)) return this.#skipWord();
    if (isFlowIndicator(character) && this.#templateEnd(start, this.#limit()) === undefined) return this.#flowIndicator(character);
    this.#plain();
  }

  #newLine(start: number): void {
    this.#position = start;
    this.#lineStart = start;
  }

  #skipLine(): void {
    this.#position = this.#lineEnd(this.#position);
  }

  /** Closes the collections that a line's indentation ends; true where the line is a directive or a document marker and has been passed. */
  #startLine(start: number): boolean {
    const column = start - this.#lineStart;
    while (this.#parent > column) this.#columns.pop();
    if (column > 0 || !/^(?:%|(?:---|\.\.\.)(?=\s|$))/.test(this.#text.slice(start, start + 4))) return false;
    this.#columns.length = 0;
    if (this.#text[start] === '%') this.#skipLine();
    else this.#position += 3;
    return true;
  }

  #enter(column: number): void {
    if (this.#parent < column) this.#columns.push(column);
  }

  #flowIndicator(character: string): void {
    if (character === '[' || character === '{') {
      if (this.#flowDepth === 0) {
        this.#flowStart = this.#position;
        this.#flowLimit = this.#valueLimit(this.#position);
      }
      this.#flowDepth++;
    } else if (character !== ',' && this.#flowDepth > 0) this.#flowDepth--;
    this.#position++;
  }

  #skipWord(): void {
    const text = this.#text;
    while (!isBlank(text[this.#position]) && !isEnd(text[this.#position]) && !(this.#flowDepth > 0 && isFlowIndicator(text[this.#position]))) this.#position++;
  }

  #skipBlockScalar(): void {
    const parent = this.#parent;
    this.#skipLine();
    while (this.#position < this.#text.length) {
      const start = this.#position + 1;
      const indentation = this.#indentation(start);
      if (indentation !== undefined && indentation <= parent) break;
      this.#lineStart = start;
      this.#position = start;
      this.#skipLine();
    }
  }

  /** Columns before the first character of a line; undefined where the line is blank. */
  #indentation(lineStart: number): number | undefined {
    const text = this.#text;
    let i = lineStart;
    while (text[i] === ' ') i++;
    const column = i - lineStart;
    while (isBlank(text[i]) || text[i] === '\r') i++;
    return text[i] === '\n' || i >= text.length ? undefined : column;
  }

  #quoted(quote: string): void {
    const text = this.#text;
    const column = this.#position - this.#lineStart;
    const start = this.#position;
    let i = start + 1;
    for (; i < text.length; i++) {
      if (text[i] === '\\' && quote === '"') i++;
      else if (text[i] === '\n') this.#lineStart = i + 1;
      else if (text[i] === quote && quote === "'" && text[i + 1] === quote) i++;
      else if (text[i] === quote) break;
    }
    if (i >= text.length) this.unclosedAt = start;
    this.#position = Math.min(i + 1, text.length);
    while (isBlank(text[this.#position])) this.#position++;
    if (text[this.#position] === ':') {
      this.#position++;
      if (this.#flowDepth === 0) this.#enter(column);
    }
  }

  /** End of the text that a value starting at `start` may take: the rest of its line and the deeper lines below. */
  #valueLimit(start: number): number {
    const text = this.#text;
    let end = this.#lineEnd(start);
    for (let lineStart = end + 1; lineStart < text.length;) {
      const indentation = this.#indentation(lineStart);
      if (indentation !== undefined && indentation <= this.#parent) break;
      const lineEnd = this.#lineEnd(lineStart);
      if (indentation !== undefined) end = lineEnd;
      lineStart = lineEnd + 1;
    }
    return text[end - 1] === '\r' ? end - 1 : end;
  }

  #lineEnd(start: number): number {
    const end = this.#text.indexOf('\n', start);
    return end < 0 ? this.#text.length : end;
  }

  #limit(): number {
    return this.#flowDepth > 0 ? this.#flowLimit : this.#valueLimit(this.#position);
  }

  /** End of the template that opens at `start`; undefined where none does, or it is not closed before `limit`. */
  #templateEnd(start: number, limit: number): number | undefined {
    const text = this.#text;
    const close = text[start] === '{' ? { '{': '}}', '%': '%}', '#': '#}' }[text[start + 1] ?? ''] : undefined;
    // What had no end once has none further on; without this, a line of open braces would take quadratic time.
    if (close === undefined || this.#unclosed.get(close) === limit) return undefined;
    for (let i = start + 2; i + 1 < limit; i++) {
      if (text.startsWith(close, i)) return i + 2;
      if (close === '#}') continue;
      if (text[i] === '\\') i++;
      else if (text[i] === '"' || text[i] === "'") i = this.#stringEnd(i, limit);
    }
    this.#unclosed.set(close, limit);
    return undefined;
  }

  /** Offset of the quote that closes the string opened at `start`, in an expression; `start` itself where none does on this line. */
  #stringEnd(start: number, limit: number): number {
    const text = this.#text;
    for (let i = start + 1; i < limit && text[i] !== '\n'; i++) {
      if (text[i] === '\\') i++;
      else if (text[i] === text[start]) return i;
    }
    return start;
  }

  /** A plain scalar, to its end or to the colon that makes it a key. */
  #plain(): void {
    const text = this.#text;
    const column = this.#position - this.#lineStart;
    // A template within what may be a key ends on its line; else one that is never closed would take the members below.
    const mayBeKey = this.#flowDepth === 0 && text.slice(this.#lineStart, this.#position).trim() === '';
    let limit: number | undefined;
    let i = this.#position;
    while (i < text.length) {
      const character = text[i]!;
      if (character === '<' || character === '{') {
        limit ??= this.#limit();
        const end = this.#specialEnd(i, mayBeKey && character === '{' && i > this.#position ? Math.min(limit, this.#lineEnd(i)) : limit);
        if (end !== undefined) {
          i = this.#maskRegion(i, end);
          continue;
        }
      }
      if (character === '\n') {
        const next = this.#continuation(i + 1);
        if (next === undefined) break;
        i = next;
        continue;
      }
      if (character === '#' && i > this.#position && isBlank(text[i - 1])) break;
      if (character === ':' && this.#endsKey(i)) {
        this.#position = i + 1;
        if (this.#flowDepth === 0) this.#enter(column);
        return;
      }
      if (this.#flowDepth > 0 && isFlowIndicator(character)) break;
      i++;
    }
    this.#position = Math.max(i, this.#position + 1);
  }

  #endsKey(colon: number): boolean {
    const next = this.#text[colon + 1];
    return isBlank(next) || isEnd(next) || (this.#flowDepth > 0 && isFlowIndicator(next));
  }

  /** Where the scalar goes on below its line; undefined where the next line is not its own. */
  #continuation(lineStart: number): number | undefined {
    const text = this.#text;
    let start = lineStart;
    let indentation = this.#indentation(start);
    while (indentation === undefined) {
      const end = text.indexOf('\n', start);
      if (end < 0) return undefined;
      start = end + 1;
      indentation = this.#indentation(start);
    }
    const first = start + indentation;
    if (text[first] === '#' || (this.#flowDepth === 0 && indentation <= this.#parent)) return undefined;
    this.#lineStart = start;
    return first;
  }

  /** End of the AUTO tag or template that opens at `start`. A tag without end takes the rest of its value, in a flow collection only its own brackets. */
  #specialEnd(start: number, limit: number): number | undefined {
    if (this.#text[start] === '{') return this.#templateEnd(start, limit);
    if (!/^<AUTO[\s>/]/.test(this.#text.slice(start, start + 6))) return undefined;
    const end = this.#autoEnds.get(start);
    if (end !== undefined && end <= limit) return end;
    if (this.#flowDepth === 0) return limit;
    const bracket = this.#text.indexOf('>', start);
    return bracket >= 0 && bracket < limit ? bracket + 1 : start + 5;
  }

  #maskRegion(start: number, end: number): number {
    this.regions.push({ start, end });
    const newLine = this.#text.lastIndexOf('\n', end - 1);
    if (newLine >= start) this.#lineStart = newLine + 1;
    return end;
  }
}
