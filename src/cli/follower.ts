import type { RunEvent, RunHandle } from '../runtime/api.ts';
import type { EmbeddedShell } from '../runtime/index.ts';
import type { RunOutput } from './drive.ts';
import { Teller, type Line } from './lines.ts';
import { LiveRegion } from './live.ts';
import { heartbeat, progressLines } from './progress.ts';
import { escapeLine } from './text.ts';
import type { Terminal } from './terminal.ts';

const REDRAW_MS = 100;
const HEARTBEAT_MS = 30_000;

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
  #seq: number;
  #appended: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> = Promise.resolve();

  constructor(
    terminal: Terminal,
    shell: EmbeddedShell,
    handle: Pick<RunHandle, 'id' | 'view'>,
    output: RunOutput,
    from: number,
    observe?: (event: RunEvent) => void,
  ) {
    this.#terminal = terminal;
    this.#shell = shell;
    this.#handle = handle;
    this.#observe = observe;
    this.#output = output;
    this.#seq = from;
    this.#teller = new Teller(terminal.paint, terminal.verbose > 0);
    this.#region = terminal.canRedraw ? new LiveRegion(text => terminal.err(text)) : undefined;
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
    this.#region?.clear();
  }

  /** Reads what is left, clears the picture; the sequence number of the last event that was told. */
  async end(): Promise<number> {
    clearInterval(this.#timer);
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

  #draw(): void {
    const { columns, paint } = this.#terminal;
    const view = this.#handle.view();
    this.#region!.draw(progressLines(view, { columns, paint, nowMs: Date.now(), hint: 'Ctrl-C finishes what runs, then stops' }), this.#appended);
    this.#appended = [];
  }
}
