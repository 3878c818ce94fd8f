import { formatPercent } from './format.ts';
import { iterate, keyText } from './operators.ts';
import { toText } from './print.ts';
import type { Run } from './run.ts';
import { alias, filter, wantInteger, wantText } from './signature.ts';
import { capitalize, characters, escapeHtml, lengthOf, replaceText, sliceText, splitLines, splitText, strip, titleFilter } from './text.ts';
import { NOTHING, type Record, type Value } from './values.ts';

const escape = filter('escape', 'Replaces `& < > \' "` by their HTML names.', "{{ '<b>' | escape }}", '&lt;b&gt;', (input, _args, run) =>
  escapeHtml(toText(input, run)),
);

export const TEXT_FILTERS = [
  filter('capitalize', 'First character large, the others small.', "{{ 'heLLo' | capitalize }}", 'Hello', (input, _args, run) =>
    capitalize(toText(input, run)),
  ),
  filter('center(width=80)', 'Puts the text in the middle of so many characters.', "{{ 'ab' | center(6) }}|", '  ab  |', (input, [width], run) => {
    const text = toText(input, run);
    const wide = wantInteger(width!, 'width', run);
    const missing = wide - lengthOf(text);
    if (missing <= 0) return text;
    run.reserve(wide);
    const left = Math.floor(missing / 2) + (missing & wide & 1);
    return ' '.repeat(left) + text + ' '.repeat(missing - left);
  }),
  escape,
  alias('e', escape),
  alias('forceescape', escape),
  filter(
    'format(*values, **named)',
    'Fills the `%` fields of the text.',
    "{{ '%s: %.2f' | format('pi', 3.14159) }}",
    'pi: 3.14',
    (input, [values, named], run) => {
      const byName = named as Record;
      return formatPercent(toText(input, run), values as Value[], Object.keys(byName).length > 0 ? byName : undefined, run);
    },
  ),
  filter(
    'indent(width=4, first=false, blank=false)',
    'Indents every line but the first; `first` and `blank` lines on request.',
    "{{ 'a\\nb' | indent(2) }}",
    'a\n  b',
    (input, [width, first, blank], run) =>
      indent(
        toText(input, run),
        typeof width === 'string' ? width : ' '.repeat(wantInteger(width!, 'width', run, 0, 1000)),
        first === true,
        blank === true,
        run,
      ),
  ),
  filter('lower', 'All characters small.', "{{ 'ABC' | lower }}", 'abc', (input, _args, run) => toText(input, run).toLowerCase()),
  filter(
    'replace(old, new, count=none)',
    'Replaces every occurrence, or the first `count` ones.',
    "{{ 'a-b-c' | replace('-', '+', 1) }}",
    'a+b-c',
    (input, [old, by, count], run) =>
      replaceText(toText(input, run), toText(old!, run), toText(by!, run), count === null ? -1 : wantInteger(count!, 'count', run), run),
  ),
  filter('safe', 'The text as it is: nothing is escaped unless asked for.', "{{ '<b>' | safe }}", '<b>', (input, _args, run) => toText(input, run)),
  filter(
    "slugify(separator='-')",
    'A name for files and addresses: small letters, digits and hyphens.',
    "{{ 'Crème brûlée, twice!' | slugify }}",
    'creme-brulee-twice',
    (input, [separator], run) => slugify(toText(input, run), wantText(separator!, 'separator', run)),
  ),
  filter(
    'split(separator=none, maxsplit=-1)',
    'Splits a text at a separator, or at white space.',
    "{{ 'a,b' | split(',') }}",
    '["a", "b"]',
    (input, [separator, most], run) => splitText(toText(input, run), wantSeparator(separator!, run), wantInteger(most!, 'maxsplit', run), run),
  ),
  filter('string', 'The value as text.', '{{ 12 | string | length }}', '2', (input, _args, run) => toText(input, run)),
  filter('striptags', 'Removes HTML tags and comments, and joins white space.', "{{ '<p>a  <b>b</b></p>' | striptags }}", 'a b', (input, _args, run) =>
    stripTags(toText(input, run)),
  ),
  filter('title', 'Every word with a large first letter.', "{{ 'on the road' | title }}", 'On The Road', (input, _args, run) =>
    titleFilter(toText(input, run)),
  ),
  filter(
    'trim(chars=none)',
    'Removes white space, or the given characters, from both ends.',
    "{{ '  a ' | trim }}|{{ '--a-' | trim('-') }}",
    'a|a',
    (input, [chars], run) => strip(toText(input, run), chars === null ? null : wantText(chars!, 'chars', run)),
  ),
  filter(
    "truncate(length=255, killwords=false, end='...', leeway=none)",
    'Shortens a text to a length; up to `leeway` (5) characters too many are left.',
    "{{ 'The quick brown fox jumps' | truncate(15) }}",
    'The quick...',
    (input, args, run) => truncate(toText(input, run), args, run),
  ),
  filter(
    "truncate_words(count=50, end='...')",
    'Shortens a text to so many words.',
    "{{ 'one two three four' | truncate_words(2) }}",
    'one two...',
    (input, [count, end], run) => {
      const words = splitText(toText(input, run), null, -1, run);
      const most = wantInteger(count!, 'count', run, 0);
      return words.length <= most ? toText(input, run) : words.slice(0, most).join(' ') + toText(end!, run);
    },
  ),
  filter('upper', 'All characters large.', "{{ 'abc' | upper }}", 'ABC', (input, _args, run) => toText(input, run).toUpperCase()),
  filter(
    'urlencode',
    'Encodes a text for an address; a map or pairs become a query.',
    "{{ 'a b&c' | urlencode }} {{ {'q': 'x y', 'n': 1} | urlencode }}",
    'a%20b%26c q=x+y&n=1',
    (input, _args, run) => urlEncode(input, run),
  ),
  filter(
    'wordcount',
    'Counts words.',
    "{{ 'one, two three' | wordcount }}",
    '3',
    (input, _args, run) => toText(input, run).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0,
  ),
  filter(
    'wordwrap(width=79, break_long_words=true, wrapstring=none, break_on_hyphens=true)',
    'Breaks lines after so many characters.',
    "{{ 'aaa bbb ccc' | wordwrap(7) }}",
    'aaa bbb\nccc',
    (input, [width, long, by, hyphens], run) => {
      const limit = wantInteger(width!, 'width', run, 1);
      const text = toText(input, run);
      const joint = by === null ? '\n' : toText(by!, run);
      run.charge(text.length >> 2);
      run.reserve(text.length * (1 + joint.length));
      return splitLines(text)
        .map(line => wrapLine(line, limit, long === true, hyphens === true).join(joint))
        .join(joint);
    },
  ),
  filter(
    'xmlattr(autospace=true)',
    'A map as attributes of XML or HTML; none is left out.',
    "<p{{ {'id': 'x', 'title': none} | xmlattr }}>",
    '<p id="x">',
    (input, [space], run) => {
      const pairs = entriesOf(input, run)
        .filter(([, value]) => value !== null && value !== NOTHING)
        .map(([key, value]) => {
          if (/[\s/>=]/.test(key)) throw run.fail(`\`${key}\` cannot be the name of an attribute`);
          return `${escapeHtml(key)}="${escapeHtml(toText(value, run))}"`;
        });
      return pairs.length > 0 && space === true ? ` ${pairs.join(' ')}` : pairs.join(' ');
    },
  ),
];

