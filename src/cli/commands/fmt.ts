import { resolve } from 'node:path';
import { format, makeSource } from '../../language/index.ts';
import { readPipeline } from '../compiling.ts';
import { replaceFile } from '../edits.ts';
import { EXIT } from '../exit.ts';
import { countProblems, renderProblems } from '../frame.ts';
import type { Invocation } from '../invocation.ts';
import type { Terminal } from '../terminal.ts';
import { count } from '../text.ts';

export function fmt(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const { paint, columns } = terminal;
  let changed = 0;
  let broken = 0;
  for (const file of args) {
    const { name, text } = readPipeline(terminal, file);
    const formatted = format(makeSource(name, text));
    const errors = formatted.diagnostics.filter(problem => problem.severity === 'error');
    if (errors.length > 0) {
      broken++;
      terminal.err(`${renderProblems(errors, { paint, columns })}\n${paint('error', '✕')} ${name} was left as it is: ${countProblems(errors)}\n`);
      continue;
    }
    if (flags.on('stdout') || file === '-') terminal.out(formatted.text);
    if (!formatted.changed) continue;
    changed++;
    if (flags.on('stdout') || file === '-') continue;
    if (!flags.on('check')) replaceFile(resolve(terminal.cwd, file), formatted.text);
    if (!terminal.quiet) terminal.err(`${flags.on('check') ? 'would rewrite' : 'rewrote'} ${name}\n`);
  }
  if (changed === 0 && broken === 0 && !terminal.quiet && !flags.on('stdout') && !args.includes('-'))
    terminal.err(`${count(args.length, 'file')} already in the canonical spelling\n`);
  if (broken > 0) return Promise.resolve(EXIT.invalid);
  return Promise.resolve(flags.on('check') && changed > 0 ? EXIT.failed : EXIT.ok);
}
