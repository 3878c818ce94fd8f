import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkDependencies, checkPlaces, checkSources, type Offence } from './architecture/check.ts';
import { drawRooms, ROOMS } from './architecture/rooms.ts';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const show = (offences: readonly Offence[]): string => offences.map(({ rule, where, message }) => `${rule}: ${where}: ${message}`).join('\n');

/** What git keeps, and what it would keep if it were added now. */
function committed(): string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: root, encoding: 'utf8', maxBuffer: 64 << 20 });
  const gone = new Set(execFileSync('git', ['ls-files', '--deleted', '-z'], { cwd: root, encoding: 'utf8' }).split('\0'));
  return listed.split('\0').filter(path => path !== '' && !gone.has(path));
}

describe('this repository', () => {
  test('keeps its rooms, budgets and habits', () => {
    const sources = committed().filter(path => /^(src|test|bench|scripts|web\/src)\/.*\.tsx?$/.test(path) && !path.endsWith('.d.ts'));
    const offences = checkSources(new Map(sources.map(path => [path, read(path)])));
    expect(sources.length).toBeGreaterThan(0);
    expect(offences, `${show(offences)}\n\nThe rooms, and what each may import (x: all that its door shows, t: types):\n${drawRooms()}\n`).toEqual([]);
  });

  test('C22 gives the reason for every runtime dependency, and pins all', () => {
    const manifest = JSON.parse(read('package.json')) as { dependencies: Record<string, string>; devDependencies: Record<string, string> };
    expect(show(checkDependencies(manifest, read('docs/dependencies.md')))).toBe('');
    const loose = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(([, version]) => !/^\d+\.\d+\.\d+[-.\w]*$/.test(version));
    expect(loose).toEqual([]);
  });

  test('names no place of the machine that it was written on', () => {
    const texts = committed().filter(path => !/\.(gguf|png|ico|woff2?|gz|zip|db)$/.test(path));
    const registry = process.env['npm_config_registry'];
    const places = [`${root}/`, '"resolved": "http', ...(registry === undefined ? [] : [new URL(registry).host])];
    const own = 'test/architecture.test.ts';
    expect(show(checkPlaces(new Map(texts.filter(path => path !== own).map(path => [path, read(path)])), places))).toBe('');
  });
});

