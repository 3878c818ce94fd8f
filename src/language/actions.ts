import { isScalar } from 'yaml';
import type { Fields } from './fields.ts';
import { scalarText } from './nodes.ts';
import type { Task } from './pipeline.ts';
import { nameAction } from './spellings.ts';

/** The action of a task or handler by its canonical name; undefined where it has none, or one that cannot be. */
export function readAction(fields: Fields, hasModel: boolean): Task['action'] {
  const tool = fields.word('tool', 'the name of a tool');
  const action = fields.word('action', 'the name of an action');
  const word = action ?? tool;
  if (word === undefined) return undefined;
  const { name, prose } = nameAction(tool?.text, action?.text, undefined, hasModel);
  const place = tool !== undefined && prose !== undefined ? tool : word;
  if (name.includes('{{') || name.includes('{%')) {
    fields.reporter.error('ORC-106', place.span, 'an action is a name, and this is a template', {
      path: place.path,
      help: ['write one task for each action, with a `condition` on each'],
    });
    return undefined;
  }
  return prose === undefined ? { name, span: word.span } : { name, span: place.span, prose };
}

/** Whether a task names a model, which makes a sentence in `action` a prompt. */
export function namesModel(fields: Fields): boolean {
  const node = fields.get('model')?.node;
  return node !== undefined && !(isScalar(node) && (node.value === null || scalarText(node) === 'none'));
}
