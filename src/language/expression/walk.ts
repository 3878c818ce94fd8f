import type { Expr } from './ast.ts';

/** The expressions right below one. */
export function childrenOf(node: Expr): Expr[] {
  switch (node.kind) {
    case 'literal':
    case 'name':
      return [];
    case 'attribute':
      return [node.object];
    case 'index':
      return [node.object, node.index];
    case 'slice':
      return [node.object, node.from, node.to, node.step].filter(each => each !== null);
    case 'list':
      return node.items;
    case 'map':
      return node.entries.flatMap(entry => [entry.key, entry.value]);
    case 'unary':
      return [node.operand];
    case 'binary':
      return [node.left, node.right];
    case 'compare':
      return [node.first, ...node.rest.map(each => each.operand)];
    case 'conditional':
      return [node.test, node.then, ...(node.otherwise === null ? [] : [node.otherwise])];
    case 'filter':
    case 'test':
      return [node.input, ...node.arguments.map(argument => argument.value)];
    case 'call':
      return node.arguments.map(argument => argument.value);
    case 'method':
      return [node.object, ...node.arguments.map(argument => argument.value)];
    case 'concat':
      return node.parts;
  }
}

/** How tall a tree is, counted no further than just above `limit`. Level by level, so that a tall tree costs no stack. */
export function heightOf(root: Expr, limit: number): number {
  let level = [root];
  let height = 0;
  while (level.length > 0 && height <= limit) {
    level = level.flatMap(childrenOf);
    height++;
  }
  return height;
}
