import { describe, expect, test } from 'vitest';
import { setup } from './fixture.ts';

const BROKEN = { fails: {} };

function each(more: string, body = '{ id: x, action: work }'): string {
  return `- id: l\n  for_each: "{{ range(3) }}"\n${more}  tasks:\n    - ${body}\n- { id: after, action: work, dependencies: [l] }`;
}

describe('for_each', () => {
  test('runs its iterations one after the other, and gives them as items', () => {
    const run = setup(each(''), { acts: { 'l[1]/x': 'hangs' } });
    expect(run.statuses).toEqual(['l running', 'after pending', 'l[0]/x completed', 'l[1]/x running']);
    run.settle('l[1]/x', { gives: 7 });
    expect(run.document.tasks['l']!.output).toEqual({ items: [{ x: 'l[0]/x' }, { x: 7 }, { x: 'l[2]/x' }], count: 3 });
    expect(run.status('after')).toBe('completed');
  });

  test('max_parallel opens so many at once', () => {
    const run = setup(each('  max_parallel: 2\n'), { acts: { 'l[0]/x': 'hangs', 'l[1]/x': 'hangs' } });
    expect(run.slot('l[2]/x')).toBe(-1);
    run.settle('l[1]/x');
    expect(run.status('l[2]/x')).toBe('completed');
  });

  test('of an empty list completes at once, of an object goes over keys and values, and of anything else fails', () => {
    expect(setup(each('').replace('range(3)', '[]')).document.tasks['l']!.output).toEqual({ items: [], count: 0 });
    const run = setup(each('', '{ id: x, action: say, parameters: { text: "{{ item.key }}" } }').replace('range(3)', "{'a': 1}"));
    expect(run.state.extra.get(0)!.loop!.items).toEqual({ v: [{ key: 'a', value: 1 }] });
    for (const bad of ['none if true else []', '1 + 2'])
      expect(setup(each('').replace('range(3)', bad)).document.tasks['l']).toMatchObject({ status: 'failed', error: { code: 'ORC-232' } });
    expect(setup(each('  max_parallel: "{{ 1 - 1 }}"\n')).document.tasks['l']).toMatchObject({ status: 'failed', error: { code: 'ORC-212' } });
  });

  test('a failure ends its iteration, and with it the loop', () => {
    const run = setup(each(''), { acts: { 'l[1]/x': BROKEN } });
    expect(run.statuses).toEqual(['l failed', 'after skipped upstream_failed', 'l[0]/x completed', 'l[1]/x failed']);
    expect(run.document.tasks['l']!.error).toMatchObject({ code: 'ORC-230', message: expect.stringContaining('[1]/x') });
    expect(run.document.error).toMatchObject({ path: 'l[1]/x' });
  });

  test('skip and continue keep the other iterations', () => {
    const run = setup(each('  on_failure: skip\n'), { acts: { 'l[1]/x': BROKEN } });
    expect(run.statuses).toEqual(['l completed', 'after completed', 'l[0]/x completed', 'l[1]/x failed', 'l[2]/x completed']);
    expect(run.document.tasks['l']!.output).toMatchObject({ items: [{ x: 'l[0]/x' }, { x: null }, { x: 'l[2]/x' }] });
    expect(run.document.status).toBe('failed');
  });

  test('an iteration that breaks the loop stops those beside it, with the containers in them', () => {
    const lines =
      '- id: l\n  for_each: "{{ range(2) }}"\n  max_parallel: 2\n  tasks:\n    - id: g\n      parallel:\n        - { id: x, action: work }\n        - { id: y, action: work, dependencies: [x] }';
    const run = setup(lines, { acts: { 'l[0]/g/x': 'hangs', 'l[1]/g/x': 'hangs' } });
    run.settle('l[0]/g/x', BROKEN);
    expect(run.status('l[1]/g/y')).toBe('cancelled run_failed');
    run.settle('l[1]/g/x');
    expect(run.statuses).toEqual([
      'l failed',
      'l[0]/g failed',
      'l[1]/g cancelled run_failed',
      'l[0]/g/x failed',
      'l[0]/g/y skipped upstream_failed',
      'l[1]/g/x completed',
      'l[1]/g/y cancelled run_failed',
    ]);
  });
});

