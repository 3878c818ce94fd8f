import { parseDuration } from '../duration.ts';
import { isObject, own, type Json, type JsonObject } from '../json.ts';
import { autoRequest, costOf, estimateTokens, isFree, percentile, reservationFor, type Models, type ModelRequest } from '../models/index.ts';
import { usd, type MicroUsd } from '../money.ts';
import type { Block, Plan, PlanAuto, PlanTask, PlanValue } from '../plan/index.ts';
import { historyOf, type History, type TaskHistory } from './history.ts';
import type { Ledger } from './costs.ts';
import { profiles } from './profiles.ts';

/** What one task will take, all its iterations together. Dollars and ms; null is unknown. */
export interface TaskForecast {
  /** The one that would be asked now; null where none is asked, or only the run can tell. */
  model: string | null;
  /** How often it runs: null where only the run can tell. */
  times: number | null;
  /** Questions to models each time: its AUTO tags, and its own. */
  calls: number;
  expectedUsd: number | null;
  /** What 95 of 100 runs stayed below; unknown where it did not run before. */
  p95Usd: number | null;
  worstUsd: number | null;
  /** Of one execution. */
  p50Ms: number | null;
  p95Ms: number | null;
  /** What the expected cost was made from. */
  basis: 'history' | 'prices' | null;
}

/** What a run of a pipeline will take, as far as its file, the prices and the runs before it tell. */
export interface Forecast {
  /** Completed runs before it that were looked at. */
  runs: number;
  /** `knownUsd` is what is expected of the tasks of which anything is known. */
  cost: { expectedUsd: number | null; p95Usd: number | null; worstUsd: number | null; knownUsd: number; budgetUsd: number | null };
  duration: { p50Ms: number | null; p95Ms: number | null; basis: 'history' | 'models' | null };
  /** By path; `(inputs)` are the AUTO tags of the inputs. */
  byTask: { [path: string]: TaskForecast };
  /** What is not known, and why, in words. */
  unknown: string[];
}

/** What is known of models without asking anybody, and whom a choice would fall on. */
export type ForecastModels = Pick<Models, 'known' | 'describe' | 'named' | 'route' | 'hasDefault' | 'default' | 'chain'>;

interface Room {
  plan: Plan;
  models: ForecastModels;
  history: History;
  /** Latency of one call and tokens of one answer, by model. */
  seen: Map<string, { p50Ms: number; p95Ms: number; outputTokens: number | null }>;
  unknown: Set<string>;
}

const INPUTS = '(inputs)';
const ONCE: Times = { known: 1, likely: 1 };
/** How often an answer of a shape is asked for at most, where none fits. */
const ASKED_MAX = 3;
/** Actions whose answer has to fit a shape. */
const SHAPED = new Set(['analyze_text', 'classify', 'extract', 'generate_structured']);
/** An answer in one value is short. */
const AUTO_TOKENS = 40;

/** What the next run of a plan will take. Asks nobody, and counts as no choice of a model. */
export async function forecast(plan: Plan, { store, models }: { store: Ledger & Parameters<typeof historyOf>[0]; models: ForecastModels }): Promise<Forecast> {
  const history = await historyOf(store, plan.pipeline.name);
  const seen = new Map(
    profiles(await store.ledger({ limit: 20_000 })).map(({ model, p50Ms, p95Ms, answerTokens }) => [model, { p50Ms, p95Ms, outputTokens: answerTokens }]),
  );
  const room: Room = { plan, models, history, seen, unknown: new Set() };
  const tasks: Forecast['byTask'] = {};
  const autos = plan.inputs.flatMap(input => input.autos ?? []);
  if (autos.length > 0) tasks[INPUTS] = forecastTask(room, INPUTS, { autos, times: ONCE });
  visit(room, plan.blocks[0]!, '', ONCE, (path, task, times) => {
    tasks[path] = forecastTask(room, path, { task, autos: task.autos, times });
  });
  return { runs: history.runs, cost: costsOf(room, tasks), duration: durationOf(room, tasks), byTask: tasks, unknown: [...room.unknown] };
}

