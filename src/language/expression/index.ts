/** Expressions and templates: a Jinja2 subset of our own. Parsing finds all problems at once; evaluating is a walk of the tree over plain data. */
import type { Json } from '../../json.ts';
import type { Expr, Template } from './ast.ts';
import type { ExpressionProblem } from './checks.ts';
import { FILTERS as FILTER_TABLE } from './filters.ts';
import { FUNCTIONS as FUNCTION_TABLE } from './functions.ts';
import { Interpreter } from './interpreter.ts';
import { Kept } from './kept.ts';
import { Lexer } from './lexer.ts';
import { METHODS as METHOD_TABLE } from './methods.ts';
import { Parser } from './parser.ts';
import { toJson, wholeJson } from './print.ts';
import { Renderer } from './renderer.ts';
import type { Described } from './signature.ts';
import { TemplateParser } from './statements.ts';
import { TESTS as TEST_TABLE } from './tests.ts';
import { ExpressionError, type EvalContext, type SecretMarker } from './values.ts';

export type { Expr, Template } from './ast.ts';
export type { ExpressionProblem } from './checks.ts';
export { calls, references, type Reference } from './references.ts';
export { matchesPattern } from './regex.ts';
export {
  ExpressionError,
  isSecretMarker,
  makeSecretMarker,
  scopeOf,
  SECRET_KEY,
  VIEW,
  type EvalContext,
  type Fuel,
  type Host,
  type Scope,
  type SecretMarker,
  type Value,
  type View,
} from './values.ts';

/** A filter, test, function or method, for documentation and completion. */
export interface Operation {
  name: string;
  /** `indent(width=4, first=false, blank=false)` */
  signature: string;
  summary: string;
  /** A template, and what it renders to. */
  example: string;
  result: string;
}

export const FILTERS: readonly Operation[] = described(FILTER_TABLE);
export const TESTS: readonly Operation[] = described(TEST_TABLE);
export const FUNCTIONS: readonly Operation[] = described(FUNCTION_TABLE);
/** Names that an expression calls; no id of a pipeline may be one. */
export const FUNCTION_NAMES: ReadonlySet<string> = new Set(FUNCTION_TABLE.keys());
export const METHODS: readonly Operation[] = described(METHOD_TABLE);

function described(table: ReadonlyMap<string, Described>): Operation[] {
  return Array.from(table.values(), ({ name, signature, summary, example, result }) => ({ name, signature: signature.text, summary, example, result }));
}

const NO_LOCALS: ReadonlySet<string> = new Set();

/**
 * Reads an expression: braces around it are optional, `{{ e }}` inside it is a part of it, and inside quotes is joined to the text.
 * `expr` is null where the text cannot be read at all; problems such as an unknown filter leave the tree whole. `units` reads `1GB`, `5m`, `5%`.
 */
export function parseExpression(text: string, options: { units?: boolean } = {}): { expr: Expr | null; problems: ExpressionProblem[] } {
  const problems: ExpressionProblem[] = [];
  try {
    const tokens = new Lexer(text, { braces: true, units: options.units ?? false }).tokens(0, '');
    const expr = new Parser(tokens, problems, NO_LOCALS).whole();
    return { expr, problems };
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    const { code, message, start, end, help } = error;
    return { expr: null, problems: [...problems, { code, message, start, end, help }] };
  }
}

/** Reads text with `{{ }}`, `{% %}` and `{# #}` in it. `template` is null where a part of it cannot be read. */
export function parseTemplate(text: string): { template: Template | null; problems: ExpressionProblem[] } {
  return new TemplateParser(text).parse();
}

/** Expressions and templates of plans, parsed once a process. */
export const EXPRESSIONS = new Kept<Expr>(text => {
  const { expr: tree, problems } = parseExpression(text);
  return { tree, problems };
});
export const TEMPLATES = new Kept<Template>(text => {
  const { template: tree, problems } = parseTemplate(text);
  return { tree, problems };
});

/** The expression of a template that is one `{{ e }}` with nothing but white space around it; such a value keeps its type. */
export function loneExpression(template: Template): Expr | null {
  const outputs = template.body.filter(statement => statement.kind !== 'text' || statement.text.trim() !== '');
  return outputs.length === 1 && outputs[0]!.kind === 'output' ? outputs[0]!.expr : null;
}

/** The value of an expression as plain JSON; a secret is its marker. */
export function evaluate(expr: Expr, context: EvalContext): Json {
  const run = new Interpreter(context);
  const value = run.result(expr);
  return isPath(expr) ? wholeJson(value, run) : toJson(value, run);
}

/** A name with attributes and indexes: it gives what the scope holds, which need not be walked. */
function isPath(expr: Expr): boolean {
  let node = expr;
  while (node.kind === 'attribute' || node.kind === 'index') node = node.object;
  return node.kind === 'name';
}

/** Whether an expression is true, as Python sees it. What cannot be evaluated throws; the caller fails closed. */
export function evaluateCondition(expr: Expr, context: EvalContext): boolean {
  return new Interpreter(context).truth(expr);
}

/** Renders a template to text. A secret in it is an error. */
export function render(template: Template, context: EvalContext): string {
  return new Renderer(context).render(template, false)[0] as string;
}

/** Renders a template to texts and secret markers in turn; empty texts are left out. */
export function renderSegments(template: Template, context: EvalContext): (string | SecretMarker)[] {
  return new Renderer(context).render(template, true).filter(segment => segment !== '');
}
