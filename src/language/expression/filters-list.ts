import { numberOf } from './numbers.ts';
import { applyBinary, compare, iterate, truth } from './operators.ts';
import { toText } from './print.ts';
import type { Run } from './run.ts';
import { entriesOf } from './filters-text.ts';
import { alias, filter, wantInteger, wantText } from './signature.ts';
import { member } from './members.ts';
import { characters, lengthOf } from './text.ts';
import { Group, isRecord, kindOf, Secret, Undefined, type Record, type Value } from './values.ts';

const length = filter('length', 'How many members a list or map has, how many characters a text.', '{{ [3, 1, 2] | length }}', '3', (input, _args, run) => {
  if (typeof input === 'string') return lengthOf(input);
  if (Array.isArray(input)) return input.length;
  if (isRecord(input)) return Object.keys(input).length;
  throw run.fail(`${kindOf(input)} has no length`);
});
const fallback = filter(
  "default(value='', boolean=false)",
  'Another value where the name or attribute is not defined; with `boolean` also where it is false or empty.',
  "{{ missing | default('none yet') }} {{ '' | default('empty', true) }}",
  'none yet empty',
  (input, [value, boolean], run) => {
    if (input instanceof Secret) throw run.secret();
    return input instanceof Undefined || (boolean === true && !truth(input, run)) ? value! : input;
  },
);

/** The one filter that takes what is not defined; the interpreter computes its arguments only where they are needed. */
export const DEFAULT_FILTER = fallback;

