import { fence, FENCE_RULE } from '../fence.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { wrapSchema } from './answers.ts';
import { withText } from './content.ts';
import { badReply, type Asked } from './failures.ts';
import { parseAnswer } from './answer-text.ts';
import type { GenerateOptions, Model, ModelMessage, ModelReply, ModelRequest, ModelTool, ToolCall } from './port.ts';

/**
 * Brings a model that has no tools of its own to them: each answer must be of a shape that says which tool it wants, with which arguments, or what it has to say.
 * Requests without tools go as they are, but for the calls in their history, which are told in words.
 */
export function toolsByShape(asked: Asked, generate: Model['generate']): Model['generate'] {
  return async (request, options) => {
    const { tools = [], toolChoice = 'auto', ...rest } = request;
    const messages = toldMessages(request.messages);
    if (tools.length === 0 || toolChoice === 'none') return generate({ ...rest, messages }, options);
    const may = typeof toolChoice === 'object' ? tools.filter(({ name }) => name === toolChoice.name) : tools;
    const mayAnswer = toolChoice === 'auto';
    const schema = wrapSchema(stepSchema(may, mayAnswer));
    const { onToken: _onToken, ...quiet } = options;
    const reply = await generate({ ...rest, messages: withTools(messages, may, mayAnswer), schema }, quiet);
    return readStep(asked, request, reply, { may, mayAnswer, options });
  };
}

/** Either a tool with its arguments, or an answer. Definitions of tools are hoisted to the root, where references look for them. */
function stepSchema(tools: readonly ModelTool[], mayAnswer: boolean): JsonObject {
  const steps = tools.map(({ name, parameters }): JsonObject => {
    const { $defs: _defs, definitions: _definitions, ...own } = isObject(parameters) ? parameters : ({ type: 'object' } as JsonObject);
    return objectOf({ tool: { const: name }, arguments: own });
  });
  if (mayAnswer) steps.push(objectOf({ answer: { type: 'string' } }));
  return { anyOf: steps, ...hoisted(tools, '$defs'), ...hoisted(tools, 'definitions') };
}

function objectOf(properties: JsonObject): JsonObject {
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false };
}

function hoisted(tools: readonly ModelTool[], keyword: string): JsonObject {
  const parts = tools.map(({ parameters }) => (isObject(parameters) ? parameters[keyword] : undefined)).filter(part => isObject(part ?? null));
  return parts.length === 0 ? {} : { [keyword]: Object.assign({}, ...parts) as JsonObject };
}

/** The tools in words, before what is asked. */
function withTools(messages: ModelMessage[], tools: readonly ModelTool[], mayAnswer: boolean): ModelMessage[] {
  const lines = [
    'You can have these tools run:',
    ...tools.map(({ name, description, parameters }) => `- ${name}: ${description} Its arguments fit this JSON Schema: ${JSON.stringify(parameters)}`),
    'To have one run, answer with nothing but {"value": {"tool": NAME, "arguments": {…}}}.',
    ...(mayAnswer ? ['When you know what to say, answer with nothing but {"value": {"answer": TEXT}}.'] : []),
    FENCE_RULE,
  ];
  const text = lines.join('\n');
  const [first, ...rest] = messages;
  if (first?.role === 'system') return [{ ...first, content: withText(first.content, `\n\n${text}`) }, ...rest];
  return [{ role: 'system', content: text }, ...messages];
}

/** Tool calls and what came of them as a model reads them that knows of no tools. What several gave stands in one message. */
function toldMessages(messages: readonly ModelMessage[]): ModelMessage[] {
  const told: ModelMessage[] = [];
  let follows = false;
  for (const message of messages) {
    const last = told.at(-1);
    if (message.role === 'tool' && follows && last?.role === 'user') last.content = withText(last.content, `\n${tellResult(message)}`);
    else if (message.role === 'tool') told.push({ role: 'user', content: tellResult(message) });
    else if (message.role === 'assistant' && message.toolCalls !== undefined) told.push({ role: 'assistant', content: tellCalls(message.toolCalls) });
    else told.push(message);
    follows = message.role === 'tool';
  }
  return told;
}

function tellCalls(calls: readonly ToolCall[]): string {
  return calls.map(({ name, arguments: given }) => JSON.stringify({ value: { tool: name, arguments: given } })).join('\n');
}

function tellResult({ name, content, failed }: Extract<ModelMessage, { role: 'tool' }>): string {
  return `The tool ${name} ${failed === true ? 'failed' : 'gave'}:\n${fence(name, content)}`;
}

/** Reads the step out of an answer. Bare text is an answer, where it may be one. */
function readStep(
  asked: Asked,
  request: ModelRequest,
  { object, ...reply }: ModelReply,
  { may, mayAnswer, options }: { may: readonly ModelTool[]; mayAnswer: boolean; options: GenerateOptions },
): ModelReply {
  const whole = object ?? parseAnswer(reply.text);
  const step = isObject(whole ?? null) ? ((whole as JsonObject)['value'] ?? whole) : whole;
  if (isObject(step ?? null)) {
    const { tool, arguments: given, answer } = step as JsonObject;
    if (typeof tool === 'string' && may.some(({ name }) => name === tool)) return withCall(request, reply, tool, given ?? {});
    if (mayAnswer && typeof answer === 'string') return withAnswer(reply, answer, options);
  } else if (mayAnswer && reply.text.trim() !== '') return withAnswer(reply, reply.text, options);
  const reason = reply.finishReason === 'length' ? 'it was cut off at the limit of tokens' : 'it names none of the tools';
  throw badReply(asked, reason, { usage: { ...reply.usage } });
}

function withCall(request: ModelRequest, reply: ModelReply, name: string, given: Json): ModelReply {
  // The number of calls before makes a name that is the same when the conversation is.
  const before = request.messages.reduce((sum, message) => sum + (message.role === 'assistant' ? (message.toolCalls?.length ?? 0) : 0), 0);
  return { ...reply, text: '', toolCalls: [{ id: `call_${before + 1}`, name, arguments: given }], finishReason: 'tool_calls' };
}

function withAnswer(reply: ModelReply, text: string, { onToken }: GenerateOptions): ModelReply {
  onToken?.(text);
  return { ...reply, text };
}
