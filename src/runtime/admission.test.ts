import { expect, test } from 'vitest';
import { Admission } from './admission.ts';

function setup(limit: number, limits: { [run: string]: number } = {}) {
  const admission = new Admission<string>({ process: limit });
  const admit = (): string[] => [...admission.admit(run => limits[run])].map(({ run, item }) => `${run}${item}`);
  return { admission, admit };
}

test('takes as many as there is room for, in all and a run', () => {
  const { admission } = setup(3);
  expect([admission.take('a', 2), admission.take('a', 2), admission.take('a', 2), admission.take('b', undefined), admission.take('b', undefined)]).toEqual([
    true,
    true,
    false,
    true,
    false,
  ]);
  admission.release('a');
  expect([admission.take('b', 1), admission.take('b', 2)]).toEqual([false, true]);
});

test('runs take turns, and one that is at its own limit holds up no other', () => {
  const { admission, admit } = setup(10, { a: 1 });
  for (const item of ['1', '2', '3']) admission.wait('a', item);
  for (const item of ['1', '2']) admission.wait('b', item);
  expect(admit()).toEqual(['a1', 'b1', 'b2']);
  expect(admit()).toEqual([]);
  admission.release('a');
  expect(admit()).toEqual(['a2']);
});

test('what is forced counts, and is made up for before anything else goes', () => {
  const { admission, admit } = setup(1);
  admission.force('a');
  admission.force('a');
  admission.wait('b', '1');
  admission.release('a');
  expect(admit()).toEqual([]);
  admission.release('a');
  expect(admit()).toEqual(['b1']);
});

test('forgets what waits for a run', () => {
  const { admission, admit } = setup(1);
  admission.wait('a', '1');
  admission.wait('b', '1');
  admission.drop('a');
  expect(admit()).toEqual(['b1']);
});
