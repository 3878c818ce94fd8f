import { isAlias, isMap, isScalar, isSeq, type YAMLMap } from 'yaml';
import type { JsonObject } from '../json.ts';
import { badSchema } from '../schema.ts';
import { namesModel, readAction } from './actions.ts';
import { Fields, ID, ID_HELP, type Word } from './fields.ts';
import { readHandlers, readRetry } from './handlers.ts';
import {
  ACTION_ONLY_KEYS,
  CACHE_KEYS,
  FAILURE_POLICIES,
  FOR_EACH_NAMES,
  LOOP_ONLY_KEYS,
  ON_AMBIGUOUS,
  QUEUE_KEYS,
  TASK_KEYS,
  TASK_WORDS,
  WHILE_NAMES,
} from './keys.ts';
import { findPair, kindOf, listItems, nodeSpan, scalarText, textMap, type YamlNode } from './nodes.ts';
import type { Task, TaskKind } from './pipeline.ts';
import { at, type Path, type Reporter } from './report.ts';
import type { Span } from './source.ts';
import { ERROR_HANDLING_KEYS, QUEUE_SPELLINGS, TASK_SPELLINGS } from './spellings.ts';
import { readCount, readExpression, readJson, readLoopSource, readMap, readText, readValue } from './values.ts';

/** The names that a list of tasks may not take, each with what it is. */
export interface Scope {
  parent: Scope | undefined;
  names: ReadonlyMap<string, string>;
}

export interface TaskReader {
  reporter: Reporter;
  /** Tasks that the file may still have. */
  remaining: number;
}

const ACCEPTED_KEYS = [...Object.keys(TASK_SPELLINGS), ...ERROR_HANDLING_KEYS, 'tool', 'create_parallel_queue', 'error_handling', 'task'];
const KNOWN_KEYS = [...Object.keys(TASK_KEYS), 'tool', 'create_parallel_queue'];

/** The tasks of a list. One that cannot be read at all is left out, so that the others can still be looked at. */
export function readTasks(reader: TaskReader, owner: Fields, key: string, scope: Scope): Task[] {
  const { reporter } = reader;
  const entry = owner.get(key);
  if (entry === undefined) return [];
  const { node } = entry;
  const path = owner.pathOf(key);
  if (!isSeq(node)) {
    owner.wrong(key, node, 'a list of tasks', { help: ['write:\n    tasks:\n      - id: hello\n        action: echo\n        parameters: { text: hello }'] });
    return [];
  }
  if (node.items.length === 0) {
    reporter.error('ORC-112', entry.keySpan, `\`${owner.written(key)}\` has no tasks`, {
      path,
      help: ['add a task: - { id: hello, action: echo, parameters: { text: hello } }'],
    });
    return [];
  }
  const named = nameTasks(reader, listItems(node), path, scope);
  const inner: Scope = { parent: scope, names: new Map(named.map(({ id }) => [id.text, 'the task around it or beside that'])) };
  return named.map(({ map, id, generated, place }) => readTask(reader, new Fields(reporter, map, place), nodeSpan(map), id, generated, inner));
}

interface NamedTask {
  map: YAMLMap;
  id: Word;
  generated: boolean;
  place: Path;
}

/** Gives every task of a list its id; leaves out what is no task, and what has an id that is taken. */
function nameTasks(reader: TaskReader, items: YamlNode[], path: Path, scope: Scope): NamedTask[] {
  const { reporter } = reader;
  const taken = new Map<string, Span>();
  const named: NamedTask[] = [];
  for (const [i, item] of items.entries()) {
    const place = at(path, i);
    if (reader.remaining-- === 0) {
      reporter.error('ORC-605', nodeSpan(item), 'this pipeline has more tasks than are allowed', {
        path: place,
        help: ['move a part of it to a file of its own: action: pipeline.run', 'or raise `limits.tasks` in the configuration'],
      });
    }
    if (reader.remaining < 0) break;
    if (isAlias(item)) continue;
    if (!isMap(item)) {
      reporter.error('ORC-104', nodeSpan(item), `a task is a map of keys, and this is ${kindOf(item)}`, {
        path: place,
        help: ['write: - { id: hello, action: echo, parameters: { text: hello } }'],
      });
      continue;
    }
    const id = readId(reporter, item, place, scope);
    if (id === undefined) {
      named.push({ map: item, id: { text: '', span: firstKeySpan(item), path: place }, generated: true, place });
      continue;
    }
    const first = taken.get(id.text);
    if (first !== undefined) {
      reporter.error('ORC-108', id.span, `two tasks of this list are called \`${id.text}\``, {
        path: id.path,
        label: 'again here',
        related: [{ message: 'first here', span: first }],
        help: ['give one of them another id'],
      });
      continue;
    }
    taken.set(id.text, id.span);
    named.push({ map: item, id, generated: false, place });
  }
  let number = 1;
  for (const task of named) {
    if (!task.generated) continue;
    while (taken.has(`step_${number}`)) number++;
    task.id.text = `step_${number++}`;
    if (scope.parent === undefined && findPair(task.map, 'id') === undefined)
      reporter.error('ORC-102', task.id.span, 'this task has no `id`', { path: task.place, help: [`add: id: ${task.id.text}`] });
  }
  return named;
}

