import { describe, expect, it } from 'vitest';
import { setup, tasks } from './fixture.ts';

/** The one problem of a pipeline, with its position, label, notes and help. */
function problemOf(text: string): { at: string; label: string; notes: string[]; help: string[]; path: string } {
  const { result, problems } = setup(text);
  expect(problems).toHaveLength(1);
  const { label = '', notes = [], help = [], path = '' } = result.diagnostics[0]!;
  return { at: problems[0]!, label, notes, help, path };
}

const SEARCH = '  - id: search\n    action: web_search\n';

function show(text: string): string {
  return tasks(`${SEARCH}  - id: show\n    action: echo\n    parameters: { text: ${JSON.stringify(text)} }\n`);
}

describe('names', () => {
  it('an unknown name is an error at its place, with the nearest name and what is in scope', () => {
    const text =
      'name: p\ninputs: { topic: { type: string } }\ntasks:\n  - id: search\n    action: web_search\n    parameters: { query: "{{ topic }}" }\n  - id: show\n    action: echo\n    parameters: { text: "All {{ serach.results | length }} of {{ topic }}" }\n';
    const { at, label, notes, help, path } = problemOf(text);
    expect(at).toBe('error ORC-302 9 serach');
    expect(label).toBe('did you mean `search`?');
    expect(notes).toEqual(['in scope: inputs (topic), tasks (search, show), and the names inputs, parameters, tasks, execution']);
    expect(help).toEqual(['did you mean `search`?']);
    expect(path).toBe('pipeline.tasks[1].parameters.text');
  });

  it('finds the place in texts that YAML folds or escapes', () => {
    expect(setup(tasks('  - id: a\n    action: echo\n    parameters:\n      text: "tab\\t{{ ghost }}"\n')).problems).toEqual(['error ORC-302 7 ghost']);
    expect(setup(tasks('  - id: a\n    action: echo\n    parameters:\n      text: |\n        one\n        {{ ghost }} two\n')).problems).toEqual([
      'error ORC-302 9 ghost',
    ]);
  });

  it('inputs, their namespaces, tasks and the facts of the run are known', () => {
    const text =
      'name: p\ninputs: { topic: { type: string, default: x } }\ntasks:\n  - { id: a-b, action: echo, parameters: { text: "{{ topic }}{{ inputs.topic }}{{ parameters.topic }}" } }\n' +
      `  - id: b\n    action: echo\n    parameters: { text: "{{ tasks['a-b'].result }}{{ tasks['a-b'].status }}{{ execution.id }}{{ execution.started_at }}{{ execution.timestamp }}{{ execution.date }}{{ execution.time }}" }\n`;
    const { problems, task } = setup(text);
    expect(problems).toEqual([]);
    expect(task('b').dependencies).toEqual([0]);
  });

  it.each([
    ['{{ inputs.topik }}', 'error ORC-302 8 topik'],
    ['{{ execution.user }}', 'error ORC-302 8 user'],
    ['{{ tasks.serch.status }}', 'error ORC-302 8 serch'],
    ['{{ tasks }}', 'error ORC-302 8 tasks'],
    ['{{ error.message }}', 'error ORC-302 8 error'],
    ['{{ item }}', 'error ORC-309 8 item'],
    ['{{ queue_size }}', 'error ORC-309 8 queue_size'],
    ['{{ env.HOME }}', 'error ORC-302 8 env'],
    ['{{ pipeline.name }}', 'error ORC-302 8 pipeline'],
  ])('%s is %s', (text, problem) => {
    expect(setup(show(text)).problems).toEqual([problem]);
  });

  it('says why there is no `env` and no `pipeline`', () => {
    expect(problemOf(show('{{ env.HOME }}')).help[0]).toContain('secret(');
    expect(problemOf(show('{{ pipeline.name }}')).help[0]).toContain('no such namespace');
    expect(problemOf(show('{{ queue_size }}')).help[0]).toContain('queue');
    expect(problemOf(show('{{ error.code }}')).help[0]).toContain('on_error');
    expect(problemOf(show('{{ quite_different }}')).help[0]).toContain('default');
  });

  it('says how an id with a hyphen is written', () => {
    expect(
      setup(tasks('  - { id: read-all, action: echo, parameters: { text: x } }\n  - { id: z, action: echo, parameters: { text: "{{ read-all.result }}" } }\n'))
        .result.diagnostics[0]!.help,
    ).toEqual(["an id with a hyphen is written tasks['read-all']"]);
  });

  it('what stands under default() or is asked about may be missing', () => {
    expect(
      setup(
        show(
          "{{ ghost | default('x') }}{{ inputs.ghost | default(1) }}{{ tasks.ghost | default(2) }}{{ search.ghost | default(3) }}{{ execution.ghost is defined }}",
        ),
      ).problems,
    ).toEqual([]);
  });

  it('says where a task is that stands in a loop or a group', () => {
    const loop =
      '  - id: each\n    for_each: [1]\n    tasks:\n      - { id: inner, action: echo, parameters: { text: x } }\n  - id: both\n    parallel:\n      - { id: left, action: echo, parameters: { text: x } }\n';
    expect(problemOf(tasks(`${loop}  - { id: z, action: echo, parameters: { text: "{{ inner }}" } }\n`)).help).toEqual([
      '`inner` runs inside the loop `each`: its results are in each.items',
    ]);
    expect(problemOf(tasks(`${loop}  - { id: z, action: echo, parameters: { text: "{{ left }}" } }\n`)).help).toEqual([
      '`left` is in the group `both`: write both.left',
    ]);
  });

  it('S10: in a condition it is a warning, unless strict', () => {
    const text = tasks('  - id: a\n    action: echo\n    condition: ghost\n    parameters: { text: x }\n');
    expect(setup(text).problems).toEqual(['warning ORC-302 6 ghost']);
    expect(setup(text).result.plan).not.toBeNull();
    expect(setup(text, { strict: true }).problems).toEqual(['error ORC-302 6 ghost']);
    const loop = (key: string): string => tasks(`  - id: a\n    ${key}: ghost\n    tasks:\n      - { id: b, action: echo, parameters: { text: x } }\n`);
    expect(setup(loop('while')).problems).toEqual(['warning ORC-302 5 ghost']);
    expect(setup(loop('until')).problems).toEqual(['warning ORC-302 5 ghost']);
    expect(setup(loop('for_each')).problems).toEqual(['error ORC-302 5 ghost']);
  });

  it('stays linear in a file full of unknown names: after many it looks for no near one', () => {
    const lines = Array.from({ length: 60 }, (_, i) => `  - { id: t${i}, action: echo, parameters: { text: "{{ ghost${i} }}" } }\n`).join('');
    const { result, problems } = setup(tasks(lines));
    expect(problems).toHaveLength(60);
    expect(result.diagnostics.at(-1)!.notes).toBeUndefined();
    expect(result.diagnostics[0]!.notes).toHaveLength(1);
  });

  it('caps long lists of names', () => {
    const inputs = Array.from({ length: 15 }, (_, i) => `  input_${i}: x\n`).join('');
    const { result } = setup(`name: p\ninputs:\n${inputs}tasks:\n  - { id: a, action: echo, parameters: { text: "{{ zzz }}" } }\n`);
    expect(result.diagnostics.find(({ code }) => code === 'ORC-302')!.notes![0]).toContain('input_11 and 3 more');
  });
});

