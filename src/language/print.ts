import { isMap, isScalar, isSeq, type Pair, type Scalar, type YAMLMap, type YAMLSeq } from 'yaml';
import type { Diagnostic } from './diagnostic.ts';
import { readYaml } from './document.ts';
import { unmask } from './mask.ts';
import { normalisePipeline } from './normalise.ts';
import { findPair, keyText, listItems, scalarText, type YamlNode } from './nodes.ts';
import { parse } from './parse.ts';
import { at, Reporter } from './report.ts';
import { mayNeedRewriting, rewriteExpression, rewriteTemplate } from './rewrite.ts';
import type { Source } from './source.ts';

export interface Formatted {
  text: string;
  changed: boolean;
  /** The errors for which the text was left as it is, else the spellings that were rewritten (ORC-118). */
  diagnostics: Diagnostic[];
}

/**
 * Writes a pipeline in the canonical spelling and layout. Comments stay, and so does the meaning: the text parses to the same pipeline.
 * A file with errors is not touched.
 */
export function format(source: Source): Formatted {
  const { diagnostics } = parse(source);
  if (diagnostics.some(({ severity }) => severity === 'error')) return { text: source.text, changed: false, diagnostics };
  const reporter = new Reporter(source, false, true);
  const file = readYaml(reporter);
  if (file === undefined) return { text: source.text, changed: false, diagnostics };
  const wrapped = findPair(file.root, 'pipeline')?.value;
  const pipeline = isMap(wrapped) ? wrapped : file.root;
  normalisePipeline(reporter, pipeline, at(undefined, 'pipeline'));
  putFirst(pipeline, ['id', 'name', 'version', 'description']);
  orderTasks(pipeline);
  const outputs = findPair(pipeline, 'outputs')?.value;
  if (isMap(outputs)) prepare(outputs, 'template');
  prepare(file.root, 'fixed');
  keepFolds(file.root, source);
  const printed = file.document.toString({ lineWidth: 0, doubleQuotedMinMultiLineLength: 1_000_000_000 });
  const text = unmask(printed.replaceAll(FOLDED_HEADER, '>$1'));
  return { text, changed: text !== source.text, diagnostics: reporter.sorted() };
}

/** Moves the keys by which one recognises a thing to its beginning; the others keep their order. */
function putFirst(map: YAMLMap, names: readonly string[]): void {
  const rank = (pair: Pair): number => {
    const index = names.indexOf(keyText(pair) ?? '');
    return index < 0 ? names.length : index;
  };
  map.items.sort((a, b) => rank(a) - rank(b));
}

function orderTasks(owner: YAMLMap): void {
  for (const key of ['tasks', 'parallel', 'create_parallel_queue']) {
    const value = findPair(owner, key)?.value;
    if (isMap(value)) orderTasks(value);
    if (!isSeq(value)) continue;
    for (const task of listItems(value)) {
      if (!isMap(task)) continue;
      putFirst(task, ['id', 'name', 'description']);
      orderTasks(task);
    }
  }
}

/** What the texts of a part of the file are: names and the like, expressions without braces, or values with templates. */
type TextKind = 'fixed' | 'expression' | 'template';

const TEXT_KINDS: Readonly<Record<string, TextKind>> = {
  condition: 'expression',
  while: 'expression',
  until: 'expression',
  for_each: 'expression',
  on: 'expression',
  parameters: 'template',
  default: 'template',
  fallback_value: 'template',
  key: 'template',
  model: 'template',
};

/** Brackets of lists hug their items, braces keep a blank: `[a, b]`, `{ a: 1 }`. */
function setPadding(node: YAMLMap | YAMLSeq): void {
  const print = node.toString.bind(node);
  const padding = isMap(node) ? ' ' : '';
  node.toString = (context, ...rest) => print(context && { ...context, flowCollectionPadding: padding }, ...rest);
}

/** Rewrites the spellings within texts, and unmasks what will not be printed as plain text on one line. */
function prepare(node: YamlNode, kind: TextKind): void {
  if (isScalar(node)) {
    if (typeof node.value === 'string') prepareText(node, kind);
    return;
  }
  if (!isMap(node) && !isSeq(node)) return;
  setPadding(node);
  // A blank line before the first key or item would part it from what it belongs to.
  const first = isMap(node) ? (node.items[0]?.key as Scalar | undefined) : listItems(node)[0];
  if (first) first.spaceBefore = false;
  // A list or map is never an expression: what it holds are values.
  const inner = kind === 'fixed' ? 'fixed' : 'template';
  if (isSeq(node)) {
    for (const item of listItems(node)) prepare(item, inner);
    return;
  }
  for (const pair of node.items) {
    prepare(pair.key as YamlNode, 'fixed');
    const named = TEXT_KINDS[keyText(pair) ?? ''];
    if (pair.value !== null) prepare(pair.value as YamlNode, inner === 'template' ? inner : (named ?? 'fixed'));
  }
}

function prepareText(node: Scalar, kind: TextKind): void {
  const text = scalarText(node);
  if (kind !== 'fixed' && mayNeedRewriting(text)) {
    const rewritten = kind === 'expression' ? rewriteExpression(text).text : rewriteTemplate(text).text;
    if (rewritten !== text) {
      node.value = rewritten.replace(/\{\{ {2}/g, '{{ ');
      if (node.type === 'PLAIN') node.type = 'QUOTE_DOUBLE';
      return;
    }
  }
  if (text === node.value || (node.type === 'PLAIN' && !text.includes('\n'))) return;
  node.value = text;
  // In brackets, where no block can stand, this becomes quotes.
  node.type = 'BLOCK_LITERAL';
}

/** Marks the header of a text that is printed line by line and was folded as written. */
const FOLDED = '\u{f8f0}';
const FOLDED_HEADER = new RegExp(`\\|(\\d?[-+]?) #${FOLDED}`, 'gu');

/** Keeps the line breaks of folded texts, of which the printer would make one long line: they are printed as literal ones, under their own header. */
function keepFolds(node: YamlNode, source: Source): void {
  if (isMap(node)) for (const pair of node.items) keepFolds(pair.value as YamlNode, source);
  if (isSeq(node)) for (const item of listItems(node)) keepFolds(item, source);
  if (!isScalar(node) || node.type !== 'BLOCK_FOLDED' || !node.range || node.comment) return;
  const [header = '', ...lines] = source.text.slice(node.range[0], node.range[1]).split(/\r?\n/);
  const indent = /^ */.exec(lines.find(line => line.trim() !== '') ?? '')![0];
  // Where the header gives the indentation, or the text has been rewritten, what stands in the file is not what is printed.
  if (!/^>[-+]?$/.test(header) || node.value !== node.source) return;
  const [end] = /\n*$/.exec(String(node.value))!;
  node.value =
    lines
      .map(line => line.slice(indent.length))
      .join('\n')
      .trimEnd() + end;
  node.type = 'BLOCK_LITERAL';
  node.comment = FOLDED;
}
