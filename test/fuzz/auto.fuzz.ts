import { AutoTagError, parseYamlWithAutoTags } from '../../src/language/index.ts';
import { fuzz, fuzzOptions, mutate } from './random.ts';

const TEXTS = [
  'query: <AUTO>Search for: latest AI research</AUTO>\n',
  'a: <AUTO type="integer" min="1" max="9" default="3">how many: {{ x }}</AUTO> of # it\nb: 2\n',
  'list:\n- <AUTO>one: two</AUTO>\n- [<AUTO>pick: one, two</AUTO>, "x"]\n- { k: <AUTO choices="a, b">a: b</AUTO> }\n',
  'text: |\n  first <AUTO>line\n    over: two</AUTO>\n  last\n',
  'nested: <AUTO>outer <AUTO type="choice" choices="x,y">inner: which?</AUTO> rest</AUTO>\n',
  'quoted: \'it\'\'s <AUTO pattern="^a" items="string" type="list">a</AUTO>\'\ndouble: "a\\n<AUTO model=\\"m\\" cache=\\"false\\">b</AUTO>"\n',
  'long: <AUTO>\n  some: lines\n  # no comment\n  - dash\n  </AUTO>\nnext: 1\n',
];
const PIECES = [
  '<AUTO>',
  '</AUTO>',
  '<AUTO ',
  '<AUTO/>',
  ' type="',
  "'",
  '"',
  '>',
  '<',
  '=',
  'min=',
  'cache="maybe"',
  'default',
  '\n',
  '\n  ',
  ': ',
  ' #',
  '{{ x }}',
  '{{',
  '}}',
  '\\',
  '\uE03A',
  '<auto>',
  '<AUTO\n',
  '[',
  ']',
  '{',
  '}',
  ',',
];

fuzz(
  fuzzOptions(process.argv),
  random => mutate(random, TEXTS, PIECES),
  input => {
    try {
      for (const { text, span, line, column, path } of parseYamlWithAutoTags(input).tags) {
        if (!input.startsWith('<AUTO', span.start)) return `the tag ${JSON.stringify(text)} does not stand at ${span.start}`;
        if (!input.slice(0, span.end).endsWith('</AUTO>')) return `the tag ${JSON.stringify(text)} does not end at ${span.end}`;
        if (input.split('\n')[line - 1]?.startsWith('<AUTO', column - 1) !== true) return `line ${line}, column ${column} is not where ${path} has its tag`;
      }
      return undefined;
    } catch (error) {
      if (!(error instanceof AutoTagError)) throw error;
      const lines = input.split('\n');
      return error.line >= 1 && error.line <= lines.length && error.column >= 1 && error.column <= (lines[error.line - 1]?.length ?? 0) + 1
        ? undefined
        : `${error.message} lies outside of the text`;
    }
  },
);
