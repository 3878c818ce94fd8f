import type { Event } from '../engine/event.ts';
import { isObject } from '../json.ts';

/** Hashes of the blobs that a journal's or a cache's text may name, also inside a text within the text: at least those that it does. */
export function namedBlobs(text: string): string[] {
  return [...text.matchAll(/"b\\*":\s*\\*"([0-9a-f]{64})\\*"/g)].map(([, hash]) => hash!);
}

/** Hashes of the blobs that an event does name. Only the members of an event refer to blobs; what lies deeper is the user's, and may look like anything. */
export function referredBlobs(event: Event): string[] {
  return Object.values(event).flatMap(value =>
    isObject(value) && typeof value['b'] === 'string' && typeof value['n'] === 'number' && Object.keys(value).length === 2 ? [value['b']] : [],
  );
}
