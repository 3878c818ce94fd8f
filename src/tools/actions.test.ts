import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openBench } from '../../test/support/action-bench.ts';
import type { Json, JsonObject } from '../json.ts';
import { isTrue } from './messages.ts';
import { markdownReport } from './report.ts';

describe('echo, log, fail, assert, evaluate_condition', () => {
  test('echo and log give the text back, log writes it', async () => {
    await using bench = await openBench();
    expect(await bench.perform('echo', { text: 'hi' })).toBe('hi');
    expect(await bench.perform('log', { text: 'careful', level: 'warn' })).toBe('careful');
    expect(await bench.perform('log', { text: 'so' })).toBe('so');
    expect(bench.logged).toEqual(['warn: careful', 'info: so']);
    await expect(bench.perform('log', { text: 'x', level: 'loud' })).rejects.toMatchObject({ code: 'ORC-212' });
    await expect(bench.perform('echo', {})).rejects.toMatchObject({ code: 'ORC-211' });
    await expect(bench.perform('echo', { text: 5 })).rejects.toMatchObject({ code: 'ORC-212' });
  });

  test('fail fails with its message', async () => {
    await using bench = await openBench();
    await expect(bench.perform('fail', { message: 'enough' })).rejects.toMatchObject({
      code: 'ORC-220',
      class: 'assertion',
      message: 'enough',
      retryable: false,
    });
    await expect(bench.perform('fail', {})).rejects.toMatchObject({ code: 'ORC-220' });
  });

  test('conditions are evaluated by the language, and may come as values', async () => {
    await using bench = await openBench({ evaluate: expression => expression === 'yes' });
    expect(await bench.perform('evaluate_condition', { condition: 'yes' })).toEqual({ result: true });
    expect(await bench.perform('evaluate_condition', { condition: 'no' })).toEqual({ result: false });
    expect(await bench.perform('evaluate_condition', { condition: false })).toEqual({ result: false });
    expect(await bench.perform('assert', { condition: 'yes' })).toEqual({ passed: true });
    await expect(bench.perform('assert', { condition: 'no' })).rejects.toMatchObject({ code: 'ORC-220', message: 'It is not true that no.' });
    await expect(bench.perform('assert', { condition: 'no', message: 'nothing found' })).rejects.toMatchObject({ message: 'nothing found' });
  });

  test('S10 a condition that cannot be evaluated fails the task', async () => {
    await using bench = await openBench();
    await expect(bench.perform('assert', { condition: 'x' })).rejects.toThrow('no expressions here');
  });

  test.each([
    [null, false],
    [false, false],
    [0, false],
    ['', false],
    [[], false],
    [{}, false],
    [true, true],
    [-1, true],
    ['0', true],
    [[0], true],
    [{ a: null }, true],
  ] as [Json, boolean][])('the truth of %j is %j', (value, truth) => expect(isTrue(value)).toBe(truth));
});

describe('models', () => {
  test('generate_text asks with what it is given, leaves the rest alone, and gives the text', async () => {
    await using bench = await openBench({ answer: () => ({ text: 'a haiku' }) });
    expect(
      await bench.perform('generate_text', {
        prompt: 'write',
        system: 'be brief',
        model: 'lab/small',
        temperature: 0,
        max_tokens: 10,
        query: 'an older pipeline says this',
      }),
    ).toBe('a haiku');
    expect(bench.asked).toEqual([
      {
        purpose: 'generate_text',
        messages: [
          { role: 'system', content: 'be brief' },
          { role: 'user', content: 'write' },
        ],
        model: 'lab/small',
        temperature: 0,
        maxTokens: 10,
      },
    ]);
    await expect(bench.perform('generate_text', {})).rejects.toMatchObject({ code: 'ORC-211' });
  });

  test('generate_structured gives the object, and says so where there is none', async () => {
    await using bench = await openBench({ answer: call => (call.messages[0]!.content === 'who' ? { object: { author: 'Ann' } } : {}) });
    const schema = { type: 'object', properties: { author: { type: 'string' } } };
    expect(await bench.perform('generate_structured', { prompt: 'who', schema })).toEqual({ author: 'Ann' });
    expect(bench.asked[0]!.schema).toEqual(schema);
    await expect(bench.perform('generate_structured', { prompt: 'x', schema })).rejects.toMatchObject({ code: 'ORC-405', class: 'invalid_output' });
    await expect(bench.perform('generate_structured', { prompt: 'x', schema: 'y' })).rejects.toMatchObject({ code: 'ORC-212' });
  });

  test('analyze_text gives the analysis and what its kind adds', async () => {
    await using bench = await openBench({
      answer: call => (call.schema === undefined ? { text: 'long ago' } : { object: { analysis: 'glad', sentiment: 'positive', score: 0.9 } }),
    });
    expect(await bench.perform('analyze_text', { text: 'I am glad', analysis_type: 'sentiment' })).toEqual({
      analysis: 'glad',
      sentiment: 'positive',
      score: 0.9,
      analysis_type: 'sentiment',
    });
    expect(await bench.perform('analyze_text', { prompt: 'Once upon a time' })).toEqual({ analysis: 'long ago', analysis_type: 'general' });
    expect(bench.asked[0]!.messages.at(-1)!.content).toContain('I am glad');
    expect(bench.asked[1]!.messages.at(-1)!.content).toContain('Once upon a time');
    await expect(bench.perform('analyze_text', {})).rejects.toMatchObject({ code: 'ORC-211' });
  });
});

