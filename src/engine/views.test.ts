import { describe, expect, test } from 'vitest';
import { planFrom, Play, setup } from './fixture.ts';
import type { Json } from '../json.ts';
import { completeInputs, compute, evaluateSite, namesOf, restore, SecretText, snapshot, stateHash } from './index.ts';

describe('names', () => {
  /** What a template in a task gives when the task is about to run. */
  function said(lines: string, path: string, text: string, script: Parameters<typeof setup>[1] = {}): unknown {
    const run = setup(lines, script);
    return compute({ e: text, at: [0, 1, 1] }, run.computing, { slot: run.slot(path) });
  }

  test('a task is its result, and what is known about it where no field of the result has the name', () => {
    const lines = '- { id: a, action: work }\n- { id: b, action: work, dependencies: [a] }';
    const acts = { a: { gives: { status: 'mine', n: 2 } } };
    const ask = (text: string): unknown => said(lines, 'b', text, { acts });
    expect(ask('[a.status, a.n, a.success, a.error, a.attempts, a.duration, a.result.n, tasks.a.status, tasks.a.result.n]')).toEqual([
      'mine',
      2,
      true,
      null,
      1,
      0,
      2,
      'completed',
      2,
    ]);
    expect(ask('tasks')).toEqual({ a: { status: 'mine', n: 2 }, b: 'b' });
    expect(ask('tasks.a')).toEqual(acts.a.gives);
    expect(ask('a')).toEqual(acts.a.gives);
    expect(ask('a is defined and a.nothing is not defined and tasks.nobody is not defined')).toBe(true);
  });

  test('a failed task has its error, and no result', () => {
    const run = setup('- { id: a, action: work, on_failure: continue }', { acts: { a: { fails: { class: 'network' } } } });
    expect(compute({ e: '[a, a.error.class, a.error.attempt, a.success]', at: [0, 1, 1] }, run.computing, { slot: 0 })).toEqual([null, 'network', 1, false]);
  });

  test('inside a for_each everything that it binds, also by its name from within', () => {
    const lines =
      '- id: l\n  for_each: "{{ [5, 6] }}"\n  loop_name: outer\n  tasks:\n    - id: m\n      for_each: "{{ [7] }}"\n      tasks:\n        - { id: x, action: work }';
    expect(
      said(
        lines,
        'l[1]/m[0]/x',
        '[item, outer.item, outer.index, outer.position, outer.length, outer.remaining, outer.is_first, outer.is_last, outer.has_next, outer.has_prev]',
      ),
    ).toEqual([7, 6, 1, 2, 2, 0, false, true, false, true]);
    expect(said(lines, 'l[1]/m[0]/x', 'outer.nothing is defined')).toBe(false);
    expect(said('- id: q\n  create_parallel_queue:\n    on: "{{ [5, 6] }}"\n    task: { id: x, action: work }', 'q[0]/x', 'queue_size')).toBe(2);
  });

  test('inside a while the iteration, and what the one before gave', () => {
    const lines = '- id: w\n  while: "{{ round.iteration < 2 }}"\n  loop_name: round\n  tasks:\n    - { id: x, action: work }';
    expect(said(lines, 'w@1/x', '[iteration, index, is_first, previous.x, loop_state.previous.x, round.iteration]')).toEqual([
      1,
      1,
      false,
      'w@0/x',
      'w@0/x',
      1,
    ]);
    expect(said(lines, 'w@0/x', '[previous, loop_state.iteration]')).toEqual([null, 0]);
    expect(said(lines, 'w@0/x', "['is_first' in round, 'x' in tasks, round]")).toEqual([
      true,
      true,
      { iteration: 0, index: 0, is_first: true, loop_state: expect.anything(), previous: null },
    ]);
    for (const unknown of ['round.nothing', 'tasks.nobody', 'x.nothing', 'tasks.x.nothing'])
      expect(() => said(lines, 'w@0/x', unknown)).toThrow(expect.objectContaining({ class: 'template' }));
  });

  test('inputs, the run itself, and bindings over all', () => {
    const play = new Play(
      planFrom('name: p\nversion: "1"\ninputs: { topic: { type: string } }\ntasks:\n- { id: a, action: say, parameters: { text: "{{ topic }}" } }'),
      { inputs: { topic: 'sun' } },
    );
    play.send({ type: 'start' });
    const ask = (text: string, more: object = {}): unknown => compute({ e: text, at: [0, 1, 1] }, play.computing, { slot: 0, ...more });
    expect(ask('[topic, inputs.topic, parameters.topic, execution.id, execution.date]')).toEqual(['sun', 'sun', 'sun', 'run_1', '2023-11-14']);
    expect(ask('topic', { bindings: { topic: 'moon' } })).toBe('moon');
    expect(compute({ e: 'a', at: [0, 1, 1] }, play.computing, { slot: -1 })).toBe('sun');
  });

  test('an unknown name is told with those that are there', () => {
    const run = setup(
      '- id: l\n  for_each: "{{ [1] }}"\n  on_error: [{ action: work }]\n  tasks:\n    - { id: x, action: work }\n- id: w\n  while: "{{ iteration < 1 }}"\n  tasks:\n    - { id: y, action: work }\n- { id: s, action: pipeline.run, parameters: { file: s.yaml } }',
      { files: { 's.yaml': 'name: s\nversion: "1"\ntasks:\n- { id: z, action: work }' }, acts: { 'l[0]/x': { fails: {} } } },
    );
    const names = (path: string, more: object = {}): string[] => [...namesOf(run.computing, { slot: run.slot(path), ...more }).names()];
    expect(names('l[0]/x')).toEqual(expect.arrayContaining(['x', 'item', 'l', 'w', 'inputs', 'tasks', 'execution']));
    expect(names('w@0/y', { iteration: 0, bindings: { here: 1 } })).toEqual(expect.arrayContaining(['y', 'iteration', 'here']));
    expect(names('s/z')).toEqual(expect.not.arrayContaining(['l']));
    expect(names('l/on_error[0]/on_error_1')).toEqual(expect.arrayContaining(['error']));
  });
});

