import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Event } from '../engine/event.ts';
import { OrchestratorError } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { addition, creation } from './batches.ts';
import { child, kill, seeded } from './children.ts';
import { Database } from './database.ts';
import { openStore, type Store } from './index.ts';
import type { Verdict } from './port.ts';
import { loadRun } from './journal.ts';
import { migrate } from './schema.ts';
import { Writer } from './writer.ts';

const root = mkdtempSync(join(tmpdir(), 'store-faults-'));
let base = root;
let count = 0;
const open = (options: Parameters<typeof openStore>[1] = {}): Promise<Store> => openStore('sqlite:state.db', { base, ...options });
const fileOf = (name = 'state.db'): string => join(base, name);

beforeEach(() => {
  base = join(root, String(++count));
  mkdirSync(base);
});
afterAll(() => rmSync(root, { recursive: true }));

/** Checks the file with nothing of ours but its description: chains, heads, and that every acknowledged event is there. */
function audit(acknowledged: Map<string, number>): void {
  const db = new DatabaseSync(fileOf(), { readOnly: true });
  for (const [run, seq] of acknowledged) {
    let link = '';
    let last = 0;
    for (const row of db.prepare('SELECT * FROM journal WHERE run = ? ORDER BY seq').all(run) as {
      seq: number;
      first: number;
      events: string;
      checksum: string;
    }[]) {
      link = createHash('sha256').update(`${link}${run}\n${row.seq}\n${row.events}`).digest('hex').slice(0, 32);
      expect([row.first, row.checksum, row.seq]).toEqual([last + 1, link, last + (JSON.parse(row.events) as unknown[]).length]);
      last = row.seq;
    }
    expect(last, `the last event of ${run}`).toBeGreaterThanOrEqual(seq);
    expect(db.prepare('SELECT seq, head FROM runs WHERE run = ?').get(run)).toEqual({ seq: last, head: link });
  }
  db.close();
}

describe('kill -9', () => {
  it('S5 S4 loses nothing acknowledged over 40 kills in the middle of commits, and the next process takes over at once', { timeout: 120_000 }, async () => {
    const random = seeded(20_241_124);
    const acknowledged = new Map<string, number>();
    for (let round = 0; round < 40; round++) {
      const { process, lines } = child(
        base,
        `
        const runs = [];
        for (const name of ['run_a', 'run_b', 'run_c']) {
          if ((await store.run(name)) === undefined) store.commit([creation(name)]);
          const row = await store.acquire(name);
          if (row === undefined) throw new Error(name + ' is not ours after the death of its owner');
          runs.push({ run: name, seq: row.seq, epoch: row.epoch });
        }
        for (let i = 0; ; i++) {
          const some = runs.filter((_, n) => (i + n) % 3 !== 0);
          const content = JSON.stringify('blob ' + i + ' of ${round} '.repeat(i % 7 * 300));
          const verdicts = store.commit(some.map(({ run, seq, epoch }) => addition(run, seq, 1 + i % 3, { epoch, change: { tasksDone: i }, blobs: [{ hash: sha256(content), content }] })));
          if (verdicts.some(verdict => verdict !== 'ok')) throw new Error(verdicts.join());
          for (const one of some) one.seq += 1 + i % 3;
          say(JSON.stringify(some.map(({ run, seq }) => [run, seq])));
        }`,
      );
      for (let left = Math.floor(random() * 25); left >= 0; left--) {
        const line = await lines.next();
        if (line.done) throw new Error('the process ended by itself');
        for (const [run, seq] of JSON.parse(line.value) as [string, number][]) acknowledged.set(run, seq);
      }
      process.kill('SIGKILL');
      // What it could still say before it died was acknowledged too.
      for (let line = await lines.next(); !line.done; line = await lines.next())
        for (const [run, seq] of JSON.parse(line.value) as [string, number][]) acknowledged.set(run, seq);
      if (round % 8 === 7) audit(acknowledged);
    }
    const store = await open();
    expect(await store.verify()).toEqual([]);
    expect((await store.orphans()).map(row => [row.run, row.epoch])).toEqual(['run_a', 'run_b', 'run_c'].map(run => [run, 40]));
    await store.close();
    audit(acknowledged);
  });

  it('S4 a frozen owner keeps its runs, a dead one does not', async () => {
    const { process, lines } = child(base, `store.commit([creation('run_a')]); say(store.owner); setInterval(() => {}, 1000);`);
    const owner = (await lines.next()).value as string;
    const store = await open();
    process.kill('SIGSTOP');
    expect(await store.alive(owner)).toBe(true);
    expect(await store.acquire('run_a')).toBeUndefined();
    await kill(process);
    expect(existsSync(fileOf(`owners/${owner}.db`))).toBe(true);
    expect(await store.alive(owner)).toBe(false);
    expect(existsSync(fileOf(`owners/${owner}.db`))).toBe(false);
    expect(await store.acquire('run_a')).toMatchObject({ epoch: 2, owner: store.owner });
    await store.close();
  });

  it('S1 of processes that start at once and create the same store and the same key, one wins and nothing breaks', async () => {
    const children = [1, 2, 3, 4].map(n =>
      child(base, `say(store.commit([creation('run_${n}', { key: 'k' }), creation('run_own${n}')]).join()); await store.close();`),
    );
    const answers = await Promise.all(children.map(async ({ lines }) => (await lines.next()).value as string));
    expect(answers.sort()).toEqual(['key_conflict,ok', 'key_conflict,ok', 'key_conflict,ok', 'ok,ok']);
    const store = await open();
    expect(await store.runs({})).toHaveLength(5);
    expect(await store.verify()).toEqual([]);
    await store.close();
  });
});

