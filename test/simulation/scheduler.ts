import type { Event } from '../../src/engine/index.ts';
import { foretell } from './oracle.ts';
import { Process } from './process.ts';
import type { Seen } from './observer.ts';
import { World, type Engine, type Setting } from './world.ts';

const STEPS_MAX = 30_000;
const REOPENINGS_MAX = 3;

/** Runs a setting to its end under a random order of everything. Answers what was wrong. */
export function simulate(engine: Engine, setting: Setting, salt = 0, prologue?: Event[]): { world: World; problems: string[] } {
  const world = new World(engine, setting, salt);
  const scheduler = new Scheduler(world);
  try {
    scheduler.run(prologue);
  } catch (error) {
    world.observer.problem(`threw ${(error as Error).stack ?? String(error)}`);
  }
  if (world.observer.problems.length === 0) check(world, scheduler.process);
  return { world, problems: world.observer.problems };
}

class Scheduler {
  readonly world: World;
  process: Process;
  #zombie: Process | null = null;
  #reopened = 0;
  #stopped = false;

  constructor(world: World) {
    this.world = world;
    this.process = new Process(world, 1, world.engine.initial());
  }

  run(prologue: Event[] | undefined): void {
    const { world } = this;
    const { scenario } = world.setting;
    world.observer.epoch = 1;
    const first: Event[] = prologue ?? [created(scenario.until === null ? null : scenario.tasks[scenario.until]!.id, scenario.mocks, world.now)];
    world.observer.copying = prologue !== undefined;
    world.append(first, 1, 0);
    world.observer.copying = false;
    if (prologue !== undefined) world.observer.exact = false;
    this.process = new Process(world, 1, world.fold());
    if (prologue !== undefined) this.process.feed({ type: 'recovered', epoch: 1, owner: 'p1', program: 'sim' });
    this.process.feed({ type: 'start' });
    for (let steps = 0; !this.#stopped && world.observer.problems.length === 0; steps++) {
      if (steps > STEPS_MAX) return world.observer.problem('S8 the run does not come to an end');
      this.#step();
    }
  }

  #step(): void {
    const { world, process } = this;
    const { scenario } = world.setting;
    const ended = world.observer.ended && process.unwritten === 0;
    if (!process.alive) return world.observer.problem('the owner of the run was fenced');
    if (!ended && world.chance(scenario.crashRate)) return this.#crash();
    if (world.chance(scenario.jumpRate)) world.now -= world.pick(120_000);
    if (this.#zombie !== null && world.random() < 0.2) this.#stepZombie();
    if (!ended && world.chance(scenario.pauseRate)) return process.command({ type: world.random() < 0.5 ? 'pause' : 'resume', by: 'somebody' });
    if (!ended && world.chance(scenario.cancelRate))
      return world.random() < 0.5 ? process.command({ type: 'cancel', by: 'somebody' }) : process.feed({ type: 'expired' });
    if (!ended && world.random() < 0.15 && this.#somebodyAnswers()) return;
    if (ended && (process.idle || world.random() < 0.1)) return this.#afterEnd();
    if (process.idle) return this.#wake();
    process.step();
  }

  /** The process dies; another takes over. Sometimes the old one is only frozen, and goes on without knowing. */
  #crash(): void {
    const { world } = this;
    world.crashes++;
    if (this.process.unwritten === 0 && !world.equal(this.process.state, world.fold())) world.observer.problem('S7 the live state differs from its fold');
    if (world.observer.ended) {
      this.process = new Process(world, world.observer.epoch, world.fold());
      return;
    }
    this.#zombie = world.random() < 0.3 ? this.process : null;
    const epoch = world.observer.epoch + 1;
    this.process = new Process(world, epoch, world.fold());
    world.observer.again = [];
    this.process.feed({ type: 'recovered', epoch, owner: `p${epoch}`, program: 'sim' });
    this.process.commit();
    if (!this.process.alive) world.observer.problem('the new owner was fenced');
  }