/** A separator to split at; an empty one would cut between all characters, which Python refuses too. */
export function wantSeparator(value: Value, run: Run): string | null {
  if (value === null) return null;
  const text = wantText(value, 'separator', run);
  if (text === '') throw run.fail('`separator` must not be empty', ['`list` gives the characters of a text']);
  return text;
}

/** Pairs of a map, or of a list of pairs. */
export function entriesOf(raw: Value, run: Run): [string, Value][] {
  const value = run.data(raw);
  if (!Array.isArray(value) && typeof value === 'object' && value !== null) return Object.entries(value) as [string, Value][];
  return iterate(value, run).map(item => {
    const pair = iterate(item, run);
    if (pair.length !== 2) throw run.fail('this wants a map, or a list of pairs');
    return [keyText(pair[0]!, run), pair[1]!];
  });
}

function indent(text: string, by: string, first: boolean, blank: boolean, run: Run): string {
  const lines = splitLines(`${text}\n`);
  run.reserve(text.length + lines.length * (by.length + 1));
  return lines.map((line, i) => ((i === 0 ? first : blank || line !== '') ? by + line : line)).join('\n');
}

function slugify(text: string, separator: string): string {
  const plain = text
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase();
  return plain
    .replace(/[^\p{L}\p{N}_\s-]+/gu, '')
    .split(/[\s-]+/)
    .filter(part => part !== '')
    .join(separator);
}

