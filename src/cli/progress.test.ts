import { describe, expect, test } from 'vitest';
import type { ActiveTask, RunEvent, RunView } from '../runtime/api.ts';
import { Teller } from './lines.ts';
import { LiveRegion } from './live.ts';
import { heartbeat, progressLines } from './progress.ts';
import { plain, widthOf } from './text.ts';

const NOW = 1_000_000;
const task = (path: string, more: Partial<ActiveTask> = {}): ActiveTask => ({
  path,
  action: 'echo',
  status: 'running',
  reason: null,
  since: NOW - 4100,
  until: null,
  waitsFor: null,
  attempt: 1,
  iterations: null,
  asking: false,
  progress: null,
  tokens: null,
  writing: null,
  ...more,
});
const view = (more: Partial<RunView> = {}): RunView => ({
  run: 'run_7q2k',
  pipeline: 'research',
  status: 'running',
  reason: null,
  done: 12,
  failed: 0,
  total: 40,
  startedAt: NOW - 41_000,
  costMicroUsd: 182_000,
  active: [],
  ...more,
});
const draw = (of: RunView, columns = 90): string[] => progressLines(of, { columns, paint: plain, nowMs: NOW, hint: 'Ctrl-C stops' });

describe('the live picture', () => {
  test('says what runs, how far loops are, what waits and for how long', () => {
    const active = [
      task('each_doc', { action: 'for_each', iterations: { done: 29, total: 58, failed: 1 } }),
      task('each_doc[31]/summarise', { action: 'generate_text', tokens: 812, attempt: 2 }),
      task('each_doc[32]/summarise', { status: 'waiting', reason: 'rate_limit', until: NOW + 2000, waitsFor: 'lab/small' }),
    ];
    expect(draw(view({ active }))).toEqual([
      '● research  run_7q2k                                                 12/40 · 0:41 · $0.182',
      '  ◐ each_doc                ████████░░░░░░░░  29/58  1 ✕  4.1 s',
      '    ◐ each_doc[31]/summarise  generate_text  4.1 s  attempt 2  812 tok ▸ streaming',
      '    ‖ each_doc[32]/summarise  waits for a rate limit of lab/small, 2.0 s left',
      '  Ctrl-C stops',
    ]);
  });

  test('a question of an AUTO tag is shown while a model has it, though its task has not begun', () => {
    const active = [task('title', { status: 'scheduled', asking: true, tokens: 3, writing: 'Horror is' }), task('later', { status: 'scheduled' })];
    expect(draw(view({ active }), 80).slice(1, -1)).toEqual(['  ◐ title                   asks a model  4.1 s  3 tok ▸ Horror is']);
  });

  test('C20 shows the end of what a model is writing, with nothing in it that could steer the terminal', () => {
    const writing = (text: string | null): string => draw(view({ active: [task('write', { action: 'generate_text', tokens: 812, writing: text })] }), 80)[1]!;
    expect(writing(null)).toBe('  ◐ write                   generate_text  4.1 s  812 tok ▸ streaming');
    expect(writing('Once')).toBe('  ◐ write                   generate_text  4.1 s  812 tok ▸ Once');
    expect(writing('red \u001b[31m\tend')).toContain('▸ red \\x1b[31m\\tend');
    const long = writing(`${'long ago '.repeat(40)}the end`);
    expect(long).toMatch(/▸ ….*the end$/);
    expect(widthOf(long)).toBeLessThanOrEqual(80);
    expect(widthOf(writing('日本'.repeat(60)))).toBeLessThanOrEqual(80);
  });

  test('has at most 12 lines, and says how many more there are', () => {
    const lines = draw(view({ active: Array.from({ length: 50 }, (_, i) => task(`t${String(i).padStart(2, '0')}`)) }));
    expect(lines).toHaveLength(12);
    expect(lines.at(-2)).toBe('  … and 41 more under way');
  });

  test('shows something else in the place of the tasks, the last of it, where somebody asks for it', () => {
    const lines = Array.from({ length: 20 }, (_, i) => `line ${i} \u001b[31m${'x'.repeat(200)}`);
    const shown = progressLines(view(), { columns: 60, paint: plain, nowMs: NOW, hint: 'f back', instead: { title: 'What tasks log', lines } });
    expect(shown).toHaveLength(12);
    expect(shown[1]).toBe('  What tasks log (the last 9 of 20)');
    expect(shown[2]).toMatch(/^ {2}line 11 \\x1b\[31mx+…$/);
    expect(shown.at(-1)).toBe('  f back');
    for (const line of shown) expect(widthOf(line)).toBeLessThanOrEqual(60);
    expect(progressLines(view(), { columns: 60, paint: plain, nowMs: NOW, instead: { title: 'Nothing has failed', lines: [] } })[1]).toBe(
      '  Nothing has failed',
    );
  });

  test('is never wider than the terminal', () => {
    const active = [task(`a_very_long_name_${'x'.repeat(80)}/with_more`, { progress: { done: 3, total: 9, text: '日本'.repeat(40) } })];
    for (const columns of [40, 60, 80, 120])
      for (const line of draw(view({ active, pipeline: 'p'.repeat(200) }), columns)) expect(widthOf(line)).toBeLessThanOrEqual(columns);
  });

  test('C20 holds no control character of a task', () => {
    expect(draw(view({ active: [task('t', { progress: { done: 1, total: null, text: '\u001b[2J' } })] })).join('')).not.toContain('\u001b');
  });
});

test('the heartbeat names what takes the longest', () => {
  expect(
    heartbeat(view({ active: [task('quick', { since: NOW - 1000 }), task('summarise', { since: NOW - 41_000 }), task('nap', { status: 'waiting' })] }), NOW),
  ).toBe('… 12/40 done, 2 running, oldest summarise 41.0 s, 1 waiting, $0.182');
});

test('the region goes up by as many lines as it drew, and gives the cursor back', () => {
  const said: string[] = [];
  const region = new LiveRegion(text => void said.push(text));
  region.draw(['a', 'b']);
  region.draw(['c'], ['stays']);
  region.clear();
  region.clear();
  expect(said).toEqual([
    '\u001b[?2026h\u001b[?25la\nb\n\u001b[?2026l',
    '\u001b[?2026h\u001b[2A\r\u001b[Jstays\nc\n\u001b[?2026l',
    '\u001b[1A\r\u001b[J\u001b[?25h',
  ]);
});

describe('lines', () => {
  const event = (more: object): RunEvent => ({ seq: 1, run: 'run_1', at: NOW, slot: 0, ...more }) as unknown as RunEvent;
  const tell = (events: object[], all = false): (string | undefined)[] => {
    const teller = new Teller(plain, all);
    return events.map(one => teller.tell(event(one))?.text);
  };

  test('tell ends with the time since the first attempt', () => {
    expect(
      tell([
        { type: 'attempt.started', path: 'a', attempt: 1, at: NOW },
        { type: 'task.completed', path: 'a', at: NOW + 1200 },
      ]),
    ).toEqual([undefined, '  ✓ a                     1.2 s']);
  });

  test('tell of what runs inside a loop only failures, unless asked', () => {
    const failure = { code: 'ORC-220', message: 'no', class: 'failed', retryable: false, help: [] };
    const events = [
      { type: 'task.completed', path: 'l[0]/a' },
      { type: 'task.failed', path: 'l[1]/a', failure },
    ];
    expect(tell(events)).toEqual([undefined, '  ✕ l[1]/a                ORC-220: no']);
    expect(tell(events, true)[0]).toBe('  ✓ l[0]/a');
  });

  test('tell retries with the time until the next one, and why something was skipped', () => {
    const failure = { code: 'ORC-224', message: 'gone\nmore', class: 'network', retryable: true, help: [] };
    expect(
      tell([
        { type: 'attempt.failed', path: 'a', attempt: 1, failure, retryAt: NOW + 2000 },
        { type: 'task.skipped', path: 'b', reason: 'upstream_failed', because: 'a' },
      ]),
    ).toEqual([
      '  ↻ a                     attempt 1 failed, again in 2.0 s: ORC-224: gone',
      '  ⊘ b                     skipped: something it needs failed (a)',
    ]);
  });
});
