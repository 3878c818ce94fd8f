import { sha256 } from '../hash.ts';
import { canonicalJson, type Json } from '../json.ts';
import { initial, type Extra, type RunState } from './state.ts';

const COUNTS = ['taskStatus', 'phase', 'waitingOn', 'attempt', 'scopeOf'] as const;
const TIMES = ['scheduledAt', 'beganAt', 'settledAt'] as const;

/**
 * A state as text, from which `restore` makes it again: arrays cut to the slots in use, maps as lists, and times as distances from the first event
 * (null where there is none; a clock that was set back makes them negative), since a hundred thousand short numbers are written many times faster than long ones.
 */
export function snapshot(state: RunState): string {
  const { slots, created } = state;
  const copy: { [key: string]: unknown } = { ...state };
  for (const name of COUNTS) copy[name] = Array.from(state[name].subarray(0, slots));
  const zero = created?.at ?? 0;
  for (const name of TIMES) copy[name] = Array.from(state[name].subarray(0, slots), time => (time === 0 ? null : time - zero));
  copy['taskReason'] = sparse(state.taskReason);
  copy['extra'] = [...state.extra].map(([slot, extra]) => [slot, plainExtra(extra)]);
  copy['signals'] = [...state.signals];
  return JSON.stringify(copy);
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

type Plain = Omit<RunState, (typeof COUNTS)[number] | (typeof TIMES)[number] | 'taskReason' | 'extra' | 'signals'> & {
  [Name in (typeof COUNTS)[number]]: number[];
} & { [Name in (typeof TIMES)[number]]: (number | null)[] } & {
  taskReason: [number, NonNullable<RunState['taskReason'][number]>][];
  extra: [number, { [key: string]: unknown }][];
  signals: [string, NonNullable<ReturnType<RunState['signals']['get']>>][];
};

export function restore(text: string): RunState {
  const { taskReason, extra, signals, ...data } = JSON.parse(text) as Plain;
  const zero = data.created?.at ?? 0;
  const times = (list: (number | null)[]): Float64Array<ArrayBuffer> => Float64Array.from(list, time => (time === null ? 0 : time + zero));
  const state: RunState = {
    ...initial(),
    ...data,
    taskStatus: Uint8Array.from(data.taskStatus),
    phase: Uint8Array.from(data.phase),
    waitingOn: Int32Array.from(data.waitingOn),
    attempt: Uint16Array.from(data.attempt),
    scopeOf: Int32Array.from(data.scopeOf),
    scheduledAt: times(data.scheduledAt),
    beganAt: times(data.beganAt),
    settledAt: times(data.settledAt),
    taskReason: Array.from({ length: data.slots }, () => null),
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
