import type { Event } from '../engine/event.ts';
import { sha256 } from '../hash.ts';
import type { Batch, LedgerRow, RunRow } from './port.ts';

/** The plan of every run that `creation` makes. */
export const PLAN = { hash: sha256('plan'), body: '{"plan":1}' };

/** The batch that creates a run. */
export function creation(run: string, row: Partial<RunRow> = {}, more: Partial<Batch> = {}): Batch {
  const base = {
    run,
    planHash: PLAN.hash,
    pipeline: 'demo',
    version: '1',
    file: 'demo.yaml',
    workspace: '/w',
    status: 'pending',
    reason: null,
    createdAt: 1000,
    startedAt: null,
    endedAt: null,
    dueAt: null,
    user: null,
    tags: [],
    key: null,
    keyHash: null,
    parent: null,
    tasksDone: 0,
    tasksTotal: 3,
    costMicroUsd: 0,
    error: null,
  } as const;
  return { run, expectedSeq: 0, epoch: 1, events: [started(1000)], create: { row: { ...base, tags: [], ...row }, plan: PLAN }, ...more };
}

/** A batch of `count` events after `expectedSeq`. */
export function addition(run: string, expectedSeq: number, count = 1, more: Partial<Batch> = {}): Batch {
  const events = Array.from({ length: count }, (_, i): Event => ({ type: 'task.scheduled', at: 2000 + expectedSeq + i, slot: expectedSeq + i }));
  return { run, expectedSeq, epoch: 1, events, ...more };
}

export function started(at: number): Event {
  return { type: 'run.started', at };
}

/** A row of the ledger. */
export function call(run: string, at: number, more: Partial<LedgerRow> = {}): LedgerRow {
  return {
    run,
    path: 'search',
    attempt: 1,
    call: 1,
    at,
    purpose: 'prompt',
    model: 'lab/small',
    inputTokens: 5,
    outputTokens: 7,
    costMicroUsd: 3,
    latencyMs: 120,
    ...more,
  };
}
