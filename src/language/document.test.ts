import { describe, expect, test } from 'vitest';
import { told } from '../../test/support/told.ts';
import { parse } from './parse.ts';
import { makeSource } from './source.ts';

function problems(text: string): string[] {
  return parse(makeSource('p.yaml', text)).diagnostics.map(told);
}

/** A pipeline with these tasks, which begin on its third line. */
function tasks(text: string): string {
  return `name: p\ntasks:\n${text}`;
}

describe('a file that is not the YAML of the language', () => {
  test.each<[string, string, string[]]>([
    ['an empty file', '', ['error ORC-112 1:1-1']],
    ['a file with nothing but a comment', '# soon\n', ['error ORC-112 1:1-2']],
    ['a file that is a list', '- a\n', ['error ORC-104 1:1-2']],
    ['a pipeline that is a text', 'pipeline: p\n', ['error ORC-104 1:1-9 pipeline']],
    ['a tab as indentation', tasks('	- id: a\n'), ['error ORC-100 3:1-2']],
    ['an unclosed quote', 'name: "p\ntasks: []\n', ['error ORC-100 1:7-8']],
    ['an unclosed bracket', 'name: p\ntasks: [a, b\nx: 1\n', ['error ORC-100 2:8-9']],
    ['a colon in a plain text', 'name: p: q\ntasks: []\n', ['error ORC-100 1:7-8']],
    ['bad indentation', tasks('  - id: a\n   action: echo\n'), ['error ORC-100 4:1-2']],
    ['a character that begins no text', 'name: @p\n', ['error ORC-100 1:7-8']],
    ['an escape that does not exist', 'name: "\\q"\n', ['error ORC-100 1:8-9']],
    ['a line that is no key', 'name: p\nfoo\nbar: 1\n', ['error ORC-100 2:1-4']],
    [
      'an anchor and an alias',
      tasks('  - &x { id: a, action: echo, parameters: { text: hi } }\n  - *x\n'),
      ['error ORC-101 3:5-7 pipeline.tasks[0]', 'error ORC-101 4:5-7 pipeline.tasks[1]'],
    ],
    ['a tag', 'name: !!str p\ntasks:\n  - { id: a, action: echo }\n', ['error ORC-101 1:7-12 pipeline.name']],
    ['two anchors', 'name: &a &b p\n', ['error ORC-101 1:10-12']],
    ['a tag with a long way to its value', 'name: !x\n  p\n', ['error ORC-102 1:1-5 pipeline', 'error ORC-101 1:7-9 pipeline.name']],
    ['a merge key', tasks('  - { id: a, action: echo, parameters: { <<: { text: hi } } }\n'), ['error ORC-101 3:42-44 pipeline.tasks[0].parameters["<<"]']],
    ['a second document', tasks('  - { id: a, action: echo }\n---\nname: q\n'), ['error ORC-101 4:1-4']],
    ['a directive', '%YAML 1.2\n---\nname: p\ntasks:\n  - { id: a, action: echo }\n', ['error ORC-101 1:1-10']],
    ['an alias to nothing', 'name: *p\n', ['error ORC-102 1:1-5 pipeline', 'error ORC-101 1:7-9 pipeline.name']],
    ['a duplicate key', tasks('  - id: a\n    action: echo\n    action: log\n'), ['error ORC-105 5:5-11 pipeline.tasks[0].action']],
    ['a template as a key', tasks('  - id: a\n    action: echo\n    parameters: { {{ x }}: 1 }\n'), ['error ORC-113 5:19-26 pipeline.tasks[0].parameters']],
    [
      'an unquoted template in brackets',
      tasks('  - { id: a, action: echo, parameters: { text: {{ x }} } }\n'),
      ['error ORC-113 3:48-55 pipeline.tasks[0].parameters.text'],
    ],
    ['a character of the mask', 'name: p\uE03A\n', ['error ORC-317 1:8-9']],
    [
      'quotes of an attribute within double quotes',
      tasks('  - id: a\n    action: echo\n    parameters:\n      text: "<AUTO type="integer">x</AUTO>"\n'),
      ['error ORC-100 6:26-44'],
    ],
    ['a text after closing quotes', tasks('  - id: a\n    action: echo\n    parameters:\n      text: "a" b\n'), ['error ORC-100 6:17-18']],
    ['a bracket too many', tasks('  - id: a\n    action: echo\n    parameters:\n      text: [a]] \n'), ['error ORC-100 6:16-17']],
    ['a key indented under a value', tasks('  - id: a\n    action: echo\n      parameters:\n        text: x\n'), ['error ORC-100 4:13-14']],
    ['a key indented less than its list item', tasks('  - id: a\n  action: echo\n'), ['error ORC-100 4:1-2']],
    ['two keys on one line', tasks('  - id: a\n    action: echo\n    parameters: text: x\n'), ['error ORC-100 5:17-18']],
    ['a dash without a blank', tasks('  -id: a\n    action: echo\n'), ['error ORC-100 3:8-9']],
    ['a colon without a blank', 'name:p\ntasks:\n  - id: a\n', ['error ORC-100 1:1-7']],
    ['a colon without a blank in a task', tasks('  - id: a\n    action:echo\n    parameters:\n      text: x\n'), ['error ORC-100 4:5-16']],
    ['a map over lines within brackets', tasks('  - id: a\n    action: echo\n    parameters: {a: 1, a b: c: d}\n'), ['error ORC-100 5:29-33']],
  ])('%s', (_name, text, expected) => {
    expect(problems(text)).toEqual(expected);
  });

  test('C6 nesting beyond 64 is an error, in brackets and in lines', () => {
    const lines = Array.from({ length: 70 }, (_, i) => `${' '.repeat(i)}k:`).join('\n');
    expect(problems(tasks(`  - { id: a, action: echo, parameters: { x: ${'['.repeat(70)}${']'.repeat(70)} } }\n`))).toEqual(['error ORC-604 3:105-106']);
    expect(problems(`${lines}\n`)).toEqual(['error ORC-604 65:66-67']);
    const seqs = Array.from({ length: 40 }, (_, i) => `${'  '.repeat(i)}k:\n${'  '.repeat(i)}-`).join('\n');
    expect(problems(`${seqs}\n`).filter(line => line.startsWith('error ORC-604'))).toHaveLength(1);
  });

  test('C6 a file over its limit is not read', () => {
    const text = tasks(`  - { id: a, action: echo, parameters: { text: "${'é'.repeat(600_000)}" } }\n`);
    const codes = (fileLimitMiB: number): string[] => parse(makeSource('p.yaml', text), { fileLimitMiB }).diagnostics.map(({ code }) => code);
    expect(codes(1)).toEqual(['ORC-603']);
    expect(codes(2)).toEqual([]);
    expect(codes(0.1)).toEqual(['ORC-603']);
  });

  test('many characters of the mask are told up to a number', () => {
    expect(problems(`name: ${'\uE03A a '.repeat(50)}`)).toHaveLength(20);
  });

  test('one slip is told once, and every tab of several lines', () => {
    expect(problems(tasks('\t- id: a\n\t  action: echo\n'))).toEqual(['error ORC-100 3:1-2', 'error ORC-100 4:1-4']);
  });

  test('an unquoted template in brackets has a fix for each kind of quotes', () => {
    const fixes = (value: string): string | undefined =>
      parse(makeSource('p.yaml', tasks(`  - { id: a, action: echo, parameters: { text: ${value} } }\n`))).diagnostics[0]?.fix?.edits[0]?.text;
    expect(fixes('{{ x }}')).toBe('"{{ x }}"');
    expect(fixes("{{ 'x' }}")).toBe('"{{ \'x\' }}"');
    expect(fixes('{{ "x" }}')).toBe('\'{{ "x" }}\'');
    expect(fixes('{{ "it\'s" }}')).toBe(`'{{ "it''s" }}'`);
    expect(fixes('{{ x\n      }}')).toBe('"{{ x }}"');
    expect(fixes('<AUTO>about {{ x }}</AUTO>')).toBeUndefined();
  });
});
