import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sha256 } from '../hash.ts';
import { matchesPattern } from './files.ts';
import { openBench } from '../../test/support/action-bench.ts';

const denied = { code: 'ORC-222', class: 'policy', retryable: false };

test('write makes missing folders, read gives back text and size, the path stays as it was given', async () => {
  await using bench = await openBench();
  expect(await bench.perform('filesystem.write', { path: './a/b/c.txt', content: 'grüße' })).toEqual({ path: './a/b/c.txt', size: 7 });
  expect(await bench.perform('filesystem.read', { path: 'a/b/c.txt' })).toEqual({ path: 'a/b/c.txt', content: 'grüße', size: 7 });
  expect(await bench.perform('filesystem.read', { path: join(bench.folder, 'a/b/c.txt') })).toMatchObject({ content: 'grüße' });
});

test('C7 write replaces the whole file, keeps its mode and leaves nothing beside it', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.folder, 'x.sh'), 'a much longer text than the next', { mode: 0o750 });
  await bench.perform('filesystem.write', { path: 'x.sh', content: 'short' });
  expect(await readFile(join(bench.folder, 'x.sh'), 'utf8')).toBe('short');
  expect((await stat(join(bench.folder, 'x.sh'))).mode & 0o777).toBe(0o750);
  expect(await readdir(bench.folder)).toEqual(['x.sh']);
});

test('a write after a crash takes away the temporary file that the crashed one left', async () => {
  await using bench = await openBench();
  await bench.perform('filesystem.write', { path: 'x', content: 'one' });
  await writeFile(join(bench.folder, `.x.${sha256('run_1/task\nx').slice(0, 12)}.tmp`), 'half');
  await bench.perform('filesystem.write', { path: 'x', content: 'two' });
  expect(await readdir(bench.folder)).toEqual(['x']);
});

test('append adds and gives the size of the whole file', async () => {
  await using bench = await openBench();
  await bench.perform('filesystem.append', { path: 'log', content: 'a\n' });
  expect(await bench.perform('filesystem.append', { path: 'log', content: 'b\n' })).toEqual({ path: 'log', size: 4 });
});

test('what is not text is read and written as base64, and refused as text', async () => {
  await using bench = await openBench();
  await bench.perform('filesystem.write', { path: 'raw', content: '//4A', encoding: 'base64' });
  expect(await readFile(join(bench.folder, 'raw'))).toEqual(Buffer.from([0xff, 0xfe, 0]));
  expect(await bench.perform('filesystem.read', { path: 'raw', encoding: 'base64' })).toMatchObject({ content: '//4A', size: 3 });
  await expect(bench.perform('filesystem.read', { path: 'raw' })).rejects.toMatchObject({ code: 'ORC-227' });
});

test('an absent file is not_found and not worth another try', async () => {
  await using bench = await openBench();
  const absent = { code: 'ORC-221', class: 'not_found', retryable: false, message: 'The file nope/nope.txt is not there.' };
  await expect(bench.perform('filesystem.read', { path: 'nope/nope.txt' })).rejects.toMatchObject(absent);
  await expect(bench.perform('filesystem.copy', { path: 'nope/nope.txt', destination: 'x' })).rejects.toMatchObject(absent);
  await expect(bench.perform('filesystem.move', { path: 'nope/nope.txt', destination: 'x' })).rejects.toMatchObject(absent);
  await expect(bench.perform('filesystem.list', { path: 'nope' })).rejects.toMatchObject({ code: 'ORC-221', class: 'not_found' });
});

test('copy, move, delete and exists', async () => {
  await using bench = await openBench();
  await bench.perform('filesystem.write', { path: 'd/a', content: 'x' });
  expect(await bench.perform('filesystem.copy', { path: 'd/a', destination: 'e/b' })).toEqual({ source: 'd/a', path: 'e/b' });
  expect(await bench.perform('filesystem.move', { path: 'e/b', destination: 'f/c' })).toEqual({ source: 'e/b', path: 'f/c' });
  expect(await bench.perform('filesystem.exists', { path: 'e/b' })).toEqual({ path: 'e/b', exists: false });
  expect(await bench.perform('filesystem.exists', { path: 'f/c' })).toEqual({ path: 'f/c', exists: true });
  expect(await bench.perform('filesystem.exists', { path: 'f/c/below-a-file' })).toEqual({ path: 'f/c/below-a-file', exists: false });
  expect(await bench.perform('filesystem.exists', { path: '.' })).toEqual({ path: '.', exists: true });
  await expect(bench.perform('filesystem.copy', { path: 'd/a', destination: 'f/c', overwrite: false })).rejects.toMatchObject({ code: 'ORC-221' });
  expect(await bench.perform('filesystem.delete', { path: 'd/a' })).toEqual({ path: 'd/a', deleted: true });
  expect(await bench.perform('filesystem.delete', { path: 'd/a' })).toEqual({ path: 'd/a', deleted: false });
  await expect(bench.perform('filesystem.delete', { path: 'f' })).rejects.toMatchObject({ code: 'ORC-221' });
  expect(await bench.perform('filesystem.delete', { path: 'f', recursive: true })).toEqual({ path: 'f', deleted: true });
});

