import { isObject, type Json } from '../json.ts';
import { costOf, isFree, LEVELS, type ModelPrice, type Models, type Traits } from '../models/index.ts';
import { formatUsd, usd, type MicroUsd } from '../money.ts';
import { taskOf, type Store, type Totals, type TotalsRow } from '../store/index.ts';

/** A way to spend less, with what it would have saved on the calls of the report. */
export interface CostSuggestion {
  kind: 'cheaper_model' | 'retry_waste' | 'repeated_prompts' | 'repeated_part';
  /** One sentence for people. */
  text: string;
  /** Dollars. */
  saving: number;
}

/** What is known of models without asking anybody. */
export type PricedModels = Pick<Models, 'known' | 'describe'>;

/** A model that answered in a task so often at least has shown whether it meets the schema. */
const PROOF_CALLS = 5;
/** Tasks whose prompts are compared, runs of each that are read, the largest run that is, and the prompts that are enough. */
const COMPARED_TASKS = 3;
const COMPARED_RUNS = 5;
const COMPARED_RUN_TASKS_MAX = 2000;
const COMPARED_PROMPTS = 20;
/** Services keep the beginning of a prompt from about so many tokens on. */
const KEPT_TOKENS_MIN = 1024;

/** The use that a task made of a model. */
interface Use {
  pipeline: string;
  task: string;
  model: string;
  totals: Totals;
}

/** Suggestions for rows by pipeline, task and model, the largest saving first; none that would save nothing. */
export async function suggestionsFor(
  store: Pick<Store, 'ledger' | 'runs' | 'read' | 'blob'>,
  rows: TotalsRow[],
  models: PricedModels | undefined,
): Promise<CostSuggestion[]> {
  const uses = rows.map(({ keys: [pipeline, task, model], ...totals }): Use => ({ pipeline: pipeline!, task: task!, model: model!, totals }));
  const found = [
    provenModel(uses, models) ?? (models === undefined ? undefined : ratedModel(uses, models)),
    retryWaste(uses),
    repeatedPrompts(uses),
    models === undefined ? undefined : await repeatedPart(store, uses, models),
  ];
  return found.filter(one => one !== undefined).sort((a, b) => b.saving - a.saving);
}

/** What the paid calls of a use would have cost elsewhere: at a price, or at what another model took a call in the same task. */
function costAt({ totals }: Use, price: ModelPrice | undefined, free: boolean, other?: Totals): MicroUsd | undefined {
  if (free) return 0;
  const calls = totals.calls - totals.cacheHits - totals.failedCalls;
  if (calls <= 0) return undefined;
  // A call at a time, since prices rise with the length of an input.
  const part = (tokens: number): number => Math.round(tokens / calls);
  const { inputTokens, outputTokens } = totals;
  if (price !== undefined)
    return calls * costOf(price, { inputTokens: part(inputTokens), outputTokens: part(outputTokens), cachedInputTokens: 0, reasoningTokens: 0 });
  return other === undefined || other.costMicroUsd === 0 ? undefined : Math.ceil((other.costMicroUsd / answers(other)) * calls);
}

function answers({ calls, cacheHits, failedCalls }: Totals): number {
  return calls - cacheHits - failedCalls;
}

/** Tasks whose answers another model of theirs met the schema for as well, and for less. */
function provenModel(uses: Use[], models: PricedModels | undefined): CostSuggestion | undefined {
  const swaps: { from: Use; to: Use; micro: MicroUsd }[] = [];
  for (const ofTask of Map.groupBy(uses, ({ pipeline, task }) => `${pipeline}\n${task}`).values()) {
    for (const from of ofTask) {
      const proven = ofTask.filter(to => to !== from && to.totals.schemaCalls >= PROOF_CALLS && from.totals.schemaCalls > 0 && unmet(to) <= unmet(from));
      const [best] = proven
        .flatMap(to => {
          const info = models?.known().includes(to.model) === true ? models.describe(to.model) : undefined;
          const micro = costAt(from, info?.price, info !== undefined && isFree(info), to.totals);
          return micro === undefined || micro >= from.totals.costMicroUsd ? [] : [{ from, to, micro }];
        })
        .sort((a, b) => a.micro - b.micro);
      if (best !== undefined) swaps.push(best);
    }
  }
  if (swaps.length === 0) return undefined;
  const [first] = swaps.sort((a, b) => savedBy(b) - savedBy(a));
  const saving = swaps.reduce((sum, swap) => sum + savedBy(swap), 0);
  const { from, to, micro } = first!;
  const { schemaCalls, unmetCalls } = to.totals;
  const others = swaps.length === 1 ? '' : `; ${swaps.length - 1} more such`;
  const text = `${to.model} met the schema of ${nameOf(from)} in ${schemaCalls - unmetCalls} of ${schemaCalls} answers; it would have taken the calls of ${from.model} there for ${formatUsd(micro)} instead of ${formatUsd(from.totals.costMicroUsd)}${others}`;
  return { kind: 'cheaper_model', text, saving: usd(saving) };
}

