import { fence, FENCE_RULE } from '../fence.ts';
import { isObject, type Json, type JsonObject, type JsonSchema } from '../json.ts';
import type { ModelRequest } from './port.ts';

/** The attributes of an AUTO tag that say what its answer may be. */
export interface AutoShape {
  type: 'string' | 'integer' | 'number' | 'boolean' | 'list' | 'choice' | 'json' | undefined;
  min: number | undefined;
  max: number | undefined;
  choices: string[] | undefined;
  pattern: string | undefined;
  items: JsonSchema | undefined;
}

/** What a model is told beside the question: nothing but this. */
export interface AutoContext {
  /** The question, rendered. */
  question: string;
  task: { id: string; description?: string };
  action?: { name: string; summary?: string };
  parameter?: { name: string; description?: string };
  /** The inputs and results that the question refers to, by the name that it uses. */
  data: { [name: string]: Json };
  /** Schema of the parameter that the tag fills, complete in itself. */
  parameterSchema?: JsonSchema;
}

/** Characters of one piece of data that a model is shown; more would only fill its context. */
const DATA_MAX_CHARACTERS = 20_000;

/** The request for an AUTO tag, and the schema that its answer must fit; both are for `askStructured`. */
export function autoRequest(tag: AutoShape, context: AutoContext): { request: ModelRequest; schema: JsonSchema } {
  const { question, task, action, parameter, data } = context;
  const about = (words: string, name: string, text: string | undefined): string => `${words}: ${name}${text === undefined || text === '' ? '' : ` (${text})`}`;
  const lines = [
    about('Task', task.id, task.description),
    ...(action === undefined ? [] : [about('Action', action.name, action.summary)]),
    ...(parameter === undefined ? [] : [about('Parameter to fill', parameter.name, parameter.description)]),
    ...Object.entries(data).map(([name, value]) => fence(name, value, DATA_MAX_CHARACTERS)),
    `Question: ${question}`,
  ];
  const messages: ModelRequest['messages'] = [
    { role: 'system', content: SYSTEM },
    { role: 'user', content: lines.join('\n') },
  ];
  return { request: { messages, temperature: 0 }, schema: autoSchema(tag, context.parameterSchema) };
}

const SYSTEM = 'You fill in one value that the author of a pipeline left open. Answer the question with that value and nothing else. ' + FENCE_RULE;

/**
 * The schema of the answer to an AUTO tag: by its type, else that of the parameter which it fills, else string; narrowed by its other attributes.
 * Where tag and parameter name the same type, both hold.
 */
export function autoSchema(tag: AutoShape, parameterSchema?: JsonSchema): JsonSchema {
  return narrow(baseSchema(tag.type, isObject(parameterSchema) ? withoutNotes(parameterSchema) : {}), tag);
}

function baseSchema(type: AutoShape['type'], parameter: JsonObject): JsonObject {
  if (type === 'json') return {};
  if (type === undefined) return Object.keys(parameter).length > 0 ? parameter : { type: 'string' };
  const named = JSON_TYPES[type];
  return [parameter['type']].flat().includes(named) ? { ...parameter, type: named } : { type: named };
}

const JSON_TYPES = { string: 'string', integer: 'integer', number: 'number', boolean: 'boolean', list: 'array', choice: 'string' } as const;

function narrow(base: JsonObject, tag: AutoShape): JsonObject {
  const type = [base['type'] ?? []].flat()[0];
  const result: JsonObject = { ...base };
  const bounds = { string: ['minLength', 'maxLength'], array: ['minItems', 'maxItems'], object: ['minProperties', 'maxProperties'] }[String(type)] ?? [
    'minimum',
    'maximum',
  ];
  if (tag.min !== undefined) result[bounds[0]!] = Math.max(tag.min, numberOr(base[bounds[0]!], -Infinity));
  if (tag.max !== undefined) result[bounds[1]!] = Math.min(tag.max, numberOr(base[bounds[1]!], Infinity));
  if (tag.items !== undefined) result['items'] = tag.items;
  const choices = tag.choices?.map(choice => typedChoice(choice, type === 'array' ? itemType(result) : type));
  if (choices !== undefined && type === 'array') result['items'] = { ...(isObject(result['items']) ? result['items'] : {}), enum: choices };
  else if (choices !== undefined) result['enum'] = choices;
  if (tag.pattern !== undefined && type === 'array')
    result['items'] = { ...(isObject(result['items']) ? result['items'] : { type: 'string' }), pattern: tag.pattern };
  else if (tag.pattern !== undefined) result['pattern'] = tag.pattern;
  return result;
}

function itemType(schema: JsonObject): Json | undefined {
  return isObject(schema['items']) ? schema['items']['type'] : undefined;
}

/** A choice is written as text; for a number it means the number. */
function typedChoice(choice: string, type: Json | undefined): Json {
  const number = type === 'integer' || type === 'number' ? Number(choice) : NaN;
  return Number.isFinite(number) && choice.trim() !== '' ? number : choice;
}

function numberOr(value: Json | undefined, otherwise: number): number {
  return typeof value === 'number' ? value : otherwise;
}

/** A schema without what only the compiler and the manual read. */
function withoutNotes(schema: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(schema).filter(([keyword]) => !keyword.startsWith('x-') && keyword !== 'default' && keyword !== 'examples'));
}
