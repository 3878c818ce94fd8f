import { isObject, own, setOwn, type Json, type JsonObject, type JsonSchema } from '../json.ts';
import type { Task, Value } from '../language/pipeline.ts';
import type { Compilation, Unit } from './compilation.ts';
import { ANYTHING, type Shape } from './scope.ts';
import type { ActionSpec } from '../tools/port.ts';
import { openSubPipeline } from './files.ts';
import { memberSchema } from './members.ts';

export type Step = string | number;

/** A step that a value of some shape cannot take: which one, and what there is instead. */
interface Missing {
  index: number;
  /** The members that the value has at that point; empty where it is no object. */
  known: string[];
  /** What the value is where it is no object: `text`, `a number`. */
  kind?: string;
}

const SCALARS: Readonly<Record<string, string>> = { string: 'text', number: 'a number', integer: 'a number', boolean: 'true or false' };
const COMBINED = ['$ref', 'allOf', 'not', 'if', 'patternProperties'];

/** The first step of a path that a value of this shape cannot take; undefined where all may be there. */
export function findMissing(shape: Shape, path: readonly Step[], index = 0): Missing | undefined {
  const { schema, closed } = shape;
  if (index >= path.length || !isObject(schema) || COMBINED.some(keyword => keyword in schema)) return undefined;
  const alternatives = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(alternatives)) return inAll(alternatives.map(part => findMissing({ schema: part as JsonSchema, closed }, path, index)));
  const { type } = schema;
  const types = Array.isArray(type) ? type.filter(name => name !== 'null') : typeof type === 'string' ? [type] : ['properties' in schema ? 'object' : 'any'];
  return inAll(types.map(name => missingIn(String(name), closed, schema, path, index)));
}

/** Missing only where each alternative says so; the one that goes deepest explains it best. */
function inAll(outcomes: (Missing | undefined)[]): Missing | undefined {
  let deepest: Missing | undefined;
  for (const outcome of outcomes) {
    if (outcome === undefined) return undefined;
    if (deepest === undefined || outcome.index > deepest.index || outcome.known.length > deepest.known.length) deepest = outcome;
  }
  return deepest;
}

function missingIn(type: string, closed: boolean, schema: JsonObject, path: readonly Step[], index: number): Missing | undefined {
  const step = path[index]!;
  const next = memberShape(schema, type, closed, step);
  if (next !== undefined) return findMissing(next, path, index + 1);
  const properties = schema['properties'];
  if (type === 'object') return { index, known: isObject(properties) ? Object.keys(properties) : [] };
  return { index, known: [], kind: SCALARS[type] ?? 'a list' };
}

/** What stands at one step of a value, taken as one of the types of its schema; undefined where nothing can. */
function memberShape(schema: JsonObject, type: string, closed: boolean, step: Step): Shape | undefined {
  const { properties, additionalProperties: rest, items } = schema;
  if (type === 'object') {
    const member = isObject(properties) ? own(properties, String(step)) : undefined;
    if (member !== undefined) return { schema: member as JsonSchema, closed };
    if (rest === false || (rest === undefined && closed && isObject(properties))) return undefined;
    return rest === undefined ? ANYTHING : { schema: rest as JsonSchema, closed };
  }
  const number = typeof step === 'number' || /^-?\d+$/.test(step);
  if (type === 'array') return !number ? undefined : items === undefined ? ANYTHING : { schema: items as JsonSchema, closed };
  if (type === 'string' && number) return { schema: { type: 'string' }, closed };
  return type in SCALARS ? undefined : ANYTHING;
}

/** What is known of the value at the end of a path. */
export function shapeAt(shape: Shape, path: readonly Step[]): Shape {
  let here = shape;
  for (const step of path) {
    const { schema, closed } = here;
    if (!isObject(schema) || typeof schema['type'] !== 'string' || COMBINED.some(keyword => keyword in schema)) return ANYTHING;
    here = memberShape(schema, schema['type'], closed, step) ?? ANYTHING;
  }
  return here;
}

