import type { Event, Evaluation, RunState, Site } from '../../src/engine/index.ts';
import type { Json } from '../../src/json.ts';
import type { Plan } from '../../src/plan/plan.ts';
import { randomOf, type Random } from '../fuzz/random.ts';
import { Cap } from './cap.ts';
import { Observer, type Seen } from './observer.ts';
import type { Scenario, Spec } from './scenario.ts';
import { failureOf, type Script } from './script.ts';

/** The engine under test: the production one, or one with a planted bug. */
export type Engine = Pick<typeof import('../../src/engine/index.ts'), 'apply' | 'decide' | 'initial' | 'restore' | 'snapshot' | 'stateHash' | 'takeBack'>;

/** What a scenario is made of for the scheduler, apart from how its plan came about. */
export interface Setting {
  scenario: Scenario;
  plan: Plan;
  blocks: Spec[][];
  script: Script;
  /** Where the real expressions of a compiled pipeline are to be evaluated. */
  evaluate?: (state: RunState, slot: number, site: Site, index: number) => Evaluation;
}

const EPOCH_MS = 1_700_000_000_000;

/** What outlives every process: the journal, the clock, people, and what the outside has seen happen. */
export class World {
  readonly setting: Setting;
  readonly random: Random;
  readonly observer: Observer;
  readonly journal: Event[] = [];
  readonly cap = new Cap();
  readonly engine: Engine;
  snapshot: { seq: number; text: string } | null = null;
  now = EPOCH_MS;
  /** Steps of attempts whose effect took place and whose result is durable, and all that was performed. */
  performed = 0;
  crashes = 0;
  inputs = 0;

  constructor(engine: Engine, setting: Setting, salt: number) {
    this.engine = engine;
    this.setting = setting;
    this.random = randomOf(setting.scenario.seed * 31 + salt);
    this.observer = new Observer(setting.scenario, setting.blocks);
  }

  chance(rate: number): boolean {
    return rate > 0 && this.random() < rate;
  }

  pick(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  /** One commit: fenced by epoch and sequence number, as a store does it. */
  append(events: readonly Event[], epoch: number, expectedSeq: number): boolean {
    if (epoch !== this.observer.epoch && !(epoch > this.observer.epoch && events.some(event => event.type === 'run.acquired'))) return false;
    if (expectedSeq !== this.journal.length) return false;
    for (const event of events) {
      const durable = JSON.parse(JSON.stringify(event)) as Event;
      this.journal.push(durable);
      this.observer.see(durable);
      const problem = this.cap.see(durable);
      if (problem !== null) this.observer.problem(problem);
    }
    return true;
  }

  /** The state as the journal has it, from zero or from the last snapshot; both must be the same (S7). */
  fold(): RunState {
    const { engine, setting, journal, snapshot } = this;
    const whole = engine.initial();
    for (const event of journal) engine.apply(setting.plan, whole, event);
    if (snapshot === null) return whole;
    const resumed = engine.restore(snapshot.text);
    for (const event of journal.slice(snapshot.seq)) engine.apply(setting.plan, resumed, event);
    if (!this.equal(whole, resumed)) this.observer.problem('S7 the fold from a snapshot differs from the fold from zero');
    return resumed;
  }

  /** Equal by hash; texts that are equal as they stand need none. */
  equal(a: RunState, b: RunState): boolean {
    const { snapshot, stateHash } = this.engine;
    return snapshot(a) === snapshot(b) || stateHash(a) === stateHash(b);
  }

  seen(slot: number): Seen {
    return this.observer.tasks[slot]!;
  }

  /** A pure computation, answered as the script says. */
  evaluate(state: RunState, slot: number, site: Site, index: number): Evaluation {
    const scripted = slot < 0 ? value({}) : this.#scripted(pathOfLive(this.setting, state, slot), site, index);
    if (this.setting.evaluate === undefined) return scripted;
    const real = this.setting.evaluate(state, slot, site, index);
    if (real.ok !== scripted.ok) this.observer.problem(`${site} of slot ${slot}: ${JSON.stringify(real)}, expected ${JSON.stringify(scripted)}`);
    return real;
  }

  #scripted({ path, spec }: { path: string; spec: Spec }, site: Site, index: number): Evaluation {
    const { script } = this.setting;
    switch (site) {
      case 'condition':
        return spec.condition === 'error' ? failed('the condition') : value(spec.condition === 'true');
      case 'loop':
        if (spec.count < 0) return failed('for_each');
        if (spec.kind === 'while') return { ok: true, value: { items: null, count: 0, parallel: 1, limit: spec.limit }, ref: { v: null } };
        return listOf(spec);
      case 'while':
        return value(index < spec.count);
      case 'until':
        return value(index + 1 >= spec.count);
      case 'parameters':
        return script.computes(path, site) ? value(parametersOf(spec)) : failed(site);
      case 'fallback':
        return script.fallback(path, index) ? value('fallback') : failed(site);
      default:
        return script.computes(path, site) ? value({}) : failed(site);
    }
  }
}

function value(json: Json): Evaluation {
  return { ok: true, value: json, ref: { v: json } };
}

function failed(what: string): Evaluation {
  return { ok: false, failure: failureOf('template', `scripted: ${what}`) };
}

function listOf(spec: Spec): Evaluation {
  const items = Array.from({ length: spec.count }, (_, i) => i);
  return { ok: true, value: { items, count: spec.count, parallel: spec.parallel, limit: spec.limit }, ref: { v: items } };
}

export function parametersOf(spec: Spec): { [name: string]: Json } {
  if (spec.kind === 'sleep') return { duration: 5 };
  const limit: { [name: string]: Json } = {};
  if (spec.answer === 'fail') Object.assign(limit, { timeout: '1m' });
  if (spec.answer === 'skip') Object.assign(limit, { timeout: 60, on_timeout: 'skip' });
  if (spec.answer === 'default') Object.assign(limit, { timeout: 60, on_timeout: 'approve' });
  return spec.kind === 'approval' ? { prompt: 'May it?', ...limit } : { name: spec.id, ...limit };
}

/** Path and task of a slot that may not be durable yet. */
export function pathOfLive({ blocks }: Setting, state: RunState, slot: number): { path: string; spec: Spec } {
  const scope = state.scopes[state.scopeOf[slot]!]!;
  const list = blocks[scope.block]!;
  const spec = list[slot - scope.base]!;
  if (scope.owner < 0) return { path: (scope.block === 0 ? '' : `/on_error[${scope.index}]/`) + spec.id, spec };
  const owner = pathOfLive({ blocks } as Setting, state, scope.owner);
  const inside = owner.spec.body === list;
  const link = !inside
    ? `/on_error[${scope.index}]/`
    : owner.spec.kind === 'for_each'
      ? `[${scope.index}]/`
      : owner.spec.kind === 'while'
        ? `@${scope.index}/`
        : '/';
  return { path: owner.path + link + spec.id, spec };
}
