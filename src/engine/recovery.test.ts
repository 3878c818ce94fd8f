import { describe, expect, test } from 'vitest';
import { failing, planFrom, Play, setup } from './fixture.ts';
import { owed, stateHash } from './index.ts';

const BROKEN = { fails: {} };

describe('a crash', () => {
  test.for([
    ['read', '- { id: a, action: work }', 'running'],
    ['idempotent', '- { id: a, action: write }', 'running'],
    ['effectful', '- { id: a, action: mail }', 'waiting needs_attention'],
    ['effectful that may be retried', '- { id: a, action: mail, on_ambiguous: retry }', 'running'],
    ['effectful that may be skipped', '- { id: a, action: mail, on_ambiguous: skip }', 'skipped needs_attention'],
    ['effectful that then fails', '- { id: a, action: mail, on_ambiguous: fail }', 'failed'],
  ])('S9 an intent without a result: %s', ([, line, expected]) => {
    const run = setup(line!, { acts: { a: 'hangs' } });
    const [verdict] = run.crash();
    const again = expected === 'running';
    expect(verdict).toMatchObject({ type: 'run.acquired', epoch: 1, again: again ? [0] : [], doubt: again ? [] : [0] });
    expect(run.status('a')).toBe(expected);
    expect(run.effects.filter(({ type }) => type === 'perform')).toEqual(
      again
        ? [
            { type: 'perform', slot: 0, attempt: 1 },
            { type: 'perform', slot: 0, attempt: 1 },
          ]
        : [{ type: 'perform', slot: 0, attempt: 1 }],
    );
  });

  test('S9 a step that was begun and is effectful puts its attempt in doubt; one that has its result does not', () => {
    const step = (run: Play, part: { started: { key: string; effect: string } } | { completed: { v: string } }, attempt = 1): unknown =>
      run.send({ type: 'step', slot: 0, attempt, name: 'pay', step: part });
    const run = setup('- { id: a, action: work }', { acts: { a: 'hangs' } });
    step(run, { started: { key: 'k', effect: 'effectful' } });
    expect(step(run, { completed: { v: 'late' } }, 2)).toEqual([]);
    const done = setup('- { id: a, action: work }', { acts: { a: 'hangs' } });
    step(done, { started: { key: 'k', effect: 'effectful' } });
    step(done, { completed: { v: 'paid' } });
    expect(run.crash()[0]).toMatchObject({ doubt: [0] });
    expect(done.crash()[0]).toMatchObject({ again: [0] });
    expect(done.state.extra.get(0)!.steps!.get('pay')!.output).toEqual({ v: 'paid' });
  });

  test.for([
    ['retry', 'completed', ['a#1', 'a#2']],
    ['completed', 'completed', ['a#1']],
    ['skip', 'skipped needs_attention', ['a#1']],
    ['fail', 'failed', ['a#1']],
  ] as const)('S9 a person settles the doubt: %s', ([as, expected, performed]) => {
    const run = setup('- { id: a, action: mail }', { acts: { a: ['hangs', { gives: 1 }] } });
    run.crash();
    expect(run.document).toMatchObject({ status: 'waiting', reason: 'needs_attention', next: [expect.stringContaining('settle')] });
    run.order({ type: 'settle', task: 'a', as, value: 'sent', by: 'ann' });
    expect(run.status('a')).toBe(expected);
    expect(run.performed).toEqual(performed);
  });

  test('S6 what has a result never runs again, what waited waits on, and what was open goes on', () => {
    const run = setup(
      '- { id: a, action: work }\n- { id: s, action: sleep, parameters: { duration: 5 } }\n- { id: r, action: work, retry: { initial_backoff: 9, jitter: false } }\n- id: l\n  for_each: "{{ range(2) }}"\n  tasks:\n    - { id: x, action: work }\n- id: g\n  parallel:\n    - { id: y, action: signal.wait }\n- { id: b, action: work, dependencies: [s, l] }',
      { acts: { r: [{ fails: { retryable: true } }, { gives: 1 }], 'l[0]/x': 'hangs' } },
    );
    run.crash();
    expect(run.performed).toEqual(['a#1', 'r#1', 'l[0]/x#1']);
    run.settle('l[0]/x');
    run.wait(9000);
    run.order({ type: 'signal', name: 'y', payload: null, by: 'me' });
    expect(run.document.status).toBe('completed');
    expect(run.performed.filter(path => path.startsWith('a'))).toEqual(['a#1']);
  });

  test('S8 before anything has begun, the run begins; at its end, it ends', () => {
    const play = new Play(planFrom('name: p\nversion: "1"\ntasks:\n- { id: a, action: work }'), {});
    play.crash();
    expect(play.document.status).toBe('completed');
    const asked = new Play(
      planFrom(
        'name: p\nversion: "1"\ninputs: { t: { type: string, default: "<AUTO>what?</AUTO>" } }\ntasks:\n- { id: a, action: say, parameters: { text: "{{ t }}" } }',
      ),
      {},
    );
    asked.send({ type: 'start' });
    asked.crash();
    expect(asked.effects).toEqual([
      { type: 'ask', slot: -1, index: 0 },
      { type: 'ask', slot: -1, index: 0 },
    ]);
    asked.send({ type: 'answered', slot: -1, index: 0, answer: { ok: true, value: { v: 'sun' }, source: 'model', model: 'm', reason: null } });
    expect(asked.document).toMatchObject({ status: 'completed', inputs: { t: 'sun' }, autos: [{ path: '', target: 'inputs.t' }] });
  });

  test('an input that no model answers fails the run, and a retry asks again', () => {
    const play = new Play(
      planFrom(
        'name: p\nversion: "1"\ninputs: { t: { type: string, default: "<AUTO>what?</AUTO>" } }\ntasks:\n- { id: a, action: say, parameters: { text: "{{ t }}" } }',
      ),
      {},
    );
    play.send({ type: 'start' });
    play.send({ type: 'answered', slot: -1, index: 0, answer: { ok: false, failure: failing() } });
    expect(play.document).toMatchObject({ status: 'failed', error: { code: 'ORC-216', path: null } });
    play.send({ type: 'reopen', by: 'me' });
    expect(play.effects).toHaveLength(2);
  });

  test('while a run is cancelled, what ran when the process died is cancelled', () => {
    const run = setup('- { id: a, action: work }\n- { id: b, action: mail }\n- id: l\n  for_each: "{{ [1] }}"\n  tasks:\n    - { id: x, action: work }', {
      acts: { a: 'hangs', b: 'hangs', 'l[0]/x': 'hangs' },
    });
    run.order({ type: 'cancel', by: 'me' });
    run.crash();
    expect(run.statuses).toEqual(['a cancelled requested', 'b cancelled requested', 'l cancelled requested', 'l[0]/x cancelled requested']);
    expect(run.document).toMatchObject({ status: 'cancelled', next: ['orchestrator retry run_1'] });
  });

  test('S7 the state is the fold of its events, and what is owed is read from it alone', () => {
    const run = setup('- { id: s, action: sleep, parameters: { duration: 5 } }\n- { id: a, action: work, condition: "{{ s is none }}" }', {});
    expect(stateHash(run.fold())).toBe(stateHash(run.state));
    const { events, effects } = owed(run.plan, run.fold(), run.now);
    expect(events).toEqual([]);
    expect(effects).toEqual([{ type: 'timer', slot: 0, until: run.now + 5000 }]);
  });
});

