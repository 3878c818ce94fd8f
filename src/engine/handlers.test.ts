import { describe, expect, test } from 'vitest';
import { setup } from './fixture.ts';

const BROKEN = { fails: {} };

function handled(handlers: string, more = ''): string {
  return `- id: a\n  action: work\n${more}  on_error:\n${handlers
    .split('\n')
    .map(line => `    ${line}`)
    .join('\n')}\n- { id: b, action: say, parameters: { text: "{{ a }}" } }`;
}

describe('handlers of a task', () => {
  test('the first that matches and completes gives its result', () => {
    const run = setup(handled('- { action: work, match: { codes: [ORC-601] } }\n- { action: work, match: { patterns: ["^it br"] } }'), {
      acts: { a: BROKEN, 'a/on_error[1]/on_error_2': { gives: 'mended' } },
    });
    expect(run.document.tasks['a']).toMatchObject({ status: 'completed', recovered: true, output: 'mended', error: null });
    expect(run.document.status).toBe('completed');
  });

  test('classes and codes match, and a handler sees the error', () => {
    const run = setup(
      handled('- { action: say, match: { classes: [network] }, parameters: { text: "{{ error.class }} {{ error.task }} {{ error.attempt }}" } }'),
      { acts: { a: { fails: { class: 'network' } } } },
    );
    expect(run.document.tasks['a']!.output).toBe('network a 1');
    expect(setup(handled('- { fallback_value: 1, match: { codes: [ORC-216] } }'), { acts: { a: BROKEN } }).document.tasks['a']!.output).toBe(1);
  });

  test('where none matches the task fails', () => {
    expect(setup(handled('- { action: work, match: { classes: [auth] } }'), { acts: { a: BROKEN } }).status('a')).toBe('failed');
  });

  test('one that fails makes room for its fallback value, or for the next', () => {
    const acts = { a: BROKEN, 'a/on_error[0]/on_error_1': BROKEN };
    expect(setup(handled('- { action: work, fallback_value: "{{ error.message }}" }'), { acts }).document.tasks['a']!.output).toBe('it broke');
    const run = setup(handled('- { action: work }\n- { fallback_value: "{{ 1 / 0 }}" }\n- { fallback_value: 3 }'), { acts });
    expect(run.document.tasks['a']!.output).toBe(3);
    expect(run.document.status).toBe('completed');
  });

  test('retry runs the task again after the handler, as often as max_retries says, then the next is asked', () => {
    const run = setup(handled('- { action: work, retry: true, max_retries: 2 }\n- { fallback_value: given up }'), { acts: { a: BROKEN } });
    expect(run.document.tasks['a']).toMatchObject({ attempts: 3, output: 'given up', recovered: true });
    expect(run.slot('a/on_error[0]/on_error_1')).toBe(3);
  });

  test('one that only retries runs the task again', () => {
    const run = setup(handled('- { retry: true }'), { acts: { a: [BROKEN, { gives: 2 }] } });
    expect(run.document.tasks['a']).toMatchObject({ status: 'completed', attempts: 2, output: 2, recovered: false });
    expect(setup(handled('- { retry: true }'), { acts: { a: BROKEN } }).document.tasks['a']).toMatchObject({ status: 'failed', attempts: 2 });
  });

  test('a container that is run again keeps what has a result (S6), and its loop goes on', () => {
    const lines =
      '- id: l\n  for_each: "{{ range(3) }}"\n  on_error: [{ action: work, retry: true }]\n  tasks:\n    - { id: x, action: work }\n    - { id: y, action: work, dependencies: [x] }';
    const run = setup(lines, { acts: { 'l[1]/y': [BROKEN, { gives: 1 }] } });
    expect(run.document).toMatchObject({ status: 'completed', tasks: { l: { status: 'completed', recovered: false } } });
    expect(run.performed.filter(path => path.startsWith('l[') && !path.includes('on_error'))).toEqual([
      'l[0]/x#1',
      'l[0]/y#1',
      'l[1]/x#1',
      'l[1]/y#1',
      'l[1]/y#2',
      'l[2]/x#1',
      'l[2]/y#1',
    ]);
  });

  test('a handler of a sub-pipeline that failed in its outputs computes them again', () => {
    const files = { 'sub.yaml': 'name: sub\nversion: "1"\ntasks:\n  - { id: x, action: work }\noutputs: { n: "{{ x / 0 }}" }' };
    const run = setup('- { id: s, action: pipeline.run, parameters: { file: sub.yaml }, on_error: [{ retry: true }] }', {
      files,
      acts: { 's/x': { gives: 1 } },
    });
    expect(run.document.tasks['s']).toMatchObject({ status: 'failed' });
    expect(run.performed).toEqual(['s/x#1']);
  });

  test('while a handler runs, the end of its scope is heard once, and its task is told to stop with the run', () => {
    const run = setup(handled('- { action: work, retry: true }'), { acts: { a: BROKEN, 'a/on_error[0]/on_error_1': 'hangs' } });
    expect(run.status('a')).toBe('running');
    run.order({ type: 'cancel', by: 'me' });
    expect(run.effects.at(-1)).toEqual({ type: 'abort', slot: 2 });
    run.settle('a/on_error[0]/on_error_1');
    expect(run.statuses).toEqual(['a failed', 'b cancelled requested', 'a/on_error[0]/on_error_1 completed']);
    expect(run.document.status).toBe('cancelled');
  });

  test('S8 a crash amid a handler goes on with it', () => {
    const handlers = '- { action: work }\n- { fallback_value: 2 }';
    const run = setup(handled(handlers), { acts: { a: BROKEN, 'a/on_error[0]/on_error_1': 'hangs' } });
    run.crash();
    expect(run.status('a')).toBe('running');
    run.settle('a/on_error[0]/on_error_1', BROKEN);
    expect(run.document.tasks['a']!.output).toBe(2);
  });
});

describe('handlers of the pipeline', () => {
  const lines = (handler: string): string => `- { id: a, action: work }\non_error:\n  - ${handler}`;

  test('run once when it fails, and do not mend it', () => {
    const run = setup(lines('{ action: say, parameters: { text: "{{ error.message }}" } }'), { acts: { a: BROKEN } });
    expect(run.document.tasks['/on_error[0]/on_error_1']!.output).toBe('it broke');
    expect(run.document).toMatchObject({ status: 'failed', error: { path: 'a' } });
  });

  test('the run ends only when they have ended, also after a crash and when it is cancelled', () => {
    const run = setup(lines('{ action: work }'), { acts: { a: BROKEN, '/on_error[0]/on_error_1': 'hangs' } });
    run.crash();
    expect(run.send({ type: 'evaluated', slot: -1, site: 'outputs', index: 0, result: { ok: true, value: {}, ref: { v: {} } } })).toEqual([]);
    run.order({ type: 'cancel', by: 'me' });
    expect(run.state.status).toBe('cancelling');
    run.settle('/on_error[0]/on_error_1');
    expect(run.document.status).toBe('cancelled');
  });

  test('after a retry of the run its own handler may run again, and counts for nothing once all is well', () => {
    const run = setup(lines('{ action: work }'), { acts: { a: [BROKEN, BROKEN, { gives: 1 }], '/on_error[0]/on_error_1': BROKEN } });
    run.send({ type: 'reopen', by: 'me' });
    expect(run.document.status).toBe('failed');
    run.send({ type: 'reopen', by: 'me' });
    expect(run.document).toMatchObject({ status: 'completed', error: null });
  });
});
