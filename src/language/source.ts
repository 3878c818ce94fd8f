/** A file as it was written, with the offsets at which its lines begin. */
export interface Source {
  /** The name under which the user knows it: the path as given. */
  readonly file: string;
  readonly text: string;
  readonly lineStarts: readonly number[];
}

/** A half-open range of offsets (UTF-16 code units) in a source. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export function makeSource(file: string, text: string): Source {
  const lineStarts = [0];
  for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) lineStarts.push(i + 1);
  return { file, text, lineStarts };
}

/** Line and column of an offset, both from 1. */
export function position(source: Source, offset: number): { line: number; column: number } {
  let low = 0;
  let high = source.lineStarts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (source.lineStarts[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - source.lineStarts[low]! + 1 };
}
