import { RE2JS } from 're2js';
import type { Json } from '../../json.ts';
import { escapeHtml, splitText } from './text.ts';
import { asRecord } from './operators.ts';
import { toJsonText, toText } from './print.ts';
import { matchAll, patternOf } from './regex.ts';
import type { Run } from './run.ts';
import { alias, filter, wantInteger, wantText } from './signature.ts';
import { isRecord, type Record, type Value } from './values.ts';

const toJsonFilter = filter(
  'to_json(indent=none)',
  'The value as JSON, as Python writes it; other alphabets are kept as they are.',
  "{{ {'k': 'é'} | to_json }}",
  '{"k": "é"}',
  (input, [indent], run) => toJsonText(input, run, { indent: levelOf(indent!, run), sortKeys: false, ascii: false }),
);

export const DATA_FILTERS = [
  filter(
    'tojson(indent=none)',
    "Jinja2's JSON, fit for HTML: keys sorted, `< > & '` and what is not ASCII escaped.",
    "{{ {'b': '<', 'a': 1} | tojson }}",
    '{"a": 1, "b": "\\u003c"}',
    (input, [indent], run) =>
      toJsonText(input, run, { indent: levelOf(indent!, run), sortKeys: true, ascii: true }).replace(
        /[<>&']/g,
        c => ({ '<': '\\u003c', '>': '\\u003e', '&': '\\u0026', "'": '\\u0027' })[c]!,
      ),
  ),
  toJsonFilter,
  alias('json', toJsonFilter),
  filter('from_json', 'Reads JSON.', `{{ ('{"k": [1, 2]}' | from_json).k | last }}`, '2', (input, _args, run) => {
    const text = wantText(input, 'the value', run);
    run.charge(text.length >> 3);
    try {
      return JSON.parse(text) as Json;
    } catch (error) {
      throw run.fail(`this text is not JSON: ${(error as Error).message}`);
    }
  }),
  filter('pprint', 'The value as JSON on one line, texts in quotes: for looking at it.', "{{ ['a', 1] | pprint }}", '["a", 1]', (input, _args, run) =>
    toJsonText(input, run),
  ),
  filter('items', 'The pairs of a map.', "{{ {'a': 1} | items }}", '[["a", 1]]', (input, _args, run) =>
    Object.entries(asRecord(input, 'items', run)).map(pair => pair as Value[]),
  ),
  filter('basename', 'The last part of a path.', "{{ '/a/b/c.txt' | basename }}", 'c.txt', (input, _args, run) => {
    const path = toText(input, run);
    return path.slice(path.lastIndexOf('/') + 1);
  }),
  filter('dirname', 'A path without its last part.', "{{ '/a/b/c.txt' | dirname }}", '/a/b', (input, _args, run) => {
    const path = toText(input, run);
    const head = path.slice(0, path.lastIndexOf('/') + 1);
    const bare = dropTail(head, '/');
    return bare === '' ? head : bare;
  }),
  filter(
    'regex_replace(pattern, replacement, count=none)',
    'Replaces what a regular expression (RE2) matches; `\\\\1` and `\\\\g<name>` are its groups.',
    "{{ 'a1b22' | regex_replace('[0-9]+', '#') }}",
    'a#b#',
    (input, [pattern, by, count], run) =>
      regexReplace(toText(input, run), toText(pattern!, run), toText(by!, run), count === null ? Infinity : wantInteger(count!, 'count', run, 0), run),
  ),
  filter(
    'regex_search(pattern, group=0)',
    'What a regular expression (RE2) matches first, or one of its groups; none where it matches nothing.',
    "{{ 'v1.22' | regex_search('([0-9]+)[.]([0-9]+)', 2) }}",
    '22',
    (input, [pattern, group], run) => {
      const text = toText(input, run);
      const compiled = patternOf(toText(pattern!, run), run);
      const place = wantInteger(group!, 'group', run, 0);
      if (place > compiled.groupCount()) throw run.fail(`the pattern has no group ${place}`);
      for (const match of matchAll(compiled, text, run)) return match.group(place);
      return null;
    },
  ),
  filter(
    'markdown_format',
    'A value as Markdown: a list as bullets, a map as bold keys, text as it is.',
    "{{ {'name': 'x', 'n': 2} | markdown_format }}",
    '- **name**: x\n- **n**: 2',
    (input, _args, run) => markdown(input, 0, run),
  ),
  filter(
    'urlize(trim_url_limit=none, nofollow=false, target=none, rel=none, extra_schemes=none)',
    'Makes links of the addresses in a text, escaped for HTML.',
    "{{ 'see www.example.com.' | urlize }}",
    'see <a href="https://www.example.com" rel="noopener">www.example.com</a>.',
    (input, args, run) => urlize(toText(input, run), args, run),
  ),
];

function levelOf(indent: Value, run: Run): number {
  return indent === null ? 0 : wantInteger(indent, 'indent', run, 0, 16);
}

function dropTail(text: string, unit: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === unit) end--;
  return text.slice(0, end);
}

function regexReplace(text: string, pattern: string, by: string, count: number, run: Run): string {
  const compiled = patternOf(pattern, run);
  const pieces = by.split(/(\\(?:g<\w+>|\d|\\))/);
  let out = '';
  let from = 0;
  let done = 0;
  for (const match of matchAll(compiled, text, run)) {
    if (done++ >= count) break;
    const replaced = pieces.map((piece, i) => (i % 2 === 0 ? piece : groupText(piece, match, run))).join('');
    out += text.slice(from, match.start()) + replaced;
    from = match.end();
    run.limit(out.length + text.length - from);
  }
  run.reserve(out.length);
  return out + text.slice(from);
}

