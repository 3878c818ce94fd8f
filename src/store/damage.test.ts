import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { OrchestratorError } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { addition, creation } from './batches.ts';
import { child, kill, seeded } from './children.ts';
import { openStore, type Store } from './index.ts';
import { hasLostCommits } from './log.ts';

const root = mkdtempSync(join(tmpdir(), 'store-damage-'));
let base = root;
let count = 0;
const open = (options: Parameters<typeof openStore>[1] = {}): Promise<Store> => openStore('sqlite:state.db', { base, ...options });
const fileOf = (name = 'state.db'): string => join(base, name);
const coded = (code: string): unknown => expect.objectContaining({ code });

beforeEach(() => {
  base = join(root, String(++count));
  mkdirSync(base);
});
afterAll(() => rmSync(root, { recursive: true }));

/** A store with something in every table, closed; and all that it serves. */
async function filled(): Promise<void> {
  const store = await open();
  const random = seeded(7);
  const blobs = [40, 3000, 20_000]
    .map(size => Array.from({ length: size }, () => random().toString(36).slice(2, 4)).join(''))
    .map(content => ({ hash: sha256(content), content }));
  for (let n = 0; n < 12; n++) {
    const run = `run_${n}`;
    store.commit([creation(run, { key: `key ${n}`, tags: ['a', String(n)], user: 'ann' }, { blobs: n === 0 ? blobs : [] })]);
    for (let seq = 1; seq < 8; seq++) store.commit([addition(run, seq, 1, { change: { tasksDone: seq }, snapshot: `state ${run} ${seq} `.repeat(9) })]);
    const call = { run, path: 'p', attempt: 1, call: n, at: n, purpose: 'prompt', model: 'm', inputTokens: 1, outputTokens: 2, costMicroUsd: 3, latencyMs: 4 };
    store.commit([addition(run, 8, 3, { ledger: [call], change: n % 2 === 0 ? { status: 'completed', endedAt: 99 } : { dueAt: 5 } })]);
    await store.deliver(run, `k${n}`, { type: 'cancel', by: `ann ${n}` }, n);
    await store.putCached(`cached ${n}`, `content ${n}`, null);
  }
  await store.setControl({ drain: true, stop: false, reason: 'a reason', since: 5 });
  await store.close();
}

/** Everything that the store serves, by name; where it refuses, the code. */
async function served(store: Store, blobs: string[]): Promise<Map<string, string>> {
  const answers = new Map<string, string>();
  const ask = async (name: string, question: () => unknown): Promise<void> => {
    try {
      answers.set(name, JSON.stringify(await question()) ?? 'nothing');
    } catch (error) {
      if (!(error instanceof OrchestratorError)) throw error;
      answers.set(name, error.code);
    }
  };
  for (let n = 0; n < 12; n++) {
    const run = `run_${n}`;
    await ask(`run ${n}`, () => store.run(run));
    await ask(`journal ${n}`, () => store.read(run));
    await ask(`tail ${n}`, () => store.read(run, 5, 9));
    await ask(`snapshot ${n}`, () => store.snapshot(run));
    await ask(`ledger ${n}`, () => store.ledger({ run }));
    await ask(`inbox ${n}`, () => store.inbox(run));
    await ask(`cached ${n}`, () => store.cached(`cached ${n}`, 0));
    await ask(`key ${n}`, async () => (await store.byKey(`key ${n}`))?.run);
  }
  await ask('totals', () => store.totals([[], ['model'], ['pipeline', 'task'], ['day'], ['user']], {}));
  await ask('totals of a user', () => store.totals([['task', 'day']], { user: 'ann' }));
  await ask('runs', async () => (await store.runs({})).length);
  await ask('plan', () => store.plan(sha256('plan')));
  for (const hash of blobs) await ask(`blob ${hash}`, () => store.blob(hash));
  await ask('control', () => store.control());
  return answers;
}