export const LIST_FILTERS = [
  filter('attr(name)', 'An attribute by name.', "{{ {'a': 1} | attr('a') }}", '1', (input, [name], run) =>
    attributeOf(input, [wantText(name!, 'name', run)], null, run),
  ),
  filter(
    'batch(linecount, fill_with=none)',
    'Lists of so many members each; the last is filled up where a filling is given.',
    '{{ [1, 2, 3] | batch(2, 0) }}',
    '[[1, 2], [3, 0]]',
    (input, [count, filling], run) => batch(iterate(input, run), wantInteger(count!, 'linecount', run, 1), filling!, run),
  ),
  length,
  alias('count', length),
  fallback,
  alias('d', fallback),
  filter(
    "dictsort(case_sensitive=false, by='key', reverse=false)",
    'The pairs of a map, sorted by key or value.',
    "{{ {'b': 1, 'a': 2} | dictsort }}",
    '[["a", 2], ["b", 1]]',
    (input, [sensitive, by, reverse], run) => {
      if (by !== 'key' && by !== 'value') throw run.fail('`by` is key or value');
      if (!isRecord(input)) throw run.fail(`\`dictsort\` wants a map, not ${kindOf(input)}`);
      const pairs: Value[][] = entriesOf(input, run);
      return sortBy(pairs, [pair => folded((pair as Value[])[by === 'key' ? 0 : 1]!, sensitive === true)], reverse === true, run);
    },
  ),
  filter(
    'first',
    'The first member.',
    '{{ [3, 1, 2] | first }}',
    '3',
    (input, _args, run) => (typeof input === 'string' ? characters(input.slice(0, 2)) : iterate(input, run))[0] ?? emptyList('first'),
  ),
  filter(
    'groupby(attribute, default=none, case_sensitive=false)',
    'Sorts by an attribute and gives a list of (value, members) for each value.',
    "{% for k, v in [{'t': 'a', 'n': 1}, {'t': 'a', 'n': 2}] | groupby('t') %}{{ k }}: {{ v | length }}{% endfor %}",
    'a: 2',
    (input, [attribute, other, sensitive], run) => groupBy(iterate(input, run), attribute!, other!, sensitive === true, run),
  ),
  filter("join(d='', attribute=none)", 'Joins the members as text.', "{{ [1, 2, 3] | join(', ') }}", '1, 2, 3', (input, [separator, attribute], run) => {
    const between = toText(separator!, run);
    const get = getter(attribute!, null, run);
    let size = 0;
    const texts = iterate(input, run).map(item => {
      const text = toText(get(item), run);
      size += text.length + between.length;
      run.limit(size);
      return text;
    });
    run.reserve(size);
    return texts.join(between);
  }),
  filter(
    'last',
    'The last member.',
    '{{ [3, 1, 2] | last }}',
    '2',
    (input, _args, run) => iterate(typeof input === 'string' ? input.slice(-2) : input, run).at(-1) ?? emptyList('last'),
  ),
  filter('list', 'A list of the members; of the characters, where it is a text.', "{{ 'abc' | list }}", '["a", "b", "c"]', (input, _args, run) => [
    ...iterate(input, run),
  ]),
  filter(
    'map(*values, **named)',
    'Takes an attribute of every member (`attribute=`, `default=`), or applies a filter to it.',
    "{{ [{'n': 1}, {'n': 2}] | map(attribute='n') }} {{ ['a'] | map('upper') }}",
    '[1, 2] ["A"]',
    (input, [values, named], run) => mapOver(input, values as Value[], named as Record, run),
  ),
  filter('max(case_sensitive=false, attribute=none)', 'The largest member.', '{{ [3, 1, 2] | max }}', '3', (input, [sensitive, attribute], run) =>
    extreme(input, 1, sensitive === true, attribute!, run),
  ),
  filter('min(case_sensitive=false, attribute=none)', 'The smallest member.', '{{ [3, 1, 2] | min }}', '1', (input, [sensitive, attribute], run) =>
    extreme(input, -1, sensitive === true, attribute!, run),
  ),
  filter('reject(*values, **named)', 'The members that do not pass a test.', "{{ [1, 2, 3] | reject('odd') }}", '[2]', (input, args, run) =>
    choose(input, args, false, false, run),
  ),
  filter(
    'rejectattr(attribute, *values, **named)',
    'The members whose attribute does not pass a test.',
    "{{ [{'n': 1}, {'n': 2}] | rejectattr('n', 'odd') }}",
    '[{"n": 2}]',
    (input, args, run) => choose(input, args, true, false, run),
  ),
  filter(
    'reverse',
    'The members, or the characters, from last to first.',
    "{{ [1, 2, 3] | reverse }} {{ 'abc' | reverse }}",
    '[3, 2, 1] cba',
    (input, _args, run) => {
      const items = [...iterate(input, run)].reverse();
      return typeof input === 'string' ? items.join('') : items;
    },
  ),
  filter(
    'select(*values, **named)',
    'The members that pass a test; without one, those that are true.',
    "{{ [1, 2, 3] | select('odd') }} {{ [0, 1] | select }}",
    '[1, 3] [1]',
    (input, args, run) => choose(input, args, false, true, run),
  ),
  filter(
    'selectattr(attribute, *values, **named)',
    'The members whose attribute passes a test; without one, is true.',
    "{{ [{'n': 1}, {'n': 2}] | selectattr('n', '>', 1) }}",
    '[{"n": 2}]',
    (input, args, run) => choose(input, args, true, true, run),
  ),
  filter(
    'slice(slices, fill_with=none)',
    'So many lists of about the same length.',
    '{{ [1, 2, 3] | slice(2) }}',
    '[[1, 2], [3]]',
    (input, [slices, filling], run) => sliceInto(iterate(input, run), wantInteger(slices!, 'slices', run, 1, 100_000), filling!, run),
  ),
  filter(
    'sort(reverse=false, case_sensitive=false, attribute=none)',
    'The members in order; `attribute` may name several, separated by commas.',
    '{{ [3, 1, 2] | sort }}',
    '[1, 2, 3]',
    (input, [reverse, sensitive, attribute], run) => {
      const parts = typeof attribute === 'string' ? attribute.split(',') : [attribute!];
      const keys = parts.map(part => {
        const get = getter(part, null, run);
        return (item: Value): Value => folded(get(item), sensitive === true);
      });
      return sortBy(iterate(input, run), keys, reverse === true, run);
    },
  ),
  filter('sum(attribute=none, start=0)', 'The sum of the members.', '{{ [1, 2, 3] | sum }}', '6', (input, [attribute, start], run) => {
    const get = getter(attribute!, null, run);
    return iterate(input, run).reduce((total, item) => applyBinary('+', total, run.data(get(item)), run), start!);
  }),
  filter(
    'unique(case_sensitive=false, attribute=none)',
    'The members without those that came before.',
    "{{ ['a', 'b', 'A'] | unique }}",
    '["a", "b"]',
    (input, [sensitive, attribute], run) => {
      const get = getter(attribute!, null, run);
      const seen = new Set<string>();
      return iterate(input, run).filter(item => {
        const key = identity(folded(get(item), sensitive === true), run);
        return !seen.has(key) && seen.add(key);
      });
    },
  ),
];

function emptyList(what: string): Undefined {
  return new Undefined(() => ({
    code: 'ORC-310',
    message: `there is no ${what} member: the list is empty`,
    help: [`say what it is then: x | ${what} | default('…')`],
  }));
}

/** A getter for `attribute=`: a name, a place, or a path with dots; none takes the member itself. */
function getter(attribute: Value, other: Value, run: Run): (item: Value) => Value {
  if (attribute === null) return item => item;
  const parts = toText(attribute, run).split('.');
  return item => attributeOf(item, parts, other, run);
}

function attributeOf(item: Value, parts: string[], other: Value, run: Run): Value {
  let value = item;
  for (const part of parts) {
    if (value instanceof Undefined) return value;
    const found = member(value, /^\d+$/.test(part) ? (isRecord(value) ? part : Number(part)) : part, run);
    if (found !== undefined) value = found;
    else if (other !== null) value = other;
    else
      value = new Undefined(() => ({
        code: 'ORC-310',
        message: `a member has no \`${part}\``,
        help: [`say what it is then: x | map(attribute='${parts.join('.')}', default='…')`],
      }));
  }
  return value;
}

