import { afterEach, describe, expect, it } from 'vitest';
import type { Command, Event } from '../engine/event.ts';
import { OrchestratorError } from '../errors.ts';
import { sha256 } from '../hash.ts';
import { addition, call, creation, PLAN, started } from './batches.ts';
import { budgetCases } from './conformance-budgets.ts';
import { ledgerCases } from './conformance-ledger.ts';
import type { Batch, Store } from './port.ts';

/** One place in which stores are opened: each `open` is another process's view of the same runs. */
export interface Place {
  open(): Promise<Store>;
  /** Called when the test is over and its stores are closed. */
  remove(): void;
}

function ended(run: string, expectedSeq: number, endedAt: number, more: Partial<Batch> = {}): Batch {
  return addition(run, expectedSeq, 1, { change: { status: 'completed', endedAt }, ...more });
}

function output(hash: string, size: number): Event {
  return { type: 'task.completed', at: 5, slot: 0, output: { b: hash, n: size } };
}

const cancel: Command = { type: 'cancel', by: 'ann' };
const codeOf = (code: string): { code: string } => expect.objectContaining({ code }) as { code: string };

/** What every adapter must do. `place` makes an empty place for each test. */
export function storeConformance(name: string, place: () => Place): void {
  describe(`${name}: conformance`, () => {
    const places: { place: Place; stores: Store[] }[] = [];
    /** One empty place with `count` stores on it. */
    const setup = async (count = 1): Promise<Store[]> => {
      const made = { place: place(), stores: [] as Store[] };
      places.push(made);
      for (let i = 0; i < count; i++) made.stores.push(await made.place.open());
      return made.stores;
    };
    const one = async (): Promise<Store> => (await setup())[0]!;
    const two = async (): Promise<[Store, Store]> => (await setup(2)) as [Store, Store];

    afterEach(async () => {
      for (const made of places.splice(0)) {
        for (const store of made.stores) await store.close();
        made.place.remove();
      }
    });

    journals(one, two);
    ownership(two);
    companions(one, two);
    ledgerCases(one);
    sharing(two);
    budgetCases(two);
    listings(one);
    pruning(one);
  });
}

type One = () => Promise<Store>;
type Two = () => Promise<[Store, Store]>;

