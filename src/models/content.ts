import { fence } from '../fence.ts';
import { sha256 } from '../hash.ts';
import type { Json } from '../json.ts';
import type { Content, ContentPart, ModelMessage, ModelRequest } from './port.ts';

/** An image or a file. */
export type Attachment = Exclude<ContentPart, { type: 'text' }>;

/** The text of a content; its images and files say nothing here. */
export function textOf(content: Content): string {
  return typeof content === 'string' ? content : content.map(part => (part.type === 'text' ? part.text : '')).join('');
}

/** A content with a text after it. */
export function withText(content: Content, text: string): Content {
  return typeof content === 'string' ? content + text : [...content, { type: 'text', text }];
}

/** Images and files of messages, in order. */
export function attachmentsOf(messages: readonly ModelMessage[]): Attachment[] {
  return messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content.filter(part => part.type !== 'text')));
}

/** All that a request says in words, piece by piece: its messages, the tool calls in them, and its tools. */
export function textsOf({ messages, tools = [] }: Pick<ModelRequest, 'messages' | 'tools'>): string[] {
  return [
    ...messages.flatMap(message => {
      const calls = message.role === 'assistant' ? (message.toolCalls ?? []) : [];
      return [textOf(message.content), ...calls.map(call => JSON.stringify(call))];
    }),
    ...tools.map(tool => JSON.stringify(tool)),
  ];
}

/** Whether a file is text, which is read as it is. */
export function isText(mediaType: string): boolean {
  return /^text\/|[/+](json|xml|yaml|csv)$/.test(mediaType);
}

/** The parts of a content, a file of text as a text that says which it is: any model reads that. */
export function spelledOut(content: Content): ContentPart[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return content.map(part => {
    if (part.type !== 'file' || !isText(part.mediaType)) return part;
    return { type: 'text', text: `\n${fence(part.name ?? 'file', Buffer.from(part.data, 'base64').toString())}\n` };
  });
}

/** Bytes that base64 stands for. */
export function bytesOf({ data }: Attachment): number {
  return Math.floor((data.length * 3) / 4) - (data.endsWith('==') ? 2 : data.endsWith('=') ? 1 : 0);
}

/** Messages as a journal keeps them: what an image or a file held is told by its size and hash. */
export function withoutData(messages: readonly ModelMessage[]): Json {
  const told = messages.map(message => ({
    ...message,
    content: typeof message.content === 'string' ? message.content : message.content.map(part => (part.type === 'text' ? part : tellAttachment(part))),
  }));
  return told as unknown as Json;
}

function tellAttachment(part: Attachment): Json {
  const { data, ...rest } = part;
  return { ...rest, bytes: bytesOf(part), sha256: sha256(Buffer.from(data, 'base64')) };
}