function savedBy({ from, micro }: { from: Use; micro: MicroUsd }): MicroUsd {
  return from.totals.costMicroUsd - micro;
}

/** The part of its answers that did not fit. */
function unmet({ totals }: Use): number {
  return totals.schemaCalls === 0 ? 1 : totals.unmetCalls / totals.schemaCalls;
}

function nameOf({ pipeline, task }: Use): string {
  return task === '' ? `the inputs of ${pipeline}` : `\`${task}\` of ${pipeline}`;
}

/** The cheapest model that is known to be no worse, for the tokens of the model that took most. */
function ratedModel(uses: Use[], models: PricedModels): CostSuggestion | undefined {
  const [top] = [...Map.groupBy(uses, ({ model }) => model)]
    .map(([model, some]) => ({ model, some, micro: sumOf(some, 'costMicroUsd') }))
    .sort((a, b) => b.micro - a.micro);
  if (top === undefined || top.micro === 0) return undefined;
  const known = models.known();
  const least = known.includes(top.model) ? rankOf(models.describe(top.model).traits) : -1;
  let best: { id: string; micro: MicroUsd } | undefined;
  for (const id of known) {
    if (id === top.model) continue;
    const { price, local, traits } = models.describe(id);
    if (rankOf(traits) < least || (price === undefined && !local)) continue;
    const micro = top.some.reduce((sum, use) => sum + (costAt(use, price, isFree({ price, local })) ?? 0), 0);
    if (micro < (best?.micro ?? top.micro)) best = { id, micro };
  }
  if (best === undefined) return undefined;
  const calls = top.some.reduce((sum, { totals }) => sum + answers(totals), 0);
  const text = `${best.id} would have taken the ${calls} calls of ${top.model} for ${formatUsd(best.micro)} instead of ${formatUsd(top.micro)}`;
  return { kind: 'cheaper_model', text, saving: usd(top.micro - best.micro) };
}

function rankOf({ level }: Traits): number {
  return level === undefined ? -1 : LEVELS.indexOf(level);
}

/** Calls of attempts that another attempt followed. */
function retryWaste(uses: Use[]): CostSuggestion | undefined {
  const micro = sumOf(uses, 'wastedMicroUsd');
  if (micro === 0) return undefined;
  const [worst] = uses.toSorted((a, b) => b.totals.wastedMicroUsd - a.totals.wastedMicroUsd);
  const text = `${sumOf(uses, 'wastedCalls')} calls for ${formatUsd(micro)} were of attempts that had to be made again, most of them by ${nameOf(worst!)}`;
  return { kind: 'retry_waste', text, saving: usd(micro) };
}

/** The same prompt to the same model: all but the first could have come from a cache. */
function repeatedPrompts(uses: Use[]): CostSuggestion | undefined {
  const micro = sumOf(uses, 'repeatedMicroUsd');
  if (micro === 0) return undefined;
  const text = `${sumOf(uses, 'repeatedCalls')} calls asked what had been asked before; with \`cache:\` on their tasks they would have cost nothing`;
  return { kind: 'repeated_prompts', text, saving: usd(micro) };
}

function sumOf(uses: Use[], count: keyof Totals): number {
  return uses.reduce((sum, { totals }) => sum + totals[count], 0);
}