function journals(one: One, two: Two): void {
  it('S1 keeps a run, its plan and its events from creation on', async () => {
    const [store, other] = await two();
    expect(await store.commit([creation('run_a', { tags: ['x', 'y'], user: 'ann', key: 'k', keyHash: 'h', dueAt: 7 })])).toEqual(['ok']);
    const row = await other.run('run_a');
    expect(row).toMatchObject({
      run: 'run_a',
      seq: 1,
      epoch: 1,
      owner: store.owner,
      tags: ['x', 'y'],
      user: 'ann',
      key: 'k',
      dueAt: 7,
      status: 'pending',
      error: null,
    });
    expect(await other.plan(PLAN.hash)).toBe(PLAN.body);
    expect(await other.read('run_a')).toEqual([{ seq: 1, event: started(1000) }]);
  });

  it('knows nothing of runs, plans and blobs that were never written', async () => {
    const store = await one();
    expect(await store.run('run_a')).toBeUndefined();
    expect(await store.read('run_a')).toEqual([]);
    expect(await store.plan('x')).toBeUndefined();
    expect(await store.blob('x')).toBeUndefined();
    expect(await store.snapshot('run_a')).toBeUndefined();
    expect(await store.byKey('k')).toBeUndefined();
    expect(await store.commit([addition('run_a', 1)])).toEqual(['conflict']);
    await expect(store.acquire('run_a')).rejects.toEqual(codeOf('ORC-506'));
    await expect(store.deliver('run_a', 'k', cancel, 1)).rejects.toEqual(codeOf('ORC-506'));
    await store.release('run_a');
  });

  it('S1 refuses to create a run twice, or two under one key', async () => {
    const [store, other] = await two();
    await store.commit([creation('run_a', { key: 'k' })]);
    expect(await store.commit([creation('run_a')])).toEqual(['conflict']);
    expect(await other.commit([creation('run_b', { key: 'k' })])).toEqual(['key_conflict']);
    expect(await other.commit([creation('run_c', {}, { expectedSeq: 1 })])).toEqual(['conflict']);
    expect((await other.byKey('k'))?.run).toBe('run_a');
    expect(await other.run('run_b')).toBeUndefined();
    expect(await other.read('run_b')).toEqual([]);
  });

  it('S4 appends only after the event that the writer knows, and takes nothing of a refused batch', async () => {
    const store = await one();
    await store.commit([creation('run_a')]);
    expect(await store.commit([addition('run_a', 1, 3)])).toEqual(['ok']);
    const hash = sha256('value');
    const late = addition('run_a', 1, 1, { change: { status: 'failed' }, blobs: [{ hash, content: 'value' }], snapshot: 's', ledger: [call('run_a', 1)] });
    expect(await store.commit([late])).toEqual(['conflict']);
    expect(await store.commit([addition('run_a', 5)])).toEqual(['conflict']);
    expect(await store.run('run_a')).toMatchObject({ seq: 4, status: 'pending' });
    expect(await store.blob(hash)).toBeUndefined();
    expect(await store.snapshot('run_a')).toBeUndefined();
    expect(await store.ledger({})).toEqual([]);
    expect(await store.commit([addition('run_a', 4)])).toEqual(['ok']);
  });

  it('reads any stretch of the events, also from the middle of a commit', async () => {
    const store = await one();
    await store.commit([creation('run_a')]);
    await store.commit([addition('run_a', 1, 3)]);
    await store.commit([addition('run_a', 4, 2)]);
    const seqs = async (from?: number, to?: number): Promise<number[]> => (await store.read('run_a', from, to)).map(({ seq }) => seq);
    expect(await seqs()).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await seqs(2)).toEqual([3, 4, 5, 6]);
    expect(await seqs(2, 5)).toEqual([3, 4, 5]);
    expect(await seqs(4, 4)).toEqual([]);
    expect(await seqs(6)).toEqual([]);
    expect(await seqs(0, 1)).toEqual([1]);
    expect((await store.read('run_a', 2, 3))[0]?.event).toEqual({ type: 'task.scheduled', at: 2002, slot: 2 });
  });

  it('commits many runs at once and judges each by itself', async () => {
    const store = await one();
    await store.commit([creation('run_a'), creation('run_b')]);
    const verdicts = await store.commit([
      addition('run_a', 1),
      addition('run_b', 7),
      creation('run_c'),
      addition('run_a', 2),
      addition('run_c', 1, 1, { epoch: 9 }),
    ]);
    expect(verdicts).toEqual(['ok', 'conflict', 'ok', 'ok', 'fenced']);
    expect((await store.run('run_a'))?.seq).toBe(3);
    expect((await store.run('run_b'))?.seq).toBe(1);
    expect((await store.run('run_c'))?.seq).toBe(1);
  });

  it('changes the row in the commit of the events, and only what the change names', async () => {
    const store = await one();
    await store.commit([creation('run_a')]);
    await store.commit([
      addition('run_a', 1, 1, { change: { status: 'waiting', reason: 'timer', dueAt: 99, startedAt: 5, tasksDone: 1, costMicroUsd: 12, error: 'it broke' } }),
    ]);
    await store.commit([addition('run_a', 2, 1, { change: { dueAt: null, tasksTotal: 8 } })]);
    expect(await store.run('run_a')).toMatchObject({
      status: 'waiting',
      reason: 'timer',
      dueAt: null,
      startedAt: 5,
      tasksDone: 1,
      tasksTotal: 8,
      costMicroUsd: 12,
      error: 'it broke',
      seq: 3,
    });
    expect(await store.commit([addition('run_a', 3, 0, { change: { tasksDone: 2 } })])).toEqual(['ok']);
    expect(await store.run('run_a')).toMatchObject({ seq: 3, tasksDone: 2 });
    expect(await store.read('run_a')).toHaveLength(3);
  });

  it('shares no object with its callers', async () => {
    const store = await one();
    const batch = creation('run_a', { tags: ['x'] });
    await store.commit([batch]);
    batch.create!.row.tags.push('y');
    (batch.events[0] as { at: number }).at = 1;
    (await store.run('run_a'))!.tags.push('z');
    (await store.acquire('run_a'))!.tags.push('z');
    const [read] = await store.read('run_a');
    read!.event.at = 2;
    expect((await store.run('run_a'))?.tags).toEqual(['x']);
    expect((await store.read('run_a'))[0]?.event).toEqual(started(1000));
    await store.commit([addition('run_a', 1)]);
    expect((await store.run('run_a'))?.tags).toEqual(['x']);
  });
}

