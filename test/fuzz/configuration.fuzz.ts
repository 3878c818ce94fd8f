/**
 * Configuration files, right ones that are bent and texts that are mangled: each is read, or refused with problems that have a place in it; and whatever it says,
 * a file that nobody trusts grants no power.
 *
 *   node test/fuzz/configuration.fuzz.ts --count 20000 --seed 1
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { renderProblems } from '../../src/cli/frame.ts';
import { plain } from '../../src/cli/text.ts';
import { OrchestratorError } from '../../src/errors.ts';
import type { Json, JsonObject } from '../../src/json.ts';
import type { Diagnostic } from '../../src/language/diagnostic.ts';
import { openModels } from '../../src/models/index.ts';
import { ConfigError, CONFIG_NAME, loadConfig, type LoadedConfig } from '../../src/runtime/config/index.ts';
import { CONFIGURATIONS, ODD_VALUES, PIECES } from './configurations.ts';
import { below, bend, chance, fuzz, fuzzOptions, mutate, pick, type Random } from './random.ts';

const root = mkdtempSync(join(tmpdir(), 'configuration-fuzz-'));
const cwd = join(root, 'project');
mkdirSync(cwd);
const file = join(cwd, CONFIG_NAME);
/** No program is found: one that a file names cannot run, and its failure tells that it was tried. */
process.env['PATH'] = '';

/** A few sections of one of the configurations. */
function some(random: Random): JsonObject {
  const sections = Object.entries(pick(random, CONFIGURATIONS));
  return Object.fromEntries(Array.from({ length: 1 + below(random, 3) }, () => pick(random, sections)));
}

function make(random: Random): string {
  if (chance(random, 0.4)) return mutate(random, [stringify(some(random)), stringify(some(random))], PIECES);
  const bent = bend(random, some(random), ODD_VALUES);
  const text = stringify(bent, chance(random, 0.3) ? { collectionStyle: 'flow', lineWidth: 0 } : { indent: 2 + below(random, 3) });
  return chance(random, 0.2) ? mutate(random, [text], PIECES) : text;
}

/** What is wrong with how a problem is told. */
function faultOf({ code, message, span, source, help = [], related = [] }: Diagnostic): string | undefined {
  if (!/^ORC-(119|510|519)$/.test(code)) return `${code} is no code for this`;
  if (message === '' || /\bundefined\b|\[object/.test(message + help.join(''))) return `a bad message: ${message} ${help.join('; ')}`;
  const outside = [span, ...related.map(other => other.span)].some(({ start, end }) => !(start >= 0 && start <= end && end <= source.text.length));
  return outside ? `${message} points outside of the text: ${JSON.stringify(span)} of ${source.text.length}` : undefined;
}

function faultOfAll(problems: readonly Diagnostic[]): string | undefined {
  const told = renderProblems(problems, { paint: plain, columns: 80 });
  if (/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/.test(told)) return `problems with control characters: ${JSON.stringify(told)}`;
  return problems.map(faultOf).find(found => found !== undefined);
}

/** Powers that a file has although nobody trusts it. */
function powersOf({ config, stateUrl }: LoadedConfig): string[] {
  const { policy, actions, mcp, state, cache } = config;
  const inside = (path: string): boolean => path.startsWith(`${cwd}/`) || path === cwd;
  const powers = {
    shell: policy.shell !== 'deny',
    code: policy.code !== 'deny',
    network: policy.network.private !== 'deny',
    files: policy.files.roots.some(path => !inside(join(cwd, path)) || /^[~/]|\$\{/.test(path)),
    actions: actions.length > 0,
    mcp: Object.values(mcp.servers).some(server => server.command !== undefined),
    commands: runsCommands({ ...config, environments: null } as unknown as Json),
    store: !/^memory:?$/.test(stateUrl) && !(stateUrl.startsWith('sqlite:') && inside(stateUrl.slice('sqlite:'.length))),
    state: state.url.includes('${'),
    cache: !/^memory:?$/.test(cache.url),
  };
  return Object.entries(powers).flatMap(([name, has]) => (has ? [name] : []));
}

function runsCommands(value: Json): boolean {
  if (typeof value === 'string') return value.includes('${cmd:');
  return typeof value === 'object' && value !== null && Object.values(value).some(runsCommands);
}

function check(text: string): string | undefined {
  writeFileSync(file, text);
  for (const environment of text.includes('staging') ? [undefined, 'staging'] : [undefined]) {
    try {
      const loaded = loadConfig({ cwd, env: { HOME: root, LAB_KEY: 'a key of length' }, ...(environment === undefined ? {} : { environment }) });
      const found = faultOfAll(loaded.warnings) ?? faultOfLoaded(loaded);
      if (found !== undefined) return found;
    } catch (error) {
      const found = faultOfError(error);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function faultOfLoaded(loaded: LoadedConfig): string | undefined {
  const powers = powersOf(loaded);
  if (powers.length > 0) return `grants ${powers.join(', ')}: ${JSON.stringify(loaded.config).slice(0, 1500)}`;
  if (({} as { policy?: unknown }).policy !== undefined) return 'the prototype of all objects was changed';
  openModels(loaded.config.models as Json, { env: {}, resolve: loaded.resolve, folder: loaded.folder });
  return undefined;
}

function faultOfError(error: unknown): string | undefined {
  if (error instanceof ConfigError) return error.diagnostics.length === 0 ? 'refused without a problem' : faultOfAll(error.diagnostics);
  if (!(error instanceof OrchestratorError)) throw error;
  const { code, message } = error;
  if (/a command that the configuration names/.test(message)) return `a command was run: ${message}`;
  if (!/^ORC-(119|407|408)$/.test(code)) return `${code} is no code for this: ${error.stack}`;
  return message === '' || /\bundefined\b/.test(message) ? `a bad message: ${message}` : undefined;
}

fuzz(fuzzOptions(process.argv), make, check, JSON.parse(readFileSync(join(import.meta.dirname, 'kept', 'configuration.json'), 'utf8')) as string[]);
rmSync(root, { recursive: true });