describe('the checker', () => {
  const rules = (tree: Record<string, string>): string[] => checkSources(new Map(Object.entries(tree))).map(offence => `${offence.rule} ${offence.where}`);
  const lines = (count: number): string => 'void 0;\n'.repeat(count);

  test('lets a tree that keeps the rules pass', () => {
    expect(
      rules({
        'src/hash.ts': `import { createHash } from 'node:crypto';\nexport const hash = createHash;`,
        'src/clock.ts': `export const clock = { now: () => Date.now(), monotonic: () => performance.now() };`,
        'src/language/pipeline.ts': `export interface Pipeline { name: string }`,
        'src/language/index.ts': `import { parse } from 'yaml';\nexport { parse };\nexport const at = (text: string) => new Date(text).getTime();`,
        'src/plan/index.ts': `import { hash } from '../hash.ts';\nimport { parse } from '../language/index.ts';\nimport type { Pipeline } from '../language/pipeline.ts';\nimport type { Action } from '../tools/port.ts';\nexport const build = (p: Pipeline, a: Action) => [hash, parse, p, a];`,
        'src/runtime/index.ts': `import { readFile } from 'node:fs/promises';\nimport { build } from '../plan/index.ts';\nexport async function run() { return [await readFile('x'), build]; }`,
        'src/plan/index.test.ts': `import { run } from '../runtime/index.ts';\nconst x: any = run;\nawait x;`,
      }),
    ).toEqual([]);
  });

  test.each<[string, Record<string, string>, string]>([
    ['a room that imports a later one', { 'src/plan/a.ts': `import { x } from '../engine/index.ts';` }, 'arrow src/plan/a.ts:1'],
    ['adapters that import each other', { 'src/tools/a.ts': `import type { x } from '../models/index.ts';` }, 'arrow src/tools/a.ts:1'],
    ['a value out of the port of a later room', { 'src/plan/a.ts': `import { x } from '../tools/port.ts';` }, 'arrow src/plan/a.ts:1'],
    ['a late import of a later room', { 'src/store/a.ts': `export const f = () =>\n  import('../runtime/index.ts');` }, 'arrow src/store/a.ts:2'],
    ['an export from a later room', { 'src/plan/a.ts': `export * from '../cli/index.ts';` }, 'arrow src/plan/a.ts:1'],
    ['a way past a door', { 'src/runtime/a.ts': `import { x } from '../store/sqlite.ts';` }, 'arrow src/runtime/a.ts:1'],
    ['a value out of a port', { 'src/runtime/a.ts': `import { x } from '../store/port.ts';` }, 'arrow src/runtime/a.ts:1'],
    ['a value where only types may pass', { 'src/store/a.ts': `import { x } from '../engine/index.ts';` }, 'arrow src/store/a.ts:1'],
    ['a leaf that imports a room', { 'src/a.ts': `import { x } from './plan/index.ts';` }, 'arrow src/a.ts:1'],
    ['a room that nobody named', { 'src/extras/a.ts': `export const x = 1;` }, 'room src/extras/a.ts'],
    ['a package on floor 1', { 'src/engine/a.ts': `import { z } from 'zod';` }, 'arrow src/engine/a.ts:1'],
    ['a part of Node on floor 1', { 'src/engine/a.ts': `import { join } from 'node:path';` }, 'arrow src/engine/a.ts:1'],
    ['node:crypto in another leaf', { 'src/a.ts': `import { createHash } from 'node:crypto';` }, 'arrow src/a.ts:1'],
    ['a clock', { 'src/engine/a.ts': `export const x = Date.now();` }, 'purity src/engine/a.ts:1'],
    ['a clock by another name', { 'src/engine/a.ts': `export const x = new Date();` }, 'purity src/engine/a.ts:1'],
    ['the clock of the shell', { 'src/engine/a.ts': `import { systemClock } from '../clock.ts';` }, 'purity src/engine/a.ts:1'],
    ['chance', { 'src/plan/a.ts': `export const x = Math.random();` }, 'purity src/plan/a.ts:1'],
    ['a timer', { 'src/language/a.ts': `setTimeout(() => 1, 2);` }, 'purity src/language/a.ts:1'],
    ['a promise', { 'src/language/a.ts': `export const x = Promise.resolve(1);` }, 'purity src/language/a.ts:1'],
    ['an async function', { 'src/plan/a.ts': `export const x = async () => 1;` }, 'purity src/plan/a.ts:1'],
    ['the process', { 'src/plan/a.ts': `export const x = process.env;` }, 'purity src/plan/a.ts:1'],
    ['the word any', { 'src/cli/a.ts': `export const x: any = 1;` }, 'any src/cli/a.ts:1'],
    ['a default export', { 'src/cli/a.ts': `export default 1;` }, 'default-export src/cli/a.ts'],
    ['eval', { 'src/cli/a.ts': `eval('1');` }, 'eval src/cli/a.ts:1'],
    ['new Function', { 'src/cli/a.ts': `export const x = new Function('return 1');` }, 'eval src/cli/a.ts:1'],
    ['node:vm', { 'src/cli/a.ts': `import { runInNewContext } from 'node:vm';` }, 'eval src/cli/a.ts:1'],
    ['a file of 501 lines', { 'src/cli/a.ts': lines(501) }, 'file-lines src/cli/a.ts'],
    ['a test of 501 lines', { 'src/cli/a.test.ts': lines(501) }, 'file-lines src/cli/a.test.ts'],
    ['a function of 71 lines', { 'src/cli/a.ts': `export const f = () => {\n${lines(69)}};` }, 'function-lines src/cli/a.ts:1'],
    ['a folder for anything', { 'src/runtime/utils/a.ts': `export const x = 1;` }, 'name src/runtime/utils/a.ts'],
    ['a second attempt', { 'src/runtime/loop-v2.ts': `export const x = 1;` }, 'name src/runtime/loop-v2.ts'],
  ])('sees %s', (_, tree, offence) => {
    expect(rules(tree)).toContain(offence);
  });

  test('sees a circle of imports, and passes over one that only types make', () => {
    const circle = { 'src/plan/a.ts': `import { b } from './b.ts';\nexport const a = b;`, 'src/plan/b.ts': `import { a } from './a.ts';\nexport const b = a;` };
    expect(rules(circle)).toEqual(['cycle src/plan/a.ts']);
    expect(rules({ ...circle, 'src/plan/b.ts': `import type { a } from './a.ts';\nexport const b = 1;` })).toEqual([]);
  });

  test('measures neither a file of 500 lines nor a function of 70 as too long', () => {
    expect(rules({ 'src/cli/a.ts': lines(500), 'src/cli/b.ts': `export const f = () => {\n${lines(68)}};` })).toEqual([]);
  });

  test('sees a dependency without a reason', () => {
    const manifest = { dependencies: { yaml: '1.0.0', re2js: '2.0.0', zod: '1.0.0' }, peerDependencies: { pg: '^8' } };
    const table = '| `yaml` | 1.0.0, ISC | reads YAML |\n| `pg` | |  |\n| `re2js` | 2, MIT | linear |\n';
    expect(checkDependencies(manifest, table).map(offence => offence.message)).toEqual(['says nothing of zod', 'says nothing of pg']);
  });

  test('sees the name of a place', () => {
    expect(
      checkPlaces(
        new Map([
          ['a.md', 'see /home/me/x'],
          ['b.md', 'see x'],
        ]),
        ['/home/me/'],
      ),
    ).toHaveLength(1);
  });

  test('is given rooms in an order in which each imports only earlier ones', () => {
    const names = ROOMS.map(room => room.name);
    for (const [index, room] of ROOMS.entries()) for (const other of room.imports) expect(names.indexOf(other)).toBeLessThan(index);
  });
});
