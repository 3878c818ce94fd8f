import { describe, expect, test } from 'vitest';
import type { Json, JsonSchema } from '../json.ts';
import { parseAnswer } from './answer-text.ts';
import { askStructured, readAnswer, wrapSchema } from './answers.ts';
import { textOf } from './content.ts';
import type { ModelReply, ModelRequest } from './port.ts';

const ASK: ModelRequest = { messages: [{ role: 'user', content: 'How many?' }], temperature: 0 };
const COUNT: JsonSchema = { type: 'integer', minimum: 1, maximum: 100 };

/** A model that answers from a list, and says nothing more when it is at its end. */
function setup(...texts: string[]) {
  const requests: ModelRequest[] = [];
  const model = {
    generate: async (request: ModelRequest): Promise<ModelReply> => {
      const text = texts[requests.length] ?? '';
      requests.push(structuredClone(request));
      return {
        model: 'm',
        text,
        usage: { inputTokens: 1, outputTokens: 1, cachedInputTokens: 0, reasoningTokens: 0 },
        finishReason: 'stop',
        latencyMs: 1,
        firstTokenMs: undefined,
      };
    },
  };
  const ask = (schema: JsonSchema, attempts?: number) =>
    askStructured(model, ASK, schema, { signal: new AbortController().signal, ...(attempts === undefined ? {} : { attempts }) });
  return { ask, requests };
}

