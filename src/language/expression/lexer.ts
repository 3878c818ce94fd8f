import { ExpressionError } from './values.ts';

export type TokenType = 'name' | 'integer' | 'float' | 'string' | 'operator' | 'end';

export interface Token {
  type: TokenType;
  /** Operators and names as they count (`&&` is `and`, `$item` is `item`), strings with their escapes read. */
  text: string;
  start: number;
  end: number;
  /** The value of a number. */
  number: number;
  /** A string with `{{ }}` in it: its parts in order, expressions as their tokens. */
  parts?: (string | Token[])[];
}

export interface LexerOptions {
  /** Reads `{{ e }}` inside an expression, and inside its strings. */
  braces?: boolean;
  /** Reads `1GB`, `5m` and `5%` as numbers. */
  units?: boolean;
}

/** How deep brackets, braces and calls may be nested. */
export const DEEPEST = 64;
/** How many names, numbers, texts and operators an expression may have. */
const LONGEST = 100_000;

const SPACE = /\s+/y;
const NAME = /\$?[\p{L}_][\p{L}\p{N}\p{M}_]*/uy;
const NUMBER = /0[xX][\da-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d[\d_]*)?/y;
/** A number right after a dot is a place: `items.0.1` has two of them. */
const PLACE = /\d+/y;
const OPERATOR = /\*\*|\/\/|==|!=|<=|>=|&&|\|\||[-+*/%~<>=()[\]{},:.|!]/y;
const FILE = /file:\s*([^\s'"{}]+)/y;
const UNIT = /[a-zA-Z]+|%(?![\w($'"[{])/y;
const SPELLED: { readonly [operator: string]: string } = { '&&': 'and', '||': 'or', '!': 'not' };
const CLOSES: { readonly [open: string]: string } = { '(': ')', '[': ']', '{': '}' };

/** Sizes in bytes (powers of 1024), times in seconds, shares as fractions. */
const UNITS: { readonly [unit: string]: number } = {
  B: 1,
  KB: 2 ** 10,
  MB: 2 ** 20,
  GB: 2 ** 30,
  TB: 2 ** 40,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  ns: 1e-9,
  us: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  '%': 0.01,
};
const SMALL = /^(?:ns|us|ms|%)$/;

/** Cuts the text of an expression into tokens. An error is thrown as ExpressionError with its place. */
export class Lexer {
  readonly #text: string;
  readonly #options: LexerOptions;
  #at = 0;
  #depth = 0;
  #count = 0;

  constructor(text: string, options: LexerOptions = {}) {
    this.#text = text;
    this.#options = options;
  }

  /** Tokens from `from` to the closing mark (`}}`, `%}`, or '' for the end of the text); the last is of type `end` and covers the mark. */
  tokens(from: number, close: '' | '}}' | '%}', opened = from): Token[] {
    if (++this.#depth > DEEPEST) throw tooDeep(from, from + 2);
    this.#at = from;
    const tokens: Token[] = [];
    const open: Token[] = [];
    for (;;) {
      this.#match(SPACE);
      const start = this.#at;
      if (open.length === 0 && this.#closes(close)) {
        tokens.push(token('end', close, start, this.#at));
        this.#depth--;
        return tokens;
      }
      if (start >= this.#text.length) {
        const last = open.at(-1);
        if (last !== undefined)
          throw problem(
            `this \`${last.text}\` is never closed`,
            last.start,
            last.end,
            close === '' ? [] : [`and neither is the \`${close === '}}' ? '{{' : '{%'}\` around it`],
          );
        throw problem(`this \`${close === '}}' ? '{{' : '{%'}\` is never closed`, opened, Math.min(opened + 2, this.#text.length), [`close it with ${close}`]);
      }
      if (++this.#count > LONGEST) throw problem('this expression is too long', opened, start, ['compute a part of it in a task of its own']);
      this.#next(tokens, open);
    }
  }

  #closes(close: string): boolean {
    if (close === '') return this.#at >= this.#text.length;
    const dash = this.#text.startsWith(`-${close}`, this.#at) || (close === '%}' && this.#text.startsWith(`+${close}`, this.#at)) ? 1 : 0;
    if (dash === 0 && !this.#text.startsWith(close, this.#at)) return false;
    this.#at += dash + close.length;
    return true;
  }

  #next(tokens: Token[], open: Token[]): void {
    const start = this.#at;
    const character = this.#text[start]!;
    if (character === "'" || character === '"') {
      tokens.push(this.#string(character));
      return;
    }
    const before = tokens.at(-1);
    const follows = (mark: string): boolean => before?.type === 'operator' && before.text === mark;
    if (before === undefined || follows('{{')) {
      const file = this.#match(FILE);
      if (file !== null) return void tokens.push(...fileCall(file, start));
    }
    const number = follows('.') ? this.#match(PLACE) : this.#match(NUMBER);
    if (number !== null) {
      tokens.push(this.#number(number, start));
      return;
    }
    const name = this.#match(NAME);
    if (name !== null) {
      tokens.push(token('name', name.startsWith('$') ? name.slice(1) : name, start, this.#at));
      return;
    }
    this.#operator(tokens, open);
  }

  #operator(tokens: Token[], open: Token[]): void {
    const start = this.#at;
    const double = this.#text.slice(start, start + 2);
    const inBraces = open.at(-1)?.text === '{{';
    if (double === '{{' && !this.#options.braces)
      throw problem('braces inside an expression are not needed', start, start + 2, ['write the inner expression without {{ }}']);
    if (double === '{{' || (inBraces && (double === '}}' || this.#text.startsWith('-}}', start)))) {
      const dash = double === '{{' ? this.#text[start + 2] === '-' : double === '-}';
      this.#at += dash ? 3 : 2;
      const mark = token('operator', double === '{{' ? '{{' : '}}', start, this.#at);
      if (double === '{{') this.#open(open, mark);
      else open.pop();
      tokens.push(mark);
      return;
    }
    const operator = this.#match(OPERATOR);
    if (operator === null) {
      const end = start + String.fromCodePoint(this.#text.codePointAt(start)!).length;
      throw problem(`\`${this.#text.slice(start, end)}\` is not part of an expression`, start, end);
    }
    const mark = token('operator', operator, start, this.#at);
    if (operator in CLOSES) this.#open(open, mark);
    else if (operator === ')' || operator === ']' || operator === '}') {
      const last = open.pop();
      if (last === undefined || CLOSES[last.text] !== operator) {
        const wanted = last === undefined ? '' : (CLOSES[last.text] ?? '}}');
        throw problem(`\`${operator}\` closes nothing`, start, this.#at, wanted === '' ? [] : [`the bracket that is open here closes with ${wanted}`]);
      }
    }
    const spelled = SPELLED[operator];
    tokens.push(spelled === undefined ? mark : token('name', spelled, start, this.#at));
  }

  #open(open: Token[], mark: Token): void {
    open.push(mark);
    if (open.length + this.#depth > DEEPEST) throw tooDeep(mark.start, mark.end);
  }

  #number(text: string, start: number): Token {
    const digits = text.replaceAll('_', '');
    if (/__|_$|_[.eE]|^0[\d_]*[1-9][\d_]*$/.test(text))
      throw problem(`\`${text}\` is not a number`, start, this.#at, ['a number does not begin with 0, and `_` stands between two digits']);
    const float = /^[\d.]+(?:\.|[eE])/.test(digits) && !/^0[xXoObB]/.test(digits);
    const value = Number(digits);
    const unit = this.#options.units ? this.#unit() : undefined;
    if (unit !== undefined) {
      const factor = UNITS[unit]!;
      const scaled = SMALL.test(unit) ? value / Math.round(1 / factor) : value * factor;
      return token(Number.isInteger(scaled) ? 'integer' : 'float', text, start, this.#at, scaled);
    }
    if (!float && !Number.isFinite(value)) throw problem('this number is too large', start, this.#at);
    return token(float ? 'float' : 'integer', text, start, this.#at, value);
  }

  #unit(): string | undefined {
    const start = this.#at;
    const unit = this.#match(UNIT);
    if (unit === null) return undefined;
    if (Object.hasOwn(UNITS, unit)) return unit;
    throw problem(`\`${unit}\` is not a unit`, start, this.#at, [`units: ${Object.keys(UNITS).join(', ')}`]);
  }

  #string(quote: string): Token {
    const text = this.#text;
    const start = this.#at;
    const parts: (string | Token[])[] = [];
    let from = start + 1;
    let i = from;
    for (;;) {
      const character = text[i];
      if (character === undefined) throw problem('this text is never closed', start, start + 1, [`close it with ${quote}`]);
      if (character === quote) break;
      if (character === '{' && text[i + 1] === '{' && this.#options.braces) {
        parts.push(unescape(text.slice(from, i), from));
        parts.push(this.tokens(text[i + 2] === '-' ? i + 3 : i + 2, '}}', i));
        from = i = this.#at;
      } else i += character === '\\' ? 2 : 1;
    }
    this.#at = i + 1;
    const tail = unescape(text.slice(from, i), from);
    const made = token('string', tail, start, this.#at);
    if (parts.length > 0) made.parts = [...parts, tail];
    return made;
  }

  #match(pattern: RegExp): string | null {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return null;
    this.#at += match[0].length;
    return match[0];
  }
}

function token(type: TokenType, text: string, start: number, end: number, number = 0): Token {
  return { type, text, start, end, number };
}

/** `{{ file:path }}` is `{{ file('path') }}`. */
function fileCall(text: string, start: number): Token[] {
  const path = text.slice(5).trimStart();
  const end = start + text.length;
  return [
    token('name', 'file', start, start + 4),
    token('operator', '(', start + 4, start + 5),
    token('string', path, end - path.length, end),
    token('operator', ')', end, end),
  ];
}

export function problem(message: string, start: number, end: number, help: string[] = []): ExpressionError {
  return new ExpressionError('ORC-305', message, { start, end }, help);
}

export function tooDeep(start: number, end: number): ExpressionError {
  return new ExpressionError('ORC-311', `this is nested more than ${DEEPEST} deep`, { start, end }, ['compute a part of it in a task of its own']);
}

const ESCAPES: { readonly [letter: string]: string } = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\x07',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '\n': '',
};
const ESCAPE = /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|([^]))/gu;

/** Python's escapes; a backslash before any other character stays, so that `\w` reaches a regular expression. */
function unescape(raw: string, offset: number): string {
  if (!raw.includes('\\')) return raw;
  return raw.replace(
    ESCAPE,
    (all: string, x: string | undefined, u: string | undefined, U: string | undefined, octal: string | undefined, letter: string | undefined, at: number) => {
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
      const code = Number.parseInt(x ?? u ?? U ?? '110000', 16);
      if (letter === undefined && code <= 0x10ffff) return String.fromCodePoint(code);
      if (letter === undefined || letter === 'x' || letter === 'u' || letter === 'U')
        throw problem(`\`${all}\` is not a character`, offset + at, offset + at + all.length, ['\\x41, \\u0041 and \\U00000041 are the letter A']);
      return ESCAPES[letter] ?? all;
    },
  );
}
