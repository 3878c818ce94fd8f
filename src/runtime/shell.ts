import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { steadyClock, systemClock, type Clock } from '../clock.ts';
import { documentOf, pathOf, type Command, type Computing, type Event, type Observation, type RunDocument } from '../engine/index.ts';
import { OrchestratorError } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { newId } from '../ids.ts';
import { canonicalJson, type JsonObject } from '../json.ts';
import { microUsd } from '../money.ts';
import type { Models } from '../models/index.ts';
import type { CompileLimits } from '../plan/compile.ts';
import type { RunFilter, RunRow, Store } from '../store/port.ts';
import type { Action, Policy } from '../tools/port.ts';
import type { ForkOptions, ResumeOptions, RunEvent, RunHandle, Shell, StartOptions } from './api.ts';
import { checkFork, checkKey, checkMove, checkResume, checkRetry } from './allowed.ts';
import { ask, type AskingShop } from './asking.ts';
import { budgetOf, Caps, checkBudget } from './budgets.ts';
import { checkCommand } from './commands.ts';
import { compileFile, startInputs, type Compiled } from './compile.ts';
import type { Config } from './config/index.ts';
import { DistantHandle } from './distant.ts';
import { readEvents } from './follow.ts';
import { planFork, readParent, type Parent } from './forking.ts';
import { Gateway } from './gateway.ts';
import { Handle } from './handle.ts';
import { hearReplies } from './heard.ts';
import { bornRun, newLiveRun, rowNow, type LiveRun } from './live.ts';
import { findRun, foldRun, PlanShelf, rowOf } from './load.ts';
import { enterLostCalls } from './lost.ts';
import { RunHost } from './host.ts';
import { Loop } from './loop.ts';
import { effectOf, perform } from './perform.ts';
import { pinsOf } from './pins.ts';
import { checkReady } from './ready.ts';
import type { Secrets } from './secrets.ts';
import { cassetteOf, Tapes } from './tape.ts';
import { ValueStore } from './values.ts';
import { Watch } from './watch.ts';

/** All that a shell is made of; `openShell` puts it together from the configuration. */
export interface ShellSettings {
  cwd: string;
  store: Store;
  stateFolder: string | undefined;
  models: Models;
  policy: Policy;
  secrets: Secrets;
  actions: Action[];
  /** Effects under way at once in this process. */
  concurrency: number;
  /** Caps on spending, of the configuration. */
  budget?: Config['budget'];
  /** Caps on what is compiled, of the configuration. */
  limits?: CompileLimits;
  /** Name and version of this program, for the journal. */
  program: string;
  clock?: Clock;
}

export type Shop = AskingShop & { shell: Shell };

/** Runs pipelines in this process, over one store. */
export class EmbeddedShell implements Shell {
  readonly store: Store;
  readonly shop: Shop;
  readonly actions: Action[];
  readonly #settings: ShellSettings;
  readonly #clock: Clock;
  readonly #plans: PlanShelf;
  readonly #loop: Loop;
  readonly #watch: Watch;
  /** Runs that are being taken up. */
  readonly #taking = new Map<string, Promise<void>>();

