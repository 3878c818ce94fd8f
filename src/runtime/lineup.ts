import { pathOf, type RunState } from '../engine/index.ts';
import { OrchestratorError } from '../errors.ts';
import { canonicalJson, type Json } from '../json.ts';
import { frameOf, type Block, type Plan } from '../plan/index.ts';

/** How the tasks of a run line up with those of the plan that a fork of it holds. */
export interface Lineup {
  /** The plan of the fork. */
  target: Plan;
  /** By scope of the run: the block of the target that it becomes; undefined where it is not taken over. */
  blocks: (number | undefined)[];
  /** By scope of the run and number of the task in it: its number in that block; undefined where it is not there any more. */
  places: (number | undefined)[][];
  /** Slots of the run whose results are not taken over. */
  dropped: Set<number>;
  /** Slots whose definition is another now; they are dropped too, and so is what depends on them. */
  changed: Set<number>;
  /** Containers that are dropped and yet go on with what they hold, each with the number of the iteration that runs again. */
  open: Map<number, number>;
  /** The questions in the defaults of inputs are still the same. */
  sameQuestions: boolean;
}

/** Of a fork that holds the plan of its parent. */
export function sameLineup(plan: Plan, state: RunState): Lineup {
  return {
    target: plan,
    blocks: state.scopes.map(scope => scope.block),
    places: state.scopes.map(scope => plan.blocks[scope.block]!.tasks.map((_, i) => i)),
    dropped: new Set(),
    changed: new Set(),
    open: new Map(),
    sameQuestions: true,
  };
}

/**
 * Of a fork under another plan. A task keeps its result where its definition has the same hash and nothing that it depends on lost its own.
 * A loop, group or sub-pipeline of which only the body is another goes on with what is the same in there; a `while` begins anew, because each round was made
 * from the one before.
 */
export function lineUp(plan: Plan, state: RunState, target: Plan): Lineup {
  const lineup: Lineup = { ...sameLineup(plan, state), target, blocks: [], places: [], sameQuestions: questionsOf(plan) === questionsOf(target) };
  const sameFiles = canonicalJson(plan.inclusions) === canonicalJson(target.inclusions);
  for (const [id, { owner, base, block }] of state.scopes.entries()) {
    const before = plan.blocks[block]!;
    const number = before.kind === 'handler' ? undefined : blockFor(lineup, state, owner);
    lineup.blocks[id] = number;
    lineup.places[id] = [];
    if (number === undefined) continue;
    const after = target.blocks[number]!;
    const byId = new Map(after.tasks.map((task, i) => [task.id, i]));
    const places = before.tasks.map(task => byId.get(task.id));
    lineup.places[id] = places;
    const changed = before.tasks.flatMap((task, i) => (places[i] !== undefined && after.tasks[places[i]]!.hash === task.hash ? [] : [i]));
    const lost = withDependants(before, changed);
    for (const i of changed) {
      lineup.changed.add(base + i);
      const [old, now] = [before.tasks[i]!, places[i] === undefined ? undefined : after.tasks[places[i]]!];
      if (now === undefined || old.body === undefined || old.kind === 'while' || old.needs.some(need => lost.has(need))) continue;
      if (sameFiles && frameOf(plan, before, old) === frameOf(target, after, now)) lineup.open.set(base + i, Infinity);
    }
    for (const i of lost) lineup.dropped.add(base + i);
  }
  return lineup;
}

function blockFor({ target, blocks, places, dropped, open }: Lineup, state: RunState, owner: number): number | undefined {
  if (owner < 0) return 0;
  if (dropped.has(owner) && !open.has(owner)) return undefined;
  const scope = state.scopeOf[owner]!;
  const block = blocks[scope];
  const place = places[scope]![owner - state.scopes[scope]!.base];
  return block === undefined || place === undefined ? undefined : target.blocks[block]!.tasks[place]!.body;
}

/** Tasks of a block, by their numbers, and all that depend on them. */
export function withDependants({ tasks }: Block, given: Iterable<number>): Set<number> {
  const marks = new Set(given);
  for (let grew = true; grew;) {
    grew = false;
    tasks.forEach((task, i) => {
      if (marks.has(i) || !task.needs.some(need => marks.has(need))) return;
      marks.add(i);
      grew = true;
    });
  }
  return marks;
}

function questionsOf({ inputs }: Plan): string {
  return canonicalJson(inputs.map(({ name, autos = [] }) => [name, autos.map(({ question, schema }) => [question, schema])]) as unknown as Json);
}

const COMPLETED = 4;
const WAITING = 3;

/** A run is not resumed under a plan by which it would do again what it has done (S11); `as` is what the user calls the pipeline. */
export function checkProof(plan: Plan, state: RunState, { blocks, dropped }: Lineup, run: string, as: string): void {
  const again: string[] = [];
  for (const [id, { base, block }] of state.scopes.entries()) {
    const { kind, tasks } = plan.blocks[block]!;
    if (kind === 'handler') continue;
    tasks.forEach((_, i) => {
      if (state.taskStatus[base + i] === COMPLETED && (blocks[id] === undefined || dropped.has(base + i))) again.push(pathOf(plan, state, base + i));
    });
  }
  if (again.length === 0) return;
  throw new OrchestratorError(
    'ORC-508',
    `${again
      .slice(0, 3)
      .map(path => `\`${path}\``)
      .join(
        ', ',
      )}${again.length > 3 ? ` and ${again.length - 3} more` : ''} completed in ${run}, and ${as} would do ${again.length === 1 ? 'it' : 'them'} otherwise`,
    { class: 'invalid_input', help: [`go on as it was: orchestrator resume ${run}`, `do them again, in a new run: orchestrator fork ${run} --pipeline ${as}`] },
  );
}

/** What nobody knows the outcome of is settled first: a fork would do it again (S9). */
export function checkNoDoubt(plan: Plan, state: RunState, run: string): void {
  const doubt = state.taskReason.findIndex((reason, slot) => reason === 'needs_attention' && state.taskStatus[slot] === WAITING);
  if (doubt < 0) return;
  const path = pathOf(plan, state, doubt);
  throw new OrchestratorError('ORC-508', `it is not known what became of \`${path}\``, {
    class: 'invalid_input',
    help: [`orchestrator settle ${run} ${path} --as retry|skip|fail|completed`],
  });
}
