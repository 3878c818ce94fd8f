import { isMap, isScalar, isSeq, type Pair, type YAMLMap, type YAMLSeq } from 'yaml';
import { hasAuto } from './auto.ts';
import { DerivedScalar, findPair, keyText, listItems, nodeSpan, scalarText, textMap, textOf, valueOf, type YamlNode } from './nodes.ts';
import { mappedSpan, shiftedMap } from './offsets.ts';
import { at, type Path, type Reporter } from './report.ts';
import {
  echoedText,
  ERROR_HANDLING_KEYS,
  ERROR_TYPES,
  HANDLER_SPELLINGS,
  INPUT_SPELLINGS,
  INPUT_TYPES,
  isProse,
  MATCH_SPELLINGS,
  nameAction,
  PIPELINE_SPELLINGS,
  QUEUE_SPELLINGS,
  RETRY_SPELLINGS,
  TASK_SPELLINGS,
} from './spellings.ts';
import { derived, ensureMap, hoist, insertPair, makeList, makeMap, removePair, renameKey, renameKeys, replaceValue, reportConflict } from './surgery.ts';

/** Rewrites the map of a pipeline, in place, to the canonical spelling. What is already canonical, or wrong, stays as it is. */
export function normalisePipeline(reporter: Reporter, map: YAMLMap, path: Path): void {
  renameKeys(reporter, map, PIPELINE_SPELLINGS, path);
  const config = findPair(map, 'config');
  if (config !== undefined && isMap(config.value) && findPair(config.value, 'default_timeout') !== undefined) {
    const defaults = ensureMap(map, 'defaults', nodeSpan(config.key as YamlNode), config);
    if (defaults !== undefined) hoist(reporter, map, config, { default_timeout: 'timeout' }, defaults, at(path, 'defaults'));
  }
  const defaults = findPair(map, 'defaults');
  if (defaults !== undefined && isMap(defaults.value)) normaliseRetry(reporter, defaults.value, at(path, 'defaults'));
  normaliseInputs(reporter, map, at(path, 'inputs'));
  normaliseHandlers(reporter, map, at(path, 'on_error'));
  normaliseList(reporter, map, 'tasks', path);
}

/** The tasks under a key; a task alone becomes a list of one. */
function normaliseList(reporter: Reporter, map: YAMLMap, key: string, path: Path): void {
  const list = findPair(map, key)?.value;
  if (!isSeq(list)) return;
  const place = at(path, key);
  listItems(list).forEach((item, i) => {
    if (isMap(item)) normaliseTask(reporter, item, at(place, i));
  });
}

function normaliseTask(reporter: Reporter, map: YAMLMap, path: Path): void {
  renameKeys(reporter, map, TASK_SPELLINGS, path);
  const handling = findPair(map, 'error_handling');
  if (handling !== undefined) hoist(reporter, map, handling, Object.fromEntries(ERROR_HANDLING_KEYS.map(key => [key, key])), map, path);
  normaliseRetryOfTask(reporter, map, path);
  normaliseFailure(reporter, map, path);
  normaliseHandlers(reporter, map, at(path, 'on_error'));
  normaliseDependencies(reporter, map);
  normaliseQueue(reporter, map, path);
  if (['for_each', 'while', 'until'].some(key => findPair(map, key) !== undefined)) wrapOneTask(reporter, map, path);
  normaliseAction(reporter, map, path);
  normaliseList(reporter, map, 'tasks', path);
  normaliseList(reporter, map, 'parallel', path);
}

/** `task: {…}` of a loop is a body of one. */
function wrapOneTask(reporter: Reporter, map: YAMLMap, path: Path): void {
  const pair = findPair(map, 'task');
  if (pair === undefined) return;
  renameKey(reporter, map, pair, 'tasks', path);
  wrapInList(pair);
}

function wrapInList(pair: Pair): void {
  const value = valueOf(pair);
  if (isMap(value)) pair.value = makeList(nodeSpan(value), [value]);
}

/** `create_parallel_queue: {on, task}`, which may stand among the parameters of an action of that name. */
function normaliseQueue(reporter: Reporter, map: YAMLMap, path: Path): void {
  const action = findPair(map, 'action');
  if (action !== undefined && textOf(map, 'action') === 'create_parallel_queue') {
    const parameters = findPair(map, 'parameters');
    if (findPair(map, 'create_parallel_queue') === undefined && parameters !== undefined && isMap(parameters.value)) {
      const inner = findPair(parameters.value, 'create_parallel_queue');
      if (inner === undefined) renameKey(reporter, map, parameters, 'create_parallel_queue', path);
      else hoist(reporter, map, parameters, { create_parallel_queue: 'create_parallel_queue' }, map, path);
    }
    if (findPair(map, 'create_parallel_queue') !== undefined) removePair(map, action);
  }
  const queue = findPair(map, 'create_parallel_queue');
  if (queue === undefined || !isMap(queue.value)) return;
  const place = at(path, 'create_parallel_queue');
  renameKeys(reporter, queue.value, QUEUE_SPELLINGS, place);
  const tasks = findPair(queue.value, 'tasks');
  if (tasks !== undefined) wrapInList(tasks);
  normaliseList(reporter, queue.value, 'tasks', place);
}

