import { isObject, type Json, type JsonSchema } from '../json.ts';
import { DEPTH_MAX, type SchemaProblem } from './check.ts';
import { compilePattern, entriesOf, resolveRef } from './parts.ts';

type Shape =
  | 'schema'
  | 'schemas'
  | 'schema map'
  | 'pattern map'
  | 'number'
  | 'positive number'
  | 'count'
  | 'boolean'
  | 'text'
  | 'texts'
  | 'texts map'
  | 'list'
  | 'types'
  | 'pattern'
  | 'ref'
  | 'unsupported';

/** What each keyword must hold. A keyword that is not here is a note, as the specification wants it. */
const SHAPES: ReadonlyMap<string, Shape> = new Map(
  Object.entries({
    type: 'types',
    enum: 'list',
    properties: 'schema map',
    required: 'texts',
    additionalProperties: 'schema',
    patternProperties: 'pattern map',
    propertyNames: 'schema',
    minProperties: 'count',
    maxProperties: 'count',
    items: 'schema',
    prefixItems: 'schemas',
    contains: 'schema',
    minContains: 'count',
    maxContains: 'count',
    minItems: 'count',
    maxItems: 'count',
    uniqueItems: 'boolean',
    minLength: 'count',
    maxLength: 'count',
    pattern: 'pattern',
    minimum: 'number',
    maximum: 'number',
    exclusiveMinimum: 'number',
    exclusiveMaximum: 'number',
    multipleOf: 'positive number',
    allOf: 'schemas',
    anyOf: 'schemas',
    oneOf: 'schemas',
    not: 'schema',
    if: 'schema',
    then: 'schema',
    else: 'schema',
    dependentRequired: 'texts map',
    dependentSchemas: 'schema map',
    $ref: 'ref',
    $defs: 'schema map',
    definitions: 'schema map',
    format: 'text',
    title: 'text',
    description: 'text',
    unevaluatedItems: 'unsupported',
    unevaluatedProperties: 'unsupported',
    $dynamicRef: 'unsupported',
    $recursiveRef: 'unsupported',
    dependencies: 'unsupported',
    additionalItems: 'unsupported',
  } satisfies Record<string, Shape>),
);
const TYPES = ['string', 'integer', 'number', 'boolean', 'array', 'object', 'null'];

/** Where a JSON Schema is not one, or uses what is not understood here; paths lead into the schema. Empty: every check against it means what its author wrote. */
export function badSchema(schema: Json): SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  inspect({ root: schema as JsonSchema, problems, path: [] }, schema);
  return problems;
}

interface Inspection {
  root: JsonSchema;
  problems: SchemaProblem[];
  path: (string | number)[];
}

function inspect(on: Inspection, schema: Json): void {
  if (typeof schema === 'boolean') return;
  if (!isObject(schema)) return complain(on, 'schema', 'must be a JSON Schema: an object, true or false');
  if (on.path.length > DEPTH_MAX) return complain(on, 'depth', `must not be nested deeper than ${DEPTH_MAX} levels`);
  for (const [keyword, value] of Object.entries(schema)) {
    const shape = SHAPES.get(keyword);
    if (shape !== undefined) within(on, keyword, () => inspectKeyword(on, keyword, shape, value));
  }
  for (const [low, high] of [
    ['minimum', 'maximum'],
    ['minLength', 'maxLength'],
    ['minItems', 'maxItems'],
    ['minProperties', 'maxProperties'],
  ] as const) {
    const [least, most] = [schema[low], schema[high]];
    if (typeof least === 'number' && typeof most === 'number' && least > most)
      within(on, low, () => complain(on, low, `must not be above \`${high}\`, which is ${most}`));
  }
}

function inspectKeyword(on: Inspection, keyword: string, shape: Shape, value: Json): void {
  const fault = shape === 'unsupported' ? 'is not supported' : plainFault(on, shape, value);
  if (fault !== undefined) return complain(on, keyword, fault);
  if (shape === 'schema') inspect(on, value);
  if (shape === 'schemas') for (const [index, part] of (value as Json[]).entries()) within(on, index, () => inspect(on, part));
  if (shape === 'schema map' || shape === 'pattern map') {
    for (const [name, part] of entriesOf(value)) {
      const reason = shape === 'pattern map' ? compilePattern(name) : undefined;
      within(on, name, () => (typeof reason === 'string' ? complain(on, keyword, reason) : inspect(on, part)));
    }
  }
}

/** What is wrong with the value of a keyword itself, apart from schemas inside it. */
function plainFault(on: Inspection, shape: Shape, value: Json): string | undefined {
  const unless = (fine: boolean, fault: string): string | undefined => (fine ? undefined : fault);
  switch (shape) {
    case 'schemas':
      return unless(Array.isArray(value) && value.length > 0, 'must be a list of schemas');
    case 'schema map':
    case 'pattern map':
      return unless(isObject(value), 'must be a map from names to schemas');
    case 'number':
      return unless(typeof value === 'number', 'must be a number');
    case 'positive number':
      return unless(typeof value === 'number' && value > 0, 'must be a number above 0');
    case 'count':
      return unless(Number.isInteger(value) && (value as number) >= 0, 'must be an integer of at least 0');
    case 'boolean':
      return unless(typeof value === 'boolean', 'must be true or false');
    case 'text':
      return unless(typeof value === 'string', 'must be a string');
    case 'texts':
      return unless(isTexts(value), 'must be a list of strings');
    case 'texts map':
      return unless(isObject(value) && Object.values(value).every(isTexts), 'must be a map from names to lists of strings');
    case 'list':
      return unless(Array.isArray(value) && value.length > 0, 'must be a list of values');
    case 'types':
      return unless(
        [value].flat().length > 0 && [value].flat().every(type => TYPES.includes(type as string)),
        `must be one of: ${TYPES.join(', ')}; or a list of these`,
      );
    case 'pattern':
      return patternFault(value);
    case 'ref':
      return unless(typeof value === 'string' && resolveRef(on.root, value) !== undefined, 'must lead to a schema in the same document, such as #/$defs/name');
    default:
      return undefined;
  }
}

function patternFault(value: Json): string | undefined {
  if (typeof value !== 'string') return 'must be a string';
  const compiled = compilePattern(value);
  return typeof compiled === 'string' ? compiled : undefined;
}

function isTexts(value: Json): boolean {
  return Array.isArray(value) && value.every(member => typeof member === 'string');
}

function within(on: Inspection, step: string | number, look: () => void): void {
  on.path.push(step);
  look();
  on.path.pop();
}

function complain(on: Inspection, keyword: string, message: string): void {
  on.problems.push({ path: [...on.path], keyword, message });
}
