import type { RunDocument } from '../engine/document.ts';
import { makeSource } from '../language/source.ts';
import type { Plan, PlanTask } from '../plan/plan.ts';
import type { Problem } from './frame.ts';
import { count } from './text.ts';

/** The task of a plan behind the path of a task run: `read[3]/fetch` is `fetch` in the body of `read`. */
export function taskAt(plan: Plan, path: string): PlanTask | undefined {
  let block = plan.blocks[0];
  let task: PlanTask | undefined;
  for (const part of path.split('/')) {
    const id = part.replace(/[[@].*$/, '');
    task = block?.tasks.find(candidate => candidate.id === id);
    if (task === undefined) return undefined;
    block = task.body === undefined ? undefined : plan.blocks[task.body];
  }
  return task;
}

/** Where in its file a task stands, as a source and a span over its first word. */
export function placeOf(plan: Plan, task: PlanTask): Pick<Problem, 'source' | 'span'> {
  const [file, line, column] = task.at;
  const { file: name, text } = plan.files[file]!;
  const source = makeSource(name, text);
  const start = (source.lineStarts[line - 1] ?? 0) + column - 1;
  const written = text.slice(start, start + 200);
  const id = /^(?:-\s+)?(?:id:\s*)?/.exec(written)?.[0].length ?? 0;
  const length = /^[^\s#,}\]]+/.exec(written.slice(id))?.[0].length ?? 1;
  return { source, span: { start: start + id, end: start + id + length } };
}

/** The failure of a run as a problem, with the place of its task in the pipeline. */
export function troubleOf(document: RunDocument, plan: Plan | undefined): Problem | undefined {
  const { error, run } = document;
  if (error === null) return undefined;
  const path = error.path;
  const record = path === null ? undefined : document.tasks[path];
  const task = plan === undefined || path === null ? undefined : taskAt(plan, path);
  const attempts = record === undefined || record.attempts < 2 ? '' : `after ${record.attempts} attempts`;
  const skipped = Object.values(document.tasks).filter(other => other.status === 'skipped' && other.reason === 'upstream_failed').length;
  const kept = Object.values(document.tasks).filter(other => other.status === 'completed').length;
  const notes =
    kept > 0 || skipped > 0
      ? [
          `${kept} of ${count(Object.keys(document.tasks).length, 'task')} ${kept === 1 ? 'is' : 'are'} done and kept${skipped > 0 ? `; ${skipped} that ${skipped === 1 ? 'needs it was' : 'need it were'} skipped` : ''}`,
        ]
      : [];
  const [first, ...rest] = error.message.replace(/\.$/, '').split('\n');
  return {
    code: error.code,
    severity: 'error',
    message: `${path === null || first!.includes(`\`${path}\``) ? '' : `\`${path}\` failed: `}${first}`,
    ...(task === undefined || plan === undefined ? {} : placeOf(plan, task)),
    label: [path !== null && /[[@/]/.test(path) ? `in ${path}` : '', attempts].filter(text => text !== '').join(', '),
    notes: [...(rest.length > 0 ? [rest.join('\n')] : []), ...notes],
    help: [...error.help, `orchestrator explain ${error.code}`, ...(path === null ? [] : [`orchestrator retry ${run}`])],
  };
}
