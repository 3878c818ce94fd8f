import { canonicalJson, type Json } from '../json.ts';
import { sha256 } from '../hash.ts';
import type { Extra, RunState } from './state.ts';
import { initial } from './state.ts';

const ARRAYS = ['taskStatus', 'phase', 'waitingOn', 'attempt', 'scopeOf', 'scheduledAt', 'beganAt', 'settledAt'] as const;

/** A state as text, from which `restore` makes it again: typed arrays cut to the slots in use, maps as lists. */
export function snapshot(state: RunState): string {
  return JSON.stringify(plain(state));
}

function plain(state: RunState): { [key: string]: unknown } {
  const { slots } = state;
  const copy: { [key: string]: unknown } = { ...state };
  for (const name of ARRAYS) copy[name] = Array.from(state[name].subarray(0, slots));
  copy['extra'] = [...state.extra].map(([slot, extra]) => [slot, plainExtra(extra)]);
  copy['signals'] = [...state.signals];
  return copy;
}

function plainExtra(extra: Extra): { [key: string]: unknown } {
  const { steps, overrides, ...rest } = extra;
  return { ...rest, ...(steps === undefined ? {} : { steps: [...steps] }), ...(overrides === undefined ? {} : { overrides: [...overrides] }) };
}

export function restore(text: string): RunState {
  const data = JSON.parse(text) as RunState & { [key: string]: unknown };
  const empty = initial();
  const state: RunState = { ...empty, ...data };
  state.taskStatus = Uint8Array.from(data.taskStatus);
  state.phase = Uint8Array.from(data.phase);
  state.waitingOn = Int32Array.from(data.waitingOn);
  state.attempt = Uint16Array.from(data.attempt);
  state.scopeOf = Int32Array.from(data.scopeOf);
  state.scheduledAt = Float64Array.from(data.scheduledAt);
  state.beganAt = Float64Array.from(data.beganAt);
  state.settledAt = Float64Array.from(data.settledAt);
  state.extra = new Map((data.extra as unknown as [number, { [key: string]: unknown }][]).map(([slot, extra]) => [slot, restoreExtra(extra)]));
  state.signals = new Map(data.signals as unknown as [string, never][]);
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
