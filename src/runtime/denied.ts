import type { Diagnostic } from '../language/diagnostic.ts';
import type { Handler, Pipeline, Task } from '../language/pipeline.ts';
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
    yield* namedActions(task);
  }
  for (const { run } of onError) if (run.kind === 'action') yield run.action;
}
