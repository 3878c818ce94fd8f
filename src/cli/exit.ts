import type { Code } from '../codes.ts';
import type { RunDocument } from '../engine/document.ts';
import type { ErrorClass } from '../errors.ts';

/** Exit codes of the command line (CONTRACT.md section 2). */
export const EXIT = {
  ok: 0,
  failed: 1,
  invalid: 2,
  notFound: 3,
  notReady: 4,
  waiting: 5,
  exhausted: 6,
  timedOut: 7,
  internal: 70,
  hungUp: 129,
  interrupted: 130,
  drained: 143,
} as const;

/** What stopped a run from outside while this process drove it. */
export type Interruption = 'interrupted' | 'drained' | null;

const BY_CODE: Partial<Record<Code, number>> = {
  'ORC-214': EXIT.notReady,
  'ORC-401': EXIT.notReady,
  'ORC-402': EXIT.notReady,
  'ORC-403': EXIT.notReady,
  'ORC-404': EXIT.notReady,
  'ORC-407': EXIT.notReady,
  'ORC-408': EXIT.notReady,
  'ORC-506': EXIT.notFound,
  'ORC-508': EXIT.invalid,
  'ORC-509': EXIT.invalid,
  'ORC-516': EXIT.invalid,
  'ORC-517': EXIT.notFound,
  'ORC-518': EXIT.invalid,
  'ORC-601': EXIT.exhausted,
  'ORC-602': EXIT.exhausted,
  'ORC-606': EXIT.timedOut,
  'ORC-700': EXIT.internal,
};

const BY_AREA: Record<string, number> = {
  '1': EXIT.invalid,
  '2': EXIT.invalid,
  '3': EXIT.invalid,
  '4': EXIT.failed,
  '5': EXIT.notReady,
  '6': EXIT.invalid,
  '7': EXIT.internal,
};

/** The code for an error that ended a command before there was a run to speak of. */
export function exitCodeOfError(code: Code, errorClass: ErrorClass): number {
  // A configuration whose key or secret is missing is sound; the environment is not ready.
  if (code === 'ORC-119' && errorClass === 'auth') return EXIT.notReady;
  // A model that is not there is a matter of the surroundings; anything else that was asked for by name is not found.
  if (errorClass === 'not_found' && !code.startsWith('ORC-4')) return EXIT.notFound;
  return BY_CODE[code] ?? BY_AREA[code.charAt(4)] ?? EXIT.failed;
}

/** Failures for which the remedy lies in the surroundings, not in the pipeline. */
const NOT_READY = new Set(['ORC-401', 'ORC-402', 'ORC-403', 'ORC-407', 'ORC-408']);

/** The code for a run, by its document. */
export function exitCodeOfRun({ status, reason, error }: Pick<RunDocument, 'status' | 'reason' | 'error'>, interruption: Interruption = null): number {
  // A run that was asked to go as far as a task, and got there, did what was asked.
  if (status === 'completed' || (status === 'paused' && reason === 'until' && error === null)) return EXIT.ok;
  if (interruption !== null && status !== 'failed') return EXIT[interruption];
  if (status === 'failed') {
    if (error?.code === 'ORC-606') return EXIT.timedOut;
    if (error?.code === 'ORC-601' || error?.code === 'ORC-602') return EXIT.exhausted;
    return error !== null && NOT_READY.has(error.code) ? EXIT.notReady : EXIT.failed;
  }
  if (status === 'cancelled') return EXIT.failed;
  if (reason === 'budget' || reason === 'rate_limit') return EXIT.exhausted;
  return reason === 'drain' ? EXIT.drained : EXIT.waiting;
}
