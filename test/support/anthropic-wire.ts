import { isObject, type JsonObject } from '../../src/json.ts';
import type { Answer, RecordedRequest, WireCall } from './model-server.ts';

/** An answer in the dialect of Anthropic's messages. */
export function anthropicMessage(request: RecordedRequest, given: Answer): JsonObject {
  return {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: given.model ?? (request.body['model'] as string),
    content: given.fault === 'empty' ? [] : blocks(request, given),
    stop_reason: stopReason(request, given),
    stop_sequence: null,
    ...usageOf(request, given),
  };
}

/** The same as server-sent events, four characters a piece. */
export function anthropicEvents(request: RecordedRequest, given: Answer): string[] {
  const event = (type: string, rest: JsonObject): string => `event: ${type}\ndata: ${JSON.stringify({ type, ...rest })}\n\n`;
  const message = anthropicMessage(request, given);
  const usage = (message['usage'] ?? undefined) as JsonObject | undefined;
  const streamed = (index: number, started: JsonObject, deltas: JsonObject[]): string[] => [
    event('content_block_start', { index, content_block: started }),
    ...deltas.map(delta => event('content_block_delta', { index, delta })),
    event('content_block_stop', { index }),
  ];
  const tool = toolOf(request);
  const calls = given.toolCalls ?? (tool === undefined ? [] : [{ name: tool, arguments: given.text ?? '' }]);
  const text = tool === undefined || given.toolCalls !== undefined ? given.text : undefined;
  const texts =
    text === undefined && calls.length > 0
      ? []
      : [
          streamed(
            0,
            { type: 'text', text: '' },
            piecesOf(text).map(piece => ({ type: 'text_delta', text: piece })),
          ),
        ];
  const uses = calls.map((call, at) =>
    streamed(
      texts.length + at,
      { type: 'tool_use', id: `toolu_${at + 1}`, name: call.name, input: {} },
      piecesOf(call.arguments).map(piece => ({ type: 'input_json_delta', partial_json: piece })),
    ),
  );
  return [
    event('message_start', { message: { ...message, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } } }),
    ...(given.fault === 'empty' ? [] : [...texts, ...uses].flat()),
    event('message_delta', {
      delta: { stop_reason: stopReason(request, given), stop_sequence: null },
      ...(usage === undefined ? {} : { usage: { output_tokens: usage['output_tokens'] ?? null } }),
    }),
    event('message_stop', {}),
  ];
}

function piecesOf(text = ''): string[] {
  return text.match(/[\s\S]{1,4}/g) ?? [];
}

/** Structured output comes as the input of a tool of the client's own. Input is JSON already: what is none can only be streamed. */
function blocks(request: RecordedRequest, { text, toolCalls }: Answer): JsonObject[] {
  const tool = toolOf(request);
  if (toolCalls === undefined && tool !== undefined) return [useOf({ name: tool, arguments: text ?? '' }, 0) ?? { type: 'text', text: text ?? '' }];
  const calls = (toolCalls ?? []).map(useOf).filter(use => use !== undefined);
  return [...(text === undefined && calls.length > 0 ? [] : [{ type: 'text', text: text ?? '' }]), ...calls];
}

function useOf({ name, arguments: given }: WireCall, at: number): JsonObject | undefined {
  try {
    return { type: 'tool_use', id: `toolu_${at + 1}`, name, input: JSON.parse(given) as JsonObject };
  } catch {
    return undefined;
  }
}

/** The tool by which the AI SDK asks for structured output. */
function toolOf({ body }: RecordedRequest): string | undefined {
  const tools = Array.isArray(body['tools']) ? body['tools'].filter(isObject) : [];
  return tools.some(tool => tool['name'] === 'json') ? 'json' : undefined;
}

/** The schema of that tool. */
export function toolSchema({ body }: RecordedRequest): JsonObject | undefined {
  const tools = Array.isArray(body['tools']) ? body['tools'].filter(isObject) : [];
  const schema = tools.find(tool => tool['name'] === 'json')?.['input_schema'];
  return schema !== undefined && isObject(schema) ? schema : undefined;
}

function stopReason(request: RecordedRequest, { finishReason, refusal, toolCalls }: Answer): string {
  if (refusal !== undefined) return 'refusal';
  return finishReason ?? (toolCalls === undefined && toolOf(request) === undefined ? 'end_turn' : 'tool_use');
}

function usageOf(request: RecordedRequest, { usage, text = '' }: Answer): JsonObject {
  if (usage === null) return {};
  const input = Math.ceil(JSON.stringify(request.body['messages']).length / 4);
  return { usage: usage ?? { input_tokens: input, output_tokens: Math.ceil(text.length / 4) } };
}
