import { expect, test } from 'vitest';
import { openBench, type Bench } from '../../test/promises/bench.ts';
import type { Json, JsonObject } from '../json.ts';
import type { Models, ModelReply } from '../models/index.ts';
import type { Action, ActionContext, EffectClass, Performed } from '../tools/port.ts';

type Play = (context: ActionContext) => Promise<Json>;

function action(name: string, effect: EffectClass, run: Action['run'], more: Partial<Action> = {}): Action {
  return { name, summary: 'For a test.', effect, powers: [], parameters: { type: 'object' }, result: true, run, ...more };
}

/** A shell with an action `play` that does what the test says, and others that it may perform as its steps. */
async function setup(
  play: Play,
  others: Action[] = [],
  models?: Models,
): Promise<Bench & { run(more?: string): Promise<{ run: string; output: Json; attempts: number }> }> {
  const bench = await openBench({
    actions: [action('play', 'read', (_parameters, context) => play(context)), ...others],
    ...(models === undefined ? {} : { models }),
  });
  return {
    ...bench,
    run: async (more = '') => {
      const document = await bench.shell.run(await bench.compile(`- { id: t, action: play${more} }`));
      const { output, attempts } = document.tasks['t']!;
      return { run: document.run, output, attempts };
    },
  };
}

const perform = (context: ActionContext, name: string, parameters: JsonObject, step: string, mayChange = true): Promise<Performed> =>
  context.perform(name, parameters, { step, mayChange });

test('an action performs another as its step: with the key of the step, and its own steps below it', async () => {
  const { run, events, performed } = await setup(async context => (await perform(context, 'two.steps', {}, 'inner')) as unknown as Json);
  const { run: id, output } = await run();
  expect(output).toEqual({ result: { first: `${id}/t/inner/first`, second: `${id}/t/inner/second` }, costMicroUsd: 0 });
  expect(performed()).toEqual(['t#first', 't#second']);
  const names = (await events(id)).flatMap(event => (event.type === 'step.started' ? [`${event.name} ${event.effect}`] : []));
  expect(names).toEqual(['inner idempotent', 'inner/first effectful', 'inner/second effectful']);
});

test('what cannot be performed is told in words, and leaves no step behind', async () => {
  const { run, events } = await setup(async context => {
    const tried = [
      await perform(context, 'nothing.here', {}, 'a'),
      await perform(context, 'sleep', { duration: 1 }, 'b'),
      await perform(context, 'filesystem.read', { path: 5 }, 'c'),
      await perform(context, 'filesystem.write', { path: 'x', content: 'y' }, 'd', false),
      await perform(context, 'http.request', { url: 'http://127.0.0.1:1/', method: 'POST' }, 'e', false),
    ];
    return tried.map(one => ('error' in one ? one.error.code : 'done'));
  });
  const { run: id, output } = await run();
  expect(output).toEqual(['ORC-210', 'ORC-216', 'ORC-212', 'ORC-214', 'ORC-214']);
  expect((await events(id)).some(({ type }) => type === 'step.started')).toBe(false);
});

test('S6 a failure is a fact as a result is: neither is made again by another attempt', async () => {
  const done: string[] = [];
  const boom = action('boom', 'effectful', () => {
    done.push('boom');
    throw new Error('it broke');
  });
  const wrong = action('wrong', 'read', () => (done.push('wrong'), 5), { result: { type: 'string' } });
  const { run, events } = await setup(
    async context => {
      const first = await perform(context, 'boom', {}, 'first');
      const second = await perform(context, 'wrong', {}, 'second');
      if (context.attempt < 3) throw new Error('once more');
      return [first, second].map(one => ('error' in one ? one.error : {})) as unknown as Json;
    },
    [boom, wrong],
  );
  const { run: id, output, attempts } = await run(', retry: { max_attempts: 3, initial_backoff: 0.01 }');
  expect(attempts).toBe(3);
  expect(output).toEqual([
    { code: 'ORC-216', message: 'it broke' },
    { code: 'ORC-219', message: expect.stringContaining('`wrong`') },
  ]);
  expect(done).toEqual(['boom', 'wrong']);
  expect((await events(id)).filter(({ type }) => type === 'step.completed')).toHaveLength(2);
});

test('what a step asks of models is counted', async () => {
  const prices: (number | undefined)[] = [3, 4, undefined];
  const model = {
    id: 'lab/small',
    provider: 'lab',
    local: false,
    contextWindow: undefined,
    price: undefined,
    generate: async (): Promise<ModelReply> => {
      const costMicroUsd = prices.shift();
      const usage = { inputTokens: 1, outputTokens: 1, cachedInputTokens: 0, reasoningTokens: 0 };
      return {
        model: 'small',
        text: 'yes',
        usage,
        finishReason: 'stop',
        latencyMs: 1,
        firstTokenMs: 1,
        ...(costMicroUsd === undefined ? {} : { costMicroUsd }),
      };
    },
  };
  const { openModels } = await import('../models/index.ts');
  const models = openModels({}, { env: {} });
  models.register(model);
  const twice = action('twice', 'read', async (_parameters, context) => {
    const ask = (): Promise<unknown> => context.models.ask({ purpose: 'test', messages: [{ role: 'user', content: 'x' }], model: 'lab/small' });
    await ask();
    await ask();
    return null;
  });
  const { run } = await setup(
    async context => [(await perform(context, 'twice', {}, 'a')).costMicroUsd, (await perform(context, 'twice', {}, 'b')).costMicroUsd],
    [twice],
    models,
  );
  // One call without a price makes the sum unknown, not small.
  expect((await run()).output).toEqual([7, null]);
});
