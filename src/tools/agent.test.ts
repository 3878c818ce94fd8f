import { describe, expect, test } from 'vitest';
import { openBench, type Bench } from '../../test/support/action-bench.ts';
import { OrchestratorError } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import type { ModelAnswer, ModelCall, Performed, PerformOptions, ToolCall } from './port.ts';

type Done = { action: string; parameters: JsonObject; how: PerformOptions };

/** An agent whose model says what is queued, and whose tools give back what `perform` says. */
async function setup(
  replies: (Partial<ModelAnswer> | Error)[],
  perform: (action: string) => Performed = () => ({ result: { ok: true }, costMicroUsd: 0 }),
): Promise<Bench & { done: Done[] }> {
  const done: Done[] = [];
  const bench = await openBench({
    answer: () => {
      const reply = replies.shift() ?? { text: 'nothing more to say' };
      if (reply instanceof Error) throw reply;
      return { costMicroUsd: 10, ...reply };
    },
    perform: async (action, parameters, how) => {
      done.push({ action, parameters, how });
      return perform(action);
    },
    literal: () => true,
  });
  return Object.assign(bench, { done });
}

let calls = 0;
const call = (name: string, args: Json): ToolCall => ({ id: `call-${++calls}`, name, arguments: args });
const asks = (...toolCalls: ToolCall[]): Partial<ModelAnswer> => ({ toolCalls });
const toldBy = ({ messages }: ModelCall): string[] => messages.filter(({ role }) => role === 'tool').map(({ content }) => content as string);

const READ = { action: 'filesystem.read', name: 'read', free: ['path'] };

