/**
 * Answers of a hostile server, to the http actions and to the clients of models: each ends in time, in a result that is plain data or in an error with a code of
 * its own; nothing crashes, nothing is left open, no key is repeated.
 *
 *   node test/fuzz/http.fuzz.ts --count 20000 --seed 1
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OrchestratorError } from '../../src/errors.ts';
import type { Json, JsonObject } from '../../src/json.ts';
import { openAICompatible, openModels, type EmbedReply, type ModelReply, type Models } from '../../src/models/index.ts';
import { findAction } from '../../src/tools/index.ts';
import { DEFAULT_POLICY } from '../../src/tools/port.ts';
import { openBench } from '../support/action-bench.ts';
import { startHostileServer, type Script } from './hostile.ts';
import { below, fuzzOptions, pick, randomOf } from './random.ts';
import { anyResponse, KEY, type Kind } from './responses.ts';

/** Requests at once. */
const LANES = 24;
/** How long silence is waited out by those who ask, and how long nothing may take. */
const PATIENCE_MS = 150;
const HANG_MS = 5000;
const MAX_BYTES = 65_536;
const TOOLS = [{ name: 'look', description: 'looks', parameters: { type: 'object', properties: { at: { type: 'integer' } } } }];
const SCHEMA = { type: 'object', properties: { value: { type: 'integer' } }, required: ['value'] };

interface Case {
  kind: Kind;
  script: Script;
  /** Of a completion: as it comes, with the shape of its answer, with a tool. */
  streams: boolean;
  shaped: boolean;
  calls: boolean;
}

const CODES_OF = { action: /^ORC-(212|223|224|225|603)$/, model: /^ORC-(401|403|404|405|406|409|601|603)$/ };

/** What is wrong with an error, whoever threw it. */
function faultOf(error: unknown, codes: RegExp): string | undefined {
  if (!(error instanceof OrchestratorError)) return `threw ${(error as Error).stack ?? String(error)}`;
  const { code, message, retryAfterMs, details } = error;
  if (!codes.test(code)) return `${code} is no code for this: ${error.stack}`;
  if (message === '' || message.length > 1500 || /\p{Cc}/u.test(message)) return `the message is no line of text: ${JSON.stringify(message)}`;
  if (codes === CODES_OF.model && JSON.stringify([message, error.help, details ?? null]).includes(KEY)) return `the key is repeated: ${message}`;
  if (retryAfterMs !== undefined && !(Number.isFinite(retryAfterMs) && retryAfterMs >= 0)) return `a wait of ${retryAfterMs} ms`;
  return plain(details ?? null);
}

/** Whether a value is what JSON can carry. */
function plain(value: unknown): string | undefined {
  const text = JSON.stringify(value);
  const odd = (member: unknown): boolean =>
    typeof member === 'number' ? !Number.isFinite(member) : typeof member === 'object' && member !== null && Object.values(member).some(odd);
  return odd(value) ? `no plain data: ${text.slice(0, 300)}` : undefined;
}

function faultOfResult(result: JsonObject): string | undefined {
  const { status, headers, body, url } = result;
  if (!Number.isInteger(status) || typeof url !== 'string' || typeof headers !== 'object') return `an odd result: ${JSON.stringify(result).slice(0, 300)}`;
  if (Object.values(headers as JsonObject).some(value => typeof value !== 'string'))
    return `headers that are no text: ${JSON.stringify(headers).slice(0, 300)}`;
  // Four characters of base64 hold three bytes.
  if (typeof body === 'string' && body.length > Math.ceil(MAX_BYTES / 3) * 4) return `a body of ${body.length}`;
  return plain(result);
}

function faultOfReply(reply: ModelReply): string | undefined {
  const { usage, finishReason, text, model, costMicroUsd, rates = [], toolCalls = [] } = reply;
  const counts = Object.values(usage) as number[];
  if (!counts.every(count => Number.isSafeInteger(count) && count >= 0)) return `a usage of ${JSON.stringify(usage)}`;
  if (usage.cachedInputTokens > usage.inputTokens || usage.reasoningTokens > usage.outputTokens) return `parts above the whole: ${JSON.stringify(usage)}`;
  if (typeof text !== 'string' || typeof model !== 'string') return `a text of ${typeof text} by ${typeof model}`;
  const isCall = ({ id, name, arguments: given }: (typeof toolCalls)[number]): boolean =>
    typeof id === 'string' && typeof name === 'string' && given !== undefined;
  if (!toolCalls.every(isCall) || (finishReason === 'tool_calls') !== toolCalls.length > 0) return `odd calls of tools: ${JSON.stringify(toolCalls)}`;
  if (!['stop', 'length', 'other', 'tool_calls'].includes(finishReason)) return `finished by ${finishReason}`;
  if (costMicroUsd !== undefined && !(Number.isSafeInteger(costMicroUsd) && costMicroUsd >= 0)) return `a cost of ${costMicroUsd}`;
  if (rates.some(({ remaining, resetAtMs }) => !Number.isFinite(remaining ?? 0) || !Number.isFinite(resetAtMs ?? 0))) return `rates ${JSON.stringify(rates)}`;
  return plain({ ...reply, object: reply.object ?? null });
}

function faultOfVectors({ vectors, usage }: EmbedReply): string | undefined {
  const length = vectors[0]?.length ?? 0;
  const isVector = (vector: number[]): boolean => length > 0 && vector.length === length && vector.every(Number.isFinite);
  if (vectors.length !== 2 || !vectors.every(isVector)) return `odd vectors: ${JSON.stringify(vectors).slice(0, 300)}`;
  return Object.values(usage).every(tokens => Number.isSafeInteger(tokens) && tokens >= 0) ? undefined : `a usage of ${JSON.stringify(usage)}`;
}

