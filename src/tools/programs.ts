import { OrchestratorError } from '../errors.ts';
import type { JsonObject } from '../json.ts';
import { runProgram, type Program, type ProgramEnd } from './child.ts';
import { workingFolder } from './files.ts';
import { badParameter, count, flag, given, optionalDurationMs, optionalNumber, optionalObject, text, texts } from './parameters.ts';
import type { ActionContext } from './port.ts';

const FALLBACK_PATH = '/usr/local/bin:/usr/bin:/bin';
/** Variables of this process that a program may see; everything else, credentials above all, stays here. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR'];
/** Variables by which the loader or an interpreter can be made to run other code than the program that the policy lists. */
const STEERING =
  /^(PATH|IFS|ENV|BASH_ENV|SHELLOPTS|BASHOPTS|PS4|EDITOR|VISUAL|PAGER|BROWSER|LD_.*|DYLD_.*|GIT_.*|NODE_.*|PYTHON.*|PERL.*|RUBY.*|JAVA_.*|.*_OPTIONS|.*_OPTS|BASH_FUNC.*)$/i;

function denied(message: string, help: string[]): OrchestratorError {
  return new OrchestratorError('ORC-214', message, { class: 'policy', help });
}

function environmentOf(parameters: JsonObject, context: ActionContext, listed: boolean): Record<string, string> {
  const env: Record<string, string> = { PATH: FALLBACK_PATH, LANG: 'C.UTF-8' };
  for (const name of INHERITED) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  for (const [name, value] of Object.entries(optionalObject(parameters, 'env') ?? {})) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw badParameter(`env.${name}`, 'the name of an environment variable: letters, digits and _');
    if (listed && STEERING.test(name))
      throw denied(`The environment variable ${name} could make a listed program run something else.`, [
        'leave it out, or say policy: { shell: allow } in orchestrator.config.yaml',
      ]);
    const revealed = context.reveal(value);
    if (typeof revealed === 'object' && revealed !== null) throw badParameter(`env.${name}`, 'text');
    if (String(revealed ?? '').includes('\0')) throw badParameter(`env.${name}`, 'text without a NUL character');
    env[name] = String(revealed ?? '');
  }
  env['ORCHESTRATOR_IDEMPOTENCY_KEY'] = context.key;
  return env;
}

