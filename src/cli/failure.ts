import { mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, relative } from 'node:path';
import { OrchestratorError } from '../errors.ts';
import type { Diagnostic } from '../language/diagnostic.ts';
import { EXIT, exitCodeOfError } from './exit.ts';
import type { Problem } from './frame.ts';
import type { Terminal } from './terminal.ts';

/** Tells what ended a command, and gives its exit code. */
export async function tellError(terminal: Terminal, error: unknown): Promise<number> {
  if (!(error instanceof OrchestratorError)) return tellFault(terminal, error);
  const { renderProblems } = await import('./frame.ts');
  const { paint, columns } = terminal;
  terminal.err(renderProblems(problemsOf(error), { paint, columns }));
  if (terminal.verbose >= 2 && error.stack !== undefined) terminal.err(`${terminal.paint('faint', stackOf(error))}\n`);
  return exitCodeOfError(error.code, error.class);
}

/** An error as problems: with their places where it brought some. */
function problemsOf(error: OrchestratorError): Problem[] {
  if ('diagnostics' in error && Array.isArray(error.diagnostics)) return error.diagnostics as Diagnostic[];
  return [{ code: error.code, severity: 'error', message: error.message.replace(/\.$/, ''), help: error.help }];
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by: ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}

/** A fault of the program itself: a report is written where its user finds it, and said. */
export async function tellFault(terminal: Terminal, error: unknown): Promise<number> {
  const thrown = error instanceof Error ? error : new Error(String(error));
  const { renderProblems } = await import('./frame.ts');
  const { paint, columns } = terminal;
  const path = writeFaultReport(terminal, thrown);
  const message = `something went wrong inside the program: ${withoutEnvironment(thrown.message.split('\n')[0]!, terminal.env)}`;
  terminal.err(
    renderProblems(
      [
        {
          code: 'ORC-700',
          severity: 'error',
          message,
          notes: ['what a run has recorded is safe; `orchestrator runs` shows where it stands'],
          help: path === undefined ? [] : [`please report it; the details are in ${path}`],
        },
      ],
      { paint, columns },
    ),
  );
  if (terminal.verbose >= 2 || path === undefined) terminal.err(`${paint('faint', withoutEnvironment(stackOf(thrown), terminal.env))}\n`);
  return EXIT.internal;
}

function writeFaultReport(terminal: Terminal, error: Error): string | undefined {
  const stamp = new Date().toISOString().replaceAll(/[:.]/g, '-');
  const text = [
    `time: ${new Date().toISOString()}`,
    `node: ${process.version} ${process.platform} ${process.arch}`,
    `command: orchestrator ${process.argv.slice(2).map(withoutValue).join(' ')}`,
    '',
    withoutEnvironment(stackOf(error), terminal.env),
    '',
  ].join('\n');
  for (const folder of [join(terminal.cwd, '.orchestrator'), join(homedir(), '.orchestrator')]) {
    try {
      mkdirSync(join(folder, 'faults'), { recursive: true, mode: 0o700 });
      const path = join(folder, 'faults', `${stamp}-${process.pid}.txt`);
      writeFileSync(path, text, { mode: 0o600 });
      const short = relative(terminal.cwd, path);
      return short.startsWith('..') ? path : short;
    } catch {
      // A folder that cannot be written: the next one, and at last the terminal itself.
    }
  }
  return undefined;
}

/** Inputs may be secret: of an argument `topic=…` only the name is kept. */
function withoutValue(argument: string): string {
  return argument.includes('=') ? `${argument.slice(0, argument.indexOf('='))}=▮▮▮` : argument;
}

const SECRET_NAME = /key|token|secret|password|passwd|credential|auth/i;

/** Takes the values of variables that sound like secrets out of a text. */
function withoutEnvironment(text: string, env: Terminal['env']): string {
  let clean = text;
  for (const [name, value] of Object.entries(env))
    if (value !== undefined && value.length >= 8 && SECRET_NAME.test(name)) clean = clean.replaceAll(value, '▮▮▮');
  return clean;
}
