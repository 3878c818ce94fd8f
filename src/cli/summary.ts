import { formatDuration } from '../duration.ts';
import type { RunDocument } from '../engine/document.ts';
import { formatUsd, microUsd } from '../money.ts';
import { markOf, reasonText } from './glyphs.ts';

const MAX_ROWS = 50;

/** A run as Markdown, for the summary page of a job. */
export function jobSummary(document: RunDocument): string {
  const { pipeline, status, durationMs, costUsd, run, error, outputs } = document;
  const entries = Object.entries(document.tasks);
  // What went wrong is what people look for, so it comes before the rest where not all can be shown.
  const rows = entries.toSorted(([, a], [, b]) => Number(b.status === 'failed') - Number(a.status === 'failed')).slice(0, MAX_ROWS);
  const lines = [
    `### ${markOf(status).glyph} ${cell(pipeline.name)} ${status}`,
    '',
    `\`${run}\` · ${durationMs === null ? '–' : formatDuration(durationMs)} · ${entries.filter(([, task]) => task.status === 'completed').length} of ${entries.length} tasks · ${formatUsd(microUsd(costUsd))}`,
    '',
    ...(error === null ? [] : [`> **${error.code}** ${cell(error.message)}`, '']),
    '| | task | time | cost | |',
    '|---|---|--:|--:|---|',
    ...rows.map(
      ([path, task]) =>
        `| ${markOf(task.status).glyph} | \`${cell(path)}\` | ${task.durationMs === null ? '' : formatDuration(task.durationMs)} | ${task.costUsd > 0 ? formatUsd(microUsd(task.costUsd)) : ''} | ${cell(task.error?.message ?? reasonText(task.reason))} |`,
    ),
    ...(entries.length > rows.length ? ['', `… and ${entries.length - rows.length} more tasks.`] : []),
    ...(Object.keys(outputs).length === 0
      ? []
      : ['', '<details><summary>Outputs</summary>', '', '```json', JSON.stringify(outputs, null, 2).replaceAll('```', '`\u200b``'), '```', '', '</details>']),
    '',
    '',
  ];
  return lines.join('\n');
}

function cell(text: string): string {
  return text
    .replaceAll(/\s*\n\s*/g, ' ')
    .replaceAll('|', '\\|')
    .replaceAll('<', '&lt;')
    .replaceAll('`', "'");
}