describe('values', () => {
  test('lists, objects, joined texts and answers to tags', () => {
    const run = setup(
      '- id: a\n  action: say\n  parameters:\n    text: "n is <AUTO type=\\"integer\\">how many?</AUTO>"\n    x: ["{{ 1 + 1 }}", { k: "{{ [1] }}" }, "a {{ 1 }} b"]\n    whole: <AUTO type="json">what?</AUTO>',
      { answers: { 'a 0': 3, 'a 1': { k: [1] } } },
    );
    const { tasks } = run.plan.blocks[0]!;
    expect(compute(tasks[0]!.parameters, run.computing, { slot: 0 })).toEqual({ text: 'n is 3', x: [2, { k: [1] }, 'a 1 b'], whole: { k: [1] } });
    expect(() => compute({ a: 7 }, run.computing, { slot: 0 })).toThrow(expect.objectContaining({ code: 'ORC-314' }));
    expect(compute({ a: 0, s: 1 }, run.computing, { slot: 0 })).toBe('3');
    expect(() => compute({ e: '1 +', at: [0, 1, 1] }, run.computing, { slot: 0 })).toThrow(expect.objectContaining({ class: 'template' }));
    expect(() => compute({ t: '{{ 1 +', at: [0, 1, 1] }, run.computing, { slot: 0 })).toThrow(expect.objectContaining({ class: 'template' }));
  });

  test('C11 a text with a secret in it stays in segments, and shows none of it', () => {
    const run = setup('- { id: a, action: work }');
    const text = compute({ t: "Bearer {{ secret('TOKEN') }}", at: [0, 1, 1] }, run.computing, { slot: 0 });
    expect(text).toBeInstanceOf(SecretText);
    expect(JSON.stringify(text)).toBe('"Bearer ▮▮▮"');
    expect(
      JSON.stringify(
        compute({ m: [{ v: 'is ' }, { t: "{{ secret('TOKEN') }}!", at: [0, 1, 1] }, { e: "secret('TOKEN')", at: [0, 1, 1] }, { v: [1] }] }, run.computing, {
          slot: 0,
        }),
      ),
    ).toBe('"is ▮▮▮!▮▮▮[1]"');
    const play = new Play(
      planFrom(
        'name: p\nversion: "1"\ninputs: { key: { type: secret }, n: { type: integer } }\ntasks:\n- { id: a, action: work, parameters: { x: "{{ key }}", y: "{{ n }}" } }',
      ),
      { inputs: { key: 'TOKEN', n: 1 } },
    );
    play.send({ type: 'start' });
    expect(JSON.stringify(compute({ t: 'k {{ key }}', at: [0, 1, 1] }, play.computing, { slot: 0 }))).toBe('"k ▮▮▮"');
  });

  test('what is no error of a pipeline passes through', () => {
    const run = setup('- { id: a, action: work, condition: "1 < 2" }', { acts: { a: { gives: 1 } } });
    const computing = { ...run.computing, plan: { ...run.plan, blocks: [] } };
    expect(() => evaluateSite(computing, 0, 'condition', 0)).toThrow(TypeError);
    const lost = {
      ...run.computing,
      load: () => {
        throw new RangeError('not fetched yet');
      },
    };
    expect(() => evaluateSite(lost, -1, 'outputs', 0)).not.toThrow();
  });

  test.for([
    [[], false],
    [[1], true],
    [{}, false],
    [{ a: 1 }, true],
    [0, false],
    ['no', false],
    ['yes', true],
  ] as const)('S10 the answer %j to a condition that is one tag is %s', ([answer, holds]) => {
    const run = setup('- { id: a, action: work, condition: "<AUTO>may it?</AUTO>" }', { answers: { 'a 0': answer as Json } });
    expect(run.status('a')).toBe(holds ? 'completed' : 'skipped condition_false');
  });

  test('inputs are checked, all of them at once', () => {
    const { inputs } = planFrom(
      'name: p\nversion: "1"\ninputs: { a: { type: integer }, b: { type: string }, c: { type: string, default: x, required: false } }\ntasks:\n- { id: t, action: work, parameters: { x: "{{ [a, b, c] }}" } }',
    );
    const { computing } = setup('- { id: a, action: work }');
    expect(completeInputs(inputs, { a: 1, b: 'y' }, computing)).toEqual({ a: 1, b: 'y', c: 'x' });
    expect(() => completeInputs(inputs, { a: 'one', d: 1 }, computing)).toThrow(
      expect.objectContaining({ code: 'ORC-115', message: expect.stringMatching(/`a`.*`b` is missing.*`d` is not an input/) }),
    );
    const open = inputs.map(input => ({ ...input, required: false }));
    expect(completeInputs(open, {}, computing)).toEqual({ a: null, b: null, c: 'x' });
  });

  test('outputs of a run with skipped or failed tasks are null where they hang on those', () => {
    const play = new Play(
      planFrom(
        'name: p\nversion: "1"\ntasks:\n- { id: a, action: work, condition: "1 > 2" }\n- { id: b, action: work }\noutputs: { x: "{{ a.n + 1 }}", y: "{{ b }}" }',
      ),
      {},
    );
    play.send({ type: 'start' });
    expect(play.document.outputs).toEqual({ x: null, y: 'b' });
  });
});

