import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { RunDocument, TaskDocument } from '../../engine/document.ts';
import type { RunEvent } from '../../runtime/api.ts';
import { gatherFacts } from './facts.ts';
import { layOut } from './layers.ts';
import { markup } from './markup.ts';
import { renderReport } from './page.ts';

const START = Date.parse('2026-01-02T03:04:05.000Z');
const at = (ms: number): string => new Date(START + ms).toISOString();

function task(more: Partial<TaskDocument> = {}): TaskDocument {
  return {
    id: 'x',
    action: 'echo',
    status: 'completed',
    success: true,
    output: 'fine',
    error: null,
    attempts: 1,
    recovered: false,
    timedOut: false,
    skippedBecause: null,
    reason: null,
    cached: false,
    dependencies: [],
    startedAt: at(0),
    endedAt: at(100),
    durationMs: 100,
    queuedMs: 0,
    model: null,
    usage: { inputTokens: 0, outputTokens: 0 },
    costUsd: 0,
    ...more,
  };
}

function run(tasks: RunDocument['tasks'], more: Partial<RunDocument> = {}): RunDocument {
  return {
    v: 1,
    run: 'run_1',
    pipeline: { name: 'p', version: '1.0', hash: 'a'.repeat(64) },
    status: 'completed',
    reason: null,
    success: true,
    inputs: {},
    outputs: {},
    tasks,
    order: Object.keys(tasks),
    startedAt: at(0),
    endedAt: at(1000),
    durationMs: 1000,
    costUsd: 0,
    error: null,
    parent: null,
    autos: [],
    warnings: [],
    next: [],
    ...more,
  };
}

const event = (ms: number, path: string | null, more: object): RunEvent =>
  ({ seq: 1, run: 'run_1', at: START + ms, path, slot: 0, ...more }) as unknown as RunEvent;
const value = (ref: object): string => ('v' in ref ? String(ref.v) : '');
const EVIL = '</script><script>alert(1)</script><img src=x onerror=alert(1)>\u202e';

describe('facts', () => {
  const tasks = {
    slow: task({ endedAt: at(500) }),
    quick: task({ endedAt: at(100) }),
    join: task({ dependencies: ['slow', 'quick'], startedAt: at(510), endedAt: at(900) }),
    skipped: task({ status: 'skipped', startedAt: null, endedAt: null, dependencies: ['join'] }),
  };
  const facts = gatherFacts(
    run(tasks),
    [
      event(0, null, { type: 'run.started' }),
      event(0, 'slow', { type: 'task.scheduled' }),
      event(10, 'slow', { type: 'attempt.started', attempt: 1 }),
      event(20, 'quick', { type: 'attempt.started', attempt: 1 }),
      event(100, 'quick', { type: 'task.completed' }),
      event(200, 'slow', { type: 'attempt.failed', attempt: 1, failure: { code: 'ORC-224', message: 'gone\nmore' }, retryAt: START + 300 }),
      event(300, 'slow', { type: 'attempt.started', attempt: 2 }),
      event(500, 'slow', { type: 'task.completed' }),
    ],
    value,
  );

  test('tell when each task queued, worked and waited', () => {
    expect(facts.rows.find(row => row.path === 'slow')!.segments.map(({ kind, fromMs, toMs }) => [kind, fromMs - START, toMs - START])).toEqual([
      ['queue', 0, 10],
      ['run', 10, 200],
      ['wait', 200, 300],
      ['run', 300, 500],
    ]);
  });

  test('find the critical path, the peak and the failed attempts', () => {
    expect([facts.criticalPath, facts.peak]).toEqual([['slow', 'join'], 2]);
    expect(facts.retries).toEqual([{ path: 'slow', atMs: START + 200, attempt: 1, what: 'ORC-224: gone', waitedMs: 100 }]);
  });
});

