import type { RunEvent, RunHandle } from '../runtime/api.ts';
import type { EmbeddedShell } from '../runtime/index.ts';
import type { RunOutput } from './drive.ts';
import { Teller, type Line } from './lines.ts';
import { Keys } from './keys.ts';
import { LiveRegion } from './live.ts';
import { heartbeat, progressLines, type ProgressOptions } from './progress.ts';
import { escapeLine } from './text.ts';
import type { Terminal } from './terminal.ts';

const REDRAW_MS = 100;
const HEARTBEAT_MS = 30_000;
const LOGS_KEPT = 500;

export interface FollowOptions {
  /** The event after which the telling begins. */
  from?: number;
  observe?(event: RunEvent): void;
  /** What the key q does, for somebody at a terminal. */
  leave?: { word: string; act(): void };
}

/** Tells how a run goes while it goes: as a picture on a terminal, as lines elsewhere, as events under ndjson. */
export class Follower {
  readonly #terminal: Terminal;
  readonly #shell: EmbeddedShell;
  readonly #handle: Pick<RunHandle, 'id' | 'view'>;
  readonly #observe: ((event: RunEvent) => void) | undefined;
  readonly #output: RunOutput;
  readonly #teller: Teller;
  readonly #region: LiveRegion | undefined;
  readonly #abort = new AbortController();
  /** Log lines of tasks that are under way, to be folded into the group of their task (GitHub). */
  readonly #logs: Map<string, string[]> | undefined;
  readonly #leave: FollowOptions['leave'];
  readonly #keys: Keys | undefined;
  #shows: 'tasks' | 'failures' | 'logs' = 'tasks';
  readonly #failures: string[] = [];
  readonly #logged: string[] = [];
  #seq: number;
  #appended: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();

