import type { RunDocument, TaskDocument } from '../../engine/document.ts';
import type { CallRecord, Ref } from '../../engine/event.ts';
import type { Json } from '../../json.ts';
import type { RunEvent } from '../../runtime/api.ts';
import { isContainer } from '../receipt.ts';

/** A stretch of time in the life of a task. */
export interface Segment {
  kind: 'queue' | 'run' | 'wait' | 'model';
  fromMs: number;
  toMs: number;
  note: string;
}

export interface TimelineRow {
  path: string;
  task: TaskDocument;
  segments: Segment[];
}

export interface CallFact {
  path: string;
  atMs: number;
  call: CallRecord;
  prompt: Json;
  reply: Json;
}

/** What a report tells beyond the result document, from the events of the run. */
export interface Facts {
  startedMs: number;
  endedMs: number;
  rows: TimelineRow[];
  calls: CallFact[];
  retries: { path: string; atMs: number; attempt: number; what: string; waitedMs: number }[];
  logs: { path: string; atMs: number; level: string; text: string }[];
  peak: number;
  /** Root tasks on the chain that decided how long the run took. */
  criticalPath: string[];
}

export function gatherFacts(document: RunDocument, events: readonly RunEvent[], load: (ref: Ref) => Json): Facts {
  const book = new SegmentBook();
  const facts: Facts = { startedMs: 0, endedMs: 0, rows: [], calls: [], retries: [], logs: [], peak: 0, criticalPath: criticalPathOf(document) };
  for (const event of events) {
    const path = event.path ?? '';
    facts.startedMs ||= event.type === 'run.started' ? event.at : 0;
    facts.endedMs = event.at;
    book.take(event, path);
    if (event.type === 'model.called') facts.calls.push({ path, atMs: event.at, call: event.call, prompt: load(event.prompt), reply: load(event.reply) });
    else if (event.type === 'task.logged') facts.logs.push({ path, atMs: event.at, level: event.level, text: event.text });
    else if (event.type === 'attempt.failed')
      facts.retries.push({
        path,
        atMs: event.at,
        attempt: event.attempt,
        what: `${event.failure.code}: ${event.failure.message.split('\n')[0]}`,
        waitedMs: event.retryAt === null ? 0 : event.retryAt - event.at,
      });
    else if (event.type === 'attempt.deferred')
      facts.retries.push({
        path,
        atMs: event.at,
        attempt: 0,
        what: `waited for ${event.reason === 'rate_limit' ? 'a rate limit' : event.reason}${event.for === undefined ? '' : ` of ${event.for}`}`,
        waitedMs: event.until - event.at,
      });
  }
  facts.startedMs ||= events[0]?.at ?? 0;
  facts.rows = book.rows(document, facts.endedMs);
  facts.peak = peakOf(facts.rows);
  return facts;
}

/** Builds the stretches of each task out of its events. */
class SegmentBook {
  readonly #segments = new Map<string, Segment[]>();
  readonly #open = new Map<string, Segment>();

  take(event: RunEvent, path: string): void {
    switch (event.type) {
      case 'task.scheduled':
        return this.#begin(path, 'queue', event.at, 'waits for its turn');
      case 'attempt.started':
        return this.#begin(path, 'run', event.at, event.attempt > 1 ? `attempt ${event.attempt}` : '');
      case 'loop.started':
        return this.#begin(path, 'run', event.at, `${event.count} iterations`);
      case 'attempt.failed':
        return event.retryAt === null ? this.#end(path, event.at) : this.#begin(path, 'wait', event.at, 'waits to try again');
      case 'attempt.deferred':
        return this.#begin(path, 'wait', event.at, 'waits for a limit');
      case 'approval.requested':
        return this.#begin(path, 'wait', event.at, 'waits for an approval');
      case 'signal.awaited':
        return this.#begin(path, 'wait', event.at, 'waits for a signal');
      case 'timer.set':
        return event.kind === 'sleep' ? this.#begin(path, 'wait', event.at, 'sleeps') : undefined;
      case 'attempt.doubtful':
        return this.#begin(path, 'wait', event.at, 'waits for a verdict');
      case 'model.called':
        return this.#push(path, { kind: 'model', fromMs: event.at - event.call.latencyMs, toMs: event.at, note: event.call.model });
      case 'task.completed':
      case 'task.failed':
      case 'task.cancelled':
      case 'task.skipped':
        return this.#end(path, event.at);
      default:
    }
  }

  rows(document: RunDocument, endedMs: number): TimelineRow[] {
    for (const path of this.#open.keys()) this.#end(path, endedMs);
    return Object.entries(document.tasks)
      .map(([path, task]) => ({ path, task, segments: this.#segments.get(path) ?? [] }))
      .filter(row => row.segments.some(segment => segment.kind !== 'queue'))
      .sort((a, b) => a.segments[0]!.fromMs - b.segments[0]!.fromMs || (a.path < b.path ? -1 : 1));
  }

  #begin(path: string, kind: Segment['kind'], at: number, note: string): void {
    this.#end(path, at);
    this.#open.set(path, { kind, fromMs: at, toMs: at, note });
  }

  #end(path: string, at: number): void {
    const segment = this.#open.get(path);
    if (segment === undefined) return;
    this.#open.delete(path);
    this.#push(path, { ...segment, toMs: at });
  }

  #push(path: string, segment: Segment): void {
    const known = this.#segments.get(path);
    if (known === undefined) this.#segments.set(path, [segment]);
    else known.push(segment);
  }
}

function peakOf(rows: readonly TimelineRow[]): number {
  const steps = rows
    .filter(row => !isContainer(row.task))
    .flatMap(row =>
      row.segments
        .filter(segment => segment.kind === 'run')
        .flatMap(segment => [
          { at: segment.fromMs, by: 1 },
          { at: segment.toMs, by: -1 },
        ]),
    );
  let running = 0;
  let peak = 0;
  for (const step of steps.sort((a, b) => a.at - b.at || a.by - b.by)) peak = Math.max(peak, (running += step.by));
  return Math.max(peak, rows.length > 0 ? 1 : 0);
}

/** From the root task that ended last back along what it waited for the longest. */
function criticalPathOf({ tasks }: RunDocument): string[] {
  const ended = (id: string): number => (tasks[id]?.endedAt == null ? 0 : Date.parse(tasks[id].endedAt));
  const roots = Object.keys(tasks).filter(path => !path.includes('/') && tasks[path]!.startedAt !== null);
  let id = roots.toSorted((a, b) => ended(b) - ended(a))[0];
  const chain: string[] = [];
  while (id !== undefined && !chain.includes(id)) {
    chain.unshift(id);
    id = tasks[id]!.dependencies.filter(need => ended(need) > 0).toSorted((a, b) => ended(b) - ended(a))[0];
  }
  return chain;
}
