import { isAlias, isMap, isScalar, isSeq, type YAMLMap } from 'yaml';
import { parseDuration } from '../duration.ts';
import { nearest } from '../ids.ts';
import { hasAuto } from './auto.ts';
import { entriesOf, isPlain, kindOf, listItems, nodeSpan, scalarText, type Entry, type YamlNode } from './nodes.ts';
import { at, suggest, type Details, type Path, type Reporter } from './report.ts';
import type { Span } from './source.ts';

/** What an id and the name of an input look like. */
export const ID = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/** A text of the file and where it stands. */
export interface Word {
  text: string;
  span: Span;
  path: Path;
}

/** Reads the members of one map by name, each in the type that its key wants, and reports what is not so. */
export class Fields {
  readonly reporter: Reporter;
  readonly path: Path;
  readonly entries: Map<string, Entry>;

  constructor(reporter: Reporter, map: YAMLMap, path: Path) {
    this.reporter = reporter;
    this.path = path;
    this.entries = entriesOf(map);
  }

  has(name: string): boolean {
    return this.entries.has(name);
  }

  get(name: string): Entry | undefined {
    return this.entries.get(name);
  }

  pathOf(name: string): Path {
    return at(this.path, name);
  }

  /** The key as the file spells it. */
  written(name: string): string {
    const span = this.entries.get(name)?.keySpan;
    const text = span === undefined ? '' : this.reporter.source.text.slice(span.start, span.end);
    return /^\w+$/.test(text) ? text : name;
  }

  /** Reports a member that is not what its key wants. */
  wrong(name: string, node: YamlNode, wanted: string, details: Details = {}): undefined {
    // An alias has been reported for what it is.
    if (isAlias(node)) return;
    this.reporter.error('ORC-104', nodeSpan(node), `\`${this.written(name)}\` is ${wanted}, and this is ${kindOf(node)}`, {
      path: this.pathOf(name),
      ...details,
    });
    return undefined;
  }

  /** A text that is never a template: numbers and the like count as they are written. */
  text(name: string): string | undefined {
    return this.word(name, 'a text', false)?.text;
  }

  /** A text that is a name, in which no model may have a say. */
  word(name: string, wanted = 'a name', fixed = true): Word | undefined {
    const node = this.entries.get(name)?.node;
    if (node === undefined) return undefined;
    if (!isScalar(node) || node.value === null) return this.wrong(name, node, wanted);
    const text = scalarText(node);
    if (fixed && this.refuseAuto(name, node, text)) return undefined;
    return { text, span: nodeSpan(node), path: this.pathOf(name) };
  }

  /** Reports an AUTO tag where a model may not decide. */
  refuseAuto(name: string, node: YamlNode, text: string, path: Path = this.pathOf(name)): boolean {
    if (!hasAuto(text)) return false;
    this.reporter.error('ORC-304', nodeSpan(node), `an <AUTO> tag cannot stand in \`${name}\`: the plan is made before a model is asked`, {
      path,
      help: ['write the value out'],
    });
    return true;
  }

  /** An id that names something else. */
  id(name: string): Word | undefined {
    const word = this.word(name, 'the id of a task');
    if (word === undefined || ID.test(word.text)) return word;
    this.reporter.error('ORC-107', word.span, `\`${word.text}\` cannot be an id`, { path: word.path, help: [ID_HELP] });
    return undefined;
  }