describe('damage', () => {
  /**
   * Damages the file in many ways, one at a time. Whatever is served must be what was written; what is refused or missing must be so by name,
   * or be told by `verify`. Answers how many damages were noticed.
   */
  async function tryDamages(damages: ((content: Buffer) => Buffer)[]): Promise<number> {
    await filled();
    const content = readFileSync(fileOf());
    const hashes = blobHashes();
    const sound = await open();
    const truth = await served(sound, hashes);
    await sound.close();
    expect([...truth.values()].filter(answer => answer.startsWith('ORC-'))).toEqual([]);
    let noticed = 0;
    for (const [i, damage] of damages.entries()) {
      rmSync(fileOf('owners'), { recursive: true, force: true });
      for (const end of ['-wal', '-shm']) rmSync(fileOf() + end, { force: true });
      writeFileSync(fileOf(), damage(Buffer.from(content)));
      const store = await open({ create: false }).catch((error: unknown) => {
        expect(error, `damage ${i}`).toBeInstanceOf(OrchestratorError);
        return undefined;
      });
      if (store === undefined) {
        noticed++;
        continue;
      }
      const answers = await served(store, hashes);
      const wrong = [...truth].filter(([name, answer]) => answers.get(name) !== answer && !answers.get(name)!.startsWith('ORC-'));
      const found = await store.verify();
      if (found.length > 0) noticed++;
      const isRefusal = (name: string): boolean =>
        answers.get(name) === 'nothing' || /^\[(\[\],?)*\]$/.test(answers.get(name)!) || name === 'runs' || name.startsWith('snapshot');
      for (const [name] of wrong)
        if (!isRefusal(name) || found.length === 0)
          expect.fail(`damage ${i}: ${name} was ${truth.get(name)}, is ${answers.get(name)}, verify says ${JSON.stringify(found)}`);
      if ([...answers.values()].some(answer => answer.startsWith('ORC-'))) expect(found, `damage ${i} is refused but not told by verify`).not.toEqual([]);
      await store.close().catch(() => {});
    }
    return noticed;
  }

  function blobHashes(): string[] {
    const db = new DatabaseSync(fileOf(), { readOnly: true });
    const hashes = (db.prepare('SELECT hash FROM blobs').all() as { hash: string }[]).map(row => row.hash);
    db.close();
    return hashes;
  }

  it('S5 serves nothing that a flipped bit has changed', { timeout: 60_000 }, async () => {
    const random = seeded(99);
    const flips = Array.from({ length: 200 }, () => (content: Buffer): Buffer => {
      const at = Math.floor(random() * content.length);
      content[at]! ^= 1 << Math.floor(random() * 8);
      return content;
    });
    expect(await tryDamages(flips)).toBeGreaterThan(60);
  });

  it('S5 serves nothing of a torn write', { timeout: 60_000 }, async () => {
    const random = seeded(5);
    const tears = Array.from({ length: 60 }, () => (content: Buffer): Buffer => {
      const at = Math.floor(random() * (content.length / 512)) * 512;
      return content.fill(0, at, at + 512);
    });
    expect(await tryDamages(tears)).toBeGreaterThan(25);
  });

  it('S5 notices a truncated file', { timeout: 60_000 }, async () => {
    const cuts = [0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.999].map(
      part =>
        (content: Buffer): Buffer =>
          content.subarray(0, Math.floor(content.length * part)),
    );
    expect(await tryDamages(cuts)).toBe(cuts.length);
  });

  it.each([
    ['by itself', ''],
    ['when it says so', 'process.exit(0);'],
    ['by an error that nobody catches', "process.on('uncaughtException', () => process.exit(1)); setTimeout(() => { throw new Error('a fault'); });"],
  ])('S5 a process that ends %s without closing its store leaves it whole', async (_, end) => {
    await once(child(base, `store.commit([creation('run_a')]); store.commit([addition('run_a', 1)]); ${end}`).process, 'exit');
    const store = await open();
    expect((await store.health()).setApart).toEqual([]);
    expect(await store.read('run_a')).toHaveLength(2);
    expect(await store.acquire('run_a')).toMatchObject({ run: 'run_a' });
    await store.close();
  });

  it('S5 quarantines the damaged run alone, for good, until it is pruned by name', async () => {
    const store = await open();
    store.commit([creation('run_a'), creation('run_b')]);
    store.commit([addition('run_a', 1), addition('run_b', 1)]);
    const db = new DatabaseSync(fileOf());
    db.exec(`UPDATE journal SET events = replace(events, 'task', 'tusk') WHERE run = 'run_a' AND seq = 2`);
    db.close();
    expect(() => store.read('run_a')).toThrow(expect.objectContaining({ code: 'ORC-504', details: { run: 'run_a', seq: 2 } }));
    await expect(store.run('run_a')).rejects.toEqual(coded('ORC-504'));
    await expect(store.acquire('run_a')).rejects.toEqual(coded('ORC-504'));
    expect(store.commit([addition('run_a', 2), addition('run_b', 2)])).toEqual(['fenced', 'ok']);
    await store.release('run_a');
    expect((await store.runs({})).map(row => row.run)).toEqual(['run_b']);
    expect(await store.orphans()).toEqual([]);
    expect(store.read('run_b')).toHaveLength(3);
    expect((await store.verify()).map(({ run }) => run)).toEqual(['run_a']);
    expect((await store.health()).setApart).toMatchObject([{ run: 'run_a' }]);
    expect((await store.prune({ run: 'run_a' })).runs).toEqual(['run_a']);
    expect(await store.verify()).toEqual([]);
    expect(await store.run('run_a')).toBeUndefined();
    await store.close();
  });

  it('S5 notices that events or the row of a run are gone, or others than were written', async () => {
    for (const [run, sql] of [
      ['run_5', 'UPDATE journal SET first = 1 WHERE run = ? AND seq = 2'],
      ['run_6', 'UPDATE runs SET tasks_done = 9 WHERE run = ?'],
      ['run_7', 'UPDATE runs SET seq = 2 WHERE run = ?'],
      ['run_1', 'DELETE FROM journal WHERE run = ? AND seq = 3'],
      ['run_2', 'DELETE FROM journal WHERE run = ? AND seq = 1'],
      ['run_3', 'DELETE FROM runs WHERE run = ?'],
      ['run_4', 'DELETE FROM journal WHERE run = ?'],
    ] as const) {
      const store = await open();
      store.commit([creation(run)]);
      store.commit([addition(run, 1)]);
      store.commit([addition(run, 2, 1, { change: { tasksDone: 1 } })]);
      const db = new DatabaseSync(fileOf());
      db.prepare(sql).run(run);
      db.close();
      expect(() => store.read(run)).toThrow(expect.objectContaining({ code: 'ORC-504' }));
      expect((await store.verify()).some(damage => damage.run === run)).toBe(true);
      await store.close();
    }
  });
});

