import { systemClock, type Clock } from '../clock.ts';
import type { Code } from '../codes.ts';
import { OrchestratorError, type OrchestratorErrorOptions } from '../errors.ts';
import { isObject, type JsonObject } from '../json.ts';
import { readRetryAfter } from './rates.ts';

/** Who was asked, for the words of a failure. */
export interface Asked {
  provider: string;
  /** Name of the model within its provider; undefined where the service as a whole was asked. */
  model: string | undefined;
  baseUrl: string;
  /** Never to be seen in a message, even where the service repeats them. */
  secrets: string[];
}

/** What a service answered in place of a completion. */
export interface BadAnswer {
  status: number;
  body: string;
  headers: Record<string, string>;
}

/** A status of 300 and above as the failure that it means. */
export function fromStatus(asked: Asked, answer: BadAnswer, clock: Clock = systemClock): OrchestratorError {
  const { status } = answer;
  const { message, code } = readError(answer.body);
  const said = wordsOf(asked, `(${status})${message === '' ? '' : `: ${message}`}`);
  const retryAfterMs = readRetryAfter(answer.headers, clock.now());
  const fail = (errorCode: Code, words: string, options: OrchestratorErrorOptions): OrchestratorError =>
    new OrchestratorError(errorCode, `${asked.provider} ${words} ${said}`, { details: { status, provider: asked.provider }, ...options });
  const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status === 401 || status === 403) {
    return fail('ORC-403', 'refused the credentials', {
      class: 'auth',
      help: [`set the key: models.providers.${asked.provider}.api_key in orchestrator.config.yaml`],
    });
  }
  if (status === 404) {
    const help = ['see what it serves: orchestrator models list', `check its base_url: ${asked.baseUrl}`];
    return fail('ORC-401', asked.model === undefined ? 'does not know the address' : `has no model called \`${asked.model}\``, { class: 'not_found', help });
  }
  if (status === 429) {
    // A spent quota comes with the same status, and no wait mends it.
    const spent = code === 'insufficient_quota';
    return fail('ORC-601', spent ? 'has no quota left for this key' : 'refused because of its rate limit', { class: 'rate_limit', retryable: !spent, ...wait });
  }
  if (status === 408 || status >= 500)
    return fail('ORC-404', 'is not available', { class: status === 408 ? 'timeout' : 'unavailable', retryable: true, ...wait });
  if (status < 400) {
    const help = [`set models.providers.${asked.provider}.base_url to where it really is: ${answer.headers['location'] ?? 'see its documentation'}`];
    return fail('ORC-404', 'answered with a redirect, which is not followed', { class: 'unavailable', help });
  }
  if (status === 413 || isOverflow(code, message)) {
    return fail('ORC-409', 'found the prompt longer than the context of the model', {
      class: 'invalid_input',
      help: ['shorten the prompt, or take a model with a larger context'],
    });
  }
  if (isFiltered(code)) return fail('ORC-406', 'refused the content of the prompt', { class: 'policy' });
  return fail('ORC-406', 'refused the request', { class: 'invalid_input' });
}

/** Anything that was thrown while a service was asked, as the failure that it means. */
export function fromThrown(asked: Asked, error: unknown, clock: Clock = systemClock): OrchestratorError {
  const chain = causes(error);
  const ours = chain.find(link => link instanceof OrchestratorError);
  if (ours !== undefined) return ours;
  for (const link of chain) {
    const { statusCode, responseBody, responseHeaders } = link as { statusCode?: unknown; responseBody?: unknown; responseHeaders?: unknown };
    if (typeof statusCode !== 'number' || statusCode < 300) continue;
    return fromStatus(asked, { status: statusCode, body: String(responseBody ?? ''), headers: (responseHeaders ?? {}) as Record<string, string> }, clock);
  }
  const unsupported = chain.find(link => link instanceof Error && link.name === 'AI_UnsupportedFunctionalityError');
  if (unsupported !== undefined) return unable(asked, (unsupported as { functionality?: unknown }).functionality);
  const broken = chain.map(link => (link as { code?: unknown }).code).find(code => typeof code === 'string');
  if (typeof broken === 'string' && UNREADABLE.test(broken)) return badReply(asked, `it is no HTTP that we can read (${broken})`);
  if (typeof broken === 'string') return unreachable(asked, CONNECTION_WORDS.get(broken) ?? broken, !NEVER_SENT.has(broken));
  if (chain.some(link => link instanceof Error && link.message === 'bad port'))
    return unreachable(asked, 'HTTP is not spoken to this port, which is kept for another service', false);
  return fromOddReply(asked, chain, clock);
}

/** A reply that came with status 200 and is no completion; some services put their errors there. */
function fromOddReply(asked: Asked, chain: unknown[], clock: Clock): OrchestratorError {
  const body = chain.map(link => (link instanceof Error ? (link as { responseBody?: unknown }).responseBody : link)).find(part => part !== undefined);
  const { message, code, status } = readError(isObject(body) ? JSON.stringify({ error: body['error'] ?? body }) : String(body ?? ''));
  if (status !== undefined) return fromStatus(asked, { status, body: JSON.stringify({ error: { message, code } }), headers: {} }, clock);
  const html = typeof body === 'string' && /^\s*<(!doctype|html)/i.test(body);
  const first = chain[0];
  const reason = html ? 'it is an HTML page' : message !== '' ? message : first instanceof Error ? first.message : String(first);
  return badReply(asked, reason);
}

