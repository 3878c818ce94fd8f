import { describe, expect, test } from 'vitest';
import { dueAt, visibleStatus, waitsForOutside } from './index.ts';
import { setup } from './fixture.ts';

describe('sleep', () => {
  test('waits in the journal, and is early, late or twice without harm', () => {
    const run = setup('- { id: s, action: sleep, parameters: { duration: 1m } }');
    expect(visibleStatus(run.state)).toEqual({ status: 'waiting', reason: 'timer' });
    expect(dueAt(run.state)).toBe(run.now + 60_000);
    expect(run.send({ type: 'due', slot: 0 })).toEqual([]);
    run.wait(60_000);
    expect(run.document).toMatchObject({ status: 'completed', tasks: { s: { output: { slept_until: expect.any(String) } } } });
    expect(dueAt(run.state)).toBeNull();
  });

  test('a time that is none fails it; so does one that cannot be computed', () => {
    expect(setup('- { id: s, action: sleep, parameters: { duration: "{{ [1] }}" } }').document.tasks['s']!.error).toMatchObject({ code: 'ORC-110' });
    expect(setup('- { id: s, action: sleep, parameters: { seconds: "{{ 1 / 0 }}" } }').document.tasks['s']!.error).toMatchObject({ class: 'template' });
  });
});

describe('approval', () => {
  const ASK = '- { id: ok, action: approval, parameters: { prompt: Publish? } }\n- { id: b, action: work, dependencies: [ok] }';

  test('waits for a person, who may approve or reject', () => {
    const run = setup(ASK);
    expect(run.document).toMatchObject({ status: 'waiting', reason: 'approval', next: ["orchestrator approve run_1 'ok' --choice approve"] });
    expect(waitsForOutside(run.state)).toBe(true);
    const by = 'ann';
    expect(run.order({ type: 'approve', task: 'ok', choice: 'perhaps', by, comment: null })).toEqual([]);
    expect(run.order({ type: 'approve', task: 'nowhere', choice: 'approve', by, comment: null })).toEqual([]);
    expect(run.order({ type: 'settle', task: 'ok', as: 'retry', value: null, by })).toEqual([]);
    run.order({ type: 'approve', task: 'ok', choice: 'approve', by, comment: 'fine' });
    expect(run.document.tasks['ok']!.output).toEqual({ choice: 'approve', by, comment: 'fine', approved: true });
    const rejected = setup(ASK);
    rejected.order({ type: 'approve', task: 'ok', choice: 'reject', by, comment: 'no' });
    expect(rejected.document.error).toMatchObject({ code: 'ORC-220', message: 'rejected by ann: no' });
  });

  test.for([
    ['', 'failed timed_out'],
    [', on_timeout: skip', 'skipped timed_out'],
    [', on_timeout: approve', 'completed'],
    [', on_timeout: reject', 'failed'],
  ])('that nobody answers in time (%s) is %s', ([more, expected]) => {
    const run = setup(`- { id: ok, action: approval, parameters: { prompt: "{{ {'a': 1} }}", choices: [approve, reject], timeout: 5${more} } }`);
    expect(waitsForOutside(run.state)).toBe(true);
    run.wait(5000);
    expect(run.status('ok')).toBe(expected);
  });

  test('a time limit that is none fails it', () => {
    expect(setup('- { id: ok, action: approval, parameters: { timeout: "{{ \'soon\' }}" } }').document.tasks['ok']!.error).toMatchObject({ code: 'ORC-110' });
  });
});

describe('signals', () => {
  const WAIT = '- { id: s, action: signal.wait, parameters: { name: go } }';

  test('one that comes while a task waits ends the wait; one that came before does so at once', () => {
    const run = setup(WAIT);
    expect(run.document).toMatchObject({ status: 'waiting', reason: 'signal', next: ["orchestrator signal run_1 go '{}'"] });
    run.order({ type: 'signal', name: 'other', payload: 1, by: 'me' });
    run.order({ type: 'signal', name: 'go', payload: { n: 2 }, by: 'me' });
    expect(run.document.tasks['s']!.output).toEqual({ n: 2 });
    const early = setup(
      `- { id: w, action: sleep, parameters: { duration: 1 } }\n${WAIT.replace('{ id: s', '{ id: s, dependencies: [w]')}\n${WAIT.replace('id: s', 'id: t, dependencies: [s]')}`,
    );
    for (const payload of [1, 2]) early.order({ type: 'signal', name: 'go', payload, by: 'me' });
    early.wait(1000);
    expect(early.document).toMatchObject({ status: 'completed', tasks: { s: { output: 1 }, t: { output: 2 } } });
    expect(early.state.signals.size).toBe(0);
  });

  test('its name is the id of the task where none is given, and its time may run out', () => {
    const run = setup(
      '- { id: s, action: signal.wait, parameters: { timeout: 1 } }\n- { id: t, action: signal.wait, parameters: { timeout: 2, on_timeout: go on } }',
    );
    run.wait(1000);
    expect(run.document.tasks['s']!.error).toMatchObject({ message: 'the signal `s` did not come in time' });
    const other = setup('- { id: t, action: signal.wait, parameters: { timeout: 2, on_timeout: go on } }');
    other.wait(2000);
    expect(other.document.tasks['t']).toMatchObject({ status: 'completed', output: null });
  });
});

describe('what a run waits for', () => {
  test('a person before a signal before a timer; what runs makes it running', () => {
    const run = setup(
      '- { id: z, action: sleep, parameters: { duration: 9 } }\n- { id: s, action: signal.wait }\n- { id: ok, action: approval }\n- { id: a, action: work }',
      { acts: { a: 'hangs' } },
    );
    expect(run.document.status).toBe('running');
    run.settle('a');
    expect(run.document).toMatchObject({
      status: 'waiting',
      reason: 'approval',
      next: [expect.stringContaining('signal'), expect.stringContaining('approve')],
    });
    expect(waitsForOutside(run.state)).toBe(false);
    const timer = setup('- { id: z, action: sleep, parameters: { duration: 9 } }');
    expect(waitsForOutside(timer.state)).toBe(false);
    expect(timer.document.next).toEqual(['orchestrator resume run_1']);
  });

  test('a task that was offered and not admitted makes it running', () => {
    const run = setup(
      '- { id: z, action: sleep, parameters: { duration: 0 } }\n- { id: a, action: work, dependencies: [z] }\n- { id: s, action: signal.wait }',
    );
    run.held = [];
    run.wait(0);
    expect(visibleStatus(run.state).status).toBe('running');
    expect(waitsForOutside(run.state)).toBe(false);
  });

  test('a loop whose iterations wait, waits', () => {
    const run = setup('- id: l\n  for_each: "{{ [1] }}"\n  tasks:\n    - { id: s, action: signal.wait }');
    expect(run.document).toMatchObject({ status: 'waiting', reason: 'signal' });
  });
});