/** Prompts of a task that begin, or end, all in the same way: what is the same can be kept by the service, at a lower price. */
async function repeatedPart(store: Pick<Store, 'ledger' | 'runs' | 'read' | 'blob'>, uses: Use[], models: PricedModels): Promise<CostSuggestion | undefined> {
  const known = models.known();
  const candidates = uses
    .flatMap(use => {
      const price = known.includes(use.model) ? models.describe(use.model).price : undefined;
      const perToken = price === undefined ? 0 : price.inputPerMillion - (price.cachedInputPerMillion ?? price.inputPerMillion);
      const fresh = use.totals.inputTokens - use.totals.cachedInputTokens;
      return perToken > 0 && answers(use.totals) > 2 && fresh / answers(use.totals) >= KEPT_TOKENS_MIN ? [{ use, perToken, fresh }] : [];
    })
    .sort((a, b) => b.perToken * b.fresh - a.perToken * a.fresh);
  let best: CostSuggestion | undefined;
  for (const { use, perToken, fresh } of candidates.slice(0, COMPARED_TASKS)) {
    const same = sharedPart(await promptsOf(store, use));
    if (same === undefined) continue;
    const calls = answers(use.totals);
    const tokens = Math.floor((use.totals.inputTokens / calls) * same.part);
    // The first call of all has to be paid in full, and what was kept already is no saving.
    const saving = Math.floor((Math.min(tokens * (calls - 1), fresh) * perToken) / 1_000_000);
    if (tokens < KEPT_TOKENS_MIN || usd(saving) <= (best?.saving ?? 0)) continue;
    const where = same.isFirst ? 'begins' : 'ends';
    const how = same.isFirst ? 'with prompt caching' : 'put first, and with prompt caching';
    const text = `every prompt of ${nameOf(use)} ${where} with the same ${tokens.toLocaleString('en-US')} tokens: ${how}, ${calls - 1} calls would have read them at the lower price`;
    best = { kind: 'repeated_part', text, saving: usd(saving) };
  }
  return best;
}

/** Some prompts of a use, of its newest runs. */
async function promptsOf(store: Pick<Store, 'ledger' | 'runs' | 'read' | 'blob'>, { pipeline, task, model }: Use): Promise<string[]> {
  const prompts = new Set<string>();
  for (const { run, tasksTotal } of await store.runs({ pipeline, limit: COMPARED_RUNS })) {
    if (tasksTotal > COMPARED_RUN_TASKS_MAX) continue;
    const rows = (await store.ledger({ run })).filter(row => row.model === model && taskOf(row.path) === task);
    const requests = new Set(rows.map(({ request }) => request));
    if (rows.length === 0) continue;
    for (const { event } of await store.read(run)) {
      if (event.type !== 'model.called' || event.call.model !== model || !requests.has(event.call.request)) continue;
      const prompt = 'b' in event.prompt ? await store.blob(event.prompt.b) : JSON.stringify(event.prompt.v);
      if (prompt !== undefined) prompts.add(textOf(JSON.parse(prompt) as Json));
      if (prompts.size >= COMPARED_PROMPTS) return [...prompts];
    }
  }
  return [...prompts];
}

function textOf(messages: Json): string {
  return Array.isArray(messages) ? messages.map(one => (isObject(one) ? JSON.stringify(one['content']) : '')).join('\n') : '';
}

/** The part of an average prompt, 0 to 1, with which all begin, or else all end; undefined where there are too few to tell. */
export function sharedPart(prompts: string[]): { part: number; isFirst: boolean } | undefined {
  if (prompts.length < 3) return undefined;
  const average = prompts.reduce((sum, { length }) => sum + length, 0) / prompts.length;
  const shortest = Math.min(...prompts.map(({ length }) => length));
  const [first] = prompts as [string];
  const isSame = (i: number): boolean => prompts.every(one => one.at(i) === first.at(i));
  let begin = 0;
  while (begin < shortest && isSame(begin)) begin++;
  let end = 0;
  while (end < shortest && isSame(-1 - end)) end++;
  return { part: Math.max(begin, end) / average, isFirst: begin >= end };
}
