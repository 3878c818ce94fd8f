import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';

const PAGE = join(import.meta.dirname, '..', 'docs', 'benchmarks.md');

/** One figure and what it has to hold. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** What the figure was made of. */
  detail: string;
  bar: readonly ['<=' | '>=', number];
}

/** The table of the page: each figure with its bar, and whether it holds. */
export function figureTable(figures: readonly Figure[]): string {
  const cell = ({ name, value, unit, detail, bar: [sign, bar] }: Figure): string => {
    const holds = sign === '<=' ? value <= bar : value >= bar;
    return `| ${name} | ${value.toFixed(2)} ${unit} | ${detail} | ${sign} ${bar} ${unit} | ${holds ? 'holds' : '**short**'} |`;
  };
  return ['| work | ours | figures | bar | |', '|---|---|---|---|---|', ...figures.map(cell)].join('\n');
}

/** The machine and the day, as a line of the page. */
export function machineLine(): string {
  return `Machine: ${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), Node ${process.versions.node}, ${new Date().toISOString().slice(0, 10)}.`;
}

/** Writes one part of docs/benchmarks.md and leaves the others as they are: a part stands between its own two markers, a new one at the end. */
export function writePart(part: string, text: string): void {
  const [begin, end] = [`<!-- ${part} -->`, `<!-- end of ${part} -->`];
  const page = readFileSync(PAGE, 'utf8');
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  const written = `${begin}\n${text.trim()}\n${end}`;
  const isThere = from >= 0 && to > from;
  writeFileSync(PAGE, isThere ? page.slice(0, from) + written + page.slice(to + end.length) : `${page.trimEnd()}\n\n${written}\n`);
}

/** The value below which a part of all values lies. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * part)] ?? Number.NaN;
}