function groupText(reference: string, match: ReturnType<RE2JS['matcher']>, run: Run): string {
  if (reference === '\\\\') return '\\';
  const name = reference.startsWith('\\g') ? reference.slice(3, -1) : reference.slice(1);
  const known = /^\d+$/.test(name) ? Number(name) <= match.groupCount() : Object.hasOwn(match.namedGroups, name);
  if (!known) throw run.fail(`the pattern has no group ${name}`);
  return match.group(/^\d+$/.test(name) ? Number(name) : name) ?? '';
}

function markdown(raw: Value, depth: number, run: Run): string {
  const value = run.data(raw);
  const inner = run.enter(depth);
  const bullet = `${'  '.repeat(depth)}- `;
  const nested = (item: Value): string => {
    const data = run.data(item);
    return Array.isArray(data) || isRecord(data) ? `\n${markdown(data, inner, run)}` : toText(data, run);
  };
  let text: string;
  if (Array.isArray(value)) text = value.map(item => `${bullet}${nested(item).trimStart()}`).join('\n');
  else if (isRecord(value))
    text = Object.entries(value as Record)
      .map(([key, item]) => `${bullet}**${key}**:${spaced(nested(item))}`)
      .join('\n');
  else text = toText(value, run);
  run.reserve(text.length);
  return text;
}

function spaced(text: string): string {
  return text === '' || text.startsWith('\n') ? text : ` ${text}`;
}

const HTTP =
  '(?:(?:https?://|www\\.)(?:(?:[\\pL\\pN_%-]+\\.)+)?(?:[a-z]{2,63}|xn--[\\pL\\pN_%]{2,59})|(?:[\\pL\\pN_%-]{2,63}\\.)+(?:com|net|int|edu|gov|org|info|mil)' +
  '|https?://(?:[0-9]{1,3}(?:\\.[0-9]{1,3}){3}|\\[(?:[0-9a-f]{0,4}:){2}(?:[0-9a-f]{0,4}:?){1,6}\\]))(?::[0-9]{1,5})?(?:[/?#]\\S*)?';
const EMAIL = '\\S+@[\\pL\\pN_][\\pL\\pN_.-]*\\.[\\pL\\pN_]+';
let addresses: { http: RE2JS; email: RE2JS } | undefined;

/** Compiled on first use: the classes of all letters take RE2 longer than all else that this room does at start. */
function addressPatterns(): { http: RE2JS; email: RE2JS } {
  return (addresses ??= { http: RE2JS.compile(HTTP, RE2JS.CASE_INSENSITIVE), email: RE2JS.compile(EMAIL) });
}

const SCHEME = /^[\w.+-]{2,}:\/{0,2}$/;

function urlize(text: string, [limit, nofollow, target, rel, schemes]: Value[], run: Run): string {
  const rels = new Set(rel === null ? [] : splitText(toText(rel!, run), null, -1, run));
  if (nofollow === true) rels.add('nofollow');
  rels.add('noopener');
  const attributes = ` rel="${escapeHtml([...rels].sort().join(' '))}"${target === null ? '' : ` target="${escapeHtml(toText(target!, run))}"`}`;
  const most = limit === null ? Infinity : wantInteger(limit!, 'trim_url_limit', run, 0);
  const extra = Array.isArray(schemes) ? schemes.map(scheme => wantText(scheme, 'extra_schemes', run)) : [];
  const bad = extra.find(scheme => !SCHEME.test(scheme));
  if (bad !== undefined) throw run.fail(`\`${bad}\` is not the beginning of an address`);
  run.charge(text.length);
  const out = escapeHtml(text)
    .split(/(\s+)/)
    .map(word => {
      const [head, middle, tail] = peel(word);
      return head + linkOf(middle, attributes, most, extra) + tail;
    })
    .join('');
  run.reserve(out.length);
  return out;
}

/** Takes brackets and punctuation off a word, but for brackets that the address itself opens. */
function peel(word: string): [string, string, string] {
  const head = /^(?:[(<]|&lt;)+/.exec(word)?.[0] ?? '';
  let middle = word.slice(head.length);
  let end = middle.length;
  for (let length = closing(middle, end); length > 0; length = closing(middle, end)) end -= length;
  let tail = middle.slice(end);
  middle = middle.slice(0, end);
  for (const [open, close] of [
    ['(', ')'],
    ['<', '>'],
    ['&lt;', '&gt;'],
  ] as const) {
    for (let owed = countOf(middle, open) - countOf(middle, close); owed > 0 && tail.includes(close); owed--) {
      const cut = tail.indexOf(close) + close.length;
      middle += tail.slice(0, cut);
      tail = tail.slice(cut);
    }
  }
  return [head, middle, tail];
}

function closing(text: string, end: number): number {
  if (text.endsWith('&gt;', end)) return 4;
  return end > 0 && ')>.,\n'.includes(text[end - 1]!) ? 1 : 0;
}

function countOf(text: string, part: string): number {
  return text.split(part).length - 1;
}

function linkOf(word: string, attributes: string, most: number, schemes: string[]): string {
  const shown = word.length > most ? `${word.slice(0, most)}...` : word;
  if (addressPatterns().http.matches(word)) return `<a href="${/^https?:\/\//.test(word) ? '' : 'https://'}${word}"${attributes}>${shown}</a>`;
  if (word.startsWith('mailto:') && addressPatterns().email.matches(word.slice(7))) return `<a href="${word}">${word.slice(7)}</a>`;
  if (word.includes('@') && !/^(?:www\.|@)/.test(word) && !word.includes(':') && addressPatterns().email.matches(word))
    return `<a href="mailto:${word}">${word}</a>`;
  const scheme = schemes.find(each => word !== each && word.startsWith(each));
  return scheme === undefined ? word : `<a href="${word}"${attributes}>${word}</a>`;
}
