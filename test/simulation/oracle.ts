import type { Failure } from '../../src/errors.ts';
import { edgesOf } from './plan.ts';
import type { HandlerSpec, Scenario, Spec } from './scenario.ts';
import { failureOf, type Script } from './script.ts';

/** What LANGUAGE.md says must become of a task. */
export interface Expected {
  status: 'completed' | 'failed' | 'skipped';
  reason: string | null;
  /** Null where it cannot be said. */
  attempts: number | null;
  /** Something around it fails for good while it may be under way: whether it still runs hangs on who was first. */
  racing: boolean;
}

export interface Prophecy {
  failed: boolean;
  tasks: Map<string, Expected>;
  /** False where only the invariants can be checked. */
  exact: boolean;
}

/** Reads a scenario as LANGUAGE.md's "Meaning" does, one task after the other, with no code of the engine. */
export function foretell(scenario: Scenario, script: Script): Prophecy {
  const reader = new Reader(script, new Set(scenario.mocks));
  for (let i = 0; i < scenario.inputTags; i++) {
    if (script.answer('', i, 1) !== undefined) return { failed: true, tasks: reader.tasks, exact: true };
  }
  const { failures } = reader.list(scenario.tasks, '');
  return { failed: failures > 0, tasks: reader.tasks, exact: reader.exact };
}

interface ListResult {
  results: Expected[];
  /** A task with the policy `fail` failed in it. */
  failing: boolean;
  /** Failures that no handler of a container around them has made good. */
  failures: number;
}

type Ran = { failure: Failure | null; failures: number };

class Reader {
  readonly tasks = new Map<string, Expected>();
  exact = true;
  readonly #order: Expected[] = [];
  readonly #script: Script;
  readonly #mocks: Set<string>;

  constructor(script: Script, mocks: Set<string>) {
    this.#script = script;
    this.#mocks = mocks;
  }

  list(list: Spec[], prefix: string): ListResult {
    const results: Expected[] = [];
    const routed = new Set<number>();
    const first = this.#order.length;
    let failing = false;
    let failures = 0;
    list.forEach((spec, index) => {
      const entry: Expected = { status: 'skipped', reason: null, attempts: 0, racing: false };
      results.push(entry);
      this.tasks.set(prefix + spec.id, entry);
      this.#order.push(entry);
      failures += this.#task(list, index, prefix + spec.id, entry, results, routed);
      if (entry.status === 'failed' && spec.onFailure === 'fail') failing = true;
    });
    if (failing) this.#race(first);
    return { results, failing, failures };
  }

  #race(first: number): void {
    for (let i = first; i < this.#order.length; i++) this.#order[i]!.racing = true;
  }

