import { afterEach, beforeEach, expect, test } from 'vitest';
import { startModelServer, type Answer, type ModelServer } from '../../test/support/model-server.ts';
import { toFailure } from '../errors.ts';
import { failedBill, reservationFor } from './billing.ts';
import { openModels } from './catalog.ts';
import type { ModelPrice, ModelRequest } from './port.ts';

const PRICE: ModelPrice = { inputPerMillion: 1_000_000, outputPerMillion: 5_000_000 };
const PAID = { price: PRICE, local: false };
const REQUEST: ModelRequest = { messages: [{ role: 'user', content: 'hi' }] };
const signal = new AbortController().signal;

let server: ModelServer;
beforeEach(async () => {
  server = await startModelServer();
});
afterEach(() => server.close());

function setup(more: object = {}) {
  return openModels(
    {
      providers: { lab: { type: 'openai-compatible', base_url: server.url, timeout: 0.2, ...more } },
      catalog: [{ id: 'lab/m', cost: { input_per_million: 1, output_per_million: 5 } }],
    },
    { env: {} },
  );
}

test.each<[string, Answer, string]>([
  ['an error of the service', { status: 500, body: {} }, 'no'],
  ['a rate limit', { status: 429, body: {} }, 'no'],
  ['a request that is at fault', { status: 400, body: {} }, 'no'],
  ['a refusal, which tells its usage', { text: 'x', finishReason: 'content_filter', usage: { prompt_tokens: 1000, completion_tokens: 100 } }, 'yes'],
  ['a reset', { fault: 'reset' }, 'uncertain'],
  ['silence', { fault: 'hang' }, 'uncertain'],
  ['a reply that ends early', { text: 'one two', cut: { at: 30, then: 'end' } }, 'uncertain'],
  ['a page', { raw: '<html>' }, 'uncertain'],
])('S12 %s is billed: %s', async (_case, answer, billed) => {
  server.reply(answer);
  const error = await setup()
    .get('lab/m')
    .generate(REQUEST, { signal })
    .catch((thrown: unknown) => thrown);
  const bill = failedBill(toFailure(error), PAID);
  expect(bill.billed).toBe(billed);
  if (billed === 'yes') expect(bill).toMatchObject({ costMicroUsd: 1500, usage: { inputTokens: 1000, outputTokens: 100 } });
  expect(failedBill(toFailure(error), { price: undefined, local: true })).toEqual({ billed: 'no' });
});

test('S12 what was never sent is not billed: nobody listens, or the circuit is open', async () => {
  const model = setup().get('lab/m');
  await server.close();
  const bills: string[] = [];
  for (let i = 0; i < 6; i++) bills.push(failedBill(toFailure(await model.generate(REQUEST, { signal }).catch((thrown: unknown) => thrown)), PAID).billed);
  expect(bills).toEqual([...Array(5).fill('no'), 'unasked']);
});

test('C24 what is set aside is never below the bill, whatever the text and whoever of the chain answers', () => {
  const texts = ['hi', 'æøå 漢字 🙂'.repeat(50), ' '.repeat(100), '{"a":1}'.repeat(20)];
  for (const content of texts) {
    const { microUsd, maxTokens } = reservationFor([PAID, { price: { inputPerMillion: 2_000_000, outputPerMillion: 1_000_000 }, local: false }], {
      messages: [{ role: 'user', content }],
      maxTokens: 100,
    });
    expect(maxTokens).toBe(100);
    // One token a byte is the worst that any tokenizer does.
    expect(microUsd).toBeGreaterThanOrEqual(Math.max(Buffer.byteLength(content) + 500, Buffer.byteLength(content) * 2 + 100));
  }
});

test('C24 nothing can be set aside where a price is unknown; a local model needs nothing, and a request without a limit gets one', () => {
  expect(reservationFor([PAID, { price: undefined, local: false }], REQUEST).microUsd).toBeUndefined();
  expect(reservationFor([{ price: undefined, local: true }], REQUEST)).toEqual({ microUsd: 0, maxTokens: 4096 });
});
