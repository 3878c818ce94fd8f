import { endOfDay } from '../clock.ts';
import type { Refusal, Span } from '../engine/event.ts';
import { markSpent, type MicroUsd } from '../money.ts';
import type { BudgetRaise, BudgetRow, HeldReservation, Spending } from './port.ts';

/** A cap over several runs on one day: what is spent and set aside under it. */
export type CapRow = Omit<BudgetRow, 'doubtedMicroUsd' | 'raises'>;

/** The rows behind the caps of a store, within one transaction. */
export interface BudgetRows {
  cap(scope: string, day: string): CapRow | undefined;
  putCap(row: CapRow): void;
  /** What the calls of a day cost that a scope covers, by the ledger. */
  spent(scope: string, day: string): MicroUsd;
  reservation(run: string, key: string): HeldReservation | undefined;
  putReservation(row: HeldReservation): void;
  dropReservation(run: string, key: string): void;
  putRaise(raise: BudgetRaise): void;
}

/**
 * Caps on what several runs cost together, which all processes on one store share: settled plus reserved never exceeds one (S12). A call counts for the day
 * on which it was reserved, also where its reply comes after midnight.
 */
export class Budgets {
  readonly #rows: BudgetRows;

  constructor(rows: BudgetRows) {
    this.#rows = rows;
  }

  /** Is there a reservation without room? Says which, and writes nothing. */
  refuses(run: string, spending: Spending): boolean {
    if (spending.reservations.length === 0) return false;
    const taken = this.#settling(run, spending);
    spending.refused = [];
    for (const { key, microUsd, spans } of spending.reservations) {
      // What costs nothing has room under every cap.
      const refusal = microUsd === 0 ? undefined : spans.map(span => this.#refusal(span, microUsd, taken)).find(one => one !== undefined);
      if (refusal !== undefined) spending.refused.push({ key, refusal });
      else for (const span of spans) taken.set(nameOf(span), (taken.get(nameOf(span)) ?? 0) + microUsd);
    }
    return spending.refused.length > 0;
  }

  /** What the bills of a commit take, and what it releases gives, by cap: its reservations are judged by what is left then. */
  #settling(run: string, { settlements, released }: Spending): Map<string, MicroUsd> {
    const taken = new Map<string, MicroUsd>();
    const add = (key: string, amount: (held: HeldReservation) => MicroUsd): void => {
      const held = this.#rows.reservation(run, key);
      for (const scope of held?.scopes ?? []) {
        const name = nameOf({ scope, day: held!.day });
        taken.set(name, (taken.get(name) ?? 0) + amount(held!));
      }
    };
    for (const { key, microUsd } of settlements) add(key, () => microUsd);
    for (const key of released) add(key, held => -held.microUsd);
    return taken;
  }

  #refusal(span: Span, microUsd: MicroUsd, taken: Map<string, MicroUsd>): Refusal | undefined {
    const row = this.#capOf(span);
    const capMicroUsd = roomOf(row);
    const leftMicroUsd = capMicroUsd - row.settledMicroUsd - row.reservedMicroUsd - (taken.get(nameOf(span)) ?? 0);
    if (microUsd <= leftMicroUsd) return undefined;
    return { scope: span.scope, microUsd, capMicroUsd, leftMicroUsd: Math.max(0, leftMicroUsd), until: endOfDay(span.day) };
  }

  /** The row of a cap. The first of a day begins with what its calls have cost already. */
  #capOf({ scope, day, capMicroUsd }: Span): CapRow {
    const known = this.#rows.cap(scope, day);
    if (known !== undefined) return { ...known, capMicroUsd };
    return { scope, day, capMicroUsd, raisedMicroUsd: null, settledMicroUsd: this.#rows.spent(scope, day), reservedMicroUsd: 0, warned: 0 };
  }

  /** Writes what a commit does to the caps, and says of which a part was passed that nobody was told of. */
  enter(run: string, spending: Spending): void {
    const rows = this.#rows;
    spending.warned = [];
    for (const { key, microUsd, spans, at } of spending.reservations) {
      for (const span of spans) {
        const row = this.#capOf(span);
        rows.putCap({ ...row, reservedMicroUsd: row.reservedMicroUsd + microUsd });
      }
      const scopes = spans.map(({ scope }) => scope);
      if (scopes.length > 0) rows.putReservation({ run, key, day: spans[0]!.day, scopes, microUsd, at, doubted: false });
    }
    for (const { key, microUsd } of spending.settlements) this.#settle(run, key, microUsd, spending);
    for (const key of spending.doubted) {
      const row = rows.reservation(run, key);
      if (row !== undefined) rows.putReservation({ ...row, doubted: true });
    }
    for (const key of spending.released) this.#release(run, key);
  }

  #settle(run: string, key: string, microUsd: MicroUsd, spending: Spending): void {
    const held = this.#rows.reservation(run, key);
    for (const scope of held?.scopes ?? []) {
      const row = this.#rows.cap(scope, held!.day)!;
      const settledMicroUsd = row.settledMicroUsd + microUsd;
      const capMicroUsd = roomOf(row);
      const percent = microUsd === 0 ? 0 : markSpent(settledMicroUsd, capMicroUsd);
      if (percent > row.warned) spending.warned.push({ key, scope, percent, settledMicroUsd, capMicroUsd });
      this.#rows.putCap({ ...row, settledMicroUsd, warned: Math.max(row.warned, percent) });
    }
  }

  #release(run: string, key: string): void {
    const held = this.#rows.reservation(run, key);
    if (held === undefined) return;
    for (const scope of held.scopes) {
      const row = this.#rows.cap(scope, held.day)!;
      this.#rows.putCap({ ...row, reservedMicroUsd: row.reservedMicroUsd - held.microUsd });
    }
    this.#rows.dropReservation(run, key);
  }

  /** A person lets a scope spend more, on one day. */
  raise(raise: BudgetRaise, capMicroUsd: MicroUsd): void {
    const row = this.#capOf({ ...raise, capMicroUsd });
    const raised = { ...row, raisedMicroUsd: raise.microUsd };
    this.#rows.putCap({ ...raised, warned: row.settledMicroUsd === 0 ? 0 : markSpent(row.settledMicroUsd, roomOf(raised)) });
    this.#rows.putRaise(raise);
  }
}

/** What may be spent under a cap: what the configuration says, or more where a person said so. */
export function roomOf({ capMicroUsd, raisedMicroUsd }: Pick<CapRow, 'capMicroUsd' | 'raisedMicroUsd'>): MicroUsd {
  return Math.max(capMicroUsd, raisedMicroUsd ?? 0);
}

function nameOf({ scope, day }: Pick<Span, 'scope' | 'day'>): string {
  return `${day} ${scope}`;
}
