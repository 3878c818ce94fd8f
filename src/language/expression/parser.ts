import type { Argument, BinaryOperator, CompareOperator, Expr, FilterCall } from './ast.ts';
import { Checks, type ExpressionProblem } from './checks.ts';
import { DEEPEST, problem, tooDeep, type Token } from './lexer.ts';
import { heightOf } from './walk.ts';

const CONSTANTS: ReadonlyMap<string, null | boolean> = new Map<string, null | boolean>([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['none', null],
  ['None', null],
]);
const COMPARES: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=']);
const KEYWORDS: ReadonlySet<string> = new Set(['and', 'or', 'not', 'in', 'is', 'if', 'else', 'elif']);
const TALLEST = 400;

/** Reads tokens as an expression, by Jinja2's grammar. What cannot be read is thrown; unknown names and bad arguments are added to `problems`. */
export class Parser {
  readonly checks: Checks;
  /** Names that `for`, `set` and `with` define here: they may be called as functions are. */
  readonly locals: { has(name: string): boolean };
  #tokens: readonly Token[];
  #at = 0;
  #depth = 0;
  /** Where an expression in parentheses begins and ends with them: what is made of it covers them too. */
  readonly #extents = new Map<Expr, { start: number; end: number }>();

  constructor(tokens: readonly Token[], problems: ExpressionProblem[], locals: { has(name: string): boolean }) {
    this.#tokens = tokens;
    this.checks = new Checks(problems);
    this.locals = locals;
  }

  get token(): Token {
    return this.#tokens[this.#at]!;
  }

