import type { EffectClass } from '../../src/tools/port.ts';
import { randomOf, type Random } from '../fuzz/random.ts';

/** A task as the generator writes it: plan, YAML text, script and oracle are all made from this. */
export interface Spec {
  id: string;
  kind: 'action' | 'sleep' | 'approval' | 'signal' | 'for_each' | 'while' | 'group' | 'pipeline';
  effect: EffectClass;
  /** Indexes in the same list. */
  dependencies: number[];
  condition: 'none' | 'true' | 'false' | 'error';
  onFailure: 'fail' | 'continue' | 'skip' | { route: number };
  onSuccess?: number;
  onFalse?: number;
  retry?: { attempts: number; all: boolean };
  handlers: HandlerSpec[];
  onAmbiguous?: 'retry' | 'skip' | 'fail';
  /** Tags of the parameters, and whether one stands in the condition. */
  tags: number;
  asksCondition: boolean;
  /** The attempt makes its effect in a memoised step of this class. */
  step?: EffectClass;
  body: Spec[];
  /** Elements of a for_each, -1 where the source is no list; rounds of a while until its condition says stop. */
  count: number;
  parallel: number;
  bound: 'while' | 'until';
  limit: number;
  /** What comes of a wait for a person or signal. */
  answer: 'given' | 'rejected' | 'fail' | 'skip' | 'default';
}

export interface HandlerSpec {
  run?: Spec;
  fallback: boolean;
  classes: string[];
  retry: boolean;
  maxRetries: number;
}

export interface Scenario {
  seed: number;
  tasks: Spec[];
  /** Handlers of the pipeline itself. */
  handlers: HandlerSpec[];
  inputTags: number;
  until: number | null;
  mocks: string[];
  failRate: number;
  crashRate: number;
  /** Chances of what people do, per step. */
  pauseRate: number;
  cancelRate: number;
  duplicateRate: number;
  deferRate: number;
  /** Chance that a model call, and with it an attempt or a question, meets the cap of a budget. */
  holdRate: number;
  /** Chance that an attempt calls a model under a cap that several runs share. */
  spendRate: number;
  /** Chance that the clock is set back. */
  jumpRate: number;
  /** What follows once the run has ended. */
  after: 'nothing' | 'retry' | 'fork';
}

const CLASSES: EffectClass[] = ['pure', 'read', 'idempotent', 'keyed', 'effectful'];

interface Maker {
  random: Random;
  next: number;
  rich: boolean;
}

function below(random: Random, limit: number): number {
  return Math.floor(random() * limit);
}

function pick<T>(random: Random, values: readonly T[]): T {
  return values[below(random, values.length)]!;
}

export function makeScenario(seed: number): Scenario {
  const random = randomOf(seed);
  const maker: Maker = { random, next: 0, rich: random() < 0.8 };
  const tasks = makeList(maker, 1 + below(random, pick(random, [3, 8, 14])), 0);
  const calm = random() < 0.35;
  return {
    seed,
    tasks,
    handlers: random() < 0.15 ? [makeHandler(maker, true)] : [],
    inputTags: random() < 0.05 ? 1 + below(random, 2) : 0,
    until: random() < 0.06 ? below(random, tasks.length) : null,
    mocks: random() < 0.06 ? [pick(random, tasks).id] : [],
    failRate: pick(random, [0, 0.05, 0.15, 0.35]),
    crashRate: pick(random, [0, 0.02, 0.08]),
    pauseRate: calm ? 0 : pick(random, [0, 0.02]),
    cancelRate: calm ? 0 : pick(random, [0, 0.004, 0.02]),
    duplicateRate: pick(random, [0, 0.05]),
    deferRate: pick(random, [0, 0.05]),
    holdRate: calm ? 0 : pick(random, [0, 0.03]),
    jumpRate: pick(random, [0, 0, 0.01]),
    after: pick(random, ['nothing', 'nothing', 'retry', 'fork']),
    spendRate: pick(random, [0, 0, 0.4]),
  };
}