function normaliseRetryOfTask(reporter: Reporter, map: YAMLMap, path: Path): void {
  const maxRetries = findPair(map, 'max_retries');
  if (maxRetries !== undefined) {
    const span = nodeSpan(maxRetries.key as YamlNode);
    const retry = ensureMap(map, 'retry', span, maxRetries);
    const other = retry === undefined ? findPair(map, 'retry') : (findPair(retry, 'max_attempts') ?? findPair(retry, 'max_retries'));
    if (other !== undefined) reportConflict(reporter, maxRetries, other, path);
    else retry!.items.push(maxRetries);
    map.items.splice(map.items.indexOf(maxRetries), 1);
  }
  normaliseRetry(reporter, map, path);
}

/** `retry: 3` counts attempts. */
function normaliseRetry(reporter: Reporter, map: YAMLMap, path: Path): void {
  const pair = findPair(map, 'retry');
  if (pair === undefined) return;
  const value = valueOf(pair);
  if (isMap(value)) renameKeys(reporter, value, RETRY_SPELLINGS, at(path, 'retry'));
  else if (isScalar(value) && typeof value.value === 'number') {
    const retry = makeMap(nodeSpan(value));
    insertPair(retry, 'max_attempts', value, nodeSpan(value));
    pair.value = retry;
  }
}

/** `continue_on_error`, and `on_error` with the name of a policy, are `on_failure`. */
function normaliseFailure(reporter: Reporter, map: YAMLMap, path: Path): void {
  const flag = findPair(map, 'continue_on_error');
  if (flag !== undefined && isScalar(flag.value) && typeof flag.value.value === 'boolean') {
    const value = derived(flag.value.value ? 'continue' : 'fail', nodeSpan(flag.value));
    replaceValue(flag, value);
    renameKey(reporter, map, flag, 'on_failure', path);
  }
  const policy = textOf(map, 'on_error');
  if (policy === 'continue' || policy === 'skip' || policy === 'fail') renameKey(reporter, map, findPair(map, 'on_error')!, 'on_failure', path);
}

/** `on_error` as a text, one handler or a list of them becomes the list. */
function normaliseHandlers(reporter: Reporter, map: YAMLMap, path: Path): void {
  const pair = findPair(map, 'on_error');
  if (pair === undefined) return;
  const value = valueOf(pair);
  if (isMap(value) || (isScalar(value) && typeof value.value === 'string')) replaceValue(pair, makeList(nodeSpan(value), [value]));
  if (!isSeq(pair.value)) return;
  const list: YAMLSeq = pair.value;
  list.items = listItems(list).map((item, i) => normaliseHandler(reporter, item, at(path, i)));
}

function normaliseHandler(reporter: Reporter, node: YamlNode, path: Path): YamlNode {
  if (isScalar(node) && typeof node.value === 'string') {
    const handler = makeMap(nodeSpan(node));
    insertPair(handler, isProse(scalarText(node)) ? 'action' : 'task', node, nodeSpan(node));
    normaliseAction(reporter, handler, path);
    return handler;
  }
  if (!isMap(node)) return node;
  renameKeys(reporter, node, HANDLER_SPELLINGS, path);
  for (const pair of node.items.slice()) {
    const key = keyText(pair);
    if (key === undefined || !Object.hasOwn(MATCH_SPELLINGS, key)) continue;
    const match = ensureMap(node, 'match', nodeSpan(pair.key as YamlNode), pair);
    if (match === undefined) continue;
    node.items.splice(node.items.indexOf(pair), 1);
    match.items.push(pair);
  }
  const match = findPair(node, 'match');
  if (match !== undefined && isMap(match.value)) normaliseMatch(reporter, node, match, at(path, 'match'));
  normaliseAction(reporter, node, path);
  return node;
}

function normaliseMatch(reporter: Reporter, handler: YAMLMap, pair: Pair, path: Path): void {
  const match = pair.value as YAMLMap;
  renameKeys(reporter, match, MATCH_SPELLINGS, path);
  const classes = findPair(match, 'classes');
  if (classes !== undefined) {
    const value = valueOf(classes);
    const names = isSeq(value) ? listItems(value) : [value];
    if (names.some(name => isScalar(name) && name.value === '*')) match.items.splice(match.items.indexOf(classes), 1);
    for (const name of names) {
      if (isScalar(name) && Object.hasOwn(ERROR_TYPES, String(name.value))) name.value = ERROR_TYPES[String(name.value)]!;
    }
  }
  if (match.items.length === 0) removePair(handler, pair);
}

/** `depends_on: "a, b"` is a list; each name keeps its place in the file. */
function normaliseDependencies(reporter: Reporter, map: YAMLMap): void {
  const pair = findPair(map, 'dependencies');
  const value = pair?.value;
  if (pair === undefined || !isScalar(value) || typeof value.value !== 'string' || hasAuto(scalarText(value))) return;
  const whole = textMap(reporter.source, value);
  const names = Array.from(scalarText(value).matchAll(/[^,\s](?:[^,]*[^,\s])?/g), ({ 0: name, index }) => {
    return new DerivedScalar(name, mappedSpan(whole, index, index + name.length), shiftedMap(whole, index));
  });
  const list = makeList(nodeSpan(value), names);
  list.flow = true;
  replaceValue(pair, list);
}

