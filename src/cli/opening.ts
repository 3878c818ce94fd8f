import type { Diagnostic } from '../language/diagnostic.ts';
import type { ConfigOptions, EmbeddedShell } from '../runtime/index.ts';
import type { Models } from '../models/index.ts';
import type { Terminal } from './terminal.ts';

/** Which configuration a call means. */
export function configOptions({ cwd, env, config, environment }: Terminal): ConfigOptions {
  return { cwd, env, ...(config === undefined ? {} : { configFile: config }), ...(environment === undefined ? {} : { environment }) };
}

/** Opens the shell that the flags, the environment and the configuration name; says what of the configuration does not count. */
export async function openShellFor(terminal: Terminal, models?: Models): Promise<EmbeddedShell> {
  const { openShell } = await import('../runtime/index.ts');
  const warnings: Diagnostic[] = [];
  const shell = await openShell({ ...configOptions(terminal), ...(models === undefined ? {} : { models }), onWarning: warning => void warnings.push(warning) });
  if (warnings.length > 0 && !terminal.quiet) {
    const { renderProblems } = await import('./frame.ts');
    terminal.err(`${renderProblems(warnings, { paint: terminal.paint, columns: terminal.columns })}\n`);
  }
  return shell;
}

/** Does something with a shell, and closes it whatever happens. `models` stand in the place of those that the configuration names. */
export async function withShell<T>(terminal: Terminal, use: (shell: EmbeddedShell) => Promise<T>, models?: Models): Promise<T> {
  const shell = await openShellFor(terminal, models);
  try {
    return await use(shell);
  } finally {
    await shell.close();
  }
}