/** How often something runs: for sure, null where only the run can tell; and as far as the defaults of the inputs tell. */
interface Times {
  known: number | null;
  likely: number;
}

/** Every task that may run, with how often it does. */
function visit(room: Room, block: Block, prefix: string, times: Times, tell: (path: string, task: PlanTask, times: Times) => void): void {
  for (const task of block.tasks) {
    if (task.handlerOnly === true) continue;
    const path = prefix + task.id;
    tell(path, task, times);
    if (task.body === undefined) continue;
    const each = timesOf(task);
    const likely = each ?? guessOf(room, path, task);
    const known = times.known === null || each === null ? null : times.known * each;
    visit(room, room.plan.blocks[task.body]!, `${path}/`, { known, likely: times.likely * likely }, tell);
  }
}

/** How often a loop over an input would repeat over its default, else once. */
function guessOf({ plan, unknown }: Room, path: string, { source }: PlanTask): number {
  const [, name] = /^(?:inputs\.)?(\w+)$/.exec(source !== undefined && 'e' in source ? source.e.trim() : '') ?? [];
  const given = plan.inputs.find(input => input.name === name)?.default;
  const items = given === undefined ? undefined : literalOf(given);
  const counted = Array.isArray(items) ? `it is counted as ${items.length}, as the default of \`${name}\` has it` : 'its costs are those of one time';
  unknown.add(`how often \`${path}\` repeats is known in the run only: ${counted}`);
  return Array.isArray(items) ? items.length : 1;
}

/** How often what is in a task runs. */
function timesOf({ kind, source, maxIterations }: PlanTask): number | null {
  if (kind !== 'for_each' && kind !== 'while') return 1;
  const value = kind === 'for_each' ? source : maxIterations;
  if (value !== undefined && 'l' in value) return value.l.length;
  const literal = value === undefined || !('v' in value) ? undefined : value.v;
  if (Array.isArray(literal)) return literal.length;
  return kind === 'while' && typeof literal === 'number' ? literal : null;
}

interface Subject {
  task?: PlanTask;
  autos: PlanAuto[];
  times: Times;
}

function forecastTask(room: Room, path: string, { task, autos, times: { known: times, likely } }: Subject): TaskForecast {
  const known = room.history.tasks.get(path === INPUTS ? '' : path);
  const asks = task !== undefined && task.kind === 'action' && room.plan.actions[task.action]?.model === true;
  const calls = autos.length + (asks ? 1 : 0);
  const sleepMs = task?.kind === 'sleep' ? sleepOf(task.parameters) : undefined;
  const took = { p50Ms: sleepMs ?? at(known?.durations, 0.5), p95Ms: sleepMs ?? at(known?.durations, 0.95) };
  if (calls === 0) return { model: null, times, calls, expectedUsd: 0, p95Usd: 0, worstUsd: 0, ...took, basis: null };
  const priced = [...autos.map(auto => pricedAuto(room, path, task, auto)), ...(asks ? [pricedCall(room, path, task)] : [])];
  const retries = asks ? (task.retry?.maxAttempts ?? 1) : 1;
  const sum = (part: 'expected' | 'worst', factor: number | null): number | null =>
    priced.reduce<number | null>((all, one, i) => {
      const cost = one[part];
      const again = part === 'worst' && i === autos.length ? retries : 1;
      return all === null || cost === null || factor === null ? null : all + cost * again * factor;
    }, 0);
  const answered = priced.at(-1)!.model;
  const paid = paidBefore(known);
  const expected = paid?.p50 ?? sum('expected', likely);
  if (paid === undefined && expected === null) room.unknown.add(`what \`${path}\` costs is unknown: ${priced.find(one => one.expected === null)!.reason}`);
  const latency = answered === null ? undefined : room.seen.get(answered);
  return {
    model: answered,
    times,
    calls,
    expectedUsd: toUsd(expected),
    p95Usd: toUsd(paid?.p95 ?? null),
    worstUsd: toUsd(sum('worst', times)),
    p50Ms: took.p50Ms ?? (latency === undefined ? null : Math.round(latency.p50Ms * calls)),
    p95Ms: took.p95Ms ?? (latency === undefined ? null : Math.round(latency.p95Ms * calls)),
    basis: paid !== undefined ? 'history' : expected === null ? null : 'prices',
  };
}

