import type { Event, RunState } from '../../src/engine/index.ts';
import { edgesOf } from './plan.ts';
import type { Scenario, Spec } from './scenario.ts';

const STATUSES = ['pending', 'scheduled', 'running', 'waiting', 'completed', 'failed', 'skipped', 'cancelled'] as const;
type Status = (typeof STATUSES)[number];

export interface Seen {
  path: string;
  spec: Spec;
  scope: number;
  local: number;
  status: Status;
  reason: string | null;
  attempts: number;
  /** Class of the attempt that is under way, or null. */
  performing: string | null;
  waitsFor: 'approval' | 'signal' | 'needs_attention' | null;
  conditionHeld: boolean;
  /** Attempts with a recorded outcome. */
  outcomes: Set<number>;
  steps: Map<string, { effect: string; done: boolean }>;
  adopted: boolean;
  /** It was opened again: a container then goes on, whatever has become of what it needed when it began. */
  reset: boolean;
  answers: Set<number>;
}

interface SeenScope {
  block: number;
  owner: number;
  base: number;
  open: number;
  tasks: number;
}

type Edge = { need: number; orderOnly: boolean };

/** Reads the durable journal with eyes of its own, and says what in it must never be (PROMISES.md). */
export class Observer {
  readonly tasks: Seen[] = [];
  readonly scopes: SeenScope[] = [];
  readonly problems: string[] = [];
  readonly inputAnswers = new Set<number>();
  status = 'pending';
  ended = false;
  epoch = 0;
  count = 0;
  resets = 0;
  again: number[] = [];
  /** False once something came up that the oracle does not know. */
  exact = true;
  /** While the first events of a fork are read, which open many scopes at once. */
  copying = false;
  readonly #blocks: Spec[][];
  readonly #scenario: Scenario;
  readonly #edges = new Map<Spec[], Edge[][]>();

  constructor(scenario: Scenario, blocks: Spec[][]) {
    this.#scenario = scenario;
    this.#blocks = blocks;
  }

  problem(text: string): void {
    this.problems.push(text);
  }

  see(event: Event): void {
    this.count++;
    if (this.ended && event.type !== 'run.reopened') this.problem(`S8 ${event.type} after the end`);
    if (event.type.startsWith('run.')) return this.#seeRun(event);
    if (event.type === 'scope.opened') return this.#seeScope(event);
    if (!('slot' in event)) return;
    if (event.slot < 0) {
      if (event.type === 'auto.resolved') this.inputAnswers.add(event.index);
      return;
    }
    const seen = this.tasks[event.slot];
    if (seen === undefined) return this.problem(`${event.type} of a slot that nobody opened: ${event.slot}`);
    if (isSettled(seen.status) && event.type !== 'task.reset' && event.type !== 'task.logged' && event.type !== 'auto.resolved') {
      return this.problem(`S6 ${event.type} of ${seen.path}, which is ${seen.status}`);
    }
    this.#seeTask(seen, event);
  }