  #task(list: Spec[], index: number, path: string, entry: Expected, results: Expected[], routed: Set<number>): number {
    const spec = list[index]!;
    const skip = (reason: string): number => {
      entry.reason = reason;
      return 0;
    };
    const jump = (target: number | undefined): void => {
      if (target !== undefined) for (let between = index + 1; between < target; between++) routed.add(between);
    };
    if (routed.has(index)) return skip('routed');
    for (const [need, orderOnly] of edgesOf(list, index)) {
      const other = results[need]!;
      const blocks = other.status === 'failed' ? list[need]!.onFailure !== 'continue' : other.reason === 'upstream_failed';
      if (blocks && !orderOnly) return skip('upstream_failed');
    }
    const holds = this.#condition(spec, path);
    if (holds !== 'true') {
      jump(spec.onFalse);
      return skip(holds === 'false' ? 'condition_false' : 'condition_error');
    }
    if (this.#mocks.has(path)) {
      entry.status = 'completed';
      jump(spec.onSuccess);
      return 0;
    }
    const failures = this.#run(spec, path, entry);
    if (entry.status === 'completed') jump(spec.onSuccess);
    else if (entry.status === 'failed' && typeof spec.onFailure === 'object') jump(spec.onFailure.route);
    return failures;
  }

  #condition(spec: Spec, path: string): 'true' | 'false' | 'error' {
    if (spec.condition === 'none') return 'true';
    return spec.asksCondition && this.#script.answer(path, 0, 1) !== undefined ? 'error' : spec.condition;
  }

  /** Runs a task with its handlers. Answers how many failures it leaves behind. */
  #run(spec: Spec, path: string, entry: Expected): number {
    const tries = spec.handlers.map(() => 0);
    const answered = new Set<number>();
    for (;;) {
      const { failure, failures } = this.#once(spec, path, entry, answered);
      if (entry.reason === 'timed_out' && failure === null) return 0;
      entry.status = failure === null ? 'completed' : 'failed';
      if (failure === null) return failures;
      const handled = this.#handle(spec.handlers, path, failure, tries);
      if (handled === 'unhandled') return failures + 1;
      if (handled === 'recovered') {
        entry.status = 'completed';
        return 0;
      }
      if (spec.body.length > 0) this.exact = false;
    }
  }

  #handle(handlers: HandlerSpec[], path: string, failure: Failure, tries: number[]): 'recovered' | 'again' | 'unhandled' {
    for (const [i, handler] of handlers.entries()) {
      if (handler.classes.length > 0 && !handler.classes.includes(failure.class)) continue;
      if (handler.run !== undefined || !handler.fallback) {
        if (tries[i]! >= (handler.retry ? handler.maxRetries : 1)) continue;
        tries[i]!++;
        if (handler.run === undefined) return 'again';
        const inner = { ...handler.run, id: `on_error_${i + 1}` };
        const { results } = this.list([inner], `${path}/on_error[${i}]/`);
        // A handler's task has its list for itself: nobody races it. It may run more than once.
        Object.assign(results[0]!, { attempts: null, racing: false });
        if (results[0]!.status === 'completed') return handler.retry ? 'again' : 'recovered';
      }
      if (handler.fallback && this.#script.fallback(path, i)) return 'recovered';
    }
    return 'unhandled';
  }

  #once(spec: Spec, path: string, entry: Expected, answered: Set<number>): Ran {
    const failed = (message: string): Ran => ({ failure: failureOf('failed', message), failures: 0 });
    switch (spec.kind) {
      case 'action':
        return { failure: this.#attempts(spec, path, entry, answered), failures: 0 };
      case 'sleep':
        return this.#script.computes(path, 'parameters') ? { failure: null, failures: 0 } : failed('parameters');
      case 'approval':
      case 'signal':
        return this.#script.computes(path, 'parameters') ? this.#wait(spec, entry) : failed('parameters');
      case 'group':
        return this.#inside(spec, `${path}/`);
      case 'pipeline': {
        if (!this.#script.computes(path, 'inputs')) return failed('inputs');
        const ran = this.#inside(spec, `${path}/`);
        return ran.failure === null && !this.#script.computes(path, 'outputs') ? { ...ran, failure: failureOf('failed', 'outputs') } : ran;
      }
      default:
        return spec.count < 0 ? failed('no list') : this.#loop(spec, path);
    }
  }

  #attempts(spec: Spec, path: string, entry: Expected, answered: Set<number>): Failure | null {
    for (;;) {
      const attempt = ++entry.attempts!;
      const failure = this.#attempt(spec, path, attempt, answered);
      if (failure === undefined) return null;
      const again = spec.retry !== undefined && attempt < spec.retry.attempts && (spec.retry.all || failure.retryable);
      if (!again) {
        // A question that failed for good counts no attempt: none was begun.
        if (!this.#begun) entry.attempts!--;
        return failure;
      }
    }
  }

  #begun = false;

  #attempt(spec: Spec, path: string, attempt: number, answered: Set<number>): Failure | undefined {
    const first = spec.asksCondition ? 1 : 0;
    this.#begun = false;
    for (let tag = first; tag < first + spec.tags; tag++) {
      if (answered.has(tag)) continue;
      const failure = this.#script.answer(path, tag, attempt);
      if (failure !== undefined) return failure;
      answered.add(tag);
    }
    this.#begun = true;
    return this.#script.attempt(path, attempt);
  }

  #wait(spec: Spec, entry: Expected): Ran {
    const rejected = spec.answer === 'rejected' && spec.kind === 'approval';
    if (rejected || spec.answer === 'fail') return { failure: failureOf('timeout', spec.answer), failures: 0 };
    if (spec.answer === 'skip') Object.assign(entry, { status: 'skipped', reason: 'timed_out' });
    return { failure: null, failures: 0 };
  }

  #inside(spec: Spec, prefix: string): Ran {
    const { failing, failures } = this.list(spec.body, prefix);
    return { failure: failing ? failureOf('failed', prefix) : null, failures };
  }

  #loop(spec: Spec, path: string): Ran {
    const breaks = spec.onFailure !== 'skip' && spec.onFailure !== 'continue';
    const rounds = spec.kind === 'for_each' ? spec.count : Math.min(spec.bound === 'until' ? Math.max(spec.count, 1) : spec.count, spec.limit);
    const first = this.#order.length;
    let broken = false;
    let failures = 0;
    for (let i = 0; i < rounds; i++) {
      const ran = this.#inside(spec, spec.kind === 'for_each' ? `${path}[${i}]/` : `${path}@${i}/`);
      failures += ran.failures;
      if (ran.failure === null || !breaks) continue;
      broken = true;
      if (spec.kind === 'while' || spec.parallel === 1) break;
    }
    if (broken && spec.parallel > 1) this.#race(first);
    return { failure: broken ? failureOf('failed', path) : null, failures };
  }
}
