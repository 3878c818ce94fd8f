import { isMap, isSeq } from 'yaml';
import { CODES } from '../codes.ts';
import { readAction } from './actions.ts';
import { Fields, type Word } from './fields.ts';
import { ERROR_CLASSES, HANDLER_KEYS, MATCH_KEYS, RETRY_KEYS } from './keys.ts';
import { listItems, nodeSpan } from './nodes.ts';
import type { Handler, Retry } from './pipeline.ts';
import { at, suggest, type Reporter } from './report.ts';
import type { Span } from './source.ts';
import { ERROR_TYPES, HANDLER_SPELLINGS, MATCH_SPELLINGS, RETRY_SPELLINGS } from './spellings.ts';
import { readMap, readValue } from './values.ts';

/** What `retry:` means where it does not say. */
const RETRY_DEFAULTS: Retry = { maxAttempts: 3, initialBackoffMs: 1000, backoffFactor: 2, maxBackoffMs: 60_000, jitter: true, on: [] };

export function readRetry(parent: Fields): Retry | undefined {
  const fields = parent.map('retry', 'a map such as { max_attempts: 3 }');
  if (fields === undefined) return undefined;
  fields.finish(RETRY_KEYS, '`retry`', Object.keys(RETRY_SPELLINGS));
  return {
    // Older systems write 0 where they mean that nothing is tried again.
    maxAttempts: Math.max(1, fields.integer('max_attempts', 0) ?? RETRY_DEFAULTS.maxAttempts),
    initialBackoffMs: fields.durationMs('initial_backoff') ?? RETRY_DEFAULTS.initialBackoffMs,
    backoffFactor: fields.number('backoff_factor', 1) ?? RETRY_DEFAULTS.backoffFactor,
    maxBackoffMs: fields.durationMs('max_backoff') ?? RETRY_DEFAULTS.maxBackoffMs,
    jitter: fields.boolean('jitter') ?? RETRY_DEFAULTS.jitter,
    on: readClasses(fields.reporter, fields.words('on', 'a list of classes of errors')),
  };
}

function readClasses(reporter: Reporter, words: Word[]): string[] {
  const classes: string[] = [];
  for (const { text, span, path } of words) {
    const name = Object.hasOwn(ERROR_TYPES, text) ? ERROR_TYPES[text]! : text;
    if ((ERROR_CLASSES as readonly string[]).includes(name)) classes.push(name);
    else {
      reporter.error('ORC-106', span, `\`${text}\` is not a class of errors`, { path, ...suggest(text, ERROR_CLASSES) });
    }
  }
  return classes;
}

export function readHandlers(parent: Fields): Handler[] {
  const node = parent.get('on_error')?.node;
  if (node === undefined) return [];
  if (!isSeq(node)) {
    parent.wrong('on_error', node, 'a list of handlers');
    return [];
  }
  const handlers: Handler[] = [];
  listItems(node).forEach((item, i) => {
    const path = at(parent.pathOf('on_error'), i);
    if (isMap(item)) {
      const handler = readHandler(new Fields(parent.reporter, item, path), nodeSpan(item));
      if (handler !== undefined) handlers.push(handler);
    } else
      parent.reporter.error('ORC-104', nodeSpan(item), 'a handler is a map, a task id or a sentence', {
        path,
        help: ['write: - { action: echo, parameters: { text: "it failed" } }'],
      });
  });
  // Handlers are tried by priority, and in the order of the file where it is equal.
  return handlers.sort((a, b) => a.priority - b.priority);
}

function readHandler(fields: Fields, span: Span): Handler | undefined {
  fields.finish(HANDLER_KEYS, 'a handler', [...Object.keys(HANDLER_SPELLINGS), ...Object.keys(MATCH_SPELLINGS)]);
  const fallback = fields.get('fallback_value');
  const run = readRun(fields, span);
  if (run === undefined) return undefined;
  return {
    span,
    run,
    fallback: fallback === undefined ? undefined : readValue(fields.reporter, fallback.node, fields.pathOf('fallback_value')),
    match: readMatch(fields),
    retry: fields.boolean('retry') ?? false,
    maxRetries: fields.integer('max_retries', 1) ?? 1,
    timeoutMs: fields.durationMs('timeout'),
    priority: fields.number('priority', Number.MIN_SAFE_INTEGER) ?? 0,
  };
}

function readRun(fields: Fields, span: Span): Handler['run'] | undefined {
  const [action, task] = [fields.get('action') ?? fields.get('tool'), fields.get('task')];
  if (action !== undefined && task !== undefined) {
    fields.reporter.error('ORC-111', task.keySpan, 'a handler runs an action or a task, not both', {
      path: fields.pathOf('task'),
      related: [{ message: 'the action is here', span: action.keySpan }],
      help: ['write two handlers'],
    });
    return undefined;
  }
  if (task !== undefined) {
    const id = fields.id('task');
    return id && { kind: 'task', id: id.text, span: id.span };
  }
  if (action !== undefined) {
    const named = readAction(fields, false);
    const parameters = fields.get('parameters');
    const empty = { kind: 'map' as const, entries: [], span: action.keySpan };
    return (
      named && {
        kind: 'action',
        action: named,
        parameters: parameters === undefined ? empty : readMap(fields.reporter, parameters.node, fields.pathOf('parameters')),
      }
    );
  }
  // A handler may do nothing but run the failed task again.
  if (fields.has('fallback_value') || fields.has('retry')) return { kind: 'value' };
  fields.reporter.error('ORC-102', span, 'this handler says nothing to do', { path: fields.path, help: ['add `action`, `task` or `fallback_value`'] });
  return undefined;
}

function readMatch(parent: Fields): Handler['match'] {
  const fields = parent.map('match', 'a map of codes, classes and patterns');
  if (fields === undefined) return { codes: [], classes: [], patterns: [] };
  fields.finish(MATCH_KEYS, '`match`', Object.keys(MATCH_SPELLINGS));
  const codes: string[] = [];
  for (const { text, span, path } of fields.words('codes', 'a list of codes')) {
    if (Object.hasOwn(CODES, text)) codes.push(text);
    else
      fields.reporter.error('ORC-106', span, `there is no error code \`${text}\``, { path, help: ['codes look like ORC-601; `match.patterns` matches texts'] });
  }
  return {
    codes,
    classes: readClasses(fields.reporter, fields.words('classes', 'a list of classes')),
    patterns: fields.words('patterns', 'a list of texts').map(word => word.text),
  };
}
