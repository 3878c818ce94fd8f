import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { SqliteShared } from './shared.ts';

function place(): string {
  const folder = mkdtempSync(join(tmpdir(), 'shared-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, 'state.db-shared');
}

function open(path: string, readOnly = false): SqliteShared {
  const shared = new SqliteShared(path, { create: true, readOnly });
  onTestFinished(() => shared.close());
  return shared;
}

const put = (shared: SqliteShared, key: string, value: number): void => shared.change([key], () => ({ values: [value], result: undefined }));

test('looking makes no file, and who may only read changes nothing', () => {
  const path = place();
  expect(open(path, true).list('')).toEqual({});
  expect(open(path).list('')).toEqual({});
  expect(existsSync(path)).toBe(false);
  put(open(path), 'x', 1);
  const reader = open(path, true);
  expect(reader.list('')).toEqual({ x: 1 });
  expect(() => put(reader, 'x', 2)).toThrow();
  expect(reader.list('')).toEqual({ x: 1 });
});

test.each([
  ['no database', 'this is no database, and long enough to be looked at as one'.repeat(20)],
  ['nothing', ''],
])('a file that holds %s is begun anew', (_what, content) => {
  const path = place();
  writeFileSync(path, content);
  const shared = open(path);
  put(shared, 'x', 1);
  expect(shared.list('')).toEqual({ x: 1 });
});

test('what stays as it is is not written', () => {
  const path = place();
  const shared = open(path);
  put(shared, 'x', 1);
  const { size } = statSync(`${path}-wal`);
  for (let i = 0; i < 10; i++) put(shared, 'x', 1);
  expect(statSync(`${path}-wal`).size).toBe(size);
});
