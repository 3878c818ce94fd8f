import type { Json, JsonObject } from '../json.ts';
import { isObject, own } from '../json.ts';
import { badParameter, flag, given, optionalObject, optionalText, text } from './parameters.ts';
import type { Action, ActionContext } from './port.ts';

interface Section {
  heading: string;
  body: string;
}

/** A value in a sentence or in a cell of a table, where a bar or a line break would end the cell. */
function cell(value: Json | undefined): string {
  const written = value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
  return written.replaceAll('\\', '\\\\').replaceAll('|', '\\|').replace(/\r?\n/g, ' ');
}

function table(rows: JsonObject[]): string {
  const columns = [...new Set(rows.flatMap(row => Object.keys(row)))];
  const line = (cells: string[]): string => `| ${cells.join(' | ')} |`;
  return [line(columns.map(cell)), line(columns.map(() => '---')), ...rows.map(row => line(columns.map(name => cell(own(row, name)))))].join('\n');
}

/** Any value as Markdown: text as it is, a list of objects as a table, a list as a list, an object as a table of two columns. */
function markdownOf(value: Json): string {
  if (typeof value === 'string') return value.trim();
  if (Array.isArray(value)) {
    if (value.length > 0 && value.every(isObject)) return table(value as JsonObject[]);
    return value.map(item => `- ${cell(item)}`).join('\n');
  }
  if (isObject(value)) return table(Object.entries(value).map(([name, member]) => ({ name, value: member })));
  return cell(value);
}

/** Sections as `[{heading, content}]`, or as an object of contents by heading. */
function sectionsOf(parameters: JsonObject): Section[] {
  const written = given(parameters, 'sections');
  if (written === undefined) return [];
  if (isObject(written)) return Object.entries(written).map(([heading, content]) => ({ heading, body: markdownOf(content) }));
  if (!Array.isArray(written)) throw badParameter('sections', 'a list of { heading, content }, or an object of contents by heading');
  return written.map((section, index) => {
    const heading = isObject(section) ? (own(section, 'heading') ?? own(section, 'title')) : undefined;
    if (!isObject(section) || typeof heading !== 'string') throw badParameter(`sections[${index}]`, 'an object with a heading and a content');
    return { heading, body: markdownOf(own(section, 'content') ?? '') };
  });
}

/** The report as Markdown. */
export function markdownReport(parameters: JsonObject): string {
  const title = optionalText(parameters, 'title');
  const facts = optionalObject(parameters, 'metadata');
  const content = given(parameters, 'content');
  const sections = sectionsOf(parameters);
  const parts: string[] = [];
  if (title !== undefined) parts.push(`# ${title.replace(/\s+/g, ' ').trim()}`);
  if (facts !== undefined)
    parts.push(
      Object.entries(facts)
        .map(([name, value]) => `**${cell(name)}:** ${cell(value)}`)
        .join('  \n'),
    );
  if (flag(parameters, 'toc') && sections.length > 0) parts.push(sections.map(({ heading }) => `- ${heading}`).join('\n'));
  if (content !== undefined) parts.push(markdownOf(content));
  for (const { heading, body } of sections) parts.push(`## ${heading}`, body);
  return `${parts.filter(part => part !== '').join('\n\n')}\n`;
}

async function generate(parameters: JsonObject, context: ActionContext): Promise<JsonObject> {
  if (given(parameters, 'content') === undefined && given(parameters, 'sections') === undefined)
    throw badParameter('content', 'given where there are no sections');
  const format = text(parameters, 'format');
  if (format !== 'markdown') throw badParameter('format', 'markdown');
  const path = text(parameters, 'path');
  const { writeBytes } = await import('./files.ts');
  return { path, size: await writeBytes(path, markdownReport(parameters), context) };
}

export const REPORT_ACTIONS: Action[] = [
  {
    name: 'report.generate',
    summary: 'Writes a report to a file.',
    effect: 'idempotent',
    powers: ['files'],
    description: 'The report is Markdown: title, facts, content, sections. A list of objects becomes a table, any other list a list.',
    parameters: {
      type: 'object',
      required: ['path'],
      anyOf: [{ required: ['content'] }, { required: ['sections'] }],
      additionalProperties: false,
      properties: {
        path: { type: 'string', minLength: 1, description: 'The file to write.' },
        title: { type: 'string', description: 'Its title.' },
        format: { type: 'string', enum: ['markdown'], default: 'markdown', description: 'How it is written.' },
        content: { description: 'Its text, or data to show.' },
        sections: { type: ['array', 'object'], description: 'Sections: a list of { heading, content }, or contents by heading.' },
        metadata: { type: 'object', additionalProperties: true, description: 'Facts to put below the title, by name.' },
        toc: { type: 'boolean', default: false, description: 'Begin with a list of the sections.' },
      },
    },
    result: {
      type: 'object',
      required: ['path', 'size'],
      additionalProperties: false,
      properties: { path: { type: 'string', description: 'The path as it was given.' }, size: { type: 'integer', description: 'Size of the file in bytes.' } },
    },
    example: '- id: report\n  action: report.generate\n  parameters: { path: out/report.md, title: "{{ topic }}", content: "{{ draft }}" }',
    run: generate,
  },
];
