import { TASK_STATUSES, type Command, type Effect, type Event, type Input, type Outcome, type RunState } from '../../src/engine/index.ts';
import { isSettled } from './observer.ts';
import { failureOf, numberOf } from './script.ts';
import { pathOfLive, type World } from './world.ts';

type Sent = Input extends infer One ? (One extends Input ? Omit<One, 'now'> : never) : never;

/** Micro-dollars of a call. */
const WORST = 10;
const BILL = 7;
const OVER_BUDGET = failureOf('budget', 'the budget is used up');

/** Something that can happen next. */
interface Item {
  /** True for what the outside says; it may come twice. */
  answer: boolean;
  run(): void;
}

/** One process that drives the run, until it dies: its state, what it has decided and not yet written, and what it has under way. */
export class Process {
  readonly world: World;
  readonly epoch: number;
  readonly state: RunState;
  alive = true;
  lost = 0;
  readonly #pool: Item[] = [];
  #timers: { slot: number; until: number }[] = [];
  #events: Event[] = [];
  #held: Effect[] = [];
  #afterCommit: (() => void)[] = [];
  readonly #aborted = new Set<number>();
  #keys = 0;

  constructor(world: World, epoch: number, state: RunState) {
    this.world = world;
    this.epoch = epoch;
    this.state = state;
  }

  get idle(): boolean {
    return this.#pool.length === 0 && this.#events.length === 0 && this.#timers.length === 0;
  }

  get unwritten(): number {
    return this.#events.length;
  }

