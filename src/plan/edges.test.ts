import { describe, expect, it } from 'vitest';
import { setup, tasks } from './fixture.ts';

const echo = (id: string, more = '', text = 'x'): string =>
  `  - { id: ${id}, action: echo, parameters: { text: "${text}" }${more === '' ? '' : `, ${more}`} }\n`;

describe('edges', () => {
  it('come from declared dependencies and from every reference, each once, whatever the order of lines', () => {
    const { plan } = setup(
      tasks(echo('last', 'dependencies: [mid, first]', '{{ first.result }}') + echo('mid', 'condition: "first.status == \'completed\'"') + echo('first')),
    );
    expect(plan.blocks[0]!.tasks.map(({ needs, dependencies, order }) => ({ needs, dependencies, order }))).toEqual([
      { needs: [1, 2], dependencies: [1, 2], order: [] },
      { needs: [2], dependencies: [2], order: [] },
      { needs: [], dependencies: [], order: [] },
    ]);
  });

  it('come from AUTO questions, models, cache keys, loops and handlers', () => {
    const { plan } = setup(
      tasks(
        '  - id: a\n    action: generate_text\n    model: "{{ m1.result }}"\n    cache: { key: "{{ m2.result }}" }\n    parameters: { prompt: <AUTO>about {{ m3.result }}</AUTO> }\n    on_error: [{ action: echo, parameters: { text: "{{ m4.result }} {{ a.error }} {{ error.message }}" } }]\n' +
          '  - id: loop\n    for_each: "[m1.result]"\n    max_parallel: "{{ m2.result | length }}"\n    tasks:\n      - { id: inner, action: echo, parameters: { text: "{{ m3.result }}" } }\n      - { id: next, action: echo, dependencies: [inner, m4], parameters: { text: x } }\n' +
          echo('m1') +
          echo('m2') +
          echo('m3') +
          echo('m4'),
      ),
    );
    expect(plan.blocks[0]!.tasks[0]!.needs).toEqual([2, 3, 4, 5]);
    expect(plan.blocks[0]!.tasks[1]!.needs).toEqual([2, 3, 4, 5]);
    expect(plan.blocks[plan.blocks[0]!.tasks[1]!.body!]!.tasks.map(({ needs }) => needs)).toEqual([[], [0]]);
  });

  it('do not come from names and descriptions', () => {
    expect(
      setup(
        tasks(
          '  - { id: a, name: "{{ b.result }}", action: echo, parameters: { text: x } }\n  - { id: b, description: "{{ a.result }}", action: echo, parameters: { text: x } }\n',
        ),
      ).plan.blocks[0]!.tasks.map(({ needs }) => needs),
    ).toEqual([[], []]);
  });

  it('an unknown dependency is shown with a similar task', () => {
    const { result, problems } = setup(tasks(echo('search_web') + echo('report', 'dependencies: [serch_web]')));
    expect(problems).toEqual(['error ORC-201 5 serch_web']);
    const [{ path, label, help, related }] = result.diagnostics as [(typeof result.diagnostics)[0]];
    expect({ path, label, help }).toEqual({ path: 'pipeline.tasks[1].dependencies[0]', label: 'no task has this id', help: ['did you mean `search_web`?'] });
    expect(related).toMatchObject([{ message: 'a similar task is here' }]);
    expect(setup(tasks(echo('report', 'dependencies: [quite_other]'))).problems).toEqual(['error ORC-201 4 quite_other']);
  });

  it('a task may not depend on itself, nor on the loop in which it runs', () => {
    expect(setup(tasks(echo('a', 'dependencies: [a]'))).problems).toEqual(['error ORC-203 4 a']);
    expect(
      setup(tasks('  - id: each\n    for_each: [1]\n    tasks:\n      - { id: b, action: echo, dependencies: [each], parameters: { text: x } }\n')).problems,
    ).toEqual(['error ORC-203 7 each']);
  });
});

