import { describe, expect, test } from 'vitest';
import { makeSource } from '../language/index.ts';
import { countProblems, renderProblem, renderProblems, type Problem } from './frame.ts';
import { coloured, plain } from './text.ts';

/** A problem at a word of a text. */
function problem(text: string, word: string, more: Partial<Problem> = {}): Problem {
  const start = text.indexOf(word);
  return {
    code: 'ORC-201',
    severity: 'error',
    message: 'something is wrong',
    source: makeSource('p.yaml', text),
    span: { start, end: start + word.length },
    ...more,
  };
}

const draw = (of: Problem, columns = 80): string => renderProblem(of, { paint: plain, columns });

describe('a frame', () => {
  test('shows place, line, carets and label', () => {
    expect(draw(problem('a: 1\nbcd: 22\n', '22', { label: 'this one' }))).toBe(`error[ORC-201 unknown-dependency]: something is wrong
  --> p.yaml:2:6
  |
2 | bcd: 22
  |      ^^ this one
  |
`);
  });

  test('draws other places with dashes, and leaves out what lies between', () => {
    const text = Array.from({ length: 12 }, (_, i) => `line${i + 1}: x`).join('\n');
    const at = (word: string) => ({ start: text.indexOf(word), end: text.indexOf(word) + word.length });
    const source = makeSource('p.yaml', text);
    const lines = draw(
      problem(text, 'line12', {
        related: [
          { message: 'first here', source, span: at('line3') },
          { message: 'and here', source, span: at('line10') },
        ],
      }),
    ).split('\n');
    expect(lines.slice(1, 12)).toEqual([
      '   --> p.yaml:12:1',
      '   |',
      ' 3 | line3: x',
      '   | ----- first here',
      '...',
      '10 | line10: x',
      '   | ------ and here',
      '11 | line11: x',
      '12 | line12: x',
      '   | ^^^^^^',
      '   |',
    ]);
  });

  test('names another file by its own place', () => {
    const other = makeSource('q.yaml', 'there: 1\n');
    expect(draw(problem('here: 1\n', 'here', { related: [{ message: 'see', source: other, span: { start: 0, end: 5 } }] }))).toContain(
      '  ::: q.yaml:1:1\n  |\n1 | there: 1\n  | ----- see\n',
    );
  });

  test('stands under what is meant after tabs and wide characters', () => {
    const lines = draw(problem('\t日本語: x1\n', 'x1')).split('\n');
    expect(lines[3]).toBe('1 |     日本語: x1');
    expect(lines[4]).toBe('  |             ^^');
  });

  test('marks an empty span and one at the end of the text by one caret', () => {
    expect(draw(problem('abc\n', 'abc', { span: { start: 3, end: 3 } }))).toContain('\n  |    ^\n');
    expect(draw(problem('abc', 'abc', { span: { start: 99, end: 120 } }))).toContain('p.yaml:1:4');
  });

  test('ends a mark of several lines at the end of the first', () => {
    expect(draw(problem('ab: |\n  c\n', 'ab: |\n  c'))).toContain('\n  | ^^^^^\n');
  });

  test('cuts a long line around the mark', () => {
    const lines = draw(problem(`${'x'.repeat(300)}NEEDLE${'y'.repeat(300)}`, 'NEEDLE')).split('\n');
    expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(80);
    expect(lines[3]!.slice(lines[4]!.indexOf('^'), lines[4]!.lastIndexOf('^') + 1)).toBe('NEEDLE');
  });

  test('puts a label below where beside it there is no room', () => {
    const lines = draw(problem(`${'x'.repeat(60)}END`, 'END', { label: 'a label that is quite long' })).split('\n');
    expect(lines.slice(4, 6)).toEqual([`  | ${' '.repeat(60)}^^^`, `  | ${' '.repeat(50)}a label that is quite long`]);
  });

  test('C20 shows control characters instead of obeying them', () => {
    const text = draw(problem('a: \u001b[31mred\u202e\n', '\u001b[31m', { message: 'bell \u0007', help: ['do \u001b[0m'] }));
    expect(text).not.toMatch(/[\u0007\u001b\u202e]/);
    expect(text).toContain('\\x1b[31mred\\u202e');
  });

  test('breaks notes at 80 columns and commands never', () => {
    const words = 'word '.repeat(40).trim();
    const command = `orchestrator run ${'x'.repeat(90)}`;
    const lines = draw(problem('a: 1', 'a', { notes: [words], help: [command] })).split('\n');
    expect(Math.max(...lines.filter(line => line.includes('word')).map(line => line.length))).toBeLessThanOrEqual(80);
    expect(lines).toContain(`  = help: ${command}`);
  });

  test('says a fix with the command that makes it, and help only once', () => {
    const text = renderProblem(
      problem('a: 1', 'a', { label: 'did you mean `b`?', help: ['did you mean `b`?', 'or not'], fix: { title: 'write b', edits: [] } }),
      { paint: plain, fixCommand: 'orchestrator validate --fix p.yaml' },
    );
    expect(text.match(/did you mean/g)).toHaveLength(1);
    expect(text).toContain('  = fix: write b (orchestrator validate --fix p.yaml)\n');
  });

  test('without a place is a title and remarks', () => {
    expect(draw({ code: 'ORC-506', severity: 'error', message: 'there is no run x', help: ['orchestrator runs'] })).toBe(
      'error[ORC-506 unknown-run]: there is no run x\n  = help: orchestrator runs\n',
    );
  });

  test('is the same text with colours as without', () => {
    const one = problem('a: 1\nb: 2', 'b', { label: 'here', notes: ['n'] });
    expect(renderProblem(one, { paint: coloured }).replaceAll(/\u001b\[\d+m/g, '')).toBe(renderProblem(one, { paint: plain }));
  });
});

test('errors come before warnings, and after 20 only a number follows', () => {
  const many = [
    ...Array.from({ length: 25 }, (_, i) => problem('a: 1', 'a', { message: `w${i}`, severity: 'warning' })),
    problem('a: 1', 'a', { message: 'first' }),
  ];
  const text = renderProblems(many, { paint: plain });
  expect(text.startsWith('error[ORC-201 unknown-dependency]: first')).toBe(true);
  expect(text.endsWith('… and 6 more\n')).toBe(true);
  expect(countProblems(many)).toBe('1 error and 25 warnings');
});