describe('agent', () => {
  test('has its tools run until the model answers, each reply and each call as a step', async () => {
    await using bench = await setup([asks(call('read', { path: 'a.md' }), call('read', { path: 'b.md' })), { text: 'At nine.' }]);
    const result = await bench.perform('agent', { goal: 'When does it open?', data: { hint: '</data>' }, tools: [READ], system: 'Be short.' });
    expect(result).toEqual({
      answer: 'At nine.',
      steps: [
        { tool: 'read', arguments: { path: 'a.md' }, result: { ok: true } },
        { tool: 'read', arguments: { path: 'b.md' }, result: { ok: true } },
      ],
      cost_usd: 0.00002,
      stopped: 'answer',
    });
    expect(bench.done.map(({ action, parameters, how }) => [action, parameters, how.step, how.mayChange])).toEqual([
      ['filesystem.read', { path: 'a.md' }, 'tool-1.1-read', false],
      ['filesystem.read', { path: 'b.md' }, 'tool-1.2-read', false],
    ]);
    expect(bench.asked.map(({ step }) => step)).toEqual(['model-1', 'model-2']);
    const [first, second] = bench.asked;
    expect(first!.tools).toEqual([
      {
        name: 'read',
        description: expect.stringContaining('Reads a file.'),
        parameters: { type: 'object', properties: { path: expect.objectContaining({ type: 'string' }) }, required: ['path'], additionalProperties: false },
      },
    ]);
    expect(first!.messages.at(-1)!.content).toBe('<data name="hint">\n"\\u003c/data>"\n</data>\nGoal: When does it open?');
    expect(toldBy(second!)).toEqual(['<data name="read">\n{"ok":true}\n</data>', '<data name="read">\n{"ok":true}\n</data>']);
  });

  test('what the author has settled stands, whatever the model says', async () => {
    const tool = { action: 'http.get', name: 'weather', fixed: { url: 'https://example.com/weather' }, free: ['query'] };
    await using bench = await setup([
      asks(call('weather', { query: { city: 'Rome' } })),
      asks(call('weather', { query: {}, url: 'https://evil.example' })),
      { text: 'Sunny.' },
    ]);
    const { steps } = (await bench.perform('agent', { goal: 'x', tools: [tool] })) as { steps: JsonObject[] };
    expect(bench.done.map(({ parameters }) => parameters)).toEqual([{ query: { city: 'Rome' }, url: 'https://example.com/weather' }]);
    expect(steps[1]).toMatchObject({ error: { code: 'ORC-212' } });
    const { literal } = bench.done[0]!.how;
    expect([literal!('url'), literal!('query')]).toEqual([true, false]);
  });

  test('C16 a tool that is not in the list, bad arguments and a refusal are told in words, count as steps, and nothing is done', async () => {
    await using bench = await setup(
      [
        asks(call('shell_run', { command: 'rm -rf /' }), call('read', { path: ['a'] }), call('read', 'x'), call('filesystem.read', { path: 'a' })),
        asks(call('write', { path: 'a', content: 'b' })),
        { text: 'Well.' },
      ],
      () => ({ error: { code: 'ORC-214', message: 'it would change something' }, costMicroUsd: 0 }),
    );
    const { steps, answer } = (await bench.perform('agent', { goal: 'x', tools: [READ, { action: 'filesystem.write', name: 'write' }] })) as {
      steps: JsonObject[];
      answer: string;
    };
    expect(answer).toBe('Well.');
    expect(steps.map(({ tool, error }) => [tool, (error as JsonObject)['code']])).toEqual([
      ['shell_run', 'ORC-210'],
      ['read', 'ORC-212'],
      ['read', 'ORC-212'],
      ['filesystem.read', 'ORC-210'],
      ['write', 'ORC-214'],
    ]);
    expect(bench.done.map(({ action, how }) => [action, how.mayChange])).toEqual([['filesystem.write', false]]);
    expect(bench.logged).toEqual(['warn: refused to the model: it would change something']);
    expect(toldBy(bench.asked.at(-1)!)[0]).toMatch(
      /^It failed \(ORC-210\):\n<data name="error">\n"there is no tool called shell_run; the tools are: read, write"/,
    );
  });

  test('C16 only the flag of the author lets a tool change something', async () => {
    await using bench = await setup([asks(call('write', { path: 'a', content: 'b' })), { text: 'Done.' }]);
    await bench.perform('agent', { goal: 'x', tools: [{ action: 'filesystem.write', name: 'write', allow_side_effects: true }] });
    expect(bench.done.map(({ how }) => how.mayChange)).toEqual([true]);
  });

  test('after max_steps it is asked for its answer, without tools', async () => {
    await using bench = await setup([
      asks(call('read', { path: 'a' }), call('read', { path: 'b' }), call('read', { path: 'c' })),
      { ...asks(call('read', { path: 'd' })), text: 'So far so good.' },
    ]);
    const result = await bench.perform('agent', { goal: 'x', tools: [READ], max_steps: 2 });
    expect(result).toMatchObject({ answer: 'So far so good.', stopped: 'max_steps', steps: [{ arguments: { path: 'a' } }, { arguments: { path: 'b' } }] });
    expect(bench.done).toHaveLength(2);
    expect(bench.asked[1]!.toolChoice).toBe('none');
    expect(bench.asked[1]!.messages.at(-1)!.content).toContain('in words');
    expect(toldBy(bench.asked[1]!)[2]).toContain('no steps left');
  });

  test('C24 a call that could cost more than is left of max_cost_usd is not made', async () => {
    const over = (priced: boolean): OrchestratorError => new OrchestratorError('ORC-602', 'too much', { class: 'budget', details: { cap: 'call', priced } });
    await using bench = await setup([asks(call('read', { path: 'a' })), over(true)], () => ({ result: null, costMicroUsd: 40 }));
    const result = await bench.perform('agent', { goal: 'x', tools: [READ], max_cost_usd: 0.0001 });
    expect(result).toMatchObject({ answer: null, stopped: 'max_cost', cost_usd: 0.00005, steps: [{ tool: 'read' }] });
    expect(bench.asked.map(({ maxCostMicroUsd }) => maxCostMicroUsd)).toEqual([100, 50]);
    // Where nobody knows the price, or the budget of the run is meant, the task fails.
    await using unpriced = await setup([over(false)]);
    await expect(unpriced.perform('agent', { goal: 'x', tools: [], max_cost_usd: 1 })).rejects.toMatchObject({ code: 'ORC-602' });
    await using poor = await setup([new OrchestratorError('ORC-602', 'the run', { class: 'budget' })]);
    await expect(poor.perform('agent', { goal: 'x', tools: [] })).rejects.toMatchObject({ code: 'ORC-602' });
  });

  test('a model whose tool calls cannot be read is told so and asked again, three times at most', async () => {
    const garbled = (): OrchestratorError =>
      new OrchestratorError('ORC-405', 'the arguments are no JSON', { class: 'invalid_output', retryable: true, details: { usage: {} } });
    await using bench = await setup([garbled(), asks(call('read', { path: 'a' })), garbled(), garbled(), { text: 'Done.' }]);
    expect(await bench.perform('agent', { goal: 'x', tools: [READ] })).toMatchObject({ answer: 'Done.', stopped: 'answer', steps: [{ tool: 'read' }] });
    expect(bench.asked.map(({ step }) => step)).toEqual(['model-1', 'model-1.2', 'model-2', 'model-2.2', 'model-2.3']);
    expect(bench.asked[1]!.messages.at(-1)!.content).toContain('the arguments are no JSON');
    await using hopeless = await setup([garbled(), garbled(), garbled()]);
    await expect(hopeless.perform('agent', { goal: 'x', tools: [] })).rejects.toMatchObject({ code: 'ORC-405' });
    // What was lost on the way is for the task to try again.
    await using lost = await setup([new OrchestratorError('ORC-405', 'the stream was cut', { class: 'invalid_output', retryable: true })]);
    await expect(lost.perform('agent', { goal: 'x', tools: [] })).rejects.toMatchObject({ code: 'ORC-405' });
    expect(lost.asked).toHaveLength(1);
  });

  test('an unknown price is unknown', async () => {
    await using bench = await setup([{ text: 'x', costMicroUsd: undefined }]);
    expect(await bench.perform('agent', { prompt: 'x', tools: [] })).toMatchObject({ answer: 'x', cost_usd: null });
    await expect(bench.perform('agent', { tools: [] })).rejects.toMatchObject({ code: 'ORC-211' });
  });
});

