/** Expressions and templates as trees. `start` and `end` are offsets in the text that was parsed, half open. */
interface Node {
  readonly start: number;
  readonly end: number;
}

export type Expr =
  | (Node & { kind: 'literal'; value: null | boolean | string | number; float?: boolean })
  | (Node & { kind: 'name'; name: string })
  | (Node & { kind: 'attribute'; object: Expr; name: string; nameStart: number })
  | (Node & { kind: 'index'; object: Expr; index: Expr })
  | (Node & { kind: 'slice'; object: Expr; from: Expr | null; to: Expr | null; step: Expr | null })
  | (Node & { kind: 'list'; items: Expr[]; tuple?: boolean })
  | (Node & { kind: 'map'; entries: { key: Expr; value: Expr }[] })
  | (Node & { kind: 'unary'; operator: '-' | '+' | 'not'; operand: Expr })
  | (Node & { kind: 'binary'; operator: BinaryOperator; left: Expr; right: Expr })
  | (Node & { kind: 'compare'; first: Expr; rest: { operator: CompareOperator; operand: Expr }[] })
  | (Node & { kind: 'conditional'; test: Expr; then: Expr; otherwise: Expr | null })
  | (Node & { kind: 'filter'; name: string; nameStart: number; input: Expr; arguments: Argument[] })
  | (Node & { kind: 'test'; name: string; nameStart: number; input: Expr; arguments: Argument[]; negated: boolean })
  | (Node & { kind: 'call'; name: string; nameStart: number; arguments: Argument[] })
  | (Node & { kind: 'method'; object: Expr; name: string; nameStart: number; arguments: Argument[] })
  /** `{{ e }}` inside an expression (LANGUAGE.md, Conditions); inside quotes the parts are joined as text. */
  | (Node & { kind: 'concat'; parts: Expr[] });

export type BinaryOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**' | '~' | 'and' | 'or';
export type CompareOperator = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in';
export interface Argument {
  name?: string;
  value: Expr;
}
/** A filter of `{% filter … %}` or `{% set x | … %}`, whose input is the body. */
export interface FilterCall {
  name: string;
  nameStart: number;
  arguments: Argument[];
}

export interface Template extends Node {
  body: Statement[];
}

export type Statement =
  | (Node & { kind: 'text'; text: string })
  | (Node & { kind: 'output'; expr: Expr })
  | (Node & { kind: 'if'; branches: { test: Expr | null; body: Statement[] }[] })
  | (Node & { kind: 'for'; targets: string[]; source: Expr; filter: Expr | null; body: Statement[]; otherwise: Statement[] })
  | (Node & { kind: 'set'; targets: string[]; attribute: string | null; value: Expr })
  | (Node & { kind: 'set-block'; target: string; filters: FilterCall[]; body: Statement[] })
  | (Node & { kind: 'with'; bindings: { name: string; value: Expr }[]; body: Statement[] })
  | (Node & { kind: 'filter-block'; filters: FilterCall[]; body: Statement[] })
  | (Node & { kind: 'break' })
  | (Node & { kind: 'continue' });
