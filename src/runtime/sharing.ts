import type { Json } from '../json.ts';
import { memoryLimits, type KeptModel, type KeptModels, type LimitState, type LimitStore, type StateKeeper } from '../models/index.ts';
import type { Store } from '../store/port.ts';

const LIMIT = 'limit/';
const MODEL = 'model/';
const TURN = 'turn/';

/**
 * Limits that all processes of a store keep together. A lease begins with the id of its process, so that the places of one that died come free at once.
 * Where the values cannot be shared (a full disk), this process counts for itself: a limit is no reason for work to fail.
 */
export function sharedLimits(store: Pick<Store, 'shared' | 'owner' | 'alive'>): LimitStore {
  const own = memoryLimits();
  const change: LimitStore['change'] = (keys, work) => {
    try {
      const done = store.shared.change(keys.map(nameOf(LIMIT)), before => {
        const { states, result } = work(before as unknown as (LimitState | undefined)[]);
        return { values: states as unknown as Json[], result };
      });
      return done instanceof Promise ? done.catch(() => own.change(keys, work)) : done;
    } catch {
      return own.change(keys, work);
    }
  };
  return {
    owner: store.owner,
    change,
    async sweep(keys) {
      const leases = await change(keys, states => ({ states: states.map(known), result: states.flatMap(state => Object.keys(state?.leases ?? {})) }));
      const dead = new Set<string>();
      for (const process of new Set(leases.map(processOf))) if (!(await store.alive(process))) dead.add(process);
      if (dead.size === 0) return false;
      return change(keys, states => ({ states: states.map(state => withoutLeases(known(state), dead)), result: true }));
    },
  };
}

function known(state: LimitState | undefined): LimitState {
  return state ?? { atMs: 0, blockedUntilMs: 0, leases: {} };
}

function withoutLeases(state: LimitState, dead: ReadonlySet<string>): LimitState {
  return { ...state, leases: Object.fromEntries(Object.entries(state.leases).filter(([lease]) => !dead.has(processOf(lease)))) };
}

function processOf(lease: string): string {
  return lease.slice(0, lease.indexOf('/'));
}

/** Keeps health, circuits and turns of models in the store. What cannot be read or written is learned again. */
export function modelKeeper({ shared }: Pick<Store, 'shared'>): StateKeeper {
  const list = <T>(prefix: string, found: { [key: string]: Json }): { [name: string]: T } =>
    Object.fromEntries(Object.entries(found).map(([key, value]) => [key.slice(prefix.length), value as T]));
  const told = (models: { [key: string]: Json }, turns: { [key: string]: Json }): KeptModels => ({ models: list(MODEL, models), turns: list(TURN, turns) });
  return {
    load() {
      try {
        const [models, turns] = [shared.list(MODEL), shared.list(TURN)];
        if (!(models instanceof Promise) && !(turns instanceof Promise)) return told(models, turns);
        return Promise.all([models, turns]).then(
          found => told(...found),
          () => told({}, {}),
        );
      } catch {
        return told({}, {});
      }
    },
    save({ models, turns }) {
      const keep = <T>(prefix: string, entries: { [name: string]: T }, newer: (before: T, mine: T) => T): void => {
        const names = Object.keys(entries);
        void shared.change(names.map(nameOf(prefix)), before => ({
          values: names.map((name, i) => (before[i] === undefined ? entries[name]! : newer(before[i] as T, entries[name]!)) as Json),
          result: undefined,
        }));
      };
      try {
        keep<KeptModel>(MODEL, models, (before, mine) => (before.atMs > mine.atMs ? before : mine));
        keep<number>(TURN, turns, Math.max);
      } catch {
        // A disk that is full, or a store that is open for reading only.
      }
    },
  };
}

function nameOf(prefix: string): (name: string) => string {
  return name => prefix + name;
}
