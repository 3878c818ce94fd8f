import { describe, expect, test } from 'vitest';
import { bare } from '../../test/support/bare.ts';
import { parse } from './parse.ts';
import type { Pipeline } from './pipeline.ts';
import { makeSource } from './source.ts';
import { echoedText, nameAction } from './spellings.ts';

function read(text: string): Pipeline {
  const { pipeline, diagnostics } = parse(makeSource('p.yaml', text));
  expect(diagnostics.map(({ message }) => message)).toEqual([]);
  return pipeline!;
}

/** A pipeline of one task with these keys, and a second one. */
function task(keys: string): string {
  return `name: p\ntasks:\n  - { id: t, ${keys} }\n  - { id: u, action: echo }\n`;
}

describe('accepted spellings', () => {
  test.each<[string, string, string]>([
    [
      'steps, parameters, flat',
      'name: p\nversion: 1\nparameters: { x: 1 }\nsteps: [{ id: a, action: echo }]',
      'pipeline:\n  name: p\n  version: "1"\n  inputs: { x: 1 }\n  tasks:\n    - id: a\n      action: echo',
    ],
    ['the version of a flat pipeline', 'name: p\ntasks: [{ id: a, action: echo }]', 'name: p\nversion: 1.0.0\ntasks: [{ id: a, action: echo }]'],
    [
      'config.default_timeout',
      'name: p\nconfig: { default_timeout: 30 }\ntasks: [{ id: a, action: echo }]',
      'name: p\ndefaults: { timeout: 30s }\ntasks: [{ id: a, action: echo }]',
    ],
    [
      'config.default_timeout beside defaults',
      'name: p\ndefaults: { model: m, retry: 2 }\nconfig: { default_timeout: 30 }\ntasks: [{ id: a, action: echo }]',
      'name: p\ndefaults: { model: m, retry: { max_attempts: 2 }, timeout: 30s }\ntasks: [{ id: a, action: echo }]',
    ],
    [
      'inputs as a list',
      'name: p\ninputs: [{ name: a, type: str }, b]\ntasks: [{ id: t, action: echo }]',
      'name: p\ninputs: { a: { type: string }, b: {} }\ntasks: [{ id: t, action: echo }]',
    ],
    [
      'words of an input',
      'name: p\ninputs: { a: { type: int, min: 1, max: 3, default: 2 }, b: { enum: [x] } }\ntasks: [{ id: t, action: echo }]',
      'name: p\ninputs: { a: { type: integer, minimum: 1, maximum: 3, default: 2 }, b: { choices: [x] } }\ntasks: [{ id: t, action: echo }]',
    ],
    [
      'a handler of the pipeline',
      'name: p\non_error: t\ntasks: [{ id: t, action: echo }]',
      'name: p\non_error: [{ task: t }]\ntasks: [{ id: t, action: echo }]',
    ],
  ])('%s', (_name, spelled, canonical) => {
    expect(bare(read(spelled))).toBe(bare(read(canonical)));
  });

  test.each<[string, string, string]>([
    ['depends_on', 'action: echo, depends_on: "u , v"', 'action: echo, dependencies: [u, v]'],
    ['needs', 'action: echo, needs: u', 'action: echo, dependencies: [u]'],
    ['if', 'action: echo, if: x', 'action: echo, condition: x'],
    ['when', 'action: echo, when: "{{ x }}"', 'action: echo, condition: "{{ x }}"'],
    ['goto', 'action: echo, goto: u', 'action: echo, on_success: u'],
    ['requires_model', 'action: echo, requires_model: none', 'action: echo, model: none'],
    ['inputs of a task', 'action: echo, inputs: { text: x }', 'action: echo, parameters: { text: x }'],
    ['max_retries counts attempts', 'action: echo, max_retries: 2', 'action: echo, retry: { max_attempts: 2 }'],
    ['max_retries beside retry', 'action: echo, retry: { jitter: false }, max_retries: 2', 'action: echo, retry: { jitter: false, max_attempts: 2 }'],
    ['no retries', 'action: echo, max_retries: 0', 'action: echo, retry: { max_attempts: 1 }'],
    ['retry as a number', 'action: echo, retry: 2', 'action: echo, retry: { max_attempts: 2 }'],
    [
      'retry_config',
      'action: echo, retry_config: { attempts: 2, delay: 3, multiplier: 4, max_delay: 1m, retry_on: [TimeoutError] }',
      'action: echo, retry: { max_attempts: 2, initial_backoff: 3s, backoff_factor: 4, max_backoff: 60, on: [timeout] }',
    ],
    [
      'error_handling',
      'action: echo, error_handling: { retry: { max_retries: 2 }, continue_on_error: true }',
      'action: echo, retry: { max_attempts: 2 }, on_failure: continue',
    ],
    ['continue_on_error', 'action: echo, continue_on_error: false', 'action: echo, on_failure: fail'],
    ['a policy under on_error', 'action: echo, on_error: skip', 'action: echo, on_failure: skip'],
    ['the id of a task under on_error', 'action: echo, on_error: u', 'action: echo, on_error: [{ task: u }]'],
    ['prose under on_error', 'action: echo, on_error: echo "no"', 'action: echo, on_error: [{ action: echo, parameters: { text: "no" } }]'],
    ['a handler alone', 'action: echo, on_error: { fallback_result: 1 }', 'action: echo, on_error: [{ fallback_value: 1 }]'],
    [
      'words of a handler',
      'action: echo, on_error: [{ handler_task_id: u, error_codes: ORC-601, error_types: [TimeoutError, network], error_patterns: [x], retry_with_handler: true, max_handler_retries: 2 }]',
      'action: echo, on_error: [{ task: u, match: { codes: [ORC-601], classes: [timeout, network], patterns: [x] }, retry: true, max_retries: 2 }]',
    ],
    [
      'every error',
      'action: echo, on_error: [{ handler_action: log, error_types: "*" }, { task: u, error_types: ["*"], error_codes: [ORC-601] }]',
      'action: echo, on_error: [{ action: log }, { task: u, match: { codes: [ORC-601] } }]',
    ],
    ['tool and action', 'tool: filesystem, action: write, parameters: { path: x }', 'action: filesystem.write, parameters: { path: x }'],
    ['a tool alone', 'tool: terminal', 'action: shell.run'],
    [
      'a tool with the operation among its parameters',
      'tool: filesystem, parameters: { action: write, path: x }',
      'action: filesystem.write, parameters: { path: x }',
    ],
    ['a tool as an action', 'action: filesystem, parameters: { action: copy, path: x }', 'action: filesystem.copy, parameters: { path: x }'],
    ['a tool that nobody knows', 'tool: weather, action: today', 'action: weather.today'],
    ['a method of HTTP', 'tool: http-client, action: put, parameters: { url: x }', 'action: http.request, parameters: { url: x, method: PUT }'],
    ['a method without parameters', 'tool: http-client, action: delete', 'action: http.request, parameters: { method: DELETE }'],
    ['a method in one word', 'action: http-client.patch, parameters: { url: x }', 'action: http.request, parameters: { url: x, method: PATCH }'],
    ['a method as a parameter', 'tool: http-client, parameters: { action: head, url: x }', 'action: http.request, parameters: { url: x, method: HEAD }'],
    ['a method beside another', 'tool: http-client, action: put, parameters: { method: POST }', 'action: http.request, parameters: { method: POST }'],
    ['an alias', 'action: generate, parameters: { prompt: x }', 'action: generate_text, parameters: { prompt: x }'],
    ['echo with its text', 'action: "echo \\"it is {{ x }}\\""', 'action: echo, parameters: { text: "it is {{ x }}" }'],
    ['print with its text', "action: 'print hello'", 'action: echo, parameters: { text: hello }'],
    ['echo that has a text already', 'action: display hello, parameters: { text: other }', 'action: echo, parameters: { text: other }'],
    ['foreach with steps', 'foreach: [1], steps: [{ action: echo }]', 'for_each: [1], tasks: [{ action: echo }]'],
    ['for_each with one task', 'for_each: [1], task: { action: echo }', 'for_each: [1], tasks: [{ action: echo }]'],
    ['action_loop', 'action_loop: [{ action: echo }], until: x', 'tasks: [{ action: echo }], until: x'],
    [
      '$item and its kin',
      'for_each: $item.list, tasks: [{ action: echo, parameters: { text: "{{ $index }} of {{ \'$item\' }}", to: $item } }]',
      'for_each: item.list, tasks: [{ action: echo, parameters: { text: "{{ index }} of {{ \'$item\' }}", to: "{{ item }}" } }]',
    ],
    [
      'file: and << >>',
      'action: echo, parameters: { text: "{{ file:a/b.md }} << c.md >> << EOF >>" }',
      "action: echo, parameters: { text: \"{{ file('a/b.md') }} {{ file('c.md') }} << EOF >>\" }",
    ],
  ])('%s', (_name, spelled, canonical) => {
    expect(bare(read(task(spelled)))).toBe(bare(read(task(canonical))));
  });

  test.each<[string, string]>([
    ['beside its action', 'action: create_parallel_queue, create_parallel_queue: { "on": [1], max_parallel: 2, action_loop: [{ action: echo }] }'],
    ['among its parameters', 'action: create_parallel_queue, parameters: { "on": [1], max_parallel: 2, task: { action: echo } }'],
    [
      'by its name among its parameters',
      'action: create_parallel_queue, parameters: { create_parallel_queue: { "on": [1], max_parallel: 2, steps: [{ action: echo }] } }',
    ],
    ['alone', 'create_parallel_queue: { "on": [1], max_parallel: 2, tasks: [{ action: echo }] }'],
  ])('a queue, %s, is a for_each that says so', (_name, keys) => {
    const queue = read(task(keys)).tasks[0]!;
    const loop = read(task('for_each: [1], max_parallel: 2, tasks: [{ action: echo }]')).tasks[0]!;
    expect(bare(queue)).toBe(bare({ ...loop, queue: true }));
  });

  test('prose beside a tool stays with its default operation', () => {
    const { tasks } = read(task('tool: python-executor, action: "Sleep for 5 seconds", parameters: { code: x }'));
    expect(tasks[0]!.action).toMatchObject({ name: 'python.run', prose: 'Sleep for 5 seconds' });
  });

  test('prose beside a model is a prompt', () => {
    const { tasks } = read(task('action: "Summarise {{ x }}", model: m'));
    expect(tasks[0]!.action).toMatchObject({ name: 'generate_text', prose: 'Summarise {{ x }}' });
    expect(tasks[0]!.parameters.entries).toMatchObject([{ key: 'prompt', value: { kind: 'template' } }]);
    expect(read(task('action: "Sum up", model: m, parameters: { prompt: mine }')).tasks[0]!.parameters.entries).toMatchObject([
      { key: 'prompt', value: { value: 'mine' } },
    ]);
  });

  test('the text of an echo keeps its place in the file', () => {
    const text = task('action: \'echo "it is {{ nope( }}"\'');
    expect(parse(makeSource('p.yaml', text)).diagnostics[0]!.span.start).toBe(text.indexOf('}}"'));
  });

  test.each<[string, string | undefined, string | undefined, string | undefined, boolean, object]>([
    ['an operation by its whole name', 'terminal', 'terminal.execute', undefined, false, { name: 'shell.run' }],
    ['an operation with its tool before it', undefined, 'web-search.search', undefined, false, { name: 'web_search' }],
    ['an underscore for a hyphen', 'python_executor', undefined, undefined, false, { name: 'python.run' }],
    ['an operation that a tool lacks', 'filesystem', 'wirte', undefined, false, { name: 'filesystem.wirte' }],
    ['a sentence beside an unknown tool', 'weather', 'Look outside', undefined, false, { name: 'weather', prose: 'Look outside' }],
    ['an unknown tool alone', 'weather', undefined, undefined, false, { name: 'weather' }],
    ['a sentence and no model', undefined, 'Look outside', undefined, false, { name: 'Look outside' }],
    ['a canonical name', undefined, 'python.run', undefined, false, { name: 'python.run' }],
    ['a name with a dot that no tool has', undefined, 'filesystem.wirte', undefined, false, { name: 'filesystem.wirte' }],
    ['nothing', undefined, undefined, undefined, false, { name: '' }],
    ['what every object has', undefined, 'constructor', undefined, false, { name: 'constructor' }],
  ])('%s', (_name, tool, action, operation, hasModel, named) => {
    expect(nameAction(tool, action, operation, hasModel)).toEqual(named);
  });

  test.each<[string, string | undefined]>([
    ['echo "a b"', 'a b'],
    ["print 'x'", 'x'],
    ['display x "y"', 'x "y"'],
    ['echo "', '"'],
    ['echo', undefined],
    ['echoes x', undefined],
  ])('the text of %s', (action, text) => {
    const found = echoedText(action);
    expect(found && action.slice(found.start, found.end)).toBe(text);
  });
});
