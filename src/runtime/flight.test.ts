import { expect, onTestFinished, test, vi } from 'vitest';
import type { OrchestratorError } from '../errors.ts';
import { Flight } from './perform.ts';

test('the time of a flight runs anew when it is postponed, and ends with it', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const flight = new Flight();
  flight.postpone(1000);
  flight.limit(100, 'too late');
  vi.advanceTimersByTime(90);
  flight.postpone(500);
  flight.postpone(300);
  vi.advanceTimersByTime(399);
  expect(flight.stopReason).toBeUndefined();
  vi.advanceTimersByTime(1);
  expect(flight.stopReason).toMatchObject({ code: 'ORC-218', message: 'too late' } satisfies Partial<OrchestratorError>);
  const done = new Flight();
  done.limit(100, 'too late');
  done.done();
  vi.advanceTimersByTime(1000);
  expect(done.stopReason).toBeUndefined();
});
