export type { Batch, Control, Damage, LedgerRow, RunChange, RunFilter, RunRow, Shared, Store, StoreHealth, Verdict } from './port.ts';
export { BackendConnectionError, createBackend, type Backend, type ConnectionProblem } from './backend.ts';
export { MemoryHub, MemoryStore } from './memory.ts';
export { openStore, type OpenOptions } from './open.ts';
