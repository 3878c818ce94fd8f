import { isObject, setOwn, type Json, type JsonObject, type JsonSchema } from '../json.ts';
import { calls, EXPRESSIONS, parseExpression, references, TEMPLATES, type Expr, type Template } from '../language/expression/index.ts';
import { at } from '../language/index.ts';
import type { AutoTag, ExpressionValue, LiteralValue, MapValue, OffsetMap, Value } from '../language/pipeline.ts';
import type { Span } from '../language/source.ts';
import { addTag, mayAsk } from './autos.ts';
import { place, type Site } from './compilation.ts';
import { includeFile } from './files.ts';
import { itemSchema, memberSchema, wantsText } from './members.ts';
import type { Place, PlanValue } from './plan.ts';
import { checkReference, sourceSpan } from './references.ts';
import { ANYTHING, type Scope, type Shape } from './scope.ts';

/** A value of the file as data of the plan: every expression in it is checked on the way. `schema` is what the action declares for it. */
export function lower(site: Site, value: Value, schema: JsonSchema = true): PlanValue {
  if (isObject(schema) && schema['x-expression'] === true) return lowerExpression(site, value, schema);
  const text: { s?: 1 } = wantsText(schema) ? { s: 1 } : {};
  switch (value.kind) {
    case 'literal':
      return { v: text.s && isScalar(value.value) ? (value.source ?? value.value) : value.value };
    case 'expression':
      return { ...lowerLone(site, value).value, ...text };
    case 'template': {
      const { text: t } = checkText(site, value.template, value.text, value.map);
      if (t === value.text) TEMPLATES.keep(t, value.template);
      return { t, at: place(site.unit, value.map.toSource(0)) };
    }
    case 'auto':
      return lowerTag(site, value.tag, schema, false);
    case 'mixed':
      return { m: value.parts.map(part => (part.kind === 'auto' ? lowerTag(site, part.tag, schema, true) : lower(site, part))) };
    case 'list':
      return joinList(value.items.map((item, index) => lower(inside(site, index), item, itemSchema(schema, index))));
    case 'map':
      return joinMap(value, (key, member) => lower(inside(site, key), member, memberSchema(schema, key)));
  }
}

/** An AUTO tag: what its question holds comes first, tags in it included. Neither has a secret. */
function lowerTag(site: Site, tag: AutoTag, schema: JsonSchema, inText: boolean): PlanValue {
  if (!mayAsk(site, tag, schema)) return { v: null };
  return addTag(site, tag, lower({ ...site, secrets: false }, tag.question), schema, inText);
}

