import { CODES, type Code } from '../codes.ts';
import type { Diagnostic, Severity } from '../language/diagnostic.ts';
import { position, type Source, type Span } from '../language/source.ts';
import { count, escapeControls, escapeLine, fit, widthOf, wrap, type Paint } from './text.ts';

/** A problem of a file, or something that went wrong without one. */
export interface Problem extends Pick<Diagnostic, 'label' | 'related' | 'notes' | 'help' | 'fix'> {
  code: Code;
  severity: Severity;
  message: string;
  source?: Source;
  span?: Span;
}

export interface FrameOptions {
  paint: Paint;
  /** Columns of the terminal. */
  columns?: number;
  /** The command that makes the fixes. */
  fixCommand?: string;
}

const COLUMNS = 100;
const TAB = '    ';
/** More of them at once help nobody. */
const MAX_PROBLEMS = 20;

/**
 * Problems as people read them: code and name, what is wrong, where, the lines with what matters underlined, facts, what to do.
 */
export function renderProblems(problems: readonly Problem[], options: FrameOptions): string {
  const sorted = rootCausesFirst(problems);
  const shown = sorted.slice(0, MAX_PROBLEMS).map(problem => renderProblem(problem, options));
  const hidden = sorted.length - shown.length;
  if (hidden > 0) shown.push(options.paint('faint', `… and ${hidden} more`) + '\n');
  return shown.join('\n');
}

const RANK: Record<Severity, number> = { error: 0, warning: 2, info: 4 };
/** What is missing is often there under a name with a slip in it, which is told by another problem. */
const CONSEQUENCES: ReadonlySet<Code> = new Set(['ORC-116', 'ORC-211', 'ORC-215']);

/** Errors first, and of each severity root causes first; else the order is kept. */
export function rootCausesFirst<P extends Pick<Problem, 'severity' | 'code'>>(problems: readonly P[]): P[] {
  const rank = ({ severity, code }: P): number => RANK[severity] + (CONSEQUENCES.has(code) ? 1 : 0);
  return problems.toSorted((a, b) => rank(a) - rank(b));
}

/** `2 errors and 1 warning`. */
export function countProblems(problems: readonly Pick<Problem, 'severity'>[]): string {
  const errors = problems.filter(problem => problem.severity === 'error').length;
  const warnings = problems.filter(problem => problem.severity === 'warning').length;
  const parts = [...(errors > 0 ? [count(errors, 'error')] : []), ...(warnings > 0 ? [count(warnings, 'warning')] : [])];
  return parts.join(' and ') || 'no problems';
}

export function renderProblem(problem: Problem, options: FrameOptions): string {
  const { paint, columns = COLUMNS } = options;
  const { source, span } = problem;
  const title =
    paint(problem.severity, `${problem.severity}[${problem.code} ${CODES[problem.code].name}]`) + paint('strong', `: ${escapeControls(problem.message)}`);
  const marks = source === undefined || span === undefined ? [] : marksOf(problem, source, span);
  const gutter = Math.max(1, ...marks.map(mark => String(mark.line).length));
  const lines = [title];
  for (const [i, file] of [...new Set(marks.map(mark => mark.source.file))].entries()) {
    const own = marks.filter(mark => mark.source.file === file);
    const { line, column } = own.find(mark => mark.primary) ?? own[0]!;
    lines.push(`${' '.repeat(gutter + 1)}${paint('line', i === 0 ? '-->' : ':::')} ${escapeLine(file)}:${line}:${column}`);
    lines.push(...drawFile(own[0]!.source, own, gutter, problem.severity, paint, columns));
  }
  lines.push(...drawRemarks(problem, marks.length > 0 ? gutter + 1 : 2, options, columns));
  return `${lines.join('\n')}\n`;
}

interface Mark {
  source: Source;
  primary: boolean;
  line: number;
  column: number;
  /** Length in characters, at least one, and no further than the end of the line. */
  length: number;
  label: string;
}

function marksOf(problem: Problem, source: Source, span: Span): Mark[] {
  const mark = (of: Source, { start, end }: Span, primary: boolean, label: string): Mark => {
    const { line, column } = position(of, Math.min(start, of.text.length));
    const left = lineText(of, line).length - column + 1;
    return { source: of, primary, line, column, length: Math.max(1, Math.min(end - start, left)), label };
  };
  return [mark(source, span, true, problem.label ?? ''), ...(problem.related ?? []).map(other => mark(other.source, other.span, false, other.message))];
}

function lineText(source: Source, line: number): string {
  const start = source.lineStarts[line - 1] ?? source.text.length;
  const end = source.lineStarts[line];
  return source.text.slice(start, end === undefined ? undefined : end - 1).replace(/\r$/, '');
}

