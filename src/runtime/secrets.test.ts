import { expect, test } from 'vitest';
import { Secrets } from './secrets.ts';

const SECRET = 's3cr&t <"ü\'/+ value';

function setup(value = SECRET): Secrets {
  const secrets = new Secrets(name => (name === 'TOKEN' ? value : undefined));
  secrets.value('TOKEN');
  return secrets;
}

test.each<[string, (text: string) => string]>([
  ['itself', text => text],
  ['within JSON', text => JSON.stringify({ text })],
  ['within JSON within JSON', text => JSON.stringify(JSON.stringify(text)).replaceAll('\\\\', '\\').replaceAll('\\"', '"')],
  ['in a URL', text => encodeURIComponent(text)],
  ['in a form', text => new URLSearchParams({ text }).toString()],
  [
    'in a URL by a stricter hand, in small letters',
    text =>
      encodeURIComponent(text)
        .replaceAll("'", '%27')
        .replace(/%../g, code => code.toLowerCase()),
  ],
  ['within JSON of ASCII', text => JSON.stringify(text).replaceAll('ü', '\\u00fc')],
  ['within JSON with its slashes escaped', text => JSON.stringify(text).replaceAll('/', '\\/')],
  [
    'in HTML',
    text => `<b>${text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;')}</b>`,
  ],
  ['in hex', text => Buffer.from(text).toString('hex').toUpperCase()],
  ['in base64', text => Buffer.from(text).toString('base64')],
  ['in basic authorisation', text => `Basic ${Buffer.from(`me:${text}`).toString('base64')}`],
  ['in basic authorisation of a longer name', text => `Basic ${Buffer.from(`you:${text}`).toString('base64')}`],
  ['in the middle of base64url', text => Buffer.from(`a${text}?`).toString('base64url')],
])('C11 a value is redacted %s', (_form, encode) => {
  const text = setup().redactText(encode(SECRET));
  expect(text).toContain('▮▮▮');
  for (const part of [
    SECRET.slice(0, 9),
    encodeURIComponent(SECRET.slice(0, 9)),
    Buffer.from(SECRET).toString('base64').slice(4, 16),
    Buffer.from(SECRET).toString('hex').slice(0, 16),
  ])
    expect(text).not.toContain(part);
});

test('C11 keys of objects are redacted, and what holds nothing is left as it is', () => {
  const secrets = setup();
  expect(secrets.redact({ [SECRET]: [SECRET, 1, null], b: { c: 'fine' } })).toEqual({ '▮▮▮': ['▮▮▮', 1, null], b: { c: 'fine' } });
  const none = new Secrets();
  const value = { a: 1 };
  expect(none.redact(value)).toBe(value);
});

test('C11 a value that stands for part of another one leaves none of it', () => {
  const secrets = new Secrets(name => ({ A: 'password', B: 'password-of-the-host' })[name]);
  secrets.value('A');
  secrets.value('B');
  expect(secrets.redactText('password-of-the-host, password')).toBe('▮▮▮, ▮▮▮');
});

test('C11 short and missing secrets are refused by name; a handle given for an input is not repeated', () => {
  const code = expect.objectContaining({ code: 'ORC-312' }) as unknown;
  expect(() => setup('short').value('TOKEN')).toThrow(code as Error);
  expect(() => setup().value('NONE')).toThrow(/NONE/);
  expect(() => setup().named('hunter2hunter2', 'key')).toThrow(/^(?!.*hunter2).*`key`/);
});

test('C11 a text that is still being written never shows the beginning of a secret', () => {
  const secrets = setup();
  const text = `Authorization: ${SECRET}, and so on`;
  for (let end = 0; end <= text.length; end++) {
    const shown = secrets.redactGrowing(text.slice(0, end));
    expect(shown).not.toContain(SECRET.slice(0, 4));
    expect(text.slice(0, end).startsWith('Auth') && !shown.startsWith('Auth') && end > 4).toBe(false);
  }
  expect(secrets.redactGrowing(text)).toBe('Authorization: ▮▮▮, and so on');
});
