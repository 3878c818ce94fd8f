import { describe, expect, test } from 'vitest';
import type { Json } from '../json.ts';
import { Play, setup, type Script } from '../engine/fixture.ts';
import type { ForkOptions } from './api.ts';
import { forkRun, type ForkRequest } from './fork.ts';

const VALUES = { load: (ref: { v: Json }) => ref.v, refer: (v: Json) => ({ v }) } as unknown as ForkRequest['values'];
const BROKEN = { fails: {} };

/** A fork of a run, begun as the shell begins it. */
function fork(parent: Play, options: ForkOptions, script: Script = {}): Play {
  const state = parent.stateAt(typeof options.at === 'number' ? options.at : undefined);
  const { events, overrides } = forkRun({ plan: parent.plan, state, parent: 'run_1', options, now: parent.now, program: 'test', values: VALUES, blobs: [] });
  const child = new Play(parent.plan, script);
  child.begin(events);
  for (const override of overrides) child.send({ type: 'override', ...override });
  child.send({ type: 'recovered', epoch: 1, owner: 'me', program: 'test' });
  return child;
}

describe('a fork at a task', () => {
  const LINES =
    '- { id: a, action: work }\n- { id: b, action: work, dependencies: [a] }\n- { id: c, action: work, dependencies: [b] }\n- { id: d, action: work }';

  test('S6 keeps all but it and what depends on it', () => {
    const child = fork(setup(LINES), { at: 'b' });
    expect(child.performed).toEqual(['b#1', 'c#1']);
    expect(child.document).toMatchObject({ status: 'completed', parent: { run: 'run_1', at: 'b' }, tasks: { a: { output: 'a', attempts: 0 } } });
  });

  test('takes other inputs, outputs and parameters', () => {
    const child = fork(setup(LINES), { at: 'c', set: { 'inputs.topic': 'sun', 'a.output': 7, 'c.parameters.x': 1 } });
    expect(child.document).toMatchObject({ inputs: { topic: 'sun' }, tasks: { a: { output: 7 } } });
    expect(child.state.extra.get(child.slot('c'))!.overrides).toEqual(new Map([['parameters.x', { v: 1 }]]));
    const member = fork(setup(LINES, { acts: { a: { gives: { list: [1, 2], other: true } } } }), { at: 'c', set: { 'a.output.list.1': 9 } });
    expect(member.document.tasks['a']!.output).toEqual({ list: [1, 9], other: true });
  });

  test('refuses what is not there', () => {
    const parent = setup(LINES);
    expect(() => fork(parent, { at: 'nowhere' })).toThrow(expect.objectContaining({ code: 'ORC-508' }));
    expect(() => fork(parent, { at: 'a', set: { 'nowhere.output': 1 } })).toThrow(expect.objectContaining({ code: 'ORC-508' }));
    expect(() => fork(parent, { at: 'a', set: { a: 1 } })).toThrow(expect.objectContaining({ code: 'ORC-518' }));
    expect(() => fork(parent, { at: 0 })).toThrow(expect.objectContaining({ code: 'ORC-508' }));
  });

  test('inside a for_each keeps the other iterations', () => {
    const lines =
      '- id: l\n  for_each: "{{ range(3) }}"\n  tasks:\n    - { id: x, action: work }\n    - { id: y, action: work, dependencies: [x] }\n- { id: z, action: work, dependencies: [l] }';
    expect(fork(setup(lines), { at: 'l[1]/y' }).performed).toEqual(['l[1]/y#1', 'z#1']);
  });

  test('inside a while runs the later rounds again: they were made from this one', () => {
    const lines = '- id: w\n  while: "{{ iteration < 3 }}"\n  tasks:\n    - { id: x, action: work }';
    expect(fork(setup(lines), { at: 'w@1/x' }).performed).toEqual(['w@1/x#1', 'w@2/x#1']);
  });

  test('a loop that left failures out goes on with those; what a handler recovered stays', () => {
    const lines =
      '- id: l\n  for_each: "{{ range(3) }}"\n  on_failure: skip\n  tasks:\n    - { id: x, action: work }\n- id: g\n  on_error: [{ fallback_value: 1 }]\n  parallel:\n    - { id: y, action: work }\n- { id: z, action: work, dependencies: [g] }';
    const child = fork(setup(lines, { acts: { 'l[1]/x': BROKEN, 'g/y': BROKEN } }), { at: 'z' });
    expect(child.performed).toEqual(['l[1]/x#1', 'z#1']);
    expect(child.document).toMatchObject({ status: 'completed', tasks: { g: { recovered: true, output: 1 } } });
  });

  test('asks no question again', () => {
    const child = fork(setup('- { id: a, action: work, parameters: { x: "<AUTO>what?</AUTO>" } }', { answers: { 'a 0': 5 } }), { at: 'a' });
    expect(child.effects.filter(({ type }) => type === 'ask')).toEqual([]);
    expect(child.document.autos).toMatchObject([{ value: 5, model: 'm' }]);
  });
});

describe('a fork at a sequence number', () => {
  test('keeps what had settled by then, and nothing of it runs again', () => {
    const parent = setup(
      '- { id: a, action: work }\n- { id: b, action: work, dependencies: [a], condition: "1 > 2" }\n- { id: c, action: work, dependencies: [b] }',
    );
    const at = parent.events.findIndex(event => event.type === 'task.skipped') + 1;
    const child = fork(parent, { at });
    expect(child.statuses).toEqual(['a completed', 'b skipped', 'c completed']);
    expect(child.performed).toEqual(['c#1']);
  });
});
