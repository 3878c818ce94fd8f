import { describe, expect, test } from 'vitest';
import { AutoTagError, AutoTagYAMLParser, parseYamlWithAutoTags } from './auto-parser.ts';
import { hasAuto, splitAuto } from './auto.ts';

/** The one tag of a text. */
function tag(text: string): ReturnType<typeof parseYamlWithAutoTags>['tags'][number] {
  const { tags } = parseYamlWithAutoTags(`q: ${text}\n`);
  expect(tags).toHaveLength(1);
  return tags[0]!;
}

describe('AUTO tags', () => {
  test.each<[string, string, object]>([
    ['no attributes', '<AUTO>x</AUTO>', { type: undefined, cache: true, hasDefault: false, model: undefined }],
    [
      'an integer between bounds',
      '<AUTO type="integer" min="3" max="20" default="5">x</AUTO>',
      { type: 'integer', min: 3, max: 20, default: 5, hasDefault: true },
    ],
    ['a number', "<AUTO type='number' default='1.5'>x</AUTO>", { type: 'number', default: 1.5 }],
    ['a boolean', '<AUTO type=boolean default=false>x</AUTO>', { type: 'boolean', default: false, hasDefault: true }],
    ['a choice', '<AUTO type="choice" choices="a, b,c" default="b">x</AUTO>', { type: 'choice', choices: ['a', 'b', 'c'], default: 'b' }],
    ['choices as JSON', `<AUTO choices='["a", 1]' default="1">x</AUTO>`, { choices: ['a', '1'], default: '1' }],
    ['a list', '<AUTO type="list" items="string" default="a, b">x</AUTO>', { type: 'list', items: { type: 'string' }, default: ['a', 'b'] }],
    ['a list with JSON', `<AUTO type="list" items='{"type": "integer"}' default="[1, 2]">x</AUTO>`, { items: { type: 'integer' }, default: [1, 2] }],
    ['JSON', `<AUTO type="json" default='{"a": 1}'>x</AUTO>`, { type: 'json', default: { a: 1 } }],
    [
      'a pattern, a model, no cache',
      '<AUTO pattern="^a>b$" model="fast" cache="false" default="">x</AUTO>',
      { pattern: '^a>b$', model: 'fast', cache: false, default: '', hasDefault: true },
    ],
  ])('%s', (_name, text, expected) => {
    expect(tag(text)).toMatchObject(expected);
  });

  test('a question may hold templates and tags', () => {
    const { question } = tag('<AUTO>which of {{ xs }} is <AUTO type="choice" choices="a,b">good or bad: {{ y }}</AUTO>?</AUTO>');
    expect(question).toMatchObject({
      kind: 'mixed',
      parts: [{ kind: 'template' }, { kind: 'auto', tag: { choices: ['a', 'b'], question: { kind: 'template' } } }, { kind: 'literal', value: '?' }],
    });
  });

  test('tags are told with their places, and the value holds them as text', () => {
    const { value, tags } = parseYamlWithAutoTags(
      'a:\n  - x\n  - y <AUTO>b: c</AUTO> <AUTO>d</AUTO>\n"e f": |\n  one\n  <AUTO>two\n  three</AUTO>\nn: [1, null, true]\n',
    );
    expect(value).toEqual({ a: ['x', 'y <AUTO>b: c</AUTO> <AUTO>d</AUTO>'], 'e f': 'one\n<AUTO>two\nthree</AUTO>\n', n: [1, null, true] });
    expect(tags.map(({ path, text, line, column }) => [path, text, line, column])).toEqual([
      ['a[1]', '<AUTO>b: c</AUTO>', 3, 7],
      ['a[1]', '<AUTO>d</AUTO>', 3, 25],
      ['["e f"]', '<AUTO>two\nthree</AUTO>', 6, 3],
    ]);
    expect(new AutoTagYAMLParser().parseYamlWithAutoTags('a: <AUTO>b</AUTO>').tags).toHaveLength(1);
    expect(parseYamlWithAutoTags('')).toEqual({ value: null, tags: [] });
    expect(parseYamlWithAutoTags('<AUTO>x</AUTO>').tags[0]!.path).toBe('');
  });

  test.each<[string, string, string, number, number]>([
    ['an unclosed tag', 'a: 1\nq: x <AUTO>y\n', 'unclosed', 2, 6],
    ['an attribute', 'q: <AUTO typ="x">y</AUTO>\n', 'attribute', 1, 10],
    ['a stray end', 'q: y</AUTO>\n', 'stray', 1, 5],
    ['a character of the mask', 'q: \uE03A\n', 'reserved', 1, 4],
    ['YAML', 'q: "x\n', 'yaml', 1, 4],
    ['a template in a question', 'q: <AUTO>{{ x | nope }}</AUTO>\n', 'template', 1, 17],
  ])('what is wrong with %s', (_name, text, kind, line, column) => {
    let error: unknown;
    try {
      parseYamlWithAutoTags(text);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(AutoTagError);
    expect(error).toMatchObject({ kind, line, column });
  });

  test('what looks like a tag and is none', () => {
    expect(['<AUTOMATIC>', '<auto>', 'AUTO', '<AUTO'].map(hasAuto)).toEqual([false, false, false, true]);
    expect(splitAuto('a <AUTO').problems.map(({ code, start, end }) => [code, start, end])).toEqual([['ORC-301', 2, 7]]);
    expect(splitAuto('<AUTO x</AUTO>').problems.map(({ code }) => code)).toEqual(['ORC-303']);
  });
});
