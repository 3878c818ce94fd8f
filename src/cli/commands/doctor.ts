import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { OrchestratorError } from '../../errors.ts';
import type { Json } from '../../json.ts';
import { position } from '../../language/source.ts';
import { openModels } from '../../models/index.ts';
import { ConfigError, loadConfig, nameFor, type LoadedConfig } from '../../runtime/index.ts';
import { openStore } from '../../store/index.ts';
import { EXIT } from '../exit.ts';
import type { Invocation } from '../invocation.ts';
import { configOptions } from '../opening.ts';
import type { Terminal } from '../terminal.ts';
import { count, escapeLine } from '../text.ts';
import { sizeText } from './prune.ts';

interface Check {
  name: string;
  level: 'fine' | 'warning' | 'problem';
  text: string;
  fix?: string;
}

const LEAST_FREE_BYTES = 1024 ** 3;
const PATIENCE_MS = 5000;

export async function doctor(terminal: Terminal, { flags }: Invocation): Promise<number> {
  const checks = [checkNode(), checkSqlite(), ...(await checkSettings(terminal, flags.on('offline')))];
  const problems = checks.filter(check => check.level === 'problem');
  if (flags.on('json')) terminal.out(`${JSON.stringify({ v: 1, ready: problems.length === 0, checks }, null, 2)}\n`);
  else terminal.out(reportText(terminal, checks));
  return problems.length === 0 ? EXIT.ok : EXIT.notReady;
}

function reportText({ paintOut: paint }: Terminal, checks: readonly Check[]): string {
  const lines = checks
    .filter(check => check.level !== 'fine')
    .map(({ name, level, text, fix }) => {
      const mark = level === 'problem' ? paint('error', '✕') : paint('warning', '!');
      return `  ${mark} ${name.padEnd(13)} ${escapeLine(text)}${fix === undefined ? '' : `\n    ${' '.repeat(13)} fix: ${fix}`}`;
    });
  const fine = checks.filter(check => check.level === 'fine');
  if (fine.length > 0) lines.push(paint('faint', `  (${count(fine.length, 'check')} fine: ${fine.map(check => escapeLine(check.text)).join(', ')})`));
  const [problems, warnings] = ['problem', 'warning'].map(level => checks.filter(check => check.level === level).length) as [number, number];
  const parts = [...(problems > 0 ? [count(problems, 'problem')] : []), ...(warnings > 0 ? [count(warnings, 'warning')] : [])].join(', ');
  lines.push(problems > 0 ? `${paint('error', 'Not ready')}: ${parts}.` : `${paint('ok', 'Ready')}${parts === '' ? '' : `, with ${parts}`}.`);
  return `${lines.join('\n')}\n`;
}

function checkNode(): Check {
  const { node } = process.versions;
  return Number(node.split('.')[0]) >= 24
    ? { name: 'node', level: 'fine', text: `node ${node}` }
    : { name: 'node', level: 'problem', text: `node ${node} is too old`, fix: 'install Node 24 or newer: https://nodejs.org' };
}

function checkSqlite(): Check {
  const { sqlite } = process.versions;
  return sqlite === undefined
    ? { name: 'sqlite', level: 'problem', text: 'this Node has no SQLite', fix: 'install Node 24 or newer: https://nodejs.org' }
    : { name: 'sqlite', level: 'fine', text: `sqlite ${sqlite}` };
}

async function checkSettings(terminal: Terminal, offline: boolean): Promise<Check[]> {
  let loaded: LoadedConfig;
  try {
    loaded = loadConfig(configOptions(terminal));
  } catch (error) {
    if (!(error instanceof OrchestratorError)) throw error;
    return configProblems(error);
  }
  const checks: Check[] = [
    {
      name: 'configuration',
      level: 'fine',
      text: loaded.files.length === 0 ? 'no configuration file' : `configuration ${loaded.files.map(file => nameFor(file.path, terminal.cwd)).join(' + ')}`,
    },
  ];
  for (const warning of loaded.warnings)
    checks.push({
      name: 'trust',
      level: 'warning',
      text: warning.message,
      fix: warning.help?.[0]?.replace('read the file, then: ', '') ?? 'orchestrator trust',
    });
  for (const { message, source, span } of loaded.idle)
    checks.push({ name: 'configuration', level: 'warning', text: `${source.file}:${position(source, span.start).line}: ${message}` });
  checks.push(await checkStore(loaded), await checkDisk(loaded), ...(await checkModels(loaded, terminal.env, offline)), ...checkSecrets(loaded));
  return checks;
}

