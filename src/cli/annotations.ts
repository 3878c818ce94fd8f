import { CODES, type Code } from '../codes.ts';
import type { DiagnosticDocument } from '../plan/compile.ts';

const escapeData = (text: string): string => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
const escapeProperty = (text: string): string => escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');

/** A problem as an annotation of GitHub Actions: it shows up beside the line in a pull request. */
export function githubAnnotation(problem: Pick<DiagnosticDocument, 'code' | 'severity' | 'message' | 'help'> & Partial<DiagnosticDocument>): string {
  const level = problem.severity === 'info' ? 'notice' : problem.severity;
  const { file, line, column, endLine, endColumn } = problem;
  const place =
    file === undefined
      ? []
      : [
          ['file', file],
          ['line', line],
          ['endLine', endLine],
          ...(line === endLine
            ? [
                ['col', column],
                ['endColumn', endColumn],
              ]
            : []),
        ];
  const properties = [...place, ['title', `${problem.code} ${CODES[problem.code].name}`]].filter(([, value]) => value !== undefined);
  const text = [problem.message, ...problem.help.map(help => `help: ${help}`)].join('\n');
  return `::${level} ${properties.map(([name, value]) => `${name}=${escapeProperty(String(value))}`).join(',')}::${escapeData(text)}\n`;
}

/** Problems as a SARIF 2.1.0 log, which code hosts and editors read. */
export function sarifLog(problems: readonly DiagnosticDocument[], version: string): object {
  const codes = [...new Set(problems.map(problem => problem.code))].sort();
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'orchestrator', version, rules: codes.map(rule) } },
        results: problems.map(problem => result(problem, codes.indexOf(problem.code))),
      },
    ],
  };
}

function rule(code: Code): object {
  return { id: code, name: CODES[code].name, shortDescription: { text: CODES[code].meaning } };
}

function result(problem: DiagnosticDocument, ruleIndex: number): object {
  const { code, severity, message, help, notes, related, fix } = problem;
  return {
    ruleId: code,
    ruleIndex,
    level: severity === 'info' ? 'note' : severity,
    message: { text: [message, ...notes, ...help.map(line => `help: ${line}`)].join('\n') },
    locations: [location(problem.file, region(problem))],
    ...(related.length === 0
      ? {}
      : {
          relatedLocations: related.map((other, id) => ({
            id,
            message: { text: other.message },
            ...location(other.file, { startLine: other.line, startColumn: other.column }),
          })),
        }),
    ...(fix === null
      ? {}
      : {
          fixes: [
            {
              description: { text: fix.title },
              artifactChanges: [
                {
                  artifactLocation: { uri: uriOf(problem.file) },
                  replacements: fix.edits.map(edit => ({ deletedRegion: region(edit), insertedContent: { text: edit.text } })),
                },
              ],
            },
          ],
        }),
  };
}

function location(file: string, place: object): { physicalLocation: object } {
  return { physicalLocation: { artifactLocation: { uri: uriOf(file) }, region: place } };
}

function region({ line, column, endLine, endColumn }: Pick<DiagnosticDocument, 'line' | 'column' | 'endLine' | 'endColumn'>): object {
  return { startLine: line, startColumn: column, endLine, endColumn };
}

function uriOf(file: string): string {
  return file.replaceAll('\\', '/').split('/').map(encodeURIComponent).join('/');
}