describe('fields', () => {
  it.each([
    ['{{ search.resuls }}', 'error ORC-207 8 resuls', 'did you mean `results`?'],
    ['{{ search.result.cuont }}', 'error ORC-207 8 cuont', 'did you mean `count`?'],
    ['{{ search.results[0].urll }}', 'error ORC-207 8 urll', 'did you mean `url`?'],
    ['{{ search.count.x }}', 'error ORC-207 8 x', 'there is no `x`'],
    ['{{ search.results.title }}', 'error ORC-207 8 title', 'there is no `title`'],
    ['{{ search.quite_different }}', 'error ORC-207 8 quite_different', 'not there'],
    ['{{ tasks.search.results }}', 'error ORC-207 8 results', 'did you mean `result`?'],
    ['{{ tasks.search.result.resuls }}', 'error ORC-207 8 resuls', 'did you mean `results`?'],
  ])('%s is %s', (text, problem, label) => {
    const { at, label: got } = problemOf(show(text));
    expect([at, got]).toEqual([problem, label]);
  });

  it('a field of the result, one about the task, and one of an unknown depth are fine', () => {
    expect(
      setup(
        show(
          '{{ search.results[0].url[0] }}{{ search.status }}{{ search.error.message }}{{ search.attempts }}{{ search.duration }}{{ search.success }}{{ search.result.count }}',
        ),
      ).problems,
    ).toEqual([]);
  });

  it('a text result has no fields', () => {
    expect(
      setup(tasks('  - { id: a, action: echo, parameters: { text: x } }\n  - { id: b, action: echo, parameters: { text: "{{ a.content }}" } }\n')).problems,
    ).toEqual(['error ORC-207 5 content']);
  });

  it('knows the outputs that a task declares', () => {
    const make = '  - { id: make, action: generate_text, outputs: { content: { type: string } }, parameters: { prompt: hi } }\n';
    expect(setup(tasks(`${make}  - { id: use, action: echo, parameters: { text: "{{ make.content }}" } }\n`)).problems).toEqual([]);
    expect(setup(tasks(`${make}  - { id: use, action: echo, parameters: { text: "{{ make.contnet }}" } }\n`)).problems).toEqual(['error ORC-207 5 contnet']);
  });

  it('knows the schema that a task gives for its own result', () => {
    const make =
      '  - { id: make, action: generate_structured, parameters: { prompt: hi, schema: { type: object, properties: { author: { type: string } }, required: [author] } } }\n';
    expect(setup(tasks(`${make}  - { id: use, action: echo, parameters: { text: "{{ make.author }}" } }\n`)).problems).toEqual([]);
    expect(setup(tasks(`${make}  - { id: use, action: echo, parameters: { text: "{{ make.autor }}" } }\n`)).problems).toEqual(['error ORC-207 5 autor']);
    const whole = make.replace(/schema: .*? \} \}\n/, 'schema: "{{ execution }}" } }\n');
    expect(setup(tasks(`${whole}  - { id: use, action: echo, parameters: { text: "{{ make.anything }}" } }\n`)).problems).toEqual([]);
    const computed = make.replace('{ type: string }', '"{{ execution }}"');
    expect(setup(tasks(`${computed}  - { id: use, action: echo, parameters: { text: "{{ make.anything }}" } }\n`)).problems).toEqual([]);
  });

  it('says nothing where a handler may put its own value in place of the result', () => {
    const read = (retry: string): string =>
      tasks(
        `  - id: a\n    action: filesystem.read\n    parameters: { path: x }\n    on_error: [{ fallback_value: { other: 1 }${retry} }]\n  - { id: b, action: echo, parameters: { text: "{{ a.other }}" } }\n`,
      );
    expect(setup(read('')).problems).toEqual([]);
    expect(setup(read(', retry: true')).problems).toEqual(['error ORC-207 8 other']);
  });

  it('checks inputs where their schema lists all members, and the results of loops and groups', () => {
    const text = (use: string): string =>
      `name: p\ninputs: { box: { type: object, default: {} } }\ntasks:\n  - id: each\n    for_each: [1]\n    tasks:\n      - { id: inner, action: filesystem.read, parameters: { path: x } }\n` +
      `  - id: both\n    parallel:\n      - { id: left, action: filesystem.read, parameters: { path: x } }\n  - { id: z, action: echo, parameters: { text: "{{ box.anything }}{{ ${use} }}" } }\n`;
    for (const use of ['each.items[0].inner.content', 'each.count', 'both.left.content', 'inputs.box.a.b']) expect(setup(text(use)).problems).toEqual([]);
    for (const use of ['each.item', 'each.exhausted', 'each.items[0].iner', 'each.items[0].inner.contents', 'both.right', 'both.left.contents'])
      expect(setup(text(use)).problems).toEqual([expect.stringMatching(/^error ORC-207 11 /)]);
  });

  it('the members of an input are known only where its schema allows no others', () => {
    const text = (more: string): string =>
      `name: p\ninputs: { box: { type: object, properties: { a: { type: string } }${more}, default: { a: x } } }\ntasks:\n  - { id: z, action: echo, parameters: { text: "{{ box.a }}{{ box.b }}" } }\n`;
    expect(setup(text('')).problems).toEqual([]);
    expect(setup(text(', additionalProperties: false')).problems).toEqual(['error ORC-207 4 b']);
  });

  it('what an item of a loop is follows from its source', () => {
    const loop = (use: string): string =>
      tasks(
        `${SEARCH}  - id: each\n    for_each: "{{ search.results }}"\n    loop_name: outer\n    tasks:\n      - { id: a, action: echo, parameters: { text: "{{ ${use} }}" } }\n`,
      );
    for (const use of [
      'item.url',
      'outer.item',
      'outer.index',
      'index',
      'is_first',
      'is_last',
      'position',
      'length',
      'remaining',
      'has_next',
      'has_prev',
      "loop_var('outer', 'index')",
    ])
      expect(setup(loop(use)).problems).toEqual([]);
    expect(setup(loop('item.urll')).problems).toEqual(['error ORC-207 10 urll']);
    expect(setup(loop('outer.iteration')).problems).toEqual(['error ORC-207 10 iteration']);
    expect(setup(loop('previous')).problems).toEqual(['error ORC-309 10 previous']);
    expect(setup(loop("loop_var('inner', 'index')")).problems).toEqual([expect.stringMatching(/^error ORC-302 10 loop_var/)]);
    const object = tasks(
      '  - { id: s, action: shell.run, parameters: { command: x } }\n  - id: each\n    for_each: s\n    tasks:\n      - { id: a, action: echo, parameters: { text: "{{ item.key }}{{ item.value.x }}{{ item.other }}" } }\n',
    );
    expect(setup(object).problems).toEqual([expect.stringMatching(/^error ORC-207 8 /)]);
    const text = tasks(
      '  - { id: s, action: echo, parameters: { text: x } }\n  - id: each\n    for_each: s\n    tasks:\n      - { id: a, action: echo, parameters: { text: "{{ item.key }}" } }\n',
    );
    expect(setup(text).problems).toEqual([]);
  });
});