  feed(sent: Sent): void {
    const { engine, setting, now } = this.world;
    this.world.inputs++;
    const { events, effects } = engine.decide(setting.plan, this.state, { ...sent, now } as Input);
    for (const event of events) this.#events.push(event);
    for (const effect of effects) {
      if (effect.type === 'offer') this.#pool.push({ answer: false, run: () => this.#admit(effect) });
      else if (effect.type === 'evaluate') this.#pool.push({ answer: true, run: () => this.#evaluate(effect) });
      else this.#held.push(effect);
    }
    if (this.#events.length === 0) this.#handOut();
  }

  command(command: Command): void {
    this.feed({ type: 'command', command });
  }

  /** Makes one thing happen. */
  step(): void {
    const { world } = this;
    const { random } = world;
    if (this.#events.length > 0 && (this.#pool.length === 0 || random() < 0.4)) return this.commit();
    if (this.#timers.length > 0 && (this.#pool.length === 0 || random() < 0.05)) return this.#tick();
    if (this.#pool.length === 0) return;
    const index = world.pick(this.#pool.length);
    const item = this.#pool[index]!;
    if (item.answer && world.chance(world.setting.scenario.duplicateRate)) return item.run();
    this.#pool[index] = this.#pool.at(-1)!;
    this.#pool.pop();
    item.run();
  }

  commit(): void {
    const { world } = this;
    if (this.#hasNoRoom()) return;
    const before = this.state.seq - this.#events.length;
    if (!world.append(this.#events, this.epoch, before)) {
      this.alive = false;
      return;
    }
    this.#events = [];
    world.observer.recount(this.state);
    if (world.random() < 0.05) world.snapshot = { seq: this.state.seq, text: world.engine.snapshot(this.state) };
    this.#handOut();
  }

  #handOut(): void {
    const held = this.#held;
    this.#held = [];
    for (const effect of held) this.#start(effect);
    for (const then of this.#afterCommit.splice(0)) then();
  }

  #start(effect: Effect): void {
    switch (effect.type) {
      case 'perform':
        return this.#perform(effect.slot, effect.attempt);
      case 'ask':
        return this.#answers(() => this.#answer(effect.slot, effect.index));
      case 'timer':
        this.#timers.push({ slot: effect.slot, until: effect.until });
        return;
      case 'abort':
        this.#aborted.add(effect.slot);
        return;
      default:
    }
  }

  /** What comes back from outside: later, twice, or never. */
  #answers(run: () => void): void {
    if (this.world.chance(this.world.setting.scenario.crashRate / 4)) this.lost++;
    else this.#pool.push({ answer: true, run });
  }

  #tick(): void {
    this.#timers.sort((a, b) => a.until - b.until);
    const { slot, until } = this.#timers.shift()!;
    this.world.now = Math.max(this.world.now, until) + this.world.pick(3);
    this.feed({ type: 'due', slot });
  }

  #admit({ slot, stage, index }: Extract<Effect, { type: 'offer' }>): void {
    if (this.state.status !== 'running') return;
    const { world } = this;
    if (stage === 'call' && world.chance(world.setting.scenario.deferRate)) {
      return this.feed({ type: 'deferred', slot, ...this.#later(), reason: 'rate_limit' });
    }
    const { spec } = pathOfLive(world.setting, this.state, slot);
    if (stage === 'call' && spec.kind !== 'action') world.observer.problem(`a ${spec.kind} is offered as a call`);
    this.feed({ type: 'admitted', slot, stage, index, effect: spec.effect });
  }

  #evaluate({ slot, site, index }: Extract<Effect, { type: 'evaluate' }>): void {
    this.feed({ type: 'evaluated', slot, site, index, result: this.world.evaluate(this.state, slot, site, index) });
  }

  /** A model answers a tag; at which attempt is seen at the time of the question. */
  #answer(slot: number, index: number): void {
    const { world } = this;
    const seen = slot < 0 ? undefined : world.seen(slot);
    const failure = world.setting.script.answer(seen?.path ?? '', index, (seen?.attempts ?? 0) + 1);
    const known = seen === undefined ? world.observer.inputAnswers : seen.answers;
    if (known.has(index)) return;
    if (this.#isHeld(slot, -index)) return this.feed({ type: 'answered', slot, index, answer: { ok: false, failure: OVER_BUDGET, held: true } });
    if (slot >= 0 && TASK_STATUSES[this.state.taskStatus[slot]!] === 'scheduled' && this.#isDeferred(slot, -index))
      return this.feed({ type: 'answered', slot, index, answer: { ok: false, failure: OVER_BUDGET, deferred: this.#later() } });
    const answer =
      failure === undefined ? { ok: true as const, value: { v: 'yes' }, source: 'model' as const, model: 'm', reason: null } : { ok: false as const, failure };
    this.feed({ type: 'answered', slot, index, answer });
  }

  #perform(slot: number, attempt: number): void {
    const { world } = this;
    const seen = world.seen(slot);
    world.performed++;
    if (this.epoch === world.observer.epoch) {
      if (seen.attempts < attempt || (seen.performing === null && !isSettled(seen.status)))
        world.observer.problem(`S2 ${seen.path} is performed without a durable intent`);
      if (seen.outcomes.has(attempt) || seen.adopted) world.observer.problem(`S6 ${seen.path} is performed again, having its outcome`);
    }
    const step = seen.spec.step;
    if (step !== undefined && !seen.steps.get('step')?.done) return this.#performStep(slot, attempt, step);
    if (world.chance(world.setting.scenario.spendRate)) return void this.#pool.push({ answer: false, run: () => this.#call(slot, attempt) });
    this.#answers(this.#settling(slot, attempt));
  }

  /** Takes back what the store has no room for, and tells the run: nothing is written yet. */
  #hasNoRoom(): boolean {
    const { cap, engine, now } = this.world;
    const refused = cap.refused(this.#events);
    this.#events = this.#events.filter(event => event.type !== 'budget.reserved' || !refused.has(event));
    for (const event of refused.keys()) engine.takeBack(this.state, event);
    for (const [{ slot, key }, refusal] of refused) this.feed({ type: 'refused', slot, key, refusal: { ...refusal, until: now + 60_000 } });
    return refused.size > 0;
  }

  /** A call under a cap that several runs share: set aside durably before it is made, settled with its result (S12). */
  #call(slot: number, attempt: number): void {
    const key = `${this.epoch}.${this.#keys++}`;
    this.feed({ type: 'reserve', slot, key, microUsd: WORST, spans: [this.world.cap.span(this.world.now)] });
    this.#afterCommit.push(() => {
      if (!Object.hasOwn(this.state.reserved, key))
        return this.feed({ type: 'settled', slot, attempt, outcome: { ok: false, failure: OVER_BUDGET, held: true } });
      const settle = this.#settling(slot, attempt);
      let isTold = false;
      this.#answers(() => {
        if (!isTold) {
          const call = { purpose: 'prompt', model: 'm', inputTokens: 1, outputTokens: 1, costMicroUsd: BILL, latencyMs: 1 };
          this.feed({ type: 'called', slot, call, prompt: { v: '' }, reply: { v: '' }, key });
          this.feed({ type: 'release', slot, key });
        }
        isTold = true;
        settle();
      });
    });
    if (this.#events.length === 0) this.#handOut();
  }

  /** A step: intent, effect, result, each durable before the next (S2). */
  #performStep(slot: number, attempt: number, effect: string): void {
    const name = 'step';
    this.#pool.push({
      answer: false,
      run: () => {
        this.feed({ type: 'step', slot, attempt, name, step: { started: { key: `${this.world.seen(slot).path}/${name}`, effect } } });
        this.#afterCommit.push(() => {
          if (this.world.seen(slot).steps.get(name)?.done) this.world.observer.problem(`S6 the step of ${this.world.seen(slot).path} is performed again`);
          this.feed({ type: 'step', slot, attempt, name, step: { completed: { v: 'stepped' } } });
          this.#answers(this.#settling(slot, attempt));
        });
        if (this.#events.length === 0) this.#handOut();
      },
    });
  }

  /** Does the attempt meet the cap of a budget? Not for ever: the cap is raised in time. */
  #isHeld(slot: number, attempt: number): boolean {
    return numberOf(this.epoch, `${this.world.journal.length >> 4} ${slot}#${attempt}`) < this.world.setting.scenario.holdRate;
  }

  /** Does a limit hold the attempt back after it has begun? */
  #isDeferred(slot: number, attempt: number): boolean {
    return numberOf(this.epoch, `${this.world.journal.length >> 4} ${slot}@${attempt}`) < this.world.setting.scenario.deferRate;
  }

  #later(): { until: number; for: string } {
    return { until: this.world.now + 1000, for: 'm' };
  }

  /** Tells the outcome of an attempt, the same however often it is delivered; an attempt that is held gives its number to the next, so that is told once. */
  #settling(slot: number, attempt: number): () => void {
    let outcome: Outcome | undefined;
    return () => {
      const isAgain = outcome !== undefined;
      outcome ??= this.#outcomeOf(slot, attempt);
      if (!isAgain || !('held' in outcome || 'deferred' in outcome)) this.feed({ type: 'settled', slot, attempt, outcome });
    };
  }

  #outcomeOf(slot: number, attempt: number): Outcome {
    const { path } = this.world.seen(slot);
    if (this.#isDeferred(slot, attempt)) return { ok: false, failure: OVER_BUDGET, deferred: this.#later() };
    if (this.#isHeld(slot, attempt)) return { ok: false, failure: OVER_BUDGET, held: true };
    const scripted = this.world.setting.script.attempt(path, attempt);
    const failure = this.#aborted.has(slot) && this.world.random() < 0.5 ? failureOf('cancelled', 'aborted') : scripted;
    return failure === undefined ? { ok: true, output: { v: `${path}#${attempt}` } } : { ok: false, failure };
  }
}
