import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { isObject, type Json } from '../../src/json.ts';
import type { Script } from './hostile.ts';
import { below, bend, chance, mutate, pick, type Random } from './random.ts';

const STATUSES = [200, 201, 204, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 408, 409, 413, 418, 425, 429, 500, 501, 502, 503, 504, 529];
const ODD_STATUSES = ['0', '000', '1000', '-1', 'abc', '', '99', '199', '600', '999', '2e2', '100', '101', '102', '103', '205'];
const REASONS = ['OK', '', 'I\u001b[31m am\u0007 red', 'ü\u0080\u00ff', 'x'.repeat(300), 'x'.repeat(70_000), 'OK\tthen', '\u0000'];
const VERSIONS = ['HTTP/1.0', 'HTTP/2', 'HTTP/9.9', 'HTTP/0.9', 'http/1.1', 'ICY', 'HTTP/1.1 ', ''];
const TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'text/event-stream',
  'text/html; charset=utf-16',
  'text/plain; charset=klingon',
  'text/plain; charset=iso-8859-1',
  'application/problem+json',
  'image/png',
  'application/octet-stream',
  ';;;charset=',
  '',
  'application/json\tx',
  'multipart/mixed; boundary=x',
];
const WAITS = ['1', '0', '-5', '1e400', 'Infinity', 'NaN', '99999999999999', 'Wed, 21 Oct 2099 07:28:00 GMT', 'Mon, 99 Foo', '', ' ', '0.001', '1,2', '\u00ff'];
const PLACES = [
  '/r/0',
  '/elsewhere',
  '//',
  '',
  'http://',
  'http://[::1',
  'http://127.0.0.1:1/',
  'http://169.254.169.254/latest',
  'file:///etc/passwd',
  'gopher://127.0.0.1/',
  'http://a:b@127.0.0.1/',
  'https://127.0.0.1:1/',
  '\u0000\u0001',
  '?',
  '#',
  '/'.repeat(9000),
  'data:,x',
  'http://127.0.0.1:99999/',
  '\u00e4\u00ff',
];
const NAMES = ['x-ratelimit-remaining-requests', 'x-ratelimit-reset-tokens', 'anthropic-ratelimit-tokens-remaining', 'set-cookie', '__proto__', 'constructor'];
const LENGTHS = ['-1', '0', '1', '5', '999999', '99999999999999999999', 'abc', '', '1, 2', '0x10', '+3', '1e3'];

const USAGE = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5, prompt_tokens_details: { cached_tokens: 1 } };
const COMPLETION = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: '{"value": 7}' }, finish_reason: 'stop' }],
  usage: USAGE,
};
const MESSAGE: Json = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'm',
  content: [
    { type: 'text', text: 'seven' },
    { type: 'tool_use', id: 't', name: 'json', input: { value: 7 } },
  ],
  stop_reason: 'end_turn',
  usage: { input_tokens: 3, output_tokens: 2, cache_read_input_tokens: 1 },
};
const CALLING: Json = {
  ...COMPLETION,
  choices: [
    {
      index: 0,
      message: { role: 'assistant', content: null, tool_calls: [{ id: 'c1', type: 'function', function: { name: 'look', arguments: '{"at": 7}' } }] },
      finish_reason: 'tool_calls',
    },
  ],
};
const VECTORS: Json = {
  object: 'list',
  model: 'm',
  data: [
    { object: 'embedding', index: 0, embedding: [0.1, -0.2, 3] },
    { object: 'embedding', index: 1, embedding: [0.4, 0.5, 0] },
  ],
  usage: { prompt_tokens: 3, total_tokens: 3 },
};
const LISTING: Json = { object: 'list', data: [{ id: 'small', context_length: 4096 }, { id: 'large', max_model_len: 1 }, { name: 'models/other' }] };
/** The key that the client of a model sends; services like to repeat it. */
export const KEY = 'sk-very-secret-indeed';
const MISTAKE: Json = { error: { message: `no\u001b[2J such thing for ${KEY}`, type: 'invalid_request_error', code: 'insufficient_quota' } };
const chunk = (rest: { [key: string]: Json }): Json => ({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', ...rest });
const CHUNKS: Json[] = [
  chunk({ choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }] }),
  chunk({ choices: [{ index: 0, delta: { content: '{"value"' }, finish_reason: null }] }),
  chunk({ choices: [{ index: 0, delta: { content: ': 7}' }, finish_reason: null }] }),
  chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }),
  chunk({ choices: [], usage: USAGE }),
];
const CALLING_CHUNKS: Json[] = [
  chunk({
    choices: [
      {
        index: 0,
        delta: { role: 'assistant', tool_calls: [{ index: 0, id: 'c1', type: 'function', function: { name: 'look', arguments: '' } }] },
        finish_reason: null,
      },
    ],
  }),
  chunk({ choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: '{"at":' } }] }, finish_reason: null }] }),
  chunk({ choices: [{ index: 0, delta: { tool_calls: [{ index: 0, function: { arguments: ' 7}' } }] }, finish_reason: null }] }),
  chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] }),
  chunk({ choices: [], usage: USAGE }),
];
const EVENTS: Json[] = [
  { type: 'message_start', message: { ...MESSAGE, content: [], stop_reason: null } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'ping' },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: '{"value": 7}' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 2 } },
  { type: 'message_stop' },
];
const ODD_VALUES: Json[] = [
  null,
  true,
  -1,
  0,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER,
  '',
  'x',
  '7',
  [],
  {},
  [null],
  [[]],
  { type: 'x' },
  '\u0000',
  'x'.repeat(5000),
  '\ud800',
];
/** No value, but a token that JSON.stringify would never write. */
const ODD_TOKENS = [
  '1e999',
  '9007199254740993',
  '-1e999',
  'NaN',
  '00',
  '{"__proto__": {"text": "x"}}',
  '"\\ud800"',
  '[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]',
  '""""',
];

