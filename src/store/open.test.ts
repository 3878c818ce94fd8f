import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { addition, creation } from './batches.ts';
import { Database, requireSqlite } from './database.ts';
import { networkDisk } from './disk.ts';
import { rowChecksum } from './checksum.ts';
import { createBackend, openStore } from './index.ts';
import { bindRun, bornChecksum, INSERT_RUN } from './rows.ts';
import { MIGRATIONS, migrate } from './schema.ts';

const root = mkdtempSync(join(tmpdir(), 'store-open-'));
let base = root;
let count = 0;
const coded = (code: string): unknown => expect.objectContaining({ code });
const fileOf = (name = 'state.db'): string => join(base, name);

beforeEach(() => {
  base = join(root, String(++count));
  mkdirSync(base);
});
afterAll(() => rmSync(root, { recursive: true }));

describe('opening', () => {
  it('makes the state folder for its user alone, and out of sight of git', async () => {
    await using store = closing(await openStore('sqlite:.orchestrator/state.db', { base }));
    expect(statSync(fileOf('.orchestrator')).mode & 0o777).toBe(0o700);
    expect(statSync(fileOf('.orchestrator/state.db')).mode & 0o777).toBe(0o600);
    expect(readFileSync(fileOf('.orchestrator/.gitignore'), 'utf8')).toBe('*\n');
    expect((await store.health()).location).toBe(fileOf('.orchestrator/state.db'));
  });

  it('leaves a folder alone that is there already', async () => {
    await using _ = closing(await openStore('sqlite:state.db', { base }));
    expect(existsSync(fileOf('.gitignore'))).toBe(false);
  });

  it('S5 writes ahead, syncs in full, and gives freed pages back', async () => {
    const db = new Database(fileOf(), { create: true, readOnly: false });
    expect([db.get('PRAGMA journal_mode'), db.get('PRAGMA synchronous'), db.get('PRAGMA auto_vacuum')]).toEqual([
      { journal_mode: 'wal' },
      { synchronous: 2 },
      { auto_vacuum: 2 },
    ]);
    db.close();
  });

  it('accepts a path with slashes after the kind, and finds the same leases behind a link', async () => {
    await using a = closing(await openStore(`sqlite://${fileOf()}`));
    symlinkSync(fileOf(), fileOf('link.db'));
    await using b = closing(await openStore('sqlite:link.db', { base }));
    expect(await b.alive(a.owner)).toBe(true);
  });

  it('refuses kinds that it does not have', async () => {
    for (const url of ['postgres://localhost/x', 'redis://localhost', 'sqlit:x', 'sqlite:', '']) await expect(openStore(url)).rejects.toEqual(coded('ORC-515'));
    await expect(openStore('sqlit:x')).rejects.toThrow(/sqlite/);
  });

  it('says what is wrong with a file that it cannot use', async () => {
    await expect(openStore('sqlite:none.db', { base, create: false })).rejects.toEqual(coded('ORC-501'));
    expect(existsSync(fileOf('none.db'))).toBe(false);
    writeFileSync(fileOf('text.db'), 'This is no database, and it is long enough that SQLite looks at it in earnest.'.repeat(20));
    await expect(openStore('sqlite:text.db', { base })).rejects.toThrow(/not an SQLite database/);
    const other = new DatabaseSync(fileOf('other.db'));
    other.exec('CREATE TABLE t (x)');
    other.close();
    await expect(openStore('sqlite:other.db', { base })).rejects.toThrow(/another program/);
    await expect(openStore('sqlite:.', { base })).rejects.toEqual(coded('ORC-501'));
    await expect(openStore('sqlite:text.db/state.db', { base })).rejects.toEqual(coded('ORC-501'));
    expect(existsSync(fileOf('owners'))).toBe(false);
  });

  it('refuses a store that a newer version wrote', async () => {
    await (await openStore('sqlite:state.db', { base })).close();
    const db = new DatabaseSync(fileOf());
    db.exec('UPDATE schema_version SET version = 99');
    db.close();
    await expect(openStore('sqlite:state.db', { base })).rejects.toEqual(coded('ORC-502'));
    await expect(openStore('sqlite:state.db', { base, readOnly: true })).rejects.toEqual(coded('ORC-502'));
  });

  it('brings an older store to its version, in one transaction', () => {
    const db = new Database(fileOf(), { create: true, readOnly: false });
    migrate(db);
    expect(() => migrate(db, [...MIGRATIONS, 'CREATE TABLE extra (x)', 'no SQL'])).toThrow();
    expect(db.get('SELECT version FROM schema_version')).toEqual({ version: MIGRATIONS.length });
    migrate(db, [...MIGRATIONS, 'CREATE TABLE extra (x)', 'CREATE INDEX extra_x ON extra (x)']);
    expect(db.get('SELECT version FROM schema_version')).toEqual({ version: MIGRATIONS.length + 2 });
    expect(db.all('SELECT * FROM extra')).toEqual([]);
    db.close();
    const reader = new Database(fileOf(), { create: false, readOnly: true });
    expect(() => migrate(reader, [...MIGRATIONS, '', '', ''])).toThrow(expect.objectContaining({ code: 'ORC-501' }));
    reader.close();
  });

  it('S12 adds up the calls of an older store, and their checksums still hold', async () => {
    const db = new Database(fileOf(), { create: true, readOnly: false });
    migrate(db, MIGRATIONS.slice(0, 2));
    const call = ['run_a', 'each[2]/ask', 1, 0, Date.parse('2026-01-31T12:00:00Z'), 'text', 'lab/small', 5, 7, 300, 120];
    db.run(`INSERT INTO ledger VALUES (${'?, '.repeat(11)}?)`, ...call, rowChecksum(...call));
    const { row } = creation('run_a', { pipeline: 'films', user: 'ada' }).create!;
    const held = { row: { ...row, seq: 0, epoch: 1, owner: null }, head: '', seal: { seq: 0, head: '' } };
    db.run(INSERT_RUN, ...bindRun({ ...held, born: bornChecksum(held.row) }));
    migrate(db);
    db.close();
    const store = await openStore('sqlite:state.db', { base });
    const rows = await store.totals([['task'], ['user'], ['day']], {});
    expect(rows.map(([one]) => [one!.keys, one!.calls, one!.costMicroUsd])).toEqual([
      [['each/ask'], 1, 300],
      [['ada'], 1, 300],
      [['2026-01-31'], 1, 300],
    ]);
    expect(await store.ledger({})).toHaveLength(1);
    expect((await store.verify()).map(({ what }) => what)).toEqual([expect.stringContaining('the plan')]);
    await store.close();
  });

  it('refuses an SQLite that is too old', () => {
    for (const version of ['3.51.2', '3.50.9', '2.99.99', undefined])
      expect(() => requireSqlite(version)).toThrow(expect.objectContaining({ code: 'ORC-505' }));
    for (const version of ['3.51.3', '3.52.0', '4.0.0']) requireSqlite(version);
  });

  it('knows network file systems', () => {
    const mounts = 'a / ext4 rw 0 0\nb /home/ann/far\\040away fuse.sshfs rw 0 0\nc /home/ann/near fuse.ntfs rw 0 0\n';
    const fuse = 0x65735546;
    expect(networkDisk(0x6969, '/x', () => '')).toBe('NFS');
    expect(networkDisk(0xff534d42, '/x', () => '')).toBe('CIFS');
    expect(networkDisk(-0xacb2be, '/x', () => '')).toBe('CIFS');
    expect(networkDisk(0xef53, '/x', () => mounts)).toBeUndefined();
    expect(networkDisk(fuse, '/home/ann/far away/state', () => mounts)).toBe('fuse.sshfs');
    expect(networkDisk(fuse, '/home/ann/far awayness', () => mounts)).toBeUndefined();
    expect(networkDisk(fuse, '/home/ann/near', () => mounts)).toBeUndefined();
    expect(networkDisk(fuse, '/home/ann/near', () => '')).toBeUndefined();
  });

  it('loads SQLite only for those who keep something in it', () => {
    const script = `const { openStore } = await import('${new URL('index.ts', import.meta.url).href}'); await openStore('memory:'); console.log(process.moduleLoadList.some(name => /\\bsqlite$/.test(name)))`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(stdout).toBe('false\n');
  });
});