  #stepZombie(): void {
    const zombie = this.#zombie!;
    const before = this.world.journal.length;
    zombie.step();
    if (this.world.journal.length !== before) this.world.observer.problem('S4 a zombie has written');
    if (!zombie.alive || zombie.idle) this.#zombie = null;
  }

  /** A person answers something that waits, or sends a signal before anybody waits for it. */
  #somebodyAnswers(): boolean {
    const { world } = this;
    const waiting = world.observer.waiting().filter(seen => this.#mayAnswer(seen));
    if (waiting.length === 0) {
      const early = world.observer.tasks.find(seen => seen.spec.kind === 'signal' && seen.status === 'pending' && isGiven(seen));
      if (early === undefined || world.random() < 0.7) return false;
      this.process.command({ type: 'signal', name: early.spec.id, payload: 'early', by: 'somebody' });
      return true;
    }
    this.#answer(waiting[world.pick(waiting.length)]!);
    return true;
  }

  #mayAnswer(seen: Seen): boolean {
    return seen.waitsFor === 'needs_attention' || isGiven(seen);
  }

  #answer(seen: Seen): void {
    const { process, world } = this;
    const by = 'somebody';
    if (seen.waitsFor === 'approval')
      process.command({ type: 'approve', task: seen.path, choice: seen.spec.answer === 'rejected' ? 'reject' : 'approve', by, comment: null });
    else if (seen.waitsFor === 'signal') process.command({ type: 'signal', name: seen.spec.id, payload: { x: 1 }, by });
    else
      process.command({ type: 'settle', task: seen.path, as: (['retry', 'retry', 'skip', 'fail', 'completed'] as const)[world.pick(5)]!, value: 'said', by });
  }

  /** Nothing is under way: the run must be paused or wait for the outside, or it is stuck (S8). */
  #wake(): void {
    const { world, process } = this;
    if (world.observer.status === 'paused') return process.feed({ type: 'resume', until: null });
    if (this.#somebodyAnswersNow()) return;
    if (process.lost > 0) return this.#crash();
    world.observer.problem(
      `S8 nothing is owed, nothing waits, and the run is ${world.observer.status}: ${world.observer.tasks
        .filter(seen => !['completed', 'skipped', 'failed', 'cancelled'].includes(seen.status))
        .map(seen => `${seen.path} ${seen.status}`)
        .join(', ')}`,
    );
  }

  #somebodyAnswersNow(): boolean {
    const waiting = this.world.observer.waiting().filter(seen => this.#mayAnswer(seen));
    if (waiting.length === 0) return false;
    this.#answer(waiting[0]!);
    return true;
  }

  #afterEnd(): void {
    const { world } = this;
    const again = world.setting.scenario.after === 'retry' && this.#reopened < REOPENINGS_MAX && world.observer.status !== 'completed';
    if (!again) {
      this.#stopped = true;
      return;
    }
    this.#reopened++;
    this.process = new Process(world, world.observer.epoch, world.fold());
    this.process.feed({ type: 'reopen', by: 'somebody' });
    if (this.process.unwritten === 0) world.observer.problem('a run that failed was not reopened');
  }
}

function isGiven(seen: Seen): boolean {
  return seen.spec.answer === 'given' || seen.spec.answer === 'rejected';
}

function created(until: string | null, mocked: string[], at: number): Event {
  const mocks = mocked.length === 0 ? null : Object.fromEntries(mocked.map(path => [path, 'mocked']));
  return {
    type: 'run.created',
    at,
    plan: 'p',
    inputs: { v: {} },
    workspace: '/',
    program: 'sim',
    trigger: 'sim',
    user: null,
    tags: [],
    key: null,
    parent: null,
    until,
    mocks,
  };
}

/** What must hold of a run that has ended. */
function check(world: World, process: Process): void {
  const { observer, engine, setting, journal } = world;
  if (!world.equal(process.state, world.fold())) observer.problem('S7 the live state differs from its fold');
  if (!world.equal(process.state, engine.restore(engine.snapshot(process.state)))) observer.problem('S7 a state does not survive its snapshot');
  const attempts = observer.tasks.reduce((sum, seen) => sum + seen.attempts, 0);
  const most = 40 + 10 * observer.tasks.length + 12 * attempts + 4 * observer.resets + 6 * world.crashes + world.inputs;
  if (journal.length > most) observer.problem(`${journal.length} events for ${observer.tasks.length} tasks`);
  const prophecy = foretell(setting.scenario, setting.script);
  if (!prophecy.exact || !observer.exact) return;
  if (observer.status !== (prophecy.failed ? 'failed' : 'completed'))
    observer.problem(`the run is ${observer.status}, expected ${prophecy.failed ? 'failed' : 'completed'}`);
  const latest = new Map(observer.tasks.map(seen => [seen.path, seen]));
  for (const [path, expected] of prophecy.tasks) {
    const seen = latest.get(path);
    if (expected.racing) {
      if (seen?.status === 'completed' && expected.status !== 'completed') observer.problem(`${path} is completed, expected ${expected.status}`);
      continue;
    }
    const reason = expected.status === 'skipped' ? expected.reason : null;
    if (seen?.status !== expected.status || seen.reason !== reason)
      observer.problem(`${path} is ${seen?.status} (${seen?.reason}), expected ${expected.status} (${reason})`);
    else if (seen.spec.kind === 'action' && expected.attempts !== null && seen.attempts !== expected.attempts)
      observer.problem(`${path} took ${seen.attempts} attempts, expected ${expected.attempts}`);
  }
}