describe('the result document', () => {
  test('S12 counts what the models cost, per task and in all', () => {
    const run = setup('- { id: a, action: work }', { acts: { a: 'hangs' } });
    const call = { purpose: 'text', model: 'm', inputTokens: 10, outputTokens: 2, costMicroUsd: 1500, latencyMs: 1 };
    for (const cost of [1500, null]) run.send({ type: 'called', slot: 0, call: { ...call, costMicroUsd: cost }, prompt: { v: 'p' }, reply: { v: 'r' } });
    run.send({ type: 'logged', slot: 0, level: 'info', text: 'half way' });
    run.send({
      type: 'settled',
      slot: 0,
      attempt: 1,
      outcome: { ok: true, output: { v: 1 }, cached: true, observed: [{ call: 'now', argument: null, value: 1 }] },
    });
    expect(run.document).toMatchObject({
      costUsd: 0.0015,
      tasks: { a: { model: 'm', usage: { inputTokens: 20, outputTokens: 4 }, costUsd: 0.0015, cached: true } },
    });
  });

  test('tells when a task was queued, began and ended', () => {
    const run = setup('- { id: a, action: work }\n- { id: b, action: work, dependencies: [a] }', { acts: { a: 'hangs' } });
    run.now += 1500;
    run.settle('a');
    expect(run.document.tasks['a']).toMatchObject({
      startedAt: '2023-11-14T22:13:20.000Z',
      endedAt: '2023-11-14T22:13:21.500Z',
      durationMs: 1500,
      queuedMs: 0,
      dependencies: [],
    });
    expect(run.document.tasks['b']).toMatchObject({ dependencies: ['a'], action: 'work' });
  });

  test('names the failure that nothing has made good', () => {
    const run = setup(
      '- id: g\n  on_error: [{ fallback_value: 1 }]\n  parallel:\n    - { id: x, action: work }\n- { id: b, action: work, on_failure: continue }',
      { acts: { 'g/x': { fails: { message: 'first' } }, b: { fails: { message: 'second' } } } },
    );
    expect(run.document.error).toMatchObject({ message: 'second', path: 'b' });
    const hanging = setup('- { id: a, action: work, on_failure: continue }\n- { id: b, action: work }', { acts: { a: { fails: {} }, b: 'hangs' } });
    expect(hanging.document).toMatchObject({ status: 'running', error: { path: 'a' } });
  });
});

