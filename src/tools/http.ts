import type { JsonObject } from '../json.ts';
import { given } from './parameters.ts';
import type { Action, EffectClass } from './port.ts';

const load = () => import('./requests.ts');

const METHODS = ['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'];

const COMMON: JsonObject = {
  url: {
    type: 'string',
    format: 'uri',
    'x-auto': false,
    description: 'The whole address. Private, loopback and link-local addresses are refused unless policy.network.private is allow.',
  },
  headers: {
    type: 'object',
    additionalProperties: true,
    'x-auto': false,
    'x-secret': true,
    description: 'Headers by name. Secrets may stand here; on a redirect to another host they are dropped.',
  },
  query: { type: 'object', additionalProperties: true, 'x-secret': true, description: 'Parameters to add to the address; a list gives one for each member.' },
  timeout: { type: ['number', 'string'], default: 30, 'x-duration': true, description: 'How long the whole exchange may take: seconds, or 30s, 2m.' },
  max_bytes: { type: 'integer', minimum: 0, default: 16_777_216, description: 'The largest reply that is read, in bytes after decompression.' },
  follow_redirects: { type: 'boolean', default: true, description: 'Follow up to 5 redirects; each address is checked again.' },
  check: { type: 'boolean', default: true, description: 'Fail where the status is 400 or above; false gives such a reply as the result.' },
};

const SENDING: JsonObject = {
  body: { 'x-secret': true, description: 'What to send: text as it is, anything else as JSON.' },
  form: { type: 'object', additionalProperties: true, 'x-secret': true, description: 'Fields to send as a form, in place of body.' },
  keyed: {
    type: 'boolean',
    default: false,
    description:
      'The server honours Idempotency-Key: the header is sent, the same over attempts and resumes, and after a crash the request is simply sent again.',
  },
};

const RESULT: JsonObject = {
  type: 'object',
  additionalProperties: false,
  required: ['status', 'headers', 'body', 'url', 'duration_ms'],
  properties: {
    status: { type: 'integer', description: 'Status of the reply.' },
    headers: { type: 'object', additionalProperties: { type: 'string' }, description: 'Headers of the reply, by lower-case name.' },
    body: { description: 'The reply: parsed where it is JSON, text where it is text, else base64.' },
    url: { type: 'string', description: 'The address that answered, after redirects.' },
    duration_ms: { type: 'integer', description: 'How long it took, in ms.' },
  },
};

function schema(properties: JsonObject): JsonObject {
  return { type: 'object', properties, required: ['url'], additionalProperties: false };
}

/** How much may be repeated: the methods that HTTP calls safe or idempotent, and what its author vouches for. */
function effectOf(method: string, parameters: JsonObject): EffectClass {
  if (given(parameters, 'keyed') === true) return 'keyed';
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return 'read';
  return method === 'PUT' || method === 'DELETE' ? 'idempotent' : 'effectful';
}

function methodOf(parameters: JsonObject): string {
  return String(given(parameters, 'method') ?? 'GET').toUpperCase();
}

const FAILURES =
  'A status of 400 or above fails the task (ORC-223) with the class rate_limit, auth, not_found, timeout, unavailable or invalid_input; Retry-After is honoured.';

export const HTTP_ACTIONS: Action[] = [
  {
    name: 'http.get',
    summary: 'Fetches an address.',
    effect: 'read',
    powers: ['network'],
    description: FAILURES,
    parameters: schema(COMMON),
    result: RESULT,
    example: '- id: fetch\n  action: http.get\n  parameters: { url: "https://example.com/data.json" }',
    run: async (parameters, context) => (await load()).performRequest('GET', parameters, context),
  },
  {
    name: 'http.post',
    summary: 'Sends data to an address.',
    effect: 'effectful',
    powers: ['network'],
    description: `${FAILURES} After a crash in the middle a person must say whether the request arrived, unless keyed: true.`,
    parameters: schema({ ...COMMON, ...SENDING }),
    result: RESULT,
    example: '- id: notify\n  action: http.post\n  parameters:\n    url: https://example.com/hooks\n    body: { text: "{{ summary }}" }\n    keyed: true',
    effectOf: parameters => effectOf('POST', parameters),
    run: async (parameters, context) => (await load()).performRequest('POST', parameters, context),
  },
  {
    name: 'http.request',
    summary: 'Sends a request with any method.',
    effect: 'effectful',
    powers: ['network'],
    description: `${FAILURES} GET, HEAD and OPTIONS count as reading, PUT and DELETE as idempotent, POST and PATCH as effectful unless keyed: true.`,
    parameters: schema({ method: { type: 'string', enum: METHODS, default: 'GET', description: 'The method.' }, ...COMMON, ...SENDING }),
    result: RESULT,
    example: '- id: replace\n  action: http.request\n  parameters: { method: PUT, url: "https://example.com/items/1", body: { name: new } }',
    effectOf: parameters => effectOf(methodOf(parameters), parameters),
    run: async (parameters, context) => (await load()).performRequest(methodOf(parameters), parameters, context),
  },
];
