import type { Sample } from './pipelines.ts';
import type { Received } from './server.ts';
import type { Journal } from './store.ts';

/** Knows only what the outside can see: requests that arrived, lines that were printed, and what the disk held after each kill. */
export class Oracle {
  readonly problems: string[] = [];
  readonly #sample: Sample;
  readonly #keys = new Map<string, string>();
  readonly #requests: Received[] = [];
  /** Events that a process printed: they were acknowledged. */
  readonly #told: { seq: number; type: string }[] = [];
  #last: Journal | null = null;
  #completed = new Set<string>();

  constructor(sample: Sample) {
    this.#sample = sample;
  }

  get run(): string | null {
    return this.#last?.run ?? null;
  }

  get ended(): string | null {
    const end = this.#last?.facts.findLast(fact => fact.type === 'run.ended');
    return end === undefined ? null : String(end.status);
  }

  /** Paths of tasks that wait for a verdict. */
  doubtful(): string[] {
    const paths = new Map<number, boolean>();
    for (const fact of this.#last?.facts ?? []) if (fact.slot !== undefined) paths.set(fact.slot, fact.type === 'attempt.doubtful');
    return [...paths].flatMap(([slot, waits]) => (waits ? [this.#last!.paths[slot]!] : []));
  }

  received(request: Received): void {
    this.#requests.push(request);
    if (this.#completed.has(request.path)) this.problems.push(`S6 ${request.path} is performed again, having a recorded result`);
    const { key, path } = request;
    const keyed = this.#sample.visible.some(each => each.path === path && each.kind === 'keyed');
    if (!keyed) return;
    if (key === null) return void this.problems.push(`S3 ${path} came without a key`);
    const known = this.#keys.get(path);
    if (known !== undefined && known !== key) this.problems.push(`S3 ${path} came under ${key}, and before under ${known}`);
    for (const [other, used] of this.#keys) if (other !== path && used === key) this.problems.push(`S3 ${path} and ${other} came under one key`);
    this.#keys.set(path, key);
  }

  printed(line: string): void {
    let told: { seq?: number; type?: string };
    try {
      told = JSON.parse(line) as typeof told;
    } catch {
      return; // The last line of a process that was killed may be cut.
    }
    if (typeof told.seq === 'number') this.#told.push({ seq: told.seq, type: String(told.type) });
  }

  /** What the disk holds now against all that was seen before. */
  look(journal: Journal | null): void {
    const last = this.#last;
    if (journal === null) {
      if (last !== null || this.#told.length > 0 || this.#requests.length > 0) this.problems.push('S1 the run that was accepted is gone');
      return;
    }
    if (last !== null) {
      if (last.run !== journal.run) this.problems.push(`S1 the run is ${journal.run}, and was ${last.run}`);
      if (last.texts.some((text, i) => text !== journal.texts[i])) this.problems.push('S5 the journal has lost or changed what it held');
    }
    for (const { seq, type } of this.#told)
      if (journal.facts[seq - 1]?.type !== type) this.problems.push(`S5 event ${seq} (${type}) was told, and is not in the journal`);
    this.#told.length = 0;
    this.#checkIntents(journal);
    this.#checkOutcomes(journal);
    this.#last = journal;
    this.#completed = new Set(journal.facts.flatMap(fact => (fact.type === 'task.completed' ? [journal.paths[fact.slot!]!] : [])));
  }

  /** S2: whatever arrived had its intent on the disk. */
  #checkIntents({ facts, paths }: Journal): void {
    const intended = new Map<string, number>();
    for (const fact of facts) if (fact.type === 'attempt.started') intended.set(paths[fact.slot!]!, fact.attempt!);
    for (const { path } of this.#requests) if (!intended.has(path)) this.problems.push(`S2 ${path} was performed before its intent was on the disk`);
  }

  /** S4: one outcome per attempt, one end per task, one end of the run. */
  #checkOutcomes({ facts, paths }: Journal): void {
    const ended = new Set<number>();
    const failed = new Set<string>();
    for (const { type, slot, attempt } of facts) {
      if (type === 'task.completed' || type === 'task.failed' || type === 'task.skipped' || type === 'task.cancelled') {
        if (ended.has(slot!)) this.problems.push(`S4 ${paths[slot!]} has ended twice`);
        ended.add(slot!);
      }
      if (type !== 'attempt.failed') continue;
      if (failed.has(`${slot}#${attempt}`)) this.problems.push(`S4 attempt ${attempt} of ${paths[slot!]} has two outcomes`);
      failed.add(`${slot}#${attempt}`);
    }
    const ends = facts.filter(({ type }) => type === 'run.ended').length;
    if (ends > 1) this.problems.push(`S8 the run has ended ${ends} times`);
  }

  /** S3, S8: at the end each effect has taken place, as often as it was begun and no oftener. */
  atEnd(kills: number, settled: ReadonlySet<string>, files: (path: string) => boolean): void {
    if (this.ended !== 'completed') this.problems.push(`S8 the run is ${this.ended ?? 'not ended'}`);
    for (const { path, kind, flaky } of this.#sample.visible) {
      if (kind === 'file') {
        if (!files(path)) this.problems.push(`S3 the file of ${path} is not there`);
        continue;
      }
      const times = this.#requests.filter(request => request.path === path).length;
      if (times === 0 && !settled.has(path)) this.problems.push(`S3 ${path} is completed, and nothing arrived`);
      if (times > 1 + kills + (flaky ? 1 : 0)) this.problems.push(`S6 ${path} arrived ${times} times after ${kills} kills`);
      if (kind === 'effectful' && times > 1 + (flaky ? 1 : 0) && !settled.has(path))
        this.problems.push(`S9 ${path} is effectful, and arrived ${times} times without a verdict`);
    }
  }
}
