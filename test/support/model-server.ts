import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isObject, type Json, type JsonObject, type JsonSchema } from '../../src/json.ts';
import { anthropicEvents, anthropicMessage, toolSchema } from './anthropic-wire.ts';

/** A request as it came over the wire. */
export interface RecordedRequest {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: JsonObject;
  /** Set once the other side has hung up before the answer was complete. */
  aborted: boolean;
}

/** What the server does with a request instead of answering it well. */
export type Fault =
  | 'reset' // hangs up before a byte
  | 'reset-midway' // hangs up in the middle of the body
  | 'truncate' // ends the body early, as if it were complete
  | 'malformed' // a body that is no JSON
  | 'html' // a page, with status 200
  | 'empty' // no choices
  | 'stall' // half of the body, then silence
  | 'hang'; // silence

/** A tool call as it goes over the wire. */
export interface WireCall {
  name: string;
  /** Sent as they are, JSON or not. */
  arguments: string;
}

export interface Answer {
  text?: string;
  toolCalls?: WireCall[];
  /** Of a request for vectors; by itself the server makes them of the texts. */
  vectors?: Json[];
  model?: string;
  finishReason?: string;
  refusal?: string;
  /** Null leaves it out of the reply. */
  usage?: JsonObject | null;
  /** Waits before the first byte. */
  delayMs?: number;
  /** Waits before each piece of a stream. */
  pauseMs?: number;
  status?: number;
  /** Of a completion too. */
  headers?: Record<string, string>;
  /** Another content type than the one that fits. */
  contentType?: string;
  /** Sends only so many bytes of the body, and then ends it as if it were complete, hangs up, or falls silent. */
  cut?: { at: number; then: 'end' | 'reset' | 'stall' };
  /** Sent as it is, with status 200. */
  raw?: string;
  /** Sent as it is, in place of a completion. */
  body?: Json;
  fault?: Fault;
}

export interface ModelServer {
  /** `http://127.0.0.1:PORT/v1`, to be used as a base_url. */
  url: string;
  requests: RecordedRequest[];
  /** Queues answers; when the queue is empty, the server answers by itself: with `ok`, or the smallest value that fits the schema. */
  reply(...answers: (Answer | string)[]): void;
  /** Decides every answer that is not queued. */
  respond(decide: (request: RecordedRequest) => Answer | string): void;
  /** What GET /models names. */
  models: JsonObject[];
  close(): Promise<void>;
}

