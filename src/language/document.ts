import { isAlias, isMap, isScalar, isSeq, parseDocument, type Document, type Pair, type Scalar, type Tags, type YAMLError, type YAMLMap } from 'yaml';
import { mask, MAX_DEPTH, unmask } from './mask.ts';
import { findPair, keyText, kindOf, nodeSpan, valueOf, type YamlNode } from './nodes.ts';
import { at, type Path, type Reporter } from './report.ts';
import type { Span } from './source.ts';
import { wordsFor } from './yaml-words.ts';

/** A file read as YAML: the document (masked) and its map; undefined where the problems leave nothing to read. */
export interface YamlFile {
  document: Document.Parsed;
  root: YAMLMap;
}

/** Reads the YAML of a file and reports everything that is no part of the language, whatever the pipeline says. */
export function readYaml(reporter: Reporter): YamlFile | undefined {
  const document = loadYaml(reporter);
  if (document === undefined) return undefined;
  const root = document.contents as YamlNode | null;
  if (root === null || (isScalar(root) && root.value === null)) {
    reporter.error('ORC-112', firstCharacter(reporter.source.text), 'this file is empty', { help: EXAMPLE });
    return undefined;
  }
  if (!isMap(root)) {
    const { start } = nodeSpan(root);
    reporter.error('ORC-104', { start, end: start + 1 }, `a pipeline is a map of keys, and this is ${kindOf(root)}`, { help: EXAMPLE });
    return undefined;
  }
  return { document, root };
}

const EXAMPLE = [
  'write:\n    pipeline:\n      name: my_pipeline\n      version: "1.0"\n      tasks:\n        - id: hello\n          action: echo\n          parameters: { text: hello }',
];

/** Masks and parses a text, and checks the tree; undefined where it is not YAML. */
export function loadYaml(reporter: Reporter): Document.Parsed | undefined {
  const { text, reserved, tooDeepAt, unclosedAt } = mask(reporter.source.text);
  for (const span of reserved.slice(0, 20)) {
    reporter.error('ORC-317', span, 'this character is one of those that the compiler needs for itself (U+E021 to U+E07D)', {
      help: ['remove it, or write it as an escape in double quotes: "\\uE021"'],
    });
  }
  if (reserved.length > 0) return undefined;
  if (tooDeepAt !== undefined) {
    reportDepth(reporter, { start: tooDeepAt, end: tooDeepAt + 1 });
    return undefined;
  }
  const document = parseDocument(text, { logLevel: 'error', prettyErrors: false, strict: true, uniqueKeys: false, version: '1.2', customTags: keepNumbers });
  if (document.errors.length > 0) {
    if (unclosedAt === undefined) reportSyntax(reporter, document.errors);
    else reportUnclosed(reporter, unclosedAt);
    return undefined;
  }
  if (document.directives.yaml.explicit === true) {
    reporter.error('ORC-101', { start: 0, end: Math.max(1, text.indexOf('\n')) }, 'directives such as %YAML are not part of the language', {
      help: ['remove the line'],
    });
  }
  const root = document.contents as YamlNode | null;
  if (root !== null) checkTree(reporter, root, 1, false, isMap(root) && findPair(root, 'pipeline') !== undefined ? undefined : at(undefined, 'pipeline'));
  return document;
}

/** Numbers are printed as they were written: `012` and `1.10` say more than their values. */
function keepNumbers(tags: Tags): Tags {
  return tags.map(tag => {
    if (typeof tag === 'string' || tag.collection !== undefined || !/:(?:int|float)$/.test(tag.tag)) return tag;
    return { ...tag, stringify: (item, ...rest) => item.source ?? tag.stringify!(item, ...rest) };
  });
}

function reportDepth(reporter: Reporter, span: Span): void {
  reporter.error('ORC-604', span, `maps and lists are nested more than ${MAX_DEPTH} deep here`, {
    help: ['move the inner part to a file of its own: action: pipeline.run'],
  });
}

