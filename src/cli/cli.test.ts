import { describe, expect, test } from 'vitest';
import { githubAnnotation, sarifLog } from './annotations.ts';
import { applyFixes } from './edits.ts';
import { exitCodeOfError, exitCodeOfRun } from './exit.ts';
import { Flags } from './invocation.ts';
import { makeSource } from '../language/index.ts';
import type { Diagnostic } from '../language/diagnostic.ts';
import { diagnosticDocument } from '../plan/compile.ts';
import { nested } from './nesting.ts';
import { plainRows, tableLines } from './table.ts';
import { escapeControls, fit, pad, plain, widthOf, wrap } from './text.ts';

describe('text', () => {
  test.each([
    ['abc', 3],
    ['日本', 4],
    ['e\u0301', 1],
    ['\u001b[31mred\u001b[0m', 3],
    ['👍', 2],
  ])('%j is %i columns wide', (text, width) => {
    expect(widthOf(text)).toBe(width);
  });

  test('is cut, filled and broken by columns', () => {
    expect(fit('日本語', 5)).toBe('日本…');
    expect(pad('日', 4)).toBe('日  ');
    expect(pad('1', 3, 'right')).toBe('  1');
    expect(wrap('aa bb cc', 5)).toEqual(['aa bb', 'cc']);
  });

  test('C20 control characters and marks of direction become visible; line feeds and tabs stay', () => {
    expect(escapeControls('a\u001b[0m\r\u0085\u202eb\n\tc')).toBe('a\\x1b[0m\\x0d\\x85\\u202eb\n\tc');
  });
});

describe('tables', () => {
  test('are aligned, and give way where they are told to', () => {
    const rows = [
      ['one', 'a long remark that does not fit', '1'],
      ['three', 'short', '100'],
    ];
    expect(tableLines([{ title: 'name' }, { title: 'remark', flexible: true }, { title: 'n', align: 'right' }], rows, 30, plain)).toEqual([
      'name   remark                n',
      'one    a long remark tha…    1',
      'three  short               100',
    ]);
  });

  test('for programs are tabs, one row a line whatever the cells hold', () => {
    expect(
      plainRows([
        ['a\tb', null, 3],
        ['c\nd', 'x', 0],
      ]),
    ).toBe('a\\tb\t\t3\nc\\nd\tx\t0\n');
  });
});

describe('exit codes', () => {
  test.each([
    ['completed', null, null, 0],
    ['failed', null, 'ORC-220', 1],
    ['failed', null, 'ORC-606', 7],
    ['failed', null, 'ORC-601', 6],
    ['failed', null, 'ORC-602', 6],
    ['failed', null, 'ORC-402', 4],
    ['failed', null, 'ORC-218', 1],
    ['cancelled', 'requested', null, 1],
    ['waiting', 'approval', null, 5],
    ['paused', 'requested', null, 5],
    ['paused', 'budget', null, 6],
    ['paused', 'until', null, 0],
    ['paused', 'drain', null, 143],
  ] as const)('a run that is %s (%s, %s) is %i', (status, reason, code, exit) => {
    expect(exitCodeOfRun({ status, reason, error: code === null ? null : { code, class: 'failed', message: '', help: [], path: null } })).toBe(exit);
  });

  test('an interrupted run is 130 and a drained one 143, unless it came to its end', () => {
    const at = (status: 'paused' | 'completed' | 'failed') => ({ status, reason: null, error: null });
    expect([
      exitCodeOfRun(at('paused'), 'interrupted'),
      exitCodeOfRun(at('paused'), 'drained'),
      exitCodeOfRun(at('completed'), 'interrupted'),
      exitCodeOfRun(at('failed'), 'interrupted'),
    ]).toEqual([130, 143, 0, 1]);
  });

  test.each([
    ['ORC-102', 'invalid_input', 2],
    ['ORC-119', 'invalid_input', 2],
    ['ORC-119', 'auth', 4],
    ['ORC-302', 'template', 2],
    ['ORC-402', 'not_found', 4],
    ['ORC-407', 'unavailable', 4],
    ['ORC-501', 'storage', 4],
    ['ORC-506', 'not_found', 3],
    ['ORC-517', 'not_found', 3],
    ['ORC-518', 'invalid_input', 2],
    ['ORC-602', 'budget', 6],
    ['ORC-603', 'invalid_input', 2],
    ['ORC-700', 'internal', 70],
    ['ORC-210', 'not_found', 3],
  ] as const)('an error %s of class %s is %i', (code, errorClass, exit) => {
    expect(exitCodeOfError(code, errorClass)).toBe(exit);
  });
});

