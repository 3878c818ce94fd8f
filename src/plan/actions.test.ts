import { describe, expect, it } from 'vitest';
import { setup, tasks } from './fixture.ts';

function one(action: string, parameters: string): ReturnType<typeof setup> {
  return setup(tasks(`  - id: a\n    action: ${action}\n    parameters: ${parameters}\n`));
}

describe('actions', () => {
  it('an unknown one is shown with the nearest', () => {
    const { result, problems } = one('web_serach', '{ query: x }');
    expect(problems).toEqual(['error ORC-210 5 web_serach']);
    expect(result.diagnostics[0]).toMatchObject({
      label: 'did you mean `web_search`?',
      help: ['did you mean `web_search`?', 'list actions: orchestrator actions'],
      path: 'pipeline.tasks[0].action',
    });
    expect(one('quite_other', '{ query: "{{ ghost }}" }').problems).toEqual(['error ORC-210 5 quite_other', 'error ORC-302 6 ghost']);
  });

  it('the plan keeps what it was compiled against', () => {
    const { plan, task } = one('web_search', '{ query: x }');
    expect(plan.actions['web_search']).toMatchObject({ effect: 'read', provider: 'search', parameters: { type: 'object' } });
    expect(Object.keys(plan.actions)).toEqual(['web_search']);
    expect(task('a')).toMatchObject({ kind: 'action', action: 'web_search', effect: 'read', parameters: { v: { query: 'x' } } });
  });

  it.each([
    ['sleep', '{ duration: 5 }', 'sleep'],
    ['approval', '{ prompt: x }', 'approval'],
    ['signal.wait', '{ name: x }', 'signal'],
  ])('%s is done by the engine', (action, parameters, kind) => {
    expect(one(action, parameters).task('a').kind).toBe(kind);
  });
});

