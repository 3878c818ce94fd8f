import { describe, expect, it } from 'vitest';
import { setup, tasks } from './fixture.ts';

const RETRY = { maxAttempts: 3, initialBackoffMs: 1000, backoffFactor: 2, maxBackoffMs: 60_000, jitter: true, on: [] };

describe('a plan', () => {
  it('holds the pipeline, its limits and its files', () => {
    const { plan } = setup(
      'id: x\nname: p\nversion: "2"\ndescription: d\ntimeout: 1h\nconcurrency: 4\nbudget: { usd: 0.5, on_exceed: fail }\ninputs: { n: { type: integer, default: 1, description: how many } }\ntasks:\n  - { id: a, action: echo, parameters: { text: "{{ n }}" } }\noutputs: { said: "{{ a.result }}" }\n',
    );
    expect(plan).toMatchObject({
      format: 1,
      pipeline: { id: 'x', name: 'p', version: '2', description: 'd' },
      timeoutMs: 3_600_000,
      concurrency: 4,
      budget: { usd: 0.5, onExceed: 'fail' },
      needsModel: false,
      inputs: [{ name: 'n', type: 'integer', required: false, default: { v: 1 }, description: 'how many', at: [0, 8, 11] }],
      outputs: [{ name: 'said', value: { e: 'a.result' }, at: [0, 11, 12] }],
      handlers: [],
    });
    expect(plan.files).toHaveLength(1);
    expect(plan.blocks[0]).toMatchObject({ kind: 'root', owner: null });
  });

  it('there is none where there is an error, and what could be read is still given', () => {
    const { result } = setup(tasks('  - { id: a, action: ech, parameters: { text: x } }\n'));
    expect(result.plan).toBeNull();
    expect(result.pipeline!.name).toBe('p');
    const unread = setup('a: [');
    expect(unread.result).toMatchObject({ pipeline: null, plan: null, tasks: new Map() });
  });

  it('folds the defaults into the tasks that call actions, and into no waits, loops and sub-pipelines', () => {
    const { task, plan } = setup(
      'name: p\ndefaults: { model: lab/small, timeout: 30s, retry: { max_attempts: 3 } }\ntasks:\n  - { id: a, action: echo, parameters: { text: x } }\n  - { id: g, action: generate_text, parameters: { prompt: x } }\n  - { id: own, action: generate_text, model: lab/big, timeout: 5, retry: { max_attempts: 1 }, parameters: { prompt: x } }\n' +
        '  - { id: w, action: sleep, parameters: { duration: 1 } }\n  - { id: asks, action: echo, parameters: { text: <AUTO>?</AUTO> } }\n  - { id: sub, action: pipeline.run, parameters: { file: i.yaml } }\n  - id: each\n    for_each: [1]\n    tasks:\n      - { id: b, action: echo, parameters: { text: x } }\n',
      { files: { 'i.yaml': 'name: i\ntasks:\n  - { id: c, action: generate_text, parameters: { prompt: x } }\n' } },
    );
    expect(task('a')).toMatchObject({ timeoutMs: 30_000, retry: RETRY });
    expect(task('a')).not.toHaveProperty('model');
    expect(task('g')).toMatchObject({ model: { v: 'lab/small' } });
    expect(task('asks')).toMatchObject({ model: { v: 'lab/small' } });
    expect(task('own')).toMatchObject({ model: { v: 'lab/big' }, timeoutMs: 5000, retry: { ...RETRY, maxAttempts: 1 } });
    expect(task('each/b')).toMatchObject({ timeoutMs: 30_000 });
    for (const path of ['w', 'sub', 'each', 'sub/c']) {
      expect(task(path)).not.toHaveProperty('timeoutMs');
      expect(task(path)).not.toHaveProperty('retry');
    }
    expect(task('sub/c')).not.toHaveProperty('model');
    expect(plan.defaultModel).toEqual({ v: 'lab/small' });
  });

  it('a default model may use inputs, and no task', () => {
    const text = (model: string): string =>
      `name: p\ninputs: { m: lab/small }\ndefaults: { model: "{{ ${model} }}" }\ntasks:\n  - { id: a, action: generate_text, parameters: { prompt: x } }\n`;
    expect(setup(text('m')).task('a').model).toMatchObject({ e: 'm' });
    expect(setup(text('a.result')).problems).toContain('error ORC-302 3 a');
  });

  it.each([
    ['action: generate_text, parameters: { prompt: x }', true],
    ['action: generate_text, model: none, parameters: { prompt: x }', false],
    ['action: generate_text, model: lab/small, parameters: { prompt: x }', true],
    ['action: echo, parameters: { text: <AUTO>?</AUTO> }', true],
    ['action: echo, parameters: { text: <AUTO default="x">?</AUTO> }', false],
    ['action: echo, parameters: { text: x }', false],
  ])('{ %s } needs a model: %s', (task, needs) => {
    expect(setup(tasks(`  - { id: a, ${task} }\n`)).plan.needsModel).toBe(needs);
  });

  it('loops and groups hold blocks', () => {
    const { plan, task } = setup(
      tasks(
        '  - id: each\n    for_each: "[1, 2]"\n    max_parallel: 2\n    loop_name: outer\n    tasks:\n      - { id: a, action: echo, parameters: { text: "{{ outer.item }}" } }\n' +
          '  - id: grow\n    while: iteration < 3\n    until: a2.result\n    max_iterations: 5\n    tasks:\n      - { id: a2, action: echo, parameters: { text: x } }\n  - id: both\n    parallel:\n      - { action: echo, parameters: { text: x } }\n      - { id: y, action: echo, parameters: { text: x } }\n' +
          '  - id: q\n    create_parallel_queue: { "on": "[1]", tasks: [{ id: b, action: echo, parameters: { text: x } }] }\n',
      ),
    );
    expect(plan.blocks.map(({ kind, owner, loopName, queue }) => [kind, owner?.task ?? null, loopName, queue])).toEqual([
      ['root', null, undefined, undefined],
      ['for_each', 0, 'outer', undefined],
      ['while', 1, undefined, undefined],
      ['group', 2, undefined, undefined],
      ['for_each', 3, undefined, true],
    ]);
    expect(task('each')).toMatchObject({ kind: 'for_each', action: 'for_each', source: { e: '[1, 2]' }, maxParallel: { v: 2 }, body: 1 });
    expect(task('grow')).toMatchObject({ kind: 'while', while: { e: 'iteration < 3' }, until: { e: 'a2.result' }, maxIterations: { v: 5 }, body: 2 });
    expect(task('both')).toMatchObject({ kind: 'group', action: 'parallel', body: 3 });
    expect(plan.blocks[3]!.tasks.map(({ id }) => id)).toEqual(['step_1', 'y']);
  });

  it('keeps caching and what is done in doubt', () => {
    const { task } = setup(
      tasks(
        '  - { id: a, action: shell.run, cache: { key: "{{ execution.date }}", ttl: 1d }, on_ambiguous: retry, parameters: { command: x } }\n  - { id: b, action: echo, cache: true, parameters: { text: x } }\n  - { id: c, action: echo, cache: false, parameters: { text: x } }\n',
      ),
    );
    expect(task('a')).toMatchObject({ cache: { key: { e: 'execution.date' }, ttlMs: 86_400_000 }, onAmbiguous: 'retry' });
    expect(task('b').cache).toEqual({ key: { v: null } });
    expect(task('c')).toMatchObject({ uncached: true });
    expect(task('c')).not.toHaveProperty('cache');
    expect(task('b')).not.toHaveProperty('uncached');
  });

  it('defaults of inputs may use the inputs above them', () => {
    expect(setup('name: p\ninputs: { a: x, b: "{{ a }}y" }\ntasks:\n  - { id: t, action: echo, parameters: { text: "{{ b }}" } }\n').problems).toEqual([]);
    expect(setup('name: p\ninputs: { a: "{{ b }}y", b: x }\ntasks:\n  - { id: t, action: echo, parameters: { text: "{{ a }}" } }\n').problems).toContain(
      'error ORC-302 2 b',
    );
  });

  it('a task that the parser could not read whole does not stop the others from being checked', () => {
    expect(
      setup(tasks('  - { id: a, parameters: { text: "{{ ghost }}" } }\n  - { id: b, action: echo, parameters: { text: "{{ a.x }}{{ spook }}" } }\n')).problems,
    ).toEqual(['error ORC-102 4 a', 'error ORC-302 4 ghost', 'error ORC-302 5 spook']);
  });
});