function folded(value: Value, sensitive: boolean): Value {
  return typeof value === 'string' && !sensitive ? value.toLowerCase() : value;
}

/** Sorts by keys, the first that differ; what compares equal keeps its order. */
function sortBy(items: Value[], keysOf: ((item: Value) => Value)[], reverse: boolean, run: Run): Value[] {
  run.charge(items.length * keysOf.length);
  const keyed = items.map(item => ({ item, keys: keysOf.map(keyOf => keyOf(item)) }));
  const sign = reverse ? -1 : 1;
  const order = (a: Value[], b: Value[]): number => {
    for (let i = 0; i < a.length; i++) {
      const found = compare(a[i]!, b[i]!, run);
      if (found !== 0) return found;
    }
    return 0;
  };
  return keyed.sort((a, b) => sign * order(a.keys, b.keys)).map(entry => entry.item);
}

/** Equal values have equal texts: 1, 1.0 and true are one, as in Python. */
function identity(raw: Value, run: Run): string {
  const value = run.data(raw);
  const number = numberOf(value);
  if (number !== undefined) return `n${number}`;
  if (typeof value === 'object' && value !== null) return `j${toText(value, run)}`;
  return `${typeof value}${String(value)}`;
}

function batch(items: Value[], count: number, filling: Value, run: Run): Value[] {
  const out: Value[][] = [];
  for (let i = 0; i < items.length; i += count) out.push(items.slice(i, i + count));
  const last = out.at(-1);
  if (last !== undefined && filling !== null) {
    run.charge(count - last.length);
    while (last.length < count) last.push(filling);
  }
  return out;
}

function sliceInto(items: Value[], slices: number, filling: Value, run: Run): Value[] {
  run.charge(slices);
  const least = Math.floor(items.length / slices);
  const larger = items.length % slices;
  return Array.from({ length: slices }, (_, i) => {
    const from = i * least + Math.min(i, larger);
    const part = items.slice(from, from + least + (i < larger ? 1 : 0));
    return filling !== null && i >= larger ? [...part, filling] : part;
  });
}

function groupBy(items: Value[], attribute: Value, other: Value, sensitive: boolean, run: Run): Value[] {
  const get = getter(attribute, other, run);
  const groups: Group[] = [];
  let last: Value;
  for (const item of sortBy(items, [each => folded(get(each), sensitive)], false, run)) {
    const key = folded(get(item), sensitive);
    const current = groups.at(-1);
    if (current !== undefined && compare(last!, key, run) === 0) (current[1] as Value[]).push(item);
    else groups.push(Group.of(get(item), [item]) as Group);
    last = key;
  }
  return groups;
}

function mapOver(input: Value, values: Value[], named: Record, run: Run): Value[] {
  if (!truth(input, run)) return [];
  if (values.length === 0 && Object.hasOwn(named, 'attribute')) {
    const unknown = Object.keys(named).find(name => name !== 'attribute' && name !== 'default');
    if (unknown !== undefined) throw run.fail(`\`map\` has no argument \`${unknown}\``, [], 'ORC-308');
    const get = getter(named['attribute']!, Object.hasOwn(named, 'default') ? named['default']! : null, run);
    return iterate(input, run).map(get);
  }
  const [name, ...rest] = values;
  if (name === undefined) throw run.fail('`map` needs the name of a filter, or attribute=', ["x | map('upper')", "x | map(attribute='name')"], 'ORC-308');
  const filterName = wantText(name, 'the filter', run);
  return iterate(input, run).map(item => run.callFilter(filterName, item, rest, named));
}

/** select, reject, selectattr and rejectattr: the members for which a test (or truth itself) says what is wanted. */
function choose(input: Value, args: Value[], byAttribute: boolean, wanted: boolean, run: Run): Value[] {
  if (!truth(input, run)) return [];
  const get = getter(byAttribute ? args[0]! : null, null, run);
  const [name, ...rest] = args.at(-2) as Value[];
  const named = args.at(-1) as Record;
  const testName = name === undefined ? undefined : wantText(name, 'the test', run);
  return iterate(input, run).filter(item => {
    const value = get(item);
    return (testName === undefined ? truth(value, run) : run.callTest(testName, value, rest, named)) === wanted;
  });
}

function extreme(input: Value, sign: number, sensitive: boolean, attribute: Value, run: Run): Value {
  const get = getter(attribute, null, run);
  let best: Value = new Undefined(() => ({ code: 'ORC-310', message: 'the list is empty', help: ['say what it is then: x | max | default(0)'] }));
  let bestKey: Value = null;
  for (const item of iterate(input, run)) {
    const key = folded(get(item), sensitive);
    if (!(best instanceof Undefined) && compare(key, bestKey, run) * sign <= 0) continue;
    [best, bestKey] = [item, key];
  }
  return best;
}
