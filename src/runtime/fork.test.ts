import { describe, expect, test } from 'vitest';
import type { Json } from '../json.ts';
import { planFrom, Play, setup, type Script } from '../engine/fixture.ts';
import type { ForkOptions } from './api.ts';
import { forkRun, type ForkRequest } from './fork.ts';
import { checkNoDoubt, checkProof, lineUp } from './lineup.ts';

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

/** A pipeline of these tasks, as `setup` writes it. */
const planOf = (lines: string, head = ''): ReturnType<typeof planFrom> =>
  planFrom(`name: p\ninputs: { topic: { type: string, default: stars } }\n${head}tasks:\n${lines}\n`);

/** A fork of a run under other tasks. */
function forkUnder(parent: Play, target: ReturnType<typeof planFrom>, script: Script = {}, options: ForkOptions = {}): Play {
  const { plan, state, now } = parent;
  const lineup = lineUp(plan, state, target);
  const { events } = forkRun({ plan, state, parent: 'run_1', options, now, program: 'test', values: VALUES, blobs: [], lineup });
  const child = new Play(target, script);
  child.begin(events);
  child.send({ type: 'recovered', epoch: 1, owner: 'me', program: 'test' });
  return child;
}

describe('S11 a fork under another plan', () => {
  const LINES = '- { id: a, action: work }\n- { id: b, action: work, dependencies: [a], parameters: { x: 1 } }\n- { id: c, action: work, dependencies: [b] }';
  const CHANGED = LINES.replace('x: 1', 'x: 2');

  test.each([
    ['adopts what is defined as it was, and runs what is not and what depends on it', CHANGED, ['b#1', 'c#1']],
    ['adopts all where nothing has changed that matters', `# a comment\n${LINES.replace('action: work', 'retry: { max_attempts: 3 }, action: work')}`, []],
    ['runs what is new, and forgets what is gone', LINES.replace('id: c', 'id: d'), ['d#1']],
    ['finds tasks by their ids, whatever stands before them', `- { id: z, action: work }\n${LINES}`, ['z#1']],
    ['runs again what has another dependency', LINES.replace('dependencies: [b] ', 'dependencies: [a, b] '), ['c#1']],
  ])('%s', (_, lines, performed) => {
    const child = forkUnder(setup(LINES), planOf(lines));
    expect(child.performed).toEqual(performed);
    expect(child.document).toMatchObject({ status: 'completed', parent: { run: 'run_1' } });
  });

  test('mends a task that failed, and keeps what had completed', () => {
    const parent = setup(LINES, { acts: { b: BROKEN } });
    const child = forkUnder(parent, planOf(CHANGED));
    expect(child.performed).toEqual(['b#1', 'c#1']);
    expect(child.document.tasks['a']).toMatchObject({ output: 'a', attempts: 0 });
  });

  test.each([
    [
      'a for_each',
      '- id: l\n  for_each: "{{ range(2) }}"\n  tasks:\n    - { id: x, action: work }\n    - { id: y, action: work, dependencies: [x] }',
      ['l[1]/y#1'],
    ],
    ['a group', '- id: l\n  parallel:\n    - { id: x, action: work }\n    - { id: y, action: work, dependencies: [x] }', ['l/y#1']],
  ])('goes on within %s of which only a task is another', (_, lines, performed) => {
    const parent = setup(lines, { acts: { 'l[1]/y': BROKEN, 'l/y': BROKEN } });
    const child = forkUnder(parent, planOf(lines.replace('action: work, dep', 'action: work, parameters: { x: 2 }, dep')));
    expect(child.performed.filter(call => performed.includes(call))).toEqual(performed);
    expect(child.performed.filter(call => call.includes('/x'))).toEqual([]);
    expect(child.document.status).toBe('completed');
  });

  test.each([
    ['a for_each that goes over something else', '"{{ range(3) }}"', '"{{ range(2) }}"', ['l[0]/x#1', 'l[1]/x#1']],
    ['one that was not a for_each', 'for_each: "{{ range(3) }}"', 'while: "{{ iteration < 1 }}"', ['l@0/x#1']],
  ])('begins %s anew', (_, before, after, performed) => {
    const lines = '- id: l\n  for_each: "{{ range(3) }}"\n  tasks:\n    - { id: x, action: work }';
    expect(forkUnder(setup(lines), planOf(lines.replace(before, after))).performed).toEqual(performed);
  });

  test('begins a while anew, of which a round is made from the one before', () => {
    const lines = '- id: w\n  while: "{{ iteration < 2 }}"\n  tasks:\n    - { id: x, action: work }\n    - { id: y, action: work }';
    const child = forkUnder(setup(lines), planOf(lines.replace('{ id: y, action: work', '{ id: y, action: work, parameters: { x: 2 }')));
    expect(child.performed.sort()).toEqual(['w@0/x#1', 'w@0/y#1', 'w@1/x#1', 'w@1/y#1']);
  });

  test('drops what a point names as well', () => {
    expect(forkUnder(setup(LINES), planOf(LINES), {}, { at: 'c' }).performed).toEqual(['c#1']);
  });

  test('asks a question again only where it is another', () => {
    const lines = '- { id: a, action: work, parameters: { x: "<AUTO>what?</AUTO>" } }\n- { id: b, action: work, parameters: { x: "<AUTO>who?</AUTO>" } }';
    const script = { answers: { 'a 0': 5, 'b 0': 6 } };
    const child = forkUnder(setup(lines, script), planOf(lines.replace('who?', 'whom?')), script);
    expect(child.effects.filter(({ type }) => type === 'ask')).toMatchObject([{ slot: 1 }]);
  });

  const proof = (parent: Play, lines: string) => (): void =>
    checkProof(parent.plan, parent.state, lineUp(parent.plan, parent.state, planOf(lines)), 'run_1', 'p.yaml');

  test('is refused for a resume that would do again what has completed', () => {
    expect(proof(setup(LINES, { acts: { b: BROKEN } }), CHANGED)).not.toThrow();
    expect(proof(setup(LINES), CHANGED)).toThrow(
      expect.objectContaining({
        code: 'ORC-508',
        message: '`b`, `c` completed in run_1, and p.yaml would do them otherwise',
        help: ['go on as it was: orchestrator resume run_1', 'do them again, in a new run: orchestrator fork run_1 --pipeline p.yaml'],
      }),
    );
    const loop = '- id: l\n  for_each: "{{ range(5) }}"\n  tasks:\n    - { id: x, action: work }';
    expect(proof(setup(loop, { acts: { 'l[4]/x': BROKEN } }), loop.replace('range(5)', 'range(6)'))).toThrow(
      '`l[0]/x`, `l[1]/x`, `l[2]/x` and 1 more completed',
    );
  });

  test('S9 is refused while it is not known what became of an effect', () => {
    const parent = setup('- { id: m, action: mail }', { acts: { m: 'hangs' } });
    expect(() => checkNoDoubt(parent.plan, parent.state, 'run_1')).not.toThrow();
    parent.crash();
    expect(() => checkNoDoubt(parent.plan, parent.state, 'run_1')).toThrow(
      expect.objectContaining({ code: 'ORC-508', help: ['orchestrator settle run_1 m --as retry|skip|fail|completed'] }),
    );
  });
});
