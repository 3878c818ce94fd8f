import { CODES, type Code } from '../codes.ts';
import { GRAPH_CODES } from './explanations/graph.ts';
import type { Explanation } from './explanations/port.ts';
import { RUNNING_CODES } from './explanations/running.ts';
import { SCHEMA_CODES } from './explanations/schema.ts';
import { TEMPLATE_CODES } from './explanations/templates.ts';

export type { Explanation };

/** What `explain CODE` prints, and docs/reference/errors.md holds. */
export const EXPLANATIONS: Readonly<Record<Code, Explanation>> = { ...SCHEMA_CODES, ...GRAPH_CODES, ...TEMPLATE_CODES, ...RUNNING_CODES };

/** The page about one code, as Markdown without a heading. */
export function explanationOf(code: Code): string {
  const { text, bad, good }: Explanation = EXPLANATIONS[code];
  const examples: [string, string | undefined][] = [
    ['This has the problem:', bad],
    ['This has not:', good],
  ];
  const blocks = examples.flatMap(([title, yaml]) => (yaml === undefined ? [] : [title, `\`\`\`yaml\n${yaml}\n\`\`\``]));
  return [CODES[code].meaning, text, ...blocks].join('\n\n');
}

const AREAS: readonly (readonly [string, string])[] = [
  ['1', 'YAML, schema, inputs and configuration'],
  ['2', 'The graph, and actions'],
  ['3', 'AUTO tags and templates'],
  ['4', 'Models'],
  ['5', 'State and surroundings'],
  ['6', 'Limits'],
  ['7', 'The program itself'],
];

/** The reference page of all codes. */
export function explanationPage(): string {
  const codes = Object.keys(CODES) as Code[];
  const areas = AREAS.map(([digit, title]) => {
    const sections = codes.filter(code => code[4] === digit).map(code => `### ${code} ${CODES[code].name}\n\n${explanationOf(code)}\n`);
    return `## ${title}\n\n${sections.join('\n')}`;
  });
  return `# Errors\n\nEvery problem that the program can name. \`orc explain CODE\` prints the same. This page is made from \`src/language/explanations.ts\`.\n\n${areas.join('\n')}`;
}