/** The marked lines of one file, each with its marks below it; what lies between them is left out. */
function drawFile(source: Source, marks: Mark[], gutter: number, severity: Severity, paint: Paint, columns: number): string[] {
  const blank = `${' '.repeat(gutter + 1)}${paint('line', '|')}`;
  const lines = [blank];
  let last: number | undefined;
  for (const line of [...new Set(marks.map(mark => mark.line))].sort((a, b) => a - b)) {
    const here = marks.filter(mark => mark.line === line).sort((a, b) => Number(b.primary) - Number(a.primary) || a.column - b.column);
    if (last !== undefined && line === last + 2) lines.push(numbered(source, last + 1, gutter, paint, columns));
    else if (last !== undefined && line > last + 1) lines.push(paint('line', '...'));
    const view = viewOf(lineText(source, line), here, columns - gutter - 3);
    lines.push(`${paint('line', `${String(line).padStart(gutter)} |`)} ${view.text}`);
    for (const mark of here) lines.push(...underline(mark, view, severity, paint, columns - gutter - 3).map(text => `${blank} ${text}`));
    last = line;
  }
  lines.push(blank);
  return lines;
}

function numbered(source: Source, line: number, gutter: number, paint: Paint, columns: number): string {
  return `${paint('line', `${String(line).padStart(gutter)} |`)} ${fit(shown(lineText(source, line)), columns - gutter - 3)}`.trimEnd();
}

/** A piece of a line as the terminal shows it. */
function shown(text: string): string {
  return escapeControls(text.replaceAll('\t', TAB));
}

interface View {
  text: string;
  /** Column, from 0, at which a character of the line (from 0) is shown. */
  columnOf(index: number): number;
}

/** A line in so many columns; of one that is too long, the piece around its first mark. */
function viewOf(line: string, marks: Mark[], columns: number): View {
  const whole = shown(line);
  if (widthOf(whole) <= columns) return { text: whole, columnOf: index => widthOf(shown(line.slice(0, index))) };
  const first = Math.min(...marks.map(mark => mark.column - 1));
  const before = Math.floor(columns / 3);
  const from = Math.max(0, widthOf(shown(line.slice(0, first))) <= before ? 0 : first - before);
  const lead = from > 0 ? '…' : '';
  return {
    text: fit(lead + shown(line.slice(from)), columns),
    columnOf: index => Math.min(columns - 1, widthOf(lead) + widthOf(shown(line.slice(from, Math.max(from, index))))),
  };
}

/** Carets or dashes below what is meant, with the label beside them, or below them where the line has no room. */
function underline(mark: Mark, view: View, severity: Severity, paint: Paint, columns: number): string[] {
  const start = view.columnOf(mark.column - 1);
  const end = Math.max(start + 1, view.columnOf(mark.column - 1 + mark.length));
  const style = mark.primary ? severity : 'aside';
  const rule = `${' '.repeat(start)}${paint(style, (mark.primary ? '^' : '-').repeat(end - start))}`;
  const label = escapeLine(mark.label);
  if (label === '') return [rule];
  if (end + 1 + widthOf(label) <= columns) return [`${rule} ${paint(style, label)}`];
  const indent = Math.max(0, Math.min(start, columns - widthOf(label)));
  return [rule, ...wrap(label, columns).map(text => `${' '.repeat(indent)}${paint(style, text)}`)];
}

function drawRemarks(problem: Problem, indent: number, options: FrameOptions, columns: number): string[] {
  const { paint, fixCommand } = options;
  const lines: string[] = [];
  const add = (kind: string, text: string): void => {
    const head = `${' '.repeat(indent)}${paint('line', '=')} ${paint('strong', `${kind}:`)} `;
    const hang = ' '.repeat(indent + kind.length + 4);
    // A command is never broken: it is there to be pasted. A text with lines of its own (a piece of YAML) keeps them.
    const isVerbatim = text.includes('\n') || /\borc(hestrator)? \w/.test(text);
    const rows = isVerbatim ? text.split('\n') : wrap(text, Math.max(40, columns - hang.length));
    rows.forEach((row, i) => lines.push(`${i === 0 ? head : hang}${escapeControls(row)}`));
  };
  for (const note of problem.notes ?? []) add('note', note);
  // What the label beside the carets, or the fix, says already is not said twice.
  for (const help of problem.help ?? []) if (help !== problem.label && help !== problem.fix?.title) add('help', help);
  if (problem.fix !== undefined) add('fix', fixCommand === undefined ? problem.fix.title : `${problem.fix.title} (${fixCommand})`);
  return lines;
}
