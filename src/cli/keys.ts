import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What keys are read from: standard input, where it is a terminal. */
export interface KeySource {
  setRawMode(on: boolean): unknown;
  resume(): unknown;
  pause(): unknown;
  on(event: 'data' | 'error', listener: (chunk: Buffer) => void): unknown;
  off(event: 'data' | 'error', listener: (chunk: Buffer) => void): unknown;
}

export interface KeyOptions {
  source: KeySource;
  /** A key was pressed, as its small letter. */
  onKey(key: string): void;
  /** The process is about to be stopped by Ctrl-Z: what it drew is taken away. */
  onSuspend(): void;
  /** Whether this process may read the terminal; one in the background would be stopped for it. */
  isForeground?(): boolean;
  /** Sends a signal to all that the terminal would have sent it to. */
  signal?(name: 'SIGINT' | 'SIGTSTP'): void;
}

const [INTERRUPT, SUSPEND] = ['\u0003', '\u001a'];
const SEQUENCE = /\u001b(\[[\d;]*[@-~]?|O?.?)/g;

/** Reads single keys while a run is shown live. Ctrl-C and Ctrl-Z do what they always do. */
export class Keys {
  readonly #options: Required<KeyOptions>;
  #reads = false;
  readonly #take = (chunk: Buffer): void => {
    // Arrows and the like come as a sequence, which means nothing here; what was typed after one may come with it.
    for (const key of chunk.toString().replaceAll(SEQUENCE, '')) this.#press(key);
  };
  readonly #wakeUp = (): void => this.start();
  /** The terminal is gone: the run goes on without keys. */
  readonly #lose = (): void => this.stop();

  constructor(options: KeyOptions) {
    this.#options = { isForeground, signal: name => process.kill(0, name), ...options };
  }

  start(): void {
    if (this.#reads || !this.#options.isForeground()) return;
    this.#reads = true;
    const { source } = this.#options;
    source.setRawMode(true);
    source.on('data', this.#take);
    source.on('error', this.#lose);
    source.resume();
  }

  stop(): void {
    process.off('SIGCONT', this.#wakeUp);
    if (!this.#reads) return;
    this.#reads = false;
    const { source } = this.#options;
    source.off('data', this.#take);
    try {
      source.setRawMode(false);
    } catch {
      // A terminal that is gone is given back to nobody.
    }
    source.pause();
  }

  #press(key: string): void {
    if (key === INTERRUPT) this.#options.signal('SIGINT');
    else if (key === SUSPEND) this.#suspend();
    else this.#options.onKey(key.toLowerCase());
  }

  #suspend(): void {
    this.#options.onSuspend();
    this.stop();
    process.once('SIGCONT', this.#wakeUp);
    this.#options.signal('SIGTSTP');
  }
}

/** Does this process belong to the group that the terminal belongs to at the moment? */
function isForeground(): boolean {
  if (process.platform !== 'linux') {
    const { stdout } = spawnSync('ps', ['-o', 'pgid=,tpgid=', '-p', String(process.pid)], { encoding: 'utf8' });
    const [group, owner] = (stdout ?? '').trim().split(/\s+/);
    return group !== undefined && group === owner;
  }
  const stat = readFileSync('/proc/self/stat', 'utf8');
  // After the name, which may hold anything: state, parent, group, session, terminal, the terminal's group.
  const [, , group, , , owner] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return group === owner;
}