describe('askStructured', () => {
  test('what a model says of its answer beside it is kept, and is no part of it', async () => {
    const remark = async (text: string, schema: JsonSchema = COUNT): Promise<Json | undefined> => {
      const answer = await setup(text).ask(schema, 1);
      return answer.ok ? (answer.remark ?? null) : undefined;
    };
    expect(await remark('{"value": 7, "reason": " there are seven ", "confidence": 0.834}')).toBe('there are seven, confidence 0.834');
    expect(await remark('{"value": 7, "confidence": 1}')).toBe('confidence 1');
    expect(await remark(JSON.stringify({ value: 7, reason: 'x'.repeat(2000) }))).toHaveLength(500);
    for (const text of ['{"value": 7}', '7', '{"value": 7, "reason": 5, "confidence": 80}', '{"value": 7, "reason": " "}'])
      expect(await remark(text)).toBeNull();
    // Of an object they are members like any other.
    expect(await remark('{"reason": "x"}', { type: 'object' })).toBeNull();
  });

  test('a good answer is asked for once, wrapped in an object', async () => {
    const { ask, requests } = setup('{"value": 7}');
    expect(await ask(COUNT)).toMatchObject({ ok: true, value: 7, replies: [{ text: '{"value": 7}' }] });
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({
      temperature: 0,
      schema: { type: 'object', properties: { value: COUNT }, required: ['value'], additionalProperties: false },
    });
    expect(requests[0]!.messages[0]!.content).toContain('integer from 1 to 100');
  });

  test('an answer that does not fit is asked again with what was wrong', async () => {
    const { ask, requests } = setup('{"value": 500}', 'no idea', '{"value": 50}');
    const answer = await ask(COUNT);
    expect(answer).toMatchObject({ ok: true, value: 50 });
    expect(answer.replies).toHaveLength(3);
    expect(answer.asked).toEqual(requests);
    expect(requests[1]!.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user']);
    expect(requests[1]!.messages.at(-1)!.content).toContain('it must be an integer from 1 to 100');
    expect(requests[2]!.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant', 'user']);
  });

  test('gives up after three answers and says why', async () => {
    const { ask, requests } = setup('a', 'b', '{"value": 0}', '{"value": 5}');
    expect(await ask(COUNT)).toMatchObject({ ok: false, problem: 'it must be an integer from 1 to 100', replies: [{}, {}, {}] });
    expect(requests).toHaveLength(3);
    const once = setup('a');
    expect(await once.ask(COUNT, 1)).toMatchObject({ ok: false });
  });

  test('what a model throws is thrown on', async () => {
    const failing = { generate: () => Promise.reject(new Error('down')) };
    await expect(askStructured(failing, ASK, COUNT, { signal: new AbortController().signal })).rejects.toThrow('down');
  });

  test('a plain shape is told in words, another with its schema', async () => {
    const told = async (schema: JsonSchema): Promise<string> => {
      const { ask, requests } = setup('{"value": []}');
      await ask(schema, 1);
      return textOf(requests[0]!.messages[0]!.content);
    };
    expect(await told({ enum: ['a', 'b'] })).toBe('How many?\n\nAnswer with nothing but JSON of this form: {"value": …}, where the value is: one of: a, b.');
    const list: JsonSchema = { type: 'array', items: { type: 'object', required: ['a'] } };
    expect(await told(list)).toContain(JSON.stringify(list));
  });

  test('a schema of an object is asked for as it is', async () => {
    const schema: JsonSchema = { type: 'object', required: ['name'], properties: { name: { type: 'string' } } };
    const { ask, requests } = setup('{"name": "x"}');
    expect(await ask(schema)).toMatchObject({ ok: true, value: { name: 'x' } });
    expect(requests[0]!.schema).toEqual(schema);
  });
});

test.each<[string, JsonSchema, string, Json]>([
  ['code fence', COUNT, '```json\n{"value": 7}\n```', 7],
  ['prose around it', COUNT, 'Sure! Here {you} go: {"value": 7}. Enjoy.', 7],
  ['a number as text', COUNT, '{"value": "7"}', 7],
  ['no wrapping', COUNT, '7', 7],
  ['no wrapping, a list', { type: 'array', items: { type: 'string' } }, '["a"]', ['a']],
  ['bare text for a string', { type: 'string' }, 'Paris', 'Paris'],
  ['bare text for a choice', { enum: ['positive', 'negative'] }, ' Positive\n', 'positive'],
  ['a choice in other case', { enum: ['positive', 'negative'] }, '{"value": "POSITIVE"}', 'positive'],
  ['a number that only looks large', { type: 'integer' }, '{"value": 5e1}', 50],
  ['any JSON', {}, '{"value": {"a": [1]}}', { a: [1] }],
  ['null', { type: 'null' }, '{"value": null}', null],
  ['braces in a string', { type: 'string' }, 'It is {"value": "a } \\" { b"} so', 'a } " { b'],
  ['an object', { type: 'object', properties: { n: { type: 'integer' } } }, 'x {"n": "3"}', { n: 3 }],
])('readAnswer: %s', (_name, schema, text, value) => {
  expect(readAnswer({ text, finishReason: 'stop' }, schema)).toEqual({ value });
});

test.each<[JsonSchema, string, ModelReply['finishReason'], string]>([
  [COUNT, 'I do not know', 'stop', 'it must be an integer from 1 to 100'],
  [COUNT, '{"value": ', 'stop', 'it is not JSON'],
  [COUNT, '', 'stop', 'it is not JSON'],
  [{ type: 'string' }, '{"value": "abc', 'length', 'it was cut off at the limit of tokens'],
  [{ type: 'array', items: COUNT }, '{"value": [1, 0]}', 'stop', '`[1]` must be an integer from 1 to 100'],
  [{ type: 'object', required: ['a'], properties: { b: { items: COUNT } } }, '{"b": [0]}', 'stop', 'it must have `a`; `b[0]` must be an integer from 1 to 100'],
  [{ type: 'string', format: 'date' }, '{"value": "soon"}', 'stop', 'it must be a date such as 2026-03-29'],
])('readAnswer of %j says what is wrong with %j', (schema, text, finishReason, problem) => {
  expect(readAnswer({ text, finishReason }, schema)).toEqual({ problem });
});

test('an answer against references keeps their definitions in reach', () => {
  const schema: JsonSchema = { type: 'array', items: { $ref: '#/$defs/n' }, $defs: { n: COUNT } };
  expect(wrapSchema(schema)).toEqual({
    type: 'object',
    properties: { value: { type: 'array', items: { $ref: '#/$defs/n' } } },
    required: ['value'],
    additionalProperties: false,
    $defs: { n: COUNT },
  });
  expect(readAnswer({ text: '{"value": ["5"]}', finishReason: 'stop' }, schema)).toEqual({ value: [5] });
});

test('parseAnswer does not guess: single quotes and half values are no JSON', () => {
  expect(parseAnswer("{'value': 1}")).toBeUndefined();
  expect(parseAnswer('{"value": [1, 2')).toBeUndefined();
  expect(parseAnswer('null')).toBeNull();
  expect(parseAnswer('{'.repeat(100_000))).toBeUndefined();
});
