import type { Code } from '../codes.ts';
import { nearest } from '../ids.ts';
import type { Diagnostic, Severity } from './diagnostic.ts';
import type { Source, Span } from './source.ts';

/** A place in the pipeline, as a chain from the leaf up; made into text only when something is wrong there. */
export interface Path {
  readonly parent: Path | undefined;
  readonly key: string | number;
}

export function at(parent: Path | undefined, key: string | number): Path {
  return { parent, key };
}

/** `pipeline.tasks[2].dependencies[0]`. */
export function pathText(path: Path): string {
  let text = '';
  for (let here: Path | undefined = path; here !== undefined; here = here.parent) {
    if (here.key === '') continue;
    const part = typeof here.key === 'number' ? `[${here.key}]` : /^[\w-]+$/.test(here.key) ? `.${here.key}` : `[${JSON.stringify(here.key)}]`;
    text = part + text;
  }
  return text.startsWith('.') ? text.slice(1) : text;
}

export interface Details {
  label?: string;
  path?: Path;
  related?: { message: string; span: Span }[];
  notes?: string[];
  help?: string[];
  fix?: { title: string; edits: { span: Span; text: string }[] };
}

/** Collects the problems of one file. */
export class Reporter {
  readonly diagnostics: Diagnostic[] = [];
  readonly source: Source;
  /** Problems that are usually warnings are errors. */
  readonly strict: boolean;
  /** Accepted spellings are worth a word: `fmt` says what it rewrites, `validate` does not. */
  readonly tellsSpellings: boolean;

  constructor(source: Source, strict: boolean, tellsSpellings = false) {
    this.source = source;
    this.strict = strict;
    this.tellsSpellings = tellsSpellings;
  }

  error(code: Code, span: Span, message: string, details: Details = {}): void {
    this.#add('error', code, span, message, details);
  }

  warn(code: Code, span: Span, message: string, details: Details = {}): void {
    this.#add(this.strict ? 'error' : 'warning', code, span, message, details);
  }

  info(code: Code, span: Span, message: string, details: Details = {}): void {
    this.#add('info', code, span, message, details);
  }

  /** Notes that an accepted spelling was normalised. */
  spelling(span: Span, canonical: string, path: Path): void {
    if (!this.tellsSpellings) return;
    const written = this.source.text.slice(span.start, span.end).split('\n', 1)[0]!;
    this.#add('info', 'ORC-118', span, `\`${written}\` is spelled \`${canonical}\``, { path });
  }

  get failed(): boolean {
    return this.diagnostics.some(diagnostic => diagnostic.severity === 'error');
  }

  /** The problems in the order of the file. */
  sorted(): Diagnostic[] {
    return this.diagnostics.sort((a, b) => a.span.start - b.span.start);
  }

  #add(severity: Severity, code: Code, span: Span, message: string, { path, related, ...details }: Details): void {
    const diagnostic: Diagnostic = { code, severity, message, source: this.source, span, ...details };
    if (path !== undefined) diagnostic.path = pathText(path);
    if (related !== undefined) diagnostic.related = related.map(other => ({ ...other, source: this.source }));
    this.diagnostics.push(diagnostic);
  }
}

/** For a word that nobody knows: the name that may have been meant, where one is near, and what exists. */
export function suggest(word: string, known: Iterable<string>): { help: string[] } {
  const all = [...known];
  const near = nearest(word, all, 1)[0];
  return { help: near === undefined ? [`one of: ${all.join(', ')}`] : [`did you mean \`${near}\`?`, `one of: ${all.join(', ')}`] };
}

/** Names for a sentence: `` `a`, `b` and `c` ``. */
export function listNames(names: readonly string[]): string {
  const quoted = names.map(name => `\`${name}\``);
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} and ${quoted.at(-1)}`;
}
