/** Whether what was asked of a run can be done with it, as it is; each throws, in words, where it cannot. */
import { OrchestratorError } from '../errors.ts';
import type { RunRow } from '../store/port.ts';
import type { ForkOptions } from './api.ts';
import type { Compiled } from './compile.ts';
import type { Parent } from './forking.ts';
import { checkNoDoubt, checkProof, lineUp } from './lineup.ts';

function refuse(code: 'ORC-508' | 'ORC-509' | 'ORC-518', message: string, help: string[]): never {
  throw new OrchestratorError(code, message, { class: 'invalid_input', help });
}

/** One key, one body (S1). */
export function checkKey(row: RunRow, key: string, keyHash: string): void {
  if (row.keyHash !== keyHash)
    refuse('ORC-509', `the key ${key} was used for ${row.run}, with another pipeline or other inputs`, [`orchestrator show ${row.run}`, 'use another --key']);
}

export function checkResume({ run, status }: RunRow): void {
  if (status === 'completed')
    refuse('ORC-508', `${run} is completed: there is nothing to resume`, [`orchestrator show ${run}`, `orchestrator fork ${run} --at TASK`]);
}

export function checkRetry({ run, status }: RunRow): void {
  if (status === 'failed' || status === 'cancelled') return;
  refuse('ORC-508', `${run} is ${status}: only a failed or cancelled run is tried again`, [
    status === 'completed' ? `orchestrator fork ${run} --at TASK` : `orchestrator resume ${run}`,
  ]);
}

export function checkFork({ at, pipeline }: ForkOptions): void {
  if (at === undefined && pipeline === undefined) refuse('ORC-518', 'a fork needs a point, or another pipeline', ["fork(run, { at: 'TASK' })"]);
}

/** May the run go on under the pipeline, in a new run that does nothing again (S11)? */
export function checkMove({ row, plan, state }: Parent, { plan: target }: Compiled): void {
  const { run, status } = row;
  if (status === 'completed' || status === 'pending' || status === 'running' || status === 'cancelling')
    refuse(
      'ORC-508',
      `${run} is ${status}: only a run that waits, is paused, failed or was cancelled goes on under another pipeline`,
      status === 'completed' ? [`orchestrator fork ${run} --pipeline FILE`] : [`orchestrator pause ${run}`, `orchestrator resume ${run}`],
    );
  checkNoDoubt(plan, state, run);
  checkProof(plan, state, lineUp(plan, state, target), run, target.files[0]?.file ?? 'FILE');
}
