import { integerOf } from './numbers.ts';
import type { Run } from './run.ts';
import { characterAt } from './text.ts';
import { Group, isView, Loop, Namespace, Secret, Undefined, type Value } from './values.ts';

/** A member of a value, or undefined: own data only (C2). Lists and texts answer to places, which count from the end where negative. */
export function member(object: Value, key: string | number, run: Run): Value | undefined {
  if (typeof object === 'string') return typeof key === 'number' ? characterAt(object, key, run) : undefined;
  if (typeof object !== 'object' || object === null) return undefined;
  if (Array.isArray(object)) {
    if (typeof key === 'number') return object[key < 0 ? object.length + key : key];
    return object instanceof Group ? (key === 'grouper' ? object[0] : key === 'list' ? object[1] : undefined) : undefined;
  }
  if (isView(object)) return object.get(String(key));
  if (object instanceof Secret) throw run.secret();
  if (object instanceof Undefined) throw run.undefined(object);
  if (object instanceof Namespace) return object.fields.get(String(key));
  if (object instanceof Loop) return loopMember(object, String(key));
  return Object.hasOwn(object, key) ? (object as { [key: string]: Value })[key] : undefined;
}

/** The key of an index as `member` takes it: integers stay, other scalars become text. */
export function keyOf(index: Value): string | number | undefined {
  return typeof index === 'string' ? index : integerOf(index);
}

function loopMember(loop: Loop, name: string): Value | undefined {
  const { items, index, depth } = loop;
  switch (name) {
    case 'index': return index + 1;
    case 'index0': return index;
    case 'revindex': return items.length - index;
    case 'revindex0': return items.length - index - 1;
    case 'first': return index === 0;
    case 'last': return index === items.length - 1;
    case 'length': return items.length;
    case 'depth': return depth + 1;
    case 'depth0': return depth;
    case 'previtem': return items[index - 1];
    case 'nextitem': return items[index + 1];
    default: return undefined;
  }
}
