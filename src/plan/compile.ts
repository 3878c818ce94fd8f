import type { Diagnostic } from '../language/diagnostic.ts';
import type { Pipeline } from '../language/pipeline.ts';
import { buildPipeline, defaultModel } from './build.ts';
import type { Compilation, CompileLimits, CompileRequest, Unit } from './compilation.ts';
import { makeUnit, openFile } from './files.ts';
import { hashPlan } from './fingerprint.ts';
import type { Block, Plan, PlanHandler } from './plan.ts';

export type { CompileLimits, CompileRequest } from './compilation.ts';
export { diagnosticDocument, validationDocument, type DiagnosticDocument, type ValidationDocument } from './document.ts';

export interface CompileResult {
  /** What could be read of the file, also where there are errors. */
  pipeline: Pipeline | null;
  /** Null where there is any error. */
  plan: Plan | null;
  /** Every problem, those of the main file first, each file in its order. */
  diagnostics: Diagnostic[];
  /** Who waits for whom, as far as it is known, also where there are errors: by the path of the task (`loop/inner`), the ids of what it depends on. */
  tasks: Map<string, string[]>;
}

const LIMITS: CompileLimits = { fileMiB: 16, tasks: 100_000 };
/** Unknown names for which a near one is looked for in one compilation. */
const SUGGESTIONS_MAX = 50;

/** The one compiler behind validate, run, debug and the editor. Reads nothing but through `read`; never throws for what a file says. */
export function compile(request: CompileRequest): CompileResult {
  const compilation: Compilation = {
    request,
    strict: request.strict ?? false,
    limits: { ...LIMITS, ...request.limits },
    catalog: new Map(request.actions.map(spec => [spec.name, spec])),
    units: new Map(),
    files: [],
    inclusions: {},
    actions: {},
    blocks: [],
    results: new WeakMap(),
    included: new WeakMap(),
    taskCount: 0,
    suggestions: SUGGESTIONS_MAX,
  };
  const path = request.file.slice(Math.max(request.file.lastIndexOf('/'), request.file.lastIndexOf('\\')) + 1);
  const file = openFile(compilation, path, request.text, request.file)!;
  if (file.pipeline === null) return { pipeline: null, plan: null, diagnostics: collect(compilation), tasks: new Map() };
  const unit = makeUnit(file, file.pipeline, path, null);
  const { handlers } = buildPipeline(compilation, unit, { kind: 'root', owner: null });
  const plan = assemble(compilation, unit, handlers);
  const diagnostics = collect(compilation);
  const tasks = dependenciesOf(compilation.blocks);
  if (diagnostics.some(({ severity }) => severity === 'error')) return { pipeline: file.pipeline, plan: null, diagnostics, tasks };
  hashPlan(plan, task => compilation.included.get(task) ?? []);
  return { pipeline: file.pipeline, plan, diagnostics, tasks };
}

function assemble(compilation: Compilation, unit: Unit, handlers: PlanHandler[]): Plan {
  const { timeoutMs, concurrency, budget, defaults } = unit.pipeline;
  const { inputs, outputs, pipeline, ...root } = compilation.blocks[0]!;
  compilation.blocks[0] = root;
  const plan: Plan = {
    format: 1,
    hash: '',
    pipeline: pipeline!,
    files: compilation.files,
    inclusions: compilation.inclusions,
    inputs: inputs!,
    outputs: outputs!,
    blocks: compilation.blocks,
    handlers,
    actions: compilation.actions,
    needsModel: needsModel(compilation),
  };
  if (timeoutMs !== undefined) plan.timeoutMs = timeoutMs;
  if (concurrency !== undefined) plan.concurrency = concurrency;
  if (defaults.model !== undefined) plan.defaultModel = defaultModel(compilation, unit, defaults.model);
  if (budget !== undefined) plan.budget = { usd: budget.usd, onExceed: budget.onExceed };
  return plan;
}

/** Where any task asks a model, or a tag that no default answers. */
function needsModel({ blocks, actions }: Compilation): boolean {
  return blocks.some(({ tasks }) =>
    tasks.some(({ action, model, autos }) => {
      if (autos.some(auto => auto.default === undefined)) return true;
      const none = model !== undefined && 'v' in model && model.v === 'none';
      return !none && Object.hasOwn(actions, action) && actions[action]!.model === true;
    }),
  );
}

/** What the tasks of the lists, and of the lists within them, depend on. */
function dependenciesOf(blocks: readonly Block[]): Map<string, string[]> {
  const tasks = new Map<string, string[]>();
  const prefixes: (string | undefined)[] = [];
  for (const [number, block] of blocks.entries()) {
    const { owner, kind } = block;
    // What handlers run is no task of its own, and neither is what stands in there.
    const outer = owner === null ? undefined : prefixes[owner.block];
    if (kind === 'handler' || (owner !== null && outer === undefined)) continue;
    const prefix = owner === null ? '' : `${outer}${blocks[owner.block]!.tasks[owner.task]!.id}/`;
    prefixes[number] = prefix;
    for (const { id, dependencies } of block.tasks)
      tasks.set(
        prefix + id,
        dependencies.map(index => block.tasks[index]!.id),
      );
  }
  return tasks;
}

/** The problems of all files, each once; those that only follow from problems of another file come last. */
function collect({ units }: Compilation): Diagnostic[] {
  const seen = new Set<string>();
  const causes: Diagnostic[] = [];
  const consequences: Diagnostic[] = [];
  for (const { reporter } of units.values()) {
    for (const diagnostic of reporter.sorted()) {
      const { code, message, source, span } = diagnostic;
      const key = `${source.file}\n${code} ${span.start} ${span.end} ${message}`;
      if (seen.has(key)) continue;
      seen.add(key);
      (code === 'ORC-215' ? consequences : causes).push(diagnostic);
    }
  }
  return [...causes, ...consequences];
}