const { count, seed } = fuzzOptions(process.argv);
const server = await startHostileServer();
const bench = await openBench({ policy: { ...DEFAULT_POLICY, network: { private: 'allow' } } });
const models: Models = openModels(
  {
    providers: Object.fromEntries(
      [
        ['lab', 'openai-compatible'],
        ['claude', 'anthropic'],
      ].map(([name, type]) => [name, { type: type!, base_url: `http://127.0.0.1:${server.port}/v1`, api_key: KEY, timeout: `${PATIENCE_MS}ms` }]),
    ),
  },
  { env: {} },
);

async function askPage(number: number): Promise<string | undefined> {
  try {
    const parameters = {
      url: `http://127.0.0.1:${server.port}/r/${number}`,
      method: number % 7 === 0 ? 'POST' : 'GET',
      ...(number % 7 === 0 ? { body: 'x' } : {}),
      timeout: PATIENCE_MS / 1000,
      max_bytes: MAX_BYTES,
      follow_redirects: true,
      check: number % 2 === 0,
    };
    return faultOfResult((await findAction('http.request')!.run(parameters as { [name: string]: Json }, bench.context)) as JsonObject);
  } catch (error) {
    return faultOf(error, CODES_OF.action);
  }
}

async function askModel(number: number, { kind, streams, shaped, calls }: Case): Promise<string | undefined> {
  const model = models.get(`${kind === 'message' || kind === 'events' ? 'claude' : 'lab'}/r${number}`);
  let heard = '';
  try {
    const request = { messages: [{ role: 'user' as const, content: 'how many?' }], ...(shaped ? { schema: SCHEMA } : {}), ...(calls ? { tools: TOOLS } : {}) };
    if (kind === 'vectors') return faultOfVectors(await model.embed!({ texts: ['one', 'two'] }, { signal: new AbortController().signal }));
    const reply = await model.generate(request, { signal: new AbortController().signal, ...(streams ? { onToken: text => (heard += text) } : {}) });
    return streams && heard !== reply.text ? `told ${JSON.stringify(heard)} and gave ${JSON.stringify(reply.text)}` : faultOfReply(reply);
  } catch (error) {
    return faultOf(error, CODES_OF.model);
  }
}

/** What a service at an address of its own says of its models. */
async function askListing(number: number): Promise<string | undefined> {
  const provider = openAICompatible({ name: 'lab', baseUrl: `http://127.0.0.1:${server.port}/l/${number}`, apiKey: KEY, timeoutMs: PATIENCE_MS });
  try {
    const listed = await provider.list(new AbortController().signal);
    const isInfo = ({ id, contextWindow }: (typeof listed)[number]): boolean =>
      id.startsWith('lab/') && (contextWindow === undefined || (Number.isSafeInteger(contextWindow) && contextWindow > 0));
    return listed.every(isInfo) ? plain(listed) : `odd models: ${JSON.stringify(listed)}`;
  } catch (error) {
    return faultOf(error, CODES_OF.model);
  }
}

async function check(number: number, one: Case): Promise<string | undefined> {
  server.play(number, one.script);
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve(`still waiting after ${HANG_MS} ms`), HANG_MS);
  const found = await Promise.race([one.kind === 'page' ? askPage(number) : one.kind === 'listing' ? askListing(number) : askModel(number, one), late.promise]);
  clearTimeout(timer);
  server.forget(number);
  return found;
}

const kept = JSON.parse(readFileSync(join(import.meta.dirname, 'kept', 'http.json'), 'utf8')) as Case[];
const random = randomOf(seed);

function make(): Case {
  const streams = below(random, 2) === 0;
  const asked = [streams ? 'chunks' : 'completion', streams ? 'events' : 'message'] as const;
  const kind = pick(random, ['page', 'page', 'page', ...asked, ...asked, streams ? 'vectors' : 'listing'] as const);
  return { kind, streams, shaped: below(random, 2) === 0, calls: below(random, 3) === 0, script: anyResponse(random, below(random, 50) === 0 ? 'page' : kind) };
}

let failures = 0;
function fail(what: string, one?: Case): void {
  if (++failures <= 10) console.log(`${one === undefined ? '' : `${JSON.stringify(one).slice(0, 3000)}\n    `}${what.slice(0, 3000)}`);
}
for (const event of ['uncaughtException', 'unhandledRejection']) process.on(event, (error: Error) => fail(`${event}: ${error.stack}`));

let next = 0;
async function examine(one: Case): Promise<void> {
  const found = await check(next++, one);
  if (found !== undefined) fail(found, one);
}

// What is loaded when it is first used shall not take the patience of an input; those that were kept go one by one, for the same reason.
const sound: Script = { pieces: ['HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}'], end: 'close' };
for (const kind of ['page', 'completion', 'message'] as const) await check(next++, { kind, script: sound, streams: false, shaped: false, calls: false });
for (const one of kept) await examine(one);
const total = kept.length + count;
async function lane(): Promise<void> {
  while (next < 3 + total) await examine(make());
}
await Promise.all(Array.from({ length: LANES }, lane));
await models.close();
for (let waits = 0; server.openPages() > 0 && waits < 50; waits++) await new Promise(resolve => setTimeout(resolve, 20));
if (server.openPages() > 0) fail(`${server.openPages()} connections of pages were left open`);
console.log(`${total} inputs, ${failures} failures (seed ${seed})`);
process.exit(failures > 0 ? 1 : 0);