describe('reading only', () => {
  it('reads beside a writer, and changes nothing', async () => {
    await using writer = closing(await openStore('sqlite:state.db', { base }));
    await writer.commit([creation('run_a')]);
    await using reader = closing(await openStore('sqlite:state.db', { base, readOnly: true }));
    expect(await reader.read('run_a')).toHaveLength(1);
    await writer.commit([addition('run_a', 1)]);
    expect(await reader.read('run_a')).toHaveLength(2);
    expect(await reader.alive(writer.owner)).toBe(true);
    expect(await reader.alive(reader.owner)).toBe(false);
    expect(() => reader.commit([creation('run_b')])).toThrow(expect.objectContaining({ code: 'ORC-501' }));
    await expect(reader.acquire('run_a')).rejects.toEqual(coded('ORC-501'));
    await expect(openStore('sqlite:none.db', { base, readOnly: true })).rejects.toEqual(coded('ORC-501'));
  });

  it.skipIf(process.platform === 'win32')('reads a store in a folder that may not be written, and says so when asked to write', async () => {
    const store = await openStore('sqlite:state/state.db', { base });
    await store.commit([creation('run_a')]);
    await store.close();
    chmodSync(root, 0o755);
    chmodSync(fileOf('state'), 0o555);
    chmodSync(fileOf('state/state.db'), 0o444);
    // The superuser may write everywhere, so the store is opened by somebody else.
    const someone = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
    const open = (options: string): string => {
      const script = `
        import { openStore } from '${new URL('index.ts', import.meta.url).href}';
        try { const store = await openStore('sqlite:${fileOf('state/state.db')}', { ${options} }); console.log((await store.read('run_a')).length); await store.close(); } catch (error) { console.log(error.code); }`;
      const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', ...someone });
      return child.stdout.trim() || child.stderr;
    };
    expect(open('readOnly: true')).toBe('1');
    expect(open('')).toBe('ORC-501');
    chmodSync(fileOf('state'), 0o755);
  });
});

