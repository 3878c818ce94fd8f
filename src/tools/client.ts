import { request as requestHttp, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { pipeline, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { OrchestratorError } from '../errors.ts';
import { checkedAddresses, systemResolve, type Address, type Resolve } from './address.ts';
import { abortError } from './parameters.ts';

/** One request as an action wants it. Secrets are already joined in. */
export interface HttpRequest {
  method: string;
  url: URL;
  headers: Record<string, string>;
  body: string | Uint8Array | undefined;
  timeoutMs: number;
  maxBytes: number;
  followRedirects: boolean;
}

export interface HttpResponse {
  status: number;
  statusText: string;
  headers: Record<string, string>;
  body: Buffer;
  url: URL;
}

export interface HttpLimits {
  signal: AbortSignal;
  allowPrivate: boolean;
  resolve?: Resolve;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** Headers that say nothing of who asks, and so may go on to another host. */
const HARMLESS_HEADERS = new Set(['accept', 'accept-language', 'accept-encoding', 'content-type', 'user-agent']);
/** Failures of a connection that the same request would meet again. */
const LASTING = /^(ENOTFOUND|ERR_INVALID_|ERR_UNESCAPED|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|ERR_TLS_CERT)/;

/** What a server did, by the code and the words that Node has for it. */
function wordsOf(code: string, message: string): string {
  if (code === 'ENOTFOUND') return 'has no address';
  if (code === 'ECONNREFUSED') return 'refuses connections';
  if (code === 'ECONNRESET') return 'broke the connection';
  if (code.startsWith('HPE_')) return `answered with what is no HTTP: ${message.replace(/^Parse Error: /, '')}`;
  if (/^(Z_|ERR__|ERR_BROTLI)/.test(code)) return `sent a body that cannot be unpacked: ${message}`;
  return `could not be reached: ${message}`;
}

function networkError(error: unknown, url: URL, limits: HttpLimits, timeout: AbortSignal, timeoutMs: number): OrchestratorError {
  if (error instanceof OrchestratorError) return error;
  if (limits.signal.aborted) return abortError(limits.signal);
  const details = { host: url.host };
  if (timeout.aborted)
    return new OrchestratorError('ORC-224', `${url.host} did not answer within ${timeoutMs / 1000} s.`, {
      class: 'timeout',
      retryable: true,
      help: ['raise timeout, a parameter of the action'],
      details,
    });
  const { code = '', message } = error as NodeJS.ErrnoException;
  const lasting = LASTING.test(code);
  return new OrchestratorError('ORC-224', `${url.host} ${wordsOf(code, message)}.`, {
    class: 'network',
    retryable: !lasting,
    details: { ...details, ...(code === '' ? {} : { cause: code }) },
    cause: error,
  });
}

/** A lookup that gives the addresses that were checked, whatever a name server would say by now. */
function pinned(addresses: Address[]): LookupFunction {
  return (_host, options, callback) => {
    if (options.all) callback(null, addresses);
    else callback(null, addresses[0]!.address, addresses[0]!.family);
  };
}

function connect(request: HttpRequest, addresses: Address[], signal: AbortSignal): Promise<IncomingMessage> {
  const options: RequestOptions = { method: request.method, headers: request.headers, lookup: pinned(addresses), agent: false, signal };
  return new Promise((resolve, reject) => {
    const start = request.url.protocol === 'https:' ? requestHttps : requestHttp;
    const outgoing = start(request.url, options, resolve);
    outgoing.on('error', reject);
    // An answer that switches protocols is no response to us, and no error to Node.
    outgoing.on('close', () => reject(new Error('it closed the connection without an answer')));
    outgoing.end(request.body);
  });
}

function decompressed(response: IncomingMessage): Readable {
  const encoding = response.headers['content-encoding']?.toLowerCase();
  const decoder =
    encoding === 'gzip' || encoding === 'x-gzip'
      ? createGunzip()
      : encoding === 'deflate'
        ? createInflate()
        : encoding === 'br'
          ? createBrotliDecompress()
          : undefined;
  return decoder === undefined ? response : pipeline(response, decoder, () => undefined);
}

async function readBody(response: IncomingMessage, { method, url, maxBytes }: HttpRequest): Promise<Buffer> {
  if (method === 'HEAD' || response.statusCode === 204 || response.statusCode === 304) return Buffer.alloc(0); // headers may speak of a body that does not come
  const chunks: Buffer[] = [];
  let size = 0;
  const stream = decompressed(response);
  try {
    for await (const chunk of stream) {
      size += (chunk as Buffer).length;
      if (size > maxBytes)
        throw new OrchestratorError('ORC-603', `The reply of ${url.host} has more than ${maxBytes} bytes.`, {
          class: 'invalid_output',
          help: ['raise max_bytes, a parameter of the action'],
        });
      chunks.push(chunk as Buffer);
    }
  } finally {
    response.destroy();
  }
  return Buffer.concat(chunks);
}

function checkUrl(url: URL): void {
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new OrchestratorError('ORC-212', `${url.protocol} addresses cannot be asked; only http: and https: can.`, { class: 'invalid_input' });
  if (url.username !== '' || url.password !== '') {
    throw new OrchestratorError('ORC-212', 'The URL holds a user name or a password, which would be written into the journal.', {
      class: 'invalid_input',
      help: ['send it in a header: headers: { authorization: "{{ secret(\'NAME\') }}" }'],
    });
  }
}

/** What is sent to the place that a redirect names: on another host without anything that says who asks. */
function redirected(request: HttpRequest, status: number, location: string): HttpRequest {
  const url = URL.parse(location, request.url.href);
  if (url === null) throw new OrchestratorError('ORC-224', `${request.url.host} redirects to what is no address.`, { class: 'network' });
  const keepsMethod = status === 307 || status === 308 || request.method === 'GET' || request.method === 'HEAD';
  const next: HttpRequest = { ...request, url, headers: { ...request.headers } };
  if (!keepsMethod) {
    next.method = 'GET';
    next.body = undefined;
    for (const name of ['content-type', 'content-length']) delete next.headers[name];
  }
  if (url.origin === request.url.origin) return next;
  if (next.body !== undefined) {
    throw new OrchestratorError('ORC-224', `${request.url.host} hands the request on to ${url.host}, and a body is not sent on to another host.`, {
      class: 'policy',
      help: [`if that is meant, ask ${url.host} itself`],
    });
  }
  next.headers = Object.fromEntries(Object.entries(next.headers).filter(([name]) => HARMLESS_HEADERS.has(name)));
  return next;
}

function flatHeaders(response: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(response.headers)) if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  return { ...headers };
}

/** Sends a request and reads the reply, within its limits of time and size; every address on the way is checked and pinned (C8). */
export async function sendRequest(first: HttpRequest, limits: HttpLimits): Promise<HttpResponse> {
  const timeout = AbortSignal.timeout(first.timeoutMs);
  const signal = AbortSignal.any([limits.signal, timeout]);
  const aborted = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true }));
  aborted.catch(() => undefined);
  let request = first;
  try {
    signal.throwIfAborted();
    for (let hops = 0; ; hops++) {
      checkUrl(request.url);
      const addresses = await Promise.race([checkedAddresses(request.url.hostname, limits.allowPrivate, limits.resolve ?? systemResolve), aborted]);
      const response = await connect(request, addresses, signal);
      const status = response.statusCode ?? 0;
      const { location } = response.headers;
      if (request.followRedirects && REDIRECTS.has(status) && location !== undefined) {
        response.destroy();
        if (hops === MAX_REDIRECTS)
          throw new OrchestratorError('ORC-224', `${first.url.host} redirects more than ${MAX_REDIRECTS} times.`, { class: 'network' });
        request = redirected(request, status, location);
        continue;
      }
      return { status, statusText: response.statusMessage ?? '', headers: flatHeaders(response), body: await readBody(response, request), url: request.url };
    }
  } catch (error) {
    throw networkError(error, request.url, limits, timeout, first.timeoutMs);
  }
}
