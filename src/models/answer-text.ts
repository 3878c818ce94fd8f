import { parseJson, type Json } from '../json.ts';

/** Places of a text at which JSON is looked for; prose full of braces shall not take for ever. */
const STARTS_MAX = 50;

/**
 * The JSON in the text of a model: the whole text, what stands in a code fence, or the first list or object in the prose.
 * Undefined where there is none. Nothing is repaired: half a value is no value.
 */
export function parseAnswer(text: string): Json | undefined {
  for (const candidate of [text, fenced(text)]) {
    const value = candidate === undefined ? undefined : parseJson(candidate);
    if (value !== undefined) return value;
  }
  return parseWithin(text);
}

/** What stands in the first code fence. */
function fenced(text: string): string | undefined {
  const open = text.indexOf('```');
  const start = open < 0 ? -1 : text.indexOf('\n', open);
  const end = start < 0 ? -1 : text.indexOf('```', start);
  return end < 0 ? undefined : text.slice(start, end);
}

function parseWithin(text: string): Json | undefined {
  let tried = 0;
  for (let start = text.search(/[{[]/); start >= 0 && tried < STARTS_MAX; tried++) {
    const end = closingOf(text, start);
    const value = end === undefined ? undefined : parseJson(text.slice(start, end));
    if (value !== undefined) return value;
    const next = text.slice(start + 1).search(/[{[]/);
    start = next < 0 ? -1 : start + 1 + next;
  }
  return undefined;
}

/** Offset after the bracket that closes the one at `start`; brackets in strings do not count. */
function closingOf(text: string, start: number): number | undefined {
  let depth = 0;
  let quoted = false;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (quoted) {
      if (char === '\\') at++;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === '{' || char === '[') depth++;
    else if ((char === '}' || char === ']') && --depth === 0) return at + 1;
  }
  return undefined;
}
