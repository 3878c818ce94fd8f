import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { RunDocument } from '../../engine/document.ts';
import { OrchestratorError } from '../../errors.ts';
import type { Plan } from '../../plan/plan.ts';
import type { RunEvent } from '../../runtime/api.ts';
import type { EmbeddedShell } from '../../runtime/index.ts';
import type { Terminal } from '../terminal.ts';
import { gatherFacts } from './facts.ts';
import { renderReport } from './page.ts';

/** Writes the report of a run to a file, or to standard output for `-`. */
export async function writeRunReport(terminal: Terminal, shell: EmbeddedShell, document: RunDocument, plan: Plan | undefined, file: string): Promise<void> {
  const events: RunEvent[] = [];
  let program = '';
  for await (const event of shell.events(document.run)) {
    events.push(event);
    if (event.type === 'run.created') program = event.program;
  }
  const { values } = shell.shop;
  const facts = await values.settle(() => gatherFacts(document, events, ref => values.load(ref)));
  const text = renderReport({ document, plan, facts, program });
  if (file === '-') return terminal.out(text);
  try {
    writeFileSync(resolve(terminal.cwd, file), text);
  } catch (cause) {
    throw new OrchestratorError('ORC-221', `the report cannot be written to ${file}: ${(cause as NodeJS.ErrnoException).code}`, { class: 'storage', cause });
  }
  if (!terminal.quiet) terminal.err(`report: ${file}\n`);
}
