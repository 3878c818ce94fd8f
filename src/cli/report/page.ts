import { createHash } from 'node:crypto';
import { formatDuration } from '../../duration.ts';
import type { RunDocument, TaskDocument } from '../../engine/document.ts';
import type { Json } from '../../json.ts';
import { formatUsd, microUsd } from '../../money.ts';
import type { Plan } from '../../plan/plan.ts';
import { renderProblem } from '../frame.ts';
import { markOf, reasonText } from '../glyphs.ts';
import { costByModel, isContainer } from '../receipt.ts';
import { nested } from '../nesting.ts';
import { count, plain } from '../text.ts';
import { troubleOf } from '../trouble.ts';
import type { CallFact, Facts } from './facts.ts';
import { drawGraph } from './graph.ts';
import { markup, type Html } from './markup.ts';
import { STYLE } from './style.ts';
import { drawTimeline } from './timeline.ts';

export interface Report {
  document: RunDocument;
  plan: Plan | undefined;
  facts: Facts;
  /** Name and version of the program that ran it. */
  program: string;
}

/** Rows of a table, and characters of a value, beyond which a report says how much more there is. */
const MAX_ROWS = 300;
const MAX_TEXT = 4000;

/**
 * A run as one HTML file: it asks for nothing, runs no script, prints, and is safe whatever the run's texts hold (every one is escaped, and its own
 * content security policy allows its style sheet alone).
 */
