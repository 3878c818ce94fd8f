import { estimate, graph, graphText, planLevels, type Estimate } from '../../plan/index.ts';
import { ValidationError } from '../../runtime/index.ts';
import { checkPipeline, readPipeline, surroundingsOf } from '../compiling.ts';
import type { Invocation } from '../invocation.ts';
import type { Terminal } from '../terminal.ts';
import { count, escapeControls } from '../text.ts';
import { forecastFor, forecastLines } from './plan-estimate.ts';

/** Shows what would run; with `--estimate` also what it would take, by the prices and the runs before. */
export async function plan(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const [file] = args as [string];
  const surroundings = surroundingsOf(terminal);
  const { result, diagnostics } = checkPipeline(readPipeline(terminal, file), surroundings);
  if (result.plan === null) throw new ValidationError(diagnostics);
  const facts = estimate(result.plan);
  const { pipeline, hash } = result.plan;
  const next = flags.on('estimate') ? await forecastFor(terminal, result.plan) : undefined;
  if (flags.on('json'))
    terminal.out(
      `${JSON.stringify({ v: 1, pipeline: { name: pipeline.name, version: pipeline.version, hash }, levels: planLevels(result.plan), tasks: Object.fromEntries(result.tasks), estimate: { ...facts, ...next } }, null, 2)}\n`,
    );
  else if (flags.on('graph')) terminal.out(graph(result.plan));
  else if (next !== undefined) terminal.out(`${[...estimateLines(facts), ...forecastLines(next, terminal)].join('\n')}\n`);
  else {
    terminal.out(
      `${terminal.paintOut('strong', escapeControls(pipeline.name))} ${escapeControls(pipeline.version)}  ${terminal.paintOut('faint', hash.slice(0, 12))}\n${escapeControls(graphText(result.plan))}`,
    );
    if (!terminal.quiet) terminal.err(`${sentence(facts)}\n`);
  }
  return 0;
}

function sentence({ tasks, parallel, criticalPath, modelCalls }: Estimate): string {
  const calls = modelCalls === 0 ? 'no model is asked' : `${count(modelCalls, 'model call')} at least`;
  return `${count(tasks, 'task')}, up to ${parallel} at once, ${criticalPath.length} in the longest chain; ${calls}`;
}

function estimateLines(facts: Estimate): string[] {
  const { tasks, parallel, criticalPath, modelCalls, autoTags, loops, waits, effectful, providers } = facts;
  const rows: [string, string][] = [
    ['tasks', String(tasks)],
    ['at once', `up to ${parallel}`],
    ['longest chain', `${criticalPath.join(' → ')} (${criticalPath.length})`],
    ['model calls', modelCalls === 0 ? 'none' : `${modelCalls} at least${autoTags > 0 ? `, ${autoTags} of them for AUTO tags` : ''}`],
    ...loops.map(({ path, kind, times }): [string, string] => [
      'loop',
      `${path}: ${times === null ? (kind === 'while' ? 'as long as its condition holds' : 'once an item, as many as the run finds') : kind === 'while' ? `at most ${times} times` : `${times} times`}`,
    ]),
    ...waits.map(({ path, kind }): [string, string] => [
      'waits',
      `${path}: for ${kind === 'sleep' ? 'the clock' : kind === 'approval' ? 'an approval' : 'a signal'}`,
    ]),
    ...(effectful.length > 0 ? [['effects', `${effectful.join(', ')}: after a crash in the middle a person is asked`] as [string, string]] : []),
    ...(providers.length > 0 ? [['providers', `${providers.join(', ')}: to be configured first`] as [string, string]] : []),
  ];
  return rows.map(([name, value]) => `${name.padEnd(14)} ${escapeControls(value)}`);
}