function ownership(two: Two): void {
  it('S4 fences a zombie: whoever was taken over from writes nothing more', async () => {
    const [zombie, heir] = await two();
    await zombie.commit([creation('run_a')]);
    await zombie.release('run_a');
    expect(await heir.acquire('run_a')).toMatchObject({ owner: heir.owner, epoch: 2, seq: 1 });
    expect(await zombie.commit([addition('run_a', 1)])).toEqual(['fenced']);
    expect(await zombie.commit([addition('run_a', 1, 1, { epoch: 2 })])).toEqual(['fenced']);
    expect(await heir.commit([addition('run_a', 1)])).toEqual(['fenced']);
    expect(await heir.commit([addition('run_a', 1, 1, { epoch: 2 })])).toEqual(['ok']);
    expect(await zombie.commit([addition('run_a', 2)])).toEqual(['fenced']);
    expect((await heir.read('run_a')).map(({ seq }) => seq)).toEqual([1, 2]);
  });

  it('S4 counts an epoch for every owner in turn, and refuses the same owner under an older one', async () => {
    const [a, b] = await two();
    await a.commit([creation('run_a')]);
    await a.release('run_a');
    await b.acquire('run_a');
    await b.release('run_a');
    expect((await a.acquire('run_a'))?.epoch).toBe(3);
    expect(await a.commit([addition('run_a', 1)])).toEqual(['fenced']);
    expect(await a.commit([addition('run_a', 1, 1, { epoch: 3 })])).toEqual(['ok']);
  });

  it('leaves a run with its living owner, also against another store of this process', async () => {
    const [a, b] = await two();
    await a.commit([creation('run_a')]);
    expect(await b.alive(a.owner)).toBe(true);
    expect(await b.acquire('run_a')).toBeUndefined();
    expect((await a.acquire('run_a'))?.epoch).toBe(1);
    await b.release('run_a');
    expect((await a.run('run_a'))?.owner).toBe(a.owner);
    expect(await b.orphans()).toEqual([]);
  });

  it('gives the runs of a closed store to whoever asks next', async () => {
    const [a, b] = await two();
    await a.commit([creation('run_a', { dueAt: 50 }), creation('run_b', { dueAt: 60 }), creation('run_c')]);
    await a.commit([ended('run_c', 1, 20)]);
    await a.close();
    expect(await b.alive(a.owner)).toBe(false);
    expect((await b.orphans()).map(row => row.run)).toEqual(['run_a', 'run_b']);
    expect((await b.due(55)).map(row => row.run)).toEqual(['run_a']);
    expect(await b.acquire('run_a')).toMatchObject({ epoch: 2, owner: b.owner });
    expect((await b.orphans()).map(row => row.run)).toEqual(['run_b']);
    expect((await b.due(60)).map(row => row.run)).toEqual(['run_b']);
    expect(await b.alive('own_nobody')).toBe(false);
  });
}

