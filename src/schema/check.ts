import { canonicalJson, isObject, type Json, type JsonObject, type JsonSchema } from '../json.ts';
import { FORMATS } from './formats.ts';
import { compilePattern, entriesOf, isSame, isType, itemRule, memberRules, resolveRef, schemas, texts, typesOf } from './parts.ts';
import { countPhrase, joinCapped, numberPhrase, phrase, stringPhrase, word } from './words.ts';

/** One way in which a value does not fit its schema. */
export interface SchemaProblem {
  /** Where in the value: `['results', 0, 'url']`. */
  path: (string | number)[];
  /** The keyword of the schema that says so: `minimum`. */
  keyword: string;
  /** In the user's words, to be read after the name of the place: `must be an integer from 1 to 100`. */
  message: string;
}

export interface CheckOptions {
  /** Holds texts to their `format`, which is otherwise only a note. */
  formats?: boolean;
}

/** Values and schemas nested deeper are refused, so that no input can exhaust the stack. */
export const DEPTH_MAX = 256;
/** Schemas visited in one check, for each node of the value and besides; recursive schemas with choices can otherwise take exponential time. */
const VISITS_PER_NODE = 100;
const VISITS_BESIDES = 50_000;

interface Walk {
  root: JsonSchema;
  formats: boolean;
  problems: SchemaProblem[];
  path: (string | number)[];
  /** Shared with the trial checks of anyOf, not and the like. */
  fuel: { visits: number };
  depth: number;
  /** References followed at this very place of the value: one that comes again would go round for ever. */
  refs: readonly string[];
}

/**
 * Every way in which a value does not fit a JSON Schema (2020-12 without unevaluated*, dynamic and remote references), sorted by place.
 * Interprets the schema and compiles nothing (C1); its regular expressions run in linear time (C4); it sees own properties only (C23).
 */
export function checkSchema(schema: JsonSchema, value: Json, options: CheckOptions = {}): SchemaProblem[] {
  return checkWithin(schema, schema, value, options);
}

/** The same for a schema inside another, in which its references are looked up. */
export function checkWithin(root: JsonSchema, schema: JsonSchema, value: Json, options: CheckOptions = {}): SchemaProblem[] {
  const nodes = countNodes(value, DEPTH_MAX);
  if (nodes === Infinity) return [{ path: [], keyword: 'depth', message: `must not be nested deeper than ${DEPTH_MAX} levels` }];
  const walk: Walk = {
    root,
    formats: options.formats ?? false,
    problems: [],
    path: [],
    fuel: { visits: VISITS_BESIDES + VISITS_PER_NODE * nodes },
    depth: 0,
    refs: [],
  };
  visit(walk, schema, value);
  if (walk.fuel.visits < 0) return [{ path: [], keyword: 'limit', message: 'takes too long to be checked against its schema' }];
  return walk.problems.sort((a, b) => comparePaths(a.path, b.path));
}

function visit(walk: Walk, schema: JsonSchema, value: Json): void {
  if (schema === true || --walk.fuel.visits < 0) return;
  if (!isObject(schema)) return report(walk, 'false', 'is not allowed');
  if (walk.depth >= DEPTH_MAX) return report(walk, 'depth', `must not be nested deeper than ${DEPTH_MAX} levels`);
  walk.depth++;
  followRef(walk, schema, value);
  if (checkType(walk, schema, value)) {
    if (typeof value === 'number') checkNumber(walk, schema, value);
    else if (typeof value === 'string') checkString(walk, schema, value);
    else if (Array.isArray(value)) checkList(walk, schema, value);
    else if (isObject(value)) checkObject(walk, schema, value);
  }
  checkChoices(walk, schema, value);
  walk.depth--;
}

function report(walk: Walk, keyword: string, message: string, at?: string | number): void {
  walk.problems.push({ path: at === undefined ? [...walk.path] : [...walk.path, at], keyword, message });
}

function followRef(walk: Walk, schema: JsonObject, value: Json): void {
  const ref = schema['$ref'];
  if (typeof ref !== 'string') return;
  const target = resolveRef(walk.root, ref);
  if (target === undefined) return report(walk, '$ref', `cannot be checked: its schema refers to ${ref}, which is not there`);
  if (walk.refs.includes(ref)) return report(walk, '$ref', `cannot be checked: its schema refers to itself through ${ref}`);
  const before = walk.refs;
  walk.refs = [...before, ref];
  visit(walk, target, value);
  walk.refs = before;
}

/** Checks a member or an item, one step further down the value. */
function descend(walk: Walk, schema: JsonSchema, value: Json, step: string | number): void {
  const before = walk.refs;
  walk.refs = [];
  walk.path.push(step);
  visit(walk, schema, value);
  walk.path.pop();
  walk.refs = before;
}

