import type { Diagnostic } from '../language/diagnostic.ts';
import { makeSource, type Source } from '../language/index.ts';

/** Diagnostics as plain data: each file once, and numbers in place of it. */
export interface PackedDiagnostics {
  files: { file: string; text: string }[];
  diagnostics: unknown[];
}

export function packDiagnostics(diagnostics: Diagnostic[]): PackedDiagnostics {
  const sources: Source[] = [];
  const numberOf = (source: Source): number => {
    const known = sources.indexOf(source);
    return known >= 0 ? known : sources.push(source) - 1;
  };
  const packed = diagnostics.map(({ source, related, ...rest }) => ({
    ...rest,
    source: numberOf(source),
    ...(related === undefined ? {} : { related: related.map(other => ({ ...other, source: numberOf(other.source) })) }),
  }));
  return { files: sources.map(({ file, text }) => ({ file, text })), diagnostics: packed };
}

export function unpackDiagnostics({ files, diagnostics }: PackedDiagnostics): Diagnostic[] {
  const sources = files.map(({ file, text }) => makeSource(file, text));
  type Packed = Omit<Diagnostic, 'source' | 'related'> & { source: number; related?: { message: string; source: number; span: Diagnostic['span'] }[] };
  return (diagnostics as Packed[]).map(({ source, related, ...rest }) => ({
    ...rest,
    source: sources[source]!,
    ...(related === undefined ? {} : { related: related.map(other => ({ ...other, source: sources[other.source]! })) }),
  }));
}