/** What a task cost before; undefined where it did not run, or a price was unknown. */
function paidBefore(known: TaskHistory | undefined): { p50: MicroUsd; p95: MicroUsd } | undefined {
  if (known === undefined || known.costs.length === 0 || known.costs.includes(null)) return undefined;
  const costs = (known.costs as number[]).toSorted((a, b) => a - b);
  return { p50: percentile(costs, 0.5), p95: percentile(costs, 0.95) };
}

/** One question, in micro-dollars: what it will cost if nothing is repeated, and at most. */
interface Priced {
  model: string | null;
  expected: MicroUsd | null;
  worst: MicroUsd | null;
  reason: string;
}

function pricedAuto(room: Room, path: string, task: PlanTask | undefined, auto: PlanAuto): Priced {
  const shape = { type: undefined, min: undefined, max: undefined, choices: undefined, pattern: undefined, items: undefined };
  const { request } = autoRequest(shape, { question: textIn(auto.question), task: { id: task?.id ?? 'inputs' }, data: {} });
  return price(
    room,
    path,
    wantedBy(room, task, auto.model),
    { ...request, schema: isObject(auto.schema) ? auto.schema : {} },
    isOpen(auto.question),
    AUTO_TOKENS,
  );
}

function pricedCall(room: Room, path: string, task: PlanTask): Priced {
  const parameters = literalsOf(task.parameters);
  const maxTokens = own(parameters, 'max_tokens');
  const schema = own(parameters, 'schema');
  const request: ModelRequest = {
    messages: [{ role: 'user', content: textIn(task.parameters) }],
    ...(typeof maxTokens === 'number' ? { maxTokens } : {}),
    ...(isObject(schema ?? null) || SHAPED.has(task.action) ? { schema: (schema as JsonObject | undefined) ?? {} } : {}),
  };
  if (task.action === 'model.compare') return pricedTogether(room, path, own(parameters, 'models'), request, isOpen(task.parameters));
  const priced = price(room, path, wantedBy(room, task, own(parameters, 'model')), request, isOpen(task.parameters), undefined);
  if (task.action !== 'agent') return priced;
  const cap = own(parameters, 'max_cost_usd');
  if (typeof cap !== 'number')
    room.unknown.add(`how many calls \`${path}\` makes is known in the run only: an agent asks as often as it needs, up to its max_steps`);
  return { ...priced, worst: typeof cap === 'number' ? Math.ceil(cap * 1_000_000) : null };
}

/** One question that several models are asked. */
function pricedTogether(room: Room, path: string, models: Json | undefined, request: ModelRequest, open: boolean): Priced {
  if (!Array.isArray(models)) return { model: null, expected: null, worst: null, reason: 'its models are named in the run' };
  const priced = models.map(one => price(room, path, one, request, open, undefined));
  const sum = (part: 'expected' | 'worst'): MicroUsd | null =>
    priced.reduce<MicroUsd | null>((all, one) => (all === null || one[part] === null ? null : all + one[part]), 0);
  const reason = priced.find(({ expected }) => expected === null)?.reason ?? '';
  return { model: priced.at(-1)?.model ?? null, expected: sum('expected'), worst: sum('worst'), reason };
}

/** What is asked of a model, as it is in a run: by the call, else the task, else the pipeline. `null` where only the run can tell. */
function wantedBy({ plan }: Room, task: PlanTask | undefined, named: Json | undefined): Json | null | undefined {
  if (named !== undefined) return named;
  for (const value of [task?.model, plan.defaultModel]) {
    if (value === undefined) continue;
    const wanted = literalOf(value);
    if (wanted === undefined) return null;
    if (wanted !== '' && wanted !== 'none') return wanted;
  }
  return undefined;
}

