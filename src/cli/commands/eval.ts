import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isoTime } from '../../clock.ts';
import { namesOf, slotOf } from '../../engine/index.ts';
import { OrchestratorError } from '../../errors.ts';
import { nearest } from '../../ids.ts';
import { isObject, type Json } from '../../json.ts';
import {
  evaluate as evaluateExpression,
  ExpressionError,
  parseExpression,
  parseTemplate,
  render,
  scopeOf,
  type EvalContext,
  type ExpressionProblem,
} from '../../language/expression/index.ts';
import { makeSource } from '../../language/source.ts';
import { decodePlan } from '../../plan/index.ts';
import { foldRun, type EmbeddedShell } from '../../runtime/index.ts';
import type { Problem } from '../frame.ts';
import { parseJsonFile } from '../inputs.ts';
import { usageError, type Invocation } from '../invocation.ts';
import { withShell } from '../opening.ts';
import { readable } from '../result.ts';
import type { Terminal } from '../terminal.ts';
import { escapeControls } from '../text.ts';

/** Something to evaluate: the value depends on the names that a context gives. */
type Formula = (context: EvalContext) => Json;

export async function evaluate(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const text = args[0] === '-' ? readFileSync(0, 'utf8').replace(/\n$/, '') : args[0]!;
  const file = flags.text('context');
  const run = flags.text('run');
  if (file !== undefined && run !== undefined) throw usageError('names come from --context or from --run, not from both');
  const formula = flags.on('template') ? templateOf(text) : expressionOf(text);
  const value =
    run === undefined
      ? located(text, () => formula(contextOf(terminal, file)))
      : await withShell(terminal, shell => inRun(shell, run, context => located(text, () => formula(context))));
  if (flags.on('json')) terminal.out(`${JSON.stringify({ value })}\n`);
  else {
    const shown = typeof value === 'string' ? `${value}\n` : await readable(value);
    terminal.out(terminal.outIsTerminal ? escapeControls(shown) : shown);
  }
  return 0;
}

function expressionOf(text: string): Formula {
  const { expr, problems } = parseExpression(text);
  if (expr === null || problems.length > 0) throw new FormulaError(text, problems);
  return context => evaluateExpression(expr, context);
}

function templateOf(text: string): Formula {
  const { template, problems } = parseTemplate(text);
  if (template === null || problems.length > 0) throw new FormulaError(text, problems);
  return context => render(template, context);
}

/** The text has problems: each with its place in it. */
class FormulaError extends OrchestratorError {
  readonly diagnostics: Problem[];
  constructor(text: string, problems: readonly ExpressionProblem[]) {
    const [first] = problems;
    super(first?.code ?? 'ORC-305', first?.message ?? 'this is no expression', { class: 'template' });
    const source = makeSource('<text>', text);
    this.diagnostics = problems.map(({ code, message, start, end, help }) => ({ code, severity: 'error', message, source, span: { start, end }, help }));
  }
}

/** An error of evaluating, with the frame of the text. */
function located(text: string, compute: () => Json): Json {
  try {
    return compute();
  } catch (error) {
    if (error instanceof ExpressionError) throw new FormulaError(text, [error]);
    throw error;
  }
}

function hostOf({ cwd }: Pick<Terminal, 'cwd'>): EvalContext['host'] {
  return {
    now: () => Date.now(),
    fileExists: path => existsSync(resolve(cwd, path)),
    file: () => {
      throw new OrchestratorError('ORC-310', '`file()` reads within the folder of a pipeline, and there is none here', { class: 'template' });
    },
  };
}

function contextOf(terminal: Terminal, file: string | undefined): EvalContext {
  const now = isoTime(Date.now());
  const names = file === undefined ? {} : parseJsonFile(file, terminal.cwd);
  if (!isObject(names)) throw usageError(`${file} holds no JSON object of names`);
  return {
    scope: scopeOf({ execution: { id: 'eval', started_at: now, timestamp: now, date: now.slice(0, 10), time: now.slice(11, 19) }, ...names }),
    host: hostOf(terminal),
  };
}

/** Evaluates among the names that a recorded run holds: those of the pipeline, or of one of its tasks (`ID:TASK`). */
async function inRun(shell: EmbeddedShell, name: string, formula: Formula): Promise<Json> {
  const colon = name.indexOf(':');
  const id = await shell.find(colon < 0 ? name : name.slice(0, colon));
  const row = (await shell.store.run(id))!;
  const plan = decodePlan((await shell.store.plan(row.planHash))!);
  const state = await foldRun(shell.store, plan, id);
  const path = colon < 0 ? undefined : name.slice(colon + 1);
  const slot = path === undefined ? -1 : slotOf(plan, state, path);
  if (path !== undefined && slot < 0) {
    const near = nearest(
      path,
      plan.blocks[0]!.tasks.map(task => task.id),
      1,
    )[0];
    throw new OrchestratorError('ORC-506', `there is no task \`${path}\` in ${id}`, {
      class: 'not_found',
      help: [near === undefined ? `orchestrator show ${id}` : `did you mean \`${near}\`?`],
    });
  }
  const { values } = shell.shop;
  const scope = namesOf({ plan, state, run: id, load: ref => values.load(ref) }, { slot });
  return values.settle(() => formula({ scope, host: { ...hostOf({ cwd: row.workspace }), file: inclusion => plan.inclusions[inclusion] ?? '' } }));
}