function companions(one: One, two: Two): void {
  it('keeps blobs once, small and large, and gives back exactly what it was given', async () => {
    const store = await one();
    const values = ['"ä€😀"', '', 'x'.repeat(300_000), JSON.stringify(Array.from({ length: 999 }, (_, i) => sha256(String(i))))];
    const blobs = values.map(content => ({ hash: sha256(content), content }));
    await store.commit([creation('run_a', {}, { blobs })]);
    expect(await store.commit([creation('run_b', {}, { blobs })])).toEqual(['ok']);
    for (const { hash, content } of blobs) expect(await store.blob(hash)).toBe(content);
  });

  it('does not serve a blob that does not have its hash', async () => {
    const store = await one();
    const hash = sha256('right');
    await store.commit([creation('run_a', {}, { blobs: [{ hash, content: 'wrong' }] })]);
    await expect((async () => store.blob(hash))()).rejects.toEqual(codeOf('ORC-504'));
    expect(await store.verify()).toHaveLength(1);
  });

  it('keeps the last three snapshots and finds the newest at or before a sequence number', async () => {
    const store = await one();
    await store.commit([creation('run_a')]);
    for (let seq = 1; seq < 6; seq++) await store.commit([addition('run_a', seq, 1, { snapshot: `state ${seq + 1}` })]);
    expect(await store.snapshots('run_a')).toEqual([
      { seq: 4, at: 2003, bytes: 7 },
      { seq: 5, at: 2004, bytes: 7 },
      { seq: 6, at: 2005, bytes: 7 },
    ]);
    expect(await store.snapshot('run_a')).toEqual({ seq: 6, state: 'state 6' });
    expect(await store.snapshot('run_a', 5)).toEqual({ seq: 5, state: 'state 5' });
    expect(await store.snapshot('run_a', 3)).toBeUndefined();
    await store.commit([addition('run_a', 6, 0, { snapshot: 'again' })]);
    expect(await store.snapshot('run_a')).toEqual({ seq: 6, state: 'again' });
    expect(await store.snapshots('run_a')).toHaveLength(3);
  });

  it('delivers a command once by key, also after it was consumed', async () => {
    const [owner, other] = await two();
    await owner.commit([creation('run_a'), creation('run_b')]);
    expect(await other.deliver('run_a', 'k2', { type: 'pause', by: 'bob' }, 20)).toBe(true);
    expect(await other.deliver('run_a', 'k1', cancel, 10)).toBe(true);
    expect(await other.deliver('run_b', 'k1', cancel, 15)).toBe(true);
    expect(await other.deliver('run_a', 'k1', { type: 'resume', by: 'eve' }, 30)).toBe(false);
    expect((await owner.inbox()).map(({ run, key }) => [run, key])).toEqual([
      ['run_a', 'k1'],
      ['run_b', 'k1'],
      ['run_a', 'k2'],
    ]);
    expect((await owner.inbox('run_a'))[0]).toEqual({ run: 'run_a', key: 'k1', command: cancel });
    expect(await other.inbox()).toEqual([]);
    expect((await other.inbox('run_b')).length).toBe(1);
    await owner.commit([addition('run_a', 1, 1, { consumed: ['k1'] })]);
    expect((await owner.inbox('run_a')).map(({ key }) => key)).toEqual(['k2']);
    expect(await other.deliver('run_a', 'k1', cancel, 40)).toBe(false);
    expect(await owner.commit([addition('run_a', 1, 1, { consumed: ['k2'] })])).toEqual(['conflict']);
    expect((await owner.inbox('run_a')).length).toBe(1);
  });

  it('shows every store the same control row', async () => {
    const [a, b] = await two();
    expect(await b.control()).toEqual({ drain: false, stop: false, reason: null, since: null });
    await a.setControl({ drain: true, stop: false, reason: 'maintenance', since: 12 });
    expect(await b.control()).toEqual({ drain: true, stop: false, reason: 'maintenance', since: 12 });
    await b.setControl({ drain: false, stop: true, reason: null, since: null });
    expect(await a.control()).toEqual({ drain: false, stop: true, reason: null, since: null });
  });

  it('gives cached results until they are out of date', async () => {
    const store = await one();
    await store.putCached('k', 'one', 100);
    await store.putCached('for ever', 'two', null);
    expect(await store.cached('k', 99)).toBe('one');
    expect(await store.cached('k', 100)).toBeUndefined();
    expect(await store.cached('for ever', 1e15)).toBe('two');
    expect(await store.cached('unknown', 0)).toBeUndefined();
    await store.putCached('k', 'three', 200);
    expect(await store.cached('k', 150)).toBe('three');
  });
}

