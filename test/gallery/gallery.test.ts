/**
 * Mistakes that people make, each with the very text that they are shown. Read the texts when a message changes: `UPDATE=1 vitest run test/gallery`
 * writes them anew, and the difference is what users will see.
 */
import { existsSync, globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
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

/** Codes that no file can have when it is validated, by who says them and why not here. */
const ELSEWHERE: { [reason: string]: string } = {
  'said by `fmt`, which knows the canonical spelling': '118',
  'about the configuration, not the pipeline: test/gallery/commands.test.ts, src/runtime/config': '119 510 519',
  'an action fails while it runs: src/tools, src/engine': '216 218 219 220 221 222 223 224 225 226 227 228 229 230 231 232',
  'a text is rendered, or a condition asked, with values that only a run has: src/engine, src/language/expression': '310 311 315',
  'a model is asked while the pipeline runs: src/runtime, src/models': '314 318 401 402 403 404 405 406 407 408 409 410',
  'about the store, its owner or a run in it: src/store, src/runtime, test/promises': '501 502 503 504 505 506 507 508 509 511 512 514 515 516',
  'about a module of own actions, a file or an option of the command line: src/tools/own.test.ts, test/cli': '513 517 518',
  'about recordings: src/runtime/cassette': '520 521',
  'a limit or a cap is met while the pipeline runs: test/promises/budget.test.ts, src/models': '601 602 606',
  'a fault of ours, which no input may bring about': '700',
};
const REASON_OF = new Map(Object.entries(ELSEWHERE).flatMap(([reason, codes]) => codes.split(' ').map((code): [string, string] => [`ORC-${code}`, reason])));
/** Codes that nobody asserts, because this machine or this version has no way to bring them about. */
const UNPROVED = new Set(['ORC-503']);

test('every code is in the gallery, or listed with the reason why no file can have it', () => {
  const seen = new Set<string>(names.flatMap(name => check(name).codes));
  expect(Object.keys(CODES).filter(code => !seen.has(code) && !REASON_OF.has(code))).toEqual([]);
  expect([...REASON_OF.keys()].filter(code => !Object.hasOwn(CODES, code) || seen.has(code))).toEqual([]);
});

test('every code that is listed so is asserted by another test', () => {
  const root = join(import.meta.dirname, '../..');
  const tests = globSync(['src/**/*.test.ts', 'test/**/*.test.ts', 'test/gallery/commands/*.txt'], { cwd: root }).filter(
    file => !file.endsWith('gallery.test.ts'),
  );
  const texts = tests.map(file => readFileSync(join(root, file), 'utf8')).join('\n');
  expect([...REASON_OF.keys()].filter(code => !texts.includes(code))).toEqual([...UNPROVED]);
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
