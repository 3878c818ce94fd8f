import { position, type Diagnostic } from '../../src/language/index.ts';

/** A diagnostic as tests name it: severity, code, where it stands in the file and in the pipeline. */
export function told({ severity, code, source, span, path }: Diagnostic): string {
  const [start, end] = [position(source, span.start), position(source, span.end)];
  const place = start.line === end.line ? `${start.line}:${start.column}-${end.column}` : `${start.line}:${start.column}-${end.line}:${end.column}`;
  return `${severity} ${code} ${place}${path === undefined ? '' : ` ${path}`}`;
}
