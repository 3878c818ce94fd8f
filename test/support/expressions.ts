import { expect } from 'vitest';
import type { Json } from '../../src/json.ts';
import {
  evaluate,
  ExpressionError,
  parseExpression,
  parseTemplate,
  render,
  VIEW,
  type EvalContext,
  type Fuel,
  type Value,
  type View,
} from '../../src/language/expression/index.ts';

export const host = { now: () => Date.UTC(2026, 0, 2, 3, 4, 5), fileExists: (path: string) => path === 'here', file: (path: string) => `<${path}>` };

export function context(data: { [key: string]: Value } = {}, fuel?: Partial<Fuel>): EvalContext {
  const scope = { lookup: (name: string) => (Object.hasOwn(data, name) ? data[name] : undefined), names: () => Object.keys(data) };
  return fuel === undefined ? { scope, host } : { scope, host, fuel };
}

export function value(text: string, data: { [key: string]: Value } = {}, fuel?: Partial<Fuel>): Json {
  const { expr, problems } = parseExpression(text);
  expect(problems).toEqual([]);
  return evaluate(expr!, context(data, fuel));
}

export function text(source: string, data: { [key: string]: Value } = {}, fuel?: Partial<Fuel>): string {
  const { template, problems } = parseTemplate(source);
  expect(problems).toEqual([]);
  return render(template!, context(data, fuel));
}

/** The code and the part of the text that an error is about. */
export function failure(
  source: string,
  data: { [key: string]: Value } = {},
  fuel?: Partial<Fuel>,
): { code: string; at: string; message: string; help: string[] } {
  const isTemplate = source.includes('{%') || source.includes('{{');
  try {
    const parsed = isTemplate ? parseTemplate(source).template! : parseExpression(source).expr!;
    if (isTemplate) render(parsed as never, context(data, fuel));
    else evaluate(parsed as never, context(data, fuel));
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return { code: error.code, at: source.slice(error.start, error.end), message: error.message, help: error.help };
  }
  throw new Error(`no error: ${source}`);
}

export const codeAt = (source: string, data: { [key: string]: Value } = {}, fuel?: Partial<Fuel>): [string, string] => {
  const { code, at } = failure(source, data, fuel);
  return [code, at];
};

export function view(fields: { [key: string]: Value }, asked: string[] = []): View {
  return {
    [VIEW]: true,
    get: key => {
      asked.push(key);
      return Object.hasOwn(fields, key) ? fields[key] : undefined;
    },
    keys: () => Object.keys(fields),
    whole: () => {
      asked.push('*');
      return fields;
    },
  };
}