function readId(reporter: Reporter, map: YAMLMap, path: Path, scope: Scope): Word | undefined {
  if (findPair(map, 'id') === undefined) return undefined;
  const word = new Fields(reporter, map, path).word('id', 'a name');
  if (word === undefined) return undefined;
  if (!ID.test(word.text)) {
    reporter.error('ORC-107', word.span, `\`${word.text}\` cannot be an id, because expressions could not name it`, {
      path: word.path,
      help: [ID_HELP, ...suggestId(word.text)],
    });
    return word;
  }
  for (let here: Scope | undefined = scope; here !== undefined; here = here.parent) {
    const hidden = here.names.get(word.text);
    if (hidden === undefined) continue;
    reporter.error('ORC-109', word.span, `the id \`${word.text}\` hides ${hidden}`, { path: word.path, help: ['give the task another id'] });
    break;
  }
  return word;
}

function suggestId(text: string): string[] {
  const id = text.replace(/[^A-Za-z0-9_-]+/g, '_').replace(/^(?=[\d-])/, '_');
  return ID.test(id) ? [`for example: ${id}`] : [];
}

function firstKeySpan(map: YAMLMap): Span {
  const key = map.items[0]?.key as YamlNode | undefined;
  return key === undefined ? nodeSpan(map) : nodeSpan(key);
}

function readTask(reader: TaskReader, fields: Fields, span: Span, id: Word, idGenerated: boolean, scope: Scope): Task {
  const { reporter } = reader;
  fields.finish(KNOWN_KEYS, 'a task', ACCEPTED_KEYS, TASK_WORDS);
  const kind = readKind(fields, id);
  const model = fields.get('model');
  const task: Task = {
    span,
    id: id.text,
    idSpan: id.span,
    idGenerated,
    name: fields.text('name'),
    description: fields.text('description'),
    kind,
    action: undefined,
    parameters: { kind: 'map', entries: [], span: id.span },
    dependencies: readDependencies(fields),
    condition: expression(fields, 'condition'),
    forEach: undefined,
    while: undefined,
    until: undefined,
    maxIterations: undefined,
    maxParallel: undefined,
    loopName: undefined,
    queue: false,
    tasks: [],
    onFailure: readOnFailure(fields),
    onSuccess: readRoute(fields, 'on_success'),
    onFalse: readRoute(fields, 'on_false'),
    onError: readHandlers(fields),
    retry: readRetry(fields),
    timeoutMs: fields.durationMs('timeout'),
    model: model === undefined ? undefined : readValue(reporter, model.node, fields.pathOf('model')),
    cache: readCache(fields),
    onAmbiguous: fields.oneOf('on_ambiguous', ON_AMBIGUOUS),
    outputs: readOutputs(fields),
  };
  if (kind === 'action') readActionOf(fields, task);
  else if (kind === 'parallel') task.tasks = readTasks(reader, fields, 'parallel', scope);
  else readLoop(reader, fields, task, scope);
  return task;
}

function expression(fields: Fields, name: string): Task['condition'] {
  const node = fields.get(name)?.node;
  return node && readExpression(fields.reporter, node, fields.pathOf(name), `\`${name}\``);
}

/** What the task is; two answers are a conflict, and the first one counts. */
function readKind(fields: Fields, id: Word): TaskKind {
  const found: [TaskKind, string][] = [];
  if (fields.has('for_each')) found.push(['for_each', 'for_each']);
  if (fields.has('create_parallel_queue')) found.push(['for_each', 'create_parallel_queue']);
  if (fields.has('while') || fields.has('until')) found.push(['while', fields.has('while') ? 'while' : 'until']);
  if (fields.has('parallel')) found.push(['parallel', 'parallel']);
  const [first, second] = found;
  if (first === undefined) return 'action';
  const key = fields.get(first[1])!;
  if (second !== undefined) {
    conflict(
      fields,
      second[1],
      `a task is one loop or one group, and \`${id.text}\` has both \`${first[1]}\` and \`${second[1]}\``,
      key.keySpan,
      first[1],
      'put the one into the other: a task among `tasks`',
    );
  }
  for (const name of ACTION_ONLY_KEYS) {
    if (fields.has(name))
      conflict(
        fields,
        name,
        `\`${name}\` is for a task that calls an action, and \`${id.text}\` is a \`${first[1]}\``,
        key.keySpan,
        first[1],
        'put the action into the list of tasks below',
      );
  }
  return first[0];
}

