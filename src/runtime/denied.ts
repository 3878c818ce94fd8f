import type { Diagnostic } from '../language/diagnostic.ts';
import type { Handler, Pipeline, Task, Value } from '../language/pipeline.ts';
import type { Source, Span } from '../language/source.ts';
import type { ActionSpec, Policy } from '../tools/port.ts';

/** What the policy would refuse when the pipeline runs, as warnings: the verdict on a file depends on the file alone. */
export function deniedByPolicy(pipeline: Pipeline, specs: readonly ActionSpec[], policy: Policy): Diagnostic[] {
  const powers = new Map(specs.map(spec => [spec.name, spec.powers]));
  return [...namedActions(pipeline)].flatMap(({ name, span }) => {
    const denied = powers.get(name)?.find(power => (power === 'shell' && policy.shell === 'deny') || (power === 'code' && policy.code === 'deny'));
    return denied === undefined ? [] : [warning(pipeline.source, span, name, denied)];
  });
}

function warning(source: Source, span: Span, name: string, power: string): Diagnostic {
  return {
    code: 'ORC-214',
    severity: 'warning',
    message: `the policy does not allow \`${name}\`, so a run would stop here`,
    source,
    span,
    label: power === 'shell' ? 'starts programs' : 'runs code',
    help: [`allow it in orchestrator.config.yaml: policy: { ${power}: allow }`],
  };
}

function* namedActions({ tasks, onError }: { tasks: readonly Task[]; onError: readonly Handler[] }): Generator<{ name: string; span: Span }> {
  for (const task of tasks) {
    if (task.action !== undefined) yield task.action;
    // What a model may ask for is named too.
    if (task.action?.name === 'agent') for (const { key, value } of task.parameters.entries) if (key === 'tools') yield* toolsIn(value);
    yield* namedActions(task);
  }
  for (const { run } of onError) if (run.kind === 'action') yield run.action;
}

function* toolsIn(value: Value): Generator<{ name: string; span: Span }> {
  for (const tool of value.kind === 'list' ? value.items : []) {
    const name = tool.kind === 'map' ? tool.entries.find(({ key }) => key === 'action')?.value : tool;
    if (name?.kind === 'literal' && typeof name.value === 'string') yield { name: name.value, span: name.span };
  }
}
