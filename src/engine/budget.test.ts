import { describe, expect, test } from 'vitest';
import { failing, setup, type Play } from './fixture.ts';
import { stateHash } from './index.ts';

const CALL = { purpose: 'text', model: 'm', inputTokens: 1, outputTokens: 1, latencyMs: 1 };

function begun(lines = '- { id: a, action: work }'): Play {
  const run = setup(lines, { acts: { a: 'hangs' } });
  run.send({ type: 'budget', microUsd: 1000, by: 'me' });
  return run;
}

function spend(run: Play, costMicroUsd: number | null): void {
  run.send({ type: 'called', slot: 0, call: { ...CALL, costMicroUsd }, prompt: { v: '' }, reply: { v: '' } });
}

describe('a budget', () => {
  test('C24 sets the worst case of a call aside, while it stays within the cap', () => {
    const run = begun();
    expect(run.send({ type: 'reserve', slot: 0, key: 'one', microUsd: 600 })).toHaveLength(1);
    expect(run.send({ type: 'reserve', slot: 0, key: 'two', microUsd: 401 })).toEqual([]);
    run.send({ type: 'reserve', slot: 0, key: 'two', microUsd: 400 });
    expect(run.document.budget).toEqual({ usd: 0.001, onExceed: 'pause', reservedUsd: 0.001 });
    run.send({ type: 'release', slot: 0, key: 'one' });
    expect(run.send({ type: 'release', slot: 0, key: 'one' })).toEqual([]);
    expect(run.state.reservedMicroUsd).toBe(400);
  });

  test('S12 what was set aside for a call whose reply was lost in a crash stays set aside', () => {
    const run = begun();
    run.send({ type: 'reserve', slot: 0, key: '0.0', microUsd: 400 });
    run.crash();
    run.send({ type: 'reserve', slot: 0, key: '1.0', microUsd: 500 });
    run.send({ type: 'release', slot: 0, key: '1.0' });
    expect(run.state).toMatchObject({ reservedMicroUsd: 400, reserved: { '0.0': 400 } });
    expect(stateHash(run.fold())).toBe(stateHash(run.state));
  });

  test('without a cap nothing is set aside', () => {
    const run = setup('- { id: a, action: work }', { acts: { a: 'hangs' } });
    expect(run.send({ type: 'reserve', slot: 0, key: 'one', microUsd: 1 })).toEqual([]);
  });

  test('an attempt that met the cap is as if it had not begun, and the run pauses until the cap is raised', () => {
    const run = begun();
    run.send({ type: 'settled', slot: 0, attempt: 1, outcome: { ok: false, failure: failing(), held: true } });
    expect(run.document).toMatchObject({ status: 'paused', reason: 'budget', next: ['orchestrator resume run_1 --budget 0.002'], tasks: { a: { status: 'scheduled', attempts: 0 } } });
    run.order({ type: 'budget', microUsd: 5000, by: 'me' });
    run.order({ type: 'resume', by: 'me' });
    expect(run.performed).toEqual(['a#1', 'a#1']);
    run.settle('a');
    expect(run.document.status).toBe('completed');
    expect(run.send({ type: 'budget', microUsd: 1, by: 'me' })).toHaveLength(1);
  });

  test('so is a question; while the run stops, both fail', () => {
    const asking = '- { id: b, action: work, parameters: { x: "<AUTO>what?</AUTO>" } }';
    const run = setup(asking);
    run.order({ type: 'budget', microUsd: 1, by: 'me' });
    run.send({ type: 'answered', slot: 0, index: 0, answer: { ok: false, failure: failing(), held: true } });
    expect(run.document).toMatchObject({ status: 'paused', reason: 'budget' });
    const stopping = begun();
    stopping.order({ type: 'cancel', by: 'me' });
    stopping.send({ type: 'settled', slot: 0, attempt: 1, outcome: { ok: false, failure: failing(), held: true } });
    expect(stopping.document.status).toBe('cancelled');
  });

  test('warns of what is nearly spent, and of prices that nobody knows', () => {
    const run = begun();
    spend(run, 800);
    expect(run.document.warnings).toEqual([expect.stringContaining('over 80 %')]);
    spend(run, 200);
    spend(run, null);
    expect(run.document.warnings).toEqual([expect.stringContaining('one model call'), expect.stringContaining('over 95 %')]);
    spend(run, null);
    run.send({ type: 'budget', microUsd: 0, by: 'me' });
    expect(run.document.warnings).toEqual([expect.stringContaining('2 model calls'), expect.stringContaining('over 95 %')]);
  });
});
