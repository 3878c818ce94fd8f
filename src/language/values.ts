import { isAlias, isMap, isScalar, isSeq, type Scalar } from 'yaml';
import { buildTag, hasAuto, reportAutoProblems, splitAuto } from './auto.ts';
import { loneExpression, parseExpression, parseTemplate, type ExpressionProblem } from './expression/index.ts';
import { entriesOf, isPlain, kindOf, listItems, nodeSpan, scalarText, textMap, type YamlNode } from './nodes.ts';
import { mappedSpan, shiftedMap } from './offsets.ts';
import type { LiteralValue, MapValue, MixedValue, OffsetMap, Value } from './pipeline.ts';
import { at, type Path, type Reporter } from './report.ts';
import { mayNeedRewriting, rewriteExpression, rewriteTemplate, rewrittenMap } from './rewrite.ts';
import type { Span } from './source.ts';
import type { Json } from '../json.ts';

/** A value of a task, with whatever in it is computed later. */
export function readValue(reporter: Reporter, node: YamlNode, path: Path): Value {
  const span = nodeSpan(node);
  if (isMap(node)) return readMap(reporter, node, path);
  if (isSeq(node)) return { kind: 'list', items: listItems(node).map((item, i) => readValue(reporter, item, at(path, i))), span };
  // An alias has been reported by the time that values are read.
  if (isAlias(node)) return { kind: 'literal', value: null, span };
  if (typeof node.value === 'string') return readText(reporter, scalarText(node), textMap(reporter.source, node), span, path);
  return literal(node);
}

export function readMap(reporter: Reporter, node: YamlNode, path: Path): MapValue {
  const value: MapValue = { kind: 'map', entries: [], span: nodeSpan(node) };
  if (!isMap(node)) return value;
  for (const { key, keySpan, node: member } of entriesOf(node).values())
    value.entries.push({ key, keySpan, value: readValue(reporter, member, at(path, key)) });
  return value;
}

function literal(node: Scalar): LiteralValue {
  const value: LiteralValue = { kind: 'literal', value: plainJson(node), span: nodeSpan(node) };
  if (isPlain(node) && node.source !== undefined) value.source = node.source;
  return value;
}

/** The value of a scalar as JSON, no template read. */
function plainJson(node: Scalar): Json {
  if (typeof node.value === 'string') return scalarText(node);
  if (typeof node.value === 'number') return Number.isFinite(node.value) ? node.value : 0;
  return typeof node.value === 'boolean' ? node.value : null;
}

/** A value as plain data: for what is never a template (schemas, metadata, choices). */
export function readJson(node: YamlNode): Json {
  if (isMap(node)) return Object.fromEntries(Array.from(entriesOf(node).values(), ({ key, node: member }) => [key, readJson(member)]));
  if (isSeq(node)) return listItems(node).map(readJson);
  return isScalar(node) ? plainJson(node) : null;
}

/** A text with AUTO tags, templates, both or neither. */
export function readText(reporter: Reporter, text: string, map: OffsetMap, span: Span, path: Path): Value {
  if (!hasAuto(text)) return readTemplate(reporter, text, map, span, path, false);
  const { pieces, problems } = splitAuto(text);
  reportAutoProblems(reporter, problems, text, map, path);
  if (problems.some(problem => problem.code === 'ORC-301')) return { kind: 'literal', value: text, span };
  const parts: MixedValue['parts'] = [];
  for (const piece of pieces) {
    const partSpan = mappedSpan(map, piece.start, piece.end);
    if (piece.kind === 'text') {
      parts.push(readTemplate(reporter, text.slice(piece.start, piece.end), shiftedMap(map, piece.start), partSpan, path, true));
    } else {
      const { questionStart, questionEnd } = piece;
      const questionSpan = mappedSpan(map, questionStart, questionEnd);
      const question = readText(reporter, text.slice(questionStart, questionEnd), shiftedMap(map, questionStart), questionSpan, path);
      parts.push({ kind: 'auto', tag: buildTag(reporter, piece, map, question, path), span: partSpan });
    }
  }
  const meant = parts.filter(part => part.kind !== 'literal' || String(part.value).trim() !== '');
  if (meant.length === 1 && meant[0]!.kind === 'auto') return { ...meant[0]!, span };
  return { kind: 'mixed', parts, span };
}

