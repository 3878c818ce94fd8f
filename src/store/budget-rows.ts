import { dayStart, endOfDay } from '../clock.ts';
import type { MicroUsd } from '../money.ts';
import type { BudgetRows, CapRow } from './budgets.ts';
import { rowChecksum } from './checksum.ts';
import type { Database } from './database.ts';
import { damaged } from './failures.ts';
import { totals } from './ledger.ts';
import type { BudgetRaise, BudgetRow, HeldReservation, TotalsFilter, TotalsKey, TotalsRow } from './port.ts';

const SELECT_CAP = `SELECT scope, day, cap AS "capMicroUsd", raised AS "raisedMicroUsd", settled AS "settledMicroUsd", reserved AS "reservedMicroUsd", warned, sum FROM budgets`;
const SELECT_RESERVATION = `SELECT run, "key", day, scopes, micro_usd AS "microUsd", at, doubted, sum FROM reservations`;

interface RawReservation {
  run: string;
  key: string;
  day: string;
  scopes: string;
  microUsd: number;
  at: number;
  doubted: number;
}

/** The caps in an SQLite store. */
export class SqliteBudgetRows implements BudgetRows {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  cap(scope: string, day: string): CapRow | undefined {
    const row = this.#db.get<CapRow & { sum: string }>(`${SELECT_CAP} WHERE scope = ? AND day = ?`, scope, day);
    return row === undefined ? undefined : checkedCap(row);
  }

  putCap(row: CapRow): void {
    const values = capValues(row);
    this.#db.run('INSERT OR REPLACE INTO budgets VALUES (?, ?, ?, ?, ?, ?, ?, ?)', ...values, rowChecksum(...values));
  }

  spent(scope: string, day: string): MicroUsd {
    const { by, filter, name } = callsOf(scope, day);
    return costOf(totals(this.#db, [by], filter)[0]!, name);
  }

  reservation(run: string, key: string): HeldReservation | undefined {
    const row = this.#db.get<RawReservation & { sum: string }>(`${SELECT_RESERVATION} WHERE run = ? AND "key" = ?`, run, key);
    return row === undefined ? undefined : checkedReservation(row);
  }

  putReservation({ run, key, day, scopes, microUsd, at, doubted }: HeldReservation): void {
    const values = reservationValues({ run, key, day, scopes: JSON.stringify(scopes), microUsd, at, doubted: Number(doubted) });
    this.#db.run('INSERT OR REPLACE INTO reservations VALUES (?, ?, ?, ?, ?, ?, ?, ?)', ...values, rowChecksum(...values));
  }

  dropReservation(run: string, key: string): void {
    this.#db.run('DELETE FROM reservations WHERE run = ? AND "key" = ?', run, key);
  }

  putRaise({ scope, day, at, by, microUsd }: BudgetRaise): void {
    const values = [scope, day, at, by, microUsd] as const;
    this.#db.run('INSERT INTO raises (scope, day, at, by, micro_usd, sum) VALUES (?, ?, ?, ?, ?, ?)', ...values, rowChecksum(...values));
  }

  /** All caps of a day, with who raised them. */
  ofDay(day: string): BudgetRow[] {
    return this.#db.read(() => {
      const raises = this.#db.all<BudgetRaise & { sum: string }>(
        'SELECT scope, day, at, by, micro_usd AS "microUsd", sum FROM raises WHERE day = ? ORDER BY id',
        day,
      );
      const held = this.reservations(day);
      return this.#db
        .all<CapRow & { sum: string }>(`${SELECT_CAP} WHERE day = ? ORDER BY scope`, day)
        .map(row => budgetRow(checkedCap(row), held, raises.map(checkedRaise)));
    });
  }

  reservations(day: string): HeldReservation[] {
    return this.#db.all<RawReservation & { sum: string }>(`${SELECT_RESERVATION} WHERE day = ? ORDER BY at, run, "key"`, day).map(checkedReservation);
  }
}

/** How the sums of the ledger are asked for what the calls of a scope cost on a day: by what, and under which name. */
export function callsOf(scope: string, day: string): { by: TotalsKey[]; filter: TotalsFilter; name: string } {
  const by: TotalsKey[] = scope.startsWith('pipeline:') ? ['pipeline'] : scope.startsWith('user:') ? ['user'] : [];
  return { by, filter: { since: dayStart(day), until: endOfDay(day) }, name: by.length === 0 ? '' : scope.slice(scope.indexOf(':') + 1) };
}

