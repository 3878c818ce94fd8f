import { formatBraces } from './format.ts';
import { member } from './members.ts';
import { equals, iterate, keyText } from './operators.ts';
import { wantSeparator } from './filters-text.ts';
import type { Run } from './run.ts';
import { parseSignature, wantInteger, wantText, type Described } from './signature.ts';
import { replaceText, splitText, strip, titleMethod } from './text.ts';
import { isRecord, isView, kindOf, Loop, type Record, type Value } from './values.ts';

type Kind = 'text' | 'list' | 'map' | 'loop';

export interface Method extends Described {
  /** The kinds of value that have it. */
  readonly on: readonly Kind[];
  readonly run: (self: Value, args: Value[], run: Run) => Value;
}

function method(on: Kind[], text: string, summary: string, example: string, result: string, run: Method['run']): Method {
  const signature = parseSignature(text);
  return { name: signature.name, signature, summary, example, result, on, run };
}

const ALL: Method[] = [
  method(
    ['text', 'list'],
    'count(item)',
    'How often a text or list holds something.',
    "{{ 'banana'.count('an') }} {{ [1, 2, 1].count(1) }}",
    '2 2',
    (self, [item], run) => {
      if (Array.isArray(self)) return iterate(self, run).filter(each => equals(each, item!, run)).length;
      const part = wantText(item!, 'item', run);
      run.charge(1 + ((self as string).length >> 6));
      return part === '' ? Array.from(self as string).length + 1 : (self as string).split(part).length - 1;
    },
  ),
  method(['text'], 'endswith(suffix)', 'Whether the text ends with another.', "{{ 'a.md'.endswith('.md') }}", 'true', (self, [suffix], run) =>
    (self as string).endsWith(wantText(suffix!, 'suffix', run)),
  ),
  method(
    ['text'],
    'format(*values, **named)',
    'Fills the fields in braces.',
    "{{ '{}: {price:.2f}'.format('pen', price=1.5) }}",
    'pen: 1.50',
    (self, [values, named], run) => formatBraces(self as string, values as Value[], named as Record, run),
  ),
  method(['map'], 'get(key, default=none)', 'The value under a key, or the default.', "{{ {'a': 1}.get('b', 0) }}", '0', (self, [key, fallback], run) => {
    const value = member(self, keyText(run.data(key!), run), run);
    return value === undefined ? fallback! : value;
  }),
  method(['map'], 'items()', 'The pairs of key and value.', "{{ {'a': 1}.items() }}", '[["a", 1]]', self =>
    Object.entries(self as Record).map(pair => pair as Value[]),
  ),
  method(['text'], 'join(items)', 'Joins texts with this one between them.', "{{ ', '.join(['a', 'b']) }}", 'a, b', (self, [items], run) => {
    const texts = iterate(items!, run).map(item => wantText(run.data(item), 'each item', run));
    run.reserve(texts.reduce((size, text) => size + text.length + (self as string).length, 0));
    return texts.join(self as string);
  }),
  method(['map'], 'keys()', 'The keys.', "{{ {'a': 1}.keys() }}", '["a"]', self => Object.keys(self as Record)),
  method(['text'], 'lower()', 'All characters small.', "{{ 'AB'.lower() }}", 'ab', self => (self as string).toLowerCase()),
  method(
    ['text'],
    'replace(old, new, count=-1)',
    'Replaces every occurrence, or the first `count` ones.',
    "{{ 'a-b'.replace('-', '+') }}",
    'a+b',
    (self, [old, by, count], run) => replaceText(self as string, wantText(old!, 'old', run), wantText(by!, 'new', run), wantInteger(count!, 'count', run), run),
  ),
  method(
    ['text'],
    'split(sep=none, maxsplit=-1)',
    'Splits at a separator, or at white space.',
    "{{ 'a b'.split() }}",
    '["a", "b"]',
    (self, [separator, most], run) => splitText(self as string, wantSeparator(separator!, run), wantInteger(most!, 'maxsplit', run), run),
  ),
  method(['text'], 'startswith(prefix)', 'Whether the text begins with another.', "{{ 'abc'.startswith('ab') }}", 'true', (self, [prefix], run) =>
    (self as string).startsWith(wantText(prefix!, 'prefix', run)),
  ),
  method(['text'], 'strip(chars=none)', 'Removes white space, or the given characters, from both ends.', "{{ ' a '.strip() }}", 'a', (self, [chars], run) =>
    strip(self as string, chars === null ? null : wantText(chars!, 'chars', run)),
  ),
  method(['text'], 'title()', 'Every word with a large first letter.', "{{ 'on the road'.title() }}", 'On The Road', self => titleMethod(self as string)),
  method(['text'], 'upper()', 'All characters large.', "{{ 'ab'.upper() }}", 'AB', self => (self as string).toUpperCase()),
  method(['map'], 'values()', 'The values.', "{{ {'a': 1}.values() }}", '[1]', self => Object.values(self as Record)),
  method(
    ['loop'],
    'changed(*values)',
    'Whether the values differ from those of the last call.',
    '{% for x in [1, 1, 2] %}{{ loop.changed(x) }} {% endfor %}',
    'true false true ',
    (self, [values], run) => {
      const loop = self as Loop;
      const changed = loop.seen === undefined || !equals(loop.seen, values!, run);
      loop.seen = values;
      return changed;
    },
  ),
  method(
    ['loop'],
    'cycle(*values)',
    'One value after the other, and again from the first.',
    "{% for x in [1, 2, 3] %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    'aba',
    (self, [values], run) => {
      const all = values as Value[];
      if (all.length === 0) throw run.fail('`cycle` needs values', [], 'ORC-308');
      return all[(self as Loop).index % all.length]!;
    },
  ),
];

/** Every method by name. */
export const METHODS: ReadonlyMap<string, Method> = new Map(ALL.map(each => [each.name, each]));

/** The value as the method takes it, or an error that says what has such a method. */
export function receiver(raw: Value, of: Method, run: Run): Value {
  if (of.name === 'get' && isView(raw)) return raw;
  const self = run.data(raw);
  const kind: Kind | undefined =
    typeof self === 'string' ? 'text' : Array.isArray(self) ? 'list' : self instanceof Loop ? 'loop' : isRecord(self) ? 'map' : undefined;
  if (kind === undefined || !of.on.includes(kind))
    throw run.fail(`${kindOf(self)} has no method \`${of.name}\``, [`${of.name} is a method of: ${of.on.join(', ')}`]);
  return self;
}
