import { isMap, isScalar, isSeq } from 'yaml';
import type { Json, JsonObject } from '../json.ts';
import { badSchema, checkSchema } from '../schema.ts';
import { Fields, ID, ID_HELP } from './fields.ts';
import { INPUT_KEYS, INPUT_SCHEMA_KEYS, INPUT_TYPE_NAMES } from './keys.ts';
import { findPair, isNull, kindOf, listItems, nodeSpan, type Entry, type YamlNode } from './nodes.ts';
import type { InputSpec, InputType, Value } from './pipeline.ts';
import { INPUT_SPELLINGS } from './spellings.ts';
import { readJson, readValue } from './values.ts';

export function readInputs(pipeline: Fields): InputSpec[] {
  const node = pipeline.get('inputs')?.node;
  if (node === undefined || isNull(node)) return [];
  if (isSeq(node)) {
    // Its items all have names where it could be read as a map.
    const nameless = listItems(node).find(item => !isMap(item) || findPair(item, 'name') === undefined) ?? node;
    pipeline.reporter.error('ORC-102', nodeSpan(nameless), 'an input in a list has a `name` of its own', {
      path: pipeline.pathOf('inputs'),
      label: 'needs `name`',
      help: ['write: - { name: topic, type: string }', 'or a map: inputs: { topic: { type: string } }'],
    });
    return [];
  }
  const inputs = pipeline.map('inputs', 'a map of inputs');
  if (inputs === undefined) return [];
  return Array.from(inputs.entries.values(), entry => readInput(inputs, entry));
}

function readInput(inputs: Fields, entry: Entry): InputSpec {
  const { key: name, keySpan: span, node } = entry;
  if (!ID.test(name)) inputs.reporter.error('ORC-107', span, `\`${name}\` cannot be the name of an input`, { path: inputs.pathOf(name), help: [ID_HELP] });
  if (isMap(node)) return readSpec(new Fields(inputs.reporter, node, inputs.pathOf(name)), name, span);
  const base = { name, span, description: undefined };
  if (isNull(node)) return { ...base, type: 'string', required: true, default: undefined, schema: { type: 'string' } };
  const type = typeOfNode(node);
  return { ...base, type, required: false, default: readValue(inputs.reporter, node, inputs.pathOf(name)), schema: { type } };
}

function typeOfNode(node: YamlNode): InputType {
  if (isSeq(node)) return 'array';
  if (isMap(node)) return 'object';
  const value = isScalar(node) ? node.value : undefined;
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value === 'boolean' ? 'boolean' : 'string';
}

function readSpec(fields: Fields, name: string, span: InputSpec['span']): InputSpec {
  fields.finish([...INPUT_KEYS, ...INPUT_SCHEMA_KEYS], 'an input', Object.keys(INPUT_SPELLINGS));
  const entry = fields.get('default');
  const given = entry !== undefined && !isNull(entry.node) ? entry.node : undefined;
  const type = fields.oneOf('type', INPUT_TYPE_NAMES) ?? (given === undefined ? 'string' : typeOfNode(given));
  const schema: JsonObject = { type: type === 'file' || type === 'secret' ? 'string' : type };
  readConstraints(fields, schema);
  const required = readRequired(fields, schema);
  const sound = checkConstraints(fields, schema);
  const spec: InputSpec = { name, span, type, description: fields.text('description'), required: required ?? entry === undefined, default: undefined, schema };
  if (given !== undefined) {
    spec.default = readValue(fields.reporter, given, fields.pathOf('default'));
    if (sound) checkDefault(fields, spec, given);
  } else if (!spec.required) {
    // `required: false` without a default, and `default: null`: the input may be left out, and is null then.
    spec.default = { kind: 'literal', value: null, span: entry === undefined ? span : nodeSpan(entry.node) };
    schema['type'] = [schema['type']!, 'null'];
    if (Array.isArray(schema['enum'])) schema['enum'].push(null);
  }
  return spec;
}

/** Reports keywords of JSON Schema that cannot mean anything; false where there are some. */
function checkConstraints(fields: Fields, schema: JsonObject): boolean {
  const problem = badSchema(schema)[0];
  if (problem === undefined) return true;
  const [keyword] = problem.path;
  const name = keyword === 'enum' ? 'choices' : String(keyword);
  const entry = fields.get(name);
  fields.reporter.error(
    'ORC-114',
    entry === undefined ? { start: 0, end: 0 } : nodeSpan(entry.node),
    problem.keyword === 'pattern' ? problem.message : `\`${name}\` ${problem.message}`,
    { path: fields.pathOf(name) },
  );
  return false;
}

function readConstraints(fields: Fields, schema: JsonObject): void {
  for (const key of INPUT_SCHEMA_KEYS) {
    const node = fields.get(key)?.node;
    if (node !== undefined) schema[key] = readJson(node);
  }
  for (const key of ['minimum', 'maximum'] as const) {
    const bound = fields.number(key, -Infinity);
    if (bound !== undefined) schema[key] = bound;
  }
  const pattern = fields.text('pattern');
  if (pattern !== undefined) schema['pattern'] = pattern;
  const choices = fields.get('choices')?.node;
  if (choices !== undefined) {
    if (!isSeq(choices)) fields.wrong('choices', choices, 'a list');
    else if (choices.items.length === 0)
      fields.reporter.error('ORC-112', nodeSpan(choices), '`choices` is empty', {
        path: fields.pathOf('choices'),
        help: ['name what may be chosen, or remove the key'],
      });
    else schema['enum'] = listItems(choices).map(readJson);
  }
  const items = fields.get('items')?.node;
  if (items === undefined) return;
  const value = readJson(items);
  if (typeof value === 'string') schema['items'] = { type: value };
  else if (isMap(items)) schema['items'] = value;
  else
    fields.reporter.error('ORC-114', nodeSpan(items), `\`items\` is a JSON Schema or the name of a type, and this is ${kindOf(items)}`, {
      path: fields.pathOf('items'),
      help: ['write: items: { type: string }'],
    });
}

/** `required: true`; of an object it may also list the members that must be there. */
function readRequired(fields: Fields, schema: JsonObject): boolean | undefined {
  const node = fields.get('required')?.node;
  if (node === undefined || !isSeq(node)) return fields.boolean('required');
  schema['required'] = fields.words('required').map(word => word.text);
  return undefined;
}

/** A default that is written out must be what the input takes; one that is computed is checked when the run starts. */
function checkDefault(fields: Fields, spec: InputSpec, node: YamlNode): void {
  const value = plainValue(spec.default!);
  const problem = value === undefined ? undefined : checkSchema(spec.schema, value)[0];
  if (problem === undefined) return;
  fields.reporter.error('ORC-104', nodeSpan(node), `the default of \`${spec.name}\` ${problem.message}`, {
    path: fields.pathOf('default'),
    label: `this is ${kindOf(node)}`,
  });
}

/** A value without anything computed in it, as data. */
function plainValue(value: Value): Json | undefined {
  if (value.kind === 'literal') return value.value;
  if (value.kind === 'list') {
    const items = value.items.map(plainValue);
    return items.includes(undefined) ? undefined : (items as Json[]);
  }
  if (value.kind !== 'map') return undefined;
  const entries = value.entries.map(({ key, value: member }) => [key, plainValue(member)] as const);
  return entries.some(([, member]) => member === undefined) ? undefined : (Object.fromEntries(entries) as JsonObject);
}
