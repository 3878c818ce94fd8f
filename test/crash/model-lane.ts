import { execFile, fork, type ChildProcess } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ModelOracle, type Report } from './model-oracle.ts';
import { sampleModelPipeline } from './model-pipelines.ts';
import type { Bill, Told } from './model-server.ts';
import { below, randomOf } from './random.ts';
import { readJournal } from './store.ts';
import { Victim, type Quota } from './victim.ts';

export const MODEL_PHASES = ['start', 'asked', 'midway', 'delivered', 'commit', 'recovery'] as const;
type Phase = (typeof MODEL_PHASES)[number];

const PROCESSES_MAX = 80;

/** The process of the model, shared by all lanes; each hears of its own requests. */
export class ModelService {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #listeners = new Map<string, (told: Told) => void>();

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.url = url;
    child.on('message', (told: Told) => {
      if (told.type !== 'listening') this.#listeners.get(told.lane)?.(told);
    });
  }

  static open(): Promise<ModelService> {
    const child = fork(join(import.meta.dirname, 'model-server.ts'), { stdio: 'inherit' });
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('message', (told: Told) => told.type === 'listening' && resolve(new ModelService(child, told.url)));
    });
  }

  listen(lane: string, listener: (told: Told) => void): void {
    this.#listeners.set(lane, listener);
  }

  /** What a lane was billed. */
  bills(lane: string): Promise<Bill[]> {
    const before = this.#listeners.get(lane)!;
    return new Promise(resolve => {
      this.#listeners.set(lane, told => {
        if (told.type === 'ledger') resolve(told.bills);
        else before(told);
      });
      this.#child.send({ lane });
    });
  }

  close(): void {
    this.#child.disconnect();
  }
}

/** The life of one run that asks a model: started, killed and taken up again until it has ended. Answers what was wrong. */
export class ModelLane {
  readonly #name: string;
  readonly #folder: string;
  readonly #quota: Quota;
  readonly #service: ModelService;
  readonly #random;
  readonly #victim: Victim;
  /** Runs of every other lane are recorded, and at the end replayed without a model. */
  readonly #records: boolean;
  #oracle!: ModelOracle;

  constructor(seed: number, folder: string, quota: Quota, service: ModelService) {
    this.#name = `lane-${seed}`;
    this.#folder = folder;
    this.#quota = quota;
    this.#service = service;
    this.#random = randomOf(seed);
    this.#victim = new Victim(this.#random, folder, quota);
    this.#records = seed % 2 === 0;
  }

  async run(): Promise<string[]> {
    mkdirSync(this.#folder, { recursive: true });
    const sample = sampleModelPipeline(this.#random, `${this.#service.url}/${this.#name}/v1`);
    this.#oracle = new ModelOracle(sample);
    writeFileSync(join(this.#folder, 'pipeline.yaml'), sample.yaml);
    writeFileSync(join(this.#folder, 'config.yaml'), sample.config);
    this.#service.listen(this.#name, told => this.#hear(told));
    const { problems } = this.#oracle;
    try {
      let kills = 0;
      const wanted = 2 + below(this.#random, 6);
      for (let process = 1; problems.length === 0 && this.#oracle.ended === null; process++) {
        if (process > PROCESSES_MAX) throw new Error(`S8 after ${PROCESSES_MAX} processes it has not ended`);
        const mayKill = kills < wanted && this.#quota.left > 0;
        const code = await this.#drive(mayKill ? this.#victim.choose(MODEL_PHASES, this.#oracle.run !== null) : null);
        this.#oracle.look(readJournal(this.#folder, sample));
        if (this.#victim.killed !== null) kills++;
        else if (code !== 0) throw new Error(`S8 exit code ${code}`);
      }
      if (problems.length === 0) this.#oracle.atEnd(await this.#service.bills(this.#name), kills, await this.#report());
      if (problems.length === 0 && this.#records) await this.#replay();
    } catch (error) {
      problems.push((error as Error).message);
    }
    if (problems.length === 0) rmSync(this.#folder, { recursive: true, force: true });
    else problems.push(`kept in ${this.#folder}; the last process said: ${this.#victim.log.slice(-1500)}`);
    return problems;
  }

  #drive(phase: Phase | null): Promise<number | null> {
    const run = this.#oracle.run;
    const again =
      run === null || this.#random() < 0.3 ? ['run', 'pipeline.yaml', '--key', 'once', ...(this.#records ? ['--record', 'tape'] : [])] : ['resume', run];
    return this.#victim.drive([...again, '--output', 'ndjson', '--config', 'config.yaml', '-q'], phase, {
      line: text => this.#oracle.printed(text),
      problem: text => void this.#oracle.problems.push(text),
    });
  }

  /** What the model's process saw, a moment ago. */
  #hear(told: Told): void {
    this.#victim.wasSeen = true;
    const { phase } = this.#victim;
    if (told.type === 'asked') {
      if (told.billed) this.#oracle.asked(told.mark, told.turn);
      if (phase === 'asked' && this.#random() < 0.4) this.#victim.killSoon('asked', 6);
      // Without a store to watch, the first process is killed in a commit by the clock.
      if (phase === 'commit' && this.#random() < 0.2) this.#victim.killSoon('commit', 30);
    }
    if (told.type === 'midway' && phase === 'midway' && this.#random() < 0.5) this.#victim.killSoon('midway', 8);
    if (told.type === 'delivered' && phase === 'delivered' && this.#random() < 0.5) this.#victim.killSoon('delivered', 4);
  }

  /** What the product says of its costs. */
  async #report(): Promise<Report> {
    const [shown, cost] = await Promise.all([this.#json(['show', this.#oracle.run!, '--json']), this.#json(['cost', '--json'])]);
    return {
      showUsd: shown['costUsd'] as number,
      costUsd: cost['totalCost'] as number,
      uncertainCalls: (cost['uncertainCalls'] as number | undefined) ?? 0,
      uncertainUsd: (cost['uncertainCost'] as number | undefined) ?? 0,
    };
  }

  /** What was recorded over all kills gives the same results once more, and nothing is asked or paid. */
  async #replay(): Promise<void> {
    const before = await this.#service.bills(this.#name);
    const shown = await this.#json(['show', this.#oracle.run!, '--json']);
    const replayed = await this.#json(['run', 'pipeline.yaml', '--replay', 'tape', '--json'], []);
    const results = ({ tasks }: { [key: string]: unknown }): string => {
      const outputs = Object.entries(tasks as { [path: string]: { output: unknown } }).map(([path, { output }]) => `${path}: ${JSON.stringify(output)}`);
      return outputs.sort((one, two) => one.localeCompare(two)).join(', ');
    };
    if (results(shown) !== results(replayed)) this.#oracle.problems.push(`S7 the replay gives ${results(replayed)}, and the run gave ${results(shown)}`);
    if (replayed['costUsd'] !== 0) this.#oracle.problems.push(`S12 the replay says that it cost ${String(replayed['costUsd'])}`);
    if ((await this.#service.bills(this.#name)).length > before.length) this.#oracle.problems.push('S12 the replay asked the model');
  }

  #json(args: string[], config = ['--config', 'config.yaml']): Promise<{ [key: string]: unknown }> {
    return new Promise((resolve, reject) => {
      execFile(this.#quota.command, [...args, ...config], { cwd: this.#folder }, (error, stdout) => {
        if (error === null) resolve(JSON.parse(stdout) as { [key: string]: unknown });
        else reject(new Error(`S12 ${args.join(' ')} fails: ${error.message}`));
      });
    });
  }
}