export type Kind = 'page' | 'completion' | 'message' | 'chunks' | 'events' | 'vectors' | 'listing';

/** Bytes as latin-1 text, which is how scripts hold them. */
const bytes = (text: string | Uint8Array): string => Buffer.from(text as string).toString('latin1');

/** JSON text of a bent value, now and then with a token in it that is none. */
function bentText(random: Random, value: Json): string {
  const text = JSON.stringify(chance(random, 0.2) ? value : bend(random, value, ODD_VALUES));
  if (chance(random, 0.9)) return text;
  const places = [...text.matchAll(/[:[,]/g)].map(({ index }) => index + 1);
  const at = places.length === 0 ? 0 : pick(random, places);
  return text.slice(0, at) + pick(random, ODD_TOKENS) + text.slice(at).replace(/^("[^"]*"|[^,}\]]*)/, '');
}

function streamOf(random: Random, events: readonly Json[]): string {
  const line = (event: Json): string => {
    const named = isObject(event) && chance(random, 0.9) && typeof event['type'] === 'string' ? `event: ${event['type']}\n` : '';
    return `${named}data: ${bentText(random, event)}${chance(random, 0.97) ? '\n\n' : pick(random, ['\n', '', '\r\n\r\n', '\r\r', '\n\n\n\n'])}`;
  };
  const kept = events.filter(() => !chance(random, 0.05)).flatMap(event => (chance(random, 0.05) ? [event, event] : [event]));
  const end = chance(random, 0.8)
    ? 'data: [DONE]\n\n'
    : pick(random, ['', 'data: [DONE', ': comment\n\n', 'retry: x\n\n', 'event: error\ndata: {"error": "late"}\n\n']);
  return kept.map(line).join('') + end;
}

function bodyOf(random: Random, kind: Kind): string {
  if (chance(random, 0.03)) return Buffer.from(Array.from({ length: below(random, 300) }, () => below(random, 256))).toString('latin1');
  if (chance(random, 0.02)) return pick(random, ['[', '{"a":', '{"error":{"message":']).repeat(20_000);
  if (chance(random, 0.02)) return `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
  if (chance(random, 0.03)) return '';
  if (chance(random, 0.1)) return bytes(bentText(random, MISTAKE));
  if (chance(random, 0.04)) return '<!doctype html><html><body>502 Bad Gateway</body></html>';
  const text = {
    page: () => (chance(random, 0.5) ? bentText(random, COMPLETION) : 'text '.repeat(below(random, 20_000))),
    completion: () => bentText(random, chance(random, 0.3) ? CALLING : COMPLETION),
    message: () => bentText(random, MESSAGE),
    vectors: () => bentText(random, VECTORS),
    listing: () => bentText(random, LISTING),
    chunks: () => streamOf(random, chance(random, 0.3) ? CALLING_CHUNKS : CHUNKS),
    events: () => streamOf(random, EVENTS),
  }[kind]();
  return bytes(chance(random, 0.1) ? mutate(random, [text], ['\u0000', '"', '\\', '{', '}', '\n', 'data: ', '\u{1F600}']) : text);
}

/** Packs a body as its headers say, or not quite. */
function packed(random: Random, body: string, headers: [string, string][]): string {
  const raw = Buffer.from(body, 'latin1');
  const [name, packs] = pick(random, [
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', (data: Buffer) => brotliCompressSync(data, { params: { 1: 1 } })],
    ['gzip, gzip', (data: Buffer) => gzipSync(gzipSync(data))],
    ['zstd', (data: Buffer) => data],
    ['GZIP', gzipSync],
  ] as [string, (data: Buffer) => Buffer][]);
  headers.push(['content-encoding', name]);
  const data = chance(random, 0.2) ? raw : packs(chance(random, 0.05) ? Buffer.alloc(2_000_000) : raw);
  if (chance(random, 0.15)) data[below(random, data.length)]! ^= 1 << below(random, 8);
  return (chance(random, 0.1) ? data.subarray(0, below(random, data.length)) : data).toString('latin1');
}

/** A body in chunks, now and then with a length that is none. */
function inChunks(random: Random, body: string): string {
  const parts: string[] = [];
  for (let at = 0; at < body.length && parts.length < 200;) {
    const length = 1 + below(random, Math.max(1, body.length));
    const said = chance(random, 0.03) ? pick(random, ['zz', '-1', 'ffffffffffffffff', '', '0']) : body.slice(at, at + length).length.toString(16);
    parts.push(`${said}${chance(random, 0.02) ? ';x="y' : ''}\r\n${body.slice(at, at + length)}\r\n`);
    at += length;
  }
  return (
    parts.join('') + (chance(random, 0.9) ? '0\r\n\r\n' : pick(random, ['', '0\r\n', '0\r\nx: y\r\n\r\n', '0\r\n__proto__: y\r\n\r\n', '00000\r\n\r\n', '0']))
  );
}

function headersOf(random: Random, kind: Kind): [string, string][] {
  const fitting = kind === 'chunks' || kind === 'events' ? 'text/event-stream' : 'application/json';
  const headers: [string, string][] = chance(random, 0.95) ? [['content-type', chance(random, 0.75) ? fitting : pick(random, TYPES)]] : [];
  if (chance(random, 0.15)) headers.push([chance(random, 0.8) ? 'retry-after' : 'retry-after-ms', pick(random, WAITS)]);
  if (chance(random, 0.15)) headers.push([pick(random, NAMES), pick(random, WAITS)]);
  if (chance(random, 0.03)) headers.push([`x-${'n'.repeat(below(random, 20_000))}`, 'v'.repeat(below(random, 20_000))]);
  if (chance(random, 0.01)) for (let i = 0; i < 3000; i++) headers.push([`x-${i}`, '1']);
  if (chance(random, 0.04))
    headers.push([pick(random, ['bad name', '', 'x:y', 'x\u0000', '\u00e4']), pick(random, ['v', '\u0000', 'a\r b', 'a\r\n  folded', '\u001b[0m'])]);
  if (chance(random, 0.05)) headers.push(['connection', pick(random, ['close', 'upgrade', 'keep-alive, upgrade', '\u00ff'])]);
  if (chance(random, 0.02)) headers.push(['upgrade', 'websocket'], ['connection', 'upgrade']);
  return headers;
}

function statusOf(random: Random): string {
  const version = chance(random, 0.98) ? 'HTTP/1.1' : pick(random, VERSIONS);
  const status = chance(random, 0.6) ? '200' : chance(random, 0.9) ? String(pick(random, STATUSES)) : pick(random, ODD_STATUSES);
  return `${version} ${status} ${chance(random, 0.9) ? 'OK' : bytes(pick(random, REASONS))}`;
}

/** What a hostile server may answer: a status line, headers, a body, each sound or not; in pieces, and with any end. */
export function anyResponse(random: Random, kind: Kind): Script {
  const status = statusOf(random);
  const headers = headersOf(random, kind);
  if (/ 30\d/.test(status) ? chance(random, 0.9) : chance(random, 0.01)) headers.push(['location', bytes(pick(random, PLACES))]);
  let body = bodyOf(random, kind);
  if (chance(random, 0.1)) body = packed(random, body, headers);
  const way = random();
  if (way < 0.45) headers.push(['content-length', String(body.length)]);
  else if (way < 0.8) {
    headers.push(['transfer-encoding', chance(random, 0.97) ? 'chunked' : pick(random, ['gzip, chunked', 'identity', 'chunked, chunked', 'x'])]);
    body = inChunks(random, body);
  } else if (way < 0.86) headers.push(['content-length', pick(random, LENGTHS)]);
  if (chance(random, 0.01)) headers.push(['content-length', '7']);
  const before = chance(random, 0.02) ? pick(random, ['HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n', '\r\n', 'junk']) : '';
  const after = chance(random, 0.03) ? pick(random, ['junk', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi', '\r\n\r\n', '\u0000']) : '';
  const line = chance(random, 0.98) ? '\r\n' : '\n';
  let text = `${before}${status}${line}${headers.map(([name, value]) => `${name}: ${value}${line}`).join('')}${line}${body}${after}`;
  if (chance(random, 0.03)) text = text.slice(0, below(random, text.length));
  return { pieces: cut(random, text), end: endOf(random, way) };
}

/** Silence is the dearest of all answers, because it has to be waited out. */
function endOf(random: Random, way: number): Script['end'] {
  if (chance(random, 0.1)) return 'reset';
  return way < 0.8 && chance(random, 0.5) ? 'open' : chance(random, 0.02) ? 'open' : 'close';
}

function cut(random: Random, text: string): string[] {
  const pieces: string[] = [];
  let rest = text;
  while (chance(random, 0.3) && rest.length > 1 && pieces.length < 5) {
    const at = 1 + below(random, rest.length - 1);
    pieces.push(rest.slice(0, at));
    rest = rest.slice(at);
  }
  return [...pieces, rest].filter(piece => piece !== '');
}
