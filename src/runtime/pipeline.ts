import { dirname, resolve } from 'node:path';
import type { RunDocument } from '../engine/index.ts';
import { OrchestratorError } from '../errors.ts';
import type { Json, JsonObject } from '../json.ts';
import type { Plan, PlanTask } from '../plan/index.ts';
import { actionSpecs, type Action } from '../tools/index.ts';
import type { RunHandle } from './api.ts';
import { compileFile, compileText, type Compiled } from './compile.ts';
import { openShell } from './open.ts';
import type { EmbeddedShell } from './shell.ts';

/** A compiled pipeline as an object: its tasks can be looked at, and it can be run. */
export class Pipeline {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  /** In the order of the file. */
  readonly tasks: readonly Task[];
  readonly plan: Plan;
  /** The plan and its text, as runs are started from it. */
  readonly compiled: Compiled;
  readonly #actions: readonly Action[];
  #shell: Promise<EmbeddedShell> | undefined;
  #run: string | undefined;

  private constructor(compiled: Compiled, actions: readonly Action[]) {
    this.compiled = compiled;
    this.#actions = actions;
    this.plan = compiled.plan;
    this.id = compiled.plan.pipeline.id;
    this.name = compiled.plan.pipeline.name;
    this.version = compiled.plan.pipeline.version;
    this.tasks = compiled.plan.blocks[0]!.tasks.map(task => new Task(this, task, compiled.plan.blocks[0]!.tasks));
  }

  /** Compiles a file. Throws ValidationError with all problems and their positions. */
  static async load(file: string, options: { cwd?: string; actions?: readonly Action[] } = {}): Promise<Pipeline> {
    const { cwd = process.cwd(), actions = [] } = options;
    return new Pipeline(await compileFile(file, cwd, [...actionSpecs(), ...actionSpecs(actions)]), actions);
  }

  /** Compiles a text; files that it names are looked for in the folder of `file`. */
  static async parse(text: string, options: { file?: string; cwd?: string; actions?: readonly Action[] } = {}): Promise<Pipeline> {
    const { file = 'pipeline.yaml', cwd = process.cwd(), actions = [] } = options;
    return new Pipeline(await compileText(file, text, dirname(resolve(cwd, file)), [...actionSpecs(), ...actionSpecs(actions)]), actions);
  }

  #open(): Promise<EmbeddedShell> {
    this.#shell ??= openShell({ cwd: process.cwd(), env: process.env, actions: [...this.#actions] });
    return this.#shell;
  }

  /** Runs the pipeline in the default environment, to its end. */
  async execute(inputs: JsonObject = {}): Promise<RunDocument> {
    const shell = await this.#open();
    try {
      return await shell.run(this.compiled, inputs);
    } finally {
      await this.close();
    }
  }

  /** Settles one task and what it needs, in this object's own run, and nothing else. */
  async executeTask(id: string, inputs: JsonObject = {}): Promise<Json> {
    const shell = await this.#open();
    const handle = this.#run === undefined ? await shell.start(this.compiled, inputs, { until: id }) : await this.#goOn(shell, this.#run, id);
    this.#run = handle?.id ?? this.#run!;
    const document = handle === undefined ? await shell.show(this.#run) : await handle.result();
    const task = document.tasks[id];
    if (task === undefined) throw new OrchestratorError('ORC-201', `there is no task \`${id}\` in the pipeline`, { class: 'not_found' });
    if (task.error !== null) throw new OrchestratorError('ORC-216', task.error.message, { help: task.error.help });
    return task.output;
  }

  async #goOn(shell: EmbeddedShell, run: string, until: string): Promise<RunHandle | undefined> {
    const { status, tasks } = await shell.show(run);
    if (status !== 'paused' || tasks[until]?.status === 'completed') return undefined;
    return shell.resume(run, { until });
  }

  /** Gives the store back. The run of `executeTask` can be resumed. */
  async close(): Promise<void> {
    const shell = this.#shell;
    this.#shell = undefined;
    await (await shell)?.close();
  }
}

/** A task of a pipeline object. */
export class Task {
  readonly id: string;
  readonly action: string;
  /** Ids of the tasks whose results it needs, declared and inferred. */
  readonly dependencies: readonly string[];
  readonly #pipeline: Pipeline;

  constructor(pipeline: Pipeline, task: PlanTask, siblings: readonly PlanTask[]) {
    this.id = task.id;
    this.action = task.action;
    this.dependencies = task.dependencies.map(index => siblings[index]!.id);
    this.#pipeline = pipeline;
  }

  /** Settles this task and what it needs; gives its result, or throws why there is none. */
  execute(): Promise<Json> {
    return this.#pipeline.executeTask(this.id);
  }
}