/** What is wrong with the configuration, each with its place. */
function configProblems(error: OrchestratorError): Check[] {
  if (!(error instanceof ConfigError)) return [problemOf('configuration', error)];
  return error.diagnostics.map(({ source, span, message, help }) => {
    const { line, column } = position(source, span.start);
    return {
      name: 'configuration',
      level: 'problem',
      text: `${source.file}:${line}:${column}: ${message}`,
      ...(help?.[0] === undefined ? {} : { fix: help[0] }),
    };
  });
}

async function checkStore(loaded: LoadedConfig): Promise<Check> {
  try {
    const store = await openStore(loaded.stateUrl);
    try {
      const { kind, runs, schemaVersion, setApart } = await store.health();
      if (setApart.length > 0) {
        const text = `${count(setApart.length, 'run')} of ${runs} ${setApart.length === 1 ? 'is' : 'are'} set apart and not served: ${setApart[0]!.what}`;
        return { name: 'store', level: 'problem', text, fix: 'orchestrator runs, and to give one up: orchestrator runs delete RUN' };
      }
      return { name: 'store', level: 'fine', text: `${kind} store with ${count(runs, 'run')}, schema ${schemaVersion}` };
    } finally {
      await store.close();
    }
  } catch (error) {
    return problemOf('store', error);
  }
}

function problemOf(name: string, error: unknown): Check {
  const message = error instanceof Error ? error.message : String(error);
  const fix = error instanceof OrchestratorError ? error.help[0] : undefined;
  return { name, level: 'problem', text: message, ...(fix === undefined ? {} : { fix }) };
}

async function checkDisk(loaded: LoadedConfig): Promise<Check> {
  let folder = loaded.stateUrl.startsWith('sqlite:') ? dirname(loaded.stateUrl.slice('sqlite:'.length)) : loaded.folder;
  while (!existsSync(folder)) folder = dirname(folder);
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  return free < LEAST_FREE_BYTES
    ? { name: 'disk', level: 'warning', text: `${sizeText(free)} free`, fix: 'orchestrator prune --keep 30d' }
    : { name: 'disk', level: 'fine', text: `${sizeText(free)} of disk free` };
}

async function checkModels(loaded: LoadedConfig, env: Terminal['env'], offline: boolean): Promise<Check[]> {
  const { models: section } = loaded.config;
  const providers = Object.keys(section.providers);
  if (providers.length === 0 && section.default === undefined)
    return [
      {
        name: 'models',
        level: 'warning',
        text: 'no model is configured; pipelines that need one will not run',
        fix: 'name one in orchestrator.config.yaml: models: { default: … }',
      },
    ];
  try {
    const models = openModels(section as Json, { env, folder: loaded.folder, resolve: loaded.resolve });
    try {
      if (section.default !== undefined) models.get(section.default);
      if (offline) return [{ name: 'models', level: 'fine', text: `${count(providers.length, 'provider')} of models (not asked)` }];
      const { models: found, failures } = await models.list(AbortSignal.timeout(PATIENCE_MS));
      const checks = failures.map(({ provider, error }): Check => ({
        ...problemOf('models', error),
        text: `${provider}: ${error instanceof Error ? error.message : String(error)}`,
      }));
      if (checks.length === 0)
        checks.push({ name: 'models', level: 'fine', text: `${count(found.length, 'model')} of ${count(providers.length, 'provider')}` });
      if (section.default !== undefined && failures.length === 0 && found.length > 0 && !found.some(model => model.id === section.default)) {
        checks.push({
          name: 'models',
          level: 'warning',
          text: `the default model ${section.default} is not among those that its provider names`,
          fix: `one of: ${found
            .slice(0, 5)
            .map(model => model.id)
            .join(', ')}`,
        });
      }
      return checks;
    } finally {
      await models.close();
    }
  } catch (error) {
    return [problemOf('models', error)];
  }
}

function checkSecrets(loaded: LoadedConfig): Check[] {
  return Object.keys(loaded.config.secrets).flatMap((name): Check[] => {
    // A command may ask for a password or cost money; it is run when the secret is needed.
    if (loaded.config.secrets[name]!.includes('${cmd:')) return [];
    try {
      loaded.secret(name);
      return [];
    } catch (error) {
      return [problemOf('secrets', error)];
    }
  });
}
