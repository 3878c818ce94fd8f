import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OrchestratorError } from '../errors.ts';
import { CircularDependencyError, DependencyResolver, levels, MissingDependencyError, resolveDependencies } from './dependencies.ts';

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe('resolveDependencies', () => {
  it('puts each task after all that it depends on', () => {
    expect(resolveDependencies([{ id: 'c', dependencies: ['b', 'a', 'a'] }, { id: 'b', dependencies: ['a'] }, { id: 'a' }])).toEqual(['a', 'b', 'c']);
    expect(levels([{ id: 'a' }, { id: 'b', dependencies: ['a'] }, { id: 'c' }])).toEqual([['a', 'c'], ['b']]);
    expect(resolveDependencies([])).toEqual([]);
  });

  it('keeps its word for any graph without a circle', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.nat(), { maxLength: 4 }), { maxLength: 12 }), picks => {
        const tasks = picks
          .map((numbers, index) => ({ id: `t${index}`, dependencies: index === 0 ? [] : numbers.map(number => `t${number % index}`) }))
          .reverse();
        const order = resolveDependencies(tasks);
        expect(order.toSorted()).toEqual(tasks.map(({ id }) => id).toSorted());
        for (const { id, dependencies } of tasks) for (const dependency of dependencies) expect(order.indexOf(dependency)).toBeLessThan(order.indexOf(id));
      }),
    );
  });

  it("is what the guide's class calls", () => {
    const resolver = new DependencyResolver();
    const tasks = [{ id: 'b', dependencies: ['a'] }, { id: 'a' }];
    expect([resolver.resolveDependencies(tasks), resolver.levels(tasks)]).toEqual([
      ['a', 'b'],
      [['a'], ['b']],
    ]);
  });

  it('names every circle', () => {
    const error = thrownBy(() =>
      resolveDependencies([
        { id: 'a', dependencies: ['b'] },
        { id: 'b', dependencies: ['a'] },
        { id: 'c', dependencies: ['c'] },
      ]),
    );
    expect(error).toBeInstanceOf(CircularDependencyError);
    expect(error).toBeInstanceOf(OrchestratorError);
    expect(error).toMatchObject({
      code: 'ORC-202',
      cycle: ['a', 'b', 'a'],
      cycles: [
        ['a', 'b', 'a'],
        ['c', 'c'],
      ],
    });
  });

  it('names a dependency that does not exist, and one that may have been meant', () => {
    const error = thrownBy(() => resolveDependencies([{ id: 'search_web' }, { id: 'report', dependencies: ['serch_web'] }]));
    expect(error).toBeInstanceOf(MissingDependencyError);
    expect(error).toMatchObject({ code: 'ORC-201', task: 'report', dependency: 'serch_web', help: ['did you mean `search_web`?'] });
  });
});
