import type { Argument, Expr, Statement, Template } from './ast.ts';
import { Frame, Interpreter } from './interpreter.ts';
import { iterate } from './operators.ts';
import { toText } from './print.ts';
import { Loop, Namespace, Secret, type SecretMarker, type Value } from './values.ts';

type Flow = 'on' | 'break' | 'continue';

/** Runs the statements of a template. */
export class Renderer extends Interpreter {
  #loops = 0;
  #out = '';
  #written = 0;
  #segments: (string | SecretMarker)[] | null = null;

  /** Renders a template to text, and to handles where secrets stand. */
  render(template: Template, segments: boolean): (string | SecretMarker)[] {
    this.#segments = segments ? [] : null;
    this.frame = new Frame(null);
    this.#run(template.body);
    return [...(this.#segments ?? []), this.#out];
  }

  #run(body: readonly Statement[]): Flow {
    for (const statement of body) {
      const flow = this.#step(statement);
      if (flow !== 'on') return flow;
    }
    return 'on';
  }

  #step(node: Statement): Flow {
    switch (node.kind) {
      case 'text':
        this.at = node;
        this.#emit(node.text);
        return 'on';
      case 'output':
        this.#output(node.expr);
        return 'on';
      case 'if':
        return this.#run(node.branches.find(branch => branch.test === null || this.truth(branch.test))?.body ?? []);
      case 'for':
        return this.#for(node);
      case 'set':
        this.#set(node);
        return 'on';
      case 'set-block': {
        const [text, flow] = this.#capture(node.body);
        this.frame!.names.set(node.target, this.#filtered(text, node.filters, node));
        return flow;
      }
      case 'with': {
        const values = node.bindings.map(binding => [binding.name, this.value(binding.value)] as const);
        return this.#scoped(() => {
          for (const [name, value] of values) this.frame!.names.set(name, value);
          return this.#run(node.body);
        });
      }
      case 'filter-block': {
        const [text, flow] = this.#capture(node.body);
        const value = this.#filtered(text, node.filters, node);
        this.#emit(toText(value, this));
        return flow;
      }
      case 'break':
      case 'continue':
        return node.kind;
    }
  }

  #emit(text: string): void {
    this.#written += text.length;
    this.limit(this.#written);
    this.#out += text;
  }

  #output(expr: Expr): void {
    const value = this.evaluate(expr);
    this.at = expr;
    if (typeof value === 'string') return this.#emit(value);
    if (!(value instanceof Secret)) return this.#emit(toText(value, this));
    if (this.#segments === null) throw this.secret();
    this.#segments.push(this.#out, value as unknown as SecretMarker);
    this.#out = '';
  }

  /** Runs a body with an output of its own and gives that back. A secret must not get into it. */
  #capture(body: readonly Statement[]): [string, Flow] {
    const [out, written, segments] = [this.#out, this.#written, this.#segments];
    this.#out = '';
    this.#segments = null;
    const flow = this.#scoped(() => this.#run(body));
    const text = this.#out;
    [this.#out, this.#written, this.#segments] = [out, written, segments];
    return [text, flow];
  }

  #scoped(run: () => Flow): Flow {
    const outer = this.frame;
    this.frame = new Frame(outer);
    const result = run();
    this.frame = outer;
    return result;
  }

  #filtered(text: string, filters: readonly { name: string; arguments: Argument[] }[], node: { start: number; end: number }): Value {
    let value: Value = text;
    for (const each of filters) value = this.applyFilter(each, value, node);
    return value;
  }

  #set(node: Statement & { kind: 'set' }): void {
    const value = this.value(node.value);
    const name = node.targets[0]!;
    if (node.attribute === null) return this.#bind(node.targets, value, node.value, this.frame!);
    const target = this.lookup(name);
    this.at = node;
    if (!(target instanceof Namespace)) throw this.fail(`\`${name}\` is not a namespace, so its parts cannot be set`, [`{% set ${name} = namespace() %}`]);
    target.fields.set(node.attribute, value);
  }

  #bind(targets: readonly string[], value: Value, node: Expr, frame: Frame): void {
    if (targets.length === 1) {
      frame.names.set(targets[0]!, value);
      return;
    }
    this.at = node;
    if (typeof value === 'string') throw this.fail(`a text cannot be taken apart into ${targets.join(', ')}`, ['the pairs of a map are: map.items()']);
    const parts = iterate(value, this);
    if (parts.length !== targets.length) throw this.fail(`${targets.length} names (${targets.join(', ')}) cannot take ${parts.length} values`);
    for (const [i, target] of targets.entries()) frame.names.set(target, parts[i]!);
  }

  #for(node: Statement & { kind: 'for' }): Flow {
    const outer = this.frame;
    const source = this.operand(node.source);
    const frame = (this.frame = new Frame(outer));
    let items = iterate(source, this);
    if (node.filter !== null) {
      const test = node.filter;
      items = items.filter(item => {
        this.#bind(node.targets, item, node.source, frame);
        return this.truth(test);
      });
    }
    const loop = new Loop(items, this.#loops++);
    for (let i = 0; i < items.length; i++) {
      loop.index = i;
      frame.names.clear();
      frame.names.set('loop', loop);
      this.at = node;
      this.charge(1);
      this.#bind(node.targets, items[i]!, node.source, frame);
      if (this.#run(node.body) === 'break') break;
    }
    this.#loops--;
    frame.names.clear();
    const flow = items.length === 0 ? this.#run(node.otherwise) : 'on';
    this.frame = outer;
    return flow;
  }
}
