import { formatDuration } from '../duration.ts';
import type { RunDocument, TaskDocument } from '../engine/document.ts';
import { formatUsd, microUsd } from '../money.ts';
import { markOf, reasonText } from './glyphs.ts';
import { count, escapeLine, fit, type Paint } from './text.ts';

const SLOWEST = 3;

/** What a person wants to know at the end: the verdict, time and money, what was slow, what was decided by default, what to do next. Some five lines. */
export function receiptLines(document: RunDocument, paint: Paint, tellsNext = true): string[] {
  const lines = [verdictLine(document, paint), factsLine(document), ...slowestLine(document)];
  const defaults = document.autos.filter(auto => auto.source === 'default');
  if (defaults.length > 0)
    lines.push(
      `  AUTO: took the default of ${defaults
        .slice(0, 3)
        .map(auto => `${auto.path}.${auto.target} (${fit(escapeLine(JSON.stringify(auto.value)), 24)})`)
        .join(', ')}${defaults.length > 3 ? ` and ${defaults.length - 3} more` : ''}${whyDefault(defaults[0]!.reason)}`,
    );
  for (const warning of document.warnings) lines.push(`  ${paint('warning', 'warning:')} ${escapeLine(warning)}`);
  const next = tellsNext ? nextCommands(document) : [];
  if (next.length > 0) lines.push(...next.map((command, i) => `  ${i === 0 ? paint('faint', 'next:') : '     '} ${command}`));
  return lines;
}

function verdictLine({ status, reason, pipeline, durationMs, run }: RunDocument, paint: Paint): string {
  const { glyph, style } = markOf(status);
  const time = durationMs === null ? '' : status === 'completed' || status === 'failed' || status === 'cancelled' ? ` after ${formatDuration(durationMs)}` : '';
  const why =
    status === 'completed' || status === 'failed'
      ? ''
      : reason === null
        ? ''
        : ` ${status === 'waiting' ? '' : '('}${reasonText(reason)}${status === 'waiting' ? '' : ')'}`;
  const word = status === 'waiting' ? 'waits' : status === 'paused' ? 'is paused' : status;
  return `${paint(style, `${glyph} ${escapeLine(pipeline.name)} ${word}`)}${why}${time}  ${paint('faint', run)}`;
}

function factsLine(document: RunDocument): string {
  const tasks = Object.values(document.tasks);
  const of = (status: TaskDocument['status']): number => tasks.filter(task => task.status === status).length;
  const parts = [`${of('completed')} of ${count(tasks.length, 'task')} done`];
  if (of('failed') > 0) parts.push(`${of('failed')} failed`);
  if (of('skipped') > 0) parts.push(`${of('skipped')} skipped`);
  const cached = tasks.filter(task => task.cached).length;
  if (cached > 0) parts.push(`${cached} cached`);
  const kept = tasks.flatMap(task => task.kept ?? []);
  if (kept.length > 0) parts.push(keptText({ calls: sumOf(kept.map(one => one.calls)), savedUsd: sumOf(kept.map(one => one.savedUsd)) }));
  const costs = costByModel(tasks);
  if (costs.length > 0) {
    const total = formatUsd(microUsd(document.costUsd));
    parts.push(
      costs.length === 1
        ? `${total} (${costs[0]!.model})`
        : `${total} (${costs.map(({ model, costUsd }) => `${model} ${formatUsd(microUsd(costUsd))}`).join(', ')})`,
    );
  }
  return `  ${parts.join(' · ')}`;
}

/** What the response cache spared. */
export function keptText({ calls, savedUsd }: NonNullable<TaskDocument['kept']>): string {
  return `⚡ ${calls === 1 ? 'one reply' : `${calls} replies`} from the cache${savedUsd > 0 ? `, ${formatUsd(microUsd(savedUsd))} saved` : ''}`;
}

function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0);
}

/** What each model cost, the dearest first. A task that used several counts for its last one. */
export function costByModel(tasks: readonly TaskDocument[]): { model: string; costUsd: number; calls: number; tokens: number }[] {
  const byModel = new Map<string, { costUsd: number; calls: number; tokens: number }>();
  for (const { model, costUsd, usage } of tasks) {
    if (model === null) continue;
    const sum = byModel.get(model) ?? { costUsd: 0, calls: 0, tokens: 0 };
    byModel.set(model, { costUsd: sum.costUsd + costUsd, calls: sum.calls + 1, tokens: sum.tokens + usage.inputTokens + usage.outputTokens });
  }
  return [...byModel].map(([model, sum]) => ({ model, ...sum })).sort((a, b) => b.costUsd - a.costUsd);
}

function slowestLine({ tasks, autos }: RunDocument): string[] {
  const asked = new Set(autos.filter(auto => auto.source === 'model').map(auto => auto.path));
  const slow = Object.entries(tasks)
    .filter(([, task]) => task.durationMs !== null && !isContainer(task))
    // A task whose questions a model answers stands in the queue meanwhile.
    .map(([path, task]): [string, number] => [path, task.durationMs! + (asked.has(path) ? (task.queuedMs ?? 0) : 0)])
    .filter(([, ms]) => ms >= 100)
    .sort(([, a], [, b]) => b - a)
    .slice(0, SLOWEST);
  return slow.length < 2 ? [] : [`  slowest: ${slow.map(([path, ms]) => `${escapeLine(path)} ${formatDuration(ms)}`).join(', ')}`];
}

/** Loops, groups and sub-pipelines last as long as what is in them. */
export function isContainer(task: Pick<TaskDocument, 'action'>): boolean {
  return task.action === 'for_each' || task.action === 'while' || task.action === 'parallel' || task.action === 'pipeline.run';
}

function nextCommands({ status, next, run }: RunDocument): string[] {
  return status === 'completed' ? [`orchestrator show ${run}`] : next;
}

/** Why a model did not decide, in a few words. */
function whyDefault(reason: string | null): string {
  return reason === null ? '' : `: ${fit(escapeLine(reason), 60)}`;
}
