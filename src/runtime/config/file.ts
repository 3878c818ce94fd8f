import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, relative, resolve } from 'node:path';
import type { Document, Pair } from 'yaml';
import { OrchestratorError } from '../../errors.ts';
import { nearest } from '../../ids.ts';
import { isObject, setOwn, type Json, type JsonObject, type JsonSchema } from '../../json.ts';
import type { Diagnostic } from '../../language/diagnostic.ts';
import { makeSource, type Source, type Span } from '../../language/source.ts';
import { wordsFor } from '../../language/yaml-words.ts';
import { checkSchema, describeSchema, type SchemaProblem } from '../../schema.ts';
import { CONFIG_SCHEMA } from './schema.ts';

type Path = (string | number)[];

/** YAML is loaded only where there is a file to read: a process without a configuration starts sooner. */
const yaml = (): typeof import('yaml') => createRequire(import.meta.url)('yaml') as typeof import('yaml');

/** A configuration file as read: its value, and where in it things stand. */
export interface ConfigFile {
  path: string;
  folder: string;
  text: string;
  source: Source;
  value: JsonObject;
  /** Where the value at a path stands; of its key where `key` says so. The nearest thing above it where it is not there. */
  spanOf(path: Path, key?: boolean): Span;
  /** Is there a value at the path? */
  has(path: Path): boolean;
}

/** The configuration does not fit; the problems have positions. */
export class ConfigError extends OrchestratorError {
  readonly diagnostics: Diagnostic[];
  constructor(diagnostics: Diagnostic[]) {
    super('ORC-119', diagnostics.length === 1 ? diagnostics[0]!.message : `the configuration has ${diagnostics.length} problems`, { class: 'invalid_input' });
    this.diagnostics = diagnostics;
  }
}

/** Reads and checks one file. Throws ConfigError with every problem at once, ORC-517 where the file is not there. */
export function readConfigFile(path: string, cwd: string): ConfigFile {
  const text = readText(path, cwd);
  const source = makeSource(nameFor(path, cwd), text);
  const { parseDocument, visit } = yaml();
  const document = parseDocument(text, { logLevel: 'silent', prettyErrors: false, strict: true, uniqueKeys: true });
  const problem = (span: Span, message: string, more: Partial<Diagnostic> = {}): Diagnostic => ({
    code: 'ORC-119',
    severity: 'error',
    message,
    source,
    span,
    ...more,
  });
  const errors = [...document.errors, ...document.warnings].map(error => {
    const words = wordsFor(error) ?? { message: `this is not YAML that we can read: ${error.message}` };
    return problem(clip(source, error.pos), words.message, words.help === undefined ? {} : { help: words.help });
  });
  visit(document, {
    Alias: (_, node) => {
      const [start, end] = node.range ?? [0, 1, 1];
      errors.push(problem({ start, end }, 'aliases are not part of the configuration', { help: ['write the value out here'] }));
    },
  });
  if (errors.length > 0) throw new ConfigError(errors);
  const value = withoutEmpty((document.toJS() ?? {}) as Json);
  const spanOf = (where: Path, key = false): Span => spanIn(document, source, where, key);
  if (!isObject(value)) throw new ConfigError([problem(spanOf([]), 'a configuration is a map of keys, and this file holds something else')]);
  // A key may be unknown to a map and to its variant at once; it is told once.
  const wrongs = new Map(checkSchema(CONFIG_SCHEMA, value).map(wrong => [`${wrong.path.join('.')} ${wrong.keyword}`, wrong]));
  const found = [...wrongs.values()].map(wrong => describe(wrong, value, spanOf, problem));
  if (found.length > 0) throw new ConfigError(found);
  return { path, folder: dirname(path), text, source, value, spanOf, has: where => valueAt(value, where) !== undefined };
}

function readText(path: string, cwd: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    throw new OrchestratorError(
      'ORC-517',
      missing ? `there is no configuration file ${nameFor(path, cwd)}` : `the configuration file ${nameFor(path, cwd)} cannot be read`,
      { class: 'not_found', cause },
    );
  }
}

/** A path as its user would say it. */
export function nameFor(path: string, cwd: string): string {
  const short = relative(cwd, resolve(path));
  return short === '' || short.startsWith('..') ? path : short;
}

/** A key without a value says nothing: a commented-out section leaves one behind. */
function withoutEmpty(value: Json): Json {
  if (!isObject(value)) return value;
  const kept: JsonObject = {};
  for (const [key, member] of Object.entries(value)) if (member !== null) setOwn(kept, key, withoutEmpty(member));
  return kept;
}