describe('validate', () => {
  const schema: JsonObject = {
    type: 'object',
    required: ['name'],
    properties: { name: { type: 'string' }, age: { type: 'integer' }, tags: { type: 'array', items: { type: 'string' } } },
  };

  test('data that fits passes in every mode', async () => {
    await using bench = await openBench();
    for (const mode of ['strict', 'lenient', 'report'])
      expect(await bench.perform('validate', { data: { name: 'Ann', age: 30 }, schema, mode })).toEqual({
        valid: true,
        errors: [],
        data: { name: 'Ann', age: 30 },
      });
  });

  test('strict fails, report tells, lenient turns what it can and fails on the rest', async () => {
    await using bench = await openBench();
    const data = { name: 'Ann', age: '30', tags: ['a', null] };
    await expect(bench.perform('validate', { data, schema })).rejects.toMatchObject({
      code: 'ORC-228',
      class: 'assertion',
      details: { errors: [{ path: 'age' }, { path: 'tags[1]' }] },
    });
    expect(await bench.perform('validate', { data, schema, mode: 'report' })).toMatchObject({
      valid: false,
      errors: [{ path: 'age', message: expect.any(String) }, { path: 'tags[1]' }],
      data,
    });
    expect(await bench.perform('validate', { data: { name: 'Ann', age: '30' }, schema, mode: 'lenient' })).toEqual({
      valid: true,
      errors: [],
      data: { name: 'Ann', age: 30 },
    });
    await expect(bench.perform('validate', { data: { age: '30' }, schema, mode: 'lenient' })).rejects.toMatchObject({ code: 'ORC-228' });
  });

  test('a schema that is none, null as data, a text with a format', async () => {
    await using bench = await openBench();
    await expect(bench.perform('validate', { data: 1, schema: { type: 'integr' } })).rejects.toMatchObject({ code: 'ORC-114' });
    expect(await bench.perform('validate', { data: null, schema: { type: 'null' } })).toEqual({ valid: true, errors: [], data: null });
    await expect(bench.perform('validate', { data: 'x', schema: { format: 'email' } })).rejects.toMatchObject({ code: 'ORC-228' });
  });
});