describe('pause and cancel', () => {
  test('paused, what runs ends and nothing begins; resumed, it goes on', () => {
    const run = setup('- { id: a, action: work }\n- { id: b, action: work, dependencies: [a] }', { acts: { a: 'hangs' } });
    expect(run.order({ type: 'resume', by: 'me' })).toEqual([]);
    run.order({ type: 'pause', by: 'me' });
    expect(run.send({ type: 'pause', reason: 'drain' })).toEqual([]);
    run.settle('a');
    expect(run.document).toMatchObject({ status: 'paused', reason: 'requested', next: ['orchestrator resume run_1'] });
    expect(run.performed).toEqual(['a#1']);
    run.order({ type: 'resume', by: 'me' });
    expect(run.document.status).toBe('completed');
  });

  test('an admission that comes after the pause begins nothing', () => {
    const run = setup('- { id: z, action: sleep, parameters: { duration: 0 } }\n- { id: a, action: work, dependencies: [z] }');
    run.held = [];
    run.wait(0);
    run.order({ type: 'pause', by: 'me' });
    expect(run.send({ type: 'admitted', slot: 1, stage: 'call', index: 0, effect: 'read' })).toEqual([]);
  });

  test('cancelling stops what waits at once, what runs when it has ended, and begins no retry', () => {
    const lines =
      '- { id: a, action: work, retry: { on: [network] } }\n- { id: s, action: sleep, parameters: { duration: 9 } }\n- { id: r, action: work, retry: { initial_backoff: 9 } }\n- id: g\n  parallel:\n    - { id: x, action: signal.wait }';
    const run = setup(lines, { acts: { a: 'hangs', r: { fails: { retryable: true } } } });
    run.order({ type: 'cancel', by: 'me' });
    run.settle('a', { fails: { class: 'network' } });
    expect(run.statuses).toEqual([
      'a cancelled requested',
      's cancelled requested',
      'r cancelled requested',
      'g cancelled requested',
      'g/x cancelled requested',
    ]);
    expect(run.document).toMatchObject({ status: 'cancelled', reason: 'requested' });
  });

  test('a run that has not begun is cancelled at once; one whose outputs are being computed ends as cancelled', () => {
    const play = new Play(planFrom('name: p\nversion: "1"\ntasks:\n- { id: a, action: work }'), {});
    play.order({ type: 'cancel', by: 'me' });
    expect(play.document).toMatchObject({ status: 'cancelled', startedAt: null, durationMs: null });
  });
});

