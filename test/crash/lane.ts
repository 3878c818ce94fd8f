import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Oracle } from './oracle.ts';
import { samplePipeline, type Sample } from './pipelines.ts';
import { below, pick, randomOf, type Random } from './random.ts';
import { EffectServer, type Listener } from './server.ts';
import { readJournal } from './store.ts';
import { Victim, type Quota } from './victim.ts';

export const PHASES = ['start', 'intent', 'effect', 'result', 'commit', 'recovery', 'end'] as const;
export type Phase = (typeof PHASES)[number];

const PROCESSES_MAX = 80;

/** The life of one run: it is started, killed and taken up again until it has ended. Answers what was wrong. */
export class Lane implements Listener {
  process = 0;
  readonly #random: Random;
  readonly #folder: string;
  readonly #quota: Quota;
  #sample!: Sample;
  #oracle!: Oracle;
  readonly #victim: Victim;
  readonly #settled = new Set<string>();
  readonly #failedOnce = new Set<string>();

  constructor(seed: number, folder: string, quota: Quota) {
    this.#random = randomOf(seed);
    this.#folder = folder;
    this.#quota = quota;
    this.#victim = new Victim(this.#random, folder, quota);
  }

  async run(): Promise<string[]> {
    mkdirSync(this.#folder, { recursive: true });
    const server = await EffectServer.open(this);
    try {
      this.#sample = samplePipeline(this.#random, server.url);
      this.#oracle = new Oracle(this.#sample);
      writeFileSync(join(this.#folder, 'pipeline.yaml'), this.#sample.yaml);
      writeFileSync(join(this.#folder, 'config.yaml'), 'policy: { network: { private: allow } }\n');
      await this.#live();
    } catch (error) {
      this.#oracle.problems.push((error as Error).stack ?? String(error));
    } finally {
      server.close();
    }
    const { problems } = this.#oracle;
    if (problems.length === 0) rmSync(this.#folder, { recursive: true, force: true });
    else problems.push(`kept in ${this.#folder}; the last process said: ${this.#victim.log.slice(-1500)}`);
    return problems;
  }

  async #live(): Promise<void> {
    let kills = 0;
    const wanted = 2 + below(this.#random, 6);
    const { problems } = this.#oracle;
    for (this.process = 1; problems.length === 0; this.process++) {
      if (this.process > PROCESSES_MAX) return void problems.push(`S8 after ${PROCESSES_MAX} processes it has not ended`);
      const mayKill = kills < wanted && this.#quota.left > 0;
      const code = await this.#drive(mayKill ? this.#victim.choose(PHASES, this.#oracle.run !== null) : null);
      this.#oracle.look(readJournal(this.#folder, this.#sample));
      if (this.#victim.killed !== null) kills++;
      else if (code === 5) await this.#settle();
      else if (code !== 0) return void problems.push(`S8 exit code ${code}`);
      if (this.#oracle.ended !== null) break;
    }
    this.#oracle.atEnd(kills, this.#settled, path => this.#wrote(path));
  }

  /** Runs one process; it is killed when the phase comes, or ends by itself. */
  #drive(phase: Phase | null): Promise<number | null> {
    const run = this.#oracle.run;
    const again = run === null || this.#random() < 0.3 ? ['run', 'pipeline.yaml', '--key', 'once'] : ['resume', run];
    return this.#victim.drive([...again, '--output', 'ndjson', '--config', 'config.yaml', '-q'], phase, {
      line: text => this.#oracle.printed(text),
      problem: text => void this.#oracle.problems.push(text),
    });
  }

  connected(): boolean {
    this.#victim.wasSeen = true;
    if (this.#victim.phase === 'intent' && this.#random() < 0.4) this.#victim.kill('intent');
    return this.#victim.killed === null;
  }

  received(request: { path: string; key: string | null; process: number }): void {
    this.#oracle.received(request);
    if (this.#victim.phase === 'effect' && this.#random() < 0.4) this.#victim.killSoon('effect', 4);
    // Without a store to watch, the first process is killed in a commit by the clock.
    if (this.#victim.phase === 'commit' && this.#random() < 0.2) this.#victim.killSoon('commit', 8);
  }

  answered(path: string): void {
    if (this.#victim.phase === 'result' && this.#random() < 0.4) this.#victim.killSoon('result', 3);
    if (this.#victim.phase === 'end' && path === 'final') this.#victim.killSoon('end', 25);
  }

  /** The first answer to a flaky task is a 503, once. */
  flaky(path: string): boolean {
    if (this.#failedOnce.has(path) || !this.#sample.visible.some(each => each.path === path && each.flaky)) return false;
    this.#failedOnce.add(path);
    return true;
  }

  /** A person says of each effect in doubt that it is to be tried again, or that it took place. */
  async #settle(): Promise<void> {
    const paths = this.#oracle.doubtful();
    if (paths.length === 0) this.#oracle.problems.push('S8 the run waits, and for nothing that the outside can see');
    for (const path of paths) {
      this.#settled.add(path);
      const verdict = pick(this.#random, ['retry', 'completed']);
      const child = spawn(this.#quota.command, ['settle', this.#oracle.run!, path, '--as', verdict, '--config', 'config.yaml', '-q'], {
        cwd: this.#folder,
        stdio: 'ignore',
      });
      const code = await new Promise<number | null>(resolve => child.on('close', resolve));
      if (code !== 0) this.#oracle.problems.push(`S9 settle of ${path} exits ${code}`);
    }
  }

  #wrote(path: string): boolean {
    const { index, id } = /^(?:.*?(?:\[(?<index>\d+)\])?\/)?(?<id>.+)$/.exec(path)!.groups!;
    const file = join(this.#folder, 'out', `${id}${index === undefined ? '' : `-${index}`}.txt`);
    return existsSync(file) && readFileSync(file, 'utf8') === path;
  }
}
