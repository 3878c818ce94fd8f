import type {
  LanguageModelV4CallOptions,
  LanguageModelV4FilePart,
  LanguageModelV4FunctionTool,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
  LanguageModelV4TextPart,
  LanguageModelV4ToolChoice,
  LanguageModelV4ToolResultPart,
} from '@ai-sdk/provider';
import { isObject, type JsonObject, type JsonSchema } from '../json.ts';
import { spelledOut, textOf } from './content.ts';
import type { Content, ModelMessage, ModelRequest, ToolChoice } from './port.ts';
import type { StructuredOutput } from './services.ts';

export interface RequestForm {
  providerOptions: { [provider: string]: JsonObject };
  structuredOutput?: StructuredOutput;
}

type ProviderOptions = NonNullable<LanguageModelV4CallOptions['providerOptions']>;
type ResponseFormat = NonNullable<LanguageModelV4CallOptions['responseFormat']>;
type ShapeSchema = NonNullable<Extract<ResponseFormat, { type: 'json' }>['schema']>;

/** A request as the AI SDK takes it. */
export function settingsOf(request: ModelRequest, abortSignal: AbortSignal, form: RequestForm): LanguageModelV4CallOptions {
  const { messages, schema, temperature, maxTokens, seed } = request;
  const { providerOptions, structuredOutput = 'json_schema' } = form;
  const tools = toolsOf(request);
  return {
    prompt: promptOf(messages),
    abortSignal,
    providerOptions: providerOptions as ProviderOptions,
    ...tools,
    ...(schema === undefined || tools.tools !== undefined || structuredOutput === 'none' ? {} : { responseFormat: formatOf(schema, structuredOutput) }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(maxTokens === undefined ? {} : { maxOutputTokens: maxTokens }),
    ...(seed === undefined ? {} : { seed }),
  };
}

function formatOf(schema: JsonSchema, form: Exclude<StructuredOutput, 'none'>): ResponseFormat {
  return form === 'json_object' ? { type: 'json' } : { type: 'json', name: 'answer', schema: isObject(schema) ? (schema as ShapeSchema) : {} };
}

function toolsOf({ tools = [], toolChoice = 'auto' }: ModelRequest): { tools?: LanguageModelV4FunctionTool[]; toolChoice?: LanguageModelV4ToolChoice } {
  if (tools.length === 0) return {};
  return {
    tools: tools.map(({ name, description, parameters }) => ({
      type: 'function',
      name,
      description,
      inputSchema: (isObject(parameters) ? parameters : { type: 'object' }) as ShapeSchema,
    })),
    toolChoice: choiceOf(toolChoice),
  };
}

function choiceOf(choice: ToolChoice): LanguageModelV4ToolChoice {
  return typeof choice === 'string' ? { type: choice } : { type: 'tool', toolName: choice.name };
}

/** Messages as the SDK takes them. What several tools gave stands in one message, as services want it. */
function promptOf(messages: readonly ModelMessage[]): LanguageModelV4Prompt {
  const prompt: LanguageModelV4Prompt = [];
  for (const message of messages) {
    const last = prompt.at(-1);
    if (message.role === 'tool' && last?.role === 'tool') last.content.push(toolResult(message));
    else prompt.push(messageOf(message));
  }
  return prompt;
}

function messageOf(message: ModelMessage): LanguageModelV4Message {
  switch (message.role) {
    case 'system':
      return { role: 'system', content: textOf(message.content) };
    case 'user':
      return { role: 'user', content: partsOf(message.content) };
    case 'tool':
      return { role: 'tool', content: [toolResult(message)] };
    case 'assistant': {
      const { content, toolCalls = [] } = message;
      const calls = toolCalls.map(({ id, name, arguments: input, opaque }) => ({
        type: 'tool-call' as const,
        toolCallId: id,
        toolName: name,
        input,
        ...(opaque === undefined ? {} : { providerOptions: opaque as ProviderOptions }),
      }));
      // A service refuses an empty text beside calls.
      return { role: 'assistant', content: [...(calls.length > 0 && textOf(content) === '' ? [] : partsOf(content)), ...calls] };
    }
  }
}

function toolResult({ toolCallId, name, content, failed }: Extract<ModelMessage, { role: 'tool' }>): LanguageModelV4ToolResultPart {
  return { type: 'tool-result', toolCallId, toolName: name, output: { type: failed === true ? 'error-text' : 'text', value: content } };
}

function partsOf(content: Content): (LanguageModelV4TextPart | LanguageModelV4FilePart)[] {
  return spelledOut(content).map(part => {
    if (part.type === 'text') return part;
    const { mediaType, data } = part;
    const name = part.type === 'file' ? part.name : undefined;
    return { type: 'file', mediaType, data: { type: 'data', data }, ...(name === undefined ? {} : { filename: name }) };
  });
}
