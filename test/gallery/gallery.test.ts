/**
 * Mistakes that people make, each with the very text that they are shown. Read the texts when a message changes: `UPDATE=1 vitest run test/gallery`
 * writes them anew, and the difference is what users will see.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { checkPipeline } from '../../src/cli/compiling.ts';
import { countProblems, renderProblems } from '../../src/cli/frame.ts';
import { plain, widthOf } from '../../src/cli/text.ts';
import { CODES } from '../../src/codes.ts';
import { actionSpecs, DEFAULT_POLICY } from '../../src/tools/index.ts';

const folder = join(import.meta.dirname, 'cases');
const names = readdirSync(folder)
  .filter(name => name.endsWith('.yaml'))
  .map(name => name.slice(0, -'.yaml'.length))
  .sort();
const specs = actionSpecs();

/** A case may begin with `# limits: tasks=2 fileMiB=0.0001`. */
function limitsOf(text: string): { tasks: number; fileMiB: number } {
  const given = Object.fromEntries([...(/^# limits: (.*)/.exec(text)?.[1] ?? '').matchAll(/(\w+)=([\d.]+)/g)].map(([, name, value]) => [name, Number(value)]));
  return { tasks: 100_000, fileMiB: 16, ...given };
}

function check(name: string): { text: string; codes: string[] } {
  const text = readFileSync(join(folder, `${name}.yaml`), 'utf8');
  const { diagnostics, result } = checkPipeline({ name: `${name}.yaml`, text, folder }, { specs, policy: DEFAULT_POLICY, limits: limitsOf(text) });
  const shown = renderProblems(diagnostics, { paint: plain, columns: 80, fixCommand: `orchestrator validate --fix ${name}.yaml` });
  return { text: `${shown}\n${result.plan === null ? '✕' : '✓'} ${countProblems(diagnostics)}\n`, codes: diagnostics.map(problem => problem.code) };
}

test.each(names)('%s', name => {
  const { text } = check(name);
  const path = join(folder, `${name}.txt`);
  if (process.env['UPDATE'] === '1') writeFileSync(path, text);
  expect(text).toBe(existsSync(path) ? readFileSync(path, 'utf8') : undefined);
});

/** What validating never says: ORC-118 is said by `fmt`, the others by runs, stores and calls. */
const ELSEWHERE = (code: string): boolean => /^ORC-(118|119|21[6-9]|22\d|23[0-3]|31[01458]|[457]\d\d|601|602|606)$/.test(code);

test('every problem that validating can find is in the gallery', () => {
  const seen = new Set(names.flatMap(name => check(name).codes));
  expect(Object.keys(CODES).filter(code => !seen.has(code) && !ELSEWHERE(code))).toEqual([]);
});

test('messages are one line without a full stop, say no harsh word, and lines fit a terminal', () => {
  const offences = names.flatMap(name => {
    const lines = check(name).text.split('\n');
    const harsh = lines.filter(line => /^(error|warning|info)\[/.test(line) && /\.$|\b(invalid|illegal|bad|wrong|fatal)\b/i.test(line.replace(/\[.*?\]/, '')));
    const wide = lines.filter(line => widthOf(line) > 80 && !/^(error|warning|info)\[|= (help|fix):|orchestrator |^ {12}/.test(line));
    return [...harsh, ...wide].map(line => `${name}: ${line}`);
  });
  expect(offences).toEqual([]);
});
