import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { bare } from '../../test/support/bare.ts';
import { told } from '../../test/support/told.ts';
import { parse } from './parse.ts';
import { format } from './print.ts';
import { makeSource } from './source.ts';

const print = (text: string): string => format(makeSource('p.yaml', text)).text;

describe('folded texts', () => {
  const folded = (text: string): string => `name: f\ntasks:\n  - id: a\n    action: echo\n    parameters:\n      text: ${text}`;

  test.each([
    ['keep their lines', '>-\n        one\n        two\n\n        three\n'],
    ['keep what is indented more', '>\n        one\n          two\n        three\n'],
    ['keep their last line breaks', '>+\n        one\n        two\n\n'],
    ['keep the lines of a tag', '>-\n        a <AUTO default="x: # y">b\n        c: d</AUTO>\n'],
    ['say how far they are indented', '>2-\n           odd\n        lines\n'],
  ])('%s', (_, text) => {
    expect(print(folded(text))).toBe(folded(text));
  });

  test('lose the spaces before them that are not needed, and nothing else', () => {
    expect(print(folded('>-\n             one\n             two\n'))).toBe(folded('>-\n        one\n        two\n'));
  });
});

describe('format', () => {
  test('rewrites the accepted spellings, and keeps comments, numbers and AUTO tags', () => {
    const written = `# head
id: my
description: d
name: N # the name
steps:
  # about a
  - tool: filesystem # t
    id: a
    # the operation
    action: write # c
    max_retries: 3
    depends_on: "b, c"

    parameters:
      n: 012
      path: {{ out }}/x.txt   # tail
      q: <AUTO>a: "b" # c</AUTO>
      long: <AUTO>
         a: b

         c # d
        </AUTO>
      f: [<AUTO>a: b, c</AUTO>, 1.10]
      g: [<AUTO>a: b

         c</AUTO>]
      e: "a\\nb\\n{{ 'long enough to be folded over lines' }}"
      c: {{ file:x/y.md }}
      s: $item.name
    continue_on_error: true
    on_error: "echo handled it"
  - {id: b, action: 'echo "hi {{ x }}"'}
  - {id: c, tool: python-executor, action: "Do a thing", error_handling: {retry: {max_retries: 3}}}
  - id: q
    action: create_parallel_queue
    parameters:
      on: "{{ xs }}"
      action_loop:
        - action: filesystem
          parameters: {action: write, path: x}
config:
  default_timeout: 30
# end
`;
    expect(print(written)).toBe(`# head
id: my
name: N # the name
description: d
tasks:
  # about a
  - id: a
    # the operation
    action: filesystem.write # c
    retry:
      max_attempts: 3
    dependencies: [b, c]

    parameters:
      n: 012
      path: {{ out }}/x.txt # tail
      q: <AUTO>a: "b" # c</AUTO>
      long: |-
        <AUTO> a: b
        c # d </AUTO>
      f: [<AUTO>a: b, c</AUTO>, 1.10]
      g: ["<AUTO>a: b\\nc</AUTO>"]
      e: "a\\nb\\n{{ 'long enough to be folded over lines' }}"
      c: "{{ file('x/y.md') }}"
      s: "{{ item.name }}"
    on_failure: continue
    on_error:
      - action: echo
        parameters:
          text: handled it
  - { id: b, action: echo, parameters: { text: "hi {{ x }}" } }
  - { id: c, tool: python-executor, action: "Do a thing", retry: { max_attempts: 3 } }
  - id: q
    create_parallel_queue:
      on: "{{ xs }}"
      tasks:
        - action: filesystem.write
          parameters: { path: x }
defaults:
  timeout: 30

# end
`);
  });

  test('keeps the comments of what it removes', () => {
    expect(
      print('name: p\ntasks:\n  - id: a\n    # which tool\n    tool: filesystem\n    # which operation\n    action:\n      # this one\n      write # really\n'),
    ).toBe('name: p\ntasks:\n  - id: a\n    # which tool\n    # which operation\n    action:\n      # this one\n      filesystem.write # really\n');
    expect(print('name: p\ntasks:\n  - id: a\n    action: write\n    # which tool\n    tool: filesystem\n')).toBe(
      'name: p\ntasks:\n  - id: a\n    # which tool\n    action: filesystem.write\n',
    );
  });

  test('says what it rewrote', () => {
    const { changed, diagnostics } = format(
      makeSource('p.yaml', 'name: p\nsteps:\n  - { id: a, tool: terminal }\n  - { id: b, action: echo, continue_on_error: true }\n'),
    );
    expect(changed).toBe(true);
    expect(diagnostics.map(told)).toEqual([
      'info ORC-118 2:1-6 pipeline.tasks',
      'info ORC-118 3:14-18 pipeline.tasks[0].action',
      'info ORC-118 3:20-28 pipeline.tasks[0].action',
      'info ORC-118 4:28-45 pipeline.tasks[1].on_failure',
    ]);
  });

  test('leaves a canonical file as it is', () => {
    const text = '# c\npipeline:\n  name: p\n  version: "1.0"\n  tasks:\n    - id: a\n      action: echo\n      parameters: { text: [a, b] }\n';
    expect(format(makeSource('p.yaml', text))).toEqual({ text, changed: false, diagnostics: [] });
  });

  test('leaves a file with errors as it is', () => {
    const { text, changed, diagnostics } = format(makeSource('p.yaml', 'name: p\nsteps: []\n'));
    expect([text, changed, diagnostics.map(({ code }) => code)]).toEqual(['name: p\nsteps: []\n', false, ['ORC-112']]);
  });

  const texts = fc.constantFrom(
    'plain',
    '{{ x }}',
    'a {{ x["k"] }}: b',
    '<AUTO type="list">a: "b" # c</AUTO>',
    'two\nlines {{ x }}\n',
    "it's",
    '',
    ' edge ',
    '{{ $item }}',
    '$index',
    '{{ file:a/b.md }}',
    'é\t',
    '- dash',
    'true',
    '012',
  );
  const value = fc.letrec(tie => ({
    value: fc.oneof(
      { maxDepth: 2 },
      texts,
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom('a', 'id', 'steps', 'b c'), tie('value'), { maxKeys: 3 }),
    ),
  })).value;
  const condition = fc.constantFrom('x > 1', '{{ x }}', 'true', '$index == 1');
  const policies: fc.Arbitrary<object> = fc.record(
    {
      max_retries: fc.nat(5),
      depends_on: fc.constantFrom('a, b', ['a']),
      if: condition,
      timeout: fc.constantFrom(3, '1m'),
      continue_on_error: fc.boolean(),
      on_error: fc.constantFrom('a', 'echo "x"', { fallback_result: 1, error_types: '*' }),
      model: fc.constantFrom('m', 'none', { size: '8b' }),
      name: texts,
      'x-own': value,
    },
    { requiredKeys: [] },
  );
  const call = fc.oneof(
    fc.record(
      {
        action: fc.constantFrom('echo', 'generate', 'filesystem.write', 'echo "hi {{ x }}"', 'http-client'),
        parameters: fc.dictionary(fc.constantFrom('text', 'x', 'y z'), value, { maxKeys: 3 }),
      },
      { requiredKeys: ['action'] },
    ),
    fc.record(
      {
        tool: fc.constantFrom('filesystem', 'python-executor', 'other'),
        action: fc.constantFrom('write', 'execute', 'Do a thing'),
        parameters: fc.record({ action: fc.constantFrom('write', 'x'), n: value }),
      },
      { requiredKeys: ['tool'] },
    ),
  );
  const body = fc.array(
    fc.tuple(call, policies).map(([a, b]) => ({ ...a, ...b })),
    { minLength: 1, maxLength: 2 },
  );
  const loop = fc.oneof<fc.Arbitrary<object>[]>(
    fc.record({ foreach: fc.constantFrom('{{ xs }}', [1, 2]), steps: body }),
    fc.record({ until: condition, action_loop: body }),
    fc.record({ action: fc.constant('create_parallel_queue'), parameters: fc.record({ on: fc.constant('{{ xs }}'), action_loop: body }) }),
    fc.record({ parallel: body }),
  );
  const pipeline = fc.record(
    {
      description: texts,
      name: fc.constant('p'),
      config: fc.constant({ default_timeout: 3 }),
      parameters: fc.constantFrom({ i: 1 }, [{ name: 'i', type: 'int' }]),
      outputs: fc.dictionary(fc.constantFrom('a', 'b'), value),
      steps: fc
        .array(fc.tuple(fc.oneof(call, loop), policies), { minLength: 1, maxLength: 4 })
        .map(tasks => tasks.map(([a, b], i) => ({ ...a, id: `t${i}`, ...b }))),
    },
    { requiredKeys: ['name', 'steps'] },
  );
  const layout = fc.record({
    lineWidth: fc.constantFrom(0, 20, 80),
    collectionStyle: fc.constantFrom('any', 'block', 'flow'),
    defaultStringType: fc.constantFrom('PLAIN', 'QUOTE_DOUBLE', 'QUOTE_SINGLE', 'BLOCK_LITERAL', 'BLOCK_FOLDED'),
    indentSeq: fc.boolean(),
  }) as fc.Arbitrary<object>;

  test('its text means the same, and is its own format', () => {
    fc.assert(
      fc.property(pipeline, layout, (data, options) => {
        const text = stringify(data, options);
        const before = parse(makeSource('p.yaml', text));
        fc.pre(!before.diagnostics.some(({ severity }) => severity === 'error'));
        const printed = print(text);
        expect(bare(parse(makeSource('p.yaml', printed)).pipeline)).toBe(bare(before.pipeline));
        expect(print(printed)).toBe(printed);
      }),
      { numRuns: 60 },
    );
  });
});
