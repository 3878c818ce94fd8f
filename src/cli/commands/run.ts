import type { StartOptions } from '../../runtime/api.ts';
import type { EmbeddedShell } from '../../runtime/index.ts';
import { drive, RUN_OUTPUTS } from '../drive.ts';
import { gatherInputs, gatherMocks } from '../inputs.ts';
import type { Flags, Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import type { Terminal } from '../terminal.ts';
import { escapeLine } from '../text.ts';
import { isWorker } from '../worker.ts';
import { compileFor } from './resume.ts';

export async function run(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const [file] = args as [string];
  const output = flags.choice('output', RUN_OUTPUTS, 'human');
  if (flags.on('detach') && !isWorker(terminal)) return (await import('../detach.ts')).detach(terminal, output === 'json');
  const work = async (shell: EmbeddedShell): Promise<number> => {
    const compiled = await compileFor(terminal, shell, file);
    const inputs = gatherInputs(compiled.plan, flags.list('input'), flags.text('inputs'), terminal);
    const handle = await shell.start(compiled, inputs, startOptions(terminal, flags));
    const code = await drive(terminal, shell, handle, flags);
    if (!terminal.quiet) tellCassette(terminal, file, flags);
    return code;
  };
  return withShell(terminal, work, { works: true });
}

function startOptions(terminal: Terminal, flags: Flags): StartOptions {
  const options: StartOptions = { trigger: isWorker(terminal) ? 'background' : 'cli', tags: flags.list('tag') };
  for (const name of ['key', 'user', 'until', 'record', 'replay'] as const) {
    const text = flags.text(name);
    if (text !== undefined) options[name] = text;
  }
  const budgetUsd = flags.number('budget');
  if (budgetUsd !== undefined) options.budgetUsd = budgetUsd;
  if (!flags.on('cache')) options.cache = false;
  if (flags.list('mock').length > 0) options.mocks = gatherMocks(flags.list('mock'), terminal);
  if (flags.on('locked')) options.locked = true;
  return options;
}

function tellCassette({ err, paint }: Terminal, file: string, flags: Flags): void {
  const [record, replay] = [flags.text('record'), flags.text('replay')];
  if (record !== undefined) err(`  ${paint('faint', 'replay:')} orchestrator run ${file} --replay ${record}\n`);
  if (replay !== undefined) err(`  answered by the cassette ${escapeLine(replay)}: no model was asked, nothing was paid\n`);
}
