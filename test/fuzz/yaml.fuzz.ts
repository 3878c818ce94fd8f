import { format, makeSource, parse } from '../../src/language/index.ts';
import type { Diagnostic } from '../../src/language/index.ts';
import { bare } from '../support/bare.ts';
import { PIECES, PIPELINES } from './pipelines.ts';
import { fuzz, fuzzOptions, mutate } from './random.ts';

/** What is wrong with a diagnostic, whatever the file says. */
function fault({ code, message, span, related, fix, source }: Diagnostic): string | undefined {
  const spans = [span, ...(related ?? []).map(other => other.span), ...(fix?.edits ?? []).map(edit => edit.span)];
  const outside = spans.find(({ start, end }) => !(start >= 0 && start <= end && end <= source.text.length + 1));
  if (outside !== undefined) return `${code} (${message}) points outside of the text: ${JSON.stringify(outside)}`;
  return message === '' || (message.includes('undefined') && !source.text.includes('undefined')) ? `${code} has a bad message: ${message}` : undefined;
}

fuzz(
  fuzzOptions(process.argv),
  random => mutate(random, PIPELINES, PIECES),
  input => {
    const { pipeline, diagnostics } = parse(makeSource('fuzz.yaml', input));
    const bad = diagnostics.map(fault).find(problem => problem !== undefined);
    if (bad !== undefined) return bad;
    const failed = diagnostics.some(({ severity }) => severity === 'error');
    if (pipeline === null && !failed) return 'no pipeline, and no error';
    const { text, diagnostics: told } = format(makeSource('fuzz.yaml', input));
    if (failed) return text === input ? undefined : 'fmt changed a file with errors';
    const broken = told.find(({ severity }) => severity === 'error');
    if (broken !== undefined) return `fmt finds an error that parse does not: ${broken.message}`;
    const again = format(makeSource('fuzz.yaml', text));
    const error = again.diagnostics.find(({ severity }) => severity === 'error');
    if (error !== undefined) return `fmt wrote what cannot be read: ${error.code} ${error.message}\n${text}`;
    if (bare(parse(makeSource('fuzz.yaml', text)).pipeline) !== bare(pipeline)) return `fmt changed the meaning:\n${text}`;
    return again.text === text ? undefined : `fmt is not idempotent:\n${text}\n=== and then\n${again.text}`;
  },
);
