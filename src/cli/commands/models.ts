import { OrchestratorError } from '../../errors.ts';
import { isObject, type Json, type JsonObject } from '../../json.ts';
import { formatUsd, usd } from '../../money.ts';
import { healthOf, isFree, ModelProfiler, type Candidate, type Route } from '../../models/index.ts';
import type { LedgerRow } from '../../store/port.ts';
import { EXIT } from '../exit.ts';
import { usageError, type Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import { sparkline } from '../sparkline.ts';
import { tableLines, type Cell } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { count, escapeLine, type Paint } from '../text.ts';

/** How long a provider may take to name its models. */
const PATIENCE_MS = 10_000;
/** Calls that a sparkline shows. */
const RECENT = 20;

interface Listed {
  candidate: Candidate;
  /** Latencies of its calls in the ledger, the oldest first. */
  recentMs: number[];
  calls: number;
  p50Ms: number | null;
  p95Ms: number | null;
}

interface Failed {
  provider: string;
  error: unknown;
}

/** The models that are there, how they are, and how they did. */
export async function list(terminal: Terminal, { flags }: Invocation): Promise<number> {
  const { listed, failures } = await withShell(terminal, async shell => {
    const { models } = shell.shop;
    const found = await models.list(AbortSignal.timeout(PATIENCE_MS));
    // What came out of a cassette says nothing about its model.
    const rows = (await shell.store.ledger({})).filter(({ replayed }) => replayed !== true);
    return { listed: found.models.map(({ id }) => listedModel(models.describe(id), rows)), failures: found.failures };
  });
  if (flags.on('json')) {
    terminal.out(`${JSON.stringify({ v: 1, models: listed.map(listedDocument), failures: failures.map(failedDocument) }, null, 2)}\n`);
    return 0;
  }
  if (listed.length > 0) terminal.out(`${listTable(listed, terminal).join('\n')}\n`);
  for (const failure of failures) terminal.err(`${terminal.paint('error', '✕')} ${escapeLine(failure.provider)}: ${escapeLine(messageOf(failure.error))}\n`);
  if (!terminal.quiet) terminal.err(listed.length === 0 ? NONE : `${count(listed.length, 'model')}; try one: orchestrator models test NAME\n`);
  return 0;
}

const NONE = 'No model is known. Put the key of a service into the environment (such as OPENAI_API_KEY), or run one here: orchestrator models pull smollm2\n';

/** The rows of a ledger that are calls of a model. It names models as their providers do, which is the name within the id. */
function listedModel(candidate: Candidate, ledger: readonly LedgerRow[]): Listed {
  const name = candidate.id.slice(candidate.provider.length + 1);
  const rows = ledger.filter(({ model }) => model === candidate.id || model === name);
  const profiler = new ModelProfiler();
  for (const { latencyMs } of rows) profiler.record({ model: candidate.id, ok: true, latencyMs });
  const profile = profiler.report()[0];
  return {
    candidate,
    recentMs: rows.slice(-RECENT).map(({ latencyMs }) => latencyMs),
    calls: rows.length,
    p50Ms: profile?.p50Ms ?? null,
    p95Ms: profile?.p95Ms ?? null,
  };
}

function listTable(listed: readonly Listed[], { columns, outIsTerminal, paintOut }: Terminal): string[] {
  const rows = listed.map(({ candidate, recentMs, calls, p50Ms, p95Ms }): (Cell | string)[] => {
    const { id, local, contextWindow, circuit } = candidate;
    const health = healthMark(candidate);
    return [
      { text: `${health.glyph} ${id}`, style: 'strong' },
      local ? 'local' : 'hosted',
      contextWindow === undefined ? 'unknown' : tokensText(contextWindow),
      priceText(candidate, 'inputPerMillion'),
      priceText(candidate, 'outputPerMillion'),
      { text: health.word, style: health.style },
      circuit === 'closed' ? circuit : { text: circuit, style: 'warning' },
      calls === 0 ? '' : calls.toLocaleString('en-US'),
      p50Ms === null ? '' : msText(p50Ms),
      p95Ms === null ? '' : msText(p95Ms),
      recentMs.length < 2 ? '' : sparkline(recentMs),
    ];
  });
  return tableLines(
    [
      { title: 'model', flexible: true },
      { title: 'kind' },
      { title: 'context', align: 'right' },
      { title: 'in/M', align: 'right' },
      { title: 'out/M', align: 'right' },
      { title: 'health' },
      { title: 'circuit' },
      { title: 'calls', align: 'right' },
      { title: 'p50', align: 'right' },
      { title: 'p95', align: 'right' },
      { title: 'latency', flexible: true },
    ],
    rows,
    outIsTerminal ? columns : 160,
    paintOut,
  );
}

function healthMark({ record }: Candidate): { glyph: string; word: string; style: 'ok' | 'error' | 'warning' | 'faint' } {
  const { healthy, kind, checkedAt } = healthOf(record);
  if (checkedAt === null) return { glyph: '○', word: 'not asked yet', style: 'faint' };
  if (!healthy) return { glyph: '✕', word: kind ?? 'ill', style: 'error' };
  return kind === 'slow' ? { glyph: '!', word: 'slow', style: 'warning' } : { glyph: '✓', word: 'healthy', style: 'ok' };
}

function tokensText(tokens: number): string {
  return tokens < 10_000 ? tokens.toLocaleString('en-US') : `${Math.round(tokens / 1000).toLocaleString('en-US')}k`;
}

function priceText(model: Candidate, part: 'inputPerMillion' | 'outputPerMillion'): string {
  if (isFree(model)) return 'free';
  return model.price === undefined ? 'unknown' : formatUsd(model.price[part]);
}

export function msText(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function listedDocument({ candidate, recentMs, calls, p50Ms, p95Ms }: Listed): JsonObject {
  const { id, provider, local, contextWindow, price, circuit, record } = candidate;
  const health = healthOf(record);
  return {
    id,
    provider,
    local,
    contextWindow: contextWindow ?? null,
    price: price === undefined ? null : { inputUsdPerMillion: usd(price.inputPerMillion), outputUsdPerMillion: usd(price.outputPerMillion) },
    health: { ...health },
    circuit,
    calls,
    p50Ms,
    p95Ms,
    recentMs,
  };
}

function failedDocument({ provider, error }: Failed): JsonObject {
  return { provider, code: error instanceof OrchestratorError ? error.code : null, message: messageOf(error) };
}

/** Explains whom requirements would choose, without asking it anything. */
export async function route(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const requirements = readRequirementsText(args[0]!);
  const found = await withShell(terminal, async shell => {
    const { models } = shell.shop;
    await models.list(AbortSignal.timeout(PATIENCE_MS));
    return models.route(requirements);
  });
  if (flags.on('json')) terminal.out(`${JSON.stringify({ v: 1, ...found }, null, 2)}\n`);
  else terminal.out(`${routeLines(found, terminal).join('\n')}\n`);
  return found.chosen === null ? EXIT.notReady : EXIT.ok;
}

function readRequirementsText(text: string): JsonObject {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    throw usageError(`the requirements are not JSON: \`${text}\``, [`orchestrator models route '{"expertise": ["code"], "max_cost_usd": 0.01}'`]);
  }
  if (isObject(value)) return value;
  throw usageError('requirements are a JSON object', [`orchestrator models route '{"expertise": ["code"]}'`]);
}

function routeLines(found: Route, { columns, outIsTerminal, paintOut: paint }: Terminal): string[] {
  const width = outIsTerminal ? columns : 120;
  const lines = [choiceLine(found, paint)];
  if (found.candidates.length > 0) {
    const part = (value: number): string => value.toFixed(2);
    const rows = found.candidates.map(({ id, score, parts }): (Cell | string)[] => [
      id === found.chosen ? { text: `→ ${id}`, style: 'strong' } : `  ${id}`,
      part(score),
      ...[parts.cost, parts.speed, parts.quality, parts.health].map(part),
    ]);
    const numbers = ['score', 'cost', 'speed', 'quality', 'health'].map(title => ({ title, align: 'right' as const }));
    lines.push('', ...tableLines([{ title: '  candidate', flexible: true }, ...numbers], rows, width, paint));
  }
  if (found.rejected.length > 0) {
    const rows = found.rejected.map(({ id, reason }) => [`✕ ${id}`, reason]);
    lines.push('', ...tableLines([{ title: '  rejected' }, { title: 'because', flexible: true }], rows, width, paint));
  }
  return lines;
}

function choiceLine({ chosen, strategy, rule, relaxed }: Route, paint: Paint): string {
  const how = [strategy, ...(rule === null ? [] : [`rule of the domain ${rule}`]), ...relaxed.map(what => `without ${what}`)].join(', ');
  return chosen === null ? `${paint('error', 'no model qualifies')} (${escapeLine(how)})` : `${paint('strong', escapeLine(chosen))} (${escapeLine(how)})`;
}
