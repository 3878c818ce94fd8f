import { describe, expect, test } from 'vitest';
import { bare } from '../../test/support/bare.ts';
import { parse } from './parse.ts';
import type { Pipeline, Value } from './pipeline.ts';
import { makeSource } from './source.ts';

function read(text: string): Pipeline {
  const { pipeline, diagnostics } = parse(makeSource('p.yaml', text));
  expect(diagnostics).toEqual([]);
  return pipeline!;
}

/** The parameter `x` of the one task of a pipeline. */
function value(text: string): Value {
  return read(`name: p\ntasks:\n  - id: t\n    action: echo\n    parameters:\n      x: ${text}\n`).tasks[0]!.parameters.entries[0]!.value;
}

describe('values', () => {
  test.each<[string, string, object]>([
    ['a number keeps its text', '012', { kind: 'literal', value: 12, source: '012' }],
    ['a decimal keeps its text', '1.10', { kind: 'literal', value: 1.1, source: '1.10' }],
    ['a boolean', 'true', { kind: 'literal', value: true, source: 'true' }],
    ['nothing', '', { kind: 'literal', value: null }],
    ['a text', 'a b', { kind: 'literal', value: 'a b' }],
    ['a text in quotes', '"12"', { kind: 'literal', value: '12' }],
    ['a lone expression', '"{{ a.b }}"', { kind: 'expression', expr: { kind: 'attribute' } }],
    ['a lone expression without quotes', '{{ a.b }}', { kind: 'expression', expr: { kind: 'attribute' } }],
    ['text with an expression', 'a {{ b }}', { kind: 'template', template: { body: [{ kind: 'text' }, { kind: 'output' }] } }],
    ['a statement', '{% if a %}b{% endif %}', { kind: 'template', template: { body: [{ kind: 'if' }] } }],
    ['a lone tag', '<AUTO>a: b</AUTO>', { kind: 'auto', tag: { question: { kind: 'literal', value: 'a: b' } } }],
    ['a lone tag in a block', '|\n        <AUTO>a: b</AUTO>', { kind: 'auto' }],
    [
      'text with tags',
      'a <AUTO>b</AUTO> {{ c }} <AUTO>d</AUTO>',
      { kind: 'mixed', parts: [{ kind: 'literal', value: 'a ' }, { kind: 'auto' }, { kind: 'template' }, { kind: 'auto' }] },
    ],
    ['a key without a value', '{ a }', { kind: 'map', entries: [{ key: 'a', value: { kind: 'literal', value: null } }] }],
    ['a list', '[1, "{{ a }}", [b]]', { kind: 'list', items: [{ value: 1 }, { kind: 'expression' }, { kind: 'list' }] }],
    ['a map', '{ a: 1, b: "{{ c }}" }', { kind: 'map', entries: [{ key: 'a' }, { key: 'b', value: { kind: 'expression' } }] }],
    ['C23 a key that every object has', '{ __proto__: 1 }', { kind: 'map', entries: [{ key: '__proto__', value: { value: 1 } }] }],
  ])('%s', (_name, text, expected) => {
    expect(value(text)).toMatchObject(expected);
  });

  test('names and descriptions are never templates', () => {
    const { name, description, tasks } = read(
      'name: "{{ a }}"\ndescription: "{% b"\nmetadata: { x: "{{" }\nx-own: "{{"\ntasks:\n  - { id: t, name: "{{ c", description: "<AUTO>", metadata: "{{", x-own: "{{", action: echo }\n',
    );
    expect([name, description, tasks[0]!.name, tasks[0]!.description]).toEqual(['{{ a }}', '{% b', '{{ c', '<AUTO>']);
  });

  test('conditions are expressions with or without braces', () => {
    const conditions = read(
      `name: p\ntasks:\n${['n > 5', '"{{ n > 5 }}"', 'true', '"<AUTO>is it?</AUTO>"', '1'].map((text, i) => `  - { id: t${i}, action: echo, condition: ${text} }\n`).join('')}`,
    ).tasks.map(({ condition }) => condition);
    expect(conditions).toMatchObject([
      { kind: 'expression', expr: { kind: 'compare' } },
      { kind: 'expression', expr: { kind: 'compare' } },
      { kind: 'expression', expr: { kind: 'literal', value: true } },
      { kind: 'auto' },
      { kind: 'expression', expr: { kind: 'literal', value: 1 } },
    ]);
  });

  test('the source of a loop is an expression, a list, a map or a tag', () => {
    const sources = read(
      `name: p\ntasks:\n${['xs', '"[1, 2]"', '[1, "{{ a }}"]', '{ a: 1 }', '"<AUTO>which?</AUTO>"'].map((text, i) => `  - { id: t${i}, for_each: ${text}, tasks: [{ action: echo }] }\n`).join('')}`,
    ).tasks.map(({ forEach }) => forEach?.kind);
    expect(sources).toEqual(['expression', 'expression', 'list', 'map', 'auto']);
  });

  test('a task is read with all its keys', () => {
    const [task] = read(`name: p
tasks:
  - id: t
    action: http.get
    dependencies: [u, u]
    on_failure: u
    on_success: u
    on_false: u
    timeout: 1h30m
    model: { expertise: [fast], min_size: 8b }
    cache: { key: "{{ a }}", ttl: 1d }
    on_ambiguous: skip
    outputs: { a: { type: string }, b: integer, c: , d: true }
    retry: { max_attempts: 5, initial_backoff: 250ms, backoff_factor: 2.5, max_backoff: 60s, jitter: false, on: [rate_limit] }
    on_error:
      - { action: log, parameters: { text: x }, timeout: 5, priority: 2 }
      - { retry: true }
  - { id: u, action: echo, cache: true, outputs: [x, y] }
  - { id: v, action: echo, cache: false, parameters: }
`).tasks;
    expect(task).toMatchObject({
      idGenerated: false,
      kind: 'action',
      action: { name: 'http.get' },
      dependencies: [{ id: 'u' }],
      onFailure: { policy: 'route', target: 'u' },
      onSuccess: { target: 'u' },
      onFalse: { target: 'u' },
      timeoutMs: 5_400_000,
      model: { kind: 'map' },
      cache: { key: { kind: 'expression' }, ttlMs: 86_400_000 },
      onAmbiguous: 'skip',
      outputs: { a: { type: 'string' }, b: { type: 'integer' }, c: {}, d: true },
      retry: { maxAttempts: 5, initialBackoffMs: 250, backoffFactor: 2.5, maxBackoffMs: 60_000, jitter: false, on: ['rate_limit'] },
      onError: [
        { run: { kind: 'value' }, retry: true, maxRetries: 1, priority: 0 },
        { run: { kind: 'action', action: { name: 'log' } }, timeoutMs: 5000, priority: 2 },
      ],
    });
    expect(task!.dependencies).toHaveLength(1);
    const { tasks } = read('name: p\ntasks: [{ id: u, action: echo, cache: true, outputs: [x, y] }, { id: v, action: echo, cache: false, parameters: }]\n');
    expect(tasks).toMatchObject([
      { cache: { key: undefined }, outputs: { x: {}, y: {} } },
      { cache: false, parameters: { entries: [] } },
    ]);
  });

  test('tasks without an id in a body or group are numbered', () => {
    const { tasks } = read(
      'name: p\ntasks:\n  - id: g\n    parallel: [{ action: echo }, { id: step_2, action: echo }, { action: echo }]\n  - id: l\n    while: "true"\n    max_iterations: "{{ n }}"\n    loop_name: outer\n    tasks: [{ action: echo }]\n',
    );
    expect(tasks[0]!.tasks.map(({ id, idGenerated }) => [id, idGenerated])).toEqual([
      ['step_1', true],
      ['step_2', false],
      ['step_3', true],
    ]);
    expect(tasks[1]).toMatchObject({ kind: 'while', loopName: 'outer', maxIterations: { kind: 'expression' }, tasks: [{ id: 'step_1' }] });
  });

  test('inputs have types, and a plain scalar is a default', () => {
    const { inputs } = read(`name: p
inputs:
  a:
  b: 3
  c: 1.5
  d: true
  e: text
  f: [x]
  g: { type: file }
  h: { type: secret, description: key }
  i: { type: integer, default: 3, minimum: 1, maximum: 10 }
  j: { required: false, choices: [x, y] }
  k: { type: array, items: string, default: null }
  l: { type: object, required: [x], properties: { x: { type: string } } }
  m: { default: { x: 1 } }
  n: { type: string, pattern: "^a", minLength: 1, default: "<AUTO>which?</AUTO>" }
  o: { type: number, default: 3 }
  q: { type: array, items: { type: integer }, default: ["{{ x }}", 1] }
  r: { type: object, default: { a: "{{ x }}" } }
tasks: [{ id: t, action: echo }]
`);
    const rows = inputs.map(({ name, type, required, schema, default: given }) => [name, type, required, schema, given?.kind]);
    expect(rows).toEqual([
      ['a', 'string', true, { type: 'string' }, undefined],
      ['b', 'integer', false, { type: 'integer' }, 'literal'],
      ['c', 'number', false, { type: 'number' }, 'literal'],
      ['d', 'boolean', false, { type: 'boolean' }, 'literal'],
      ['e', 'string', false, { type: 'string' }, 'literal'],
      ['f', 'array', false, { type: 'array' }, 'list'],
      ['g', 'file', true, { type: 'string' }, undefined],
      ['h', 'secret', true, { type: 'string' }, undefined],
      ['i', 'integer', false, { type: 'integer', minimum: 1, maximum: 10 }, 'literal'],
      ['j', 'string', false, { type: ['string', 'null'], enum: ['x', 'y', null] }, 'literal'],
      ['k', 'array', false, { type: ['array', 'null'], items: { type: 'string' } }, 'literal'],
      ['l', 'object', true, { type: 'object', required: ['x'], properties: { x: { type: 'string' } } }, undefined],
      ['m', 'object', false, { type: 'object' }, 'map'],
      ['n', 'string', false, { type: 'string', pattern: '^a', minLength: 1 }, 'auto'],
      ['o', 'number', false, { type: 'number' }, 'literal'],
      ['q', 'array', false, { type: 'array', items: { type: 'integer' } }, 'list'],
      ['r', 'object', false, { type: 'object' }, 'map'],
    ]);
    expect(read('name: p\ninputs:\ntasks: [{ id: t, action: echo }]').inputs).toEqual([]);
  });

  test('a pipeline is read with all its keys', () => {
    const pipeline = read(`pipeline:
  id: pp
  name: A pipeline
  version: 1.10
  description: what it does
  defaults: { model: m, timeout: 2m, retry: { max_attempts: 3 } }
  budget: { usd: 0.5, on_exceed: fallback-model }
  timeout: 1h
  concurrency: 4
  tasks: [{ id: t, action: echo }]
  outputs: { a: "{{ t }}" }
x-note: 1
`);
    expect(pipeline).toMatchObject({
      id: 'pp',
      name: 'A pipeline',
      version: '1.10',
      description: 'what it does',
      timeoutMs: 3_600_000,
      concurrency: 4,
      defaults: { timeoutMs: 120_000, retry: { maxAttempts: 3 } },
      budget: { usd: 0.5, onExceed: 'fallback-model' },
      outputs: [{ name: 'a', value: { kind: 'expression' } }],
    });
    expect(read('name: A pipeline\ntasks: [{ id: t, action: echo }]').id).toBe('A pipeline');
  });

  test('C6 tasks beyond the limit are an error', () => {
    const text = `name: p\ntasks:\n${Array.from({ length: 5 }, (_, i) => `  - { id: t${i}, action: echo }\n`).join('')}`;
    const { pipeline, diagnostics } = parse(makeSource('p.yaml', text), { taskLimit: 3 });
    expect(diagnostics.map(({ code }) => code)).toEqual(['ORC-605']);
    expect(pipeline!.tasks).toHaveLength(3);
    expect(parse(makeSource('p.yaml', text), { taskLimit: 5 }).diagnostics).toEqual([]);
  });

  test('--strict makes errors of warnings', () => {
    const severities = (strict: boolean): string[] =>
      parse(makeSource('p.yaml', 'name: p\nown: 1\ntasks: [{ id: t, action: echo }]'), { strict }).diagnostics.map(({ severity }) => severity);
    expect(severities(false)).toEqual(['warning']);
    expect(severities(true)).toEqual(['error']);
  });

  test('equal files are equal pipelines', () => {
    const text = 'name: p\ntasks: [{ id: t, action: echo, parameters: { a: "{{ b }} <AUTO>c</AUTO>" } }]';
    expect(bare(read(text))).toBe(bare(read(`# first\n${text}\n`)));
  });
});
