import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, watch, writeFileSync, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { Oracle } from './oracle.ts';
import { samplePipeline, type Sample } from './pipelines.ts';
import { below, pick, randomOf, type Random } from './random.ts';
import { EffectServer, type Listener } from './server.ts';
import { readJournal } from './store.ts';

export const PHASES = ['start', 'intent', 'effect', 'result', 'commit', 'recovery', 'end'] as const;
export type Phase = (typeof PHASES)[number];

/** Kills that are still to be made, by all lanes together. */
export interface Quota {
  left: number;
  /** The command line under test. */
  command: string;
  byPhase: Map<Phase, number>;
}

const PROCESS_LIMIT_MS = 60_000;
const PROCESSES_MAX = 80;

/** The life of one run: it is started, killed and taken up again until it has ended. Answers what was wrong. */
export class Lane implements Listener {
  process = 0;
  readonly #random: Random;
  readonly #folder: string;
  readonly #quota: Quota;
  #sample!: Sample;
  #oracle!: Oracle;
  #child: ChildProcess | null = null;
  #phase: Phase | null = null;
  #seen = 0;
  #killed: Phase | null = null;
  readonly #settled = new Set<string>();
  readonly #failedOnce = new Set<string>();
  #log = '';

  constructor(seed: number, folder: string, quota: Quota) {
    this.#random = randomOf(seed);
    this.#folder = folder;
    this.#quota = quota;
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
    else problems.push(`kept in ${this.#folder}; the last process said: ${this.#log.slice(-1500)}`);
    return problems;
  }

  async #live(): Promise<void> {
    let kills = 0;
    const wanted = 2 + below(this.#random, 6);
    const { problems } = this.#oracle;
    for (this.process = 1; problems.length === 0; this.process++) {
      if (this.process > PROCESSES_MAX) return void problems.push(`S8 after ${PROCESSES_MAX} processes it has not ended`);
      const mayKill = kills < wanted && this.#quota.left > 0;
      const code = await this.#drive(mayKill ? this.#choose() : null);
      this.#oracle.look(readJournal(this.#folder, this.#sample));
      if (this.#killed !== null) kills++;
      else if (code === 5) await this.#settle();
      else if (code !== 0) return void problems.push(`S8 exit code ${code}`);
      if (this.#oracle.ended !== null) break;
    }
    this.#oracle.atEnd(kills, this.#settled, path => this.#wrote(path));
  }

  /** A phase for the next kill: of those that can come now, one that was seldom so far. */
  #choose(): Phase {
    const recorded = this.#oracle.run !== null;
    const possible = PHASES.filter(phase => (phase === 'start' ? !recorded : phase === 'recovery' ? recorded : true));
    const few = Math.min(...possible.map(phase => this.#quota.byPhase.get(phase) ?? 0));
    return this.#random() < 0.5 ? possible.find(phase => (this.#quota.byPhase.get(phase) ?? 0) === few)! : pick(this.#random, possible);
  }

  /** Runs one process; it is killed when the phase comes, or ends by itself. */
  async #drive(phase: Phase | null): Promise<number | null> {
    const run = this.#oracle.run;
    const again = run === null || this.#random() < 0.3 ? ['run', 'pipeline.yaml', '--key', 'once'] : ['resume', run];
    this.#phase = phase;
    this.#killed = null;
    this.#seen = 0;
    const child = spawn(this.#quota.command, [...again, '--output', 'ndjson', '--config', 'config.yaml', '-q'], {
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    const ended = new Promise<number | null>(resolve => child.on('close', resolve));
    const limit = setTimeout(() => {
      this.#oracle.problems.push('S8 a process does not come to an end');
      child.kill('SIGKILL');
    }, PROCESS_LIMIT_MS);
    this.#listen(child);
    const watcher = this.#arm(phase);
    const code = await ended;
    clearTimeout(limit);
    watcher?.close();
    this.#child = null;
    return code;
  }

  #listen(child: ChildProcess): void {
    let rest = '';
    this.#log = '';
    child.stderr!.on('data', (chunk: Buffer) => (this.#log += chunk.toString()));
    child.stdout!.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop()!;
      for (const line of lines) this.#oracle.printed(line);
      this.#log += chunk.toString();
    });
  }

  /** Phases that no request tells of: by the time since the start, or by a write to the store. */
  #arm(phase: Phase | null): FSWatcher | null {
    if (phase === 'start' || phase === 'recovery') {
      const child = this.#child;
      setTimeout(
        () => {
          if (this.#seen === 0 && this.#child === child) this.#kill(phase);
        },
        60 + this.#random() * 350,
      );
      return null;
    }
    const folder = join(this.#folder, '.orchestrator');
    if (phase !== 'commit' || !existsSync(folder)) return null;
    let writes = below(this.#random, 12);
    return watch(folder, (_, name) => {
      if (name === 'state.db-wal' && writes-- === 0) this.#killSoon('commit', 2);
    });
  }

  #kill(phase: Phase): void {
    const child = this.#child;
    if (child === null || this.#killed !== null || child.exitCode !== null || this.#quota.left <= 0) return;
    if (!child.kill('SIGKILL')) return;
    this.#killed = phase;
    this.#quota.left--;
    this.#quota.byPhase.set(phase, (this.#quota.byPhase.get(phase) ?? 0) + 1);
  }

  #killSoon(phase: Phase, withinMs: number): void {
    const child = this.#child;
    const delay = this.#random() * withinMs;
    if (delay < withinMs / 3) this.#kill(phase);
    else setTimeout(() => child === this.#child && this.#kill(phase), delay);
  }

  connected(): boolean {
    this.#seen++;
    if (this.#phase === 'intent' && this.#random() < 0.4) this.#kill('intent');
    return this.#killed === null;
  }

  received(request: { path: string; key: string | null; process: number }): void {
    this.#oracle.received(request);
    if (this.#phase === 'effect' && this.#random() < 0.4) this.#killSoon('effect', 4);
    // Without a store to watch, the first process is killed in a commit by the clock.
    if (this.#phase === 'commit' && this.#random() < 0.2) this.#killSoon('commit', 8);
  }

  answered(path: string): void {
    if (this.#phase === 'result' && this.#random() < 0.4) this.#killSoon('result', 3);
    if (this.#phase === 'end' && path === 'final') this.#killSoon('end', 25);
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
