import { sha256 } from '../hash.ts';
import { canonicalJson, type Json } from '../json.ts';
import type { Block, Plan, PlanAuto, PlanHandler, PlanInput, PlanTask, PlanValue } from './plan.ts';

/*
 * What is hashed is written as lists in a fixed order, with JSON.stringify: several times faster than canonical JSON, which only data of the user needs.
 * A change of these lists changes the hash of every plan, so that no result is adopted from a run before it.
 */

/** A value without the places at which it stands in a file; the order of the keys of a map does not count. */
function bare(value: PlanValue | undefined): Json {
  if (value === undefined) return null;
  if ('v' in value) return ['v', canonicalJson(value.v)];
  if ('e' in value) return ['e', value.e, value.s ?? 0];
  if ('t' in value) return ['t', value.t];
  if ('a' in value) return ['a', value.a, value.s ?? 0];
  if ('m' in value) return ['m', ...value.m.map(bare)];
  if ('l' in value) return ['l', ...value.l.map(bare)];
  return ['o', ...value.o.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, member]) => [key, bare(member)])];
}

function bareAuto({ target, question, schema, default: fallback, model, cache }: PlanAuto): Json {
  return [target, bare(question), canonicalJson(schema), fallback === undefined ? null : canonicalJson(fallback), model ?? null, cache];
}

function bareInput({ name, schema, type, required, default: fallback, autos = [] }: PlanInput): Json {
  return [name, canonicalJson(schema), type, required, bare(fallback), autos.map(bareAuto)];
}

function bareOutputs(outputs: { name: string; value: PlanValue }[]): Json {
  return outputs.map(({ name, value }) => [name, bare(value)]);
}

function barePipeline({ id, name, version, description }: Plan['pipeline']): Json {
  return [id, name, version, description ?? null];
}

/** The hashes of the blocks after the one at hand; those that it holds are among them. */
type BlockHashes = readonly string[];

function bareHandler({ block, fallback, codes, classes, patterns, retry, maxRetries }: PlanHandler, blocks: BlockHashes): Json {
  return [block === undefined ? null : blocks[block]!, bare(fallback), codes, classes, patterns, retry, maxRetries];
}

/** What a task is and does. How hard it is tried (retry, time-out, parallelism) changes no result that is there, and is not part of it. */
function definition(block: Block, task: PlanTask, blocks: BlockHashes, included: Json): Json {
  const {
    id,
    kind,
    action,
    effect,
    parameters,
    condition,
    needs,
    onFailure,
    onSuccess,
    onFalse,
    handlers,
    model,
    cache,
    body,
    source,
    until,
    maxIterations,
    autos,
  } = task;
  const idOf = (index: number | undefined): string | null => (index === undefined ? null : block.tasks[index]!.id);
  return [
    id,
    kind,
    action,
    effect,
    bare(parameters),
    bare(condition),
    needs.map(idOf),
    typeof onFailure === 'string' ? onFailure : [idOf(onFailure.route)],
    idOf(onSuccess),
    idOf(onFalse),
    handlers.map(handler => bareHandler(handler, blocks)),
    bare(model),
    bare(cache?.key),
    body === undefined ? null : blocks[body]!,
    bare(source),
    bare(task.while),
    bare(until),
    bare(maxIterations),
    autos.map(bareAuto),
    included,
  ];
}

/** A task in its block: its definition by hash, and the rest of it, so that the plan's hash covers all. */
function bareTask({ hash, retry, timeoutMs, cache, uncached, onAmbiguous, maxParallel, order, dependencies, handlerOnly }: PlanTask): Json {
  const tries: Json = retry === undefined ? null : [retry.maxAttempts, retry.initialBackoffMs, retry.backoffFactor, retry.maxBackoffMs, retry.jitter, retry.on];
  return [hash, tries, timeoutMs ?? null, cache?.ttlMs ?? uncached ?? null, onAmbiguous ?? null, bare(maxParallel), order, dependencies, handlerOnly ?? false];
}

function bareBlock({ kind, loopName, queue, tasks, inputs = [], outputs = [], pipeline }: Block): Json {
  return [
    kind,
    loopName ?? null,
    queue ?? false,
    tasks.map(bareTask),
    inputs.map(bareInput),
    bareOutputs(outputs),
    pipeline === undefined ? null : barePipeline(pipeline),
  ];
}

function hashOf(value: Json): string {
  return sha256(JSON.stringify(value));
}

/**
 * What holds the body of a task, without the body: two that are equal here go through their items alike, though what they do with each may differ.
 * The texts of included files are not known here; who compares tasks of two plans compares those too.
 */
export function frameOf({ blocks }: Plan, block: Block, task: PlanTask): string {
  const hollow = blocks.map(() => '');
  const body = task.body === undefined ? undefined : blocks[task.body]!;
  return hashOf([definition(block, task, hollow, []), body === undefined ? null : [body.kind, body.loopName ?? null, (body.inputs ?? []).map(bareInput)]]);
}

/**
 * Gives each task the hash of its definition, and the plan its own: of what it means, whatever its file is called, wherever it lies and however it is laid out.
 * A block is hashed before the one that holds it, which always stands before it. `includedBy` tells the files that the texts of a task include.
 */
export function hashPlan(plan: Plan, includedBy: (task: PlanTask) => Iterable<string>): void {
  const inclusions = new Map(Object.entries(plan.inclusions).map(([path, text]) => [path, sha256(text)]));
  const blocks: string[] = [];
  for (let number = plan.blocks.length - 1; number >= 0; number--) {
    const block = plan.blocks[number]!;
    for (const task of block.tasks) {
      const included = [...includedBy(task)].sort().map(path => [path, inclusions.get(path)!]);
      task.hash = hashOf(definition(block, task, blocks, included)).slice(0, 16);
    }
    blocks[number] = hashOf(bareBlock(block));
  }
  const { format, pipeline, handlers, timeoutMs, concurrency, budget, defaultModel, actions, needsModel, inputs, outputs } = plan;
  plan.hash = hashOf([
    format,
    barePipeline(pipeline),
    inputs.map(bareInput),
    bareOutputs(outputs),
    blocks[0]!,
    handlers.map(handler => bareHandler(handler, blocks)),
    timeoutMs ?? null,
    concurrency ?? null,
    budget === undefined ? null : [budget.usd, budget.onExceed],
    bare(defaultModel),
    needsModel,
    [...inclusions].sort(([a], [b]) => (a < b ? -1 : 1)),
    Object.keys(actions)
      .sort()
      .map(name => [
        name,
        actions[name]!.effect,
        canonicalJson(actions[name]!.parameters),
        canonicalJson(actions[name]!.result),
        actions[name]!.provider ?? null,
        actions[name]!.model ?? false,
      ]),
  ]);
}
