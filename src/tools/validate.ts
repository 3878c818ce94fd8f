import { OrchestratorError } from '../errors.ts';
import { isObject, type JsonObject } from '../json.ts';
import { badParameter, given, required, text } from './parameters.ts';
import type { Action } from './port.ts';

/** A place in a value as people write it: `items[0].name`; the value itself is the empty text. */
function placeText(path: readonly (string | number)[]): string {
  return path.reduce<string>((place, part) => {
    if (typeof part === 'number') return `${place}[${part}]`;
    if (!/^[A-Za-z_][\w-]*$/.test(part)) return `${place}[${JSON.stringify(part)}]`;
    return place === '' ? part : `${place}.${part}`;
  }, '');
}

function sentence(path: readonly (string | number)[], message: string): string {
  return `${placeText(path) || 'it'} ${message}`;
}

async function validate(parameters: JsonObject): Promise<JsonObject> {
  const schema = required(parameters, 'schema');
  const mode = text(parameters, 'mode');
  if (!isObject(schema) && typeof schema !== 'boolean') throw badParameter('schema', 'a JSON Schema');
  if (mode !== 'strict' && mode !== 'lenient' && mode !== 'report') throw badParameter('mode', 'strict, lenient or report');
  const { badSchema, checkSchema, coerce } = await import('../schema.ts');
  const [flaw] = badSchema(schema);
  if (flaw !== undefined) throw new OrchestratorError('ORC-114', `The schema is not one: ${sentence(flaw.path, flaw.message)}.`, { class: 'invalid_input' });
  const written = given(parameters, 'data') ?? null;
  const data = mode === 'lenient' ? coerce(schema, written) : written;
  const errors = checkSchema(schema, data, { formats: true }).map(({ path, message }) => ({ path: placeText(path), message }));
  if (errors.length > 0 && mode !== 'report') {
    const [first] = errors;
    throw new OrchestratorError(
      'ORC-228',
      `The data does not fit its schema: ${first!.path === '' ? 'it' : first!.path} ${first!.message}${errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''}.`,
      { class: 'assertion', help: ['say mode: report to go on and look at errors'], details: { errors: errors.slice(0, 100) } },
    );
  }
  return { valid: errors.length === 0, errors, data };
}

export const VALIDATE_ACTIONS: Action[] = [
  {
    name: 'validate',
    summary: 'Checks data against a JSON Schema.',
    effect: 'pure',
    powers: [],
    description:
      'strict fails the task where the data does not fit; lenient first turns what it can into the type that the schema wants, and fails on the rest; report only tells.',
    parameters: {
      type: 'object',
      required: ['data', 'schema'],
      additionalProperties: false,
      properties: {
        data: { description: 'The data.' },
        schema: { type: ['object', 'boolean'], 'x-schema': true, description: 'The JSON Schema (2020-12).' },
        mode: { type: 'string', enum: ['strict', 'lenient', 'report'], default: 'strict', description: 'What happens where the data does not fit.' },
      },
    },
    result: {
      type: 'object',
      required: ['valid', 'errors', 'data'],
      additionalProperties: false,
      properties: {
        valid: { type: 'boolean', description: 'Whether the data fits.' },
        errors: {
          type: 'array',
          description: 'Where it does not.',
          items: {
            type: 'object',
            required: ['path', 'message'],
            additionalProperties: false,
            properties: {
              path: { type: 'string', description: 'The place: items[0].name.' },
              message: { type: 'string', description: 'What is wrong there.' },
            },
          },
        },
        data: { description: 'The data; with lenient, as it was turned.' },
      },
    },
    example: '- id: check\n  action: validate\n  parameters: { data: "{{ extract }}", schema: { type: object, required: [author] } }',
    run: validate,
  },
];
