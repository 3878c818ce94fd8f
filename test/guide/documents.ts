import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

/** The documents whose snippets are executed. */
export const DOCUMENTS = ['README.md', ...globSync('docs/guides/*.md', { cwd: ROOT }).sort()];

/** A fenced block of a document. */
export interface Block {
  document: string;
  line: number;
  language: string;
  text: string;
}

export function readDocument(name: string): string {
  return readFileSync(join(ROOT, name), 'utf8');
}

export function blocksOf(document: string): Block[] {
  const text = readDocument(document);
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(({ 1: language = '', 2: body = '', index }) => ({
    document,
    line: text.slice(0, index).split('\n').length + 1,
    language,
    text: body,
  }));
}

/** The file that a block of YAML is, where its first line names one: `# papers.yaml`, `# papers.yaml (with mistakes)`. */
export function fileOf({ text }: Block): { name: string; isBroken: boolean } | undefined {
  const found = /^# (\S+\.yaml)( \(with mistakes\))?\n/.exec(text);
  return found === null ? undefined : { name: found[1]!, isBroken: found[2] !== undefined };
}

/** The commands of a console block, each with the lines that are shown below it. */
export function commandsOf({ text }: Block): { line: string; shown: string[] }[] {
  return text
    .split(/^\$ /m)
    .slice(1)
    .map(part => {
      const [line = '', ...shown] = part.split('\n');
      return { line, shown: shown.filter(row => row.trim() !== '' && row !== '…') };
    });
}

/** A line of output without what differs from run to run. */
export function steady(line: string): string {
  return line
    .replaceAll(/run_[0-9a-z]{16}/g, 'RUN')
    .replaceAll(/\b(\d+m \d\d|\d+(\.\d)?) ?(ms|s)\b/g, 'TIME')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
