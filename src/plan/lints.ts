import { at, type Path } from '../language/index.ts';
import type { Task } from '../language/pipeline.ts';
import type { Unit } from './compilation.ts';
import { capped } from './references.ts';

/** What is legal in a task and surely not what was meant. */
export function checkTask({ reporter }: Unit, task: Task, path: Path): void {
  const { condition, onFalse, onError } = task;
  if (condition?.kind === 'expression' && condition.expr.kind === 'literal' && !condition.expr.value) {
    reporter.warn('ORC-209', condition.span, `\`${task.id}\` never runs: its condition is always false`, {
      path: at(path, 'condition'),
      label: 'always false',
    });
  }
  if (onFalse !== undefined && condition === undefined) {
    reporter.warn('ORC-204', onFalse.span, `\`on_false\` of \`${task.id}\` is never taken, because it has no condition`, {
      path: at(path, 'on_false'),
      label: 'no condition is false',
      help: ['add a condition, or remove on_false'],
    });
  }
  // An action may fail, and a retry may fail again: then the next handler is tried. Only a value is always there.
  const first = onError.findIndex(
    ({ run, fallback, match }) => run.kind === 'value' && fallback !== undefined && match.codes.length + match.classes.length + match.patterns.length === 0,
  );
  if (first < 0) return;
  for (const [index, handler] of onError.entries()) {
    if (index <= first) continue;
    reporter.warn('ORC-209', handler.span, `this handler of \`${task.id}\` is never tried after one that takes every error`, {
      path: at(at(path, 'on_error'), index),
      label: 'never tried',
      related: [{ message: 'takes every error', span: onError[first]!.span }],
      help: ['put it first, or give that one a `match`'],
    });
  }
}

/** What is legal in a pipeline and probably an oversight. Runs when all its texts were looked at. */
export function checkPipeline({ reporter, pipeline, usedInputs }: Unit): void {
  for (const { name, span } of pipeline.inputs) {
    if (usedInputs.has(name)) continue;
    reporter.info('ORC-120', span, `the input \`${name}\` is never used`, {
      path: at(at(at(undefined, 'pipeline'), 'inputs'), name),
      label: 'never used',
      notes: usedInputs.size === 0 ? [] : [`used: ${capped([...usedInputs])}`],
    });
  }
}
