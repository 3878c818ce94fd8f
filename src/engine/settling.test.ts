import { describe, expect, test } from 'vitest';
import type { Failure } from '../errors.ts';
import { setup } from './fixture.ts';

const BROKEN = { fails: {} };

describe('order', () => {
  test('a task starts once all that it needs has settled', () => {
    const run = setup('- { id: a, action: work }\n- { id: b, action: work, dependencies: [a, c] }\n- { id: c, action: work }', { acts: { c: 'hangs' } });
    expect(run.statuses).toEqual(['a completed', 'b pending', 'c running']);
    run.settle('c');
    expect(run.document.status).toBe('completed');
    expect(run.document.order).toEqual(['a', 'c', 'b']);
  });

  test('S4 an outcome of another attempt, or one that comes twice, changes nothing', () => {
    const run = setup('- { id: a, action: work }\n- { id: b, action: work }', { acts: { b: 'hangs' } });
    expect(run.send({ type: 'settled', slot: 0, attempt: 1, outcome: { ok: true, output: { v: 1 } } })).toEqual([]);
    expect(run.send({ type: 'settled', slot: 1, attempt: 2, outcome: { ok: true, output: { v: 1 } } })).toEqual([]);
    expect(run.send({ type: 'admitted', slot: 1, stage: 'call', index: 0, effect: 'read' })).toEqual([]);
  });

  test('S8 nothing is decided after the end', () => {
    const run = setup('- { id: a, action: work }');
    expect(run.document.status).toBe('completed');
    for (const type of ['start', 'expired'] as const) expect(run.send({ type })).toEqual([]);
    expect(run.send({ type: 'logged', slot: 0, level: 'info', text: 'late' })).toEqual([]);
    expect(run.send({ type: 'reopen', by: 'me' })).toEqual([]);
  });
});

describe('failure', () => {
  const tasks = (policy: string): string =>
    `- { id: a, action: work, on_failure: ${policy} }\n- { id: b, action: say, parameters: { text: "{{ a.error.message }}" } }\n- { id: c, action: work }\n- { id: d, action: work, dependencies: [b] }`;

  test('fail skips what needs it, cancels what has not begun, and lets run what runs', () => {
    const run = setup(`${tasks('fail')}\n- { id: e, action: work, dependencies: [c] }`, { acts: { a: 'hangs', c: 'hangs' } });
    run.settle('a', BROKEN);
    expect(run.statuses).toEqual(['a failed', 'b skipped upstream_failed', 'c running', 'd skipped upstream_failed', 'e cancelled run_failed']);
    run.settle('c');
    expect(run.document).toMatchObject({ status: 'failed', success: false, error: { code: 'ORC-216', path: 'a' } });
  });

  test('continue lets its dependants see the error, and the run fails all the same', () => {
    const run = setup(tasks('continue'), { acts: { a: BROKEN } });
    expect(run.statuses).toEqual(['a failed', 'b completed', 'c completed', 'd completed']);
    expect(run.document.status).toBe('failed');
  });

  test('skip leaves out its dependants only', () => {
    const run = setup(tasks('skip'), { acts: { a: BROKEN } });
    expect(run.statuses).toEqual(['a failed', 'b skipped upstream_failed', 'c completed', 'd skipped upstream_failed']);
    expect(run.document.tasks['d']).toMatchObject({ skippedBecause: 'b' });
  });

  test('a time-out is a failed task with its reason', () => {
    const run = setup('- { id: a, action: work }', { acts: { a: { fails: { class: 'timeout' } } } });
    expect(run.status('a')).toBe('failed timed_out');
    expect(run.document.tasks['a']).toMatchObject({ timedOut: true });
  });

  test('S8 the pipeline stops by its own timeout: what waits is cancelled, what runs is told to stop', () => {
    const run = setup('- { id: a, action: work }\n- { id: b, action: work, dependencies: [a] }', { acts: { a: 'hangs' } });
    run.send({ type: 'expired' });
    expect(run.effects.at(-1)).toEqual({ type: 'abort', slot: 0 });
    expect(run.send({ type: 'expired' })).toEqual([]);
    run.settle('a');
    expect(run.statuses).toEqual(['a completed', 'b cancelled timed_out']);
    expect(run.document).toMatchObject({ status: 'failed', reason: 'timed_out', error: { code: 'ORC-606' } });
  });
});

