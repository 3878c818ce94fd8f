import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { formatDuration } from '../../duration.ts';
import { OrchestratorError } from '../../errors.ts';
import type { Json } from '../../json.ts';
import { formatUsd } from '../../money.ts';
import type { LedgerRow } from '../../store/port.ts';
import { openModels, type Models } from '../../models/index.ts';
import { CONFIG_NAME, loadConfig, type EmbeddedShell, type LoadedConfig } from '../../runtime/index.ts';
import { answersOf, type TagAnswer } from '../answers.ts';
import { drive, planOf } from '../drive.ts';
import { EXIT } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { configOptions, withShell } from '../opening.ts';
import type { Terminal } from '../terminal.ts';
import { count, escapeLine } from '../text.ts';
import { fetchModel, hubOf, idOf, localModels } from './models-files.ts';

const EXAMPLES = join(import.meta.dirname, '../../../examples');
const FILE = 'examples/films.yaml';
/** The small model that answers where none is configured. */
const SMALL = 'smollm2';

/** Runs the first example in a folder of its own, with a model that really answers where one is to be had. */
export async function demo(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const folder = resolve(terminal.cwd, args[0] ?? 'orchestrator-demo');
  copyExample(folder);
  const there: Terminal = { ...terminal, cwd: folder };
  const models = flags.on('model') ? await settleModel(there) : none('asking no model, as requested: the defaults stand', there);
  if (models === 'stopped') return EXIT.interrupted;
  return withShell(
    there,
    async shell => {
      const handle = await shell.start(await shell.compile(FILE), {}, { trigger: 'cli', tags: ['demo'] });
      // Its commands are told below: they begin in the folder of the demo.
      const code = await drive(there, shell, handle, flags, false);
      if (!flags.on('json')) await tellAnswers(terminal, shell, handle.id, folder);
      return code;
    },
    { models },
  );
}

/** What is there already stays as its owner left it. */
function copyExample(folder: string): void {
  mkdirSync(join(folder, 'examples'), { recursive: true });
  for (const name of ['films.yaml', 'films']) cpSync(join(EXAMPLES, name), join(folder, 'examples', name), { recursive: true, force: false });
}

function none(why: string, { err, quiet, paint }: Terminal): Models {
  if (!quiet) err(`${paint('info', 'model:')} ${escapeLine(why)}\n`);
  return openModels({}, { env: {} });
}

/** The configured model where there is one, else a small local one, which the folder's own configuration then names. Undefined: what is configured. */
async function settleModel(there: Terminal): Promise<Models | 'stopped' | undefined> {
  const { env, err, quiet, paint, cwd } = there;
  const loaded = loadConfig(configOptions(there));
  const chosen = configuredModel(loaded, env);
  if (chosen !== undefined) {
    if (!quiet) err(`${paint('info', 'model:')} ${escapeLine(chosen)}, as configured\n`);
    return undefined;
  }
  if (existsSync(join(cwd, CONFIG_NAME)) || there.config !== undefined)
    return none('the configuration names no default, so the defaults of the tags stand', there);
  if (!hasLlamaCpp())
    return none('none is configured, and node-llama-cpp, which runs one here, is not installed (npm install node-llama-cpp); the defaults stand', there);
  const local = localModels(loaded, env);
  const abort = new AbortController();
  const onInterrupt = (): void => abort.abort();
  process.once('SIGINT', onInterrupt);
  try {
    const pulled = await fetchModel(there, SMALL, { local, hub: hubOf(loaded), signal: abort.signal });
    writeFileSync(join(cwd, CONFIG_NAME), configText(local.provider, idOf(local, pulled)));
    if (!quiet) err(`${paint('info', 'model:')} ${escapeLine(idOf(local, pulled))}, on this machine and free\n`);
    return undefined;
  } catch (error) {
    if (abort.signal.aborted) return 'stopped';
    if (!(error instanceof OrchestratorError)) throw error;
    return none(`none is configured, and ${error.message}; the defaults stand`, there);
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

function configuredModel({ config, folder, resolve: resolveText }: LoadedConfig, env: Terminal['env']): string | undefined {
  const models = openModels(config.models as Json, { env, folder, resolve: resolveText });
  return models.hasDefault() ? models.default().id : undefined;
}

function hasLlamaCpp(): boolean {
  try {
    import.meta.resolve('node-llama-cpp');
    return true;
  } catch {
    return false;
  }
}

function configText(provider: string, id: string): string {
  return `# Written by \`orchestrator demo\`: a small model that runs on this machine.
models:
  default: ${id}
  providers:
    ${provider}: { type: llama.cpp }
`;
}

async function tellAnswers(terminal: Terminal, shell: EmbeddedShell, run: string, folder: string): Promise<void> {
  const { out, paintOut: paint, cwd } = terminal;
  const document = await shell.show(run);
  const answers = await answersOf(shell, document, await planOf(shell, run));
  const calls = (await shell.store.ledger({ run })).filter(({ purpose }) => purpose === 'auto');
  out(`\n${paint('strong', 'What the model was asked')}\n`);
  for (const answer of answers) {
    const asked = calls.filter(({ path }) => path === answer.path);
    out(`  ${paint('strong', escapeLine(answer.path))}: ${escapeLine(typeof answer.value === 'string' ? answer.value : JSON.stringify(answer.value))}\n`);
    out(`  ${paint('faint', escapeLine(sourceText(answer, asked)))}\n`);
  }
  const report = document.outputs['report'];
  if (typeof report !== 'string') return;
  const path = resolve(folder, report);
  out(`\nThe report: ${paint('strong', escapeLine(path))}\n`);
  if (terminal.quiet) return;
  const call = terminal.env['npm_command'] === 'exec' ? 'npx orchestrator' : 'orchestrator';
  const there = relative(cwd, folder) || '.';
  terminal.err(`\n${terminal.paint('faint', 'next:')} cd ${there} && ${call} report last     how the report came about, as a page\n`);
  terminal.err(`      cd ${there} && ${call} auto explain last     what the model was asked, and what it said\n`);
  terminal.err(`      ${call} init     a pipeline of your own\n`);
}

function sourceText({ source, model, reason }: TagAnswer, asked: readonly LedgerRow[]): string {
  const costs = asked.map(({ costMicroUsd }) => costMicroUsd);
  const spent = costs.reduce<number>((sum, cost) => sum + (cost ?? 0), 0);
  const price = costs.length === 0 ? '' : costs.includes(null) ? ', at an unknown price' : `, ${formatUsd(spent)}`;
  const sum = (of: (row: LedgerRow) => number): number => asked.reduce((total, row) => total + of(row), 0);
  const tokens = sum(row => row.inputTokens + row.outputTokens);
  const calls = asked.length > 1 ? `${asked.length} calls, ` : '';
  const work = asked.length === 0 ? '' : `: ${calls}${formatDuration(sum(row => row.latencyMs))}, ${count(tokens, 'token')}${price}`;
  if (source === 'model') return `by ${model ?? 'a model'}${work}`;
  return `the default${reason === null ? '' : `: ${reason}`}${work === '' ? '' : ` (asked${work})`}`;
}
