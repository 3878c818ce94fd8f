import { OrchestratorError } from '../../errors.ts';
import type { Expr, Template } from './ast.ts';
import type { ExpressionProblem } from './checks.ts';

const KEPT = 5000;

/**
 * What texts were parsed to, so that each is parsed once a process: a plan holds texts only. What the compiler has read is kept too (`keep`); places in it are
 * those of the file, which nothing that evaluates looks at.
 */
export class Kept<Tree extends Expr | Template> {
  readonly #trees = new Map<string, Tree>();
  readonly #parse: (text: string) => { tree: Tree | null; problems: ExpressionProblem[] };

  constructor(parse: (text: string) => { tree: Tree | null; problems: ExpressionProblem[] }) {
    this.#parse = parse;
  }

  /** Throws ORC-305 and its like for a text that no compiler has accepted. */
  of(text: string): Tree {
    const known = this.#trees.get(text);
    if (known !== undefined) return known;
    const { tree, problems } = this.#parse(text);
    if (tree === null || problems.length > 0)
      throw new OrchestratorError(problems[0]?.code ?? 'ORC-305', problems[0]?.message ?? `\`${text}\` cannot be read`, { class: 'template' });
    this.keep(text, tree);
    return tree;
  }

  keep(text: string, tree: Tree): void {
    if (this.#trees.size >= KEPT) this.#trees.clear();
    this.#trees.set(text, tree);
  }
}
