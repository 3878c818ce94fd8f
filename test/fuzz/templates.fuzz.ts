/**
 * Fuzzes expressions and templates: whatever the text, parsing and evaluating end, and every error is an ExpressionError or a problem
 * whose place lies inside the text. Where Python with Jinja2 is at hand, texts of a common subset are also compared with the real one.
 *
 *   node test/fuzz/templates.fuzz.ts --count 20000 --seed 1
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import {
  calls,
  evaluate,
  ExpressionError,
  loneExpression,
  parseExpression,
  parseTemplate,
  references,
  renderSegments,
  render,
  scopeOf,
  type EvalContext,
  type ExpressionProblem,
} from '../../src/language/expression/index.ts';
import { randomOf, type Random } from './template-random.ts';
import { anyTemplate, commonTemplate, mutate, anyExpression } from './template-grammar.ts';

const DATA = {
  n: 3,
  zero: 0,
  f: 2.5,
  s: 'Hello big world',
  e: '',
  u: 'ünï😀code',
  t: true,
  nothing: null,
  xs: [3, 1, 2],
  ws: ['b', 'a', 'B'],
  none_of: [],
  d: { a: 1, b: { c: [10, 20] }, items: 'own' },
  rows: [
    { id: 1, ok: true, tag: 'a', s: 0.5 },
    { id: 2, ok: false, tag: 'b', s: 1.5 },
    { id: 3, ok: true, tag: 'a', s: 0.25 },
  ],
};
const CONTEXT: EvalContext = {
  scope: scopeOf(DATA),
  host: { now: () => 1_767_225_600_000, fileExists: path => path === 'a', file: () => 'text' },
  fuel: { steps: 20_000, output: 100_000 },
};
/** Nothing of this size may take so long, on a machine however slow. */
const SLOWEST_MS = 3000;

/** What is wrong with how one text was treated, or undefined. */
function check(text: string): string | undefined {
  const began = performance.now();
  try {
    const found = checkExpression(text) ?? checkTemplate(text);
    if (found !== undefined) return found;
  } catch (error) {
    return `threw ${(error as Error).stack ?? String(error)}`;
  }
  const took = performance.now() - began;
  return took > SLOWEST_MS ? `took ${Math.round(took)} ms` : undefined;
}

function checkExpression(text: string): string | undefined {
  const { expr, problems } = parseExpression(text, { units: text.length % 2 === 0 });
  const misplaced = problemsOutside(problems, text);
  if (misplaced !== undefined) return misplaced;
  if (expr === null) return problems.length > 0 ? undefined : 'no expression and no problem';
  const places = [...references(expr).flatMap(each => [each, ...each.steps]), ...calls(expr)];
  return placesOutside(places, text) ?? attempt(text, () => JSON.stringify(evaluate(expr, CONTEXT)));
}

function checkTemplate(text: string): string | undefined {
  const { template, problems } = parseTemplate(text);
  const misplaced = problemsOutside(problems, text);
  if (misplaced !== undefined) return misplaced;
  if (template === null) return problems.length > 0 ? undefined : 'no template and no problem';
  loneExpression(template);
  const places = [...references(template).flatMap(each => [each, ...each.steps]), ...calls(template)];
  return placesOutside(places, text) ?? attempt(text, () => renderSegments(template, CONTEXT).join(''));
}

function attempt(text: string, run: () => string | undefined): string | undefined {
  try {
    return run() === undefined ? 'gave no JSON' : undefined;
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return placesOutside([error], text);
  }
}

function problemsOutside(problems: readonly ExpressionProblem[], text: string): string | undefined {
  return problems.some(problem => problem.message === '') ? 'a problem says nothing' : placesOutside(problems, text);
}

function placesOutside(places: readonly { start: number; end: number }[], text: string): string | undefined {
  const bad = places.find(({ start, end }) => !(start >= 0 && start <= end && end <= text.length));
  return bad === undefined ? undefined : `a place outside the text: ${bad.start} to ${bad.end} of ${text.length}`;
}

const PYTHON = `
import json, sys, types
import jinja2
def show(v):
    if v is True: return 'true'
    if v is False: return 'false'
    if v is None: return 'null'
    if isinstance(v, (list, tuple, dict)): return json.dumps(v, ensure_ascii=False)
    if isinstance(v, types.GeneratorType) or type(v).__name__ in ('dict_keys', 'dict_values', 'dict_items', 'range', 'list_reverseiterator'): return json.dumps(list(v), ensure_ascii=False)
    return v
env = jinja2.Environment(undefined=jinja2.StrictUndefined, finalize=show, keep_trailing_newline=True, extensions=['jinja2.ext.loopcontrols'])
request = json.load(sys.stdin)
answers = []
for text in request['texts']:
    try: answers.append({'text': env.from_string(text).render(**request['data'])})
    except Exception as error: answers.append({'error': type(error).__name__ + ': ' + str(error)})
json.dump(answers, sys.stdout)
`;

/** The answers of the real Jinja2, or undefined where there is none. */
function askJinja(texts: readonly string[]): ({ text: string } | { error: string })[] | undefined {
  const done = spawnSync('/usr/bin/python3', ['-c', PYTHON], { input: JSON.stringify({ texts, data: DATA }), encoding: 'utf8', maxBuffer: 1 << 30 });
  return done.status === 0 ? (JSON.parse(done.stdout) as ({ text: string } | { error: string })[]) : undefined;
}

function ours(text: string): { text: string } | { error: string } {
  const { template, problems } = parseTemplate(text);
  if (template === null || problems.length > 0) return { error: problems[0]!.message };
  try {
    return { text: render(template, CONTEXT) };
  } catch (error) {
    return { error: String(error) };
  }
}

function differences(random: Random, count: number): { compared: number; failures: string[] } {
  const texts = Array.from({ length: count }, () => commonTemplate(random));
  const answers = askJinja(texts);
  if (answers === undefined) return { compared: 0, failures: [] };
  const failures = texts.flatMap((text, i) => {
    const theirs = answers[i]!;
    const mine = ours(text);
    const same = 'text' in theirs ? 'text' in mine && mine.text === theirs.text : 'error' in mine;
    return same ? [] : [`${JSON.stringify(text)}\n    jinja2: ${JSON.stringify(theirs)}\n    ours:   ${JSON.stringify(mine)}`];
  });
  return { compared: count, failures };
}

const { values } = parseArgs({ options: { count: { type: 'string', default: '20000' }, seed: { type: 'string', default: '1' } } });
const count = Number(values.count);
const random = randomOf(Number(values.seed));
const failures: string[] = [];
const started = performance.now();
let inputs = 0;
while (inputs < count) {
  const grown = random(2) === 0 ? anyExpression(random, 3) : anyTemplate(random);
  const text = random(3) === 0 ? grown : mutate(random, grown);
  const found = check(text);
  if (found !== undefined) failures.push(`${JSON.stringify(text)}\n    ${found}`);
  inputs++;
}
let compared = 0;
for (let rest = Math.ceil(count / 2); rest > 0; rest -= 5000) {
  const batch = differences(random, Math.min(rest, 5000));
  if (batch.compared === 0) break;
  compared += batch.compared;
  failures.push(...batch.failures);
}
for (const failure of failures.slice(0, 20)) console.log(failure);
console.log(compared > 0 ? `compared with Jinja2: ${compared}` : 'compared with Jinja2: none, there is no python3 with jinja2 here');
console.log(`${inputs + compared} inputs, ${failures.length} failures (seed ${values.seed}, ${Math.round((performance.now() - started) / 1000)} s)`);
process.exitCode = failures.length > 0 ? 1 : 0;