test('list gives the entries by name, by pattern, and of the folders inside', async () => {
  await using bench = await openBench();
  for (const path of ['d/b.md', 'd/a.md', 'd/c.txt', 'd/e/f.md']) await bench.perform('filesystem.write', { path, content: path });
  expect(await bench.perform('filesystem.list', { path: 'd', pattern: '*.md' })).toEqual({
    path: 'd',
    count: 2,
    files: [
      { name: 'a.md', path: 'd/a.md', size: 6, type: 'file' },
      { name: 'b.md', path: 'd/b.md', size: 6, type: 'file' },
    ],
  });
  const all = (await bench.perform('filesystem.list', { path: 'd', recursive: true })) as { files: { path: string; type: string }[] };
  expect(all.files.map(file => `${file.type} ${file.path}`)).toEqual(['file d/a.md', 'file d/b.md', 'file d/c.txt', 'folder d/e', 'file d/e/f.md']);
});

test('C7 a file larger than the limit is refused before it is read', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.folder, 'big'), 'x'.repeat(100));
  await expect(bench.perform('filesystem.read', { path: 'big', max_bytes: 99 })).rejects.toMatchObject({ code: 'ORC-603' });
});

describe('C7 hostile paths', () => {
  const paths = ['../x', 'a/../../x', '/etc/passwd', '/proc/self/environ', '/', '..', 'a\0b', 'a/../..', '../../../../../../etc/shadow'];
  test.each(paths)('%j is outside the root for every action', async path => {
    await using bench = await openBench();
    await writeFile(join(bench.folder, 'ok'), '');
    for (const [action, parameters] of [
      ['filesystem.read', { path }],
      ['filesystem.write', { path, content: '' }],
      ['filesystem.append', { path, content: '' }],
      ['filesystem.list', { path }],
      ['filesystem.exists', { path }],
      ['filesystem.delete', { path, recursive: true }],
      ['filesystem.copy', { path, destination: 'y' }],
      ['filesystem.copy', { path: 'ok', destination: path }],
      ['filesystem.move', { path, destination: 'y' }],
      ['filesystem.move', { path: 'ok', destination: path }],
      ['data.convert', { input: path, format: 'json' }],
      ['report.generate', { path, content: '' }],
    ] as const)
      await expect(bench.perform(action, parameters), action).rejects.toMatchObject(denied);
  });

  test('links are not followed, in the middle or at the end, and a link is not written through', async () => {
    await using bench = await openBench();
    const outside = await mkdtemp(join(tmpdir(), 'outside-'));
    try {
      await writeFile(join(outside, 'secret'), 'secret');
      await symlink(outside, join(bench.folder, 'folder'));
      await symlink(join(outside, 'secret'), join(bench.folder, 'file'));
      await symlink(join(outside, 'new'), join(bench.folder, 'dangling'));
      for (const path of ['folder/secret', 'file', 'folder/../folder/secret'])
        await expect(bench.perform('filesystem.read', { path })).rejects.toMatchObject(denied);
      for (const path of ['folder/new', 'file', 'dangling']) {
        await expect(bench.perform('filesystem.write', { path, content: 'x' })).rejects.toMatchObject(denied);
        await expect(bench.perform('filesystem.append', { path, content: 'x' })).rejects.toMatchObject(denied);
      }
      await expect(bench.perform('filesystem.list', { path: 'folder' })).rejects.toMatchObject(denied);
      await expect(bench.perform('filesystem.move', { path: 'file', destination: 'x' })).rejects.toMatchObject(denied);
      await mkdir(join(bench.folder, 'tree'));
      await symlink(outside, join(bench.folder, 'tree/link'));
      await bench.perform('filesystem.delete', { path: 'tree', recursive: true });
      expect(await readdir(outside)).toEqual(['secret']);
      expect(await readFile(join(outside, 'secret'), 'utf8')).toBe('secret');
    } finally {
      await rm(outside, { recursive: true });
    }
  });

  test('pipes and devices are refused and do not hang', async () => {
    await using bench = await openBench({ policy: { files: { roots: ['.', '/dev'] } } });
    execFileSync('mkfifo', [join(bench.folder, 'pipe')]);
    for (const path of ['pipe', '/dev/zero', '/dev/null']) await expect(bench.perform('filesystem.read', { path })).rejects.toMatchObject({ code: 'ORC-221' });
    await expect(bench.perform('filesystem.append', { path: 'pipe', content: 'x' })).rejects.toMatchObject({ code: 'ORC-221' });
    await expect(bench.perform('filesystem.write', { path: 'pipe', content: 'x' })).rejects.toMatchObject({ code: 'ORC-221' });
  });

  test('the state folder is out of reach under any name, before and after it is made', async () => {
    await using bench = await openBench({ policy: { files: { roots: ['.'] } } });
    await expect(bench.perform('filesystem.write', { path: '.orchestrator/state.db', content: 'x' })).rejects.toMatchObject(denied);
    await mkdir(join(bench.folder, '.orchestrator'));
    await writeFile(join(bench.folder, '.orchestrator/state.db'), 'state');
    for (const path of ['.orchestrator/state.db', './x/../.orchestrator/state.db', join(bench.folder, '.orchestrator')]) {
      await expect(bench.perform('filesystem.read', { path })).rejects.toMatchObject(denied);
      await expect(bench.perform('filesystem.exists', { path })).rejects.toMatchObject(denied);
      await expect(bench.perform('filesystem.delete', { path, recursive: true })).rejects.toMatchObject(denied);
    }
    await expect(bench.perform('filesystem.move', { path: '.orchestrator', destination: 'mine' })).rejects.toMatchObject(denied);
    await mkdir(join(bench.folder, 'in'));
    const inner = { ...bench.context, stateFolder: join(bench.folder, 'in/state') };
    await mkdir(inner.stateFolder);
    const { findAction } = await import('./index.ts');
    await expect(findAction('filesystem.delete')!.run({ path: 'in', recursive: true }, inner)).rejects.toMatchObject(denied);
    await expect(findAction('filesystem.move')!.run({ path: 'in', destination: 'out' }, inner)).rejects.toMatchObject(denied);
    expect(await bench.perform('filesystem.list', { path: '.' })).toMatchObject({ files: [{ name: 'in' }] });
  });

  test('the state folder is known by what it is, not by its name', async () => {
    await using bench = await openBench();
    await mkdir(join(bench.folder, 'real'));
    await writeFile(join(bench.folder, 'real/state.db'), 'state');
    await symlink(join(bench.folder, 'real'), join(bench.folder, '.orchestrator'));
    for (const path of ['real/state.db', 'real']) {
      await expect(bench.perform('filesystem.read', { path })).rejects.toMatchObject({ code: path === 'real' ? 'ORC-221' : 'ORC-222' });
      await expect(bench.perform('filesystem.delete', { path, recursive: true })).rejects.toMatchObject(denied);
      await expect(bench.perform('filesystem.exists', { path })).rejects.toMatchObject(denied);
      await expect(bench.perform('filesystem.list', { path })).rejects.toMatchObject(path === 'real' ? denied : {});
    }
    await expect(bench.perform('filesystem.write', { path: 'real/new', content: '' })).rejects.toMatchObject(denied);
    await expect(bench.perform('shell.run', { command: 'pwd', cwd: 'real' })).rejects.toMatchObject({ code: 'ORC-214' });
  });

  test('a folder that is exchanged for a link while it is open still leads to the folder', async () => {
    if (process.platform !== 'linux') return;
    await using bench = await openBench();
    const { enter, locate } = await import('./jail.ts');
    await mkdir(join(bench.folder, 'd'));
    await writeFile(join(bench.folder, 'd/inside'), 'inside');
    await using folder = await enter(await locate('d', bench.context), ['d'], bench.context);
    execFileSync('sh', ['-c', 'mv d moved && ln -s /etc d'], { cwd: bench.folder });
    expect(await readdir(folder.member('.'))).toEqual(['inside']);
  });
});

test('more roots may be granted, and the root of a link is the folder that it leads to', async () => {
  const other = await mkdtemp(join(tmpdir(), 'root-'));
  try {
    await using bench = await openBench({ policy: { files: { roots: ['.', 'shared'] } } });
    await symlink(other, join(bench.folder, 'shared'));
    await bench.perform('filesystem.write', { path: 'shared/x', content: 'y' });
    expect(await readFile(join(other, 'x'), 'utf8')).toBe('y');
  } finally {
    await rm(other, { recursive: true });
  }
});

test.each([
  ['a.md', '*.md', true],
  ['a.md', '?.md', true],
  ['a.md', '*.txt', false],
  ['', '*', true],
  ['abc', 'a*c*', true],
  ['abc', 'a*b', false],
  ['x'.repeat(2000), `${'*x'.repeat(50)}y`, false],
])('the name %s and the pattern %s', (name, pattern, fits) => {
  expect(matchesPattern(name, pattern)).toBe(fits);
});
