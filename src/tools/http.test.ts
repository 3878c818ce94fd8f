import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openBench, type BenchOptions } from '../../test/support/action-bench.ts';
import type { JsonObject } from '../json.ts';
import { checkedAddresses, isPublicAddress, type Resolve } from './address.ts';
import { findAction } from './index.ts';
import type { ActionContext } from './port.ts';
import { performRequest } from './requests.ts';

const OPEN: BenchOptions = { policy: { network: { private: 'allow' } } };
let server: Server;
let port: number;
let base: string;
let seen: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = [];

const routes: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  '/json': (_, response) => response.setHeader('content-type', 'application/json; charset=utf-8').end('{"a":[1,2]}'),
  '/problem': (_, response) => response.setHeader('content-type', 'application/problem+json').end('{"title":"x"}'),
  '/broken-json': (_, response) => response.setHeader('content-type', 'application/json').end('<html>'),
  '/text': (_, response) => response.setHeader('content-type', 'text/plain').setHeader('x-mark', 'yes').end('{"a":1}'),
  '/latin1': (_, response) => response.setHeader('content-type', 'text/plain; charset=iso-8859-1').end(Buffer.from([0xfc])),
  '/png': (_, response) => response.setHeader('content-type', 'image/png').end(Buffer.from([0x89, 0x50])),
  '/gzip': (_, response) =>
    response
      .setHeader('content-encoding', 'gzip')
      .setHeader('content-type', 'text/plain')
      .end(gzipSync('z'.repeat(1000))),
  '/endless': (_, response) => {
    const timer = setInterval(() => response.write('x'.repeat(65536)), 1);
    response.on('close', () => clearInterval(timer));
  },
  '/hang': () => undefined,
  '/cut': (_, response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('half');
    setImmediate(() => response.destroy());
  },
  '/busy': (_, response) => response.writeHead(429, { 'retry-after': '7' }).end('slow down'),
  '/down': (_, response) => response.writeHead(503, { 'retry-after': new Date(Date.now() + 3_600_000).toUTCString() }).end(),
  '/loop': (_, response) => response.writeHead(302, { location: '/loop' }).end(),
  '/see-other': (_, response) => response.writeHead(303, { location: '/json' }).end(),
  '/same-host': (_, response) => response.writeHead(307, { location: '/text' }).end(),
  '/other-host': (_, response) => response.writeHead(302, { location: `http://localhost:${port}/text` }).end(),
  '/other-host-307': (_, response) => response.writeHead(307, { location: `http://localhost:${port}/text` }).end(),
  '/to-metadata': (_, response) => response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end(),
  '/to-file': (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
};

beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', chunk => {
      body += String(chunk);
    });
    request.on('end', () => {
      seen.push({ method: request.method!, url: request.url!, headers: request.headers, body });
      const path = request.url!.split('?')[0]!;
      const status = /^\/status\/(\d+)$/.exec(path)?.[1];
      if (status !== undefined) response.writeHead(Number(status)).end('no');
      else (routes[path] ?? routes['/text']!)(request, response);
    });
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
  base = `http://127.0.0.1:${port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function get(path: string, parameters: JsonObject = {}, options: BenchOptions = OPEN): Promise<JsonObject> {
  await using bench = await openBench(options);
  return (await bench.perform('http.get', { url: base + path, ...parameters })) as JsonObject;
}

describe('what comes back', () => {
  test('status, headers, address, duration, and JSON parsed', async () => {
    expect(await get('/json')).toEqual({
      status: 200,
      headers: expect.objectContaining({ 'content-type': 'application/json; charset=utf-8' }),
      body: { a: [1, 2] },
      url: `${base}/json`,
      duration_ms: expect.any(Number),
    });
  });

  test.each([
    ['/problem', { title: 'x' }],
    ['/broken-json', '<html>'],
    ['/text', '{"a":1}'],
    ['/latin1', 'ü'],
    ['/png', 'iVA='],
    ['/gzip', 'z'.repeat(1000)],
  ])('%s', async (path, body) => {
    expect((await get(path))['body']).toEqual(body);
  });

  test('HEAD has no body', async () => {
    await using bench = await openBench(OPEN);
    expect(await bench.perform('http.request', { method: 'HEAD', url: `${base}/gzip` })).toMatchObject({ status: 200, body: '' });
  });
});

describe('failures', () => {
  test.each([
    [400, 'invalid_input', false],
    [401, 'auth', false],
    [403, 'auth', false],
    [404, 'not_found', false],
    [408, 'timeout', true],
    [500, 'unavailable', true],
    [503, 'unavailable', true],
  ])('status %d is of the class %s', async (status, kind, retryable) => {
    await expect(get(`/status/${status}`)).rejects.toMatchObject({ code: 'ORC-223', class: kind, retryable, details: { status } });
    expect(await get(`/status/${status}`, { check: false })).toMatchObject({ status, body: 'no' });
  });

  test('Retry-After in seconds and as a date', async () => {
    await expect(get('/busy')).rejects.toMatchObject({ code: 'ORC-223', class: 'rate_limit', retryable: true, retryAfterMs: 7000 });
    const failure = await get('/down').catch((error: unknown) => error as { class: string; retryAfterMs: number });
    expect(failure).toMatchObject({ class: 'rate_limit' });
    expect(Math.abs((failure as { retryAfterMs: number }).retryAfterMs - 3_600_000)).toBeLessThan(10_000);
  });

  test('a port where nobody listens, a name that does not exist, a connection that breaks', async () => {
    await expect(get('', { url: 'http://127.0.0.1:1/' })).rejects.toMatchObject({ code: 'ORC-224', class: 'network', retryable: true });
    await expect(get('/cut')).rejects.toMatchObject({ code: 'ORC-224', class: 'network', retryable: true });
    await using bench = await openBench(OPEN);
    const missing: Resolve = () => Promise.reject(Object.assign(new Error('none'), { code: 'ENOTFOUND' }));
    await expect(
      performRequest('GET', { url: 'http://nowhere.example/', timeout: 5, max_bytes: 10, follow_redirects: true }, bench.context, missing),
    ).rejects.toMatchObject({ code: 'ORC-224', retryable: false });
  });

  test('C8 a certificate that nobody vouches for is refused, and not worth another try', async context => {
    await using bench = await openBench(OPEN);
    const subject = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'key.pem', '-out', 'cert.pem', '-days', '2', '-subj', '/CN=localhost'];
    const made = spawnSync('openssl', subject, { cwd: bench.folder });
    if (made.status !== 0) context.skip('openssl is not here to make a certificate');
    const [key, cert] = await Promise.all(['key.pem', 'cert.pem'].map(name => readFile(join(bench.folder, name))));
    const secure = createSecureServer({ key: key!, cert: cert! }, (_, response) => response.end('x'));
    await new Promise<void>(resolve => secure.listen(0, '127.0.0.1', resolve));
    const url = `https://localhost:${(secure.address() as AddressInfo).port}/`;
    await expect(bench.perform('http.get', { url })).rejects.toMatchObject({ code: 'ORC-224', class: 'network', retryable: false });
    secure.close();
  });

  test('C8 a server that does not answer is left at the time-out', async () => {
    await expect(get('/hang', { timeout: '50ms' })).rejects.toMatchObject({ code: 'ORC-224', class: 'timeout', retryable: true });
  });

  test('C8 an endless reply is cut at max_bytes, and a small one that unpacks to much too', async () => {
    await expect(get('/endless', { max_bytes: 200_000 })).rejects.toMatchObject({ code: 'ORC-603' });
    await expect(get('/gzip', { max_bytes: 500 })).rejects.toMatchObject({ code: 'ORC-603' });
  });

  test('a request stops when its signal is aborted', async () => {
    const controller = new AbortController();
    const asked = get('/hang', {}, { ...OPEN, signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await expect(asked).rejects.toMatchObject({ code: 'ORC-231', class: 'cancelled' });
  });

  test.each(['ftp://example.com/', 'file:///etc/passwd', 'not a url', 'http://user:password@example.com/'])('%s is no address to ask', async url => {
    await expect(get('', { url })).rejects.toMatchObject({ code: 'ORC-212', class: 'invalid_input' });
  });
});

