/**
 * Do the checks of the crash loop bite? Histories in which a promise is broken are put before its oracles, and faults into a copy of the sources, which is then
 * killed like the real one.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ModelOracle, type Report } from './model-oracle.ts';
import type { Bill } from './model-server.ts';
import { Oracle } from './oracle.ts';
import type { Fact, Journal } from './store.ts';

const root = join(import.meta.dirname, '../..');
const scratch = mkdtempSync(join(tmpdir(), 'planted-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true, maxRetries: 5 }));

const FAULTS: { name: string; models?: true; finds: RegExp; file: string; changes: [find: string, put: string][] }[] = [
  {
    name: 'S2 effects are handed out while their intent is still being written',
    finds: /S2 \S+ was performed before its intent was on the disk|S1 the run that was accepted is gone/,
    file: 'runtime/loop.ts',
    changes: [
      ['else run.effects.push(effect);', 'else this.#start(run, effect);'],
      ['answer = this.#store.commit(batches);', 'answer = new Promise(resolve => setTimeout(() => resolve(this.#store.commit(batches)), 60));'],
    ],
  },
  {
    name: 'S3 the key of an effect is another one in each process',
    finds: /S3 \S+ came under \S+, and before under/,
    file: 'runtime/context.ts',
    changes: [
      ['(this.#key ??= effectKey(this.#run, this.#slot, this.path))', '(this.#key ??= `${effectKey(this.#run, this.#slot, this.path)}/${process.pid}`)'],
    ],
  },
  {
    name: 'S12 a reply is written down some time before the result that it paid for',
    models: true,
    finds: /S12 \S+ is asked and paid again, and its reply is in the journal/,
    file: 'runtime/meter.ts',
    changes: [['      return { reply, isSettled:', '      await new Promise(resolve => setTimeout(resolve, 150));\n      return { reply, isSettled:']],
  },
];

/** A copy of the sources with a fault in it, as a command. */
function plant(name: string, file: string, changes: [string, string][]): string {
  const folder = join(scratch, name.slice(0, name.indexOf(' ')));
  mkdirSync(folder);
  for (const part of ['bin', 'src', 'package.json']) cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const path = join(folder, 'src', file);
  let text = readFileSync(path, 'utf8');
  for (const [find, put] of changes) {
    expect(text.split(find).length, `${file} holds \`${find}\` once`).toBe(2);
    text = text.replace(find, () => put);
  }
  writeFileSync(path, text);
  return join(folder, 'bin', 'orchestrator');
}

describe('the crash loop', { timeout: 120_000 }, () => {
  test.concurrent.for(FAULTS)('finds: $name', async ({ name, models, finds, file, changes }, { expect: check }) => {
    const args = [
      join(import.meta.dirname, 'run.ts'),
      '--kills',
      '40',
      '--until-failure',
      '--command',
      plant(name, file, changes),
      ...(models ? ['--models'] : []),
    ];
    const output = await new Promise<string>(resolve => {
      execFile(process.execPath, args, { timeout: 100_000, env: { ...process.env, TMPDIR: scratch } }, (_, stdout, stderr) => resolve(stdout + stderr));
    });
    check(output).toMatch(finds);
    check(output).toMatch(/ passed, [1-9]\d* failed\n$/);
  });
});

const journalOf = (events: object[]): Journal => ({
  run: 'run_1',
  status: 'running',
  facts: events.map((event, i) => ({ ...event, seq: i + 1 }) as Fact),
  texts: events.map(event => JSON.stringify(event)),
  paths: ['a', 'b'],
});
const started = (slot: number, attempt = 1): object => ({ type: 'attempt.started', slot, attempt });
const completed = (slot: number): object => ({ type: 'task.completed', slot });
const ended = { type: 'run.ended', status: 'completed' };
const request = (path: string, key: string | null = `run_1/${path}`): Parameters<Oracle['received']>[0] => ({ path, key, process: 1 });

describe('the oracle of effects', () => {
  const judge = (tell: (oracle: Oracle) => void): string[] => {
    const visible = ['a', 'b'].map(path => ({ path, kind: 'keyed' as const, flaky: false }));
    const oracle = new Oracle({ yaml: '', visible, blocks: [{ ids: ['a', 'b'], loop: false }] });
    tell(oracle);
    return oracle.problems;
  };
  const whole = [started(0), completed(0), started(1), completed(1), ended];

  test('is content with a history in which all is well', () => {
    const problems = judge(oracle => {
      oracle.received(request('a'));
      oracle.look(journalOf([started(0)]));
      oracle.received(request('a'));
      oracle.received(request('b'));
      oracle.printed('{"seq":2,"type":"task.completed"}');
      oracle.look(journalOf(whole));
      oracle.atEnd(1, new Set(), () => true);
    });
    expect(problems).toEqual([]);
  });

  test.each<[string, string, (oracle: Oracle) => void]>([
    ['S1 a run that is gone', 'S1 the run that was accepted is gone', oracle => (oracle.received(request('a')), oracle.look(null))],
    [
      'S2 an effect without intent',
      'S2 a was performed before its intent was on the disk',
      oracle => (oracle.received(request('a')), oracle.look(journalOf([]))),
    ],
    ['S3 no key', 'S3 a came without a key', oracle => oracle.received(request('a', null))],
    [
      'S3 another key in the next attempt',
      'S3 a came under k2, and before under k1',
      oracle => (oracle.received(request('a', 'k1')), oracle.received(request('a', 'k2'))),
    ],
    ['S3 one key for two tasks', 'S3 b and a came under one key', oracle => (oracle.received(request('a', 'k')), oracle.received(request('b', 'k')))],
    [
      'S3 a task that was completed without its effect',
      'S3 b is completed, and nothing arrived',
      oracle => (oracle.received(request('a')), oracle.look(journalOf(whole)), oracle.atEnd(0, new Set(), () => true)),
    ],
    ['S4 two ends', 'S4 a has ended twice', oracle => oracle.look(journalOf([started(0), completed(0), completed(0)]))],
    [
      'S5 a journal that lost something',
      'S5 the journal has lost or changed what it held',
      oracle => (oracle.look(journalOf([started(0)])), oracle.look(journalOf([]))),
    ],
    [
      'S5 an event that was told and is gone',
      'S5 event 2 (task.completed) was told, and is not in the journal',
      oracle => (oracle.printed('{"seq":2,"type":"task.completed"}'), oracle.look(journalOf([started(0)]))),
    ],
    [
      'S6 an effect again after its result',
      'S6 a is performed again, having a recorded result',
      oracle => (oracle.look(journalOf([started(0), completed(0)])), oracle.received(request('a'))),
    ],
    ['S8 a run without end', 'S8 the run is not ended', oracle => (oracle.look(journalOf([])), oracle.atEnd(0, new Set(), () => true))],
  ])('sees %s', (_, problem, tell) => {
    expect(judge(tell)).toContain(problem);
  });
});

