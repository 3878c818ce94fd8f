import { isObject, type JsonObject } from '../../src/json.ts';
import type { Answer, RecordedRequest } from './model-server.ts';

/** An answer in the dialect of Anthropic's messages. */
export function anthropicMessage(request: RecordedRequest, given: Answer): JsonObject {
  return {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: given.model ?? (request.body['model'] as string),
    content: given.fault === 'empty' ? [] : [block(request, given)],
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
  const tool = toolOf(request);
  const pieces = (given.text ?? '').match(/[\s\S]{1,4}/g) ?? [];
  const started = tool === undefined ? { type: 'text', text: '' } : { type: 'tool_use', id: 'toolu_1', name: tool, input: {} };
  const delta = (text: string): JsonObject => (tool === undefined ? { type: 'text_delta', text } : { type: 'input_json_delta', partial_json: text });
  return [
    event('message_start', { message: { ...message, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } } }),
    ...(given.fault === 'empty'
      ? []
      : [
          event('content_block_start', { index: 0, content_block: started }),
          ...pieces.map(text => event('content_block_delta', { index: 0, delta: delta(text) })),
          event('content_block_stop', { index: 0 }),
        ]),
    event('message_delta', {
      delta: { stop_reason: stopReason(request, given), stop_sequence: null },
      ...(usage === undefined ? {} : { usage: { output_tokens: usage['output_tokens'] ?? null } }),
    }),
    event('message_stop', {}),
  ];
}

/** Structured output comes as the input of the one tool that must be used. */
function block(request: RecordedRequest, { text = '' }: Answer): JsonObject {
  const tool = toolOf(request);
  if (tool === undefined) return { type: 'text', text };
  let input: JsonObject;
  try {
    input = JSON.parse(text) as JsonObject;
  } catch {
    return { type: 'text', text };
  }
  return { type: 'tool_use', id: 'toolu_1', name: tool, input };
}

function toolOf({ body }: RecordedRequest): string | undefined {
  const tools = Array.isArray(body['tools']) ? body['tools'].filter(isObject) : [];
  return tools.map(tool => tool['name']).find(name => typeof name === 'string');
}

/** The schema of the tool by which structured output is asked for. */
export function toolSchema({ body }: RecordedRequest): JsonObject | undefined {
  const tools = Array.isArray(body['tools']) ? body['tools'].filter(isObject) : [];
  return tools[0] === undefined || !isObject(tools[0]['input_schema']) ? undefined : tools[0]['input_schema'];
}

function stopReason(request: RecordedRequest, { finishReason, refusal }: Answer): string {
  if (refusal !== undefined) return 'refusal';
  return finishReason ?? (toolOf(request) === undefined ? 'end_turn' : 'tool_use');
}

function usageOf(request: RecordedRequest, { usage, text = '' }: Answer): JsonObject {
  if (usage === null) return {};
  const input = Math.ceil(JSON.stringify(request.body['messages']).length / 4);
  return { usage: usage ?? { input_tokens: input, output_tokens: Math.ceil(text.length / 4) } };
}
