import { sha256 } from '../hash.ts';
import { canonicalJson, type Json } from '../json.ts';
import { costOf, isFree, LEVELS, type Models, type Traits } from '../models/index.ts';
import { formatUsd, usd, type MicroUsd } from '../money.ts';
import type { Store } from '../store/index.ts';
import type { PaidCall } from './costs.ts';

/** A way to spend less, with what it would have saved on the calls of the report. */
export interface CostSuggestion {
  kind: 'cheaper_model' | 'retry_waste' | 'repeated_prompts';
  /** One sentence for people. */
  text: string;
  /** Dollars. */
  saving: number;
}

/** What is known of models without asking anybody. */
export type PricedModels = Pick<Models, 'known' | 'describe'>;

/** Journals are read of so many runs at most, the newest first, to look for prompts that came again. */
const RUNS_READ_MAX = 200;

/** At most three suggestions, the largest saving first; none that would save nothing. */
export async function suggestionsFor(store: Pick<Store, 'read'>, calls: PaidCall[], models: PricedModels | undefined): Promise<CostSuggestion[]> {
  const paid = calls.filter(({ costMicroUsd }) => (costMicroUsd ?? 0) > 0);
  const found = [models === undefined ? undefined : cheaperModel(paid, models), retryWaste(paid), await repeatedPrompts(store, paid)];
  return found.filter(one => one !== undefined).sort((a, b) => b.saving - a.saving);
}

/** The cheapest model that is known to be no worse, for the tokens of the model that took most. */
function cheaperModel(paid: PaidCall[], models: PricedModels): CostSuggestion | undefined {
  const groups = [...Map.groupBy(paid, ({ model }) => model)]
    .map(([model, calls]) => ({ model, calls, micro: sumOf(calls) }))
    .sort((a, b) => b.micro - a.micro);
  const [top] = groups;
  if (top === undefined) return undefined;
  const known = models.known();
  const least = known.includes(top.model) ? rankOf(models.describe(top.model).traits) : -1;
  let best: { id: string; micro: MicroUsd } | undefined;
  for (const id of known) {
    if (id === top.model) continue;
    const { price, local, traits } = models.describe(id);
    if (rankOf(traits) < least) continue;
    if (price === undefined && !local) continue;
    const micro = isFree({ price, local })
      ? 0
      : top.calls.reduce(
          (sum, { inputTokens, outputTokens }) => sum + costOf(price!, { inputTokens, outputTokens, cachedInputTokens: 0, reasoningTokens: 0 }),
          0,
        );
    if (micro < (best?.micro ?? top.micro)) best = { id, micro };
  }
  if (best === undefined) return undefined;
  const saving = top.micro - best.micro;
  const text = `${best.id} would have taken the ${top.calls.length} calls of ${top.model} for ${formatUsd(best.micro)} instead of ${formatUsd(top.micro)}`;
  return { kind: 'cheaper_model', text, saving: usd(saving) };
}

function rankOf({ level }: Traits): number {
  return level === undefined ? -1 : LEVELS.indexOf(level);
}

/** Calls of attempts that another attempt followed. */
function retryWaste(paid: PaidCall[]): CostSuggestion | undefined {
  const tasks = Map.groupBy(paid, ({ run, path }) => `${run} ${path}`);
  const wasted = [...tasks.values()].flatMap(calls => {
    const last = Math.max(...calls.map(({ attempt }) => attempt));
    return calls.filter(({ attempt }) => attempt < last);
  });
  if (wasted.length === 0) return undefined;
  const micro = sumOf(wasted);
  const [worst] = [...Map.groupBy(wasted, ({ pipeline, path }) => `\`${path}\` of ${pipeline}`)].sort(([, a], [, b]) => sumOf(b) - sumOf(a));
  const text = `${wasted.length} calls for ${formatUsd(micro)} were of attempts that had to be made again, most of them by ${worst![0]}`;
  return { kind: 'retry_waste', text, saving: usd(micro) };
}

/** The same prompt to the same model: all but the first could have come from a cache. */
async function repeatedPrompts(store: Pick<Store, 'read'>, paid: PaidCall[]): Promise<CostSuggestion | undefined> {
  const runs = [...new Set(paid.toReversed().map(({ run }) => run))].slice(0, RUNS_READ_MAX);
  const times = new Map<string, number>();
  let micro: MicroUsd = 0;
  let repeats = 0;
  for (const run of runs.toReversed()) {
    for (const { event } of await store.read(run)) {
      if (event.type !== 'model.called') continue;
      const { model, costMicroUsd } = event.call;
      const key = sha256(canonicalJson({ model, prompt: event.prompt as unknown as Json }));
      const before = times.get(key) ?? 0;
      times.set(key, before + 1);
      if (before === 0 || (costMicroUsd ?? 0) === 0) continue;
      repeats++;
      micro += costMicroUsd!;
    }
  }
  if (repeats === 0) return undefined;
  return {
    kind: 'repeated_prompts',
    text: `${repeats} calls asked what had been asked before; with \`cache:\` on their tasks they would have cost nothing`,
    saving: usd(micro),
  };
}

function sumOf(calls: PaidCall[]): MicroUsd {
  return calls.reduce((sum, { costMicroUsd }) => sum + (costMicroUsd ?? 0), 0);
}
