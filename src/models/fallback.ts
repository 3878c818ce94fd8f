import { OrchestratorError } from '../errors.ts';
import type { MicroUsd } from '../money.ts';
import { waitOf } from './limits.ts';
import type { ModelInfo } from './port.ts';
import { blendedPrice } from './prices.ts';

/** What is tried where a model does not answer, in order. */
export interface FallbackSettings {
  models: string[];
  /** The configuration says so: the next may cost more than the one that was asked. */
  mayCostMore: boolean;
}

/** Classes of price by micro-dollars a million tokens (three parts input, one output). Free is a class of its own; an unknown price is above all. */
const CLASSES: { upTo: MicroUsd; name: string }[] = [
  { upTo: 0, name: 'free' },
  { upTo: 500_000, name: 'cheap' },
  { upTo: 4_000_000, name: 'middling' },
  { upTo: Infinity, name: 'dear' },
];

export function priceClass(model: Pick<ModelInfo, 'price' | 'local'>): { rank: number; name: string } {
  const price = blendedPrice(model);
  if (price === undefined) return { rank: CLASSES.length, name: 'of unknown price' };
  const rank = CLASSES.findIndex(({ upTo }) => price <= upTo);
  return { rank, name: CLASSES[rank]!.name };
}

/** Whom to ask, in order, beginning with the model that was asked for; and who was left out, with the reason. */
export function fallbackChain(
  asked: ModelInfo,
  settings: FallbackSettings,
  find: (id: string) => ModelInfo,
): { chain: string[]; rejected: { id: string; reason: string }[] } {
  const limit = priceClass(asked);
  const chain = [asked.id];
  const rejected: { id: string; reason: string }[] = [];
  for (const id of settings.models) {
    if (chain.includes(id)) continue;
    const own = priceClass(find(id));
    if (settings.mayCostMore || own.rank <= limit.rank) chain.push(id);
    else rejected.push({ id, reason: `it is ${own.name} and ${asked.id} is ${limit.name}; models.fallback.may_cost_more would allow it` });
  }
  return { chain, rejected };
}

/** Whether another model may do better: not where the request itself was at fault, nor where the caller gave up. */
export function mayFallBack(error: unknown): boolean {
  if (!(error instanceof OrchestratorError)) return false;
  // It was not asked yet: our own limit holds it back, which is waited out.
  if (waitOf(error) !== undefined) return false;
  if (error.class === 'rate_limit' || error.class === 'auth' || error.class === 'not_found') return true;
  return error.class === 'network' || error.class === 'timeout' || error.class === 'unavailable' || error.class === 'invalid_output';
}
