import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openBench } from '../../test/support/action-bench.ts';
import { defineAction, loadModule, loadRecorded, readManifest, syncManifest } from './own.ts';
import type { Action } from './port.ts';

const WEATHER = `
export const today = {
  name: 'weather.today', summary: 'Tells the weather.', effect: 'read', powers: [],
  parameters: { type: 'object', properties: { city: { type: 'string', default: 'Oslo' } } }, result: { type: 'string' },
  run: parameters => 'sun in ' + parameters.city,
};
export default [today, { ...today, name: 'weather.tomorrow' }];
export const helper = 5;
`;

const action: Action = { name: 'a.b', summary: 'Does.', effect: 'pure', powers: [], parameters: { type: 'object' }, result: true, run: () => null };

test('defineAction gives the action back, or says what is wrong', () => {
  expect(defineAction(action)).toBe(action);
  const wrong: [Partial<Action>, RegExp][] = [
    [{ name: 'A b' }, /no name/],
    [{ name: 'echo' }, /built-in/],
    [{ summary: '' }, /summary/],
    [{ effect: 'maybe' as never }, /effect/],
    [{ powers: ['root' as never] }, /powers/],
    [{ parameters: { type: 'array' } }, /parameters/],
    [{ result: 'x' as never }, /result/],
    [{ engine: 'sleep' }, /engine/],
    [{ run: undefined as never }, /run/],
    [{ parameters: { type: 'object', x: (() => 1) as never } }, /plain data/],
  ];
  for (const [change, message] of wrong)
    expect(() => defineAction({ ...action, ...change }), String(message)).toThrow(
      expect.objectContaining({ code: 'ORC-513', message: expect.stringMatching(message) }),
    );
});

test('a module gives its actions once each, from names, lists and the default', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.folder, 'weather.mjs'), WEATHER);
  const actions = await loadModule(join(bench.folder, 'weather.mjs'));
  expect(actions.map(({ name }) => name).sort()).toEqual(['weather.today', 'weather.tomorrow']);
  expect(await actions.find(({ name }) => name === 'weather.today')!.run({}, bench.context)).toBe('sun in Oslo');
});

test.each([
  ['throws', 'throw new Error("no")'],
  ['uses what is not there', 'export const x = absent.y'],
  ['exports nothing', 'export const x = 1'],
  ['has a bad action', 'export const x = { name: "echo", run() {} }'],
])('a module that %s', async (_, code) => {
  await using bench = await openBench();
  await writeFile(join(bench.folder, 'm.mjs'), code);
  await expect(loadModule(join(bench.folder, 'm.mjs'))).rejects.toMatchObject({ code: 'ORC-513' });
});

test('a manifest holds schemas and hashes, is read without loading, and a module that differs is refused before it runs', async () => {
  await using bench = await openBench();
  await mkdir(join(bench.folder, 'actions'));
  await writeFile(join(bench.folder, 'actions/weather.mjs'), WEATHER);
  const manifest = readManifest(await syncManifest(['./actions/weather.mjs'], bench.folder));
  expect(manifest).toMatchObject({ v: 1, modules: [{ file: 'actions/weather.mjs', sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }] });
  expect(manifest.modules[0]!.actions.map(spec => spec.name).sort()).toEqual(['weather.today', 'weather.tomorrow']);
  expect(await loadRecorded(manifest.modules[0]!, bench.folder)).toHaveLength(2);
  await writeFile(
    join(bench.folder, 'actions/weather.mjs'),
    `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(join(bench.folder, 'ran'))}, '');${WEATHER}`,
  );
  await expect(loadRecorded(manifest.modules[0]!, bench.folder)).rejects.toMatchObject({ code: 'ORC-513', help: ['orchestrator actions sync'] });
  expect(existsSync(join(bench.folder, 'ran'))).toBe(false);
});

test('two modules may not bring the same action, and an absent one is named', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.folder, 'a.mjs'), WEATHER);
  await writeFile(join(bench.folder, 'b.mjs'), WEATHER);
  await expect(syncManifest(['a.mjs', 'b.mjs'], bench.folder)).rejects.toMatchObject({ code: 'ORC-513', message: expect.stringContaining('a.mjs') });
  await expect(syncManifest(['c.mjs'], bench.folder)).rejects.toMatchObject({ code: 'ORC-513', details: { file: 'c.mjs' } });
});

test.each(['', '{}', '{"v":2,"modules":[]}', '{"v":1,"modules":[{}]}', '{"v":1,"modules":[{"file":"a","sha256":"b","actions":[{"name":"echo"}]}]}'])(
  '%j is no manifest',
  text => {
    expect(() => readManifest(text)).toThrow(expect.objectContaining({ code: 'ORC-513' }));
  },
);
