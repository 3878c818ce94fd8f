import { existsSync, readFileSync } from 'node:fs';
import { CODES, type Code } from '../../codes.ts';
import { OrchestratorError } from '../../errors.ts';
import { nearest } from '../../ids.ts';
import type { Invocation } from '../invocation.ts';
import type { Terminal } from '../terminal.ts';

const AREAS: Record<string, string> = {
  '1': 'YAML and schema',
  '2': 'graph and actions',
  '3': 'AUTO and templates',
  '4': 'models',
  '5': 'state and infrastructure',
  '6': 'limits',
  '7': 'the program itself',
};

export function explain(terminal: Terminal, { args, flags }: Invocation): Promise<number> {
  const code = findCode(args[0]!);
  const { name, meaning } = CODES[code];
  const page = pageOf(code);
  if (flags.on('json')) terminal.out(`${JSON.stringify({ v: 1, code, name, area: AREAS[code.charAt(4)], meaning, page }, null, 2)}\n`);
  else
    terminal.out(
      `${terminal.paintOut('strong', `${code} ${name}`)}  ${terminal.paintOut('faint', AREAS[code.charAt(4)] ?? '')}\n\n${page ?? meaning}\n`,
    );
  return Promise.resolve(0);
}

/** `ORC-301`, `orc-301`, `301` or `unclosed-auto`. */
function findCode(text: string): Code {
  const wanted = text.trim().toLowerCase();
  const codes = Object.keys(CODES) as Code[];
  const found = codes.find(code => code.toLowerCase() === wanted || code.slice(4) === wanted || CODES[code].name === wanted);
  if (found !== undefined) return found;
  const near = nearest(wanted, [...codes.map(code => CODES[code].name), ...codes.map(code => code.toLowerCase())], 1)[0];
  throw new OrchestratorError('ORC-518', `there is no code ${text}`, {
    class: 'not_found',
    help:
      near === undefined ? ['a code looks like ORC-301'] : [`orchestrator explain ${near.startsWith('orc-') ? near.toUpperCase() : near}`],
  });
}

/** The section of the reference page about a code, without its heading; undefined where the page is not installed. */
function pageOf(code: Code): string | undefined {
  const path = new URL('../../../docs/reference/errors.md', import.meta.url);
  if (!existsSync(path)) return undefined;
  const text = readFileSync(path, 'utf8');
  const start = text.search(new RegExp(`^#+ .*${code}\\b`, 'm'));
  if (start < 0) return undefined;
  const body = text.slice(text.indexOf('\n', start) + 1);
  const end = body.search(/^#{1,3} /m);
  return (end < 0 ? body : body.slice(0, end)).trim();
}
