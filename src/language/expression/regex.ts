import { RE2JS } from 're2js';
import type { Run } from './run.ts';

const LONGEST_PATTERN = 2000;

/** A pattern of a pipeline, compiled by RE2: it takes time in proportion to the text, whatever it says (C4). */
export function patternOf(pattern: string, run: Run): RE2JS {
  if (pattern.length > LONGEST_PATTERN) throw run.fail(`a regular expression is at most ${LONGEST_PATTERN} characters long`, [], 'ORC-311');
  run.charge(pattern.length);
  try {
    return RE2JS.compile(pattern);
  } catch (error) {
    throw run.fail((error as Error).message.replace('error parsing regexp', 'this regular expression cannot be read'), [
      'expressions are RE2: no lookaround, no back references',
    ]);
  }
}

/** The matches of a pattern in a text, from left to right; paid for by the size of both. */
export function* matchAll(pattern: RE2JS, text: string, run: Run): Generator<ReturnType<RE2JS['matcher']>> {
  const matcher = pattern.matcher(text);
  run.charge(1 + Math.ceil((text.length * matcher.numberOfInstructions) / 256));
  while (matcher.find()) {
    run.charge(0.25);
    yield matcher;
  }
}

/** Whether a pattern (RE2) is found in a text, for what pipelines match outside of expressions; false where it cannot be read. */
export function matchesPattern(pattern: string, text: string): boolean {
  try {
    return RE2JS.compile(pattern).matcher(text).find();
  } catch {
    return false;
  }
}
