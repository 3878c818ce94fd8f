import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

/** Small deliberate faults in the engine. The simulation must find each of them within a few hundred seeds, or its oracles are worth nothing. */
const BUGS: { name: string; file: string; find: string; put: string }[] = [
  {
    name: 'a settled need is not counted down',
    file: 'apply.ts',
    find: 'state.waitingOn[scope.base + dependants[i]!]!--;',
    put: 'if (local !== 2) state.waitingOn[scope.base + dependants[i]!]!--;',
  },
  {
    name: 'a stale or doubled outcome is accepted',
    file: 'advance.ts',
    find: 'if (state.phase[slot] !== PERFORMING || state.attempt[slot] !== attempt) return;',
    put: 'if (state.phase[slot] !== PERFORMING && state.attempt[slot] !== attempt) return;',
  },
  {
    name: 'max_parallel is not looked at',
    file: 'loops.ts',
    find: 'loop.opened - loop.done < loop.parallel',
    put: 'loop.opened - loop.done < loop.parallel + 1',
  },
  {
    name: 'dependants of a skipped failure run',
    file: 'settle.ts',
    find: "return status !== FAILED || taskAt(turn, slot).onFailure !== 'continue';",
    put: "return status !== FAILED || taskAt(turn, slot).onFailure === 'fail';",
  },
  {
    name: 'the end of the run is forgotten',
    file: 'finish.ts',
    find: "emit(turn, { type: 'run.ended', status: own === null ? 'completed' : 'failed'",
    put: "if (state.done !== 3) emit(turn, { type: 'run.ended', status: own === null ? 'completed' : 'failed'",
  },
  {
    name: 'a failed run is called completed',
    file: 'finish.ts',
    find: "status: own === null ? 'completed' : 'failed'",
    put: "status: own === null || own.retryable ? 'completed' : 'failed'",
  },
  { name: 'a reservation that the store refused stays in the state', file: 'apply.ts', find: 'unreserve(state, event.slot, event.key);\n}', put: '}' },
  { name: 'one attempt too many', file: 'advance.ts', find: 'used >= retry.maxAttempts', put: 'used > retry.maxAttempts' },
  {
    name: 'an effectful intent runs again after a crash',
    file: 'recovery.ts',
    find: "return !effectful || task.onAmbiguous === 'retry';",
    put: 'return true;',
  },
  { name: 'an idempotent intent is in doubt after a crash', file: 'recovery.ts', find: "=== 'effectful';\n", put: "!== 'read';\n" },
  {
    name: 'timers are not set again after a crash',
    file: 'recovery.ts',
    find: 'else if (status === WAITING) owedWait(turn, slot);',
    put: 'else if (status === WAITING && state.phase[slot] !== 4) owedWait(turn, slot);',
  },
  {
    name: 'offers are not made again after a crash',
    file: 'recovery.ts',
    find: "else if (status === SCHEDULED) offer(turn, slot, 'enter');",
    put: 'else if (status === SCHEDULED) continue;',
  },
  {
    name: 'a false condition does not route',
    file: 'settle.ts',
    find: "reason === 'condition_false' || reason === 'condition_error'",
    put: "reason === 'condition_error'",
  },
  {
    name: 'a condition that cannot be evaluated lets the task run',
    file: 'advance.ts',
    find: "if (!result.ok) return skipTask(turn, slot, 'condition_error', null, result.failure);",
    put: 'if (!result.ok) return schedule(turn, slot);',
  },
  {
    name: 'a retry of the run resets what has a result',
    file: 'handlers.ts',
    find: 'if (extra?.scopes === undefined || extra.recovered) return false;',
    put: 'if (extra?.scopes === undefined || extra.recovered) return slot === 1;',
  },
  { name: 'a snapshot forgets the signals', file: 'snapshot.ts', find: 'signals: new Map(signals),', put: '' },
  {
    name: 'a fold depends on what the live state saw',
    file: 'apply.ts',
    find: 'state.at = event.at;',
    put: 'state.at = Math.max(state.at, event.at) + (state.seq % 97 === 96 ? Math.random() : 0);',
  },
  {
    name: 'cancelling leaves waiting tasks open',
    file: 'settle.ts',
    find: "else if (status === WAITING && reason !== 'run_failed')",
    put: "else if (status === WAITING && reason === 'run_failed')",
  },
  {
    name: 'a handler of a loop counts as an iteration',
    file: 'apply.ts',
    find: "scope.owner < 0 || plan.blocks[scope.block]!.kind === 'handler'",
    put: 'scope.owner < 0',
  },
  { name: 'until pauses too early', file: 'until.ts', find: 'mark === 0 || isSettled(', put: 'mark === 0 || i === 0 || isSettled(' },
];

const source = join(import.meta.dirname, '../../src/engine');
const scratch = mkdtempSync(join(tmpdir(), 'planted-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** A copy of the engine with one text replaced, beside which the other rooms are found where they are. */
function plant(name: string, file: string, find: string, put: string): string {
  const folder = join(scratch, name.replaceAll(' ', '-'));
  cpSync(source, folder, { recursive: true, filter: path => !path.endsWith('.test.ts') });
  for (const each of readdirSync(folder)) {
    let text = readFileSync(join(folder, each), 'utf8');
    if (each === file) {
      expect(text.split(find).length, `${file} holds \`${find}\` once`).toBe(2);
      text = text.replace(find, () => put);
    }
    writeFileSync(join(folder, each), text.replaceAll("from '../", `from '${join(source, '..')}/`));
  }
  return folder;
}

function simulate(engine: string): Promise<{ code: number; output: string }> {
  const args = [join(import.meta.dirname, 'run.ts'), '--engine', engine, '--seeds', '3000', '--seed', '5000', '--until-failure'];
  return new Promise(resolve => {
    execFile(process.execPath, args, { timeout: 60_000 }, (error, stdout, stderr) => resolve({ code: error === null ? 0 : 1, output: stdout + stderr }));
  });
}

describe('the simulation', { timeout: 120_000 }, () => {
  test('passes the engine as it is', async () => {
    const { output } = await simulate(plant('sound', '', '', ''));
    expect(output).toMatch(/ passed, 0 failed\n$/);
  });

  test.concurrent.for(BUGS)('finds: $name', async ({ name, file, find, put }, { expect: check }) => {
    const { output } = await simulate(plant(name, file, find, put));
    check(output).toMatch(/ passed, [1-9]\d* failed\n$/);
  });
});
