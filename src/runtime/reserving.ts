import { raiseCommand, scopeText, type Refusal } from '../engine/index.ts';
import { OrchestratorError } from '../errors.ts';
import { isFree, reservationFor, type Model, type ModelRequest } from '../models/index.ts';
import { formatUsd } from '../money.ts';
import type { AskingShop } from './asking.ts';
import type { LiveRun } from './live.ts';
import type { Flight } from './perform.ts';

/** A call for whose worst case there is room. */
export interface Reserved {
  key: string;
  model: Model;
}

/** What is to be asked. */
export interface Asked {
  model: Model;
  request: ModelRequest;
  purpose: string;
}

/**
 * Without any cap: says durably that a call is about to be made, so that one whose reply a dead process lost is known (S12).
 * Undefined where nobody would bill it.
 */
export async function announceCall(shop: AskingShop, run: LiveRun, slot: number, { model, request, purpose }: Asked): Promise<string | undefined> {
  const { loop, models } = shop;
  const { chain } = models.chain(model.id);
  if (chain.every(id => isFree(models.describe(id)))) return undefined;
  const worst = chain.map(id => reservationFor([models.describe(id)], request).microUsd);
  const worstMicroUsd = worst.reduce<number | null>((sum, one) => (sum === null || one === undefined ? null : sum + one), 0);
  const key = `${run.epoch}.${run.reservations++}`;
  const asks = { model: model.id, purpose, worstMicroUsd };
  await loop.sendDurably(run, { type: 'reserve', slot, key, microUsd: worstMicroUsd ?? 0, asks, now: loop.now() });
  // The run ended meanwhile, or is being left.
  if (!Object.hasOwn(run.state.reserved, key)) throw new OrchestratorError('ORC-231', 'the run has ended', { class: 'cancelled' });
  return key;
}

/** Does anything cap what the next call of a run may cost? */
export function isCapped(shop: AskingShop, run: LiveRun): boolean {
  return run.state.budget !== null || shop.caps.limits !== undefined || shop.caps.spansOf(run, shop.loop.now()).length > 0;
}

/**
 * Sets the worst case of a call aside under every cap, durably before the call is made (C24): of the model that was chosen or, where the pipeline says so, of
 * the first of its chain that fits. Throws ORC-602 where none does, or a price is unknown.
 */
export async function reserveCall(shop: AskingShop, run: LiveRun, slot: number, flight: Flight, { model: chosen, request, purpose }: Asked): Promise<Reserved> {
  const { loop, models, caps } = shop;
  const onExceed = run.state.budget?.onExceed ?? run.plan.budget?.onExceed ?? caps.onExceed;
  const chain = models.chain(chosen.id).chain.slice(1);
  const others = onExceed === 'fallback-model' ? chain.map(id => models.get(id)) : [];
  let refusal: Refusal | undefined;
  for (const model of [chosen, ...others]) {
    const microUsd = worstOf(shop, model, request);
    const key = `${run.epoch}.${run.reservations++}`;
    const now = loop.now();
    const spans = caps.spansOf(run, now);
    if (spans.length > 0) run.spends = true;
    await loop.sendDurably(run, {
      type: 'reserve',
      slot,
      key,
      microUsd,
      asks: { model: model.id, purpose, worstMicroUsd: microUsd },
      ...(caps.limits === undefined ? {} : { limits: caps.limits }),
      ...(spans.length === 0 ? {} : { spans }),
      now,
    });
    if (Object.hasOwn(run.state.reserved, key)) return { key, model };
    const met = run.state.refusals[slot];
    if (met !== undefined && (refusal === undefined || met.microUsd < refusal.microUsd)) refusal = met;
  }
  // The run ended meanwhile, or is being left.
  if (refusal === undefined) throw new OrchestratorError('ORC-231', 'the run has ended', { class: 'cancelled' });
  const words = wordsOf(refusal);
  if (onExceed !== 'fail') {
    flight.held = true;
    // What is held fails nowhere, so that its log is where a person finds the figures.
    if (slot >= 0) loop.send(run, { type: 'logged', slot, level: 'warn', text: words, now: loop.now() });
  }
  throw new OrchestratorError('ORC-602', words, { class: 'budget', help: [...helpFor(refusal, run.id), 'or limit the answer: max_tokens'] });
}

function wordsOf({ scope, microUsd, capMicroUsd, leftMicroUsd, until }: Refusal): string {
  const [worst, cap, left] = [formatUsd(microUsd), formatUsd(capMicroUsd), formatUsd(leftMicroUsd)];
  if (scope === 'call') return `the next call could cost ${worst}, and one call may cost ${cap}`;
  if (scope === 'task') return `the next call could cost ${worst}, and ${left} of the ${cap} that one task may cost is left`;
  if (scope === 'run') return `the next call could cost ${worst}, and ${left} of the budget of ${cap} is left`;
  return `the next call could cost ${worst}, and ${left} of the budget of ${cap} for ${scopeText(scope)} is left${until === null ? '' : `, until ${new Date(until).toISOString()}`}`;
}

function helpFor({ scope, microUsd, capMicroUsd }: Refusal, run: string): string[] {
  const more = Math.max(capMicroUsd, microUsd) * 2;
  if (scope === 'run') return [`orchestrator resume ${run} --budget ${more / 1_000_000}`];
  if (scope === 'call' || scope === 'task') return [`raise per_${scope}_usd under budget: in orchestrator.config.yaml, then: orchestrator resume ${run}`];
  return [raiseCommand(scope, more)];
}

/** The most that a call can cost, with all of its chain that may have to be paid before one answers. Throws ORC-602 where a price is unknown. */
function worstOf({ models }: AskingShop, model: Model, request: ModelRequest): number {
  let sum = 0;
  for (const id of models.chain(model.id).chain) {
    const { microUsd } = reservationFor([models.describe(id)], request);
    if (microUsd === undefined) {
      throw new OrchestratorError('ORC-602', `the price of ${id} is not known, and there is a budget`, {
        class: 'budget',
        help: [`give its price: models: { catalog: [ { id: ${id}, cost: { input_per_million: …, output_per_million: … } } ] }`, 'or run it without a budget'],
      });
    }
    sum += microUsd;
  }
  return sum;
}