  #seeRun(event: Event): void {
    switch (event.type) {
      case 'run.acquired':
        this.#checkVerdicts(event.again, event.doubt);
        this.epoch = event.epoch;
        return;
      case 'run.started':
      case 'run.resumed':
        this.status = 'running';
        return;
      case 'run.reopened':
        this.status = 'running';
        this.ended = false;
        this.exact = false;
        return;
      case 'run.paused':
        this.status = 'paused';
        if (event.reason === 'until') this.#checkUntil();
        return;
      case 'run.cancelling':
        this.status = 'cancelling';
        this.exact = false;
        return;
      case 'run.ended':
        this.status = event.status;
        this.ended = true;
        for (const seen of this.tasks) if (!isSettled(seen.status)) this.problem(`S8 the run ended while ${seen.path} is ${seen.status}`);
        return;
      default:
    }
  }

  /** S9: a verdict for each intent without a result, by its class. */
  #checkVerdicts(again: number[], doubt: number[]): void {
    const expected: [number[], number[]] = [[], []];
    this.tasks.forEach((seen, slot) => {
      if (seen.performing === null) return;
      const effectful = seen.performing === 'effectful' || [...seen.steps.values()].some(step => !step.done && step.effect === 'effectful');
      expected[effectful && seen.spec.onAmbiguous !== 'retry' ? 1 : 0].push(slot);
    });
    if (JSON.stringify(expected) !== JSON.stringify([again, doubt]))
      this.problem(`S9 verdicts ${JSON.stringify([again, doubt])}, expected ${JSON.stringify(expected)}`);
    this.again = again;
    if (doubt.length > 0) this.exact = false;
  }

  #checkUntil(): void {
    const wanted = new Set<number>();
    const want = (index: number): void => {
      wanted.add(index);
      for (const need of edgesOf(this.#scenario.tasks, index).keys()) if (!wanted.has(need)) want(need);
    };
    if (this.#scenario.until === null) return this.problem('paused by an until that nobody gave');
    want(this.#scenario.until);
    for (const seen of this.tasks) {
      if (seen.scope !== 0) continue;
      if (wanted.has(seen.local) && !isSettled(seen.status)) this.problem(`until: paused while ${seen.path} is ${seen.status}`);
      if (!wanted.has(seen.local) && seen.status !== 'pending' && seen.reason !== 'routed')
        this.problem(`until: ${seen.path} is ${seen.status}, and nobody wanted it`);
    }
  }

  #seeScope(event: Extract<Event, { type: 'scope.opened' }>): void {
    const specs = this.#blocks[event.block]!;
    const owner = this.tasks[event.owner];
    const handles = owner === undefined ? this.scopes.length > 0 : specs !== owner.spec.body;
    const prefix = owner === undefined ? (handles ? `/on_error[${event.index}]/` : '') : owner.path + linkOf(owner.spec, handles, event.index);
    if (owner !== undefined && !handles) {
      if (isSettled(owner.status)) this.problem(`a scope opens in ${owner.path}, which is ${owner.status}`);
      const open = this.scopes.filter(scope => scope.owner === event.owner && scope.open > 0 && this.#blocks[scope.block] === specs).length;
      if (!this.copying && open + 1 > (owner.spec.kind === 'for_each' ? owner.spec.parallel : 1))
        this.problem(`max_parallel: ${open + 1} iterations of ${owner.path}`);
      owner.status = 'running';
    }
    this.scopes.push({ block: event.block, owner: event.owner, base: this.tasks.length, open: specs.length, tasks: specs.length });
    specs.forEach((spec, local) => {
      this.tasks.push({
        path: prefix + spec.id,
        spec,
        scope: this.scopes.length - 1,
        local,
        status: 'pending',
        reason: null,
        attempts: 0,
        performing: null,
        waitsFor: null,
        conditionHeld: false,
        outcomes: new Set(),
        steps: new Map(),
        adopted: false,
        reset: false,
        answers: new Set(),
      });
    });
  }

  #seeTask(seen: Seen, event: Exclude<Extract<Event, { slot: number }>, { type: 'scope.opened' }>): void {
    switch (event.type) {
      case 'task.scheduled':
        this.#checkMayBegin(seen);
        seen.status = 'scheduled';
        return;
      case 'attempt.started':
        if (seen.status !== 'scheduled') this.problem(`attempt of ${seen.path}, which is ${seen.status}`);
        if (event.attempt !== seen.attempts + 1) this.problem(`attempt ${event.attempt} of ${seen.path} after ${seen.attempts}`);
        seen.attempts = event.attempt;
        seen.status = 'running';
        seen.performing = event.effect;
        return;
      case 'attempt.failed':
        if (event.retryAt === null && seen.performing === null) return this.#wait(seen, 'running', null);
        if (seen.performing !== null || event.attempt > seen.attempts) this.#recordOutcome(seen, event.attempt);
        seen.attempts = event.attempt;
        return this.#wait(seen, event.retryAt === null ? 'running' : 'waiting', null);
      case 'attempt.doubtful':
        return this.#wait(seen, 'waiting', 'needs_attention');
      case 'attempt.held':
        seen.attempts = event.attempt - 1;
        return this.#wait(seen, 'scheduled', null);
      case 'attempt.deferred':
      case 'timer.set':
        return this.#wait(seen, 'waiting', null);
      case 'approval.requested':
        return this.#wait(seen, 'waiting', 'approval');
      case 'signal.awaited':
        return this.#wait(seen, 'waiting', 'signal');
      case 'timer.fired':
        return this.#wait(seen, this.#hasBody(seen) ? 'running' : 'scheduled', null);
      case 'loop.started':
        return this.#wait(seen, 'running', null);
      default:
        return this.#seeEnd(seen, event);
    }
  }

  #seeEnd(seen: Seen, event: Exclude<Extract<Event, { slot: number }>, { type: 'scope.opened' }>): void {
    switch (event.type) {
      case 'condition.evaluated':
        if (event.site === 'condition') seen.conditionHeld = event.value;
        return;
      case 'auto.resolved':
        seen.answers.add(event.index);
        return;
      case 'step.started':
        seen.steps.set(event.name, { effect: event.effect, done: false });
        return;
      case 'step.completed':
        if (seen.steps.get(event.name)?.done) this.problem(`S6 the step ${event.name} of ${seen.path} has two results`);
        seen.steps.set(event.name, { effect: '', done: true });
        return;
      case 'task.completed':
        if (seen.performing !== null) this.#recordOutcome(seen, seen.attempts);
        this.#checkNeeds(seen);
        return this.#settle(seen, 'completed', null);
      case 'task.failed':
        if (seen.performing !== null) this.#recordOutcome(seen, seen.attempts);
        if (event.failure.code === 'ORC-229') this.exact = false;
        return this.#settle(seen, 'failed', null);
      case 'task.skipped':
        if (event.reason === 'needs_attention') this.exact = false;
        return this.#settle(seen, 'skipped', event.reason);
      case 'task.cancelled':
        return this.#settle(seen, 'cancelled', event.reason);
      case 'task.adopted':
        seen.adopted = true;
        this.exact = false;
        return this.#settle(seen, event.status, null);
      case 'task.reset':
        return this.#reset(seen);
      default:
    }
  }

  /** S4: one outcome per attempt. */
  #recordOutcome(seen: Seen, attempt: number): void {
    if (seen.outcomes.has(attempt)) this.problem(`S4 attempt ${attempt} of ${seen.path} has two outcomes`);
    seen.outcomes.add(attempt);
  }

  #wait(seen: Seen, status: Status, waitsFor: Seen['waitsFor']): void {
    seen.performing = null;
    seen.status = status;
    seen.waitsFor = waitsFor;
  }

  #settle(seen: Seen, status: Status, reason: string | null): void {
    Object.assign(seen, { status, reason, performing: null, waitsFor: null });
    this.scopes[seen.scope]!.open--;
  }

  #reset(seen: Seen): void {
    this.resets++;
    if (seen.status === 'completed' && seen.spec.body.length === 0) this.problem(`S6 ${seen.path} is completed, and is reset`);
    if (isSettled(seen.status)) this.scopes[seen.scope]!.open++;
    Object.assign(seen, {
      status: this.#hasBody(seen) ? 'running' : 'pending',
      reason: null,
      performing: null,
      waitsFor: null,
      conditionHeld: false,
      reset: true,
    });
  }

  #hasBody(seen: Seen): boolean {
    const slot = this.tasks.indexOf(seen);
    return this.scopes.some(scope => scope.owner === slot && this.#blocks[scope.block] === seen.spec.body);
  }

  #checkMayBegin(seen: Seen): void {
    if (seen.status !== 'pending') this.problem(`${seen.path} is scheduled, being ${seen.status}`);
    if (seen.spec.condition !== 'none' && !seen.conditionHeld) this.problem(`S10 ${seen.path} is scheduled, and its condition did not hold`);
    this.#checkNeeds(seen);
  }

  #checkNeeds(seen: Seen): void {
    for (const { need, orderOnly } of this.#edgesOf(seen)) {
      const other = this.tasks[this.scopes[seen.scope]!.base + need]!;
      if (!isSettled(other.status)) this.problem(`order: ${seen.path} goes before ${other.path}, which is ${other.status}`);
      const blocks = other.status === 'failed' ? other.spec.onFailure !== 'continue' : other.status === 'cancelled' || other.reason === 'upstream_failed';
      if (blocks && !orderOnly && !(seen.reset && seen.spec.body.length > 0)) this.problem(`${seen.path} runs though ${other.path} is ${other.status}`);
    }
  }

  #edgesOf(seen: Seen): Edge[] {
    const list = this.#blocks[this.scopes[seen.scope]!.block]!;
    let edges = this.#edges.get(list);
    if (edges === undefined) this.#edges.set(list, (edges = list.map((_, i) => [...edgesOf(list, i)].map(([need, orderOnly]) => ({ need, orderOnly })))));
    return edges[seen.local]!;
  }

  /** The counters of a state against a recount. */
  recount(state: RunState): void {
    const tally = { done: 0, failed: 0, active: 0, running: 0 };
    for (const [slot, { status, scope }] of this.tasks.entries()) {
      if (STATUSES[state.taskStatus[slot]!] !== status)
        this.problem(`${this.tasks[slot]!.path} is ${STATUSES[state.taskStatus[slot]!]} in the state and ${status} by its events`);
      if (isSettled(status)) tally.done++;
      else if (status !== 'pending') tally.active++;
      if (status === 'failed') tally.failed++;
      if (status === 'running') tally.running++;
      const { base } = this.scopes[scope]!;
      const waiting = this.#edgesOf(this.tasks[slot]!).filter(({ need }) => !isSettled(this.tasks[base + need]!.status)).length;
      if (waiting !== state.waitingOn[slot]) this.problem(`waitingOn of ${this.tasks[slot]!.path} is ${state.waitingOn[slot]}, ${waiting} by recount`);
    }
    for (const key of ['done', 'failed', 'active', 'running'] as const)
      if (state[key] !== tally[key]) this.problem(`${key} is ${state[key]}, ${tally[key]} by recount`);
    this.scopes.forEach(({ open }, id) => {
      if (state.scopes[id]!.open !== open) this.problem(`scope ${id} has ${state.scopes[id]!.open} open, ${open} by recount`);
    });
    for (const [slot, { loop }] of state.extra) {
      if (loop === undefined) continue;
      const { path, spec } = this.tasks[slot]!;
      const rounds = this.scopes.filter(({ owner, block }) => owner === slot && this.#blocks[block] === spec.body);
      const done = rounds.filter(({ open }) => open === 0).length;
      if (loop.opened !== rounds.length || loop.done !== done)
        this.problem(`${path} counts ${loop.done} of ${loop.opened} iterations, ${done} of ${rounds.length} by recount`);
    }
  }

  /** Any task that visibly waits for a person or signal. */
  waiting(): Seen[] {
    return this.tasks.filter(seen => seen.status === 'waiting' && seen.waitsFor !== null);
  }
}

export function isSettled(status: Status): boolean {
  return STATUSES.indexOf(status) >= 4;
}

function linkOf({ kind }: Spec, handles: boolean, index: number): string {
  if (handles) return `/on_error[${index}]/`;
  return kind === 'for_each' ? `[${index}]/` : kind === 'while' ? `@${index}/` : '/';
}