describe('snapshots', () => {
  test('S7 a state survives its snapshot, byte for byte by its hash', () => {
    const run = setup(
      '- { id: a, action: work }\n- { id: ok, action: approval }\n- { id: c, action: work, parameters: { x: "<AUTO>one?</AUTO>", y: "<AUTO>two?</AUTO>" } }',
      { acts: { a: 'hangs' } },
    );
    run.send({ type: 'step', slot: 0, attempt: 1, name: 's', step: { completed: { v: 1 } } });
    run.send({ type: 'override', slot: 0, path: 'parameters.x', value: { v: 1 } });
    run.order({ type: 'signal', name: 'early', payload: 1, by: 'me' });
    run.send({ type: 'answered', slot: 2, index: 1, answer: { ok: true, value: { v: 2 }, source: 'model', model: 'm', reason: null } });
    const restored = restore(snapshot(run.state));
    expect(stateHash(restored)).toBe(stateHash(run.state));
    expect(restored.extra.get(0)!.steps).toEqual(new Map([['s', { effect: '', output: { v: 1 } }]]));
    expect(restored.signals).toEqual(new Map([['early', [{ v: 1 }]]]));
    expect(restored.extra.get(2)!.autos).toEqual({ 1: expect.objectContaining({ value: { v: 2 } }) });
  });

  test('S7 a time before that of the first event is not taken for none', () => {
    const run = setup('- { id: a, action: work }', { acts: { a: 'hangs' } });
    run.now -= 1;
    run.settle('a');
    expect(restore(snapshot(run.state)).settledAt[0]).toBe(run.now);
  });

  test('S7 a state of no events survives too', () => {
    const play = new Play(planFrom('name: p\nversion: "1"\ntasks:\n- { id: a, action: work }'), {});
    expect(stateHash(restore(snapshot(play.state)))).toBe(stateHash(play.state));
  });
});
