import { sha256 } from '../hash.ts';
import { canonicalJson, type Json } from '../json.ts';
import { initial, type Extra, type RunState } from './state.ts';

const COLUMNS = ['taskStatus', 'phase', 'waitingOn', 'attempt', 'scopeOf', 'scheduledAt', 'beganAt', 'settledAt'] as const;

/**
 * A state as text, from which `restore` makes it again: maps as lists, and the columns of the slots in use as runs of equal values, since neighbours mostly
 * share their status, and those that moved in one turn share its time.
 */
export function snapshot(state: RunState): string {
  const copy: { [key: string]: unknown } = { ...state };
  for (const name of COLUMNS) copy[name] = runsOf(state[name], state.slots);
  copy['taskReason'] = sparse(state.taskReason);
  copy['extra'] = [...state.extra].map(([slot, extra]) => [slot, plainExtra(extra)]);
  copy['signals'] = [...state.signals];
  return JSON.stringify(copy);
}

/** Value, how often, value, how often, … */
function runsOf(column: ArrayLike<number>, length: number): number[] {
  const runs: number[] = [];
  for (let i = 0; i < length;) {
    const value = column[i]!;
    let end = i + 1;
    while (end < length && column[end] === value) end++;
    runs.push(value, end - i);
    i = end;
  }
  return runs;
}

function filled<Column extends { fill(value: number, start: number, end: number): unknown }>(column: Column, runs: number[]): Column {
  let at = 0;
  for (let i = 0; i < runs.length; i += 2) column.fill(runs[i]!, at, (at += runs[i + 1]!));
  return column;
}

/** The entries of a list that are not null, with their places. */
function sparse<T>(list: (T | null)[]): [number, T][] {
  const entries: [number, T][] = [];
  for (let i = 0; i < list.length; i++) if (list[i] !== null) entries.push([i, list[i]!]);
  return entries;
}

function plainExtra(extra: Extra): { [key: string]: unknown } {
  const { steps, overrides, ...rest } = extra;
  return { ...rest, ...(steps === undefined ? {} : { steps: [...steps] }), ...(overrides === undefined ? {} : { overrides: [...overrides] }) };
}

type Plain = Omit<RunState, (typeof COLUMNS)[number] | 'taskReason' | 'extra' | 'signals'> & { [Name in (typeof COLUMNS)[number]]: number[] } & {
  taskReason: [number, NonNullable<RunState['taskReason'][number]>][];
  extra: [number, { [key: string]: unknown }][];
  signals: [string, NonNullable<ReturnType<RunState['signals']['get']>>][];
};

export function restore(text: string): RunState {
  const { taskReason, extra, signals, ...data } = JSON.parse(text) as Plain;
  const { slots } = data;
  const state: RunState = {
    ...initial(),
    ...data,
    taskStatus: filled(new Uint8Array(slots), data.taskStatus),
    phase: filled(new Uint8Array(slots), data.phase),
    waitingOn: filled(new Int32Array(slots), data.waitingOn),
    attempt: filled(new Uint16Array(slots), data.attempt),
    scopeOf: filled(new Int32Array(slots), data.scopeOf),
    scheduledAt: filled(new Float64Array(slots), data.scheduledAt),
    beganAt: filled(new Float64Array(slots), data.beganAt),
    settledAt: filled(new Float64Array(slots), data.settledAt),
    taskReason: Array.from({ length: slots }, () => null),
    extra: new Map(extra.map(([slot, one]) => [slot, restoreExtra(one)])),
    signals: new Map(signals),
  };
  for (const [slot, reason] of taskReason) state.taskReason[slot] = reason;
  return state;
}

function restoreExtra(extra: { [key: string]: unknown }): Extra {
  const restored = { ...extra } as Extra;
  if (extra['steps'] !== undefined) restored.steps = new Map(extra['steps'] as [string, never][]);
  if (extra['overrides'] !== undefined) restored.overrides = new Map(extra['overrides'] as [string, never][]);
  return restored;
}

/** SHA-256 of the canonical JSON of a state: equal states, equal hashes (S7). */
export function stateHash(state: RunState): string {
  return sha256(canonicalJson(JSON.parse(snapshot(state)) as Json));
}
