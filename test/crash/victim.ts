import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, watch, type FSWatcher } from 'node:fs';
import { join } from 'node:path';
import { below, pick, type Random } from './random.ts';

/** Kills that are still to be made, by all lanes together. */
export interface Quota {
  left: number;
  /** The command line under test. */
  command: string;
  byPhase: Map<string, number>;
}

const PROCESS_LIMIT_MS = 60_000;

/** The shipped command, one process after the other, each of which is killed when its phase comes or ends by itself. */
export class Victim {
  /** The phase in which the last process was killed. */
  killed: string | null = null;
  /** The phase in which the process of now is to be killed. */
  phase: string | null = null;
  /** What the last process said. */
  log = '';
  /** Whether the process of now has reached the world. */
  wasSeen = false;
  readonly #random: Random;
  readonly #folder: string;
  readonly #quota: Quota;
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess | null = null;

  constructor(random: Random, folder: string, quota: Quota, env: NodeJS.ProcessEnv = process.env) {
    this.#random = random;
    this.#folder = folder;
    this.#quota = quota;
    this.#env = env;
  }

  /** A phase for the next kill: of those that can come now, one that was seldom so far. */
  choose<Phase extends string>(phases: readonly Phase[], wasRecorded: boolean): Phase {
    const possible = phases.filter(phase => (phase === 'start' ? !wasRecorded : phase === 'recovery' ? wasRecorded : true));
    const few = Math.min(...possible.map(phase => this.#quota.byPhase.get(phase) ?? 0));
    return this.#random() < 0.5 ? possible.find(phase => (this.#quota.byPhase.get(phase) ?? 0) === few)! : pick(this.#random, possible);
  }

  /** Runs one process to its end. Null: it was killed, by us or because it does not come to an end. */
  async drive(args: readonly string[], phase: string | null, told: { line(text: string): void; problem(text: string): void }): Promise<number | null> {
    this.phase = phase;
    this.killed = null;
    this.wasSeen = false;
    const child = spawn(this.#quota.command, args, { cwd: this.#folder, env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    const ended = new Promise<number | null>(resolve => child.on('close', resolve));
    const limit = setTimeout(() => {
      told.problem('S8 a process does not come to an end');
      child.kill('SIGKILL');
    }, PROCESS_LIMIT_MS);
    this.#listen(child, told.line);
    const watcher = this.#arm(phase);
    const code = await ended;
    clearTimeout(limit);
    watcher?.close();
    this.#child = null;
    return code;
  }

  #listen(child: ChildProcess, line: (text: string) => void): void {
    let rest = '';
    this.log = '';
    child.stderr!.on('data', (chunk: Buffer) => (this.log += chunk.toString()));
    child.stdout!.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split('\n');
      rest = lines.pop()!;
      for (const each of lines) line(each);
      this.log += chunk.toString();
    });
  }

  /** Phases that no request tells of: by the time since the start, or by a write to the store. */
  #arm(phase: string | null): FSWatcher | null {
    if (phase === 'start' || phase === 'recovery') {
      const child = this.#child;
      setTimeout(
        () => {
          if (!this.wasSeen && this.#child === child) this.kill(phase);
        },
        60 + this.#random() * 350,
      );
      return null;
    }
    const folder = join(this.#folder, '.orchestrator');
    if (phase !== 'commit' || !existsSync(folder)) return null;
    let writes = below(this.#random, 12);
    return watch(folder, (_, name) => {
      if (name === 'state.db-wal' && writes-- === 0) this.killSoon('commit', 2);
    });
  }

  kill(phase: string): void {
    const child = this.#child;
    if (child === null || this.killed !== null || child.exitCode !== null || this.#quota.left <= 0) return;
    if (!child.kill('SIGKILL')) return;
    this.killed = phase;
    this.#quota.left--;
    this.#quota.byPhase.set(phase, (this.#quota.byPhase.get(phase) ?? 0) + 1);
  }

  killSoon(phase: string, withinMs: number): void {
    const child = this.#child;
    const delay = this.#random() * withinMs;
    if (delay < withinMs / 3) this.kill(phase);
    else setTimeout(() => child === this.#child && this.kill(phase), delay);
  }
}