describe('what is sent', () => {
  test('an object as JSON, a text as text, fields as a form, parameters in the address', async () => {
    await using bench = await openBench(OPEN);
    seen = [];
    await bench.perform('http.post', { url: `${base}/json`, body: { a: 'ü' } });
    await bench.perform('http.post', { url: `${base}/json`, body: 'plain' });
    await bench.perform('http.post', { url: `${base}/json`, form: { a: 'x y', b: 1 } });
    await bench.perform('http.request', { method: 'PUT', url: `${base}/json?z=0`, query: { a: [1, 2], b: 'c&d' } });
    expect(seen.map(({ method, url, headers, body }) => [method, url, headers['content-type'], body])).toEqual([
      ['POST', '/json', 'application/json', '{"a":"ü"}'],
      ['POST', '/json', 'text/plain; charset=utf-8', 'plain'],
      ['POST', '/json', 'application/x-www-form-urlencoded', 'a=x+y&b=1'],
      ['PUT', '/json?z=0&a=1&a=2&b=c%26d', undefined, ''],
    ]);
  });

  test('S3 keyed sends the key of the task and makes the effect keyed', async () => {
    await using bench = await openBench(OPEN);
    seen = [];
    await bench.perform('http.post', { url: `${base}/json`, keyed: true });
    await bench.perform('http.post', { url: `${base}/json` });
    expect(seen.map(request => request.headers['idempotency-key'])).toEqual(['run_1/task', undefined]);
    const effects = ['http.get', 'http.post', 'http.request'].map(name => findAction(name)!);
    expect(effects[1]!.effectOf!({ keyed: true })).toBe('keyed');
    expect(effects[1]!.effectOf!({})).toBe('effectful');
    expect(['GET', 'PUT', 'DELETE', 'PATCH', 'post'].map(method => effects[2]!.effectOf!({ method }))).toEqual([
      'read',
      'idempotent',
      'idempotent',
      'effectful',
      'effectful',
    ]);
  });

  test('C11 secrets are joined in headers and body at the moment of sending', async () => {
    const reveal: ActionContext['reveal'] = value => JSON.parse(JSON.stringify(value).replaceAll('{"secret":"TOKEN"}', '"hunter22"')) as typeof value;
    await using bench = await openBench({ ...OPEN, reveal });
    seen = [];
    const result = await bench.perform('http.post', {
      url: `${base}/text`,
      headers: { Authorization: { secret: 'TOKEN' } },
      body: { password: { secret: 'TOKEN' } },
    });
    expect(seen[0]).toMatchObject({ headers: { authorization: 'hunter22' }, body: '{"password":"hunter22"}' });
    expect(JSON.stringify(result)).not.toContain('hunter22');
  });

  test('a line break in a header is refused', async () => {
    await expect(get('/text', { headers: { 'x-a': 'b\r\nhost: evil' } })).rejects.toMatchObject({ code: 'ORC-212' });
  });
});