/** `tool` and `action`, aliases and `echo "text"` become one canonical action. A sentence beside a tool stays: its reader keeps it as prose. */
function normaliseAction(reporter: Reporter, map: YAMLMap, path: Path): void {
  const [tool, action] = [findPair(map, 'tool'), findPair(map, 'action')];
  const [toolName, actionName] = [textOf(map, 'tool'), textOf(map, 'action')];
  if ((tool !== undefined && toolName === undefined) || (action !== undefined && actionName === undefined)) return;
  if (tool === undefined && actionName === undefined) return;
  if (hasAuto(`${toolName ?? ''}${actionName ?? ''}`)) return;
  if (tool === undefined && normaliseEcho(reporter, map, action!)) return;
  const parameters = findPair(map, 'parameters')?.value;
  const operation = isMap(parameters) ? textOf(parameters, 'action') : undefined;
  const { name, prose, fromParameter, parameters: fixed = {} } = nameAction(toolName, actionName, operation, modelOf(map));
  if (prose !== undefined) return;
  if (fromParameter === true) removePair(parameters as YAMLMap, findPair(parameters as YAMLMap, 'action')!);
  const [kept, dropped] = action === undefined ? [tool!] : [action, tool];
  if (dropped !== undefined) removePair(map, dropped);
  if (kept === tool) renameKey(reporter, map, kept, 'action', path);
  const value = valueOf(kept);
  for (const [key, text] of Object.entries(fixed)) fixParameter(map, kept, key, text);
  if (name === scalarText(value as DerivedScalar)) return;
  reporter.spelling(nodeSpan(value), name, at(path, 'action'));
  replaceValue(kept, derived(name, nodeSpan(value)));
}

/** Writes a parameter that the operation of a tool stands for, unless its author did. */
function fixParameter(map: YAMLMap, operation: Pair, key: string, text: string): void {
  const span = nodeSpan(valueOf(operation));
  const parameters = ensureMap(map, 'parameters', span, operation);
  if (parameters !== undefined && findPair(parameters, key) === undefined) insertPair(parameters, key, derived(text, span), span);
}

function modelOf(map: YAMLMap): boolean {
  return findPair(map, 'model') !== undefined && textOf(map, 'model') !== 'none';
}

/** `action: echo "text"`; true where it was one. */
function normaliseEcho(reporter: Reporter, map: YAMLMap, action: Pair): boolean {
  const node = valueOf(action);
  if (!isScalar(node)) return false;
  const text = scalarText(node);
  const echoed = echoedText(text);
  if (echoed === undefined) return false;
  const whole = textMap(reporter.source, node);
  const span = mappedSpan(whole, echoed.start, echoed.end);
  const parameters = ensureMap(map, 'parameters', span, action);
  if (parameters !== undefined && findPair(parameters, 'text') === undefined) {
    insertPair(parameters, 'text', new DerivedScalar(text.slice(echoed.start, echoed.end), span, shiftedMap(whole, echoed.start)), span);
  }
  replaceValue(action, derived('echo', nodeSpan(node)));
  return true;
}

/** The list form `- name: topic` becomes the map; types and limits get their canonical names. */
function normaliseInputs(reporter: Reporter, map: YAMLMap, path: Path): void {
  const pair = findPair(map, 'inputs');
  if (pair === undefined) return;
  if (isSeq(pair.value)) inputsFromList(pair, pair.value);
  if (!isMap(pair.value)) return;
  for (const input of pair.value.items) {
    const spec = input.value;
    if (!isMap(spec)) continue;
    renameKeys(reporter, spec, INPUT_SPELLINGS, at(path, keyText(input) ?? '?'));
    const type = findPair(spec, 'type')?.value;
    if (isScalar(type) && Object.hasOwn(INPUT_TYPES, String(type.value))) type.value = INPUT_TYPES[String(type.value)]!;
  }
}

/** Leaves the list as it is where an item has no name; its reader says so. */
function inputsFromList(pair: Pair, list: YAMLSeq): void {
  const inputs = makeMap(nodeSpan(list));
  for (const item of listItems(list)) {
    const name = isMap(item) ? findPair(item, 'name')?.value : item;
    if (!isScalar(name) || typeof name.value !== 'string') return;
    if (findPair(inputs, scalarText(name)) !== undefined) return;
    const spec = isMap(item) ? item : makeMap(nodeSpan(item));
    insertPair(inputs, scalarText(name), spec, nodeSpan(name));
  }
  for (const { value } of inputs.items) {
    const name = findPair(value as YAMLMap, 'name');
    if (name !== undefined) (value as YAMLMap).items.splice((value as YAMLMap).items.indexOf(name), 1);
  }
  replaceValue(pair, inputs);
}
