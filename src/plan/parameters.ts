import { parseDuration } from '../duration.ts';
import { isObject, own, type Json, type JsonObject, type JsonSchema } from '../json.ts';
import type { LiteralValue, MapValue, Value } from '../language/pipeline.ts';
import type { Code } from '../codes.ts';
import { badSchema, checkSchema, describeSchema, type SchemaProblem } from '../schema.ts';
import type { Site } from './compilation.ts';
import type { PlanValue } from './plan.ts';
import { capped, nearNames } from './references.ts';
import { itemSchema, memberSchema, takesType } from './members.ts';
import { inside } from './values.ts';

/** Checks what is given for one parameter, or one input of a sub-pipeline, as far as the file says what it is. */
export function checkGiven(site: Site, value: Value, lowered: PlanValue, schema: JsonSchema, name: string, code: Code, notes: string[]): void {
  const given: Given = { site, name, code, notes };
  checkPart(given, value, lowered, schema, []);
}

interface Given {
  site: Site;
  /** As the user knows it: `max_results`. */
  name: string;
  code: Code;
  notes: string[];
}

type Steps = (string | number)[];

function checkPart(given: Given, value: Value, lowered: PlanValue, schema: JsonSchema, path: Steps): void {
  if (isObject(schema) && schema['x-expression'] === true) return;
  if ('v' in lowered) {
    for (const problem of checkSchema(schema, lowered.v)) reportProblem(given, value, schema, path, problem);
    if (isObject(schema) && schema['x-schema'] === true) {
      for (const { path: at, message } of badSchema(lowered.v)) reportMismatch(given, 'ORC-114', partAt(value, at), [...path, ...at], message, []);
    }
    if (isObject(schema) && schema['x-duration'] === true && typeof lowered.v === 'string' && parseDuration(lowered.v) === undefined) {
      reportMismatch(given, 'ORC-110', value, path, 'must be a time, such as 90, 90s, 2m or 1h30m', []);
    }
  } else if ('m' in lowered || 't' in lowered) {
    if (!takesType(schema, 'string'))
      reportMismatch(given, given.code, value, path, `must be ${describeWithArticle(schema)}`, [
        'text with a {{ template }} in it renders to text; one lone {{ expression }} keeps its type',
      ]);
  } else if ('l' in lowered && value.kind === 'list') {
    if (!takesType(schema, 'array')) reportMismatch(given, given.code, value, path, `must be ${describeWithArticle(schema)}`, []);
    else for (const [index, item] of lowered.l.entries()) checkPart(given, value.items[index]!, item, itemSchema(schema, index), [...path, index]);
  } else if ('o' in lowered && value.kind === 'map') checkMap(given, value, lowered.o, schema, path);
}

function checkMap(given: Given, value: MapValue, entries: [string, PlanValue][], schema: JsonSchema, path: Steps): void {
  if (!takesType(schema, 'object')) return reportMismatch(given, given.code, value, path, `must be ${describeWithArticle(schema)}`, []);
  const { properties, required, additionalProperties } = isObject(schema) ? schema : ({} as JsonObject);
  const known = isObject(properties) ? Object.keys(properties) : [];
  for (const name of Array.isArray(required) ? required : []) {
    if (!entries.some(([key]) => key === name)) reportMismatch(given, given.code, value, path, `must have \`${String(name)}\``, []);
  }
  for (const [index, [key, member]] of entries.entries()) {
    if (additionalProperties === false && !known.includes(key))
      reportMismatch(given, given.code, value.entries[index]!.value, [...path, key], `is not allowed; allowed are: ${capped(known)}`, []);
    else checkPart(given, value.entries[index]!.value, member, memberSchema(schema, key), [...path, key]);
  }
}

