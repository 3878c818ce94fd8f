import { setTimeout as sleep } from 'node:timers/promises';
import { utcDay } from '../clock.ts';
import { raiseCommand, scopeText, type Refusal } from '../engine/index.ts';
import { OrchestratorError } from '../errors.ts';
import { isFree, reservationFor, type Model, type ModelRequest } from '../models/index.ts';
import { formatUsd } from '../money.ts';
import { roomOf } from '../store/index.ts';
import type { AskingShop } from './asking.ts';
import type { LiveRun } from './live.ts';
import type { Flight } from './perform.ts';
import { lostIn } from './reserved.ts';

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

/** A call that has no room only because others are under way asks again, after pauses that double up to a limit, so many times. */
const AGAIN_MS = 100;
const AGAIN_MOST_MS = 3200;
const TRIES = 20;

/**
 * Sets the worst case of a call aside under every cap, durably before the call is made (C24): of the model that was chosen or, where the pipeline says so, of
 * the first of its chain that fits. Waits where calls under way may leave room. Throws ORC-602 where there is none, or a price is unknown.
 */
export async function reserveCall(shop: AskingShop, run: LiveRun, slot: number, flight: Flight, asked: Asked): Promise<Reserved> {
  const { loop, models, caps } = shop;
  const onExceed = run.state.budget?.onExceed ?? run.plan.budget?.onExceed ?? caps.onExceed;
  const others = onExceed === 'fallback-model' ? models.chain(asked.model.id).chain.slice(1) : [];
  let refusal: Refusal | undefined;
  for (let tries = 1; ; tries++) {
    refusal = undefined;
    for (const model of [asked.model, ...others.map(id => models.get(id))]) {
      const held = await tryToReserve(shop, run, slot, { ...asked, model });
      if (typeof held === 'string') return { key: held, model };
      if (held !== undefined && (refusal === undefined || held.microUsd < refusal.microUsd)) refusal = held;
    }
    if (refusal === undefined || tries === TRIES || !(await mayLeaveRoom(shop, run, refusal))) break;
    await rest(flight, Math.min(AGAIN_MS * 2 ** (tries - 1), AGAIN_MOST_MS));
    if (run.lost !== null || run.state.status !== 'running') break;
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

async function rest(flight: Flight, pauseMs: number): Promise<void> {
  flight.progress = { done: 0, total: null, text: 'waits for room in the budget: calls are under way' };
  try {
    await sleep(pauseMs, undefined, { signal: flight.signal });
  } catch (error) {
    throw flight.stopReason ?? error;
  } finally {
    flight.progress = null;
  }
}

/** The key of what was set aside; else the cap that had no room, or nothing where the run has ended. */
async function tryToReserve(shop: AskingShop, run: LiveRun, slot: number, { model, request, purpose }: Asked): Promise<string | Refusal | undefined> {
  const { loop, caps } = shop;
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
  return Object.hasOwn(run.state.reserved, key) ? key : run.state.refusals[slot];
}

/** Would there be room if the calls under way turned out to cost nothing? What was set aside for lost replies stays so. */
async function mayLeaveRoom({ store, loop }: AskingShop, { state }: LiveRun, { scope, microUsd }: Refusal): Promise<boolean> {
  if (scope === 'run') {
    const lost = state.doubted.reduce((sum, key) => sum + (state.reserved[key] ?? 0), 0);
    return state.costMicroUsd + lost + microUsd <= (state.budget?.microUsd ?? Infinity);
  }
  if (scope === 'call' || scope === 'task') return false;
  const day = utcDay(loop.now());
  const row = (await store.budgets(day)).find(one => one.scope === scope);
  if (row === undefined) return false;
  const left = roomOf(row) - row.settledMicroUsd - microUsd;
  return left >= 0 && left >= ((await lostIn(store, day)).get(scope) ?? 0);
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