describe('retries', () => {
  const LINES = '- { id: a, action: work, retry: { max_attempts: 3, initial_backoff: 2, backoff_factor: 3, jitter: false } }';
  const passing = { fails: { class: 'network', retryable: true } } as const;

  test('the next attempt comes after the backoff, which grows', () => {
    const run = setup(LINES, { acts: { a: [passing, passing, { gives: 1 }] } });
    expect(run.status('a')).toBe('waiting backoff');
    run.wait(2000);
    expect(run.performed).toEqual(['a#1', 'a#2']);
    run.wait(5999);
    expect(run.performed).toHaveLength(2);
    run.wait(1);
    expect(run.document.tasks['a']).toMatchObject({ status: 'completed', attempts: 3, output: 1 });
  });

  test('a failure that another try cannot mend is final', () => {
    expect(setup(LINES, { acts: { a: BROKEN } }).document.tasks['a']).toMatchObject({ status: 'failed', attempts: 1 });
  });

  test('the server says how long to wait, and `on` says what is tried again', () => {
    const run = setup(LINES.replace('jitter: false', 'on: [rate_limit]'), { acts: { a: [{ fails: { class: 'rate_limit', retryAfterMs: 60_000 } }, passing] } });
    run.wait(59_000);
    expect(run.status('a')).toBe('waiting backoff');
    run.wait(1000);
    expect(run.document.tasks['a']).toMatchObject({ status: 'failed', attempts: 2 });
  });

  test('the spread of the backoff is the same for the same run, path and attempt', () => {
    const until = (): number => setup(LINES.replace(', jitter: false', ''), { acts: { a: passing } }).state.extra.get(0)!.until!;
    expect(until()).toBe(until());
    expect(until()).toBeGreaterThanOrEqual(1_700_000_002_000);
    expect(until()).toBeLessThan(1_700_000_003_000);
  });

  test('an attempt put off for a rate limit counts none, and is offered again when its time comes', () => {
    const run = setup('- { id: a, action: work }\n- { id: b, action: work }', { acts: { b: 'hangs' } });
    expect(run.send({ type: 'deferred', slot: 1, until: run.now + 5, for: 'lab/small', reason: 'rate_limit' })).toEqual([]);
    const held = setup('- { id: w, action: sleep, parameters: { duration: 0 } }\n- { id: a, action: work, dependencies: [w] }');
    held.held = [];
    held.wait(0);
    expect(held.held).toMatchObject([{ stage: 'call' }]);
    held.send({ type: 'deferred', slot: 1, until: held.now + 5000, for: 'lab/small', reason: 'rate_limit' });
    expect(held.status('a')).toBe('waiting rate_limit');
    expect(held.document.tasks['a']!.waiting).toEqual({ for: 'lab/small', until: new Date(held.now + 5000).toISOString() });
    held.held = null;
    held.send({ type: 'due', slot: 1 });
    expect(held.status('a')).toBe('waiting rate_limit');
    held.wait(5000);
    expect(held.document.tasks['a']).toMatchObject({ status: 'completed', attempts: 1 });
  });
});

describe('a limit that holds back what has begun', () => {
  const LIMITED: Failure = { code: 'ORC-601', class: 'rate_limit', message: 'later', retryable: true, help: [] };
  const deferredTo = (until: number) => ({ ok: false as const, failure: LIMITED, deferred: { until, for: 'lab/small' } });

  test('an attempt is taken back, counts none, and begins anew when its time has come; also after a crash', () => {
    const run = setup('- { id: a, action: work, retry: { max_attempts: 2 } }', { acts: { a: 'hangs' } });
    run.send({ type: 'settled', slot: 0, attempt: 1, outcome: deferredTo(run.now + 5000) });
    expect(run.document).toMatchObject({
      status: 'waiting',
      reason: 'rate_limit',
      tasks: { a: { status: 'waiting', attempts: 0, waiting: { for: 'lab/small' } } },
    });
    run.crash();
    expect(run.status('a')).toBe('waiting rate_limit');
    run.wait(5000);
    expect(run.document.tasks['a']).toMatchObject({ status: 'running', attempts: 1 });
    expect(run.document.tasks['a']!.waiting).toBeUndefined();
    run.settle('a');
    expect(run.document.tasks['a']).toMatchObject({ status: 'completed', attempts: 1 });
  });

  test('a question is asked again when its time has come', () => {
    const run = setup('- { id: a, action: work, parameters: { x: "<AUTO>how many</AUTO>" } }');
    run.send({ type: 'answered', slot: 0, index: 0, answer: deferredTo(run.now + 5000) });
    expect(run.status('a')).toBe('waiting rate_limit');
    run.wait(5000);
    run.send({ type: 'answered', slot: 0, index: 0, answer: { ok: true, value: { v: 1 }, source: 'model', model: 'm', reason: null } });
    expect(run.document.tasks['a']).toMatchObject({ status: 'completed', attempts: 1 });
  });

  test('where nothing goes on around it, it fails like any other', () => {
    const run = setup('- { id: a, action: work }\n- { id: b, action: work }', { acts: { a: 'hangs', b: 'hangs' } });
    run.settle('b', { fails: {} });
    run.send({ type: 'settled', slot: 0, attempt: 1, outcome: deferredTo(run.now + 5000) });
    expect(run.document).toMatchObject({ status: 'failed', tasks: { a: { status: 'failed', error: { code: 'ORC-601' } } } });
  });
});