/** The problems that a schema would find here, without reporting them. */
function trial(walk: Walk, schema: JsonSchema, value: Json): SchemaProblem[] {
  const inner: Walk = { ...walk, path: [...walk.path], problems: [] };
  visit(inner, schema, value);
  return inner.problems;
}

/** Checks type, enum and const. False where the type is wrong, so that nothing more needs saying about the value itself. */
function checkType(walk: Walk, schema: JsonObject, value: Json): boolean {
  const types = typesOf(schema);
  if (types.length > 0 && !types.some(type => isType(type, value))) {
    report(walk, 'type', `must be ${phrase(schema, walk.root)}`);
    return false;
  }
  const { enum: list, const: constant } = schema;
  if (Array.isArray(list) && !list.some(member => isSame(member, value))) report(walk, 'enum', `must be ${phrase({ enum: list })}`);
  if (constant !== undefined && !isSame(constant, value)) report(walk, 'const', `must be ${word(constant)}`);
  return true;
}

function checkNumber(walk: Walk, schema: JsonObject, value: number): void {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  const type = typesOf(schema).includes('integer') ? 'integer' : 'number';
  const reportRange = (keyword: string): void => report(walk, keyword, `must be ${numberPhrase(schema, type)}`);
  if (typeof minimum === 'number' && value < minimum) reportRange('minimum');
  if (typeof exclusiveMinimum === 'number' && value <= exclusiveMinimum) reportRange('exclusiveMinimum');
  if (typeof maximum === 'number' && value > maximum) reportRange('maximum');
  if (typeof exclusiveMaximum === 'number' && value >= exclusiveMaximum) reportRange('exclusiveMaximum');
  if (typeof multipleOf === 'number' && !isMultiple(value, multipleOf)) report(walk, 'multipleOf', `must be a multiple of ${multipleOf}`);
}

function checkString(walk: Walk, schema: JsonObject, value: string): void {
  const { minLength, maxLength, pattern, format } = schema;
  if (minLength !== undefined || maxLength !== undefined) {
    const length = countCodePoints(value);
    const message = (): string => `must be ${stringPhrase({ minLength: minLength ?? null, maxLength: maxLength ?? null })}`;
    if (typeof minLength === 'number' && length < minLength) report(walk, 'minLength', message());
    if (typeof maxLength === 'number' && length > maxLength) report(walk, 'maxLength', message());
  }
  if (typeof pattern === 'string') {
    const expression = compilePattern(pattern);
    if (typeof expression === 'string') report(walk, 'pattern', `cannot be checked: ${expression}`);
    else if (!expression.test(value)) report(walk, 'pattern', `must match the pattern ${pattern}`);
  }
  const known = walk.formats && typeof format === 'string' ? FORMATS.get(format) : undefined;
  if (known && !known.test(value)) report(walk, 'format', `must be ${known.phrase}`);
}

function checkList(walk: Walk, schema: JsonObject, value: Json[]): void {
  const { minItems, maxItems, uniqueItems, contains } = schema;
  const size = `must have ${countPhrase(minItems, maxItems, 'item')}`;
  if (typeof minItems === 'number' && value.length < minItems) report(walk, 'minItems', size);
  if (typeof maxItems === 'number' && value.length > maxItems) report(walk, 'maxItems', size);
  if (uniqueItems === true) checkUnique(walk, value);
  for (const [index, item] of value.entries()) descend(walk, itemRule(schema, index), item, index);
  if (contains !== undefined) checkContains(walk, schema, contains as JsonSchema, value);
}

function checkUnique(walk: Walk, value: Json[]): void {
  const seen = new Map<string, number>();
  for (const [index, item] of value.entries()) {
    const text = canonicalJson(item);
    const first = seen.get(text);
    if (first === undefined) seen.set(text, index);
    else report(walk, 'uniqueItems', `must not repeat item ${first} of the list`, index);
  }
}

function checkContains(walk: Walk, schema: JsonObject, contains: JsonSchema, value: Json[]): void {
  const least = typeof schema['minContains'] === 'number' ? schema['minContains'] : 1;
  const most = typeof schema['maxContains'] === 'number' ? schema['maxContains'] : Infinity;
  const before = walk.refs;
  walk.refs = [];
  const count = value.filter(item => trial(walk, contains, item).length === 0).length;
  walk.refs = before;
  if (count < least) report(walk, 'contains', `must contain at least ${least} × ${phrase(contains, walk.root)}`);
  if (count > most) report(walk, 'maxContains', `must contain at most ${most} × ${phrase(contains, walk.root)}`);
}

