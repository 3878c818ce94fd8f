/** How many effects may be under way at once, in this process and in one run. */
export interface AdmissionLimits {
  process: number;
}

interface Waiting<T> {
  items: T[];
  next: number;
}

/**
 * Holds back offers for which there is no room. Runs take turns, so that one with ten thousand tasks does not starve the others.
 * `T` is what waits; a token is taken for each that is let through and given back when its effect has ended.
 */
export class Admission<T> {
  readonly #limit: number;
  #taken = 0;
  readonly #takenBy = new Map<string, number>();
  readonly #waiting = new Map<string, Waiting<T>>();

  constructor(limits: AdmissionLimits) {
    this.#limit = limits.process;
  }

  /** True where there is room now: a token is taken. */
  take(run: string, runLimit: number | undefined): boolean {
    const mine = this.#takenBy.get(run) ?? 0;
    if (this.#taken >= this.#limit || (runLimit !== undefined && mine >= runLimit)) return false;
    this.force(run);
    return true;
  }

  /** Takes a token whether there is room or not. */
  force(run: string): void {
    this.#taken++;
    this.#takenBy.set(run, (this.#takenBy.get(run) ?? 0) + 1);
  }

  wait(run: string, item: T): void {
    const queue = this.#waiting.get(run);
    if (queue === undefined) this.#waiting.set(run, { items: [item], next: 0 });
    else queue.items.push(item);
  }

  /** Gives a token back. */
  release(run: string): void {
    this.#taken--;
    const left = (this.#takenBy.get(run) ?? 1) - 1;
    if (left === 0) this.#takenBy.delete(run);
    else this.#takenBy.set(run, left);
  }

  /** Takes tokens for those that can go now, one run after the other. */
  *admit(runLimitOf: (run: string) => number | undefined): Generator<{ run: string; item: T }> {
    for (const [run, queue] of this.#waiting) {
      if (this.#taken >= this.#limit) return;
      if (!this.take(run, runLimitOf(run))) continue;
      const item = queue.items[queue.next++]!;
      this.#waiting.delete(run);
      if (queue.next < queue.items.length) this.#waiting.set(run, queue.next > 1000 ? { items: queue.items.slice(queue.next), next: 0 } : queue);
      yield { run, item };
    }
  }

  /** Forgets what waits for a run. */
  drop(run: string): void {
    this.#waiting.delete(run);
  }
}
