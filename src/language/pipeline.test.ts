import { describe, expect, test } from 'vitest';
import { told } from '../../test/support/told.ts';
import { parse } from './parse.ts';
import { makeSource } from './source.ts';

function problems(text: string): string[] {
  return parse(makeSource('p.yaml', text)).diagnostics.map(told);
}

describe('a pipeline that is not one', () => {
  test.each<[string, string, string[]]>([
    ['a flat pipeline without a name', 'tasks:\n  - { id: a, action: echo }\n', ['error ORC-102 1:1-6 pipeline']],
    ['a typo in a key of the pipeline', 'name: p\ntaskss: []\ntasks:\n  - { id: a, action: echo }\n', ['error ORC-103 2:1-7 pipeline.taskss']],
    ['a key beside pipeline', 'other: 1\npipeline:\n  name: p\n  version: 1\n  tasks:\n    - { id: a, action: echo }\n', ['warning ORC-103 1:1-6 other']],
    ['an id that hides an input', 'name: p\ninputs: { topic: x }\ntasks:\n  - id: topic\n    action: echo\n', ['error ORC-109 4:9-14 pipeline.tasks[0].id']],
    [
      'bad inputs',
      'name: p\ninputs:\n  a b: x\n  n: { type: integer, default: "3" }\n  m: { type: integre }\n  o: { type: integer, default: 5, maximum: 3 }\n  q: { type: integer, default: 5, minimum: 7 }\n  c: { choices: [a, b], default: c }\n  d: { choices: [] }\n  e: { choices: a }\n  f: { items: 5 }\n  g: { typ: string }\n  h: { type: array, default: { a: 1 } }\ntasks:\n  - { id: t, action: echo }\n',
      [
        'error ORC-107 3:3-6 pipeline.inputs["a b"]',
        'error ORC-104 4:32-35 pipeline.inputs.n.default',
        'error ORC-106 5:14-21 pipeline.inputs.m.type',
        'error ORC-104 6:32-33 pipeline.inputs.o.default',
        'error ORC-104 7:32-33 pipeline.inputs.q.default',
        'error ORC-104 8:34-35 pipeline.inputs.c.default',
        'error ORC-112 9:17-19 pipeline.inputs.d.choices',
        'error ORC-104 10:17-18 pipeline.inputs.e.choices',
        'error ORC-114 11:15-16 pipeline.inputs.f.items',
        'error ORC-103 12:8-11 pipeline.inputs.g.typ',
        'error ORC-104 13:30-38 pipeline.inputs.h.default',
      ],
    ],
    [
      'schemas of inputs that mean nothing',
      'name: p\ninputs:\n  a: { pattern: "(" }\n  b: { type: array, items: { type: nope }, default: [1] }\n  c: { type: string, minLength: x }\ntasks:\n  - { id: t, action: echo }\n',
      ['error ORC-114 3:17-20 pipeline.inputs.a.pattern', 'error ORC-114 4:28-42 pipeline.inputs.b.items', 'error ORC-114 5:33-34 pipeline.inputs.c.minLength'],
    ],
    ['a list of inputs with one name twice', 'name: p\ninputs: [a, a]\ntasks:\n  - { id: t, action: echo }\n', ['error ORC-102 2:10-11 pipeline.inputs']],
    [
      'config with what nobody knows',
      'name: p\nconfig: { default_timeout: 3, colour: red }\ntasks:\n  - { id: t, action: echo }\n',
      ['error ORC-104 2:1-7 pipeline.config'],
    ],
    ['a slip in `pipeline`', 'piplne:\n  name: p\n', ['error ORC-103 1:1-7 pipeline.piplne']],
    ['inputs that are a text', 'name: p\ninputs: x\ntasks:\n  - { id: t, action: echo }\n', ['error ORC-104 2:9-10 pipeline.inputs']],
    [
      'a list of inputs without names',
      'name: p\ninputs:\n  - { type: string }\ntasks:\n  - { id: t, action: echo }\n',
      ['error ORC-102 3:5-21 pipeline.inputs'],
    ],
    [
      'bad words about the pipeline',
      'name: ""\nversion: one\ndescription: [x]\ntimeout: soon\nconcurrency: 0\ndefaults: 5\nbudget: { on_exceed: stop }\noutputs: []\ntasks:\n  - { id: t, action: echo }\n',
      [
        'error ORC-112 1:7-9 pipeline.name',
        'error ORC-106 2:10-13 pipeline.version',
        'error ORC-104 3:14-17 pipeline.description',
        'error ORC-110 4:10-14 pipeline.timeout',
        'error ORC-104 5:14-15 pipeline.concurrency',
        'error ORC-104 6:11-12 pipeline.defaults',
        'error ORC-102 7:1-7 pipeline.budget',
        'error ORC-106 7:22-26 pipeline.budget.on_exceed',
        'error ORC-104 8:10-12 pipeline.outputs',
      ],
    ],
    [
      'a name that is a list',
      'name: [x]\nbudget: 5\ntasks:\n  - { id: t, action: echo }\n',
      ['error ORC-104 1:7-10 pipeline.name', 'error ORC-104 2:9-10 pipeline.budget'],
    ],
  ])('%s', (_name, text, expected) => {
    expect(problems(text)).toEqual(expected);
  });
});