describe('a fork', () => {
  test('S6 what it adopts is not performed, and what is open goes on', () => {
    const run = new Play(
      planFrom('name: p\nversion: "1"\ntasks:\n- { id: a, action: work }\n- { id: b, action: work, dependencies: [a] }\n- { id: c, action: work }'),
      {},
    );
    const at = run.now;
    const adopted = { type: 'task.adopted', at, recovered: true, from: 'run_0:a' } as const;
    run.begin([
      ...run.events,
      { type: 'run.started', at },
      { type: 'scope.opened', at, owner: -1, block: 0, index: 0, inputs: null },
      { ...adopted, slot: 0, status: 'completed', output: { v: 7 } },
      { ...adopted, slot: 2, status: 'skipped', output: null, recovered: false },
    ]);
    run.crash();
    expect(run.performed).toEqual(['b#1']);
    expect(run.document).toMatchObject({ status: 'completed', tasks: { a: { output: 7, recovered: true, attempts: 0 }, c: { status: 'skipped' } } });
  });
});

describe('until', () => {
  const LINES =
    '- { id: a, action: work, condition: "{{ 1 < 2 }}" }\n- { id: b, action: work }\n- { id: c, action: work, dependencies: [a] }\n- id: l\n  for_each: "{{ [c] }}"\n  tasks:\n    - { id: x, action: work }\n- { id: d, action: work, dependencies: [l] }';

  test('runs a task and what it needs, then pauses', () => {
    const run = setup(LINES, { until: 'l' });
    expect(run.statuses).toEqual(['a completed', 'b pending', 'c completed', 'l completed', 'd pending', 'l[0]/x completed']);
    expect(run.document).toMatchObject({ status: 'paused', reason: 'until' });
    run.send({ type: 'resume', until: 'b' });
    expect(run.status('b')).toBe('completed');
    run.send({ type: 'resume', until: null });
    expect(run.document.status).toBe('completed');
  });
});

describe('mocks', () => {
  test('a task takes its result, and is not performed', () => {
    const run = setup('- { id: a, action: work }\n- { id: b, action: work }', { mocks: { a: { n: 1 } } });
    expect(run.performed).toEqual(['b#1']);
    expect(run.document.tasks['a']!.output).toEqual({ n: 1 });
  });
});

