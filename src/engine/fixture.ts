import type { Failure } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import { compile } from '../plan/compile.ts';
import type { Plan } from '../plan/index.ts';
import type { ActionSpec } from '../tools/port.ts';
import {
  apply,
  compute,
  decide,
  documentOf,
  evaluateSite,
  initial,
  pathOf,
  slotOf,
  TASK_STATUSES,
  type Command,
  type Computing,
  type Effect,
  type Event,
  type Input,
  type RunDocument,
  type RunState,
} from './index.ts';

/* What the tests of this room share: a pipeline from YAML, and a world that does at once what a task's script says. */

const ANYTHING: JsonObject = { type: 'object', additionalProperties: true };

function spec(name: string, more: Partial<ActionSpec> = {}): ActionSpec {
  return { name, summary: `${name}.`, effect: 'read', powers: [], parameters: ANYTHING, result: {}, ...more };
}

const CATALOG: ActionSpec[] = [
  spec('work'),
  spec('mail', { effect: 'effectful' }),
  spec('write', { effect: 'idempotent' }),
  spec('say', { parameters: { type: 'object', properties: { text: { type: 'string' } }, additionalProperties: true } }),
  spec('sleep', { engine: 'sleep' }),
  spec('approval', { engine: 'approval' }),
  spec('signal.wait', { engine: 'signal' }),
  spec('pipeline.run', { engine: 'pipeline' }),
];

/** What a task does at an attempt: a failure, a value, or nothing until the test says so. */
export type Act = { fails: Partial<Failure> } | { gives: Json } | 'hangs';

export interface Script {
  /** By path; a list gives one act an attempt, the last for all that follow. A task without a script succeeds. */
  acts?: { [path: string]: Act | Act[] };
  /** Answers to tags, by path and number: `search 0`. */
  answers?: { [tag: string]: Json | { fails: Partial<Failure> } };
  files?: { [path: string]: string };
  until?: string;
  mocks?: { [path: string]: Json };
  inputs?: JsonObject;
}

const EPOCH_MS = 1_700_000_000_000;

export function failing(part: Partial<Failure> = {}): Failure {
  return { code: 'ORC-216', class: 'failed', message: 'it broke', retryable: false, help: [], ...part };
}

export function planFrom(text: string, files: { [path: string]: string } = {}): Plan {
  const { plan, diagnostics } = compile({ file: 'p.yaml', text, actions: CATALOG, read: path => files[path] ?? null });
  if (plan === null) throw new Error(diagnostics.map(({ message }) => message).join('; '));
  return plan;
}

/** A run under way: everything that can happen by itself has happened. */
export class Play {
  readonly plan: Plan;
  readonly events: Event[] = [];
  readonly effects: Effect[] = [];
  state: RunState;
  now = EPOCH_MS;
  /** While set, offers of calls are kept here in place of being admitted. */
  held: Effect[] | null = null;
  readonly #script: Script;
  #timers = new Map<number, number>();

  constructor(plan: Plan, script: Script) {
    this.plan = plan;
    this.#script = script;
    this.state = initial();
    const created: Event = {
      type: 'run.created',
      at: this.now,
      plan: plan.hash,
      inputs: { v: script.inputs ?? {} },
      workspace: '/w',
      program: 'test',
      trigger: 'test',
      user: null,
      tags: [],
      key: null,
      parent: null,
      until: script.until ?? null,
      mocks: script.mocks ?? null,
    };
    apply(plan, this.state, created);
    this.events.push(created);
  }

  /** Begins with other events than a run of its own. */
  begin(events: Event[]): void {
    this.events.splice(0, Infinity, ...events);
    this.state = this.stateAt();
  }

  /** Decides an input and lets everything follow that follows by itself. Answers the events of all that. */
  send(input: Input extends infer One ? (One extends Input ? Omit<One, 'now'> : never) : never): Event[] {
    const before = this.events.length;
    const { events, effects } = decide(this.plan, this.state, { ...input, now: this.now } as Input);
    this.events.push(...events);
    for (const effect of effects) this.#follow(effect);
    return this.events.slice(before);
  }

  order(command: Command): Event[] {
    return this.send({ type: 'command', command });
  }

