import type { RunDocument } from '../engine/index.ts';
import type { RunRow } from '../store/port.ts';
import type { RunEvent, RunHandle, RunView } from './api.ts';
import { rowOf } from './load.ts';
import type { Shop } from './shell.ts';

const POLL_MS = 250;

/** The handle of a run that another process drives: it looks at it, and speaks to it, through the store. */
export class DistantHandle implements RunHandle {
  readonly id: string;
  readonly #shop: Shop;
  #row: RunRow;

  constructor(shop: Shop, row: RunRow) {
    this.id = row.run;
    this.#shop = shop;
    this.#row = row;
  }

  /** Where its owner dies on the way, this process takes the run up. */
  async result(): Promise<RunDocument> {
    const { shell, store } = this.#shop;
    for (;;) {
      this.#row = await rowOf(store, this.id);
      const { status, owner } = this.#row;
      if (status !== 'pending' && status !== 'running' && status !== 'cancelling') return shell.show(this.id);
      if (owner === null || !(await store.alive(owner))) return (await shell.resume(this.id)).result();
      await new Promise(resolve => setTimeout(resolve, POLL_MS));
    }
  }

  events(): AsyncIterable<RunEvent> {
    return this.#shop.shell.events(this.id, { follow: true });
  }

  pause(): Promise<void> {
    return this.#shop.shell.command(this.id, { type: 'pause', by: 'another process' });
  }

  cancel(): Promise<void> {
    return this.#shop.shell.command(this.id, { type: 'cancel', by: 'another process' });
  }

  /** As its row said when it was last looked at; tasks under way are known to its owner alone. */
  view(): RunView {
    const { run, pipeline, status, reason, tasksDone, tasksTotal, startedAt, costMicroUsd } = this.#row;
    return { run, pipeline, status, reason, done: tasksDone, failed: 0, total: tasksTotal, startedAt, costMicroUsd, active: [] };
  }
}