/** A lone expression, and what is known of its value. */
export function lowerLone(site: Site, { expr, text, map }: ExpressionValue): { value: { e: string; at: Place }; shape: Shape } {
  const checked = checkText(site, expr, text, map);
  const e = withoutBraces(checked.text);
  // Braces within have another meaning in a text that is read as a whole.
  if (checked.text === text && !/\{\{|\}\}/.test(e)) EXPRESSIONS.keep(e, expr);
  return { value: { e, at: place(site.unit, map.toSource(Math.max(0, text.search(/[^{\s-]/)))) }, shape: checked.shape };
}

/** `{{ e }}` and `e` are two spellings of one expression. */
function withoutBraces(text: string): string {
  const inner = /^\s*\{\{-?([^]*?)-?\}\}\s*$/.exec(text)?.[1];
  return (inner === undefined || inner.includes('{{') || inner.includes('}}') ? text : inner).trim();
}

function isScalar(value: Json): boolean {
  return typeof value === 'number' || typeof value === 'boolean';
}

/** The same for one key of a task. */
export function lowerAt(site: Site, key: string, value: Value, schema: JsonSchema = true, lenient = false): PlanValue {
  return lower({ ...site, path: at(site.path, key), target: key, lenient }, value, schema);
}

/** The place of a member or an item. */
export function inside(site: Site, key: string | number): Site {
  return { ...site, path: at(site.path, key), target: typeof key === 'number' ? `${site.target}[${key}]` : `${site.target}.${key}` };
}

function joinList(items: PlanValue[]): PlanValue {
  return items.every(item => 'v' in item) ? { v: items.map(item => item.v) } : { l: items };
}

function joinMap(map: MapValue, lowerMember: (key: string, value: Value) => PlanValue): PlanValue {
  const entries = map.entries.map(({ key, value }): [string, PlanValue] => [key, lowerMember(key, value)]);
  return joinEntries(entries);
}

export function joinEntries(entries: [string, PlanValue][]): PlanValue {
  const object: JsonObject = {};
  for (const [key, value] of entries) {
    if (!('v' in value)) return { o: entries };
    setOwn(object, key, value.v);
  }
  return { v: object };
}

/** Checks the names and calls of an expression or template. Gives its text, with the paths of included files as the plan names them, and what is known of a lone reference. */
function checkText(site: Site, node: Expr | Template, text: string, map: OffsetMap): { text: string; shape: Shape } {
  let shape = ANYTHING;
  for (const reference of references(node)) {
    const known = checkReference(site, reference, map);
    if (reference.start === node.start && reference.end === node.end) shape = known;
  }
  let result = text;
  for (const call of calls(node).toSorted((a, b) => b.start - a.start)) {
    const span = sourceSpan(map, call.start, call.end);
    if (call.name === 'file') {
      const name = checkInclusion(site, call.arguments, span);
      if (name !== undefined && name !== call.arguments[0]) result = `${result.slice(0, call.start)}file(${JSON.stringify(name)})${result.slice(call.end)}`;
    } else if (call.name === 'secret' && !site.secrets) {
      site.unit.reporter.error('ORC-312', span, 'a secret may stand only in a parameter of an action', {
        path: site.path,
        label: 'nothing here can unwrap it',
      });
    }
  }
  return { text: result, shape };
}

/** Reads the file that `file('path')` names; gives the name under which the plan holds it. */
function checkInclusion(site: Site, given: readonly (string | null)[], span: Span): string | undefined {
  const [path] = given;
  const { reporter } = site.unit;
  if (typeof path !== 'string' || given.length !== 1) {
    reporter.error('ORC-308', span, '`file()` is read while the pipeline is compiled, so it takes one path as plain text', {
      path: site.path,
      help: ["write {{ file('prompts/x.md') }}, or read the file in a task: action: filesystem.read"],
    });
    return undefined;
  }
  const name = includeFile(site.compilation, site.unit, path);
  if (name === undefined) {
    reporter.error('ORC-206', span, `the file \`${path}\` is not there`, {
      path: site.path,
      label: 'looked for in the folder of the pipeline',
      help: ['files are read from the folder of the pipeline file and those below it'],
    });
    return undefined;
  }
  site.included.add(name);
  return name;
}

/** A parameter that is an expression: compiled now, kept as its text, evaluated by the action. */
function lowerExpression(site: Site, value: Value, schema: JsonObject): PlanValue {
  const { reporter } = site.unit;
  switch (value.kind) {
    case 'auto':
    case 'mixed': {
      reporter.error('ORC-304', value.span, `\`${site.target}\` is an expression, and a model may not write one`, { path: site.path });
      return { v: '' };
    }
    case 'list':
      return joinList(value.items.map((item, index) => lowerExpression(inside(site, index), item, schema)));
    case 'map':
      return joinMap(value, (key, member) => lowerExpression(inside(site, key), member, schema));
    default:
      break;
  }
  const bound: Scope =
    schema['x-item'] === true
      ? {
          kind: 'names',
          outer: site.scope,
          names: new Map([
            ['item', ANYTHING],
            ['index', ANYTHING],
          ]),
        }
      : site.scope;
  const here: Site = { ...site, scope: bound };
  if (value.kind === 'expression') return { v: lowerLone(here, value).value.e };
  const { text, map } = value.kind === 'template' ? value : { text: plainText(value), map: literalMap(here, value) };
  if (text === undefined) return { v: (value as LiteralValue).value };
  const parsed = parseExpression(text);
  for (const problem of parsed.problems)
    reporter.error(problem.code, sourceSpan(map, problem.start, problem.end), problem.message, { path: site.path, help: problem.help ?? [] });
  return { v: withoutBraces(parsed.expr === null ? text : checkText(here, parsed.expr, text, map).text) };
}

function plainText({ value, source }: LiteralValue): string | undefined {
  if (typeof value === 'string') return value;
  return isScalar(value) ? (source ?? String(value)) : undefined;
}

/** Where the characters of a literal stand: exact where the file holds its text as it is, else its beginning. */
function literalMap(site: Site, value: LiteralValue): OffsetMap {
  const { start, end } = value.span;
  const from = site.unit.source.text.slice(start, end).indexOf(plainText(value) ?? '');
  return { toSource: offset => (from < 0 ? start : Math.min(start + from + offset, end)) };
}