/** What `item` is in a loop over a value of this shape: an element of a list, or `{key, value}` of an object. */
export function itemShape({ schema, closed }: Shape): Shape {
  if (!isObject(schema)) return ANYTHING;
  if (schema['type'] === 'array') return schema['items'] === undefined ? ANYTHING : { schema: schema['items'] as JsonSchema, closed };
  if (schema['type'] !== 'object') return ANYTHING;
  return { schema: closedObject({ key: { type: 'string' }, value: true }), closed: true };
}

export function closedObject(properties: JsonObject): JsonObject {
  return { type: 'object', properties, additionalProperties: false };
}

/** What the result of a task is, as far as its action, its body or its `outputs:` tell. */
export function resultSchema(compilation: Compilation, unit: Unit, task: Task): JsonSchema {
  let schema = compilation.results.get(task);
  if (schema === undefined) {
    schema = withOutputs(findResult(compilation, unit, task), task.outputs);
    compilation.results.set(task, schema);
  }
  return schema;
}

function findResult(compilation: Compilation, unit: Unit, task: Task): JsonSchema {
  // A handler may put its own value in place of the result, and nobody knows which.
  if (task.onError.some(handler => !handler.retry)) return true;
  if (task.kind === 'parallel') return membersSchema(compilation, unit, task.tasks);
  if (task.kind !== 'action') {
    const items: JsonObject = { type: 'array', items: membersSchema(compilation, unit, task.tasks) };
    return closedObject({ items, count: { type: 'integer' }, ...(task.kind === 'while' ? { exhausted: { type: 'boolean' } } : {}) });
  }
  const spec = task.action && compilation.catalog.get(task.action.name);
  if (spec === undefined) return true;
  if (spec.engine !== 'pipeline') return givenSchema(spec, task) ?? spec.result;
  const sub = openSubPipeline(compilation, unit, task);
  if (!('unit' in sub)) return true;
  const outputs: JsonObject = {};
  for (const { name } of sub.unit.pipeline.outputs) setOwn(outputs, name, true);
  return closedObject(outputs);
}

/** The results of the tasks of one list, by id. */
export function membersSchema(compilation: Compilation, unit: Unit, tasks: readonly Task[]): JsonSchema {
  const properties: JsonObject = {};
  for (const task of tasks) setOwn(properties, task.id, resultSchema(compilation, unit, task));
  return closedObject(properties);
}

/** The schema that the task gives for its own result, where the action leaves that open and has a parameter for it (`x-schema`). */
function givenSchema({ parameters, result }: ActionSpec, task: Task): JsonSchema | undefined {
  if (isObject(result) && ('type' in result || 'properties' in result)) return undefined;
  const given = task.parameters.entries.find(({ key }) => {
    const schema = memberSchema(parameters, key);
    return isObject(schema) && schema['x-schema'] === true;
  });
  const schema = given && literalOf(given.value);
  return isObject(schema) ? schema : undefined;
}

/** The plain data that a value is, or undefined where any part of it is computed. */
function literalOf(value: Value): Json | undefined {
  if (value.kind === 'literal') return value.value;
  if (value.kind === 'list') {
    const items = value.items.map(literalOf);
    return items.includes(undefined) ? undefined : (items as Json[]);
  }
  if (value.kind !== 'map') return undefined;
  const object: JsonObject = {};
  for (const { key, value: member } of value.entries) {
    const plain = literalOf(member);
    if (plain === undefined) return undefined;
    setOwn(object, key, plain);
  }
  return object;
}

/** The result with the fields that the task declares beside it; any other result than an object is then taken to be one. */
function withOutputs(result: JsonSchema, outputs: JsonObject | undefined): JsonSchema {
  if (outputs === undefined) return result;
  const properties = isObject(result) && isObject(result['properties']) ? result['properties'] : {};
  return closedObject({ ...properties, ...outputs });
}
