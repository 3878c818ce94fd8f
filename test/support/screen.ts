/** What a person sees of a terminal's output: the text after all moving, erasing and colouring, with nothing scrolled away. */
export class Screen {
  readonly columns: number;
  #rows: string[][] = [[]];
  #row = 0;
  #column = 0;
  #rest = '';
  isCursorHidden = false;
  /** The most rows that were ever taken back at once to be drawn again. */
  highestRegion = 0;

  constructor(columns: number) {
    this.columns = columns;
  }

  /** The lines, from the first that was ever written, without what follows the text. */
  get lines(): string[] {
    return this.#rows.map(row => row.join('').trimEnd());
  }

  get text(): string {
    return this.lines.join('\n').trimEnd();
  }

  write(text: string): void {
    this.#rest += text;
    for (;;) {
      // A sequence that is cut in the middle waits for its end.
      const found = /^(?:\u001b\[(?<parameters>[?\d;]*)(?<final>[@-~])|\u001b[^[]|(?<char>[^\u001b]))/u.exec(this.#rest);
      if (found === null) return;
      this.#rest = this.#rest.slice(found[0].length);
      const { parameters = '', final, char } = found.groups!;
      if (char !== undefined) this.#put(char);
      else if (final !== undefined) this.#obey(final, parameters);
    }
  }

  #put(char: string): void {
    if (char === '\r') this.#column = 0;
    else if (char === '\n') this.#down();
    else if (char === '\b') this.#column = Math.max(0, this.#column - 1);
    else if (char >= ' ') {
      if (this.#column >= this.columns) {
        this.#column = 0;
        this.#down();
      }
      const row = this.#rows[this.#row]!;
      while (row.length < this.#column) row.push(' ');
      row[this.#column++] = char;
    }
  }

  #down(): void {
    this.#row++;
    if (this.#row === this.#rows.length) this.#rows.push([]);
  }

  #obey(final: string, parameters: string): void {
    const count = Number(parameters) || 1;
    if (final === 'A') {
      this.highestRegion = Math.max(this.highestRegion, count);
      this.#row = Math.max(0, this.#row - count);
    } else if (final === 'B') this.#row = Math.min(this.#rows.length - 1, this.#row + count);
    else if (final === 'C') this.#column += count;
    else if (final === 'D') this.#column = Math.max(0, this.#column - count);
    else if (final === 'G') this.#column = count - 1;
    else if (final === 'J') {
      this.#rows.length = this.#row + 1;
      this.#rows[this.#row]!.length = Math.min(this.#rows[this.#row]!.length, this.#column);
    } else if (final === 'K') this.#rows[this.#row]!.length = Math.min(this.#rows[this.#row]!.length, this.#column);
    else if (parameters === '?25') this.isCursorHidden = final === 'l';
  }
}
