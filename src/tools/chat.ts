import { OrchestratorError } from '../errors.ts';
import { FENCE_RULE } from '../fence.ts';
import { isObject, type JsonObject } from '../json.ts';
import { given, optionalNumber, optionalText, texts } from './parameters.ts';
import type { Action, ActionContext, ModelMessage } from './port.ts';
import { ATTACHMENT_PARAMETERS, MODEL_PARAMETERS, settingsOf, systemMessages, userMessage } from './prompts.ts';

const MESSAGE: JsonObject = {
  type: 'object',
  required: ['role', 'content'],
  additionalProperties: false,
  properties: {
    role: { type: 'string', enum: ['user', 'assistant'] },
    content: { type: 'string' },
    images: { type: 'array', items: { type: 'string' } },
    files: { type: 'array', items: { type: 'string' } },
  },
};

/** The conversation so far, and what is said now. Images and files stand in it by their paths, so that it stays small and can be kept. */
function conversationOf(parameters: JsonObject): JsonObject[] {
  const history = given(parameters, 'messages') ?? [];
  const before = (Array.isArray(history) ? history : []).filter(isObject);
  const prompt = optionalText(parameters, 'prompt');
  const [images, files] = [texts(parameters, 'images'), texts(parameters, 'files')];
  const said = { role: 'user', content: prompt ?? '', ...(images.length === 0 ? {} : { images }), ...(files.length === 0 ? {} : { files }) };
  const messages = prompt === undefined && images.length + files.length === 0 ? before : [...before, said];
  if (messages.at(-1)?.['role'] !== 'user')
    throw new OrchestratorError('ORC-211', 'There is nothing to answer: give a prompt, or messages of which the last is one of the user.', {
      class: 'invalid_input',
    });
  return messages;
}

/** The last so many messages, from one of the user on: services take no conversation that begins with an answer. */
function latest(messages: JsonObject[], most: number | undefined): JsonObject[] {
  if (most === undefined || messages.length <= most) return messages;
  const shown = messages.slice(-most);
  return shown.slice(shown.findIndex(({ role }) => role === 'user'));
}

async function chat(parameters: JsonObject, context: ActionContext): Promise<JsonObject> {
  const conversation = conversationOf(parameters);
  const messages: ModelMessage[] = systemMessages(parameters, conversation.some(message => 'files' in message) ? FENCE_RULE : undefined);
  for (const message of latest(conversation, optionalNumber(parameters, 'max_messages'))) {
    const content = String(message['content']);
    messages.push(message['role'] === 'user' ? await userMessage(content, message, context) : { role: 'assistant', content });
  }
  const { text, model } = await context.models.ask({ purpose: 'chat', messages, ...settingsOf(parameters) });
  return { reply: text, messages: [...conversation, { role: 'assistant', content: text }], model };
}

export const CHAT_ACTIONS: Action[] = [
  {
    name: 'chat',
    summary: 'Goes on with a conversation with a model.',
    effect: 'read',
    powers: ['model'],
    description:
      'The result holds the conversation so far; a later task goes on with it by messages: "{{ ID.messages }}". It is kept like every result, so that a conversation outlives the process.',
    parameters: {
      type: 'object',
      anyOf: [{ required: ['prompt'] }, { required: ['messages'] }],
      additionalProperties: false,
      properties: {
        prompt: { type: 'string', minLength: 1, description: 'What the user says now.' },
        messages: { type: 'array', items: MESSAGE, description: 'The conversation so far: { role: user or assistant, content, images, files }.' },
        max_messages: { type: 'integer', minimum: 1, description: 'The model is shown so many of the latest messages; all, without it.' },
        ...ATTACHMENT_PARAMETERS,
        ...MODEL_PARAMETERS,
      },
    },
    result: {
      type: 'object',
      required: ['reply', 'messages', 'model'],
      additionalProperties: false,
      properties: {
        reply: { type: 'string', description: 'What the model answered.' },
        messages: { type: 'array', items: MESSAGE, description: 'The whole conversation, the answer in it.' },
        model: { type: 'string', description: 'The model that answered.' },
      },
    },
    example: '- id: more\n  action: chat\n  parameters: { messages: "{{ first.messages }}", prompt: "And in one sentence?" }',
    run: chat,
  },
];
