import { isObject, type Json, type JsonObject, type JsonSchema } from '../json.ts';
import type { AutoTag } from '../language/pipeline.ts';
import { checkSchema, describeSchema } from '../schema.ts';
import { place, type Site } from './compilation.ts';
import type { PlanAuto, PlanValue } from './plan.ts';
import { wantsText } from './members.ts';

/** Whether a model may decide here; it may choose among values that the author names where it may not invent one. */
export function mayAsk(site: Site, tag: AutoTag, schema: JsonSchema): boolean {
  const closed = isObject(schema) && schema['x-auto'] === false;
  if (site.autos !== null && (!closed || tag.choices !== undefined)) return true;
  site.unit.reporter.error('ORC-304', tag.span, `a model may not decide \`${site.target}\``, {
    path: site.path,
    label: 'write a value here',
    help: closed ? ['with choices="a,b" a model may choose among values that you name'] : ['use the answer of a task: ask in one, and name its result here'],
  });
  return false;
}

/** Adds a tag to the numbered questions of its task. `inText`: it stands in a longer text, so its answer is text. */
export function addTag(site: Site, tag: AutoTag, question: PlanValue, schema: JsonSchema, inText: boolean): PlanValue {
  const autos = site.autos!;
  const answer = answerSchema(site, tag, inText ? true : schema);
  const auto: PlanAuto = { target: site.target, question, schema: answer, cache: tag.cache, at: place(site.unit, tag.span.start) };
  if (tag.hasDefault) auto.default = checkDefault(site, tag, answer);
  if (tag.model !== undefined) auto.model = tag.model;
  autos.push(auto);
  return { a: autos.length - 1, ...(!inText && wantsText(schema) ? { s: 1 as const } : {}) };
}

const TYPES: Readonly<Record<NonNullable<AutoTag['type']>, JsonObject>> = {
  string: { type: 'string' },
  integer: { type: 'integer' },
  number: { type: 'number' },
  boolean: { type: 'boolean' },
  list: { type: 'array' },
  choice: { type: 'string' },
  json: {},
};

/** What a valid answer is: by the tag's own type, else as the parameter wants it, else text; narrowed by the tag's bounds. */
function answerSchema(site: Site, tag: AutoTag, wanted: JsonSchema): JsonSchema {
  const declared = isObject(wanted) ? plainSchema(wanted) : {};
  if (tag.type === undefined) {
    const base = Object.keys(declared).length > 0 ? declared : guessType(tag);
    return { ...base, ...bounds(tag, base) };
  }
  const own = TYPES[tag.type];
  if (!mayFill(own['type'], declared['type'])) {
    site.unit.reporter.error('ORC-212', tag.span, `\`${site.target}\` must be ${describeSchema(wanted)}, and the answer would be ${describeSchema(own)}`, {
      path: site.path,
      help: ['leave out type=: the parameter says what it wants'],
    });
  }
  const base = own['type'] === declared['type'] ? declared : own;
  return { ...base, ...bounds(tag, base) };
}

/** A schema without what only the compiler and people read. */
function plainSchema(schema: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => !key.startsWith('x-') && key !== 'default' && key !== 'examples'));
}

function guessType(tag: AutoTag): JsonObject {
  if (tag.items !== undefined) return { type: 'array' };
  return tag.choices === undefined && (tag.min !== undefined || tag.max !== undefined) && tag.pattern === undefined ? { type: 'number' } : { type: 'string' };
}

/** Whether an answer of one type can stand where another is wanted; anything can be made text. */
function mayFill(own: Json | undefined, wanted: Json | undefined): boolean {
  if (own === undefined || wanted === undefined || wanted === 'string') return true;
  return [wanted].flat().some(type => type === own || (type === 'number' && own === 'integer'));
}

const LEAST: Readonly<Record<string, [least: string, most: string]>> = {
  integer: ['minimum', 'maximum'],
  number: ['minimum', 'maximum'],
  array: ['minItems', 'maxItems'],
  string: ['minLength', 'maxLength'],
};

function bounds(tag: AutoTag, base: JsonObject): JsonObject {
  const result: JsonObject = {};
  const [least, most] = LEAST[String(base['type'])] ?? ['minimum', 'maximum'];
  const { [least]: lower, [most]: upper } = base;
  if (tag.min !== undefined) result[least] = typeof lower === 'number' ? Math.max(lower, tag.min) : tag.min;
  if (tag.max !== undefined) result[most] = typeof upper === 'number' ? Math.min(upper, tag.max) : tag.max;
  if (tag.choices !== undefined) result['enum'] = tag.choices.map(choice => asType(choice, base['type']));
  if (tag.pattern !== undefined) result['pattern'] = tag.pattern;
  if (tag.items !== undefined) result['items'] = tag.items;
  return result;
}

/** What an attribute says, in the type that the answer has: attributes are always text. */
function asType(value: Json, type: Json | undefined): Json {
  if (typeof value !== 'string' || type === 'string') return typeof value === 'string' || type !== 'string' ? value : JSON.stringify(value);
  try {
    const parsed = JSON.parse(value) as Json;
    return type === undefined || checkSchema({ type }, parsed).length === 0 ? parsed : value;
  } catch {
    return value;
  }
}

function checkDefault(site: Site, tag: AutoTag, schema: JsonSchema): Json {
  const value = asType(tag.default ?? null, isObject(schema) ? schema['type'] : undefined);
  const [problem] = checkSchema(schema, value);
  if (problem !== undefined) {
    site.unit.reporter.error('ORC-303', tag.span, `the default of this tag ${problem.message}`, {
      path: site.path,
      label: `default is ${JSON.stringify(value)}`,
      help: ['it is taken where no answer fits, so it must fit itself'],
    });
  }
  return value;
}