function checkObject(walk: Walk, schema: JsonObject, value: JsonObject): void {
  const { required, minProperties, maxProperties, propertyNames, dependentRequired } = schema;
  const keys = Object.keys(value);
  for (const name of texts(required)) if (!Object.hasOwn(value, name)) report(walk, 'required', `must have \`${name}\``);
  for (const [name, needs] of entriesOf(dependentRequired)) {
    if (!Object.hasOwn(value, name)) continue;
    for (const need of texts(needs)) if (!Object.hasOwn(value, need)) report(walk, 'dependentRequired', `must have \`${need}\` because it has \`${name}\``);
  }
  const size = `must have ${countPhrase(minProperties, maxProperties, 'member')}`;
  if (typeof minProperties === 'number' && keys.length < minProperties) report(walk, 'minProperties', size);
  if (typeof maxProperties === 'number' && keys.length > maxProperties) report(walk, 'maxProperties', size);
  if (propertyNames !== undefined) {
    for (const key of keys) {
      for (const problem of trial(walk, propertyNames as JsonSchema, key))
        report(walk, 'propertyNames', `has a name that does not fit: it ${problem.message}`, key);
    }
  }
  for (const key of keys) checkMember(walk, schema, key, value[key]!);
}

function checkMember(walk: Walk, schema: JsonObject, key: string, value: Json): void {
  const rules = memberRules(schema, key);
  for (const rule of rules) descend(walk, rule, value, key);
  if (rules.length > 0 || schema['additionalProperties'] !== false) return;
  const known = entriesOf(schema['properties']).map(([name]) => name);
  report(walk, 'additionalProperties', known.length > 0 ? `is not allowed; allowed are: ${joinCapped(known, ', ')}` : 'is not allowed', key);
}

function checkChoices(walk: Walk, schema: JsonObject, value: Json): void {
  for (const part of schemas(schema['allOf'])) visit(walk, part, value);
  if (Array.isArray(schema['anyOf'])) checkAlternatives(walk, 'anyOf', schemas(schema['anyOf']), value);
  if (Array.isArray(schema['oneOf'])) checkAlternatives(walk, 'oneOf', schemas(schema['oneOf']), value);
  const { not, if: condition, then: consequence, else: alternative } = schema;
  if (not !== undefined && trial(walk, not as JsonSchema, value).length === 0) report(walk, 'not', `must not be ${phrase(not as JsonSchema, walk.root)}`);
  if (condition !== undefined && (consequence !== undefined || alternative !== undefined)) {
    const branch = trial(walk, condition as JsonSchema, value).length === 0 ? consequence : alternative;
    if (branch !== undefined) visit(walk, branch as JsonSchema, value);
  }
  if (!isObject(value)) return;
  for (const [name, rule] of entriesOf(schema['dependentSchemas'])) if (Object.hasOwn(value, name)) visit(walk, rule as JsonSchema, value);
}

function checkAlternatives(walk: Walk, keyword: 'anyOf' | 'oneOf', alternatives: JsonSchema[], value: Json): void {
  const here = walk.path.length;
  const outcomes = alternatives.map(alternative => trial(walk, alternative, value));
  const fitting = outcomes.filter(problems => problems.length === 0).length;
  if (fitting === 1 || (fitting > 1 && keyword === 'anyOf')) return;
  const words = phrase({ [keyword]: alternatives }, walk.root);
  if (fitting > 1) return report(walk, 'oneOf', `must be only one of these, and is ${fitting} at once: ${words}`);
  // Where a single alternative has the right type, what is wrong inside it says more than the list of alternatives.
  const near = outcomes.filter(
    problems => !problems.some(({ path, keyword: why }) => path.length === here && ['type', 'enum', 'const', 'false'].includes(why)),
  );
  if (near.length === 1) walk.problems.push(...near[0]!);
  else report(walk, keyword, `must be ${words}`);
}

/** Whether a quotient is whole, within the rounding of one division (0.07 is a multiple of 0.01). */
function isMultiple(value: number, unit: number): boolean {
  const quotient = value / unit;
  return Math.abs(quotient - Math.round(quotient)) <= Math.abs(quotient) * Number.EPSILON;
}

function countCodePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** How many values a value is made of; Infinity where it is nested deeper than `levels`. */
function countNodes(value: Json, levels: number): number {
  if (typeof value !== 'object' || value === null) return 1;
  if (levels === 0) return Infinity;
  let count = 1;
  for (const member of Object.values(value)) count += countNodes(member, levels - 1);
  return count;
}

function comparePaths(a: SchemaProblem['path'], b: SchemaProblem['path']): number {
  for (const [index, step] of a.entries()) {
    const other = b[index];
    if (other === undefined) return 1;
    if (step !== other) return step < other ? -1 : 1;
  }
  return a.length - b.length;
}
