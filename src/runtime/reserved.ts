import type { Store } from '../store/port.ts';

/** What is set aside, by scope, for calls whose reply was lost: it is known, or the process that called is dead. */
export async function lostIn(store: Store, day: string): Promise<Map<string, number>> {
  const lost = new Map<string, number>();
  const driven = new Map<string, boolean>();
  for (const { run, doubted, scopes, microUsd: amount } of await store.reservations(day)) {
    if (!driven.has(run)) {
      const owner = (await store.run(run))?.owner ?? null;
      driven.set(run, owner !== null && (await store.alive(owner)));
    }
    if (doubted || driven.get(run) === false) for (const scope of scopes) lost.set(scope, (lost.get(scope) ?? 0) + amount);
  }
  return lost;
}
