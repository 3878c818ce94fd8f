import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../runtime/index.ts';
import { usageError } from './invocation.ts';
import { configOptions } from './opening.ts';
import type { Terminal } from './terminal.ts';
import { WORKER } from './worker.ts';

/** Calls the same command again in the background; prints the id of its run as soon as there is one. */
export async function detach(terminal: Terminal, asJson: boolean): Promise<number> {
  const id = await background(
    terminal,
    process.argv.slice(2).filter(argument => argument !== '--detach'),
  );
  if (typeof id === 'number') return id;
  terminal.out(asJson ? `${JSON.stringify({ v: 1, run: id.run, log: id.log })}\n` : `${id.run}\n`);
  tellBackground(terminal, id.run);
  return 0;
}

/** Has a run that nobody drives any more go on in a process of its own. */
export async function goOnInBackground(terminal: Terminal, run: string): Promise<number> {
  const { config, environment } = terminal;
  const flags = [...(config === undefined ? [] : ['--config', config]), ...(environment === undefined ? [] : ['--env', environment])];
  const id = await background(terminal, ['resume', run, ...flags]);
  if (typeof id === 'number') return id;
  tellBackground(terminal, run);
  return 0;
}

function tellBackground({ err, quiet }: Terminal, run: string): void {
  if (!quiet) err(`goes on in the background: orchestrator watch ${run}\n`);
}

/**
 * Calls a command in a process of its own, which goes on when this one ends; the run that it drives, or its exit code where it ends before there is one.
 * What the worker has to say goes to a file beside the state.
 */
async function background(terminal: Terminal, args: readonly string[]): Promise<number | { run: string; log: string }> {
  const { cwd, env } = terminal;
  const { stateUrl } = loadConfig(configOptions(terminal));
  if (stateUrl.startsWith('memory'))
    throw usageError('a store in memory dies with its process, so nothing can go on in the background', ['orchestrator run FILE without --detach']);
  const folder = stateUrl.startsWith('sqlite:') ? dirname(stateUrl.slice('sqlite:'.length)) : join(cwd, '.orchestrator');
  mkdirSync(join(folder, 'background'), { recursive: true, mode: 0o700 });
  const log = join(folder, 'background', `${new Date().toISOString().replaceAll(/[:.]/g, '-')}-${process.pid}.log`);
  const words = openSync(log, 'a', 0o600);
  const main = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, main, ...args], {
    cwd,
    env: { ...env, [WORKER]: '1', NO_COLOR: '1' },
    detached: true,
    stdio: ['ignore', 'pipe', words],
  });
  closeSync(words);
  const { stdout } = child;
  if (stdout === null) throw new Error('the background worker has no standard output');
  const id = await new Promise<string | number>((resolve, reject) => {
    let said = '';
    stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('\n')) resolve(said.slice(0, said.indexOf('\n')));
    });
    child.on('error', reject);
    child.on('exit', code => resolve(code ?? 1));
  });
  stdout.destroy();
  child.unref();
  if (typeof id === 'number') {
    terminal.err(readFileSync(log, 'utf8'));
    return id;
  }
  return { run: id, log };
}
