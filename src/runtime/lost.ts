import { pathOf, type CallRecord } from '../engine/index.ts';
import type { Store } from '../store/port.ts';
import type { LiveRun } from './live.ts';
import type { Loop } from './loop.ts';

/**
 * Calls that a dead process had under way: each was announced before it was made, and neither its reply nor its failure is in the journal. Nobody knows
 * whether they are billed, so each is entered as uncertain, with the most that it can be billed (S12). To be sent before the run is recovered.
 */
export async function enterLostCalls(store: Store, loop: Loop, run: LiveRun): Promise<void> {
  const { plan, state } = run;
  const lost = new Set(Object.keys(state.reserved).filter(key => !state.doubted.includes(key)));
  if (lost.size === 0) return;
  const events = await store.read(run.id);
  for (const { event } of events) if (event.type === 'model.called' && event.key !== undefined) lost.delete(event.key);
  for (const { event } of events) {
    if (event.type !== 'budget.reserved' || event.asks === undefined || !lost.has(event.key)) continue;
    const { slot, key, at, asks } = event;
    const { model, purpose, worstMicroUsd } = asks;
    const path = pathOf(plan, state, slot);
    const number = run.nextCall.get(path) ?? 0;
    run.nextCall.set(path, number + 1);
    const call: CallRecord = {
      purpose,
      model,
      inputTokens: 0,
      outputTokens: 0,
      costMicroUsd: null,
      latencyMs: 0,
      failed: 'ORC-229',
      uncertain: true,
      ...(worstMicroUsd === null ? {} : { worstMicroUsd }),
    };
    run.ledger.push({ ...call, run: run.id, path, attempt: slot < 0 ? 0 : state.attempt[slot]!, call: number, at });
    loop.send(run, { type: 'called', slot, call, prompt: { v: null }, reply: { v: null }, key, now: loop.now() });
  }
}
