import { isMap, isScalar, isSeq } from 'yaml';
import { OrchestratorError } from '../errors.ts';
import type { Json } from '../json.ts';
import { buildTag, hasAuto, reportAutoProblems, splitAuto } from './auto.ts';
import type { Diagnostic } from './diagnostic.ts';
import { loadYaml } from './document.ts';
import { entriesOf, listItems, scalarText, textMap, type YamlNode } from './nodes.ts';
import { mappedSpan, shiftedMap } from './offsets.ts';
import type { AutoTag } from './pipeline.ts';
import { at, pathText, Reporter, type Path } from './report.ts';
import { makeSource, position } from './source.ts';
import { readJson, readText } from './values.ts';

/** A tag that was found in a text, with its place. */
export interface FoundTag extends AutoTag {
  /** Where in the value: `tasks[0].parameters.query`. */
  path: string;
  /** The tag as it is written. */
  text: string;
  line: number;
  column: number;
}

export type AutoTagErrorKind = 'unclosed' | 'attribute' | 'stray' | 'reserved' | 'yaml' | 'template';

/** A text whose AUTO tags, templates or YAML cannot be read; says where the first problem is. */
export class AutoTagError extends OrchestratorError {
  readonly line: number;
  readonly column: number;
  readonly kind: AutoTagErrorKind;

  constructor(diagnostic: Diagnostic) {
    const { line, column } = position(diagnostic.source, diagnostic.span.start);
    super(diagnostic.code, `line ${line}, column ${column}: ${diagnostic.message}`, { class: 'invalid_input', help: diagnostic.help ?? [] });
    this.name = 'AutoTagError';
    this.line = line;
    this.column = column;
    this.kind = KINDS[diagnostic.code] ?? (diagnostic.code.startsWith('ORC-3') ? 'template' : 'yaml');
  }
}

const KINDS: Partial<Record<string, AutoTagErrorKind>> = { 'ORC-301': 'unclosed', 'ORC-303': 'attribute', 'ORC-316': 'stray', 'ORC-317': 'reserved' };

/**
 * Reads any YAML in which AUTO tags may stand unquoted. `value` holds the tags as text, `tags` holds each outermost one, in the order of the file.
 * Throws an AutoTagError for the first problem.
 */
export function parseYamlWithAutoTags(text: string): { value: Json; tags: FoundTag[] } {
  const reporter = new Reporter(makeSource('', text), false);
  const root = (loadYaml(reporter)?.contents ?? null) as YamlNode | null;
  const tags: FoundTag[] = [];
  if (root !== null) collect(reporter, root, undefined, tags);
  const problem = reporter.sorted()[0];
  if (problem !== undefined) throw new AutoTagError(problem);
  return { value: root === null ? null : readJson(root), tags };
}

function collect(reporter: Reporter, node: YamlNode, path: Path | undefined, tags: FoundTag[]): void {
  if (isMap(node)) {
    for (const { key, node: member } of entriesOf(node).values()) collect(reporter, member, at(path, key), tags);
  } else if (isSeq(node)) listItems(node).forEach((item, i) => collect(reporter, item, at(path, i), tags));
  else if (isScalar(node) && typeof node.value === 'string' && hasAuto(scalarText(node))) {
    const text = scalarText(node);
    const map = textMap(reporter.source, node);
    const place = path ?? at(undefined, '');
    const { pieces, problems } = splitAuto(text);
    reportAutoProblems(reporter, problems, text, map, place);
    for (const piece of pieces) {
      if (piece.kind === 'text') continue;
      const { questionStart, questionEnd } = piece;
      const question = readText(
        reporter,
        text.slice(questionStart, questionEnd),
        shiftedMap(map, questionStart),
        mappedSpan(map, questionStart, questionEnd),
        place,
      );
      const tag = buildTag(reporter, piece, map, question, place);
      tags.push({ ...tag, path: pathText(place), text: text.slice(piece.start, piece.end), ...position(reporter.source, tag.span.start) });
    }
  }
}

/** The guide's parser of YAML with AUTO tags. */
export class AutoTagYAMLParser {
  /** As the function of the same name. Throws AutoTagError{line, column, kind}. */
  parseYamlWithAutoTags(text: string): { value: Json; tags: FoundTag[] } {
    return parseYamlWithAutoTags(text);
  }
}