describe('createBackend', () => {
  it('connects, pings and closes', async () => {
    for (const backend of [createBackend('memory'), createBackend('sqlite', { url: fileOf() }), createBackend('sqlite', { url: `sqlite:${fileOf()}` })]) {
      await expect(backend.ping()).rejects.toEqual(expect.objectContaining({ kind: 'refused' }));
      await backend.connect();
      await backend.connect();
      await backend.ping();
      await backend.close();
    }
  });

  it('refuses unknown kinds and unknown options', () => {
    expect(() => createBackend('mysql')).toThrow(expect.objectContaining({ code: 'ORC-515' }));
    expect(() => createBackend('sqlite', { uri: 'x' } as object)).toThrow(expect.objectContaining({ code: 'ORC-518' }));
  });

  it('says what stands between, and what to do', async () => {
    writeFileSync(fileOf('text.db'), 'no database '.repeat(100));
    await expect(createBackend('sqlite', { url: fileOf('text.db') }).connect()).rejects.toEqual(
      expect.objectContaining({ name: 'BackendConnectionError', code: 'ORC-501', kind: 'schema', fix: expect.stringContaining('file ') }),
    );
    await expect(createBackend('sqlite', { url: fileOf('text.db/state.db') }).connect()).rejects.toEqual(expect.objectContaining({ kind: 'missing_database' }));
  });
});

/** A store that closes when its block ends. */
function closing<Closable extends { close(): Promise<void> }>(store: Closable): Closable & AsyncDisposable {
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}