describe('conditions and routes', () => {
  test('S10 a condition that is false, or cannot be evaluated, keeps its task from running, and that fails nobody', () => {
    const run = setup(
      '- { id: a, action: work, condition: "{{ 1 > 2 }}" }\n- { id: b, action: work, condition: "{{ 1 / 0 > 2 }}" }\n- { id: c, action: work, dependencies: [a, b] }\n- { id: d, action: work, condition: "now() is defined and 1 < 2" }',
    );
    expect(run.statuses).toEqual(['a skipped condition_false', 'b skipped condition_error', 'c completed', 'd completed']);
    expect(run.document).toMatchObject({ status: 'completed', warnings: [expect.stringContaining('`b`')] });
  });

  test.for([
    ['on_false', '- { id: a, action: work, condition: "1 > 2", on_false: c }', {}],
    ['on_success', '- { id: a, action: work, on_success: c }', {}],
    ['on_failure', '- { id: a, action: work, on_failure: c }', { a: BROKEN }],
  ] as const)('%s jumps over what stands between', ([, line, acts]) => {
    const run = setup(`${line}\n- { id: b, action: work }\n- { id: c, action: work }`, { acts });
    expect(run.statuses.slice(1)).toEqual(['b skipped routed', 'c completed']);
    expect(run.document.tasks['b']).toMatchObject({ skippedBecause: 'a' });
  });

  test('a route that is not taken leaves the tasks between to run', () => {
    expect(setup('- { id: a, action: work, on_failure: c }\n- { id: b, action: work }\n- { id: c, action: work }').statuses).toEqual([
      'a completed',
      'b completed',
      'c completed',
    ]);
  });
});

describe('tags', () => {
  const ASKING = '- { id: a, action: work, parameters: { x: "<AUTO>what?</AUTO>" }, retry: { max_attempts: 2, initial_backoff: 1, jitter: false } }';

  test('each is asked once, and the attempt begins when all are answered', () => {
    const run = setup('- { id: a, action: work, parameters: { x: "<AUTO>one?</AUTO>", y: "<AUTO>two?</AUTO>" } }', { answers: { 'a 0': 'x' } });
    expect(run.effects.filter(({ type }) => type === 'ask')).toHaveLength(2);
    expect(run.performed).toEqual([]);
    run.send({ type: 'answered', slot: 0, index: 1, answer: { ok: true, value: { v: 2 }, source: 'default', model: null, reason: 'no model' } });
    expect(run.send({ type: 'answered', slot: 0, index: 1, answer: { ok: true, value: { v: 3 }, source: 'default', model: null, reason: null } })).toEqual([]);
    expect(run.document).toMatchObject({
      status: 'completed',
      autos: [
        { path: 'a', target: 'parameters.x', value: 'x' },
        { value: 2, source: 'default' },
      ],
    });
  });

  test('one that fails counts as an attempt, and is asked again', () => {
    const run = setup(ASKING, { answers: { 'a 0': { fails: { retryable: true } } } });
    expect(run.status('a')).toBe('waiting backoff');
    run.wait(1000);
    expect(run.effects.filter(({ type }) => type === 'ask')).toHaveLength(2);
    expect(run.status('a')).toBe('failed');
    expect(run.performed).toEqual([]);
  });

  test('S10 one of a condition that fails leaves the task out', () => {
    const line = '- { id: a, action: work, condition: "<AUTO>may it?</AUTO>" }';
    expect(setup(line, { answers: { 'a 0': { fails: {} } } }).statuses).toEqual(['a skipped condition_error']);
    expect(setup(line, { answers: { 'a 0': 'yes' } }).statuses).toEqual(['a completed']);
    expect(setup(line, { answers: { 'a 0': 'false' } }).statuses).toEqual(['a skipped condition_false']);
  });

  test('a late answer to a task that was cancelled changes nothing', () => {
    const run = setup(ASKING);
    run.order({ type: 'cancel', by: 'me' });
    expect(run.document.status).toBe('cancelled');
    expect(run.send({ type: 'answered', slot: 0, index: 0, answer: { ok: true, value: { v: 1 }, source: 'model', model: 'm', reason: null } })).toEqual([]);
  });
});
