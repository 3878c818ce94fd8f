import { isObject, type Json, type JsonObject, type JsonSchema } from '../json.ts';
import type { ActionSpec } from './port.ts';

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replace(/\s*\n\s*/g, ' ');
}

/** The type of a schema in a word or two. */
function typeText(schema: Json | undefined): string {
  if (!isObject(schema)) return 'any';
  if (Array.isArray(schema['enum'])) return schema['enum'].map(value => `\`${String(value)}\``).join(', ');
  const alternatives = schema['anyOf'];
  if (Array.isArray(alternatives) && schema['type'] === undefined) return alternatives.map(typeText).join(' or ');
  const type = schema['type'];
  const names = typeof type === 'string' ? [type] : Array.isArray(type) ? type.map(String) : ['any'];
  const items = schema['items'];
  return names.map(name => (name === 'array' && isObject(items) ? `array of ${typeText(items)}` : name)).join(' or ');
}

/** What the marks of a property mean to its author. */
function marksText(property: JsonObject): string {
  const marks: string[] = [];
  if (property['x-expression'] === true) marks.push('An expression.');
  if (property['x-auto'] === false) marks.push('No AUTO tag.');
  return marks.join(' ');
}

function parameterTable(schema: JsonSchema): string[] {
  const properties = isObject(schema) ? schema['properties'] : undefined;
  if (!isObject(properties) || Object.keys(properties).length === 0) return ['It takes no parameters.'];
  const required = isObject(schema) && Array.isArray(schema['required']) ? schema['required'] : [];
  const rows = Object.entries(properties).map(([name, property]) => {
    const spec = isObject(property) ? property : {};
    const fallback = required.includes(name) ? 'required' : spec['default'] === undefined ? '' : `\`${JSON.stringify(spec['default'])}\``;
    return `| \`${name}\` | ${cell(typeText(spec))} | ${cell(fallback)} | ${cell([String(spec['description'] ?? ''), marksText(spec)].filter(Boolean).join(' '))} |`;
  });
  return ['| parameter | type | default | meaning |', '|---|---|---|---|', ...rows];
}

function resultLines(schema: JsonSchema): string[] {
  if (!isObject(schema)) return ['Result: any value.'];
  const properties = schema['properties'];
  if (!isObject(properties)) return [`Result: ${typeText(schema)}. ${String(schema['description'] ?? '')}`.trim()];
  return [
    '| result | type | meaning |',
    '|---|---|---|',
    ...Object.entries(properties).map(
      ([name, property]) => `| \`${name}\` | ${cell(typeText(property))} | ${cell(isObject(property) ? String(property['description'] ?? '') : '')} |`,
    ),
  ];
}

function facts(spec: ActionSpec): string {
  const parts = [`Effect: ${spec.effect}`];
  if (spec.powers.length > 0) parts.push(`needs: ${spec.powers.join(', ')}`);
  if (spec.engine !== undefined) parts.push('done by the engine, durably');
  if (spec.provider !== undefined) parts.push('needs a configured provider');
  return `${parts.join(' · ')}.`;
}

/** The reference page of a set of actions, as Markdown. */
export function actionsReference(specs: readonly ActionSpec[]): string {
  const lines = [
    '# Actions',
    '',
    'This page is made from the specifications of the actions; `orchestrator actions NAME` prints the same.',
    '',
    'The effect says what happens after a crash that leaves open whether an action took place: `pure`, `read` and `idempotent` ones run again, `keyed` ones run again under the same key, `effectful` ones wait for a person.',
    '',
    ...specs.map(spec => `- [\`${spec.name}\`](#${spec.name.replaceAll('.', '')}): ${spec.summary}`),
    '',
  ];
  for (const spec of specs) {
    lines.push(`## ${spec.name}`, '', spec.summary, '');
    if (spec.description !== undefined) lines.push(spec.description, '');
    lines.push(facts(spec), '', ...parameterTable(spec.parameters), '', ...resultLines(spec.result), '');
    if (spec.example !== undefined) lines.push('```yaml', spec.example, '```', '');
  }
  return `${lines.join('\n').trimEnd()}\n`;
}