describe('loops', () => {
  it('while and until see the iteration, and the tasks of the body as it left them', () => {
    const loop = (end: string): string =>
      tasks(
        `  - id: refine\n    while: "iteration < 3 and index < 3 and loop_state"\n    until: "${end}"\n    tasks:\n      - { id: score, action: shell.run, parameters: { command: "{{ iteration }} {{ previous.score.stdout }}" } }\n`,
      );
    const { problems, task } = setup(loop('score.return_code == 0'));
    expect(problems).toEqual([]);
    expect(task('refine').needs).toEqual([]);
    expect(setup(loop('score.code == 0')).problems).toEqual(['warning ORC-207 6 code']);
  });

  it('what a loop is may not be used in it', () => {
    const { result, problems } = setup(
      tasks('  - id: each\n    while: "true"\n    tasks:\n      - { id: a, action: echo, parameters: { text: "{{ each.count }}" } }\n'),
    );
    expect(problems).toEqual(['error ORC-203 7 each']);
    expect(result.diagnostics[0]!.help![0]).toContain('previous');
    expect(setup(tasks('  - id: a\n    action: echo\n    parameters: { text: "{{ a.result }}" }\n')).problems).toEqual(['error ORC-203 6 a']);
    expect(setup(tasks('  - id: a\n    action: echo\n    parameters: { text: "{{ tasks.a.result }}" }\n')).problems).toEqual(['error ORC-203 6 tasks']);
  });

  it('only a while or until can be exhausted', () => {
    const loop = '  - id: grow\n    until: "false"\n    tasks:\n      - { id: a, action: echo, parameters: { text: x } }\n';
    expect(setup(tasks(`${loop}  - { id: z, action: echo, parameters: { text: "{{ grow.exhausted }} {{ grow.items[0].a }}" } }\n`)).problems).toEqual([]);
  });

  it('a queue knows its size', () => {
    expect(
      setup(
        tasks(
          '  - id: q\n    create_parallel_queue:\n      on: "[1, 2]"\n      tasks:\n        - { id: a, action: echo, parameters: { text: "{{ item }} of {{ queue_size }}" } }\n',
        ),
      ).problems,
    ).toEqual([]);
  });
});