describe('handlers', () => {
  const READ = '  - id: read\n    action: filesystem.read\n    parameters: { path: x }\n';

  it('an action is a block of one task, which knows the error and what failed', () => {
    const { plan, task } = setup(
      tasks(
        `${READ}    on_error:\n      - { action: echo, match: { codes: [ORC-221], classes: [timeout], patterns: ["no such"] }, parameters: { text: "{{ error.code }}{{ error.class }}{{ error.message }}{{ error.task }}{{ error.attempt }}{{ read.error }}" }, timeout: 5, retry: true }\n      - { fallback_value: { content: "{{ error.message }}" } }\n`,
      ),
    );
    expect(task('read').handlers).toMatchObject([
      { block: 1, codes: ['ORC-221'], classes: ['timeout'], patterns: ['no such'], retry: true, maxRetries: 1 },
      { fallback: { o: [['content', { e: 'error.message' }]] }, codes: [], retry: false },
    ]);
    expect(task('read').handlers[1]).not.toHaveProperty('block');
    expect(plan.blocks[1]).toMatchObject({
      kind: 'handler',
      owner: { block: 0, task: 0 },
      tasks: [{ id: 'on_error_1', action: 'echo', timeoutMs: 5000, needs: [] }],
    });
    expect(setup(tasks(`${READ}    on_error: [{ action: echo, parameters: { text: "{{ error.kind }}" } }]\n`)).problems).toEqual(['error ORC-207 7 kind']);
    expect(setup(tasks(`${READ}    on_error: [{ action: ech, parameters: {} }]\n`)).problems).toEqual(['error ORC-210 7 ech']);
  });

  it('a task is copied without its dependencies, and does not run by itself any more', () => {
    const { plan, task } = setup(
      tasks(
        `${READ}    on_error: mend\n  - { id: other, action: echo, parameters: { text: x } }\n  - { id: mend, action: echo, dependencies: [read], parameters: { text: "{{ error.message }} {{ read.error }} {{ other.result }}" } }\n`,
      ),
    );
    expect(task('mend').handlerOnly).toBe(true);
    expect(task('read').handlerOnly).toBeUndefined();
    expect(plan.blocks[1]!.tasks).toMatchObject([{ id: 'mend', needs: [], dependencies: [] }]);
    expect(plan.blocks[1]!.tasks[0]).not.toHaveProperty('handlerOnly');
    expect(task('read').needs).toEqual([1]);
  });

  it('one that does not exist is told, and a circle of them', () => {
    expect(setup(tasks(`${READ}    on_error: [{ task: mnd }]\n  - { id: mend, action: echo, parameters: { text: x } }\n`)).problems).toEqual([
      'error ORC-208 7 mnd',
    ]);
    const { result, problems } = setup(
      tasks(
        `${READ}    on_error: [{ task: a }]\n  - { id: a, action: echo, parameters: { text: x }, on_error: [{ task: b }] }\n  - { id: b, action: echo, parameters: { text: x }, on_error: [{ task: a }] }\n`,
      ),
    );
    expect(problems).toContain('error ORC-202 9 a');
    expect(result.diagnostics.map(({ message }) => message)).toContain('these tasks handle the errors of each other: read -> a -> b -> a');
  });

  it('that copy each other again and again count towards the limit of tasks', () => {
    const ids = Array.from({ length: 9 }, (_, i) => `t${i}`);
    const list = ids
      .map(
        id =>
          `  - { id: ${id}, action: echo, parameters: { text: x }, on_error: [${ids
            .filter(other => other !== id)
            .map(other => `{ task: ${other}, match: { codes: [ORC-221] } }`)
            .join(', ')}] }\n`,
      )
      .join('');
    const { problems } = setup(tasks(list), { limits: { tasks: 500 } });
    expect(problems.filter(problem => problem.startsWith('error ORC-605'))).toHaveLength(1);
  });

  it('those of the pipeline stand beside its tasks, and copy one too', () => {
    const { plan, task } = setup(
      `${tasks('  - { id: a, action: echo, parameters: { text: x } }\n  - { id: tell, action: echo, parameters: { text: "{{ error.message }} {{ a.status }}" } }\n')}on_error: [{ task: tell }, { action: echo, parameters: { text: "{{ a.status }}" }, match: { codes: [ORC-606] } }]\n`,
    );
    expect(plan.handlers).toMatchObject([{ block: 1 }, { block: 2, codes: ['ORC-606'] }]);
    expect(plan.blocks[1]).toMatchObject({ kind: 'handler', owner: null, tasks: [{ id: 'tell' }] });
    expect(task('tell').handlerOnly).toBe(true);
    expect(task('a').needs).toEqual([]);
  });

  it('may hold loops, whose blocks are no tasks of the pipeline', () => {
    const { result } = setup(
      tasks(
        `${READ}    on_error: [{ task: mend }]\n  - id: mend\n    for_each: [1]\n    tasks:\n      - { id: a, action: echo, parameters: { text: "{{ error.message }}" } }\n`,
      ),
    );
    expect([...result.tasks.keys()]).toEqual(['read', 'mend', 'mend/a']);
    expect(result.plan!.blocks.map(({ kind }) => kind)).toEqual(['root', 'handler', 'for_each', 'for_each']);
  });
});

