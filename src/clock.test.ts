import { expect, test } from 'vitest';
import { steadyClock } from './clock.ts';

test('a steady clock goes on through a jump back, and follows a jump ahead', () => {
  let [now, monotonic] = [1000, 0];
  const clock = steadyClock({ now: () => now, monotonic: () => monotonic });
  const read = (nowNext: number, monotonicNext: number): number => {
    [now, monotonic] = [nowNext, monotonicNext];
    return clock.now();
  };
  expect([read(1000, 0), read(1010, 10), read(500, 20), read(510, 30), read(9000, 40), read(9010, 50)]).toEqual([1000, 1010, 1020, 1030, 9000, 9010]);
});