function firstCharacter(text: string): Span {
  return { start: 0, end: Math.min(1, text.length) };
}

function reportSyntax(reporter: Reporter, errors: YAMLError[]): void {
  const tabs = errors.filter(error => error.code === 'TAB_AS_INDENT');
  let lastLine = -1;
  // One slip makes the parser stumble over the lines that follow: what tabs cause goes unsaid, and a line speaks once.
  for (const error of (tabs.length > 0 ? tabs : errors).slice(0, 20)) {
    const line = lineOf(reporter, error.pos[0]);
    if (line === lastLine) continue;
    lastLine = line;
    reportSyntaxError(reporter, error);
  }
}

function lineOf(reporter: Reporter, offset: number): number {
  return reporter.source.lineStarts.findLastIndex(start => start <= offset);
}

function reportSyntaxError(reporter: Reporter, error: YAMLError): void {
  const { text } = reporter.source;
  const start = Math.min(error.pos[0], text.length);
  const lineEnd = text.indexOf('\n', start);
  const span = { start, end: Math.max(start, Math.min(error.pos[1], lineEnd < 0 ? text.length : lineEnd)) };
  if (error.code === 'MULTIPLE_DOCS') {
    reporter.error('ORC-101', { start, end: Math.min(start + 3, text.length) }, 'a second document begins here; a file holds one pipeline', {
      help: ['move it to a file of its own'],
    });
  } else if (error.code === 'BAD_ALIAS' || error.code === 'ALIAS_PROPS' || error.code === 'MULTIPLE_ANCHORS' || error.code === 'MULTIPLE_TAGS') {
    reporter.error('ORC-101', span, 'anchors, aliases and tags are not part of the language', { help: ['write the value out where it is needed'] });
  } else {
    const wording = wordsFor(error) ?? { message: `this is not YAML: ${unmask(error.message)}` };
    reporter.error('ORC-100', span, wording.message, wording.help === undefined ? {} : { help: wording.help });
  }
}

/** What follows an unclosed quote or bracket is read as its inside, so that nothing but its beginning is worth a word. */
function reportUnclosed(reporter: Reporter, start: number): void {
  const open = reporter.source.text[start]!;
  const close = { '[': ']', '{': '}' }[open] ?? open;
  reporter.error('ORC-100', { start, end: start + 1 }, `this ${open} is never closed`, {
    label: 'opened here',
    help: [`close it with ${close} where the value ends`],
  });
}

/** Looks at every node once for what YAML allows and the language does not. */
function checkTree(reporter: Reporter, node: YamlNode, depth: number, inFlow: boolean, path: Path | undefined): void {
  if (depth > MAX_DEPTH && !isScalar(node)) {
    reportDepth(reporter, { start: nodeSpan(node).start, end: nodeSpan(node).start + 1 });
    return;
  }
  checkProperties(reporter, node, path);
  if (isMap(node)) {
    const seen = new Map<string, Span>();
    for (const pair of node.items) {
      const key = checkKey(reporter, pair, seen, inFlow || node.flow === true, path);
      if (pair.value !== null) checkTree(reporter, valueOf(pair), depth + 1, inFlow || node.flow === true, at(path, canonicalKey(pair, key)));
    }
  } else if (isSeq(node)) {
    node.items.forEach((item, i) => checkTree(reporter, item as YamlNode, depth + 1, inFlow || node.flow === true, at(path, i)));
  } else if (isScalar(node)) checkScalar(reporter, node, inFlow, path);
}

/** The key as paths say it: a list of steps is a list of tasks. */
function canonicalKey(pair: Pair, key: string): string {
  return key === 'steps' && isSeq(pair.value) ? 'tasks' : key;
}

