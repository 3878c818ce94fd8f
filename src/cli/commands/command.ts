import type { Command } from '../../engine/event.ts';
import type { Json } from '../../json.ts';
import type { EmbeddedShell } from '../../runtime/index.ts';
import { openApprovals, userName } from '../approvals.ts';
import { readArgument } from '../inputs.ts';
import { usageError, type Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import type { Terminal } from '../terminal.ts';

/** Puts a command before a run, and says that it is there. */
function order(
  terminal: Terminal,
  { args, flags }: Invocation,
  make: (shell: EmbeddedShell, run: string) => Command | Promise<Command>,
  said: string,
): Promise<number> {
  return withShell(terminal, async shell => {
    const run = await shell.find(args[0]!);
    const command = await make(shell, run);
    await shell.command(run, command);
    const { status, reason } = await shell.show(run);
    const row = await shell.store.run(run);
    const isDriven = row?.owner != null && (await shell.store.alive(row.owner));
    const next =
      isDriven || status === 'completed' || status === 'failed' || status === 'cancelled' ? `orchestrator watch ${run}` : `orchestrator resume ${run}`;
    if (flags.on('json')) terminal.out(`${JSON.stringify({ v: 1, run, command: command.type, delivered: true, status, reason, next: [next] })}\n`);
    else if (!terminal.quiet)
      terminal.err(
        `${terminal.paint('ok', '✓')} ${said}: ${run}${command.type === 'cancel' || isDriven ? '' : `. Nobody drives it now; go on with: ${next}`}\n`,
      );
    return 0;
  });
}

export function cancel(terminal: Terminal, invocation: Invocation): Promise<number> {
  return order(terminal, invocation, () => ({ type: 'cancel', by: userName() }), 'cancelled');
}

export function pause(terminal: Terminal, invocation: Invocation): Promise<number> {
  return order(terminal, invocation, () => ({ type: 'pause', by: userName() }), 'asked to pause');
}

export function approve(terminal: Terminal, invocation: Invocation): Promise<number> {
  const { args, flags } = invocation;
  const task = args[1]!;
  const by = flags.text('by') ?? userName();
  const comment = flags.text('comment') ?? null;
  const make = async (shell: EmbeddedShell, run: string): Promise<Command> => {
    const open = await openApprovals(shell, run);
    const choice = flags.text('choice') ?? open.find(question => question.task === task)?.choices[0] ?? 'approve';
    return { type: 'approve', task, choice, by, comment };
  };
  return order(terminal, invocation, make, 'answered');
}

export function signal(terminal: Terminal, invocation: Invocation): Promise<number> {
  const name = invocation.args[1]!;
  const payload = readJson(invocation.args[2], terminal) ?? null;
  return order(terminal, invocation, () => ({ type: 'signal', name, payload, by: userName() }), 'sent');
}

const VERDICTS = ['retry', 'skip', 'fail', 'completed'] as const;

export function settle(terminal: Terminal, invocation: Invocation): Promise<number> {
  const { args, flags } = invocation;
  if (flags.text('as') === undefined) throw usageError('`settle` needs --as, what became of the effect', [`one of: ${VERDICTS.join(', ')}`]);
  const as = flags.choice('as', VERDICTS, 'retry');
  const value = readJson(args[2], terminal);
  if (value !== undefined && as !== 'completed') throw usageError('a result goes with --as completed only');
  return order(terminal, invocation, () => ({ type: 'settle', task: args[1]!, as, value: value ?? null, by: userName() }), 'settled');
}

function readJson(text: string | undefined, terminal: Terminal): Json | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(readArgument(text, terminal)) as Json;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw usageError(`\`${text}\` is not JSON`, ['a text is written with double quotes inside single ones: \'"like this"\'']);
  }
}
