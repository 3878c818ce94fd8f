import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, parse, resolve } from 'node:path';
import { pathOf, taskOfSlot, type Pins } from '../engine/index.ts';
import { OrchestratorError } from '../errors.ts';
import { isObject, own, type Json } from '../json.ts';
import type { Plan, PlanAuto } from '../plan/index.ts';
import { checkSchema } from '../schema.ts';
import type { StartOptions } from './api.ts';
import type { LiveRun } from './live.ts';

/** The file of the answers that a pipeline's runs are locked to: `films.auto.json` beside `films.yaml`. */
export function lockFileOf(pipeline: string): string {
  return join(dirname(pipeline), `${parse(pipeline).name}.auto.json`);
}

/** What answers call a tag: its target, with a number where a task has several for the same one. */
export function answerKey(tags: readonly Pick<PlanAuto, 'target'>[], index: number): string {
  const { target } = tags[index]!;
  const before = tags.slice(0, index).filter(tag => tag.target === target).length;
  return before === 0 ? target : `${target}#${before + 1}`;
}

/** The answers that a run is started with; a locked run that is given none takes those of its file. Throws ORC-318 where there are none for a pipeline with tags. */
export function pinsOf(plan: Plan, cwd: string, { answers, locked = false }: StartOptions): Pins | undefined {
  if (answers !== undefined) return { locked, answers };
  if (!locked) return undefined;
  const file = plan.files[0]?.file ?? '';
  const path = lockFileOf(resolve(cwd, file));
  if (existsSync(path)) return { locked, answers: readLock(path) };
  const tags = plan.inputs.some(input => (input.autos?.length ?? 0) > 0) || plan.blocks.some(block => block.tasks.some(task => task.autos.length > 0));
  if (!tags) return { locked, answers: {} };
  throw new OrchestratorError('ORC-318', `the run is locked, and there is no ${lockFileOf(file)} with answers to the <AUTO> tags`, {
    class: 'invalid_input',
    help: [`run it once: orchestrator run ${file}`, 'and keep its answers: orchestrator auto pin last --lock'],
  });
}

function readLock(path: string): Pins['answers'] {
  let content: Json;
  try {
    content = JSON.parse(readFileSync(path, 'utf8')) as Json;
  } catch (cause) {
    throw new OrchestratorError('ORC-318', `${path} is not JSON`, {
      class: 'invalid_input',
      help: ['write it again: orchestrator auto pin RUN --lock'],
      cause,
    });
  }
  const answers = isObject(content) ? own(content, 'answers') : undefined;
  if (isObject(answers) && Object.values(answers).every(isObject)) return answers as Pins['answers'];
  throw new OrchestratorError('ORC-318', `${path} holds no answers`, { class: 'invalid_input', help: ['write it again: orchestrator auto pin RUN --lock'] });
}

/** The pinned answer to a tag; undefined where a model may be asked. Throws ORC-318 where it may not, and where the answer does not fit. */
export function pinnedAnswer(run: LiveRun, slot: number, index: number): Json | undefined {
  const pins = run.state.created?.pins;
  if (pins === undefined) return undefined;
  const tags = slot < 0 ? run.plan.inputs.flatMap(input => input.autos ?? []) : taskOfSlot(run.plan, run.state, slot).autos;
  const path = slot < 0 ? '' : pathOf(run.plan, run.state, slot);
  const key = slot < 0 ? inputKey(run.plan, index) : answerKey(tags, index);
  const answer = Object.hasOwn(pins.answers, path) ? own(pins.answers[path]!, key) : undefined;
  if (answer === undefined && !pins.locked) return undefined;
  const problem = answer === undefined ? 'has no recorded answer, and the run is locked' : checkSchema(tags[index]!.schema, answer)[0];
  if (problem === undefined) return answer;
  const name = path === '' ? key : `${path}.${key}`;
  const text = typeof problem === 'string' ? problem : `has a recorded answer that does not fit: it ${problem.message}`;
  throw new OrchestratorError('ORC-318', `the <AUTO> tag at \`${name}\` ${text}`, {
    class: 'invalid_input',
    help: ['ask again, without --locked', 'and keep the answers: orchestrator auto pin last --lock'],
  });
}

/** Tags of inputs, all of them in one row, are called by the input. */
export function inputKey(plan: Pick<Plan, 'inputs'>, index: number): string {
  return answerKey(
    plan.inputs.flatMap(input => (input.autos ?? []).map(() => ({ target: `inputs.${input.name}` }))),
    index,
  );
}
