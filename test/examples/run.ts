/**
 * Does with every pipeline of examples/ what it tells its reader to do: each is valid and in the canonical spelling, and each command of its head comment is run by the letter,
 * in a folder that holds nothing but examples/ (`# Run: orchestrator run examples/hello.yaml -i name=World`; another exit code than 0 is said so:
 * `# Run (exit 5): …`). Every command is run twice: with a model, and without any.
 * Models are answered by a server on loopback. Ends with the line `N passed, M failed`.
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { startModelServer } from '../support/model-server.ts';

interface Command {
  readonly line: string;
  readonly exit: number;
}

const root = join(import.meta.dirname, '..', '..');
const work = mkdtempSync(join(tmpdir(), 'orchestrator-examples-'));

/** The commands that an example names. One that lies in the first folder names at least one; those further in are parts of others. */
function commandsOf(file: string): Command[] {
  const text = readFileSync(join(root, 'examples', file), 'utf8');
  const told = [...text.matchAll(/^# Run(?: \(exit (\d+)\))?: (.+)$/gm)].map(match => ({ line: match[2] ?? '', exit: Number(match[1] ?? 0) }));
  if (told.length === 0 && !file.includes('/'))
    throw new Error('names no command to run it: its head comment wants a line "# Run: orchestrator run examples/…"');
  return [{ line: `orchestrator validate --strict examples/${file} && orchestrator fmt --check examples/${file}`, exit: 0 }, ...told];
}

/** A home in which no model is configured. */
function makeBareHome(): string {
  const home = join(work, 'bare');
  mkdirSync(home);
  return home;
}

/** A home in which the only model is the server's. */
function makeHome(url: string): string {
  const home = join(work, 'home');
  const folder = join(home, '.config', 'orchestrator');
  mkdirSync(folder, { recursive: true });
  const providers = `  providers:\n    loopback: { type: openai-compatible, base_url: "${url}" }\n`;
  writeFileSync(join(folder, 'config.yaml'), `models:\n  default: loopback/test-model\n${providers}`);
  return home;
}

/** The environment of a command: no key of a model service comes with it, so that no example asks a real one. */
function environment(home: string): NodeJS.ProcessEnv {
  const path = [join(root, 'bin'), dirname(process.execPath), process.env['PATH']].join(delimiter);
  const { XDG_CONFIG_HOME: _, ...inherited } = process.env;
  const harmless = Object.entries(inherited).filter(([name]) => !/_API_KEY$|^ORCHESTRATOR_/.test(name));
  return { ...Object.fromEntries(harmless), PATH: path, HOME: home, NO_COLOR: '1' };
}

/** Runs one line beside a copy of examples/ of its own; gives what is wrong, or nothing. */
async function run({ line, exit }: Command, copy: string, home: string): Promise<string | undefined> {
  cpSync(join(root, 'examples'), join(copy, 'examples'), { recursive: true });
  const child = spawn('sh', ['-c', line], { cwd: copy, env: environment(home), stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>(resolve => child.on('close', resolve));
  return code === exit ? undefined : `exit code ${code}, not ${exit}: ${line}\n${output}`;
}

const server = await startModelServer();
server.models = [{ id: 'test-model', object: 'model' }];
const homes = [makeBareHome(), makeHome(server.url)];
const files = existsSync(join(root, 'examples')) ? globSync('**/*.yaml', { cwd: join(root, 'examples') }).sort() : [];
let passed = 0;
let failed = 0;
for (const file of files.filter(name => !name.endsWith('orchestrator.config.yaml'))) {
  try {
    for (const [index, command] of commandsOf(file).entries()) {
      for (const [turn, home] of homes.entries()) {
        const problem = await run(command, join(work, file.replaceAll('/', '-'), `${index}-${turn}`), home);
        if (problem !== undefined) throw new Error(problem);
      }
    }
    passed += 1;
    console.log(`ok    ${file}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
await server.close();
rmSync(work, { recursive: true, force: true });
if (passed + failed === 0) {
  failed = 1;
  console.log('FAIL  examples/ holds no pipeline');
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
