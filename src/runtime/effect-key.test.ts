import { expect, test } from 'vitest';
import { setup, type Play } from '../engine/fixture.ts';
import { effectKey } from './effect-key.ts';
import { errorOf } from './live.ts';

const BROKEN = { fails: {} };

/** Keys of all slots of a run, in the order of the slots. */
function keysOf(run: Play): string[] {
  return Array.from({ length: run.state.slots }, (_, slot) => effectKey({ id: 'run_1', plan: run.plan, state: run.state }, slot, run.path(slot)));
}

test('S3 the key is the run and the path, whatever the attempt', () => {
  const run = setup(
    '- { id: a, action: work, retry: { max_attempts: 2, initial_backoff: 0 } }\n- id: l\n  for_each: "{{ [1] }}"\n  tasks: [{ id: x, action: work }]',
    { acts: { a: [{ fails: { retryable: true } }, { gives: 1 }] } },
  );
  run.wait(1);
  expect(keysOf(run)).toEqual(['run_1/a', 'run_1/l', 'run_1/l[0]/x']);
});

test('S3 a handler that runs again has a key of its own each time, also around what it holds', () => {
  const lines = '- id: a\n  action: work\n  on_error:\n    - { action: work, retry: true, max_retries: 3 }\n    - { fallback_value: 1 }';
  const run = setup(lines, { acts: { a: BROKEN } });
  expect(keysOf(run)).toEqual(['run_1/a', 'run_1/a/on_error[0]/on_error_1', 'run_1/a/on_error[0]/on_error_1~2', 'run_1/a/on_error[0]/on_error_1~3']);
});

test('S3 the handler of a run that is tried again too', () => {
  const run = setup('- { id: a, action: work }\non_error:\n  - { action: work }', { acts: { a: BROKEN } });
  run.send({ type: 'reopen', by: 'me' });
  expect(keysOf(run).slice(1)).toEqual(['run_1//on_error[0]/on_error_1', 'run_1//on_error[0]/on_error_1~2']);
});

test('the row of a failed run says which task failed, once', () => {
  const failed = (message: string): string | null => errorOf(setup('- { id: a, action: work }', { acts: { a: { fails: { message } } } }));
  expect(failed('it broke\nbadly')).toBe('a: it broke');
  expect(failed('`a` broke')).toBe('`a` broke');
  expect(failed('x'.repeat(400))).toHaveLength(300);
  expect(errorOf(setup('- { id: a, action: work }'))).toBeNull();
});
