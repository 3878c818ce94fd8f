/**
 * A model service in a process of its own, with a ledger of its own: it bills every request that it begins to answer, as services do, also where nobody is
 * left to read the answer. Speaks chat completions, streamed and whole, late and slowly. Whoever started it is told of each step over the channel of the process.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request that was billed. */
export interface Bill {
  id: number;
  /** First part of the address: which lane asked. */
  lane: string;
  /** The question, by the mark that stands in every prompt. */
  mark: string;
  turn: number;
  inputTokens: number;
  outputTokens: number;
  nanoUsd: number;
  /** Whether the whole answer was handed over. */
  isDelivered: boolean;
}

export type Told =
  | { type: 'listening'; url: string }
  | { type: 'midway' | 'delivered'; lane: string; mark: string }
  /** `turn`: how many messages it had, which tells a question from the one that mends its answer. */
  | { type: 'asked'; lane: string; mark: string; turn: number; billed: boolean }
  | { type: 'ledger'; lane: string; bills: Bill[] };

export const INPUT_NANO_USD = 1_500;
export const OUTPUT_NANO_USD = 6_000;
const MODEL = 'crash-1';
const LONGEST_PAUSE_MS = 12;

interface Body {
  messages: { role: string; content: string }[];
  stream?: boolean;
  response_format?: { json_schema?: { schema: { properties?: { [name: string]: { type?: string } } } } };
}

const ledger = new Map<string, Bill[]>();
/** Marks of which the first request was refused, or its answer cut short. */
const refused = new Set<string>();
const cut = new Set<string>();
let next = 1;

function tell(told: Told): void {
  process.send?.(told);
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const lane = request.url!.split('/')[1]!;
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const body = JSON.parse(Buffer.concat(parts).toString()) as Body;
  const text = JSON.stringify(body.messages);
  const mark = /q-[\w-]+/.exec(text)?.[0] ?? 'none';
  const turn = body.messages.length;
  // One in eight is overloaded at first, which costs nothing.
  if (mark.length % 8 === 1 && !refused.has(lane + mark)) {
    refused.add(lane + mark);
    tell({ type: 'asked', lane, mark, turn, billed: false });
    response.writeHead(503, { 'content-type': 'application/json' }).end('{"error":{"message":"overloaded"}}');
    return;
  }
  const id = next++;
  // Each bill is another, so that a row of the other ledger can be told from all others of its question.
  const bill: Bill = { id, lane, mark, turn, inputTokens: Math.ceil(text.length / 4), outputTokens: 3 + id, nanoUsd: 0, isDelivered: false };
  bill.nanoUsd = bill.inputTokens * INPUT_NANO_USD + bill.outputTokens * OUTPUT_NANO_USD;
  ledger.set(lane, [...(ledger.get(lane) ?? []), bill]);
  tell({ type: 'asked', lane, mark, turn, billed: true });
  response.on('finish', () => {
    bill.isDelivered = true;
    tell({ type: 'delivered', lane, mark });
  });
  await pause();
  // Of one in eight the connection breaks in the middle of the first answer, which is billed all the same.
  const breaks = mark.length % 8 === 3 && !cut.has(lane + mark);
  if (breaks) cut.add(lane + mark);
  await send(response, { streams: body.stream === true, breaks }, contentOf(body, id, mark), bill);
}

/**
 * A text, or the object that the schema asks for: texts and whole numbers. Half of the answers to a schema have to be mended. No answer repeats the mark, which may go into
 * the next prompt.
 */
function contentOf({ messages, response_format: format }: Body, id: number, mark: string): string {
  const words = `the answer number ${id}, which is a little longer`;
  const schema = format?.json_schema?.schema;
  if (schema === undefined || (mark.length % 2 === 0 && messages.at(-2)?.role !== 'assistant')) return words;
  const fields = Object.entries(schema.properties ?? {}).map(([name, { type }]) => [name, type === 'integer' ? id : words]);
  return JSON.stringify(Object.fromEntries(fields));
}

async function send(response: ServerResponse, { streams, breaks }: { streams: boolean; breaks: boolean }, content: string, bill: Bill): Promise<void> {
  const { inputTokens, outputTokens, lane, mark } = bill;
  const head = { id: `chat-${bill.id}`, created: 1_700_000_000, model: MODEL };
  const usage = { prompt_tokens: inputTokens, completion_tokens: outputTokens, total_tokens: inputTokens + outputTokens };
  if (!streams) {
    const choices = [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }];
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ ...head, object: 'chat.completion', choices, usage }));
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const chunk = (rest: object): void => void response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', ...rest })}\n\n`);
  const pieces = content.match(/[\s\S]{1,9}/g) ?? [];
  for (const [i, piece] of pieces.entries()) {
    chunk({ choices: [{ index: 0, delta: { role: 'assistant', content: piece }, finish_reason: null }] });
    if (i === Math.floor(pieces.length / 2)) {
      tell({ type: 'midway', lane, mark });
      if (breaks) return void response.destroy();
    }
    if (Math.random() < 0.4) await pause();
  }
  chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
  chunk({ choices: [], usage });
  response.end('data: [DONE]\n\n');
}

function pause(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, Math.random() * LONGEST_PAUSE_MS));
}

const server = createServer((request, response) => {
  // A client that was killed leaves half a request, or nobody to answer to.
  answer(request, response).catch(() => response.destroy());
});
server.listen(0, '127.0.0.1', () => tell({ type: 'listening', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
process.on('message', ({ lane }: { lane: string }) => tell({ type: 'ledger', lane, bills: ledger.get(lane) ?? [] }));
process.on('disconnect', () => process.exit());