  constructor(settings: ShellSettings) {
    this.#settings = settings;
    this.#clock = steadyClock(settings.clock ?? systemClock);
    this.store = settings.store;
    this.actions = settings.actions;
    this.#plans = new PlanShelf(settings.store);
    const values = new ValueStore(settings.store);
    const shop: Shop = {
      store: settings.store,
      values,
      actions: new Map(settings.actions.map(action => [action.name, action])),
      policy: settings.policy,
      stateFolder: settings.stateFolder,
      secrets: settings.secrets,
      models: settings.models,
      caps: new Caps(settings.budget),
      loop: undefined as unknown as Loop,
      computing: (run, observed, slot) => this.#computing(run, observed, slot),
      tapes: new Tapes({
        secrets: settings.secrets,
        now: () => this.#clock.now(),
        warn: (run, slot, text) => this.#loop.send(run, { type: 'logged', slot, level: 'warn', text, now: this.#clock.now() }),
      }),
      gateway: (run, slot, flight, keep) => new Gateway(shop, run, slot, flight, keep),
      shell: this,
    };
    this.#loop = shop.loop = new Loop({
      store: settings.store,
      values,
      clock: this.#clock,
      concurrency: settings.concurrency,
      performer: {
        perform: (run, slot, attempt) => perform(shop, run, slot, attempt),
        ask: (run, slot, index) => ask(shop, run, slot, index),
        effectOf: (run, slot) => effectOf(shop, run, slot),
        computing: (run, observed, slot) => this.#computing(run, observed, slot),
      },
    });
    this.#watch = new Watch({
      store: settings.store,
      loop: this.#loop,
      models: settings.models,
      clock: this.#clock,
      obey: (run, order) => this.#obey(run, order),
      take: id => this.#take(id),
      wake: id => this.#wake(id),
    });
    this.#loop.onIdle = run => this.#watch.park(run);
    this.#loop.onLost = run => this.#watch.strand(run.id, run.lost instanceof OrchestratorError && run.lost.code === 'ORC-512');
    this.shop = shop;
  }

  /** What expressions see. With a slot it is recorded, or comes out of the cassette. */
  #computing(run: LiveRun, observed: Observation[], slot?: number): Computing {
    const { values, tapes } = this.shop;
    const tape = tapes.of(run);
    const taped = tape === undefined || slot === undefined ? undefined : { tape, path: pathOf(run.plan, run.state, slot) };
    const host = new RunHost(run, this.#clock, observed, taped);
    const computing: Computing = { plan: run.plan, state: run.state, run: run.id, load: ref => values.load(ref), host };
    return tape?.origin === undefined ? computing : { ...computing, origin: tape.origin };
  }

  compile(file: string): Promise<Compiled> {
    return compileFile(file, this.#settings.cwd, this.actions, { limits: this.#settings.limits });
  }

  async start(pipeline: string | Compiled, given: JsonObject = {}, options: StartOptions = {}): Promise<RunHandle> {
    const compiled = typeof pipeline === 'string' ? await this.compile(pipeline) : pipeline;
    const { plan } = compiled;
    const now = this.#clock.now();
    const inputs = this.#inputsOf(plan, given, now);
    checkReady(plan, this.#settings.models, options);
    const control = await this.store.control();
    if (control.drain || control.stop)
      throw new OrchestratorError('ORC-514', `nothing new is started: ${control.reason ?? 'the system is draining'}`, {
        class: 'unavailable',
        help: ['orchestrator undrain'],
      });
    const keyHash = options.key === undefined ? null : sha256(canonicalJson({ plan: plan.hash, inputs }));
    const known = options.key === undefined ? undefined : await this.#known(options.key, keyHash!);
    if (known !== undefined) return known;
    try {
      return await this.#begin(this.#create(compiled, inputs, options, keyHash, now), options);
    } catch (error) {
      // Another process has started the same in the same moment.
      if (options.key === undefined || !(error instanceof OrchestratorError && error.code === 'ORC-509')) throw error;
      const winner = await this.#known(options.key, keyHash!);
      if (winner === undefined) throw error;
      return winner;
    }
  }

  /** Inputs of a run, checked, with the defaults. */
  #inputsOf(plan: Compiled['plan'], given: JsonObject, now: number): JsonObject {
    const fileExists = (path: string): boolean => existsSync(resolve(this.#settings.cwd, path));
    const inputs = startInputs(plan, given, { now: () => now, fileExists, file: path => plan.inclusions[path] ?? '' });
    for (const { name, type } of plan.inputs) if (type === 'secret' && typeof inputs[name] === 'string') this.#settings.secrets.named(inputs[name], name);
    return inputs;
  }

  async run(pipeline: string | Compiled, inputs: JsonObject = {}, options: StartOptions = {}): Promise<RunDocument> {
    return (await this.start(pipeline, inputs, options)).result();
  }

  /** The run that an idempotency key stands for already (S1). */
  async #known(key: string, keyHash: string): Promise<RunHandle | undefined> {
    const row = await this.store.byKey(key);
    if (row === undefined) return undefined;
    checkKey(row, key, keyHash);
    const live = this.#loop.runs.get(row.run);
    if (live !== undefined) return new Handle(this.shop, live);
    if (row.status === 'completed' || row.status === 'failed' || row.status === 'cancelled') return new Handle(this.shop, await this.#fold(row));
    return (await this.#isElsewhere(row)) ? new DistantHandle(this.shop, row) : this.resume(row.run);
  }

  async #isElsewhere({ owner }: RunRow): Promise<boolean> {
    return owner !== null && owner !== this.store.owner && (await this.store.alive(owner));
  }

  #create(compiled: Compiled, inputs: JsonObject, options: StartOptions, keyHash: string | null, now: number): LiveRun {
    const { plan, body } = compiled;
    const id = newId('run', now, Math.random);
    const workspace = resolve(this.#settings.cwd, options.workspace ?? '.');
    const blobs: LiveRun['blobs'] = [];
    const pins = pinsOf(plan, this.#settings.cwd, options);
    const cassette = cassetteOf(options, path => resolve(this.#settings.cwd, path));
    const created: Event = {
      type: 'run.created',
      at: now,
      plan: plan.hash,
      inputs: this.shop.values.refer(inputs, blobs),
      workspace,
      program: this.#settings.program,
      trigger: options.trigger ?? 'cli',
      user: options.user ?? null,
      tags: [...(options.tags ?? []), ...(cassette?.mode === 'replay' ? ['replay'] : [])],
      key: options.key ?? null,
      parent: null,
      until: options.until ?? null,
      mocks: options.mocks ?? null,
      ...(pins === undefined ? {} : { pins }),
      ...(options.cache === false ? { uncached: true as const } : {}),
      ...(cassette === undefined ? {} : { cassette }),
    };
    const budget = budgetOf(plan, options.budgetUsd, this.#settings.budget, now);
    return this.#bear(id, plan, body, budget === undefined ? [created] : [created, budget], blobs, {
      user: created.user,
      tags: created.tags,
      key: created.key,
      keyHash,
      parent: null,
      workspace,
    });
  }

  #bear(...about: Parameters<typeof bornRun>): LiveRun {
    this.#plans.put(about[1]);
    return bornRun(...about);
  }

  async #begin(run: LiveRun, options: StartOptions): Promise<RunHandle> {
    this.#loop.add(run);
    const handle = new Handle(this.shop, run);
    await this.#loop.sendDurably(run, { type: 'start', now: this.#clock.now() });
    this.#watch.start();
    // Where the run is lost, whoever waits for its result is told.
    const cancel = (): void => void handle.cancel().catch(() => {});
    if (options.signal?.aborted === true) cancel();
    else options.signal?.addEventListener('abort', cancel, { once: true });
    return handle;
  }

  async resume(name: string, options: ResumeOptions = {}): Promise<RunHandle> {
    if (options.budgetUsd !== undefined) checkBudget(options.budgetUsd);
    const id = await this.find(name);
    const { pipeline, ...same } = options;
    return pipeline === undefined ? this.#alone(id, () => this.#resume(id, same)) : this.#resumeUnder(id, pipeline, same);
  }

  async #resume(id: string, options: ResumeOptions): Promise<RunHandle> {
    const { until = null } = options;
    const live = this.#loop.runs.get(id);
    if (live !== undefined) {
      this.#cap(live, options);
      if (live.state.status === 'paused') await this.#loop.sendDurably(live, { type: 'resume', until, now: this.#clock.now() });
      return new Handle(this.shop, live);
    }
    const row = await rowOf(this.store, id);
    checkResume(row);
    if (row.status === 'failed' || row.status === 'cancelled') return this.#retry(id, options);
    if (row.status === 'paused' && until === null && (await this.#isElsewhere(row))) {
      if (options.budgetUsd !== undefined) await this.command(id, { type: 'budget', microUsd: microUsd(options.budgetUsd), by: 'resume' });
      await this.command(id, { type: 'resume', by: 'another process' });
      return new DistantHandle(this.shop, row);
    }
    const run = await this.#take(id);
    this.#cap(run, options);
    await this.#revive(run, { until });
    return new Handle(this.shop, run);
  }

  async retry(name: string, options: ResumeOptions = {}): Promise<RunHandle> {
    if (options.budgetUsd !== undefined) checkBudget(options.budgetUsd);
    const id = await this.find(name);
    return this.#alone(id, () => this.#retry(id, options));
  }

  /** What was said on the way stands from now on: a cap in the journal, the use of caches while this process drives the run. */
  #cap(run: LiveRun, { budgetUsd, cache }: ResumeOptions): void {
    if (cache !== undefined) run.uncached = !cache;
    if (budgetUsd !== undefined) this.#loop.send(run, { type: 'budget', microUsd: microUsd(budgetUsd), by: 'resume', now: this.#clock.now() });
  }

  /** Work that takes a run up, one at a time a run: who comes second finds it taken. */
  #alone<T>(id: string, work: () => Promise<T>): Promise<T> {
    const mine = (this.#taking.get(id) ?? Promise.resolve()).then(work);
    const over = mine.then(
      () => {},
      () => {},
    );
    this.#taking.set(id, over);
    void over.then(() => {
      if (this.#taking.get(id) === over) this.#taking.delete(id);
    });
    return mine;
  }

  async #retry(id: string, options: ResumeOptions): Promise<RunHandle> {
    const row = await rowOf(this.store, id);
    checkRetry(row);
    const run = await this.#take(id);
    this.#cap(run, options);
    await this.#loop.sendDurably(run, { type: 'reopen', by: 'retry', now: this.#clock.now() });
    this.#watch.start();
    return new Handle(this.shop, run);
  }

  /** Under another plan a run does not go on itself: a fork of it does, and the run, where it is still open, is cancelled. */
  async #resumeUnder(id: string, pipeline: string | Compiled, options: ResumeOptions): Promise<RunHandle> {
    const compiled = typeof pipeline === 'string' ? await this.compile(pipeline) : pipeline;
    const parent = await readParent(this.store, this.#plans, id);
    if (compiled.plan.hash === parent.row.planHash) return this.resume(id, options);
    checkMove(parent, compiled);
    const handle = await this.#fork(parent, options, compiled);
    if (parent.row.endedAt === null) await this.command(id, { type: 'cancel', by: `resume as ${handle.id}` });
    return handle;
  }

  async fork(name: string, options: ForkOptions): Promise<RunHandle> {
    const { at, pipeline } = options;
    checkFork(options);
    const parent = await readParent(this.store, this.#plans, await this.find(name), typeof at === 'number' ? at : undefined);
    return this.#fork(parent, options, typeof pipeline === 'string' ? await this.compile(pipeline) : pipeline);
  }

  async #fork(parent: Parent, options: ForkOptions & ResumeOptions, compiled?: Compiled): Promise<RunHandle> {
    const now = this.#clock.now();
    if (compiled !== undefined) checkReady(compiled.plan, this.#settings.models, {});
    const { plan, body, events, overrides, blobs } = await planFork(parent, compiled, {
      store: this.store,
      values: this.shop.values,
      options,
      now,
      program: this.#settings.program,
      inputsOf: (target, given) => this.#inputsOf(target, given, now),
    });
    const { row, state } = parent;
    const run = this.#bear(newId('run', now, Math.random), plan, body, events, blobs, {
      user: row.user,
      tags: row.tags,
      key: null,
      keyHash: null,
      parent: row.run,
      workspace: row.workspace,
    });
    for (const override of overrides) this.#loop.send(run, { type: 'override', ...override, now });
    const cap = options.budgetUsd === undefined ? state.budget?.microUsd : microUsd(options.budgetUsd);
    if (cap !== undefined) this.#loop.send(run, { type: 'budget', microUsd: cap, by: 'fork', now });
    run.inputs.push({ type: 'recovered', epoch: 1, owner: this.store.owner, program: this.#settings.program, now });
    return this.#begin(run, {});
  }

  /** Makes this process the owner of a run and folds it. */
  async #take(id: string): Promise<LiveRun> {
    const row = await this.store.acquire(id);
    if (row === undefined)
      throw new OrchestratorError('ORC-507', `another live process owns ${id}`, {
        class: 'storage',
        help: [`orchestrator watch ${id}`, `orchestrator cancel ${id}`],
      });
    const run = await this.#fold(row).catch(async (error: unknown) => {
      // A run that cannot be read is not kept from others; where it is damaged, giving it back may fail too.
      await this.store.release(id).catch(() => {});
      throw error;
    });
    this.#watch.forget(id);
    this.#loop.add(run);
    return run;
  }

  async #fold(row: RunRow): Promise<LiveRun> {
    const id = row.run;
    const plan = await this.#plans.get(row.planHash);
    const run = newLiveRun(id, plan, await foldRun(this.store, plan, id), row.epoch, rowNow(row));
    for (const { path, call } of await this.store.ledger({ run: id })) run.nextCall.set(path, Math.max(run.nextCall.get(path) ?? 0, call + 1));
    return run;
  }

  /** Goes on where a run stood: what others asked of it meanwhile first, then the verdicts on what was under way, then what is owed. */
  async #revive(run: LiveRun, resume: { until: string | null } | null): Promise<void> {
    const now = this.#clock.now();
    const orders = await this.store.inbox(run.id);
    const inRun = (order: { command: Command }): boolean => order.command.type === 'cancel';
    for (const order of orders.filter(inRun)) this.#obey(run, order);
    await enterLostCalls(this.store, this.#loop, run);
    await hearReplies(this.store, this.shop.values, run);
    this.#loop.send(run, { type: 'recovered', epoch: run.epoch, owner: this.store.owner, program: this.#settings.program, now });
    for (const order of orders.filter(order => !inRun(order))) this.#obey(run, order);
    if (resume !== null && run.state.status === 'paused') this.#loop.send(run, { type: 'resume', until: resume.until, now });
    this.#watch.start();
    await this.#loop.sendDurably(run, { type: 'due', slot: 0, now });
  }

  #obey(run: LiveRun, order: { key: string; command: Command }): void {
    if (run.obeyed.has(order.key)) return;
    run.obeyed.add(order.key);
    run.consumed.push(order.key);
    this.#loop.send(run, { type: 'command', command: order.command, now: this.#clock.now() });
  }

  async command(name: string, command: Command): Promise<void> {
    const id = await this.find(name);
    const live = this.#loop.runs.get(id);
    const row = await rowOf(this.store, id);
    const plan = live?.plan ?? (await this.#plans.get(row.planHash));
    checkCommand(id, plan, live?.state ?? (await foldRun(this.store, plan, id)), command);
    const now = this.#clock.now();
    if (live !== undefined) return this.#loop.sendDurably(live, { type: 'command', command, now });
    await this.store.deliver(id, newId('cmd', now, Math.random), command, now);
    if (this.#watch.isParked(id)) await this.#wake(id);
    else if (command.type === 'cancel' && !(row.owner !== null && (await this.store.alive(row.owner)))) await this.#cancelUnowned(id);
  }

  /** Nobody runs it, so nobody else would write that it is cancelled. */
  async #cancelUnowned(id: string): Promise<void> {
    const run = await this.#alone(id, async () => {
      const live = this.#loop.runs.get(id);
      if (live !== undefined) return live;
      const taken = await this.#take(id);
      await this.#revive(taken, null);
      return taken;
    });
    await new Handle(this.shop, run).result();
  }

  async show(name: string): Promise<RunDocument> {
    const id = await this.find(name);
    const { values } = this.shop;
    const live = this.#loop.runs.get(id);
    if (live !== undefined) return values.settle(() => documentOf({ plan: live.plan, state: live.state, run: id, load: ref => values.load(ref) }));
    const row = await rowOf(this.store, id);
    const plan = await this.#plans.get(row.planHash);
    const state = await foldRun(this.store, plan, id);
    return values.settle(() => documentOf({ plan, state, run: id, load: ref => values.load(ref) }));
  }

  async *events(name: string, options: { from?: number; follow?: boolean; signal?: AbortSignal } = {}): AsyncIterable<RunEvent> {
    yield* readEvents(this.store, this.#loop, this.#plans, await this.find(name), options);
  }

  runs(filter: RunFilter = {}): Promise<RunRow[]> {
    return this.store.runs(filter);
  }

  find(name: string): Promise<string> {
    return findRun(this.store, name);
  }

  /** Takes up all runs that nobody alive owns. */
  async resumeAll(): Promise<RunHandle[]> {
    const handles: RunHandle[] = [];
    for (const row of await this.store.orphans()) {
      if (row.status === 'paused' && !(await this.#mayGoOn(row))) continue;
      try {
        handles.push(await this.resume(row.run));
      } catch (error) {
        // One that another process was quicker to take, or that is damaged, does not keep the others waiting.
        if (!(error instanceof OrchestratorError && (error.code === 'ORC-507' || error.code === 'ORC-504'))) throw error;
      }
    }
    return handles;
  }

  /** Is a run that is paused on a cap due because the cap began anew, or told to go on because it was raised? */
  async #mayGoOn({ run, reason, dueAt }: RunRow): Promise<boolean> {
    if (reason !== 'budget') return false;
    return (dueAt !== null && dueAt <= this.#clock.now()) || (await this.store.inbox(run)).some(({ command }) => command.type === 'resume');
  }

  /** Takes a run that only waited back into memory. */
  #wake(id: string): Promise<void> {
    return this.#alone(id, async () => {
      if (!this.#watch.isParked(id)) return;
      try {
        await this.#revive(await this.#take(id), null);
      } catch (error) {
        // What may pass is tried again at the next look; else the run is given back, for whoever can go on with it.
        if (!(error instanceof OrchestratorError && error.retryable)) this.#watch.strand(id);
      }
    });
  }

  /** Stops driving, without a word about the runs: they are taken up again by `resume`. What was decided is written first. */
  async close(): Promise<void> {
    this.#watch.stop();
    this.#loop.holding = true;
    await this.#loop.flushed();
    for (const run of this.#loop.runs.values())
      this.#loop.lose(run, new OrchestratorError('ORC-231', 'the shell was closed', { class: 'cancelled', help: [`orchestrator resume ${run.id}`] }));
    await this.#settings.models.close();
    await this.store.close();
  }
}
