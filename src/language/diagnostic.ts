import type { Code } from '../codes.ts';
import type { Source, Span } from './source.ts';

export type Severity = 'error' | 'warning' | 'info';

/** One problem of a file, as data; its text is made by the command line and by `validate --json` (CONTRACT.md section 3). */
export interface Diagnostic {
  code: Code;
  severity: Severity;
  /** One line in the user's words, without a full stop. */
  message: string;
  source: Source;
  span: Span;
  /** What the caret line says beside the carets: `no task has this id`. */
  label?: string;
  /** Where in the pipeline: `pipeline.tasks[2].dependencies[0]`. */
  path?: string;
  /** Other places that matter, drawn with dashes. */
  related?: { message: string; source: Source; span: Span }[];
  /** Facts: what exists, what the default is. */
  notes?: string[];
  /** What to do; where it is a command it can be pasted. */
  help?: string[];
  /** A change that is sure to be what was meant; `validate --fix` makes it. */
  fix?: { title: string; edits: { span: Span; text: string }[] };
}
