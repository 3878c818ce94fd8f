/**
 * What must not compile: tsc refuses an `@ts-expect-error` that expects in vain, and it reads this file in `npm run check`.
 * The functions are never called.
 */
import { expect, expectTypeOf, test } from 'vitest';
import { createBackend, defineAction, Orchestrator, Pipeline, SchemaValidator, type Json, type RunEvent, type RunResult } from '../../src/index.ts';

export async function wrongOptions(orchestrator: Orchestrator): Promise<void> {
  // @ts-expect-error the option is called `state`
  await Orchestrator.open({ store: 'memory:' });
  // @ts-expect-error a number is no URL
  await Orchestrator.open({ state: 3 });
  // @ts-expect-error tags are a list
  await orchestrator.run('a.yaml', {}, { tags: 'nightly' });
  // @ts-expect-error the option is called `until`
  await orchestrator.start('a.yaml', {}, { untill: 'report' });
  // @ts-expect-error an input is plain data
  await orchestrator.run('a.yaml', { when: new Date() });
  // @ts-expect-error a point is a task or a number
  await orchestrator.fork('run_1', { at: true });
  // @ts-expect-error there is no such verdict
  await orchestrator.settle('run_1', 'mail', 'forget');
  // @ts-expect-error the one option is `url`
  createBackend('sqlite', { path: 'state.db' });
  // @ts-expect-error a pipeline is a text or plain data
  new SchemaValidator().check(new Map());
  const parts = { name: 'a.b', summary: 'x', powers: [], parameters: { type: 'object' }, result: true, run: () => null };
  // @ts-expect-error there is no such effect class
  defineAction({ ...parts, effect: 'harmless' });
}

export async function rightOnes(orchestrator: Orchestrator): Promise<void> {
  const typed = await orchestrator.run<{ report: string }>('a.yaml', { depth: 3, tags: ['a'] }, { signal: AbortSignal.timeout(1000) });
  expectTypeOf(typed.outputs.report).toEqualTypeOf<string>();
  // @ts-expect-error the caller named no such output
  void typed.outputs.summary;
  const loose = await orchestrator.run('a.yaml');
  expectTypeOf(loose).toEqualTypeOf<RunResult>();
  expectTypeOf(loose.outputs['x']).toEqualTypeOf<Json | undefined>();
  expectTypeOf(loose.status).toEqualTypeOf<'pending' | 'running' | 'waiting' | 'paused' | 'cancelling' | 'completed' | 'failed' | 'cancelled'>();
  for await (const event of orchestrator.events('last', { follow: true })) {
    expectTypeOf(event).toEqualTypeOf<RunEvent>();
    if (event.type === 'task.completed') expectTypeOf(event.slot).toEqualTypeOf<number>();
  }
  expectTypeOf((await Pipeline.load('a.yaml')).tasks[0]!.execute()).resolves.toEqualTypeOf<Json>();
}

test('the functions above are there for tsc', () => {
  expect([wrongOptions, rightOnes].every(check => check.length === 1)).toBe(true);
});
