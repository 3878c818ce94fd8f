import { chmodSync, renameSync, statSync, writeFileSync } from 'node:fs';
import type { Diagnostic } from '../language/diagnostic.ts';

/** A text with the sure fixes of its problems made. Of fixes that overlap the first one is made; the others wait for the next look. */
export function applyFixes(text: string, file: string, diagnostics: readonly Diagnostic[]): { text: string; made: number } {
  const taken: { start: number; end: number; text: string }[] = [];
  let made = 0;
  for (const { fix, source } of diagnostics) {
    if (fix === undefined || source.file !== file) continue;
    const edits = fix.edits.map(edit => ({ ...edit.span, text: edit.text }));
    // A fix of several parts is made whole or not at all.
    if (
      edits.some(
        edit =>
          taken.some(other => edit.start < other.end && other.start < edit.end) || taken.some(other => other.start === edit.start && other.end === edit.end),
      )
    )
      continue;
    taken.push(...edits);
    made++;
  }
  let result = text;
  for (const edit of taken.sort((a, b) => b.start - a.start)) result = result.slice(0, edit.start) + edit.text + result.slice(edit.end);
  return { text: result, made };
}

/** Replaces a file's content in one step, keeping its mode: a reader sees the old text or the new one. */
export function replaceFile(path: string, text: string): void {
  const draft = `${path}.${process.pid}.tmp`;
  writeFileSync(draft, text);
  chmodSync(draft, statSync(path).mode & 0o7777);
  renameSync(draft, path);
}
