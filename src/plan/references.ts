import { nearest } from '../ids.ts';
import type { Reference } from '../language/expression/index.ts';
import type { OffsetMap, Task } from '../language/pipeline.ts';
import type { Span } from '../language/source.ts';
import { reportAt, type Site } from './compilation.ts';
import { addEdge, ANYTHING, find, findTask, namesIn, type Found, type Scope, type Shape } from './scope.ts';
import { closedObject, findMissing, resultSchema, shapeAt, type Step } from './shapes.ts';

/** What a reference can say about a task rather than about its result. */
const ABOUT = ['status', 'success', 'error', 'attempts', 'duration', 'result'];
const EXECUTION = ['id', 'started_at', 'timestamp', 'date', 'time'];
const LOOP_NAMES = new Set([
  'item',
  'index',
  'is_first',
  'is_last',
  'position',
  'length',
  'remaining',
  'has_next',
  'has_prev',
  'iteration',
  'loop_state',
  'previous',
  'queue_size',
]);
/** Namespaces of other programs, and why there is none here. */
const ABSENT: ReadonlyMap<string, string> = new Map([
  ['env', "pipelines do not read the environment: declare an input, or name a secret with secret('NAME')"],
  ['pipeline', 'there is no such namespace: write its name as text, or take it in as an input'],
]);

/** A part of a text of the file, as a span of the file. */
export function sourceSpan(map: OffsetMap, start: number, end: number): Span {
  return { start: map.toSource(start), end: end > start ? map.toSource(end - 1) + 1 : map.toSource(start) };
}

/** Checks one reference, notes the task that it needs, and tells what is known of the value. */
export function checkReference(site: Site, reference: Reference, map: OffsetMap): Shape {
  const span = sourceSpan(map, reference.start, reference.nameEnd);
  const found = find(site.scope, reference.name);
  if (found === undefined) {
    if (!reference.optional) reportUnknown(site, reference.name, span);
    return ANYTHING;
  }
  const stepSpan = (index: number): Span => {
    const step = reference.steps[index];
    return step === undefined ? span : sourceSpan(map, step.start, step.end);
  };
  const quiet = reference.optional;
  switch (found.kind) {
    case 'task':
      return checkTaskReference({ site, stepSpan, quiet, span }, found, reference.name, reference.path);
    case 'input': {
      found.unit.usedInputs.add(found.input.name);
      return checkFields({ site, stepSpan, quiet, span }, { schema: found.input.schema, closed: false }, reference.name, reference.path, 0);
    }
    case 'value':
      return checkFields({ site, stepSpan, quiet, span }, found.shape, reference.name, reference.path, 0);
    case 'namespace':
      return checkNamespace({ site, stepSpan, quiet, span }, found, reference.name, reference.path);
  }
}

interface Use {
  site: Site;
  /** Where the name stands, and each step after it. */
  span: Span;
  stepSpan(index: number): Span;
  /** Under `default()` or `is defined`: what is not there is no mistake. */
  quiet: boolean;
}

function checkTaskReference(use: Use, found: Found & { kind: 'task' }, text: string, path: readonly Step[]): Shape {
  needTask(use, found);
  const result = taskShape(use.site, found);
  const [first] = path;
  if (first === undefined) return result;
  if (first === 'result') return checkFields(use, result, `${text}.result`, path.slice(1), 1);
  if (ABOUT.includes(String(first)) && findMissing(result, path)?.index === 0) return ANYTHING;
  return checkFields(use, result, text, path, 0, ABOUT);
}

function taskShape(site: Site, { task, scope }: Found & { kind: 'task' }): Shape {
  return { schema: resultSchema(site.compilation, unitOf(scope), task), closed: true };
}

function unitOf(scope: Scope): Site['unit'] {
  let here: Scope = scope;
  while (here.kind !== 'pipeline') here = here.outer;
  return here.unit;
}

function needTask({ site, span }: Use, { index, scope, task }: Found & { kind: 'task' }): void {
  if (addEdge(scope, index, { reference: span })) return;
  const inside = scope !== innermostList(site.scope);
  const message = inside ? `\`${task.id}\` is what this runs in, so its result is not there yet` : `\`${task.id}\` refers to its own result`;
  const help =
    task.kind === 'for_each' || task.kind === 'while'
      ? [`inside a loop, name the tasks of its body${task.kind === 'while' ? ', or `previous` for the iteration before' : ''}`]
      : [];
  site.unit.reporter.error('ORC-203', span, message, { path: site.path, label: 'not there before it has run', help });
}

function innermostList(scope: Scope): Scope | null {
  let here: Scope | null = scope;
  while (here !== null && here.kind !== 'list') here = here.outer;
  return here;
}

function checkNamespace(use: Use, found: Found & { kind: 'namespace' }, text: string, path: readonly Step[]): Shape {
  const { site } = use;
  const [first, ...rest] = path;
  if (found.namespace === 'execution')
    return checkFields(
      use,
      { schema: closedObject(Object.fromEntries(EXECUTION.map(name => [name, { type: 'string' }]))), closed: true },
      text,
      path,
      0,
      [],
      'ORC-302',
    );
  if (found.namespace === 'inputs') {
    if (first === undefined) for (const name of found.inputs.keys()) found.unit.usedInputs.add(name);
    else if (found.inputs.has(String(first))) {
      found.unit.usedInputs.add(String(first));
      return checkFields(use, { schema: found.inputs.get(String(first))!.schema, closed: false }, `${text}.${first}`, rest, 1);
    } else if (!use.quiet) reportMember(use, 0, `this pipeline has no input \`${first}\``, String(first), [...found.inputs.keys()], 'inputs');
    return ANYTHING;
  }
  const task = first === undefined ? undefined : findTask(site.scope, String(first));
  if (task === undefined) {
    if (first === undefined)
      reportAt(site, 'ORC-302', use.span, '`tasks` is not a value: it needs the id of one task, as plain text', {
        help: ["write tasks.fetch, or tasks['a-b'] for an id with a hyphen"],
      });
    else if (!use.quiet) reportMember(use, 0, `there is no task \`${first}\` here`, String(first), namesIn(site.scope).tasks, 'tasks in scope');
    return ANYTHING;
  }
  needTask(use, task);
  if (rest[0] === 'result') return checkFields(use, taskShape(site, task), `${text}.${first}.result`, rest.slice(1), 2);
  return checkFields(use, { schema: closedObject(Object.fromEntries(ABOUT.map(name => [name, true]))), closed: true }, `${text}.${first}`, rest, 1);
}

