import type { Event } from '../../src/engine/index.ts';
import type { Json } from '../../src/json.ts';
import { forkRun, type ForkRequest } from '../../src/runtime/fork.ts';
import type { World } from './world.ts';

const VALUES = { load: (ref: { v: Json }) => ref.v, refer: (v: Json) => ({ v }) } as unknown as ForkRequest['values'];

/** The first events of a fork of a run, at a random task or at a random sequence number. */
export function forkOf(world: World): Event[] {
  const { engine, setting, journal, observer } = world;
  const { plan } = setting;
  const byTask = observer.tasks.length > 0 && world.random() < 0.6;
  const at = byTask ? observer.tasks[world.pick(observer.tasks.length)]!.path : 1 + world.pick(journal.length);
  const state = engine.initial();
  for (const event of typeof at === 'number' ? journal.slice(0, at) : journal) engine.apply(plan, state, event);
  const { events } = forkRun({ plan, state, parent: 'parent', options: { at }, now: world.now, program: 'sim', values: VALUES, blobs: [] });
  return JSON.parse(JSON.stringify(events)) as Event[];
}

/** S6: what a fork adopts was recorded in its parent, and nothing that it adopts is open inside. */
export function checkFork(parent: World, events: readonly Event[]): void {
  const recorded = new Set(parent.observer.tasks.filter(seen => seen.status === 'completed' || seen.status === 'skipped').map(seen => seen.path));
  const everCompleted = new Set(
    parent.journal.flatMap(event =>
      event.type === 'task.completed' || event.type === 'task.skipped' || event.type === 'task.adopted' ? [parent.observer.tasks[event.slot]!.path] : [],
    ),
  );
  for (const event of events) {
    if (event.type !== 'task.adopted') continue;
    const path = event.from.slice('parent:'.length);
    if (!recorded.has(path) && !everCompleted.has(path)) parent.observer.problem(`S6 the fork adopts ${path}, which has no result`);
  }
}
