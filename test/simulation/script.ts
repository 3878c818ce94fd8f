import type { ErrorClass, Failure } from '../../src/errors.ts';
import type { Scenario } from './scenario.ts';

/** What the world will do is a function of the seed, the path and the attempt, so that an oracle can know it. */
export interface Script {
  /** The failure of an attempt, or undefined where it succeeds. */
  attempt(path: string, attempt: number): Failure | undefined;
  /** The failure of a model asked for a tag. */
  answer(path: string, tag: number, attempt: number): Failure | undefined;
  /** Can the value that stands for a result be computed? */
  fallback(path: string, handler: number): boolean;
  /** Can the inputs or the outputs of a sub-pipeline, the parameters of a wait, be computed? */
  computes(path: string, site: string): boolean;
}

/** A number in [0, 1) from a text (FNV-1a, then mixed). */
export function numberOf(seed: number, text: string): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  hash = Math.imul(hash ^ (hash >>> 13), 0x45d9f3b);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

export function failureOf(kind: ErrorClass, message: string, retryable = false): Failure {
  return { code: 'ORC-216', class: kind, message, retryable, help: [] };
}

export function scriptOf({ seed, failRate }: Scenario): Script {
  const fails = (text: string, rate: number): Failure | undefined => {
    const number = numberOf(seed, text);
    if (number >= rate) return undefined;
    const kind = (['network', 'rate_limit', 'failed'] as const)[Math.floor((number / rate) * 3)]!;
    return failureOf(kind, `scripted for ${text}`, kind !== 'failed');
  };
  return {
    attempt: (path, attempt) => fails(`${path}#${attempt}`, failRate),
    answer: (path, tag, attempt) => fails(`${path}?${tag}#${attempt}`, failRate / 2),
    fallback: (path, handler) => numberOf(seed, `${path}!${handler}`) >= failRate / 2,
    computes: (path, site) => numberOf(seed, `${path}=${site}`) >= failRate / 8,
  };
}
