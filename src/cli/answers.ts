import type { RunDocument } from '../engine/document.ts';
import type { EmbeddedShell } from '../runtime/index.ts';

/** The answer to one AUTO tag of a run. */
export type TagAnswer = RunDocument['autos'][number] & { reason: string | null };

/** The answers to the tags of a run, in the order of its document, each with the reason for it where one was given. */
export async function answersOf(shell: EmbeddedShell, document: RunDocument): Promise<TagAnswer[]> {
  const reasons = new Map<string, string>();
  for await (const event of shell.events(document.run))
    if (event.type === 'auto.resolved' && event.reason !== null) reasons.set(`${event.path ?? ''} ${event.index}`, event.reason);
  const counters = new Map<string, number>();
  return document.autos.map(auto => {
    const index = counters.get(auto.path) ?? 0;
    counters.set(auto.path, index + 1);
    return { ...auto, reason: reasons.get(`${auto.path} ${index}`) ?? null };
  });
}
