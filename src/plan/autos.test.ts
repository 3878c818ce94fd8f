import { describe, expect, it } from 'vitest';
import type { PlanAuto } from './plan.ts';
import { setup, tasks } from './fixture.ts';

function ask(parameters: string, action = 'web_search'): { problems: string[]; autos: PlanAuto[]; parameters: unknown } {
  const { problems, result, task } = setup(tasks(`  - id: a\n    action: ${action}\n    parameters: ${parameters}\n`));
  return { problems, autos: result.plan === null ? [] : task('a').autos, parameters: result.plan === null ? null : task('a').parameters };
}

describe('AUTO tags', () => {
  it('are numbered innermost first, and know their target', () => {
    const { autos, parameters } = ask('{ query: <AUTO>about <AUTO>which?</AUTO></AUTO>, max_results: <AUTO>how many?</AUTO>, tags: ["<AUTO>x</AUTO>"] }');
    expect(parameters).toEqual({
      o: [
        ['query', { a: 1, s: 1 }],
        ['max_results', { a: 2 }],
        ['tags', { l: [{ a: 3, s: 1 }] }],
      ],
    });
    expect(autos.map(({ target }) => target)).toEqual(['parameters.query', 'parameters.query', 'parameters.max_results', 'parameters.tags[0]']);
    expect(autos[1]!.question).toEqual({ m: [{ v: 'about ' }, { a: 0 }] });
    expect(autos[0]!.at).toEqual([0, 6, 38]);
  });

  it('take their schema from the parameter, narrowed by their bounds', () => {
    const description = 'how many results to return';
    expect(ask('{ max_results: <AUTO>how many?</AUTO> }').autos[0]!.schema).toEqual({ type: 'integer', minimum: 1, maximum: 100, description });
    expect(ask('{ max_results: <AUTO min="3" max="200">how many?</AUTO> }').autos[0]!.schema).toEqual({
      type: 'integer',
      minimum: 3,
      maximum: 100,
      description,
    });
    expect(ask('{ max_results: <AUTO type="integer" min="0" max="20">how many?</AUTO> }').autos[0]!.schema).toEqual({
      type: 'integer',
      minimum: 1,
      maximum: 20,
      description,
    });
    expect(ask('{ query: "x <AUTO>y</AUTO>" }').autos[0]!.schema).toEqual({ type: 'string' });
  });

  it.each([
    ['type="string" min="2" max="9" pattern="^a"', { type: 'string', minLength: 2, maxLength: 9, pattern: '^a' }],
    ['type="number" min="0.5"', { type: 'number', minimum: 0.5 }],
    ['type="boolean"', { type: 'boolean' }],
    ['type="list" min="1" items="string"', { type: 'array', minItems: 1, items: { type: 'string' } }],
    ['type="choice" choices="a,b"', { type: 'string', enum: ['a', 'b'] }],
    ['type="integer" choices="1,2"', { type: 'integer', enum: [1, 2] }],
    ['type="json"', {}],
    ['items="string"', { type: 'array', items: { type: 'string' } }],
    ['min="1" max="3"', { type: 'number', minimum: 1, maximum: 3 }],
    ['choices="1,2"', { type: 'string', enum: ['1', '2'] }],
    ['', { type: 'string' }],
  ])('<AUTO %s> asks for %o', (attributes, schema) => {
    expect(ask(`{ anything: <AUTO ${attributes}>?</AUTO> }`, 'open').autos[0]!.schema).toEqual(schema);
  });

  it('must give what the parameter takes', () => {
    expect(ask('{ max_results: <AUTO type="string">?</AUTO> }').problems).toEqual(['error ORC-212 6 <AUTO type="string">?</AUTO>']);
    expect(ask('{ query: <AUTO type="integer">?</AUTO> }').parameters).toEqual({ o: [['query', { a: 0, s: 1 }]] });
    expect(ask('{ temperature: <AUTO type="integer">?</AUTO>, prompt: x }', 'generate_text').problems).toEqual([]);
    expect(ask('{ duration: <AUTO type="integer">?</AUTO> }', 'sleep').problems).toEqual([]);
    expect(ask('{ duration: <AUTO type="boolean">?</AUTO> }', 'sleep').problems).toEqual(['error ORC-212 6 <AUTO type="boolean">?</AUTO>']);
  });

  it('have a default that fits, in the type of the answer', () => {
    expect(ask('{ max_results: <AUTO default="5">?</AUTO> }').autos[0]!.default).toBe(5);
    expect(ask('{ query: <AUTO default="5">?</AUTO> }').autos[0]!.default).toBe('5');
    expect(ask('{ max_results: <AUTO default="500">?</AUTO> }').problems).toEqual(['error ORC-303 6 <AUTO default="500">?</AUTO>']);
    expect(ask('{ max_results: <AUTO default="many">?</AUTO> }').problems).toEqual(['error ORC-303 6 <AUTO default="many">?</AUTO>']);
  });

  it('keep their model and cache', () => {
    expect(ask('{ query: <AUTO model="lab/small" cache="false">?</AUTO> }').autos[0]).toMatchObject({ model: 'lab/small', cache: false });
  });

  it('C5: may not decide commands, sub-pipelines and the like, also not inside a text, unless among named choices', () => {
    expect(ask('{ command: <AUTO>?</AUTO> }', 'shell.run').problems).toEqual(['error ORC-304 6 <AUTO>?</AUTO>']);
    expect(ask('{ command: "echo <AUTO>?</AUTO>" }', 'shell.run').problems).toEqual(['error ORC-304 6 <AUTO>?</AUTO>']);
    expect(ask('{ command: <AUTO choices="ls,pwd">?</AUTO> }', 'shell.run').problems).toEqual([]);
    expect(ask('{ command: ls, env: { X: <AUTO>?</AUTO> } }', 'shell.run').problems).toEqual([]);
  });

  it('C5: may not name tasks', () => {
    for (const task of [
      'id: <AUTO>?</AUTO>, action: echo',
      'id: a, action: <AUTO>?</AUTO>',
      'id: a, action: echo, dependencies: [<AUTO>?</AUTO>]',
      'id: a, action: echo, on_success: <AUTO>?</AUTO>',
    ]) {
      expect(setup(tasks(`  - { ${task}, parameters: { text: x } }\n`)).problems).toContainEqual(expect.stringMatching(/^error ORC-304 4/));
    }
  });

  it('may not stand in outputs and fallbacks, which nobody asks', () => {
    expect(setup(`${tasks('  - { id: a, action: echo, parameters: { text: x } }\n')}outputs: { x: <AUTO>?</AUTO> }\n`).problems).toEqual([
      'error ORC-304 5 <AUTO>?</AUTO>',
    ]);
    expect(setup(tasks('  - { id: a, action: echo, parameters: { text: x }, on_error: [{ fallback_value: <AUTO>?</AUTO> }] }\n')).problems).toEqual([
      'error ORC-304 4 <AUTO>?</AUTO>',
    ]);
  });

  it('may decide conditions, sources of loops, models and the defaults of inputs', () => {
    const { plan, task } = setup(
      'name: p\ninputs: { n: { type: integer, default: <AUTO>how many?</AUTO> } }\ntasks:\n  - id: a\n    action: generate_text\n    condition: <AUTO>worth it?</AUTO>\n    model: <AUTO>which, for {{ n }}?</AUTO>\n    parameters: { prompt: x }\n  - id: b\n    for_each: <AUTO items="string">which?</AUTO>\n    tasks:\n      - { id: c, action: echo, parameters: { text: x } }\n',
    );
    expect(plan.inputs[0]).toMatchObject({ default: { a: 0 }, autos: [{ target: 'inputs.n', schema: { type: 'integer' } }] });
    expect(task('a')).toMatchObject({
      condition: { a: 0 },
      model: { a: 1 },
      autos: [{ target: 'condition', schema: { type: 'boolean' } }, { target: 'model' }],
    });
    expect(task('b')).toMatchObject({ source: { a: 0 }, autos: [{ target: 'for_each', schema: { type: 'array', items: { type: 'string' } } }] });
  });
});