describe('a retry of the run', () => {
  test('S6 opens what failed, was cancelled, or was skipped for it, and keeps what has a result', () => {
    const run = setup(
      '- { id: a, action: work }\n- { id: b, action: work, dependencies: [a] }\n- { id: c, action: work, dependencies: [b] }\n- { id: d, action: sleep, parameters: { duration: 9 } }',
      { acts: { b: [BROKEN, { gives: 2 }] } },
    );
    expect(run.document.status).toBe('failed');
    expect(run.document.next[0]).toBe('orchestrator retry run_1');
    run.send({ type: 'reopen', by: 'me' });
    run.wait(9000);
    expect(run.document).toMatchObject({ status: 'completed', error: null, tasks: { b: { attempts: 2 } } });
    expect(run.performed).toEqual(['a#1', 'b#1', 'b#2', 'c#1']);
  });

  test('attempts made before do not count against the retries of a task', () => {
    const passing = { fails: { retryable: true } };
    const run = setup('- { id: a, action: work, retry: { max_attempts: 2, initial_backoff: 1, jitter: false } }', {
      acts: { a: [passing, passing, passing, { gives: 1 }] },
    });
    run.wait(1000);
    run.send({ type: 'reopen', by: 'me' });
    run.wait(1000);
    expect(run.document.tasks['a']).toMatchObject({ status: 'completed', attempts: 4 });
  });

  test('what a route had left out because of a failure may run now', () => {
    const run = setup('- { id: a, action: work, on_failure: c }\n- { id: b, action: work }\n- { id: c, action: work }', {
      acts: { a: [BROKEN, { gives: 1 }] },
    });
    run.send({ type: 'reopen', by: 'me' });
    expect(run.statuses).toEqual(['a completed', 'b completed', 'c completed']);
    expect(run.document.order).toEqual(['c', 'a', 'b']);
  });

  test('iterations that failed run again, no more of them at once than max_parallel says, and what needs the loop waits for them', () => {
    const lines =
      '- id: l\n  for_each: "{{ range(4) }}"\n  on_failure: skip\n  tasks:\n    - { id: x, action: work }\n- id: g\n  dependencies: [l]\n  parallel:\n    - { id: y, action: work }';
    const twice = [BROKEN, 'hangs' as const];
    const run = setup(lines, { acts: { 'l[1]/x': twice, 'l[2]/x': twice, 'l[3]/x': twice, 'g/y': [BROKEN, { gives: 1 }] } });
    run.send({ type: 'reopen', by: 'me' });
    expect(run.statuses).toEqual(['l running', 'g running', 'l[0]/x completed', 'l[1]/x running', 'l[2]/x pending', 'l[3]/x pending', 'g/y pending']);
    run.crash();
    run.settle('l[1]/x');
    expect(run.status('l[2]/x')).toBe('running');
    run.settle('l[2]/x');
    run.settle('l[3]/x');
    expect(run.document.status).toBe('completed');
  });

  test('a container that had been recovered stays as it is', () => {
    const run = setup('- id: g\n  on_error: [{ fallback_value: 1 }]\n  parallel:\n    - { id: x, action: work }\n- { id: a, action: work }', {
      acts: { 'g/x': BROKEN, a: [BROKEN, { gives: 1 }] },
    });
    run.send({ type: 'reopen', by: 'me' });
    expect(run.document).toMatchObject({ status: 'completed', tasks: { g: { recovered: true, output: 1 } } });
    expect(run.performed.filter(path => path.startsWith('g'))).toEqual(['g/x#1']);
  });

  test('where only the outputs could not be computed, they are computed again', () => {
    const play = new Play(planFrom('name: p\nversion: "1"\ntasks:\n- { id: a, action: work }\noutputs: { n: "{{ a / 0 }}" }'), { acts: { a: { gives: 4 } } });
    play.send({ type: 'start' });
    expect(play.document).toMatchObject({ status: 'failed', error: { class: 'template', path: null } });
    const events = play.send({ type: 'reopen', by: 'me' });
    expect(events.map(({ type }) => type)).toEqual(['run.reopened', 'run.ended']);
  });

  test('values laid over parameters stay with the task', () => {
    const run = setup('- { id: a, action: work }', { acts: { a: 'hangs' } });
    run.send({ type: 'override', slot: 0, path: 'parameters.x', value: { v: 1 } });
    expect(run.fold().extra.get(0)!.overrides).toEqual(new Map([['parameters.x', { v: 1 }]]));
  });
});