describe('lints', () => {
  it('a condition that is always false', () => {
    expect(setup(tasks('  - { id: a, action: echo, condition: "false", parameters: { text: x } }\n')).problems).toEqual(['warning ORC-209 4 "false"']);
  });

  it('an on_false without a condition', () => {
    expect(
      setup(tasks('  - { id: a, action: echo, on_false: b, parameters: { text: x } }\n  - { id: b, action: echo, parameters: { text: x } }\n')).problems,
    ).toEqual(['warning ORC-204 4 b']);
  });

  it('a handler after one that takes every error', () => {
    expect(
      setup(
        tasks(
          '  - { id: a, action: echo, parameters: { text: x }, on_error: [{ fallback_value: 1, match: { codes: [ORC-221] } }, { fallback_value: 2 }, { fallback_value: 3 }] }\n',
        ),
      ).problems,
    ).toEqual(['warning ORC-209 4 { fallback_value: 3 }']);
  });

  it('an input that is never used', () => {
    const { problems } = setup('name: p\ninputs: { a: x, b: x }\ntasks:\n  - { id: t, action: echo, parameters: { text: "{{ a }}" } }\n');
    expect(problems).toEqual(['info ORC-120 2 b']);
    expect(setup('name: p\ninputs: { a: x }\ntasks:\n  - { id: t, action: echo, parameters: { text: x } }\n').problems).toEqual(['info ORC-120 2 a']);
    expect(setup('name: p\ninputs: { a: x }\ntasks:\n  - { id: t, action: echo, parameters: { text: "{{ inputs }}" } }\n').problems).toEqual([]);
  });
});
