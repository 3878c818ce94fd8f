import type { Diagnostic } from '../language/diagnostic.ts';
import type { ConfigOptions, EmbeddedShell } from '../runtime/index.ts';
import type { Models } from '../models/index.ts';
import type { Terminal } from './terminal.ts';

/** Which configuration a call means. */
export function configOptions({ cwd, env, config, environment }: Terminal): ConfigOptions {
  return { cwd, env, ...(config === undefined ? {} : { configFile: config }), ...(environment === undefined ? {} : { environment }) };
}

/** How a command opens its shell. */
export interface ShellUse {
  /** In the place of the models that the configuration names. */
  models?: Models | undefined;
  /** Work is begun, so what the configuration sets in vain is told. */
  works?: boolean;
}

/** Opens the shell that the flags, the environment and the configuration name; says what of the configuration does not count. */
export async function openShellFor(terminal: Terminal, { models, works = false }: ShellUse = {}): Promise<EmbeddedShell> {
  const { openShell } = await import('../runtime/index.ts');
  const warnings: Diagnostic[] = [];
  const onWarning = (warning: Diagnostic): void => {
    if (works || warning.code !== 'ORC-519') warnings.push(warning);
  };
  const shell = await openShell({ ...configOptions(terminal), ...(models === undefined ? {} : { models }), onWarning });
  if (warnings.length > 0 && !terminal.quiet) {
    const { renderProblems } = await import('./frame.ts');
    terminal.err(`${renderProblems(warnings, { paint: terminal.paint, columns: terminal.columns })}\n`);
  }
  return shell;
}

/** Does something with a shell, and closes it whatever happens. */
export async function withShell<T>(terminal: Terminal, use: (shell: EmbeddedShell) => Promise<T>, how: ShellUse = {}): Promise<T> {
  const shell = await openShellFor(terminal, how);
  try {
    return await use(shell);
  } finally {
    await shell.close();
  }
}