/** What they cost, of the sums that were asked for. */
export function costOf(rows: TotalsRow[], name: string): MicroUsd {
  return rows.find(({ keys }) => keys.join('') === name)?.costMicroUsd ?? 0;
}

/** The caps in memory, shared as a file would be. */
export class MemoryBudgetRows implements BudgetRows {
  readonly #caps = new Map<string, CapRow>();
  readonly #held = new Map<string, HeldReservation>();
  readonly #raises: BudgetRaise[] = [];
  readonly spent: (scope: string, day: string) => MicroUsd;

  constructor(spent: (scope: string, day: string) => MicroUsd) {
    this.spent = spent;
  }

  cap(scope: string, day: string): CapRow | undefined {
    return this.#caps.get(`${day} ${scope}`);
  }

  putCap(row: CapRow): void {
    this.#caps.set(`${row.day} ${row.scope}`, row);
  }

  reservation(run: string, key: string): HeldReservation | undefined {
    return this.#held.get(`${run} ${key}`);
  }

  putReservation(row: HeldReservation): void {
    this.#held.set(`${row.run} ${row.key}`, row);
  }

  dropReservation(run: string, key: string): void {
    this.#held.delete(`${run} ${key}`);
  }

  putRaise(raise: BudgetRaise): void {
    this.#raises.push(raise);
  }

  ofDay(day: string): BudgetRow[] {
    const rows = [...this.#caps.values()].filter(row => row.day === day).sort((a, b) => (a.scope < b.scope ? -1 : 1));
    return rows.map(row => budgetRow(row, this.reservations(day), this.#raises));
  }

  reservations(day: string): HeldReservation[] {
    return [...this.#held.values()].filter(row => row.day === day).map(row => ({ ...row, scopes: [...row.scopes] }));
  }

  forgetBefore(day: string): void {
    for (const [name, row] of this.#caps) if (row.day < day) this.#caps.delete(name);
    for (const [name, row] of this.#held) if (row.day < day) this.#held.delete(name);
    this.#raises.splice(0, this.#raises.length, ...this.#raises.filter(raise => raise.day >= day));
  }
}

function budgetRow(row: CapRow, held: HeldReservation[], raises: BudgetRaise[]): BudgetRow {
  const { scope, day } = row;
  const doubted = held.filter(one => one.doubted && one.scopes.includes(scope));
  return {
    ...row,
    doubtedMicroUsd: doubted.reduce((sum, { microUsd }) => sum + microUsd, 0),
    raises: raises.filter(raise => raise.scope === scope && raise.day === day).map(raise => ({ ...raise })),
  };
}

function capValues({ scope, day, capMicroUsd, raisedMicroUsd, settledMicroUsd, reservedMicroUsd, warned }: CapRow): (string | number | null)[] {
  return [scope, day, capMicroUsd, raisedMicroUsd, settledMicroUsd, reservedMicroUsd, warned];
}

function reservationValues({ run, key, day, scopes, microUsd, at, doubted }: RawReservation): (string | number)[] {
  return [run, key, day, scopes, microUsd, at, doubted];
}

function checkedCap({ sum, ...row }: CapRow & { sum: string }): CapRow {
  if (rowChecksum(...capValues(row)) !== sum) throw damaged(`the budget of ${row.scope} on ${row.day} does not hold what was written to it`, null);
  return row;
}

function checkedReservation({ sum, ...row }: RawReservation & { sum: string }): HeldReservation {
  if (rowChecksum(...reservationValues(row)) !== sum) throw damaged(`what is reserved for ${row.run} does not hold what was written to it`, null);
  return { ...row, scopes: JSON.parse(row.scopes) as string[], doubted: row.doubted === 1 };
}

function checkedRaise({ sum, ...raise }: BudgetRaise & { sum: string }): BudgetRaise {
  const { scope, day, at, by, microUsd } = raise;
  if (rowChecksum(scope, day, at, by, microUsd) !== sum) throw damaged(`a raise of the budget of ${scope} does not hold what was written to it`, null);
  return raise;
}