/** A server on loopback that speaks the dialects of OpenAI (chat completions) and Anthropic (messages), with faults on request. */
export async function startModelServer(): Promise<ModelServer> {
  const queue: (Answer | string)[] = [];
  let decide: (request: RecordedRequest) => Answer | string = defaultAnswer;
  const server = createServer((incoming, response) => {
    void read(incoming, response).then(async request => {
      self.requests.push(request);
      const given = queue.shift() ?? decide(request);
      await answer(request, typeof given === 'string' ? { text: given } : given, self.models, response);
    });
  });
  const self: ModelServer = {
    url: '',
    requests: [],
    models: [{ id: 'small', object: 'model' }],
    reply: (...answers) => void queue.push(...answers),
    respond: next => void (decide = next),
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  self.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  return self;
}

async function read(incoming: IncomingMessage, response: ServerResponse): Promise<RecordedRequest> {
  const parts: Buffer[] = [];
  for await (const part of incoming) parts.push(part as Buffer);
  const text = Buffer.concat(parts).toString();
  const body = text === '' ? {} : (JSON.parse(text) as JsonObject);
  const request: RecordedRequest = { method: incoming.method!, path: incoming.url!, headers: incoming.headers, body, aborted: false };
  response.on('close', () => (request.aborted = !response.writableFinished));
  return request;
}

async function answer(request: RecordedRequest, given: Answer, models: JsonObject[], response: ServerResponse): Promise<void> {
  if (given.delayMs !== undefined) await new Promise(resolve => setTimeout(resolve, given.delayMs));
  if (given.fault === 'hang') return;
  if (given.fault === 'reset') return void response.socket?.destroy();
  if (given.status !== undefined || given.body !== undefined) return sendJson(response, given.status ?? 200, given.body ?? {}, given.headers);
  if (given.fault === 'html') return send(response, 'text/html', '<html><body>502 Bad Gateway</body></html>');
  if (given.fault === 'malformed') return send(response, 'application/json', '{"choices": [{');
  if (request.method === 'GET' && request.path.endsWith('/models')) return sendJson(response, 200, { object: 'list', data: models });
  const named = /\/models\/(.+)$/.exec(request.path)?.[1];
  if (request.method === 'GET' && named !== undefined && models.some(({ id }) => id === decodeURIComponent(named)))
    return sendJson(response, 200, { id: named });
  const dialect = DIALECTS.find(({ route }) => request.path.endsWith(route));
  if (dialect === undefined) return sendJson(response, 404, { error: { message: `no such route: ${request.path}` } });
  const streams = request.body['stream'] === true;
  const parts = given.raw !== undefined ? [given.raw] : streams ? dialect.events(request, given) : [JSON.stringify(dialect.whole(request, given))];
  await sendParts(response, given.contentType ?? (streams ? 'text/event-stream' : 'application/json'), parts, given);
}

/** The wire formats that it speaks, by their route. */
const DIALECTS = [
  { route: '/chat/completions', whole: completion, events },
  { route: '/messages', whole: anthropicMessage, events: anthropicEvents },
  { route: '/embeddings', whole: embeddings, events: () => [] },
];

/** The whole body of an answer, for those who want to cut it somewhere. */
export function bodyOf(route: '/chat/completions' | '/messages', request: RecordedRequest, given: Answer): string {
  const dialect = DIALECTS.find(one => one.route === route)!;
  return request.body['stream'] === true ? dialect.events(request, given).join('') : JSON.stringify(dialect.whole(request, given));
}

async function sendParts(response: ServerResponse, type: string, parts: string[], given: Answer): Promise<void> {
  const { fault, pauseMs, cut, headers = {} } = given;
  if (cut !== undefined) {
    response.writeHead(200, { 'content-type': type, ...headers });
    response.flushHeaders();
    const part = Buffer.from(parts.join('')).subarray(0, cut.at);
    if (part.length > 0) await new Promise(resolve => response.write(part, resolve));
    if (cut.then === 'end') response.end();
    // What was written shall arrive before the connection goes.
    if (cut.then === 'reset') setImmediate(() => response.socket?.destroy());
    return;
  }
  const broken = fault === 'truncate' || fault === 'stall' || fault === 'reset-midway';
  const whole = parts.length === 1 ? [parts[0]!.slice(0, parts[0]!.length / 2), parts[0]!.slice(parts[0]!.length / 2)] : parts;
  response.writeHead(200, { 'content-type': type, ...headers });
  for (const part of broken ? whole.slice(0, Math.ceil(whole.length / 2)) : whole) {
    if (pauseMs !== undefined) await new Promise(resolve => setTimeout(resolve, pauseMs));
    await new Promise(resolve => response.write(part, resolve));
  }
  if (fault === 'stall') return;
  if (fault === 'reset-midway') response.socket?.destroy();
  else response.end();
}

function completion(request: RecordedRequest, given: Answer): JsonObject {
  const message: JsonObject = {
    role: 'assistant',
    content: given.text ?? (given.toolCalls === undefined ? '' : null),
    ...(given.refusal === undefined ? {} : { refusal: given.refusal }),
    ...(given.toolCalls === undefined ? {} : { tool_calls: given.toolCalls.map((call, at) => wireCall(call, at)) }),
  };
  const choices = given.fault === 'empty' ? [] : [{ index: 0, message, finish_reason: finishOf(given) }];
  return { ...head(request, given), object: 'chat.completion', choices, ...usageOf(request, given) };
}

function finishOf({ finishReason, toolCalls }: Answer): string {
  return finishReason ?? (toolCalls === undefined ? 'stop' : 'tool_calls');
}

function wireCall({ name, arguments: given }: WireCall, at: number): JsonObject {
  return { id: `call_${at + 1}`, type: 'function', function: { name, arguments: given } };
}

/** A tool call of a stream: its head, then its arguments, four characters a piece. */
function callDeltas(call: WireCall, index: number): JsonObject[] {
  const pieces = call.arguments.match(/[\s\S]{1,4}/g) ?? [];
  return [
    { tool_calls: [{ index, ...wireCall({ ...call, arguments: '' }, index) }] },
    ...pieces.map(piece => ({ tool_calls: [{ index, function: { arguments: piece } }] })),
  ];
}

/** Vectors of four numbers, the same for the same text. */
function embeddings(request: RecordedRequest, given: Answer): JsonObject {
  const texts = [request.body['input'] ?? []].flat().map(String);
  const vectors = given.vectors ?? texts.map(text => [text.length, text.codePointAt(0) ?? 0, text.codePointAt(text.length - 1) ?? 0, 1]);
  const input = texts.reduce((sum, text) => sum + Math.ceil(text.length / 4), 0);
  return {
    object: 'list',
    model: given.model ?? (request.body['model'] as string),
    data: vectors.map((embedding, index) => ({ object: 'embedding', index, embedding })),
    ...(given.usage === null ? {} : { usage: given.usage ?? { prompt_tokens: input, total_tokens: input } }),
  };
}

/** The completion as server-sent events, four characters a piece. */
function events(request: RecordedRequest, given: Answer): string[] {
  const chunk = (rest: JsonObject): string => `data: ${JSON.stringify({ ...head(request, given), object: 'chat.completion.chunk', ...rest })}\n\n`;
  const pieces = (given.text ?? '').match(/[\s\S]{1,4}/g) ?? [];
  const choice = (delta: JsonObject, finish: string | null): JsonObject => ({ choices: [{ index: 0, delta, finish_reason: finish }] });
  const options = request.body['stream_options'];
  const usage = isObject(options) && options['include_usage'] === true ? usageOf(request, given) : {};
  return [
    chunk(choice({ role: 'assistant', content: '' }, null)),
    ...(given.fault === 'empty' ? [] : pieces.map(content => chunk(choice({ content }, null)))),
    ...(given.toolCalls ?? []).flatMap(callDeltas).map(delta => chunk(choice(delta, null))),
    ...(given.refusal === undefined ? [] : [chunk(choice({ refusal: given.refusal }, null))]),
    ...(given.fault === 'empty' ? [] : [chunk(choice({}, finishOf(given)))]),
    ...('usage' in usage ? [chunk({ choices: [], ...usage })] : []),
    'data: [DONE]\n\n',
  ];
}

function head(request: RecordedRequest, given: Answer): JsonObject {
  return { id: 'chatcmpl-1', created: 1_700_000_000, model: given.model ?? (request.body['model'] as string) };
}

/** One token for each four characters, where the answer does not say otherwise. */
function usageOf(request: RecordedRequest, given: Answer): JsonObject {
  if (given.usage === null) return {};
  const input = Math.ceil(JSON.stringify(request.body['messages']).length / 4);
  const output = Math.ceil((given.text ?? '').length / 4);
  return { usage: given.usage ?? { prompt_tokens: input, completion_tokens: output, total_tokens: input + output } };
}

function send(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, { 'content-type': type });
  response.end(body);
}