  constructor(
    terminal: Terminal,
    shell: EmbeddedShell,
    handle: Pick<RunHandle, 'id' | 'view'>,
    output: RunOutput,
    { from = 0, observe, leave }: FollowOptions = {},
  ) {
    this.#terminal = terminal;
    this.#shell = shell;
    this.#handle = handle;
    this.#observe = observe;
    this.#output = output;
    this.#seq = from;
    this.#teller = new Teller(terminal.paint, terminal.verbose > 0);
    this.#region = terminal.canRedraw ? new LiveRegion(text => terminal.err(text)) : undefined;
    this.#leave = leave;
    this.#keys =
      this.#region === undefined || !terminal.canAsk
        ? undefined
        : new Keys({ source: process.stdin, onKey: key => this.#press(key), onSuspend: () => this.#region?.clear() });
    this.#logs = terminal.env['GITHUB_ACTIONS'] === 'true' ? new Map() : undefined;
  }

  /** A machine that reads the result, or somebody who wants quiet, is told nothing meanwhile. */
  get #tells(): boolean {
    return !this.#terminal.quiet && (this.#output === 'human' || this.#region !== undefined);
  }

  start(): void {
    if (!this.#tells && this.#output !== 'ndjson' && this.#observe === undefined) return;
    if (this.#tells && this.#region === undefined && this.#seq === 0) {
      const { pipeline, run } = this.#handle.view();
      this.#terminal.err(`${this.#terminal.paint('strong', `● ${escapeLine(pipeline)}`)}  ${this.#terminal.paint('faint', run)}\n`);
    }
    this.#reading = this.#read();
    if (!this.#tells) return;
    this.#keys?.start();
    if (this.#region !== undefined) this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
    else this.#timer = setInterval(() => this.#terminal.err(`  ${heartbeat(this.#handle.view(), Date.now())}\n`), HEARTBEAT_MS);
  }

  /** Says a line that stays, above the picture where there is one. */
  say(text: string): void {
    if (this.#region === undefined) return this.#terminal.err(`${text}\n`);
    this.#appended.push(text);
    this.#draw();
  }

  /** Takes the picture away at once, and gives the cursor back. */
  leave(): void {
    clearInterval(this.#timer);
    this.#keys?.stop();
    this.#region?.clear();
  }

  /** Reads what is left, clears the picture; the sequence number of the last event that was told. */
  async end(): Promise<number> {
    clearInterval(this.#timer);
    this.#keys?.stop();
    this.#abort.abort();
    await this.#reading;
    if (this.#region !== undefined) {
      this.#draw();
      this.#region.clear();
    }
    return this.#seq;
  }

  /** Resolves when the run has ended. */
  ended(): Promise<void> {
    return this.#reading;
  }

  async #read(): Promise<void> {
    for await (const event of this.#shell.events(this.#handle.id, { from: this.#seq, follow: true, signal: this.#abort.signal })) {
      this.#seq = event.seq;
      this.#take(event);
    }
  }

  #take(event: RunEvent): void {
    this.#observe?.(event);
    if (this.#output === 'ndjson') this.#terminal.out(`${JSON.stringify({ v: 1, ...event })}\n`);
    if (!this.#tells) return;
    this.#keep(event);
    const line = this.#teller.tell(event);
    if (line === undefined) return;
    if (this.#region !== undefined) this.#appended.push(line.text);
    else for (const text of this.#logs === undefined ? [line.text] : this.#grouped(line, this.#logs)) this.#terminal.err(`${text}\n`);
  }

  /** What a finished task logged is folded below it; what a failed one logged stands open. */
  #grouped(line: Line, logs: Map<string, string[]>): string[] {
    const path = line.path ?? '';
    const kept = logs.get(path) ?? [];
    if (line.kind === 'log') {
      logs.set(path, [...kept, line.text]);
      return [];
    }
    if (line.kind === 'state') return [line.text];
    logs.delete(path);
    if (kept.length === 0) return [line.text];
    return line.kind === 'failed' ? [line.text, ...kept] : [`::group::${line.text.trim()}`, ...kept, '::endgroup::'];
  }

  /** What the keys f and l show. */
  #keep(event: RunEvent): void {
    if (this.#keys === undefined) return;
    if (event.type === 'task.failed') this.#failures.push(`✕ ${event.path}  ${event.failure.code}: ${event.failure.message.split('\n')[0]}`);
    if (event.type !== 'task.logged' || event.level === 'debug') return;
    this.#logged.push(`${event.path}  ${event.level === 'info' ? '' : `${event.level}: `}${event.text.split('\n')[0]}`);
    if (this.#logged.length > LOGS_KEPT) this.#logged.shift();
  }

  #press(key: string): void {
    if (key === 'f') this.#shows = this.#shows === 'failures' ? 'tasks' : 'failures';
    else if (key === 'l') this.#shows = this.#shows === 'logs' ? 'tasks' : 'logs';
    else if (key === 'q' && this.#leave !== undefined) this.#leave.act();
    else return;
    this.#draw();
  }

  #draw(): void {
    const { columns, paint } = this.#terminal;
    const options: ProgressOptions = { columns, paint, nowMs: Date.now(), hint: this.#hint() };
    if (this.#shows === 'failures') options.instead = { title: this.#failures.length === 0 ? 'Nothing has failed' : 'What has failed', lines: this.#failures };
    if (this.#shows === 'logs') options.instead = { title: this.#logged.length === 0 ? 'Nothing has been logged' : 'What tasks log', lines: this.#logged };
    this.#region!.draw(progressLines(this.#handle.view(), options), this.#appended);
    this.#appended = [];
  }

  #hint(): string {
    const stop = 'Ctrl-C finishes what runs, then stops';
    if (this.#keys === undefined) return stop;
    const leave = this.#leave === undefined ? '' : `   q ${this.#leave.word}`;
    const word = (name: 'failures' | 'logs'): string => (this.#shows === name ? 'back' : name);
    return `f ${word('failures')}   l ${word('logs')}${leave}   ${this.#leave === undefined ? stop : 'Ctrl-C stops'}`;
  }
}
