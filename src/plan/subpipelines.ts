import { at } from '../language/index.ts';
import type { JsonObject } from '../json.ts';
import type { Task, Value } from '../language/pipeline.ts';
import type { ActionSpec } from '../tools/port.ts';
import { findAction, lowerParameters } from './actions.ts';
import type { Site, Unit } from './compilation.ts';
import { DEPTH_MAX, openSubPipeline, type SubPipelineProblem } from './files.ts';
import { checkGiven } from './parameters.ts';
import type { PlanTask, PlanValue } from './plan.ts';
import { capped, nearNames } from './references.ts';
import type { BlockContext } from './site.ts';
import { inside } from './values.ts';

/** Compiles the pipeline that a task runs, as a block of its own, and checks what it is given. */
export function buildSubPipeline(
  context: BlockContext,
  site: Site,
  task: Task,
  spec: ActionSpec,
  result: PlanTask,
  owner: { block: number; task: number },
): void {
  const { compilation, unit } = context;
  const { span } = task.action!;
  const sub = openSubPipeline(compilation, unit, task);
  if (!('unit' in sub)) {
    result.parameters = lowerParameters(site, task.parameters, spec, task.id, span);
    return 'ended' in sub ? endRecursion(site, task, result) : reportProblem(site, sub);
  }
  const schema = { type: 'object', properties: Object.fromEntries(sub.unit.pipeline.inputs.map(input => [input.name, input.schema])) };
  result.parameters = lowerParameters(site, task.parameters, spec, task.id, span, {
    key: 'inputs',
    schema,
    check: (here, value, lowered) => checkInputs(here, value, lowered, sub.unit),
  });
  checkRequired(site, task, sub.unit);
  const built = context.build.pipeline(compilation, sub.unit, { kind: 'pipeline', owner });
  result.body = built.block;
  const { timeoutMs } = sub.unit.pipeline;
  if (timeoutMs !== undefined) result.timeoutMs = timeoutMs;
  warnOfSettings(site, task, sub.unit);
  const { reporter, source } = sub.unit;
  if (reporter.failed)
    unit.reporter.error('ORC-215', span, `the pipeline that \`${task.id}\` runs has problems of its own`, {
      path: site.path,
      label: `see those of ${source.file}`,
    });
}

/** A pipeline that runs itself is compiled as often as `max_depth` allows; the call after that fails when it is reached. */
function endRecursion(site: Site, task: Task, result: PlanTask): void {
  const spec = findAction(site, { name: 'fail', span: task.action!.span });
  if (spec === undefined) return;
  result.kind = 'action';
  result.action = spec.name;
  result.effect = spec.effect;
  result.parameters = { v: { message: `\`${task.id}\` would run its pipeline deeper than max_depth allows` } };
}

/** What a pipeline says about the whole run counts only where it is the main one. */
function warnOfSettings({ unit, path }: Site, task: Task, sub: Unit): void {
  const { budget, concurrency, onError } = sub.pipeline;
  const idle = [budget === undefined ? [] : ['budget'], concurrency === undefined ? [] : ['concurrency'], onError.length === 0 ? [] : ['on_error']].flat();
  if (idle.length === 0) return;
  unit.reporter.warn(
    'ORC-215',
    task.action!.span,
    `${idle.map(key => `\`${key}\``).join(', ')} of ${sub.path} does not count where \`${task.id}\` runs it: only that of the main pipeline does`,
    { path },
  );
}

function reportProblem({ unit, path }: Site, { problem, path: file, span }: SubPipelineProblem): void {
  const here = { path: at(path, 'file') };
  const { reporter } = unit;
  switch (problem) {
    case 'not-constant':
      return reporter.error('ORC-212', span, 'the `file` of a sub-pipeline is read while the caller is compiled, so it is one path as plain text', {
        ...here,
        help: ['choose between pipelines with a `condition` on each of several tasks'],
      });
    case 'missing':
      return reporter.error('ORC-206', span, `the pipeline \`${file}\` is not there`, {
        ...here,
        label: 'looked for in the folder of the pipeline',
        help: ['files are read from the folder of the pipeline file and those below it'],
      });
    case 'recursive':
      return reporter.error('ORC-205', span, `the pipeline \`${file}\` runs itself: ${chainOf(unit, file).join(' -> ')}`, {
        ...here,
        label: 'would never end',
        help: ['repeat tasks with a loop: while, until or for_each', 'or say how deep it may go: max_depth: 3'],
      });
    case 'deep':
      return reporter.error('ORC-205', span, `pipelines run pipelines more than ${DEPTH_MAX} deep`, { ...here, label: 'one too deep' });
    case 'broken':
      return reporter.error('ORC-215', span, `the pipeline \`${file}\` cannot be read`, { ...here, label: 'see its own problems' });
  }
}

/** The files from the one that is run again to the one that runs it, and that one once more. */
function chainOf(unit: Unit, path: string): string[] {
  const chain = [path];
  for (let here: Unit | null = unit; here !== null; here = here.path === path ? null : here.caller) chain.unshift(here.path);
  return chain;
}

function checkRequired(site: Site, task: Task, sub: Unit): void {
  const value = task.parameters.entries.find(({ key }) => key === 'inputs')?.value;
  const none = value === undefined || (value.kind === 'literal' && value.value === null);
  // An expression is a map that only the run knows.
  if (!none && value.kind !== 'map') return;
  const given = new Set(value?.kind === 'map' ? value.entries.map(({ key }) => key) : []);
  for (const { name, required } of sub.inputs.values()) {
    if (!required || given.has(name)) continue;
    site.unit.reporter.error('ORC-116', none ? task.action!.span : value.span, `\`${task.id}\` does not give the input \`${name}\` of ${sub.path}`, {
      path: site.path,
      label: `needs \`${name}\``,
      help: [`add under inputs: ${name}: …`],
    });
  }
}

function checkInputs(site: Site, value: Value, lowered: PlanValue, sub: Unit): void {
  if (value.kind !== 'map') return checkGiven(site, value, lowered, { type: 'object' }, 'inputs', 'ORC-115', []);
  const members = 'o' in lowered ? lowered.o.map(([, member]) => member) : Object.values((lowered as { v: JsonObject }).v).map((v): PlanValue => ({ v }));
  for (const [index, { key, keySpan, value: member }] of value.entries.entries()) {
    const input = sub.inputs.get(key);
    const here = inside(site, key);
    if (input !== undefined) {
      checkGiven(here, member, members[index]!, input.schema, key, 'ORC-115', [`${sub.path}: ${key} is an input of type ${input.type}`]);
      continue;
    }
    const near = nearNames(site, key, sub.inputs.keys());
    site.unit.reporter.error('ORC-117', keySpan, `the pipeline ${sub.path} has no input \`${key}\``, {
      path: here.path,
      label: near === undefined ? 'not declared there' : `did you mean \`${near}\`?`,
      notes: [`its inputs: ${capped([...sub.inputs.keys()]) || 'none'}`],
    });
  }
}
