import { integerOf } from './numbers.ts';
import { suggest, type Run } from './run.ts';
import { characterAt } from './text.ts';
import { Group, isRecord, isView, kindOf, Loop, Namespace, Secret, Undefined, type Value } from './values.ts';

/** A member of a value, or undefined: own data only (C2). Lists and texts answer to places, which count from the end where negative. */
export function member(object: Value, key: string | number, run: Run): Value | undefined {
  if (typeof object === 'string') return typeof key === 'number' ? characterAt(object, key, run) : undefined;
  if (typeof object !== 'object' || object === null) return undefined;
  if (Array.isArray(object)) {
    if (typeof key === 'number') return object[key < 0 ? object.length + key : key];
    return object instanceof Group ? (key === 'grouper' ? object[0] : key === 'list' ? object[1] : undefined) : undefined;
  }
  if (isView(object)) return typeof key === 'number' ? member(object.whole(), key, run) : object.get(key);
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
    case 'index':
      return index + 1;
    case 'index0':
      return index;
    case 'revindex':
      return items.length - index;
    case 'revindex0':
      return items.length - index - 1;
    case 'first':
      return index === 0;
    case 'last':
      return index === items.length - 1;
    case 'length':
      return items.length;
    case 'depth':
      return depth + 1;
    case 'depth0':
      return depth;
    case 'previtem':
      return items[index - 1];
    case 'nextitem':
      return items[index + 1];
    default:
      return undefined;
  }
}

/** Says what is missing, and what is there instead. */
export function missingMember(object: Value, key: string | number): { message: string; help: string[] } {
  if (Array.isArray(object) || typeof object === 'string') {
    if (typeof key === 'number')
      return { message: `there is no member ${key}: the ${typeof object === 'string' ? 'text' : 'list'} has ${object.length}`, help: [] };
    return { message: `${kindOf(object)} has no attribute \`${key}\``, help: Array.isArray(object) ? [`of every member: x | map(attribute='${key}')`] : [] };
  }
  if (object === null || typeof object !== 'object') return { message: `${kindOf(object)} has no attribute \`${key}\``, help: [] };
  const keys = isView(object) ? object.keys() : isRecord(object) ? Object.keys(object) : object instanceof Namespace ? [...object.fields.keys()] : [];
  return { message: `there is no \`${key}\` in it`, help: suggest(String(key), keys, 'it has') };
}

/** Python's slicing. */
export function sliceOf<T>(items: readonly T[], from: number | null, to: number | null, step: number): T[] {
  const length = items.length;
  const clamp = (place: number | null, fallback: number): number => {
    if (place === null) return fallback;
    const at = place < 0 ? place + length : place;
    return step > 0 ? Math.min(Math.max(at, 0), length) : Math.min(Math.max(at, -1), length - 1);
  };
  if (step === 1) return items.slice(clamp(from, 0), clamp(to, length));
  const end = clamp(to, step > 0 ? length : -1);
  const out: T[] = [];
  for (let i = clamp(from, step > 0 ? 0 : length - 1); step > 0 ? i < end : i > end; i += step) out.push(items[i]!);
  return out;
}
