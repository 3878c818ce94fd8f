export type {
  Batch,
  BudgetRaise,
  BudgetRow,
  Control,
  Damage,
  HeldReservation,
  LedgerFilter,
  LedgerRow,
  RunChange,
  RunFilter,
  RunRow,
  Shared,
  Spending,
  Store,
  StoreHealth,
  Totals,
  TotalsFilter,
  TotalsKey,
  TotalsRow,
  Verdict,
} from './port.ts';
export { BackendConnectionError, createBackend, type Backend, type ConnectionProblem } from './backend.ts';
export { callsOf, costOf } from './budget-rows.ts';
export { roomOf } from './budgets.ts';
export { MemoryHub, MemoryStore } from './memory.ts';
export { openStore, type OpenOptions } from './open.ts';
export { taskOf } from './totals.ts';
