import { OrchestratorError } from '../../errors.ts';
import { isObject, type Json, type JsonObject } from '../../json.ts';
import { formatUsd, usd } from '../../money.ts';
import { healthOf, isFree, type Candidate, type Route } from '../../models/index.ts';
import { profiles, type LedgerProfile } from '../../observe/index.ts';
import type { Totals } from '../../store/port.ts';
import { EXIT } from '../exit.ts';
import { usageError, type Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import { sparkline } from '../sparkline.ts';
import { tableLines, type Cell, type Column } from '../table.ts';
import type { Terminal } from '../terminal.ts';
import { count, escapeLine, type Paint } from '../text.ts';

/** How long a provider may take to name its models. */
const PATIENCE_MS = 10_000;
/** Newest calls of the ledger by which models are judged. */
const JUDGED_CALLS = 20_000;
/** A narrower terminal is told less. */
const WIDE_COLUMNS = 130;

interface Listed {
  candidate: Candidate;
  /** How it did in the newest calls of the ledger; undefined where it made none. */
  profile: LedgerProfile | undefined;
  /** All of its calls, also of runs that were pruned since. */
  totals: Totals | undefined;
}

interface Failed {
  provider: string;
  error: unknown;
}

/** The models that are there, how they are, and how they did. */
export async function list(terminal: Terminal, { flags }: Invocation): Promise<number> {
  const { listed, failures } = await withShell(terminal, async shell => {
    const { models, secrets } = shell.shop;
    const found = await models.list(AbortSignal.timeout(PATIENCE_MS));
    // What a service says may hold the key that it was given, in any encoding.
    for (const { error } of found.failures) if (error instanceof Error) error.message = secrets.redactText(error.message);
    const done = new Map(profiles(await shell.store.ledger({ limit: JUDGED_CALLS })).map(profile => [profile.model, profile]));
    const [rows] = await shell.store.totals([['model']], {});
    const totals = new Map(rows!.map(row => [row.keys[0]!, row]));
    return {
      listed: found.models.map(({ id }): Listed => ({ candidate: models.describe(id), profile: done.get(id), totals: totals.get(id) })),
      failures: found.failures,
    };
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

function listTable(listed: readonly Listed[], { columns, outIsTerminal, paintOut }: Terminal): string[] {
  const isWide = !outIsTerminal || columns >= WIDE_COLUMNS;
  const rows = listed.map(({ candidate, profile, totals }): (Cell | string)[] => {
    const { id, local, contextWindow, circuit } = candidate;
    const health = healthMark(candidate);
    const ms = (value: number | null | undefined): string => (value === null || value === undefined ? '' : msText(value));
    return [
      { text: `${health.glyph} ${id}`, style: 'strong' },
      local ? 'local' : 'hosted',
      contextWindow === undefined ? 'unknown' : tokensText(contextWindow),
      priceText(candidate, 'inputPerMillion'),
      priceText(candidate, 'outputPerMillion'),
      { text: health.word, style: health.style },
      circuit === 'closed' ? circuit : { text: circuit, style: 'warning' },
      totals === undefined ? '' : totals.calls.toLocaleString('en-US'),
      totals === undefined ? '' : totals.unpricedCalls > 0 ? 'unknown' : formatUsd(totals.costMicroUsd),
      errorsCell(profile),
      ms(profile?.p50Ms),
      ms(profile?.p95Ms),
      ...(isWide ? [ms(profile?.p99Ms), ms(profile?.firstTokenMs), profile?.tokensPerSecond?.toFixed(0) ?? ''] : []),
      profile === undefined || profile.recentMs.length < 2 ? '' : sparkline(profile.recentMs),
    ];
  });
  const right = (...titles: string[]): Column[] => titles.map(title => ({ title, align: 'right' }));
  const heads: Column[] = [
    { title: 'model', flexible: true },
    { title: 'kind' },
    ...right('context', 'in/M', 'out/M'),
    { title: 'health' },
    { title: 'circuit' },
    ...right('calls', 'cost', 'errors', 'p50', 'p95', ...(isWide ? ['p99', 'first', 'tok/s'] : [])),
    { title: 'latency', flexible: true },
  ];
  return tableLines(heads, rows, outIsTerminal ? columns : 200, paintOut);
}

function errorsCell(profile: LedgerProfile | undefined): Cell | string {
  if (profile === undefined) return '';
  const text = `${(profile.errorRate * 100).toFixed(profile.errorRate > 0 && profile.errorRate < 0.1 ? 1 : 0)} %`;
  return profile.errorRate === 0 ? text : { text, style: 'warning' };
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

function listedDocument({ candidate, profile, totals }: Listed): JsonObject {
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
    calls: totals?.calls ?? 0,
    costUsd: totals === undefined ? 0 : totals.unpricedCalls > 0 ? null : usd(totals.costMicroUsd),
    errorRate: profile?.errorRate ?? null,
    p50Ms: profile?.p50Ms ?? null,
    p95Ms: profile?.p95Ms ?? null,
    p99Ms: profile?.p99Ms ?? null,
    firstTokenMs: profile?.firstTokenMs ?? null,
    tokensPerSecond: profile?.tokensPerSecond ?? null,
    recentMs: profile?.recentMs ?? [],
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
