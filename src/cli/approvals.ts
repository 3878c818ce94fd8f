import { userInfo } from 'node:os';
import { createInterface } from 'node:readline/promises';
import type { RunDocument } from '../engine/document.ts';
import type { EmbeddedShell } from '../runtime/index.ts';
import { escapeControls } from './text.ts';
import type { Terminal } from './terminal.ts';

interface Question {
  task: string;
  prompt: string;
  choices: string[];
}

/** Approvals of a run that nobody has given yet. */
export async function openApprovals(shell: EmbeddedShell, run: string): Promise<Question[]> {
  const open = new Map<string, Question>();
  for await (const event of shell.events(run)) {
    if (event.type === 'approval.requested') open.set(event.path!, { task: event.path!, prompt: event.prompt, choices: event.choices });
    else if (event.type === 'approval.given' || event.type === 'task.completed' || event.type === 'task.failed' || event.type === 'task.reset')
      open.delete(event.path ?? '');
  }
  return [...open.values()];
}

/** Puts the open approvals before whoever sits at the terminal. False where they would rather answer later. */
export async function answerApprovals(terminal: Terminal, shell: EmbeddedShell, { run }: RunDocument): Promise<boolean> {
  const questions = await openApprovals(shell, run);
  for (const question of questions) {
    const choice = await ask(terminal, question);
    if (choice === undefined) {
      // What is told next shall not stand beside the question.
      terminal.err('\n');
      return false;
    }
    await shell.command(run, { type: 'approve', task: question.task, choice, by: userName(), comment: null });
  }
  return questions.length > 0;
}

async function ask({ err, paint }: Terminal, { task, prompt, choices }: Question): Promise<string | undefined> {
  err(
    `\n${paint('warning', '‖')} ${paint('strong', escapeControls(task))} asks:\n${escapeControls(prompt)
      .split('\n')
      .map(line => `  ${line}`)
      .join('\n')}\n`,
  );
  choices.forEach((choice, i) => err(`    ${i + 1}  ${escapeControls(choice)}\n`));
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C and Ctrl-D leave the question open: the run waits, and `approve` answers it later.
  const given = new Promise<undefined>(resolve => terminal.once('close', () => resolve(undefined)).once('SIGINT', () => terminal.close()));
  try {
    for (;;) {
      const answer = await Promise.race([terminal.question(`  choose 1–${choices.length} (Ctrl-D: later) `), given]);
      if (answer === undefined) return undefined;
      const text = answer.trim();
      const chosen = choices[Number(text) - 1] ?? choices.find(choice => choice.toLowerCase() === text.toLowerCase());
      if (chosen !== undefined) return chosen;
    }
  } finally {
    terminal.close();
  }
}

export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id without a name, as in many containers.
    return 'somebody';
  }
}
