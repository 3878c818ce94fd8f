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

describe('a task that is not one', () => {
  test.each<[string, string, string[]]>([
    ['a pipeline without version and tasks', 'pipeline:\n  name: p\n', ['error ORC-102 1:1-9 pipeline']],
    [
      'a number that JSON cannot hold',
      tasks('  - { id: a, action: echo, parameters: { text: .inf } }\n'),
      ['error ORC-106 3:48-52 pipeline.tasks[0].parameters.text'],
    ],
    ['a key that is a list', tasks('  - { id: a, action: echo, [x]: y }\n'), ['error ORC-104 3:28-31']],
    ['a typo in a key of a task', tasks('  - id: a\n    action: echo\n    dependecies: [b]\n'), ['error ORC-103 5:5-16 pipeline.tasks[0].dependecies']],
    ['a key that nobody knows', tasks('  - id: a\n    action: echo\n    colour: red\n'), ['warning ORC-103 5:5-11 pipeline.tasks[0].colour']],
    ['steps that are a text', 'name: p\nsteps: "none"\n', ['error ORC-104 2:8-14 pipeline.tasks']],
    ['no tasks', 'name: p\ntasks: []\n', ['error ORC-112 2:1-6 pipeline.tasks']],
    ['a task that is a text', tasks('  - hello\n'), ['error ORC-104 3:5-10 pipeline.tasks[0]']],
    ['a task without an id', tasks('  - action: echo\n'), ['error ORC-102 3:5-11 pipeline.tasks[0]']],
    ['a task without an action', tasks('  - id: a\n    parameters: { x: 1 }\n'), ['error ORC-102 3:9-10 pipeline.tasks[0]']],
    ['an id with a blank', tasks('  - id: my task\n    action: echo\n'), ['error ORC-107 3:9-16 pipeline.tasks[0].id']],
    ['an id that is a number', tasks('  - id: 1\n    action: echo\n'), ['error ORC-107 3:9-10 pipeline.tasks[0].id']],
    ['an id that is a list', tasks('  - id: [a]\n    action: echo\n'), ['error ORC-104 3:9-12 pipeline.tasks[0].id']],
    ['two tasks with one id', tasks('  - id: a\n    action: echo\n  - id: a\n    action: log\n'), ['error ORC-108 5:9-10 pipeline.tasks[1].id']],
    ['an id that hides a function', tasks('  - id: range\n    action: echo\n'), ['error ORC-109 3:9-14 pipeline.tasks[0].id']],
    ['an id that hides a keyword', tasks('  - id: and\n    action: echo\n'), ['error ORC-109 3:9-12 pipeline.tasks[0].id']],
    [
      'an id that hides a loop name',
      tasks('  - id: l\n    for_each: [1]\n    tasks:\n      - id: item\n        action: echo\n'),
      ['error ORC-109 6:13-17 pipeline.tasks[0].tasks[0].id'],
    ],
    [
      'an id that hides an outer task',
      tasks('  - id: l\n    for_each: [1]\n    tasks:\n      - id: l\n        action: echo\n'),
      ['error ORC-109 6:13-14 pipeline.tasks[0].tasks[0].id'],
    ],
    [
      'an id that hides the name of a loop',
      tasks('  - id: l\n    for_each: [1]\n    loop_name: outer\n    tasks:\n      - id: outer\n        action: echo\n'),
      ['error ORC-109 7:13-18 pipeline.tasks[0].tasks[0].id'],
    ],
    [
      'a bad loop name',
      tasks('  - id: l\n    for_each: [1]\n    loop_name: "a b"\n    tasks:\n      - action: echo\n'),
      ['error ORC-107 5:16-21 pipeline.tasks[0].loop_name'],
    ],
    ['an AUTO tag as an id', tasks('  - id: <AUTO>name</AUTO>\n    action: echo\n'), ['error ORC-304 3:9-26 pipeline.tasks[0].id']],
    ['an AUTO tag as an action', tasks('  - id: a\n    action: <AUTO>what to do</AUTO>\n'), ['error ORC-304 4:13-36 pipeline.tasks[0].action']],
    [
      'an AUTO tag in dependencies',
      tasks('  - id: a\n    action: echo\n    dependencies: [<AUTO>which?</AUTO>]\n  - id: b\n    action: echo\n    dependencies: <AUTO>which?</AUTO>\n'),
      ['error ORC-304 5:20-39 pipeline.tasks[0].dependencies[0]', 'error ORC-304 8:19-38 pipeline.tasks[1].dependencies'],
    ],
    ['an AUTO tag as a timeout', tasks('  - id: a\n    action: echo\n    timeout: <AUTO>long?</AUTO>\n'), ['error ORC-304 5:14-32 pipeline.tasks[0].timeout']],
    [
      'an AUTO tag inside a condition',
      tasks('  - id: a\n    action: echo\n    condition: x and <AUTO>fine?</AUTO>\n'),
      ['error ORC-304 5:16-40 pipeline.tasks[0].condition'],
    ],
    [
      'an unclosed AUTO tag',
      tasks('  - id: a\n    action: echo\n    parameters:\n      query: <AUTO>Search for: latest AI research\n      other: 1\n'),
      ['error ORC-301 6:14-20 pipeline.tasks[0].parameters.query'],
    ],
    [
      'an unclosed AUTO tag in quotes',
      tasks('  - id: a\n    action: echo\n    parameters: { text: "say <AUTO>x" }\n'),
      ['error ORC-301 5:30-36 pipeline.tasks[0].parameters.text'],
    ],
    [
      'an unclosed AUTO tag in a block',
      tasks('  - id: a\n    action: echo\n    parameters:\n      text: |\n        say <AUTO type="string">x\n        more\n'),
      ['error ORC-301 7:13-33 pipeline.tasks[0].parameters.text'],
    ],
    [
      'a stray closing tag',
      tasks('  - id: a\n    action: echo\n    parameters: { text: a</AUTO>b }\n'),
      ['error ORC-316 5:26-33 pipeline.tasks[0].parameters.text'],
    ],
    [
      'attributes that cannot be',
      tasks(
        '  - id: a\n    action: echo\n    parameters:\n      a: <AUTO typ="integer">x</AUTO>\n      b: <AUTO type="int">x</AUTO>\n      c: <AUTO min="few">x</AUTO>\n      d: <AUTO min="3" max="2">x</AUTO>\n      e: <AUTO type="choice">x</AUTO>\n      f: <AUTO cache="maybe">x</AUTO>\n      g: <AUTO items="thing">x</AUTO>\n      h: <AUTO choices=" , ">x</AUTO>\n      i: <AUTO type="integer" default="1.5">x</AUTO>\n      j: <AUTO choices="a,b" default="c">x</AUTO>\n      k: <AUTO type="integer" max="3" default="4">x</AUTO>\n      l: <AUTO model="">x</AUTO>\n      m: <AUTO min>x</AUTO>\n      n: <AUTO min="1" min="2">x</AUTO>\n      o: <AUTO "junk">x</AUTO>\n      p: <AUTO type="boolean" default="yes">x</AUTO>\n',
      ),
      [
        'error ORC-303 6:16-29 pipeline.tasks[0].parameters.a',
        'error ORC-303 7:16-26 pipeline.tasks[0].parameters.b',
        'error ORC-303 8:16-25 pipeline.tasks[0].parameters.c',
        'error ORC-303 9:10-40 pipeline.tasks[0].parameters.d',
        'error ORC-303 10:10-38 pipeline.tasks[0].parameters.e',
        'error ORC-303 11:16-29 pipeline.tasks[0].parameters.f',
        'error ORC-303 12:16-29 pipeline.tasks[0].parameters.g',
        'error ORC-303 13:16-29 pipeline.tasks[0].parameters.h',
        'error ORC-303 14:31-44 pipeline.tasks[0].parameters.i',
        'error ORC-303 15:30-41 pipeline.tasks[0].parameters.j',
        'error ORC-303 16:39-50 pipeline.tasks[0].parameters.k',
        'error ORC-303 17:16-24 pipeline.tasks[0].parameters.l',
        'error ORC-303 18:16-19 pipeline.tasks[0].parameters.m',
        'error ORC-303 19:24-31 pipeline.tasks[0].parameters.n',
        'error ORC-303 20:16-22 pipeline.tasks[0].parameters.o',
        'error ORC-303 21:31-44 pipeline.tasks[0].parameters.p',
      ],
    ],
    [
      'a mistake in a template of an AUTO tag',
      tasks('  - id: a\n    action: echo\n    parameters:\n      text: <AUTO>about {{ x | nope }}</AUTO>\n'),
      ['error ORC-306 6:32-36 pipeline.tasks[0].parameters.text'],
    ],
    [
      'a mistake in a template of a folded block',
      tasks('  - id: a\n    action: echo\n    parameters:\n      text: >\n        one\n        two {{ x | nope }}\n'),
      ['error ORC-306 8:20-24 pipeline.tasks[0].parameters.text'],
    ],
    [
      'a mistake after escapes',
      tasks('  - id: a\n    action: echo\n    parameters: { text: "\\"\\u00e9\\" {{ x | nope }}" }\n'),
      ['error ORC-306 5:44-48 pipeline.tasks[0].parameters.text'],
    ],
    ['a mistake in a condition', tasks('  - id: a\n    action: echo\n    condition: "x >"\n'), ['error ORC-305 5:20-20 pipeline.tasks[0].condition']],
    ['a condition that is a list', tasks('  - id: a\n    action: echo\n    condition: [x]\n'), ['error ORC-104 5:16-19 pipeline.tasks[0].condition']],
    [
      'a mistake after an accepted spelling',
      tasks('  - id: l\n    for_each: $item.x\n    tasks:\n      - action: echo\n        parameters: { text: "{{ file:a/b }} {{ $item | nope }}" }\n'),
      ['error ORC-306 7:56-60 pipeline.tasks[0].tasks[0].parameters.text'],
    ],
    [
      'two loops in one task',
      tasks('  - id: a\n    for_each: [1]\n    while: "true"\n    tasks:\n      - action: echo\n'),
      ['error ORC-111 5:5-10 pipeline.tasks[0].while'],
    ],
    [
      'an action beside a loop',
      tasks('  - id: a\n    for_each: [1]\n    action: echo\n    tasks:\n      - action: echo\n'),
      ['error ORC-111 5:5-11 pipeline.tasks[0].action'],
    ],
    ['a loop without a body', tasks('  - id: a\n    for_each: [1]\n'), ['error ORC-102 3:9-10 pipeline.tasks[0]']],
    ['a body without a loop', tasks('  - id: a\n    tasks:\n      - action: echo\n'), ['error ORC-111 4:5-10 pipeline.tasks[0].tasks']],
    ['a body beside an action', tasks('  - id: a\n    action: echo\n    tasks:\n      - action: echo\n'), ['error ORC-111 5:5-10 pipeline.tasks[0].tasks']],
    ['a queue without a list', tasks('  - id: a\n    create_parallel_queue: { tasks: [{ action: echo }] }\n'), ['error ORC-102 3:9-10 pipeline.tasks[0]']],
    [
      'keys that mean nothing',
      tasks(
        '  - id: a\n    for_each: [1]\n    max_iterations: 3\n    tasks: [{ action: echo }]\n  - id: b\n    until: "true"\n    max_parallel: 3\n    tasks: [{ action: echo }]\n',
      ),
      ['warning ORC-111 5:5-19 pipeline.tasks[0].max_iterations', 'warning ORC-111 9:5-17 pipeline.tasks[1].max_parallel'],
    ],
    [
      'counts that are none',
      tasks(
        '  - id: a\n    for_each: [1]\n    max_parallel: "3"\n    tasks: [{ action: echo }]\n  - id: b\n    while: "true"\n    max_iterations: 0\n    tasks: [{ action: echo }]\n',
      ),
      ['error ORC-104 5:19-22 pipeline.tasks[0].max_parallel', 'error ORC-104 9:21-22 pipeline.tasks[1].max_iterations'],
    ],
    [
      'two spellings of one key',
      tasks(
        '  - id: a\n    action: echo\n    if: x\n    when: y\n    depends_on: b\n    dependencies: [c]\n    max_retries: 2\n    retry: { max_attempts: 3 }\n  - id: b\n    action: echo\n    max_retries: 2\n    retry: 3\n',
      ),
      [
        'error ORC-111 6:5-9 pipeline.tasks[0].when',
        'error ORC-111 7:5-15 pipeline.tasks[0].depends_on',
        'error ORC-111 9:5-16 pipeline.tasks[0].max_retries',
        'error ORC-111 13:5-16 pipeline.tasks[1].max_retries',
      ],
    ],
    ['parameters that are a list', tasks('  - id: a\n    action: echo\n    parameters: [x]\n'), ['error ORC-104 5:17-20 pipeline.tasks[0].parameters']],
    [
      'a bad timeout',
      tasks('  - id: a\n    action: echo\n    timeout: soon\n  - id: b\n    action: echo\n    timeout: -1\n'),
      ['error ORC-110 5:14-18 pipeline.tasks[0].timeout', 'error ORC-110 8:14-16 pipeline.tasks[1].timeout'],
    ],
    [
      'bad retries',
      tasks(
        '  - id: a\n    action: echo\n    retry: { max_attempts: "3", jitter: "true", on: [rate_limits], backoff_factor: 0.5 }\n  - id: b\n    action: echo\n    retry: often\n',
      ),
      [
        'error ORC-104 5:28-31 pipeline.tasks[0].retry.max_attempts',
        'error ORC-104 5:41-47 pipeline.tasks[0].retry.jitter',
        'error ORC-106 5:54-65 pipeline.tasks[0].retry.on[0]',
        'error ORC-104 5:84-87 pipeline.tasks[0].retry.backoff_factor',
        'error ORC-104 8:12-17 pipeline.tasks[1].retry',
      ],
    ],
    [
      'bad handlers',
      tasks(
        '  - id: a\n    action: echo\n    on_error:\n      - { action: echo, task: b }\n      - {}\n      - 5\n      - { fallback_value: 1, match: { codes: [ORC-999], classes: [nope] } }\n      - { task: "a b" }\n  - id: b\n    action: echo\n    on_error: 5\n',
      ),
      [
        'error ORC-111 6:25-29 pipeline.tasks[0].on_error[0].task',
        'error ORC-102 7:9-11 pipeline.tasks[0].on_error[1]',
        'error ORC-104 8:9-10 pipeline.tasks[0].on_error[2]',
        'error ORC-106 9:47-54 pipeline.tasks[0].on_error[3].match.codes[0]',
        'error ORC-106 9:67-71 pipeline.tasks[0].on_error[3].match.classes[0]',
        'error ORC-107 10:17-22 pipeline.tasks[0].on_error[4].task',
        'error ORC-104 13:15-16 pipeline.tasks[1].on_error',
      ],
    ],
    [
      'bad routes',
      tasks('  - id: a\n    action: echo\n    on_success: "a b"\n    on_failure: [x]\n    on_ambiguous: retri\n'),
      [
        'error ORC-107 5:17-22 pipeline.tasks[0].on_success',
        'error ORC-104 6:17-20 pipeline.tasks[0].on_failure',
        'error ORC-106 7:19-24 pipeline.tasks[0].on_ambiguous',
      ],
    ],
    [
      'a bad cache',
      tasks('  - id: a\n    action: echo\n    cache: { keys: x, ttl: soon }\n  - id: b\n    action: echo\n    cache: 5\n'),
      [
        'error ORC-103 5:14-18 pipeline.tasks[0].cache.keys',
        'error ORC-110 5:28-32 pipeline.tasks[0].cache.ttl',
        'error ORC-104 8:12-13 pipeline.tasks[1].cache',
      ],
    ],
    [
      'bad outputs of a task',
      tasks('  - id: a\n    action: echo\n    outputs: { x: strin, y: [1] }\n  - id: b\n    action: echo\n    outputs: 5\n'),
      [
        'error ORC-114 5:19-24 pipeline.tasks[0].outputs.x',
        'error ORC-114 5:29-32 pipeline.tasks[0].outputs.y',
        'error ORC-104 8:14-15 pipeline.tasks[1].outputs',
      ],
    ],
    [
      'bad dependencies',
      tasks('  - id: a\n    action: echo\n    dependencies: [a b, [c], null]\n  - id: b\n    action: echo\n    dependencies: { c: 1 }\n'),
      [
        'error ORC-107 5:20-23 pipeline.tasks[0].dependencies[0]',
        'error ORC-104 5:25-28 pipeline.tasks[0].dependencies[1]',
        'error ORC-104 5:30-34 pipeline.tasks[0].dependencies[2]',
        'error ORC-104 8:19-27 pipeline.tasks[1].dependencies',
      ],
    ],
    ['a template as an action', tasks('  - id: a\n    action: "{{ x }}"\n'), ['error ORC-106 4:13-22 pipeline.tasks[0].action']],
    ['an action that is a list', tasks('  - id: a\n    action: [echo]\n'), ['error ORC-104 4:13-19 pipeline.tasks[0].action']],
    [
      'an accepted spelling with what it cannot hold',
      tasks('  - id: a\n    action: echo\n    error_handling: { retry: { max_attempts: 2 }, colour: red }\n    continue_on_error: "yes"\n'),
      ['error ORC-104 5:5-19 pipeline.tasks[0].error_handling', 'error ORC-104 6:5-22 pipeline.tasks[0].continue_on_error'],
    ],
    ['error_handling that is a text', tasks('  - id: a\n    action: echo\n    error_handling: x\n'), ['error ORC-104 5:5-19 pipeline.tasks[0].error_handling']],
    [
      'error_handling beside what it says',
      tasks('  - id: a\n    action: echo\n    retry: 2\n    error_handling: { retry: 3 }\n'),
      ['error ORC-111 6:23-28 pipeline.tasks[0].retry'],
    ],
    [
      'a task without a loop',
      tasks('  - id: a\n    task: { action: echo }\n'),
      ['error ORC-102 3:9-10 pipeline.tasks[0]', 'error ORC-104 4:5-9 pipeline.tasks[0].task'],
    ],
    [
      'a match that is none',
      tasks('  - id: a\n    action: echo\n    on_error: [{ fallback_value: 1, match: 5, error_codes: ORC-601 }]\n'),
      ['error ORC-104 5:44-45 pipeline.tasks[0].on_error[0].match', 'error ORC-104 5:47-58 pipeline.tasks[0].on_error[0].error_codes'],
    ],
    [
      'a schema of an output that is none',
      tasks('  - id: a\n    action: echo\n    outputs: { x: { type: strin } }\n'),
      ['error ORC-114 5:19-34 pipeline.tasks[0].outputs.x'],
    ],
    ['a body with a text among its tasks', tasks('  - id: a\n    parallel: [5]\n'), ['error ORC-104 4:16-17 pipeline.tasks[0].parallel[0]']],
    ['a task that is an empty map', tasks('  - {}\n'), ['error ORC-102 3:5-7 pipeline.tasks[0]', 'error ORC-102 3:5-7 pipeline.tasks[0]']],
    ['an id of nothing but signs', tasks('  - { id: "?!", action: echo }\n'), ['error ORC-107 3:11-15 pipeline.tasks[0].id']],
  ])('%s', (_name, text, expected) => {
    expect(problems(text)).toEqual(expected);
  });
});