function checkProperties(reporter: Reporter, node: YamlNode, path: Path | undefined): void {
  const { text } = reporter.source;
  const { start, end } = nodeSpan(node);
  const place = path === undefined ? {} : { path };
  if (isAlias(node)) {
    reporter.error('ORC-101', { start, end }, `\`*${node.source}\` is an alias, and aliases are not part of the language`, {
      ...place,
      help: ['write the value out here, or move shared values to `inputs`'],
    });
    return;
  }
  if (node.anchor !== undefined) {
    const anchor = Math.max(0, text.lastIndexOf(`&${node.anchor}`, start));
    reporter.error(
      'ORC-101',
      { start: anchor, end: anchor + node.anchor.length + 1 },
      `\`&${node.anchor}\` is an anchor, and anchors are not part of the language`,
      { ...place, help: ['remove it'] },
    );
  }
  if (node.tag !== undefined) {
    const tag = start - (/!\S*\s*$/.exec(text.slice(Math.max(0, start - 200), start))?.[0].length ?? 0);
    const tagEnd = tag + (/^\S+/.exec(text.slice(tag, tag + 200))?.[0].length ?? 1);
    reporter.error('ORC-101', { start: tag, end: tagEnd }, `\`${text.slice(tag, tagEnd)}\` is a tag, and YAML tags are not part of the language`, {
      ...place,
      help: ['remove it, or put the text in quotes'],
    });
  }
}

/** Reports a key that stands twice, is no name, or merges; returns its name for the path. */
function checkKey(reporter: Reporter, pair: Pair, seen: Map<string, Span>, inFlow: boolean, path: Path | undefined): string {
  const key = keyText(pair);
  const span = nodeSpan(pair.key as YamlNode);
  if (key === undefined) {
    reporter.error('ORC-104', { start: span.start, end: Math.max(span.start + 1, span.end) }, 'a key is a name, and this is a list or a map', {
      help: ['a template that begins a value is written in quotes: "{{ name }}"'],
    });
    return '?';
  }
  checkScalar(reporter, pair.key as Scalar, inFlow, path);
  checkProperties(reporter, pair.key as YamlNode, path);
  const place = at(path, key);
  const first = seen.get(key);
  if (first !== undefined) {
    reporter.error('ORC-105', span, `the key \`${key}\` stands twice in this map`, {
      path: place,
      label: 'again here',
      related: [{ message: 'first here', span: first }],
      help: ['keep one of the two'],
    });
  } else seen.set(key, span);
  if (key === '<<' && (pair.key as Scalar).type === 'PLAIN') {
    reporter.error('ORC-101', span, 'merge keys are not part of the language', { path: place, help: ['write the keys out here'] });
  }
  return key;
}

function checkScalar(reporter: Reporter, node: Scalar, inFlow: boolean, path: Path | undefined): void {
  const span = nodeSpan(node);
  const place = path === undefined ? {} : { path };
  if (typeof node.value === 'number' && !Number.isFinite(node.value)) {
    reporter.error('ORC-106', span, `\`${node.source}\` is not a number that JSON can hold`, { ...place, help: ['put it in quotes if it is meant as text'] });
  }
  if (!inFlow || node.type !== 'PLAIN' || typeof node.value !== 'string') return;
  const text = unmask(node.value);
  if (!/\{[{%#]/.test(text.replace(/<AUTO[\s>/][\s\S]*<\/AUTO>/g, ''))) return;
  const quoted = quote(text);
  reporter.error('ORC-113', span, 'inside brackets a template must stand in quotes', {
    ...place,
    label: 'YAML reads { as the beginning of a map',
    help: [`write: ${quoted}`],
    fix: { title: 'put the value in quotes', edits: [{ span, text: quoted }] },
  });
}

/** A text in the quotes that need the fewest escapes. */
function quote(text: string): string {
  if (/[\n\\]/.test(text) || (text.includes("'") && !text.includes('"'))) return JSON.stringify(text);
  return text.includes("'") || text.includes('"') ? `'${text.replaceAll("'", "''")}'` : `"${text}"`;
}
