import type { Event, Refusal, Span } from '../../src/engine/index.ts';

type Reserved = Extract<Event, { type: 'budget.reserved' }>;

const CAP_MICRO_USD = 40;
/** Of the days of the simulation, which are short. */
const DAY_MS = 60_000;

/** A cap that several runs share, as a store keeps it, and what other runs spend under it is left out: an oracle of its own, by the journal alone. */
export class Cap {
  readonly #settled = new Map<string, number>();
  readonly #open = new Map<string, { day: string; microUsd: number }>();

  span(now: number): Span {
    return { scope: 'day', day: `d${Math.floor(now / DAY_MS)}`, capMicroUsd: CAP_MICRO_USD };
  }

  /** Reservations among events that are about to be written, for which there is no room. */
  refused(events: readonly Event[]): Map<Reserved, Omit<Refusal, 'until'>> {
    const refused = new Map<Reserved, Omit<Refusal, 'until'>>();
    const taken = new Map<string, number>();
    for (const event of events) {
      if (event.type !== 'budget.reserved') continue;
      for (const { scope, day, capMicroUsd } of event.spans ?? []) {
        const used = this.#used(day) + (taken.get(day) ?? 0);
        if (used + event.microUsd <= capMicroUsd) taken.set(day, (taken.get(day) ?? 0) + event.microUsd);
        else refused.set(event, { scope, microUsd: event.microUsd, capMicroUsd, leftMicroUsd: capMicroUsd - used });
      }
    }
    return refused;
  }

  /** Adds what is durable. Answers what is wrong with it, or null. */
  see(event: Event): string | null {
    if (event.type === 'budget.reserved' && event.spans !== undefined) {
      const { day } = event.spans[0]!;
      if (this.#open.has(event.key)) return `S12 the key ${event.key} is used twice`;
      this.#open.set(event.key, { day, microUsd: event.microUsd });
      if (this.#used(day) > CAP_MICRO_USD) return `S12 ${this.#used(day)} settled and reserved of ${CAP_MICRO_USD}`;
    } else if (event.type === 'model.called' && event.key !== undefined) {
      const held = this.#open.get(event.key);
      if (held === undefined) return `S12 a call was made under ${event.key}, for which nothing is reserved`;
      this.#settled.set(held.day, (this.#settled.get(held.day) ?? 0) + (event.call.costMicroUsd ?? 0));
    } else if (event.type === 'budget.released' && !this.#open.delete(event.key)) return `S12 ${event.key} is released twice`;
    return null;
  }

  #used(day: string): number {
    let used = this.#settled.get(day) ?? 0;
    for (const held of this.#open.values()) if (held.day === day) used += held.microUsd;
    return used;
  }
}
