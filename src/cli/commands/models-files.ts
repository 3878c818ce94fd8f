import { statSync } from 'node:fs';
import { join } from 'node:path';
import { isObject, type Json } from '../../json.ts';
import { modelsFolder } from '../../models/index.ts';
import { KNOWN_MODELS, pullModel, removeModel, type PulledModel, type SourceKind } from '../../models/pull.ts';
import { loadConfig, type LoadedConfig } from '../../runtime/index.ts';
import { EXIT } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { configOptions } from '../opening.ts';
import { ProgressBar } from '../progress-bar.ts';
import type { Terminal } from '../terminal.ts';
import { count, escapeLine } from '../text.ts';
import { sizeText } from './prune.ts';

const SOURCES = ['hub', 'index', 'file'] as const;

/** Where local models lie, and the name of the provider that serves them. */
interface LocalModels {
  provider: string;
  folder: string;
  /** The configuration names the provider. */
  isConfigured: boolean;
}

/** Fetches a model to run on this machine. What was broken off goes on where it stopped. */
export async function pull(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const loaded = loadConfig(configOptions(terminal));
  const local = localModels(loaded, terminal.env);
  const from = flags.text('from') === undefined ? undefined : flags.choice('from', SOURCES, 'hub');
  const abort = new AbortController();
  const onInterrupt = (): void => abort.abort();
  process.once('SIGINT', onInterrupt);
  try {
    const pulled = await fetchModel(terminal, args[0]!, { local, hub: hubOf(loaded), from, signal: abort.signal });
    if (flags.on('json')) terminal.out(`${JSON.stringify({ v: 1, id: idOf(local, pulled), ...pulled }, null, 2)}\n`);
    else tellPulled(terminal, local, pulled);
    return EXIT.ok;
  } catch (error) {
    if (!abort.signal.aborted) throw error;
    terminal.err(`stopped; what has come is kept: orchestrator models pull ${args[0]!}\n`);
    return EXIT.interrupted;
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

export function localModels({ config, folder }: LoadedConfig, env: Terminal['env']): LocalModels {
  const found = Object.entries<Json>(config.models.providers as { [name: string]: Json }).find(
    ([, settings]) => isObject(settings) && settings['type'] === 'llama.cpp',
  );
  const settings = found?.[1];
  return {
    provider: found?.[0] ?? 'local',
    folder: modelsFolder(isObject(settings) ? settings['models_dir'] : undefined, env, folder),
    isConfigured: found !== undefined,
  };
}

/** The hub that the configuration names. */
export function hubOf({ config }: LoadedConfig): string | undefined {
  const { hub } = config.models;
  return typeof hub === 'string' ? hub : undefined;
}

export function idOf({ provider }: LocalModels, { file }: PulledModel): string {
  return `${provider}/${file.replace(/\.gguf$/, '')}`;
}

interface FetchOptions {
  local: LocalModels;
  hub: string | undefined;
  from?: SourceKind | undefined;
  signal: AbortSignal;
}

/** Fetches a model, with its size said beforehand where it is known, and how far it is. */
export async function fetchModel(terminal: Terminal, name: string, { local, hub, from, signal }: FetchOptions): Promise<PulledModel> {
  const bar = new ProgressBar(terminal);
  const known = Object.hasOwn(KNOWN_MODELS, name) ? KNOWN_MODELS[name] : undefined;
  const isThere = known !== undefined && statSync(join(local.folder, known.file), { throwIfNoEntry: false })?.size === known.bytes;
  if (known !== undefined && !isThere && !terminal.quiet) terminal.err(`fetching ${known.file} (${sizeText(known.bytes)}) into ${local.folder}\n`);
  try {
    return await pullModel(name, {
      folder: local.folder,
      env: terminal.env,
      hub,
      from,
      signal,
      onProgress: ({ source, file, received, total }) => bar.update(`${file} from ${source}`, received, total),
      onMiss: (source, error) => {
        bar.clear();
        if (!terminal.quiet) terminal.err(`${terminal.paint('warning', '!')} ${escapeLine(source)}: ${escapeLine(error.message)}\n`);
      },
    });
  } finally {
    bar.clear();
  }
}

function tellPulled(terminal: Terminal, local: LocalModels, pulled: PulledModel): void {
  const { paintOut: paint, out, err, quiet } = terminal;
  const id = idOf(local, pulled);
  const where = pulled.kept ? 'was there already' : `from ${pulled.source}`;
  out(`${paint('ok', '✓')} ${paint('strong', escapeLine(id))}  ${sizeText(pulled.bytes)}, ${escapeLine(where)}\n`);
  out(`  sha256 ${pulled.sha256}\n  ${escapeLine(pulled.path)}\n`);
  if (quiet) return;
  err(
    local.isConfigured
      ? `use it: model: ${id} in a task, or models.default in orchestrator.config.yaml\n`
      : `use it: write into orchestrator.config.yaml\n  models:\n    default: ${id}\n    providers: { ${local.provider}: { type: llama.cpp } }\n`,
  );
}

/** Deletes a local model. */
export function remove(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const { provider, folder } = localModels(loadConfig(configOptions(terminal)), terminal.env);
  const name = args[0]!.startsWith(`${provider}/`) ? args[0]!.slice(provider.length + 1) : args[0]!;
  return removeModel(name, folder).then(gone => {
    if (flags.on('json')) terminal.out(`${JSON.stringify({ v: 1, ...gone }, null, 2)}\n`);
    else for (const file of gone.files) terminal.out(`${escapeLine(file)}\n`);
    if (!terminal.quiet) terminal.err(`deleted ${count(gone.files.length, 'file')}, ${sizeText(gone.bytes)} freed\n`);
    return EXIT.ok;
  });
}
