import { resolve } from 'node:path';
import { diagnosticDocument, validationDocument, type ValidationDocument } from '../../plan/compile.ts';
import { githubAnnotation, sarifLog } from '../annotations.ts';
import { checkPipeline, readPipeline, surroundingsOf, type CheckedFile, type Surroundings } from '../compiling.ts';
import { applyFixes, replaceFile } from '../edits.ts';
import { EXIT } from '../exit.ts';
import { countProblems, renderProblems } from '../frame.ts';
import { usageError, type Invocation } from '../invocation.ts';
import type { Terminal } from '../terminal.ts';
import { count } from '../text.ts';
import { programVersion } from '../version.ts';

const FORMATS = ['human', 'json', 'sarif', 'github'] as const;
/** A fix may bring to light what it hid; more rounds than this would mean that two fixes undo each other. */
const FIX_ROUNDS = 10;

export function validate(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const format = flags.on('json') ? 'json' : flags.choice('format', FORMATS, 'human');
  const surroundings = surroundingsOf(terminal);
  const strict = flags.on('strict');
  const checked = args.map(file =>
    flags.on('fix') ? fixFile(terminal, file, surroundings, strict) : checkPipeline(readPipeline(terminal, file), surroundings, strict),
  );
  const isValid = checked.every(file => file.result.plan !== null);
  if (format === 'json') terminal.out(`${JSON.stringify(jsonOf(checked, isValid), null, 2)}\n`);
  else if (format === 'sarif')
    terminal.out(
      `${JSON.stringify(
        sarifLog(
          checked.flatMap(file => file.diagnostics.map(diagnosticDocument)),
          programVersion(),
        ),
        null,
        2,
      )}\n`,
    );
  else if (format === 'github') for (const file of checked) for (const problem of file.diagnostics) terminal.out(githubAnnotation(diagnosticDocument(problem)));
  else for (const file of checked) tellFile(terminal, file);
  return Promise.resolve(isValid ? EXIT.ok : EXIT.invalid);
}

function jsonOf(checked: readonly CheckedFile[], isValid: boolean): object {
  const documents = checked.map(({ result, diagnostics, source }): ValidationDocument => validationDocument({ ...result, diagnostics }, source.file));
  return documents.length === 1 ? documents[0]! : { v: 1, valid: isValid, files: documents };
}

function tellFile(terminal: Terminal, { source, result, diagnostics }: CheckedFile): void {
  const { paint, columns } = terminal;
  const told = terminal.quiet ? diagnostics.filter(problem => problem.severity === 'error') : diagnostics;
  if (told.length > 0) terminal.err(`${renderProblems(told, { paint, columns, fixCommand: `orchestrator validate --fix ${source.file}` })}\n`);
  if (result.plan === null) {
    const fixable = diagnostics.filter(problem => problem.fix !== undefined).length;
    const hint = fixable === 0 ? '' : `; ${fixable === 1 ? 'one' : fixable} can be fixed: orchestrator validate --fix ${source.file}`;
    terminal.err(`${paint('error', '✕')} ${source.file}: ${countProblems(diagnostics)}${hint}\n`);
  } else if (!terminal.quiet) {
    const warnings = countProblems(diagnostics);
    terminal.err(`${paint('ok', '✓')} ${source.file} is valid: ${count(result.tasks.size, 'task')}${warnings === 'no problems' ? '' : `, ${warnings}`}\n`);
  }
}

function fixFile(terminal: Terminal, file: string, surroundings: Surroundings, strict: boolean): CheckedFile {
  if (file === '-') throw usageError('--fix changes files, and standard input is none', ['orchestrator validate --fix FILE']);
  const given = readPipeline(terminal, file);
  let { text } = given;
  let total = 0;
  for (let round = 0; round < FIX_ROUNDS; round++) {
    const { diagnostics } = checkPipeline({ ...given, text }, surroundings, strict);
    const { text: changed, made } = applyFixes(text, given.name, diagnostics);
    if (made === 0) break;
    total += made;
    text = changed;
  }
  if (total > 0) {
    replaceFile(resolve(terminal.cwd, file), text);
    if (!terminal.quiet) terminal.err(`fixed ${count(total, 'problem')} in ${file}\n`);
  }
  return checkPipeline({ ...given, text }, surroundings, strict);
}
