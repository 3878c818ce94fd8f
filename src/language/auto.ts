import type { Code } from '../codes.ts';
import type { Json, JsonSchema } from '../json.ts';
import { mappedSpan } from './offsets.ts';
import type { AutoTag, OffsetMap, Value } from './pipeline.ts';
import { suggest, type Path, type Reporter } from './report.ts';

export const AUTO_TYPES = ['string', 'integer', 'number', 'boolean', 'list', 'choice', 'json'] as const;
export const AUTO_ATTRIBUTES = ['type', 'min', 'max', 'choices', 'pattern', 'items', 'default', 'model', 'cache'] as const;

const ITEM_TYPES = ['string', 'integer', 'number', 'boolean', 'object', 'array'];

/** An AUTO tag in a decoded text: offsets of all its parts. */
export interface RawTag {
  kind: 'tag';
  start: number;
  end: number;
  attributes: RawAttribute[];
  questionStart: number;
  questionEnd: number;
}

interface RawAttribute {
  name: string;
  value: string;
  start: number;
  end: number;
}

export interface TextPiece {
  kind: 'text';
  start: number;
  end: number;
}

export interface AutoProblem {
  code: Code;
  message: string;
  start: number;
  end: number;
  label?: string;
  help: string[];
}

/** Whether a text holds an AUTO tag, or a piece of one. */
export function hasAuto(text: string): boolean {
  return /<AUTO[\s>/]|<\/AUTO>|<AUTO$/.test(text);
}

/** Cuts a text into what stands between AUTO tags and the outermost tags; those within a tag are part of its question. */
export function splitAuto(text: string): { pieces: (TextPiece | RawTag)[]; problems: AutoProblem[] } {
  const pieces: (TextPiece | RawTag)[] = [];
  const problems: AutoProblem[] = [];
  const open: number[] = [];
  let done = 0;
  for (const { 0: token, index } of text.matchAll(/<AUTO(?=[\s>/]|$)|<\/AUTO>/g)) {
    if (token === '<AUTO') open.push(index);
    else if (open.length === 0) {
      problems.push({
        code: 'ORC-316',
        message: 'this </AUTO> closes a tag that was never opened',
        start: index,
        end: index + token.length,
        help: ['remove it, or open the tag before it: <AUTO>…</AUTO>'],
      });
    } else {
      const start = open.pop()!;
      if (open.length > 0) continue;
      if (start > done) pieces.push({ kind: 'text', start: done, end: start });
      pieces.push(readTag(text, start, index, problems));
      done = index + token.length;
    }
  }
  if (open.length > 0) problems.push(unclosed(text, open[0]!));
  if (done < text.length) pieces.push({ kind: 'text', start: done, end: text.length });
  return { pieces, problems };
}

function unclosed(text: string, start: number): AutoProblem {
  const bracket = text.indexOf('>', start);
  return {
    code: 'ORC-301',
    message: 'this <AUTO> tag is never closed',
    start,
    end: bracket < 0 ? Math.min(text.length, start + 5) : bracket + 1,
    label: 'opened here',
    help: ['close the tag on the same value: <AUTO>…</AUTO>'],
  };
}

/** Reads the opening tag at `start`; its question ends at `close`. */
function readTag(text: string, start: number, close: number, problems: AutoProblem[]): RawTag {
  const attributes: RawAttribute[] = [];
  const attribute = /\s+([A-Za-z_][\w-]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+)))?/y;
  let at = start + 5;
  for (;;) {
    attribute.lastIndex = at;
    const found = attribute.exec(text);
    if (found === null || attribute.lastIndex > close) break;
    const nameStart = at + found[0].length - found[0].trimStart().length;
    at = attribute.lastIndex;
    const value = found[2] ?? found[3] ?? found[4];
    if (value === undefined) {
      problems.push({ code: 'ORC-303', message: `the attribute \`${found[1]}\` has no value`, start: nameStart, end: at, help: [`write: ${found[1]}="…"`] });
    } else attributes.push({ name: found[1]!, value, start: nameStart, end: at });
  }
  const bracket = text.indexOf('>', at);
  const questionStart = bracket < 0 || bracket >= close ? close : bracket + 1;
  const junk = text.slice(at, Math.max(at, questionStart - 1)).trim();
  if (junk !== '') {
    const junkStart = text.indexOf(junk, at);
    problems.push({
      code: 'ORC-303',
      message: 'this is no attribute of an <AUTO> tag',
      start: junkStart,
      end: junkStart + junk.length,
      help: ['write attributes as name="value": <AUTO type="integer" min="1">…</AUTO>'],
    });
  }
  return { kind: 'tag', start, end: close + '</AUTO>'.length, attributes, questionStart, questionEnd: close };
}

/** Reports what `splitAuto` found, at its place in the file. */
export function reportAutoProblems(reporter: Reporter, problems: AutoProblem[], text: string, map: OffsetMap, path: Path): void {
  for (const { code, message, start, end, label, help } of problems) {
    const details = { path, help, ...(label === undefined ? {} : { label }) };
    if (code !== 'ORC-301') {
      reporter.error(code, mappedSpan(map, start, end), message, details);
      continue;
    }
    const last = text.trimEnd().length;
    const insertAt = map.toSource(last - 1) + 1;
    const place = { start: insertAt, end: insertAt };
    reporter.error(code, mappedSpan(map, start, end), message, {
      ...details,
      related: [{ message: 'expected </AUTO> before the end of this value', span: { start: insertAt, end: insertAt + 1 } }],
      fix: { title: 'insert "</AUTO>"', edits: [{ span: place, text: '</AUTO>' }] },
    });
  }
}

