import type { JsonObject } from '../json.ts';
import { given } from './parameters.ts';
import type { Action, EffectClass } from './port.ts';

const load = () => import('./rows.ts');

const FORMATS = ['csv', 'tsv', 'json', 'jsonl', 'yaml'];
const AGGREGATES = ['count', 'count_distinct', 'first', 'last', 'list', 'min', 'max', 'sum', 'mean', 'median', 'std'];

const INPUT: JsonObject = {
  data: { description: 'The data: a list of objects, or text in the format that format names.' },
  input: { type: 'string', description: 'A file to read in place of data.' },
  format: {
    type: 'string',
    enum: FORMATS,
    description: 'Format of input, or of a text in data. Else the ending of the file says it; a text that begins with [ or { is JSON, any other is CSV.',
  },
  delimiter: { type: 'string', minLength: 1, maxLength: 1, description: 'Character between the fields of CSV; else a comma, and a tab for tsv.' },
  infer: {
    type: 'boolean',
    default: true,
    description: 'Read a CSV column as numbers or booleans where all its values are such; codes such as 012 stay text.',
  },
  output: { type: 'string', description: 'A file to write in place of giving the data back.' },
  output_format: {
    type: 'string',
    enum: FORMATS,
    description: 'Format of output, else its ending says it. Without output the data is given back as text in this format.',
  },
  output_delimiter: { type: 'string', minLength: 1, maxLength: 1, description: 'Character between the fields of CSV that is written.' },
};

const RESULT: JsonObject = {
  type: 'object',
  additionalProperties: false,
  required: ['rows'],
  properties: {
    data: { description: 'The data, where output names no file.' },
    path: { type: 'string', description: 'The file that was written, as it was given.' },
    rows: { type: 'integer', description: 'Number of rows.' },
    columns: { type: 'array', items: { type: 'string' }, description: 'Names of the columns, where the data is a table.' },
  },
};

function schema(properties: JsonObject, required: string[] = []): JsonObject {
  return { type: 'object', properties: { ...INPUT, ...properties }, required, additionalProperties: false };
}

/** Names of fields: one, or a list of them. */
function fields(description: string): JsonObject {
  return { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }], description };
}

/** Without a file to write nothing is changed; without one to read nothing is even looked at. */
function effectOf(parameters: JsonObject): EffectClass {
  if (given(parameters, 'output') !== undefined) return 'idempotent';
  return given(parameters, 'input') === undefined && given(parameters, 'with_input') === undefined ? 'pure' : 'read';
}

