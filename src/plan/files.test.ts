import { describe, expect, it } from 'vitest';
import { CATALOG, setup, tasks } from './fixture.ts';

const INNER =
  'name: inner\nversion: "1"\ninputs:\n  topic: { type: string }\n  depth: { type: integer, default: 1 }\ntasks:\n  - { id: say, action: echo, parameters: { text: "{{ topic }} {{ depth }}" } }\noutputs: { said: "{{ say.result }}" }\n';

function run(parameters: string, files: Record<string, string> = { 'sub/inner.yaml': INNER }, after = ''): ReturnType<typeof setup> {
  return setup(tasks(`  - id: sub\n    action: pipeline.run\n    parameters: ${parameters}\n${after}`), { files });
}

describe('inclusions', () => {
  it('are read into the plan once, by their path as written', () => {
    const { plan, task } = setup(tasks("  - { id: a, action: echo, parameters: { text: \"{{ file('prompts/x.md') }} and {{ file('prompts/x.md') }}\" } }\n"), {
      files: { 'prompts/x.md': 'Be brief. {{ not_rendered }}' },
    });
    expect(plan.inclusions).toEqual({ 'prompts/x.md': 'Be brief. {{ not_rendered }}' });
    expect(task('a').parameters).toMatchObject({ o: [['text', { t: "{{ file('prompts/x.md') }} and {{ file('prompts/x.md') }}" }]] });
  });

  it.each(['missing.md', '/etc/passwd', '../secret.md', 'c:/x', 'a/../../x'])('%s is a missing file', path => {
    expect(setup(tasks(`  - { id: a, action: echo, parameters: { text: "{{ file('${path}') }}" } }\n`), { files: { 'secret.md': 'x' } }).problems).toEqual([
      `error ORC-206 4 file('${path}')`,
    ]);
  });

  it('a path that is computed is an error', () => {
    expect(setup(tasks('  - { id: a, action: echo, parameters: { text: "{{ file(execution.id) }}" } }\n')).problems).toEqual([
      'error ORC-308 4 file(execution.id)',
    ]);
  });

  it('of a sub-pipeline lie in its own folder, and are named from that of the main one', () => {
    const inner = 'name: inner\ntasks:\n  - { id: say, action: echo, parameters: { text: "{{ file(\'x.md\') }}" } }\n';
    const { plan, task } = setup(
      tasks(
        '  - { id: a, action: echo, parameters: { text: "{{ file(\'x.md\') }}" } }\n  - { id: sub, action: pipeline.run, parameters: { file: ./sub/inner.yaml } }\n',
      ),
      { files: { 'x.md': 'outer', 'sub/x.md': 'inner', 'sub/inner.yaml': inner } },
    );
    expect(plan.inclusions).toEqual({ 'x.md': 'outer', 'sub/x.md': 'inner' });
    expect(task('sub/say').parameters).toMatchObject({ o: [['text', { e: 'file("sub/x.md")' }]] });
  });
});

