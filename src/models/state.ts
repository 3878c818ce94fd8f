import type { Clock } from '../clock.ts';
import { BREAKER, CircuitBreaker, type BreakerState } from './breaker.ts';
import { HealthBook, type HealthRecord, type Outcome } from './health.ts';

/** What is learned of models, as plain data. */
export interface ModelStateJson {
  health: { [id: string]: HealthRecord };
  breakers: { [id: string]: BreakerState };
  /** Choices made by round robin, by requirements. */
  turns: { [key: string]: number };
}

/** What is kept of one model, and when that was learned. */
export interface KeptModel {
  atMs: number;
  health: HealthRecord;
  breaker: BreakerState;
}

export interface KeptModels {
  models: { [id: string]: KeptModel };
  turns: { [key: string]: number };
}

/** Keeps what is learned of models for other processes, and for those to come. Never a reason to fail: what cannot be kept is learned again. */
export interface StateKeeper {
  load(): KeptModels | Promise<KeptModels>;
  /** What changed here. Of what is kept of a model the newest stands; of turns, the most. */
  save(changed: KeptModels): void;
}

/** How often to look at what other processes learned. */
const LOOK_MS = 1000;
/** What was learned is kept after so long; that a circuit opened or closed, at once. */
const KEEP_MS = 500;

/** Health, circuits and turns of all models, as this process knows them and, with a keeper, as the others do. */
export class ModelState {
  readonly #health: HealthBook;
  readonly #turns: Map<string, number>;
  readonly #breakers = new Map<string, CircuitBreaker>();
  readonly #learnedAt = new Map<string, number>();
  readonly #changed = { models: new Set<string>(), turns: new Set<string>() };
  readonly #clock: Clock;
  readonly #keeper: StateKeeper | undefined;
  #lookedAt = -LOOK_MS;
  #timer: NodeJS.Timeout | undefined;

  constructor(clock: Clock, kept: Partial<ModelStateJson> = {}, keeper?: StateKeeper) {
    this.#clock = clock;
    this.#keeper = keeper;
    this.#health = new HealthBook(kept.health);
    this.#turns = new Map(Object.entries(kept.turns ?? {}));
    for (const [id, state] of Object.entries(kept.breakers ?? {})) this.#breakers.set(id, this.#newBreaker(id, state));
  }

  health(id: string): HealthRecord {
    this.#look();
    return this.#health.of(id);
  }

  circuit(id: string): BreakerState['status'] {
    this.#look();
    return this.#breakers.get(id)?.state ?? 'closed';
  }

  turn(key: string): number {
    this.#look();
    return this.#turns.get(key) ?? 0;
  }

  /** A turn of round robin is over. */
  endTurn(key: string): void {
    this.#turns.set(key, this.turn(key) + 1);
    this.#changed.turns.add(key);
    this.#keepSoon();
  }

  learn(id: string, outcome: Outcome): void {
    this.#health.learn(id, outcome);
    this.#touch(id);
  }

  /** Asks to call a model; throws ORC-404 where its circuit is open. */
  enter(id: string): void {
    this.#look();
    this.#turnSwitch(id, breaker => breaker.enter());
  }

  /** How the call went: well, badly, or in a way that says nothing of the model. */
  settle(id: string, how: 'well' | 'badly' | 'unsaid'): void {
    this.#turnSwitch(id, breaker => (how === 'unsaid' ? breaker.forget() : breaker.settle(how === 'well')));
  }

  toJSON(): ModelStateJson {
    return {
      health: this.#health.toJSON(),
      breakers: Object.fromEntries([...this.#breakers].map(([id, breaker]) => [id, breaker.toJSON()])),
      turns: Object.fromEntries(this.#turns),
    };
  }

  /** Keeps what has changed, now. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const { models, turns } = this.#changed;
    if (this.#keeper === undefined || models.size + turns.size === 0) return;
    this.#keeper.save({
      models: Object.fromEntries([...models].map(id => [id, this.#kept(id)])),
      turns: Object.fromEntries([...turns].map(key => [key, this.#turns.get(key)!])),
    });
    models.clear();
    turns.clear();
  }

  #turnSwitch(id: string, work: (breaker: CircuitBreaker) => void): void {
    const breaker = this.#breakers.get(id) ?? this.#newBreaker(id);
    this.#breakers.set(id, breaker);
    const before = breaker.toJSON();
    try {
      work(breaker);
    } finally {
      const after = breaker.toJSON();
      if (after !== before) this.#touch(id);
      if (after.status !== before.status) this.flush();
    }
  }

  #touch(id: string): void {
    this.#learnedAt.set(id, this.#clock.now());
    this.#changed.models.add(id);
    this.#keepSoon();
  }

  #keepSoon(): void {
    if (this.#keeper === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.flush(), KEEP_MS);
    this.#timer.unref();
  }

  #look(): void {
    if (this.#keeper === undefined) return;
    const now = this.#clock.monotonic();
    if (now - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = now;
    const kept = this.#keeper.load();
    if (kept instanceof Promise) void kept.then(found => this.#adopt(found));
    else this.#adopt(kept);
  }

  /** Of a model that was asked here since, we know better ourselves. */
  #adopt({ models, turns }: KeptModels): void {
    for (const [id, { atMs, health, breaker }] of Object.entries(models)) {
      if (atMs <= (this.#learnedAt.get(id) ?? 0)) continue;
      this.#learnedAt.set(id, atMs);
      this.#health.set(id, health);
      this.#breakers.set(id, this.#newBreaker(id, breaker));
    }
    for (const [key, turn] of Object.entries(turns)) this.#turns.set(key, Math.max(turn, this.#turns.get(key) ?? 0));
  }

  #kept(id: string): KeptModel {
    const breaker = this.#breakers.get(id) ?? this.#newBreaker(id);
    return { atMs: this.#learnedAt.get(id) ?? 0, health: this.#health.of(id), breaker: breaker.toJSON() };
  }

  #newBreaker(name: string, state?: BreakerState): CircuitBreaker {
    const { failureThreshold, resetAfterMs } = BREAKER;
    return new CircuitBreaker({ failureThreshold, resetAfter: resetAfterMs / 1000, name, clock: this.#clock, ...(state === undefined ? {} : { state }) });
  }
}