  #from(expr: Expr): number {
    return this.#extents.get(expr)?.start ?? expr.start;
  }

  #to(expr: Expr): number {
    return this.#extents.get(expr)?.end ?? expr.end;
  }

  #last(): Token {
    return this.#tokens[this.#at - 1]!;
  }

  next(): Token {
    return this.#tokens[this.#at++]!;
  }

  /** Takes the token if it is this operator or keyword. */
  take(text: string): boolean {
    const { type, text: found } = this.token;
    if (found !== text || (type !== 'operator' && type !== 'name')) return false;
    this.#at++;
    return true;
  }

  #peek(text: string, ahead = 0): boolean {
    const found = this.#tokens[this.#at + ahead];
    return found?.text === text && (found.type === 'operator' || found.type === 'name');
  }

  expect(text: string, after: string): Token {
    if (!this.take(text)) throw this.unexpected(`\`${text}\` ${after}`);
    return this.#last();
  }

  name(what: string): Token {
    if (this.token.type !== 'name' || KEYWORDS.has(this.token.text)) throw this.unexpected(what);
    return this.next();
  }

  unexpected(wanted: string): Error {
    const { type, text, start, end } = this.token;
    const found = type === 'end' ? (text === '' ? 'the end' : `\`${text}\``) : type === 'string' ? 'a text' : `\`${text}\``;
    const help = text === '=' ? ['to compare write =='] : text === '(' ? ['only registered functions and methods of data can be called'] : [];
    return problem(`${wanted} was expected here, not ${found}`, start, end > start ? end : start + (type === 'end' && text === '' ? 0 : 1), help);
  }

  finish(): void {
    if (this.token.type !== 'end') throw this.unexpected('an operator or the end');
  }

  /** One expression and nothing after it. */
  whole(): Expr {
    const expr = this.tuple(() => this.expression());
    this.finish();
    return expr;
  }

  /** Expressions with commas between them are a list; a single one is itself. */
  tuple(element: () => Expr): Expr {
    const first = element();
    if (!this.#peek(',')) return checked(first);
    const items = [first];
    while (this.take(',')) {
      if (this.token.type === 'end') break;
      items.push(element());
    }
    return checked({ kind: 'list', tuple: true, items, start: this.#from(first), end: this.#last().end });
  }

  expression(): Expr {
    this.#enter();
    let expr = this.disjunction();
    while (this.take('if')) {
      const test = this.disjunction();
      const otherwise = this.take('else') ? this.expression() : null;
      expr = { kind: 'conditional', test, then: expr, otherwise, start: this.#from(expr), end: this.#to(otherwise ?? test) };
    }
    this.#depth--;
    return this.#depth === 0 ? checked(expr) : expr;
  }

  #enter(): void {
    if (++this.#depth > DEEPEST) throw tooDeep(this.token.start, this.token.end);
  }

  #binary(operators: readonly BinaryOperator[], operand: () => Expr): Expr {
    let left = operand();
    for (;;) {
      const operator = operators.find(each => this.#peek(each));
      if (operator === undefined) return left;
      this.#at++;
      const right = operand();
      left = { kind: 'binary', operator, left, right, start: this.#from(left), end: this.#to(right) };
    }
  }

  disjunction(): Expr {
    return this.#binary(['or'], () => this.#binary(['and'], () => this.#negation()));
  }

  #negation(): Expr {
    if (!this.#peek('not') || this.#peek('in', 1)) return this.#comparison();
    const { start } = this.next();
    this.#enter();
    const operand = this.#negation();
    this.#depth--;
    return { kind: 'unary', operator: 'not', operand, start, end: this.#to(operand) };
  }

  #comparison(): Expr {
    const first = this.#sum();
    const rest: { operator: CompareOperator; operand: Expr }[] = [];
    for (;;) {
      let operator: CompareOperator;
      if (this.token.type === 'operator' && COMPARES.has(this.token.text)) operator = this.next().text as CompareOperator;
      else if (this.take('in')) operator = 'in';
      else if (this.#peek('not') && this.#peek('in', 1)) {
        this.#at += 2;
        operator = 'not in';
      } else break;
      rest.push({ operator, operand: this.#sum() });
    }
    return rest.length === 0 ? first : { kind: 'compare', first, rest, start: this.#from(first), end: this.#to(rest.at(-1)!.operand) };
  }

  #sum(): Expr {
    return this.#binary(['+', '-'], () => this.#binary(['~'], () => this.#binary(['*', '/', '//', '%'], () => this.#binary(['**'], () => this.#unary(true)))));
  }

  #unary(filters: boolean): Expr {
    let expr: Expr;
    if (this.#peek('-') || this.#peek('+')) {
      const { text, start } = this.next();
      this.#enter();
      const operand = this.#unary(false);
      this.#depth--;
      expr = { kind: 'unary', operator: text as '-' | '+', operand, start, end: this.#to(operand) };
    } else expr = this.primary();
    expr = this.#postfix(expr);
    return filters ? this.#filters(expr) : expr;
  }

  primary(): Expr {
    const { type, text, start, end, number } = this.token;
    switch (type) {
      case 'integer':
      case 'float':
        this.#at++;
        return type === 'float' ? { kind: 'literal', value: number, float: true, start, end } : { kind: 'literal', value: number, start, end };
      case 'string':
        return this.#string();
      case 'name':
        return this.#name();
      case 'operator':
        if (text === '(') return this.#parenthesis();
        if (text === '[') return this.#list();
        if (text === '{') return this.#map();
        if (text === '{{') {
          this.#at++;
          const expr = this.expression();
          this.expect('}}', 'to close the braces');
          return expr;
        }
        break;
      case 'end':
    }
    throw this.unexpected('a value');
  }

  #name(): Expr {
    const { text, start, end } = this.token;
    if (CONSTANTS.has(text)) {
      this.#at++;
      return { kind: 'literal', value: CONSTANTS.get(text)!, start, end };
    }
    this.name('a value');
    if (!this.locals.has(text)) {
      if (this.#peek('(')) return this.#call(text, start, end);
      this.checks.name(text, { start, end });
    }
    return { kind: 'name', name: text, start, end };
  }

  #call(name: string, start: number, nameEnd: number): Expr {
    const args = this.#arguments();
    this.checks.use('function', name, args, { start, end: nameEnd });
    return { kind: 'call', name, nameStart: start, arguments: args, start, end: this.#last().end };
  }

  /** Texts side by side are one, as in Python; `{{ }}` inside one makes a concatenation. */
  #string(): Expr {
    const { start } = this.token;
    const parts: Expr[] = [];
    let text = '';
    let end = start;
    while (this.token.type === 'string') {
      const token = this.next();
      end = token.end;
      for (const part of token.parts ?? [token.text]) {
        if (typeof part === 'string') text += part;
        else {
          if (text !== '') parts.push({ kind: 'literal', value: text, start: token.start, end: token.end });
          text = '';
          const inner = new Parser(part, this.checks.problems, this.locals);
          inner.#depth = this.#depth;
          parts.push(inner.whole());
        }
      }
    }
    if (parts.length === 0) return { kind: 'literal', value: text, start, end };
    if (text !== '') parts.push({ kind: 'literal', value: text, start, end });
    return { kind: 'concat', parts, start, end };
  }

  #parenthesis(): Expr {
    const { start } = this.next();
    if (this.take(')')) return { kind: 'list', tuple: true, items: [], start, end: this.#last().end };
    const first = this.expression();
    if (this.take(')')) {
      this.#extents.set(first, { start, end: this.#last().end });
      return first;
    }
    const items = [first];
    while (this.take(',')) {
      if (this.#peek(')')) break;
      items.push(this.expression());
    }
    this.expect(')', 'to close the parenthesis');
    return { kind: 'list', tuple: true, items, start, end: this.#last().end };
  }

  #list(): Expr {
    const { start } = this.next();
    const items: Expr[] = [];
    while (!this.take(']')) {
      if (items.length > 0) this.expect(',', 'or `]`');
      if (this.take(']')) break;
      items.push(this.expression());
    }
    return { kind: 'list', items, start, end: this.#last().end };
  }

  #map(): Expr {
    const { start } = this.next();
    const entries: { key: Expr; value: Expr }[] = [];
    while (!this.take('}')) {
      if (entries.length > 0) this.expect(',', 'or `}`');
      if (this.take('}')) break;
      const key = this.expression();
      this.expect(':', 'after the key');
      entries.push({ key, value: this.expression() });
    }
    return { kind: 'map', entries, start, end: this.#last().end };
  }

  #postfix(first: Expr): Expr {
    let expr = first;
    for (;;) {
      if (this.take('.')) expr = this.#attribute(expr);
      else if (this.#peek('[')) expr = this.#subscript(expr);
      else if (this.#peek('(')) throw this.unexpected('an operator or the end');
      else return expr;
    }
  }

  #attribute(object: Expr): Expr {
    const { type, text, start, end, number } = this.next();
    if (type === 'integer') return { kind: 'index', object, index: { kind: 'literal', value: number, start, end }, start: this.#from(object), end };
    if (type !== 'name') {
      this.#at--;
      throw this.unexpected('a name after the dot');
    }
    if (!this.#peek('(')) return { kind: 'attribute', object, name: text, nameStart: start, start: this.#from(object), end };
    const args = this.#arguments();
    this.checks.use('method', text, args, { start, end });
    return { kind: 'method', object, name: text, nameStart: start, arguments: args, start: this.#from(object), end: this.#last().end };
  }

  #subscript(object: Expr): Expr {
    this.next();
    const from = this.#peek(':') ? null : this.expression();
    if (!this.take(':')) {
      this.expect(']', 'to close the index');
      return { kind: 'index', object, index: from!, start: this.#from(object), end: this.#last().end };
    }
    const bound = (): Expr | null => (this.#peek(':') || this.#peek(']') ? null : this.expression());
    const to = bound();
    const step = this.take(':') ? bound() : null;
    this.expect(']', 'to close the slice');
    return { kind: 'slice', object, from, to, step, start: this.#from(object), end: this.#last().end };
  }

  #filters(first: Expr): Expr {
    let expr = first;
    for (;;) {
      if (this.take('|')) {
        const { name, nameStart, arguments: args } = this.filterCall();
        expr = { kind: 'filter', name, nameStart, input: expr, arguments: args, start: this.#from(expr), end: this.#last().end };
      } else if (this.take('is')) expr = this.#test(expr);
      else return expr;
    }
  }

  /** The name of a filter and its arguments, after the bar. */
  filterCall(): FilterCall {
    const { text: name, start, end } = this.name('the name of a filter');
    const args = this.#peek('(') ? this.#arguments() : [];
    this.checks.use('filter', name, args, { start, end });
    return { name, nameStart: start, arguments: args };
  }

  #test(input: Expr): Expr {
    const negated = this.take('not');
    const { text: name, start, end } = this.#peek('in') ? this.next() : this.name('the name of a test');
    const args = this.#testArguments();
    this.checks.use('test', name, args, { start, end });
    return { kind: 'test', name, nameStart: start, input, arguments: args, negated, start: this.#from(input), end: this.#last().end };
  }

  /** Arguments in parentheses, or one value without them: `is divisibleby 3`. */
  #testArguments(): Argument[] {
    if (this.#peek('(')) return this.#arguments();
    const { type, text } = this.token;
    const begins = type === 'string' || type === 'integer' || type === 'float' || text === '[' || text === '{' || (type === 'name' && !KEYWORDS.has(text));
    return begins ? [{ value: this.#postfix(this.primary()) }] : [];
  }

  #arguments(): Argument[] {
    const args: Argument[] = [];
    this.expect('(', 'before the arguments');
    while (!this.take(')')) {
      if (args.length > 0) this.expect(',', 'or `)`');
      if (this.take(')')) break;
      if (this.#peek('*') || this.#peek('**'))
        throw problem('`*` does not take a list apart here', this.token.start, this.token.end, ['write the arguments one by one']);
      if (this.token.type === 'name' && this.#peek('=', 1)) {
        const { text } = this.next();
        this.#at++;
        args.push({ name: text, value: this.expression() });
      } else {
        if (args.at(-1)?.name !== undefined) throw problem('an argument without a name cannot follow one with a name', this.token.start, this.token.end);
        args.push({ value: this.expression() });
      }
    }
    return args;
  }
}

/** Refuses a tree so tall that walking it could exhaust the stack. */
function checked(expr: Expr): Expr {
  if (heightOf(expr, TALLEST) > TALLEST) throw tooDeep(expr.start, expr.end);
  return expr;
}