describe('zombies', () => {
  it('S4 is fenced when its lease was taken from under it', async () => {
    const zombie = await open();
    zombie.commit([creation('run_a')]);
    rmSync(fileOf('owners'), { recursive: true });
    const heir = await open();
    expect(await heir.acquire('run_a')).toMatchObject({ epoch: 2 });
    expect(zombie.commit([addition('run_a', 1), creation('run_b')])).toEqual(['fenced', 'ok']);
    expect(heir.commit([addition('run_a', 1, 1, { epoch: 2 })])).toEqual(['ok']);
    await zombie.close();
    await heir.close();
  });

  it('S5 answers `unknown` when the disk fails in the commit itself, and writes nothing more', () => {
    class FailingDatabase extends Database {
      override write<Result>(work: () => Result, uncertain?: (failure: OrchestratorError, result: Result) => Result): Result {
        const result = super.write(work);
        return uncertain === undefined ? result : uncertain(new OrchestratorError('ORC-501', 'the disk failed'), result);
      }
    }
    const db = new FailingDatabase(fileOf(), { create: true, readOnly: false });
    migrate(db);
    const writer = new Writer(db, 'own_a', new Map());
    expect(writer.commit([creation('run_a'), addition('run_b', 1)])).toEqual(['unknown', 'conflict']);
    expect(() => writer.commit([creation('run_c')])).toThrow('the disk failed');
    db.close();
  });
});

describe('what the writer remembers', () => {
  const changed = async (sql: string): Promise<unknown[]> => {
    const store = await open();
    store.commit([creation('run_a')]);
    const db = new DatabaseSync(fileOf());
    db.exec(sql);
    db.close();
    const verdicts = [addition('run_a', 1), addition('run_a', 2)].flatMap(batch => store.commit([batch]) as Verdict[]);
    await store.close();
    return verdicts;
  };

  it('S4 is never taken for what the database says', async () => {
    expect(await changed(`UPDATE runs SET owner = 'own_other'`)).toEqual(['fenced', 'fenced']);
    expect(await changed('UPDATE runs SET epoch = 9')).toEqual(['fenced', 'fenced']);
    expect(await changed('DELETE FROM runs')).toEqual(['conflict', 'conflict']);
  });

  it('S4 stands where another connection changed something else', async () => {
    expect(await changed(`INSERT INTO writers VALUES ('own_other')`)).toEqual(['ok', 'ok']);
  });

  it('S5 is forgotten when a transaction is rolled back', () => {
    let isFull = false;
    class FullDatabase extends Database {
      override write<Result>(work: () => Result): Result {
        return super.write(() => {
          const result = work();
          if (isFull) throw new OrchestratorError('ORC-512', 'the disk is full');
          return result;
        });
      }
    }
    const db = new FullDatabase(fileOf(), { create: true, readOnly: false });
    migrate(db);
    const writer = new Writer(db, 'own_a', new Map());
    writer.commit([creation('run_a')]);
    const change = addition('run_a', 1, 0, { change: { tasksDone: 1 } });
    isFull = true;
    expect(() => writer.commit([change])).toThrow('the disk is full');
    isFull = false;
    expect(writer.commit([change])).toEqual(['ok']);
    expect(loadRun(db, 'run_a')?.row.tasksDone).toBe(1);
    db.close();
  });
});

describe('the seal of a journal', () => {
  const sealOf = (run: string): number => {
    const db = new DatabaseSync(fileOf(), { readOnly: true });
    const { seq } = db.prepare('SELECT seq FROM runs WHERE run = ?').get(run) as { seq: number };
    db.close();
    return seq;
  };
  const appended = async (): Promise<Store> => {
    const store = await open();
    store.commit([creation('run_a')]);
    store.commit([addition('run_a', 1)]);
    return store;
  };

  it('S5 follows by itself within a second or so, at close, at release and with a change of the row', async () => {
    const first = await appended();
    await vi.waitFor(() => expect(sealOf('run_a')).toBe(2), { timeout: 5000 });
    first.commit([addition('run_a', 2)]);
    await first.release('run_a');
    expect(sealOf('run_a')).toBe(3);
    await first.acquire('run_a');
    first.commit([addition('run_a', 3, 1, { epoch: 2 })]);
    await first.close();
    expect(sealOf('run_a')).toBe(4);
  });

  it('S5 follows after so many appends, however fast they come', async () => {
    const store = await appended();
    for (let seq = 2; seq < 200; seq++) store.commit([addition('run_a', seq)]);
    expect(sealOf('run_a')).toBeGreaterThan(200 - 65);
    await store.close();
  });

  it('S5 a tail beyond it counts, and one that is missing before it is noticed', async () => {
    const store = await appended();
    expect((await store.run('run_a'))?.seq).toBe(2);
    await store.close();
    const db = new DatabaseSync(fileOf());
    db.exec('DELETE FROM journal WHERE seq = 2');
    db.close();
    const again = await open();
    expect(() => again.read('run_a')).toThrow(expect.objectContaining({ code: 'ORC-504' }));
    await again.close();
  });
});

