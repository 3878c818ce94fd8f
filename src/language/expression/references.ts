import type { Argument, Expr, Statement, Template } from './ast.ts';
import { FUNCTIONS } from './functions.ts';
import { isDefinedTest } from './tests.ts';
import { childrenOf } from './walk.ts';

/** One use of a name from outside, with the constant steps that follow it: `search.results[0].url`. Offsets are in the text that was parsed. */
export interface Reference {
  name: string;
  path: (string | number)[];
  /** The whole constant chain. */
  start: number;
  end: number;
  /** Where the name itself ends. */
  nameEnd: number;
  /** The places of the members of `path`. */
  steps: { start: number; end: number }[];
  /** True where it may be missing: it stands under `default`, or where `is defined` was asked about it. */
  optional: boolean;
}

/** One call of a function; an argument that is not a constant text is null. */
interface Call {
  name: string;
  start: number;
  end: number;
  arguments: (string | null)[];
}

/** The names from outside that an expression or template uses, in the order of the text. A function that is not called is none: the parser reports it. */
export function references(node: Expr | Template): Reference[] {
  const walk = new Walk();
  if ('body' in node) walk.body(node.body, new Set());
  else walk.expression(node, new Set(), false);
  return walk.found.sort((a, b) => a.start - b.start || a.end - b.end);
}

/** The functions that an expression or template calls, in the order of the text. */
export function calls(node: Expr | Template): Call[] {
  const found: Call[] = [];
  const visit = (expr: Expr): void => {
    if (expr.kind === 'call') {
      const args = expr.arguments.map(({ value }) => (value.kind === 'literal' && typeof value.value === 'string' ? value.value : null));
      found.push({ name: expr.name, start: expr.start, end: expr.end, arguments: args });
    }
    childrenOf(expr).forEach(visit);
  };
  if ('body' in node) everyExpression(node.body, visit);
  else visit(node);
  return found.sort((a, b) => a.start - b.start);
}

function everyExpression(body: readonly Statement[], visit: (expr: Expr) => void): void {
  const filters = (all: readonly { arguments: Argument[] }[]): void => all.forEach(each => each.arguments.forEach(argument => visit(argument.value)));
  for (const node of body) {
    switch (node.kind) {
      case 'output':
        visit(node.expr);
        break;
      case 'if':
        for (const branch of node.branches) {
          if (branch.test !== null) visit(branch.test);
          everyExpression(branch.body, visit);
        }
        break;
      case 'for':
        visit(node.source);
        if (node.filter !== null) visit(node.filter);
        everyExpression(node.body, visit);
        everyExpression(node.otherwise, visit);
        break;
      case 'set':
        visit(node.value);
        break;
      case 'with':
        node.bindings.forEach(binding => visit(binding.value));
        everyExpression(node.body, visit);
        break;
      case 'set-block':
      case 'filter-block':
        filters(node.filters);
        everyExpression(node.body, visit);
        break;
      case 'text':
      case 'break':
      case 'continue':
    }
  }
}

/** Names that the template itself defines at some place. */
type Locals = Set<string>;

class Walk {
  readonly found: Reference[] = [];
  /** Chains that were asked about with `is defined` where the walk stands now. */
  #guards: string[][] = [];

  body(body: readonly Statement[], locals: Locals): void {
    for (const node of body) this.#statement(node, locals);
  }