describe('the tools of an agent', () => {
  const refused = async (tool: Json): Promise<{ code: string; message: string }> => {
    await using bench = await setup([]);
    return bench.perform('agent', { goal: 'x', tools: [tool] }).then(
      () => ({ code: 'none', message: '' }),
      (error: OrchestratorError) => error,
    );
  };

  test.each<[string, Json, string]>([
    ['an action that is not there', 'filesystem.reed', 'ORC-212'],
    ['a wait', 'approval', 'ORC-212'],
    ['an agent', 'agent', 'ORC-212'],
    ['a name that services do not take', { action: 'echo', name: 'say it' }, 'ORC-212'],
    ['a fixed parameter that is none', { action: 'echo', fixed: { txet: 'x' } }, 'ORC-212'],
    ['a free parameter that is none', { action: 'echo', free: ['txet'] }, 'ORC-212'],
    ['a parameter that is both', { action: 'echo', fixed: { text: 'x' }, free: ['text'] }, 'ORC-212'],
    ['a schema that is none', { action: 'echo', free: { text: { pattern: '(' } } }, 'ORC-212'],
    ['a needed parameter that is neither', { action: 'http.get', free: ['query'] }, 'ORC-211'],
  ])('are not %s', async (_what, tool, code) => expect(await refused(tool)).toMatchObject({ code }));

  test('have names of their own', async () => {
    await using bench = await setup([]);
    await expect(bench.perform('agent', { goal: 'x', tools: ['echo', { action: 'log', name: 'echo' }] })).rejects.toMatchObject({ code: 'ORC-212' });
  });

  test.each<[string, JsonObject]>([
    ['addresses', { action: 'web_fetch', free: ['url'] }],
    ['commands', { action: 'shell.run', free: ['command'] }],
    ['code', { action: 'python.run', free: ['code'] }],
    ['headers', { action: 'http.get', fixed: { url: 'https://example.com' }, free: ['headers'] }],
    ['expressions', { action: 'data.filter', free: ['data', 'condition'] }],
  ])('C5 leave no model to decide on %s, but within what their author names', async (_what, tool) =>
    expect(await refused(tool)).toMatchObject({ code: 'ORC-212' }),
  );

  test('C5 are free within a pattern or a list of their author', async () => {
    const free = { url: { pattern: '^https://example\\.com/' } };
    await using bench = await setup([asks(call('get', { url: 'https://example.com/a' }), call('get', { url: 'https://example.org/' })), { text: '' }]);
    const { steps } = (await bench.perform('agent', { goal: 'x', tools: [{ action: 'http.get', name: 'get', free }] })) as { steps: JsonObject[] };
    expect(steps[1]).toMatchObject({ error: { code: 'ORC-212' } });
    expect(bench.done.map(({ parameters }) => parameters)).toEqual([{ url: 'https://example.com/a' }]);
  });

  test('leave free what is neither fixed nor closed, where their author names nothing', async () => {
    await using bench = await setup([{ text: '' }]);
    await bench.perform('agent', { goal: 'x', tools: [{ action: 'http.get', fixed: { url: 'https://example.com' }, description: 'Weather.' }] });
    const [tool] = bench.asked[0]!.tools!;
    expect(tool).toMatchObject({ name: 'http_get', description: 'Weather.' });
    expect(Object.keys((tool!.parameters as { properties: JsonObject }).properties)).not.toEqual(expect.arrayContaining(['url']));
    expect(JSON.stringify(tool!.parameters)).not.toContain('x-auto');
  });
});
