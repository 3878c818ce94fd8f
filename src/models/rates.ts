import { parseDuration } from '../duration.ts';
import type { RateWindow } from './port.ts';

/** Where services write their limits: prefix, suffix of the limit, of what remains, and of when it is full again. */
const DIALECTS: { of: RateWindow['of']; name: (part: 'limit' | 'remaining' | 'reset') => string }[] = [
  { of: 'requests', name: part => `x-ratelimit-${part}-requests` },
  { of: 'tokens', name: part => `x-ratelimit-${part}-tokens` },
  { of: 'requests', name: part => `anthropic-ratelimit-requests-${part}` },
  { of: 'tokens', name: part => `anthropic-ratelimit-tokens-${part}` },
  { of: 'tokens', name: part => `anthropic-ratelimit-input-tokens-${part}` },
  { of: 'tokens', name: part => `anthropic-ratelimit-output-tokens-${part}` },
];

/** The limits that a reply's headers tell, in the dialects of OpenAI (Groq, Mistral, Azure) and Anthropic. */
export function readRateWindows(headers: Record<string, string>, nowMs: number): RateWindow[] {
  return DIALECTS.flatMap(({ of, name }) => {
    const limit = readCount(headers[name('limit')]);
    const remaining = readCount(headers[name('remaining')]);
    if (limit === undefined && remaining === undefined) return [];
    return [{ of, limit, remaining, resetAtMs: readReset(headers[name('reset')], nowMs) }];
  });
}

/** How long a service asks to be left alone, in ms: `retry-after-ms`, else `retry-after` in seconds or as a date (RFC 9110). */
export function readRetryAfter(headers: Record<string, string>, nowMs: number): number | undefined {
  const exact = Number(headers['retry-after-ms'] ?? NaN);
  if (Number.isFinite(exact) && exact >= 0) return Math.ceil(exact);
  const text = headers['retry-after'];
  if (text === undefined) return undefined;
  const seconds = Number(text);
  if (Number.isFinite(seconds) && text.trim() !== '') return seconds >= 0 ? Math.ceil(seconds * 1000) : undefined;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

function readCount(text: string | undefined): number | undefined {
  const count = Number(text ?? NaN);
  return Number.isFinite(count) && count >= 0 && text!.trim() !== '' ? count : undefined;
}

/** `6m0s`, `120ms`, `7.66s` (OpenAI), a bare number of seconds, or an RFC 3339 time (Anthropic). */
function readReset(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const wait = parseDuration(text);
  if (wait !== undefined) return nowMs + wait;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : date;
}
