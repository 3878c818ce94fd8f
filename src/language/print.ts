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
  prepare(file.root, undefined, false);
  const text = unmask(file.document.toString({ lineWidth: 0 }));
  return { text, changed: text !== source.text, diagnostics: reporter.sorted() };
}

/** Moves the keys by which one recognises a thing to its beginning; the others keep their order. */
function putFirst(map: YAMLMap, names: readonly string[]): void {
  const rank = (pair: Pair): number => {
    const index = names.indexOf(keyText(pair) ?? '');
    return index < 0 ? names.length : index;
  };
  const first = map.items[0];
  map.items.sort((a, b) => rank(a) - rank(b));
  if (map.items[0] === first) return;
  // The blank line before what is now the first key would part it from its dash.
  const key = map.items[0]!.key as Scalar;
  key.spaceBefore = false;
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

const NEVER_TEMPLATES = new Set(['id', 'name', 'description', 'metadata', 'version']);
const EXPRESSIONS = new Set(['condition', 'while', 'until', 'for_each', 'on']);

/** Brackets of lists hug their items, braces keep a blank: `[a, b]`, `{ a: 1 }`. */
function setPadding(node: YAMLMap | YAMLSeq): void {
  const print = node.toString.bind(node);
  const padding = isMap(node) ? ' ' : '';
  node.toString = (context, ...rest) => print(context && { ...context, flowCollectionPadding: padding }, ...rest);
}

/** Rewrites the spellings within texts, and unmasks what will not be printed as plain text on one line. */
function prepare(node: YamlNode, key: string | undefined, inFlow: boolean): void {
  if (isMap(node) || isSeq(node)) setPadding(node);
  if (isMap(node)) {
    for (const pair of node.items) {
      prepare(pair.key as YamlNode, undefined, true);
      if (pair.value !== null) prepare(pair.value as YamlNode, keyText(pair), inFlow || node.flow === true);
    }
  } else if (isSeq(node)) {
    for (const item of listItems(node)) prepare(item, key, inFlow || node.flow === true);
  } else if (isScalar(node) && typeof node.value === 'string') prepareText(node, key, inFlow);
}

function prepareText(node: Scalar, key: string | undefined, inFlow: boolean): void {
  const text = scalarText(node);
  if (key !== undefined && !NEVER_TEMPLATES.has(key) && !key.startsWith('x-') && mayNeedRewriting(text)) {
    const rewritten = EXPRESSIONS.has(key) ? rewriteExpression(text).text : rewriteTemplate(text).text;
    if (rewritten !== text) {
      node.value = rewritten.replace(/\{\{ {2}/g, '{{ ');
      if (node.type === 'PLAIN') node.type = 'QUOTE_DOUBLE';
      return;
    }
  }
  if (text === node.value) return;
  if (node.type === 'PLAIN' && !text.includes('\n')) return;
  node.value = text;
  node.type = inFlow ? 'QUOTE_DOUBLE' : 'BLOCK_LITERAL';
}