export function badReply(asked: Asked, reason: string, details: JsonObject = {}): OrchestratorError {
  const message = wordsOf(asked, `the reply of ${nameOf(asked)} cannot be used: ${reason}`);
  return new OrchestratorError('ORC-405', message, { class: 'invalid_output', retryable: true, details: { provider: asked.provider, ...details } });
}

/** The dialect of the service has no form for what was to be said. */
function unable(asked: Asked, what: unknown): OrchestratorError {
  return new OrchestratorError('ORC-410', wordsOf(asked, `${nameOf(asked)} cannot be sent this: ${String(what)}`), {
    class: 'invalid_input',
    help: ['name a model of another provider, or give it as text'],
    details: { provider: asked.provider, asked: false },
  });
}

function unreachable(asked: Asked, reason: string, sent: boolean): OrchestratorError {
  return new OrchestratorError('ORC-404', `${asked.provider} cannot be reached at ${asked.baseUrl}: ${reason}`, {
    class: 'network',
    retryable: true,
    details: { provider: asked.provider, sent },
    help: [`is it running? curl ${asked.baseUrl}/models`, 'check everything: orchestrator doctor'],
  });
}

export function tooSlow(asked: Asked, words: string): OrchestratorError {
  return new OrchestratorError('ORC-404', `${nameOf(asked)} sent nothing for ${words}`, {
    class: 'timeout',
    retryable: true,
    details: { provider: asked.provider },
  });
}

export function refused(asked: Asked, details: JsonObject): OrchestratorError {
  return new OrchestratorError('ORC-406', `${nameOf(asked)} refused to answer`, { class: 'policy', details: { provider: asked.provider, ...details } });
}

/** What to throw where the caller gave up. */
export function aborted(signal: AbortSignal): OrchestratorError {
  return signal.reason instanceof OrchestratorError
    ? signal.reason
    : new OrchestratorError('ORC-231', 'the call of the model was cancelled', { class: 'cancelled' });
}

/** Settles as the promise does, or at once when the signal is aborted. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(aborted(signal));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

function nameOf(asked: Asked): string {
  return asked.model === undefined ? asked.provider : `${asked.provider}/${asked.model}`;
}

const CONNECTION_WORDS: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'connection refused'],
  ['ECONNRESET', 'the connection broke'],
  ['EPIPE', 'the connection broke'],
  ['UND_ERR_SOCKET', 'the connection broke'],
  ['ENOTFOUND', 'there is no host of this name'],
  ['EAI_AGAIN', 'the name of the host cannot be looked up'],
  ['ETIMEDOUT', 'no answer in time'],
  ['UND_ERR_CONNECT_TIMEOUT', 'no answer in time'],
  ['UND_ERR_HEADERS_TIMEOUT', 'no answer in time'],
  ['UND_ERR_BODY_TIMEOUT', 'no answer in time'],
  ['EHOSTUNREACH', 'no route to the host'],
  ['ENETUNREACH', 'no route to the network'],
]);

/** What came cannot be taken apart: its framing, its headers, its compression. */
const UNREADABLE = /^(HPE_|Z_|ZSTD|ERR__|ERR_BROTLI|ERR_ASSERTION|UND_ERR_(HEADERS_OVERFLOW|RES_))/;

/** Where a call fails in these ways, no byte of it has left. */
const NEVER_SENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT', 'EHOSTUNREACH', 'ENETUNREACH']);

/** An error, its cause, that one's cause, and so on; and for several tried addresses, the first. */
function causes(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let link = error; link !== undefined && link !== null && chain.length < 8; link = (link as { cause?: unknown }).cause) {
    chain.push(link);
    if (link instanceof AggregateError) chain.push(link.errors[0]);
  }
  return chain;
}

/** Message and code of an error body in the dialects that are about: `{error: {message, code, type}}`, `{error: "…"}`, `{message}`, `{detail}`. */
function readError(body: string): { message: string; code: string; status: number | undefined } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return { message: '', code: '', status: undefined };
  }
  const outer = isObject(parsed) ? parsed : {};
  const error = isObject(outer['error']) ? outer['error'] : { message: outer['error'] ?? outer['message'] ?? outer['detail'] ?? '' };
  const { message, code, type } = error;
  const status = typeof code === 'number' && code >= 400 && code < 600 ? code : undefined;
  const text = typeof message === 'string' ? message : JSON.stringify(message ?? '');
  return { message: text.slice(0, 500), code: typeof code === 'string' ? code : typeof type === 'string' ? type : '', status };
}

function isOverflow(code: string, message: string): boolean {
  return (
    /context_length|context_window|too_long/.test(code) ||
    /context (length|window|size)|maximum context|prompt is too long|too many (input )?tokens/i.test(message)
  );
}

function isFiltered(code: string): boolean {
  return /content_filter|content_policy|moderation|safety/.test(code);
}

/** As much of the words of a service as a message repeats. */
const WORDS_MAX = 600;

/** One line of bounded length, without secrets and without what a terminal would obey (C20). What is shorter than 8 characters is no secret (C11), and hiding it would spoil the words around it. */
function wordsOf({ secrets }: Asked, text: string): string {
  const hidden = secrets.filter(secret => secret.length >= 8).reduce((before, secret) => before.replaceAll(secret, '▮▮▮'), text);
  const line = hidden.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  return line.length > WORDS_MAX ? `${line.slice(0, WORDS_MAX).toWellFormed()}…` : line;
}
