import { OrchestratorError, type ErrorClass } from '../errors.ts';
import { isObject, parseJson, type Json, type JsonObject } from '../json.ts';
import type { Resolve } from './address.ts';
import { sendRequest, type HttpRequest, type HttpResponse } from './client.ts';
import { badParameter, count, flag, given, optionalDurationMs, optionalObject, text } from './parameters.ts';
import type { ActionContext } from './port.ts';

const USER_AGENT = 'orchestrator';

function urlOf(parameters: JsonObject, context: ActionContext): URL {
  const written = text(parameters, 'url');
  if (!URL.canParse(written)) throw badParameter('url', 'a whole address such as https://example.com/page');
  const url = new URL(written);
  for (const [name, value] of Object.entries(optionalObject(parameters, 'query') ?? {})) {
    for (const item of Array.isArray(value) ? value : [value]) {
      const revealed = context.reveal(item);
      if (revealed !== null) url.searchParams.append(name, isObject(revealed) ? JSON.stringify(revealed) : String(revealed));
    }
  }
  return url;
}

/** Headers by their lower-case names, secrets joined in. A line break in one would begin another header and is refused. */
function headersOf(parameters: JsonObject, context: ActionContext): Record<string, string> {
  const headers: Record<string, string> = { accept: '*/*', 'accept-encoding': 'gzip, deflate, br', 'user-agent': USER_AGENT };
  for (const [name, value] of Object.entries(optionalObject(parameters, 'headers') ?? {})) {
    const revealed = context.reveal(value);
    if (isObject(revealed) || Array.isArray(revealed)) throw badParameter(`headers.${name}`, 'text');
    if (revealed === null) continue;
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name) || /[\r\n\0]/.test(String(revealed)))
      throw badParameter(`headers.${name}`, 'a header without line breaks');
    headers[name.toLowerCase()] = String(revealed);
  }
  return headers;
}

function requestOf(method: string, parameters: JsonObject, context: ActionContext): HttpRequest {
  const headers = headersOf(parameters, context);
  const written = given(parameters, 'body');
  const form = optionalObject(parameters, 'form');
  if (written !== undefined && form !== undefined) throw badParameter('form', 'left out where body is given');
  let body: string | undefined;
  if (form !== undefined) {
    const revealed = context.reveal(form) as JsonObject;
    body = new URLSearchParams(
      Object.entries(revealed).map(([name, value]): [string, string] => [
        name,
        isObject(value) || Array.isArray(value) ? JSON.stringify(value) : String(value ?? ''),
      ]),
    ).toString();
    headers['content-type'] ??= 'application/x-www-form-urlencoded';
  } else if (written !== undefined) {
    const revealed = context.reveal(written);
    body = typeof revealed === 'string' ? revealed : JSON.stringify(revealed);
    headers['content-type'] ??= typeof revealed === 'string' ? 'text/plain; charset=utf-8' : 'application/json';
  }
  if (body !== undefined) headers['content-length'] = String(Buffer.byteLength(body));
  if (given(parameters, 'keyed') !== undefined && flag(parameters, 'keyed')) headers['idempotency-key'] = context.key;
  return {
    method,
    url: urlOf(parameters, context),
    headers,
    body,
    timeoutMs: optionalDurationMs(parameters, 'timeout')!,
    maxBytes: count(parameters, 'max_bytes'),
    followRedirects: flag(parameters, 'follow_redirects'),
  };
}

/** Kinds of content that are text; everything else is given as base64. */
const TEXTUAL =
  /^(text\/|application\/([\w.+-]*\+)?(json|xml|yaml|x-yaml|x-ndjson|javascript|ecmascript|x-www-form-urlencoded|graphql|sql|toml)\b|image\/svg\+xml)/;

/** Text in the encoding that a server names; in UTF-8 where we do not know it. */
function decode(bytes: Uint8Array, charset: string): string {
  try {
    return new TextDecoder(charset).decode(bytes);
  } catch {
    return new TextDecoder().decode(bytes);
  }
}

/** The body as data: JSON parsed where the server says that it is JSON and it is, text as text, everything else as base64. */
function bodyOf(response: HttpResponse): Json {
  const type = (response.headers['content-type'] ?? 'text/plain').toLowerCase();
  if (!TEXTUAL.test(type)) return response.body.toString('base64');
  const charset = /charset="?([\w.:-]+)/.exec(type)?.[1] ?? 'utf-8';
  const content = decode(response.body, charset);
  const parsed = /^[^;]*\bjson\b/.test(type) ? parseJson(content) : undefined;
  return parsed === undefined ? content : parsed;
}

function retryAfterMs(headers: Record<string, string>): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined) return undefined;
  const ms = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, Math.round(ms)) : undefined;
}

function classOf(status: number, wait: number | undefined): { class: ErrorClass; retryable: boolean } {
  if (status === 429 || (status === 503 && wait !== undefined)) return { class: 'rate_limit', retryable: true };
  if (status === 401 || status === 403 || status === 407) return { class: 'auth', retryable: false };
  if (status === 404 || status === 410) return { class: 'not_found', retryable: false };
  if (status === 408 || status === 504) return { class: 'timeout', retryable: true };
  if (status >= 500) return { class: 'unavailable', retryable: status !== 501 && status !== 505 };
  return { class: 'invalid_input', retryable: status === 409 || status === 425 };
}

function statusError(method: string, response: HttpResponse, body: Json): OrchestratorError {
  const { status, headers } = response;
  // The words of a server are shown on terminals, so nothing is in them that one would obey (C20).
  const reason = response.statusText
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, 200);
  const wait = retryAfterMs(headers);
  const shown = typeof body === 'string' ? body : JSON.stringify(body);
  const url = `${response.url.origin}${response.url.pathname}`;
  return new OrchestratorError('ORC-223', `${method} ${url} was answered with ${status}${reason === '' ? '' : ` ${reason}`}.`, {
    ...classOf(status, wait),
    help: ['say check: false to take such an answer as a result'],
    details: { status, url, body: shown.slice(0, 2000) },
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  });
}

/** Performs one of the http actions. */
export async function performRequest(method: string, parameters: JsonObject, context: ActionContext, resolve?: Resolve): Promise<JsonObject> {
  const started = performance.now();
  const response = await sendRequest(requestOf(method, parameters, context), {
    signal: context.signal,
    allowPrivate: context.policy.network.private === 'allow',
    ...(resolve === undefined ? {} : { resolve }),
  });
  const body = bodyOf(response);
  if (response.status >= 400 && flag(parameters, 'check')) throw statusError(method, response, body);
  return { status: response.status, headers: response.headers, body, url: response.url.href, duration_ms: Math.round(performance.now() - started) };
}