describe('sub-pipelines', () => {
  it('are blocks of their own, with inputs, outputs and name', () => {
    const { plan, task } = run(
      '{ file: sub/inner.yaml, inputs: { topic: 012, depth: "{{ execution.id | length }}" } }',
      undefined,
      '  - { id: z, action: echo, parameters: { text: "{{ sub.said }}" } }\n',
    );
    expect(task('sub')).toMatchObject({
      kind: 'pipeline',
      body: 1,
      parameters: {
        o: [
          ['file', { v: 'sub/inner.yaml' }],
          [
            'inputs',
            {
              o: [
                ['topic', { v: '012' }],
                ['depth', { e: 'execution.id | length' }],
              ],
            },
          ],
        ],
      },
    });
    expect(plan.blocks[1]).toMatchObject({
      kind: 'pipeline',
      owner: { block: 0, task: 0 },
      pipeline: { id: 'inner', name: 'inner', version: '1' },
      outputs: [{ name: 'said', value: { e: 'say.result' } }],
    });
    expect(plan.blocks[1]!.inputs!.map(({ name, required }) => [name, required])).toEqual([
      ['topic', true],
      ['depth', false],
    ]);
    expect(plan.files.map(({ file }) => file)).toEqual(['p.yaml', 'sub/inner.yaml']);
    expect(task('sub/say').at).toEqual([1, 7, 11]);
    expect(plan.blocks[0]).not.toHaveProperty('inputs');
  });

  it('know no name of their caller', () => {
    const { problems } = run('{ file: inner.yaml }', {
      'inner.yaml': 'name: inner\ntasks:\n  - { id: say, action: echo, parameters: { text: "{{ sub.x }}" } }\n',
    });
    expect(problems).toEqual(['inner.yaml error ORC-302 3 sub', 'error ORC-215 5 pipeline.run']);
  });

  it('their outputs are known to the caller', () => {
    expect(
      run('{ file: sub/inner.yaml, inputs: { topic: x } }', undefined, '  - { id: z, action: echo, parameters: { text: "{{ sub.sayd }}" } }\n').problems,
    ).toEqual(['error ORC-207 7 sayd']);
    expect(run('{ file: missing.yaml }', {}, '  - { id: z, action: echo, parameters: { text: "{{ sub.sayd }}" } }\n').problems).toEqual([
      'error ORC-206 6 missing.yaml',
    ]);
  });

  it.each([
    ['{ file: sub/inner.yaml }', ['error ORC-116 5 pipeline.run']],
    ['{ file: sub/inner.yaml, inputs: null }', ['error ORC-116 5 pipeline.run']],
    ['{ file: sub/inner.yaml, inputs: { depth: 2 } }', ['error ORC-116 6 { depth: 2 }']],
    ['{ file: sub/inner.yaml, inputs: { topic: x, deph: 2 } }', ['error ORC-117 6 deph']],
    ['{ file: sub/inner.yaml, inputs: { topic: x, other_thing: "{{ execution.id }}" } }', ['error ORC-117 6 other_thing']],
    ['{ file: sub/inner.yaml, inputs: { topic: x, depth: "2" } }', ['error ORC-115 6 "2"']],
    ['{ file: sub/inner.yaml, inputs: [1] }', ['error ORC-115 6 [1]']],
    ['{ file: sub/inner.yaml, inputs: "{{ execution }}" }', []],
    ['{ file: "{{ execution.id }}" }', ['error ORC-212 6 "{{ execution.id }}"']],
    ['{ file: ../inner.yaml }', ['error ORC-206 6 ../inner.yaml']],
    ['{ inputs: {} }', ['error ORC-211 5 pipeline.run', 'error ORC-212 5 pipeline.run']],
  ])('given %s: %o', (parameters, problems) => {
    expect(run(parameters).problems).toEqual(problems);
  });

  it('a file that cannot be read as a pipeline is told, with its own problems first', () => {
    expect(run('{ file: broken.yaml }', { 'broken.yaml': 'a: [' }).problems.map(problem => problem.split(' ').slice(0, 3).join(' '))).toEqual([
      'broken.yaml error ORC-100',
      'error ORC-215 6',
    ]);
  });

  it('may not run themselves, directly or through others', () => {
    const call = (file: string): string => tasks(`  - { id: sub, action: pipeline.run, parameters: { file: ${file} } }\n`);
    expect(setup(call('p.yaml'), { files: { 'p.yaml': call('p.yaml') } }).problems).toEqual(['error ORC-205 4 p.yaml']);
    const { result, problems } = setup(call('a.yaml'), { file: 'folder/p.yaml', files: { 'a.yaml': call('p.yaml') } });
    expect(problems).toContain('folder/a.yaml error ORC-205 4 p.yaml');
    expect(result.diagnostics[0]!.message).toBe('the pipeline `p.yaml` runs itself: p.yaml -> a.yaml -> p.yaml');
  });

  it('may run themselves as deep as they say, and fail below that', () => {
    const text = (more: string): string =>
      tasks(`  - { id: sub, action: pipeline.run, condition: "true", parameters: { file: p.yaml, max_depth: 2 } }\n${more}`);
    const { plan, task } = setup(text(''), { files: { 'p.yaml': text('') } });
    expect(plan.blocks.map(({ kind }) => kind)).toEqual(['root', 'pipeline', 'pipeline']);
    expect(task('sub/sub/sub')).toMatchObject({ kind: 'action', action: 'fail', parameters: { v: { message: expect.stringContaining('max_depth') } } });
    expect(plan.actions).toHaveProperty('fail');
    const { result } = setup(text(''), { files: { 'p.yaml': text('') }, actions: CATALOG.filter(({ name }) => name !== 'fail') });
    expect(result.diagnostics[0]!.code).toBe('ORC-210');
  });

  it('their own time-out is that of the task that runs them, unless it has one; what counts for a whole run is told not to count', () => {
    const files = {
      'i.yaml':
        'name: i\ntimeout: 5\nbudget: { usd: 1 }\nconcurrency: 2\ntasks:\n  - { id: say, action: echo, parameters: { text: x } }\non_error: [{ fallback_value: 1 }]\n',
      'j.yaml': 'name: j\ntasks:\n  - { id: say, action: echo, parameters: { text: x } }\n',
    };
    const { task, problems, result } = setup(
      tasks(
        '  - { id: a, action: pipeline.run, parameters: { file: i.yaml } }\n  - { id: b, action: pipeline.run, timeout: 9, parameters: { file: i.yaml } }\n  - { id: c, action: pipeline.run, parameters: { file: j.yaml } }\n',
      ),
      { files },
    );
    expect([task('a').timeoutMs, task('b').timeoutMs, task('c').timeoutMs]).toEqual([5000, 9000, undefined]);
    expect(problems).toEqual(['warning ORC-215 4 pipeline.run', 'warning ORC-215 5 pipeline.run']);
    expect(result.diagnostics[0]!.message).toContain('`budget`, `concurrency`, `on_error` of i.yaml');
  });

  it('go at most 16 deep', () => {
    const files = (depth: number): Record<string, string> =>
      Object.fromEntries(
        Array.from({ length: depth }, (_, i) => [
          `f${i + 1}.yaml`,
          tasks(
            i + 1 === depth
              ? '  - { id: end, action: echo, parameters: { text: x } }\n'
              : `  - { id: sub, action: pipeline.run, parameters: { file: f${i + 2}.yaml } }\n`,
          ),
        ]),
      );
    const first = tasks('  - { id: sub, action: pipeline.run, parameters: { file: f1.yaml } }\n');
    expect(setup(first, { files: files(16) }).problems).toEqual([]);
    expect(setup(first, { files: files(17) }).problems[0]).toBe('f16.yaml error ORC-205 4 f17.yaml');
  });

  it('that are run twice are two blocks, and their problems are told once', () => {
    const twice = (inner: string): ReturnType<typeof setup> =>
      setup(tasks('  - { id: a, action: pipeline.run, parameters: { file: i.yaml } }\n  - { id: b, action: pipeline.run, parameters: { file: i.yaml } }\n'), {
        files: { 'i.yaml': inner },
      });
    expect(twice('name: i\ntasks:\n  - { id: say, action: echo, parameters: { text: x } }\n').plan.blocks).toHaveLength(3);
    expect(twice('name: i\ntasks:\n  - { id: say, action: echo, parameters: { text: "{{ ghost }}" } }\n').problems).toEqual([
      'i.yaml error ORC-302 3 ghost',
      'error ORC-215 4 pipeline.run',
      'error ORC-215 5 pipeline.run',
    ]);
  });

  it('count their tasks towards the limit of the plan', () => {
    const two = 'name: i\ntasks:\n  - { id: a, action: echo, parameters: { text: x } }\n  - { id: b, action: echo, parameters: { text: x } }\n';
    const caller = tasks(
      '  - { id: a, action: pipeline.run, parameters: { file: i.yaml } }\n  - { id: b, action: pipeline.run, parameters: { file: i.yaml } }\n',
    );
    expect(setup(caller, { files: { 'i.yaml': two }, limits: { tasks: 6 } }).problems).toEqual([]);
    expect(setup(caller, { files: { 'i.yaml': two }, limits: { tasks: 5 } }).problems).toContain('i.yaml error ORC-605 4 b');
    expect(setup(caller, { files: { 'i.yaml': two }, limits: { tasks: 3 } }).problems).toContain('error ORC-605 5 b');
  });
});