const SOURCE = makeSource('a b.yaml', 'one: 1\ntwo: 2\n');
const DIAGNOSTIC: Diagnostic = {
  code: 'ORC-103',
  severity: 'error',
  message: '50%: bad, really',
  source: SOURCE,
  span: { start: 7, end: 10 },
  help: ['x\ny'],
  related: [{ message: 'see', source: SOURCE, span: { start: 0, end: 3 } }],
  fix: { title: 'drop', edits: [{ span: { start: 7, end: 10 }, text: 'zwei' }] },
};

test('an annotation escapes what would end it', () => {
  expect(githubAnnotation(diagnosticDocument(DIAGNOSTIC))).toBe(
    '::error file=a b.yaml,line=2,endLine=2,col=1,endColumn=4,title=ORC-103 unknown-key::50%25: bad, really%0Ahelp: x%0Ay\n',
  );
});

test('SARIF has rules, places, fixes', () => {
  expect(sarifLog([diagnosticDocument(DIAGNOSTIC)], '1.2.3')).toMatchObject({
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'orchestrator', version: '1.2.3', rules: [{ id: 'ORC-103', name: 'unknown-key' }] } },
        results: [
          {
            ruleId: 'ORC-103',
            ruleIndex: 0,
            level: 'error',
            locations: [{ physicalLocation: { artifactLocation: { uri: 'a%20b.yaml' }, region: { startLine: 2, startColumn: 1, endLine: 2, endColumn: 4 } } }],
            fixes: [{ artifactChanges: [{ replacements: [{ insertedContent: { text: 'zwei' } }] }] }],
          },
        ],
      },
    ],
  });
});

describe('fixes', () => {
  const fixed = (...edits: [number, number, string][][]): { text: string; made: number } =>
    applyFixes(
      'abcdef',
      'a b.yaml',
      edits.map(list => ({ ...DIAGNOSTIC, fix: { title: '', edits: list.map(([start, end, text]) => ({ span: { start, end }, text })) } })),
    );

  test('are made from the end, so that places hold', () => {
    expect(fixed([[0, 1, 'AA']], [[4, 6, '']])).toEqual({ text: 'AAbcd', made: 2 });
  });

  test('of several parts are made whole or not at all', () => {
    expect(
      fixed(
        [[0, 3, 'X']],
        [
          [2, 4, 'Y'],
          [5, 6, 'Z'],
        ],
      ),
    ).toEqual({ text: 'Xdef', made: 1 });
    expect(fixed([[2, 2, 'X']], [[2, 2, 'X']])).toEqual({ text: 'abXcdef', made: 1 });
  });

  test('of another file are left alone', () => {
    expect(applyFixes('abc', 'other.yaml', [DIAGNOSTIC])).toEqual({ text: 'abc', made: 0 });
  });
});

describe('flags', () => {
  const flags = new Flags({ json: true, limit: 'x', output: 'jsn', level: 'warn' });
  test('are read by type, and say what would be right', () => {
    expect(flags.choice('output', ['human', 'json'], 'human')).toBe('json');
    expect(flags.choice('level', ['info', 'warn'], 'info')).toBe('warn');
    expect(() => flags.number('limit', 1)).toThrow('--limit wants a number of at least 1');
    expect(() => new Flags({ output: 'jsn' }).choice('output', ['human', 'json'], 'human')).toThrow(
      expect.objectContaining({ code: 'ORC-518', help: ['did you mean `json`?'] }),
    );
  });
});

test('what ran inside a loop stands after it', () => {
  expect(
    nested([
      ['a', 1],
      ['loop', 2],
      ['b', 3],
      ['loop[0]/x', 4],
      ['a/y', 5],
    ]).map(([path]) => path),
  ).toEqual(['a', 'a/y', 'loop', 'loop[0]/x', 'b']);
});
