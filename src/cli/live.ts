/**
 * A few lines at the end of a terminal that are drawn again in place. What is appended goes above them and stays: the scrollback is ordinary text, and
 * nothing needs an alternate screen.
 */
export class LiveRegion {
  readonly #write: (text: string) => void;
  #drawn = 0;
  #hidden = false;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** Replaces the region, after lines that stay. */
  draw(lines: readonly string[], appended: readonly string[] = []): void {
    const all = [...appended, ...lines].map(line => `${line}\n`).join('');
    // Begin and end of a synchronised update: a terminal that knows them shows no half-drawn picture, the others ignore them.
    this.#write(`\u001b[?2026h${this.#hidden ? '' : '\u001b[?25l'}${this.#erase()}${all}\u001b[?2026l`);
    this.#hidden = true;
    this.#drawn = lines.length;
  }

  /** Takes the region away and gives the cursor back. */
  clear(): void {
    const text = `${this.#erase()}${this.#hidden ? '\u001b[?25h' : ''}`;
    if (text !== '') this.#write(text);
    this.#drawn = 0;
    this.#hidden = false;
  }

  #erase(): string {
    return this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\r\u001b[J`;
  }
}
