import { entriesOf } from './filters-text.ts';
import { member } from './members.ts';
import type { Run } from './run.ts';
import { byName, parseSignature, wantInteger, wantText, type FunctionOf } from './signature.ts';
import { Namespace, Secret, type Record, type Value } from './values.ts';

const LONGEST_RANGE = 100_000;

function define(text: string, summary: string, example: string, result: string, run: FunctionOf['run']): FunctionOf {
  const signature = parseSignature(text);
  return { name: signature.name, signature, summary, example, result, run };
}

/** Every function that an expression may call. */
export const FUNCTIONS = byName([
  define('dict(pairs=none, **named)', 'A map from pairs or another map, and from names.', '{{ dict(a=1) }}', '{"a": 1}', ([pairs, named], run) =>
    Object.fromEntries(membersOf(pairs!, named as Record, run)),
  ),
  define(
    'file(path)',
    "The text of a file in the pipeline's folder, read when the pipeline is compiled.",
    "{{ file('greeting.txt') }}",
    'Hello',
    ([path], run) => run.host.file(wantText(path!, 'path', run)),
  ),
  define('file_exists(path)', 'Whether a file is there.', "{{ file_exists('greeting.txt') }}", 'true', ([path], run) =>
    run.host.fileExists(wantText(path!, 'path', run)),
  ),
  define(
    "loop_var(loop, field='item')",
    'A variable of an outer loop that has a `loop_name`.',
    "{{ loop_var('outer', 'index') }}",
    '2',
    ([loop, field], run) => {
      const name = wantText(loop!, 'loop', run);
      const outer = run.lookup(name);
      const value = outer === undefined ? undefined : member(outer, wantText(field!, 'field', run), run);
      if (value === undefined)
        throw run.fail(`there is no \`${name}.${wantText(field!, 'field', run)}\` here`, ['give the outer loop a name: loop_name: outer'], 'ORC-302');
      return value;
    },
  ),
  define(
    'namespace(pairs=none, **named)',
    'A map that `{% set ns.x = … %}` can change, from inside a loop too.',
    '{% set ns = namespace(n=0) %}{% for x in [1, 2] %}{% set ns.n = ns.n + x %}{% endfor %}{{ ns.n }}',
    '3',
    ([pairs, named], run) => new Namespace(new Map(membersOf(pairs!, named as Record, run))),
  ),
  define('now()', 'The time, as ISO text in UTC.', "{{ now() | date('%Y') }}", '2026', (_args, run) => new Date(run.host.now()).toISOString()),
  define(
    'range(start, stop=none, step=1)',
    'The integers from start up to stop, without it; with one argument, from 0.',
    '{{ range(3) }} {{ range(1, 10, 4) }}',
    '[0, 1, 2] [1, 5, 9]',
    ([start, stop, step], run) => {
      const first = wantInteger(start!, 'start', run);
      return stop === null
        ? range(0, first, wantInteger(step!, 'step', run), run)
        : range(first, wantInteger(stop!, 'stop', run), wantInteger(step!, 'step', run), run);
    },
  ),
  define(
    'secret(name)',
    'A handle of a secret, which only the parameter of an action can unwrap.',
    "{{ secret('LAB_TOKEN') }}",
    '{"$secret": "LAB_TOKEN"}',
    ([name], run) => new Secret(wantText(name!, 'name', run)),
  ),
]);

function membersOf(pairs: Value, named: Record, run: Run): [string, Value][] {
  return [...(pairs === null ? [] : entriesOf(pairs, run)), ...Object.entries(named)];
}

function range(from: number, to: number, step: number, run: Run): Value[] {
  if (step === 0) throw run.fail('`step` must not be 0');
  const count = Math.max(0, Math.ceil((to - from) / step));
  if (count > LONGEST_RANGE) throw run.fail(`a range has at most ${LONGEST_RANGE} members`, [], 'ORC-311');
  run.charge(count);
  return Array.from({ length: count }, (_, i) => from + i * step);
}
