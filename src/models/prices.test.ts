import { expect, test } from 'vitest';
import type { ModelPrice, ModelUsage } from './port.ts';
import { costOf, isFree, lookUp, replyCost, worstCost } from './prices.ts';

const PRICE: ModelPrice = { inputPerMillion: 1_000_000, outputPerMillion: 5_000_000, cachedInputPerMillion: 100_000, cacheWritePerMillion: 1_250_000 };
const usage = (more: Partial<ModelUsage> = {}): ModelUsage => ({ inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, reasoningTokens: 0, ...more });
const NOW = Date.UTC(2026, 10, 24);

test.each<[string, Partial<ModelUsage>, number]>([
  ['input and output', { inputTokens: 1000, outputTokens: 200 }, 2000],
  ['cached input, which is part of the input', { inputTokens: 1000, cachedInputTokens: 1000 }, 100],
  ['input that is kept for later', { inputTokens: 1000, cacheWriteTokens: 400 }, 1100],
  ['thinking, which is part of the output', { outputTokens: 10, reasoningTokens: 8 }, 50],
  ['nothing', {}, 0],
])('S12 the cost of %s', (_case, used, micro) => {
  expect(costOf(PRICE, usage(used))).toBe(micro);
});

test('S12 a cost is rounded up to micro-dollars, once', () => {
  const cheap: ModelPrice = { inputPerMillion: 75_000, outputPerMillion: 300_000 };
  expect(costOf(cheap, usage({ inputTokens: 1 }))).toBe(1);
  // 0.075 + 0.3 micro-dollars: one, and not one each.
  expect(costOf(cheap, usage({ inputTokens: 1, outputTokens: 1 }))).toBe(1);
  expect(costOf(cheap, usage({ inputTokens: 40 }))).toBe(3);
  expect(costOf(cheap, usage({ inputTokens: 41 }))).toBe(4);
});

test('a long input has its own price', () => {
  const { price } = lookUp('google', 'gemini-2.5-pro', NOW);
  expect(price?.tiers?.[0]).toMatchObject({ aboveInputTokens: 200_000, price: { inputPerMillion: 2_500_000, outputPerMillion: 15_000_000 } });
  expect(costOf(price!, usage({ inputTokens: 200_000 }))).toBe(250_000);
  expect(costOf(price!, usage({ inputTokens: 200_001 }))).toBe(500_003);
});

test('the table agrees with its own arithmetic', async () => {
  const { calcPrice } = await import('@pydantic/genai-prices');
  for (const [provider, model] of [
    ['anthropic', 'claude-haiku-4-5'],
    ['openai', 'gpt-4o-mini'],
    ['google', 'gemini-2.5-pro'],
    ['aws', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'],
  ] as const) {
    for (const [input, cached, output] of [
      [1000, 200, 77],
      [250_000, 100_000, 3],
      [1, 0, 1],
    ] as const) {
      const theirs = calcPrice({ input_tokens: input, cache_read_tokens: cached, output_tokens: output }, model, { providerId: provider })!.total_price;
      const ours = costOf(lookUp(provider, model, NOW).price!, usage({ inputTokens: input, cachedInputTokens: cached, outputTokens: output }));
      expect(ours, `${model} ${input}`).toBe(Math.ceil(Math.round(theirs * 1e9) / 1e3));
    }
  }
});

test('what nobody knows is unknown and never zero', () => {
  expect(lookUp('openai', 'nobody-knows-me', NOW).price).toBeUndefined();
  expect(replyCost({ price: undefined, local: false }, { usage: usage({ inputTokens: 5 }) })).toBeUndefined();
  expect(replyCost({ price: PRICE, local: false }, { usage: usage(), usageUnknown: true })).toBeUndefined();
  expect(worstCost({ price: undefined, local: false }, 1, 1)).toBeUndefined();
  expect(isFree({ price: undefined, local: false })).toBe(false);
});

test('a model of this machine costs nothing, also where it tells no usage', () => {
  expect(replyCost({ price: undefined, local: true }, { usage: usage(), usageUnknown: true })).toBe(0);
  expect(worstCost({ price: undefined, local: true }, 1, 1)).toBe(0);
});

test('the worst case reckons with the dearest kind of input', () => {
  expect(worstCost({ price: PRICE, local: false }, 1000, 100)).toBe(1750);
});