function price(room: Room, path: string, wanted: Json | null | undefined, request: ModelRequest, open: boolean, thought: number | undefined): Priced {
  const { models, seen } = room;
  const model = modelFor(room, wanted);
  if (typeof model !== 'string') return { model: null, expected: null, worst: null, reason: model.reason };
  const info = models.describe(model);
  if (info.price === undefined && !info.local) return { model, expected: null, worst: null, reason: `the price of ${model} is not known` };
  const { input, output } = estimateTokens(request);
  const outputTokens = Math.min(request.maxTokens ?? Infinity, thought ?? seen.get(model)?.outputTokens ?? output);
  const usage = { inputTokens: input, outputTokens, cachedInputTokens: 0, reasoningTokens: 0 };
  const expected = isFree(info) ? 0 : costOf(info.price!, usage);
  if (open && expected > 0) room.unknown.add('what values make a prompt longer is known in the run only: the expected cost counts the texts of the file');
  return { model, expected, worst: worstOf(room, path, model, request, open), reason: '' };
}

/** The most that a question can cost, its chain of models and the repetitions for an answer that fits included; null where nothing bounds it. */
function worstOf(room: Room, path: string, model: string, request: ModelRequest, open: boolean): MicroUsd | null {
  const { models } = room;
  let sum = 0;
  for (const id of models.chain(model).chain) {
    const info = models.describe(id);
    if (isFree(info)) continue;
    const bounded = reservationFor([info], request);
    const filled =
      info.contextWindow === undefined || info.price === undefined
        ? undefined
        : costOf(info.price, { ...NOTHING, inputTokens: info.contextWindow, outputTokens: bounded.maxTokens });
    const worst = open ? filled : bounded.microUsd;
    if (worst === undefined) {
      room.unknown.add(
        `the worst case of \`${path}\` is unknown: ${info.price === undefined ? `the price of ${id} is not known` : `the context window of ${id} is not known`}`,
      );
      return null;
    }
    sum += worst;
  }
  return sum * (request.schema === undefined ? 1 : ASKED_MAX);
}

const NOTHING = { inputTokens: 0, outputTokens: 0, cachedInputTokens: 0, reasoningTokens: 0 };

function modelFor({ models }: Room, wanted: Json | null | undefined): string | { reason: string } {
  if (wanted === null) return { reason: 'its model is chosen in the run' };
  if (wanted === undefined) return models.hasDefault() ? models.default().id : { reason: 'no model is configured' };
  const named = typeof wanted === 'string' ? models.named(wanted) : undefined;
  return named ?? models.route(wanted).chosen ?? { reason: 'no model qualifies' };
}

/** The parameters that are written in the file. */
function literalsOf(value: PlanValue): JsonObject {
  if ('v' in value) return isObject(value.v) ? value.v : {};
  if (!('o' in value)) return {};
  return Object.fromEntries(value.o.flatMap(([name, part]) => (literalOf(part) === undefined ? [] : [[name, literalOf(part)!]])));
}

function literalOf(value: PlanValue): Json | undefined {
  if ('v' in value) return value.v;
  if ('l' in value) {
    const items = value.l.map(literalOf);
    return items.includes(undefined) ? undefined : (items as Json[]);
  }
  if (!('o' in value)) return undefined;
  const entries = value.o.map(([name, part]) => [name, literalOf(part)] as const);
  return entries.some(([, part]) => part === undefined) ? undefined : (Object.fromEntries(entries) as JsonObject);
}

/** All that a value says in the file, templates as they stand. */
function textIn(value: PlanValue): string {
  if ('v' in value) return wordsOf(value.v);
  if ('t' in value) return value.t;
  if ('e' in value) return value.e;
  if ('m' in value) return value.m.map(textIn).join('');
  if ('l' in value) return value.l.map(textIn).join('\n');
  return 'o' in value
    ? value.o
        .map(([, part]) => textIn(part))
        .filter(Boolean)
        .join('\n')
    : '';
}

/** The texts in a value, without its names and numbers. */
function wordsOf(value: Json): string {
  if (typeof value === 'string') return value;
  return typeof value === 'object' && value !== null ? Object.values(value).map(wordsOf).filter(Boolean).join('\n') : '';
}