export function renderReport(report: Report): string {
  const { document } = report;
  const hash = createHash('sha256').update(STYLE).digest('base64');
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${{ html: hash }}'; base-uri 'none'; form-action 'none'">
<title>${document.pipeline.name}: ${document.status}</title>
${{ html: `<style>${STYLE}</style>` }}
</head>
<body>
<main>
${headSection(report)}
${figures(report)}
${failureSection(report)}
${graphSection(report)}
${timelineSection(report)}
${costSection(report)}
${autoSection(report)}
${callSection(report)}
${retrySection(report)}
${taskSection(report)}
${logSection(report)}
${outputSection(report)}
${reproduceSection(report)}
</main>
<script type="application/json" id="run">${{ html: JSON.stringify(document).replaceAll('<', '\\u003c') }}</script>
</body>
</html>
`;
  return page.html;
}

function headSection({ document }: Report): Html {
  const { status, pipeline, run, startedAt, parent } = document;
  return markup`<header><p><span class="mono">${run}</span>${startedAt !== null && markup` · ${startedAt.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}`}${parent !== null && markup` · forked from <span class="mono">${parent.run}</span> at ${parent.at}`}</p>
<h1>${pipeline.name} <span class="faint">${pipeline.version}</span></h1>
<div class="verdict ${status}"><span class="glyph" aria-hidden="true">${markOf(status).glyph}</span><span>${verdict(document)}</span></div></header>`;
}

function verdict(document: RunDocument): Html {
  const { status, reason, error, durationMs, costUsd, run } = document;
  const tasks = Object.values(document.tasks);
  const done = tasks.filter(task => task.status === 'completed').length;
  const where = error?.path == null ? '' : ` at ${error.path}`;
  const word = status.charAt(0).toUpperCase() + status.slice(1);
  const after = durationMs === null ? '' : ` after ${formatDuration(durationMs)}`;
  const why = status !== 'completed' && status !== 'failed' && reason !== null ? ` (${reasonText(reason)})` : '';
  const again = tasks.filter(task => task.status === 'failed' || task.reason === 'upstream_failed' || task.status === 'cancelled').length;
  const rest =
    status === 'failed' ? markup` <span class="mono">orchestrator retry ${run}</span> would run ${count(again, 'task')} again and keep the rest.` : undefined;
  return markup`<b>${word}${where}</b>${why}${after}; ${done} of ${count(tasks.length, 'task')} done; ${formatUsd(microUsd(costUsd))}.${rest}`;
}

function figures({ document, facts }: Report): Html {
  const tasks = Object.values(document.tasks);
  const failed = tasks.filter(task => task.status === 'failed').length;
  const tokens = tasks.reduce((sum, task) => sum + task.usage.inputTokens + task.usage.outputTokens, 0);
  const again = facts.retries.filter(retry => retry.attempt > 0 && retry.waitedMs > 0).length;
  const cached = tasks.filter(task => task.cached).length;
  const rows: [string, string, string][] = [
    [
      'Tasks',
      `${tasks.filter(task => task.status === 'completed').length} / ${tasks.length}`,
      failed > 0 ? `${failed} failed` : cached > 0 ? `${cached} from cache` : 'none failed',
    ],
    ['Wall time', document.durationMs === null ? '–' : formatDuration(document.durationMs), `${count(facts.criticalPath.length, 'task')} on the critical path`],
    ['Cost', formatUsd(microUsd(document.costUsd)), facts.calls.length === 0 ? 'no model was asked' : `${count(facts.calls.length, 'model call')}`],
    ['Tokens', tokens.toLocaleString('en-US'), `${tasks.reduce((sum, task) => sum + task.usage.outputTokens, 0).toLocaleString('en-US')} of them out`],
    ['Retries', String(again), again === 0 ? 'none needed' : 'attempts beyond the first'],
    ['Peak', String(facts.peak), facts.peak === 1 ? 'task at once' : 'tasks at once'],
  ];
  return markup`<dl class="figures">${rows.map(([name, value, more]) => markup`<div><dt>${name}</dt><dd>${value}<small>${more}</small></dd></div>`)}</dl>`;
}

function failureSection({ document, plan, facts }: Report): Html | undefined {
  const trouble = troubleOf(document, plan);
  if (trouble === undefined) return undefined;
  const path = document.error?.path ?? null;
  const lines = facts.logs.filter(log => log.path === path).slice(-20);
  return markup`<h2>What went wrong</h2><section class="card failed"><pre class="frame">${renderProblem(trouble, { paint: plain, columns: 100 })}</pre>
${lines.length > 0 && markup`<p class="faint">What it logged last</p><pre>${lines.map(log => `${log.level.padEnd(5)} ${log.text}`).join('\n')}</pre>`}</section>`;
}

function graphSection({ document, facts }: Report): Html {
  return markup`<h2>Graph <small>who waited for whom; the bold line is the critical path</small></h2><div class="card">${drawGraph(document, facts.criticalPath)}</div>`;
}

const LEGEND: [string, string][] = [
  ['queue', 'waits for its turn'],
  ['run', 'works'],
  ['model', 'a model answers'],
  ['wait', 'waits outside'],
];

function timelineSection({ facts }: Report): Html | undefined {
  if (facts.rows.length === 0) return undefined;
  return markup`<h2>Timeline</h2><div class="card">${drawTimeline(facts, facts.criticalPath)}
<ul class="legend completed">${LEGEND.map(([kind, text]) => markup`<li><svg width="18" height="10" aria-hidden="true"><rect class="bar ${kind}" width="18" height="10" rx="2"/></svg>${text}</li>`)}</ul></div>`;
}

function costSection({ document }: Report): Html | undefined {
  const byAction = new Map<string, { count: number; timeMs: number; costUsd: number }>();
  for (const task of Object.values(document.tasks)) {
    if (task.durationMs === null || isContainer(task)) continue;
    const sum = byAction.get(task.action) ?? { count: 0, timeMs: 0, costUsd: 0 };
    byAction.set(task.action, { count: sum.count + 1, timeMs: sum.timeMs + task.durationMs, costUsd: sum.costUsd + task.costUsd });
  }
  const rows = [...byAction].sort(([, a], [, b]) => b.timeMs - a.timeMs);
  if (rows.length === 0) return undefined;
  const [time, money] = [rows.reduce((sum, [, row]) => sum + row.timeMs, 0), rows.reduce((sum, [, row]) => sum + row.costUsd, 0)];
  const share = (part: number, whole: number, kind: string): Html =>
    markup`<svg class="share ${kind}" width="120" height="10" aria-hidden="true"><rect class="ground" width="120" height="10" rx="3"/><rect class="part" width="${whole === 0 ? 0 : Math.round((part / whole) * 120)}" height="10" rx="3"/></svg>`;
  const models = costByModel(Object.values(document.tasks));
  return markup`<h2>Where the time ${money > 0 && 'and money '}went</h2><div class="card"><table><thead><tr><th>action<th class="number">tasks<th class="number">time<th>${money > 0 && markup`<th class="number">cost<th>`}</tr></thead>
${rows.map(([action, row]) => markup`<tr><td class="path">${action}<td class="number">${row.count}<td class="number">${formatDuration(row.timeMs)}<td>${share(row.timeMs, time, '')}${money > 0 && markup`<td class="number">${formatUsd(microUsd(row.costUsd))}<td>${share(row.costUsd, money, 'money')}`}</tr>`)}</table>
${models.length > 0 && markup`<p class="faint">By model: ${models.map(({ model, costUsd, tokens }) => `${model} ${formatUsd(microUsd(costUsd))} for ${tokens.toLocaleString('en-US')} tokens`).join('; ')}.</p>`}</div>`;
}

const SOURCES = { model: 'a model', default: 'its default', pinned: 'the pinned answers' } as const;

function autoSection({ document: { autos } }: Report): Html | undefined {
  if (autos.length === 0) return undefined;
  return markup`<h2>What AUTO decided <small>${count(autos.length, 'answer')}</small></h2><div class="card"><table><thead><tr><th>where<th>answer<th>from</tr></thead>
${autos.slice(0, MAX_ROWS).map(auto => markup`<tr><td class="path">${auto.path === '' ? auto.target : `${auto.path}.${auto.target}`}<td class="text mono">${cut(JSON.stringify(auto.value), 400)}<td>${SOURCES[auto.source]}${auto.model !== null && markup` <span class="faint">${auto.model}</span>`}</tr>`)}</table>${more(autos.length)}</div>`;
}

/** What a call's figures do not say. */
function callNote({ failed, uncertain, worstMicroUsd, cached, savedMicroUsd, replayed, asked }: CallFact['call']): string {
  const notes = [
    asked === undefined ? '' : `in the place of ${asked}`,
    uncertain === true
      ? `its reply was lost${worstMicroUsd === undefined ? '' : `, at most ${formatUsd(worstMicroUsd)}`}`
      : failed === undefined
        ? ''
        : `failed: ${failed}`,
    cached === true ? `from the cache${savedMicroUsd === undefined ? '' : `, ${formatUsd(savedMicroUsd)} saved`}` : '',
    replayed === true ? 'from a cassette' : '',
  ];
  return notes
    .filter(Boolean)
    .map(note => ` · ${note}`)
    .join('');
}

function callSection({ facts: { calls, startedMs } }: Report): Html | undefined {
  if (calls.length === 0) return undefined;
  return markup`<h2>Model calls <small>${count(calls.length, 'call')}</small></h2><div class="card"><table><thead><tr><th>task<th>model<th class="number">at<th class="number">took<th class="number">tokens in<th class="number">out<th class="number">cost<th></tr></thead>
${calls.slice(0, MAX_ROWS).map(({ path, atMs, call, prompt, reply }) => markup`<tr><td class="path">${path}<td class="text">${call.model}<br><span class="faint">${call.purpose}${callNote(call)}</span><td class="number">${formatDuration(atMs - startedMs)}<td class="number">${formatDuration(call.latencyMs)}<td class="number">${call.inputTokens}<td class="number">${call.outputTokens}<td class="number">${call.costMicroUsd === null ? 'unknown' : formatUsd(call.costMicroUsd)}<td><details><summary>text</summary><pre>${valueText(prompt)}</pre><pre>${valueText(reply)}</pre></details></tr>`)}</table>${more(calls.length)}</div>`;
}

function retrySection({ facts: { retries, startedMs } }: Report): Html | undefined {
  if (retries.length === 0) return undefined;
  return markup`<h2>Failed attempts and waits</h2><div class="card"><table><thead><tr><th>task<th class="number">at<th>what<th class="number">then waited</tr></thead>
${retries.slice(0, MAX_ROWS).map(retry => markup`<tr><td class="path">${retry.path}<td class="number">${formatDuration(retry.atMs - startedMs)}<td class="text">${retry.attempt > 0 && `attempt ${retry.attempt}: `}${retry.what}<td class="number">${retry.waitedMs === 0 ? '–' : formatDuration(retry.waitedMs)}</tr>`)}</table>${more(retries.length)}</div>`;
}

function taskSection({ document: { tasks } }: Report): Html {
  const entries = nested(Object.entries(tasks));
  const shown =
    entries.length <= MAX_ROWS ? entries : entries.toSorted(([, a], [, b]) => Number(b.status === 'failed') - Number(a.status === 'failed')).slice(0, MAX_ROWS);
  return markup`<h2>Tasks <small>${entries.length}</small></h2><div class="card"><table><thead><tr><th>task<th>status<th>action<th class="number">took<th class="number">cost<th>remarks</tr></thead>
${shown.map(([path, task]) => markup`<tr><td class="path">${path}<td><span class="status ${task.status}">${markOf(task.status).glyph} ${task.status}</span><td>${task.action}<td class="number">${task.durationMs === null ? '' : formatDuration(task.durationMs)}<td class="number">${task.costUsd > 0 ? formatUsd(microUsd(task.costUsd)) : ''}<td class="text">${remarks(task)}</tr>`)}</table>${more(entries.length)}</div>`;
}

function remarks(task: TaskDocument): Html {
  const texts = [
    task.error === null ? reasonText(task.reason) : `${task.error.code}: ${task.error.message}`,
    task.attempts > 1 ? `${task.attempts} attempts` : '',
    task.cached ? 'from cache' : '',
    task.recovered ? 'recovered by a handler' : '',
    task.model ?? '',
  ];
  const output =
    task.output === null || isContainer(task) ? undefined : markup`<details><summary>output</summary><pre>${valueText(task.output)}</pre></details>`;
  return markup`${texts.filter(text => text !== '').join(' · ')}${output}`;
}

function logSection({ facts: { logs, startedMs } }: Report): Html | undefined {
  if (logs.length === 0) return undefined;
  return markup`<h2>Log <small>${count(logs.length, 'line')}</small></h2><div class="card"><table class="log">${logs.slice(-MAX_ROWS).map(log => markup`<tr><td class="number">${formatDuration(log.atMs - startedMs)}<td>${log.level}<td class="path">${log.path}<td class="text">${log.text}</tr>`)}</table>${more(logs.length)}</div>`;
}

function outputSection({ document: { outputs } }: Report): Html | undefined {
  const entries = Object.entries(outputs);
  if (entries.length === 0) return undefined;
  return markup`<h2>Outputs</h2>${entries.map(([name, value]) => markup`<section class="card"><h3>${name}</h3><pre>${valueText(value)}</pre></section>`)}`;
}

function reproduceSection({ document, plan, program }: Report): Html {
  const { pipeline, inputs, run } = document;
  const rows: [string, string][] = [
    ['pipeline', `${pipeline.name} ${pipeline.version}`],
    ['plan', pipeline.hash],
    ['ran with', program],
    ['read with', `node ${process.versions.node}`],
    ['go on', document.next[0] ?? `orchestrator show ${run}`],
  ];
  return markup`<h2>Reproduce</h2><section class="card"><table>${rows.map(([name, value]) => markup`<tr><td class="faint">${name}<td class="text mono">${value}</tr>`)}</table>
${Object.keys(inputs).length > 0 && markup`<details open><summary>inputs</summary><pre>${valueText(inputs)}</pre></details>`}
${(plan?.files ?? []).map(file => markup`<details><summary>${file.file} <span class="mono">sha256 ${file.sha256.slice(0, 16)}</span></summary><pre>${cut(file.text, 60_000)}</pre></details>`)}</section>
<footer>The result document stands at the end of this file as JSON, in the element with the id <span class="mono">run</span>.</footer>`;
}

function more(total: number): Html | undefined {
  return total > MAX_ROWS ? markup`<p class="faint">… and ${total - MAX_ROWS} more.</p>` : undefined;
}

function valueText(value: Json): string {
  return cut(typeof value === 'string' ? value : JSON.stringify(value, null, 2), MAX_TEXT);
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}… (${(text.length - length).toLocaleString('en-US')} more characters)`;
}