function sendJson(response: ServerResponse, status: number, body: Json, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

function defaultAnswer(request: RecordedRequest): Answer {
  const forced = forcedTool(request);
  if (forced !== undefined) return { toolCalls: [{ name: forced.name, arguments: JSON.stringify(sample(forced.parameters)) }] };
  const format = request.body['response_format'];
  const wanted = isObject(format) && isObject(format['json_schema']) ? format['json_schema']['schema'] : toolSchema(request);
  return { text: wanted === undefined ? 'ok' : JSON.stringify(sample(wanted as JsonSchema)) };
}

/** The tool that a request must be answered with, in the dialect of OpenAI. */
function forcedTool({ body }: RecordedRequest): { name: string; parameters: JsonSchema } | undefined {
  const choice = body['tool_choice'];
  const tools = (Array.isArray(body['tools']) ? body['tools'] : []).filter(isObject).map(tool => (tool['function'] ?? {}) as JsonObject);
  const named = isObject(choice) && isObject(choice['function']) ? choice['function']['name'] : undefined;
  const tool = named === undefined ? (choice === 'required' ? tools[0] : undefined) : tools.find(({ name }) => name === named);
  return tool === undefined ? undefined : { name: tool['name'] as string, parameters: (tool['parameters'] ?? {}) as JsonSchema };
}

/** A small value that fits a plain schema. */
export function sample(schema: JsonSchema): Json {
  if (!isObject(schema)) return 'text';
  if (Array.isArray(schema['enum'])) return schema['enum'][0]!;
  if (schema['const'] !== undefined) return schema['const'];
  const type = Array.isArray(schema['type']) ? schema['type'][0] : schema['type'];
  if (type === 'integer' || type === 'number') return (schema['minimum'] ?? schema['maximum'] ?? 1) as number;
  if (type === 'boolean') return true;
  if (type === 'null') return null;
  if (type === 'array') return Array.from({ length: Number(schema['minItems'] ?? 1) }, () => sample((schema['items'] ?? true) as JsonSchema));
  if (type === 'object')
    return Object.fromEntries(Object.entries((schema['properties'] ?? {}) as JsonObject).map(([name, part]) => [name, sample(part as JsonSchema)]));
  return 'text'.padEnd(Number(schema['minLength'] ?? 0), '.');
}