describe('several at once', () => {
  it('S5 an owner that dies while the last one closes is not mistaken for a lost log', async () => {
    const store = await open();
    store.commit([creation('run_a')]);
    const dying = new DatabaseSync(fileOf('owners/own_dying.db'));
    dying.exec('BEGIN EXCLUSIVE');
    const db = new DatabaseSync(fileOf());
    db.exec(`INSERT INTO writers VALUES ('own_dying')`);
    db.close();
    const close = vi.spyOn(Database.prototype, 'close').mockImplementationOnce(function (this: Database) {
      this.close();
      dying.close();
    });
    await store.close();
    close.mockRestore();
    const again = await open();
    expect(await again.verify()).toEqual([]);
    await again.close();
  });

  it('waits for one that is making the store', async () => {
    const script = `
      const db = new (require('node:sqlite').DatabaseSync)(${JSON.stringify(fileOf())});
      db.exec('PRAGMA user_version = 0; BEGIN IMMEDIATE');
      console.log('held');
      setTimeout(() => db.exec('COMMIT'), 100);`;
    const maker = spawn(process.execPath, ['-e', script]);
    await once(maker.stdout, 'data');
    const store = await open();
    expect(store.commit([creation('run_a')])).toEqual(['ok']);
    await store.close();
  });

  it('locks out other writers from the beginning of a transaction', () => {
    const db = new Database(fileOf(), { create: true, readOnly: false });
    const other = new DatabaseSync(fileOf(), { timeout: 0 });
    db.write(() => expect(() => other.exec('BEGIN IMMEDIATE')).toThrow(/locked/));
    other.close();
    db.close();
  });

  it('prunes no blob that a run names while the pruning goes on', async () => {
    const store = await open();
    const content = 'kept '.repeat(99);
    const blob = { hash: sha256(content), content };
    const naming: Event[] = [{ type: 'task.completed', at: 1, slot: 0, output: { b: blob.hash, n: content.length } }];
    store.commit([creation('run_old', {}, { events: naming, blobs: [blob] }), ...Array.from({ length: 9 }, (_, n) => creation(`run_${n}`))]);
    store.commit([addition('run_old', 1, 1, { change: { status: 'completed', endedAt: 1 } })]);
    const pruning = store.prune({ endedBefore: 5 });
    for (let turn = 0; turn < 4; turn++) await nextTurn();
    expect(await store.blob(blob.hash)).toBe(content);
    store.commit([creation('run_fork', {}, { events: naming })]);
    expect((await pruning).runs).toEqual(['run_old']);
    expect(await store.blob(blob.hash)).toBe(content);
    expect(await store.verify()).toEqual([]);
    await store.close();
  });
});

describe('a full disk', () => {
  it('S5 is told as ORC-512; reads go on, nothing acknowledged is lost, and with room again so do writes', async ({ skip }) => {
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', base], { stdio: 'ignore' });
    } catch {
      console.warn('S5 full disk: NOT TESTED, mounting a small tmpfs is not permitted here');
      skip('mounting a small tmpfs is not permitted here');
    }
    try {
      const store = await open();
      writeFileSync(fileOf('ballast'), Buffer.alloc(200_000));
      store.commit([creation('run_a')]);
      let seq = 1;
      const fill = (): void => {
        for (; ; seq++) expect(store.commit([addition('run_a', seq, 1, { blobs: [{ hash: sha256(String(seq)), content: randomText(seq) }] })])).toEqual(['ok']);
      };
      expect(fill).toThrow(expect.objectContaining({ code: 'ORC-512' }));
      expect(fill).toThrow(expect.objectContaining({ code: 'ORC-512' }));
      expect(seq).toBeGreaterThan(5);
      expect(store.read('run_a')).toHaveLength(seq);
      rmSync(fileOf('ballast'));
      expect(store.commit([addition('run_a', seq)])).toEqual(['ok']);
      expect(store.read('run_a')).toHaveLength(seq + 1);
      await store.close();
    } finally {
      execFileSync('umount', ['--lazy', base]);
    }
  });
});

function randomText(seed: number): string {
  const random = seeded(seed);
  return Array.from({ length: 2000 }, () => random().toString(36).slice(2)).join('');
}
