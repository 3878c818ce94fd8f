import { escapeLine, fit, pad, widthOf, type Paint, type Style } from './text.ts';

export interface Column {
  title: string;
  align?: 'left' | 'right';
  /** Gives way first where the terminal is too narrow; of several the last one. */
  flexible?: true;
}

export interface Cell {
  text: string;
  style?: Style;
}

const GAP = 2;
const NARROWEST = 8;

/** Rows in aligned columns, no wider than the terminal: what is too long is cut with `…`. */
export function tableLines(columns: readonly Column[], rows: readonly (readonly (Cell | string)[])[], width: number, paint: Paint): string[] {
  const cells = rows.map(row => row.map(cell => (typeof cell === 'string' ? { text: escapeLine(cell) } : { ...cell, text: escapeLine(cell.text) })));
  const widths = columns.map((column, i) => Math.max(widthOf(column.title), ...cells.map(row => widthOf(row[i]?.text ?? ''))));
  let excess = widths.reduce((sum, one) => sum + one, 0) + GAP * (columns.length - 1) - width;
  for (let i = columns.length - 1; i >= 0 && excess > 0; i--) {
    if (columns[i]!.flexible === undefined) continue;
    const given = Math.min(excess, Math.max(0, widths[i]! - NARROWEST));
    widths[i]! -= given;
    excess -= given;
  }
  const line = (texts: readonly string[], style: (i: number) => Style | undefined): string =>
    texts
      .map((text, i) => {
        const filled = pad(fit(text, widths[i]!), i === texts.length - 1 && columns[i]!.align !== 'right' ? 0 : widths[i]!, columns[i]!.align);
        const how = style(i);
        return how === undefined ? filled : paint(how, filled);
      })
      .join(' '.repeat(GAP))
      .trimEnd();
  const head = line(
    columns.map(column => column.title),
    () => 'faint',
  );
  return [
    head,
    ...cells.map(row =>
      line(
        row.map(cell => cell.text),
        i => row[i]?.style,
      ),
    ),
  ];
}

/** Rows for programs: fields by tabs, no heading, nothing cut; what would break a row is escaped. */
export function plainRows(rows: readonly (readonly (string | number | null)[])[]): string {
  return rows.map(row => `${row.map(cell => escapeLine(String(cell ?? ''))).join('\t')}\n`).join('');
}
