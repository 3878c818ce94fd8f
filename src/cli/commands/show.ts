import { formatDuration } from '../../duration.ts';
import type { RunDocument, TaskDocument } from '../../engine/document.ts';
import { OrchestratorError } from '../../errors.ts';
import { nearest } from '../../ids.ts';
import { formatUsd, microUsd } from '../../money.ts';
import { planOf } from '../drive.ts';
import { EXIT } from '../exit.ts';
import { renderProblem } from '../frame.ts';
import { markOf, reasonText } from '../glyphs.ts';
import type { Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import { nested } from '../nesting.ts';
import { keptText, receiptLines } from '../receipt.ts';
import { readable } from '../result.ts';
import { plainRows, tableLines, type Cell } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { escapeControls, escapeLine } from '../text.ts';
import { troubleOf } from '../trouble.ts';

const OUTPUTS = ['human', 'plain', 'json'] as const;
/** More rows than this are cut, and said. */
const MAX_ROWS = 200;

export async function show(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const output = flags.choice('output', OUTPUTS, 'human');
  const path = flags.text('task');
  await withShell(terminal, async shell => {
    const document = await shell.show(args[0]!);
    if (path !== undefined) return showTask(terminal, document, path, output);
    if (output === 'json') terminal.out(`${JSON.stringify(document, null, 2)}\n`);
    else if (output === 'plain')
      terminal.out(
        plainRows(
          Object.entries(document.tasks).map(([at, task]) => [
            at,
            task.status,
            task.reason,
            task.action,
            task.durationMs,
            task.attempts,
            task.costUsd,
            task.error?.code ?? '',
          ]),
        ),
      );
    else await showRun(terminal, document, await planOf(shell, document.run));
  });
  return EXIT.ok;
}

async function showRun(terminal: Terminal, document: RunDocument, plan: Awaited<ReturnType<typeof planOf>>): Promise<void> {
  const { out, paintOut: paint } = terminal;
  const columns = terminal.outIsTerminal ? terminal.columns : 120;
  out(
    `${receiptLines({ ...document, next: [] }, paint)
      .filter(line => !line.includes('orchestrator show'))
      .join('\n')}\n`,
  );
  if (document.parent !== null) out(`  forked from ${document.parent.run} at ${escapeLine(document.parent.at)}\n`);
  const trouble = troubleOf(document, plan);
  if (trouble !== undefined) out(`\n${renderProblem(trouble, { paint, columns })}`);
  const entries = nested(Object.entries(document.tasks));
  const shown = chooseRows(entries);
  out(
    `\n${tableLines(
      [
        { title: 'task', flexible: true },
        { title: 'status' },
        { title: 'took', align: 'right' },
        { title: 'cost', align: 'right' },
        { title: 'action' },
        { title: '', flexible: true },
      ],
      shown.map(([path, task]) => cellsOf(path, task)),
      columns,
      paint,
    ).join('\n')}\n`,
  );
  if (shown.length < entries.length)
    out(paint('faint', `… and ${entries.length - shown.length} more tasks: orchestrator show ${document.run} --output plain\n`));
  for (const [title, value] of [
    ['Inputs', document.inputs],
    ['Outputs', document.outputs],
  ] as const) {
    if (Object.keys(value).length > 0) out(`\n${paint('strong', title)}\n${indent(await readable(value))}`);
  }
  if (document.status !== 'completed' && document.next.length > 0)
    out(`\n${paint('strong', 'Next')}\n${document.next.map(command => `  ${command}\n`).join('')}`);
}

/** Of very many rows, failures first, then the rest in order. */
function chooseRows(entries: [string, TaskDocument][]): [string, TaskDocument][] {
  if (entries.length <= MAX_ROWS) return entries;
  const failed = entries.filter(([, task]) => task.status === 'failed');
  return [...failed, ...entries.filter(([, task]) => task.status !== 'failed')].slice(0, MAX_ROWS);
}

function cellsOf(path: string, task: TaskDocument): (Cell | string)[] {
  const { glyph, style } = markOf(task.status);
  const remarks = [
    task.error === null ? '' : `${task.error.code}: ${task.error.message.split('\n')[0]}`,
    task.error === null ? `${reasonText(task.reason)}${task.waiting === undefined ? '' : ` of ${task.waiting.for} until ${task.waiting.until}`}` : '',
    task.attempts > 1 ? `${task.attempts} attempts` : '',
    task.cached ? '⚡ cached' : '',
    task.kept === undefined ? '' : keptText(task.kept),
    task.recovered ? 'recovered' : '',
    task.model ?? '',
  ];
  return [
    { text: path, style: 'strong' },
    { text: `${glyph} ${task.status}`, style },
    task.durationMs === null ? '' : formatDuration(task.durationMs),
    task.costUsd > 0 ? formatUsd(microUsd(task.costUsd)) : '',
    task.action,
    { text: remarks.filter(text => text !== '').join(' · '), style: task.error === null ? 'faint' : 'error' },
  ];
}

async function showTask(terminal: Terminal, document: RunDocument, path: string, output: (typeof OUTPUTS)[number]): Promise<void> {
  const task = document.tasks[path];
  if (task === undefined) {
    const near = nearest(path, Object.keys(document.tasks), 1)[0];
    throw new OrchestratorError('ORC-506', `there is no task \`${path}\` in ${document.run}`, {
      class: 'not_found',
      help: [near === undefined ? `orchestrator show ${document.run}` : `did you mean \`${near}\`?`],
    });
  }
  const { out, paintOut: paint } = terminal;
  if (output === 'json') return out(`${JSON.stringify({ v: 1, run: document.run, path, ...task }, null, 2)}\n`);
  const { glyph, style } = markOf(task.status);
  const rows: [string, string][] = [
    ['action', task.action],
    ['took', task.durationMs === null ? '' : formatDuration(task.durationMs)],
    ['waited', task.queuedMs === null ? '' : formatDuration(task.queuedMs)],
    ['started', task.startedAt ?? ''],
    ['attempts', task.attempts > 1 ? String(task.attempts) : ''],
    ['model', task.model ?? ''],
    ['tokens', task.usage.inputTokens + task.usage.outputTokens > 0 ? `${task.usage.inputTokens} in, ${task.usage.outputTokens} out` : ''],
    ['cost', task.costUsd > 0 ? formatUsd(microUsd(task.costUsd)) : ''],
    ['needs', task.dependencies.join(', ')],
    ['skipped', task.skippedBecause === null ? '' : `because of ${task.skippedBecause}`],
  ];
  out(`${paint(style, `${glyph} ${escapeLine(path)} ${task.status}`)} ${paint('faint', reasonText(task.reason))}\n`);
  for (const [name, value] of rows) if (value !== '') out(`  ${paint('faint', name.padEnd(9))} ${escapeLine(value)}\n`);
  for (const auto of document.autos.filter(answer => answer.path === path))
    out(
      `  ${paint('faint', 'AUTO'.padEnd(9))} ${auto.target}: ${escapeLine(JSON.stringify(auto.value))} (${auto.source}${auto.model === null ? '' : `, ${auto.model}`})\n`,
    );
  if (task.error !== null)
    out(
      `\n${paint('error', `${task.error.code}:`)} ${escapeControls(task.error.message)}\n${task.error.help.map(help => `  help: ${escapeLine(help)}\n`).join('')}`,
    );
  if (task.output !== null) out(`\n${paint('strong', 'Output')}\n${indent(await readable(task.output))}`);
}

function indent(text: string): string {
  return escapeControls(text.replaceAll(/^(?=.)/gm, '  '));
}
