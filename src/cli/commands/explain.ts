import { CODES, type Code } from '../../codes.ts';
import { OrchestratorError } from '../../errors.ts';
import { nearest } from '../../ids.ts';
import { explanationOf, EXPLANATIONS } from '../../language/explanations.ts';
import type { Invocation } from '../invocation.ts';
import type { Terminal } from '../terminal.ts';
import { wrap } from '../text.ts';

const COLUMNS = 80;

export function explain(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const code = findCode(args[0]!);
  const { name, meaning } = CODES[code];
  if (flags.on('json')) terminal.out(`${JSON.stringify({ v: 1, code, name, meaning, ...EXPLANATIONS[code] }, null, 2)}\n`);
  else terminal.out(`${terminal.paintOut('strong', `${code} ${name}`)}\n\n${pageLines(explanationOf(code)).join('\n')}\n`);
  return Promise.resolve(0);
}

/** `ORC-301`, `orc-301`, `301` or `unclosed-auto`. */
function findCode(text: string): Code {
  const wanted = text.trim().toLowerCase();
  const codes = Object.keys(CODES) as Code[];
  const found = codes.find(code => code.toLowerCase() === wanted || code.slice(4) === wanted || CODES[code].name === wanted);
  if (found !== undefined) return found;
  const near = nearest(wanted, [...codes.map(code => CODES[code].name), ...codes.map(code => code.toLowerCase())], 1)[0];
  const help = near === undefined ? 'a code looks like ORC-301' : `orchestrator explain ${near.startsWith('orc-') ? near.toUpperCase() : near}`;
  throw new OrchestratorError('ORC-518', `there is no code ${text}`, { class: 'not_found', help: [help] });
}

/** The Markdown of an explanation for a terminal: paragraphs broken, examples indented. */
function pageLines(markdown: string): string[] {
  let inExample = false;
  return markdown.split('\n').flatMap(line => {
    if (line.startsWith('```')) {
      inExample = !inExample;
      return [];
    }
    return inExample ? [`    ${line}`.trimEnd()] : wrap(line, COLUMNS);
  });
}