describe('the oracle of models', () => {
  const called = (mark: string, more: object = {}): object => ({
    type: 'model.called',
    slot: 0,
    call: { inputTokens: 10, outputTokens: 4, costMicroUsd: 39, ...more },
    prompt: { v: [{ content: `about ${mark}` }] },
  });
  const bill = (mark: string, outputTokens = 4): Bill => ({
    id: 1,
    lane: 'l',
    mark,
    turn: 1,
    inputTokens: 10,
    outputTokens,
    nanoUsd: 15_000 + outputTokens * 6_000,
    isDelivered: true,
  });
  const sure: Report = { showUsd: 0.000039, costUsd: 0.000039, uncertainCalls: 0, uncertainUsd: 0 };
  const judge = (events: object[], bills: Bill[], report: Partial<Report> = {}, kills = 1): string[] => {
    const oracle = new ModelOracle({ yaml: '', config: '', marks: ['q-a'], blocks: [{ ids: ['a', 'b'], loop: false }] });
    oracle.look(journalOf([...events, ended]));
    oracle.atEnd(bills, kills, { ...sure, ...report });
    return oracle.problems;
  };

  test('is content where each bill is a call, or was lost and is uncertain', () => {
    expect(judge([called('q-a')], [bill('q-a')])).toEqual([]);
    const lost = { uncertainCalls: 1, uncertainUsd: 0.000051 };
    expect(judge([called('q-a'), called('q-a', { failed: 'ORC-229', costMicroUsd: null })], [bill('q-a', 6), bill('q-a')], lost)).toEqual([]);
  });

  test.each<[string, RegExp, object[], Bill[], Partial<Report>?, number?]>([
    ['S12 a bill that is in no book', /S12 1 replies were lost, and 0 calls are uncertain/, [called('q-a')], [bill('q-a'), bill('q-a', 6)]],
    [
      'S12 one that costs more than is set aside',
      /S12 51 were lost, and at most 50/,
      [called('q-a')],
      [bill('q-a'), bill('q-a', 6)],
      { uncertainCalls: 1, uncertainUsd: 0.00005 },
    ],
    ['S12 a bill that is unknown though nothing was killed', /S12 1 bills are unknown/, [called('q-a')], [bill('q-a'), bill('q-a', 6)], {}, 0],
    ['S12 a call that nobody billed', /S12 the journal holds a call for q-a that nobody billed/, [called('q-a')], []],
    ['S12 another price', /S12 q-a was billed 39 and is written as 40/, [called('q-a', { costMicroUsd: 40 })], [bill('q-a')]],
    ['S12 a sum that is not that of its calls', /S12 show says 40, and its calls cost 39/, [called('q-a')], [bill('q-a')], { showUsd: 0.00004 }],
    ['S12 a cost that counts twice', /S12 cost says 78, and the server billed 39/, [called('q-a')], [bill('q-a')], { costUsd: 0.000078 }],
    ['S6 two replies to one question', /S6 the journal holds 2 replies to q-a/, [called('q-a'), called('q-a')], [bill('q-a'), bill('q-a')]],
    [
      'S6 a tag that was answered twice',
      /S6 the tag 0#0 was answered twice/,
      [called('q-a'), ...Array.from({ length: 2 }, () => ({ type: 'auto.resolved', slot: 0, index: 0, source: 'model' }))],
      [bill('q-a')],
    ],
  ])('sees %s', (_, problem, events, bills, report, kills) => {
    expect(judge(events, bills, report, kills).join('\n')).toMatch(problem);
  });

  test('S12 sees a question that is paid again although its reply is in the journal', () => {
    const oracle = new ModelOracle({ yaml: '', config: '', marks: ['q-a'], blocks: [] });
    oracle.look(journalOf([called('q-a')]));
    oracle.asked('q-a', 1);
    expect(oracle.problems).toEqual(['S12 q-a is asked and paid again, and its reply is in the journal']);
  });
});
