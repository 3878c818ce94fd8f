import type { RunDocument } from '../engine/document.ts';
import type { Json } from '../json.ts';
import { escapeControls } from './text.ts';
import type { Terminal } from './terminal.ts';

/** Prints the outputs of a run: one text as it is, anything else as YAML. */
export async function printOutputs(terminal: Terminal, { outputs }: RunDocument): Promise<void> {
  const entries = Object.entries(outputs);
  if (entries.length === 0) return;
  const only = entries.length === 1 ? entries[0]![1] : undefined;
  const text = typeof only === 'string' ? ended(only) : await readable(outputs);
  // A terminal must not be steered by what a model wrote; a file or a pipe gets the bytes as they are.
  terminal.out(terminal.outIsTerminal ? escapeControls(text) : text);
}

function ended(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}

/** A value as YAML, the form in which its reader writes values. */
export async function readable(value: Json): Promise<string> {
  const { stringify } = await import('yaml');
  return ended(stringify(value, { lineWidth: 0, aliasDuplicateObjects: false }));
}