/** Whether anything in a value is known in the run only. */
function isOpen(value: PlanValue): boolean {
  if ('v' in value) return false;
  const parts = 'm' in value ? value.m : 'l' in value ? value.l : 'o' in value ? value.o.map(([, part]) => part) : undefined;
  return parts === undefined || parts.some(isOpen);
}

/** How long a sleep takes, where the file says so. */
function sleepOf(parameters: PlanValue): number | undefined {
  const { duration } = literalsOf(parameters);
  if (typeof duration === 'number') return duration * 1000;
  return typeof duration === 'string' ? parseDuration(duration) : undefined;
}

function at(sorted: number[] | undefined, part: number): number | null {
  return sorted === undefined || sorted.length === 0 ? null : percentile(sorted, part);
}

function toUsd(micro: MicroUsd | null): number | null {
  return micro === null ? null : usd(Math.ceil(micro));
}

/** Sums are of all tasks; where every one of them ran before, what whole runs cost says it better. */
function costsOf({ plan, history }: Room, tasks: Forecast['byTask']): Forecast['cost'] {
  const all = Object.values(tasks);
  const sum = (part: 'expectedUsd' | 'p95Usd' | 'worstUsd'): number | null =>
    all.reduce<number | null>((total, one) => (total === null || one[part] === null ? null : total + one[part]), 0);
  const isKnown = history.runs > 0 && !history.costs.includes(null) && all.every(({ basis, calls }) => calls === 0 || basis === 'history');
  const costs = isKnown ? (history.costs as number[]).toSorted((a, b) => a - b) : [];
  const budgetUsd = plan.budget?.usd ?? null;
  const worst = sum('worstUsd');
  return {
    expectedUsd: isKnown ? usd(percentile(costs, 0.5)) : sum('expectedUsd'),
    p95Usd: isKnown ? usd(percentile(costs, 0.95)) : sum('p95Usd'),
    worstUsd: budgetUsd === null ? worst : Math.min(budgetUsd, worst ?? Infinity),
    knownUsd: all.reduce((total, { expectedUsd }) => total + (expectedUsd ?? 0), 0),
    budgetUsd,
  };
}

/** What runs took before; else the longest chain of what its models take, where one is asked. */
function durationOf({ plan, history }: Room, tasks: Forecast['byTask']): Forecast['duration'] {
  if (history.durations.length > 0) return { p50Ms: at(history.durations, 0.5), p95Ms: at(history.durations, 0.95), basis: 'history' };
  const asking = Object.values(tasks).filter(({ calls }) => calls > 0);
  if (asking.length === 0 || asking.some(({ p50Ms }) => p50Ms === null)) return { p50Ms: null, p95Ms: null, basis: null };
  return { p50Ms: longest(plan, tasks, 'p50Ms'), p95Ms: longest(plan, tasks, 'p95Ms'), basis: 'models' };
}

function longest(plan: Plan, tasks: Forecast['byTask'], part: 'p50Ms' | 'p95Ms', number = 0, prefix = ''): number {
  const block = plan.blocks[number]!;
  const ends: number[] = [];
  const endOf = (index: number): number =>
    (ends[index] ??= ownMs(index) + block.tasks[index]!.needs.reduce((latest, need) => Math.max(latest, endOf(need)), 0));
  const ownMs = (index: number): number => {
    const task = block.tasks[index]!;
    const path = prefix + task.id;
    const own = tasks[path]?.[part] ?? 0;
    if (task.body === undefined || task.handlerOnly === true) return own;
    const lanes = task.maxParallel !== undefined && 'v' in task.maxParallel && typeof task.maxParallel.v === 'number' ? task.maxParallel.v : 1;
    return longest(plan, tasks, part, task.body, `${path}/`) * Math.ceil((timesOf(task) ?? 1) / lanes);
  };
  return block.tasks.reduce((latest, _, index) => Math.max(latest, endOf(index)), number === 0 ? (tasks[INPUTS]?.[part] ?? 0) : 0);
}