describe('the write-ahead log', () => {
  /** Leaves the log of a killed process behind; of its three runs one has ended, one is only in the log. */
  async function killedWriter(): Promise<void> {
    const { process, lines } = child(
      base,
      `
      store.commit([creation('run_a'), creation('run_b')]);
      store.commit([addition('run_b', 1, 1, { change: { status: 'completed', endedAt: 9 } })]);
      const other = new (await import('node:sqlite')).DatabaseSync(${JSON.stringify(fileOf())});
      other.exec('PRAGMA wal_checkpoint(PASSIVE)');
      for (let seq = 1; seq < 9; seq++) store.commit([addition('run_a', seq)]);
      store.commit([creation('run_c')]);
      say('done'); setInterval(() => {}, 1000);`,
    );
    await lines.next();
    await kill(process);
  }

  async function expectQuarantine(): Promise<void> {
    for (let opening = 0; opening < 2; opening++) {
      const store = await open();
      expect(() => store.read('run_a')).toThrow(expect.objectContaining({ code: 'ORC-504' }));
      await expect(store.acquire('run_a')).rejects.toEqual(coded('ORC-504'));
      expect(await store.orphans()).toEqual([]);
      expect(store.read('run_b')).toHaveLength(2);
      expect((await store.verify()).map(({ run }) => run)).toEqual([null, 'run_a']);
      expect(store.commit([creation(`run_later${opening}`, { status: 'completed', endedAt: 1 })])).toEqual(['ok']);
      await store.close();
    }
  }

  it('S5 is read when its writer was killed', async () => {
    await killedWriter();
    const store = await open();
    expect(store.read('run_a')).toHaveLength(9);
    expect(await store.verify()).toEqual([]);
    await store.close();
    expect(existsSync(fileOf() + '-wal')).toBe(false);
    const again = await open();
    expect(await again.verify()).toEqual([]);
    await again.close();
  });

  it('S5 is missed when it is gone, and no unfinished run is served', async () => {
    await killedWriter();
    rmSync(fileOf() + '-wal');
    const reader = await open({ readOnly: true });
    expect(() => reader.read('run_a')).toThrow(expect.objectContaining({ code: 'ORC-504' }));
    expect(await reader.read('run_b')).toHaveLength(2);
    await reader.close();
    rmSync(fileOf() + '-wal', { force: true });
    await expectQuarantine();
  });

  it('S5 is missed when it is gone with all that was ever written', async () => {
    const { process, lines } = child(base, `store.commit([creation('run_a')]); say('done'); setInterval(() => {}, 1000);`);
    await lines.next();
    await kill(process);
    rmSync(fileOf() + '-wal');
    const store = await open();
    expect((await store.verify()).map(({ run }) => run)).toEqual([null]);
    await store.close();
  });

  it('S5 is missed when a flipped bit makes SQLite forget the rest of it', async () => {
    await killedWriter();
    const log = readFileSync(fileOf() + '-wal');
    log[32 + 24 + 4000]! ^= 1;
    writeFileSync(fileOf() + '-wal', log);
    await expectQuarantine();
  });

  it('S5 may lose the one commit that a crash tore, and none before it', async () => {
    await killedWriter();
    const log = readFileSync(fileOf() + '-wal');
    let copies = 0;
    /** What is said of the log where SQLite has read it. */
    const isLost = (content: Buffer): boolean => {
      const copy = fileOf(`copy${copies++}.db`);
      cpSync(fileOf(), copy);
      writeFileSync(`${copy}-wal`, content);
      const db = new DatabaseSync(copy);
      db.prepare('SELECT count(*) FROM sqlite_schema').get();
      const lost = hasLostCommits(copy);
      db.close();
      return lost;
    };
    expect(isLost(log)).toBe(false);
    // Frames of the newest log; what lies beyond has the salts of an older one.
    const frames = [];
    for (let at = 32; at < log.length && log.subarray(at + 8, at + 16).equals(log.subarray(16, 24)); at += 24 + 4096) frames.push(at);
    const commits = frames.filter(at => log.readUInt32BE(at + 4) !== 0);
    const tear = (at: number): Buffer => {
      const torn = Buffer.from(log);
      torn[at + 100]! ^= 1;
      return torn;
    };
    expect(isLost(tear(frames.at(-1)!))).toBe(false);
    expect(isLost(tear(commits.at(-2)! + 24 + 4096))).toBe(false);
    expect(isLost(tear(commits.at(-2)!))).toBe(true);
    expect(isLost(Buffer.from(log).fill(0, 0, 4))).toBe(true);
    expect(isLost(log.subarray(0, 40))).toBe(false);
  });

  it.runIf(existsSync('/proc/locks'))('S5 is looked at without giving up the locks of SQLite on its index', async () => {
    const lockers = (file: string): string[] => {
      const lines = readFileSync('/proc/locks', 'utf8').split('\n');
      return lines.filter(line => line.includes(`:${statSync(file).ino} `)).map(line => line.trim().split(/\s+/)[4]!);
    };
    await killedWriter();
    const store = await open();
    expect(await store.read('run_a')).toHaveLength(9);
    expect(lockers(fileOf() + '-shm')).toContain(String(process.pid));
    await store.close();
  });

  it('S5 of another who still writes is not mistaken for a lost one', async () => {
    const { process, lines } = child(base, `store.commit([creation('run_a')]); say('done'); setInterval(() => {}, 1000);`);
    await lines.next();
    const a = await open();
    a.commit([creation('run_b')]);
    await kill(process);
    const b = await open();
    await a.close();
    b.commit([addition('run_x', 1)]);
    await b.close();
    const store = await open();
    expect(await store.verify()).toEqual([]);
    expect((await store.orphans()).map(row => row.run)).toEqual(['run_a', 'run_b']);
    await store.close();
  });
});
