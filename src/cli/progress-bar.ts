import { sizeText } from './commands/prune.ts';
import type { Terminal } from './terminal.ts';
import { fit } from './text.ts';

const CELLS = 24;
const REDRAW_MS = 100;
/** Elsewhere than on a terminal, a line for each tenth. */
const STEPS = 10;

/** Tells how much of something has come: one line that changes on a terminal, plain lines elsewhere, nothing where nothing is to be said. */
export class ProgressBar {
  readonly #terminal: Terminal;
  #drawnAt = 0;
  #step = 0;
  #isDrawn = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  update(what: string, received: number, total: number | undefined): void {
    const { canRedraw, quiet, err, columns } = this.#terminal;
    if (quiet) return;
    // While it is unpacked there is more on disk than will stay.
    const come = Math.min(received, total ?? received);
    const part = total === undefined || total === 0 ? undefined : come / total;
    const size = total === undefined ? sizeText(come) : `${sizeText(come)} of ${sizeText(total)}`;
    if (canRedraw) {
      const now = performance.now();
      if (now - this.#drawnAt < REDRAW_MS && part !== 1) return;
      this.#drawnAt = now;
      this.#isDrawn = true;
      err(`\r\u001b[2K${fit(`${bar(part)} ${size}  ${what}`, columns - 1)}`);
      return;
    }
    const step = part === undefined ? 0 : Math.floor(part * STEPS);
    if (step <= this.#step) return;
    this.#step = step;
    err(`${what}: ${size}\n`);
  }

  /** Takes the line away, so that others can write. */
  clear(): void {
    if (this.#isDrawn) this.#terminal.err('\r\u001b[2K');
    this.#isDrawn = false;
    this.#step = 0;
  }
}

function bar(part: number | undefined): string {
  if (part === undefined) return '…';
  const full = Math.round(part * CELLS);
  return `${'█'.repeat(full)}${'░'.repeat(CELLS - full)} ${String(Math.floor(part * 100)).padStart(3)} %`;
}