function makeList(maker: Maker, size: number, depth: number): Spec[] {
  const { random } = maker;
  const shape = pick(random, ['chain', 'fan', 'any', 'any', 'none']);
  const list: Spec[] = [];
  for (let i = 0; i < size; i++) {
    const dependencies = new Set<number>();
    if (i > 0) {
      if (shape === 'chain') dependencies.add(i - 1);
      else if (shape === 'fan' && i < size - 1) dependencies.add(0);
      else if (shape === 'fan') for (let other = 0; other < i; other++) dependencies.add(other);
      else if (shape === 'any') for (let many = below(random, 3); many > 0; many--) dependencies.add(below(random, i));
    }
    list.push(
      makeTask(
        maker,
        [...dependencies].sort((a, b) => a - b),
        depth,
      ),
    );
  }
  if (maker.rich) for (let i = 0; i + 1 < size; i++) if (random() < 0.12) addRoute(random, list, i);
  return list;
}

function addRoute(random: Random, list: Spec[], index: number): void {
  const spec = list[index]!;
  const target = index + 1 + below(random, Math.min(3, list.length - index - 1));
  const key = below(random, 3);
  if (key === 0) spec.onSuccess = target;
  else if (key === 1) spec.onFailure = { route: target };
  else if (spec.condition !== 'none') spec.onFalse = target;
}

function makeTask(maker: Maker, dependencies: number[], depth: number): Spec {
  const { random, rich } = maker;
  const leaf = depth >= 2 || random() < 0.72;
  const kind = leaf
    ? pick(random, rich ? (['action', 'action', 'action', 'action', 'action', 'sleep', 'approval', 'signal'] as const) : (['action'] as const))
    : pick(random, ['for_each', 'for_each', 'while', 'group', 'pipeline'] as const);
  const spec: Spec = {
    id: `t${maker.next++}`,
    kind,
    effect: random() < 0.8 ? pick(random, CLASSES.slice(0, 4)) : 'effectful',
    dependencies,
    condition: rich && random() < 0.2 ? pick(random, ['true', 'true', 'false', 'false', 'error'] as const) : 'none',
    onFailure: pick(random, ['fail', 'fail', 'continue', 'skip'] as const),
    handlers: [],
    tags: 0,
    asksCondition: false,
    body: [],
    count: 0,
    parallel: 1,
    bound: 'while',
    limit: 10,
    answer: 'given',
  };
  if (kind === 'action') decorateAction(maker, spec);
  if (kind === 'approval' || kind === 'signal') spec.answer = pick(random, ['given', 'given', 'given', 'rejected', 'fail', 'skip', 'default'] as const);
  if (kind === 'for_each') spec.count = pick(random, [0, 1, 2, 3, 5, -1]);
  if (kind === 'for_each') spec.parallel = pick(random, [1, 2, 4]);
  if (kind === 'while') Object.assign(spec, { count: below(random, 4), bound: pick(random, ['while', 'until']), limit: pick(random, [2, 10]) });
  if (!leaf) spec.body = makeList(maker, 1 + below(random, 3), depth + 1);
  if (rich && depth < 2 && random() < (leaf ? 0.15 : 0.25)) for (let n = 1 + below(random, 2); n > 0; n--) spec.handlers.push(makeHandler(maker, false));
  // What a container or a wait fails with hangs on who was first.
  if (kind !== 'action') for (const handler of spec.handlers) handler.classes = [];
  return spec;
}

function decorateAction({ random, rich }: Maker, spec: Spec): void {
  if (random() < 0.3) spec.retry = { attempts: 1 + below(random, 4), all: random() < 0.3 };
  if (!rich) return;
  if (random() < 0.1) spec.tags = 1 + below(random, 2);
  if (spec.condition === 'true' && random() < 0.3) spec.asksCondition = true;
  if (random() < 0.1) spec.step = pick(random, CLASSES);
  if (random() < 0.3) spec.onAmbiguous = pick(random, ['retry', 'skip', 'fail'] as const);
}

function makeHandler(maker: Maker, ofPipeline: boolean): HandlerSpec {
  const { random } = maker;
  const fallback = !ofPipeline && random() < 0.3;
  const handler: HandlerSpec = {
    fallback,
    classes: random() < 0.7 ? [] : [pick(random, ['network', 'rate_limit', 'failed'])],
    retry: !ofPipeline && random() < 0.3,
    maxRetries: 1 + below(random, 2),
  };
  if (fallback && random() < 0.7) return handler;
  // A handler may do nothing but run the task again.
  if (!fallback && handler.retry && random() < 0.3) return handler;
  const run: Spec = { ...makeTask({ ...maker, rich: false }, [], 2), id: '', onFailure: 'fail' };
  delete run.retry;
  handler.run = run;
  return handler;
}