function sharing(two: Two): void {
  it('shares small values: what one process changes the other sees, all keys of a change together, and nobody shares an object', async () => {
    const [a, b] = await two();
    expect(await b.shared.list('')).toEqual({});
    const given = { levels: [1] };
    expect(await a.shared.change(['limit/x', 'limit/y'], before => ({ values: [given, 2], result: before }))).toEqual([undefined, undefined]);
    given.levels.push(2);
    expect(await b.shared.change(['limit/y', 'limit/x'], before => ({ values: [3, 'ä'], result: before }))).toEqual([2, { levels: [1] }]);
    await b.shared.change(['model/x'], () => ({ values: [null], result: undefined }));
    expect(await a.shared.list('limit/')).toEqual({ 'limit/x': 'ä', 'limit/y': 3 });
    expect(await a.shared.list('')).toEqual({ 'limit/x': 'ä', 'limit/y': 3, 'model/x': null });
  });

  it('a change that throws changes nothing, and two that take turns lose none', async () => {
    const [a, b] = await two();
    const add = (store: Store): unknown =>
      store.shared.change(['n'], ([before]) => ({ values: [((before as number | undefined) ?? 0) + 1], result: undefined }));
    for (let i = 0; i < 50; i++) await Promise.all([add(a), add(b)]);
    const refused = async (): Promise<unknown> =>
      a.shared.change(['n'], () => {
        throw new OrchestratorError('ORC-601', 'no');
      });
    await expect(refused()).rejects.toEqual(codeOf('ORC-601'));
    expect(await b.shared.list('n')).toEqual({ n: 100 });
  });
}

function listings(one: One): void {
  it('lists runs newest first, by any mixture of filters', async () => {
    const store = await one();
    await store.commit([
      creation('run_1', { createdAt: 1, pipeline: 'p', user: 'ann', tags: ['red'] }),
      creation('run_2', { createdAt: 2, status: 'failed', tags: ['red', 'blue'] }),
      creation('run_3', { createdAt: 2, pipeline: 'p' }),
      creation('run_4', { createdAt: 3, status: 'running', user: 'ann', tags: ['%'] }),
    ]);
    const list = async (filter: Parameters<Store['runs']>[0]): Promise<string> => (await store.runs(filter)).map(row => row.run.slice(4)).join('');
    expect(await list({})).toBe('4321');
    expect(await list({ limit: 2 })).toBe('43');
    expect(await list({ before: 'run_3' })).toBe('21');
    expect(await list({ before: 'run_3', limit: 1 })).toBe('2');
    expect(await list({ before: 'run_9' })).toBe('');
    expect(await list({ status: ['failed', 'running'] })).toBe('42');
    expect(await list({ status: [] })).toBe('');
    expect(await list({ pipeline: 'p' })).toBe('31');
    expect(await list({ user: 'ann', pipeline: 'p' })).toBe('1');
    expect(await list({ tag: 'red' })).toBe('21');
    expect(await list({ tag: 're' })).toBe('');
    expect(await list({ since: 2 })).toBe('432');
  });

  it('finds runs by the beginning of their ids', async () => {
    const store = await one();
    await store.commit([creation('run_01ab'), creation('run_01ac'), creation('run_01b'), creation('run_02')]);
    expect(await store.match('run_01a', 10)).toEqual(['run_01ac', 'run_01ab']);
    expect(await store.match('01', 2)).toEqual(['run_01b', 'run_01ac']);
    expect(await store.match('02', 10)).toEqual(['run_02']);
    expect(await store.match('03', 10)).toEqual([]);
    expect(await store.match('%', 10)).toEqual([]);
  });

  it('knows how many runs it has', async () => {
    const store = await one();
    await store.commit([creation('run_a'), creation('run_b')]);
    const health = await store.health();
    expect(health).toMatchObject({ kind: store.kind, runs: 2 });
    expect(health.bytes).toBeGreaterThan(0);
    expect(await store.verify()).toEqual([]);
  });
}

