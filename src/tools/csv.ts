import { OrchestratorError } from '../errors.ts';
import { setOwn, type Json, type JsonObject } from '../json.ts';

function badCsv(line: number, message: string): OrchestratorError {
  return new OrchestratorError('ORC-227', `Line ${line} of the CSV ${message}.`, { class: 'invalid_input', details: { line } });
}

/** One record and the line on which it begins. */
interface Record {
  fields: string[];
  line: number;
}

/** Records of CSV text by RFC 4180, with LF as well as CRLF and any one character between fields. Time is linear in the text. */
function records(text: string, delimiter: string): Record[] {
  const found: Record[] = [];
  let at = text.startsWith('\uFEFF') ? 1 : 0;
  let line = 1;
  while (at < text.length) {
    const record: Record = { fields: [], line };
    for (;;) {
      let field: string;
      if (text[at] === '"') {
        field = '';
        const opened = line;
        for (let from = at + 1; ; from = at + 1) {
          const close = text.indexOf('"', from);
          if (close < 0) throw badCsv(opened, 'opens a quote that is never closed');
          const part = text.slice(from, close);
          for (let n = part.indexOf('\n'); n >= 0; n = part.indexOf('\n', n + 1)) line++;
          field += part;
          at = close + 1;
          if (text[at] !== '"') break;
          field += '"';
        }
        if (at < text.length && text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r') throw badCsv(line, 'has text after a closing quote');
      } else {
        const from = at;
        while (at < text.length && text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r') {
          if (text[at] === '"') throw badCsv(line, 'has a quote inside a field that is not quoted');
          at++;
        }
        field = text.slice(from, at);
      }
      record.fields.push(field);
      if (text[at] !== delimiter) break;
      at++;
    }
    if (text[at] === '\r') at++;
    if (text[at] === '\n') at++;
    line++;
    found.push(record);
  }
  return found;
}

/** A number as people write it in tables; 012 is a code and 12345678901234567890 a label, because reading them as numbers would change them. */
function isPlainNumber(text: string): boolean {
  if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text)) return false;
  const number = Number(text);
  return Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number));
}

/** How the texts of a column are read: as numbers or booleans only where every one that is not empty is one. */
function readerOf(values: string[]): (text: string) => Json {
  const filled = values.filter(value => value !== '');
  if (filled.length === 0) return text => text;
  if (filled.every(isPlainNumber)) return text => (text === '' ? null : Number(text));
  if (filled.every(value => value === 'true' || value === 'false')) return text => (text === '' ? null : text === 'true');
  return text => text;
}

export interface CsvOptions {
  delimiter: string;
  /** Whether the columns that hold numbers or booleans alone are read as such. */
  infer: boolean;
}

/** Rows of CSV text, whose first record names the columns. */
export function parseCsv(text: string, options: CsvOptions): { columns: string[]; rows: JsonObject[] } {
  const [header, ...body] = records(text, options.delimiter);
  if (header === undefined) return { columns: [], rows: [] };
  const columns = header.fields;
  const twice = columns.find((name, index) => columns.indexOf(name) !== index);
  if (twice !== undefined) throw badCsv(header.line, `names the column ${JSON.stringify(twice)} twice`);
  const kept = body.filter(record => columns.length === 1 || record.fields.length > 1 || record.fields[0] !== '');
  for (const { fields, line } of kept) {
    if (fields.length !== columns.length) throw badCsv(line, `has ${fields.length} fields where the header has ${columns.length}`);
  }
  const readers = columns.map((_, index) => (options.infer ? readerOf(kept.map(record => record.fields[index]!)) : (field: string): Json => field));
  const rows = kept.map(({ fields }) => {
    const row: JsonObject = {};
    columns.forEach((name, index) => setOwn(row, name, readers[index]!(fields[index]!)));
    return row;
  });
  return { columns, rows };
}

function fieldText(value: Json | undefined): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function quoted(text: string, delimiter: string): string {
  return text.includes(delimiter) || /["\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** CSV text by RFC 4180: a header, records that end in CRLF, quotes only where they are needed. Null is an empty field, a list or an object its JSON. */
export function printCsv(columns: string[], rows: JsonObject[], delimiter: string): string {
  if (columns.length === 0) return '';
  const record = (fields: string[]): string => {
    const line = fields.map(field => quoted(field, delimiter)).join(delimiter);
    return line === '' ? '""' : line; // an empty line would be read as no record
  };
  return [record(columns), ...rows.map(row => record(columns.map(name => fieldText(Object.hasOwn(row, name) ? row[name] : undefined))))]
    .map(line => `${line}\r\n`)
    .join('');
}
