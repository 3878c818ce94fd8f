import { formatDuration } from '../../duration.ts';
import type { RunDocument } from '../../engine/document.ts';
import { canonicalJson, type Json } from '../../json.ts';
import { formatUsd, microUsd } from '../../money.ts';
import { markOf } from '../glyphs.ts';
import type { Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import type { Terminal } from '../terminal.ts';
import { escapeLine, fit, pad } from '../text.ts';

interface Difference {
  kind: 'pipeline' | 'input' | 'task' | 'result' | 'output' | 'auto';
  /** What it is about: a path, a name. */
  at: string;
  a: Json;
  b: Json;
}

/** Differences of the runs' outcomes; time and money differ always and are told apart. */
export function differences(a: RunDocument, b: RunDocument): Difference[] {
  const found: Difference[] = [];
  const compare = (kind: Difference['kind'], at: string, left: Json | undefined, right: Json | undefined): void => {
    if (canonicalJson(left ?? null) !== canonicalJson(right ?? null)) found.push({ kind, at, a: left ?? null, b: right ?? null });
  };
  if (a.pipeline.hash !== b.pipeline.hash)
    found.push({ kind: 'pipeline', at: a.pipeline.name, a: a.pipeline.hash.slice(0, 12), b: b.pipeline.hash.slice(0, 12) });
  for (const name of union(a.inputs, b.inputs)) compare('input', name, a.inputs[name], b.inputs[name]);
  const answers = (document: RunDocument): { [at: string]: Json } =>
    Object.fromEntries(document.autos.map(auto => [`${auto.path}.${auto.target}`, auto.value]));
  const [autosA, autosB] = [answers(a), answers(b)];
  for (const at of union(autosA, autosB)) compare('auto', at, autosA[at], autosB[at]);
  for (const path of union(a.tasks, b.tasks)) {
    compare('task', path, a.tasks[path]?.status ?? 'absent', b.tasks[path]?.status ?? 'absent');
    if (a.tasks[path]?.status === 'completed' && b.tasks[path]?.status === 'completed') compare('result', path, a.tasks[path].output, b.tasks[path].output);
  }
  for (const name of union(a.outputs, b.outputs)) compare('output', name, a.outputs[name], b.outputs[name]);
  return found;
}

function union(a: object, b: object): string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])];
}

export async function diff(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const [a, b] = await withShell(terminal, shell => Promise.all([shell.show(args[0]!), shell.show(args[1]!)]));
  const found = differences(a!, b!);
  if (flags.on('json')) {
    const summary = ({ run, status, durationMs, costUsd }: RunDocument): object => ({ run, status, durationMs, costUsd });
    terminal.out(`${JSON.stringify({ v: 1, a: summary(a!), b: summary(b!), differences: found }, null, 2)}\n`);
    return 0;
  }
  const { out, paintOut: paint } = terminal;
  const columns = terminal.outIsTerminal ? terminal.columns : 120;
  for (const [letter, document] of [
    ['a', a!],
    ['b', b!],
  ] as const) {
    const { glyph, style } = markOf(document.status);
    out(
      `${letter}  ${document.run}  ${paint(style, `${glyph} ${document.status}`)}  ${document.durationMs === null ? '–' : formatDuration(document.durationMs)}  ${formatUsd(microUsd(document.costUsd))}\n`,
    );
  }
  for (const { kind, at, a: left, b: right } of found) {
    const width = columns - 4;
    out(
      `\n${pad(kind, 8)} ${paint('strong', escapeLine(at))}\n  ${paint('error', '-')} ${fit(valueText(left), width)}\n  ${paint('ok', '+')} ${fit(valueText(right), width)}\n`,
    );
  }
  const slower = durationLines(a!, b!);
  if (slower.length > 0) out(`\n${slower.join('\n')}\n`);
  if (!terminal.quiet) terminal.err(found.length === 0 ? 'The two runs came to the same.\n' : '');
  return 0;
}

function valueText(value: Json): string {
  return escapeLine(typeof value === 'string' ? value : JSON.stringify(value));
}

/** Tasks whose time changed the most. */
function durationLines(a: RunDocument, b: RunDocument): string[] {
  const changes = union(a.tasks, b.tasks).flatMap(path => {
    const [left, right] = [a.tasks[path]?.durationMs, b.tasks[path]?.durationMs];
    return left == null || right == null || Math.abs(right - left) < 100 ? [] : [{ path, left, right }];
  });
  return changes
    .sort((x, y) => Math.abs(y.right - y.left) - Math.abs(x.right - x.left))
    .slice(0, 5)
    .map(({ path, left, right }) => `time     ${escapeLine(path)}  ${formatDuration(left)} → ${formatDuration(right)}`);
}