describe('cycles', () => {
  it('are shown once each, at the edge that no template needs', () => {
    const { result, problems } = setup(
      tasks(
        echo('plan', '', '{{ review.result }}') +
          echo('review', '', '{{ draft.result }}') +
          echo('draft', 'dependencies: [plan]') +
          echo('x', 'dependencies: [y]') +
          echo('y', 'dependencies: [x]'),
      ),
    );
    expect(problems).toEqual(['error ORC-202 6 plan', 'error ORC-202 7 y']);
    const [first, second] = result.diagnostics;
    expect(first!.message).toBe('these tasks wait for each other: plan -> review -> draft -> plan');
    expect(first!.label).toBe('`draft` waits for `plan`');
    expect(first!.related!.map(({ message }) => message)).toEqual(['`plan` waits for `review`', '`review` waits for `draft`']);
    expect(first!.help).toEqual(['remove one edge; `draft -> plan` is the only one that no {{ template }} needs']);
    expect(second!.help![0]).toContain('is one that no {{ template }} needs');
    expect(first!.path).toBe('pipeline.tasks[2]');
  });

  it('made of references only, of routes, and in bodies', () => {
    const only = setup(tasks(echo('a', '', '{{ b.result }}') + echo('b', '', '{{ a.result }}')));
    expect(only.problems).toEqual(['error ORC-202 5 a']);
    expect(only.result.diagnostics[0]!.help![0]).toContain('must do without');
    const routed = setup(tasks(echo('a', 'on_success: c', '{{ b.result }}') + echo('b') + echo('c')));
    expect(routed.problems).toEqual(['error ORC-202 4 c']);
    expect(routed.result.diagnostics[0]!.label).toBe('`b` waits for `a`, because `a` routes past or to it');
    expect(
      setup(
        tasks(
          '  - id: each\n    for_each: [1]\n    tasks:\n      - { id: a, action: echo, dependencies: [b], parameters: { text: x } }\n      - { id: b, action: echo, dependencies: [a], parameters: { text: x } }\n',
        ),
      ).problems,
    ).toEqual(['error ORC-202 7 b']);
    expect(
      setup(
        tasks(
          '  - id: each\n    for_each: [1]\n    tasks:\n      - { id: a, action: echo, parameters: { text: "{{ late.result }}" } }\n' +
            echo('late', 'dependencies: [each]'),
        ),
      ).problems,
    ).toEqual(['error ORC-202 8 each']);
  });

  it('long ones are told in short', () => {
    const { result } = setup(tasks(Array.from({ length: 30 }, (_, i) => echo(`t${i}`, `dependencies: [t${(i + 1) % 30}]`)).join('')));
    expect(result.diagnostics[0]!.message).toBe(
      'these tasks wait for each other: t0 -> t1 -> t2 -> t3 -> t4 -> t5 -> t6 -> t7 -> t8 -> t9 -> … 20 more … -> t0',
    );
    expect(result.diagnostics[0]!.related).toHaveLength(12);
  });
});

describe('routes', () => {
  it('put their task before what they jump over and before the target, for which it counts as settled', () => {
    const { plan } = setup(
      tasks(
        echo('check', 'condition: "true", on_false: end, on_success: mid') + echo('mid') + echo('side') + echo('end', 'dependencies: [check]') + echo('after'),
      ),
    );
    expect(plan.blocks[0]!.tasks.map(({ needs, order, dependencies }) => [needs, order, dependencies])).toEqual([
      [[], [], []],
      [[0], [0], []],
      [[0], [], []],
      [[0], [0], [0]],
      [[], [], []],
    ]);
    expect(plan.blocks[0]!.tasks[0]).toMatchObject({ onFalse: 3, onSuccess: 1, onFailure: 'fail' });
    expect(setup(tasks(echo('a', 'on_failure: b') + echo('b', 'on_failure: skip'))).plan.blocks[0]!.tasks.map(({ onFailure }) => onFailure)).toEqual([
      { route: 1 },
      'skip',
    ]);
  });

  it.each([
    ['nowhere', 'does not exist in this list'],
    ['only', 'leads to itself'],
    ['before', 'leads back to'],
  ])('to %s: %s', (target, message) => {
    const { result, problems } = setup(tasks(echo('before') + echo('only', `on_success: ${target}`)));
    expect(problems).toEqual([`error ORC-204 5 ${target}`]);
    expect(result.diagnostics[0]!.message).toContain(message);
  });

  it('name the task that may have been meant', () => {
    expect(setup(tasks(echo('a', 'on_failure: handlr') + echo('handler'))).result.diagnostics[0]!.label).toBe('did you mean `handler`?');
  });

  it('that jump over too many tasks in sum are refused before they take all memory', () => {
    const { problems } = setup(tasks(Array.from({ length: 1500 }, (_, i) => echo(`t${i}`, i < 1499 ? 'on_success: t1499' : '')).join('')));
    expect(problems.filter(problem => problem.startsWith('error ORC-605'))).toHaveLength(1);
  });
});

it('a plan of 5,000 tasks takes time in proportion', () => {
  const chain = (count: number): string =>
    tasks(
      Array.from(
        { length: count },
        (_, i) => `  - id: t${i}\n    action: sleep\n    dependencies: [${i === 0 ? '' : `t${i - 1}`}]\n    parameters: { duration: 1 }\n`,
      ).join(''),
    );
  const { plan } = setup(chain(5_000));
  expect(plan.blocks[0]!.tasks).toHaveLength(5_000);
  expect(plan.blocks[0]!.tasks.at(-1)!.needs).toEqual([4_998]);
}, 30_000);