describe('parameters', () => {
  it('one that stands beside `parameters` is told so: as an error where it is needed, else as a warning', () => {
    const beside = (lines: string): ReturnType<typeof setup> => setup(tasks(`  - id: a\n    action: web_search\n${lines}`));
    const { result } = setup(tasks('  - id: a\n    action: echo\n    text: hello\n'));
    expect(result.diagnostics).toMatchObject([
      {
        code: 'ORC-103',
        severity: 'error',
        message: '`text` is a parameter of `echo`, and stands beside `parameters`',
        label: 'belongs under `parameters`',
        help: ['write: parameters: { text: … }'],
      },
    ]);
    expect(beside('    max_results: 5\n    parameters: { query: x }\n').problems).toEqual(['warning ORC-103 6 max_results']);
    expect(beside('    other: 5\n    parameters: { query: x }\n').result.diagnostics[0]!.message).toBe('`other` is not a key of a task');
  });

  it('none is missing where what is given is no map: that is told already', () => {
    expect(setup(tasks('  - id: a\n    action: echo\n    parameters: hello\n')).problems).toEqual(['error ORC-104 6 hello']);
  });

  it('one that is missing is named, with what it is and an example', () => {
    const { result, problems } = one('echo', '{}');
    expect(problems).toEqual(['error ORC-211 5 echo']);
    expect(result.diagnostics[0]).toMatchObject({
      label: 'needs `text`',
      notes: ['echo: text (string)'],
      help: ['for example:\n- id: hello\n  action: echo\n  parameters: { text: hello }'],
    });
    expect(one('echo', '{ text: null }').problems).toEqual(['error ORC-211 5 echo']);
    expect(one('data.filter', '{ condition: "true" }').result.diagnostics[0]!.message).toBe('`a` gives data.filter no `data` or `input`');
    expect(one('data.filter', '{ condition: "true", input: x }').problems).toEqual([]);
    expect(one('pair', '{ a: x }').result.diagnostics[0]!.message).toBe('`a` gives pair no `a and b` or `c`');
    expect(one('pair', '{ a: x, b: x }').problems).toEqual([]);
  });

  it('an unknown one is an error where it is a slip of the pen, else a warning, and is left out', () => {
    const slip = one('web_search', '{ qeury: x }');
    expect(slip.problems).toEqual(['error ORC-213 6 qeury']);
    expect(slip.result.diagnostics[0]).toMatchObject({
      label: 'did you mean `query`?',
      notes: ['`web_search` takes: query, max_results, tags, options'],
      path: 'pipeline.tasks[0].parameters.qeury',
    });
    const other = one('generate_text', '{ prompt: hi, quite_other: <AUTO>what?</AUTO> }');
    expect(other.problems).toEqual(['warning ORC-213 6 quite_other']);
    expect(other.task('a')).toMatchObject({ parameters: { v: { prompt: 'hi' } }, autos: [] });
    expect(one('generate_text', '{ prompt: hi, quite_other: "{{ ghost }}" }').problems).toEqual(['warning ORC-213 6 quite_other', 'error ORC-302 6 ghost']);
    expect(one('open', '{ anything: 1 }').task('a').parameters).toEqual({ v: { anything: 1 } });
  });

  it('a quoted number is an error with a fix', () => {
    const { result, problems } = one('web_search', '{ max_results: "5" }');
    expect(problems).toEqual(['error ORC-212 6 "5"']);
    const [{ message, label, notes, help, fix, path }] = result.diagnostics as [(typeof result.diagnostics)[0]];
    expect({ message, label, notes, help, path }).toEqual({
      message: '`max_results` must be an integer from 1 to 100',
      label: 'this is the text "5"',
      path: 'pipeline.tasks[0].parameters.max_results',
      notes: ['web_search: max_results (integer from 1 to 100, default 10) - how many results to return'],
      help: ['remove the quotes: max_results: 5'],
    });
    expect(fix).toEqual({ title: 'remove the quotes: max_results: 5', edits: [{ span: result.diagnostics[0]!.span, text: '5' }] });
    expect(one('web_search', '{ max_results: "500" }').result.diagnostics[0]!.fix).toBeUndefined();
    expect(one('web_search', '{ options: { safe: "true" } }').result.diagnostics[0]!.fix!.title).toBe('remove the quotes: safe: true');
  });

  it.each([
    ['{ max_results: 500 }', '500', '`max_results` must be an integer from 1 to 100'],
    ['{ max_results: many }', 'many', '`max_results` must be an integer from 1 to 100'],
    ['{ max_results: "{{ execution.id }} x" }', '"{{ execution.id }} x"', '`max_results` must be an integer from 1 to 100'],
    ['{ tags: ["{{ execution.id }}", [1]] }', '[1]', '`tags[1]` must be a string'],
    ['{ tags: [[1]] }', '[1]', '`tags[0]` must be a string'],
    ['{ tags: { x: "{{ execution.id }}" } }', '{ x: "{{ execution.id }}" }', '`tags` must be a list of strings'],
    ['{ options: ["{{ execution.id }}"] }', '["{{ execution.id }}"]', '`options` must be an object with safe'],
    ['{ options: { other: "{{ execution.id }}" } }', '{ other: "{{ execution.id }}" }', '`options` must have `safe`'],
    ['{ query: [1] }', '[1]', '`query` must be a string'],
    ['{ query: { a: 1 } }', '{ a: 1 }', '`query` must be a string'],
  ])('%s is a problem at %s', (parameters, underlined, message) => {
    const { result, problems } = one('web_search', parameters);
    expect(problems[0]).toBe(`error ORC-212 6 ${underlined}`);
    expect(result.diagnostics[0]!.message).toBe(message);
  });

  it('members that a map may not have', () => {
    expect(one('web_search', '{ options: { safe: true, other: "{{ execution.id }}" } }').problems).toEqual(['error ORC-212 6 "{{ execution.id }}"']);
    expect(one('web_search', '{ options: { safe: true, other: 1 } }').problems).toEqual(['error ORC-212 6 1']);
  });

  it('where text is wanted a plain scalar keeps its spelling and a lone expression is made text', () => {
    const { task } = setup(
      tasks(
        '  - id: a\n    action: echo\n    parameters: { text: 012 }\n  - { id: b, action: echo, parameters: { text: 1.10 } }\n  - { id: c, action: echo, parameters: { text: "{{ execution }}" } }\n  - { id: d, action: echo, parameters: { text: true } }\n  - { id: e, action: open, parameters: { kind: a, level: 012, x: "{{ execution }}" } }\n',
      ),
    );
    expect(task('a').parameters).toEqual({ v: { text: '012' } });
    expect(task('b').parameters).toEqual({ v: { text: '1.10' } });
    expect(task('c').parameters).toEqual({ o: [['text', { e: 'execution', at: [0, 8, 52], s: 1 }]] });
    expect(task('d').parameters).toEqual({ v: { text: 'true' } });
    expect(task('e').parameters).toMatchObject({
      o: [
        ['kind', { v: 'a' }],
        ['level', { v: expect.any(Number) }],
        ['x', { e: 'execution' }],
      ],
    });
    expect(one('open', '{ kind: c }').problems).toEqual(['error ORC-212 6 c']);
    expect(one('open', '{ level: "{{ execution.id }}s" }').problems).toEqual(['error ORC-212 6 "{{ execution.id }}s"']);
    expect(one('open', '{ kind: ["{{ execution.id }}"] }').problems).toEqual(['error ORC-212 6 ["{{ execution.id }}"]']);
    expect(one('open', '{ level: null }').task('a').parameters).toEqual({ v: { level: null } });
  });

  it('a time must be one', () => {
    expect(one('sleep', '{ duration: soon }').problems).toEqual(['error ORC-110 6 soon']);
    expect(one('sleep', '{ duration: 1h30m }').problems).toEqual([]);
  });

  it('a schema must be one', () => {
    expect(one('generate_structured', '{ prompt: x, schema: { type: strin } }').problems).toEqual(['error ORC-114 6 strin']);
  });

  it('one that is an expression is compiled and kept as its text, with `item` in scope where the action binds it', () => {
    const filter = (condition: string): ReturnType<typeof setup> => one('data.filter', `{ data: [1], condition: ${condition} }`);
    for (const [written, text] of [
      ['"item.x > 3"', 'item.x > 3'],
      ['"{{ item.x > 3 }}"', 'item.x > 3'],
      ['"{{ item }} > 3"', '{{ item }} > 3'],
      ['true', 'true'],
      ['12', '12'],
    ]) {
      expect(filter(written!).problems).toEqual([]);
      expect(filter(written!).task('a').parameters).toEqual({ v: { data: [1], condition: text } });
    }
    expect(filter('"ghost > 3"').problems).toEqual(['error ORC-302 6 ghost']);
    expect(filter('"item >"').problems).toEqual([expect.stringMatching(/^error ORC-305 6/)]);
    expect(filter('<AUTO>which?</AUTO>').problems).toEqual(['error ORC-304 6 <AUTO>which?</AUTO>']);
    expect(filter('"x <AUTO>which?</AUTO>"').problems).toEqual(['error ORC-304 6 "x <AUTO>which?</AUTO>"']);
    expect(filter('{ a: ["item.x"] }').task('a').parameters).toEqual({ v: { data: [1], condition: { a: ['item.x'] } } });
    expect(one('evaluate_condition', '{ condition: "item > 1" }').problems).toEqual(['error ORC-309 6 item']);
    const { task } = setup(
      tasks(
        '  - { id: b, action: echo, parameters: { text: x } }\n  - id: a\n    action: evaluate_condition\n    parameters:\n      condition: >-\n        b.result\n        == "x"\n',
      ),
    );
    expect(task('a').needs).toEqual([0]);
  });

  it('C11: a secret may stand in a parameter and nowhere else', () => {
    expect(one('shell.run', '{ command: x, env: { TOKEN: "{{ secret(\'LAB_TOKEN\') }}" } }').problems).toEqual([]);
    expect(setup(tasks("  - id: a\n    action: echo\n    condition: \"secret('LAB_TOKEN') == 'x'\"\n    parameters: { text: x }\n")).problems).toEqual([
      "error ORC-312 6 secret('LAB_TOKEN')",
    ]);
    expect(one('echo', "{ text: <AUTO>say {{ secret('LAB_TOKEN') }}</AUTO> }").problems).toEqual(["error ORC-312 6 secret('LAB_TOKEN')"]);
  });
});