/** Makes the tag of the pipeline from a raw one; `question` has been read already. Attributes that cannot be are reported and left out. */
export function buildTag(reporter: Reporter, raw: RawTag, map: OffsetMap, question: Value, path: Path): AutoTag {
  const tag: AutoTag = {
    span: mappedSpan(map, raw.start, raw.end),
    question,
    type: undefined,
    min: undefined,
    max: undefined,
    choices: undefined,
    pattern: undefined,
    items: undefined,
    default: undefined,
    hasDefault: false,
    model: undefined,
    cache: true,
  };
  const seen = new Map<string, RawAttribute>();
  for (const attribute of raw.attributes) {
    const problem = seen.has(attribute.name) ? `the attribute \`${attribute.name}\` stands twice` : setAttribute(tag, attribute);
    seen.set(attribute.name, attribute);
    if (problem === undefined) continue;
    const known = (AUTO_ATTRIBUTES as readonly string[]).includes(attribute.name);
    const details = known ? {} : suggest(attribute.name, AUTO_ATTRIBUTES);
    reporter.error('ORC-303', mappedSpan(map, attribute.start, attribute.end), problem, { path, ...details });
  }
  const { default: given, choices } = Object.fromEntries(seen) as Partial<Record<string, RawAttribute>>;
  if (given !== undefined) {
    const problem = setDefault(tag, given.value);
    if (problem !== undefined) reporter.error('ORC-303', mappedSpan(map, given.start, given.end), problem, { path });
  }
  if (tag.type === 'choice' && choices === undefined) {
    reporter.error('ORC-303', tag.span, 'a tag of type "choice" needs `choices`', {
      path,
      help: ['write: <AUTO type="choice" choices="brief,academic">…</AUTO>'],
    });
  }
  if (tag.min !== undefined && tag.max !== undefined && tag.min > tag.max) {
    reporter.error('ORC-303', tag.span, `no answer lies between min ${tag.min} and max ${tag.max}`, { path, help: ['swap the two'] });
  }
  return tag;
}

/** Sets one attribute; answers what is wrong with it, if something is. The default waits until the type is known. */
function setAttribute(tag: AutoTag, { name, value }: RawAttribute): string | undefined {
  switch (name) {
    case 'type': {
      const type = AUTO_TYPES.find(known => known === value);
      if (type === undefined) return `\`${value}\` is not a type of answer; those are ${AUTO_TYPES.join(', ')}`;
      tag.type = type;
      return undefined;
    }
    case 'min':
    case 'max':
      if (value.trim() === '' || !Number.isFinite(Number(value))) return `\`${name}\` is a number, and "${value}" is not`;
      tag[name] = Number(value);
      return undefined;
    case 'choices':
      tag.choices = readChoices(value);
      return tag.choices.length === 0 ? '`choices` names nothing to choose from' : undefined;
    case 'items':
      tag.items = readItems(value);
      return tag.items === undefined ? `\`items\` is a type (${ITEM_TYPES.join(', ')}) or a JSON Schema, and "${value}" is neither` : undefined;
    case 'cache':
      if (value !== 'true' && value !== 'false') return `\`cache\` is "true" or "false", not "${value}"`;
      tag.cache = value === 'true';
      return undefined;
    case 'pattern':
    case 'model':
      if (value === '') return `\`${name}\` is empty`;
      tag[name] = value;
      return undefined;
    case 'default':
      return undefined;
    default:
      return `an <AUTO> tag has no attribute \`${name}\``;
  }
}

/** `a, b, c`, or a JSON list. */
function readChoices(value: string): string[] {
  const json = parseJson(value);
  const all = Array.isArray(json) ? json.map(choice => (typeof choice === 'string' ? choice : JSON.stringify(choice))) : value.split(',');
  return all.map(choice => choice.trim()).filter(choice => choice !== '');
}

function readItems(value: string): JsonSchema | undefined {
  if (ITEM_TYPES.includes(value)) return { type: value };
  const json = parseJson(value);
  return typeof json === 'object' && json !== null && !Array.isArray(json) ? json : undefined;
}

/** Undefined where the text is not JSON. */
function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

function setDefault(tag: AutoTag, text: string): string | undefined {
  const value = readDefault(tag, text);
  if (value === undefined) return `the default "${text}" is not of the type ${tag.type}`;
  if (tag.choices !== undefined && tag.type !== 'list' && !tag.choices.includes(String(value))) return `the default "${text}" is not one of the choices`;
  if (typeof value === 'number' && (value < (tag.min ?? -Infinity) || value > (tag.max ?? Infinity)))
    return `the default ${text} does not lie between min and max`;
  tag.default = value;
  tag.hasDefault = true;
  return undefined;
}

/** The default in the type of the answer; undefined where it cannot have that. */
function readDefault(tag: AutoTag, text: string): Json | undefined {
  const json = parseJson(text);
  switch (tag.type) {
    case 'integer':
      return Number.isSafeInteger(json) ? json : undefined;
    case 'number':
      return typeof json === 'number' ? json : undefined;
    case 'boolean':
      return typeof json === 'boolean' ? json : undefined;
    case 'json':
      return json;
    case 'list':
      return Array.isArray(json) ? json : text.split(',').map(item => item.trim());
    default:
      return text;
  }
}