describe('the layout of a graph', () => {
  test('puts each node below what it needs, and no two at one place', () => {
    const { nodes, ranks } = layOut([[], [], [0, 1], [2], [0, 3], [2]]);
    expect(nodes.map(node => node.rank)).toEqual([0, 0, 1, 2, 3, 2]);
    expect(ranks).toBe(4);
    for (const [i, a] of nodes.entries())
      for (const b of nodes.slice(i + 1)) if (a.rank === b.rank) expect(Math.abs(a.at - b.at)).toBeGreaterThanOrEqual(1 - 1e-9);
  });

  test('leads a long edge through every rank between its ends', () => {
    const long = layOut([[], [0], [1], [0, 2]]).edges.find(edge => edge.from === 0 && edge.to === 3)!;
    expect(long.points.map(point => point.rank)).toEqual([0, 1, 2, 3]);
  });

  test('a thousand nodes in a chain are no trouble', () => {
    expect(layOut(Array.from({ length: 1000 }, (_, i) => (i === 0 ? [] : [i - 1]))).ranks).toBe(1000);
  });
});

describe('the page', () => {
  const document = run(
    {
      [EVIL]: task({ status: 'failed', output: null, error: { code: 'ORC-216', class: 'failed', message: EVIL, retryable: false, help: [EVIL] }, model: EVIL }),
    },
    {
      pipeline: { name: EVIL, version: '1', hash: 'b'.repeat(64) },
      status: 'failed',
      inputs: { a: EVIL },
      outputs: { [EVIL]: EVIL },
      error: { code: 'ORC-216', class: 'failed', message: EVIL, help: [EVIL], path: EVIL },
      autos: [{ path: 'x', target: 'y', value: EVIL, source: 'model', model: EVIL, reason: EVIL }],
    },
  );
  const events = [
    event(0, EVIL, { type: 'attempt.started', attempt: 1 }),
    event(5, EVIL, { type: 'task.logged', level: 'info', text: EVIL }),
    event(9, EVIL, {
      type: 'model.called',
      call: {
        purpose: EVIL,
        model: EVIL,
        inputTokens: 1,
        outputTokens: 2,
        costMicroUsd: null,
        latencyMs: 4,
        asked: EVIL,
        failed: EVIL,
        answered: EVIL,
        finish: EVIL,
      },
      prompt: { v: EVIL },
      reply: { v: EVIL },
    }),
  ];
  const page = renderReport({ document, plan: undefined, facts: gatherFacts(document, events, value), program: 'orchestrator 1' });

  test('holds no element of a text, whatever the text', () => {
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).not.toContain('<img');
    expect(page.slice(0, page.indexOf('<script'))).not.toContain('\u202e');
    expect(JSON.parse(/<script type="application\/json" id="run">(.*?)<\/script>/s.exec(page)![1]!)).toEqual(document);
  });

  test('allows its own style sheet by hash, and nothing else', () => {
    const style = /<style>(.*?)<\/style>/s.exec(page)![1]!;
    const hash = createHash('sha256').update(style).digest('base64');
    expect(page).toContain(`content="default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'"`);
    expect(page).not.toMatch(/ style=| on\w+="|https?:|<link|<iframe/);
  });

  test('says the verdict, in words and not by colour alone', () => {
    expect(page).toContain('<b>Failed at');
    expect(page).toContain('✕ failed');
  });

  test('draws very many tasks as a wall of cells', () => {
    const many = run(Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`t${i}`, task()])));
    const text = renderReport({ document: many, plan: undefined, facts: gatherFacts(many, [], value), program: '' });
    expect(text.match(/class="cell completed"/g)).toHaveLength(500);
    expect(text).toContain('… and 200 more.');
  });
});

test('what is put into markup is text', () => {
  expect(markup`<a b="${'"<&\''}">${[markup`<i>`, undefined, false]}${3}</a>`.html).toBe('<a b="&quot;&lt;&amp;&#39;"><i>3</a>');
});