/** Work on tables. Data comes as a value or from a file, and goes back as a value or into one; the same input gives the same output. */
export const DATA_ACTIONS: Action[] = [
  {
    name: 'data.convert',
    summary: 'Reads data in one format and gives it in another.',
    effect: 'idempotent',
    powers: ['files'],
    description: 'Formats: csv (RFC 4180, first line names the columns), tsv, json, jsonl, yaml.',
    parameters: schema({}),
    result: RESULT,
    effectOf,
    example: '- id: table\n  action: data.convert\n  parameters: { input: sales.csv, output: sales.json }',
    run: async (parameters, context) => (await load()).convert(parameters, context),
  },
  {
    name: 'data.filter',
    summary: 'Keeps the rows for which a condition is true.',
    effect: 'idempotent',
    powers: ['files'],
    parameters: schema(
      { condition: { type: 'string', minLength: 1, 'x-expression': true, 'x-item': true, description: 'An expression over item (the row) and index.' } },
      ['condition'],
    ),
    result: RESULT,
    effectOf,
    example: '- id: large\n  action: data.filter\n  parameters: { data: "{{ orders.data }}", condition: "item.amount > 100" }',
    run: async (parameters, context) => (await load()).filter(parameters, context),
  },
  {
    name: 'data.aggregate',
    summary: 'Groups rows and computes a figure for each group.',
    effect: 'idempotent',
    powers: ['files'],
    parameters: schema({
      group_by: fields('Fields by which the rows are grouped; without them all rows are one group.'),
      aggregations: {
        type: 'object',
        default: { count: 'count' },
        description: `What to compute, by the name of its column: an operation (of the field of that name), or { operation, field }. Operations: ${AGGREGATES.join(', ')}. Nulls are left out; count without a field counts rows.`,
        additionalProperties: { anyOf: [{ type: 'string' }, { type: 'object' }] },
      },
    }),
    result: RESULT,
    effectOf,
    example:
      '- id: totals\n  action: data.aggregate\n  parameters:\n    data: "{{ orders.data }}"\n    group_by: country\n    aggregations: { total: { operation: sum, field: amount }, orders: count }',
    run: async (parameters, context) => (await load()).aggregate(parameters, context),
  },
  {
    name: 'data.transform',
    summary: 'Computes, renames, drops and selects columns.',
    effect: 'idempotent',
    powers: ['files'],
    description: 'In this order: set, rename, drop, select.',
    parameters: schema({
      set: {
        type: 'object',
        additionalProperties: { 'x-expression': true, 'x-item': true },
        description: 'Columns to compute: an expression over item (the row) and index for each name.',
      },
      rename: { type: 'object', additionalProperties: { type: 'string' }, description: 'New names by old names.' },
      drop: fields('Columns to leave out.'),
      select: fields('Columns to keep, in this order.'),
    }),
    result: RESULT,
    effectOf,
    example: '- id: priced\n  action: data.transform\n  parameters: { data: "{{ orders.data }}", set: { total: "item.amount * item.price" }, drop: price }',
    run: async (parameters, context) => (await load()).transform(parameters, context),
  },
  {
    name: 'data.join',
    summary: 'Joins two tables by equal fields.',
    effect: 'idempotent',
    powers: ['files'],
    description: 'Null equals nothing. A column of the second table that the first has too gets the suffix.',
    parameters: schema(
      {
        with: { description: 'The second table.' },
        with_input: { type: 'string', description: 'A file with the second table, in place of with.' },
        with_format: { type: 'string', enum: FORMATS, description: 'Format of with_input, or of a text in with.' },
        on: {
          anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }, { type: 'object', additionalProperties: { type: 'string' } }],
          description: 'The fields that must be equal; { a: b } where they are called a in the first table and b in the second.',
        },
        how: { type: 'string', enum: ['inner', 'left', 'right', 'outer'], default: 'inner', description: 'Which rows without a partner are kept.' },
        suffix: { type: 'string', default: '_right', description: 'What is added to a name that both tables have.' },
      },
      ['on'],
    ),
    result: RESULT,
    effectOf,
    example: '- id: named\n  action: data.join\n  parameters: { data: "{{ orders.data }}", with_input: customers.csv, on: customer_id, how: left }',
    run: async (parameters, context) => (await load()).join(parameters, context),
  },
  {
    name: 'data.profile',
    summary: 'Describes each column: kinds, gaps, range, most frequent values.',
    effect: 'idempotent',
    powers: ['files'],
    description:
      'The result holds one row a column: column, type, count, nulls, distinct, top, min, max, and for numbers mean, median, std, sum. rows is the number of rows that were looked at.',
    parameters: schema({}),
    result: RESULT,
    effectOf,
    example: '- id: look\n  action: data.profile\n  parameters: { input: sales.csv }',
    run: async (parameters, context) => (await load()).profile(parameters, context),
  },
  {
    name: 'data.sort',
    summary: 'Sorts rows.',
    effect: 'idempotent',
    powers: ['files'],
    description: 'Equal rows keep their order; nulls come last; texts are compared by code unit.',
    parameters: schema({
      by: {
        anyOf: [{ type: 'string' }, { type: 'array', items: { anyOf: [{ type: 'string' }, { type: 'object' }] } }],
        description: 'Fields to sort by; -amount or { field: amount, order: desc } for the largest first.',
      },
      order: { type: 'string', enum: ['asc', 'desc'], default: 'asc', description: 'Direction for what by says nothing of.' },
      limit: { type: 'integer', minimum: 0, description: 'Keep only so many rows.' },
    }),
    result: RESULT,
    effectOf,
    example: '- id: top\n  action: data.sort\n  parameters: { data: "{{ orders.data }}", by: "-amount", limit: 10 }',
    run: async (parameters, context) => (await load()).sort(parameters, context),
  },
];