describe('while and until', () => {
  test('while asks before each iteration, and sees what the last one gave', () => {
    const run = setup('- id: w\n  while: "{{ previous is none or previous.x < 3 }}"\n  tasks:\n    - { id: x, action: work }', {
      acts: { 'w@0/x': { gives: 1 }, 'w@1/x': { gives: 2 }, 'w@2/x': { gives: 3 } },
    });
    expect(run.document.tasks['w']!.output).toEqual({ items: [{ x: 1 }, { x: 2 }, { x: 3 }], count: 3, exhausted: false });
  });

  test('until asks after each iteration, by the names of the body', () => {
    const run = setup('- id: w\n  until: "{{ x >= 2 }}"\n  tasks:\n    - { id: x, action: work }', { acts: { 'w@0/x': { gives: 1 }, 'w@1/x': { gives: 2 } } });
    expect(run.statuses).toEqual(['w completed', 'w@0/x completed', 'w@1/x completed']);
  });

  test('both may stand together, and max_iterations ends it as exhausted', () => {
    const run = setup(
      '- id: w\n  while: "{{ iteration < 9 }}"\n  until: "{{ iteration == 7 }}"\n  max_iterations: 2\n  loop_name: outer\n  tasks:\n    - { id: x, action: say, parameters: { text: "{{ outer.iteration }}{{ loop_state.count }}" } }',
    );
    expect(run.document.tasks['w']!.output).toMatchObject({ count: 2, exhausted: true });
    expect(run.document.warnings).toEqual([expect.stringContaining('2 iterations')]);
  });

  test('S10 a condition that cannot be evaluated ends the loop as failed', () => {
    const run = setup('- id: w\n  while: "{{ 1 / 0 }}"\n  tasks:\n    - { id: x, action: work }');
    expect(run.document.tasks['w']).toMatchObject({ status: 'failed', error: { code: 'ORC-315' } });
  });

  test('a failure in an iteration ends it, unless it is left out', () => {
    const lines = (policy: string): string => `- id: w\n  while: "{{ iteration < 2 }}"\n  on_failure: ${policy}\n  tasks:\n    - { id: x, action: work }`;
    expect(setup(lines('fail'), { acts: { 'w@0/x': BROKEN } }).statuses).toEqual(['w failed', 'w@0/x failed']);
    expect(setup(lines('continue'), { acts: { 'w@0/x': BROKEN } }).statuses).toEqual(['w completed', 'w@0/x failed', 'w@1/x completed']);
  });

  test('late and doubled evaluations change nothing', () => {
    const run = setup('- id: w\n  while: "{{ iteration < 2 }}"\n  tasks:\n    - { id: x, action: work }', { acts: { 'w@0/x': 'hangs' } });
    const result = { ok: true as const, value: true, ref: { v: true } };
    for (const site of ['while', 'until', 'loop', 'condition', 'parameters', 'inputs', 'outputs', 'fallback'] as const) {
      for (const slot of [0, 1, -1]) expect(run.send({ type: 'evaluated', slot, site, index: 0, result }), `${site} of ${slot}`).toEqual([]);
    }
  });
});

describe('groups and sub-pipelines', () => {
  test('a group holds its tasks by name, and fails with one of them', () => {
    const lines = '- id: g\n  parallel:\n    - { id: x, action: work }\n    - { id: y, action: work }';
    expect(setup(lines).document.tasks['g']!.output).toEqual({ x: 'g/x', y: 'g/y' });
    expect(setup(lines, { acts: { 'g/x': BROKEN } }).document.tasks['g']).toMatchObject({
      status: 'failed',
      error: { message: expect.stringContaining('`x`') },
    });
  });

  const CALL = '- { id: s, action: pipeline.run, parameters: { file: sub.yaml, inputs: { n: "{{ 1 + 1 }}" } } }';
  const files = {
    'sub.yaml':
      'name: sub\nversion: "1"\ninputs: { n: { type: integer }, m: { type: integer, default: "{{ n * 2 }}" }, o: { type: string, default: x } }\ntasks:\n  - { id: x, action: say, parameters: { text: "{{ n }}" } }\noutputs: { sum: "{{ n + 2 }}" }',
  };

  test('a sub-pipeline has inputs and outputs of its own', () => {
    const run = setup(CALL, { files: { 'sub.yaml': files['sub.yaml'] } });
    expect(run.statuses).toEqual(['s completed', 's/x completed']);
    expect(run.document.tasks['s']!.output).toEqual({ sum: 4 });
  });

  test('inputs and outputs that cannot be computed fail it', () => {
    const wrong = { 'sub.yaml': files['sub.yaml'].replace('{ n: { type: integer }', '{ n: { type: string }') };
    expect(setup(CALL, { files: wrong }).document.tasks['s']).toMatchObject({ status: 'failed', error: { code: 'ORC-115' } });
    const late = { 'sub.yaml': files['sub.yaml'].replace('n + 2', 'n / 0') };
    expect(setup(CALL, { files: late }).document.tasks['s']).toMatchObject({ status: 'failed', error: { class: 'template' } });
  });

  test('it fails with one of its tasks', () => {
    const run = setup(CALL, { files: { 'sub.yaml': files['sub.yaml'] }, acts: { 's/x': BROKEN } });
    expect(run.statuses).toEqual(['s failed', 's/x failed']);
  });
});
