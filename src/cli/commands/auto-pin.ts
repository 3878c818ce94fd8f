import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Json } from '../../json.ts';
import { makeSource } from '../../language/index.ts';
import type { Plan, PlanAuto } from '../../plan/plan.ts';
import { lockFileOf, type EmbeddedShell } from '../../runtime/index.ts';
import { answerName, answersOf, type TagAnswer } from '../answers.ts';
import { checkPipeline, readPipeline, surroundingsOf } from '../compiling.ts';
import { planOf } from '../drive.ts';
import { replaceFile } from '../edits.ts';
import { EXIT } from '../exit.ts';
import { usageError, type Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import { pinTags, type PlacedTag } from '../pinning.ts';
import type { Terminal } from '../terminal.ts';
import { count, escapeLine } from '../text.ts';

interface Answered {
  run: string;
  file: string;
  plan: Plan;
  answers: TagAnswer[];
}

/** Writes the answers of a run into its file, in the place of the tags; with --lock beside it, for `run --locked`. */
export async function pin(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const answered = await withShell(terminal, shell => answeredRun(shell, args[0]!, flags.text('file')));
  return flags.on('lock') ? lock(terminal, answered) : pinFile(terminal, answered);
}

async function answeredRun(shell: EmbeddedShell, name: string, file: string | undefined): Promise<Answered> {
  const document = await shell.show(name);
  const row = (await shell.store.run(document.run))!;
  const plan = await planOf(shell, document.run);
  if (plan === undefined) throw usageError(`the plan of ${document.run} is not in the store`, ['orchestrator verify']);
  return { run: document.run, file: file ?? resolve(row.workspace, row.file), plan, answers: await answersOf(shell, document, plan) };
}

function lock(terminal: Terminal, { run, file, plan, answers }: Answered): number {
  const byPath: { [path: string]: { [key: string]: Json } } = {};
  for (const { path, key, value } of answers.toSorted((a, b) => (answerName(a) < answerName(b) ? -1 : 1))) (byPath[path] ??= {})[key] = value;
  const target = lockFileOf(resolve(terminal.cwd, file));
  writeFileSync(target, `${JSON.stringify({ v: 1, pipeline: plan.pipeline.name, run, answers: byPath }, null, 2)}\n`);
  if (!terminal.quiet) {
    terminal.err(`${terminal.paint('ok', '✓')} wrote ${count(answers.length, 'answer')} into ${escapeLine(target)}\n`);
    terminal.err(`run with them: orchestrator run ${escapeLine(file)} --locked\n`);
  }
  return EXIT.ok;
}

function pinFile(terminal: Terminal, { run, file, plan, answers }: Answered): number {
  const { name, text, folder } = readPipeline(terminal, file);
  if (text !== plan.files[0]!.text)
    throw usageError(`${name} has changed since ${run}, so its answers may belong elsewhere`, [
      `run it again, and pin that run: orchestrator run ${name} && orchestrator auto pin last`,
    ]);
  const values = valuesOf(answers);
  const { lineStarts } = makeSource(name, text);
  const placed = new Map<number, PlanAuto>();
  const tags: PlacedTag[] = [];
  for (const tag of tagsOf(plan)) {
    const [at, line, column] = tag.at;
    if (at !== 0) continue;
    const offset = lineStarts[line - 1]! + column - 1;
    placed.set(offset, tag);
    tags.push({ offset, value: values.get(tag) });
  }
  const result = pinTags(text, tags);
  const problem = checkPipeline({ name, text: result.text, folder }, surroundingsOf(terminal)).diagnostics.find(({ severity }) => severity === 'error');
  if (problem !== undefined)
    throw usageError(`${name} would no longer be valid with these answers: ${problem.message}`, [`keep them beside it: orchestrator auto pin ${run} --lock`]);
  if (result.pinned.length > 0) replaceFile(resolve(terminal.cwd, file), result.text);
  const pinned = new Set(result.pinned.map(offset => placed.get(offset)));
  tell(terminal, name, answers, pinned, run);
  return EXIT.ok;
}

function tagsOf(plan: Plan): PlanAuto[] {
  return [...plan.inputs.flatMap(input => input.autos ?? []), ...plan.blocks.flatMap(block => block.tasks.flatMap(task => task.autos))];
}

/** The answer to each tag that has one for all: what a loop asks anew each time has not. */
function valuesOf(answers: readonly TagAnswer[]): Map<PlanAuto, Json> {
  const values = new Map<PlanAuto, Json>();
  for (const { path, tag, value } of answers) if (tag !== undefined && !isInLoop(path)) values.set(tag, value);
  return values;
}

function isInLoop(path: string): boolean {
  return /[[@]/.test(path);
}

function tell(terminal: Terminal, file: string, answers: readonly TagAnswer[], pinned: ReadonlySet<PlanAuto | undefined>, run: string): void {
  const { out, err, paint, paintOut, quiet } = terminal;
  const written = answers.filter(({ tag, path }) => pinned.has(tag) && !isInLoop(path));
  for (const answer of written) out(`${paintOut('strong', escapeLine(answerName(answer)))} = ${escapeLine(JSON.stringify(answer.value))}\n`);
  const open = answers.filter(answer => !written.includes(answer));
  for (const answer of open) err(`${paint('warning', 'left open:')} ${escapeLine(answerName(answer))}, ${whyOpen(answer)}\n`);
  if (quiet) return;
  if (open.length > 0) err(`the answers that no plain value stands for can be kept beside the file: orchestrator auto pin ${run} --lock\n`);
  err(`${paint('ok', '✓')} ${count(written.length, 'answer')} written into ${escapeLine(file)}\n`);
}

function whyOpen({ path, tag, value }: TagAnswer): string {
  if (isInLoop(path)) return 'which a loop asks anew each time';
  if (tag !== undefined && tag.at[0] !== 0) return 'which stands in another file';
  return `whose answer cannot stand there as a plain value: ${escapeLine(JSON.stringify(value)).slice(0, 60)}`;
}