  #follow(effect: Effect): void {
    this.effects.push(effect);
    switch (effect.type) {
      case 'offer':
        if (this.state.status !== 'running') return;
        if (this.held !== null && effect.stage === 'call') this.held.push(effect);
        else this.admit(effect);
        return;
      case 'evaluate': {
        const { slot, site, index } = effect;
        const result = evaluateSite(this.computing, slot, site, index);
        const kept = result.ok && site === 'loop' ? (result.value as { items: Json }).items : result.ok ? result.value : null;
        this.send({ type: 'evaluated', slot, site, index, result: result.ok ? { ...result, ref: { v: kept } } : result });
        return;
      }
      case 'ask':
        return this.#answer(effect.slot, effect.index);
      case 'perform':
        return this.#perform(effect.slot, effect.attempt);
      case 'timer':
        this.#timers.set(effect.slot, effect.until);
        return;
      default:
    }
  }

  admit({ slot, stage, index }: Extract<Effect, { type: 'offer' }>): void {
    this.send({ type: 'admitted', slot, stage, index, effect: this.#task(slot).effect });
  }

  #task(slot: number): Plan['blocks'][number]['tasks'][number] {
    const scope = this.state.scopes[this.state.scopeOf[slot]!]!;
    return this.plan.blocks[scope.block]!.tasks[slot - scope.base]!;
  }

  #answer(slot: number, index: number): void {
    const answer = this.#script.answers?.[`${slot < 0 ? 'inputs' : this.path(slot)} ${index}`];
    if (answer === undefined) return;
    const fails = answer !== null && typeof answer === 'object' && !Array.isArray(answer) && 'fails' in answer;
    this.send({
      type: 'answered',
      slot,
      index,
      answer: fails
        ? { ok: false, failure: failing(answer['fails'] as Partial<Failure>) }
        : { ok: true, value: { v: answer as Json }, source: 'model', model: 'm', reason: null },
    });
  }

  /** Computes the parameters, as every action has it, then does what the script says; without one it gives its text, or its path. */
  #perform(slot: number, attempt: number): void {
    const task = this.#task(slot);
    const parameters = compute(task.parameters, this.computing, { slot }) as JsonObject;
    const acts = this.#script.acts?.[this.path(slot)];
    const act = Array.isArray(acts) ? acts[Math.min(attempt, acts.length) - 1]! : acts;
    if (act !== 'hangs') this.settle(this.path(slot), act ?? { gives: parameters['text'] ?? this.path(slot) });
  }

  /** Says what became of the attempt that is under way. */
  settle(path: string, act: Exclude<Act, 'hangs'> = { gives: path }): Event[] {
    const slot = this.slot(path);
    return this.send({
      type: 'settled',
      slot,
      attempt: this.state.attempt[slot]!,
      outcome: 'fails' in act ? { ok: false, failure: failing(act.fails) } : { ok: true, output: { v: act.gives } },
    });
  }

  /** Lets time pass, and fires what is due. */
  wait(ms: number): void {
    this.now += ms;
    for (const [slot, until] of this.#timers) {
      if (until > this.now) continue;
      this.#timers.delete(slot);
      this.send({ type: 'due', slot });
    }
  }

  /** The process dies and another takes over: only the events are left. */
  crash(): Event[] {
    const { epoch } = this.state;
    this.state = this.fold();
    this.#timers = new Map();
    return this.send({ type: 'recovered', epoch: epoch + 1, owner: 'next', program: 'test' });
  }

  fold(): RunState {
    return this.stateAt();
  }

  /** The state as it was after so many events. */
  stateAt(seq?: number): RunState {
    const state = initial();
    for (const event of this.events.slice(0, seq)) apply(this.plan, state, JSON.parse(JSON.stringify(event)) as Event);
    return state;
  }

  get computing(): Computing {
    return {
      plan: this.plan,
      state: this.state,
      run: 'run_1',
      load: ref => ('v' in ref ? ref.v : null),
      host: { now: () => this.now, fileExists: () => false, file: () => '' },
    };
  }

  get document(): RunDocument {
    return documentOf(this.computing);
  }

  slot(path: string): number {
    return slotOf(this.plan, this.state, path);
  }

  path(slot: number): string {
    return pathOf(this.plan, this.state, slot);
  }

  /** `completed`, or `skipped upstream_failed` where there is a reason. */
  status(path: string): string {
    const slot = this.slot(path);
    const reason = this.state.taskReason[slot];
    return `${TASK_STATUSES[this.state.taskStatus[slot]!]}${reason ? ` ${reason}` : ''}`;
  }

  /** All tasks as `path status`. */
  get statuses(): string[] {
    return Object.keys(this.document.tasks).map(path => `${path} ${this.status(path)}`);
  }

  /** How often each action was performed, by path. */
  get performed(): string[] {
    return this.events.flatMap(event => (event.type === 'attempt.started' ? [`${this.path(event.slot)}#${event.attempt}`] : []));
  }
}

/** Tasks below `tasks:`, run as far as they go. */
export function setup(lines: string, script: Script = {}): Play {
  const play = new Play(planFrom(`name: p\nversion: "1"\ntasks:\n${lines}`, script.files), script);
  play.send({ type: 'start' });
  return play;
}
