import { levelsOf } from './cycles.ts';
import type { Block, Plan, PlanTask } from './plan.ts';

/** What can be said of a run before it runs. */
export interface Estimate {
  /** Tasks as written, those of bodies and sub-pipelines once each. */
  tasks: number;
  /** Tasks on the longest chain of those that wait for each other. */
  criticalPath: string[];
  /** The most tasks that may run at once, as far as the file says. */
  parallel: number;
  /** Tasks and tags that ask a model, each once. */
  modelCalls: number;
  autoTags: number;
  /** Loops that repeat what is in them as often as the run says. */
  loops: { path: string; kind: 'for_each' | 'while'; times: number | null }[];
  /** Tasks that wait for a person, a signal or the clock. */
  waits: { path: string; kind: 'approval' | 'signal' | 'sleep' }[];
  /** Tasks whose effect a person must judge where a crash leaves it in doubt. */
  effectful: string[];
  /** Actions that nothing performs until a provider is configured. */
  providers: string[];
}

/** Facts of a plan that hold for every run. */
export function estimate(plan: Plan): Estimate {
  const result: Estimate = { tasks: 0, criticalPath: [], parallel: 0, modelCalls: 0, autoTags: 0, loops: [], waits: [], effectful: [], providers: [] };
  const providers = new Set<string>();
  forEachTask(plan, (task, path) => {
    const action = plan.actions[task.action];
    result.tasks++;
    result.autoTags += task.autos.length;
    result.modelCalls += task.autos.length + (action?.model ? 1 : 0);
    if (task.kind === 'for_each' || task.kind === 'while') result.loops.push({ path, kind: task.kind, times: timesOf(task) });
    if (task.kind === 'approval' || task.kind === 'signal' || task.kind === 'sleep') result.waits.push({ path, kind: task.kind });
    if (task.kind === 'action' && task.effect === 'effectful') result.effectful.push(path);
    if (action?.provider !== undefined) providers.add(action.provider);
  });
  result.providers = [...providers].sort();
  const { path, parallel } = measure(plan, 0);
  result.criticalPath = path;
  result.parallel = Math.min(parallel, plan.concurrency ?? Infinity);
  return result;
}

/** The tasks of the lists, and of the lists within them, by path; what handlers run is left out. */
export function forEachTask(plan: Plan, visit: (task: PlanTask, path: string, block: Block) => void, number = 0, prefix = ''): void {
  const block = plan.blocks[number]!;
  for (const task of block.tasks) {
    visit(task, prefix + task.id, block);
    if (task.body !== undefined) forEachTask(plan, visit, task.body, `${prefix}${task.id}/`);
  }
}

function timesOf({ source, kind, maxIterations }: PlanTask): number | null {
  const value = kind === 'for_each' ? source : maxIterations;
  if (value === undefined || !('v' in value)) return value !== undefined && 'l' in value ? value.l.length : null;
  if (typeof value.v === 'number') return kind === 'while' ? value.v : null;
  return Array.isArray(value.v) ? value.v.length : null;
}

/** The longest chain through a block, each body along its own longest chain, and the most tasks that may run at once in it. */
function measure(plan: Plan, number: number): { path: string[]; parallel: number } {
  const { tasks } = plan.blocks[number]!;
  const inner = tasks.map(({ id, body, maxParallel }) => {
    if (body === undefined) return { path: [id], parallel: 1 };
    const { path, parallel } = measure(plan, body);
    const lanes = maxParallel !== undefined && 'v' in maxParallel && typeof maxParallel.v === 'number' ? maxParallel.v : 1;
    return { path: path.map(step => `${id}/${step}`), parallel: parallel * lanes };
  });
  const levels = levelsOf(tasks.length, task => tasks[task]!.needs);
  const order = tasks.map((_, index) => index).sort((a, b) => levels[a]! - levels[b]! || a - b);
  const before = new Int32Array(tasks.length).fill(-1);
  const length = new Float64Array(tasks.length);
  const width: number[] = [];
  let last = -1;
  for (const index of order) {
    for (const need of tasks[index]!.needs) if (before[index] === -1 || length[need]! > length[before[index]!]!) before[index] = need;
    length[index] = inner[index]!.path.length + (before[index] === -1 ? 0 : length[before[index]!]!);
    width[levels[index]!] = (width[levels[index]!] ?? 0) + inner[index]!.parallel;
    if (last === -1 || length[index]! > length[last]!) last = index;
  }
  const chain: string[][] = [];
  for (let index = last; index !== -1; index = before[index]!) chain.push(inner[index]!.path);
  return { path: chain.reverse().flat(), parallel: width.reduce((a, b) => Math.max(a, b), 0) };
}

/** The tasks of the root list in levels: each needs only what stands in levels before it. */
export function planLevels(plan: Plan): string[][] {
  const { tasks } = plan.blocks[0]!;
  const levels: string[][] = [];
  for (const [index, level] of levelsOf(tasks.length, task => tasks[task]!.needs).entries()) (levels[level] ??= []).push(tasks[index]!.id);
  return levels;
}
