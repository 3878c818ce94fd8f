import type { Models } from './catalog.ts';

/**
 * Examines the models of which something was heard, and for a while nothing more: so that choices know how they are by now, and one that was down is seen to be
 * back before somebody waits for it. No model is asked that nobody has used, none that is in use, and none whose provider would charge for it.
 */
export async function probeStale(models: Models, staleMs: number, nowMs: number, signal: AbortSignal): Promise<void> {
  const stale = Object.entries(models.state.toJSON().health).filter(([, { checkedAtMs }]) => nowMs - checkedAtMs >= staleMs);
  // How it went is learned on the way; that it went badly is no reason for anybody else to fail.
  await Promise.allSettled(stale.map(async ([id]) => models.get(id).probe?.(signal)));
}
