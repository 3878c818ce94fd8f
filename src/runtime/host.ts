import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Clock } from '../clock.ts';
import type { Observation } from '../engine/index.ts';
import type { Host } from '../language/expression/index.ts';
import type { LiveRun } from './live.ts';

/** The world as expressions see it; what it said is kept, for the journal. */
export class RunHost implements Host {
  readonly #run: LiveRun;
  readonly #clock: Clock;
  readonly #observed: Observation[];

  constructor(run: LiveRun, clock: Clock, observed: Observation[]) {
    this.#run = run;
    this.#clock = clock;
    this.#observed = observed;
  }

  now(): number {
    const value = this.#clock.now();
    this.#observed.push({ call: 'now', argument: null, value });
    return value;
  }

  fileExists(path: string): boolean {
    const value = existsSync(resolve(this.#run.state.created!.workspace, path));
    this.#observed.push({ call: 'file_exists', argument: path, value });
    return value;
  }

  file(path: string): string {
    return this.#run.plan.inclusions[path] ?? '';
  }
}
