import { CODES, type Code } from '../codes.ts';
import { position, type Diagnostic, type Severity } from '../language/index.ts';

import type { CompileResult } from './compile.ts';

/** One problem as `validate --json` prints it (CONTRACT.md, section 3). Lines and columns count from 1; the end is where the first character after it stands. */
export interface DiagnosticDocument {
  code: Code;
  name: string;
  severity: Severity;
  message: string;
  file: string;
  line: number;
  column: number;
  endLine: number;
  endColumn: number;
  path: string | null;
  related: { message: string; file: string; line: number; column: number }[];
  notes: string[];
  help: string[];
  fix: { title: string; edits: { line: number; column: number; endLine: number; endColumn: number; text: string }[] } | null;
}

export interface ValidationDocument {
  v: 1;
  file: string;
  valid: boolean;
  pipeline: { name: string; version: string; hash: string } | null;
  tasks: { [id: string]: string[] };
  diagnostics: DiagnosticDocument[];
}

/** What `validate --json` prints for one file. `tasks` names what each depends on, inferred references included, also where there are errors. */
export function validationDocument({ plan, tasks, diagnostics }: CompileResult, file: string): ValidationDocument {
  return {
    v: 1,
    file,
    valid: plan !== null,
    pipeline: plan === null ? null : { name: plan.pipeline.name, version: plan.pipeline.version, hash: plan.hash },
    tasks: Object.fromEntries(tasks),
    diagnostics: diagnostics.map(diagnosticDocument),
  };
}

export function diagnosticDocument(diagnostic: Diagnostic): DiagnosticDocument {
  const { code, severity, message, source, path, related = [], notes = [], help = [], fix } = diagnostic;
  const range = (span: Diagnostic['span']): Pick<DiagnosticDocument, 'line' | 'column' | 'endLine' | 'endColumn'> => {
    const end = position(source, span.end);
    return { ...position(source, span.start), endLine: end.line, endColumn: end.column };
  };
  return {
    code,
    name: CODES[code].name,
    severity,
    message,
    file: source.file,
    ...range(diagnostic.span),
    path: path ?? null,
    related: related.map(other => ({ message: other.message, file: other.source.file, ...position(other.source, other.span.start) })),
    notes,
    help,
    fix: fix === undefined ? null : { title: fix.title, edits: fix.edits.map(({ span, text }) => ({ ...range(span), text })) },
  };
}