function pruning(one: One): void {
  const shared = 'shared '.repeat(50);
  const alone = 'alone '.repeat(50);
  const cached = 'cached '.repeat(50);
  const setup = async (): Promise<Store> => {
    const store = await one();
    const blobs = [shared, alone, cached].map(content => ({ hash: sha256(content), content }));
    const events = blobs.map(({ hash, content }) => output(hash, content.length));
    const otherPlan = { hash: sha256('other'), body: '{"plan":2}' };
    const old = creation('run_old', { key: 'k' }, { blobs, events });
    old.create!.plan = otherPlan;
    old.create!.row.planHash = otherPlan.hash;
    await store.commit([old, creation('run_new', {}, { events: [events[0]!] }), creation('run_open')]);
    await store.commit([ended('run_old', 3, 100, { snapshot: 's', ledger: [call('run_old', 1)] }), ended('run_new', 1, 200)]);
    await store.deliver('run_old', 'k', cancel, 1);
    await store.putCached('c', JSON.stringify({ output: { b: sha256(cached), n: 1 } }), null);
    await store.putCached('stale', 'x', 140);
    return store;
  };

  it('prunes ended runs with all that only they use, and nothing else', async () => {
    const store = await setup();
    const { runs, bytes } = await store.prune({ endedBefore: 150 });
    expect(runs).toEqual(['run_old']);
    expect(bytes).toBeGreaterThan(0);
    expect(await store.run('run_old')).toBeUndefined();
    expect(await store.read('run_old')).toEqual([]);
    expect(await store.snapshot('run_old')).toBeUndefined();
    expect(await store.ledger({})).toEqual([]);
    expect(await store.inbox('run_old')).toEqual([]);
    expect(await store.plan(sha256('other'))).toBeUndefined();
    expect(await store.blob(sha256(alone))).toBeUndefined();
    expect(await store.blob(sha256(shared))).toBe(shared);
    expect(await store.blob(sha256(cached))).toBe(cached);
    expect(await store.plan(PLAN.hash)).toBe(PLAN.body);
    expect(await store.cached('stale', 1)).toBeUndefined();
    expect((await store.runs({})).map(row => row.run)).toEqual(['run_open', 'run_new']);
    expect(await store.commit([creation('run_again', { key: 'k' })])).toEqual(['ok']);
    expect(await store.verify()).toEqual([]);
  });

  it('tells with a dry run exactly what would go, and lets it stay', async () => {
    const store = await setup();
    const plan = await store.prune({ endedBefore: 1000, dryRun: true });
    expect(plan.runs.sort()).toEqual(['run_new', 'run_old']);
    expect(await store.read('run_old')).toHaveLength(4);
    expect(await store.blob(sha256(alone))).toBe(alone);
    expect((await store.prune({ endedBefore: 1000 })).bytes).toBe(plan.bytes);
    expect(await store.blob(sha256(shared))).toBeUndefined();
  });

  it('prunes one run by name, but none that has not ended', async () => {
    const store = await setup();
    await expect(store.prune({ run: 'run_open' })).rejects.toEqual(codeOf('ORC-508'));
    await expect(store.prune({ run: 'run_none' })).rejects.toEqual(codeOf('ORC-506'));
    expect((await store.prune({ run: 'run_new' })).runs).toEqual(['run_new']);
    expect(await store.run('run_old')).toBeDefined();
  });
}