type TemplatePart = Exclude<MixedValue['parts'][number], { kind: 'auto' }>;

function readTemplate(reporter: Reporter, written: string, writtenMap: OffsetMap, span: Span, path: Path, part: boolean): TemplatePart {
  let text = written;
  let map = writtenMap;
  if (mayNeedRewriting(written)) {
    const rewritten = rewriteTemplate(written);
    text = rewritten.text;
    map = rewrittenMap(writtenMap, rewritten);
  }
  if (!/\{[{%#]/.test(text)) return { kind: 'literal', value: text, span };
  const { template, problems } = parseTemplate(text);
  reportProblems(reporter, problems, map, path);
  if (template === null) return { kind: 'literal', value: text, span };
  // Beside a tag the blanks around an expression are text, elsewhere they are layout.
  const expr = part && text !== text.trim() ? null : loneExpression(template);
  return expr === null ? { kind: 'template', text, template, map, span } : { kind: 'expression', text, expr, map, span };
}

function reportProblems(reporter: Reporter, problems: ExpressionProblem[], map: OffsetMap, path: Path): void {
  for (const { code, message, start, end, label, help } of problems) {
    reporter.error(code, mappedSpan(map, start, end), message, { path, help, ...(label === undefined ? {} : { label }) });
  }
}

/** A condition: an expression whose braces are optional, or one AUTO tag. `what` names it in messages. */
export function readExpression(reporter: Reporter, node: YamlNode, path: Path, what: string): Value | undefined {
  const span = nodeSpan(node);
  if (!isScalar(node) || node.value === null) {
    reporter.error('ORC-104', span, `${what} is an expression, and this is ${kindOf(node)}`, { path, help: ['write for example: "{{ count > 3 }}"'] });
    return undefined;
  }
  const map = textMap(reporter.source, node);
  const text = scalarText(node);
  if (!hasAuto(text)) return readExpressionText(reporter, text, map, span, path);
  const value = readText(reporter, text, map, span, path);
  if (value.kind === 'mixed') {
    reporter.error('ORC-304', span, `an <AUTO> tag may be the whole of ${what}, not a part of it`, {
      path,
      help: ['ask the question in a task before this one and use its result'],
    });
    return undefined;
  }
  return value.kind === 'auto' ? value : undefined;
}

function readExpressionText(reporter: Reporter, written: string, writtenMap: OffsetMap, span: Span, path: Path): Value | undefined {
  const rewritten = rewriteExpression(written);
  const map = rewrittenMap(writtenMap, rewritten);
  const { expr, problems } = parseExpression(rewritten.text);
  reportProblems(reporter, problems, map, path);
  return expr === null ? undefined : { kind: 'expression', text: rewritten.text, expr, map, span };
}

/** The source of a loop: an expression, a list or map in the file, or an AUTO tag. */
export function readLoopSource(reporter: Reporter, node: YamlNode, path: Path): Value | undefined {
  return isMap(node) || isSeq(node) ? readValue(reporter, node, path) : readExpression(reporter, node, path, '`for_each`');
}

/** A count: a whole number from 1 up, or an expression or AUTO tag that gives one. */
export function readCount(reporter: Reporter, node: YamlNode, path: Path, key: string): Value | undefined {
  const span = nodeSpan(node);
  const value = readValue(reporter, node, path);
  if (value.kind === 'expression' || value.kind === 'auto') return value;
  if (value.kind === 'literal' && typeof value.value === 'number' && Number.isSafeInteger(value.value) && value.value >= 1) return value;
  const digits = isScalar(node) && typeof node.value === 'string' && !isPlain(node) && /^[1-9]\d*$/.test(node.value) ? node.value : undefined;
  reporter.error('ORC-104', span, `\`${key}\` is a whole number from 1 up, and this is ${kindOf(node)}`, {
    path,
    ...(digits === undefined ? {} : { fix: { title: `remove the quotes: ${key}: ${digits}`, edits: [{ span, text: digits }] } }),
  });
  return undefined;
}