describe('transform', () => {
  async function jsonata(expression: string, data: Json = null, more: JsonObject = {}): Promise<Json> {
    await using bench = await openBench();
    return await bench.perform('transform', { data, expression, ...more });
  }

  test.each<[string, Json, Json]>([
    [
      'items[score > 3].title',
      {
        items: [
          { title: 'a', score: 5 },
          { title: 'b', score: 1 },
          { title: 'c', score: 4 },
        ],
      },
      ['a', 'c'],
    ],
    ['{ "n": $count(x), "s": $sum(x) }', { x: [1, 2] }, { n: 2, s: 3 }],
    ['nothing.here', {}, null],
    ['$map([1..3], function($v) { $v * 2 })', null, [2, 4, 6]],
    ['$replace("a1b22", /\\d+/, "#")', null, 'a#b#'],
    ['$match("ab12", /([a-z]+)(\\d+)/).groups', null, ['ab', '12']],
    ['$split("a, b;c", /[,;] */)', null, ['a', 'b', 'c']],
    ['$contains("HELLO", /hello/i)', null, true],
    ['$pad("x", -3, "ab")', null, 'abx'],
    ['constructor', {}, null],
    ['__proto__', {}, null],
  ])('%s', async (expression, data, result) => expect(await jsonata(expression, data)).toEqual(result));

  test('bindings are variables', async () => expect(await jsonata('$a + b', { b: 2 }, { bindings: { a: 1 } })).toBe(3));

  test.each([
    ['1 +', 'ORC-305'],
    ['$nope()', 'ORC-310'],
    ['1 + "a"', 'ORC-310'],
    ['function($x) { $x }', 'ORC-310'],
    ['$eval("1")', 'ORC-311'],
  ])('%s fails with %s', async (expression, code) => {
    await expect(jsonata(expression)).rejects.toMatchObject({ code, class: 'template' });
  });

  test.each([
    ['an endless recursion', '($f := function($n) { $f($n + 1) }; $f(0))'],
    ['a deep recursion', '($f := function($n) { 1 + $f($n + 1) }; $f(0))'],
    ['a large loop', '$sum($map([1..1000000], function($v) { $v * $v }))'],
    ['a text that doubles', '$reduce([1..40], function($a, $b) { $a & $a }, "xxxxxxxx")'],
    ['a wide padding', '$pad("x", 1000000000)'],
    ['a long list', '[1..100000000]'],
  ])('C2 %s is stopped', async (_, expression) => {
    await expect(jsonata(expression, null, { timeout: '500ms' })).rejects.toMatchObject({ code: 'ORC-311' });
  });

  test('C4 a regular expression that would explode is linear', async () => {
    expect(await jsonata('$contains(x, /^(a+)+$/)', { x: `${'a'.repeat(5000)}!` })).toBe(false);
  });

  test('the rest of the program goes on meanwhile', async () => {
    let ticks = 0;
    const timer = setInterval(() => {
      ticks++;
    }, 5);
    await jsonata('($f := function($n) { $f($n + 1) }; $f(0))', null, { timeout: '200ms' }).catch(() => undefined);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(3);
  });
});

describe('report.generate', () => {
  test('writes title, facts, content, sections and tables', async () => {
    await using bench = await openBench();
    const result = await bench.perform('report.generate', {
      path: 'out/r.md',
      title: 'Sales',
      metadata: { date: '2026-01-01' },
      toc: true,
      content: 'All *good*.',
      sections: [
        { heading: 'By city', content: [{ city: 'Oslo', sum: 30 }, { city: 'A|B' }] },
        { heading: 'Notes', content: ['one', 'two'] },
      ],
    });
    const written = await readFile(join(bench.folder, 'out/r.md'), 'utf8');
    expect(written).toBe(
      '# Sales\n\n**date:** 2026-01-01\n\n- By city\n- Notes\n\nAll *good*.\n\n## By city\n\n| city | sum |\n| --- | --- |\n| Oslo | 30 |\n| A\\|B |  |\n\n## Notes\n\n- one\n- two\n',
    );
    expect(result).toEqual({ path: 'out/r.md', size: Buffer.byteLength(written) });
  });

  test('needs something to say', async () => {
    await using bench = await openBench();
    await expect(bench.perform('report.generate', { path: 'x.md' })).rejects.toMatchObject({ code: 'ORC-212' });
    expect(markdownReport({ sections: { A: 'b' }, toc: false })).toBe('## A\n\nb\n');
  });
});

test('web_search and web_fetch say that they need a provider', async () => {
  await using bench = await openBench();
  for (const action of ['web_search', 'web_fetch']) await expect(bench.perform(action, {})).rejects.toMatchObject({ code: 'ORC-407' });
});

test.each(['sleep', 'approval', 'signal.wait', 'pipeline.run'])("%s is the engine's", async action => {
  await using bench = await openBench();
  await expect(bench.perform(action, {})).rejects.toMatchObject({ code: 'ORC-700' });
});
