import { posix } from 'node:path';
import { parseSync, Visitor, type CallExpression, type NewExpression } from 'oxc-parser';

/** What the rules need to know of a file. */
export interface SourceFile {
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  readonly functions: readonly { line: number; lines: number }[];
  /** What a pure file may not use, by the name of its licence. */
  readonly impure: readonly Mark[];
  readonly evals: readonly Mark[];
  readonly anys: readonly Mark[];
  readonly defaultExport: boolean;
  readonly isTest: boolean;
}

export interface Import {
  /** A path from the root of the repository, or the name of a package. */
  readonly target: string;
  readonly isPackage: boolean;
  readonly typeOnly: boolean;
  readonly line: number;
}

export interface Mark {
  readonly what: string;
  readonly line: number;
}

const IMPURE_NAMES = new Set('Promise setTimeout setInterval setImmediate queueMicrotask performance process fetch crypto globalThis systemClock'.split(' '));
const IMPURE_MEMBERS = new Set(['Date.now', 'Math.random']);
const EVAL_NAMES = new Set(['eval', 'Function']);

/** Reads one file of TypeScript. Throws where it cannot be parsed. */
export function readSource(path: string, text: string): SourceFile {
  const { program, module, errors } = parseSync(path, text);
  if (errors.length > 0) throw new SyntaxError(`${path}: ${errors[0]?.message}`);
  const lineOf = lineFinder(text);
  const imports = importsOf(path, module, lineOf, text);
  const functions: { line: number; lines: number }[] = [];
  const impure: Mark[] = [];
  const evals: Mark[] = [];
  const anys: Mark[] = [];

  const measure = (node: { start: number; end: number; async?: boolean }): void => {
    functions.push({ line: lineOf(node.start), lines: lineOf(node.end) - lineOf(node.start) + 1 });
    if (node.async === true) impure.push({ what: 'async', line: lineOf(node.start) });
  };
  const callee = (node: CallExpression | NewExpression): void => {
    if (node.callee.type !== 'Identifier') return;
    const { name } = node.callee;
    if (EVAL_NAMES.has(name)) evals.push({ what: name, line: lineOf(node.start) });
    if (name === 'Date' && node.arguments.length === 0) impure.push({ what: 'Date.now', line: lineOf(node.start) });
  };
  new Visitor({
    FunctionDeclaration: measure,
    FunctionExpression: measure,
    ArrowFunctionExpression: measure,
    AwaitExpression: node => void impure.push({ what: 'await', line: lineOf(node.start) }),
    ImportExpression: node => void impure.push({ what: 'import()', line: lineOf(node.start) }),
    CallExpression: callee,
    NewExpression: callee,
    MemberExpression: node => {
      if (node.object.type !== 'Identifier' || node.property.type !== 'Identifier') return;
      const what = `${node.object.name}.${node.property.name}`;
      if (!node.computed && IMPURE_MEMBERS.has(what)) impure.push({ what, line: lineOf(node.start) });
    },
    TSAnyKeyword: node => void anys.push({ what: 'any', line: lineOf(node.start) }),
  }).visit(program);
  for (const { name, start } of namesIn(program)) if (IMPURE_NAMES.has(name)) impure.push({ what: name, line: lineOf(start) });
  for (const { target, line } of imports) if (target === 'node:vm') evals.push({ what: target, line });

  return {
    path,
    lines: text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
    imports,
    functions,
    impure,
    evals,
    anys,
    defaultExport: module.staticExports.some(group => group.entries.some(entry => entry.exportName.kind === 'Default')),
    isTest: path.endsWith('.test.ts') || !path.startsWith('src/') || imports.some(({ target }) => target === 'vitest'),
  };
}

function importsOf(path: string, module: ReturnType<typeof parseSync>['module'], lineOf: (offset: number) => number, text: string): Import[] {
  const found: Import[] = [];
  const add = (specifier: string, typeOnly: boolean, offset: number): void => {
    const isPackage = !specifier.startsWith('.');
    found.push({ target: isPackage ? packageOf(specifier) : posix.join(posix.dirname(path), specifier), isPackage, typeOnly, line: lineOf(offset) });
  };
  for (const { moduleRequest, entries, start } of module.staticImports)
    add(moduleRequest.value, entries.length > 0 && entries.every(entry => entry.isType), start);
  for (const group of module.staticExports) {
    const from = group.entries.filter(entry => entry.moduleRequest !== null);
    const first = from[0]?.moduleRequest;
    if (first)
      add(
        first.value,
        from.every(entry => entry.isType),
        group.start,
      );
  }
  for (const { moduleRequest, start } of module.dynamicImports) {
    const written = /^(['"])(.*)\1$/.exec(text.slice(moduleRequest.start, moduleRequest.end));
    if (written?.[2] !== undefined) add(written[2], false, start);
  }
  return found;
}

/** `@scope/name/part` is the package `@scope/name`; what is built in keeps its whole name. */
function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Every identifier that stands for a variable or a type, not the key of an object or a member behind a dot. */
function* namesIn(node: unknown): Generator<{ name: string; start: number }> {
  if (Array.isArray(node)) {
    for (const item of node) yield* namesIn(item);
  } else if (typeof node === 'object' && node !== null) {
    const { type, name, start, computed } = node as { type?: string; name?: unknown; start?: number; computed?: boolean };
    if (type === 'Identifier' && typeof name === 'string') yield { name, start: start ?? 0 };
    for (const [inner, value] of Object.entries(node)) {
      if (computed === false && (inner === 'property' || inner === 'key')) continue;
      yield* namesIn(value);
    }
  }
}

function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return offset => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}
