import { nearest } from '../../ids.ts';
import type { Expr, FilterCall, Statement, Template } from './ast.ts';
import { MOST_PROBLEMS, type ExpressionProblem } from './checks.ts';
import { DEEPEST, Lexer, problem, tooDeep } from './lexer.ts';
import { Parser } from './parser.ts';
import { ExpressionError } from './values.ts';

const TAG = /\{[{%#]/g;
const RAW = /\{%[-+]?\s*raw\s*(-?)%\}/y;
const ENDRAW = /\{%([-+]?)\s*endraw\s*([-+]?)%\}/g;
/** Statements of Jinja2 that are not part of the language; those with a body end with `end…`. */
const ABSENT: ReadonlyMap<string, boolean> = new Map([
  ['macro', true],
  ['block', true],
  ['call', true],
  ['autoescape', true],
  ['trans', true],
  ['include', false],
  ['import', false],
  ['from', false],
  ['extends', false],
  ['do', false],
  ['debug', false],
]);
/** The first word of a tag. */
const WORD = /\{%[-+]?\s*([a-z]+)/y;
/** Statements that surely have a body. */
const BLOCKS: ReadonlySet<string> = new Set(['if', 'for', 'with', 'filter']);
const STATEMENTS = [
  'if',
  'elif',
  'else',
  'endif',
  'for',
  'endfor',
  'set',
  'endset',
  'with',
  'endwith',
  'filter',
  'endfilter',
  'raw',
  'endraw',
  'break',
  'continue',
];

/** A block tag that has been read: its first word, and the parser behind it. */
interface Tag {
  word: string;
  start: number;
  wordStart: number;
  wordEnd: number;
  end: number;
  parser: Parser;
}

/** Reads a template. It goes on behind a tag that cannot be read, so that one pass finds several problems. */
export class TemplateParser {
  readonly #text: string;
  readonly #problems: ExpressionProblem[] = [];
  #at = 0;
  /** True where the tag before ended with a hyphen: white space that follows is dropped. */
  #trim = false;
  #depth = 0;
  #loops = 0;
  #broken = false;
  /** Names defined by the enclosing statements, and how often, for each frame that is open. */
  readonly #counts = new Map<string, number>();
  readonly #frames: string[][] = [[]];

  constructor(text: string) {
    this.#text = text;
  }

  parse(): { template: Template | null; problems: ExpressionProblem[] } {
    const body: Statement[] = [];
    for (;;) {
      const tag = this.#body(body);
      if (tag === null) break;
      this.#report(problem(`\`${tag.word}\` ends nothing that is open`, tag.wordStart, tag.wordEnd));
    }
    const template: Template = { start: 0, end: this.#text.length, body };
    return { template: this.#broken ? null : template, problems: this.#problems.sort((a, b) => a.start - b.start) };
  }

  #report(error: unknown): void {
    if (!(error instanceof ExpressionError)) throw error;
    this.#broken = true;
    if (this.#problems.length < MOST_PROBLEMS)
      this.#problems.push({ code: error.code, message: error.message, start: error.start, end: error.end, help: error.help });
  }

  /** Statements up to a tag that only an enclosing statement understands (`else`, `endif`, …), or to the end (null). */
  #body(out: Statement[]): Tag | null {
    for (;;) {
      if (this.#problems.length >= MOST_PROBLEMS) this.#at = this.#text.length;
      TAG.lastIndex = this.#at;
      const start = TAG.exec(this.#text)?.index ?? this.#text.length;
      this.#data(out, this.#at, start);
      if (start >= this.#text.length) return null;
      if (this.#text[start + 1] === '#') this.#comment(start);
      else if (this.#text[start + 1] === '{') this.#output(out, start);
      else if (!this.#raw(out, start)) {
        const tag = this.#tag(start);
        if (tag !== null && !this.#statement(out, tag)) return tag;
      }
    }
  }

  /** Text between tags, without the white space that a hyphen of its neighbours drops. */
  #data(out: Statement[], from: number, to: number): void {
    let text = this.#text.slice(from, to);
    let start = from;
    if (this.#trim) {
      text = text.trimStart();
      start = to - text.length;
    }
    if (this.#text[to + 2] === '-' && to < this.#text.length) text = text.trimEnd();
    this.#trim = false;
    if (text !== '') out.push({ kind: 'text', text, start, end: start + text.length });
  }

  #comment(start: number): void {
    const end = this.#text.indexOf('#}', start + 2);
    if (end < 0) {
      this.#report(problem('this comment is never closed', start, start + 2, ['close it with #}']));
      this.#at = this.#text.length;
      return;
    }
    this.#trim = end > start + 2 && this.#text[end - 1] === '-';
    this.#at = end + 2;
  }

  #raw(out: Statement[], start: number): boolean {
    RAW.lastIndex = start;
    const open = RAW.exec(this.#text);
    if (open === null) return false;
    const from = start + open[0].length;
    ENDRAW.lastIndex = from;
    const close = ENDRAW.exec(this.#text);
    if (close === null) {
      this.#report(problem('this `raw` is never closed', start, from, ['close it: {% endraw %}']));
      this.#at = this.#text.length;
      return true;
    }
    let text = this.#text.slice(from, close.index);
    if (open[1] === '-') text = text.trimStart();
    if (close[1] === '-') text = text.trimEnd();
    if (text !== '') out.push({ kind: 'text', text, start: from, end: close.index });
    this.#at = close.index + close[0].length;
    this.#trim = close[2] === '-';
    return true;
  }

  /** A parser for what stands in a tag, or null where that cannot be cut into tokens. Moves behind the tag. */
  #open(start: number, close: '}}' | '%}'): { parser: Parser; end: number } | null {
    const sign = this.#text[start + 2];
    try {
      const tokens = new Lexer(this.#text).tokens(start + (sign === '-' || sign === '+' ? 3 : 2), close, start);
      const { end } = tokens.at(-1)!;
      this.#moveTo(end);
      return { parser: new Parser(tokens, this.#problems, this), end };
    } catch (error) {
      this.#report(error);
      const end = this.#text.indexOf(close, start + 2);
      this.#moveTo(end < 0 ? this.#text.length : end + 2);
      return null;
    }
  }

  #moveTo(end: number): void {
    this.#at = end;
    this.#trim = this.#text[end - 3] === '-';
  }

  /** Whether a statement around here defines the name. */
  has(name: string): boolean {
    return (this.#counts.get(name) ?? 0) > 0;
  }

  #define(names: readonly string[]): void {
    for (const name of names) this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    this.#frames.at(-1)!.push(...names);
  }

  /** Reads with names of its own, which are forgotten afterwards. */
  #within<T>(names: readonly string[], read: () => T): T {
    this.#frames.push([]);
    this.#define(names);
    try {
      return read();
    } finally {
      for (const name of this.#frames.pop()!) this.#counts.set(name, this.#counts.get(name)! - 1);
    }
  }

  #output(out: Statement[], start: number): void {
    const opened = this.#open(start, '}}');
    if (opened === null) return;
    const expr = this.#attempt(() => opened.parser.whole());
    if (expr !== null) out.push({ kind: 'output', expr, start, end: opened.end });
  }

  #attempt<T>(read: () => T): T | null {
    try {
      return read();
    } catch (error) {
      this.#report(error);
      return null;
    }
  }

  #tag(start: number): Tag | null {
    const opened = this.#open(start, '%}');
    if (opened === null) {
      this.#skip(start);
      return null;
    }
    const { parser, end } = opened;
    const { type, text: word, start: wordStart, end: wordEnd } = parser.token;
    if (type !== 'name') {
      this.#report(parser.unexpected('a statement'));
      return null;
    }
    parser.next();
    return { word, start, wordStart, wordEnd, end, parser };
  }

  /** Reads the body of a block whose own tag cannot be cut into tokens, so that its end is not taken for a mistake too. */
  #skip(start: number): void {
    WORD.lastIndex = start;
    const match = WORD.exec(this.#text);
    const word = match?.[1];
    if (word === undefined || !BLOCKS.has(word)) return;
    const wordEnd = start + match![0].length;
    const tag = { word, start, wordStart: wordEnd - word.length, wordEnd };
    this.#loops++;
    this.#attempt(() => {
      for (let last = ''; last !== `end${word}`; last = this.#block(tag, ['elif', 'else', `end${word}`]).end.word);
    });
    this.#loops--;
  }

  /** Reads one statement; false where the tag belongs to an enclosing one. */
  #statement(out: Statement[], tag: Tag): boolean {
    if (tag.word === 'elif' || tag.word === 'else' || (tag.word.startsWith('end') && (STATEMENTS.includes(tag.word) || ABSENT.has(tag.word.slice(3)))))
      return false;
    if (this.#depth >= DEEPEST) {
      this.#report(tooDeep(tag.start, tag.end));
      this.#at = this.#text.length;
      return true;
    }
    this.#depth++;
    const made = this.#attempt(() => this.#read(tag));
    if (made !== null) out.push(made);
    this.#depth--;
    return true;
  }

  #read(tag: Tag): Statement | null {
    switch (tag.word) {
      case 'if':
        return this.#if(tag);
      case 'for':
        return this.#for(tag);
      case 'set':
        return this.#set(tag);
      case 'with':
        return this.#with(tag);
      case 'filter':
        return this.#filterBlock(tag);
      case 'break':
      case 'continue':
        if (this.#loops === 0) throw problem(`\`${tag.word}\` stands outside a loop`, tag.wordStart, tag.wordEnd);
        tag.parser.finish();
        return { kind: tag.word, start: tag.start, end: tag.end };
    }
    const body = ABSENT.get(tag.word);
    if (body === undefined) {
      const near = nearest(tag.word, STATEMENTS, 1)[0];
      throw problem(
        `there is no statement \`${tag.word}\``,
        tag.wordStart,
        tag.wordEnd,
        near === undefined ? [`statements: ${STATEMENTS.join(', ')}`] : [`did you mean \`${near}\`?`],
      );
    }
    this.#report(
      new ExpressionError(
        'ORC-313',
        `\`${tag.word}\` is not part of the language`,
        { start: tag.wordStart, end: tag.wordEnd },
        tag.word === 'include' ? ["the text of a file: {{ file('path') }}"] : [],
      ),
    );
    if (body) this.#within([], () => this.#block(tag, [`end${tag.word}`]));
    return null;
  }

  /** The statements of a block, and the tag that ends it. */
  #block(tag: Omit<Tag, 'parser' | 'end'>, ends: readonly string[]): { body: Statement[]; end: Tag } {
    const body: Statement[] = [];
    for (;;) {
      const end = this.#body(body);
      if (end === null) throw problem(`this \`${tag.word}\` is never closed`, tag.wordStart, tag.wordEnd, [`close it: {% ${ends.at(-1)} %}`]);
      if (ends.includes(end.word)) {
        if (end.word !== 'elif') this.#attempt(() => end.parser.finish());
        return { body, end };
      }
      this.#report(problem(`\`${end.word}\` does not fit here: \`${tag.word}\` is open`, end.wordStart, end.wordEnd, [`close it with {% ${ends.at(-1)} %}`]));
    }
  }

  /** The expression of a tag; a stand-in where it cannot be read, so that the body is read all the same. */
  #expression(tag: Tag, read: () => Expr): Expr {
    return (
      this.#attempt(() => {
        const expr = read();
        tag.parser.finish();
        return expr;
      }) ?? standIn(tag)
    );
  }

  #if(first: Tag): Statement {
    const branches: { test: Expr | null; body: Statement[] }[] = [];
    let tag = first;
    for (;;) {
      const test = tag.word === 'else' ? null : this.#expression(tag, () => tag.parser.tuple(() => tag.parser.expression()));
      const { body, end } = this.#block(first, test === null ? ['endif'] : ['elif', 'else', 'endif']);
      branches.push({ test, body });
      if (end.word === 'endif') return { kind: 'if', branches, start: first.start, end: end.end };
      tag = end;
    }
  }

  #for(tag: Tag): Statement {
    const { parser } = tag;
    const targets: string[] = [];
    const source = this.#attempt(() => {
      targets.push(...this.#targets(parser));
      parser.expect('in', 'after the names');
      return parser.tuple(() => parser.disjunction());
    });
    const { filter, body, end } = this.#within(['loop', ...targets], () => {
      const test = source === null ? null : this.#attempt(() => this.#loopFilter(parser));
      this.#loops++;
      const block = this.#block(tag, ['else', 'endfor']);
      this.#loops--;
      return { filter: test, ...block };
    });
    const other = end.word === 'endfor' ? { body: [], end } : this.#within([], () => this.#block(tag, ['endfor']));
    return { kind: 'for', targets, source: source ?? standIn(tag), filter, body, otherwise: other.body, start: tag.start, end: other.end.end };
  }

  #loopFilter(parser: Parser): Expr | null {
    const filter = parser.take('if') ? parser.tuple(() => parser.expression()) : null;
    const { text, start, end } = parser.token;
    if (text === 'recursive') throw new ExpressionError('ORC-313', '`recursive` is not part of the language', { start, end });
    parser.finish();
    return filter;
  }

  #targets(parser: Parser): string[] {
    const parenthesis = parser.take('(');
    const names = [parser.name('a name').text];
    while (parser.take(',')) names.push(parser.name('a name').text);
    if (parenthesis) parser.expect(')', 'after the names');
    return names;
  }

  #set(tag: Tag): Statement {
    const { parser } = tag;
    const first = parser.token;
    const targets = this.#targets(parser);
    const attribute = targets.length === 1 && parser.take('.') ? parser.name('a name after the dot').text : null;
    if (parser.take('=')) {
      const value = parser.tuple(() => parser.expression());
      parser.finish();
      if (attribute === null) this.#define(targets);
      return { kind: 'set', targets, attribute, value, start: tag.start, end: tag.end };
    }
    if (targets.length > 1 || attribute !== null) throw parser.unexpected('`=`');
    const filters = this.#attempt(() => this.#filterCalls(parser, parser.take('|'))) ?? [];
    const { body, end } = this.#within([], () => this.#block(tag, ['endset']));
    this.#define([first.text]);
    return { kind: 'set-block', target: first.text, filters, body, start: tag.start, end: end.end };
  }

  #filterCalls(parser: Parser, any: boolean): FilterCall[] {
    const filters: FilterCall[] = [];
    for (let more = any; more; more = parser.take('|')) filters.push(parser.filterCall());
    parser.finish();
    return filters;
  }

  #with(tag: Tag): Statement {
    const { parser } = tag;
    const bindings: { name: string; value: Expr }[] = [];
    this.#attempt(() => {
      while (parser.token.type !== 'end') {
        if (bindings.length > 0) parser.expect(',', 'between the names');
        const { text: name } = parser.name('a name');
        parser.expect('=', 'after the name');
        bindings.push({ name, value: parser.expression() });
      }
    });
    const { body, end } = this.#within(
      bindings.map(binding => binding.name),
      () => this.#block(tag, ['endwith']),
    );
    return { kind: 'with', bindings, body, start: tag.start, end: end.end };
  }

  #filterBlock(tag: Tag): Statement {
    const filters = this.#attempt(() => this.#filterCalls(tag.parser, true)) ?? [];
    const { body, end } = this.#within([], () => this.#block(tag, ['endfilter']));
    return { kind: 'filter-block', filters, body, start: tag.start, end: end.end };
  }
}

/** Stands for an expression that could not be read; a template with one is not given back. */
function standIn({ start, end }: Tag): Expr {
  return { kind: 'literal', value: null, start, end };
}