function conflict(fields: Fields, name: string, message: string, otherSpan: Span, other: string, help: string): void {
  fields.reporter.error('ORC-111', fields.get(name)!.keySpan, message, {
    path: fields.pathOf(name),
    related: [{ message: `\`${other}\` is here`, span: otherSpan }],
    help: [help],
  });
}

function readActionOf(fields: Fields, task: Task): void {
  const { reporter } = fields;
  const entry = fields.get('parameters');
  if (entry !== undefined && isMap(entry.node)) task.parameters = readMap(reporter, entry.node, fields.pathOf('parameters'));
  else if (entry !== undefined && !(isScalar(entry.node) && entry.node.value === null)) fields.wrong('parameters', entry.node, 'a map');
  for (const name of LOOP_ONLY_KEYS) {
    if (!fields.has(name)) continue;
    const loop = fields.has('action') || fields.has('tool') ? 'and this one calls an action' : 'and this one has none of `for_each`, `while`, `until`';
    reporter.error('ORC-111', fields.get(name)!.keySpan, `\`${name}\` belongs to a loop, ${loop}`, {
      path: fields.pathOf(name),
      help: ['add `for_each`, `while` or `until`; tasks side by side stand under `parallel`'],
    });
  }
  if (!fields.has('action') && !fields.has('tool')) {
    if (fields.has('tasks')) return;
    reporter.error('ORC-102', task.idSpan, `task \`${task.id}\` is missing \`action\``, {
      path: fields.path,
      label: 'needs `action`',
      help: ['add what it does, such as: action: echo', 'list actions: orchestrator actions'],
    });
    return;
  }
  task.action = readAction(fields, namesModel(fields));
  if (task.action?.name === 'generate_text' && task.action.prose !== undefined && !fields.has('tool')) addPrompt(fields, task);
}

/** A sentence beside a model is the prompt. */
function addPrompt(fields: Fields, task: Task): void {
  if (task.parameters.entries.some(({ key }) => key === 'prompt')) return;
  const { node, keySpan } = fields.get('action')!;
  if (!isScalar(node)) return;
  const value = readText(fields.reporter, scalarText(node), textMap(fields.reporter.source, node), nodeSpan(node), fields.pathOf('action'));
  task.parameters.entries.push({ key: 'prompt', keySpan, value });
}

function readLoop(reader: TaskReader, fields: Fields, task: Task, scope: Scope): void {
  const { reporter } = reader;
  const queue = fields.has('for_each') ? undefined : fields.map('create_parallel_queue', 'a map with `on` and `tasks`');
  queue?.finish(QUEUE_KEYS, '`create_parallel_queue`', Object.keys(QUEUE_SPELLINGS));
  task.queue = fields.has('create_parallel_queue');
  const loopName = fields.word('loop_name');
  if (loopName !== undefined && !ID.test(loopName.text))
    reporter.error('ORC-107', loopName.span, `\`${loopName.text}\` cannot be the name of a loop`, { path: loopName.path, help: [ID_HELP] });
  task.loopName = loopName?.text;
  const source = queue?.get('on') ?? fields.get('for_each');
  if (task.kind === 'for_each') {
    if (source === undefined) missing(fields, task, '`on`', 'add the list: on: "{{ … }}"');
    else task.forEach = readLoopSource(reporter, source.node, queue === undefined ? fields.pathOf('for_each') : queue.pathOf('on'));
  }
  task.while = expression(fields, 'while');
  task.until = expression(fields, 'until');
  task.maxIterations = count(fields, 'max_iterations');
  task.maxParallel = queue === undefined ? count(fields, 'max_parallel') : count(queue, 'max_parallel');
  idle(fields, task.kind === 'for_each' ? 'max_iterations' : 'max_parallel', task.kind);
  const names = [...(task.kind === 'for_each' ? FOR_EACH_NAMES : WHILE_NAMES), ...(task.queue ? ['queue_size'] : [])];
  const bound = new Map(names.map(name => [name, 'a variable of the loop around it']));
  if (task.loopName !== undefined) bound.set(task.loopName, 'the name of the loop around it');
  const owner = queue ?? fields;
  if (owner.has('tasks')) task.tasks = readTasks(reader, owner, 'tasks', { parent: scope, names: bound });
  else if (!fields.has('action') && !fields.has('tool'))
    missing(fields, task, '`tasks`', 'add its body:\n    tasks:\n      - { id: show, action: echo, parameters: { text: "{{ index }}" } }');
}