function describeWithArticle(schema: JsonSchema): string {
  const words = describeSchema(schema);
  return /^(true|one of|any|"|an? )/.test(words) ? words : `${/^[aeiou]/.test(words) ? 'an' : 'a'} ${words}`;
}

/** The part of a value at the end of a path; the nearest part around it where it is not written out. */
function partAt(value: Value, path: Steps): Value {
  let here = value;
  for (const step of path) {
    const next: Value | undefined =
      here.kind === 'list' && typeof step === 'number'
        ? here.items[step]
        : here.kind === 'map'
          ? here.entries.find(({ key }) => key === step)?.value
          : undefined;
    if (next === undefined) return here;
    here = next;
  }
  return here;
}

function reportProblem(given: Given, value: Value, schema: JsonSchema, path: Steps, problem: SchemaProblem): void {
  const part = partAt(value, problem.path);
  const fix = unquoted(
    given.site,
    part,
    problem.path.reduce<JsonSchema>((at, step) => (typeof step === 'number' ? itemSchema(at, step) : memberSchema(at, step)), schema),
  );
  const full = [...path, ...problem.path];
  const key = full.at(-1) ?? given.name.slice(given.name.lastIndexOf('.') + 1);
  if (fix === undefined) return reportMismatch(given, given.code, part, full, problem.message, []);
  const title = typeof key === 'string' ? `remove the quotes: ${key}: ${fix}` : `remove the quotes: ${fix}`;
  reportMismatch(given, given.code, part, full, problem.message, [title], { title, edits: [{ span: part.span, text: fix }] });
}

function reportMismatch(
  { site, name, notes }: Given,
  code: Code,
  part: Value,
  path: Steps,
  message: string,
  help: string[],
  fix?: { title: string; edits: { span: Value['span']; text: string }[] },
): void {
  const what = path.reduce<string>((text, step) => (typeof step === 'number' ? `${text}[${step}]` : `${text}.${step}`), name);
  const here = path.reduce<Site>(inside, site);
  site.unit.reporter.error(code, part.span, `\`${what}\` ${message}`, {
    path: here.path,
    label: `this is ${describeValue(part)}`,
    notes,
    help,
    ...(fix === undefined ? {} : { fix }),
  });
}

function describeValue(value: Value): string {
  switch (value.kind) {
    case 'literal':
      return typeof value.value === 'string'
        ? `the text ${JSON.stringify(value.value.length > 40 ? `${value.value.slice(0, 40)}…` : value.value)}`
        : value.value === null
          ? 'empty (null)'
          : String(value.value);
    case 'list':
      return 'a list';
    case 'map':
      return 'a map';
    default:
      return 'text';
  }
}

/** The same value without its quotes, where that is what the schema wants: `"5"` for an integer. */
function unquoted(site: Site, part: Value, schema: JsonSchema): string | undefined {
  if (part.kind !== 'literal' || typeof part.value !== 'string' || !isQuoted(site, part)) return undefined;
  const text = part.value.trim();
  if (!/^(-?\d+(\.\d+)?([eE][-+]?\d+)?|true|false)$/.test(text)) return undefined;
  return checkSchema(schema, JSON.parse(text) as Json).length === 0 ? text : undefined;
}

function isQuoted(site: Site, { span }: LiteralValue): boolean {
  return /["']/.test(site.unit.source.text[span.start] ?? '');
}

/** Checks which names are given: those that nobody knows and those that are missing, also among alternatives (`data` or `input`). */
export function checkNames(site: Site, map: MapValue, schema: JsonSchema, report: NameReports): Set<string> {
  const unknown = new Set<string>();
  if (!isObject(schema) || !isObject(schema['properties'])) return unknown;
  const { properties, required, additionalProperties: rest, patternProperties } = schema;
  const known = Object.keys(properties as JsonObject);
  const open = patternProperties !== undefined || (rest !== undefined && rest !== false);
  const given = new Set<string>();
  for (const { key, keySpan, value } of map.entries) {
    if (!(value.kind === 'literal' && value.value === null)) given.add(key);
    if (open || Object.hasOwn(properties as JsonObject, key)) continue;
    unknown.add(key);
    report.unknown(key, keySpan, nearNames(site, key, known), known);
  }
  for (const name of Array.isArray(required) ? required : []) if (!given.has(String(name))) report.missing([String(name)]);
  for (const keyword of ['anyOf', 'oneOf']) {
    const choices = requiredChoices(own(schema, keyword));
    if (choices.length > 0 && !choices.some(names => names.every(name => given.has(name)))) report.missing(choices.map(names => names.join(' and ')));
  }
  return unknown;
}

interface NameReports {
  unknown(key: string, span: Value['span'], near: string | undefined, known: string[]): void;
  /** One of `names` must be given. */
  missing(names: string[]): void;
}

/** The alternatives of a schema that says no more than which members must be there. */
function requiredChoices(alternatives: Json | undefined): string[][] {
  if (!Array.isArray(alternatives) || !alternatives.every(part => isObject(part) && Array.isArray(part['required']))) return [];
  return alternatives.map(part => ((part as JsonObject)['required'] as Json[]).map(String));
}
