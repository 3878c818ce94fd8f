import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { OrchestratorError } from '../../errors.ts';
import type { Json } from '../../json.ts';
import { formatUsd } from '../../money.ts';
import { openModels, type Models } from '../../models/index.ts';
import { CONFIG_NAME, loadConfig, type EmbeddedShell, type LoadedConfig } from '../../runtime/index.ts';
import { answersOf, type TagAnswer } from '../answers.ts';
import { drive, planOf } from '../drive.ts';
import { EXIT } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { configOptions, withShell } from '../opening.ts';
import type { Terminal } from '../terminal.ts';
import { escapeLine } from '../text.ts';
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
      const code = await drive(there, shell, handle, flags);
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
    const costs = calls.filter(({ path }) => path === answer.path).map(({ costMicroUsd }) => costMicroUsd);
    out(`  ${paint('strong', escapeLine(answer.path))}: ${escapeLine(typeof answer.value === 'string' ? answer.value : JSON.stringify(answer.value))}\n`);
    out(`  ${paint('faint', escapeLine(sourceText(answer, costs)))}\n`);
  }
  const report = document.outputs['report'];
  if (typeof report !== 'string') return;
  const path = resolve(folder, report);
  out(`\nThe report: ${paint('strong', escapeLine(path))}\n`);
  if (!terminal.quiet) terminal.err(`  how it came about: cd ${relative(cwd, folder) || '.'} && orchestrator report ${run}\n`);
}

function sourceText({ source, model, reason }: TagAnswer, costs: readonly (number | null)[]): string {
  const spent = costs.reduce<number>((sum, cost) => sum + (cost ?? 0), 0);
  const price = costs.length === 0 ? '' : costs.includes(null) ? ', at an unknown price' : `, ${formatUsd(spent)}`;
  const calls = costs.length > 1 ? ` in ${costs.length} calls` : '';
  if (source === 'model') return `by ${model ?? 'a model'}${calls}${price}`;
  return `the default${reason === null ? '' : `: ${reason}`}${price === '' ? '' : ` (asked${calls}${price})`}`;
}