  #statement(node: Statement, locals: Locals): void {
    switch (node.kind) {
      case 'output':
        return this.expression(node.expr, locals, false);
      case 'if':
        return this.#guarded(
          node.branches.flatMap(branch => branch.test ?? []),
          () => {
            for (const branch of node.branches) {
              if (branch.test !== null) this.expression(branch.test, locals, false);
              this.body(branch.body, locals);
            }
          },
        );
      case 'for': {
        this.expression(node.source, locals, false);
        const inner = new Set([...locals, ...node.targets, 'loop']);
        if (node.filter !== null) this.expression(node.filter, inner, false);
        this.body(node.body, inner);
        return this.body(node.otherwise, new Set(locals));
      }
      case 'set':
        this.expression(node.value, locals, false);
        if (node.attribute === null) for (const target of node.targets) locals.add(target);
        else if (!locals.has(node.targets[0]!))
          this.#add({ name: node.targets[0]!, path: [], start: node.start, end: node.end, nameEnd: node.end, steps: [], optional: false });
        return;
      case 'set-block':
        this.body(node.body, new Set(locals));
        this.#filters(node.filters, locals);
        locals.add(node.target);
        return;
      case 'with':
        for (const binding of node.bindings) this.expression(binding.value, locals, false);
        return this.body(node.body, new Set([...locals, ...node.bindings.map(binding => binding.name)]));
      case 'filter-block':
        this.#filters(node.filters, locals);
        return this.body(node.body, new Set(locals));
      case 'text':
      case 'break':
      case 'continue':
    }
  }

  #filters(filters: readonly { arguments: Argument[] }[], locals: Locals): void {
    for (const each of filters) for (const argument of each.arguments) this.expression(argument.value, locals, false);
  }

  expression(node: Expr, locals: Locals, optional: boolean): void {
    switch (node.kind) {
      case 'name':
      case 'attribute':
      case 'index':
        return this.#chain(node, locals, optional);
      case 'filter': {
        this.expression(node.input, locals, optional || node.name === 'default' || node.name === 'd');
        for (const argument of node.arguments) this.expression(argument.value, locals, false);
        return;
      }
      case 'test': {
        this.expression(node.input, locals, isDefinedTest(node.name));
        for (const argument of node.arguments) this.expression(argument.value, locals, false);
        return;
      }
      case 'conditional':
        this.expression(node.test, locals, false);
        return this.#guarded([node.test], () => {
          this.expression(node.then, locals, optional);
          if (node.otherwise !== null) this.expression(node.otherwise, locals, optional);
        });
      case 'binary':
        this.expression(node.left, locals, false);
        return this.#guarded(node.operator === 'and' || node.operator === 'or' ? [node.left] : [], () => this.expression(node.right, locals, false));
      case 'call': {
        const [loop, field] = node.arguments.map(argument => (argument.value.kind === 'literal' ? argument.value.value : undefined));
        if (node.name === 'loop_var' && typeof loop === 'string') {
          const place = { start: node.start, end: node.end };
          this.#add({ name: loop, path: [typeof field === 'string' ? field : 'item'], ...place, nameEnd: node.end, steps: [place], optional });
        }
        break;
      }
      default:
    }
    for (const child of childrenOf(node)) this.expression(child, locals, false);
  }

  /** A name with attributes and indexes behind it. Indexes that are computed end the constant part, and are walked themselves. */
  #chain(node: Expr, locals: Locals, optional: boolean): void {
    const links: Expr[] = [];
    let base = node;
    while (base.kind === 'attribute' || base.kind === 'index') {
      links.push(base);
      base = base.object;
    }
    for (const link of links) {
      if (link.kind === 'index') this.expression(link.index, locals, false);
    }
    if (base.kind !== 'name') return this.expression(base, locals, optional);
    if (locals.has(base.name) || FUNCTIONS.has(base.name)) return;
    const reference: Reference = { name: base.name, path: [], start: base.start, end: base.end, nameEnd: base.end, steps: [], optional };
    for (const link of links.reverse()) {
      const key = stepOf(link);
      if (key === undefined) break;
      reference.path.push(key.value);
      reference.steps.push({ start: key.start, end: key.end });
      reference.end = link.end;
    }
    this.#add(reference);
  }

  #add(reference: Reference): void {
    const chain = [reference.name, ...reference.path.map(String)];
    const asked = this.#guards.some(guard => guard.every((step, i) => chain[i] === step));
    this.found.push(asked ? { ...reference, optional: true } : reference);
  }

  /** Walks what runs only after tests were made: chains that they ask about with `is defined` may be missing there. */
  #guarded(tests: readonly Expr[], walk: () => void): void {
    const before = this.#guards.length;
    for (const test of tests) this.#collect(test);
    walk();
    this.#guards.length = before;
  }

  #collect(test: Expr): void {
    if (test.kind === 'test' && isDefinedTest(test.name)) {
      const asked = new Walk();
      asked.expression(test.input, new Set(), true);
      const [chain] = asked.found;
      if (chain !== undefined) this.#guards.push([chain.name, ...chain.path.map(String)]);
    }
    for (const child of childrenOf(test)) this.#collect(child);
  }
}

function stepOf(link: Expr): { value: string | number; start: number; end: number } | undefined {
  if (link.kind === 'attribute') return { value: link.name, start: link.nameStart, end: link.nameStart + link.name.length };
  if (link.kind !== 'index' || link.index.kind !== 'literal') return undefined;
  const { value, start, end, float } = link.index;
  return (typeof value === 'string' || typeof value === 'number') && float !== true ? { value, start, end } : undefined;
}
