import type { Terminal } from './terminal.ts';

/** Tells a background worker that it is one. */
export const WORKER = 'ORCHESTRATOR_BACKGROUND_WORKER';

/** In a background worker, says the id to the process that waits for it. */
export function announceId({ env, out }: Pick<Terminal, 'env' | 'out'>, id: string): void {
  if (env[WORKER] === '1') out(`${id}\n`);
}

export function isWorker({ env }: Pick<Terminal, 'env'>): boolean {
  return env[WORKER] === '1';
}