/** Words of a command line: blanks divide, quotes and backslashes hold together as in a shell, and nothing else has a meaning. */
export function splitWords(command: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < command.length; at++) {
    const char = command[at]!;
    const next = command[at + 1];
    if (quote !== '') {
      if (char === quote) quote = '';
      else if (char === '\\' && quote === '"' && (next === '"' || next === '\\')) {
        word += next;
        at++;
      } else word += char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (char === '\\' && next !== undefined) {
      word = (word ?? '') + next;
      at++;
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + char;
  }
  if (quote !== '') throw badParameter('command', 'a text in which every quote is closed');
  if (word !== undefined) words.push(word);
  return words;
}

/** What to start, by the policy: a shell, or one of the listed programs without a shell. */
function commandLine(parameters: JsonObject, context: ActionContext): { file: string; arguments: string[] } {
  const command = text(parameters, 'command');
  const data = texts(parameters, 'args');
  if (command.includes('\0') || data.some(item => item.includes('\0'))) throw badParameter('command', 'text without a NUL character');
  const { shell } = context.policy;
  if (shell === 'deny') {
    throw denied('The policy does not allow shell.run.', [
      'allow single programs in orchestrator.config.yaml: policy: { shell: [git, jq] }',
      'or every command: policy: { shell: allow }',
      'orchestrator trust',
    ]);
  }
  if (shell === 'allow') return { file: '/bin/sh', arguments: ['-c', command, 'sh', ...data] };
  if (context.literal?.('command') === false) {
    throw denied('With a list of programs, command must be a plain text of the pipeline: data in it could stand where an option stands.', [
      'move what comes from a template into args: [ "{{ … }}" ]',
    ]);
  }
  const [program, ...words] = splitWords(command);
  if (program === undefined) throw badParameter('command', 'a program and its arguments');
  if (!shell.includes(program)) {
    throw denied(`The program ${program} is not one of those that the policy allows: ${shell.join(', ') || 'none'}.`, [
      `allow it in orchestrator.config.yaml: policy: { shell: [${[...shell, program].join(', ')}] }`,
    ]);
  }
  const option = data.find(item => item.startsWith('-'));
  if (option !== undefined)
    throw denied(`The argument ${option} looks like an option, and args holds data only.`, [
      'write options of the author into command',
      'or write ./ before a file whose name begins with a hyphen',
    ]);
  return { file: program, arguments: [...words, ...data] };
}

function resultOf(end: ProgramEnd, name: string, parameters: JsonObject, context: ActionContext): JsonObject {
  if (end.truncated) context.log('warn', `The output of ${name} was larger than max_output; its middle was left out.`);
  if (end.returnCode !== 0 && flag(parameters, 'check')) {
    const said = end.stderr.trim() || end.stdout.trim();
    const lastLine = said.slice(said.lastIndexOf('\n') + 1).slice(0, 300);
    throw new OrchestratorError('ORC-226', `${name} ended with the code ${end.returnCode}${lastLine === '' ? '' : `: ${lastLine}`}.`, {
      class: 'process',
      retryable: true,
      help: ['say check: false to take any code as a result'],
      details: { return_code: end.returnCode, stdout: end.stdout.slice(-2000), stderr: end.stderr.slice(-2000) },
    });
  }
  return { stdout: end.stdout, stderr: end.stderr, return_code: end.returnCode, duration_ms: end.durationMs };
}

export async function runShell(parameters: JsonObject, context: ActionContext): Promise<JsonObject> {
  const line = commandLine(parameters, context);
  const input = context.reveal(given(parameters, 'input') ?? '');
  if (typeof input !== 'string') throw badParameter('input', 'text');
  const program: Program = {
    ...line,
    cwd: await workingFolder(text(parameters, 'cwd'), context),
    env: environmentOf(parameters, context, Array.isArray(context.policy.shell)),
    input,
    timeoutMs: optionalDurationMs(parameters, 'timeout'),
    maxOutput: count(parameters, 'max_output'),
  };
  return resultOf(await runProgram(program, context.signal), 'The command', parameters, context);
}

/** Ways to start a program without a network, the strongest first. Each takes the power to go back to the network of the host as well, which root would have. */
const CUTTERS: string[][] = [
  ['bwrap', '--dev-bind', '/', '/', '--unshare-net', '--unshare-ipc', '--die-with-parent', '--'],
  ['unshare', '--user', '--map-current-user', '--net', '--ipc', '--'],
  ['unshare', '--net', '--ipc', '--', 'setpriv', '--inh-caps=-all', '--bounding-set=-all', '--'],
];
let cutter: Promise<string[] | undefined> | undefined;

async function probeCutters(cwd: string): Promise<string[] | undefined> {
  for (const candidate of CUTTERS) {
    const [file, ...rest] = candidate;
    const program: Program = {
      file: file!,
      arguments: [...rest, 'true'],
      cwd,
      env: { PATH: process.env['PATH'] ?? FALLBACK_PATH },
      input: undefined,
      timeoutMs: 5000,
      maxOutput: 1000,
    };
    const end = await runProgram(program, new AbortController().signal).catch(() => undefined);
    if (end?.returnCode === 0) return candidate;
  }
  return undefined;
}

/** The words before a program that take its network away; none where the policy lets code reach private addresses, and so everything. */
async function networkCutter(context: ActionContext, cwd: string): Promise<string[]> {
  if (context.policy.network.private === 'allow') return [];
  cutter ??= probeCutters(cwd);
  const found = await cutter;
  if (found !== undefined) return found;
  throw denied('This system cannot take the network away from a program, so python.run is refused.', [
    'install bubblewrap',
    'or let code use the network, in orchestrator.config.yaml: policy: { code: allow, network: { private: allow } }',
  ]);
}

export async function runPython(parameters: JsonObject, context: ActionContext): Promise<JsonObject> {
  if (context.policy.code === 'deny')
    throw denied('The policy does not allow python.run.', ['allow it in orchestrator.config.yaml: policy: { code: allow }', 'orchestrator trust']);
  const code = text(parameters, 'code');
  const cwd = await workingFolder(text(parameters, 'cwd'), context);
  const memoryKib = Math.round((optionalNumber(parameters, 'memory_mib') ?? 2048) * 1024);
  const limited = [
    '/bin/sh',
    '-c',
    'ulimit -c 0; ulimit -v "$1" 2>/dev/null; shift; exec "$@"',
    'sh',
    String(memoryKib),
    'python3',
    '-I',
    '-',
    ...texts(parameters, 'args'),
  ];
  const [file, ...rest] = [...(await networkCutter(context, cwd)), ...limited];
  const program: Program = {
    file: file!,
    arguments: rest,
    cwd,
    env: environmentOf(parameters, context, false),
    input: code,
    timeoutMs: optionalDurationMs(parameters, 'timeout'),
    maxOutput: count(parameters, 'max_output'),
  };
  return resultOf(await runProgram(program, context.signal), 'The Python program', parameters, context);
}
