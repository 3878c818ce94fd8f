import { sha256 } from '../hash.ts';
import { canonicalJson, type Json, type JsonObject } from '../json.ts';
import type { Block, Plan, PlanAuto, PlanHandler, PlanInput, PlanTask, PlanValue } from './plan.ts';

/** A value without the places at which it stands in a file. */
function bare(value: PlanValue): Json {
  if ('e' in value) return value.s ? { e: value.e, s: 1 } : { e: value.e };
  if ('t' in value) return { t: value.t };
  if ('m' in value) return { m: value.m.map(bare) };
  if ('l' in value) return { l: value.l.map(bare) };
  if ('o' in value) return { o: value.o.map(([key, member]) => [key, bare(member)]) };
  return value as JsonObject;
}

function optional(value: PlanValue | undefined): Json {
  return value === undefined ? null : bare(value);
}

function bareAuto({ target, question, schema, default: fallback, model, cache }: PlanAuto): Json {
  return { target, question: bare(question), schema, default: fallback === undefined ? null : { v: fallback }, model: model ?? null, cache };
}

function bareInput({ name, schema, type, required, default: fallback, description, autos }: PlanInput): Json {
  return { name, schema, type, required, default: optional(fallback), description: description ?? null, autos: (autos ?? []).map(bareAuto) };
}

/** The hashes of the blocks that come after a block in the plan; those that it holds are among them. */
type BlockHashes = readonly string[];

function bareHandler({ block, fallback, ...rest }: PlanHandler, blocks: BlockHashes): Json {
  return { ...rest, block: block === undefined ? null : blocks[block]!, fallback: optional(fallback) };
}

/** What a task is and does. How hard it is tried (retry, time-out, parallelism) changes no result that is there, and is not part of it. */
function definition(block: Block, task: PlanTask, blocks: BlockHashes, included: JsonObject): Json {
  const idOf = (index: number): string => block.tasks[index]!.id;
  return {
    id: task.id, kind: task.kind, action: task.action, effect: task.effect, parameters: bare(task.parameters), condition: optional(task.condition), needs: task.needs.map(idOf),
    onFailure: typeof task.onFailure === 'string' ? task.onFailure : { route: idOf(task.onFailure.route) },
    onSuccess: task.onSuccess === undefined ? null : idOf(task.onSuccess), onFalse: task.onFalse === undefined ? null : idOf(task.onFalse),
    handlers: task.handlers.map((handler) => bareHandler(handler, blocks)), model: optional(task.model), cacheKey: optional(task.cache?.key), body: task.body === undefined ? null : blocks[task.body]!,
    source: optional(task.source), while: optional(task.while), until: optional(task.until), maxIterations: optional(task.maxIterations), autos: task.autos.map(bareAuto), included,
  };
}

/** What is left of a task besides its definition, so that the plan's hash covers all of it. */
function settings(task: PlanTask): Json {
  const { retry, timeoutMs, cache, onAmbiguous, maxParallel, order, dependencies, handlerOnly } = task;
  return {
    hash: task.hash, retry: (retry as unknown as JsonObject | undefined) ?? null, timeoutMs: timeoutMs ?? null, cache: cache === undefined ? null : { ttlMs: cache.ttlMs ?? null }, onAmbiguous: onAmbiguous ?? null,
    maxParallel: optional(maxParallel), order, dependencies, handlerOnly: handlerOnly ?? false,
  };
}

function bareOutputs(outputs: { name: string; value: PlanValue }[]): Json {
  return outputs.map(({ name, value }) => [name, bare(value)]);
}

function bareBlock(block: Block, blocks: BlockHashes): Json {
  const { kind, loopName, queue, tasks, inputs, outputs, pipeline } = block;
  return {
    kind, loopName: loopName ?? null, queue: queue ?? false, tasks: tasks.map((task) => [task.hash, settings(task), ...task.handlers.map((handler) => bareHandler(handler, blocks))]),
    inputs: (inputs ?? []).map(bareInput), outputs: bareOutputs(outputs ?? []), pipeline: pipeline === undefined ? null : { ...pipeline },
  };
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
      const included = Object.fromEntries([...includedBy(task)].map((path) => [path, inclusions.get(path)!]));
      task.hash = sha256(canonicalJson(definition(block, task, blocks, included))).slice(0, 16);
    }
    blocks[number] = sha256(canonicalJson(bareBlock(block, blocks)));
  }
  const { format, pipeline, handlers, timeoutMs, concurrency, budget, defaultModel, actions, needsModel } = plan;
  plan.hash = sha256(canonicalJson({
    format, pipeline, handlers: handlers.map((handler) => bareHandler(handler, blocks)), timeoutMs: timeoutMs ?? null, concurrency: concurrency ?? null, budget: budget ?? null, defaultModel: optional(defaultModel),
    actions: actions as unknown as JsonObject, needsModel, inclusions: Object.fromEntries(inclusions), inputs: plan.inputs.map(bareInput), outputs: bareOutputs(plan.outputs), root: blocks[0]!,
  }));
}