function clip(source: Source, [start, end]: [number, number]): Span {
  const from = Math.min(start, source.text.length);
  return { start: from, end: Math.max(from, Math.min(end, source.text.length)) };
}

/** In the pattern of a time, and in no other. */
const TIME = '(ms|s|m|h|d|w)';

type Problem = (span: Span, message: string, more?: Partial<Diagnostic>) => Diagnostic;

function describe(wrong: SchemaProblem, value: Json, spanOf: ConfigFile['spanOf'], problem: Problem): Diagnostic {
  const place = wrong.path.map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`)).join('');
  if (wrong.keyword === 'additionalProperties') {
    const name = String(wrong.path.at(-1));
    const known = keysAt(CONFIG_SCHEMA, wrong.path.slice(0, -1));
    const near = nearest(name, known, 1)[0];
    return problem(spanOf(wrong.path, true), `the configuration has no key \`${place}\``, {
      path: place,
      ...(near === undefined ? {} : { label: `did you mean \`${near}\`?` }),
      help: [near === undefined ? `keys here: ${known.join(', ')}` : `did you mean \`${near}\`?`],
    });
  }
  const schema = schemaAt(CONFIG_SCHEMA, wrong.path);
  const here = valueAt(value, wrong.path);
  const keys = keysAt(CONFIG_SCHEMA, wrong.path);
  const isTime = JSON.stringify(schema ?? null).includes(TIME);
  const is = typeof here === 'string' ? `this is the string ${JSON.stringify(here)}` : here === null ? 'this is empty' : undefined;
  const isMap = wrong.keyword === 'type' && isObject(schema ?? null) && (schema as JsonObject)['type'] === 'object';
  const message = isTime ? 'must be a time such as 90, 90s, 2m, 1h30m or 30d' : isMap ? 'must be a map of keys' : wrong.message;
  return problem(spanOf(wrong.path), `\`${place}\` ${message}`, {
    path: place,
    ...(is === undefined ? {} : { label: is }),
    ...(wrong.keyword === 'type' || isTime || schema === undefined ? {} : { notes: [`${place}: ${describeSchema(schema)}`] }),
    ...(isMap && keys.length > 0 ? { help: [`keys here: ${keys.join(', ')}`] } : {}),
  });
}

function schemaAt(schema: JsonSchema, path: Path): JsonSchema | undefined {
  let here: Json | undefined = schema;
  for (const part of path) {
    if (!isObject(here)) return undefined;
    const properties: Json | undefined = here['properties'];
    here = typeof part === 'number' ? here['items'] : isObject(properties) && Object.hasOwn(properties, part) ? properties[part] : here['additionalProperties'];
  }
  return isObject(here) ? here : undefined;
}

function keysAt(schema: JsonSchema, path: Path): string[] {
  const here = schemaAt(schema, path);
  return isObject(here) && isObject(here['properties']) ? Object.keys(here['properties']) : [];
}

function valueAt(value: Json, path: Path): Json | undefined {
  let here: Json | undefined = value;
  for (const part of path) {
    if (Array.isArray(here) && typeof part === 'number') here = here[part];
    else if (isObject(here) && Object.hasOwn(here, part)) here = here[part];
    else return undefined;
  }
  return here;
}

function spanIn(document: Document.Parsed, source: Source, path: Path, key: boolean): Span {
  const { isMap, isScalar, isSeq } = yaml();
  let node: unknown = document.contents;
  let span: Span = { start: 0, end: Math.min(1, source.text.length) };
  for (const [i, part] of path.entries()) {
    if (isMap(node)) {
      const pair: Pair | undefined = node.items.find(item => isScalar(item.key) && item.key.value === part);
      if (pair === undefined) return span;
      const keySpan = rangeOf(pair.key) ?? span;
      const valueSpan = rangeOf(pair.value);
      span = (key && i === path.length - 1) || valueSpan === undefined || valueSpan.start === valueSpan.end || !isScalar(pair.value) ? keySpan : valueSpan;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(part)];
      span = rangeOf(node) ?? span;
    } else return span;
  }
  return span;
}

function rangeOf(node: unknown): Span | undefined {
  const range = (node as { range?: [number, number, number] } | null)?.range;
  return range === undefined || range === null ? undefined : { start: range[0], end: range[1] };
}
