import type { JsonObject } from '../json.ts';
import type { Task } from '../language/pipeline.ts';
import type { BlockContext } from './site.ts';
import { ANYTHING, type Scope, type Shape, type TaskList } from './scope.ts';
import { closedObject, membersSchema } from './shapes.ts';

const COUNT: JsonObject = { type: 'integer' };
const FLAG: JsonObject = { type: 'boolean' };
const FOR_EACH: JsonObject = { index: COUNT, is_first: FLAG, is_last: FLAG, position: COUNT, length: COUNT, remaining: COUNT, has_next: FLAG, has_prev: FLAG };

/** The names that the body of a loop or group has over those around it; `item` is what is known of an element of the source. */
export function bodyScope({ compilation, unit }: BlockContext, outer: Scope, task: Task, item: Shape): Scope {
  if (task.kind === 'parallel') return outer;
  const names = new Map<string, Shape>();
  const bind = (name: string, shape: Shape): unknown => names.set(name, shape);
  if (task.kind === 'for_each') {
    bind('item', item);
    for (const [name, schema] of Object.entries(FOR_EACH)) bind(name, { schema: schema as JsonObject, closed: true });
    if (task.queue) bind('queue_size', { schema: COUNT, closed: true });
  } else {
    bind('iteration', { schema: COUNT, closed: true });
    bind('index', { schema: COUNT, closed: true });
    bind('is_first', { schema: FLAG, closed: true });
    bind('loop_state', ANYTHING);
    bind('previous', { schema: membersSchema(compilation, unit, task.tasks), closed: true });
  }
  if (task.loopName !== undefined) {
    const members: JsonObject = {};
    for (const [name, shape] of names) members[name] = shape.closed ? shape.schema : true;
    names.set(task.loopName, { schema: closedObject(members), closed: true });
  }
  return { kind: 'names', outer, names };
}

/** Where `while` and `until` stand: they see the body's tasks as the latest iteration left them, and nobody waits. */
export function conditionScope(outer: Scope, list: TaskList): Scope {
  return { kind: 'list', outer, list, task: null, ownRecord: true };
}