/** Follows the steps of a path through what is known of the value, and reports the first one that cannot be there. */
function checkFields(
  use: Use,
  shape: Shape,
  text: string,
  path: readonly Step[],
  offset: number,
  others: string[] = [],
  code: 'ORC-302' | 'ORC-207' = 'ORC-207',
): Shape {
  const missing = findMissing(shape, path);
  if (missing === undefined) return shapeAt(shape, path);
  if (use.quiet) return ANYTHING;
  const { index, known, kind } = missing;
  const step = String(path[index]);
  const what = [text, ...path.slice(0, index)].join('.');
  if (kind !== undefined)
    reportAt(use.site, 'ORC-207', use.stepSpan(offset + index), `\`${what}\` is ${kind} and has no \`${step}\``, { label: `there is no \`${step}\`` });
  else reportMember(use, offset + index, `\`${what}\` has no \`${step}\``, step, known, `\`${what}\` has`, code, index === 0 ? others : []);
  return ANYTHING;
}

function reportMember(
  use: Use,
  index: number,
  message: string,
  word: string,
  known: string[],
  what: string,
  code: 'ORC-302' | 'ORC-207' = 'ORC-302',
  others: string[] = [],
): void {
  const near = nearNames(use.site, word, known) ?? nearNames(use.site, word, others);
  const all = [...known, ...others];
  reportAt(use.site, code, use.stepSpan(index), message, {
    label: near === undefined ? 'not there' : `did you mean \`${near}\`?`,
    notes: [`${what}: ${all.length === 0 ? 'none' : capped(all)}`],
    ...(near === undefined ? {} : { help: [`did you mean \`${near}\`?`] }),
  });
}

function reportUnknown(site: Site, name: string, span: Span): void {
  if (LOOP_NAMES.has(name)) {
    const help =
      name === 'queue_size'
        ? 'only the body of a queue knows it'
        : 'only the body of a loop knows it: for_each binds item, index and the like; while and until bind iteration, index, previous and loop_state';
    return reportAt(site, 'ORC-309', span, `\`${name}\` is a variable of a loop, and this is not inside one that has it`, {
      label: 'no such loop around it',
      help: [help],
    });
  }
  const message = `\`${name}\` is not defined here`;
  if (site.compilation.suggestions <= 0) return reportAt(site, 'ORC-302', span, message, { label: 'nothing has this name' });
  const { inputs, tasks, others } = namesIn(site.scope);
  const near = nearNames(site, name, [...inputs, ...tasks, ...others]);
  const parts = [
    inputs.length > 0 ? `inputs (${capped(inputs)})` : '',
    tasks.length > 0 ? `tasks (${capped(tasks)})` : '',
    `and the names ${others.join(', ')}`,
  ];
  reportAt(site, 'ORC-302', span, message, {
    label: near === undefined ? 'nothing has this name' : `did you mean \`${near}\`?`,
    notes: [`in scope: ${parts.filter(part => part !== '').join(', ')}`],
    help: [helpFor(site, name, near)],
  });
}

function helpFor(site: Site, name: string, near: string | undefined): string {
  const absent = ABSENT.get(name);
  if (absent !== undefined) return absent;
  if (name === 'error') return '`error` is there in the handlers of `on_error`; for that of a task, name the task: {{ fetch.error }}';
  const hyphenated = namesIn(site.scope).tasks.find(id => id.startsWith(`${name}-`));
  if (hyphenated !== undefined) return `an id with a hyphen is written tasks['${hyphenated}']`;
  const owner = findOwner(site.unit.pipeline.tasks, name, undefined);
  if (owner?.kind === 'parallel') return `\`${name}\` is in the group \`${owner.id}\`: write ${owner.id}.${name}`;
  if (owner !== undefined) return `\`${name}\` runs inside the loop \`${owner.id}\`: its results are in ${owner.id}.items`;
  return near === undefined ? `where it may be missing, say so: {{ ${name} | default('') }}` : `did you mean \`${near}\`?`;
}

/** The loop or group around the task of this id, wherever it stands in the file. */
function findOwner(tasks: readonly Task[], id: string, owner: Task | undefined): Task | undefined {
  for (const task of tasks) {
    if (task.id === id && owner !== undefined) return owner;
    const inner = findOwner(task.tasks, id, task);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

/** The nearest of the names, as long as there is patience for such searches. */
export function nearNames(site: Pick<Site, 'compilation'>, word: string, known: Iterable<string>): string | undefined {
  if (site.compilation.suggestions <= 0) return undefined;
  site.compilation.suggestions--;
  return nearest(word, known, 1)[0];
}

export function capped(names: readonly string[], most = 12): string {
  return names.length <= most ? names.join(', ') : `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}
