import { isObject, type Json, type JsonObject } from '../../json.ts';
import { describeSchema } from '../../schema.ts';
import { CONFIG_NAME } from './load.ts';
import { CONFIG_SCHEMA, DEFAULTS } from './schema.ts';

const TRUST = [
  '## Who may grant power',
  '',
  'A configuration that lies in a folder may come from a stranger. What grants power counts only',
  '',
  '- from your own file, `~/.config/orchestrator/config.yaml`,',
  '- from the file given as `--config FILE`,',
  '- from a project file that you trusted as it is now: `orchestrator trust`,',
  '- where `ORCHESTRATOR_TRUST=1` is set, as in CI.',
  '',
  'Otherwise it is left out, and the message names its line and the command. Power is: a `policy` wider than the default, `${cmd:…}`, a `${file:…}` outside the folder, the `command` of an MCP server, modules of `actions`, a store, cache, backup or log outside the folder, an address (`base_url`, `resource_name`, `region`) that would be sent a key of yours, and what bears on your money and your disk: `models.hub`, `may_cost_more`, the `cost` of a model that is served by a provider of yours, and a `budget` above the one that your own file sets. A model that it names as the default is none: a pipeline may name the same.',
];

/** The reference page of the configuration, as Markdown. */
export function configReference(): string {
  const lines = [
    '# The configuration',
    '',
    'This page is made from the schema of the configuration; `orchestrator schema config` prints it for editors.',
    '',
    `\`${CONFIG_NAME}\` is looked for in the working folder and upwards. Your own \`~/.config/orchestrator/config.yaml\` lies beneath it. Every key is optional; an unknown key is an error.`,
    'Relative paths begin at the folder of the file. `ORCHESTRATOR_STATE_URL` wins over `state.url`.',
    'A text may hold `${env:NAME}`, `${file:PATH}` and `${cmd:COMMAND}`; they are looked up when the value is needed. A bare number of time is seconds.',
    '',
    '| key | value | default | meaning |',
    '|---|---|---|---|',
    ...rows(CONFIG_SCHEMA as JsonObject, '', DEFAULTS as unknown as Json),
    '',
    ...TRUST,
  ];
  return `${lines.join('\n')}\n`;
}

function rows(schema: JsonObject, prefix: string, defaults: Json | undefined): string[] {
  const properties = isObject(schema['properties']) ? schema['properties'] : {};
  return Object.entries(properties).flatMap(([name, member]) => {
    if (!isObject(member)) return [];
    const key = prefix + name;
    const fallback = isObject(defaults) ? defaults[name] : undefined;
    const inner = innerOf(member);
    const row = `| \`${key}\` | ${valueText(member)} | ${fallback === undefined || isObject(fallback) ? '' : `\`${JSON.stringify(fallback)}\``} | ${cell(String(member['description'] ?? ''))} |`;
    // Variants hold the same keys again.
    return key === 'environments' || inner === undefined ? [row] : [row, ...rows(inner.schema, `${key}${inner.suffix}`, fallback)];
  });
}

/** What is described further below a key: its own members, those of each named entry, or those of each item. */
function innerOf(schema: JsonObject): { schema: JsonObject; suffix: string } | undefined {
  if (isObject(schema['properties'])) return { schema, suffix: '.' };
  if (isObject(schema['additionalProperties']) && isObject(schema['additionalProperties']['properties']))
    return { schema: schema['additionalProperties'], suffix: '.NAME.' };
  if (isObject(schema['items']) && isObject(schema['items']['properties'])) return { schema: schema['items'], suffix: '[].' };
  return undefined;
}

function valueText(schema: JsonObject): string {
  if (isObject(schema['additionalProperties']) || isObject(schema['properties']) || schema['type'] === 'object') return 'map';
  if (schema['type'] === 'array' && isObject(schema['items']) && isObject(schema['items']['properties'])) return 'list of maps';
  return cell(JSON.stringify(schema).includes('(ms|s|m|h|d|w)') ? 'time: 90, 90s, 2m, 1h30m' : describeSchema(schema));
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