const ENTITIES: { [name: string]: string } = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
  copy: '©',
  reg: '®',
  trade: '™',
  hellip: '…',
  mdash: '—',
  ndash: '–',
  lsquo: '‘',
  rsquo: '’',
  ldquo: '“',
  rdquo: '”',
  laquo: '«',
  raquo: '»',
  euro: '€',
  pound: '£',
  yen: '¥',
  cent: '¢',
  sect: '§',
  deg: '°',
  middot: '·',
  bull: '•',
  times: '×',
};

function stripTags(text: string): string {
  const bare = cut(cut(text, '<!--', '-->'), '<', '>')
    .split(/\s+/)
    .filter(word => word !== '')
    .join(' ');
  return bare.replace(/&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|([a-zA-Z]{2,8}));/g, (all: string, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return Object.hasOwn(ENTITIES, name) ? ENTITIES[name]! : all;
    const code = decimal === undefined ? Number.parseInt(hex!, 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd';
  });
}

/** Removes everything from an opening to its closing mark; an opening that is never closed stays. */
function cut(text: string, open: string, close: string): string {
  let out = '';
  let from = 0;
  for (let start = text.indexOf(open); start >= 0; start = text.indexOf(open, from)) {
    const end = text.indexOf(close, start);
    if (end < 0) break;
    out += text.slice(from, start);
    from = end + close.length;
  }
  return out + text.slice(from);
}

function truncate(text: string, [length, killWords, end, leeway]: Value[], run: Run): string {
  const tail = toText(end!, run);
  const most = wantInteger(length!, 'length', run, lengthOf(tail));
  const slack = leeway === null ? 5 : wantInteger(leeway!, 'leeway', run, 0);
  if (lengthOf(text) <= most + slack) return text;
  const head = sliceText(text, 0, most - lengthOf(tail));
  const space = head.lastIndexOf(' ');
  return (killWords === true || space < 0 ? head : head.slice(0, space)) + tail;
}

function urlEncode(input: Value, run: Run): string {
  if (typeof input !== 'object' || input === null) return quoteUrl(toText(input, run), true);
  return entriesOf(input, run)
    .map(([key, value]) => `${quoteUrl(key, false)}=${quoteUrl(toText(value, run), false)}`)
    .join('&');
}

/** As urllib's quote: in a query a slash is encoded and a space is a plus. */
function quoteUrl(text: string, path: boolean): string {
  const quoted = encodeURIComponent(text.toWellFormed()).replace(/[!'()*]/g, c => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return path ? quoted.replaceAll('%2F', '/') : quoted.replaceAll('%20', '+');
}

/** One line as several, none longer than `width` where that can be: the rules of Python's textwrap. */
function wrapLine(line: string, width: number, breakLong: boolean, hyphens: boolean): string[] {
  const lines: string[] = [];
  let current: string[] = [];
  let length = 0;
  const flush = (): void => {
    if (current.at(-1)?.trim() === '') current.pop();
    if (current.length > 0) lines.push(current.join(''));
    current = [];
    length = 0;
  };
  const add = (chunk: string[]): void => {
    current.push(chunk.join(''));
    length += chunk.length;
  };
  for (let chunk of chunksOf(line, hyphens).map(characters)) {
    if (length + chunk.length > width) {
      if (chunk.length <= width) flush();
      else {
        let from = 0;
        while (breakLong && chunk.length - from > width) {
          const at = breakPoint(chunk, from, width - length, hyphens);
          add(chunk.slice(from, at));
          from = at;
          flush();
        }
        chunk = chunk.slice(from);
        if (length > 0) flush();
      }
    }
    if (current.length > 0 || lines.length === 0 || chunk.join('').trim() !== '') add(chunk);
  }
  flush();
  return lines;
}

/** Where to cut a word that is too long: after its last hyphen that fits (but not of hyphens alone), else where the room ends. */
function breakPoint(chunk: readonly string[], from: number, room: number, hyphens: boolean): number {
  const end = from + Math.max(0, room);
  if (!hyphens) return end;
  let hyphen = end - 1;
  while (hyphen > from && chunk[hyphen] !== '-') hyphen--;
  let word = hyphen - 1;
  while (word >= from && chunk[word] === '-') word--;
  return word >= from ? hyphen + 1 : end;
}

/** White space and words; a word with hyphens between letters is cut after each. */
function chunksOf(line: string, hyphens: boolean): string[] {
  const chunks = line.split(/(\s+)/).filter(chunk => chunk !== '');
  return hyphens ? chunks.flatMap(chunk => chunk.split(/(?<=[^\d\W]{2}-|[^\d\W]-[^\d\W]-)(?=[^\d\W]-?[^\d\W])/)) : chunks;
}