function missing(fields: Fields, task: Task, what: string, help: string): void {
  fields.reporter.error('ORC-102', task.idSpan, `loop \`${task.id}\` is missing ${what}`, { path: fields.path, label: `needs ${what}`, help: [help] });
}

function count(fields: Fields, name: string): Task['maxParallel'] {
  const node = fields.get(name)?.node;
  return node && readCount(fields.reporter, node, fields.pathOf(name), name);
}

function idle(fields: Fields, name: string, kind: TaskKind): void {
  const entry = fields.get(name);
  if (entry === undefined) return;
  const loop = kind === 'for_each' ? 'a for_each, which ends with its list' : 'a while or until, which runs one iteration after the other';
  fields.reporter.warn('ORC-111', entry.keySpan, `\`${name}\` means nothing to ${loop}`, { path: fields.pathOf(name), help: ['remove it'] });
}

function readDependencies(fields: Fields): Task['dependencies'] {
  const seen = new Set<string>();
  const dependencies: Task['dependencies'] = [];
  for (const { text, span, path } of fields.words('dependencies', 'a list of task ids')) {
    if (!ID.test(text)) fields.reporter.error('ORC-107', span, `\`${text}\` cannot be the id of a task`, { path, help: [ID_HELP] });
    else if (!seen.has(text)) dependencies.push({ id: text, span });
    seen.add(text);
  }
  return dependencies;
}

function readOnFailure(fields: Fields): Task['onFailure'] {
  const word = fields.id('on_failure');
  if (word === undefined) return { policy: 'fail' };
  const policy = FAILURE_POLICIES.find(known => known === word.text);
  return policy === undefined ? { policy: 'route', target: word.text, span: word.span } : { policy, span: word.span };
}

function readRoute(fields: Fields, name: string): Task['onSuccess'] {
  const word = fields.id(name);
  return word && { target: word.text, span: word.span };
}

function readCache(fields: Fields): Task['cache'] {
  const node = fields.get('cache')?.node;
  if (node === undefined) return undefined;
  if (isScalar(node) && typeof node.value === 'boolean') return node.value && { key: undefined, ttlMs: undefined };
  const cache = fields.map('cache', 'true, false, or a map of key and ttl');
  if (cache === undefined) return undefined;
  cache.finish(CACHE_KEYS, '`cache`');
  const key = cache.get('key');
  return { key: key && readValue(fields.reporter, key.node, cache.pathOf('key')), ttlMs: cache.durationMs('ttl') };
}

const SCHEMA_TYPES = ['string', 'integer', 'number', 'boolean', 'array', 'object', 'null'];

/** Declared fields of a result: schemas, names of types, or just names. */
function readOutputs(fields: Fields): JsonObject | undefined {
  const node = fields.get('outputs')?.node;
  if (node === undefined) return undefined;
  if (isSeq(node)) return Object.fromEntries(fields.words('outputs', 'a list of the names of fields').map(({ text }) => [text, {}]));
  const map = fields.map('outputs', 'a map of fields to JSON Schemas');
  if (map === undefined) return undefined;
  const outputs: JsonObject = Object.create(null) as JsonObject;
  for (const { key, node: member } of map.entries.values()) {
    const schema = readJson(member);
    if (isMap(member) || typeof schema === 'boolean') {
      const problem = badSchema(schema)[0];
      if (problem !== undefined)
        fields.reporter.error('ORC-114', nodeSpan(member), `the schema of the output \`${key}\` ${[...problem.path, ''].join('.')} ${problem.message}`, {
          path: map.pathOf(key),
        });
      else outputs[key] = schema;
    } else if (SCHEMA_TYPES.includes(String(schema))) outputs[key] = { type: schema };
    else if (schema === null) outputs[key] = {};
    else
      fields.reporter.error('ORC-114', nodeSpan(member), `the output \`${key}\` is a JSON Schema or the name of a type, and this is ${kindOf(member)}`, {
        path: map.pathOf(key),
        help: [`write: ${key}: { type: string }`, `types: ${SCHEMA_TYPES.join(', ')}`],
      });
  }
  return { ...outputs };
}
