import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4FinishReason, LanguageModelV4ToolCall, LanguageModelV4Usage } from '@ai-sdk/provider';
import type { Clock } from '../clock.ts';
import type { Json, JsonObject } from '../json.ts';
import { parseAnswer } from './answer-text.ts';
import { badReply, refused, type Asked } from './failures.ts';
import type { ModelReply, ModelRequest, ModelUsage, ToolCall } from './port.ts';
import { readRateWindows } from './rates.ts';

/** One call of a model of the AI SDK. */
export interface Call {
  model: LanguageModelV4;
  settings: LanguageModelV4CallOptions;
  clock: Clock;
  startedAt: number;
  asked: Asked;
}

type RawReply = Omit<ModelReply, 'object' | 'finishReason' | 'toolCalls'> & {
  finish: LanguageModelV4FinishReason['unified'];
  calls: LanguageModelV4ToolCall[];
};

/** Asks once, piece by piece where somebody listens. */
export async function askOnce(call: Call, request: ModelRequest, onToken: ((text: string) => void) | undefined): Promise<ModelReply> {
  return finish(call.asked, request, await (onToken === undefined ? callWhole(call) : callStreaming(call, onToken)));
}

async function callWhole({ model, settings, clock, startedAt }: Call): Promise<RawReply> {
  const { content, finishReason, usage, response, structuredOutputText } = await model.doGenerate(settings);
  return {
    model: response?.modelId ?? model.modelId,
    text: structuredOutputText ?? content.map(part => (part.type === 'text' ? part.text : '')).join(''),
    calls: content.filter(part => part.type === 'tool-call'),
    finish: finishReason.unified,
    ...readUsage(usage),
    ...ratesOf(response?.headers, clock),
    latencyMs: clock.monotonic() - startedAt,
    firstTokenMs: undefined,
  };
}

async function callStreaming({ model, settings, clock, startedAt, asked }: Call, onToken: (text: string) => void): Promise<RawReply> {
  const { stream, response } = await model.doStream(settings);
  let text = '';
  const calls: LanguageModelV4ToolCall[] = [];
  let firstTokenMs: number | undefined;
  let answeredBy = model.modelId;
  let end: { finishReason: LanguageModelV4FinishReason; usage: LanguageModelV4Usage } | undefined;
  for await (const part of stream) {
    if (part.type === 'error') throw part.error;
    if (part.type === 'response-metadata') answeredBy = part.modelId ?? answeredBy;
    if (part.type === 'finish') end = part;
    if (part.type === 'tool-call') calls.push(part);
    if (part.type === 'text-delta' || part.type === 'tool-input-delta') firstTokenMs ??= clock.monotonic() - startedAt;
    if (part.type !== 'text-delta') continue;
    text += part.delta;
    onToken(part.delta);
  }
  if (end?.finishReason.raw === undefined) throw badReply(asked, 'the stream ended before the answer was complete');
  return {
    model: answeredBy,
    text,
    calls,
    finish: end.finishReason.unified,
    ...readUsage(end.usage),
    ...ratesOf(response?.headers, clock),
    latencyMs: clock.monotonic() - startedAt,
    firstTokenMs,
  };
}

export function ratesOf(headers: Record<string, string> | undefined, clock: Clock): Pick<ModelReply, 'rates'> {
  const rates = readRateWindows(headers ?? {}, clock.now());
  return rates.length === 0 ? {} : { rates };
}

function readUsage({ inputTokens, outputTokens }: LanguageModelV4Usage): { usage: ModelUsage; usageUnknown?: true } {
  const count = (tokens: number | undefined): number => (isCount(tokens) ? tokens : 0);
  const [input, output, written] = [count(inputTokens.total), count(outputTokens.total), count(inputTokens.cacheWrite)];
  const usage: ModelUsage = {
    inputTokens: input,
    outputTokens: output,
    cachedInputTokens: Math.min(count(inputTokens.cacheRead), input),
    reasoningTokens: Math.min(count(outputTokens.reasoning), output),
    ...(written > 0 ? { cacheWriteTokens: written } : {}),
  };
  // A count that is no count, or half of one, would be a wrong bill; and no call takes nothing in.
  return input > 0 && isCount(outputTokens.total) ? { usage } : { usage, usageUnknown: true };
}

export function isCount(tokens: unknown): tokens is number {
  return Number.isSafeInteger(tokens) && (tokens as number) >= 0;
}

function finish(asked: Asked, request: ModelRequest, { finish: reason, calls, ...reply }: RawReply): ModelReply {
  if (reason === 'interrupted') throw badReply(asked, 'it ended before the answer was complete');
  if (reason === 'content-filter') throw refused(asked, { model: reply.model, usage: { ...reply.usage } });
  if (reason === 'error') throw badReply(asked, 'it ended with an error');
  // Where a shape is asked for, a service may give it as a tool of its own.
  const wanted = request.tools === undefined ? [] : calls.filter(call => call.providerExecuted !== true);
  if (wanted.length > 0) {
    const toolCalls = wanted.map(call => readCall(asked, call, reason === 'length', reply.usage));
    return { ...reply, toolCalls, finishReason: 'tool_calls' };
  }
  const object = request.schema === undefined ? undefined : parseAnswer(reply.text);
  return { ...reply, ...(object === undefined ? {} : { object }), finishReason: reason === 'stop' || reason === 'length' ? reason : 'other' };
}

/** A tool call with its arguments parsed. What was said in vain is billed all the same. */
function readCall(asked: Asked, { toolCallId, toolName, input, providerMetadata }: LanguageModelV4ToolCall, isCut: boolean, usage: ModelUsage): ToolCall {
  let given: Json;
  try {
    given = input.trim() === '' ? {} : (JSON.parse(input) as Json);
  } catch {
    const reason = isCut ? 'are cut off at the limit of tokens' : 'are no JSON';
    throw badReply(asked, `the arguments for the tool ${toolName} ${reason}`, { usage: { ...usage } });
  }
  const call: ToolCall = { id: toolCallId, name: toolName, arguments: given };
  return providerMetadata === undefined ? call : { ...call, opaque: providerMetadata as JsonObject };
}
