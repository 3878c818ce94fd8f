import { planOf } from '../drive.ts';
import type { Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import { writeRunReport } from '../report/write.ts';
import type { Terminal } from '../terminal.ts';

export async function report(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  await withShell(terminal, async shell => {
    const document = await shell.show(args[0]!);
    if (flags.on('json')) return terminal.out(`${JSON.stringify(document, null, 2)}\n`);
    await writeRunReport(terminal, shell, document, await planOf(shell, document.run), flags.text('html') ?? `${document.run}.html`);
  });
  return 0;
}