  oneOf<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const word = this.word(name, choices.join(', '));
    if (word === undefined) return undefined;
    const choice = choices.find(candidate => candidate === word.text);
    if (choice !== undefined) return choice;
    this.reporter.error('ORC-106', word.span, `\`${word.text}\` is not something that \`${name}\` can be`, { path: word.path, ...suggest(word.text, choices) });
    return undefined;
  }

  number(name: string, minimum: number): number | undefined {
    const node = this.entries.get(name)?.node;
    if (node === undefined) return undefined;
    if (isScalar(node) && typeof node.value === 'number' && node.value >= minimum) return node.value;
    return this.wrong(name, node, `a number from ${minimum} up`, unquoteFix(name, node));
  }

  integer(name: string, minimum: number): number | undefined {
    const node = this.entries.get(name)?.node;
    if (node === undefined) return undefined;
    if (isScalar(node) && Number.isSafeInteger(node.value) && (node.value as number) >= minimum) return node.value as number;
    return this.wrong(name, node, `a whole number from ${minimum} up`, unquoteFix(name, node));
  }

  boolean(name: string): boolean | undefined {
    const node = this.entries.get(name)?.node;
    if (node === undefined) return undefined;
    if (isScalar(node) && typeof node.value === 'boolean') return node.value;
    return this.wrong(name, node, 'true or false', unquoteFix(name, node));
  }

  durationMs(name: string): number | undefined {
    const node = this.entries.get(name)?.node;
    if (node === undefined) return undefined;
    const path = this.pathOf(name);
    const value = isScalar(node) ? (typeof node.value === 'number' ? node.value : scalarText(node)) : undefined;
    if (typeof value === 'string' && this.refuseAuto(name, node, value)) return undefined;
    const ms = value === undefined ? undefined : parseDuration(value);
    if (ms === undefined) {
      this.reporter.error('ORC-110', nodeSpan(node), `\`${name}\` is a time, and this is ${kindOf(node)}`, {
        path,
        help: ['write seconds, or a text such as 90s, 2m, 1h30m or 250ms'],
      });
    }
    return ms;
  }

  /** A list of texts; one alone counts as a list of one. */
  words(name: string, wanted = 'a list of names'): Word[] {
    const node = this.entries.get(name)?.node;
    if (node === undefined) return [];
    const single = isScalar(node) && node.value !== null;
    const items = single ? [node] : isSeq(node) ? listItems(node) : undefined;
    if (items === undefined) {
      this.wrong(name, node, wanted);
      return [];
    }
    const words: Word[] = [];
    items.forEach((item, i) => {
      const path = single ? this.pathOf(name) : at(this.pathOf(name), i);
      if (!isScalar(item) || item.value === null) {
        this.wrong(name, item, wanted, { path });
      } else if (!this.refuseAuto(name, item, scalarText(item), path)) words.push({ text: scalarText(item), span: nodeSpan(item), path });
    });
    return words;
  }

  map(name: string, wanted = 'a map'): Fields | undefined {
    const node = this.entries.get(name)?.node;
    if (node === undefined) return undefined;
    return isMap(node) ? new Fields(this.reporter, node, this.pathOf(name)) : this.wrong(name, node, wanted);
  }

  /** Reports keys that nobody knows: an error where a known one is near, else a warning. */
  finish(known: Iterable<string>, what: string, accepted: Iterable<string> = [], words: { readonly [key: string]: string } = {}): void {
    const names = [...known];
    const others = [...accepted];
    for (const { key, keySpan, node } of this.entries.values()) {
      if (names.includes(key) || key.startsWith('x-')) continue;
      const path = at(this.path, key);
      if (others.includes(key)) {
        // An accepted spelling is gone by now, unless it holds what cannot be said in the canonical one.
        this.reporter.error('ORC-104', keySpan, `\`${key}\` cannot be read with what it holds: ${kindOf(node)}`, {
          path,
          help: ['write the canonical keys instead; they are listed by: orchestrator explain ORC-118'],
        });
        continue;
      }
      const near = nearest(key, [...names, ...others], 1)[0];
      const message = `\`${key}\` is not a key of ${what}`;
      if (near !== undefined) this.reporter.error('ORC-103', keySpan, message, { path, label: 'no such key', help: [`did you mean \`${near}\`?`] });
      else if (Object.hasOwn(words, key)) this.reporter.warn('ORC-103', keySpan, message, { path, label: `here it is called \`${words[key]!}\`` });
      else
        this.reporter.warn('ORC-103', keySpan, message, {
          path,
          notes: [`${what} knows: ${names.join(', ')}`],
          help: [`remove it, or call it \`x-${key}\` if it is a note of your own`],
        });
    }
  }
}

export const ID_HELP = 'an id begins with a letter or _ and goes on with letters, digits, _ and -';

/** A number or boolean in quotes is meant without them. */
function unquoteFix(name: string, node: YamlNode): Details {
  if (!isScalar(node) || typeof node.value !== 'string' || isPlain(node) || !/^(?:-?\d+(?:\.\d+)?|true|false)$/.test(node.value)) return {};
  return { fix: { title: `remove the quotes: ${name}: ${node.value}`, edits: [{ span: nodeSpan(node), text: node.value }] } };
}