describe('C8 redirects', () => {
  test('303 becomes GET, 307 keeps method and body on the same host', async () => {
    await using bench = await openBench(OPEN);
    seen = [];
    expect(await bench.perform('http.post', { url: `${base}/see-other`, body: 'x' })).toMatchObject({ url: `${base}/json` });
    await bench.perform('http.post', { url: `${base}/same-host`, body: 'x' });
    expect(seen.map(({ method, body }) => method + body)).toEqual(['POSTx', 'GET', 'POSTx', 'POSTx']);
  });

  test('credentials do not go on to another host, and a body neither', async () => {
    await using bench = await openBench(OPEN);
    seen = [];
    const headers = { authorization: 'Bearer x', cookie: 'a=b', 'x-api-key': 'k', accept: 'text/plain' };
    await bench.perform('http.get', { url: `${base}/other-host`, headers });
    expect(seen.map(request => [request.headers.authorization, request.headers.cookie, request.headers['x-api-key'], request.headers.accept])).toEqual([
      ['Bearer x', 'a=b', 'k', 'text/plain'],
      [undefined, undefined, undefined, 'text/plain'],
    ]);
    await expect(bench.perform('http.post', { url: `${base}/other-host-307`, body: 'x' })).rejects.toMatchObject({ code: 'ORC-224', class: 'policy' });
  });

  test('at most five, none when they are not wanted, and never to another scheme', async () => {
    seen = [];
    await expect(get('/loop')).rejects.toMatchObject({ code: 'ORC-224' });
    expect(seen).toHaveLength(6);
    expect(await get('/loop', { follow_redirects: false })).toMatchObject({ status: 302 });
    await expect(get('/to-file')).rejects.toMatchObject({ code: 'ORC-212' });
  });

  test('the place that a redirect names is checked like the first', async () => {
    await using bench = await openBench();
    const resolve: Resolve = () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]);
    await expect(checkedAddresses('169.254.169.254', false, resolve)).rejects.toMatchObject({ code: 'ORC-225' });
    seen = [];
    const { sendRequest } = await import('./client.ts');
    const asked = sendRequest(
      { method: 'GET', url: new URL(`${base}/to-metadata`), headers: {}, body: undefined, timeoutMs: 2000, maxBytes: 1000, followRedirects: true },
      {
        signal: bench.context.signal,
        get allowPrivate() {
          return seen.length === 0;
        }, // only the first hop may be private
      },
    );
    await expect(asked).rejects.toMatchObject({ code: 'ORC-225', class: 'policy' });
  });
});

describe('C8 addresses', () => {
  test('the default policy refuses this machine and its networks, however they are written', async () => {
    for (const host of [
      '127.0.0.1',
      'localhost',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '2130706433',
      '0x7f.1',
      '0.0.0.0',
      '10.1.2.3',
      '192.168.0.1',
      '169.254.169.254',
      '[fe80::1]',
      '[fd00:ec2::254]',
    ]) {
      await expect(get('', { url: `http://${host}:${port}/json` }, {}), host).rejects.toMatchObject({ code: 'ORC-225', class: 'policy', retryable: false });
    }
  });

  test.each([
    '0.0.0.0',
    '10.0.0.1',
    '100.64.0.1',
    '127.255.255.255',
    '168.63.129.16',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:10.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::7f00:1',
    '64:ff9b::10.0.0.1',
    '::127.0.0.1',
    'fc00::1',
    'fd12::1',
    'fe80::1',
    'fe80::1%eth0',
    'fec0::1',
    'ff02::1',
    '2002:7f00:1::',
    '2001::1',
    '2001:db8::1',
    'nonsense',
    '',
  ])('%s is not public', address => expect(isPublicAddress(address)).toBe(false));

  test.each(['1.1.1.1', '172.15.0.1', '172.32.0.1', '8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8', '64:ff9b::808:808', '64:ff9b::8.8.8.8'])(
    '%s is public',
    address => expect(isPublicAddress(address)).toBe(true),
  );

  test('a host with one private address among public ones is refused', async () => {
    const resolve: Resolve = () =>
      Promise.resolve([
        { address: '8.8.8.8', family: 4 },
        { address: '10.0.0.1', family: 4 },
      ]);
    await expect(checkedAddresses('mixed.example', false, resolve)).rejects.toMatchObject({
      code: 'ORC-225',
      details: { host: 'mixed.example', address: '10.0.0.1' },
    });
  });

  test('the address that was checked is the one connected to: the name is looked up once', async () => {
    await using bench = await openBench(OPEN);
    let asked = 0;
    const rebinding: Resolve = () => Promise.resolve([{ address: asked++ === 0 ? '127.0.0.1' : '127.0.0.2', family: 4 }]);
    seen = [];
    const result = await performRequest(
      'GET',
      { url: `http://rebind.example:${port}/json`, timeout: 5, max_bytes: 1000, follow_redirects: true, check: true },
      bench.context,
      rebinding,
    );
    expect(result).toMatchObject({ status: 200, url: `http://rebind.example:${port}/json` });
    expect(seen[0]!.headers.host).toBe(`rebind.example:${port}`);
    expect(asked).toBe(1);
  });
});
