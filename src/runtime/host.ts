import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Clock } from '../clock.ts';
import type { Observation } from '../engine/index.ts';
import type { Host } from '../language/expression/index.ts';
import type { Json } from '../json.ts';
import type { LiveRun } from './live.ts';
import type { Tape } from './tape.ts';

/** The world as expressions see it; what it said is kept, for the journal. */
export class RunHost implements Host {
  readonly #run: LiveRun;
  readonly #clock: Clock;
  readonly #observed: Observation[];
  readonly #taped: { tape: Tape; path: string } | undefined;

  constructor(run: LiveRun, clock: Clock, observed: Observation[], taped?: { tape: Tape; path: string }) {
    this.#run = run;
    this.#clock = clock;
    this.#observed = observed;
    this.#taped = taped;
  }

  now(): number {
    return this.#see('now', null, () => this.#clock.now()) as number;
  }

  fileExists(path: string): boolean {
    return this.#see('file_exists', path, () => existsSync(resolve(this.#run.state.created!.workspace, path))) as boolean;
  }

  file(path: string): string {
    return this.#run.plan.inclusions[path] ?? '';
  }

  #see(call: string, argument: string | null, look: () => Json): Json {
    const value = this.#taped === undefined ? look() : this.#taped.tape.observe(this.#taped.path, call, argument, look);
    this.#observed.push({ call, argument, value });
    return value;
  }
}
