import { extname } from 'node:path';
import { OrchestratorError } from '../errors.ts';
import { isObject, type Json, type JsonObject } from '../json.ts';
import { parseCsv, printCsv } from './csv.ts';
import { decodeText, readBytes, writeBytes } from './files.ts';
import { badParameter, flag, given, optionalText, text } from './parameters.ts';
import type { ActionContext } from './port.ts';

export const FORMATS = ['csv', 'tsv', 'json', 'jsonl', 'yaml'] as const;
export type Format = (typeof FORMATS)[number];

/** Bytes of a data file that are read into memory. */
const MAX_DATA_BYTES = 64 * 1024 * 1024;
const EXTENSIONS: Record<string, Format> = {
  '.csv': 'csv',
  '.tsv': 'tsv',
  '.tab': 'tsv',
  '.json': 'json',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.yaml': 'yaml',
  '.yml': 'yaml',
};

function badData(message: string, help: string[] = []): OrchestratorError {
  return new OrchestratorError('ORC-227', message, { class: 'invalid_input', help });
}

function formatNamed(parameters: JsonObject, name: string): Format | undefined {
  const value = optionalText(parameters, name)?.toLowerCase();
  if (value === undefined) return undefined;
  const format = value === 'yml' ? 'yaml' : value === 'ndjson' ? 'jsonl' : FORMATS.find(known => known === value);
  if (format === undefined) throw badParameter(name, `one of ${FORMATS.join(', ')}`);
  return format;
}

function formatOfFile(path: string): Format | undefined {
  return EXTENSIONS[extname(path).toLowerCase()];
}

function parseJson(content: string, where: string): Json {
  try {
    return JSON.parse(content) as Json;
  } catch (error) {
    throw badData(`${where} is not JSON: ${(error as Error).message}.`);
  }
}

async function parseYaml(content: string): Promise<Json> {
  const { parseDocument } = await import('yaml');
  const document = parseDocument(content, { maxAliasCount: 0, prettyErrors: true } as Parameters<typeof parseDocument>[1]);
  const [problem] = document.errors;
  if (problem !== undefined) throw badData(`The YAML cannot be read: ${problem.message.split('\n')[0]}`);
  try {
    return (document.toJS({ maxAliasCount: 0 }) ?? null) as Json;
  } catch (error) {
    throw badData(`The YAML cannot be read: ${(error as Error).message}`);
  }
}

function parseJsonLines(content: string): Json[] {
  return content.split('\n').flatMap((line, index) => (line.trim() === '' ? [] : [parseJson(line, `Line ${index + 1}`)]));
}

function delimiterOf(parameters: JsonObject, format: Format): string {
  const delimiter = optionalText(parameters, 'delimiter') ?? (format === 'tsv' ? '\t' : ',');
  if (delimiter.length !== 1 || /["\r\n]/.test(delimiter)) throw badParameter('delimiter', 'one character, and neither a quote nor a line break');
  return delimiter;
}

async function parse(content: string, format: Format, parameters: JsonObject): Promise<Json> {
  if (format === 'json') return parseJson(content, 'The text');
  if (format === 'jsonl') return parseJsonLines(content);
  if (format === 'yaml') return parseYaml(content);
  return parseCsv(content, { delimiter: delimiterOf(parameters, format), infer: flag(parameters, 'infer') }).rows;
}

/** The value that an action works on: `data` as it is, or parsed where it is text; else what the file `input` holds. */
export async function readData(parameters: JsonObject, context: ActionContext): Promise<Json> {
  const data = given(parameters, 'data');
  const input = optionalText(parameters, 'input');
  const named = formatNamed(parameters, 'format');
  if (data !== undefined) {
    if (input !== undefined) throw badParameter('input', 'left out where data is given');
    if (typeof data !== 'string') return data;
    return parse(data, named ?? (/^\s*[[{]/.test(data) ? 'json' : 'csv'), parameters);
  }
  if (input === undefined) throw new OrchestratorError('ORC-211', 'One of the parameters data and input is required.', { class: 'invalid_input' });
  const format = named ?? formatOfFile(input);
  if (format === undefined) throw badData(`The name ${input} does not say in which format the file is.`, [`name it: format: ${FORMATS.join(' | ')}`]);
  return parse(decodeText(await readBytes(input, context, MAX_DATA_BYTES), input), format, parameters);
}

/** Rows of a table: a list of objects; a lone object is a table of one row. */
export function rowsOf(data: Json, name = 'data'): JsonObject[] {
  const list = Array.isArray(data) ? data : [data];
  return list.map((row, index) => {
    if (!isObject(row))
      throw badData(
        `${name} must be a list of objects, and its member ${index} is ${row === null ? 'null' : Array.isArray(row) ? 'a list' : `a ${typeof row}`}.`,
      );
    return row;
  });
}

/** Names of the columns, in the order in which they first appear. */
export function columnsOf(rows: JsonObject[]): string[] {
  const names = new Set<string>();
  for (const row of rows) for (const name of Object.keys(row)) names.add(name);
  return [...names];
}

export async function printData(data: Json, format: Format, parameters: JsonObject): Promise<string> {
  if (format === 'json') return `${JSON.stringify(data, null, 2)}\n`;
  if (format === 'jsonl') return (Array.isArray(data) ? data : [data]).map(row => `${JSON.stringify(row)}\n`).join('');
  if (format === 'yaml') return (await import('yaml')).stringify(data, { aliasDuplicateObjects: false, lineWidth: 0 });
  const rows = rowsOf(data);
  return printCsv(columnsOf(rows), rows, delimiterOf({ ...parameters, delimiter: given(parameters, 'output_delimiter') ?? null }, format));
}

/** The result of a data action: the data, or the file that `output` names. */
export async function giveData(data: Json, parameters: JsonObject, context: ActionContext): Promise<JsonObject> {
  const rows = Array.isArray(data) ? data.length : 1;
  const output = optionalText(parameters, 'output');
  const format = formatNamed(parameters, 'output_format');
  if (output !== undefined) {
    const chosen = format ?? formatOfFile(output);
    if (chosen === undefined) throw badData(`The name ${output} does not say in which format to write.`, [`name it: output_format: ${FORMATS.join(' | ')}`]);
    await writeBytes(output, await printData(data, chosen, parameters), context);
    return { path: text(parameters, 'output'), rows };
  }
  const table = Array.isArray(data) && data.length > 0 && data.every(isObject) ? { columns: columnsOf(data as JsonObject[]) } : {};
  return { data: format === undefined ? data : await printData(data, format, parameters), rows, ...table };
}
