import { formatDuration } from '../duration.ts';
import type { Failure } from '../errors.ts';
import type { RunEvent } from '../runtime/api.ts';
import { markOf, reasonText } from './glyphs.ts';
import { escapeLine, fit, pad, type Paint } from './text.ts';

/** One line about what just happened, and which task it belongs to. */
export interface Line {
  kind: 'done' | 'failed' | 'log' | 'state';
  path: string | null;
  text: string;
}

/** Tells events as lines. Of what runs inside loops and groups only failures are told, unless `all`: a loop of a thousand would drown the rest. */
export class Teller {
  readonly #paint: Paint;
  readonly #all: boolean;
  readonly #beganAt = new Map<string, number>();
  /** Who was asked the AUTO tags of tasks that are under way, and how long it took. */
  readonly #asked = new Map<string, { model: string; ms: number }>();

  constructor(paint: Paint, all: boolean) {
    this.#paint = paint;
    this.#all = all;
  }

  tell(event: RunEvent): Line | undefined {
    const path = event.path ?? '';
    const isInner = path.includes('/');
    switch (event.type) {
      case 'attempt.started':
        if (!this.#beganAt.has(path)) this.#beganAt.set(path, event.at);
        return undefined;
      case 'loop.started':
        this.#beganAt.set(path, event.at);
        return undefined;
      case 'model.called':
        if (event.call.purpose === 'auto') this.#asked.set(path, { model: event.call.model, ms: (this.#asked.get(path)?.ms ?? 0) + event.call.latencyMs });
        return undefined;
      case 'task.completed':
        return isInner && !this.#all
          ? this.#forget(path)
          : this.#end('done', 'completed', path, event.at, event.cached ? '⚡ cached' : event.recovered ? 'recovered' : '');
      case 'task.failed':
        return this.#end('failed', 'failed', path, event.at, failureText(event.failure));
      case 'task.skipped':
        return isInner && !this.#all
          ? undefined
          : this.#line('state', 'skipped', path, `skipped: ${reasonText(event.reason)}${event.because === null ? '' : ` (${escapeLine(event.because)})`}`);
      case 'attempt.failed':
        return event.retryAt === null
          ? undefined
          : {
              kind: 'state',
              path,
              text: `  ${this.#paint('warning', '↻')} ${name(path)}  attempt ${event.attempt} failed, again in ${formatDuration(event.retryAt - event.at)}: ${failureText(event.failure)}`,
            };
      case 'attempt.deferred':
        return this.#line(
          'state',
          'waiting',
          path,
          `waits ${formatDuration(event.until - event.at)} ${reasonText(event.reason)}${event.for === undefined ? '' : ` of ${escapeLine(event.for)}`}`,
        );
      case 'approval.requested':
        return this.#line('state', 'waiting', path, `asks: ${fit(escapeLine(event.prompt), 100)} [${event.choices.map(escapeLine).join(', ')}]`);
      case 'approval.given':
        return this.#line('state', 'completed', path, `${escapeLine(event.choice)}, said ${escapeLine(event.by)}`);
      case 'signal.awaited':
        return this.#line('state', 'waiting', path, `waits for the signal ${escapeLine(event.name)}`);
      case 'timer.set':
        return event.kind === 'sleep' ? this.#line('state', 'waiting', path, `waits ${formatDuration(event.until - event.at)}`) : undefined;
      case 'attempt.doubtful':
        return this.#line('state', 'waiting', path, 'its process died, and nobody knows whether its effect took place');
      case 'task.logged':
        return event.level === 'debug' && !this.#all
          ? undefined
          : {
              kind: 'log',
              path,
              text: `  ${this.#paint('faint', '│')} ${this.#paint('faint', name(path))}  ${level(event.level, this.#paint)}${escapeLine(event.text)}`,
            };
      default:
        return undefined;
    }
  }

  #forget(path: string): undefined {
    this.#beganAt.delete(path);
    this.#asked.delete(path);
    return undefined;
  }

  #end(kind: Line['kind'], status: 'completed' | 'failed', path: string, at: number, more: string): Line {
    const began = this.#beganAt.get(path);
    const asked = this.#asked.get(path);
    this.#forget(path);
    const parts = [
      began === undefined ? '' : formatDuration(at - began),
      asked === undefined ? '' : `AUTO by ${escapeLine(asked.model)} in ${formatDuration(asked.ms)}`,
      more,
    ];
    return this.#line(kind, status, path, parts.filter(part => part !== '').join('  '));
  }

  #line(kind: Line['kind'], status: Parameters<typeof markOf>[0], path: string, text: string): Line {
    const { glyph, style } = markOf(status);
    return { kind, path, text: `  ${this.#paint(style, glyph)} ${name(path)}  ${text}`.trimEnd() };
  }
}

function name(path: string): string {
  return pad(escapeLine(path), 20);
}

function failureText(failure: Failure): string {
  return `${failure.code}: ${escapeLine(failure.message.split('\n')[0]!)}`;
}

function level(of: 'debug' | 'info' | 'warn' | 'error', paint: Paint): string {
  return of === 'warn' || of === 'error' ? `${paint(of === 'warn' ? 'warning' : 'error', of)} ` : '';
}
