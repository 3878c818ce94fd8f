import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');

/** Type and fields of every event, as `src/engine/event.ts` declares them. */
function declaredEvents(): Map<string, string[]> {
  const source = readFileSync(join(root, 'src/engine/event.ts'), 'utf8');
  const union = source.slice(source.indexOf('export type Event ='), source.indexOf('export type EventType')).replaceAll('};', '}');
  const events = new Map<string, string[]>();
  for (const [, type, rest] of union.matchAll(/\| \{ type: '([a-z.]+)'; at: number;?\s*(.*?) \}$/gm)) {
    const flat = rest!.replaceAll(/\{[^{}]*\}/g, 'object');
    events.set(type!, [...flat.matchAll(/(?:^|; )(\w+)\??:/g)].map(match => match[1]!));
  }
  return events;
}

/** The same, as docs/reference/events.md tells it. */
function documentedEvents(): Map<string, string[]> {
  const page = readFileSync(join(root, 'docs/reference/events.md'), 'utf8');
  return new Map([...page.matchAll(/^\| `([a-z.]+)` \|[^|]+\|(.*)\|$/gm)].map(([, type, fields]) => [type!, fields!.replaceAll('`', '').trim().split(' ').filter(Boolean)]));
}

describe('the reference of events', () => {
  it('names every event of the journal with its fields, and no other', () => {
    const declared = declaredEvents();
    expect(declared.size).toBeGreaterThan(30);
    expect(Object.fromEntries(documentedEvents())).toEqual(Object.fromEntries(declared));
  });
});
