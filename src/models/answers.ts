import { isObject, own, type Json, type JsonObject, type JsonSchema } from '../json.ts';
import { checkSchema, coerce, describeSchema, type SchemaProblem } from '../schema.ts';
import { parseAnswer } from './answer-text.ts';
import { withText } from './content.ts';
import type { GenerateOptions, Model, ModelReply, ModelRequest } from './port.ts';

/** Characters of a reason that are kept. */
const REASON_MAX = 500;

export interface AskOptions extends GenerateOptions {
  /** How often to ask at most; 3 when absent. */
  attempts?: number;
}

/** What came of asking for an answer of a shape. Every reply is there, since every reply costs; `asked` are the requests that they answer. */
export type StructuredAnswer = { replies: ModelReply[]; asked: ModelRequest[] } & (
  | {
      ok: true;
      value: Json;
      /** What the model said of its answer, where it did: why it is so, and how sure it is. */
      remark?: string;
    }
  | { ok: false; problem: string }
);

/**
 * Asks until the answer fits the schema. What can be made to fit without doubt (a code fence, `"5"` for 5) is not asked again; anything else is,
 * with what was wrong with it. A schema that is not of an object is asked for as `{"value": …}`, because services take objects only.
 */
export async function askStructured(model: Pick<Model, 'generate'>, request: ModelRequest, schema: JsonSchema, options: AskOptions): Promise<StructuredAnswer> {
  const { attempts = 3, ...how } = options;
  const wrapped = wrapSchema(schema);
  const replies: ModelReply[] = [];
  const asked: ModelRequest[] = [];
  let messages = withFormat(request.messages, schema);
  for (;;) {
    const next: ModelRequest = { ...request, messages, schema: wrapped };
    const reply = await model.generate(next, { ...how, ...(replies.length > 0 ? { cache: false } : {}), fits: one => 'value' in readAnswer(one, schema) });
    asked.push(next);
    replies.push(reply);
    const read = readAnswer(reply, schema);
    if ('value' in read) return { ok: true, value: read.value, ...remarkOf(reply, schema), replies, asked };
    if (replies.length >= attempts) return { ok: false, problem: read.problem, replies, asked };
    messages = [
      ...messages,
      { role: 'assistant', content: quoteOf(reply) },
      { role: 'user', content: `That answer cannot be used: ${read.problem}. ${formatOf(schema)}` },
    ];
  }
}

/** What stands beside the value in its wrapping, unasked: a `reason`, a `confidence` from 0 to 1. */
function remarkOf(reply: Pick<ModelReply, 'text' | 'object'>, schema: JsonSchema): { remark?: string } {
  const parsed = reply.object ?? parseAnswer(reply.text);
  if (isObjectSchema(schema) || !isObject(parsed ?? null)) return {};
  const [reason, confidence] = [own(parsed as JsonObject, 'reason'), own(parsed as JsonObject, 'confidence')];
  const words = typeof reason === 'string' ? reason.trim().slice(0, REASON_MAX) : '';
  const isShare = typeof confidence === 'number' && confidence >= 0 && confidence <= 1;
  const parts = [...(words === '' ? [] : [words]), ...(isShare ? [`confidence ${confidence}`] : [])];
  return parts.length === 0 ? {} : { remark: parts.join(', ') };
}

/** As much of an answer as helps to mend it: of one that had no end, its beginning. */
function quoteOf({ text, finishReason }: ModelReply): string {
  return text === '' ? '(nothing)' : text.slice(0, finishReason === 'length' ? 200 : 4000);
}

/** Reads an answer out of a reply: its value, or what is wrong with it in words that a model (and a person) can act on. */
export function readAnswer(reply: Pick<ModelReply, 'text' | 'object' | 'finishReason'>, schema: JsonSchema): { value: Json } | { problem: string } {
  const parsed = reply.object ?? parseAnswer(reply.text);
  const candidates = candidatesOf(parsed, reply.text, schema);
  let problems: SchemaProblem[] | undefined;
  for (const candidate of candidates) {
    const value = coerce(schema, candidate);
    const found = checkSchema(schema, value, { formats: true });
    if (found.length === 0) return { value };
    problems ??= found;
  }
  if (reply.finishReason === 'length') return { problem: 'it was cut off at the limit of tokens' };
  return { problem: problems === undefined ? 'it is not JSON' : tellProblems(problems) };
}

/** What in a reply may be the answer, likeliest first: the value in its wrapping, the JSON as it stands, the bare text. */
function candidatesOf(parsed: Json | undefined, text: string, schema: JsonSchema): Json[] {
  const bare = text.trim();
  const texts = bare === '' || /^[{["`]/.test(bare) ? [] : [bare];
  if (parsed === undefined) return texts;
  if (isObjectSchema(schema)) return [parsed];
  const inner = isObject(parsed) ? own(parsed, 'value') : undefined;
  return inner === undefined ? [parsed, ...texts] : [inner];
}

function tellProblems(problems: SchemaProblem[]): string {
  const told = problems.slice(0, 10).map(({ path, message }) => {
    const place = path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`)).join('');
    return `${place === '' ? 'it' : `\`${place}\``} ${message}`;
  });
  return told.join('; ') + (problems.length > 10 ? `; and ${problems.length - 10} more` : '');
}

/** Tells the shape in the prompt too: not every service is held to it by its schema. */
function withFormat(messages: ModelRequest['messages'], schema: JsonSchema): ModelRequest['messages'] {
  const last = messages.at(-1);
  if (last?.role !== 'user') return [...messages, { role: 'user', content: formatOf(schema) }];
  return [...messages.slice(0, -1), { role: 'user', content: withText(last.content, `\n\n${formatOf(schema)}`) }];
}

function formatOf(schema: JsonSchema): string {
  if (isObjectSchema(schema)) return `Answer with nothing but JSON that fits this JSON Schema: ${JSON.stringify(schema)}`;
  const { type, enum: choices }: JsonObject = isObject(schema) ? schema : {};
  const plain = choices !== undefined || ['string', 'integer', 'number', 'boolean', 'null'].includes(String(type)) || Object.keys(schema).length === 0;
  const detail = plain ? '' : ` It must fit this JSON Schema: ${JSON.stringify(schema)}`;
  return `Answer with nothing but JSON of this form: {"value": …}, where the value is: ${describeSchema(schema)}.${detail}`;
}

/** The schema of the whole answer. Definitions stay at the root, where references look for them. */
export function wrapSchema(schema: JsonSchema): JsonObject {
  if (isObjectSchema(schema)) return schema;
  const { $defs, definitions, ...value } = isObject(schema) ? schema : ({} as JsonObject);
  return {
    type: 'object',
    properties: { value },
    required: ['value'],
    additionalProperties: false,
    ...($defs === undefined ? {} : { $defs }),
    ...(definitions === undefined ? {} : { definitions }),
  };
}

function isObjectSchema(schema: JsonSchema): schema is JsonObject {
  return isObject(schema) && schema['type'] === 'object';
}
